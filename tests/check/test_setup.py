"""What plugin check is given: files that are no plugins, folders, a config file; and what it leaves behind."""
import os
import shutil
import subprocess
import tempfile
import unittest

from kit import PROGRAM, bad, check, tree

CONFIG = """\
[vault default]
notify = mine

[notify mine]
plugin = {plugin}
bot-token = file:{folder}/token
api-base = http://127.0.0.1:9

[approver alice]
mine = {person}
"""


class Setup(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def put(self, name, text=None, copy=None):
        path = os.path.join(self.folder, name)
        if copy:
            shutil.copyfile(copy, path)
        else:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def assert_fails(self, verdict, point, *parts):
        self.assertEqual(list(verdict.failed), [point], verdict.out)
        self.assertEqual(verdict.status, 1)
        for part in parts:
            self.assertIn(part, "\n".join(verdict.failed[point]))

    def test_a_text_file(self):
        verdict = check(self.put("notify-text.so", "hello, I am a plugin\n" * 10))
        self.assert_fails(verdict, "file/elf", "it is no ELF file", "mend: build it with shared_module()")

    def test_a_wrong_path_is_no_verdict(self):
        for path, why in ((os.path.join(self.folder, "notify-nowhere.so"), "No such file"), (self.folder, "a folder")):
            done = subprocess.run([PROGRAM, "plugin", "check", path], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (5, ""), done)
            self.assertIn(why, done.stderr)

    def test_an_empty_file(self):
        self.assert_fails(check(self.put("notify-text.so", "")), "file/elf", "mend: ")

    def test_a_program(self):
        verdict = check(self.put("notify-program.so", copy="/bin/true"))
        self.assertIn(list(verdict.failed), (["file/elf"], ["file/one-symbol"]), verdict.out)

    def test_a_damaged_file(self):
        with open(bad("notify-honest"), "rb") as file:
            whole = file.read()
        for length in (16, 64, 200, len(whole) // 2):
            with self.subTest(length):
                path = os.path.join(self.folder, "notify-honest.so")
                with open(path, "wb") as file:
                    file.write(whole[:length])
                self.assert_fails(check(path), "file/elf", "mend: ")

    def test_a_name_that_is_none(self):
        verdict = check(self.put("my.so", copy=bad("notify-honest")))
        self.assert_fails(verdict, "file/name", "my.so is not named KIND-NAME.so", "notify-NAME.so")

    def test_a_folder_that_others_can_write_to(self):
        path = self.put("notify-honest.so", copy=bad("notify-honest"))
        os.chmod(self.folder, 0o777)
        self.assert_fails(check(path), "file/trusted", self.folder, "0777", "chmod go-w " + self.folder)

    def test_a_file_that_others_can_write_to(self):
        path = self.put("notify-honest.so", copy=bad("notify-honest"))
        os.chmod(path, 0o666)
        self.assert_fails(check(path), "file/trusted", path, "0666")

    def test_values_of_a_config_file(self):
        self.put("token", "123456:abcdef")
        plugin = tree("notify-telegram")
        config = self.put("check.conf", CONFIG.format(plugin=plugin, folder=self.folder, person=42))
        verdict = check(plugin, "--config", config)
        self.assertEqual((verdict.status, verdict.failed), (0, {}), verdict.err)
        self.assertNotIn("abcdef", verdict.out + verdict.err)
        # It is a number that it wants, and the suite's own people have been left out.
        config = self.put("other.conf", CONFIG.format(plugin=plugin, folder=self.folder, person="alice"))
        self.assert_fails(check(plugin, "--config", config), "life/least-options", "alice", "config file")

    def test_a_config_file_without_the_plugin(self):
        config = self.put("check.conf", "[vault default]\n")
        verdict = check(bad("notify-honest"), "--config", config)
        self.assertEqual(verdict.status, 5)
        self.assertIn(f"add [notify NAME] with 'plugin = {bad('notify-honest')}'", verdict.err)
        self.assertEqual(verdict.out, "")

    def test_nothing_stays(self):
        environment = {**os.environ, "TMPDIR": self.folder}
        for name in ("notify-leaks-process", "store-torn-write", "notify-honest"):
            subprocess.run([PROGRAM, "plugin", "check", bad(name)], capture_output=True, check=False,
                           timeout=60, env=environment)
            self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    unittest.main()
