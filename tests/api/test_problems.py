"""Every problem type of the HTTP API: its status, its type, its headers."""
import unittest

from lib.case import PLAIN, Case, TelegramCase, VaultCase
from lib.http import Agent, Connection, form


class Unauthorized(VaultCase):
    """Ten refusals in a row are free for an address, so these have a vault of their own."""

    def setUp(self):
        self.v.restart()
        self.a.port = self.v.port

    def test_tokens_that_are_none(self):
        for sent in (None, "", "wrong", self.a.token[:-1], self.a.token + "A", "a b", "x" * 600):
            answer = self.v.anonymous(sent).call("GET", "/v1/secrets")
            self.assert_problem(answer, 401, "unauthorized")
            self.assertTrue(answer.header("www-authenticate").startswith("Bearer"))

    def test_every_call(self):
        number = self.a.ask("db")["id"]
        agent = self.v.anonymous("wrong")
        for answer in (agent.call("GET", "/v1/secrets"), agent.call("GET", "/v1/requests"), agent.get(number),
                       agent.redeem(number), agent.cancel(number), agent.post("db")):
            self.assert_problem(answer, 401, "unauthorized")

    def test_other_schemes_are_no_token(self):
        for text in (f"Basic {self.a.token}", self.a.token, f"Bearer{self.a.token}", "Bearer "):
            with Connection(self.v.port) as connection:
                answer = connection.request("GET", "/v1/secrets", None, [("Authorization", text)])
            self.assert_problem(answer, 401, "unauthorized")


