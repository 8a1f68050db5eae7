"""Notifiers with `where = host`, by notify-exec: a program of the admin's own answers, now, later or never."""
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import unittest

from lib import processes
from lib.case import Background, Case, is_root
from lib.paths import DOCS, PROGRAM
from lib.vault import run
from lib.wait import until

# One that every user may run.
PYTHON = shutil.which("python3", path="/usr/bin:/bin") or sys.executable

CONFIG = """\
[vault default]
store = sqlite
notify = desk
tls = optional

[notify desk]
plugin = exec
where = host
command = {python}, {program}, {room}
{extra}

[approver alice]
desk = alice

[approver bob]
desk = bob
"""

# What the program does with a notice stands in the file `mode`; what it was told is added to `seen`.
BEHAVIOUR = '''\
import json, os, sys, time
room = sys.argv[1]
told = json.loads(sys.stdin.readline())
told["uid"], told["groups"], told["pid"] = os.geteuid(), sorted(os.getgroups()), os.getpid()
told["environment"], told["arguments"] = dict(os.environ), sys.argv[2:]
with open(room + "/seen", "a", encoding="utf-8") as seen:
    seen.write(json.dumps(told) + "\\n")
with open(room + "/mode", encoding="ascii") as file:
    mode = file.read().strip()
if told["event"] == "settle":
    sys.exit(0)
person = told["people"][0]
if mode in ("approve", "deny"):
    print(json.dumps({"choice": mode, "person": person}))
elif mode == "stranger":
    print(json.dumps({"choice": "approve", "person": "mallory"}))
elif mode == "unoffered":
    print(json.dumps({"choice": "grant:999999", "person": person}))
elif mode == "garbage":
    print("yes please")
elif mode == "more":
    print(json.dumps({"choice": "approve", "person": person, "notice": "another"}))
elif mode == "long":
    print("{" + " " * 100000 + "}")
elif mode == "fails":
    print("a first line", file=sys.stderr)
    print("the \\x1b[31mprinter is on fire", file=sys.stderr)
    sys.exit(3)
elif mode == "dies":
    os.kill(os.getpid(), 9)
elif mode == "never":
    sys.exit(75)
elif mode == "busy":
    with open(room + "/mode", "w", encoding="ascii") as file:
        file.write("approve")
    sys.exit(75)
elif mode == "slow":
    while not os.path.exists(room + "/go"):
        time.sleep(0.01)
    print(json.dumps({"choice": "approve", "person": person}))
elif mode == "hang":
    child = os.fork()
    with open(room + "/hanging", "a", encoding="ascii") as file:
        file.write(str(os.getpid()) + "\\n")
    while True:
        time.sleep(1000)
'''


class HostCase(Case):
    def setUp(self):
        self.v = self.vault(None, start=False)
        os.chmod(self.v.home, 0o711)
        self.room = os.path.join(self.v.home, "room")
        os.mkdir(self.room)
        os.chmod(self.room, 0o777)
        self.program = self.v.write("program", BEHAVIOUR, 0o755)

    def begin(self, mode, extra="", start=True):
        self.mode(mode)
        self.v.configure(CONFIG.format(python=PYTHON, program=self.program, room=self.room, extra=extra))
        if not start:
            return
        self.v.start()
        self.wait_ready()
        self.v.put("db", "hunter2")
        self.agent = self.v.agent()

    def mode(self, word):
        path = os.path.join(self.room, "mode")
        with open(path, "w", encoding="ascii") as file:
            file.write(word)
        os.chmod(path, 0o666)

    def hanging(self):
        try:
            with open(os.path.join(self.room, "hanging"), encoding="ascii") as file:
                return [int(line) for line in file]
        except FileNotFoundError:
            return []

    def kill_hanging(self):
        for pid in self.hanging():
            if self.program in processes.arguments(pid):
                os.kill(pid, signal.SIGKILL)

    def notifier(self):
        return next(p for p in self.v.admin("status")["plugins"] if p["kind"] == "notify")

    def wait_ready(self):
        until(lambda: self.notifier()["state"] == "ready", "the notifier", 20)

    def seen(self, event="post"):
        try:
            with open(os.path.join(self.room, "seen"), encoding="utf-8") as file:
                # The last line may be one that is being written.
                whole = [json.loads(line) for line in file if line.endswith("\n")]
                return [told for told in whole if told["event"] == event]
        except FileNotFoundError:
            return []

    def wait_seen(self, n=1, event="post"):
        return until(lambda: len(self.seen(event)) >= n and self.seen(event), f"{event} {n}", 20)[-1]

    def decided(self, request, status, timeout=20):
        until(lambda: self.agent.look(request["id"])["status"] != "pending", "a decision", timeout)
        self.assertEqual(self.agent.look(request["id"])["status"], status)

    def alarms(self):
        return [e for e in self.v.audit() if e["event"] == "notifier.alarm"]

    def wait_alarm(self, text):
        until(lambda: any(text in json.dumps(e) for e in self.alarms()), f"an alarm with {text!r}", 20)

    def host(self):
        """The process of the notifier: a child of the resident process, not of the daemon."""
        found = [p for p in processes.children(self.v.pid) if processes.comm(p) == "sp-plugin"]
        return found[0] if found else 0


