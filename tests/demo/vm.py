"""The demo: an agent builds a vault in a virtual machine, the host takes it over, and a person approves.

Run by ./demo as root, which builds first. The agent is another user of this
machine; QEMU is real. What must stay true: it checks what it tells, so that
"demo: ok" means that all of it happened; nothing of it is left behind.
"""
import json
import os
import secrets
import signal
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "vm")]

from show import EmulatedTelegram, Lines, OwnNotifier, Wrong, channel_of, check  # noqa: E402
from vmlib import libvirtd  # noqa: E402
from vmlib.world import World  # noqa: E402

SECRET = "prod/db-password"
REASON = "run the schema migration of release 4.2"
TRIAL = "takeover-check"

# What the kernel says to the agent; run as the agent's user.
READ = "import sys\ntry: open(sys.argv[1], 'rb').read(1); print('readable')\nexcept OSError as e: print(e.strerror)"
KNOCK = "import socket,sys\ntry: socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print('connected')\n" \
        "except OSError as e: print(e.strerror)"
TRACE = "import ctypes,os,sys\nr=ctypes.CDLL(None,use_errno=True).ptrace(16,int(sys.argv[1]),0,0)\n" \
        "print('attached' if r==0 else os.strerror(ctypes.get_errno()))"
DIAL = "import socket,sys\ntry: socket.create_connection(('127.0.0.1',int(sys.argv[1])),2); print('connected')\n" \
       "except OSError as e: print(e.strerror or e)"


def kind_of(arguments):
    """The vm plugin of the host."""
    return arguments[arguments.index("--vm") + 1] if "--vm" in arguments else "qemu"


class Steps(threading.Thread):
    """A program that tells its steps, shown as they come."""

    def __init__(self, lines, who, argv, env=None):
        super().__init__(daemon=True)
        self.lines, self.who, self.seen, self.err = lines, who, [], ""
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=env)
        self.start()

    def run(self):
        for raw in self.process.stdout:
            line = json.loads(raw)
            if "step" not in line:
                continue
            self.seen.append(line)
            self.lines.step(self.who, f"{line['step']:>2} {line['name']:<30} {line['status']:<7} {line['ms'] / 1000:6.2f} s  "
                            f"{line['message']}")
        self.err = self.process.stderr.read().decode(errors="replace")

    def finish(self):
        self.join()
        status = self.process.wait()
        check(status == 0, f"{self.who}: exit {status}: {self.err.strip()}")
        return self.seen


