"""`config apply` where notifiers run on the host: exchanged, moved to the vault and back, run as another user."""
import os
import pwd
import shutil
import unittest

from lib import processes
from lib.case import is_root
from lib.wait import until
from test_apply import BAD, ApplyCase, bad


class HostedCase(ApplyCase):
    """Besides Telegram there is `auto`, which says yes at once."""

    def with_auto(self, more, plugin="honest"):
        self.notify = "telegram, auto"
        self.sections = BAD.format(name="auto", plugin=bad(plugin), more=more)
        self.people["bob"] = "auto = 7"

    def of_auto(self):
        """The plugin hosts beside the resident process."""
        return [p for p in processes.children(self.v.pid) if processes.comm(p) == "sp-plugin"]

    def wait_ready(self):
        until(lambda: self.plugins()["auto"]["state"] == "ready", "that it is ready", 20)

    def approves(self):
        self.wait_status(self.a.ask("db")["id"], "approved")


class Exchanged(HostedCase):
    def test_from_the_vault_to_the_host_and_back(self):
        """What waits is decided on either side, and there are never two of it."""
        self.with_auto("interval = 2s\n")
        self.apply()
        self.approves()
        self.assertEqual(self.of_auto(), [])
        for where, there in (("host", 1), ("vault", 0), ("host", 1)):
            self.with_auto(f"interval = 2s\nwhere = {where}\n")
            self.assertEqual(self.apply()["changes"], ["notify auto: interval, where"])
            self.wait_ready()
            self.assertEqual(len(self.of_auto()), there)
            self.assertEqual(len(self.v.all_processes()), 7)
            self.approves()
        self.v.verify()

    @unittest.skipUnless(is_root(), "only root runs programs as another user")
    def test_another_user(self):
        """Who finds nothing of the one before in the folder that was this one's."""
        self.with_auto("where = host\n")
        self.apply()
        self.wait_ready()
        first, = self.of_auto()
        folder = os.path.join(self.v.folder, "notifiers", "notify-auto")
        os.symlink("/etc/passwd", os.path.join(folder, "answer.sock"))
        os.mkdir(os.path.join(folder, "empty"))
        nobody = pwd.getpwnam("nobody").pw_uid
        for more in ("where = host\nrun-as = nobody\n", "where = host\n"):
            self.with_auto(more)
            self.assertEqual(self.apply()["changes"], ["notify auto: run-as"])
            self.wait_ready()
            second, = self.of_auto()
            self.assertEqual(processes.uid_of(second), os.stat(folder).st_uid)
            self.assertEqual(processes.uid_of(second) == nobody, "nobody" in more)
            self.assertEqual(os.listdir(folder), [])
            self.approves()
        self.assertNotEqual(first, second)

    @unittest.skipUnless(is_root(), "only root runs programs as another user")
    def test_another_user_left_more_than_files(self):
        self.with_auto("where = host\n")
        self.apply()
        self.wait_ready()
        folder = os.path.join(self.v.folder, "notifiers", "notify-auto")
        os.makedirs(os.path.join(folder, "full", "of"))
        self.with_auto("where = host\nrun-as = nobody\n")
        self.apply()
        until(lambda: "remove it" in self.plugins()["auto"].get("why", ""), "why it can't be started", 20)
        shutil.rmtree(os.path.realpath(folder))
        self.wait_ready()
        self.approves()

    def test_its_secret_alone(self):
        path = self.v.write("auto-token", "first")
        self.with_auto(f"where = host\ntoken = file:{path}\n")
        self.apply()
        self.approves()
        self.v.write("auto-token", "another one")
        self.assertEqual(self.apply()["changes"], ["notify auto: token"])
        self.wait_ready()
        self.approves()
        until(lambda: "token of 11" in str(self.v.audit()), "the new secret")

    def test_all_at_once(self):
        """Some go, some come, one moves, and others decide: nobody is left out, and none is there twice."""
        self.with_auto("where = host\n")
        self.apply()
        self.wait_ready()
        for names, hosted in ((("second", "third"), ("second",)), (("third", "auto"), ("third", "auto"))):
            self.notify = ", ".join(names)
            self.sections = "".join(
                BAD.format(name=name, plugin=bad("honest"), more="where = host\n" if name in hosted else "")
                for name in names)
            self.people = {"bob": f"{names[0]} = 7", "carol": f"{names[1]} = 8"}
            self.vault_keys = "quorum = 2\n"
            self.apply()
            self.approves()
            self.assertEqual(list(self.plugins()), ["sqlite", *names])
            until(lambda n=len(hosted): len(self.of_auto()) == n, "those on the host")
            until(lambda: len(self.v.all_processes()) == 7, "that the others have ended")
        self.v.verify()


class TakenBack(HostedCase):
    def refuse(self, more):
        self.with_auto(more)
        self.notify += ", bad"
        self.sections += BAD.format(name="bad", plugin=bad("fails-in-open"), more="")
        self.people["carol"] = "bad = 1"
        self.refused("notify bad: ")

    def test_it_goes_on_as_it_was(self):
        self.with_auto("where = host\ninterval = 2s\n")
        self.apply()
        self.wait_ready()
        for more in ("where = host\ninterval = 3s\n", "interval = 2s\n"):
            self.refuse(more)
            self.wait_ready()
            self.assertEqual(len(self.of_auto()), 1)
            self.approves()
            self.assertNotIn("every 3000 ms", self.v.log())

    def test_one_that_could_not_be_opened(self):
        """There is nothing to go on with."""
        for where in ("vault", "host"):
            self.with_auto(f"critical = no\nwhere = {where}\n", "no-such-thing")
            self.apply()
            keeper = self.v.role("keeper")
            self.refuse(f"where = {where}\n")
            self.approve_by_alice()
            self.assertEqual(self.plugins()["auto"]["state"], "failed")
            self.assertEqual(self.v.role("keeper"), keeper)
            del self.people["carol"]

    def approve_by_alice(self):
        asked = self.a.ask("db")
        self.tap(asked, "Approve once")
        self.wait_status(asked["id"], "approved")


if __name__ == "__main__":
    unittest.main()
