"""Tests of the emulator's bot side: transport, update queue, sending.

A wrong emulator makes a wrong bot look right, so each rule of the real server
that other tests rely on has a check here. What must stay true: fast, and no
sleeping through protocol rules: the clock is moved instead.
"""
import json
import os
import socket
import ssl
import sys
import tempfile
import time
import unittest
from urllib.parse import urlencode

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from botapi import BotApi  # noqa: E402
from server import make_certificate  # noqa: E402
from testkit import J, KEYS, Case, Client  # noqa: E402


class Transport(Case):
    def test_parameter_forms(self):
        path = f"/bot{self.api.token}/sendMessage"
        form = {"chat_id": "42", "text": "ü & x", "reply_markup": json.dumps(KEYS)}
        multi = "".join(f'--XX\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'
                        for k, v in form.items()) + "--XX--\r\n"
        for verb, where, body, kind in (
                ("GET", path + "?" + urlencode(form), None, ""),
                ("POST", path + "?" + urlencode(form), None, ""),
                ("POST", path, urlencode(form), "application/x-www-form-urlencoded"),
                ("POST", path, multi.encode(), "multipart/form-data; boundary=XX"),
                ("POST", path, json.dumps({**form, "reply_markup": KEYS}), "application/json")):
            with self.subTest(kind=kind or verb):
                out = self.bot.raw(verb, where, body, {"Content-Type": kind} if kind else {})
                self.assertEqual((out.status, out.result["text"]), (200, "ü & x"))
                self.assertEqual(out.result["reply_markup"], KEYS)

    def test_keep_alive_and_headers(self):
        connection = self.bot.connect()
        self.addCleanup(connection.close)
        for _ in range(3):
            out = self.bot.call("GETME", connection)
            self.assertEqual(out.headers["Content-Type"], "application/json")
            self.assertEqual(int(out.headers["Content-Length"]), len(out.body))
        self.assertEqual(len({e["peer_port"] for e in self.api.log()}), 1)
        self.assertTrue(out.result["is_bot"])

    def test_tokens_and_paths(self):
        for path, code, text in (
                ("/bot999:WRONG/getMe", 401, "Unauthorized"),
                ("/botnocolon/getMe", 401, "Unauthorized: invalid token specified"),
                ("/bot0:x/getMe", 401, "Unauthorized: invalid token specified"),
                ("/bot1:" + "x" * 90 + "/getMe", 401, "Unauthorized: invalid token specified"),
                (f"/bot{self.api.token}/noSuch", 404, "Not Found: method not found"),
                (f"/bot{self.api.token}", 404, "Not Found"), ("/", 404, "Not Found")):
            with self.subTest(path=path[:20]):
                self.refused(self.bot.raw("GET", path), code, text)

    def test_new_token(self):
        old = self.api.token
        self.api.set_token("123456:NEW")
        self.refused(self.bot.raw("GET", f"/bot{old}/getMe"), 401, "Unauthorized")
        self.assertEqual(self.bot.call("getMe").status, 200)

    def test_bad_requests_do_not_kill(self):
        for junk in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"POST /bot1:x/getMe HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                     b"POST / HTTP/1.1\r\nContent-Length: zz\r\n\r\n",
                     b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                     b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b"POST /bot"):
            with socket.create_connection(("127.0.0.1", self.api.port)) as sock:
                sock.sendall(junk)
        path = f"/bot{self.api.token}/sendMessage"
        for body in (b"{", b"[1]", b"\xff", b'{"text":"\\ud800","chat_id":1}', b"[" * 50000, b'"x"'):
            self.assertEqual(self.bot.raw("POST", path, body, J).status, 400, body[:20])
        self.assertEqual(self.bot.call("getMe").status, 200)

    def test_many_connections(self):
        waits = [self.bot.background("getMe") for _ in range(60)]
        self.assertTrue(all(w.join().status == 200 for w in waits))

    def test_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = make_certificate(folder)
            with BotApi(tls=(cert, key)) as api:
                context = ssl.create_default_context(cafile=cert)
                bot = Client(api, context)
                self.assertEqual(bot.call("getMe").status, 200)
                api.fault("getMe", "cut_after")
                with self.assertRaises(OSError):
                    bot.call("getMe")
                with socket.create_connection(("127.0.0.1", api.port)) as sock:
                    sock.sendall(b"GET / HTTP/1.1\r\n\r\n")     # no TLS at all
                self.assertEqual(bot.call("getMe").status, 200)

    def test_log_has_no_token(self):
        self.bot.call("getMe")
        self.bot.call("sendMessage", chat_id=42, text="my token is " + self.api.token)
        self.bot.raw("GET", f"/bot{self.api.token}/odd{self.api.token}")
        self.assertNotIn(self.api.token, json.dumps(self.api.log()))
        self.assertEqual(self.api.log("sendmessage")[0]["params"]["chat_id"], "42")


