"""The appliance: the same packages give the same bytes, and changed bytes are seen."""
import os
import shutil
import subprocess
import tempfile
import unittest

from vmlib.image import image
from vmlib.paths import BIN
from vmlib.world import Done


class Images(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="sp-test-")
        self.addCleanup(shutil.rmtree, self.home, True)

    def run_(self, *arguments):
        env = {**os.environ, "SECRET_PROXY_STATE_DIR": self.home + "/state"}
        return Done(subprocess.run([os.path.join(BIN, "secret-proxy"), "--json", *arguments], capture_output=True, env=env,
                                   check=False, timeout=120))

    def copy(self):
        folder = os.path.join(self.home, "copy")
        shutil.copytree(image(), folder)
        return folder

    def test_building_twice_gives_the_same_bytes(self):
        ids = []
        for name in ("one", "two"):
            done = self.run_("image", "build", "--output", os.path.join(self.home, name))
            self.assertEqual(done.status, 0, done)
            ids.append(done.json["image"])
        self.assertEqual(*ids)
        for name in ("kernel", "initrd", "root", "manifest"):
            one, two = (open(os.path.join(self.home, n, name), "rb").read() for n in ("one", "two"))
            self.assertTrue(one == two, name)

    def test_a_changed_byte_of_any_part_is_seen(self):
        for name in ("kernel", "initrd", "root"):
            with self.subTest(name):
                folder = self.copy()
                with open(os.path.join(folder, name), "r+b") as file:
                    file.seek(4000)
                    byte = file.read(1)
                    file.seek(4000)
                    file.write(bytes([byte[0] ^ 1]))
                done = self.run_("image", "measure", folder)
                self.assertEqual(done.status, 9, done)
                self.assertIn(name, done.json["error"]["message"])
                self.assertEqual(self.run_("image", "import", folder).status, 9)
                shutil.rmtree(folder)
        self.assertEqual(self.run_("image", "measure").status, 5)

    def test_what_is_imported_can_be_exported(self):
        imported = self.run_("image", "import", image())
        self.assertEqual(imported.status, 0, imported)
        exported = self.run_("image", "export", os.path.join(self.home, "out"))
        self.assertEqual(exported.json["image"], imported.json["image"])
        self.assertEqual(self.run_("image", "measure", imported.json["image"]).json["root"], imported.json["root"])
        again = self.run_("image", "export", os.path.join(self.home, "out"))
        self.assertEqual(again.status, 6, again)

    def test_an_unknown_image_says_how_to_get_one(self):
        done = self.run_("image", "measure", "0" * 64)
        self.assertEqual(done.status, 5)
        self.assertIn("image build", done.json["error"]["message"])


if __name__ == "__main__":
    unittest.main()