class OfTheApi(VaultCase):
    def test_denied(self):
        number = self.a.ask("db")["id"]
        self.v.deny(number)
        self.assert_problem(self.a.redeem(number), 403, "denied")

    def test_not_found(self):
        for answer in (self.a.get("nothing"), self.a.redeem("nothing"), self.a.cancel("nothing"),
                       self.a.get("x" * 22), self.a.post("nothing"), self.a.call("GET", "/v1"),
                       self.a.call("GET", "/"), self.a.call("GET", "/v1/requests/"),
                       self.a.call("POST", "/v1/requests/x/approve"), self.a.call("GET", "/admin"),
                       self.a.call("GET", "/v1/Secrets")):
            self.assert_problem(answer, 404, "not-found")

    def test_paths_with_two_readings(self):
        for path in ("/v1//secrets", "/v1/requests/x/redeem//", "/v1/./secrets", "/v1/x/../secrets", "/v1/%73ecrets"):
            self.assert_problem(self.a.call("GET", path), 400, "invalid", "path")

    def test_pending(self):
        self.assert_problem(self.a.redeem(self.a.ask("db")["id"]), 409, "pending")

    def test_used(self):
        number = self.approved()
        self.assertEqual(self.a.redeem(number).status, 200)
        self.assert_problem(self.a.redeem(number), 410, "used")

    def test_cancelled(self):
        number = self.a.ask("db")["id"]
        self.a.cancel(number)
        self.assert_problem(self.a.redeem(number), 410, "cancelled")

    def test_revoked(self):
        self.v.put("granted", "x", "--grant-max", "1h")
        number = self.approved("granted", "--for", "1h")
        self.v.admin("grant", "revoke", "--yes", "--", number)
        self.assert_problem(self.a.redeem(number), 410, "revoked")

    def test_too_large(self):
        body = b'{"secret":"db","reason":"' + b"x" * 20000 + b'"}'
        answer = self.a.call("POST", "/v1/requests", body, Content_Type="application/json")
        self.assert_problem(answer, 413, "too-large")
        self.assertEqual(answer.header("connection"), "close")

    def test_idempotency_mismatch(self):
        self.a.post("db", "one", key="m")
        self.assert_problem(self.a.post("db", "two", key="m"), 422, "idempotency-mismatch")

    def test_invalid_names_the_field(self):
        good = {"secret": "db", "reason": "r"}
        for body, field in (({**good, "ttl": 29}, "ttl"), ({**good, "ttl": 3601}, "ttl"), ({**good, "ttl": "60"}, "ttl"),
                            ({**good, "ttl": 60.5}, "ttl"), ({**good, "reason": ""}, "reason"),
                            ({**good, "reason": "x" * 501}, "reason"), ({**good, "reason": 7}, "reason"),
                            ({"secret": "db"}, "reason"), ({"reason": "r"}, "secret"), ({**good, "secret": None}, "secret"),
                            ({**good, "secret": ["db"]}, "secret"), ({**good, "extra": 1}, "extra"),
                            ({**good, "Secret": "db"}, "Secret")):
            answer = self.a.call("POST", "/v1/requests", body)
            self.assert_problem(answer, 400, "invalid", field)

    def test_the_ends_of_the_ranges_are_valid(self):
        for more in ({"ttl": 30}, {"ttl": 3600}):
            self.a.cancel(self.a.ask("db", "r", **more)["id"])
        for reason in ("r", "x" * 500, "\U0001f600" * 500):
            self.a.cancel(self.a.ask("db", reason)["id"])

    def test_invalid_queries(self):
        number = self.a.ask("db")["id"]
        for path, field in ((f"/v1/requests/{number}?wait=61", "wait"), (f"/v1/requests/{number}?wait=-1", "wait"),
                            (f"/v1/requests/{number}?wait=", "wait"), (f"/v1/requests/{number}?wait=1&wait=1", "wait"),
                            (f"/v1/requests/{number}?limit=1", "limit"), ("/v1/requests?limit=0", "limit"),
                            ("/v1/requests?cursor=-", "cursor"), ("/v1/secrets?x=1", "x"),
                            ("/v1/ownership", "nonce"), ("/v1/ownership?nonce=00", "nonce"),
                            ("/v1/ownership?nonce=" + "zz" * 16, "nonce")):
            with self.subTest(path=path):
                self.assert_problem(self.a.call("GET", path), 400, "invalid", field)

    def test_a_body_must_be_json_by_its_type(self):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"):
            answer = self.a.call("POST", "/v1/requests", b'{"secret":"db","reason":"r"}', Content_Type=kind)
            self.assert_problem(answer, 400, "invalid", "content-type")

    def test_other_methods(self):
        for method, path in (("GET", "/v1/requests/x/redeem"), ("DELETE", "/v1/secrets"), ("POST", "/health"),
                             ("PUT", "/v1/requests"), ("PATCH", "/v1/requests/x")):
            answer = self.a.call(method, path)
            self.assertEqual(answer.status, 405, answer)
            self.assertTrue(answer.header("allow"))

    def test_open_calls_need_no_token(self):
        agent = self.v.anonymous()
        health = agent.call("GET", "/health")
        self.assertEqual(health.status, 200)
        self.assertEqual((health.json["status"], health.json["ownership"]), ("ok", "owned"))
        self.assertTrue(health.json["version"])
        self.assertEqual(set(agent.call("GET", "/v1/ownership?nonce=" + "0f" * 16).json),
                         {"statement", "signature", "proof"})

    def test_an_error_says_nothing_of_the_inside(self):
        for answer in (self.a.get("../../etc/passwd"), self.a.get("%2e%2e"), self.a.call("GET", "/v1/secrets?<script>")):
            self.assertIn(answer.status, (400, 404))
            self.assertNotIn(b"<script>", answer.body)
            for word in (b".c:", b"/home", b"/tmp", b"sqlite", b"GError"):
                self.assertNotIn(word, answer.body)