class Answers(HostCase):
    def test_now(self):
        self.begin("approve")
        asked = self.agent.ask("db", "why <b>not</b>")
        self.decided(asked, "approved")
        self.assertEqual(self.agent.redeem(asked["id"]).json["value"], "hunter2")
        told = self.wait_seen()
        self.assertEqual((told["title"], told["people"], told["notifier"], told["arguments"]),
                         ("An agent asks for a secret", ["alice", "bob"], "desk", []))
        self.assertIn({"label": "Reason", "value": "why <b>not</b>", "origin": "agent"}, told["fields"])
        self.assertEqual([c["style"] for c in told["choices"]], ["approve", "deny"])
        outcome = self.wait_seen(1, "settle")["outcome"]
        self.assertEqual(outcome["kind"], "approved")
        self.assertIn("by alice", outcome["text"])
        self.v.verify()

    def test_deny(self):
        self.begin("deny")
        self.decided(self.agent.ask("db"), "denied")

    def test_as_long_as_a_person_takes(self):
        self.begin("slow")
        first, second = self.agent.ask("db"), self.agent.ask("db")
        self.wait_seen(2)
        self.assertEqual(self.agent.look(first["id"])["status"], "pending")
        with open(os.path.join(self.room, "go"), "w", encoding="ascii"):
            pass
        for asked in (first, second):
            self.decided(asked, "approved")

    def test_nobody_hears_more_than_it_needs(self):
        self.begin("approve", "environment = DISPLAY=:7, COLOUR=a=b")
        self.decided(self.agent.ask("db"), "approved")
        environment = self.wait_seen()["environment"]
        self.assertEqual((environment["DISPLAY"], environment["COLOUR"]), (":7", "a=b"))
        self.assertLessEqual(set(environment), {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ",
                                                "DISPLAY", "COLOUR"})
        self.assertNotIn("hunter2", json.dumps(self.seen()))

    def test_try_again(self):
        self.begin("busy")
        self.decided(self.agent.ask("db"), "approved")
        self.assertEqual(len(self.seen()), 2)

    def test_again_more_and_more_slowly(self):
        self.begin("never")
        begun, asked = time.monotonic(), self.agent.ask("db")
        self.wait_seen(4)
        self.assertGreater(time.monotonic() - begun, 6.5)  # 1 + 2 + 4 seconds
        self.mode("approve")
        self.decided(self.agent.ask("db"), "approved", 4)
        self.decided(asked, "approved")

    def test_a_stranger_decides_nothing(self):
        self.begin("stranger")
        asked = self.agent.ask("db")
        self.wait_alarm("mallory")
        self.assertEqual(self.agent.look(asked["id"])["status"], "pending")

    def test_what_was_not_offered_decides_nothing(self):
        self.begin("unoffered")
        asked = self.agent.ask("db")
        self.wait_alarm("grant:999999")
        self.assertEqual(self.agent.look(asked["id"])["status"], "pending")

    def test_nonsense_decides_nothing(self):
        self.begin("garbage")
        words = {"garbage": "is no answer", "more": "is no answer", "long": "is no answer",
                 "fails": "printer is on fire", "dies": "ended by a signal"}
        for mode, said in words.items():
            with self.subTest(mode):
                before = len(self.alarms())
                self.mode(mode)
                asked = self.agent.ask("db")
                alarms = until(lambda b=before: self.alarms()[b:], "an alarm", 20)
                self.assertIn(said, json.dumps(alarms))
                self.assertNotIn("\\u001b", json.dumps(alarms))
                self.assertEqual(self.agent.look(asked["id"])["status"], "pending")

    def test_one_that_hangs_is_ended_with_its_children(self):
        self.begin("hang")
        asked = self.agent.ask("db")
        told = self.wait_seen()
        until(lambda: len(self.hanging()) == 2, "two that hang")
        self.v.deny(asked["id"])
        for pid in self.hanging():
            until(lambda p=pid: processes.parent_of(p) == 0, f"the end of {pid}")
        self.assertIn(told["pid"], self.hanging())
        self.assertEqual(self.wait_seen(1, "settle")["outcome"]["kind"], "denied")

    def test_nothing_runs_on(self):
        self.begin("hang")
        self.agent.ask("db")
        until(lambda: len(self.hanging()) == 2, "two that hang")
        self.v.end()
        for pid in self.hanging():
            until(lambda p=pid: processes.parent_of(p) == 0, f"the end of {pid}")


