"""Wrong configuration: every mistake with file, line and the nearest name, all at once, exit 3."""
import os
import re
import shutil
import tempfile
import unittest

from lib import paths
from lib.case import TOKEN, Case, is_root
from lib.vault import Failed, Vault, run

GOOD = """\
[vault default]
store = sqlite
notify = telegram

[notify telegram]
plugin = telegram
bot-token = file:{token}
api-base = http://127.0.0.1:9

[approver alice]
telegram = 42
"""

WRONG = """\
[vault default]
store = sqlit
notfy = telegram
quorum = none
tls = maybe
listen = 127.0.0.1:99999

[notify telegram]
bot-tokn = file:/nowhere
poll-timeout = 3h

[aprover alice]
telegram = 42

[approver bob]
telegramm = 43
this is no line
"""


class Config(Case):
    def setUp(self):
        self.v = Vault(None)
        self.addCleanup(self.v.close)
        self.token = self.v.write("token", TOKEN + "\n")

    def check(self, text, *more):
        self.v.configure(text)
        return run("--json", *more, "--config", self.v.config_path, "config", "check")

    def refused(self, text, line, *parts):
        """Refused by `config check` and by `local`, with file and line."""
        result = self.check(text)
        self.assert_fails(result, 3, "config")
        where = f"{self.v.config_path}:{line}: " if line else self.v.config_path
        said = [text for text in result.error["message"].splitlines() if where in text]
        self.assertTrue(any(all(p in text for p in parts) for text in said), (where, parts, result))
        with self.assertRaises(Failed) as caught:
            self.v.start()
        self.assertEqual(caught.exception.status, 3)
        self.assertIn(where, caught.exception.message)
        self.assertNotIn("\n** (", caught.exception.message)

    def test_a_good_one(self):
        result = self.check(GOOD.format(token=self.token))
        self.assertEqual(result.status, 0, result)

    def test_all_mistakes_at_once(self):
        result = self.check(WRONG)
        self.assert_fails(result, 3, "config")
        lines = {int(n) for n in re.findall(re.escape(self.v.config_path) + r":(\d+): ", result.err)}
        self.assertEqual(lines & {2, 3, 4, 5, 6, 9, 10, 12, 16, 17}, {2, 3, 4, 5, 6, 9, 10, 12, 16, 17}, result)
        for near in ("sqlite", "notify", "bot-token", "approver"):
            self.assertIn(f"did you mean '{near}'", result.err)

    def test_an_unknown_key(self):
        self.refused("[vault default]\nstor = sqlite\n", 2, "no key 'stor'", "did you mean 'store'")

    def test_an_unknown_group(self):
        self.refused("[vault default]\n\n[notfy telegram]\n", 3, "notfy", "did you mean 'notify'")

    def test_an_unknown_plugin(self):
        self.refused("[vault default]\nstore = sqlit\n", 2, "sqlit", "did you mean 'sqlite'")

    def test_a_dangling_name(self):
        self.refused(GOOD.format(token=self.token).replace("notify = telegram", "notify = telegran"), 3,
                     "telegran", "did you mean 'telegram'")

    def test_a_notifier_with_no_approver(self):
        text = GOOD.format(token=self.token).split("[approver")[0]
        self.refused(text, 3, "no approver", "telegram")

    def test_a_quorum_that_nobody_can_reach(self):
        self.refused(GOOD.format(token=self.token).replace("notify =", "quorum = 2\nnotify ="), 3, "quorum")

    def test_an_approver_twice(self):
        self.refused(GOOD.format(token=self.token) + "\n[approver bob]\ntelegram = 42\n", 14, "alice")

    def test_values_that_are_none(self):
        for line, part in (("tls = sometimes", "tls"), ("quorum = 0", "quorum"), ("quorum = 1.5", "quorum"),
                           ("listen = nowhere", "listen"), ("allow-emulation = perhaps", "allow-emulation"),
                           ("agent-rate = 99999999999999999999", "agent-rate")):
            with self.subTest(line):
                self.refused(f"[vault default]\n{line}\n", 2, part)

    def test_plain_http_leaves_only_this_machine(self):
        self.refused(GOOD.format(token=self.token).replace("http://127.0.0.1:9", "http://example.org"), 8, "api-base")

    def test_a_value_in_place_of_where_it_lies(self):
        result = self.check(GOOD.format(token=self.token).replace(f"file:{self.token}", TOKEN))
        self.assert_fails(result, 3, "config", ":7: ", "bot-token")
        self.assertNotIn(TOKEN.split(":")[1], result.err + result.out.decode())

    def test_doubled_things(self):
        self.refused("[vault default]\nstore = sqlite\nstore = sqlite\n", 3, "second time")
        self.refused("[vault default]\n[vault default]\n", 2, "second time")

    def test_no_vault(self):
        self.refused("# nothing\n", None, "no vault")

    def test_no_file(self):
        result = run("--json", "--config", self.v.home + "/none", "config", "check")
        self.assertEqual(result.status, 3, result)

    def test_noise(self):
        for text in ("\xff\xfe", "[", "[]", "=\n", "[vault default\n", "x" * 100_000, "[vault default]\nstore = \\q\n"):
            with self.subTest(text[:20]):
                self.v.write("secret-proxy.conf", text.encode("latin-1"))
                self.v.config_path = self.v.home + "/secret-proxy.conf"
                result = run("--json", "--config", self.v.config_path, "config", "check")
                self.assert_fails(result, 3, "config", self.v.config_path)

    def test_a_file_that_others_can_write(self):
        self.v.configure("[vault default]\n")
        os.chmod(self.v.config_path, 0o666)
        result = run("--json", "--config", self.v.config_path, "config", "check")
        self.assert_fails(result, 3, "config", self.v.config_path)


