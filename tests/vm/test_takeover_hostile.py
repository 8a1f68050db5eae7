"""What a hostile agent may hand over: each image and each staging folder of tests/hostile, and its own image changed.

The agent's VM is a fake one (vmlib.fake), so that each case takes a fraction of a second; the changed disks
are of a machine that was really provisioned.
"""
import os
import shutil
import subprocess
import sys
import unittest

from vmlib.fake import DISK, FakeAgent
from vmlib.paths import TESTS
from vmlib.qmp import Monitor
from vmlib.world import World

sys.path.append(os.path.join(TESTS, "hostile"))
import images  # noqa: E402
import staging  # noqa: E402

# What is too large is no fault of whoever typed the command.
EXIT = {"integrity": 9, "too-large": 9, "not-found": 5, "unreachable": 4, "timed-out": 8}
ROOT_START = 1 << 20
SECRETS = (".key", ".pem", "vault-id", "vault.json", "data.raw", "incoming.qcow2")


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World(telegram=False)
        cls.addClassCleanup(cls.world.close)
        cls.image = cls.world.must("--json", "image", "measure", cls.world.image_folder).json["image"].removeprefix("sha256:")
        # Below the agent's folder, so that a case can spoil the folder above it, too.
        cls.world.staging = cls.world.path("agent", "work", "staging")
        cls.world.configure()

    def setUp(self):
        shutil.rmtree(self.world.path("agent"))
        self.agent = FakeAgent(self.world, self.image)
        os.chown(os.path.dirname(self.world.staging), self.world.user, self.world.user)

    def tearDown(self):
        self.agent.end()

    def assert_refused(self, step, status, *words):
        """The takeover stops there, says why, and leaves the agent's VM as it was, and nothing on the host."""
        done = self.world.takeover()
        self.assertEqual(done.status, status, done)
        message = done.json["error"]["message"]
        self.assertTrue(message.startswith(f"step {step}, "), message)
        for word in words:
            self.assertIn(word, message)
        self.assertEqual(self.world.left(), [])
        self.assertTrue(message.isprintable(), message)
        self.assertEqual([line["step"] for line in done.lines if "step" in line], list(range(1, step + 1)))
        self.assertFalse(self.agent.is_paused)
        self.assertFalse(self.agent.has_checkpoint)
        self.assertEqual(self.world.residents(), [])
        return message


class Images(Case):
    def test_each_hostile_image_is_refused_before_anything_is_made(self):
        for name, maker, codes in images.HOSTILE + images.TOOL_ONLY:
            with self.subTest(name):
                self.agent.forget()
                maker(os.path.join(self.world.staging, DISK))
                self.agent.own(DISK)
                if name == "huge-file":
                    self.assert_refused(5, EXIT["too-large"], "bytes")
                else:
                    self.assert_refused(6, EXIT["integrity"], f"({codes[0]})", "everything was taken back")

    def test_a_good_image_that_is_not_the_hosts_is_refused_too(self):
        for name, maker, _ in images.GOOD:
            with self.subTest(name):
                maker(os.path.join(self.world.staging, DISK))
                self.agent.own(DISK)
                self.assert_refused(7, EXIT["integrity"], "not the image that it claims to be")


class Stagings(Case):
    def test_each_hostile_staging_folder_is_refused(self):
        for name, maker, step, code in staging.STAGINGS:
            # What names the wrong process is found at step 11, which is another scenario.
            if step == 11:
                continue
            with self.subTest(name):
                end = maker(self.world.staging, self.world.user)
                try:
                    self.assert_refused(step, EXIT[code])
                finally:
                    if end is not None:
                        end()
                    self.tearDown()
                    self.world.must("config", "check")
                    for path in (self.world.staging, self.world.staging + ".real"):
                        if os.path.islink(path):
                            os.unlink(path)
                        else:
                            shutil.rmtree(path, ignore_errors=True)
                    self.setUp()


class Changed(Case):
    """The agent's own image with a change: a disk that only the comparison can tell from the true one."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world = cls.world
        os.makedirs(world.staging)
        for path in (world.staging, os.path.dirname(world.staging)):
            os.chown(path, world.user, world.user)
        done = world.provision()
        assert done.status == 0, done
        cls.raw = world.path("disk.raw")
        subprocess.run(["qemu-img", "convert", "-U", "-O", "raw", os.path.join(world.staging, DISK), cls.raw], check=True)
        with Monitor(os.path.join(world.staging, "monitor.sock")) as monitor:
            monitor.ask("quit")
        cls.root = os.path.getsize(os.path.join(world.image_folder, "root"))

    def refuse(self, *words, size=None, **changes):
        """`changes`: at_OFFSET = bytes"""
        changed = self.world.path("changed.raw")
        subprocess.run(["cp", "--sparse=always", self.raw, changed], check=True)
        with open(changed, "r+b") as file:
            for key, data in changes.items():
                file.seek(int(key[3:]))
                file.write(data)
        if size is not None:
            os.truncate(changed, size)
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", changed, os.path.join(self.world.staging, DISK)], check=True)
        self.agent.own(DISK)
        return self.assert_refused(7, EXIT["integrity"], "have the agent provision anew", *words)

    def at(self, offset, length=1):
        with open(self.raw, "rb") as file:
            file.seek(offset)
            return file.read(length)

    def test_one_byte_of_the_root(self):
        for offset in (ROOT_START, ROOT_START + self.root // 2, ROOT_START + self.root - 1):
            with self.subTest(offset=offset):
                self.refuse("root partition differs", **{f"at_{offset}": bytes([self.at(offset)[0] ^ 1])})

    def test_bytes_behind_the_root_file_system(self):
        end = -(-self.root // ROOT_START) * ROOT_START
        self.assertGreater(end, self.root, "the root fills its partition: nothing can be behind it")
        for offset in (ROOT_START + self.root, ROOT_START + end - 1):
            with self.subTest(offset=offset):
                self.refuse("behind the root file system", **{f"at_{offset}": b"x"})

    def test_another_partition_table(self):
        table, other = self.at(446, 64), "partition table is not the one that belongs to the image"
        moved = int.from_bytes(table[8:12], "little") + 8
        self.refuse("no partition table", at_510=b"\0\0")
        self.refuse("too small", size=ROOT_START * 2)
        for what, changes in {
                "the root elsewhere": {"at_454": moved.to_bytes(4, "little")},
                "the root longer": {"at_458": b"\xff\xff"},
                "the root of another type": {"at_450": b"\xee"},
                "the root to boot from": {"at_446": b"\x80"},
                "the data over the root": {"at_470": table[8:12]},
                "a third partition": {"at_478": table[16:32]},
                "a boot sector": {"at_0": b"\xeb\xfe"},
        }.items():
            with self.subTest(what):
                self.refuse(other, **changes)
        self.refuse("before the root", at_512=b"EFI PART")
        self.refuse("before the root", **{f"at_{ROOT_START - 1}": b"x"})

    def test_an_empty_disk(self):
        self.refuse("no partition table", at_0=bytes(ROOT_START))


if __name__ == "__main__":
    unittest.main()
