"""Many at once: one approval is one value, whatever the number of hands."""
import collections
import threading
import unittest

from lib.case import PLAIN, Background, Case
from lib.http import Connection, form

VALUE = "only once"


class Race(Case):
    def redeem_all(self, vault, agent, number, count):
        """`count` connections that are open already send one redeem each at the same moment."""
        barrier = threading.Barrier(count)
        data = form("POST", f"/v1/requests/{number}/redeem", None, [("Authorization", f"Bearer {agent.token}")])

        def one():
            with Connection(vault.port) as connection:
                barrier.wait()
                connection.send(data)
                return connection.read()
        return [call.result() for call in [Background(one) for _ in range(count)]]

    def test_64_redeems_of_one_approval(self):
        vault = self.vault(PLAIN + "agent-rate = 10000\n")
        vault.put("db", VALUE)
        agent = vault.agent()
        for _ in range(3):
            number = agent.ask("db")["id"]
            vault.approve(number)
            answers = self.redeem_all(vault, agent, number, 64)
            values = [a for a in answers if a.status == 200]
            self.assertEqual([v.json["value"] for v in values], [VALUE])
            refused = collections.Counter((a.status, a.problem) for a in answers if a.status != 200)
            self.assertEqual(refused, {(410, "used"): 63})
            events = [e["event"] for e in vault.audit() if e.get("request") == number]
            self.assertEqual(events.count("request.redeemed"), 1)
        vault.verify()

    def test_approve_and_deny_at_once_is_one_decision(self):
        vault = self.vault()
        vault.put("db", VALUE)
        agent = vault.agent()
        for _ in range(5):
            number = agent.ask("db")["id"]
            calls = [Background(vault.cli, "--json", "request", verb, "--", number) for verb in ("approve", "deny") * 3]
            done = [c.result() for c in calls]
            status = agent.look(number)["status"]
            self.assertIn(status, ("approved", "denied"))
            self.assertEqual({r.status for r in done}, {0, 6})
            won = [r.json["status"] for r in done if r.status == 0]
            self.assertEqual(won, [status])


if __name__ == "__main__":
    unittest.main()