class Tokens(Case):
    def local(self, token_line):
        vault = Vault(None)
        self.addCleanup(vault.close)
        vault.configure(GOOD.format(token="/x").replace("file:/x", token_line.format(home=vault.home)))
        return vault

    def failure(self, vault):
        with self.assertRaises(Failed) as caught:
            vault.start()
        return caught.exception

    def test_no_token_file(self):
        error = self.failure(self.local("file:{home}/nothing"))
        self.assertIn(error.status, (3, 5))
        self.assertIn("/nothing", error.message)

    def test_a_token_file_that_others_can_read(self):
        vault = self.local("file:{home}/token")
        vault.write("token", TOKEN, 0o644)
        error = self.failure(vault)
        self.assertEqual(error.status, 3, error)
        self.assertIn("/token", error.message)
        self.assertNotIn(TOKEN.split(":")[1], error.message)

    def test_a_token_that_is_none(self):
        vault = self.local("file:{home}/token")
        vault.write("token", "hello world\n")
        vault.start()
        from lib.wait import until
        why = until(lambda: next((p["why"] for p in vault.admin("status")["plugins"] if p["kind"] == "notify"
                                  and "bot-token" in p.get("why", "")), None), "a notifier that says what is wrong")
        self.assertNotIn("hello", why)
        vault.put("db", "x")
        self.assert_problem(vault.agent().post("db"), 503, "notifier")


class Plugins(Case):
    """Plugin folders that are not to be trusted, and plugins that are none."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sp-plugins-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        for name in os.listdir(paths.PLUGINS):
            if name.endswith(".so"):
                shutil.copy(os.path.join(paths.PLUGINS, name), self.folder)
        os.chmod(self.folder, 0o755)

    def local(self, config="[vault default]\n"):
        vault = Vault(config, arguments=["--plugin-dir", self.folder])
        self.addCleanup(vault.close)
        return vault

    def refused(self, config, *parts):
        with self.assertRaises(Failed) as caught:
            self.local(config).start()
        self.assertEqual(caught.exception.status, 3, caught.exception)
        for part in parts:
            self.assertIn(part, caught.exception.message)

    def test_a_folder_of_ones_own(self):
        self.local().start()

    def test_a_missing_plugin(self):
        os.remove(self.folder + "/store-sqlite.so")
        self.refused("[vault default]\n", "sqlite", self.folder)

    def test_a_folder_that_others_can_write(self):
        for mode in (0o777, 0o775):
            os.chmod(self.folder, mode)
            self.refused("[vault default]\n", self.folder, "chmod go-w")

    def test_a_plugin_that_others_can_write(self):
        os.chmod(self.folder + "/store-sqlite.so", 0o666)
        self.refused("[vault default]\n", "store-sqlite.so", "chmod go-w")

    def test_a_folder_of_somebody_else(self):
        if not is_root():
            self.skipTest("needs root")
        os.chown(self.folder, 65534, 65534)
        self.refused("[vault default]\n", self.folder, "65534")

    def test_no_folder(self):
        shutil.rmtree(self.folder)
        self.refused("[vault default]\n", self.folder)

    def test_a_file_that_is_no_plugin(self):
        with open(self.folder + "/store-sqlite.so", "wb") as file:
            file.write(b"\x7fELF" + b"\0" * 100)
        self.refused("[vault default]\n", "store-sqlite.so")

    def bad(self, name):
        path = os.path.join(paths.BAD_PLUGINS, f"notify-{name}.so")
        if not os.path.exists(path):
            self.skipTest(f"{path} is not built")
        shutil.copy(path, self.folder)
        os.chmod(f"{self.folder}/notify-{name}.so", 0o755)
        return f"[vault default]\nnotify = {name}\n[notify {name}]\n[approver a]\n{name} = 1\n"

    def test_another_abi(self):
        self.refused(self.bad("wrong-abi"), "ABI", "build it anew")

    def test_plugins_that_misbehave_when_they_are_loaded(self):
        for name, part in (("no-symbol", "sp_plugin"), ("returns-nothing", "nothing"), ("dies-on-load", "dies-on-load"),
                           ("wrong-name", "wrong-name"), ("no-post", "post")):
            with self.subTest(name):
                self.refused(self.bad(name), part)


if __name__ == "__main__":
    unittest.main()
