"""Requests without a notifier: states, grants, repetition, lists, and other agents' requests."""
import unittest

from lib.case import Background, Case, VaultCase

MEMBERS = {"id", "status", "secret", "reason", "code", "created_at", "expires_at"}
RFC3339 = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"


class Life(VaultCase):
    def test_what_a_request_shows(self):
        answer = self.a.post("db", "to migrate", ttl=30)
        self.assertEqual(answer.status, 201)
        asked = answer.json
        self.assertEqual(set(asked), MEMBERS)
        self.assertEqual(answer.header("location"), f"/v1/requests/{asked['id']}")
        self.assertEqual((asked["status"], asked["secret"], asked["reason"]), ("pending", "db", "to migrate"))
        for name in ("created_at", "expires_at"):
            self.assertRegex(asked[name], RFC3339)
        self.assertEqual(self.a.look(asked["id"]), asked)
        self.v.approve(asked["id"])
        seen = self.a.look(asked["id"])
        self.assertEqual(set(seen), MEMBERS | {"decided_at", "decided_by", "uses_left"})
        self.assertRegex(seen["decided_at"], RFC3339)
        self.assertGreater(seen["expires_at"], asked["expires_at"])

    def test_cancelled(self):
        number = self.a.ask("db")["id"]
        self.assertEqual(self.a.cancel(number).json["status"], "cancelled")
        self.assert_problem(self.a.redeem(number), 410, "cancelled")
        self.assert_problem(self.a.cancel(number), 410, "cancelled")
        self.assert_fails(self.v.cli("--json", "request", "approve", "--", number), 6, "conflict")
        self.assertEqual(self.a.look(number)["status"], "cancelled")

    def test_an_approved_one_is_not_cancelled(self):
        number = self.approved()
        answer = self.a.cancel(number)
        self.assertEqual(answer.status, 409, answer)
        self.assertEqual(self.a.redeem(number).status, 200)

    def test_the_first_decision_stays(self):
        number = self.a.ask("db")["id"]
        self.v.deny(number)
        self.assert_fails(self.v.cli("--json", "request", "approve", "--", number), 6, "conflict")
        self.assert_problem(self.a.redeem(number), 403, "denied")

    def test_a_wait_ends_with_the_decision(self):
        for decide, status in ((self.v.approve, "approved"), (self.v.deny, "denied")):
            number = self.a.ask("db")["id"]
            waiting = [Background(self.a.look, number, 50) for _ in range(5)]
            decide(number)
            self.assertEqual([w.result()["status"] for w in waiting], [status] * 5)

    def test_a_wait_ends_with_its_time(self):
        number = self.a.ask("db")["id"]
        self.assertEqual(self.a.look(number, 1)["status"], "pending")
        self.assertEqual(self.a.look(number, 0)["status"], "pending")

    def test_values_come_back_unchanged(self):
        for value, encoding in ((b"x", "utf-8"), (b"line\n\ttab\r\n", "utf-8"), ("é\U0001f600".encode(), "utf-8"),
                                (bytes(range(256)), "base64"), (b'"\\/\x00\x1f\x7f', None), (b"x" * 65536, "utf-8"),
                                (b"\xff" * 65536, "base64")):
            self.v.put("odd", value)
            number = self.approved("odd")
            got = self.a.redeem(number)
            self.assertEqual(got.status, 200, got)
            if encoding is not None:
                self.assertEqual(got.json["encoding"], encoding)
            self.assertEqual(value_of(got.json), value)

    def test_a_new_version_is_what_is_given(self):
        self.v.put("rolling", "one")
        number = self.approved("rolling")
        self.assertEqual(self.v.put("rolling", "two")["version"], 2)
        answer = self.a.redeem(number)
        self.assertEqual((answer.json["value"], answer.json["version"]), ("two", 2))

    def test_rotation_keeps_every_value(self):
        number = self.approved()
        self.v.admin("secret", "rotate")
        self.assertEqual(self.a.redeem(number).json["value"], "hunter2-of-the-database")
        self.assertEqual(self.a.redeem(self.approved()).json["value"], "hunter2-of-the-database")

    def test_removing_a_secret_ends_its_requests(self):
        self.v.put("gone", "soon")
        pending, approved = self.a.ask("gone")["id"], self.approved("gone")
        self.v.admin("secret", "rm", "gone", "--yes")
        self.assertEqual(self.a.look(pending)["status"], "cancelled")
        self.assert_problem(self.a.redeem(approved), 410, "revoked")
        self.assert_problem(self.a.post("gone"), 404, "not-found")


def value_of(answer) -> bytes:
    import base64
    return base64.b64decode(answer["value"]) if answer["encoding"] == "base64" else answer["value"].encode()


