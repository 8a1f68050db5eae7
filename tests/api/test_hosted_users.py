"""Whose user a notifier with `where = host` is, and what it may do as that."""
import os
import pwd
import unittest

from lib.case import is_root
from lib.vault import run
from lib.wait import until
from test_hosted import PYTHON, HostCase


class Users(HostCase):
    def test_it_owns_nothing(self):
        self.begin("approve")
        self.decided(self.agent.ask("db"), "approved")
        uid = self.wait_seen()["uid"]
        if is_root():
            self.assertTrue(61184 <= uid <= 65519, uid)
            self.assertEqual(self.wait_seen()["groups"], [])
        else:
            self.assertEqual(uid, os.geteuid())

    @unittest.skipUnless(is_root(), "only root runs programs as another user")
    def test_run_as(self):
        self.begin("approve", "run-as = nobody")
        self.decided(self.agent.ask("db"), "approved")
        told, nobody = self.wait_seen(), pwd.getpwnam("nobody")
        self.assertEqual((told["uid"], told["environment"]["USER"]), (nobody.pw_uid, "nobody"))
        self.assertEqual(told["groups"], sorted(os.getgrouplist("nobody", nobody.pw_gid)))

    @unittest.skipUnless(is_root(), "for root everything can be run")
    def test_a_program_that_its_user_cannot_run(self):
        self.begin("approve", start=False)
        os.chmod(self.v.home, 0o700)
        with open(self.v.config_path, encoding="utf-8") as file:
            text = file.read().replace("command = " + PYTHON + ", ", "command = ")
        self.v.configure(text)
        self.v.start()
        until(lambda: self.notifier()["state"] == "failed", "its failure", 20)
        self.assertIn("cannot run " + self.program, self.notifier()["why"])

    def test_never_as_root(self):
        for name, words in (("root", "root"), ("no-such-user", "no user 'no-such-user'")):
            with self.subTest(name):
                self.begin("approve", "run-as = " + name, start=False)
                result = run("--config", self.v.config_path, "config", "check")
                self.assertEqual(result.status, 3, result)
                self.assertIn(words, result.err)


if __name__ == "__main__":
    unittest.main()
