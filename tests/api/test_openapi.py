"""The running API against docs/openapi.yaml: every path, every status, every schema, both ways."""
import os
import unittest

from lib import openapi, yaml
from lib.case import PLAIN, VaultCase
from lib.http import Agent

# Made by the other tests, or by nothing that a test can do: a bug, a store that fails, a vault without keys.
NOT_HERE = {500, 503}


@unittest.skipUnless(os.path.exists(openapi.FILE), "there is no docs/openapi.yaml yet")
class OpenApi(VaultCase):
    config = PLAIN + "agent-rate = 100000\nagent-pending = 100\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.spec, cls.seen = openapi.Spec(), set()

    def call(self, method, path, body=None, agent=None, **headers):
        answer = (agent or self.a).call(method, path, body, **headers)
        known = self.spec.find(method, path)
        if known is None:
            self.assertIn((answer.status, answer.problem), {*openapi.ANYWHERE, (400, "invalid")}, answer)
        else:
            self.spec.check(known, answer)
            self.seen.add((*known, answer.status))
        return answer

    def ask(self, secret="db", **more):
        return self.call("POST", "/v1/requests", {"secret": secret, "reason": "r", **more}).json["id"]

    def every_state(self):
        """A request in each state, by its name."""
        states = {"pending": self.ask(), "approved": self.approved(), "used": self.approved(), "denied": self.ask(),
                  "cancelled": self.ask(), "revoked": self.ask("granted"), "granted": self.ask("granted")}
        self.call("POST", f"/v1/requests/{states['used']}/redeem")
        self.v.deny(states["denied"])
        self.call("DELETE", f"/v1/requests/{states['cancelled']}")
        self.v.approve(states["granted"], "--for", "1h")
        self.v.approve(states["revoked"], "--for", "1h")
        self.v.admin("grant", "revoke", "--yes", "--", states["revoked"])
        return states

    def test_the_running_api_is_what_is_written(self):
        self.v.put("granted", "x", "--grant-max", "1h", "--description", "d", "--confirm", "tap")
        self.v.put("binary", b"\xff\0")
        for name, number in self.every_state().items():
            shown = self.call("GET", f"/v1/requests/{number}").json
            self.assertEqual(shown["status"], "approved" if name == "granted" else name)
            self.call("GET", f"/v1/requests/{number}?wait=0")
        for number in self.every_state().values():
            self.call("POST", f"/v1/requests/{number}/redeem", {})
        for number in self.every_state().values():
            self.call("DELETE", f"/v1/requests/{number}")
        number = self.ask("binary")
        self.v.approve(number)
        self.call("POST", f"/v1/requests/{number}/redeem")
        for path in ("/health", "/v1/ownership?nonce=" + "0a" * 16, "/v1/secrets", "/v1/requests", "/v1/requests?limit=3"):
            self.assertEqual(self.call("GET", path).status, 200)
        cursor = self.call("GET", "/v1/requests?limit=2").json["next"]
        self.call("GET", f"/v1/requests?cursor={cursor}")
        self.failures()
        self.everywhere()
        documented = {(m, p, int(s)) for (m, p), o in self.spec.operations().items() for s in o["responses"]}
        left = {x for x in documented - self.seen if x[2] not in NOT_HERE}
        self.assertEqual(left, set(), "documented, and never seen")

    def failures(self):
        self.call("POST", "/v1/requests", {"secret": "db", "reason": "r"}, Idempotency_Key="k")
        self.call("POST", "/v1/requests", {"secret": "db", "reason": "s"}, Idempotency_Key="k")
        self.call("POST", "/v1/requests", {"secret": "nothing", "reason": "r"})
        self.call("POST", "/v1/requests", {"secret": "db"})
        for method, path in (("GET", "/v1/requests/x"), ("DELETE", "/v1/requests/x"), ("POST", "/v1/requests/x/redeem")):
            self.call(method, path)
        for method, path in (("GET", "/nowhere"), ("PUT", "/v1/requests"), ("GET", "/v1/requests/x/redeem")):
            self.call(method, path)

    def everywhere(self):
        """The failures that every path has; each from a vault of its own, for the limits."""
        for method, path in self.spec.operations():
            path = path.replace("{id}", "x" * 22)
            query = "?nonce=" + "0a" * 16 if "ownership" in path else ""
            self.call(method, path + "?what=1")
            self.call(method, path + query, X="a" * 10_000)
            if path not in ("/health", "/v1/ownership"):
                self.call(method, path, {"secret": "db", "reason": "r"} if path == "/v1/requests" and method == "POST" else None,
                          agent=self.v.anonymous())
        self.limited()

    def limited(self):
        plain = self.v
        vault = self.vault("[vault default]\ntls = required\nagent-rate = 1\n")
        token = vault.admin("agent", "add", "fast")["token"]
        open_agent, safe = Agent(vault.port, token), Agent(vault.port, token, vault.pin)
        for method, path in self.spec.operations():
            real, body = path.replace("{id}", "x" * 22), None
            if (method, path) == ("POST", "/v1/requests"):
                body = {"secret": "db", "reason": "r"}
            if path in ("/health", "/v1/ownership"):
                continue
            self.call(method, real, body, agent=open_agent)
            for _ in range(50):
                if self.call(method, real, body, agent=safe).status == 429:
                    break
        for _ in range(200):
            if self.call("GET", "/v1/ownership?nonce=" + "0a" * 16, agent=plain.anonymous()).status == 429:
                break


class Yaml(unittest.TestCase):
    def test_what_it_reads(self):
        text = 'a: 1\n# no\n"b": "x: y"\nc:\n  - d: [p, "q"]\n    e: true\n  - f\ng:\n  h: null\n  i: -7\nj: it is: so\n'
        self.assertEqual(yaml.load(text), {"a": 1, "b": "x: y", "c": [{"d": ["p", "q"], "e": True}, "f"],
                                           "g": {"h": None, "i": -7}, "j": "it is: so"})

    def test_what_it_refuses(self):
        for text in ("a: &x 1", "a: {b: 1}", "a: |\n  text", "a: 1\na: 2", "a: 1\n   b: 2", "nonsense"):
            with self.assertRaises(ValueError):
                yaml.load(text)


if __name__ == "__main__":
    unittest.main()
