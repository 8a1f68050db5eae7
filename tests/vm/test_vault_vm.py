"""A vault that was taken over: what the agent can reach of it, and where its secrets are not."""
import base64
import contextlib
import os
import re
import stat
import subprocess
import unittest

from vmlib.world import World

from lib import processes
from lib.wait import until

VALUE = "a-value-that-is-nowhere-7f3a9c"
SECRET = "prod/db"

# Run as the agent's user, with paths on stdin: what it can do with each.
REACH = """
import os, socket, sys
def tried(what, act):
    try: act(); print(what)
    except OSError: pass
def listen(path):
    with socket.socket(socket.AF_UNIX) as s: s.settimeout(2); s.connect(path)
for path in sys.stdin.read().splitlines():
    tried("read " + path, lambda: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK)))
    tried("write " + path, lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK)))
    tried("list " + path, lambda: os.listdir(path))
    tried("stat " + path, lambda: os.stat(path))
    tried("remove " + path, lambda: os.unlink(path))
    tried("connect " + path, lambda: listen(path))
"""
# With numbers of processes.
TOUCH = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def tried(what, act):
    try:
        if act() is not False: print(what)
    except OSError: pass
class Vector(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
def peek(pid):
    room = ctypes.create_string_buffer(8)
    here, there = Vector(ctypes.cast(room, ctypes.c_void_p), 8), Vector(0x400000, 8)
    if libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) < 0 and ctypes.get_errno() != 14: return False
for pid in map(int, sys.stdin.read().split()):
    for name in ("mem", "environ", "maps", "pagemap", "auxv", "stack", "syscall"):
        tried(f"{pid} {name}", lambda: os.read(os.open(f"/proc/{pid}/{name}", os.O_RDONLY), 1))
    for name in ("fd", "root", "cwd", "map_files", "task/%d/fd" % pid):
        tried(f"{pid} {name}", lambda: os.listdir(f"/proc/{pid}/{name}"))
    tried(f"{pid} exe", lambda: os.readlink(f"/proc/{pid}/exe"))
    tried(f"{pid} attach", lambda: libc.ptrace(16, pid, 0, 0) == 0)
    tried(f"{pid} seize", lambda: libc.ptrace(0x4206, pid, 0, 0) == 0)
    tried(f"{pid} peek", lambda: peek(pid))
    tried(f"{pid} signal", lambda: os.kill(pid, 0))
"""
DIAL = """
import socket, sys
for port in map(int, sys.stdin.read().split()):
    try: socket.create_connection(("127.0.0.1", port), 2); print(port)
    except OSError: pass
