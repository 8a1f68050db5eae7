"""notify-telegram when much is asked: turns, the message with the count, reminders; and one that has to pause."""
import re
import time
import unittest

from bench import CHOICES, EXPIRES, OWNER, UNAVAILABLE, Scenario

AT_ONCE = 5
COUNT = "more request"


class Storm(Scenario):
    def burst(self, bench, keys, agent="builder", **changes):
        """All at once, as the core hands them over: the next as soon as the one before is taken."""
        count = len(bench.all("posted"))
        for key in keys:
            bench.post(key, wait=False, title=f"Request {key}",
                       fields=[["Secret", key, 0], ["Agent", agent, 0], ["Reason", "hush", 1]], **changes)
        for number, _ in enumerate(keys, count + 1):
            self.assertTrue(bench.wait("posted", number, 30)["ok"])

    def shown(self, chat=OWNER):
        """The requests that the chat has got, in order."""
        return [m["text"].split("\n")[0][len("Request "):] for m in self.api.messages(chat)
                if m["text"].startswith("Request ")]

    def kept(self, text):
        """Waits until the plugin remembers something with @text."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with open(self.folder.name + "/state", encoding="utf-8") as file:
                if text in file.read():
                    return
            time.sleep(0.02)
        self.fail(f"{text} is not remembered")

    def counts(self, chat=OWNER):
        """The messages with the count."""
        return [m for m in self.api.messages(chat) if COUNT in (m["edits"] + [m])[0]["text"]]

    def decide(self, bench, key):
        self.card(predicate=f"Request {key}", timeout=20)
        self.assertTrue(bench.settle(key, text=f"Denied {key}", kind=2, title=f"Request {key}")["ok"])


class Turns(Storm):
    def test_the_rest_is_counted_and_shown_in_turn(self):
        bench = self.bench()
        keys = [f"k{n:02}" for n in range(12)]
        began = time.monotonic()
        self.burst(bench, keys)
        self.assertLess(time.monotonic() - began, AT_ONCE + 4)
        digest = self.card(predicate=f"7 {COUNT}s wait", timeout=6)
        self.assertFalse(digest["buttons"])
        self.assertIn("Secret: k05, Agent: builder", digest["text"])
        self.assertNotIn("hush", digest["text"])
        self.assertEqual(self.shown(), keys[:AT_ONCE])
        for key in keys:
            self.decide(bench, key)
        ended = self.api.wait_edit(OWNER, digest["message_id"], "No request waits", timeout=15)
        self.assertEqual(len(self.counts()), 1)
        counts = [int(e["text"].split()[0]) for e in ended["edits"]]
        self.assertEqual(counts, sorted(counts, reverse=True))
        self.assertEqual(self.shown(), [])
        cards = [m for m in self.api.messages(OWNER) if "Denied" in m["text"]]
        order = [re.search("Denied (k..)", m["text"])[1] for m in cards]
        self.assertEqual(sorted(order), keys)
        # One that the service was slow to take may be overtaken by the next ones.
        self.assertLessEqual(max(abs(order.index(key) - place) for place, key in enumerate(keys)), 3, order)
        sends = [e["mono"] for e in self.api.log("sendMessage")]
        self.assertTrue(all(b - a > 0.95 for a, b in zip(sends, sends[1:])), sends)

    def test_in_time_they_are_shown_though_nobody_decides(self):
        bench = self.bench()
        self.burst(bench, [f"k{n}" for n in range(AT_ONCE + 1)])
        self.assertEqual(len(self.shown()), AT_ONCE)
        self.card(predicate="Request k5", timeout=15)

    def test_another_agent_is_not_behind_all_of_the_first(self):
        bench = self.bench()
        self.burst(bench, [f"a{n}" for n in range(AT_ONCE + 3)])
        self.burst(bench, ["b0"], agent="tester")
        self.decide(bench, "a0")
        self.card(predicate="Request b0", timeout=5)
        self.assertNotIn("a5", self.shown())

    def test_waiting_ones_survive_a_crash(self):
        bench = self.bench()
        keys = [f"k{n}" for n in range(AT_ONCE + 3)]
        self.burst(bench, keys)
        digest = self.card(predicate=COUNT, timeout=6)
        self.kept("digest%2F42=")
        bench.kill()
        again = self.bench()
        for key in keys[AT_ONCE:]:
            card = self.card(predicate=f"Request {key}", timeout=30)
            self.assertEqual(card["buttons"], [c[1] for c in CHOICES])
        self.assertIn("hush", card["text"])
        self.api.tap(OWNER, card["message_id"], "Deny")
        self.assertEqual(again.wait("answer")["notice"], keys[-1])
        self.api.wait_edit(OWNER, digest["message_id"], "No request waits", timeout=15)
        self.assertEqual(len(self.counts()), 1)
        self.assertTrue(again.post(keys[-1])["ok"])
        self.assertEqual(self.shown(), keys)

    def test_what_ends_while_it_waits_is_not_shown(self):
        bench = self.bench()
        keys = [f"k{n}" for n in range(AT_ONCE + 2)]
        self.burst(bench, keys)
        digest = self.card(predicate=COUNT, timeout=6)
        for key in keys[AT_ONCE:]:
            self.assertTrue(bench.settle(key, kind=3, text="Expired")["ok"])
        ended = self.api.wait_edit(OWNER, digest["message_id"], "No request waits", timeout=15)
        self.assertIn("2 ended before they were shown", ended["text"])
        self.assertEqual(self.shown(), keys[:AT_ONCE])

    def test_what_can_only_be_taken_away_does_not_wait(self):
        bench = self.bench()
        self.burst(bench, [f"k{n}" for n in range(AT_ONCE + 2)])
        self.burst(bench, ["grant"], choices=[["revoke", "Revoke", 2]])
        self.card(predicate="Request grant", timeout=5)
        self.assertEqual(len(self.shown()), AT_ONCE + 1)

    def test_state_that_cannot_be_kept(self):
        bench = self.bench()
        self.burst(bench, [f"k{n}" for n in range(AT_ONCE)])
        bench.script(remember_fails=1)
        result = bench.post("k9")
        self.assertEqual((result["ok"], result["code"]), (False, UNAVAILABLE))
        self.assertTrue(bench.post("k9")["ok"])

    def test_a_group_and_its_limit(self):
        self.api.set_limits(per_second_in_chat=1, per_minute_in_group=20)
        self.api.add_group(-100500, [OWNER])
        bench = self.bench(chat=-100500)
        keys = [f"k{n:02}" for n in range(30)]
        self.burst(bench, keys)
        for key in keys[:12]:
            self.card(-100500, f"Request {key}", timeout=20)
            bench.settle(key, title=f"Request {key}", kind=2, text="Denied")
        self.card(-100500, f"{COUNT}s wait")
        self.assertFalse([e for e in self.api.log("sendMessage") if e["status"] == 429])


class Reminders(Storm):
    def due(self, bench, seconds=-1):
        """Ends the run, and lets the next one find that half of the time is over."""
        bench.kill()
        path = self.folder.name + "/state"
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text, count = re.subn(r"remind [0-9]+", f"remind {int(time.time()) + seconds}", text)
        self.assertGreaterEqual(count, 1)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def reminders(self):
        return [m for m in self.api.messages(OWNER) if "Nobody has decided" in m["text"] and not m["deleted"]]

    def test_once_as_an_answer_to_the_message_and_loud(self):
        bench = self.bench()
        bench.post()
        card = self.card()
        self.due(bench, 2)
        again = self.bench()
        reminder = self.card(predicate="Nobody has decided")
        self.assertIn("prod/db", reminder["text"])
        self.assertNotIn("to migrate", reminder["text"])
        self.assertIn(str(card["message_id"]), str(reminder["options"]["reply_parameters"]))
        self.assertNotIn("disable_notification", reminder["options"])
        self.kept("reminder ")
        again.kill()
        third = self.bench()
        self.assertTrue(third.settle()["ok"])
        self.api.wait_request("deleteMessage")
        self.assertEqual(self.reminders(), [])

    def test_none_for_what_is_decided_or_short(self):
        bench = self.bench()
        bench.post("short", expires_at=int(time.time()) + 100)
        bench.post("grant", choices=[["revoke", "Revoke", 2]])
        bench.post("info", choices=[], expires_at=0)
        with open(self.folder.name + "/state", encoding="utf-8") as file:
            self.assertNotIn("remind", file.read())

    def test_none_in_a_storm(self):
        bench = self.bench()
        self.burst(bench, [f"k{n}" for n in range(AT_ONCE)], expires_at=EXPIRES)
        self.due(bench, 7)
        again = self.bench()
        self.burst(again, [f"m{n}" for n in range(AT_ONCE + 1)])
        self.card(predicate="Request m5", timeout=20)
        self.assertEqual(self.reminders(), [])


class Pauses(Storm):
    def test_two_lost_replies_do_not_keep_others_waiting(self):
        bench = self.bench()
        self.api.fault("sendMessage", "cut_after", times=2)
        began = time.monotonic()
        result = bench.post("n1")
        self.assertEqual((result["ok"], result["code"]), (False, UNAVAILABLE))
        self.assertLess(time.monotonic() - began, 15)
        self.assertTrue(bench.post("n2")["ok"])
        began = time.monotonic()
        self.assertFalse(bench.post("n1")["ok"])
        self.assertLess(time.monotonic() - began, 6)
        self.assertEqual(self.sent(), 3)

    def test_a_long_pause_of_one_chat_does_not_keep_others_waiting(self):
        bench = self.bench(people=["42", "43"])
        self.api.fault("sendMessage", 429, times=1, retry_after=100, match={"chat_id": 42})
        began = time.monotonic()
        self.assertFalse(bench.post("n1")["ok"])
        self.assertFalse(bench.post("n2")["ok"])
        self.assertLess(time.monotonic() - began, 12)
        self.assertEqual(len([m for m in self.api.messages(43) if m["buttons"]]), 2)
        self.assertTrue(bench.settle("n1")["ok"])
        self.assertEqual(len([e for e in self.api.log("sendMessage") if str(e["params"]["chat_id"]) == "42"]), 1)

    def test_a_long_pause_of_edits(self):
        bench = self.bench()
        bench.post("n1")
        self.api.fault("editMessageText", 429, times=1, retry_after=100)
        began = time.monotonic()
        result = bench.settle("n1")
        self.assertEqual((result["ok"], result["code"]), (False, UNAVAILABLE))
        self.assertLess(time.monotonic() - began, 6)
        self.assertEqual(len(self.api.log("editMessageText")), 1)


if __name__ == "__main__":
    unittest.main()