class Later(HostCase):
    def answer(self, *arguments, **more):
        return run("--json", "notify", "answer", *arguments, **more)

    def test_by_the_command(self):
        self.begin("later")
        asked = self.agent.ask("db")
        told = self.wait_seen()
        answer = ["--socket", told["socket"], told["id"]]
        self.assert_fails(self.answer(*answer, "approve", "--person", "mallory"), 7, "denied", "mallory")
        self.assert_fails(self.answer(*answer, "grant:5", "--person", "alice"), 5, "not-found")
        self.assert_fails(self.answer("--socket", told["socket"], "0" * 32, "approve", "--person", "alice"), 5,
                          "not-found")
        self.assertEqual(self.agent.look(asked["id"])["status"], "pending")
        taken = self.answer(*answer, "approve", "--person", "alice")
        self.assertEqual((taken.status, taken.json["result"]), (0, "taken"), taken)
        self.decided(asked, "approved")
        self.assert_fails(self.answer(*answer, "deny", "--person", "bob"), 6, "conflict")
        self.assertEqual(self.agent.redeem(asked["id"]).json["value"], "hunter2")

    def test_the_notifier_by_its_name(self):
        self.begin("later", "wait = 100ms")
        asked = self.agent.ask("db")
        told = self.wait_seen()
        self.assertEqual(self.v.cli("notify", "answer", "--notifier", "desk", "--person", "bob", told["id"], "deny")
                         .status, 0)
        self.decided(asked, "denied")
        self.assertTrue(any("answer socket" in json.dumps(e) for e in self.v.audit()))

    def test_votes_are_counted(self):
        self.begin("later", start=False)
        config = self.v.config_path
        with open(config, encoding="utf-8") as file:
            text = file.read().replace("tls = optional", "tls = optional\nquorum = 2")
        self.v.configure(text)
        self.v.start()
        self.wait_ready()
        self.v.put("db", "hunter2")
        self.agent = self.v.agent()
        asked = self.agent.ask("db")
        told = self.wait_seen()
        first, second = (self.answer("--socket", told["socket"], told["id"], "approve", "--person", person)
                         for person in ("alice", "bob"))
        self.assertEqual((first.json["result"], second.json["result"]), ("counted", "taken"))
        self.decided(asked, "approved")

    def test_who_may(self):
        self.begin("later")
        self.agent.ask("db")
        told = self.wait_seen()
        mode = os.stat(told["socket"])
        self.assertEqual((stat.S_IMODE(mode.st_mode), mode.st_uid), (0o600, told["uid"]))
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(told["socket"])).st_mode), 0o700)
        if not is_root():
            return
        arguments = [PROGRAM, "notify", "answer", "--socket", told["socket"], told["id"], "approve", "--person", "alice"]
        other = subprocess.run(["setpriv", "--reuid", "61999", "--regid", "61999", "--clear-groups", *arguments],
                               capture_output=True, check=False)
        self.assertEqual(other.returncode, 4, other)
        own = subprocess.run(["setpriv", "--reuid", str(told["uid"]), "--regid", str(told["uid"]), "--clear-groups",
                              *arguments], capture_output=True, check=False)
        self.assertEqual(own.returncode, 0, own)

    def test_nobody_listens(self):
        missing = os.path.join(self.v.home, "nothing.sock")
        self.assert_fails(self.answer("--socket", missing, "0" * 32, "deny", "--person", "alice"), 4, "unreachable",
                          missing)
        self.assert_fails(self.answer("0" * 32, "deny", "--person", "alice"), 2, "usage", "--socket")
        self.assert_fails(self.answer("--socket", missing, "0" * 32, "deny"), 2, "usage", "--person")

    def test_nonsense_on_the_socket(self):
        import socket
        self.begin("later")
        asked = self.agent.ask("db")
        path = self.wait_seen()["socket"]

        def say(data):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(path)
                try:
                    client.sendall(data)
                    client.shutdown(socket.SHUT_WR)
                    return client.recv(65536)
                except (BrokenPipeError, ConnectionResetError):
                    return b""

        for data in (b"{}\n", b"[" * 3000 + b"\n", b'{"notice":1,"choice":"a","person":"b"}\n', b"\xff\n",
                     b'{"notice":"n","choice":"a","person":"b","more":"c"}\n'):
            self.assertIn("error", json.loads(say(data)), data)
        self.assertEqual(say(b"x" * 100000), b"")
        self.assertEqual(say(b""), b"")
        self.assertEqual(self.agent.look(asked["id"])["status"], "pending")
        self.assertEqual(self.notifier()["state"], "ready")


