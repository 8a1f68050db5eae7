"""docs/plugins: the page of each plugin of the tree is what the plugin says about itself.

To make one anew: secret-proxy plugin show KIND-NAME --markdown >docs/plugins/KIND-NAME.md
"""
import os
import unittest

import kit


class Pages(unittest.TestCase):
    def test_each_plugin_has_its_page(self):
        folders = sorted(name for name in os.listdir(os.path.join(kit.TREE, "plugins"))
                         if os.path.isdir(os.path.join(kit.TREE, "plugins", name)) and not name.endswith("-common"))
        pages = sorted(os.listdir(os.path.join(kit.TREE, "docs", "plugins")))
        self.assertEqual(pages, [name + ".md" for name in folders])
        for name in folders:
            with self.subTest(plugin=name):
                with open(os.path.join(kit.TREE, "docs", "plugins", name + ".md"), encoding="utf-8") as file:
                    self.assertEqual(file.read(), kit.run(kit.PROGRAM, "plugin", "show", name, "--markdown").stdout)
                self.assertTrue(os.path.exists(os.path.join(kit.TREE, "plugins", name, "README.md")))


if __name__ == "__main__":
    unittest.main()