class Updates(Case):
    def test_long_poll_wakes_at_once(self):
        self.send()
        call = self.long_poll()
        start = time.monotonic()
        self.api.tap(42, button="Deny")
        update = call.join().result[0]
        self.assertLess(call.ended - start, 0.25)
        query = update["callback_query"]
        self.assertEqual((query["data"], query["from"]["id"], query["message"]["text"]),
                         ("d:1", 42, "Approve?"))
        self.assertIsInstance(query["chat_instance"], str)
        self.assertGreater(update["update_id"], 2_000_000)

    def test_confirm_on_arrival(self):
        first = self.api.send_text(42, 42, "one") and self.poll().result[0]["update_id"]
        self.assertEqual(len(self.poll(limit=100).result), 1)      # not confirmed: again
        call = self.long_poll(offset=first + 1)
        self.assertEqual(self.api.pending(), 0)                     # confirmed while waiting
        self.api.send_text(42, 42, "two")
        self.assertEqual(call.join().result[0]["update_id"], first + 1)

    def test_offset_out_of_range_falls_back(self):
        for n in range(3):
            self.api.send_text(42, 42, str(n))
        ids = [u["update_id"] for u in self.poll().result]
        for offset in (ids[-1] + 12, ids[0] - 100_001, 2**31 - 1):
            self.assertEqual([u["update_id"] for u in self.poll(offset=offset).result], ids)
        self.assertEqual([u["update_id"] for u in self.poll(offset=ids[0] - 5).result], ids)
        self.assertEqual(len(self.poll(offset=ids[-1] + 11, timeout=0).result), 0)
        self.assertEqual(self.api.pending(), 0)

    def test_negative_offset(self):
        for n in range(5):
            self.api.send_text(42, 42, str(n))
        got = self.poll(offset=-2).result
        self.assertEqual([u["message"]["text"] for u in got], ["3", "4"])
        self.assertEqual(self.api.pending(), 2)

    def test_limit_is_clamped(self):
        for n in range(120):
            self.api.send_text(42, 42, str(n))
        for offset, limit, count in ((0, 500, 100), (-120, 0, 1), (-119, -3, 1), (-118, "x", 100)):
            self.assertEqual(len(self.poll(offset=offset, limit=limit).result), count)

    def test_timeout_cap(self):
        call = self.long_poll(timeout=4000)
        self.api.advance(49)
        self.assertTrue(call.thread.is_alive())
        self.api.advance(1.5)
        self.assertEqual(call.join().result, [])

    def test_anti_spin(self):
        self.assertEqual(self.poll(offset=5, timeout=0).result, [])
        call = self.long_poll(offset=5, timeout=0)                  # became 3 s
        self.api.advance(2)
        self.assertTrue(call.thread.is_alive())
        self.api.advance(1.1)
        self.assertEqual(call.join().result, [])
        for n in range(3):
            self.api.send_text(42, 42, str(n))
        self.api.advance(10)
        self.assertEqual([len(self.poll().result) for _ in range(2)], [3, 1])   # within 0.5 s

    def test_allowed_updates_are_remembered_and_filter_at_creation(self):
        self.send()
        self.poll(allowed_updates=["callback_query"])
        self.api.send_text(42, 42, "dropped")
        self.api.tap(42, button=0)
        self.poll(offset=1, allowed_updates=["message"])
        self.api.send_text(42, 42, "kept")
        kinds = [sorted(set(u) - {"update_id"}) for u in self.poll(offset=2).result]
        self.assertEqual(kinds, [["callback_query"], ["message"]])
        self.poll(offset=3, allowed_updates=[])
        self.assertIsNone(self.api.info()["allowed_updates"])

    def test_expiry(self):
        self.send()
        self.api.tap(42, button=0)
        self.api.send_text(42, 42, "hello")
        self.api.advance(149)
        self.assertEqual(self.api.pending(), 2)
        self.api.advance(2)
        self.assertEqual([u["message"]["text"] for u in self.poll().result], ["hello"])
        self.api.advance(86400)
        self.assertEqual(self.api.pending(), 0)

    def test_restart_ids(self):
        self.api.send_text(42, 42, "old")
        old = self.poll().result[0]["update_id"]
        self.poll(offset=old + 1)
        self.api.restart_ids(lower=True)
        self.api.send_text(42, 42, "new")
        new = self.poll(offset=old + 1).result[0]
        self.assertLess(new["update_id"], old)
        self.assertEqual(new["message"]["text"], "new")

    def test_conflict_hits_the_older_poller(self):
        older = self.long_poll()
        newer = self.long_poll(offset=1)
        self.refused(older.join(), 409, "Conflict: terminated by other getUpdates request; "
                     "make sure that only one bot instance is running")
        third = self.long_poll(offset=2)                            # within 3 s: late answer
        time.sleep(0.05)
        self.assertTrue(newer.thread.is_alive())
        self.api.advance(3.01)
        self.refused(newer.join(), 409, "terminated by other")
        self.api.send_text(42, 42, "x")
        self.assertEqual(len(third.join().result), 1)

    def test_webhook_conflicts(self):
        waiting = self.long_poll()
        out = self.bot.call("setWebhook", url="https://example.org/hook")
        self.assertEqual(out.why, "Webhook was set")
        self.refused(waiting.join(), 409, "Conflict: terminated by setWebhook request")
        self.api.advance(4)
        self.refused(self.poll(), 409, "Conflict: can't use getUpdates method while webhook is active; "
                     "use deleteWebhook to delete the webhook first")
        self.assertEqual(self.bot.call("getWebhookInfo").result["url"], "https://example.org/hook")
        self.assertEqual(self.bot.call("deleteWebhook").why, "Webhook was deleted")
        self.assertEqual(self.poll().status, 200)
        self.refused(self.bot.call("setWebhook", url="http://example.org"), 400, "HTTPS URL")


