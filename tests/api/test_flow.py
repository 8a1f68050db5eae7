"""The main flow: an agent asks, a person decides on Telegram, the value is handed out once."""
import time
import unittest

from lib.case import ALICE, BOB, STRANGER, Background, TelegramCase

VALUE = "hunter2-of-the-database"


class TheMainFlow(TelegramCase):
    def test_asked_approved_and_handed_out_once(self):
        vault = self.telegram(tls="required")
        self.assertEqual(vault.put("db", VALUE), {"name": "db", "version": 1})
        agent = vault.agent(tls=True)
        asked = agent.ask("db", "to migrate the schema")
        self.assertEqual(asked["status"], "pending")
        card = self.card(asked)
        for part in ("db", "builder", "to migrate the schema", asked["code"]):
            self.assertIn(part, card["text"])
        self.assertEqual(card["buttons"], ["Approve once", "Deny"])
        self.assert_problem(agent.redeem(asked["id"]), 409, "pending")

        waiting = Background(agent.look, asked["id"], 50)
        self.api.wait_request("getUpdates")
        began = time.monotonic()
        self.assertIn("approved", self.tap(asked, "Approve once"))
        seen = waiting.result()
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual((seen["status"], seen["decided_by"], seen["uses_left"]), ("approved", "alice", 1))

        given = agent.redeem(asked["id"])
        self.assertEqual(given.status, 200, given)
        self.assertEqual(given.header("cache-control"), "no-store")
        self.assertEqual(given.json, {"secret": "db", "version": 1, "value": VALUE, "encoding": "utf-8"})
        self.assert_problem(agent.redeem(asked["id"]), 410, "used")
        self.assertEqual(agent.look(asked["id"])["status"], "used")
        self.assertIn("Approved by alice", self.settled(card)["text"])
        self.assertIn("Approved by alice", self.settled(self.card(asked, BOB), BOB)["text"])

        events = [e["event"] for e in vault.audit() if e.get("request") == asked["id"]]
        self.assertEqual(events, ["request.created", "request.approved", "request.redeemed"])
        self.assertGreaterEqual(vault.verify()["entries"], 5)

    def test_denied(self):
        vault = self.telegram()
        vault.put("db", VALUE)
        agent = vault.agent()
        asked = agent.ask("db")
        card = self.card(asked)
        waiting = Background(agent.look, asked["id"], 50)
        self.assertIn("denied", self.tap(asked, "Deny"))
        self.assertEqual(waiting.result()["status"], "denied")
        self.assert_problem(agent.redeem(asked["id"]), 403, "denied")
        self.assertIn("Denied by alice", self.settled(card)["text"])
        self.assertNotIn("request.redeemed", [e["event"] for e in vault.audit()])

    def test_a_second_decision_is_too_late(self):
        vault = self.telegram()
        vault.put("db", VALUE)
        agent = vault.agent()
        asked = agent.ask("db")
        card = self.card(asked, BOB)
        data = card["keyboard"][0][0]["callback_data"]
        self.tap(asked, "Deny")
        query = self.api.tap(BOB, card["message_id"], data=data)
        self.assertRegex(self.toast(query), "too late|already decided|no longer valid")
        self.assertEqual(agent.look(asked["id"])["status"], "denied")

    def test_a_grant_by_tap_holds_for_its_time(self):
        vault = self.telegram()
        vault.put("db", VALUE, "--grant-max", "1h")
        agent = vault.agent()
        asked = agent.ask("db")
        self.assertEqual(self.card(asked)["buttons"], ["Approve once", "Approve for 1 h", "Deny"])
        self.tap(asked, "Approve for 1 h")
        for _ in range(3):
            self.assertEqual(agent.redeem(asked["id"]).json["value"], VALUE)
        self.assertEqual([g["id"] for g in vault.admin("grant", "list")["items"]], [asked["id"]])

    def test_withdrawn_by_the_agent(self):
        vault = self.telegram()
        vault.put("db", VALUE)
        agent = vault.agent()
        asked = agent.ask("db")
        card = self.card(asked)
        self.assertEqual(agent.cancel(asked["id"]).json["status"], "cancelled")
        self.assertIn("Withdrawn", self.settled(card)["text"])