class Demo:
    def __init__(self, lines, arguments):
        self.lines, self.channel = lines, channel_of(lines, arguments, on_host=True)
        emulated, own = isinstance(self.channel, EmulatedTelegram), isinstance(self.channel, OwnNotifier)
        real = None if emulated or own else (self.channel.token, self.channel.person)
        self.world = self.make_world(telegram=emulated, real=real, kind=kind_of(arguments), say=lambda text: lines.step("host", text))
        if emulated:
            self.channel.api = self.world.telegram
        if own:
            self.channel.start()
            self.channel.vault = lambda *words: self.world.must("--json", "--vault", self.world.vault + "/", *words).json
            self.world.configure(notify=f"notify = {self.channel.name}\n", telegram=self.channel.sections(self.world.write))
        self.value = f"correct-horse-{secrets.token_hex(8)}"

    AGENT = "an ordinary user of this machine, no root"

    @staticmethod
    def make_world(**more):
        return World(**more)

    # ---- the story

    def provision(self):
        self.lines.head(f"The agent builds a vault ({self.AGENT})")
        world = self.world
        world.bring_image()
        Steps(self.lines, "agent", world.as_agent(world.agent_program, *world.provision_words())).finish()

    def takeover(self):
        self.lines.head("The host takes it over")
        if isinstance(self.channel, EmulatedTelegram):
            self.lines.step("host", "emulation isolates nothing; the config says allow-emulation = yes, so that this runs anywhere")
        steps = Steps(self.lines, "host", self.world.host_argv("--json", "takeover", "agent"), self.world.host_env)
        self.channel.over = lambda: steps.process.poll() is not None
        self.channel.decide(TRIAL)
        steps.finish()
        self.channel.over = lambda: False

    def approve(self):
        self.lines.head("From then on a person approves each use, asked from inside the vault VM")
        self.world.must("secret", "put", SECRET, "--description", "password of the production database", input=self.value.encode())
        self.lines.step("admin", f"secret put {SECRET}: sealed in the vault VM")
        asking = subprocess.Popen(self.world.as_agent("env", f"SECRET_PROXY_AGENT_FILE={self.world.agent_file}",
                                                      self.world.agent_program, "get", SECRET, "--reason", REASON),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.lines.step("agent", f"secret-proxy get {SECRET} --reason “{REASON}”")
        card = self.channel.decide(REASON)
        out, err = asking.communicate(timeout=600)
        if self.channel.denied:
            check(asking.returncode == 7 and not out, f"get: exit {asking.returncode}: {err}")
            self.lines.step("agent", "denied: exit 7, and nothing on stdout")
            return
        check(asking.returncode == 0 and out.decode() == self.value, f"get: exit {asking.returncode}: {err}")
        self.lines.step("agent", f"the value, {self.lines.paint('1', out.decode())}")
        if card is not None:
            self.channel.settled(card)

    # ---- with curl alone

    def _curl(self, *more):
        agent = self.world.told()
        done = subprocess.run(self.world.as_agent(
            "curl", "-sS", "-k", "--max-time", "30", "--pinnedpubkey", agent["tls_pin"], "-K", self.header, *more),
            capture_output=True, check=False)
        check(done.returncode == 0, f"curl: {done.stderr.decode()}")
        return json.loads(done.stdout)

    def curl(self):
        agent = self.world.told()
        # The token goes into a file: arguments are for everybody to see.
        self.header = os.path.join(self.world.agent_home, "curl.conf")
        with open(os.open(self.header, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(f'header = "Authorization: Bearer {agent["token"]}"\n')
        os.chown(self.header, self.world.user, self.world.user)
        reason = "the same with curl"
        request = self._curl(agent["url"] + "/v1/requests", "--json", json.dumps({"secret": SECRET, "reason": reason}))
        self.lines.step("agent", f"curl --pinnedpubkey '{agent['tls_pin'][:20]}…' …/v1/requests: {request['status']}")
        self.channel.decide(reason)
        seen = self._curl(f"{agent['url']}/v1/requests/{request['id']}?wait=60")
        check(seen["status"] == ("denied" if self.channel.denied else "approved"), f"the request is {seen['status']}")
        got = self._curl("-X", "POST", f"{agent['url']}/v1/requests/{request['id']}/redeem")
        if self.channel.denied:
            check("value" not in got, "a denied value was handed out")
        else:
            check(got["value"] == self.value, f"curl got {got}")
            self.lines.step("agent", f"curl …/redeem: {self.lines.paint('1', got['value'])}")

    # ---- what it tries

    def _vain(self, what, code, *arguments):
        done = subprocess.run(self.world.as_agent("python3", "-c", code, *arguments), capture_output=True, text=True, check=False)
        said = done.stdout.strip() or "not even Python may run"
        check(said not in ("readable", "connected", "attached"), f"the agent could {what}")
        self.lines.vain(what, said)

    def try_in_vain(self):
        self.lines.head("What the agent tries in vain")
        world, machine = self.world, self.world.owned_machine()
        vault = world.vault
        self._vain("its old disk", READ, os.path.join(world.staging, "disk.qcow2"))
        self._vain("the old monitor", KNOCK, os.path.join(world.staging, "monitor.sock"))
        self._vain("the vault's disk", READ, os.path.join(vault, "data.raw"))
        self._vain("the master key", READ, os.path.join(vault, "master.key"))
        self._vain("the admin socket", KNOCK, os.path.join(vault, "admin.sock"))
        self._vain("the admin channel", KNOCK, os.path.join(vault, "channel.sock"))
        self._vain("the machine's memory", READ, f"/proc/{machine}/mem")
        self._vain("trace the machine", TRACE, str(machine))
        self._vain("a shell: port 22 of the vault", DIAL, "22")
        self._search()

    def _search(self):
        """The value and the token are in no file of the agent's or of the machine's disk."""
        size = 0
        for root in (self.world.agent_home, self.world.vault):
            for folder, _, names in os.walk(root):
                for name in names:
                    path = os.path.join(folder, name)
                    if not os.path.isfile(path) or os.path.islink(path):
                        continue
                    with open(path, "rb") as file:
                        while block := file.read(1 << 20):
                            check(self.value.encode() not in block, f"the value is in {path}")
                            size += len(block)
        self.lines.vain("search every file of the vault for the value", f"not in {size >> 20} MiB")

    def prove(self):
        self.lines.head("What the host can show")
        shown = self.world.must("--json", "--vault", self.world.vault + "/", "ownership", "verify").json
        statement = json.loads(self.world.must("--json", "--vault", self.world.vault + "/", "ownership", "show").json["statement"])
        self.lines.step("host", f"ownership verify: vault {shown['vault']}, trust {statement['trust']}, acceleration "
                        f"{statement['acceleration']}")
        self.lines.step("host", f"measured: root {statement['measurement']['root'][:16]}…, kernel "
                        f"{statement['measurement']['kernel'][:16]}…")
        found = self.world.must("--json", "--vault", self.world.vault + "/", "audit", "verify").json
        self.lines.step("audit", f"verify: ok, {found['entries']} entries, head {found['head'][:16]}…")

    def run(self):
        self.provision()
        self.takeover()
        self.approve()
        self.curl()
        self.try_in_vain()
        self.prove()

    def stop(self):
        if isinstance(self.channel, OwnNotifier):
            self.channel.stop()
        self.world.close()

    def tell(self):
        """What a failure may have to do with."""
        for name in ("resident.log", "console.log"):
            try:
                with open(os.path.join(self.world.vault, name), encoding="utf-8", errors="replace") as file:
                    self.lines.note(f"---- {name}\n{file.read()[-2000:]}")
            except OSError:
                pass


def main(arguments, kind=Demo):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lines, demo, why, daemon = Lines(), None, None, None
    try:
        if kind_of(arguments) == "libvirt":
            lines.step("host", "a libvirt daemon of the demo's own is started, in a mount namespace")
            daemon = libvirtd.private()
        demo = kind(lines, arguments)
        demo.run()
    except (Wrong, AssertionError, OSError, EOFError, KeyError, ValueError, subprocess.SubprocessError,
            KeyboardInterrupt) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        if demo is not None:
            demo.tell()
    finally:
        if demo is not None:
            demo.stop()
        if daemon is not None:
            daemon.stop()
    print(f"demo: failed: {why}" if why else "\ndemo: ok")
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
