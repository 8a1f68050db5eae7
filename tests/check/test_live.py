"""plugin check --live: a notifier with its service behind it, a machine that really runs."""
import glob
import os
import shutil
import sys
import tempfile
import unittest

from kit import check, tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "botapi"))

from botapi import BotApi  # noqa: E402

CONFIG = """\
[vault default]
notify = mine

[notify mine]
plugin = {plugin}
bot-token = file:{folder}/token
api-base = {url}

[approver alice]
mine = 42
[approver bob]
mine = 43
"""


class Live(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def put(self, name, text):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_notices_reach_people(self):
        with BotApi() as api:
            api.set_limits(1000, 1000)
            self.put("token", api.token)
            plugin = tree("notify-telegram")
            config = self.put("check.conf", CONFIG.format(plugin=plugin, folder=self.folder, url=api.url))
            verdict = check(plugin, "--live", "--config", config, seconds=200)
            self.assertEqual((verdict.status, verdict.failed), (0, {}), verdict.out + verdict.err)
            self.assertEqual([name for name in verdict.skipped if name.startswith("notify/")], [])
            self.assertTrue(api.messages(42))
            self.assertNotIn(api.token, verdict.out + verdict.err)

    @unittest.skipUnless(os.geteuid() == 0, "machines need root here")
    def test_a_machine_runs(self):
        if not shutil.which("qemu-system-x86_64") or not glob.glob("/boot/vmlinuz-*"):
            self.skipTest("there is no QEMU or no kernel")
        verdict = check(tree("vm-qemu"), "--live", seconds=200)
        skipped = {name: why for name, why in verdict.skipped.items() if "sanitizer" not in why}
        self.assertEqual((verdict.failed, skipped), ({}, {}), verdict.out)


if __name__ == "__main__":
    unittest.main()