class WhoDecides(TelegramCase):
    def test_a_strangers_tap_changes_nothing(self):
        vault = self.telegram()
        vault.put("db", VALUE)
        agent = vault.agent()
        asked = agent.ask("db")
        card = self.card(asked)
        for data in (card["keyboard"][0][0]["callback_data"], "approve", asked["id"], "x" * 64):
            self.toast(self.api.tap(ALICE, card["message_id"], data=data, user=STRANGER))
            self.assertEqual(agent.look(asked["id"])["status"], "pending")
        self.api.send_text(STRANGER, STRANGER, f"/approve {asked['id']}")
        self.api.send_text(ALICE, ALICE, "approve")
        self.assertIn("approved", self.tap(asked, "Approve once"))
        self.assertEqual(agent.look(asked["id"])["decided_by"], "alice")

    def test_a_button_of_another_request_does_not_fit(self):
        vault = self.telegram()
        vault.put("db", VALUE)
        agent = vault.agent()
        one, two = agent.ask("db", "one"), agent.ask("db", "two")
        data = self.card(one)["keyboard"][0][0]["callback_data"]
        self.toast(self.api.tap(ALICE, self.card(two)["message_id"], data=data))
        self.assertEqual(agent.look(one["id"])["status"], "pending")
        self.assertEqual(agent.look(two["id"])["status"], "pending")

    def test_a_quorum_needs_two_people(self):
        vault = self.telegram(quorum=2)
        vault.put("db", VALUE)
        agent = vault.agent()
        asked = agent.ask("db")
        self.assertIn("2 approvers", self.card(asked)["text"])
        self.assertIn("1 of 2", self.tap(asked, "Approve once"))
        self.assertIn("counted already", self.tap(asked, "Approve once"))
        self.assertEqual(agent.look(asked["id"])["status"], "pending")
        self.assert_problem(agent.redeem(asked["id"]), 409, "pending")
        self.assertIn("approved", self.tap(asked, "Approve once", BOB))
        self.assertEqual(agent.redeem(asked["id"]).json["value"], VALUE)

    def test_one_denial_ends_a_quorum(self):
        vault = self.telegram(quorum=2)
        vault.put("db", VALUE)
        agent = vault.agent()
        asked = agent.ask("db")
        self.tap(asked, "Approve once")
        self.tap(asked, "Deny", BOB)
        self.assert_problem(agent.redeem(asked["id"]), 403, "denied")


class ByCode(TelegramCase):
    def test_the_right_code_approves(self):
        vault = self.telegram()
        vault.put("db", VALUE, "--confirm", "code")
        agent = vault.agent()
        asked = agent.ask("db")
        card = self.api.wait_message(ALICE, {"button": asked["code"]}, timeout=15)
        self.assertEqual(len(card["buttons"]), 4)
        self.assertIn(asked["code"], card["buttons"])
        self.assertNotIn(asked["code"], card["text"])
        self.toast(self.api.tap(ALICE, card["message_id"], button=asked["code"]))
        self.assertEqual(agent.redeem(asked["id"]).json["value"], VALUE)

    def test_a_wrong_code_denies(self):
        vault = self.telegram()
        vault.put("db", VALUE, "--confirm", "code")
        agent = vault.agent()
        asked = agent.ask("db")
        card = self.api.wait_message(ALICE, {"button": asked["code"]}, timeout=15)
        wrong = next(b for b in card["buttons"] if b not in (asked["code"], "Deny"))
        self.assertIn("not the code", self.toast(self.api.tap(ALICE, card["message_id"], button=wrong)))
        self.assert_problem(agent.redeem(asked["id"]), 403, "denied")


if __name__ == "__main__":
    unittest.main()
