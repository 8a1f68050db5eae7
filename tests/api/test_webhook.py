"""notify-webhook with a signed JSON service: whole flows, and answers that must decide nothing."""
import hashlib
import hmac
import json
import os
import select
import subprocess
import sys
import tempfile
import time
import unittest

from lib.case import Case
from lib.paths import DOCS, TREE
from lib.wait import SLOW, until
from lib.webhook import JsonService, answer

SECRET = "correct-horse-battery-staple"
ALICE, BOB = "alice@example", "bob@example"
VALUE = "hunter2"

CONFIG = """\
[vault default]
store = sqlite
notify = hook
tls = optional
quorum = {quorum}

[notify hook]
plugin = webhook
url = {url}
secret = file:{secret}
timeout = 3s
{extra}

[approver alice]
hook = {alice}

[approver bob]
hook = {bob}
"""


def readme_check():
    """The function that the README gives to verify an event."""
    with open(os.path.join(TREE, "plugins", "notify-webhook", "README.md"), encoding="utf-8") as file:
        code = file.read().split("```python\n")[1].split("```")[0]
    names = {"hmac": hmac, "hashlib": hashlib, "time": time}
    exec(code, names)  # pylint: disable=exec-used
    return names["is_ours"]


class WebhookCase(Case):
    def setUp(self):
        self.service = JsonService(SECRET, ALICE).start()
        self.addCleanup(self.service.stop)

    def hook(self, answers=True, quorum=1, url=None, extra=""):
        vault = self.vault(None, start=False)
        if answers:
            extra += f"answers = {self.service.url}/answers\npoll-interval = 1s\n"
        vault.configure(CONFIG.format(url=url or f"{self.service.url}/hook", secret=vault.write("secret", SECRET + "\n"),
                                      quorum=quorum, extra=extra, alice=ALICE, bob=BOB))
        self.v = vault.start()
        self.v.put("db", VALUE)
        self.a = self.v.agent()
        return vault

    def status(self, request):
        return self.a.look(request["id"])["status"]

    def wait_status(self, request, status, timeout=20):
        until(lambda: self.status(request) == status, status, timeout)

    def alarms(self):
        return [e for e in self.v.audit() if "alarm" in e["event"]]

    def wait_alarm(self, words):
        def look():
            return [e for e in self.alarms() if words in json.dumps(e)]
        return until(look, f"an alarm with {words!r}", 20)[0]

    def health(self):
        return self.v.anonymous().call("GET", "/health").status

    def why(self):
        plugin = next(p for p in self.v.admin("status")["plugins"] if p["kind"] == "notify")
        return plugin.get("why") or ""

    def whole_flow(self, count=1):
        """Asked, approved and redeemed; the answer is given when the notice has come `count` times."""
        asked = self.a.ask("db")
        self.service.answers.append(self.service.answer_to(self.service.notice(asked, count), "approve"))
        self.wait_status(asked, "approved")
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)
        return asked


