"""The style checker sees what it should: a bad example for each rule, and good ones that it lets pass."""
import unittest

import style

HEAD = "/* what.c - what it is */\n"


def rules(path, text):
    return sorted({rule for _, rule, _ in style.check_text(path, HEAD + text)})


class Bad(unittest.TestCase):
    def test_includes_against_the_layers(self):
        for path, name in (("core/base/a.c", "vault/seal.h"), ("core/vault/a.c", "daemon/gate.h"),
                           ("core/host/a.c", "vault/vault.h"), ("core/daemon/a.c", "host/resident/local.h"),
                           ("core/plugin/a.c", "vault/vault.h"), ("core/cli/a.c", "daemon/gate.h"),
                           ("core/base/a.c", "../vault/seal.h")):
            self.assertEqual(rules(path, f'#include "{name}"\n'), ["include"], (path, name))

    def test_includes_of_plugins(self):
        for line in ('#include "base/json.h"', "#include <core/base/json.h>", '#include "not-there.h"'):
            self.assertEqual(rules("plugins/store-sqlite/a.c", line + "\n"), ["include"], line)
        for path in ("plugins/store-sqlite/a.c", "plugins/notify-telegram/a.c"):
            self.assertEqual(rules(path, '#include "netguard.h"\n'), ["include"], path)
        self.assertEqual(rules("plugins/vm-common/a.c", '#include "argv.h"\n'), ["include"])

    def test_includes_of_public_headers(self):
        self.assertEqual(rules("core/include/secret-proxy/a.h", '#include "plugin.h"\n'), ["include"])

    def test_calls(self):
        for call in ("strcpy (a, b)", "strcat (a, b)", "sprintf (a, b)", "gets (a)", "system (a)", "popen (a, b)",
                     "g_spawn_command_line_sync (a)", "g_spawn_command_line_async (a)", "g_assert (a)", "strcpy(a, b)",
                     "json_parser_load_from_data (a)", "json_from_string (a)"):
            self.assertEqual(rules("core/base/a.c", f"int a = {call};\n"), ["call"], call)

    def test_goto(self):
        self.assertEqual(rules("core/base/a.c", "  goto out;\n"), ["goto"])

    def test_marks(self):
        for mark in ("TODO", "FIXME", "XXX"):
            self.assertEqual(rules("core/base/a.c", f"/* {mark}: later */\n"), ["mark"])

    def test_opening(self):
        self.assertEqual([r for _, r, _ in style.check_text("core/base/a.c", "#include <glib.h>\n")], ["opening"])

    def test_lengths(self):
        self.assertEqual(rules("core/base/a.c", "\n" * 501), ["file-length"])
        body = "static void\nlong_one (void)\n{\n" + "  x ();\n" * 81 + "}\n"
        found = style.check_text("core/base/a.c", HEAD + body)
        self.assertEqual([(r, w.split("(")[0]) for _, r, w in found], [("function-length", "long_one")])

    def test_names_of_plugins(self):
        for line in ('const char *a = "telegram";', "int sqlite_rows;", '  "store = sqlite\\n"', "Telegram x;"):
            self.assertEqual(rules("core/daemon/a.c", line + "\n"), ["plugin-name"], line)


class Good(unittest.TestCase):
    def test_includes_along_the_layers(self):
        for path, name in (("core/vault/a.c", "base/json.h"), ("core/daemon/a.c", "vault/vault.h"),
                           ("core/cli/a.c", "host/resident/local.h"), ("core/base/a.c", "sp-build.h")):
            self.assertEqual(rules(path, f'#include "{name}"\n#include <glib.h>\n'), [], (path, name))
        self.assertEqual(rules("plugins/store-sqlite/a.c", "#include <secret-proxy/store.h>\n#include <sqlite3.h>\n"), [])
        self.assertEqual(rules("plugins/vm-qemu/a.c", '#include "netguard.h"\n#include "argv.h"\n'), [])

    def test_words_in_comments_and_strings(self):
        for line in ("/* strcpy (a, b) would goto */", 'char *a = "system (x)";', "/* telegram */", "my_system (1);",
                     "self->system (1);", "x.gets (1);"):
            self.assertEqual(rules("core/base/a.c", line + "\n"), [], line)

    def test_assertions_in_tests(self):
        self.assertEqual(rules("tests/core/a.c", "g_assert_true (1);\n"), [])

    def test_the_one_place_for_json(self):
        self.assertEqual(rules("core/base/json.c", "json_parser_load_from_data (a);\n"), [])

    def test_lines_are_counted_in_bodies(self):
        text = "static int\na (void)\n{\n  return 1;\n}\n\nstatic int\nb (int x)\n{\n  x++;\n  return x;\n}\n"
        self.assertEqual([(n, length) for n, _, length in style.functions(text)], [("a", 1), ("b", 2)])


if __name__ == "__main__":
    unittest.main()
