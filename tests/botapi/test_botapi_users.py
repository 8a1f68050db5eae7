"""Tests of the emulator's user side, faults and control API.

What must stay true: every fault kind is shown to do to a plain HTTP client
what it promises, and it is checked whether the method took effect.
"""
import http.client
import json
import os
import subprocess
import sys
import tempfile
import unittest
from urllib.parse import urlsplit

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from botapi_parts.poison import KINDS  # noqa: E402
from botapi_parts.render import cells  # noqa: E402
from testkit import HERE, J, KEYS, Background, Case  # noqa: E402


class Users(Case):
    def test_answer(self):
        self.send()
        query = self.api.tap(42, button=0)
        self.assertIsNone(self.api.wait_answer(query, timeout=0.01))
        self.assertTrue(self.bot.call("answerCallbackQuery", callback_query_id=query, text="Done",
                                      show_alert=True).result)
        toast = self.api.wait_answer(query, timeout=0)
        self.assertEqual((toast["text"], toast["show_alert"]), ("Done", True))
        self.assertEqual(len(self.api.answers()), 1)
        late = "Bad Request: query is too old and response timeout expired or query ID is invalid"
        self.refused(self.bot.call("answerCallbackQuery", callback_query_id="77"), 400, late)
        self.api.advance(16)
        self.refused(self.bot.call("answerCallbackQuery", callback_query_id=query), 400, late)

    def test_tap_forms(self):
        sent = self.send()
        self.api.tap(42, button="Approve once", message=None)
        self.api.tap(42, data="forged", user={"id": 9, "is_bot": True}, message_id=555)
        self.api.tap(42, data=b"\xff\"\\\x01", message="inaccessible")
        self.api.tap(42, data="i", inline_message_id="AAA")
        raw = self.poll().body
        self.assertIn(b'"data":"\xff\\"\\\\\\u0001"', raw)
        got = [u["callback_query"] for u in json.loads(raw.decode("latin-1"))["result"]]
        self.assertNotIn("message", got[0])
        self.assertEqual((got[1]["from"]["is_bot"], got[1]["message"]),
                         (True, {"message_id": 555, "chat": {"id": 42, "first_name": "User 42", "type": "private"}, "date": 0}))
        self.assertEqual((got[2]["message"]["message_id"], got[2]["message"]["date"]), (sent["message_id"], 0))
        self.assertEqual(got[3]["inline_message_id"], "AAA")
        for wrong in ("Nothing", "Approve", 9):
            with self.assertRaises(LookupError):
                self.api.tap(42, button=wrong)

    def test_raw_updates(self):
        key = self.api.tap_raw({"callback_query": {"from": {"id": 10**20}, "data": "a\0\ud800"}})
        self.api.push_raw_update(b'{"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
        self.api.push_raw_update(b'{"update_id":5,"x":1e20}')
        body = self.poll().body
        self.assertIn(b'"id":100000000000000000000', body)
        self.assertIn(b'a\\u0000\\ud800', body)
        self.assertIn(b"[" * 100_000, body)
        self.assertIn(b'{"update_id":5,"x":1e20}', body)
        self.assertTrue(self.bot.call("answerCallbackQuery", callback_query_id=key).result)

    def test_poison(self):
        for kind in KINDS:
            self.api.poison(kind, size=1000)
        self.send()
        self.api.tap(42, button="Deny")
        body = self.poll().body
        self.assertEqual(body.count(b'"update_id":'), len(KINDS) + 1)
        self.assertIn(b'"data":"d:1"', body)

    def test_thief(self):
        sent = self.send()
        self.api.edit_message_as_thief(42, sent["message_id"], "Harmless")
        self.api.tap(42, button="Deny")
        message = self.poll().result[0]["callback_query"]["message"]
        self.assertEqual(message["text"], "Harmless")
        self.assertIn("edit_date", message)

    def test_waits(self):
        with self.assertRaises(TimeoutError):
            self.api.wait_message(42, "nothing", timeout=0.01)
        wait = Background(lambda: self.api.wait_message(42, {"text": "two", "button": "Deny"}))
        self.send(text="one")
        sent = self.send(text="two")
        self.assertEqual(wait.join()["message_id"], sent["message_id"])
        wait = Background(lambda: self.api.wait_edit(42, predicate={"no_keyboard": True}))
        self.bot.call("editMessageText", chat_id=42, message_id=sent["message_id"], text="done")
        self.assertEqual(wait.join()["text"], "done")
        self.assertEqual(self.api.wait_request("sendMessage", 2)["params"]["text"], "two")

    def test_render(self):
        text = "🔐 <b>Secret request</b> <code>prod/db</code>\n<blockquote>" + "long reason " * 12 \
            + "\u001b[31m</blockquote>"
        self.send(text=text, parse_mode="HTML")
        picture = self.api.render(chat_id=42, width=50)
        self.assertEqual({cells(line) for line in picture.split("\n")}, {50})
        for part in ("*Secret request*", "`prod/db`", "▎", "Deny", "Secret Proxy"):
            self.assertIn(part, picture)
        self.assertNotIn("\x1b", picture)
        self.assertIn("\x1b[1mSecret", self.api.render(chat_id=42, color=True))


class Faults(Case):
    def test_status(self):
        for code, kind in ((401, 401), (403, "403"), (404, 404), (409, 409), (500, 500)):
            self.api.fault("getMe", kind)
            self.assertEqual(self.bot.call("getMe").json["error_code"], code)
        self.assertEqual(self.bot.call("getMe").status, 200)

    def test_429(self):
        self.api.fault("sendMessage", 429, retry_after=7)
        out = self.bot.call("sendMessage", chat_id=42, text="x")
        self.assertEqual((out.headers["Retry-After"], out.json["parameters"], out.why),
                         ("7", {"retry_after": 7}, "Too Many Requests: retry after 7"))
        self.api.fault("sendMessage", 429, retry_after=7, in_body=False)
        out = self.bot.call("sendMessage", chat_id=42, text="x")
        self.assertEqual((out.headers["Retry-After"], out.json.get("parameters")), ("7", None))
        self.api.fault("sendMessage", 429, retry_after=7, in_header=False)
        self.assertIsNone(self.bot.call("sendMessage", chat_id=42, text="x").headers["Retry-After"])
        self.api.fault("sendMessage", "status", code=400, description="Bad Request: odd", parameters={"a": 1})
        self.assertEqual(self.bot.call("sendMessage", chat_id=42, text="x").json["parameters"], {"a": 1})
        self.assertEqual(self.api.messages(42), [])

    def test_bodies(self):
        for kind, args, status, test in (
                ("html", {}, 502, lambda b: b"<html>" in b), ("empty", {}, 200, lambda b: b == b""),
                ("truncated", {}, 200, lambda b: b.startswith(b'{"ok"') and not b.endswith(b"}")),
                ("huge", {"size": 3_000_000}, 200, lambda b: len(b) == 3_000_000),
                ("raw", {"body": b"\xff\0", "code": 503}, 503, lambda b: b == b"\xff\0"),
                ("chunked", {}, 200, lambda b: json.loads(b)["ok"]),
                ("drip", {"chunk": 40, "interval": 0.001}, 200, lambda b: json.loads(b)["ok"]),
                ("close", {}, 200, lambda b: json.loads(b)["ok"])):
            with self.subTest(kind):
                self.api.fault("getMe", kind, **args)
                out = self.bot.call("getMe")
                self.assertEqual(out.status, status)
                self.assertTrue(test(out.body), out.body[:100])

    def test_redirect(self):
        self.api.fault("getMe", "redirect", location="http://127.0.0.1:1/steal", code=307)
        out = self.bot.call("getMe")
        self.assertEqual((out.status, out.headers["Location"]), (307, "http://127.0.0.1:1/steal"))

    def test_broken_connections(self):
        for kind, args, effect in (("cut_before", {}, 0), ("cut_before", {"rst": False}, 0),
                                   ("cut_after", {}, 1), ("cut_after", {"partial": -20, "rst": False}, 1),
                                   ("content_length", {"delta": 50}, 1), ("raw_response", {"body": b"junk\n"}, 0)):
            with self.subTest(kind, **args):
                before = len(self.api.messages(42))
                self.api.fault("sendMessage", kind, **args)
                with self.assertRaises((OSError, http.client.HTTPException)):
                    self.bot.call("sendMessage", chat_id=42, text="x")
                self.assertEqual(len(self.api.messages(42)) - before, effect)

    def test_delay_and_hang(self):
        self.api.fault("getMe", "delay", seconds=20)
        call = self.bot.background("getMe")
        self.api.wait_request("getMe")
        self.api.advance(21)
        self.assertEqual(call.join().status, 200)
        self.api.fault("getMe", "hang")
        call = self.bot.background("getMe")
        self.api.wait_request("getMe", 2)
        self.api.clear_faults()
        self.assertIsInstance(call.join(), Exception)

    def test_count_match_skip_effect_clear(self):
        self.api.fault("sendMessage", 500, times=2)
        self.api.fault("*", 404, times=None, match={"chat_id": 43})
        codes = [self.bot.call("sendMessage", chat_id=42, text="x").status for _ in range(3)]
        self.assertEqual(codes, [500, 500, 200])
        self.assertEqual([self.bot.call("sendMessage", chat_id=c, text="x").status for c in (43, 43, 42)],
                         [404, 404, 200])
        self.api.clear_faults()
        self.api.fault("getMe", 500, skip=1)
        self.assertEqual([self.bot.call("getMe").status for _ in range(3)], [200, 500, 200])
        self.api.fault("sendMessage", "html", effect=True)
        before = len(self.api.messages(42))
        self.assertEqual(self.bot.call("sendMessage", chat_id=42, text="x").status, 502)
        self.assertEqual(len(self.api.messages(42)), before + 1)
        for wrong in (("getMe", "nonsense", {}), ("getMe", "html", {"size": 1})):
            with self.assertRaises(ValueError):
                self.api.fault(wrong[0], wrong[1], **wrong[2])

    def test_outage_and_return(self):
        self.api.stop()
        with self.assertRaises(OSError):
            self.bot.call("getMe")
        self.api.start()
        self.assertEqual(self.bot.call("getMe").status, 200)


class Control(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        path = os.path.join(self.folder.name, "token")
        with open(path, "w", encoding="utf-8") as file:
            file.write("777:SECRET-TOKEN\n")
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "server.py"), "--token-file", path],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end)
        self.line = self.process.stdout.readline()
        self.ready = json.loads(self.line)

    def end(self):
        self.process.kill()
        self.process.communicate()

    def verb(self, name, **args):
        return self.http(self.ready["control"] + "/" + name, args)

    def http(self, url, args):
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        connection.request("POST", parts.path, json.dumps(args), J)
        try:
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    def test_scenario(self):
        base = self.ready["url"] + "/bot777:SECRET-TOKEN/"
        self.assertTrue(self.ready["ready"])
        self.assertNotIn(b"SECRET", self.line)
        _, sent = self.http(base + "sendMessage", {"chat_id": 42, "text": "Approve?", "reply_markup": KEYS})
        _, seen = self.verb("wait_message", chat_id=42, predicate={"button": "Deny"}, timeout=2)
        self.assertEqual(seen["result"]["message_id"], sent["result"]["message_id"])
        _, tap = self.verb("tap", chat_id=42, button="Deny")
        _, got = self.http(base + "getUpdates", {})
        self.assertEqual(got["result"][0]["callback_query"]["id"], tap["result"])
        self.http(base + "answerCallbackQuery", {"callback_query_id": tap["result"], "text": "ok"})
        self.assertEqual(self.verb("wait_answer", query_id=tap["result"])[1]["result"]["text"], "ok")
        self.assertIn("Approve?", self.verb("render", chat_id=42)[1]["result"])
        self.verb("fault", method="getMe", kind="raw", code=503, body_base64="/wA=")
        self.assertEqual(self.verb("faults")[1]["result"][0]["left"], 1)
        self.verb("push_raw_update", raw_base64="eyJ4Ijoi/yJ9")
        self.assertEqual(self.verb("pending")[1]["result"], 2)
        self.assertNotIn("SECRET", json.dumps(self.verb("log")))

    def test_failures(self):
        self.assertEqual(self.verb("wait_message", chat_id=42, timeout=0)[0], 408)
        self.assertEqual(self.verb("tap", chat_id=42, button="x")[0], 404)
        self.assertEqual(self.verb("tap", nonsense=1)[0], 400)
        self.assertEqual(self.verb("stop")[0], 404)
        self.assertEqual(self.verb("fault", method="getMe", kind="odd")[0], 400)

    def test_quit(self):
        for end in ("quit", "SIGTERM"):
            if end == "quit":
                self.verb("quit")
                self.assertEqual(self.process.wait(5), 0)
                self.end()
                self.setUp()
            else:
                self.process.terminate()
                self.assertEqual(self.process.wait(5), 0)


if __name__ == "__main__":
    unittest.main()
