"""notify-telegram and its chats: blocked, moved, with topics; and signs that the token is in other hands."""
import unittest

from bench import CONFIG, CONFLICT, OWNER, REFUSED, Scenario

GROUP, MOVED, BOB = -500, -100700, 43


class Reach(Scenario):
    def cards(self, chat):
        return [m for m in self.api.messages(chat) if m["buttons"]]

    def test_blocked_and_unblocked(self):
        bench = self.bench(people=[str(OWNER), str(BOB)])
        self.api.block(OWNER)
        for key in ("n1", "n2", "n3"):
            self.assertTrue(bench.post(key)["ok"])
        self.assertEqual(len(self.cards(BOB)), 3)
        self.assertEqual(len([e for e in bench.all("alarm") if "blocked" in e["what"]]), 1)
        bench.settle("n1")
        self.api.unblock(OWNER)
        for key in ("n2", "n3"):
            card = self.card(predicate=lambda m, k=key: m["buttons"] and m["message_id"] > 0, timeout=10)
        self.api.wait_message(OWNER, lambda m: len(self.cards(OWNER)) == 2, timeout=10)
        self.assertEqual((len(self.cards(OWNER)), len(self.cards(BOB))), (2, 2))
        self.api.tap(OWNER, card["message_id"], "Deny")
        self.assertEqual(bench.wait("answer")["person"], str(OWNER))
        self.api.block(OWNER)
        bench.wait("alarm", 2)

    def test_nobody_could_be_reached_and_then_somebody(self):
        bench = self.bench()
        self.api.block(OWNER)
        self.assertEqual(bench.post()["code"], REFUSED)
        self.api.unblock(OWNER)
        self.api.tap(OWNER, self.card()["message_id"], "Deny")
        bench.wait("answer")
        self.assertTrue(bench.settle()["ok"])
        self.api.wait_edit(OWNER, None, {"no_keyboard": True})

    def test_removed_from_the_group(self):
        self.api.add_group(GROUP, [OWNER])
        bench = self.bench(chat=GROUP)
        self.api.kick_bot(GROUP)
        bench.wait("alarm", where=lambda e: "blocked or removed" in e["what"])
        self.assertEqual(bench.post()["code"], REFUSED)

    def test_flood_of_one_chat_is_that_chats(self):
        bench = self.bench(people=[str(OWNER), str(BOB)])
        self.api.fault("sendMessage", 429, times=1, retry_after=3, match={"chat_id": OWNER})
        self.assertTrue(bench.post()["ok"])
        first, second = (next(e for e in self.api.log("sendMessage") if e["status"] == 200 and
                              str(e["params"]["chat_id"]) == str(chat)) for chat in (OWNER, BOB))
        self.assertGreaterEqual(first["mono"] - second["mono"], 2.9)


class Moved(Scenario):
    def setUp(self):
        super().setUp()
        self.api.add_group(GROUP, [OWNER])

    def follow(self, bench, old):
        card = self.card(MOVED, timeout=15)
        alarm = bench.wait("alarm", where=lambda e: str(MOVED) in e["what"])["what"]
        self.assertIn(str(GROUP), alarm)
        shown = {"message_id": old["message_id"], "date": 1, "text": old["text"], "chat": {"id": GROUP, "type": "group"}}
        data = old["keyboard"][0][0]["callback_data"]
        self.toast(self.api.tap(GROUP, old["message_id"], data=data, user=OWNER, message=shown))
        self.assertFalse(bench.all("answer"))
        self.api.tap(MOVED, card["message_id"], "Deny", user=OWNER)
        answer = bench.wait("answer")
        self.assertEqual(answer["choice"], "deny")
        self.assertTrue(bench.settle(answer["notice"])["ok"])
        self.api.wait_edit(MOVED, card["message_id"], {"no_keyboard": True})

    def test_told_by_the_message_about_it(self):
        bench = self.bench(chat=GROUP)
        bench.post()
        old = self.card(GROUP)
        self.api.migrate_group(GROUP, MOVED)
        self.follow(bench, old)

    def test_told_by_the_refusal(self):
        bench = self.bench(chat=GROUP)
        bench.post()
        old = self.card(GROUP)
        bench.kill()
        self.api.migrate_group(GROUP, MOVED)
        self.api.restart_ids()
        again = self.bench(chat=GROUP)
        self.assertTrue(again.post("n2")["ok"])
        self.follow(again, old)

    def test_is_remembered(self):
        bench = self.bench(chat=GROUP)
        bench.post()
        self.api.migrate_group(GROUP, MOVED)
        self.card(MOVED, timeout=15)
        bench.end()
        again = self.bench(chat=GROUP)
        before = self.sent()
        self.assertTrue(again.post("n2", title="The second")["ok"])
        self.card(MOVED, "The second", timeout=20)
        self.assertEqual({str(e["params"]["chat_id"]) for e in self.api.log("sendMessage")[before:]}, {str(MOVED)})

    def test_a_group_that_is_not_ours(self):
        bench = self.bench()
        self.api.migrate_group(GROUP, MOVED)
        bench.post()
        self.assertFalse(bench.all("alarm"))


