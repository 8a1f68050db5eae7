"""`plugin new` against what is installed: the project is whole, builds without a warning, and passes its tests."""
import json
import os
import re
import tempfile
import unittest

import kit

KINDS = ("notify", "store", "vm")


class New(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.room = tempfile.TemporaryDirectory(prefix="sp-author-")
        cls.addClassCleanup(cls.room.cleanup)
        cls.installed = kit.install(cls.room.name)

    def folder(self, name):
        return os.path.join(self.room.name, name)

    def test_what_is_installed(self):
        headers = os.listdir(os.path.join(self.installed.prefix, "include", "secret-proxy"))
        self.assertEqual(sorted(headers), ["json.h", "notifier.h", "plugin.h", "store.h", "vm.h"])
        self.assertIn(f"-I{self.installed.prefix}/include", self.installed.pkg_config("--cflags"))
        self.assertIn("notify-file.so", os.listdir(self.installed.plugins))

    def test_each_kind_builds_and_passes(self):
        for kind in KINDS:
            for compiler in ("gcc", "clang"):
                with self.subTest(kind=kind, compiler=compiler):
                    folder = self.folder(f"{kind}-{compiler}")
                    self.installed.new(kind, "my-own2", folder)
                    said = self.installed.build(folder, compiler)
                    self.assertNotRegex(said, r"(?i)warning")
                    self.assertEqual(self.installed.test(folder), {"unit": "OK", "check": "OK"})

    def test_it_is_installed_beside_the_others(self):
        folder = self.installed.new("notify", "mine", self.folder("to-install"))
        self.installed.build(folder)
        kit.run("meson", "install", "-C", os.path.join(folder, "build"), env=self.installed.env)
        items = json.loads(kit.run(self.installed.program, "--json", "--plugin-dir", self.installed.plugins, "plugin", "list").stdout)["items"]
        found = {f"{item.get('kind')}-{item.get('name')}": item for item in items}
        self.assertNotIn("error", found["notify-mine"])
        self.assertIn("notify-file", found)
        shown = kit.run(self.installed.program, "plugin", "show", os.path.join(folder, "build", "notify-mine.so")).stdout
        self.assertIn("path  (path, required)", shown)

    def test_by_path_whatever_the_kind(self):
        for name in ("store-sqlite", "vm-qemu"):
            shown = kit.run(kit.PROGRAM, "--json", "plugin", "show", os.path.join(kit.BUILD, "plugins", name + ".so"))
            self.assertEqual(json.loads(shown.stdout)["name"], name.split("-")[1])
        refused = kit.run(kit.PROGRAM, "plugin", "show", "/etc/passwd", check=False)
        self.assertEqual(refused.returncode, 3)
        self.assertIn("KIND-NAME.so", refused.stderr)

    def test_the_readme_shows_the_options(self):
        for kind in KINDS:
            folder = self.installed.new(kind, "docs", self.folder(f"readme-{kind}"))
            with open(os.path.join(folder, f"{kind}-docs.c"), encoding="utf-8") as file:
                code = file.read()
            with open(os.path.join(folder, "README.md"), encoding="utf-8") as file:
                readme = file.read()
            for option in re.findall(r'\.key = "([^"]+)"', code):
                if kind != "vm" or option == "runner":
                    self.assertIn(option, readme)
            self.assertNotRegex(code + readme, r"@[A-Z]+@")


class Refusals(unittest.TestCase):
    def setUp(self):
        room = tempfile.TemporaryDirectory(prefix="sp-author-")
        self.addCleanup(room.cleanup)
        self.room = room.name

    def refused(self, status, words, *arguments):
        done = kit.run(kit.PROGRAM, "--json", "plugin", "new", *arguments, cwd=self.room, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(words, json.loads(done.stdout)["error"]["message"])

    def test_what_is_there_is_left_alone(self):
        os.mkdir(os.path.join(self.room, "notify-x"))
        told = json.loads(kit.run(kit.PROGRAM, "--json", "plugin", "new", "notify", "x", cwd=self.room).stdout)
        self.assertEqual(told["folder"], os.path.join(self.room, "notify-x"))
        self.assertEqual(sorted(os.listdir(told["folder"])), sorted(told["files"]))
        self.refused(6, "no empty folder", "notify", "x")
        with open(os.path.join(self.room, "file"), "w", encoding="utf-8") as file:
            file.write("mine")
        self.refused(6, "no empty folder", "notify", "y", "--dir", "file")
        self.refused(1, "No such file", "notify", "y", "--dir", "no/such")

    def test_names(self):
        self.refused(2, "did you mean 'notify'", "notfy", "x")
        for name in ("Upper", "a_b", "../x", "x" * 33, ""):
            self.refused(2, "is no name of a plugin", "notify", name)
        self.assertEqual(os.listdir(self.room), [])


class Templates(unittest.TestCase):
    """What authors begin with is code that is tested here in full."""

    def test_they_are_the_plugins_of_the_tree(self):
        for template, plugin in (("notify.c.in", "notify-file"), ("store.c.in", "store-memory")):
            with open(os.path.join(kit.TREE, "core", "cli", "templates", template), encoding="utf-8") as file:
                ours = file.read().split("*/", 1)[1].replace("@NAME@", plugin.split("-")[1])
            with open(os.path.join(kit.TREE, "plugins", plugin, plugin + ".c"), encoding="utf-8") as file:
                theirs = file.read().split("*/", 1)[1]
            self.assertEqual(ours, theirs, f"{template} and {plugin}.c differ below their first comment")


if __name__ == "__main__":
    unittest.main()
