"""The short demo, without a machine: an admin, an agent and a person on Telegram, one line for each step.

Run by ./demo --local, which builds first. What must stay true: it checks what it
tells, so that "demo: ok" means that all of it happened; nothing of it is left
behind; the bot token is in a 0600 file only.
"""
import os
import secrets
import signal
import stat
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "api")]

from lib import processes  # noqa: E402
from lib.case import Background  # noqa: E402
from lib.http import Agent  # noqa: E402
from lib.vault import Failed, Vault  # noqa: E402
from show import Lines, Wrong, channel_of, check  # noqa: E402

SECRET = "prod/db-password"
REASON = "run the schema migration of release 4.2"
WAIT = 600

CONFIG = """\
[vault default]
store = sqlite
notify = {notify}
tls = required

{sections}"""

# As another user: what the kernel says of the vault's admin socket.
KNOCK = "import socket,sys\ntry: socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print('connected')\n" \
        "except OSError as e: print(e.strerror)"


# ---- the show ------------------------------------------------------------------------------------

class Demo:
    def __init__(self, lines, channel):
        self.lines, self.channel = lines, channel
        self.vault = Vault(None)
        self.value = f"correct-horse-{secrets.token_hex(8)}"
        self.agent = self.other = self.request = None

    def start(self):
        self.lines.head("The vault")
        self.channel.start()
        self.vault.configure(CONFIG.format(notify=self.channel.name, sections=self.channel.sections(self.vault.write)))
        try:
            self.vault.start()
        except Failed as error:
            raise Wrong(error.message.strip().splitlines()[-1].removeprefix("secret-proxy: ")) from error
        self.channel.vault = self.vault.admin
        self.lines.step("host", f"a vault runs at {self.vault.ready['url']}, trust: local (nothing isolates it here)")
        self._wait_healthy()
        names = [processes.comm(pid) for pid in self.vault.all_processes()[1:]]
        self.lines.step("host", "its processes: " + ", ".join(names))

    def _wait_healthy(self):
        """A notifier that can't work is said before anybody asks."""
        end = time.monotonic() + 20
        while (health := self._health()).status != 200:
            check(time.monotonic() < end, f"{self.channel.name} does not work: {self._why() or health}")
            time.sleep(0.05)

    def _why(self):
        return "; ".join(plugin["why"] for plugin in self.vault.admin("status")["plugins"] if "why" in plugin)

    def _health(self):
        return self.vault.anonymous(tls=True).call("GET", "/health")

    def prepare(self):
        self.lines.head("The admin")
        self.vault.put(SECRET, self.value, "--description", "password of the production database")
        self.lines.step("admin", f"secret put {SECRET}: stored, sealed with a key of its own")
        for name in ("builder", "stranger"):
            self.vault.admin("agent", "add", name, "--write", os.path.join(self.vault.home, name + ".json"))
        self.agent, self.other = (self._agent(name) for name in ("builder", "stranger"))
        self.lines.step("admin", "agent add builder: agent.json with its token, and the vault's key to check")

    def _agent(self, name):
        import json
        with open(os.path.join(self.vault.home, name + ".json"), encoding="utf-8") as file:
            written = json.load(file)
        return Agent(self.vault.port, written["token"], written["tls_pin"], name=name)

    def ask(self):
        self.lines.head("The request")
        self.request = self._ask()
        self.lines.step("agent", f"POST /v1/requests for {SECRET}: pending, code {self.request['code']}")
        waiting = Background(self._wait)
        card = self.channel.decide(self.request["code"])
        began = time.monotonic()
        seen = waiting.result(WAIT + 60)
        after = f" {(time.monotonic() - began) * 1000:.0f} ms after the answer" if card else ""
        self.lines.step("agent", f"its long poll wakes{after}: {self.lines.paint('1', seen['status'])}")
        check(seen["status"] in ("approved", "denied"), f"the request is {seen['status']}")
        if card is not None:
            self.channel.settled(card)
        return seen["status"] == "approved"

    def _ask(self):
        """A notifier may fail for the first time when it is needed."""
        try:
            return self.agent.ask(SECRET, REASON, ttl=WAIT)
        except AssertionError as error:
            check(not self._why(), f"{self.channel.name} does not work: {self._why()}")
            raise error

    def _wait(self):
        while True:
            seen = self.agent.look(self.request["id"], 55)
            if seen["status"] != "pending":
                return seen

    def use(self, approved):
        self.lines.head("What the agent could do")
        answer = self.agent.redeem(self.request["id"])
        if approved:
            check(answer.status == 200 and answer.json["value"] == self.value, f"redeem: {answer}")
            self.lines.step("agent", f"redeem: the value, {self.lines.paint('1', answer.json['value'])}")
        else:
            check((answer.status, answer.problem) == (403, "denied"), f"redeem: {answer}")
            self.lines.step("agent", "redeem: 403 denied. The agent has got nothing")

    def try_in_vain(self, approved):
        self.lines.head("What the agent tried in vain")
        number = self.request["id"]
        wanted = (410, "used") if approved else (403, "denied")
        self._refused("redeem a second time", self.agent.redeem(number), *wanted)
        self._refused("approve its own request", self.agent.call("POST", f"/v1/requests/{number}/approve"), 404, "not-found")
        self._refused("read another agent's request", self.other.get(number), 404, "not-found")
        self._refused("redeem another agent's request", self.other.redeem(number), 404, "not-found")
        self._knock()
        self._search()

    def _refused(self, what, answer, status, problem):
        check((answer.status, answer.problem) == (status, problem), f"{what}: {answer}")
        self.lines.vain(what, f"{status} {problem}")

    def _knock(self):
        path = self.vault.ready["admin"]
        if os.geteuid() == 0:
            # Past the folders, so that it is the socket that refuses.
            os.chmod(self.vault.home, 0o711)
            mode = stat.S_IMODE(os.stat(self.vault.folder).st_mode)
            done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable,
                                   "-c", KNOCK, path], capture_output=True, text=True, check=False, cwd="/")
            said = done.stdout.strip() or "not even Python may run"
            check(said != "connected", "another user reached admin.sock")
            self.lines.vain("reach admin.sock as another user", f"{said} (its folder has mode {mode:04o})")
        else:
            modes = [stat.S_IMODE(os.stat(p).st_mode) for p in (self.vault.folder, path)]
            check(all(m & 0o077 == 0 for m in modes), f"admin.sock has the modes {modes}")
            self.lines.vain("reach admin.sock as another user", f"not with the modes {modes[0]:04o} and {modes[1]:04o}")

    def _search(self):
        found, size = [], 0
        for folder, _, names in os.walk(self.vault.folder):
            for name in names:
                path = os.path.join(folder, name)
                if stat.S_ISREG(os.stat(path).st_mode):
                    with open(path, "rb") as file:
                        data = file.read()
                    size += len(data)
                    found += [path] if self.value.encode() in data else []
        check(not found, f"the value is in {found}")
        self.lines.vain("search the vault's files for the value", f"not in {size // 1024} KiB: only sealed bytes")

    def audit(self, approved):
        self.lines.head("The audit log")
        mine = [e for e in self.vault.audit() if e.get("request") == self.request["id"]]
        for entry in mine:
            by = f" by {entry['by']}" if "by" in entry else ""
            self.lines.step("audit", f"{entry['seq']:>3}  {entry['event']}{by}")
        wanted = ["request.created", "request.approved", "request.redeemed"] if approved else \
            ["request.created", "request.denied"]
        check([e["event"] for e in mine] == wanted, f"the audit log has {[e['event'] for e in mine]}")
        found = self.vault.verify()
        self.lines.step("audit", f"verify: ok, {found['entries']} entries, head {found['head'][:16]}…")

    def run(self):
        self.start()
        self.prepare()
        approved = self.ask()
        self.use(approved)
        self.try_in_vain(approved)
        self.audit(approved)

    def stop(self):
        self.channel.stop()
        self.vault.close()


# ---- the command ---------------------------------------------------------------------------------

def main(arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lines, demo = Lines(), None
    try:
        demo = Demo(lines, channel_of(lines, arguments, on_host=False))
        demo.run()
        demo.stop()
    except (Wrong, AssertionError, OSError, EOFError, KeyboardInterrupt) as error:
        if demo is not None:
            lines.note(demo.vault.log()[-2000:])
            try:
                demo.stop()
            except (AssertionError, OSError) as more:
                lines.note(str(more)[-2000:])
        why = str(error).splitlines()[0] if str(error) else "interrupted"
        print(f"demo: failed: {why}")
        return 1
    print("\ndemo: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