class Flows(WebhookCase):
    def test_approved_in_the_reply(self):
        self.service.decide = lambda notice: "approve"
        self.hook(answers=False)
        asked = self.a.ask("db", reason="to <migrate> & \"test\"")
        self.wait_status(asked, "approved")
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)
        notice = self.service.notice(asked)
        self.assertEqual(notice["instance"], "hook")
        self.assertEqual([c["id"] for c in notice["choices"]], ["approve", "deny"])
        reason = next(f for f in notice["fields"] if f["label"] == "Reason")
        self.assertEqual((reason["value"], reason["origin"]), ("to <migrate> & \"test\"", "agent"))
        entry = self.service.entries('"event":"notice"')[0]
        self.assertTrue(readme_check()(SECRET.encode(), entry["headers"]["x-secret-proxy-signature"], entry["body"]))
        self.assertEqual(entry["headers"]["x-secret-proxy-delivery"], notice["delivery"])
        told = until(lambda: self.service.events("answered", id=notice["id"]), "the result")[0]
        self.assertEqual((told["result"], told["person"]), ("taken", ALICE))
        settled = until(lambda: self.service.events("settled", id=notice["id"]), "the end")[0]
        self.assertEqual(settled["outcome"]["kind"], "approved")
        self.assertIn("alice", settled["outcome"]["text"])
        self.assertEqual(self.alarms(), [])

    def test_approved_and_denied_by_polling(self):
        self.hook()
        self.whole_flow()
        asked = self.a.ask("db")
        self.service.answers.append(self.service.answer_to(self.service.notice(asked), "deny"))
        self.wait_status(asked, "denied")

    def test_two_people_make_a_quorum(self):
        self.hook(quorum=2)
        asked = self.a.ask("db")
        notice = self.service.notice(asked)
        self.service.answers.append(self.service.answer_to(notice, "approve"))
        until(lambda: self.service.events("answered", result="counted", person=ALICE), "the first vote", 20)
        self.assertEqual(self.status(asked), "pending")
        self.service.answers.append(self.service.answer_to(notice, "approve", BOB))
        self.wait_status(asked, "approved")

    def test_a_replay_is_not_given_again(self):
        self.hook(quorum=2)
        asked = self.a.ask("db")
        mine = self.service.answer_to(self.service.notice(asked), "approve")
        self.service.answers.extend([mine, mine, mine])
        until(lambda: self.service.events("answered"), "the result", 20)
        seen = len(self.service.entries("GET /answers?after=3"))
        self.service.wait_entry("GET /answers?after=3", seen + 1)
        self.assertEqual(len(self.service.events("answered")), 1)
        self.assertEqual(self.status(asked), "pending")

    def test_the_cursor_outlives_a_restart(self):
        self.hook()
        self.whole_flow()
        self.service.wait_entry("GET /answers?after=1")
        self.v.end()
        seen = len(self.service.entries("GET /answers"))
        self.v.start()
        self.assertEqual(self.service.wait_entry("GET /answers", seen + 1)["path"], "/answers?after=1")

    def test_a_notice_outlives_a_restart_and_is_not_sent_twice(self):
        self.hook()
        asked = self.a.ask("db")
        notice = self.service.notice(asked)
        self.v.restart()
        self.a.port = self.v.port
        self.service.answers.append(self.service.answer_to(notice, "approve"))
        self.wait_status(asked, "approved")
        until(lambda: self.service.events("settled", id=notice["id"]), "the end")
        self.assertEqual(len(self.service.events("notice", id=notice["id"])), 1)

    def test_the_example_receiver(self):
        self.hook(answers=False)
        secret = self.v.write("receiver-secret", SECRET + "\n")
        self.v.end()
        program = os.path.join(DOCS, "examples", "webhook-receiver.py")
        with subprocess.Popen([sys.executable, program, "--secret", secret, "--person", ALICE, "--port", "0"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as receiver:
            self.addCleanup(receiver.kill)
            lines = Lines(receiver.stdout)
            base = lines.until("waiting for notices").rsplit(" ", 1)[1].rstrip("/")
            self.v.configure(CONFIG.format(url=base, secret=secret, quorum=1, alice=ALICE, bob=BOB,
                                           extra=f"answers = {base}/answers\npoll-interval = 1s\n"))
            self.v.start()
            self.a.port = self.v.port
            asked = self.a.ask("db", reason="to look")
            self.assertIn("(an agent's own words)", lines.until("Reason: to look"))
            receiver.stdin.write(b"1 approve\n")
            receiver.stdin.flush()
            self.wait_status(asked, "approved")
            lines.until("taken: approved")
            lines.until("Approved by alice")
            receiver.stdin.close()


class Lines:
    """What a program has written; lines are found in whatever order they came."""

    def __init__(self, pipe):
        self.pipe, self.text = pipe, b""

    def until(self, words, timeout=20):
        end = time.monotonic() + timeout * SLOW
        while True:
            for line in self.text.split(b"\n")[:-1]:
                if words.encode() in line:
                    return line.decode()
            if not select.select([self.pipe], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"no line with {words!r} in {self.text!r}")
            data = os.read(self.pipe.fileno(), 4096)
            if not data:
                raise AssertionError(f"it ended without a line with {words!r}")
            self.text += data


class Hostile(WebhookCase):
    """Each of these must decide nothing, and be told."""

    def refused(self, make, words, answers=False):
        """`make` gives what is answered to the notice."""
        self.service.fault('"event":"notice"', lambda entry: make(json.loads(entry["body"])))
        self.hook(answers=answers)
        asked = self.a.ask("db")
        self.service.notice(asked)
        self.wait_alarm(words)
        self.assertEqual(self.status(asked), "pending")
        self.assertNotIn(SECRET, self.v.log() + json.dumps(self.v.audit()))

    def approval(self, notice):
        return json.dumps({"answer": self.service.answer_to(notice, "approve")}).encode()

    def test_not_signed(self):
        self.refused(lambda n: (200, {}, self.approval(n)), "not signed")

    def test_signed_with_another_secret(self):
        other = JsonService("another-secret-of-somebody", ALICE)
        self.refused(lambda n: other.signed({"answer": self.service.answer_to(n, "approve")}), "another secret")

    def test_signed_for_another_body(self):
        def make(notice):
            return 200, {"X-Secret-Proxy-Signature": self.service.sign(b"{}")}, self.approval(notice)
        self.refused(make, "another secret")

    def test_signed_long_ago(self):
        self.refused(lambda n: self.service.signed({"answer": self.service.answer_to(n, "approve")}, 301),
                     "one of the clocks is wrong")

    def test_signed_in_the_future(self):
        self.refused(lambda n: self.service.signed({"answer": self.service.answer_to(n, "approve")}, -400),
                     "one of the clocks is wrong")

    def test_our_own_signature_sent_back(self):
        """What the vault signed is no answer, whatever is in it."""
        self.service.fault('"event":"notice"', lambda entry: (
            200, {"X-Secret-Proxy-Signature": entry["headers"]["x-secret-proxy-signature"]}, entry["body"]))
        self.hook(answers=False)
        asked = self.a.ask("db", reason='"answer"')
        self.wait_alarm("another secret")
        self.assertEqual(self.status(asked), "pending")

    def test_a_notice_that_is_not_known(self):
        self.refused(lambda n: self.service.signed({"answer": {"notice": "ab" * 16, "choice": "approve",
                                                               "person": ALICE}}), "not known")

    def test_a_choice_that_was_not_offered(self):
        self.refused(lambda n: self.service.signed({"answer": self.service.answer_to(n, "grant:999999")}), "not known")

    def test_a_person_who_is_not_listed(self):
        self.refused(lambda n: self.service.signed({"answer": self.service.answer_to(n, "approve", "mallory")}),
                     "not listed")

    def test_an_answer_without_a_person(self):
        self.refused(lambda n: self.service.signed({"answer": {"notice": n["id"], "choice": "approve", "person": 1}}),
                     "names no notice, choice or person")

    def test_a_forged_list(self):
        self.hook()
        asked = self.a.ask("db")
        body = json.dumps({"answers": [self.service.answer_to(self.service.notice(asked), "approve")], "next": "9"}).encode()
        self.service.fault("GET /answers", answer(200, body, X_Secret_Proxy_Signature=f"t={int(time.time())},v1={'0' * 64}"), 4)
        self.wait_alarm("another secret")
        until(lambda: self.health() == 503, "trouble", 20)
        self.assertIn("another secret", self.why())
        self.assertEqual(self.status(asked), "pending")
        until(lambda: self.health() == 200, "recovery", 60)

    def test_a_clock_that_is_wrong_is_named(self):
        self.service.skew = 4000
        self.hook()
        until(lambda: self.health() == 503, "trouble", 20)
        self.assertRegex(self.why(), r"signed 39\d\d|signed 40\d\d")


class Faults(WebhookCase):
    """Trouble passes, and is told meanwhile."""

    def test_server_errors_pass(self):
        self.hook()
        self.service.fault('"event":"notice"', answer(500, b"oops"), 2)
        self.whole_flow(3)
        deliveries = {n["delivery"] for n in self.service.events("notice")}
        self.assertEqual((len(deliveries), len(self.service.events("notice"))), (1, 3))

    def test_a_pause_is_kept(self):
        self.hook()
        self.service.fault('"event":"notice"', answer(429, b"slowly", Retry_After="3"))
        self.whole_flow(2)
        first, second = self.service.entries('"event":"notice"')
        self.assertGreaterEqual(second["at"] - first["at"], 3)

    def test_a_refusal_is_told(self):
        self.hook()
        self.service.fault('"event":"notice"', answer(400, b"we do not want this\nsecond line"))
        asked = self.a.ask("db")
        alarm = json.dumps(self.wait_alarm("400"))
        self.assertIn("we do not want this", alarm)
        self.assertNotIn("second line", alarm)
        self.assertEqual(self.status(asked), "pending")
        self.assertEqual(len(self.service.events("notice")), 1)

    def test_a_redirect_is_not_followed(self):
        self.hook()
        self.service.fault('"event":"notice"', answer(307, b"", Location=f"{self.service.url}/elsewhere"))
        self.a.ask("db")
        self.wait_alarm("redirects are not followed")
        self.assertEqual(self.service.entries("/elsewhere"), [])

    def test_a_huge_answer_is_not_read(self):
        self.hook()
        self.service.fault('"event":"notice"', lambda entry: self.service.signed(
            {"answer": self.service.answer_to(json.loads(entry["body"]), "approve"), "pad": "x" * 70000}))
        asked = self.a.ask("db")
        self.wait_alarm("longer than 65536 bytes")
        self.assertEqual(self.status(asked), "pending")

    def test_a_body_that_does_not_end(self):
        self.hook()
        self.service.fault('"event":"notice"', answer(200, b"ok", Content_Length="10"))
        self.whole_flow(2)

    def test_interim_answers_without_end(self):
        self.hook()
        self.service.fault('"event":"notice"', answer(100))
        self.service.fault("GET /answers", answer(100))
        self.whole_flow(2)

    def test_a_service_that_hangs(self):
        self.hook()
        self.service.fault('"event":"notice"', lambda entry: (None, {}, b""))
        self.whole_flow(2)

    def test_a_service_that_is_away_at_start(self):
        self.service.stop()
        self.hook()
        until(lambda: self.health() == 503, "trouble", 20)
        self.assertRegex(self.why(), r"127\.0\.0\.1")
        self.assert_problem(self.a.post("db"), 503, "notifier")
        self.service.start()
        until(lambda: self.health() == 200, "recovery", 60)
        self.whole_flow()

    def test_an_outage_without_fetching(self):
        """Nobody asks for anything, and it is noticed all the same that the service is back."""
        self.service.stop()
        self.hook(answers=False)
        until(lambda: self.health() == 503, "trouble", 20)
        self.service.start()
        until(lambda: self.health() == 200, "recovery", 60)

    def test_an_address_that_refuses(self):
        self.service.fault('"event":"ping"', answer(404, b"no such hook"), 1)
        self.hook(answers=False)
        until(lambda: self.health() == 503, "trouble", 20)
        self.assertIn("404", self.why())
        until(lambda: self.health() == 200, "recovery", 60)


class Tls(WebhookCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.pair = [os.path.join(folder.name, name) for name in ("cert.pem", "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        self.pair[1], "-out", self.pair[0]], check=True, stderr=subprocess.DEVNULL)
        self.service = JsonService(SECRET, ALICE, self.pair).start()
        self.addCleanup(self.service.stop)

    def test_a_certificate_that_is_configured(self):
        self.hook(extra=f"ca-file = {self.pair[0]}\n")
        self.whole_flow()

    def test_an_unknown_certificate(self):
        self.hook()
        until(lambda: self.health() == 503, "trouble", 20)
        self.assertIn("ertificate", self.why())
        self.assertEqual(self.service.log, [])


class Options(WebhookCase):
    def broken(self, words, extra="", secret=SECRET, path="/hook"):
        vault = self.vault(None, start=False)
        text = CONFIG.format(url=self.service.url + path, secret=vault.write("secret", secret or "-"), quorum=1,
                             extra=extra.format(base=self.service.url), alice=ALICE, bob=BOB)
        vault.configure(text if secret else text.replace("\nsecret =", "\n#"))
        vault.start()

        def why():
            plugin = next(p for p in vault.admin("status")["plugins"] if p["kind"] == "notify")
            return words in plugin.get("why", "")
        until(why, f"trouble with {words!r}", 20)

    def test_a_short_secret(self):
        self.broken("16 bytes", secret="too-short\n")

    def test_no_secret(self):
        self.broken("16 bytes", secret=None)

    def test_the_token_stays_with_the_service(self):
        other = JsonService(SECRET, ALICE).start()
        self.addCleanup(other.stop)
        token = os.path.join(self.service_home(), "token")
        self.hook(answers=False, extra=f"token = file:{token}\nanswers = {other.url}/answers\npoll-interval = 1s\n")
        posted, fetched = self.service.wait_entry("ping"), other.wait_entry("GET")
        self.assertEqual(posted["headers"].get("authorization"), "Bearer tk-12345")
        self.assertNotIn("authorization", fetched["headers"])

    def service_home(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with open(os.open(os.path.join(folder.name, "token"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write("tk-12345\n")
        return folder.name

    def test_slack_brings_no_answers(self):
        self.broken("can't bring answers back", "template = slack\nanswers = {base}/answers")

    def test_people_who_are_no_topics(self):
        self.broken("is no topic", "template = ntfy", path="")


if __name__ == "__main__":
    unittest.main()
