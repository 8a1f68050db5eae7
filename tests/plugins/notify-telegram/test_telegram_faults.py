"""notify-telegram on bad days: lost replies, floods, conflicts, poison, TLS."""
import os
import subprocess
import tempfile
import time
import unittest

from bench import CONFIG, CONFLICT, OWNER, UNAVAILABLE, Scenario

PASSING = ((500, {}), ("html", {}), ("empty", {}), ("truncated", {"keep": 10}), ("cut_before", {}),
           ("content_length", {"delta": 50}), ("redirect", {}), ("raw", {"body": "[[["}),
           ("raw_response", {"body": "no http at all"}), ("interim", {}))


class Sending(Scenario):
    def setUp(self):
        super().setUp()
        self.one = self.bench()

    def test_flood_is_honoured(self):
        for fault in ({"retry_after": 3}, {"retry_after": 3, "in_body": False}):
            with self.subTest(fault):
                before = self.sent()
                self.api.fault("sendMessage", 429, times=1, **fault)
                began = time.monotonic()
                self.assertTrue(self.one.post(f"n{before}")["ok"])
                self.assertGreaterEqual(time.monotonic() - began, 3)
                self.assertEqual(self.sent() - before, 2)

    def test_flood_on_settle(self):
        self.one.post()
        self.api.fault("editMessageText", 429, times=1, retry_after=2)
        began = time.monotonic()
        self.assertTrue(self.one.settle()["ok"])
        self.assertGreaterEqual(time.monotonic() - began, 2)

    def test_deadline_while_told_to_wait(self):
        self.api.fault("sendMessage", 429, times=1, retry_after=200)
        result = self.one.post(deadline_ms=700)
        self.assertEqual((result["ok"], result["code"]), (False, UNAVAILABLE))
        self.assertEqual(self.sent(), 1)

    def test_failures_that_pass(self):
        for kind, args in PASSING:
            with self.subTest(kind):
                key = f"key-{kind}"
                self.api.fault("sendMessage", kind, times=1, **args)
                self.assertTrue(self.one.post(key)["ok"])
                self.assertTrue(self.one.settle(key)["ok"])

    def test_lost_reply_makes_one_copy_and_both_count(self):
        self.api.fault("sendMessage", "cut_after", times=1)
        self.assertTrue(self.one.post()["ok"])
        copies = [m for m in self.api.messages(OWNER) if m["keyboard"]]
        self.assertEqual(len(copies), 2)
        self.assertEqual(copies[0]["keyboard"], copies[1]["keyboard"])
        self.api.tap(OWNER, copies[0]["message_id"], "Deny")
        self.assertEqual(self.one.wait("answer")["result"], "taken")
        self.assertTrue(self.one.settle()["ok"])
        for copy in copies:
            self.api.wait_edit(OWNER, copy["message_id"], {"no_keyboard": True})

    def test_replies_lost_again_and_again(self):
        self.api.fault("sendMessage", "cut_after", times=None)
        result = self.one.post(deadline_ms=5000)
        self.assertEqual((result["ok"], result["code"]), (False, UNAVAILABLE))
        self.assertEqual(len([m for m in self.api.messages(OWNER) if m["keyboard"]]), 2)

    def test_crash_between_sending_and_the_reply(self):
        self.api.fault("sendMessage", "delay", times=1, seconds=0)
        self.api.fault("sendMessage", "drip", times=1, interval=1, chunk=1)
        self.one.post("n0")
        self.one.post(wait=False)
        first = self.card(since=self.card()["message_id"])
        self.one.kill()
        again = self.bench()
        self.assertTrue(again.post()["ok"])
        self.api.tap(OWNER, first["message_id"], "Deny")
        self.assertEqual(again.wait("answer")["choice"], "deny")

    def test_bad_entities_once_as_plain_text(self):
        self.api.fault("sendMessage", 400, times=1,
                       description="Bad Request: can't parse entities: unsupported start tag at byte offset 3")
        self.assertTrue(self.one.post()["ok"])
        card = self.card()
        self.assertFalse(card["parse_mode"])
        self.api.tap(OWNER, card["message_id"], "Deny")
        self.one.wait("answer")

    def test_settle_of_what_cannot_be_edited(self):
        for text in ("message is not modified: x", "message to edit not found", "message can't be edited"):
            with self.subTest(text):
                self.one.post(text[:12])
                before = len(self.api.log("editMessageText"))
                self.api.fault("editMessageText", 400, times=1, description="Bad Request: " + text)
                self.assertTrue(self.one.settle(text[:12])["ok"])
                self.assertEqual(len(self.api.log("editMessageText")) - before, 1)

    def test_failing_toast_changes_nothing(self):
        self.one.post()
        card = self.card()
        self.api.fault("answerCallbackQuery", 400, times=1, description="Bad Request: query is too old and "
                       "response timeout expired or query ID is invalid")
        self.api.tap(OWNER, card["message_id"], "Deny")
        self.assertEqual(self.one.wait("answer")["result"], "taken")
        self.assertTrue(self.one.settle()["ok"])
        self.assertEqual(len(self.api.log("answerCallbackQuery")), 1)

    def test_pace_and_order(self):
        self.api.set_limits(per_second_in_chat=1)
        for number in range(4):
            self.assertTrue(self.one.post(f"n{number}", title=f"Request {number}")["ok"])
        # Without a pace of ours it would be told to wait three times. What arrives late on a busy machine can
        # make the next one early.
        self.assertLessEqual(self.sent(), 5)
        titles = [m["text"].split("\n")[0] for m in self.api.messages(OWNER)]
        self.assertEqual(titles, [f"Request {n}" for n in range(4)])


