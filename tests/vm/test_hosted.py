"""A vault in a machine whose approver sits at the host: a notifier with `where = host`, at the end of a tunnel
through the machine's admin channel."""
import json
import os
import shutil
import signal
import subprocess
import unittest

from vmlib.world import World

from lib import processes
from lib.http import Agent
from lib.wait import until

SECRET, VALUE = "prod/db", "a value"
PYTHON = shutil.which("python3", path="/usr/bin:/bin")
SECTIONS = """\
[notify desk]
plugin = exec
where = host
command = {python}, {program}, {room}
socket = {room}/answer.sock

[approver alice]
desk = alice
"""
# Approves all but what is asked for because of "later".
PROGRAM = '''\
import json, os, sys
told = json.loads(sys.stdin.readline())
told["uid"] = os.geteuid()
with open(sys.argv[1] + "/seen", "a", encoding="utf-8") as seen:
    seen.write(json.dumps(told) + "\\n")
if told["event"] == "post" and not any(f["value"] == "later" for f in told["fields"]):
    print(json.dumps({"choice": "approve", "person": "alice"}))
'''


class Hosted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = world = World(telegram=False)
        cls.addClassCleanup(world.close)
        cls.room = world.path("room")
        os.mkdir(cls.room)
        os.chmod(cls.room, 0o777)
        program = world.write("program", PROGRAM)
        os.chmod(program, 0o755)
        world.configure(notify="notify = desk\n",
                        telegram=SECTIONS.format(python=PYTHON, program=program, room=cls.room))
        cls.created = world.must("--json", "create", "default")
        given = world.path("agent.json")
        cls.admin("agent", "add", "agent", "--write", given)
        with open(given, encoding="utf-8") as file:
            written = json.load(file)
        cls.agent = Agent(world.port, written["token"], written["tls_pin"], name="agent")
        cls.admin("secret", "put", SECRET, input=VALUE.encode())

    @classmethod
    def admin(cls, *arguments, **more):
        return cls.world.must("--json", "--vault", cls.world.vault + "/", *arguments, **more).json

    def seen(self):
        try:
            with open(os.path.join(self.room, "seen"), encoding="utf-8") as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []

    def host(self):
        """The notifier's process: a child of the resident process that is not root's."""
        return next((pid for pid in processes.children(self.world.resident())
                     if processes.comm(pid) == "sp-plugin" and os.stat(f"/proc/{pid}").st_uid != 0), None)

    def approved(self, reason):
        asked = self.agent.ask(SECRET, reason)
        until(lambda: self.agent.look(asked["id"])["status"] == "approved", "an approval", 60)
        self.assertEqual(self.agent.redeem(asked["id"]).json["value"], VALUE)

    def test_1_it_approves(self):
        self.approved("now")
        uids = {told["uid"] for told in self.seen()}
        self.assertEqual(len(uids), 1)
        self.assertTrue(61184 <= uids.pop() <= 65519, uids)
        self.assertIsNotNone(self.host())

    def test_2_no_file_of_its_options_is_in_the_machine(self):
        disk = os.path.join(self.world.vault, "plugins.squashfs")
        listed = subprocess.run(["unsquashfs", "-l", disk], capture_output=True, check=True).stdout.decode()
        self.assertIn("store-sqlite.so", listed)
        self.assertNotIn("squashfs-root/files/", listed)

    def test_3_it_is_killed(self):
        first = self.host()
        os.kill(first, signal.SIGKILL)
        until(lambda: self.host() not in (None, first), "another one", 60)
        self.approved("again")

    def test_4_the_answer_comes_later(self):
        asked = self.agent.ask(SECRET, "later")
        told = until(lambda: [t for t in self.seen() if any(f["value"] == "later" for f in t["fields"])], "a notice", 60)[0]
        self.assertEqual(told["socket"], self.room + "/answer.sock")
        self.world.must("notify", "answer", told["id"], "deny", "--person", "alice", "--socket", told["socket"])
        until(lambda: self.agent.look(asked["id"])["status"] == "denied", "a denial", 60)

    def test_5_a_restart_of_the_vault(self):
        self.world.must("--vault", self.world.vault + "/", "vm", "stop")
        self.world.must("--vault", self.world.vault + "/", "vm", "start")
        until(lambda: [p for p in self.admin("status")["plugins"] if p["name"] == "desk" and p["state"] == "ready"],
              "the notifier", 60)
        self.approved("after it")


if __name__ == "__main__":
    unittest.main()
