"""notify-webhook with ntfy and with Slack: what people see, and buttons that nobody can forge."""
import json
import unittest

from lib.case import Case
from lib.wait import until
from lib.webhook import Ntfy, Service, answer

SECRET, TOKEN = "correct-horse-battery-staple", "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"
ALICE, BOB, INBOX = "alice-phone-8f3a", "bob-phone-77c1", "vault-answers"
VALUE = "hunter2"

CONFIG = """\
[vault default]
store = sqlite
notify = hook
tls = optional
quorum = {quorum}

[notify hook]
plugin = webhook
template = {template}
url = {url}
{extra}

[approver alice]
hook = {alice}
"""
BOTH = CONFIG + "\n[approver bob]\nhook = {bob}\n"


class FormCase(Case):
    def open(self, template, url, extra, quorum=1, config=BOTH):
        vault = self.vault(None, start=False)
        extra = extra.format(secret=vault.write("secret", SECRET + "\n"))
        vault.configure(config.format(template=template, url=url, quorum=quorum, extra=extra, alice=ALICE, bob=BOB))
        self.v = vault.start()
        self.v.put("db", VALUE, "--grant-max", "1h")
        self.v.put("coded", VALUE, "--confirm", "code")
        self.a = self.v.agent()
        return vault

    def status(self, request):
        return self.a.look(request["id"])["status"]

    def wait_status(self, request, status):
        until(lambda: self.status(request) == status, status, 20)

    def alarms(self):
        return [e for e in self.v.audit() if "alarm" in e["event"]]


class NtfyCase(FormCase):
    token = None

    def setUp(self):
        self.ntfy = Ntfy(self.token).start()
        self.addCleanup(self.ntfy.stop)

    def start(self, extra="", path="/", answers=True, **more):
        if answers:
            extra += f"answers = {self.ntfy.url}/{INBOX}\npoll-interval = 1s\nsecret = file:{{secret}}\n"
        return self.open("ntfy", self.ntfy.url + path, extra, **more)

    def read_on(self):
        """Everything in the inbox so far has been read."""
        marker = self.ntfy.publish(INBOX, "a marker")
        self.ntfy.wait_entry(f"since={marker['id']}")


