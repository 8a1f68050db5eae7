"""A vault that a person has locked: nothing comes in or goes out until the administrator unlocks it."""
import os
import unittest

from lib import paths
from lib.case import PLAIN, Case
from lib.wait import until

OBEDIENT = """\
[vault default]
store = sqlite
tls = optional
notify = obedient

[notify obedient]
plugin = {plugin}

[approver alice]
obedient = 42
"""


class Locked(Case):
    def test_locked_and_unlocked_by_the_administrator(self):
        vault = self.vault(PLAIN)
        vault.put("db", "v", "--grant-max", "1h")
        agent = vault.agent()
        pending, granted = agent.ask("db"), agent.ask("db")
        vault.approve(granted["id"], "--for", "1h")
        self.assert_fails(vault.cli("--json", "vault", "lock"), 2, "usage")
        locked = vault.admin("vault", "lock", "--yes")
        self.assertEqual((locked["locked"], locked["locked_by"]), (True, "admin"))
        self.check_locked(vault, agent)
        self.assertEqual(agent.look(pending["id"], 10)["status"], "cancelled")
        until(lambda: agent.look(granted["id"])["status"] == "revoked", "the end of the grant")
        self.assert_fails(vault.cli("--json", "request", "approve", "--", pending["id"]), 6, "conflict")
        vault.restart(9)
        self.check_locked(vault, agent)
        self.assertEqual(vault.admin("vault", "unlock"), {"locked": False})
        self.assert_fails(vault.cli("--json", "vault", "unlock"), 6, "conflict", "not locked")
        self.assertEqual(agent.call("GET", "/health").status, 200)
        self.assertNotIn("locked_by", vault.admin("status"))
        asked = agent.ask("db")
        vault.approve(asked["id"])
        self.assertEqual(agent.redeem(asked["id"]).json["value"], "v")
        events = [e["event"] for e in vault.audit()]
        self.assertEqual([e for e in events if e.startswith("lock.")], ["lock.set", "lock.cleared"])
        vault.verify()

    def check_locked(self, vault, agent):
        refused = agent.call("POST", "/v1/requests", {"secret": "db", "reason": "r"})
        self.assert_problem(refused, 503, "locked")
        self.assertIn("a person has locked the vault", refused.json["detail"])
        known = agent.call("GET", "/v1/requests").json["items"]
        self.assert_problem(agent.redeem(known[0]["id"]), 503, "locked")
        health = agent.call("GET", "/health")
        self.assertEqual((health.status, health.json["status"]), (503, "locked"))
        status = vault.admin("status")
        self.assertEqual((status["state"], status["locked_by"]), ("owned", "admin"))
        self.assertIn("locked by", vault.cli("status").out.decode())


@unittest.skipUnless(os.path.exists(os.path.join(paths.BAD_PLUGINS, "notify-obedient.so")), "the test plugins are not built")
class Commands(Case):
    """What a notifier's people ask, through a notifier that asks what an agent's reason says."""

    def setUp(self):
        self.v = self.vault(OBEDIENT.format(plugin=os.path.join(paths.BAD_PLUGINS, "notify-obedient.so")))
        self.v.put("db", "v")
        self.a = self.v.agent()

    def answer(self, command):
        """The whole entry that tells of it."""
        asked = self.a.ask("db", command)
        found = until(lambda: [e for e in self.v.audit() if e["event"] == "notifier.alarm" and
                               e["what"].startswith(command + ": ")], f"the answer to {command}")
        return asked, found[-1]["what"]

    def test_asked_and_answered(self):
        self.assertIn("status: 0, locked: no pending: 1 grants: 0 agents: 1 secrets: 1", self.answer("status")[1])
        asked, pending = self.answer("pending")
        self.assertIn(f"{asked['code']}: secret db for agent builder", pending)
        self.assertIn("no grant is open", self.answer("grants")[1])
        self.assertIn("lock: end all requests", self.answer("help")[1])
        self.assertIn("unlock: 4, there is no such command", self.answer("unlock")[1])
        asked = [e for e in self.v.audit() if e["event"] == "approver.command"]
        self.assertEqual([(e["command"], e["by"], e["notifier"], e["person"]) for e in asked],
                         [(c, "alice", "obedient", "42") for c in ("status", "pending", "grants", "help")])

    def test_locked_by_a_person(self):
        asked, said = self.answer("lock")
        self.assertIn("only an administrator can unlock it", said)
        self.assertEqual(self.a.look(asked["id"], 10)["status"], "cancelled")
        self.assert_problem(self.a.call("POST", "/v1/requests", {"secret": "db", "reason": "r"}), 503, "locked")
        status = self.v.admin("status")
        self.assertEqual((status["locked_by"], status["locked_via"]), ("alice", "obedient"))
        self.v.admin("vault", "unlock")
        self.a.ask("db")


if __name__ == "__main__":
    unittest.main()