class Ends(HostCase):
    def test_the_notifier_is_killed(self):
        """With it goes its program; what that has forked off is nobody's, and ended here."""
        self.begin("hang")
        self.addCleanup(self.kill_hanging)
        asked = self.agent.ask("db")
        self.wait_seen()
        until(lambda: len(self.hanging()) == 2, "two that hang")
        first = self.host()
        self.mode("approve")
        os.kill(first, signal.SIGKILL)
        self.decided(asked, "approved")
        self.assertNotEqual(self.host(), first)
        self.assertEqual(self.agent.redeem(asked["id"]).json["value"], "hunter2")

    def test_one_that_was_told_is_not_told_again(self):
        self.begin("later")
        asked = self.agent.ask("db")
        told = self.wait_seen()
        # Once the next one is told, it is known that this one was.
        self.agent.ask("db")
        self.wait_seen(2)
        os.kill(self.host(), signal.SIGKILL)
        until(lambda: self.notifier()["state"] != "ready", "its end")
        self.wait_ready()
        result = until(lambda: (lambda r: r.status == 0 and r)(run(
            "--json", "notify", "answer", "--socket", told["socket"], told["id"], "approve", "--person", "alice")),
            "the answer", 20)
        self.assertEqual(result.json["result"], "taken")
        self.decided(asked, "approved")
        self.assertEqual(len([each for each in self.seen() if each["id"] == told["id"]]), 1)

    def test_the_keeper_is_killed(self):
        self.begin("slow")
        asked = self.agent.ask("db")
        self.wait_seen()
        first = self.host()
        os.kill(self.v.role("keeper"), signal.SIGKILL)
        until(lambda: self.host() not in (0, first), "a notifier for the new keeper", 20)
        self.wait_ready()
        with open(os.path.join(self.room, "go"), "w", encoding="ascii"):
            pass
        self.decided(asked, "approved")

    def test_a_restart(self):
        self.begin("later")
        asked = self.agent.ask("db")
        told = self.wait_seen()
        self.agent.ask("db")
        self.wait_seen(2)
        self.v.restart()
        self.agent.port = self.v.port
        self.wait_ready()
        self.assertEqual(run("notify", "answer", "--socket", told["socket"], told["id"], "approve", "--person", "alice")
                         .status, 0)
        self.decided(asked, "approved")
        self.assertEqual(len([each for each in self.seen() if each["id"] == told["id"]]), 1)

    def test_much_at_once(self):
        """More than the tunnel's window, both ways."""
        self.begin("later")
        many = [Background(self.agent.ask, "db", "x" * 500) for _ in range(32)]
        asked = [each.result() for each in many]
        self.wait_seen(32)
        os.kill(self.host(), signal.SIGKILL)
        until(lambda: self.notifier()["state"] != "ready", "its end")
        self.wait_ready()
        # The one that was on its way then may be told again.
        for told in {each["id"]: each for each in self.seen()}.values():
            self.assertEqual(run("notify", "answer", "--socket", told["socket"], told["id"], "approve", "--person",
                                 "bob").status, 0)
        for each in asked:
            self.decided(each, "approved")