class Buttons(NtfyCase):
    def test_a_tap_approves(self):
        self.start()
        asked = self.a.ask("db", reason="to *migrate* <b>it</b>")
        card = self.ntfy.card(ALICE, asked["code"])
        self.assertEqual([a["label"] for a in card["actions"]], ["Approve once", "Approve for 1 h", "Deny"])
        self.assertEqual((card["title"], card["priority"]), ("An agent asks for a secret", 4))
        self.assertIn("In the agent's own words (a claim, not checked):\nReason: to *migrate* <b>it</b>", card["message"])
        self.assertNotIn("markdown", card)
        self.assertEqual(self.ntfy.card(BOB, asked["code"])["message"], card["message"])
        self.ntfy.tap(card, "Approve once")
        self.wait_status(asked, "approved")
        self.assertEqual(self.a.redeem(asked["id"]).json["value"], VALUE)
        for person in (ALICE, BOB):
            end = self.ntfy.card(person, "Approved by alice")
            self.assertEqual((end["sequence_id"], end.get("actions")), (card["sequence_id"], None))
        self.assertEqual(self.alarms(), [])
        decided = next(e for e in self.v.audit() if e["event"] == "request.approved")
        self.assertIn("ntfy message", json.dumps(decided))

    def test_a_grant_and_a_denial(self):
        self.start()
        granted, denied = self.a.ask("db"), self.a.ask("db")
        self.ntfy.tap(self.ntfy.card(ALICE, granted["code"]), "Approve for 1 h")
        self.ntfy.tap(self.ntfy.card(BOB, denied["code"]), "Deny")
        self.wait_status(denied, "denied")
        self.wait_status(granted, "approved")
        for _ in range(2):
            self.assertEqual(self.a.redeem(granted["id"]).json["value"], VALUE)

    def test_codes(self):
        self.start()
        right, wrong = self.a.ask("coded", reason="right one"), self.a.ask("coded", reason="wrong one")
        card, other = self.ntfy.card(ALICE, "right one"), self.ntfy.card(ALICE, "wrong one")
        labels = [a["label"] for a in card["actions"]]
        self.assertEqual(len(labels), 3)
        self.assertIn(right["code"], labels)
        self.assertTrue(card["message"].startswith("To deny: tap a code that the agent does not show."), card)
        self.ntfy.tap(card, right["code"])
        self.wait_status(right, "approved")
        self.ntfy.tap(other, next(a["label"] for a in other["actions"] if a["label"] != wrong["code"]))
        self.wait_status(wrong, "denied")

    def test_votes_are_told_to_who_gave_them(self):
        self.start(quorum=2)
        asked = self.a.ask("db")
        self.ntfy.tap(self.ntfy.card(ALICE, asked["code"]), "Approve once")
        self.assertEqual(self.ntfy.card(ALICE, "counted: 1 of 2")["title"], "Your answer")
        self.ntfy.tap(self.ntfy.card(BOB, asked["code"]), "Approve once")
        self.wait_status(asked, "approved")

    def test_a_late_tap(self):
        self.start()
        asked = self.a.ask("db")
        card = self.ntfy.card(ALICE, asked["code"])
        self.v.deny(asked["id"])
        self.ntfy.card(ALICE, "Denied by admin")
        self.ntfy.tap(card, "Approve once")
        self.ntfy.card(ALICE, "too late")
        self.assertEqual(self.status(asked), "denied")

    def test_one_topic_for_one_person(self):
        self.start(path="/our-topic", config=CONFIG)
        asked = self.a.ask("db")
        self.ntfy.tap(self.ntfy.card("our-topic", asked["code"]), "Approve once")
        self.wait_status(asked, "approved")

    def test_one_topic_for_all_only_tells(self):
        self.start(path="/our-topic", answers=False)
        asked = self.a.ask("db")
        card = self.ntfy.card("our-topic", asked["code"])
        self.assertNotIn("actions", card)
        self.assertIn("To decide, use another channel", card["message"])
        self.v.approve(asked["id"])
        self.ntfy.card("our-topic", "Approved by admin")
        self.assertEqual(list(self.ntfy.messages), ["our-topic"])

    def test_one_topic_for_two_people_has_no_buttons(self):
        self.start(path="/our-topic")
        why = "could answer for anybody else"
        until(lambda: any(why in p.get("why", "") for p in self.v.admin("status")["plugins"]), why, 20)


class Forgers(NtfyCase):
    """Whoever may write to the inbox: nothing that they make up decides."""

    def setUp(self):
        super().setUp()
        self.start()
        self.asked = self.a.ask("db")
        card = self.ntfy.card(BOB, self.asked["code"])
        self.tokens = {a["label"]: a["body"] for a in card["actions"]}
        self.deny = self.tokens["Deny"]

    def still_pending(self):
        self.read_on()
        self.assertEqual(self.status(self.asked), "pending")

    def test_parts_of_a_token_exchanged(self):
        kind, notice, _, person, expires, mac = self.deny.split(".")
        approve_mac = self.tokens["Approve once"].split(".")[-1]
        for text in (".".join([kind, notice, "approve", person, expires, mac]),
                     ".".join([kind, notice, "deny", person, expires, approve_mac]),
                     ".".join([kind, notice, "deny", ALICE, expires, mac]),
                     ".".join([kind, notice, "deny", person, "9999999999", mac]),
                     self.deny[:-1], self.deny + "0", self.deny.upper(), "sp1." + "." * 500, "sp1.", "sp1", ""):
            self.ntfy.publish(INBOX, text)
        self.still_pending()
        self.assertIn("not made here", json.dumps(self.alarms()))

    def test_noise_does_not_hide_a_tap(self):
        for text in ("hello", "x" * 4000, "nul \0 in it", "\ud800"):
            self.ntfy.publish(INBOX, text)
        for number in range(30):
            self.ntfy.publish(INBOX, f"{number} " + "y" * 4000)
        self.ntfy.publish(INBOX, "long", title="z" * 200000)
        self.ntfy.publish(INBOX, self.tokens["Approve once"])
        self.wait_status(self.asked, "approved")

    def test_a_token_sent_again(self):
        for _ in range(3):
            self.ntfy.publish(INBOX, self.tokens["Deny"])
        self.wait_status(self.asked, "denied")
        other = self.a.ask("db")
        self.ntfy.card(ALICE, other["code"])
        self.ntfy.publish(INBOX, self.tokens["Deny"])
        self.read_on()
        self.assertEqual(self.status(other), "pending")


