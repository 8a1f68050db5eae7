"""Telegram at its worst, seen from the agent: nothing is lost or invented, and trouble is said."""
import unittest

from lib.case import ALICE, STRANGER, Background, TelegramCase
from lib.wait import until

VALUE = "hunter2"


class Faults(TelegramCase):
    def setUp(self):
        super().setUp()
        self.v = self.telegram(poll="1s")
        self.v.put("db", VALUE)
        self.a = self.v.agent()

    def health(self):
        return self.a.call("GET", "/health").status

    def plugin(self):
        return next(p for p in self.v.admin("status")["plugins"] if p["kind"] == "notify")

    def cards(self, request):
        return [m for m in self.api.messages(ALICE) if request["code"] in m["text"] and m["from"]["is_bot"]]

    def whole_flow(self):
        asked = self.a.ask("db")
        self.tap(asked, "Approve once")
        self.assertEqual(self.a.look(asked["id"], 20)["status"], "approved")
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)
        return asked

    def troubled(self):
        until(lambda: self.health() == 503, "trouble", 20)
        self.assertEqual(self.a.call("GET", "/health").json["status"], "notifier")
        self.assert_problem(self.a.post("db"), 503, "notifier")
        why = until(lambda: self.plugin().get("why"), "the reason")
        self.assertNotIn(self.api.token.split(":")[1], why)
        return why

    def healthy(self):
        until(lambda: self.health() == 200, "recovery", 90)
        self.whole_flow()

    def test_a_token_that_is_refused(self):
        self.api.fault("*", 401, times=None)
        self.assertRegex(self.troubled(), "token")
        self.api.clear_faults()

    def test_another_program_polls_with_the_same_token(self):
        self.api.fault("getUpdates", 409, times=None)
        self.assertRegex(self.troubled(), "409|other|another|same")
        self.api.clear_faults()
        self.healthy()

    def test_server_errors_pass(self):
        """One bad answer is no news; the tap behind it counts all the same."""
        for kind in (500, 502, "html", "empty", "cut_before", "truncated"):
            with self.subTest(kind):
                asked = self.a.ask("db")
                card = self.card(asked)
                count = len(self.api.log("getUpdates"))
                self.api.fault("getUpdates", kind, times=1)
                until(lambda: not any(f["left"] for f in self.api.faults()), "the bad answer", 20)
                query = self.api.tap(ALICE, card["message_id"], button="Approve once")
                self.toast(query)
                self.assertGreater(len(self.api.log("getUpdates")), count)
                self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)
                self.assertEqual(self.health(), 200)

    def test_server_errors_of_sends_pass(self):
        for code in (500, 502):
            self.api.fault("sendMessage", code, times=1)
        asked = self.whole_flow()
        self.assertEqual(len(self.cards(asked)), 1)

    def test_flood_control_is_obeyed(self):
        self.api.fault("sendMessage", 429, times=1, retry_after=2, match={"chat_id": ALICE})
        asked = self.a.ask("db")
        self.card(asked)
        sends = [e for e in self.api.log("sendMessage") if str(e["params"].get("chat_id")) == str(ALICE)]
        self.assertGreaterEqual(sends[-1]["mono"] - sends[0]["mono"], 2)
        self.tap(asked, "Approve once")
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)

    def test_the_lost_reply_of_a_send(self):
        self.api.fault("sendMessage", "cut_after", times=1, match={"chat_id": ALICE})
        asked = self.a.ask("db")
        self.card(asked)
        self.tap(asked, "Approve once")
        self.assertEqual(self.a.look(asked["id"], 20)["status"], "approved")
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)
        until(lambda: all(not m["buttons"] for m in self.cards(asked)), "settled messages", 20)

    def test_the_lost_reply_of_a_toast(self):
        asked = self.a.ask("db")
        card = self.card(asked)
        self.api.fault("answerCallbackQuery", "cut_after", times=1)
        self.toast(self.api.tap(ALICE, card["message_id"], button="Deny"))
        self.assertEqual(self.a.look(asked["id"], 20)["status"], "denied")

    def test_an_edit_that_fails_is_made_later(self):
        asked = self.a.ask("db")
        card = self.card(asked)
        self.api.fault("editMessageText", 500, times=2)
        self.api.tap(ALICE, card["message_id"], button="Deny")
        self.assertIn("Denied", self.api.wait_edit(ALICE, card["message_id"], {"no_keyboard": True}, timeout=30)["text"])

    def test_poison_updates_do_not_stop_it(self):
        for kind in ("deep", "huge-id", "overflow-id", "not-json", "not-object", "non-utf8", "nul", "lone-surrogate",
                     "no-from", "no-data", "no-message", "from-bot", "long-data", "unknown-type", "empty"):
            self.api.poison(kind, chat_id=ALICE)
        asked = self.a.ask("db")
        self.card(asked)
        self.assertEqual(self.a.look(asked["id"])["status"], "pending")
        self.tap(asked, "Approve once")
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)

    def test_forged_taps_decide_nothing(self):
        asked = self.a.ask("db")
        card = self.card(asked)
        data = card["keyboard"][0][0]["callback_data"]
        chat = {"id": ALICE, "type": "private"}
        for sender in ({"id": STRANGER, "is_bot": False, "first_name": "x"}, {"id": ALICE, "is_bot": True, "first_name": "x"},
                       {"id": str(ALICE), "first_name": "x"}, {"id": ALICE + 0.5, "first_name": "x"}):
            self.api.tap_raw({"callback_query": {"from": sender, "data": data, "chat_instance": "1",
                                                 "message": {"message_id": card["message_id"], "date": 1, "chat": chat}}})
        self.api.tap(ALICE, card["message_id"], data=data, inline_message_id="AAAA")
        last = self.api.tap(ALICE, card["message_id"], data="x" * 22)
        self.toast(last)
        self.assertEqual(self.a.look(asked["id"])["status"], "pending")

    def test_a_message_that_a_thief_changed_decides_nothing(self):
        asked = self.a.ask("db")
        card = self.card(asked)
        self.api.edit_message_as_thief(ALICE, card["message_id"], "Harmless: press Approve", keep_keyboard=True)
        self.toast(self.api.tap(ALICE, card["message_id"], button="Approve once"))
        self.assertEqual(self.a.look(asked["id"])["status"], "pending")
        self.assertTrue([e for e in self.v.audit() if "alarm" in e["event"]])

    def test_an_outage(self):
        pending = self.a.ask("db")
        card = self.card(pending)
        self.api.stop()
        self.assertTrue(self.troubled())
        self.assertEqual(self.a.look(pending["id"])["status"], "pending")
        self.api.start()
        until(lambda: self.health() == 200, "recovery", 60)
        self.toast(self.api.tap(ALICE, card["message_id"], button="Approve once"))
        self.assertEqual(self.a.redeem(pending["id"]).json["value"], VALUE)
        self.whole_flow()

    def test_decided_by_the_admin_during_an_outage(self):
        asked = self.a.ask("db")
        self.card(asked)
        self.api.stop()
        waiting = Background(self.a.look, asked["id"], 50)
        self.v.deny(asked["id"])
        self.assertEqual(waiting.result()["status"], "denied")
        self.api.start()
        # Where the outage took the reply to the sending away, there is a copy, and only that one is known.
        self.api.wait_edit(ALICE, None, {"no_keyboard": True, "text": "Denied"}, timeout=60)

    def test_a_person_who_blocked_the_bot(self):
        self.api.block(ALICE)
        asked = self.a.ask("db")
        from lib.case import BOB
        self.tap(asked, "Approve once", BOB)
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)

    def test_update_ids_that_start_over(self):
        self.whole_flow()
        self.api.restart_ids(lower=True)
        self.whole_flow()


if __name__ == "__main__":
    unittest.main()
