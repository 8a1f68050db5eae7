"""The program as it is typed: exit statuses, forms of output, and a vault of its own.

$SECRET_PROXY names the program; secret-proxyd lies beside it, the plugins where it finds them.
"""

import base64
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get("SECRET_PROXY", "secret-proxy")
LIMIT = 30


def run(*args, data=b"", env=None):
    return subprocess.run([PROGRAM, *args], input=data, capture_output=True, timeout=LIMIT,
                          env={**os.environ, **(env or {})}, check=False)


def error_of(result):
    return json.loads(result.stdout)["error"]


class WithoutVault(unittest.TestCase):
    def test_usage_errors_exit_2_with_one_usage_line(self):
        for args in ([], ["nothing"], ["secret", "putt"], ["status", "--foo"], ["secret", "put"]):
            with self.subTest(args=args):
                result = run(*args)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(result.stdout, b"")
                usage = [line for line in result.stderr.splitlines() if line.startswith(b"usage:")]
                self.assertEqual(len(usage), 1)

    def test_errors_as_json_are_on_stdout(self):
        result = run("--json", "nothing")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(error_of(result)["code"], "usage")

    def test_help_and_version(self):
        self.assertEqual(run("--help").returncode, 0)
        self.assertIn(b"--grant-max", run("secret", "put", "--help").stdout)
        self.assertIn("version", json.loads(run("--version", "--json").stdout))

    def test_unreachable_vault_exits_4(self):
        result = run("status", "--json", "--vault", "/nonexistent/")
        self.assertEqual(result.returncode, 4)
        self.assertEqual(error_of(result)["code"], "unreachable")

    def test_wrong_config_exits_3(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("[vault default]\nstoer = sqlite\n")
            file.flush()
            result = run("--json", "config", "check", "--config", file.name)
        self.assertEqual(result.returncode, 3)
        self.assertIn(":2:", error_of(result)["message"])

    def test_what_destroys_does_not_happen_unasked(self):
        for args in (["secret", "rm", "x"], ["agent", "revoke", "x"], ["grant", "revoke", "x"]):
            with self.subTest(args=args):
                result = run(*args)
                self.assertEqual(result.returncode, 2)
                self.assertIn(b"--yes", result.stderr)

    def test_agent_file_that_others_can_read_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "agent.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write("{}")
            os.chmod(path, 0o644)
            env = {"SECRET_PROXY_AGENT_FILE": path}
            self.assertEqual(run("get", "x", "--reason", "y", env=env).returncode, 3)
            result = run("exec", "--secret", "X=x", "--reason", "y", "--", "true", env=env)
            self.assertEqual(result.returncode, 125)
            self.assertIn(b"0644", result.stderr)

    def test_get_refuses_a_terminal(self):
        master, slave = os.openpty()
        try:
            result = subprocess.run([PROGRAM, "get", "x", "--reason", "y"], stdout=slave,
                                    stderr=subprocess.PIPE, timeout=LIMIT, check=False)
        finally:
            os.close(master)
            os.close(slave)
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"--show", result.stderr)

    def test_doctor_names_each_check(self):
        items = json.loads(run("--json", "doctor").stdout)["items"]
        self.assertIn("locked-memory", [item["check"] for item in items])
        self.assertLessEqual({item["status"] for item in items}, {"ok", "warn", "failed"})


class Local:
    """`secret-proxy local` in a folder of its own."""

    def __init__(self, folder, port="0"):
        self.stderr = open(folder + ".log", "ab")
        self.process = subprocess.Popen([PROGRAM, "local", folder, "--port", port],
                                        stdout=subprocess.PIPE, stderr=self.stderr)
        readable, _, _ = select.select([self.process.stdout], [], [], LIMIT)
        self.ready = json.loads(self.process.stdout.readline()) if readable else None

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(LIMIT)
        self.process.stdout.close()
        self.stderr.close()
        return status


