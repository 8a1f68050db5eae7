"""Test cases with a vault, and with Telegram's stand-in behind it."""
import json
import os
import subprocess
import sys
import threading
import unittest

from . import paths
from .vault import Vault
from .wait import until

sys.path.insert(0, paths.BOTAPI)

from botapi import BotApi  # noqa: E402

ALICE, BOB, STRANGER = 42, 43, 66
TOKEN = "123456:TEST-abcdefghijklmnopqrstuvwxyz0123"
BAD_REQUEST_STATES = ("denied", "expired", "cancelled", "used", "revoked")

PLAIN = """\
[vault default]
store = sqlite
tls = optional
"""

TELEGRAM = """\
[vault default]
store = sqlite
notify = telegram
tls = {tls}
quorum = {quorum}
{extra}

[notify telegram]
plugin = telegram
bot-token = file:{token}
api-base = {base}
poll-timeout = {poll}

[approver alice]
telegram = {alice}

[approver bob]
telegram = {bob}
"""


class Background(threading.Thread):
    """A call in a thread of its own; join() gives what it returned, or raises what it raised."""

    def __init__(self, work, *arguments):
        super().__init__(daemon=True)
        self.work, self.arguments, self.value, self.error = work, arguments, None, None
        self.start()

    def run(self):
        try:
            self.value = self.work(*self.arguments)
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error

    def result(self, timeout=60.0):
        self.join(timeout)
        if self.is_alive():
            raise AssertionError("the call did not end")
        if self.error is not None:
            raise self.error
        return self.value


class Case(unittest.TestCase):
    """Vaults that are ended with the test, and what every answer must look like."""
    maxDiff = None

    def vault(self, config=PLAIN, start=True, **more) -> Vault:
        vault = Vault(config, **more)
        self.addCleanup(vault.close)
        return vault.start() if start else vault

    def assert_problem(self, answer, status, name, field=None):
        """An RFC 9457 answer with exactly this status and type."""
        self.assertEqual((answer.status, answer.problem), (status, name), answer)
        self.assertEqual(answer.header("cache-control"), "no-store")
        self.assertEqual(answer.json["status"], status)
        self.assertTrue(answer.json["title"])
        if field is not None:
            self.assertEqual(answer.json.get("field"), field, answer)

    def assert_fails(self, result, status, code=None, *parts):
        """A failed run of the command line: its exit status, and its one error with --json."""
        self.assertEqual(result.status, status, result)
        if code is not None:
            self.assertEqual(list(result.json), ["error"], result)
            self.assertEqual(result.error["code"], code, result)
        for part in parts:
            self.assertIn(part, result.err)


class VaultCase(Case):
    """One vault without a notifier for all tests of the class: the admin approves."""
    config = PLAIN

    @classmethod
    def setUpClass(cls):
        cls.v = Vault(cls.config)
        cls.addClassCleanup(cls.v.close)
        cls.v.start()
        cls.v.put("db", "hunter2-of-the-database")
        cls.a = cls.v.agent("builder")

    def approved(self, secret="db", *options) -> str:
        number = self.a.ask(secret)["id"]
        self.v.approve(number, *options)
        return number


class TelegramCase(Case):
    """A vault that asks two people on Telegram's stand-in; a new one for each test."""

    def setUp(self):
        self.api = BotApi(token=TOKEN).start()
        self.addCleanup(self.api.stop)

    def telegram(self, tls="optional", quorum=1, extra="", start=True, base=None, poll="25s", **more) -> Vault:
        vault = self.vault(None, start=False, **more)
        token = vault.write("telegram-token", TOKEN + "\n")
        vault.configure(TELEGRAM.format(tls=tls, quorum=quorum, extra=extra, token=token, poll=poll,
                                        base=base or self.api.url, alice=ALICE, bob=BOB))
        if not start:
            return vault
        vault.start()
        self.wait_healthy(vault)
        return vault

    def wait_healthy(self, vault):
        until(lambda: vault.anonymous().call("GET", "/health").status == 200, "a healthy notifier", 20)

    def card(self, request, person=ALICE):
        """The message that shows this request to this person."""
        return self.api.wait_message(person, request["code"], timeout=15)

    def tap(self, request, button, person=ALICE):
        """Taps on the message of this request; gives the toast."""
        card = self.card(request, person)
        query = self.api.tap(person, card["message_id"], button=button)
        return self.toast(query)

    def toast(self, query):
        answer = self.api.wait_answer(query, timeout=15)
        self.assertIsNotNone(answer, "the tap was not answered")
        return answer["text"]

    def settled(self, card, person=ALICE):
        return self.api.wait_edit(person, card["message_id"], {"no_keyboard": True}, timeout=15)


class Rpc:
    """The admin channel, where a run of the command line would be too slow."""

    def __init__(self, vault):
        import socket
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(vault.ready["admin"])
        self.file, self.count = self.socket.makefile("rwb"), 0

    def call(self, method, **params):
        self.count += 1
        line = json.dumps({"jsonrpc": "2.0", "id": str(self.count), "method": method, "params": params})
        self.file.write(line.encode() + b"\n")
        self.file.flush()
        while True:
            answer = self.file.readline()
            if not answer:
                raise ConnectionError("the admin channel was closed")
            answer = json.loads(answer)
            if answer.get("id") == str(self.count):
                return answer

    def close(self):
        self.file.close()
        self.socket.close()


def is_root() -> bool:
    return os.geteuid() == 0


def can(*command) -> bool:
    """Whether this machine lets us run such a command."""
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0
    except OSError:
        return False
