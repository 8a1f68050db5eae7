"""Notifiers that hang, crash or can't be opened, beside one that works: nothing else goes down, and they are named."""
import os
import re
import unittest

from lib import paths
from lib.case import Case
from lib.vault import Failed, run
from lib.wait import until

HEAD = """\
[vault default]
tls = optional
notify = auto{others}

[notify auto]
plugin = {bad}/notify-honest.so
"""
OTHER = """
[notify {name}]
plugin = {plugin}
critical = {critical}
{more}
"""


def bad(name):
    return os.path.join(paths.BAD_PLUGINS, f"notify-{name}.so")


class BrokenCase(Case):
    def beside(self, others, start=True):
        """A vault with a notifier that says yes at once; `others`: name -> (plugin, critical, more)."""
        text = HEAD.format(others="".join(f", {name}" for name in others), bad=paths.BAD_PLUGINS)
        ids = "auto = 1\n"
        for name, (plugin, critical, more) in others.items():
            text += OTHER.format(name=name, plugin=plugin, critical=critical, more=more)
            ids += f"{name} = 1\n"
        vault = self.vault(text + "\n[approver alice]\n" + ids, start=False)
        return vault.start() if start else vault

    def health(self, vault):
        result = vault.cli("--json", "health")
        self.assertEqual(result.status, 0 if result.json["status"] == "ok" else 4)
        return result.json

    def broken(self, vault):
        return {p["name"]: p for p in self.health(vault)["broken"]}

    def ask(self, vault, agent):
        number = agent.ask("db")["id"]
        until(lambda: agent.look(number)["status"] == "approved", "the approval", 20)
        self.assertEqual(agent.redeem(number).json["value"], "hunter2")

    def served(self, vault):
        """Requests go on through the good one."""
        until(lambda: vault.anonymous().call("GET", "/health").status == 200, "health", 20)
        vault.put("db", "hunter2")
        agent = vault.agent()
        for _ in range(3):
            self.ask(vault, agent)
        return agent


class NotCritical(BrokenCase):
    def check(self, plugin, states, why, more=""):
        vault = self.beside({"bad": (plugin, "no", more)})
        until(lambda: self.broken(vault).get("bad", {}).get("state") in states, "that it is noticed", 30)
        self.served(vault)
        broken = until(lambda: self.broken(vault).get("bad"), "that it is named", 30)
        self.assertEqual((broken["kind"], broken["critical"]), ("notify", False))
        self.assertIn(why, broken["why"])
        self.assertRegex(broken["since"], r"^\d{4}-\d\d-\d\dT")
        self.assertEqual(self.health(vault)["status"], "ok")
        text = vault.cli("health").out.decode()
        self.assertTrue(text.startswith("the vault works\nnotify bad is "), text)
        self.assertIn("serves without it", text)

    def test_one_that_hangs_when_it_is_opened(self):
        self.check(bad("hangs-in-open"), ("down",), "")

    def test_one_that_does_not_open(self):
        self.check(bad("fails-in-open"), ("failed",), "")

    def test_one_that_says_it_can_not(self):
        """It says so with its first notice."""
        vault = self.beside({"bad": (bad("troubled"), "no", "")})
        agent = self.served(vault)
        until(lambda: self.broken(vault).get("bad", {}).get("state") == "troubled", "that it is noticed", 30)
        self.ask(vault, agent)
        self.assertEqual(self.health(vault)["status"], "ok")

    def test_one_that_is_no_plugin(self):
        self.check("nowhere", ("failed",), "no notify plugin 'nowhere'")

    def test_one_that_can_not_be_loaded(self):
        self.check(bad("no-symbol"), ("failed",), "sp_plugin")

    def test_a_secret_that_is_not_there(self):
        self.check(bad("honest"), ("failed",), "/nothing/here", "token = file:/nothing/here")

    def test_one_that_dies_with_each_notice(self):
        vault = self.beside({"bad": (bad("dies"), "no", "")})
        agent = self.served(vault)
        # It is started again each time, so it may be ready at the moment.
        until(lambda: "notify bad: its process was ended by signal 9 (Killed)" in vault.log(), "its end", 30)
        self.ask(vault, agent)

    def test_one_that_lets_its_deadline_pass_does_not_hold_the_others_up(self):
        vault = self.beside({"bad": (bad("ignores-deadline"), "no", "")})
        self.served(vault)


