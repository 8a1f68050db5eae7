"""A small bot client and a test case, shared by the tests of the emulator.

What must stay true: it uses http.client only and no code of the emulator for
talking to it, so that both sides cannot share a mistake.
"""
import http.client
import json
import os
import sys
import threading
import time
import unittest
from urllib.parse import urlsplit

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from botapi import BotApi  # noqa: E402

J = {"Content-Type": "application/json"}
KEYS = {"inline_keyboard": [[{"text": "Approve once", "callback_data": "a:1"},
                             {"text": "Approve 1 h", "callback_data": "a:2"}],
                            [{"text": "Deny", "callback_data": "d:1"}]]}


class Answer:
    def __init__(self, reply):
        self.status, self.headers = reply.status, reply.headers
        self.body = reply.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def result(self):
        return self.json["result"]

    @property
    def why(self):
        return self.json["description"]


class Client:
    """A small bot client, each call on its own connection unless kept."""

    def __init__(self, api, context=None):
        self.api, self.context = api, context
        self.parts = urlsplit(api.url)

    def connect(self):
        if self.context:
            return http.client.HTTPSConnection(self.parts.hostname, self.parts.port, timeout=10,
                                               context=self.context)
        return http.client.HTTPConnection(self.parts.hostname, self.parts.port, timeout=10)

    def raw(self, verb, path, body=None, headers=None, connection=None):
        used = connection or self.connect()
        try:
            used.request(verb, path, body, headers or {})
            return Answer(used.getresponse())
        finally:
            if connection is None:
                used.close()

    def call(self, method, connection=None, **params):
        return self.raw("POST", f"/bot{self.api.token}/{method}", json.dumps(params), J, connection)

    def background(self, method, **params):
        """The call in a thread; join() gives its Answer or exception."""
        return Background(lambda: self.call(method, **params))


class Background:
    def __init__(self, work):
        self.out, self.ended = None, None
        self.thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self.thread.start()

    def _run(self, work):
        try:
            self.out = work()
        except Exception as error:
            self.out = error
        self.ended = time.monotonic()

    def join(self):
        self.thread.join(10)
        if self.thread.is_alive():
            raise AssertionError("the call did not end")
        return self.out


class Case(unittest.TestCase):
    def setUp(self):
        self.api = BotApi().start()
        self.bot = Client(self.api)
        self.addCleanup(self.api.stop)

    def send(self, chat=42, text="Approve?", keys=KEYS, **more):
        return self.bot.call("sendMessage", chat_id=chat, text=text, reply_markup=keys, **more).result

    def poll(self, **params):
        return self.bot.call("getUpdates", **params)

    def long_poll(self, **params):
        """A getUpdates that is waiting when this returns."""
        polling, before = self.api.polling, self.api.polling.waiting
        call = Background(lambda: self.bot.call("getUpdates", **{"timeout": 50, **params}))
        end = time.monotonic() + 5
        with self.api.state.cond:
            while polling.waiting in (None, before):
                if time.monotonic() > end:
                    raise AssertionError("no poll is waiting")
                self.api.state.cond.wait(0.005)
        return call

    def refused(self, answer, code, text):
        self.assertEqual(answer.status, code, answer.body)
        self.assertEqual(answer.json["error_code"], code)
        self.assertIs(answer.json["ok"], False)
        self.assertIn(text, answer.why)
