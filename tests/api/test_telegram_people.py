"""What approvers see and do on Telegram beside tapping Approve: codes, grants, commands, the lock, a storm."""
import unittest

from lib.case import ALICE, BOB, STRANGER, TelegramCase
from lib.wait import until

VALUE = "hunter2"


class People(TelegramCase):
    def setUp(self):
        super().setUp()
        self.v = self.telegram()
        self.v.put("db", VALUE, "--grant-max", "1h")
        self.a = self.v.agent()

    def say(self, text, person=ALICE):
        """Writes to the bot; gives what it answers."""
        number = self.api.send_text(person, person, text)
        return self.api.wait_message(person, lambda m: m["message_id"] > number and m["from"]["is_bot"], timeout=15)

    def events(self, name):
        return [e for e in self.v.audit() if e["event"] == name]


class Commands(People):
    def test_the_vault_answers_those_who_are_listed(self):
        asked = self.a.ask("db")
        self.card(asked)
        self.assertIn("pending: 1", self.say("/status")["text"])
        self.assertIn(f"{asked['code']}: secret db for agent builder", self.say("/pending")["text"])
        self.assertIn("no grant is open", self.say("/grants", BOB)["text"])
        self.assertIn("lock", self.say("/help")["text"])
        self.api.send_text(STRANGER, STRANGER, "/pending")
        self.assertIn("pending: 1", self.say("/status")["text"])
        self.assertEqual([m for m in self.api.messages(STRANGER) if m["from"]["is_bot"]], [])
        self.assertEqual([e["by"] for e in self.events("approver.command")], ["alice", "alice", "bob", "alice", "alice"])

    def test_a_lock_takes_a_second_tap(self):
        asked = self.a.ask("db")
        self.card(asked)
        question = self.say("/lock")
        self.assertEqual(self.a.look(asked["id"])["status"], "pending")
        told = self.toast(self.api.tap(ALICE, question["message_id"], button="Lock now"))
        self.assertIn("administrator", told)
        self.assertEqual(self.a.look(asked["id"], 10)["status"], "cancelled")
        self.assert_problem(self.a.post("db"), 503, "locked")
        self.assertEqual(self.v.admin("status")["locked_by"], "alice")
        self.v.admin("vault", "unlock")
        self.card(self.a.ask("db"))


class Codes(People):
    def setUp(self):
        super().setUp()
        self.v.put("coded", VALUE, "--confirm", "code")

    def card_of(self, asked, person=ALICE):
        return self.api.wait_message(person, {"button": asked["code"]}, timeout=15)

    def test_three_stand_side_by_side(self):
        asked = self.a.ask("coded")
        card = self.card_of(asked)
        self.assertEqual([len(row) for row in card["keyboard"]], [3, 1])
        self.assertNotIn(asked["code"], card["text"])
        self.assertNotIn(asked["code"], self.say("/pending")["text"])
        self.toast(self.api.tap(ALICE, card["message_id"], button=asked["code"]))
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)

    def test_a_wrong_one_denies(self):
        asked = self.a.ask("coded")
        card = self.card_of(asked)
        wrong = next(b for b in card["buttons"] if b not in (asked["code"], "Deny"))
        self.toast(self.api.tap(ALICE, card["message_id"], button=wrong))
        self.assertEqual(self.a.look(asked["id"], 10)["status"], "denied")
        self.assertTrue([e for e in self.v.audit() if "alarm" in e["event"]])


class Grants(People):
    def test_revoked_once_by_its_own_message(self):
        asked = self.a.ask("db")
        self.tap(asked, "Approve for 1 h")
        cards = {who: self.api.wait_message(who, {"button": "Revoke"}, timeout=15) for who in (ALICE, BOB)}
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)
        self.toast(self.api.tap(BOB, cards[BOB]["message_id"], button="Revoke"))
        self.assert_problem(self.a.redeem(asked["id"]), 410, "revoked")
        for who, card in cards.items():
            self.settled(card, who)
        data = cards[ALICE]["keyboard"][0][0]["callback_data"]
        again = self.toast(self.api.tap(ALICE, cards[ALICE]["message_id"], data=data))
        self.assertRegex(again, "already|no longer")


class Storm(People):
    def decide(self, asked, button):
        card = self.api.wait_message(ALICE, {"text": asked["code"], "button": "Deny"}, timeout=20)
        self.toast(self.api.tap(ALICE, card["message_id"], button=button))

    def test_a_flood_of_one_agent(self):
        """Another agent's request is not behind all of it, and none is lost."""
        flood = [self.a.ask("db") for _ in range(12)]
        other = self.v.agent("tester")
        count = self.api.wait_message(ALICE, "more request", timeout=20)
        self.assertFalse(count["buttons"])
        asked = other.ask("db")
        self.decide(flood[0], "Deny")
        self.decide(asked, "Approve once")
        self.assertEqual(other.redeem(asked["id"]).json["value"], VALUE)
        for request in flood[1:]:
            self.decide(request, "Deny")
        until(lambda: all(self.a.look(r["id"])["status"] == "denied" for r in flood), "all denials", 20)
        self.api.wait_edit(ALICE, count["message_id"], "No request waits", timeout=20)


if __name__ == "__main__":
    unittest.main()
