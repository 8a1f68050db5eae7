"""The webhook plugin under a fake core: what it does when the core, or time, is against it.

The fake core is the harness of ../notify-telegram; the services are those of tests/api.
"""
import json
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "api"))
sys.path.insert(0, os.path.join(HERE, "..", "notify-telegram"))

from bench import CONFIG, REFUSED, TRY_AGAIN, UNAVAILABLE, Bench  # noqa: E402
from lib.webhook import JsonService, Ntfy, answer  # noqa: E402

SECRET, ALICE, BOB = "correct-horse-battery-staple", "alice-phone", "bob-phone"


class Scenario(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.service = self.make_service().start()
        self.addCleanup(self.service.stop)
        self.service.token = None  # the bench wants one to name

    def make_service(self):
        return JsonService(SECRET, ALICE)

    def bench(self, **config):
        bench = Bench(self.service, self.folder, **{
            "template": "json", "url": self.service.url + "/", "secret": SECRET, "poll-interval": 200, "timeout": 3000,
            "people": [ALICE, BOB], "token": None, **config})
        self.addCleanup(self.check, bench)
        if bench.opened["ok"]:
            self.assertTrue(bench.start()["ok"])
        return bench

    def check(self, bench):
        status, output = bench.end()
        if not bench.killed:
            self.assertEqual(status, 0, output)
        self.assertNotIn(SECRET, output + json.dumps(bench.events))
        self.assertFalse([e for e in bench.events if e.get("contract_broken")])


class Core(Scenario):
    def test_an_answer_in_the_reply_that_can_not_be_recorded(self):
        self.service.decide = lambda notice: "once"
        bench = self.bench()
        bench.script(results=[TRY_AGAIN])
        self.assertTrue(bench.post()["ok"])
        self.assertEqual([e["result"] for e in bench.all("answer")], ["try-again", "taken"])
        deliveries = [n["delivery"] for n in self.service.events("notice")]
        self.assertEqual((len(deliveries), len(set(deliveries))), (2, 1))

    def test_a_fetched_answer_that_can_not_be_recorded(self):
        bench = self.bench(answers=self.service.url + "/answers")
        bench.post()
        bench.script(results=[TRY_AGAIN, TRY_AGAIN])
        notice = self.service.events("notice")[0]
        self.service.answers += [self.service.answer_to(notice, "deny"), self.service.answer_to(notice, "once", BOB)]
        self.assertEqual(bench.wait("answer", 3)["result"], "taken")
        self.assertEqual(bench.wait("answer", 4)["result"], "too-late")
        self.service.wait_entry("?after=2")
        self.assertEqual({e["path"] for e in self.service.entries("GET")}, {"/answers", "/answers?after=0", "/answers?after=2"})

    def test_a_cursor_that_can_not_be_remembered(self):
        bench = self.bench(answers=self.service.url + "/answers")
        bench.post()
        self.service.wait_entry("?after=0")
        bench.script(remember_fails=1)
        self.service.answers.append(self.service.answer_to(self.service.events("notice")[0], "deny"))
        seen = len(self.service.entries("?after=0"))
        self.service.wait_entry("?after=0", seen + 2)
        self.service.wait_entry("?after=1")
        self.assertEqual([e["result"] for e in bench.all("answer")], ["taken"])

    def test_nothing_leaves_that_is_not_remembered(self):
        bench = self.bench()
        bench.script(remember_fails=1)
        self.assertFalse(bench.post()["ok"])
        self.assertEqual(self.service.events("notice"), [])

    def test_time_is_up(self):
        self.service.fault('"event":"notice"', lambda entry: (None, {}, b""))
        bench = self.bench()
        ended = bench.post(deadline_ms=300)
        self.assertEqual((ended["ok"], ended["code"]), (False, UNAVAILABLE))
        self.assertTrue(bench.post()["ok"])

    def test_time_is_up_in_a_pause(self):
        self.service.fault('"event":"notice"', answer(503, b"", Retry_After="200"))
        ended = self.bench().post(deadline_ms=400)
        self.assertEqual((ended["ok"], ended["code"]), (False, UNAVAILABLE))
        self.assertIn("503", ended["error"])

    def test_refused(self):
        self.service.fault('"event":"notice"', answer(403, b"go away"))
        ended = self.bench().post()
        self.assertEqual((ended["ok"], ended["code"]), (False, REFUSED))
        self.assertIn("127.0.0.1: it answered 403: go away", ended["error"])

    def test_a_crash_sends_nothing_twice_and_leaves_nothing_open(self):
        first = self.bench()
        self.assertTrue(first.post()["ok"])
        first.kill()
        second = self.bench()
        self.assertTrue(second.post()["ok"])
        self.assertTrue(second.settle()["ok"])
        self.assertTrue(second.settle()["ok"])
        self.assertEqual((len(self.service.events("notice")), len(self.service.events("settled"))), (1, 1))

    def test_a_crash_before_the_reply(self):
        """It may have arrived, so it is sent again, and closed in any case."""
        self.service.fault('"event":"notice"', lambda entry: (None, {}, b""))
        first = self.bench()
        first.post(wait=False)
        self.service.wait_entry('"event":"notice"')
        first.kill()
        self.assertTrue(self.bench().settle()["ok"])
        self.assertEqual(len(self.service.events("settled")), 1)

    def test_the_end_of_a_notice_that_was_never_sent(self):
        self.assertTrue(self.bench().settle()["ok"])
        self.assertEqual(self.service.events("settled"), [])

    def test_stopping_waits_for_nobody(self):
        self.service.fault("GET", lambda entry: (None, {}, b""), 9)
        bench = self.bench(answers=self.service.url + "/answers", timeout=50000)
        asked = self.service.wait_entry("GET")
        self.assertTrue(bench.stop())
        self.assertLess(bench.all("stopped")[0]["time"] - asked["at"], 2)


class Topics(Scenario):
    def make_service(self):
        return Ntfy()

    def bench(self, **config):
        return super().bench(template="ntfy", answers=self.service.url + "/inbox", **config)

    def topics(self):
        return {topic: len(messages) for topic, messages in self.service.messages.items()}

    def test_one_of_two_refuses(self):
        self.service.fault(f'"topic":"{ALICE}"', answer(403, b"forbidden"))
        bench = self.bench()
        self.assertTrue(bench.post()["ok"])
        self.assertIn("403", bench.wait("alarm")["what"])
        bench.settle()
        self.assertEqual(self.topics(), {BOB: 2})

    def test_all_refuse(self):
        self.service.fault('"topic"', answer(403, b"forbidden"), 2)
        ended = self.bench().post()
        self.assertEqual((ended["ok"], ended["code"]), (False, REFUSED))

    def test_one_has_it_and_the_other_not_yet(self):
        self.service.fault(f'"topic":"{BOB}"', answer(503, b""))
        bench = self.bench()
        self.assertFalse(bench.post(deadline_ms=500)["ok"])
        self.assertTrue(bench.post()["ok"])
        self.assertEqual(self.topics(), {ALICE: 1, BOB: 1})

    def test_a_token_that_ran_out(self):
        bench = self.bench()
        bench.post(expires_at=1000)
        self.service.tap(self.service.card(ALICE, "prod/db"), "Deny")
        marker = self.service.publish("inbox", "marker")
        self.service.wait_entry(f"since={marker['id']}")
        self.assertEqual(bench.all("answer"), [])
        bench.post("n2")
        self.service.tap(self.service.card(ALICE, "prod/db"), "Deny")
        self.assertEqual(bench.wait("answer")["notice"], "n2")

    def test_people_need_topics(self):
        opened = self.bench(people=["no topic"]).opened
        self.assertEqual((opened["ok"], opened["code"]), (False, CONFIG))


if __name__ == "__main__":
    unittest.main()
