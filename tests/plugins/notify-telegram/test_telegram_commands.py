"""notify-telegram and what people write: commands, and the second tap that a lock needs."""
import time
import unittest

from bench import OWNER, Scenario

GROUP, STRANGER = -100500, 99
BOT = "secret_proxy_bot"


class Words(Scenario):
    def say(self, text, chat=OWNER, user=OWNER, **fields):
        return self.api.send_text(chat, user, text, **fields)

    def replies(self, chat=OWNER):
        return [m for m in self.api.messages(chat) if m["from"]["is_bot"]]

    def commands(self, bench):
        return [e["command"] for e in bench.all("command")]

    def taken_in(self, bench):
        """All that was written so far has been looked at: what comes later has been."""
        count = len(bench.all("answer"))
        card = self.card()
        self.api.tap(OWNER, card["message_id"], "Deny")
        bench.wait("answer", count + 1)

    def lock_question(self, chat=OWNER, text="/lock", **more):
        self.say(text, chat, **more)
        return self.card(chat, {"button": "Lock now"})


class Commands(Words):
    def test_listed_people_are_answered(self):
        bench = self.bench()
        for word, command in (("/pending", "pending"), ("/grants", "grants"), ("/status", "status"), ("/HELP now", "help"),
                              (f"/status@{BOT}", "status"), ("/start", "help")):
            with self.subTest(word):
                count = len(self.replies())
                number = self.say(word)
                answer = self.card(predicate="The vault says", since=number)
                self.assertIn(f"The vault says: {command}.\nSecond line.", answer["text"])
                self.assertEqual(len(self.replies()), count + 1)
        self.assertEqual(bench.all("command")[0]["person"], str(OWNER))
        self.assertRegex(bench.all("command")[0]["evidence"], f"chat {OWNER} message [0-9]+")

    def test_nobody_else_learns_anything(self):
        self.api.add_group(GROUP, [OWNER, STRANGER])
        bench = self.bench()
        bench.post()
        own = {"chat_id": OWNER, "user": OWNER}
        self.api.user_starts(STRANGER)
        self.api.send_text(STRANGER, STRANGER, "/pending")
        for fields in ({"sender_chat": {"id": GROUP, "type": "supergroup"}}, {"forward_origin": {"type": "hidden_user"}},
                       {"via_bot": {"id": 5, "is_bot": True, "first_name": "b"}}, {"forward_date": 1}):
            self.api.send_text(text="/pending", **own, **fields)
        self.api.send_text(OWNER, {"id": OWNER, "is_bot": True}, "/pending")
        self.api.send_text(OWNER, {"id": OWNER, "is_bot": False}, "pending")
        self.api.send_text(GROUP, OWNER, f"/pending@{BOT}")  # a group that is not ours
        for text in ("/", "/pending@other_bot", "/unheard_of", "/pending-x", "/" + "x" * 4000):
            self.api.send_text(OWNER, OWNER, text)
        self.taken_in(bench)
        self.assertEqual(self.commands(bench), [])
        self.assertEqual(self.sent(), 1)

    def test_in_our_group_if_addressed_to_the_bot(self):
        self.api.add_group(GROUP, [OWNER, STRANGER], topics=[7])
        bench = self.bench(chat=GROUP)
        self.say(f"/status@{BOT}", GROUP, STRANGER)
        self.say("/status", GROUP)
        number = self.say(f"/pending@{BOT.upper()}", GROUP, is_topic_message=True, message_thread_id=7)
        answer = self.card(GROUP, "pending")
        self.assertEqual(answer["options"]["message_thread_id"], "7")
        self.assertEqual(answer["options"]["reply_parameters"]["message_id"], number)
        self.assertEqual(self.commands(bench), ["pending"])

    def test_too_many(self):
        bench = self.bench()
        bench.post()
        for _ in range(20):
            self.say("/status")
        self.taken_in(bench)
        self.assertEqual(len(self.commands(bench)), 6)

    def test_words_that_waited_for_long(self):
        bench = self.bench()
        bench.post()
        self.api.tap_raw({"message": {"message_id": 7777, "date": int(time.time()) - 3600, "text": "/status",
                                      "from": {"id": OWNER, "is_bot": False, "first_name": "O"},
                                      "chat": {"id": OWNER, "type": "private"}}})
        self.say("/pending")
        self.taken_in(bench)
        self.assertEqual(self.commands(bench), ["pending"])

    def test_the_same_message_again(self):
        bench = self.bench()
        bench.post()
        bench.script(results=[5, 5])     # the core can't record the tap
        self.api.tap(OWNER, self.card()["message_id"], "Deny")
        self.say("/status")
        bench.wait("answer", 3, timeout=20)
        self.assertEqual(self.commands(bench), ["status"])

    def test_long_answers_are_cut(self):
        self.bench(reply="\u202ex<b>&\n" + "\U0001f600" * 4000)
        self.say("/status")
        text = self.card(predicate="x<b>&")["text"]
        self.assertLessEqual(len(text.encode("utf-16-le")) // 2, 4096)
        self.assertNotIn("\u202e", text)

    def test_a_core_that_cannot(self):
        bench = self.bench(old_core=True)
        bench.post()
        self.say("/status")
        self.taken_in(bench)
        self.assertEqual(self.sent(), 1)
        self.assertEqual(self.api.log("setMyCommands"), [])


class Menu(Words):
    def test_set_once_for_each_chat(self):
        bench = self.bench(people=["42", "43"])
        self.api.wait_request("setMyCommands", 2)
        # Both are on their way at once.
        scopes = [entry["params"]["scope"] for entry in self.api.log("setMyCommands")]
        for chat in (42, 43):
            self.assertEqual(sum(str(chat) in str(scope) for scope in scopes), 1, scopes)
        bench.post()
        bench.end()
        again = self.bench(people=["42", "43"])
        again.post("n2")
        self.assertEqual(len(self.api.log("setMyCommands")), 2)

    def test_that_fails_is_no_matter(self):
        self.api.fault("setMyCommands", 429, times=1, retry_after=100)
        bench = self.bench(chat=-100500)
        self.api.add_group(-100500, [OWNER])
        self.api.wait_request("setMyCommands")
        self.api.clear_faults()
        self.assertFalse(bench.all("broken"))


class Lock(Words):
    def test_with_a_second_tap(self):
        bench = self.bench()
        question = self.lock_question()
        self.assertEqual(self.commands(bench), [])
        query = self.api.tap(OWNER, question["message_id"], "Lock now")
        self.assertEqual(bench.wait("command")["command"], "lock")
        self.assertIn("The vault says: lock.", self.toast(query)["text"])
        ended = self.api.wait_edit(OWNER, question["message_id"], {"no_keyboard": True})
        self.assertIn("The vault says: lock.", ended["text"])
        data = question["keyboard"][0][0]["callback_data"]
        again = self.toast(self.api.tap(OWNER, question["message_id"], data=data))
        self.assertIn("no longer valid", again["text"])
        self.assertEqual(self.commands(bench), ["lock"])

    def test_is_the_same_persons(self):
        self.api.add_group(GROUP, [OWNER, 43])
        bench = self.bench(chat=GROUP, people=["42", "43"])
        question = self.lock_question(GROUP, f"/lock@{BOT}")
        data = question["keyboard"][0][0]["callback_data"]
        self.toast(self.api.tap(GROUP, question["message_id"], "Lock now", user=43))
        self.toast(self.api.tap(GROUP, 9999, data=data, user=OWNER))
        self.toast(self.api.tap(OWNER, question["message_id"], data=data, user=OWNER))
        self.assertEqual(self.commands(bench), [])
        self.api.tap(GROUP, question["message_id"], "Lock now", user=OWNER)
        self.assertEqual(bench.wait("command")["person"], str(OWNER))

    def test_that_somebody_changed(self):
        bench = self.bench()
        question = self.lock_question()
        self.api.edit_message_as_thief(OWNER, question["message_id"], "Press for free stickers")
        toast = self.toast(self.api.tap(OWNER, question["message_id"], "Lock now"))
        self.assertIn("changed", toast["text"])
        self.assertIn("token", bench.wait("alarm")["what"])
        self.assertEqual(self.commands(bench), [])

    def test_asked_anew(self):
        bench = self.bench()
        first = self.lock_question()
        self.say("/lock")
        second = self.card(predicate={"button": "Lock now"}, since=first["message_id"])
        self.api.wait_edit(OWNER, first["message_id"], {"no_keyboard": True})
        self.api.tap(OWNER, second["message_id"], "Lock now")
        bench.wait("command")

    def test_asked_anew_while_the_first_is_on_its_way(self):
        self.bench()
        self.api.fault("sendMessage", "drip", times=1, interval=0.2, chunk=20)
        first = self.lock_question()
        self.say("/lock")
        self.api.wait_edit(OWNER, first["message_id"], {"no_keyboard": True}, timeout=30)

    def test_after_a_restart_it_is_asked_anew(self):
        bench = self.bench()
        question = self.lock_question()
        bench.kill()
        again = self.bench()
        toast = self.toast(self.api.tap(OWNER, question["message_id"], "Lock now"))
        self.assertIn("no longer valid", toast["text"])
        self.assertEqual(self.commands(again), [])

    def test_nobody_confirms(self):
        bench = self.bench()
        began = time.monotonic()
        question = self.lock_question()
        ended = self.api.wait_edit(OWNER, question["message_id"], {"no_keyboard": True}, timeout=75)
        self.assertGreater(time.monotonic() - began, 55)
        self.assertIn("Not done", ended["text"])
        self.assertEqual(self.commands(bench), [])


if __name__ == "__main__":
    unittest.main()