class Polling(Scenario):
    def ready(self, **config):
        self.one = self.bench(**config)
        self.one.post()
        self.message = self.card()

    def tap_counts(self, timeout=15.0):
        self.api.tap(OWNER, self.message["message_id"], "Deny")
        self.assertEqual(self.one.wait("answer", timeout=timeout)["choice"], "deny")

    def test_poison(self):
        self.ready()
        for kind in ("deep", "huge-id", "overflow-id", "non-utf8", "nul", "lone-surrogate", "not-object",
                     "long-data", "unknown-type", "empty", "big", "not-json", "no-id", "game"):
            self.api.poison(kind, OWNER, self.message["message_id"])
        self.tap_counts(30)
        self.assertEqual(len([e for e in self.one.all("alarm") if "could not be read" in e["what"]]), 1)

    def test_many_odd_updates_in_front(self):
        self.ready()
        for number in range(99):
            self.api.poison(("unknown-type", "no-from", "no-message", "empty")[number % 4])
        self.tap_counts()

    def test_failures_that_pass(self):
        self.ready()
        for kind, args in PASSING:
            self.api.fault("getUpdates", kind, times=1, **args)
        self.api.tap(OWNER, self.message["message_id"], data="x")
        for _ in PASSING[:3]:
            self.api.wait_request("getUpdates", len(self.api.log("getUpdates")) + 1, 70)
        self.api.clear_faults()
        self.tap_counts(70)

    def test_conflict(self):
        self.ready()
        self.api.fault("getUpdates", 409, times=2)
        self.api.tap(OWNER, self.message["message_id"], data="x")
        broken = self.one.wait("broken")
        self.assertEqual(broken["code"], CONFLICT)
        self.assertIn("another program", broken["why"])
        self.assertIsNone(self.one.wait("broken", 2, timeout=20)["why"])
        self.tap_counts()
        self.assertEqual(len([e for e in self.one.all("alarm") if "another program" in e["what"]]), 1)

    def test_webhook(self):
        self.ready()
        self.api.set_webhook("https://thief.example:8443/secret-path")
        alarm = self.one.wait("alarm")["what"]
        self.assertIn("thief.example", alarm)
        self.assertNotIn("secret-path", alarm)
        self.assertEqual(len(self.api.log("deleteWebhook")), 0)
        self.api.set_webhook("")
        self.assertIsNone(self.one.wait("broken", 2, timeout=20)["why"])
        self.tap_counts()

    def test_wrong_token(self):
        for wrong in ("123456:WRONG", "garbage"):
            with self.subTest(wrong):
                self.api.clear_log()
                bench = self.bench(**{"bot-token": wrong})
                self.assertIn("token", bench.wait("broken")["why"])
                result = bench.post()
                self.assertEqual((result["ok"], result["code"]), (False, UNAVAILABLE))
                self.assertEqual(len(self.api.log()), 1)
                self.assertNotIn(wrong, str(bench.events))

    def test_token_that_is_none(self):
        for wrong in ("", "a b", "x" * 200, "12/../34"):
            self.assertEqual(self.bench(**{"bot-token": wrong}).opened["code"], CONFIG)

    def test_token_revoked_while_running(self):
        self.ready()
        self.api.set_token("123456:ANOTHER")
        self.assertIn("token", self.one.wait("broken", timeout=30)["why"])
        self.assertFalse(self.one.post("n2", deadline_ms=500)["ok"])
        self.assertFalse(self.one.settle(deadline_ms=500)["ok"])

    def test_out_of_reach_at_start_and_later(self):
        self.api.stop()
        bench = self.one = self.bench()
        self.assertEqual(bench.wait("broken")["code"], UNAVAILABLE)
        result = bench.post(deadline_ms=300)
        self.assertEqual((result["ok"], result["code"]), (False, UNAVAILABLE))
        self.api.start()
        self.assertIsNone(bench.wait("broken", 2, timeout=20)["why"])
        self.assertTrue(bench.post()["ok"])
        self.assertEqual(self.sent(), 1)
        self.message = self.card()
        self.tap_counts()

    def test_server_that_does_not_wait(self):
        self.api.fault("getUpdates", "raw", times=None, body='{"ok":true,"result":[]}')
        self.bench()
        began = time.monotonic()
        self.api.wait_request("getUpdates", 6)
        self.assertGreater(time.monotonic() - began, 1.4)

    def test_flood_on_polling(self):
        self.ready()
        self.api.fault("getUpdates", 429, times=1, retry_after=2)
        self.api.tap(OWNER, self.message["message_id"], data="x")
        count = len(self.api.log("getUpdates"))
        spoilt = self.api.wait_request("getUpdates", count + 1)
        after = self.api.wait_request("getUpdates", count + 2)
        self.assertGreaterEqual(after["mono"] - spoilt["mono"], 2)


class Tls(Scenario):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.pair = [os.path.join(folder.name, name) for name in ("cert.pem", "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", cls.pair[1], "-out",
                        cls.pair[0]], check=True, stderr=subprocess.DEVNULL)
        cls.options = {"tls": tuple(cls.pair)}

    def test_unknown_certificate_is_refused(self):
        bench = self.bench()
        self.assertIn("ertificate", bench.wait("broken")["why"])
        self.assertFalse(bench.post(deadline_ms=300)["ok"])
        self.assertEqual(self.api.log(), [])

    def test_ca_file(self):
        bench = self.bench(**{"ca-file": self.pair[0]})
        self.assertTrue(bench.post()["ok"])
        self.api.tap(OWNER, self.card()["message_id"], "Deny")
        self.assertEqual(bench.wait("answer")["result"], "taken")

    def test_ca_file_that_is_none(self):
        opened = self.bench(**{"ca-file": "/nowhere/ca.pem"}).opened
        self.assertEqual((opened["ok"], opened["code"]), (False, CONFIG))


if __name__ == "__main__":
    unittest.main()
