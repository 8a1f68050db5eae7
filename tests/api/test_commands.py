"""The command line: what every verb prints, and its exit status when it fails."""
import json
import os
import unittest

from lib.case import PLAIN, Case, VaultCase
from lib.paths import DAEMON
from lib.vault import run


class Local(Case):
    def test_another_address(self):
        other = self.vault(options=["--listen", "127.0.0.2:3737"])
        self.assertEqual(other.ready["url"], f"https://127.0.0.2:{other.port}")

    def test_what_agents_are_told(self):
        url = "https://vault.example:3737"
        other = self.vault(options=["--url", url])
        self.assertEqual(other.ready["url"], url)
        other.admin("agent", "add", "ci", "--write", other.home + "/ci.json")
        with open(other.home + "/ci.json", encoding="utf-8") as file:
            self.assertEqual(json.load(file)["url"], url)

    def test_addresses_that_are_none(self):
        for option, value, status, part in (("--listen", "localhost", 3, "ADDRESS:PORT"), ("--url", "http://x:1", 2, "https"),
                                            ("--url", "https://x:1/path", 2, "without a path"), ("--url", "x", 2, "--url")):
            done = run("--json", "local", "--ephemeral", option, value)
            self.assertEqual(done.status, status, done)
            self.assertIn(part, done.err)


