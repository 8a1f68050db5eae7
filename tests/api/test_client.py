"""The agent's side of the command line: `get` and `exec` with agent.json and its pinned key."""
import json
import os
import signal
import subprocess
import unittest

from lib.case import Background, Case
from lib.paths import PROGRAM
from lib.vault import run
from lib.wait import until


class Client(Case):
    def setUp(self):
        self.v = self.vault("[vault default]\ntls = required\n")
        self.path = os.path.join(self.v.home, "agent.json")
        self.v.admin("agent", "add", "builder", "--write", self.path)
        self.v.put("db", "exact bytes\n\n")

    def client(self, *arguments, **more):
        return run(*arguments, env={"SECRET_PROXY_AGENT_FILE": self.path, **more.pop("env", {})}, **more)

    def decided(self, decide, *arguments, count=1, **more):
        """Runs the client; `decide` gets the id of each request that it makes."""
        call = Background(lambda: self.client(*arguments, **more))
        done = set()
        def pending():
            items = self.v.admin("request", "list", "--status", "pending")["items"]
            return [r["id"] for r in items if r["id"] not in done]
        while len(done) < count:
            found = until(lambda: pending() or (not call.is_alive() and ["none"]), "a request")
            if found == ["none"]:
                break
            for number in found:
                decide(number)
                done.add(number)
        return call.result()

    def rewrite(self, **changes):
        with open(self.path, encoding="utf-8") as file:
            content = {**json.load(file), **changes}
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump({k: v for k, v in content.items() if v is not None}, file)


