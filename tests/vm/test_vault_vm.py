"""A vault that was taken over: what the agent can reach of it, where its secrets are not, and what it survives.

The order is that of the names: the last ones end its processes.
"""
import base64
import contextlib
import json
import os
import random
import re
import signal
import stat
import subprocess
import threading
import time
import unittest

from vmlib.world import World

from lib import processes
from lib.http import Closed
from lib.wait import SLOW, until

VALUE = "a-value-that-is-nowhere-7f3a9c"
SECRET = "prod/db"
ROUNDS = int(os.environ.get("SECRET_PROXY_TEST_ROUNDS", "3"))

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
        cls.world = world = World(vault="agent-rate = 100000\nagent-pending = 512\n")
        cls.addClassCleanup(world.close)
        done = world.provision()
        assert done.status == 0, done
        cls.old_machine = world.agents_machine()
        process = world.start_takeover()
        world.press("takeover-check")
        out, err = process.communicate()
        assert process.returncode == 0, (out, err)
        cls.agent = world.connect()
        cls.admin("secret", "put", SECRET, "--description", "a description", input=VALUE.encode())
        cls.redeem()

    @classmethod
    def admin(cls, *arguments, **more):
        return cls.world.must("--json", "--vault", cls.world.vault + "/", *arguments, **more)

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

    def test_1_no_file_and_no_socket_of_the_vault(self):
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

    def test_1_no_process_of_the_vault(self):
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

    def test_1_one_port_answers(self):
        self.assertEqual(self.listening(), {self.world.port})
        self.assertEqual(self.as_agent(DIAL, [self.world.port]), [str(self.world.port)])

    def test_1_nothing_is_left_of_the_agents_machine(self):
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

    def test_2_not_in_arguments_and_environments(self):
        for pid in [*self.world.residents(), self.world.owned_machine()]:
            where = " ".join(processes.arguments(pid))
            self.assert_clean("\0".join(processes.arguments(pid)).encode(), where)
            self.assert_clean(processes.environment(pid), "the environment of " + where)

    def test_2_not_in_logs_and_not_on_the_disk(self):
        own = {"master.key": "the master key", "vault.key": "vault.key", "host.key": "host.key", "tls.pem": "tls.pem"}
        for folder, _, names in os.walk(self.world.vault):
            for name in names:
                path = os.path.join(folder, name)
                if stat.S_ISREG(os.stat(path).st_mode):
                    with open(path, "rb") as file:
                        self.assert_clean(file.read(), path, [w for w in self.hidden() if w.startswith(own.get(name, "\0"))])
        self.assertTrue(self.read("data.raw").strip(b"\0"))

    def test_2_not_in_the_agents_folder(self):
        for folder, _, names in os.walk(self.world.agent_home):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assert_clean(file.read(), name, ["the agent's token"] if name == "agent.json" else [])

    # ---- what it survives

    def serves(self):
        with contextlib.suppress(Closed, OSError, AssertionError):
            return self.agent.call("GET", "/v1/secrets", timeout=1).status == 200
        return False

    def back(self):
        """The vault serves again, and the administrator reaches it, too."""
        until(self.serves, "a vault that serves", timeout=120, pause=0.1)
        until(lambda: self.world.host("--vault", self.world.vault + "/", "status").status == 0, "an unlocked vault", timeout=60, pause=0.1)

    def assert_audit(self):
        found = self.admin("audit", "verify").json
        self.assertTrue(found["ok"], found)
        anchor = json.loads(self.read("anchor"))
        self.assertLessEqual(anchor["seq"], found["entries"])
        return found

    def test_3_what_was_acknowledged_survives_a_power_cut(self):
        seed = random.randrange(10**6)
        dice, secrets, asked, kept_on = random.Random(seed), [], [], threading.Event()

        def put():
            while not kept_on.is_set():
                name = f"s/{len(secrets)}-{dice.randrange(10**9)}"
                if self.world.host("--vault", self.world.vault + "/", "secret", "put", name, input=b"x").status == 0:
                    secrets.append(name)

        def ask():
            while not kept_on.is_set():
                with contextlib.suppress(Closed, OSError, ValueError):
                    answer = self.agent.call("POST", "/v1/requests", {"secret": SECRET, "reason": str(len(asked))}, timeout=3)
                    if answer.status == 201:
                        asked.append(answer.json["id"])
                        self.agent.call("DELETE", "/v1/requests/" + asked[-1], timeout=3)

        for number in range(ROUNDS):
            with self.subTest(seed=seed, round=number):
                kept_on.clear()
                before = len(secrets), len(asked)
                writers = [threading.Thread(target=put), threading.Thread(target=ask)]
                for writer in writers:
                    writer.start()
                until(lambda: len(secrets) > before[0] and len(asked) > before[1], "something acknowledged", timeout=60)
                time.sleep(dice.uniform(0, 1))
                machine = self.world.owned_machine()
                os.kill(machine, signal.SIGKILL)
                kept_on.set()
                for writer in writers:
                    writer.join()
                self.back()
                self.assertNotEqual(self.world.owned_machine(), machine)
                listed = {item["name"] for item in self.admin("secret", "list").json["items"]}
                self.assertEqual(set(secrets) - listed, set())
                for number_of in asked:
                    self.assertEqual(self.agent.get(number_of).status, 200)
                self.assert_audit()
        self.redeem()
        log = self.read("resident.log").decode()
        self.assertGreaterEqual(log.count("starting it again"), ROUNDS)
        self.assertIn("QEMU was ended by signal 9", log)

    def test_3_a_machine_that_is_killed_while_it_boots_is_started_again(self):
        for _ in range(3):
            machine = until(self.world.owned_machine, "a machine", timeout=60)
            os.kill(machine, signal.SIGKILL)
            until(lambda old=machine: self.world.owned_machine() not in (None, old), "another machine", timeout=60)
        self.back()
        self.assert_audit()

    def test_4_it_stops_in_good_order(self):
        entries = self.assert_audit()["entries"]
        self.world.must("--vault", self.world.vault + "/", "vm", "stop")
        self.world.settled()
        self.assertIn("reboot: Power down", self.world.console())
        header = subprocess.run(["dumpe2fs", "-h", os.path.join(self.world.vault, "data.raw")], capture_output=True, text=True, check=True).stdout
        self.assertIn("Filesystem state:         clean", header)
        self.assertNotIn("needs_recovery", header)
        self.assertNotIn("admin.sock", os.listdir(self.world.vault))
        self.world.must("--vault", self.world.vault + "/", "vm", "start")
        self.assertGreater(self.assert_audit()["entries"], entries)
        self.redeem()

    def test_5_its_processes_end_with_the_resident_one(self):
        world, resident = self.world, self.world.resident()
        children = [pid for pid in processes.descendants(resident)]
        self.assertIn(world.owned_machine(), children)
        os.kill(resident, signal.SIGKILL)
        until(lambda: not any(processes.parent_of(pid) for pid in children), "the end of its processes")
        world.settled()
        world.must("--vault", world.vault + "/", "vm", "start")
        self.back()
        self.assert_audit()
        self.redeem()

    def test_5_its_processes_end_with_the_plugin_host(self):
        world, machine = self.world, self.world.owned_machine()
        host = processes.parent_of(machine)
        self.assertEqual(processes.parent_of(host), world.resident())
        os.kill(host, signal.SIGKILL)
        until(lambda: world.owned_machine() not in (None, machine), "another machine", timeout=60)
        self.back()
        self.redeem()


if __name__ == "__main__":
    unittest.main()