class Grants(VaultCase):
    def setUp(self):
        self.v.put("granted", "again and again", "--grant-max", "1h")

    def test_many_uses_until_revoked(self):
        number = self.approved("granted", "--for", "30m")
        for _ in range(5):
            self.assertEqual(self.a.redeem(number).json["value"], "again and again")
        self.assertNotIn("uses_left", self.a.look(number))
        self.assertEqual(self.v.admin("grant", "revoke", "--yes", "--", number)["status"], "revoked")
        self.assert_problem(self.a.redeem(number), 410, "revoked")
        self.assertNotIn(number, [g["id"] for g in self.v.admin("grant", "list")["items"]])

    def test_no_longer_than_the_secret_allows(self):
        number = self.a.ask("granted")["id"]
        self.assert_fails(self.v.cli("--json", "request", "approve", "--for", "2h", "--", number), 2, "invalid")
        self.assertEqual(self.a.look(number)["status"], "pending")

    def test_what_an_agent_is_told_of_it(self):
        items = {s["name"]: s for s in self.a.call("GET", "/v1/secrets").json["items"]}
        self.assertEqual(items["granted"]["grant_max"], 3600)
        self.assertEqual(set(items["granted"]), {"name", "description", "confirm", "grant_max"})


class Repetition(VaultCase):
    def test_the_same_key_gives_the_same_request(self):
        first = self.a.post("db", key="k-1")
        again = self.a.post("db", key="k-1")
        self.assertEqual((first.status, again.status), (201, 201))
        self.assertEqual(again.json["id"], first.json["id"])
        self.assertEqual(again.header("location"), first.header("location"))

    def test_also_after_the_decision(self):
        number = self.a.post("db", key="k-2").json["id"]
        self.v.deny(number)
        self.assertEqual(self.a.post("db", key="k-2").json["id"], number)
        self.assertEqual(self.a.post("db", key="k-2").json["status"], "denied")

    def test_with_another_body_it_is_refused(self):
        self.a.post("db", key="k-3")
        self.assert_problem(self.a.post("db", "another reason", key="k-3"), 422, "idempotency-mismatch")
        self.assert_problem(self.a.post("db", ttl=60, key="k-3"), 422, "idempotency-mismatch")

    def test_another_agent_has_keys_of_its_own(self):
        other = self.v.agent("other-keys")
        self.assertNotEqual(self.a.post("db", key="k-4").json["id"], other.post("db", key="k-4").json["id"])

    def test_at_the_same_time(self):
        calls = [Background(self.a.post, "db", "at once", "k-5") for _ in range(12)]
        answers = [c.result() for c in calls]
        self.assertEqual({a.status for a in answers}, {201})
        self.assertEqual(len({a.json["id"] for a in answers}), 1)


class OtherAgents(VaultCase):
    def test_a_request_of_another_agent_is_not_there(self):
        other = self.v.agent("other")
        number = self.approved()
        for answer in (other.get(number), other.redeem(number), other.cancel(number), other.get(number, 1)):
            self.assert_problem(answer, 404, "not-found")
        self.assertNotIn(number, [r["id"] for r in other.call("GET", "/v1/requests").json["items"]])
        self.assertEqual(self.a.redeem(number).status, 200)

    def test_allow_keeps_a_secret_from_others(self):
        self.v.agent("chosen")
        self.v.put("private", "x", "--allow", "chosen")
        self.assert_problem(self.a.post("private"), 404, "not-found")
        self.assertNotIn("private", [s["name"] for s in self.a.call("GET", "/v1/secrets").json["items"]])
        self.v.put("private", "x", "--allow", "chosen,builder")
        number = self.approved("private")
        self.v.put("private", "x", "--allow", "chosen")
        self.assert_problem(self.a.redeem(number), 410, "revoked")

    def test_a_revoked_agent_is_out(self):
        agent = self.v.agent("leaving")
        number = agent.ask("db")["id"]
        self.v.approve(number)
        self.v.admin("agent", "revoke", "leaving", "--yes")
        self.assert_problem(agent.redeem(number), 401, "unauthorized")
        self.assertIn(self.status_of(number), ("revoked", "cancelled"))

    def status_of(self, number):
        return next(r["status"] for r in self.v.admin("request", "list")["items"] if r["id"] == number)


class Lists(Case):
    def test_pages_newest_first(self):
        vault = self.vault()
        vault.put("db", "x")
        agent = vault.agent()
        made = []
        for n in range(25):
            made.append(agent.ask("db", f"number {n}")["id"])
            agent.cancel(made[-1])
        got, cursor = [], ""
        while cursor is not None:
            page = agent.call("GET", "/v1/requests?limit=10" + (f"&cursor={cursor}" if cursor else "")).json
            self.assertEqual(set(page), {"items", "next"})
            got += [r["id"] for r in page["items"]]
            cursor = page["next"]
        self.assertEqual(got, made[::-1])
        self.assertEqual([r["id"] for r in vault.admin("request", "list")["items"]], made[::-1])
        self.assertEqual(vault.admin("request", "list", "--status", "pending")["items"], [])

    def test_a_long_list_of_secrets(self):
        vault = self.vault()
        names = [f"name-{n:03}" for n in range(130)]
        from lib.case import Rpc
        import base64
        rpc = Rpc(vault)
        self.addCleanup(rpc.close)
        for name in names:
            self.assertIn("result", rpc.call("secret.put", name=name, secret_base64=base64.b64encode(b"x").decode()))
        agent, got, cursor = vault.agent(), [], ""
        while cursor is not None:
            page = agent.call("GET", "/v1/secrets" + (f"?cursor={cursor}" if cursor else "")).json
            got += [s["name"] for s in page["items"]]
            cursor = page["next"]
        self.assertEqual(got, names)
        self.assertEqual([s["name"] for s in vault.admin("secret", "list")["items"]], names)


if __name__ == "__main__":
    unittest.main()
