"""notify-telegram against Telegram's stand-in: the way it goes when all is well,
and what people and forgers can do."""
import json
import time
import unittest

from bench import (CHOICES, CONFIG, NOT_ALLOWED, OWNER, REFUSED, TOO_LATE, TRY_AGAIN, UNAVAILABLE, Scenario,
                   notice)


class TheUsualWay(Scenario):
    def test_post_tap_settle(self):
        bench = self.bench()
        self.assertTrue(bench.post()["ok"])
        card = self.card()
        began = time.monotonic()
        query = self.api.tap(OWNER, card["message_id"], "Approve once")
        answer = bench.wait("answer")
        self.assertLess(answer["time"] - began, 1)
        self.assertEqual((answer["notice"], answer["choice"], answer["person"]), ("n1", "once", "42"))
        self.assertEqual(self.toast(query)["text"], "The core has taken it.")
        self.assertTrue(bench.settle()["ok"])
        edited = self.api.wait_edit(OWNER, card["message_id"], {"no_keyboard": True})
        self.assertIn("Approved by alice", edited["text"])
        self.assertEqual(len(self.api.answers()), 1)
        with open(self.folder.name + "/state", encoding="utf-8") as state:
            self.assertNotIn("notice", state.read())

    def test_the_message(self):
        bench = self.bench()
        bench.post()
        card = self.card()
        self.assertEqual(card["parse_mode"], "HTML")
        self.assertTrue(card["options"]["protect_content"])
        self.assertEqual(card["options"]["link_preview_options"], {"is_disabled": True})
        for part in ("Secret request", "build-agent", "prod/db", "Expires", "to migrate"):
            self.assertIn(part, card["text"])
        data = [b["callback_data"] for row in card["keyboard"] for b in row]
        self.assertEqual(len(set(data)), len(CHOICES))
        self.assertTrue(all(1 <= len(d) <= 64 for d in data))
        bench.post("n2")
        other = self.card(since=card["message_id"])
        self.assertFalse(set(data) & {b["callback_data"] for row in other["keyboard"] for b in row})

    def test_every_poll_names_the_updates_and_waits(self):
        self.bench()
        self.api.wait_request("getUpdates")
        for params in (e["params"] for e in self.api.log("getUpdates")):
            self.assertEqual(sorted(json.loads(params["allowed_updates"])
                                    if isinstance(params["allowed_updates"], str)
                                    else params["allowed_updates"]),
                             ["callback_query", "message", "my_chat_member"])
            self.assertEqual(int(params["timeout"]), 25)
            self.assertNotIn("offset", params)

    def test_hostile_reason_is_shown_harmlessly(self):
        bench = self.bench()
        hostile = "<b>APPROVED</b> & </code></blockquote> \u202e@name /approve http://x.y " + "\U0001f600" * 4000
        fields = [["Secret", "prod/<db>&", 0], *[["Reason", hostile, 1]] * 20]
        self.assertTrue(bench.post(fields=fields)["ok"])
        card = self.card()
        self.assertLessEqual(len(card["text"].encode("utf-16-le")) // 2, 4096)
        self.assertIn("prod/<db>&", card["text"][:100])
        self.assertEqual(self.sent(), 1)
        self.assertNotIn("\u202e", card["text"])

    def test_post_is_repeatable(self):
        bench = self.bench()
        bench.post()
        self.assertTrue(bench.post()["ok"])
        bench.end()
        again = self.bench()
        self.assertTrue(again.post()["ok"])
        self.assertEqual(self.sent(), 1)

    def test_settle_of_an_unknown_notice(self):
        bench = self.bench()
        self.assertTrue(bench.settle("never-shown")["ok"])

    def test_stop_during_the_long_poll(self):
        bench = self.bench()
        self.api.wait_request("getUpdates")
        self.assertLess(bench.stop()["ms"], 1500)

    def test_a_tap_is_handled_while_post_waits(self):
        bench = self.bench()
        bench.post()
        card = self.card()
        self.api.fault("sendMessage", 429, times=1, retry_after=4)
        bench.post("n2", wait=False)
        self.api.wait_request("sendMessage", 2)
        self.api.tap(OWNER, card["message_id"], "Deny")
        self.assertEqual(bench.wait("answer")["choice"], "deny")
        self.assertFalse(bench.all("posted")[1:])
        self.assertTrue(bench.wait("posted", 2)["ok"])


class Persons(Scenario):
    def test_several_approvers(self):
        bench = self.bench(people=["42", "43"])
        self.assertTrue(bench.post()["ok"])
        first, second = self.card(42), self.card(43)
        self.api.tap(43, second["message_id"], "Deny")
        self.assertEqual(bench.wait("answer")["person"], "43")
        bench.settle(kind=2, text="Denied by bob")
        for chat, card in ((42, first), (43, second)):
            self.assertIn("Denied by bob", self.api.wait_edit(chat, card["message_id"])["text"])

    def test_one_of_two_has_blocked_the_bot(self):
        bench = self.bench(people=["42", "43"])
        self.api.block(42)
        self.assertTrue(bench.post()["ok"])
        self.card(43)
        self.assertIn("blocked", bench.wait("alarm")["what"])

    def test_nobody_can_be_reached(self):
        bench = self.bench()
        self.api.block(42)
        result = bench.post()
        self.assertEqual((result["ok"], result["code"]), (False, REFUSED))
        self.assertIn("blocked", result["error"])

    def test_unlisted_member_of_the_group(self):
        self.api.add_group(-100500, [42, 99])
        bench = self.bench(chat=-100500)
        bench.post()
        card = self.card(-100500)
        toast = self.toast(self.api.tap(-100500, card["message_id"], "Approve once", user=99))
        self.assertTrue(toast["show_alert"])
        self.assertEqual(bench.wait("answer")["result"], "not-allowed")
        self.api.tap(-100500, card["message_id"], "Approve once", user=42)
        self.assertEqual(bench.wait("answer", 2)["result"], "taken")

    def test_wrong_approvers_are_refused_at_open(self):
        for people in ([], ["@alice"], ["1087968824"], ["-100500"], ["0"], ["99999999999999999999"]):
            with self.subTest(people):
                opened = self.bench(people=people).opened
                self.assertEqual((opened["ok"], opened["code"]), (False, CONFIG))

    def test_api_base_must_be_safe(self):
        for base in ("http://api.telegram.org", "ftp://127.0.0.1", "https://user@host", "", "https://h?x=1"):
            with self.subTest(base):
                opened = self.bench(**{"api-base": base}).opened
                self.assertEqual((opened["ok"], opened["code"]), (False, CONFIG))


class Forgers(Scenario):
    def setUp(self):
        super().setUp()
        self.one = self.bench()
        self.one.post()
        self.message = self.card()
        self.data = self.message["keyboard"][0][0]["callback_data"]

    def refused(self, query, alarm=True):
        toast = self.toast(query)
        self.assertTrue(toast["show_alert"])
        self.assertFalse(self.one.all("answer"))
        if alarm:
            self.one.wait("alarm")
        return toast

    def still_works(self):
        self.api.tap(OWNER, self.message["message_id"], "Deny")
        self.assertEqual(self.one.wait("answer")["choice"], "deny")

    def test_unknown_data(self):
        for data in ("x", "A" * 22, "x" * 5000, b"a\xff\xfeb", "approve:n1"):
            with self.subTest(data):
                self.refused(self.api.tap(OWNER, self.message["message_id"], data=data))
        self.assertEqual(len(self.one.all("alarm")), 1)
        self.still_works()

    def test_right_token_with_another_message(self):
        self.refused(self.api.tap(OWNER, 9999, data=self.data))
        self.still_works()

    def test_right_token_from_another_chat(self):
        self.api.add_group(-100500, [42, 99])
        self.refused(self.api.tap(-100500, self.message["message_id"], data=self.data, user=42,
                                  message={"message_id": self.message["message_id"], "date": 1, "text": "x",
                                           "chat": {"id": -100500, "type": "supergroup"}}))
        self.still_works()

    def test_senders_that_are_no_persons(self):
        person = {"id": OWNER, "is_bot": False, "first_name": "O"}
        shown = {"message_id": self.message["message_id"], "date": 1, "text": self.message["text"],
                 "chat": {"id": OWNER, "type": "private"}}
        for change in ({"from": {**person, "is_bot": True}}, {"from": None}, {"from": {"id": "42"}},
                       {"from": {**person, "id": 1087968824}}, {"from": {**person, "id": 777000}},
                       {"from": {**person, "id": 136817688}}, {"from": {**person, "id": 99}},
                       {"inline_message_id": "AAAA"}, {"message": None}, {"data": None}):
            with self.subTest(change):
                query = {"from": person, "message": shown, "data": self.data, "chat_instance": "1", **change}
                query = {k: v for k, v in query.items() if v is not None}
                self.refused(self.api.tap_raw({"callback_query": query}))
        self.still_works()

    def test_changed_message(self):
        self.api.edit_message_as_thief(OWNER, self.message["message_id"], "Approve lunch?")
        toast = self.refused(self.api.tap(OWNER, self.message["message_id"], "Approve once"))
        self.assertIn("changed", toast["text"])
        self.assertIn("token", self.one.wait("alarm")["what"])

    def test_inaccessible_message_counts(self):
        self.api.tap(OWNER, self.message["message_id"], "Deny", message="inaccessible")
        self.assertEqual(self.one.wait("answer")["choice"], "deny")

    def test_second_tap_and_old_button(self):
        self.api.tap(OWNER, self.message["message_id"], "Approve once")
        self.one.wait("answer")
        second = self.api.tap(OWNER, self.message["message_id"], "Deny")
        self.assertEqual(self.one.wait("answer", 2)["result"], "too-late")
        self.assertIn("already", self.toast(second)["text"])
        self.one.settle()
        third = self.api.tap(OWNER, self.message["message_id"], data=self.data)
        self.assertIn("already", self.toast(third)["text"])
        self.assertEqual(len(self.one.all("answer")), 2)

    def test_the_same_query_again(self):
        query = {"id": "777", "from": {"id": OWNER, "is_bot": False}, "data": self.data, "chat_instance": "1",
                 "message": {"message_id": self.message["message_id"], "date": 0,
                             "chat": {"id": OWNER, "type": "private"}}}
        self.api.tap_raw({"callback_query": query})
        self.one.wait("answer")
        self.api.tap_raw({"callback_query": query})
        self.api.tap(OWNER, self.message["message_id"], data="x")
        self.one.wait("alarm")
        self.assertEqual(len(self.one.all("answer")), 1)


class Restarts(Scenario):
    def test_button_from_before_the_restart(self):
        bench = self.bench()
        bench.post()
        card = self.card()
        bench.kill()
        query = self.api.tap(OWNER, card["message_id"], "Approve 1 h")
        again = self.bench()
        self.assertEqual(again.wait("answer")["choice"], "hour")
        self.toast(query)
        self.assertTrue(again.settle(kind=3, text="Expired")["ok"])
        self.assertIn("Expired", self.api.wait_edit(OWNER, card["message_id"])["text"])

    def test_tap_that_the_core_could_not_record(self):
        bench = self.bench()
        bench.post()
        card = self.card()
        bench.script(results=[TRY_AGAIN, TRY_AGAIN])
        query = self.api.tap(OWNER, card["message_id"], "Deny")
        bench.wait("answer", 1)
        self.assertTrue(self.toast(query)["show_alert"])
        self.assertGreater(self.api.pending(), 0)
        self.assertEqual(bench.wait("answer", 3)["result"], "taken")
        self.assertEqual(len(self.api.answers()), 1)
        self.drained()

    def drained(self):
        deadline = time.monotonic() + 10
        while self.api.pending() and time.monotonic() < deadline:
            self.api.wait_request("getUpdates", len(self.api.log("getUpdates")) + 1, 5)
        self.assertEqual(self.api.pending(), 0)

    def test_tap_kept_over_a_crash(self):
        bench = self.bench()
        bench.post()
        card = self.card()
        bench.script(results=[TRY_AGAIN] * 50)
        self.api.tap(OWNER, card["message_id"], "Deny")
        bench.wait("answer", 1)
        bench.kill()
        again = self.bench()
        self.assertEqual(again.wait("answer")["result"], "taken")

    def test_ids_start_anew_lower(self):
        bench = self.bench()
        bench.post()
        card = self.card()
        self.api.tap(OWNER, card["message_id"], data="x")
        bench.wait("alarm")
        self.api.restart_ids(lower=True)
        self.api.tap(OWNER, card["message_id"], "Deny")
        self.assertEqual(bench.wait("answer")["choice"], "deny")

    def test_state_that_cannot_be_kept(self):
        bench = self.bench()
        bench.script(remember_fails=1000)
        result = bench.post(deadline_ms=1500)
        self.assertEqual((result["ok"], result["code"]), (False, UNAVAILABLE))
        self.assertEqual(self.sent(), 0)


if __name__ == "__main__":
    unittest.main()
