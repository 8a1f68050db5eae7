"""./demo --notify: an author's notifier in the place of Telegram, in the form without a machine."""
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import kit
from test_guide import FLAGS, blocks, code_of

DEMO = os.path.join(kit.TREE, "tests", "demo", "local.py")
FILE = os.path.join(kit.BUILD, "plugins", "notify-file.so")
ENV = {"SECRET_PROXY_BIN": os.path.join(kit.BUILD, "core")}


def demo(*arguments):
    return kit.run(sys.executable, DEMO, *arguments, env=ENV, check=False).stdout


class Demo(unittest.TestCase):
    def setUp(self):
        room = tempfile.TemporaryDirectory(prefix="sp-demo-")
        self.addCleanup(room.cleanup)
        self.room = room.name

    def test_one_that_only_shows(self):
        for answer, event in (("--yes", "approved"), ("--deny", "denied")):
            with self.subTest(answer=answer):
                said = demo(answer, "--notify", FILE)
                self.assertTrue(said.endswith("\ndemo: ok\n"), said)
                self.assertIn("so the admin answers: request " + ("approve" if answer == "--yes" else "deny"), said)
                self.assertRegex(said, r"│   Reason \(the agent's claim\): run the schema migration")
                self.assertRegex(said, rf"(?i)│ \[\w+\] {event} by admin")
                home = re.search(r"option path = (\S+)/path-", said)[1]
                self.assertFalse(os.path.exists(home))

    def test_given_options_stay(self):
        path = os.path.join(self.room, "notices")
        said = demo("--yes", "--notify", FILE, f"path={path}")
        self.assertTrue(said.endswith("\ndemo: ok\n"), said)
        self.assertGreater(os.path.getsize(path), 100)
        # It is shown, and what was there before is not.
        self.assertEqual(said.count("run the schema migration"), 1, said)
        again = demo("--yes", "--notify", FILE, f"path={path}")
        self.assertEqual(again.count("run the schema migration"), 1, again)

    def test_one_that_does_not_get_through_is_named(self):
        for module, more, words in ((FILE, (f"path={self.room}/none/notices",), "file is troubled: cannot write to "),
                                    (os.path.join(kit.BUILD, "tests", "bad", "notify-unreachable.so"), (),
                                     "unreachable is troubled: the pigeon is out")):
            with self.subTest(module=module):
                said = demo("--yes", "--notify", module, *more)
                self.assertRegex(said, rf"the vault did its work, but {re.escape(words)}.*\n\ndemo: ok\n$")

    def test_an_answer_through_it(self):
        module, folder = os.path.join(self.room, "notify-folder.so"), os.path.join(self.room, "folder")
        os.mkdir(folder, 0o700)
        with open(os.path.join(self.room, "notify-folder.c"), "w", encoding="utf-8") as file:
            file.write(code_of("folder"))
        line = re.search(r"^cc .*$", "".join(blocks("sh")), re.M)[0].replace("lines", "folder")
        kit.run("sh", "-c", line, env=FLAGS, cwd=self.room)
        person = threading.Thread(target=self.answer, args=(folder,))
        person.start()
        said = demo("--yes", "--notify", module, f"folder={folder}")
        person.join()
        self.assertTrue(said.endswith("\ndemo: ok\n"), said)
        self.assertIn("your answer came through folder: approved", said)
        self.assertIn("request.approved by demo", said)

    def answer(self, folder):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    found = re.search(r": (\S+ approve) YOU", file.read())
                if found:
                    self.write(folder, found[1] + " demo\n")
                    return
            time.sleep(0.05)

    @staticmethod
    def write(folder, line):
        with open(os.path.join(folder, "x"), "w", encoding="utf-8") as file:
            file.write(line)
        os.rename(os.path.join(folder, "x"), os.path.join(folder, "x.answer"))

    def test_what_is_wrong_is_said(self):
        text = os.path.join(self.room, "notify-text.so")
        with open(text, "w", encoding="utf-8") as file:
            file.write("no plugin\n")
        cases = (((), "--notify needs the path"), (("/no/notify-x.so",), "No such file"), ((text,), "can't be loaded"),
                 ((FILE, "path=x"), "'x' is no absolute path"),
                 ((os.path.join(kit.BUILD, "tests", "bad", "notify-fails-in-open.so"),), "fails-in-open"),
                 ((FILE, "pth=/x"), "has no option pth: it has path"), ((FILE, "x"), "OPTION=VALUE"),
                 ((os.path.join(kit.BUILD, "plugins", "store-sqlite.so"),), "shows notifiers"))
        for arguments, words in cases:
            with self.subTest(arguments=arguments):
                said = demo("--yes", "--notify", *arguments)
                self.assertRegex(said, rf"(?m)^demo: failed: .*{re.escape(words)}")
                self.assertNotIn("Traceback", said)

    def test_the_script_takes_it(self):
        script = os.path.join(kit.TREE, "demo")
        self.assertEqual(subprocess.run(["bash", "-n", script], check=False).returncode, 0)
        for arguments, words in ((["--notify"], "needs the path"), (["--notify", FILE, "x"], "no option x")):
            done = subprocess.run([script, *arguments], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stdout)


if __name__ == "__main__":
    unittest.main()
