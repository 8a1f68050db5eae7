"""`config apply` to a vault in a machine: a second notifier and approver, while the machine runs on."""
import json
import os
import shutil
import unittest

from vmlib.world import World
from lib.http import Agent
from lib.paths import BAD_PLUGINS
from lib.wait import until

MORE = """
[notify auto]
plugin = {plugin}
{more}

[approver bob]
auto = 7
"""


class Apply(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = world = World()
        cls.addClassCleanup(world.close)
        # Installed, and used by nobody yet: it says yes at once, as its first person.
        cls.install("honest")
        world.must("create", "default")
        world.must("secret", "put", "db", input=b"hunter2")
        path = world.path("agent.json")
        world.must("agent", "add", "builder", "--write", path)
        with open(path, encoding="utf-8") as file:
            written = json.load(file)
        cls.agent = Agent(world.port, written["token"], written["tls_pin"], name="builder")
        with open(world.config, encoding="utf-8") as file:
            cls.before = file.read()

    @classmethod
    def install(cls, name):
        path = cls.world.path("plugins", f"notify-{name}.so")
        shutil.copy2(os.path.join(BAD_PLUGINS, f"notify-{name}.so"), path)
        os.chmod(path, 0o755)
        return path

    def configure(self, plugin, more="", quorum=""):
        text = self.before.replace("notify = telegram\n", f"notify = telegram, auto\n{quorum}")
        self.world.write("secret-proxy.conf", text + MORE.format(plugin=plugin, more=more))

    def machine(self):
        """What a start would change: the machine's process, and the boots that its console tells of."""
        return self.world.owned_machine(), self.world.console().count("secret-proxy: "), self.world.resident()

    def ask(self):
        return self.agent.ask("db", "a reason")

    def wait_approved(self, asked):
        until(lambda: self.agent.look(asked["id"], 2)["status"] == "approved", "the approval", timeout=30)
        return self.agent.look(asked["id"])["decided_by"]

    def test_1_what_is_not_on_the_disk_needs_a_restart(self):
        self.install("short-table")
        self.configure("short-table")
        done = self.world.must("--json", "config", "apply")
        self.assertEqual(done.json, {"applied": True, "changes": ["approver bob added"], "needs_restart": ["notify auto: plugin"]})
        self.world.press(self.ask()["code"])

    def test_2_a_second_notifier_approves(self):
        world, before = self.world, self.machine()
        self.assertIsNotNone(before[0])
        asked = self.ask()
        card = world.telegram.wait_message(42, asked["code"], timeout=60)
        self.configure("honest")
        done = world.must("--json", "config", "apply")
        self.assertEqual(done.json, {"applied": True, "changes": ["notify auto added"], "needs_restart": []})
        self.assertEqual(self.wait_approved(asked), "bob")
        self.assertEqual(self.agent.redeem(asked["id"]).json["value"], "hunter2")
        self.assertIsNotNone(world.telegram.wait_edit(42, card["message_id"], {"no_keyboard": True}, timeout=60))
        self.assertEqual(self.machine(), before, "the machine runs on")
        states = {p["name"]: p["state"] for p in world.must("--json", "vm", "status", "default").json["plugins"]}
        self.assertEqual(states, {"qemu": "ready", "sqlite": "ready", "telegram": "ready", "auto": "ready"})
        listed = {i["name"]: i for i in world.must("--json", "plugin", "list").json["items"]}
        self.assertEqual([(u["instance"], u["state"]) for u in listed["honest"]["use"]], [("auto", "ready")])

    def test_3_both_have_to_agree_from_now_on(self):
        before = self.machine()
        self.configure("honest", quorum="quorum = 2\n")
        self.assertEqual(self.world.must("--json", "config", "apply").json["changes"], ["quorum"])
        asked = self.ask()
        self.world.press(asked["code"])
        self.assertIn(self.wait_approved(asked), ("alice", "bob"))
        self.assertEqual(self.machine(), before)

    def test_4_the_machine_and_its_files_need_a_restart(self):
        ca = self.world.path("telegram-tls", "other")
        with open(self.world.tls[0], encoding="ascii") as file:
            self.world.write("telegram-tls/other", file.read() + "\n")
        text = self.before.replace("memory = 128M", "memory = 160M").replace(self.world.tls[0], ca)
        self.assertNotEqual(text, self.before)
        self.world.write("secret-proxy.conf", text)
        done = self.world.must("--json", "config", "apply").json
        self.assertEqual(done["needs_restart"], ["vm qemu: memory", "notify telegram: ca-file"])
        self.assertEqual(done["changes"], ["notify auto removed", "approver bob removed", "quorum"])
        asked = self.ask()
        self.world.press(asked["code"])
        self.assertEqual(self.wait_approved(asked), "alice")
        self.world.must("vm", "stop", "default")
        self.world.must("vm", "start", "default")
        self.assertEqual(self.world.must("--json", "config", "apply").json, {"applied": True, "changes": [], "needs_restart": []})


if __name__ == "__main__":
    unittest.main()