"""


class Vault(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = world = World()
        cls.addClassCleanup(world.close)
        done = world.provision()
        assert done.status == 0, done
        cls.old_machine = world.agents_machine()
        process = world.start_takeover()
        world.press("takeover-check")
        out, err = process.communicate()
        assert process.returncode == 0, (out, err)
        cls.agent = world.connect()
        world.must("--vault", world.vault + "/", "secret", "put", SECRET, "--description", "a description", input=VALUE.encode())
        cls.redeem()

    @classmethod
    def redeem(cls):
        asked = cls.agent.ask(SECRET, "a reason to see")
        cls.world.press(asked["code"])
        until(lambda: cls.agent.look(asked["id"], 2)["status"] == "approved", "the approval", timeout=30)
        assert cls.agent.redeem(asked["id"]).json["value"] == VALUE

    def as_agent(self, code, lines):
        done = subprocess.run(self.world.as_agent("python3", "-c", code), input="\n".join(map(str, lines)), capture_output=True, text=True,
                              check=True)
        return done.stdout.split("\n")[:-1]

    # ---- what the agent reaches

    def test_no_file_and_no_socket_of_the_vault(self):
        paths = [self.world.vault, self.world.config, self.world.path("telegram-token")]
        for folder, folders, names in os.walk(self.world.vault):
            paths += [os.path.join(folder, name) for name in folders + names]
        self.assertTrue({"master.key", "data.raw", "admin.sock", "channel.sock"} <= {os.path.basename(p) for p in paths})
        # That they are there is no secret, where the folder itself is everybody's.
        public = {f"stat {path}" for path in paths[:3]}
        self.assertEqual(set(self.as_agent(REACH, paths)) - public, set())
        for path in paths[1:]:
            self.assertEqual(os.stat(path).st_mode & 0o077, 0, path)
        # The probe can tell.
        own = self.world.path("agent", "own")
        subprocess.run(self.world.as_agent("touch", own), check=True)
        self.assertEqual(self.as_agent(REACH, [own]), [f"{what} {own}" for what in ("read", "write", "stat", "remove")])

    def test_no_process_of_the_vault(self):
        world = self.world
        pids = [*world.residents(), world.owned_machine()]
        self.assertGreaterEqual(len(pids), 3, "resident process, plugin host, QEMU")
        self.assertEqual(self.as_agent(TOUCH, pids), [])

    def listening(self):
        """Ports on which a process of the scenario listens, but for the emulated Telegram in this one."""
        sockets = set()
        for pid in [*self.world.residents(), self.world.owned_machine()]:
            with contextlib.suppress(OSError):
                for entry in os.listdir(f"/proc/{pid}/fd"):
                    sockets.add(os.readlink(f"/proc/{pid}/fd/{entry}"))
        ports = set()
        for name in ("tcp", "tcp6"):
            with open(f"/proc/net/{name}", encoding="ascii") as file:
                for line in file.readlines()[1:]:
                    words = line.split()
                    if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                        ports.add(int(words[1].split(":")[1], 16))
        return ports

    def test_one_port_answers(self):
        self.assertEqual(self.listening(), {self.world.port})
        self.assertEqual(self.as_agent(DIAL, [self.world.port]), [str(self.world.port)])

    def test_nothing_is_left_of_the_agents_machine(self):
        world = self.world
        until(lambda: world.agents_machine() is None, "the end of the agent's machine")
        self.assertEqual(processes.arguments(self.old_machine), [])
        self.assertEqual(os.listdir(world.staging), ["agent.json"])
        found = os.stat(world.agent_file)
        self.assertEqual((stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid), (0o600, world.user, world.user))

    # ---- where the secrets are not

    def read(self, name):
        with open(os.path.join(self.world.vault, name), "rb") as file:
            return file.read()

    def hidden(self):
        master, bot, token = self.read("master.key"), self.world.telegram.token, self.agent.token
        keys = {f"{name}, line {n}": line
                for name in ("vault.key", "host.key", "tls.pem")
                for n, line in enumerate(re.findall(rb"PRIVATE KEY-----\r?\n([A-Za-z0-9+/=]{20,})", self.read(name)))}
        self.assertEqual(len(master), 32)
        self.assertGreaterEqual(len(keys), 3)
        return {"the value": VALUE.encode(), "the value in base64": base64.b64encode(VALUE.encode())[:-4], "the bot's token": bot.encode(),
                "the agent's token": token.encode(), "the master key": master, "the master key in hex": master.hex().encode(),
                "the master key in base64": base64.b64encode(master)[:-4], **keys}

    def assert_clean(self, data, where, allowed=()):
        for what, text in self.hidden().items():
            if what not in allowed:
                self.assertFalse(text in data, f"{what} is in {where}")

    def test_not_in_arguments_and_environments(self):
        for pid in [*self.world.residents(), self.world.owned_machine()]:
            where = " ".join(processes.arguments(pid))
            self.assert_clean("\0".join(processes.arguments(pid)).encode(), where)
            self.assert_clean(processes.environment(pid), "the environment of " + where)

    def test_not_in_logs_and_not_on_the_disk(self):
        own = {"master.key": "the master key", "vault.key": "vault.key", "host.key": "host.key", "tls.pem": "tls.pem"}
        for folder, _, names in os.walk(self.world.vault):
            for name in names:
                path = os.path.join(folder, name)
                if stat.S_ISREG(os.stat(path).st_mode):
                    with open(path, "rb") as file:
                        self.assert_clean(file.read(), path, [w for w in self.hidden() if w.startswith(own.get(name, "\0"))])
        self.assertTrue(self.read("data.raw").strip(b"\0"))

    def test_not_in_the_agents_folder(self):
        for folder, _, names in os.walk(self.world.agent_home):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assert_clean(file.read(), name, ["the agent's token"] if name == "agent.json" else [])


if __name__ == "__main__":
    unittest.main()