class Get(Client):
    def get(self, decide, *more):
        return self.decided(decide, "get", "db", "--reason", "a test", *more)

    def test_the_value_is_exact(self):
        for value in (b"exact bytes\n\n", b"no newline", bytes(range(256)), b"x" * 65536):
            self.v.put("exact", value)
            result = self.decided(self.v.approve, "get", "exact", "--reason", "r")
            self.assertEqual((result.status, result.out), (0, value), result.err)

    def test_json(self):
        result = self.decided(self.v.approve, "--json", "get", "db", "--reason", "r")
        self.assertEqual(result.json["value"], "exact bytes\n\n")

    def test_denied_is_7(self):
        result = self.get(self.v.deny)
        self.assertEqual((result.status, result.out), (7, b""), result)

    def test_an_unknown_secret_is_5(self):
        result = self.client("--json", "get", "nothing", "--reason", "r")
        self.assert_fails(result, 5, "not-found")

    def test_a_withdrawn_one(self):
        def withdraw(number):
            self.v.admin("secret", "rm", "db", "--yes")
        result = self.get(withdraw)
        self.assertEqual((result.status, result.out), (6, b""), result)

    def test_a_token_that_is_revoked_is_7(self):
        self.v.admin("agent", "revoke", "builder", "--yes")
        self.assert_fails(self.client("--json", "get", "db", "--reason", "r"), 7, "unauthorized")

    def test_another_key_is_refused_before_the_token_is_sent(self):
        self.rewrite(tls_pin="sha256//" + "A" * 43 + "=")
        result = self.client("--json", "get", "db", "--reason", "r")
        self.assertEqual(result.status, 9, result)
        self.assertEqual(self.v.admin("request", "list")["items"], [])

    def test_plain_http_is_refused(self):
        self.rewrite(url=self.v.ready["url"].replace("https", "http"))
        self.assert_fails(self.client("--json", "get", "db", "--reason", "r"), 3, "config", self.path)

    def test_a_loose_agent_file_is_refused(self):
        for mode in (0o644, 0o640, 0o602, 0o660):
            os.chmod(self.path, mode)
            result = self.client("--json", "get", "db", "--reason", "r")
            self.assert_fails(result, 3, "config", self.path)

    def test_agent_files_that_are_none(self):
        for change in ({"token": None}, {"url": None}, {"tls_pin": None}, {"more": 1}, {"token": 7}, {"token": "a\nb"}):
            with self.subTest(change):
                with open(self.path, "rb") as file:
                    before = file.read()
                self.rewrite(**change)
                self.assert_fails(self.client("--json", "get", "db", "--reason", "r"), 3, "config", self.path)
                with open(self.path, "wb") as file:
                    file.write(before)
        os.remove(self.path)
        self.assert_fails(self.client("--json", "get", "db", "--reason", "r"), 3, "config", "agent add")

    def test_in_the_usual_place(self):
        home = os.path.join(self.v.home, "home")
        os.makedirs(home + "/.config/secret-proxy")
        os.rename(self.path, home + "/.config/secret-proxy/agent.json")
        self.path = ""
        call = {"env": {"HOME": home, "XDG_CONFIG_HOME": home + "/.config"}}
        result = self.decided(self.v.approve, "get", "db", "--reason", "r", **call)
        self.assertEqual((result.status, result.out), (0, b"exact bytes\n\n"), result)

    def test_a_terminal_is_refused_without_show(self):
        import pty
        mine, theirs = pty.openpty()
        done = subprocess.run([PROGRAM, "get", "db", "--reason", "r"], stdout=theirs, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, env={**os.environ, "SECRET_PROXY_AGENT_FILE": self.path},
                              check=False, timeout=30)
        os.close(theirs)
        os.close(mine)
        self.assertEqual(done.returncode, 2, done)
        self.assertIn(b"--show", done.stderr)
        self.assertEqual(self.v.admin("request", "list")["items"], [])

    def test_an_interrupt_withdraws_the_request(self):
        process = subprocess.Popen([PROGRAM, "get", "db", "--reason", "r"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                   env={**os.environ, "SECRET_PROXY_AGENT_FILE": self.path})
        until(lambda: self.v.admin("request", "list", "--status", "pending")["items"], "a request")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        self.assertEqual(out, b"")
        self.assertNotEqual(process.returncode, 0)
        until(lambda: not self.v.admin("request", "list", "--status", "pending")["items"], "withdrawal")


class Exec(Client):
    def run_it(self, *command, decide=None, count=1, secrets=("VALUE=db",), **more):
        options = [o for s in secrets for o in ("--secret", s)]
        return self.decided(decide or self.v.approve, "exec", *options, "--reason", "r", "--", *command, count=count, **more)

    def test_the_value_is_in_the_environment_only(self):
        self.v.put("db", "for the command")
        result = self.run_it("sh", "-c", 'printf %s "$VALUE"; tr "\\0" " " </proc/$$/cmdline >&2')
        self.assertEqual((result.status, result.out), (0, b"for the command"), result)
        self.assertNotIn("for the command", result.err)

    def test_several_secrets(self):
        self.v.put("one", "1")
        self.v.put("two", "2")
        result = self.run_it("sh", "-c", 'printf "$A $B"', count=2, secrets=("A=one", "B=two"))
        self.assertEqual((result.status, result.out), (0, b"1 2"), result)

    def test_the_status_is_that_of_the_command(self):
        self.v.put("db", "x")
        for status in (0, 1, 7, 42, 255):
            self.assertEqual(self.run_it("sh", "-c", f"exit {status}").status, status)

    def test_a_command_that_a_signal_ends(self):
        self.v.put("db", "x")
        self.assertIn(self.run_it("sh", "-c", "kill -TERM $$").status, (128 + 15, -15))

    def test_stdin_reaches_the_command(self):
        self.v.put("db", "x")
        self.assertEqual(self.run_it("cat", input=b"through").out, b"through")

    def test_own_failures_are_125(self):
        self.v.put("db", "x")
        self.assertEqual(self.run_it("true", decide=self.v.deny).status, 125)
        self.assertEqual(self.client("exec", "--secret", "A=nothing", "--reason", "r", "--", "true").status, 125)
        self.assertIn(self.run_it("/no/such/program").status, (125, 126, 127))
        os.chmod(self.path, 0o644)
        self.assertEqual(self.client("exec", "--secret", "A=db", "--reason", "r", "--", "true").status, 125)

    def test_the_command_does_not_run_when_denied(self):
        self.v.put("db", "x")
        mark = os.path.join(self.v.home, "ran")
        self.run_it("touch", mark, decide=self.v.deny)
        self.assertFalse(os.path.exists(mark))

    def test_a_value_that_no_variable_can_hold(self):
        self.v.put("db", b"a\0b")
        result = self.run_it("true")
        self.assertEqual(result.status, 125, result)

    def test_names_that_are_no_variables(self):
        for name in ("=db", "A", "A B=db", "1A=db", "A-B=db"):
            result = self.client("exec", "--secret", name, "--reason", "r", "--", "true")
            self.assertIn(result.status, (2, 125), (name, result))
        self.assertEqual(self.v.admin("request", "list")["items"], [])


if __name__ == "__main__":
    unittest.main()
