"""docs/plugins: the page of each plugin of the tree is what the plugin says about itself.

To make one anew: secret-proxy plugin show KIND-NAME --markdown >docs/plugins/KIND-NAME.md
"""
import json
import os
import unittest

import kit


class Pages(unittest.TestCase):
    def test_each_plugin_has_its_page(self):
        items = json.loads(kit.run(kit.PROGRAM, "--json", "plugin", "list").stdout)["items"]
        names = sorted(f"{item['kind']}-{item['name']}" for item in items)
        self.assertEqual(sorted(os.listdir(os.path.join(kit.TREE, "docs", "plugins"))), [name + ".md" for name in names])
        for name in names:
            with self.subTest(plugin=name):
                with open(os.path.join(kit.TREE, "docs", "plugins", name + ".md"), encoding="utf-8") as file:
                    self.assertEqual(file.read(), kit.run(kit.PROGRAM, "plugin", "show", name, "--markdown").stdout)
                self.assertTrue(os.path.exists(os.path.join(kit.TREE, "plugins", name, "README.md")))


if __name__ == "__main__":
    unittest.main()
