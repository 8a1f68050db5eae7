"""A vault that ends and starts again, orderly or not, is the vault that it was."""
import os
import pty
import shutil
import signal
import unittest

from lib.case import ALICE, PLAIN, Case, TelegramCase, can, is_root
from lib.paths import PROGRAM
from lib.wait import until


class Restart(TelegramCase):
    def check(self, number):
        vault = self.telegram()
        vault.put("db", "kept", "--description", "what it is", "--grant-max", "1h")
        agent = vault.agent()
        pending, approved, granted, denied = (agent.ask("db", r) for r in ("p", "a", "g", "d"))
        for request, button in ((approved, "Approve once"), (granted, "Approve for 1 h"), (denied, "Deny")):
            self.tap(request, button)
        before = [vault.admin(*verb) for verb in (("secret", "list"), ("agent", "list"), ("request", "list"),
                                                  ("grant", "list"), ("audit", "show"))]
        pin = vault.pin
        status = vault.end(number)
        self.assertEqual(status, 0 if number == signal.SIGTERM else -number)
        vault.start()
        agent.port = vault.port
        self.assertEqual(vault.pin, pin)
        after = [vault.admin(*verb) for verb in (("secret", "list"), ("agent", "list"), ("request", "list"),
                                                 ("grant", "list"), ("audit", "show"))]
        self.assertEqual(after[:4], before[:4])
        self.assertEqual(after[4]["items"][:len(before[4]["items"])], before[4]["items"])
        self.assertEqual(agent.redeem(approved["id"]).json["value"], "kept")
        self.assert_problem(agent.redeem(approved["id"]), 410, "used")
        self.assertEqual(agent.redeem(granted["id"]).json["value"], "kept")
        self.assert_problem(agent.redeem(denied["id"]), 403, "denied")
        self.assert_problem(agent.redeem(pending["id"]), 409, "pending")
        self.assertEqual(len([m for m in self.api.messages(ALICE) if pending["code"] in m["text"]]), 1)
        self.tap(pending, "Approve once")
        self.assertEqual(agent.redeem(pending["id"]).json["value"], "kept")
        vault.verify()

    def test_after_sigterm(self):
        self.check(signal.SIGTERM)

    def test_after_sigkill(self):
        self.check(signal.SIGKILL)

    def test_a_tap_while_it_was_away_counts(self):
        vault = self.telegram()
        vault.put("db", "kept")
        agent = vault.agent()
        asked = agent.ask("db")
        card = self.card(asked)
        vault.end()
        query = self.api.tap(ALICE, card["message_id"], button="Approve once")
        vault.start()
        agent.port = vault.port
        self.assertEqual(agent.look(asked["id"], 30)["status"], "approved")
        self.assertIsNotNone(self.api.wait_answer(query, timeout=15))
        self.assertEqual(agent.redeem(asked["id"]).json["value"], "kept")

    def test_a_decision_that_could_not_be_shown_is_shown_later(self):
        vault = self.telegram()
        vault.put("db", "kept")
        agent = vault.agent()
        asked = agent.ask("db")
        card = self.card(asked)
        vault.kill()
        vault.start()
        vault.deny(asked["id"])
        self.assertIn("Denied", self.settled(card)["text"])


class Changes(Case):
    """What was stored before a restart can be changed after it."""

    def setUp(self):
        self.v = self.vault()
        self.v.put("db", "one")
        self.agent = self.v.agent()
        self.v.restart()
        self.agent.port = self.v.port

    def value(self):
        number = self.agent.ask("db")["id"]
        self.v.approve(number)
        return self.agent.redeem(number).json["value"]

    def test_a_new_version(self):
        self.assertEqual(self.v.put("db", "two"), {"name": "db", "version": 2})
        self.assertEqual(self.value(), "two")

    def test_removal(self):
        self.v.admin("secret", "rm", "db", "--yes")
        self.assertEqual(self.v.admin("secret", "list")["items"], [])

    def test_rotation(self):
        self.assertEqual(self.v.admin("secret", "rotate")["secrets"], 1)
        self.v.restart()
        self.agent.port = self.v.port
        self.assertEqual(self.value(), "one")

    def test_revoking_an_agent(self):
        self.v.admin("agent", "revoke", "builder", "--yes")
        self.assert_problem(self.agent.post("db"), 401, "unauthorized")