# A dialog that presses the button which stands in the file `press`, or is closed.
ZENITY = """\
#!/bin/sh
cd "$(dirname "$0")"
for word; do printf '%s\\n' "$word"; done >>dialog
press=$(cat press)
test "$press" = none && exit 1
test "$press" = broken && exit 255
echo "$press"
exit 1
"""


class Examples(HostCase):
    """What lies in docs/examples."""

    def example(self, name, *arguments):
        with open(os.path.join(DOCS, "examples", name), encoding="utf-8") as file:
            self.program = self.v.write(name, file.read(), 0o755)
        tools = os.path.join(self.v.home, "tools")
        os.mkdir(tools)
        os.chmod(tools, 0o777)
        self.tools = tools
        text = CONFIG.format(python="", program=self.program, room="", extra="environment = PATH=" + tools + ":/usr/bin:/bin")
        text = "\n".join("command = " + ", ".join([self.program, *arguments]) if line.startswith("command") else line
                         for line in text.splitlines())
        self.v.configure(text + "\n")
        self.v.start()
        self.wait_ready()
        self.v.put("db", "hunter2")
        self.agent = self.v.agent()

    def tool(self, name, content):
        path = os.path.join(self.tools, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        os.chmod(path, 0o755)

    def lines(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def test_log(self):
        log = os.path.join(self.room, "notices")
        self.example("notify-log", log)
        asked = self.agent.ask("db", 'a "reason" \\n open')
        command = until(lambda: [line for line in self.lines(log) if " approve " in line], "a command", 20)[0]
        self.assertIn('         Reason (the agent says): "a \\"reason\\" \\\\n open"', self.lines(log))
        words = command.split()
        self.assertEqual(words[:3], ["secret-proxy", "notify", "answer"])
        self.assertEqual(run(*words[1:]).status, 0)
        self.decided(asked, "approved")
        until(lambda: any(line.startswith("closed") and "Approved by alice" in line for line in self.lines(log)),
              "the end", 20)

    def test_desktop(self):
        self.example("notify-desktop")
        self.tool("press", "Approve once")
        self.tool("zenity", ZENITY)
        self.tool("notify-send", "#!/bin/sh\ncd \"$(dirname \"$0\")\"; echo \"$@\" >told\n")
        asked = self.agent.ask("db", "<b>bold</b> \\n Secret: other")
        self.decided(asked, "approved")
        dialog = self.lines(os.path.join(self.tools, "dialog"))
        self.assertIn("Reason (the agent says): <b>bold</b> \\\\n Secret: other", dialog)
        self.assertIn("--no-markup", dialog)
        until(lambda: "Approved by alice" in "".join(self.lines(os.path.join(self.tools, "told"))), "the end", 20)
        self.tool("press", "Deny")
        self.decided(self.agent.ask("db"), "denied")

    def test_desktop_that_nobody_sits_at(self):
        self.example("notify-desktop")
        self.tool("press", "broken")
        self.tool("zenity", ZENITY)
        asked = self.agent.ask("db")
        dialog = os.path.join(self.tools, "dialog")
        until(lambda: self.lines(dialog), "a dialog", 20)
        self.assertEqual(self.agent.look(asked["id"])["status"], "pending")
        self.tool("press", "Deny")
        self.decided(asked, "denied")
        self.tool("press", "none")
        before = len(self.lines(dialog))
        closed = self.agent.ask("db")
        until(lambda: len(self.lines(dialog)) > before, "another dialog", 20)
        self.v.deny(closed["id"])
        self.assertEqual(self.alarms(), [])


if __name__ == "__main__":
    unittest.main()
