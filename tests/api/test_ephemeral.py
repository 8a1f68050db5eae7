"""`local --ephemeral`: a vault without a folder, of which nothing is left."""
import os
import shutil
import signal
import unittest

from lib.case import PLAIN, Case
from lib.vault import Failed, run
from lib.wait import until

VALUE = "hunter2-of-the-database"


class Ephemeral(Case):
    def ephemeral(self, config=None):
        vault = self.vault(config, ephemeral=True)
        self.addCleanup(shutil.rmtree, vault.folder, ignore_errors=True)
        return vault

    def use(self, vault):
        vault.put("db", VALUE)
        agent = vault.agent()
        number = agent.ask("db")["id"]
        vault.approve(number)
        self.assertEqual(agent.redeem(number).json["value"], VALUE)
        self.assertGreater(vault.verify()["entries"], 4)
        return agent

    def use_again(self, vault):
        self.assertEqual([item["name"] for item in vault.admin("secret", "list")["items"]], ["db"])

    def files(self, vault):
        return sorted(os.path.relpath(os.path.join(folder, name), vault.folder)
                      for folder, _, names in os.walk(vault.folder) for name in names)

    def test_it_works_and_is_gone(self):
        vault = self.ephemeral()
        self.use(vault)
        self.assertIn("are gone when it ends", vault.log())
        self.assertEqual(os.stat(vault.folder).st_mode & 0o777, 0o700)
        self.assertEqual(vault.end(), 0)
        self.assertFalse(os.path.exists(vault.folder))

    def test_no_key_and_no_row_lies_in_a_file(self):
        vault = self.ephemeral()
        self.use(vault)
        # The anchor, a hash of the audit log, is written a moment later.
        until(lambda: "anchor" in self.files(vault), "the anchor")
        self.assertEqual(self.files(vault), ["admin.sock", "anchor", "lock"])

    def test_a_kill_leaves_no_key(self):
        vault = self.ephemeral()
        self.use(vault)
        vault.kill()
        self.assertLessEqual(set(self.files(vault)), {"admin.sock", "anchor", "lock"})

    def test_the_config_s_store_is_not_used(self):
        vault = self.ephemeral(PLAIN)
        self.use(vault)
        self.assertEqual(os.listdir(os.path.join(vault.folder, "state")), ["store-memory"])
        self.assertEqual(vault.admin("config", "apply")["needs_restart"], [])
        self.use_again(vault)

    def test_two_are_two(self):
        first, second = self.ephemeral(), self.ephemeral()
        self.use(first)
        self.assertNotEqual(first.folder, second.folder)
        self.assertEqual(second.admin("secret", "list")["items"], [])

    def test_rows_that_are_lost_are_not_begun_anew(self):
        vault = self.ephemeral()
        self.use(vault)
        until(lambda: "anchor" in self.files(vault), "the anchor")
        # The store ends with it.
        os.kill(vault.role("keeper"), signal.SIGKILL)
        self.assertEqual(until(lambda: vault.process.poll(), "its end", 20), 9)
        self.assertIn("cannot unlock the vault", vault.log())
        until(lambda: not os.path.exists(vault.folder), "the folder is gone")

    def test_either_a_folder_or_none(self):
        for arguments in ((), ("--ephemeral", os.path.join("/tmp", "x"))):
            self.assert_fails(run("--json", "local", *arguments), 2, "usage")

    def test_a_start_that_fails_leaves_nothing(self):
        vault = self.vault("[vault default]\nlisten = 203.0.113.1:3737\n", start=False, ephemeral=True)
        vault.env["XDG_RUNTIME_DIR"] = place = os.path.join(vault.home, "run")
        os.mkdir(place, 0o700)
        with self.assertRaises(Failed):
            vault.start()
        self.assertEqual(os.listdir(place), [])
        vault.configure(PLAIN)
        vault.start()
        self.assertEqual(os.path.dirname(vault.folder), place)


if __name__ == "__main__":
    unittest.main()