class TlsRequired(Case):
    def test_plain_is_426_and_the_token_is_not_read(self):
        vault = self.vault("[vault default]\ntls = required\n")
        vault.put("db", "x")
        agent = vault.agent()
        for answer in (agent.call("GET", "/v1/secrets"), agent.post("db"), agent.call("GET", "/v1/requests")):
            self.assert_problem(answer, 426, "tls-required")
        self.assertEqual(agent.call("GET", "/health").status, 200)
        self.assertEqual(agent.call("GET", "/v1/ownership?nonce=" + "0f" * 16).status, 200)
        safe = Agent(vault.port, agent.token, vault.pin)
        self.assertEqual(safe.post("db").status, 201)

    def test_one_port_for_both_where_it_is_optional(self):
        vault = self.vault()
        vault.put("db", "x")
        agent = vault.agent()
        safe = Agent(vault.port, agent.token, vault.pin)
        number = agent.ask("db")["id"]
        self.assertEqual(safe.look(number)["id"], number)


class RateLimits(Case):
    def assert_limited(self, answer):
        self.assert_problem(answer, 429, "rate-limited")
        self.assertGreaterEqual(int(answer.header("retry-after")), 1)

    def test_an_agent_that_calls_too_often(self):
        vault = self.vault(PLAIN + "agent-rate = 5\n")
        agent, other = vault.agent(), vault.agent("other")
        answers = [agent.call("GET", "/v1/secrets") for _ in range(40)]
        self.assertEqual({a.status for a in answers}, {200, 429})
        self.assertGreaterEqual([a.status for a in answers].count(200), 10)
        self.assert_limited(next(a for a in answers if a.status == 429))
        self.assertEqual(other.call("GET", "/v1/secrets").status, 200)

    def test_too_many_pending(self):
        vault = self.vault(PLAIN + "agent-pending = 3\n")
        vault.put("db", "x")
        agent = vault.agent()
        made = [agent.ask("db")["id"] for _ in range(3)]
        self.assert_limited(agent.post("db"))
        self.assertEqual(vault.agent("other").post("db").status, 201)
        agent.cancel(made[0])
        self.assertEqual(agent.post("db").status, 201)

    def test_who_has_no_token_must_wait(self):
        vault = self.vault()
        stranger = vault.anonymous("wrong", source="127.0.2.1")
        answers = [stranger.call("GET", "/v1/secrets") for _ in range(40)]
        self.assertEqual({a.status for a in answers}, {401, 429})
        self.assert_limited(next(a for a in answers if a.status == 429))
        good = vault.agent()
        self.assertEqual(good.call("GET", "/v1/secrets").status, 200)
        self.assertEqual(Agent(vault.port, good.token, source="127.0.2.1").call("GET", "/v1/secrets").status, 200)


class Unavailable(TelegramCase):
    def test_notifier(self):
        self.api.stop()
        vault = self.telegram(start=False)
        vault.start()
        vault.put("db", "x")
        agent = vault.agent()
        from lib.wait import until
        until(lambda: agent.call("GET", "/health").status == 503, "the notifier's trouble")
        self.assertEqual(agent.call("GET", "/health").json["status"], "notifier")
        self.assert_problem(agent.post("db"), 503, "notifier")
        self.assertEqual(agent.call("GET", "/v1/requests").json["items"], [])
        self.api.start()
        until(lambda: agent.call("GET", "/health").status == 200, "recovery", 40)
        self.assertEqual(agent.post("db").status, 201)


class Answers(VaultCase):
    def test_every_answer_is_json_and_not_to_be_kept(self):
        number = self.a.ask("db")["id"]
        for answer in (self.a.call("GET", "/v1/secrets"), self.a.get(number), self.a.call("GET", "/v1/requests"),
                       self.a.call("GET", "/health"), self.a.cancel(number), self.a.post("db")):
            self.assertEqual(answer.header("content-type"), "application/json")
            self.assertEqual(answer.header("cache-control"), "no-store")
            self.assertIsNone(answer.header("server"))

    def test_head_has_no_body(self):
        with Connection(self.v.port) as connection:
            connection.send(form("HEAD", "/health"))
            self.assertIn(connection.read(head_only=True).status, (200, 405))
            self.assertEqual(connection.rest, b"")


if __name__ == "__main__":
    unittest.main()
