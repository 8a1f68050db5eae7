"""docs/plugin-guide.md: its code is compiled as it stands there, and works as it says."""
import os
import re
import sys
import tempfile
import unittest

import kit

sys.path.insert(0, os.path.join(kit.TREE, "tests", "api"))
os.environ["SECRET_PROXY_BIN"] = os.path.join(kit.BUILD, "core")

from lib.case import Case  # noqa: E402
from lib.wait import until  # noqa: E402

GUIDE = os.path.join(kit.TREE, "docs", "plugin-guide.md")
FLAGS = {"PKG_CONFIG_PATH": os.path.join(kit.BUILD, "meson-uninstalled")}

CONFIG = """\
[vault default]
notify = it
tls = optional

[notify it]
plugin = {plugin}
{option}

[approver alice]
it = alice
"""


def blocks(language):
    with open(GUIDE, encoding="utf-8") as file:
        return re.findall(rf"^```{language}\n(.*?)^```$", file.read(), re.M | re.S)


def code_of(name):
    found = [block for block in blocks("c") if f'.name = "{name}"' in block]
    assert len(found) == 1, f"{len(found)} blocks of code for {name}"
    return found[0]


class Guide(Case):
    def setUp(self):
        room = tempfile.TemporaryDirectory(prefix="sp-guide-")
        self.addCleanup(room.cleanup)
        self.room = room.name

    def compile(self, name):
        """By the guide's own line, and without a warning."""
        source, module = (os.path.join(self.room, f"notify-{name}.{suffix}") for suffix in ("c", "so"))
        with open(source, "w", encoding="utf-8") as file:
            file.write(code_of(name))
        flags = kit.run("pkg-config", "--cflags", "secret-proxy-plugin", env=FLAGS).stdout.split()
        for compiler in ("gcc", "clang"):
            kit.run(compiler, "-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Wno-unused-parameter", "-Werror",
                    "-fPIC", "-fsyntax-only", source, *flags)
        line = re.search(r"^cc .*$", "".join(blocks("sh")), re.M)[0].replace("lines", name)
        kit.run("sh", "-c", line, env=FLAGS, cwd=self.room)
        checked = kit.run(kit.PROGRAM, "plugin", "check", module, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        return module

    def running(self, module, option):
        vault = self.vault(CONFIG.format(plugin=module, option=option))
        until(lambda: vault.anonymous().call("GET", "/health").status == 200, "a healthy notifier", 20)
        vault.put("db", "hunter2")
        return vault, vault.agent("builder")

    def test_the_first_screen(self):
        with open(GUIDE, encoding="utf-8") as file:
            screen = file.read().split("\n")[:70]
        self.assertLess(len(code_of("lines").splitlines()), 60)
        self.assertTrue(any(line.startswith("cc ") for line in screen))
        path = os.path.join(self.room, "notices")
        vault, agent = self.running(self.compile("lines"), f"path = {path}")
        request = agent.ask("db", "x\nan answer")
        until(lambda: os.path.exists(path) and os.path.getsize(path), "the notice", 20)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(f"  Code: {request['code']}\n", text)
        self.assertIn("  Reason (says the agent): x an answer\n", text)
        vault.approve(request["id"])
        self.assertEqual(agent.redeem(request["id"]).json["value"], "hunter2")

    def test_answers(self):
        folder = os.path.join(self.room, "folder")
        os.mkdir(folder, 0o700)
        vault, agent = self.running(self.compile("folder"), f"folder = {folder}")
        for choice, person, status in (("approve", "alice", "approved"), ("deny", "alice", "denied")):
            request = agent.ask("db", "to see it")
            name = until(lambda: [n for n in os.listdir(folder) if n.endswith(".notice")], "the notice", 20)[0]
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                line = re.search(rf"^to answer “[^”]*”: (\S+ {choice} )YOU$", file.read(), re.M)[1]
            self.answer(folder, line + "mallory")
            until(lambda: not [n for n in os.listdir(folder) if n.endswith(".answer")], "the answer is read", 20)
            self.assertEqual(agent.look(request["id"], 0)["status"], "pending")
            self.answer(folder, line + person)
            self.assertEqual(agent.look(request["id"], 20)["status"], status)
            until(lambda: not os.listdir(folder), "the notice is settled", 20)

    def answer(self, folder, line):
        with open(os.path.join(folder, "x.tmp"), "w", encoding="utf-8") as file:
            file.write(line + "\n")
        os.rename(os.path.join(folder, "x.tmp"), os.path.join(folder, "x.answer"))

    def test_a_vault_to_try_it(self):
        module, notices = self.compile("lines"), os.path.join(self.room, "notices")
        [config] = [block for block in blocks("ini") if "plugin = /home/alice/notify-lines.so" in block]
        config = config.replace("/home/alice/notify-lines.so", module).replace("/home/alice/notices", notices)
        [script] = [block for block in blocks("sh") if "local ./vault" in block]
        # A person waits for what the first line says.
        script = script.replace("local ./vault &", "local ./vault --port 0 > ready & while [ ! -s ready ]; do sleep 0.1; done")
        with open(os.path.join(self.room, "my.conf"), "w", encoding="utf-8") as file:
            file.write(config)
        script += f"while [ ! -s {notices} ]; do sleep 0.1; done; kill %2 %1; wait\n"
        done = kit.run("bash", "-c", script, cwd=self.room, env={"PATH": os.path.dirname(kit.PROGRAM) + ":" + os.environ["PATH"]})
        self.assertIn("the vault works\n", done.stdout)
        with open(notices, encoding="utf-8") as file:
            self.assertIn("Reason (says the agent): to see it\n", file.read())

    def test_config_lines_are_right(self):
        config = [block for block in blocks("ini") if "[notify lines]" in block][0]
        module = self.compile("lines")
        path = os.path.join(self.room, "secret-proxy.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config.replace("[notify lines]", f"[notify lines]\nplugin = {module}").replace("run-as = alice", "run-as = nobody"))
        os.chmod(path, 0o600)
        kit.run(kit.PROGRAM, "--config", path, "config", "check")

    def test_every_call_and_member_is_in_it(self):
        with open(GUIDE, encoding="utf-8") as file:
            guide = file.read()
        with open(os.path.join(kit.TREE, "core", "include", "secret-proxy", "plugin.h"), encoding="utf-8") as file:
            header = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        members = re.findall(r"\(\*(\w+)\) \(", header)
        self.assertIn("remember", members)
        for word in members + re.findall(r"\bSP_(?:OPTION|ERROR|ANSWER)_[A-Z_]+\b", header):
            if not word.startswith("Sp"):
                self.assertTrue(re.search(rf"(?<![A-Za-z]){word}\b", guide), f"the guide does not say {word}")


if __name__ == "__main__":
    unittest.main()
