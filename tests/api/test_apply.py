"""`config apply`: other people, notifiers and limits for a vault that runs, all of it or nothing."""
import os
import signal
import unittest

from lib import paths
from lib.case import ALICE, BOB, TOKEN, Case, Rpc, TelegramCase
from lib.wait import until

PERSON = """
[approver {name}]
{ids}
"""
BAD = """
[notify {name}]
plugin = {plugin}
{more}
"""


def bad(name):
    return os.path.join(paths.BAD_PLUGINS, f"notify-{name}.so")


class ApplyCase(TelegramCase):
    """A vault that asks alice on Telegram; what else is configured changes while it runs."""

    def setUp(self):
        super().setUp()
        self.notify, self.people = "telegram", {"alice": f"telegram = {ALICE}"}
        self.sections, self.vault_keys, self.poll = "", "", "25s"
        self.v = self.vault(None, start=False)
        self.token_file = self.v.write("telegram-token", TOKEN + "\n")
        self.write_config()
        self.v.start()
        self.wait_healthy(self.v)
        self.v.put("db", "hunter2")
        self.a = self.v.agent()

    def write_config(self):
        people = "".join(PERSON.format(name=name, ids=ids) for name, ids in self.people.items())
        self.v.configure(f"[vault default]\nnotify = {self.notify}\ntls = optional\n{self.vault_keys}\n"
                         f"[notify telegram]\nbot-token = file:{self.token_file}\napi-base = {self.api.url}\n"
                         f"poll-timeout = {self.poll}\n{self.sections}\n{people}")

    def apply(self, *options):
        self.write_config()
        return self.v.admin("config", "apply", *options)

    def refused(self, *parts):
        self.write_config()
        result = self.v.cli("--json", "config", "apply")
        self.assert_fails(result, 3, "config")
        for part in parts:
            self.assertIn(part, result.error["message"])

    def add_honest(self, more=""):
        """A notifier that says yes at once, as its first person."""
        self.notify += ", auto"
        self.sections += BAD.format(name="auto", plugin=bad("honest"), more=more)
        self.people["bob"] = "auto = 7"

    def plugins(self):
        return {p["name"]: p for p in self.v.admin("status")["plugins"]}

    def status_of(self, number):
        return self.a.look(number)["status"]

    def wait_status(self, number, status):
        until(lambda: self.status_of(number) == status, f"{status} of the request", 20)

    def applied(self):
        return [entry for entry in self.v.audit() if entry["event"] == "config.applied"]