class Ends(Case):
    def test_nothing_runs_on(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            vault = self.vault()
            self.assertGreaterEqual(len(vault.all_processes()), 5)
            vault.end(number)  # looks that all of them end
            if number != signal.SIGKILL:
                self.assertFalse(os.path.exists(vault.folder + "/admin.sock"))

    def in_terminal(self, vault, ignored=False):
        """Its process, once it is ready, and what it writes to the terminal."""
        pid, terminal = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
            os.execv(PROGRAM, [PROGRAM, "--config", vault.config_path, "local", vault.folder, "--port", "0"])
        output = os.fdopen(terminal, "rb", buffering=0)
        self.addCleanup(output.close)
        self.read_until(output, b'"ready":true')
        return pid, output

    def read_until(self, output, words):
        seen = b""
        while words not in seen:
            seen += output.read(4096)

    def wait_end(self, pid):
        return until(lambda: (lambda done: done if done[0] else None)(os.waitpid(pid, os.WNOHANG)), "its end", 20)[1]

    def test_with_its_terminal(self):
        """Without one SIGHUP means something else: test_apply.py."""
        pid, _ = self.in_terminal(self.vault(start=False))
        os.kill(pid, signal.SIGHUP)
        self.assertEqual(self.wait_end(pid), 0)

    def test_not_where_somebody_had_it_ignored(self):
        """nohup(1): the terminal's end is none of it."""
        vault = self.vault(start=False)
        pid, output = self.in_terminal(vault, ignored=True)
        vault.configure(PLAIN + "agent-pending = 7\n")
        os.kill(pid, signal.SIGHUP)
        self.read_until(output, b"config applied: agent-pending")
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(self.wait_end(pid), 0)

    def test_only_one_runs_in_a_folder(self):
        vault = self.vault()
        from lib.vault import run
        again = run("--json", "local", vault.folder, "--port", "0")
        self.assert_fails(again, 6, "conflict", "already running", str(vault.pid))
        self.assertEqual(vault.anonymous().call("GET", "/health").status, 200)


class Clocks(Case):
    """The boot clock that has gone on by itself: a time namespace, which needs root."""

    def later(self, vault, seconds):
        vault.end()
        vault.prefix = ["unshare", "--time", "--boottime", str(seconds), "--monotonic", str(seconds)]
        vault.start()

    def setUp(self):
        if not is_root() or not can("unshare", "--time", "--boottime", "10", "true"):
            self.skipTest("needs root and time namespaces")

    def test_what_was_approved_runs_out(self):
        vault = self.vault()
        vault.put("db", "x", "--grant-max", "1h")
        agent = vault.agent()
        pending, approved, granted = (agent.ask("db", r)["id"] for r in ("p", "a", "g"))
        vault.approve(approved)
        vault.approve(granted, "--for", "1h")
        self.later(vault, 310)
        agent.port = vault.port
        self.assert_problem(agent.redeem(approved), 410, "expired")
        self.assertEqual(agent.look(pending)["status"], "pending")
        self.assertEqual(agent.redeem(granted).status, 200)
        self.later(vault, 3700)
        agent.port = vault.port
        self.assert_problem(agent.redeem(granted), 410, "expired")
        self.assertEqual(agent.look(pending)["status"], "expired")
        self.assert_fails(vault.cli("--json", "request", "approve", "--", pending), 6, "conflict")
        vault.verify()


class Copies(Case):
    def test_an_older_store_is_refused(self):
        vault = self.vault()
        vault.put("db", "one")
        vault.end()
        shutil.copytree(vault.folder + "/state", vault.home + "/old")
        vault.start()
        vault.put("another", "two")
        until(lambda: vault.cli("audit", "verify").status == 0)
        vault.end()
        shutil.rmtree(vault.folder + "/state")
        shutil.copytree(vault.home + "/old", vault.folder + "/state")
        from lib.vault import Failed
        with self.assertRaises(Failed) as caught:
            vault.start()
        self.assertEqual(caught.exception.status, 9, caught.exception)


if __name__ == "__main__":
    unittest.main()