class Trouble(NtfyCase):
    token = TOKEN

    def start(self, extra="", **more):
        vault = self.vault(None, start=False)
        return super().start(f"token = file:{vault.write('token', TOKEN)}\n" + extra, **more)

    def test_a_token_and_errors_of_the_server(self):
        self.start()
        self.ntfy.fault("GET /vault-answers", answer(429, b'{"code":42901}', Retry_After="1"))
        self.ntfy.fault("GET /vault-answers", answer(502, b"<html>"))
        self.ntfy.fault("POST / ", answer(503, b"busy"))
        asked = self.a.ask("db")
        card = self.ntfy.card(ALICE, asked["code"])
        self.assertEqual(card["actions"][0].get("headers"), None)
        self.ntfy.tap(card, "Approve once")
        self.wait_status(asked, "approved")
        self.assertNotIn(TOKEN, self.v.log() + json.dumps(self.v.audit()))

    def test_a_token_that_is_refused(self):
        self.ntfy.token = "tk_another"
        self.start()
        until(lambda: self.v.anonymous().call("GET", "/health").status == 503, "trouble", 20)
        plugin = next(p for p in self.v.admin("status")["plugins"] if p["kind"] == "notify")
        self.assertIn("403", plugin["why"])
        self.assertNotIn(TOKEN, plugin["why"])


class Slack(FormCase):
    SUFFIX = "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"

    def setUp(self):
        self.slack = Service()
        self.slack.serve = self.serve
        self.slack.start()
        self.addCleanup(self.slack.stop)
        self.bodies = []

    def serve(self, entry):
        if entry["path"] != f"/services/{self.SUFFIX}":
            return 404, {}, f"Cannot POST {entry['path']}".encode()
        body = json.loads(entry["body"])
        if "text" not in body:
            return 400, {}, b"no_text"
        self.bodies.append(body)
        return 200, {}, b"ok"

    def start(self, suffix=SUFFIX):
        vault = self.vault(None, start=False)
        self.open("slack", f"{self.slack.url}/services/", f"url-suffix = file:{vault.write('suffix', suffix)}\n")

    def test_what_people_see(self):
        self.start()
        asked = self.a.ask("db", reason="<!channel> *now* & <https://evil.example|here>")
        body = until(lambda: self.bodies[:1], "a message", 20)[0]
        kinds = [(b["type"], b["text"]["type"]) for b in body["blocks"]]
        self.assertEqual(kinds, [("header", "plain_text")] + [("section", "plain_text")] * 3)
        self.assertEqual(body["text"], "An agent asks for a secret")
        self.assertIn(asked["code"], body["blocks"][1]["text"]["text"])
        self.assertTrue(body["blocks"][2]["text"]["text"].endswith(
            "Reason: &lt;!channel&gt; *now* &amp; &lt;https://evil.example|here&gt;"))
        self.assertIn("another channel", body["blocks"][3]["text"]["text"])
        self.assertTrue(all(len(b["text"]["text"]) <= 3000 for b in body["blocks"]))
        self.v.deny(asked["id"])
        self.assertIn("Denied by admin", until(lambda: self.bodies[1:], "the end", 20)[0]["text"])

    def test_the_secret_part_of_the_address_is_not_shown(self):
        self.start("T1/B1/WRONGWRONGWRONG")
        until(lambda: self.v.anonymous().call("GET", "/health").status == 503, "trouble", 20)
        plugin = next(p for p in self.v.admin("status")["plugins"] if p["kind"] == "notify")
        self.assertIn("Cannot POST /services/[hidden]", plugin["why"])
        self.assertNotIn("WRONG", self.v.log())


if __name__ == "__main__":
    unittest.main()