class WithVault(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="sp-cli-")
        self.addCleanup(shutil.rmtree, self.base)
        self.folder = os.path.join(self.base, "vault")
        self.agent_file = os.path.join(self.base, "agent.json")
        self.local = Local(self.folder)
        self.addCleanup(self.stop)

    def stop(self):
        if self.local.process.poll() is None:
            self.local.stop()

    def admin(self, *args, data=b""):
        return run("--json", "--vault", self.folder + "/", *args, data=data)

    def answer(self, *args, data=b""):
        result = self.admin(*args, data=data)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def add(self, value=b"value\n"):
        self.answer("agent", "add", "bot", "--write", self.agent_file)
        self.answer("secret", "put", "db", "--allow", "bot", "--grant-max", "1h", data=value)

    def start(self, *args):
        return subprocess.Popen([PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env={**os.environ, "SECRET_PROXY_AGENT_FILE": self.agent_file})

    def pending(self, process):
        """The id of the request that @process waits for: it says so before it waits."""
        process.stderr.readline()
        return self.answer("request", "list", "--status", "pending")["items"][0]["id"]

    def test_ready_line_and_private_files(self):
        self.assertTrue(self.local.ready["ready"])
        self.assertRegex(self.local.ready["url"], r"^https://127\.0\.0\.1:\d+$")
        self.assertEqual(self.local.ready["admin"], self.folder + "/admin.sock")
        self.assertEqual(self.local.ready["pid"], self.local.process.pid)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder).st_mode), 0o700)
        for entry in os.scandir(self.folder):
            self.assertEqual(stat.S_IMODE(entry.stat().st_mode) & 0o077, 0, entry.name)

    def test_second_one_is_told_who_runs(self):
        result = run("local", self.folder)
        self.assertEqual(result.returncode, 6)
        self.assertIn(f"already running (pid {self.local.process.pid})".encode(), result.stderr)

    def test_end_leaves_no_socket(self):
        self.assertEqual(self.local.stop(signal.SIGINT), 0)
        self.assertFalse(os.path.exists(self.local.ready["admin"]))

    def test_port_in_use_exits_4(self):
        port = self.local.ready["url"].rsplit(":", 1)[1]
        result = run("local", os.path.join(self.base, "other"), "--port", port)
        self.assertEqual(result.returncode, 4)

    def test_after_sigkill_it_starts_again_with_its_data(self):
        self.add()
        self.local.stop(signal.SIGKILL)
        self.local = Local(self.folder)
        self.assertEqual([item["name"] for item in self.answer("secret", "list")["items"]], ["db"])

    def test_values_travel_unchanged(self):
        for value in (b"a\n", b"\n", bytes(range(256)), b"x" * 65536):
            with self.subTest(value=value[:8]):
                if not os.path.exists(self.agent_file):
                    self.add()
                self.answer("secret", "put", "db", data=value)
                process = self.start("get", "db", "--reason", "test")
                self.answer("request", "approve", self.pending(process))
                out, _ = process.communicate(timeout=LIMIT)
                self.assertEqual(out, value)
                self.assertEqual(process.returncode, 0)

    def test_base64_and_too_long(self):
        self.answer("secret", "put", "b", "--base64", data=base64.b64encode(b"\0\1") + b"\n")
        self.assertEqual(self.admin("secret", "put", "b", "--base64", data=b"?").returncode, 2)
        result = self.admin("secret", "put", "b", data=b"x" * 65537)
        self.assertEqual(error_of(result)["code"], "too-large")

    def test_denied_exits_7(self):
        self.add()
        process = self.start("--json", "get", "db", "--reason", "test")
        self.answer("request", "deny", self.pending(process))
        out, _ = process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 7)
        self.assertEqual(json.loads(out)["error"]["code"], "denied")

    def test_interrupted_get_withdraws_its_request(self):
        self.add()
        process = self.start("get", "db", "--reason", "test")
        self.pending(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 6)
        self.assertEqual(self.answer("request", "list")["items"][0]["status"], "cancelled")

    def test_grant_is_used_without_asking(self):
        self.add(b"v")
        process = self.start("get", "db", "--reason", "test")
        self.answer("request", "approve", self.pending(process), "--for", "1h")
        self.assertEqual(process.communicate(timeout=LIMIT)[0], b"v")
        for script, status in (('test "$DB" = v', 0), ("exit 9", 9), ("kill -9 $$", 137)):
            process = self.start("exec", "--secret", "DB=db", "--reason", "t", "--", "sh", "-c",
                                 script)
            process.communicate(timeout=LIMIT)
            self.assertEqual(process.returncode, status)
        for command, status in (("/nonexistent", 127), ("/etc/passwd", 126)):
            process = self.start("exec", "--secret", "DB=db", "--reason", "t", "--", command)
            process.communicate(timeout=LIMIT)
            self.assertEqual(process.returncode, status)
        self.assertEqual(len(self.answer("request", "list")["items"]), 1)

    def test_get_outlives_a_restart_of_the_vault(self):
        self.add(b"v")
        process = self.start("get", "db", "--reason", "test")
        request = self.pending(process)
        port = self.local.ready["url"].rsplit(":", 1)[1]
        self.local.stop()
        self.local = Local(self.folder, port)
        self.answer("request", "approve", request)
        self.assertEqual(process.communicate(timeout=LIMIT)[0], b"v")

    def test_ownership_is_proven_and_other_owner_is_not(self):
        self.add()
        env = {"SECRET_PROXY_AGENT_FILE": self.agent_file}
        self.assertTrue(self.answer("ownership", "verify")["ok"])
        self.assertEqual(run("ownership", "verify", env=env).returncode, 0)
        with open(self.agent_file, encoding="utf-8") as file:
            agent = json.load(file)
        self.assertEqual(stat.S_IMODE(os.stat(self.agent_file).st_mode), 0o600)
        agent["owner_key"] = base64.b64encode(bytes(32)).decode()
        with open(self.agent_file, "w", encoding="utf-8") as file:
            json.dump(agent, file)
        self.assertEqual(run("ownership", "verify", env=env).returncode, 9)

    def test_not_found_and_audit(self):
        self.assertEqual(self.admin("secret", "show", "none").returncode, 5)
        self.assertEqual(self.admin("request", "approve", "none").returncode, 5)
        result = self.answer("audit", "verify")
        self.assertTrue(result["ok"])
        self.assertIsNone(result["first_bad"])
        self.assertEqual(len(self.answer("audit", "show", "--limit", "1")["items"]), 1)


if __name__ == "__main__":
    unittest.main()
