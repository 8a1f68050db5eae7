"""The host's files of an owned vault: what was changed or set back is not run, and what is said of them is true."""
import json
import os
import signal
import subprocess
import unittest

from vmlib.world import World, free_port
from lib.wait import SLOW, until


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.other_port = free_port()
        other = f"[vault other]\nvm = qemu\nlisten = 127.0.0.1:{cls.other_port}\nallow-emulation = yes\n"
        cls.world = World(telegram=False, source=other)
        cls.addClassCleanup(cls.world.close)
        cls.world.must("create", "default")
        cls.world.must("vm", "stop", "default")

    def tearDown(self):
        self.world.must("vm", "stop", "default")

    def start(self):
        return self.world.host("--json", "vm", "start", "default")

    def refused(self, status, code, *words):
        done = self.start()
        self.assertEqual((done.status, done.json["error"]["code"]), (status, code), done)
        for word in words:
            self.assertIn(word, done.json["error"]["message"])
        self.assertIsNone(self.world.owned_machine())

    def part(self, name):
        images = os.path.join(self.world.state, "images")
        return os.path.join(images, os.listdir(images)[0], name)

    def changed(self, path):
        """Another byte in it, until the test ends."""
        with open(path, "rb") as file:
            content = file.read()
        def write(data):
            with open(path, "wb") as file:
                file.write(data)
        self.addCleanup(write, content)
        write(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
        return lambda: write(content)

    def copy_data(self, *path):
        subprocess.run(["cp", "-a", "--sparse=always", os.path.join(self.world.vault, "data.raw"), self.world.path(*path)],
                       check=True)

    def status(self):
        return self.world.must("--json", "vm", "status", "default").json

    def test_a_vault_that_lies_elsewhere_is_started_again(self):
        elsewhere = self.world.path("elsewhere", "other") + "/"
        os.mkdir(self.world.path("elsewhere"), 0o755)
        self.addCleanup(self.world.must, "--vault", elsewhere, "vm", "stop")
        self.world.must("--vault", elsewhere, "create", "other")
        first = self.world.owned_machine()
        os.kill(first, signal.SIGKILL)

        def again():
            seen = self.world.must("--json", "--vault", elsewhere, "vm", "status").json
            return seen.get("unlocked") and self.world.owned_machine() not in (None, first)

        until(again, "its second machine", timeout=60)

    def test_changed_parts_of_an_image_are_not_booted(self):
        for name in ("kernel", "initrd", "root"):
            with self.subTest(name):
                undo = self.changed(self.part(name))
                self.refused(9, "integrity", self.part(name))
                undo()

    def test_what_changed_while_it_ran_is_not_booted_either(self):
        self.world.must("vm", "start", "default")
        for path in (self.part("root"), os.path.join(self.world.vault, "plugins.squashfs")):
            with self.subTest(path):
                undo = self.changed(path)
                log = os.path.join(self.world.vault, "resident.log")
                begin = os.stat(log).st_size
                os.kill(self.world.owned_machine(), signal.SIGKILL)
                def said(log=log, begin=begin, path=path):
                    with open(log, "rb") as file:
                        file.seek(begin)
                        return path.encode() in file.read()
                until(said, "the refusal", timeout=30 * SLOW)
                self.assertIsNone(self.world.owned_machine())
                undo()
                until(lambda: self.status().get("unlocked"), "the vault", timeout=60 * SLOW)

    def test_a_changed_plugin_disk_is_made_anew(self):
        path = os.path.join(self.world.vault, "plugins.squashfs")
        with open(path, "rb") as file:
            before = file.read()
        self.changed(path)
        self.world.must("vm", "start", "default")
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_older_data_is_not_unlocked(self):
        self.copy_data("old.raw")
        self.world.must("vm", "start", "default")
        self.world.must("secret", "put", "newer", input=b"x")
        self.world.must("vm", "stop", "default")
        self.copy_data("new.raw")
        self.world.must("vm", "stop", "default")
        data = os.path.join(self.world.vault, "data.raw")
        os.replace(self.world.path("old.raw"), data)
        self.refused(9, "integrity", "set back")
        os.replace(self.world.path("new.raw"), data)
        self.world.must("vm", "start", "default")

    def test_two_vaults_run_side_by_side_and_not_on_one_another_s_data(self):
        world = self.world
        world.must("vm", "start", "default")
        world.must("create", "other")
        world.must("vm", "stop", "other")
        world.must("vm", "stop", "default")
        mine, others = os.path.join(world.vault, "data.raw"), os.path.join(world.state, "other", "data.raw")
        self.copy_data("mine.raw")
        os.replace(others, mine)
        self.refused(9, "integrity")
        os.replace(world.path("mine.raw"), mine)
        self.world.must("vm", "start", "default")

    def test_the_machine_has_what_it_needs_and_no_more(self):
        self.world.must("vm", "start", "default")
        pid = self.world.owned_machine()
        files = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        files = {path for path in files if path.startswith(self.world.home)}
        wanted = {self.part(name) for name in ("kernel", "initrd", "root")}
        wanted |= {os.path.join(self.world.vault, name) for name in ("data.raw", "plugins.squashfs")}
        wanted.add(self.world.path("plugins", "secret-proxy-netguard.so"))
        self.assertEqual(files, wanted)
        with open(f"/proc/{pid}/environ", encoding="utf-8") as file:
            names = {pair.split("=")[0] for pair in file.read().split("\0") if pair}
        self.assertEqual(names, {"PATH", "LD_PRELOAD", "SECRET_PROXY_NETGUARD"})
        for name in os.listdir(self.world.vault):
            self.assertEqual(os.stat(os.path.join(self.world.vault, name)).st_mode & 0o077, 0, name)

    def test_what_is_not_there_is_told_from_what_may_not_be_seen(self):
        for verb in ("run", "start", "stop", "status", "log"):
            with self.subTest(verb):
                self.assertEqual(self.world.host("vm", verb, "nothing").status, 5)
        self.assertFalse(os.path.exists(os.path.join(self.world.state, "nothing")))
        for verb in ("stop", "status", "log"):
            with self.subTest(verb):
                argv = self.world.as_agent("SECRET_PROXY_STATE_DIR=" + self.world.state, self.world.program, "vm", verb, "default")
                done = subprocess.run(argv, capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 7, done)
                self.assertIn("as root", done.stderr)


class Statement(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.world.must("create", "default")

    def statement(self):
        self.world.must("vm", "stop", "default")
        self.world.must("vm", "start", "default")
        return json.loads(self.world.must("--json", "--vault", "default", "ownership", "show").json["statement"])

    def test_it_follows_the_config(self):
        first = self.statement()
        self.assertEqual(self.statement(), first)
        telegram, self.world.telegram = self.world.telegram, None
        self.addCleanup(telegram.stop)
        self.world.configure()
        second = self.statement()
        self.assertNotEqual(second["approvers"], first["approvers"])
        self.assertNotEqual(second["measurement"]["plugins"], first["measurement"]["plugins"])
        self.assertEqual(second["measurement"]["root"], first["measurement"]["root"])


if __name__ == "__main__":
    unittest.main()
