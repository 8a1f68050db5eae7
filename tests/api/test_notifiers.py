"""Two notifiers at once: people count and not channels, grants can be revoked from each, alarms cross over."""
import unittest

from lib.case import BotApi, Case, Rpc
from lib.wait import until

VALUE = "hunter2"
CONFIG = """\
[vault default]
store = sqlite
tls = optional
notify = phone, desk
quorum = {quorum}

[notify phone]
plugin = telegram
bot-token = file:{phone_token}
api-base = {phone}
poll-timeout = 1s

[notify desk]
plugin = telegram
bot-token = file:{desk_token}
api-base = {desk}
poll-timeout = 1s

[approver alice]
phone = 42
desk = 142

[approver bob]
phone = 43
desk = 143
"""
PEOPLE = {("phone", "alice"): 42, ("phone", "bob"): 43, ("desk", "alice"): 142, ("desk", "bob"): 143}
TOKENS = {"phone": "123456:PHONE-abcdefghijklmnopqrstuvwxyz012", "desk": "654321:DESK-abcdefghijklmnopqrstuvwxyz0123"}
GRANT = "A grant is open"


class TwoTelegrams(Case):
    def setUp(self):
        self.apis = {}
        for name, token in TOKENS.items():
            self.apis[name] = BotApi(token=token).start()
            self.addCleanup(self.apis[name].stop)

    def two(self, quorum=1):
        vault = self.vault(None, start=False)
        files = {f"{name}_token": vault.write(name + "-token", token + "\n") for name, token in TOKENS.items()}
        vault.configure(CONFIG.format(quorum=quorum, phone=self.apis["phone"].url, desk=self.apis["desk"].url, **files))
        vault.start()
        self.ready(vault)
        vault.put("db", VALUE, "--grant-max", "1h")
        self.v, self.a = vault, vault.agent()

    def ready(self, vault):
        until(lambda: all(p["state"] == "ready" for p in vault.admin("status")["plugins"]), "both notifiers", 20)

    def card(self, name, who, text):
        return self.apis[name].wait_message(PEOPLE[name, who], text, timeout=15)

    def tap(self, name, who, card, button):
        query = self.apis[name].tap(PEOPLE[name, who], card["message_id"], button=button)
        return self.apis[name].wait_answer(query, timeout=15)["text"]

    def settled(self, name, who, card):
        return self.apis[name].wait_edit(PEOPLE[name, who], card["message_id"], {"no_keyboard": True}, timeout=15)["text"]

    # quorum

    def test_a_person_counts_once_through_both(self):
        self.two(quorum=2)
        asked = self.a.ask("db")
        cards = {who: self.card(*who, asked["code"]) for who in PEOPLE}
        self.assertIn("1 of 2", self.tap("phone", "alice", cards["phone", "alice"], "Approve once"))
        self.assertIn("counted already", self.tap("desk", "alice", cards["desk", "alice"], "Approve once"))
        self.assertEqual(self.a.look(asked["id"])["status"], "pending")
        self.assertIn("approved", self.tap("desk", "bob", cards["desk", "bob"], "Approve once"))
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)
        for who, card in cards.items():
            self.assertIn("Approved by alice and bob via desk", self.settled(*who, card))
        votes = [e for e in self.v.audit() if e["event"] == "request.vote"]
        self.assertEqual([(v["by"], v["notifier"]) for v in votes], [("alice", "phone")])

    def test_a_denial_through_the_other_ends_it(self):
        self.two(quorum=2)
        asked = self.a.ask("db")
        phone, desk = self.card("phone", "alice", asked["code"]), self.card("desk", "bob", asked["code"])
        self.tap("phone", "alice", phone, "Approve once")
        self.tap("desk", "bob", desk, "Deny")
        self.assertIn("Denied by bob via desk", self.settled("phone", "alice", phone))
        self.assert_problem(self.a.redeem(asked["id"]), 403, "denied")

    def test_the_first_answer_counts_and_the_other_is_told(self):
        self.two()
        asked = self.a.ask("db")
        phone, desk = self.card("phone", "bob", asked["code"]), self.card("desk", "alice", asked["code"])
        self.tap("desk", "alice", desk, "Approve once")
        self.assertIn("Approved by alice via desk", self.settled("phone", "bob", phone))
        decided = next(e for e in self.v.audit() if e["event"] == "request.approved")
        self.assertEqual((decided["by"], decided["notifier"]), ("alice", "desk"))

    def test_one_of_them_is_down(self):
        self.two()
        self.apis["phone"].stop()
        asked = self.a.ask("db")
        self.tap("desk", "alice", self.card("desk", "alice", asked["code"]), "Approve once")
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)

    # grants

    def granted(self):
        asked = self.a.ask("db")
        self.tap("phone", "alice", self.card("phone", "alice", asked["code"]), "Approve for 1 h")
        return asked

    def test_a_grant_is_revoked_from_the_other(self):
        self.two(quorum=1)
        asked = self.granted()
        cards = {who: self.card(*who, GRANT) for who in PEOPLE}
        for part in ("db", "builder", asked["code"], "alice via phone"):
            self.assertIn(part, cards["desk", "bob"]["text"])
        self.assertEqual(cards["desk", "bob"]["buttons"], ["Revoke"])
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)
        data = cards["phone", "alice"]["keyboard"][0][0]["callback_data"]
        self.assertIn("revoked", self.tap("desk", "bob", cards["desk", "bob"], "Revoke"))
        self.assert_problem(self.a.redeem(asked["id"]), 410, "revoked")
        for who, card in cards.items():
            self.assertIn("Revoked by bob via desk", self.settled(*who, card))
        query = self.apis["phone"].tap(42, cards["phone", "alice"]["message_id"], data=data)
        self.assertRegex(self.apis["phone"].wait_answer(query, timeout=15)["text"], "already revoked|already decided|no longer valid")
        revoked = [e for e in self.v.audit() if e["event"] == "request.revoked"]
        self.assertEqual([(e["by"], e["notifier"], e["person"]) for e in revoked], [("bob", "desk", "143")])

    def test_a_grant_survives_a_restart_and_is_shown_once(self):
        self.two()
        asked = self.granted()
        card = self.card("desk", "bob", GRANT)
        # A kill before the reply to the message was read may rightly lead to one more copy.
        self.apis["desk"].wait_answer(self.apis["desk"].tap(143, card["message_id"], data="x"), timeout=15)
        self.v.restart(9)
        self.ready(self.v)
        self.assertIn("revoked", self.tap("desk", "bob", card, "Revoke"))
        self.assert_problem(self.a.redeem(asked["id"]), 410, "revoked")
        self.settled("desk", "bob", card)
        shown = [m for m in self.apis["desk"].messages(143) if GRANT in m["text"]]
        self.assertEqual(len(shown), 1)

    def test_a_grant_of_the_administrator_is_shown_too(self):
        self.two()
        asked = self.a.ask("db")
        self.v.approve(asked["id"], "--for", "1h")
        card = self.card("phone", "alice", GRANT)
        self.assertIn("admin", card["text"])
        self.v.admin("grant", "revoke", "--yes", "--", asked["id"])
        self.assertIn("Revoked by admin", self.settled("phone", "alice", card))

    # alarms

    def test_trouble_of_one_is_told_by_the_other(self):
        self.two()
        asked = self.a.ask("db")
        self.card("phone", "alice", asked["code"])
        self.apis["phone"].set_token("999999:ANOTHER-abcdefghijklmnopqrstuvwxyz01")
        card = self.card("desk", "alice", "Alarm from notifier phone")
        self.assertEqual(card["buttons"], [])
        self.tap("desk", "alice", self.card("desk", "alice", asked["code"]), "Approve once")
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)

    def test_a_wrong_code_is_told_by_the_other(self):
        self.two()
        self.v.put("coded", VALUE, "--confirm", "code")
        asked = self.a.ask("coded")
        card = self.card("phone", "alice", {"button": asked["code"]})
        wrong = next(b for b in card["buttons"] if b not in (asked["code"], "Deny"))
        self.assertIn("not the code", self.tap("phone", "alice", card, wrong))
        self.assertIn("alice chose a wrong code", self.card("desk", "bob", "Alarm from notifier phone")["text"])

    # lock

    def test_a_lock_is_told_to_all(self):
        self.two()
        asked = self.granted()
        card = self.card("desk", "bob", GRANT)
        rpc = Rpc(self.v)
        self.addCleanup(rpc.close)
        self.assertTrue(rpc.call("lock.set")["result"]["locked"])
        self.assertIn("Revoked by admin", self.settled("desk", "bob", card))
        for who in PEOPLE:
            told = self.card(*who, "The vault is locked")
        self.assert_problem(self.a.redeem(asked["id"]), 503, "locked")
        self.v.admin("vault", "unlock")
        self.settled("desk", "bob", told)


if __name__ == "__main__":
    unittest.main()