class Topics(Scenario):
    def setUp(self):
        super().setUp()
        self.api.add_group(-100500, [OWNER], topics=[7])

    def test_kept(self):
        bench = self.bench(chat=-100500, topic=7)
        self.assertTrue(bench.post()["ok"])
        self.assertEqual(self.card(-100500)["options"]["message_thread_id"], "7")
        self.assertTrue(bench.settle()["ok"])

    def test_general_goes_without_its_number(self):
        bench = self.bench(chat=-100500, topic=1)
        self.assertTrue(bench.post()["ok"])
        self.assertNotIn("message_thread_id", self.card(-100500)["options"])

    def test_gone(self):
        bench = self.bench(chat=-100500, topic=9)
        self.assertTrue(bench.post("n1")["ok"])
        self.assertTrue(bench.post("n2")["ok"])
        self.assertIn("topic 9", bench.wait("alarm")["what"])
        self.assertEqual(self.sent(), 3)


class Thieves(Scenario):
    def test_a_changed_message_is_trouble_until_it_is_decided(self):
        bench = self.bench()
        bench.post()
        card = self.card()
        self.api.edit_message_as_thief(OWNER, card["message_id"], "Approve lunch?")
        for _ in range(2):
            self.toast(self.api.tap(OWNER, card["message_id"], "Approve once"))
        broken = bench.wait("broken")
        self.assertEqual(broken["code"], CONFLICT)
        self.assertIn("token", broken["why"])
        self.assertFalse(bench.all("answer"))
        self.assertTrue(bench.settle(kind=3, text="Expired")["ok"])
        self.assertIsNone(bench.wait("broken", 2)["why"])
        self.assertEqual(len(bench.all("alarm")), 1)

    def test_our_own_closing_is_no_change_of_somebody_else(self):
        bench = self.bench(people=[str(OWNER), str(BOB)])
        bench.post()
        card = self.card()
        self.api.fault("editMessageText", 500, times=None, match={"chat_id": BOB})
        self.assertFalse(bench.settle(deadline_ms=1500)["ok"])
        self.api.wait_edit(OWNER, card["message_id"], {"no_keyboard": True})
        query = self.api.tap(OWNER, card["message_id"], data=card["keyboard"][0][0]["callback_data"])
        self.assertIn("already", self.toast(query)["text"])
        self.assertFalse(bench.all("answer") + bench.all("alarm") + bench.all("broken"))

    def test_buttons_under_the_same_text(self):
        bench = self.bench()
        bench.post()
        card = self.card()
        deny = card["keyboard"][-1][0]["callback_data"]
        shown = {"message_id": card["message_id"], "date": 1, "text": card["text"], "chat": {"id": OWNER, "type": "private"},
                 "reply_markup": {"inline_keyboard": [[{"text": "Approve once", "callback_data": deny}]]}}
        self.toast(self.api.tap(OWNER, card["message_id"], data=deny, message=shown))
        self.assertFalse(bench.all("answer"))

    def test_a_message_that_is_gone(self):
        bench = self.bench()
        bench.post()
        with self.api.state.cond:
            self.api.methods.delete_message({"chat_id": str(OWNER), "message_id": str(self.card()["message_id"])})
        self.assertTrue(bench.settle()["ok"])
        self.assertIn("is gone", bench.wait("alarm")["what"])

    def test_conflicts_are_told_once_each_time(self):
        bench = self.bench()
        self.api.fault("getUpdates", 409, times=3)
        self.api.tap_raw({"message": {}})
        bench.wait("broken")
        self.assertIsNone(bench.wait("broken", 2, timeout=40)["why"])
        self.assertEqual(len(bench.all("alarm")), 1)

    def test_an_answer_for_another_bot(self):
        self.api.fault("getMe", "raw", times=1, body='{"ok":true,"result":{"id":5,"is_bot":true,"username":"x"}}')
        bench = self.bench()
        broken = bench.wait("broken")
        self.assertEqual(broken["code"], CONFIG)
        self.assertIn("says that the bot is 5", bench.wait("alarm")["what"])
        self.assertEqual(self.api.log("getUpdates"), [])

    def test_a_token_of_another_bot_than_before(self):
        before = self.bench()
        self.api.wait_request("getUpdates")
        before.end()
        self.api.set_token("777:ANOTHER")
        self.api.state.bot["id"] = 777
        bench = self.bench(**{"bot-token": "777:ANOTHER"})
        self.assertIn("777", bench.wait("alarm")["what"])
        self.assertTrue(bench.post()["ok"])
        self.assertFalse(bench.all("broken"))


if __name__ == "__main__":
    unittest.main()
