"""kill -9 of each process at random moments of a request's life.

Each round, one thread lives a request's life through (ask, tap on Telegram's
stand-in, redeem until it is over) and another request waits for a decision
that nobody gives, while one process is killed at a random moment. What must
hold: what was acknowledged is there afterwards, no value comes twice, and
nothing is decided that nobody decided.

SECRET_PROXY_TEST_ROUNDS: rounds for each process (20). SECRET_PROXY_TEST_SEED:
the seed that a failure printed.
"""
import contextlib
import os
import random
import signal
import threading
import time
import unittest

from lib.case import ALICE, Background, TelegramCase
from lib.http import Closed
from lib.wait import SLOW, until

ROUNDS = int(os.environ.get("SECRET_PROXY_TEST_ROUNDS", "20"))
SEED = os.environ.get("SECRET_PROXY_TEST_SEED") or str(random.randrange(10**6))
VALUE = "a value that is given once"
# Restarts back off, so a vault lives for a few kills only.
KILLS_OF_A_LIFE = 2
# Longer than the pause that the Telegram notifier makes where it can't know whether a message arrived.
PATIENCE = 90.0


class Life:
    """One request from its first call to its end, whatever dies meanwhile, and what was acknowledged."""

    def __init__(self, case, agent, key, press):
        self.case, self.agent, self.key, self.press = case, agent, key, press
        self.id = self.code = self.toast = None
        self.values, self.end, self.lost_replies = [], None, 0

    def insist(self, call, until_status, once=False):
        """Calls until an answer has one of these statuses."""
        limit = time.monotonic() + PATIENCE * SLOW
        while time.monotonic() < limit:
            with contextlib.suppress(Closed, OSError):
                answer = call()
                if answer.status in until_status:
                    return answer
                if answer.status not in (429, 500, 503):
                    raise AssertionError(f"unexpected {answer}")
                time.sleep(0.01)
                continue
            if once:
                self.lost_replies += 1
            time.sleep(0.01)
        raise AssertionError(f"no answer for {PATIENCE * SLOW} s; key {self.key}")

    def live(self):
        made = self.insist(lambda: self.agent.post("db", f"life {self.key}", self.key), (201,)).json
        self.id, self.code = made["id"], made["code"]
        self.tap()
        self.insist(self.decided, (200,))
        answer = self.insist(self.redeem, (200, 403, 410), once=True)
        self.end = (answer.status, answer.problem)
        # Whoever asks again gets nothing, ever.
        if answer.status == 200:
            self.insist(self.redeem, (410,))

    def redeem(self):
        answer = self.agent.redeem(self.id)
        if answer.status == 200:
            self.values.append(answer.json["value"])
        return answer

    def decided(self):
        answer = self.agent.get(self.id, 2)
        if answer.status == 200 and answer.json["status"] == "pending":
            answer.status = 503
        return answer

    def tap(self):
        """The person taps until the tap was answered; each tap is what a thumb can do."""
        card = self.case.api.wait_message(ALICE, {"text": self.code, "button": self.press}, timeout=PATIENCE * SLOW)
        if card is None:
            raise AssertionError(f"no message for {self.code}")
        limit = time.monotonic() + PATIENCE * SLOW
        while self.toast is None and time.monotonic() < limit:
            try:
                query = self.case.api.tap(ALICE, card["message_id"], button=self.press)
            except LookupError:  # the keyboard is gone: it is decided
                return
            answer = self.case.api.wait_answer(query, timeout=1)
            self.toast = answer["text"] if answer else None


class Kill(TelegramCase):
    role = None

    def setUp(self):
        if self.role is None:
            self.skipTest("the base of the others")
        super().setUp()
        self.random = random.Random(f"{SEED}/{self.role}")
        self.v = self.telegram(extra="agent-rate = 100000\nagent-pending = 512", poll="5s")
        self.v.expected_trouble = r"keeper: |gate: |notify |store "
        self.v.put("db", VALUE)
        self.agent, self.idle = self.v.agent("builder"), self.v.agent("idle")
        self.lives, self.waiting, self.secrets = [], [], {}

    def test_20_rounds(self):
        try:
            for number in range(ROUNDS):
                self.one_round(number)
            self.look_back()
        except BaseException:
            print(f"\nSECRET_PROXY_TEST_SEED={SEED}\n{self.v.log()[-6000:]}")
            raise

    def one_round(self, number):
        if number and number % KILLS_OF_A_LIFE == 0:
            self.v.restart(self.random.choice((signal.SIGTERM, signal.SIGKILL)))
            self.agent.port = self.idle.port = self.v.port
        untouched = Life(self, self.idle, f"idle-{number}", None)
        asked = untouched.insist(lambda: self.idle.post("db", "nobody decides", untouched.key), (201,)).json
        self.waiting.append(asked["id"])
        life = Life(self, self.agent, f"key-{number}", self.random.choice(("Approve once", "Approve once", "Deny")))
        self.lives.append(life)
        call = Background(life.live)
        putting = Background(self.put, f"secret-{number}")
        victim = self.v.role(self.role)
        # Most of a life is over within 60 ms; sometimes strike twice.
        for _ in range(self.random.choice((1, 1, 2))):
            threading.Event().wait(self.random.random() * 0.08 * SLOW)
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            victim = self.v.role(self.role)
        call.result(PATIENCE * 3 * SLOW)
        putting.result(PATIENCE * 3 * SLOW)
        self.check_life(life)

    def put(self, name):
        result = self.v.cli("--json", "secret", "put", name, input=name)
        if result.status == 0:
            self.secrets[name] = result.json["version"]

    def check_life(self, life):
        self.assertLessEqual(len(life.values), 1, "a value came twice")
        status = life.insist(lambda: self.agent.get(life.id), (200,)).json["status"]
        if life.press == "Deny":
            self.assertEqual((status, life.values), ("denied", []))
            return
        self.assertEqual(status, "used")
        if life.values:
            self.assertEqual(life.values, [VALUE])
        else:
            # Marked as used before the value leaves: what is lost on the way stays lost.
            self.assertGreater(life.lost_replies, 0)

    def look_back(self):
        until(lambda: self.v.cli("audit", "verify").status in (0, 9), "the vault's return", 20)
        self.v.verify()
        for number in self.waiting:
            self.assertEqual(self.idle.look(number)["status"], "pending")
        for life in self.lives:
            self.assertEqual(self.agent.look(life.id)["status"], "denied" if life.press == "Deny" else "used")
        kept = {s["name"]: s["version"] for s in self.v.admin("secret", "list")["items"]}
        self.assertLessEqual(self.secrets.items(), kept.items())
        self.check_audit()

    def check_audit(self):
        seen = {}
        for entry in self.v.audit():
            if "request" in entry:
                seen.setdefault(entry["request"], []).append(entry["event"])
        for life in self.lives:
            wanted = ["request.denied"] if life.press == "Deny" else ["request.approved", "request.redeemed"]
            self.assertEqual(seen[life.id], ["request.created", *wanted])
        for number in self.waiting:
            self.assertEqual(seen[number], ["request.created"])


class Parent(Kill):
    role = "parent"


class Keeper(Kill):
    role = "keeper"


class Gate(Kill):
    role = "gate"


class Store(Kill):
    role = "store"


class Notifier(Kill):
    role = "notify"


if __name__ == "__main__":
    unittest.main()