class Applied(ApplyCase):
    def test_a_second_notifier_is_shown_what_waits(self):
        asked = self.a.ask("db")
        self.card(asked)
        before = set(self.v.all_processes())
        self.add_honest()
        done = self.apply()
        self.assertEqual(done, {"applied": True, "changes": ["notify auto added", "approver bob added"], "needs_restart": []})
        self.wait_status(asked["id"], "approved")
        self.assertEqual(self.a.look(asked["id"])["decided_by"], "bob")
        self.settled(self.card(asked))
        self.assertLess(before, set(self.v.all_processes()), "what ran before runs on")
        self.assertEqual([entry["changes"] for entry in self.applied()], ["notify auto added; approver bob added"])
        self.v.verify()

    def test_what_would_change_is_shown(self):
        self.add_honest()
        self.vault_keys = "quorum = 2\nagent-rate = 7\n"
        self.assertEqual(self.apply("--dry-run"), {"applied": False, "needs_restart": [], "changes": [
            "notify auto added", "approver bob added", "quorum", "agent-rate"]})
        self.assertEqual(list(self.plugins()), ["sqlite", "telegram"])
        self.assertEqual(self.applied(), [])

    def test_the_same_again_changes_nothing(self):
        before = self.v.all_processes()
        self.assertEqual(self.apply(), {"applied": True, "changes": [], "needs_restart": []})
        self.assertEqual(self.v.all_processes(), before)
        self.assertEqual(self.applied(), [])
        self.assertIn("with this config already", self.v.cli("config", "apply").out.decode())

    def test_other_people(self):
        asked = self.a.ask("db")
        self.people = {"bob": f"telegram = {BOB}"}
        self.assertEqual(self.apply()["changes"], ["approver bob added", "approver alice removed"])
        self.tap(asked, "Approve once", BOB)
        self.wait_status(asked["id"], "approved")
        statement = self.v.admin("ownership", "verify")
        self.assertTrue(statement)

    def test_a_quorum_that_is_lowered_approves_nothing_by_itself(self):
        self.people["bob"] = f"telegram = {BOB}"
        self.vault_keys = "quorum = 2\n"
        self.assertEqual(self.apply()["changes"], ["approver bob added", "quorum"])
        asked = self.a.ask("db")
        self.tap(asked, "Approve once")
        self.vault_keys = ""
        self.assertEqual(self.apply()["changes"], ["quorum"])
        self.assertEqual(self.status_of(asked["id"]), "pending")
        self.tap(asked, "Approve once", BOB)
        self.wait_status(asked["id"], "approved")

    def test_a_changed_notifier_goes_on_where_it_was(self):
        asked = self.a.ask("db")
        card = self.card(asked)
        self.poll = "2s"
        self.assertEqual(self.apply()["changes"], ["notify telegram: poll-timeout"])
        until(lambda: self.plugins()["telegram"]["state"] == "ready", "Telegram is ready")
        self.tap(asked, "Approve once")
        self.wait_status(asked["id"], "approved")
        self.assertEqual(self.card(asked)["message_id"], card["message_id"], "it is not shown twice")
        self.assertNotIn("another program", self.v.log())

    def test_a_changed_token(self):
        wrong = TOKEN[:-1] + "X"
        self.v.write("telegram-token", wrong + "\n")
        self.assertEqual(self.apply()["changes"], ["notify telegram: bot-token"])
        until(lambda: self.plugins()["telegram"]["state"] != "ready", "that Telegram refuses it", 20)
        self.assertEqual(self.v.anonymous().call("GET", "/health").json["status"], "notifier")
        self.v.write("telegram-token", TOKEN + "\n")
        self.assertEqual(self.apply()["changes"], ["notify telegram: bot-token"])
        self.wait_healthy(self.v)
        for token in (TOKEN, wrong):
            self.assertNotIn(token, self.v.log() + str(self.v.audit()))

    def test_a_notifier_that_goes(self):
        self.add_honest()
        self.apply()
        asked = self.a.ask("db")
        self.wait_status(asked["id"], "approved")
        self.notify = "auto"
        del self.people["alice"]
        self.assertEqual(self.apply()["changes"], ["notify telegram removed", "approver alice removed"])
        self.assertEqual(list(self.plugins()), ["sqlite", "auto"])
        until(lambda: len(self.v.all_processes()) == 6, "the end of the plugin host")
        again = self.a.ask("db")
        self.wait_status(again["id"], "approved")

    def test_one_on_the_host(self):
        """Added, changed and removed: its options are the host's alone, and the vault sees that they change."""
        self.add_honest("where = host\n")
        self.assertEqual(self.apply()["changes"], ["notify auto added", "approver bob added"])
        self.wait_status(self.a.ask("db")["id"], "approved")
        self.sections = self.sections.replace("where = host\n", "where = host\ninterval = 3s\n")
        self.assertEqual(self.apply()["changes"], ["notify auto: interval"])
        until(lambda: self.plugins()["auto"]["state"] == "ready", "the changed one", 20)
        self.wait_status(self.a.ask("db")["id"], "approved")
        until(lambda: "every 3000 ms" in self.v.log(), "that it has its new option")
        self.notify, self.sections = "telegram", ""
        del self.people["bob"]
        self.assertEqual(self.apply()["changes"], ["notify auto removed", "approver bob removed"])

    def test_it_holds_for_the_next_keeper_and_the_next_start(self):
        self.add_honest()
        self.apply()
        keeper = self.v.role("keeper")
        os.kill(keeper, signal.SIGKILL)
        until(lambda: self.v.role("keeper") != keeper and self.v.cli("health").status == 0, "the next keeper", 20)
        self.assertEqual(list(self.plugins()), ["sqlite", "telegram", "auto"])
        self.v.restart()
        self.wait_healthy(self.v)
        self.wait_status(self.a.ask("db")["id"], "approved")

    def test_a_signal_does_the_same(self):
        self.add_honest()
        self.write_config()
        os.kill(self.v.pid, signal.SIGHUP)
        until(lambda: "auto" in self.plugins(), "the new notifier")
        self.assertIn("config applied: notify auto added", self.v.log())

    def test_many_signals(self):
        """Whatever the last of them was sent for holds in the end."""
        for number in range(1, 16):
            self.vault_keys = f"agent-pending = {number}\n"
            self.write_config()
            os.kill(self.v.pid, signal.SIGHUP)
        until(lambda: self.v.cli("config", "apply", "--dry-run").status == 0, "that it is done")
        until(lambda: self.v.admin("config", "apply", "--dry-run")["changes"] == [], "the last config")
        self.assertNotIn("another config is being applied", self.v.log())

    def test_a_signal_while_it_has_no_keys(self):
        for _ in range(4):
            keeper = self.v.role("keeper")
            os.kill(keeper, signal.SIGKILL)
            until(lambda k=keeper: self.v.role("keeper") != k, "another keeper", 20)
        os.kill(self.v.role("keeper"), signal.SIGKILL)
        until(lambda: self.v.cli("health").status != 0, "that it is locked")
        self.vault_keys = "agent-pending = 7\n"
        self.write_config()
        os.kill(self.v.pid, signal.SIGHUP)
        until(lambda: "config applied: agent-pending" in self.v.log(), "the new config", 20)

    def test_what_needs_a_restart_is_said(self):
        self.vault_keys = "listen = 127.0.0.1:1\nagent-pending = 5\n"
        self.sections = "[store sqlite]\npath = /nowhere/vault.db\n"
        self.assertEqual(self.apply(), {"applied": True, "changes": ["agent-pending"],
                                        "needs_restart": ["vault default: listen", "store sqlite: path"]})
        text = self.v.cli("config", "apply").out.decode()
        self.assertEqual(text.splitlines(), ["needs a restart: vault default: listen", "needs a restart: store sqlite: path"])
        self.assertEqual(self.v.anonymous().call("GET", "/health").status, 200)