class Verbs(VaultCase):
    config = PLAIN + "agent-rate = 100000\n"

    def test_secret(self):
        self.assertEqual(self.v.put("a/b.c-d_e", "x", "--description", "what"), {"name": "a/b.c-d_e", "version": 1})
        shown = self.v.admin("secret", "show", "a/b.c-d_e")
        self.assertEqual((shown["name"], shown["version"], shown["description"], shown["confirm"]),
                         ("a/b.c-d_e", 1, "what", "tap"))
        self.assertNotIn("value", shown)
        listed = self.v.admin("secret", "list")
        self.assertEqual(set(listed), {"items", "next"})
        self.assertIn(shown, listed["items"])
        self.assertEqual(self.v.admin("secret", "rm", "a/b.c-d_e", "--yes"), {"name": "a/b.c-d_e"})
        self.assertEqual(set(self.v.admin("secret", "rotate")), {"epoch", "secrets"})

    def test_secret_put_from_base64(self):
        self.v.put("binary", "AAEC/w==\n", "--base64")
        number = self.approved("binary")
        self.assertEqual(self.a.redeem(number).json, {"secret": "binary", "version": 1, "value": "AAEC/w==",
                                                      "encoding": "base64"})

    def test_what_is_not_given_stays(self):
        self.v.put("stays", "x", "--description", "d", "--confirm", "code", "--grant-max", "1h", "--allow", "builder")
        before = self.v.admin("secret", "show", "stays")
        self.v.put("stays", "y")
        after = self.v.admin("secret", "show", "stays")
        for name in ("description", "confirm", "grant_max", "allow"):
            self.assertEqual(after[name], before[name])
        self.assertEqual(after["version"], 2)

    def test_agent(self):
        added = self.v.admin("agent", "add", "one")
        self.assertEqual(set(added), {"agent", "token"})
        self.assertGreaterEqual(len(added["token"]), 32)
        path = os.path.join(self.v.home, "agent.json")
        self.assertNotIn("token", self.v.admin("agent", "add", "two", "--write", path))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, encoding="utf-8") as file:
            written = json.load(file)
        self.assertEqual(set(written), {"url", "tls_pin", "token", "owner_key"})
        self.assertEqual((written["url"], written["tls_pin"]), (self.v.ready["url"], self.v.pin))
        self.assertLessEqual({"one", "two"}, {a["agent"] for a in self.v.admin("agent", "list")["items"]})
        self.assertEqual(self.v.admin("agent", "revoke", "one", "--yes"), {"agent": "one"})
        listed = {a["agent"]: a for a in self.v.admin("agent", "list")["items"]}
        self.assertTrue(listed["one"]["revoked_at"])
        self.assertFalse(listed["two"]["revoked_at"])

    def test_request_and_grant(self):
        number = self.a.ask("db")["id"]
        shown = next(r for r in self.v.admin("request", "list")["items"] if r["id"] == number)
        self.assertEqual((shown["agent"], shown["status"]), ("builder", "pending"))
        approved = self.v.approve(number, "--for", "90s")
        self.assertEqual((approved["id"], approved["status"], approved["decided_by"]), (number, "approved", "admin"))
        grant = next(g for g in self.v.admin("grant", "list")["items"] if g["id"] == number)
        self.assertEqual((grant["secret"], grant["agent"], grant["decided_by"]), ("db", "builder", "admin"))
        self.assertEqual(self.v.admin("grant", "revoke", "--yes", "--", number)["status"], "revoked")
        self.assertEqual(self.v.deny(self.a.ask("db")["id"])["status"], "denied")

    def test_audit(self):
        entries = self.v.admin("audit", "show", "--limit", "3")["items"]
        self.assertEqual([e["seq"] for e in entries], [entries[0]["seq"] + n for n in range(3)])
        after = self.v.admin("audit", "show", "--after", str(entries[-1]["seq"]), "--limit", "1")["items"]
        self.assertEqual(after[0]["seq"], entries[-1]["seq"] + 1)
        verified = self.v.verify()
        self.assertEqual(set(verified), {"ok", "entries", "head", "first_bad"})

    def test_status_doctor_and_ownership(self):
        status = self.v.admin("status")
        self.assertEqual(status["state"], "owned")
        self.assertEqual([p["kind"] for p in status["plugins"]], ["store"])
        self.assertIn("statement", self.v.admin("ownership", "show"))
        self.assertEqual(self.v.cli("ownership", "verify").status, 0)
        self.assertEqual(self.v.cli("doctor").status, 0, self.v.cli("doctor"))

    def test_plugin(self):
        names = {(p["kind"], p["name"]) for p in self.v.admin("plugin", "list")["items"]}
        self.assertLessEqual({("store", "sqlite"), ("notify", "telegram")}, names)
        shown = self.v.admin("plugin", "show", "telegram")
        self.assertIn("bot-token", json.dumps(shown))
        self.assertEqual(self.v.cli("plugin", "show", "sqlite").status, 0)

    def test_text_for_people(self):
        for verb in (("secret", "list"), ("agent", "list"), ("audit", "show"), ("status",), ("plugin", "list"),
                     ("audit", "verify"), ("request", "list"), ("secret", "show", "db")):
            result = self.v.cli(*verb)
            self.assertEqual(result.status, 0, result)
            self.assertNotIn(b"\x1b", result.out)
            with self.assertRaises(ValueError):
                result.json  # pylint: disable=pointless-statement

    def test_hostile_text_cannot_steer_the_terminal(self):
        number = self.a.ask("db", "a\u202eb\u200bc\u009bd")["id"]
        out = self.v.cli("request", "list").out
        self.assertIn(number.encode(), out)
        for raw in ("\u202e", "\u200b", "\u009b"):
            self.assertNotIn(raw.encode(), out)
        for raw in ("\u001b[31m", "\u0007"):
            self.assert_problem(self.a.post("db", f"a{raw}b"), 400, "invalid", "reason")
        self.a.cancel(number)

    def test_an_id_can_be_typed(self):
        for n in range(150):
            number = self.a.ask("db", f"{n}")["id"]
            self.a.cancel(number)
            self.assertNotEqual(number[0], "-", f"the id {number} looks like an option")