class Critical(BrokenCase):
    def test_the_start_fails_where_it_can_not_be_opened_at_all(self):
        for plugin, more, words in (("nowhere", "", "no notify plugin 'nowhere'"),
                                    (bad("honest"), "token = file:/nothing/here", "[notify bad] token")):
            vault = self.beside({"bad": (plugin, "yes", more)}, start=False)
            with self.assertRaises(Failed) as caught:
                vault.start()
            self.assertEqual(caught.exception.status, 3)
            self.assertIn(words, caught.exception.message)

    def test_nothing_is_asked_while_it_does_not_work(self):
        vault = self.beside({"bad": (bad("troubled"), "yes", "")})
        until(lambda: self.health(vault)["status"] == "ok", "the start", 30)
        vault.put("db", "hunter2")
        agent = vault.agent()
        self.ask(vault, agent)
        until(lambda: self.health(vault)["status"] == "notifier", "that it is noticed", 30)
        self.assertEqual(vault.anonymous().call("GET", "/health").json["status"], "notifier")
        self.assert_problem(agent.call("POST", "/v1/requests", {"secret": "db", "reason": "x"}), 503, "notifier")
        self.assertTrue(vault.cli("health").out.decode().startswith("the vault does not work: notifier\nnotify bad is troubled"))
        # As soon as the vault may do without it, it does.
        with open(vault.config_path, encoding="utf-8") as file:
            vault.configure(file.read().replace("critical = yes", "critical = no"))
        self.assertEqual(vault.admin("config", "apply")["changes"], ["notify bad: critical"])
        self.assertEqual(self.broken(vault)["bad"]["state"], "troubled", "it was not touched")
        self.ask(vault, agent)

    def test_one_that_is_not_critical_may_fail_in_an_apply(self):
        vault = self.beside({})
        self.served(vault)
        with open(vault.config_path, encoding="utf-8") as file:
            text = file.read().replace("notify = auto", "notify = auto, bad")
        vault.configure(text + "bad = 1\n" + OTHER.format(name="bad", plugin=bad("fails-in-open"), critical="no", more=""))
        self.assertEqual(vault.admin("config", "apply")["changes"], ["notify bad added", "approver alice: bad"])
        self.assertEqual(self.broken(vault)["bad"]["state"], "failed")
        self.ask(vault, vault.agent("other"))


class Listed(BrokenCase):
    def uses(self, result, kind, name):
        return [use for item in result["items"] if (item.get("kind"), item.get("name")) == (kind, name) for use in item["use"]]

    def test_without_config_and_vault(self):
        result = run("--json", "--vault", "/nowhere/", "plugin", "list")
        self.assertEqual(result.status, 0)
        self.assertIn("could not be asked", result.err)
        found = {(i["kind"], i["name"]): i for i in result.json["items"]}
        self.assertEqual(found[("store", "sqlite")]["use"], [])
        self.assertTrue(found[("notify", "telegram")]["version"])

    def test_who_uses_it_and_how_it_is(self):
        vault = self.beside({"bad": (bad("troubled"), "no", "")})
        listed = vault.admin("plugin", "list")
        [store] = self.uses(listed, "store", "sqlite")
        self.assertEqual((store["vault"], store["instance"], store["state"]), (vault.folder + "/", "sqlite", "ready"))
        # By its path, with the config: those that lie elsewhere.
        result = run("--json", "--config", vault.config_path, "--vault", "default", "plugin", "list",
                     env={"SECRET_PROXY_STATE_DIR": vault.home + "/none"})
        [use] = self.uses(result.json, "notify", "troubled")
        self.assertEqual((use["vault"], use["instance"], use["where"], use["critical"]), ("default", "bad", "vault", False))
        self.assertIn("vault default could not be asked", result.err)

    def test_one_that_can_not_be_loaded_has_its_reason(self):
        result = run("--json", "--plugin-dir", paths.BAD_PLUGINS, "--vault", "/nowhere/", "plugin", "list", timeout=120)
        found = {i["name"]: i for i in result.json["items"]}
        self.assertIn("sp_plugin", found["no-symbol"]["error"])
        self.assertNotIn("error", found["honest"])
        text = run("--plugin-dir", paths.BAD_PLUGINS, "--vault", "/nowhere/", "plugin", "list", timeout=120).out.decode()
        [line] = [line for line in text.splitlines() if "notify-no-symbol.so" in line]
        self.assertIn(found["no-symbol"]["error"][:40], line)


if __name__ == "__main__":
    unittest.main()