class Refused(ApplyCase):
    def setUp(self):
        super().setUp()
        self.asked = self.a.ask("db")
        self.card(self.asked)
        self.before = self.v.all_processes()

    def assert_as_before(self, untouched=True):
        self.assertEqual(list(self.plugins()), ["sqlite", "telegram"])
        self.assertEqual(self.applied(), [])
        if untouched:
            until(lambda: self.v.all_processes() == self.before, "nothing but what ran before")
        self.tap(self.asked, "Approve once")
        self.wait_status(self.asked["id"], "approved")

    def test_a_file_with_a_mistake(self):
        self.vault_keys = "quorm = 2\n"
        self.refused("quorm", "did you mean 'quorum'")
        self.assert_as_before()

    def test_a_secret_that_is_not_there(self):
        self.add_honest(f"token = file:{self.v.home}/nothing")
        self.refused("[notify auto] token", "nothing")
        self.assert_as_before()

    def test_a_notifier_that_does_not_open(self):
        self.notify += ", bad"
        self.sections = BAD.format(name="bad", plugin=bad("fails-in-open"), more="")
        self.people["bob"] = "bad = 1"
        # Telegram changes, too: it is stopped for that, and goes on as it was.
        self.poll = "2s"
        self.refused("notify bad: ")
        self.assert_as_before(untouched=False)

    def test_another_config_on_the_command_line(self):
        self.assert_fails(self.v.cli("--json", "--config", "/x", "config", "apply"), 6, "conflict", "started with")
        self.assertEqual(self.v.cli("--config", self.v.config_path, "config", "apply").status, 0)

    def test_a_file_of_its_own_that_is_gone(self):
        """Not even where there would be something to fall back on: it says nothing of people and notifiers."""
        vault = self.vault(None, start=False)
        os.mkdir(vault.folder, 0o700)
        own = os.path.join(vault.folder, "secret-proxy.conf")
        with open(os.open(own, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(f"[vault default]\ntls = optional\nnotify = auto\n[approver bob]\nauto = 7\n"
                       f"[notify auto]\nplugin = {bad('honest')}\n")
        vault.start()
        os.unlink(own)
        os.kill(vault.pid, signal.SIGHUP)
        until(lambda: "was not applied" in vault.log(), "that this is refused")
        self.assert_fails(vault.cli("--json", "config", "apply"), 3, "config", own)
        self.assertEqual([p["name"] for p in vault.admin("status")["plugins"]], ["sqlite", "auto"])

    def test_only_the_host_configures(self):
        rpc = Rpc(self.v)
        self.addCleanup(rpc.close)
        self.assertEqual(rpc.call("vault.configure")["error"]["data"]["type"], "invalid")


class OutOfReach(Case):
    def test_one_that_is_merely_down_is_taken(self):
        vault = self.vault("[vault default]\ntls = optional\n")
        token = vault.write("telegram-token", TOKEN + "\n")
        vault.configure(f"[vault default]\ntls = optional\nnotify = telegram\n[notify telegram]\nbot-token = file:{token}\n"
                        f"api-base = http://127.0.0.1:9\n[approver alice]\ntelegram = {ALICE}\n")
        done = vault.admin("config", "apply")
        self.assertEqual(done["changes"], ["notify telegram added", "approver alice added"])
        self.assertNotEqual(vault.admin("status")["plugins"][1]["state"], "ready")


if __name__ == "__main__":
    unittest.main()