class Failures(VaultCase):
    def fails(self, status, code, *arguments, input=b"x"):
        result = self.v.cli("--json", *arguments, input=input)
        self.assert_fails(result, status, code)
        self.assertTrue(result.err.startswith("secret-proxy: "), result)
        self.assertEqual(result.error["message"][:1], result.error["message"][:1].lower())
        self.assertEqual(self.v.cli(*arguments, input=input).status, status)

    def test_usage_is_2(self):
        for arguments in ((), ("nothing",), ("secret",), ("secret", "nothing"), ("secret", "put"), ("secret", "put", "a", "b"),
                          ("secret", "show"), ("agent", "add"), ("request", "approve"), ("audit", "show", "--limit", "x"),
                          ("request", "approve", "x", "--for"), ("secret", "list", "--nothing"), ("--nothing",),
                          ("request", "approve", "x", "--for", "soon"), ("local",), ("get", "db"),                           ("config", "nothing"), ("plugin", "show")):
            with self.subTest(arguments):
                self.assertEqual(self.v.cli("--json", *arguments).status, 2, self.v.cli(*arguments))

    def test_a_near_name_is_told(self):
        result = run("secrt", "list")
        self.assertEqual(result.status, 2)
        self.assertIn("secret", result.err)
        self.assertIn("--json", run("--jsn", "secret", "list").err)

    def test_invalid_is_2(self):
        self.fails(2, "invalid", "secret", "put", "a b")
        self.fails(2, "invalid", "secret", "put", "../a")
        self.fails(2, "invalid", "secret", "put", "a", input=b"")
        self.fails(2, "too-large", "secret", "put", "a", input=b"x" * 65537)
        self.fails(2, "invalid", "secret", "put", "a", "--base64", input=b"***")
        self.assertEqual(self.v.cli("secret", "put", "a", "--confirm", "shout", input=b"x").status, 2)
        self.assertEqual(self.v.cli("secret", "put", "a", "--grant-max", "400d", input=b"x").status, 2)
        self.assertNotIn("a", [s["name"] for s in self.v.admin("secret", "list")["items"]])

    def test_what_destroys_asks_first(self):
        for arguments in (("secret", "rm", "db"), ("agent", "revoke", "builder"), ("grant", "revoke", "x")):
            result = self.v.cli("--json", *arguments)
            self.assert_fails(result, 2, "usage", "--yes")
        self.assertEqual(self.a.call("GET", "/v1/secrets").status, 200)

    def test_not_found_is_5(self):
        for arguments in (("secret", "show", "nothing"), ("secret", "rm", "nothing", "--yes"),
                          ("request", "approve", "nothing"), ("request", "deny", "nothing"),
                          ("grant", "revoke", "nothing", "--yes"), ("agent", "revoke", "nothing", "--yes")):
            with self.subTest(arguments):
                self.fails(5, "not-found", *arguments)
        self.assertIn(run("--json", "plugin", "show", "nothing").status, (3, 5))

    def test_conflict_is_6(self):
        number = self.a.ask("db")["id"]
        self.v.deny(number)
        self.fails(6, "conflict", "request", "approve", "--", number)
        self.fails(6, "conflict", "request", "deny", "--", number)
        self.fails(6, "conflict", "grant", "revoke", "--yes", "--", number)
        self.fails(6, "conflict", "agent", "add", "builder")

    def test_unreachable_is_4(self):
        for verb in (("secret", "list"), ("agent", "list"), ("audit", "verify"), ("status",), ("request", "list"),
                     ("grant", "list"), ("secret", "put", "a"), ("ownership", "show"), ("secret", "rotate")):
            result = run("--json", "--vault", self.v.home + "/nowhere/", *verb, input=b"x")
            self.assert_fails(result, 4, "unreachable", "nowhere")

    def test_a_full_pipe_is_not_success(self):
        with open("/dev/full", "wb") as full:
            import subprocess
            from lib.paths import PROGRAM
            done = subprocess.run([PROGRAM, "--vault", self.v.folder + "/", "secret", "list"], stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"cannot write", done.stderr)


class Help(Case):
    def test_help_and_version(self):
        for arguments in (("--help",), ("secret", "put", "--help"), ("--version",), ("get", "--help")):
            result = run(*arguments)
            self.assertEqual((result.status, result.err), (0, ""), result)
            self.assertTrue(result.out)
        self.assertEqual(run("--json", "--version").json.keys(), {"version"})

    def test_the_daemon_by_itself(self):
        self.assertEqual(run("--version", program=DAEMON).status, 0)
        for arguments in ((), ("--nothing",), ("--role", "nothing"), ("--listen", "x"), ("--listen", "x", "--state", "relative")):
            result = run(*arguments, program=DAEMON)
            self.assertEqual(result.status, 2, (arguments, result))
            self.assertTrue(result.err.strip())

    def test_local_needs_a_folder_and_a_port(self):
        self.assertIn(run("local", "/proc/nothing/here", "--port", "0").status, (1, 5))
        for port in ("x", "-1", "65536", ""):
            self.assertEqual(run("local", "/tmp/never-made", "--port", port).status, 2, port)
        self.assertFalse(os.path.exists("/tmp/never-made"))


if __name__ == "__main__":
    unittest.main()
