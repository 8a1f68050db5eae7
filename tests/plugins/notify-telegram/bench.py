"""A plugin under a fake core, and Telegram's stand-in, for the scenarios here.

`Bench` runs the harness, sends it commands and collects its events. What must
stay true: everything is waited for by events with a deadline, nothing sleeps
for a fixed time; the programs come from the environment (SP_TELEGRAM_HARNESS,
SP_TELEGRAM_PLUGIN), as the build put them somewhere.
"""
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "botapi"))

from botapi import BotApi  # noqa: E402

HARNESS = os.environ.get("SP_TELEGRAM_HARNESS", "")
PLUGIN = os.environ.get("SP_TELEGRAM_PLUGIN", "")
OWNER = 42
EXPIRES = int(time.time()) + 3600
FIELDS = [["Agent", "build-agent", 0], ["Secret", "prod/db", 0], ["Reason", "to migrate", 1]]
CHOICES = [["once", "Approve once", 1], ["hour", "Approve 1 h", 1], ["deny", "Deny", 2]]
TAKEN, COUNTED, NOT_ALLOWED, TOO_LATE, UNKNOWN, TRY_AGAIN = range(6)
INTERNAL, CONFIG, NOT_FOUND, CONFLICT, REFUSED, UNAVAILABLE = range(6)


class Bench:
    """One run of the plugin."""

    def __init__(self, api, folder, **config):
        self.events, self.cond = [], threading.Condition()
        self.errors = open(os.path.join(folder, "stderr"), "a+b")
        environment = {**os.environ, "G_DEBUG": "fatal-criticals", "G_MESSAGES_DEBUG": "all"}
        self.process = subprocess.Popen([HARNESS, PLUGIN], stdin=subprocess.PIPE, stderr=self.errors,
                                        stdout=subprocess.PIPE, env=environment)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.output, self.killed = None, False
        self.command("open", **{"bot-token": api.token, "api-base": api.url, "poll-timeout": 25000,
                                "people": [str(OWNER)], "state": os.path.join(folder, "state"), **config})
        self.opened = self.wait("opened")

    def _read(self):
        for line in self.process.stdout:
            with self.cond:
                self.events.append({**json.loads(line), "time": time.monotonic()})
                self.cond.notify_all()

    def command(self, name, **args):
        self.process.stdin.write(json.dumps({"cmd": name, **args}).encode() + b"\n")
        self.process.stdin.flush()

    def all(self, name):
        with self.cond:
            return [e for e in self.events if e["event"] == name]

    def wait(self, name, count=1, timeout=10.0, where=lambda e: True):
        """The count-th event of that name."""
        def found():
            fitting = [e for e in self.events if e["event"] == name and where(e)]
            return fitting[count - 1] if len(fitting) >= count else None
        with self.cond:
            self.cond.wait_for(lambda: found() is not None, timeout)
            event = found()
            if event is None:
                raise TimeoutError(f"no event {name} number {count} in {timeout} s: {self.events}")
            return event

    def script(self, **how):
        """What the core says from here on; it holds when this returns."""
        count = len(self.all("scripted")) + 1
        self.command("script", **how)
        self.wait("scripted", count)

    def start(self):
        self.command("start")
        return self.wait("started")

    def post(self, key="n1", wait=True, **changes):
        count = len(self.all("posted")) + 1
        self.command("post", **{**notice(key), **changes})
        return self.wait("posted", count, 30) if wait else None

    def settle(self, key="n1", text="Approved by alice", kind=1, wait=True, **changes):
        count = len(self.all("settled")) + 1
        self.command("settle", **{**notice(key), "text": text, "kind": kind, **changes})
        return self.wait("settled", count, 30) if wait else None

    def stop(self):
        self.command("stop")
        return self.wait("stopped")

    def kill(self):
        self.killed = True
        self.process.kill()
        self.process.wait()

    def end(self):
        """Lets the plugin stop; gives the exit code and what it logged."""
        if self.output is None:
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
            self.reader.join()
            self.process.stdout.close()
            self.errors.seek(0)
            self.output = self.errors.read().decode("utf-8", "replace")
            self.errors.close()
        return self.process.returncode, self.output


def notice(key):
    return {"id": key, "title": "Secret request", "fields": FIELDS, "choices": CHOICES,
            "expires_at": EXPIRES}


class Scenario(unittest.TestCase):
    """An emulator and as many runs of the plugin as a test likes."""
    options = {}

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.api = BotApi(**self.options).start()
        self.addCleanup(self.api.stop)
        self.benches = []
        self.addCleanup(self.check_benches)

    def bench(self, start=True, **config):
        bench = Bench(self.api, self.folder.name, **config)
        self.benches.append(bench)
        if start and bench.opened["ok"]:
            self.assertTrue(bench.start()["ok"])
        return bench

    def check_benches(self):
        """No crash, no token in any text, no broken contract."""
        secret = self.api.token.split(":")[1]
        for bench in self.benches:
            code, output = bench.end()
            with self.subTest("after the scenario"):
                self.assertIn(code, (0, -9) if bench.killed else (0,), output)
                self.assertNotIn(secret, output + json.dumps(bench.events))
                self.assertFalse([e for e in bench.events if "contract_broken" in e])

    def card(self, chat=OWNER, predicate=None, **args):
        return self.api.wait_message(chat, predicate or {"button": "Deny"}, **args)

    def toast(self, query):
        answer = self.api.wait_answer(query, 5)
        self.assertIsNotNone(answer, "no answer to the tap")
        return answer

    def sent(self):
        return len(self.api.log("sendMessage"))