class Sending(Case):
    def test_validation(self):
        deep = "x" * 4097
        for params, text in (
                ({"text": "x"}, "chat_id is empty"), ({"chat_id": -5, "text": "x"}, "chat not found"),
                ({"chat_id": "@name", "text": "x"}, "chat not found"),
                ({"chat_id": 42}, "message text is empty"), ({"chat_id": 42, "text": " \n "}, "message text is empty"),
                ({"chat_id": 42, "text": deep}, "message is too long"),
                ({"chat_id": 42, "text": "x" * 40000}, "text is too long"),
                ({"chat_id": 42, "text": "x", "parse_mode": "BBCode"}, "unsupported parse_mode"),
                ({"chat_id": 42, "text": "x", "message_thread_id": 7}, "message thread not found"),
                ({"chat_id": 42, "text": "x", "reply_parameters": {"message_id": 3}}, "message to be replied not found")):
            with self.subTest(text):
                self.refused(self.bot.call("sendMessage", **params), 400, "Bad Request: " + text)
        self.assertEqual(self.bot.call("sendMessage", chat_id=42, parse_mode="HTML",
                                       text="<b>" + "&lt;" * 4096 + "</b>").status, 200)

    def test_callback_data(self):
        def keys(data):
            return {"inline_keyboard": [[{"text": "x", "callback_data": data}]]}
        for data in ("x" * 65, "", "ü" * 33):
            out = self.bot.call("sendMessage", chat_id=42, text="x", reply_markup=keys(data))
            self.refused(out, 400, "Bad Request: BUTTON_DATA_INVALID")
        self.assertEqual(self.send(keys=keys("ü" * 32))["reply_markup"], keys("ü" * 32))
        for markup in ([1], {"inline_keyboard": {}}, {"inline_keyboard": [[{"text": "x"}]]},
                       {"inline_keyboard": [[{"callback_data": "x"}]]}, "{"):
            self.assertEqual(self.bot.call("sendMessage", chat_id=42, text="x", reply_markup=markup).status, 400)

    def test_html(self):
        text = "🔐 <b>A&amp;B <i>in</i></b> <pre><code class=\"language-c\">x&lt;1</code></pre> &#x41;&bogus;"
        out = self.send(text=text, parse_mode="HTML")
        self.assertEqual(out["text"], "🔐 A&B in x<1 A&bogus;")
        self.assertEqual(out["entities"], [
            {"offset": 3, "length": 6, "type": "bold"}, {"offset": 7, "length": 2, "type": "italic"},
            {"offset": 10, "length": 3, "type": "pre", "language": "c"}])
        quote = self.send(text='<blockquote expandable>x</blockquote><a href="https://a.example/?q=1&amp;r">l</a>',
                          parse_mode="html")["entities"]
        self.assertEqual((quote[0]["type"], quote[1]["url"]), ("expandable_blockquote", "https://a.example/?q=1&r"))

    def test_html_errors(self):
        for text, why in (
                ("é<script>", 'Unsupported start tag "script" at byte offset 2'),
                ("a < b", 'Unsupported start tag "" at byte offset 2'),
                ("<b", "Unclosed start tag at byte offset 0"), ("</b>", "Unexpected end tag at byte offset 0"),
                ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
                ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
                ("<b>x</b", "Unclosed end tag at byte offset 4"),
                ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
                ('<a href="x', "Unclosed start tag at byte offset 0"), ("&#xd800;", "invalid Unicode")):
            with self.subTest(text):
                out = self.bot.call("sendMessage", chat_id=42, text=text, parse_mode="HTML")
                self.refused(out, 400, "Bad Request: can't parse entities: ")
                self.assertIn(why, out.why)

    def test_cleaning_and_clickable_words(self):
        out = self.send(text=" \n<b>a\u202eb\r\x07c</b> @someone /approve #tag https://x.example/y <code>@other /no</code>\n",
                        parse_mode="HTML")
        self.assertEqual(out["text"], "ab c @someone /approve #tag https://x.example/y @other /no")
        self.assertEqual([e["type"] for e in out["entities"]],
                         ["bold", "mention", "bot_command", "hashtag", "url", "code"])
        self.assertEqual(out["entities"][0], {"offset": 0, "length": 4, "type": "bold"})

    def test_edit(self):
        sent = self.send()
        where = {"chat_id": 42, "message_id": sent["message_id"]}
        self.refused(self.bot.call("editMessageText", text="Approve?", reply_markup=KEYS, **where), 400,
                     "Bad Request: message is not modified: specified new message content and reply markup "
                     "are exactly the same as a current content and reply markup of the message")
        out = self.bot.call("editMessageText", text="Done", **where).result
        self.assertNotIn("reply_markup", out)
        self.assertGreaterEqual(out["edit_date"], out["date"])
        self.refused(self.bot.call("editMessageText", chat_id=42, message_id=99999, text="x"), 400,
                     "Bad Request: message to edit not found")
        out = self.bot.call("editMessageReplyMarkup", reply_markup=KEYS, **where).result
        self.assertEqual((out["text"], out["reply_markup"]), ("Done", KEYS))
        view = self.api.wait_edit(42, sent["message_id"], since=1)
        self.assertEqual([e["text"] for e in view["edits"]], ["Approve?", "Done"])
        self.assertTrue(self.bot.call("deleteMessage", **where).result)
        self.assertTrue(self.api.messages(42)[0]["deleted"])
        self.refused(self.bot.call("deleteMessage", **where), 400, "message to delete not found")
        self.refused(self.bot.call("editMessageText", text="x", **where), 400, "message to edit not found")
        other = self.api.send_text(42, 42, "mine")
        self.refused(self.bot.call("editMessageText", chat_id=42, message_id=other, text="x"), 400,
                     "message can't be edited")

    def test_closed_chats_block_groups(self):
        with BotApi(open_chats=False) as api:
            bot = Client(api)
            self.refused(bot.call("sendMessage", chat_id=7, text="x"), 400, "chat not found")
            api.user_starts(7, first_name="Ada", username="ada", payload="CODE")
            update = bot.call("getUpdates").result[0]["message"]
            self.assertEqual((update["text"], update["chat"]["first_name"]), ("/start CODE", "Ada"))
            self.assertEqual(update["entities"][0]["type"], "bot_command")
            self.assertEqual(bot.call("sendMessage", chat_id=7, text="x").status, 200)
            api.block(7)
            self.refused(bot.call("sendMessage", chat_id=7, text="x"), 403, "Forbidden: bot was blocked by the user")
            api.user_starts(7)
            self.assertEqual(bot.call("sendMessage", chat_id=7, text="x").status, 200)
            states = [u["my_chat_member"]["new_chat_member"]["status"]
                      for u in bot.call("getUpdates", offset=-3).result if "my_chat_member" in u]
            self.assertEqual(states, ["kicked", "member"])

    def test_groups(self):
        self.api.add_group(-77, [1, 2], title="Team")
        self.send(chat=-77)
        self.assertEqual(self.bot.call("getChat", chat_id=-77).result["title"], "Team")
        self.api.send_text(-77, 1, "private talk")
        self.api.send_text(-77, 1, "/pending")
        self.api.tap(-77, button="Deny", user=2)
        got = self.poll().result
        self.assertEqual([u.get("message", {}).get("text") for u in got], ["/pending", None])
        self.assertEqual(got[1]["callback_query"]["from"]["id"], 2)
        self.api.migrate_group(-77, -10077)
        out = self.bot.call("sendMessage", chat_id=-77, text="x")
        self.refused(out, 400, "group chat was upgraded to a supergroup chat")
        self.assertEqual(out.json["parameters"], {"migrate_to_chat_id": -10077})
        self.assertEqual(self.bot.call("sendMessage", chat_id=-10077, text="x").status, 200)
        self.api.kick_bot(-10077)
        self.refused(self.bot.call("sendMessage", chat_id=-10077, text="x"), 403, "bot was kicked")

    def test_flood_limits(self):
        self.api.set_limits(per_second_in_chat=1)
        self.send()
        out = self.bot.call("sendMessage", chat_id=42, text="x")
        self.refused(out, 429, "Too Many Requests: retry after ")
        self.assertEqual(out.headers["Retry-After"], str(out.json["parameters"]["retry_after"]))
        self.api.advance(1.1)
        self.assertEqual(self.bot.call("sendMessage", chat_id=42, text="x").status, 200)

    def test_small_methods(self):
        ok = {"command": "pending", "description": "Show what waits"}
        self.assertTrue(self.bot.call("setMyCommands", commands=[ok]).result)
        self.refused(self.bot.call("setMyCommands", commands=[{"command": "BAD", "description": "x"}]), 400,
                     "BOT_COMMAND_INVALID")
        self.assertTrue(self.bot.call("sendChatAction", chat_id=42, action="typing").result)


if __name__ == "__main__":
    unittest.main()
