"""A takeover of a cloud image that is killed and goes on with --resume, and is killed again: at `rebuilt` and at `audited`.

The agent's VM is a fake one (vmlib.fake), as nothing of it but its disk is looked at; at `audited` that is a small file
system, made by mkfs of a folder, so that a look takes seconds and what would boot is never reached.
"""
import json
import os
import shutil
import signal
import subprocess
import unittest

from cloud_world import BIN, CloudWorld
from test_audit_small import FILES, FOLDERS
from vmlib.fake import DISK, READY, FakeAgent

from lib.wait import SLOW, until  # noqa: E402, from tests/api by cloud_world

FINAL = 11
SHUTDOWN = b'{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-shutdown"},"timestamp":{"seconds":1,"microseconds":1}}\r\n'


def powers_off(name, connection, answer):
    """The guest ends when it is told to, and its machine stays."""
    connection.sendall(answer)
    if name == "system_powerdown":
        connection.sendall(SHUTDOWN)


class Case(unittest.TestCase):
    def put_agent(self, image, behave):
        self.agent = FakeAgent(self.world, image, behave, port=self.world.port)
        self.addCleanup(self.agent.end)

    def left(self):
        """What the host has of it, but for lists of base images."""
        return [name for name in self.world.left() if name.split("/")[0] != "audit"]

    def assert_taken_back(self):
        self.assertEqual(self.left(), [])
        self.assertEqual(self.world.residents(), [])
        self.assertFalse(self.agent.is_paused)
        self.assertFalse(self.agent.has_checkpoint)
        self.assertIn(READY, os.listdir(self.world.staging))

    def kill(self, step, *more, delay=None):
        came_to = self.world.kill_takeover(step, *more, delay=delay)
        # What it had started ends with it.
        until(lambda: not self.world.residents() and not self.world.owned_machine(), "the end of what it had started", timeout=30)
        return came_to

    def must_abort(self):
        done = self.world.abort()
        self.assertEqual(done.status, 0, done)
        self.assertNotIn("in vain", done.err)


class Rebuilt(Case):
    def setUp(self):
        self.world = CloudWorld(telegram=False)
        self.addCleanup(self.world.close)
        self.put_agent("0" * 64, powers_off)

    def read(self, name):
        with open(os.path.join(self.world.vault, name), encoding="ascii") as file:
            return file.read()

    def test_resumed_as_often_as_it_is_killed(self):
        world, seen = self.world, set()
        # After a step, in the middle of making the disk, of making the keys, and of the first boot.
        self.kill(1)
        for step, delay in ((4, None), (6, 0.3), (7, None), (7, 0.05), (8, None), (8, 6)):
            with self.subTest(step=step, delay=delay):
                came_to = self.kill(step, "--resume", delay=delay)
                self.assertLess(came_to, FINAL)
                if "ssh-known-hosts" in os.listdir(world.vault):
                    known = self.read("ssh-known-hosts")
                    self.assertNotIn(known, seen, "a key of a run that was killed")
                    seen.add(known)
        self.assertGreaterEqual(len(seen), 2)
        came_to = world.kill_takeover(FINAL, "--resume")
        self.assertGreaterEqual(came_to, FINAL)
        self.assertNotIn(self.read("ssh-known-hosts"), seen)
        refused = world.abort()
        self.assertEqual(refused.status, 6, refused)
        # As after a crash of the host: for what is left to do it is started again, without a seed by now.
        os.kill(world.resident(), signal.SIGKILL)
        world.settled()
        self.assertNotIn("seed.iso", os.listdir(world.vault))
        done = world.takeover("--resume", timeout=900)
        self.assertEqual(done.status, 0, done)
        self.assertEqual(world.statement()["trust"], "rebuilt")
        self.assertEqual({"incoming.qcow2", "takeover.json", "seed.iso"} & set(os.listdir(world.vault)), set())
        self.assertEqual(world.connect().call("GET", "/v1/secrets").status, 200)
        self.assertTrue(world.must("--json", "--vault", world.vault + "/", "audit", "verify").json["ok"])

    def test_taken_back_after_a_resume_that_was_killed(self):
        self.kill(7)
        self.kill(8, "--resume", delay=3)
        self.must_abort()
        self.assert_taken_back()


class SmallWorld(CloudWorld):
    """Its cloud image is a small file system; of the bundle there is no need."""

    def __init__(self):
        super().__init__(telegram=False, vault="trust = audited\n")
        shutil.copy2(os.path.join(BIN, "secret-proxy-audit"), self.path("core", "secret-proxy-audit"))

    def _make(self, telegram):
        self.base = self.path("base.qcow2")
        self._disk(self.path("base"), self.base)
        self.image_folder = self.path("small-image")
        subprocess.run([os.path.join(BIN, "secret-proxy"), "image", "build", "--cloud", self.base, "--output", self.image_folder],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL)
        super()._make(telegram)

    @staticmethod
    def make_image(say):
        return None

    @staticmethod
    def _disk(root, disk):
        for name in FOLDERS:
            os.makedirs(os.path.join(root, name))
        for name, text in FILES.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        with open(root + ".raw", "wb") as file:
            file.truncate(32 << 20)
        for argv in (["mkfs.ext4", "-q", "-d", root, root + ".raw"], ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", root + ".raw", disk]):
            subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL)

    def looking(self):
        """The processes of an audit of this scenario."""
        return [pid for pid, argv in self._all().items() if argv and argv[0].endswith("secret-proxy-audit") or
                any(self.state + "/audit" in word for word in argv)]


class Audited(Case):
    def setUp(self):
        self.world = SmallWorld()
        self.addCleanup(self.world.close)
        image = json.loads(self.world.must("--json", "image", "list").out)["items"][0]["image"]
        self.put_agent(image, powers_off)
        shutil.copy(self.world.base, os.path.join(self.world.staging, DISK))
        self.agent.own(DISK)

    def assert_nobody_looks(self):
        until(lambda: not self.world.looking(), "the end of what looks", timeout=30)

    def test_killed_while_it_is_looked_at_and_given_keys(self):
        # The list of the base is made by the first one, which so takes twice as long.
        first = self.world.start_takeover()
        lines = [json.loads(first.stdout.readline()) for _ in range(7)]
        self.assertEqual([line["status"] for line in lines], ["ok"] * 7, lines)
        first.kill()
        first.communicate()
        self.assert_nobody_looks()
        for step, delay in ((6, 0.2), (6, 4 * SLOW), (7, 0.05), (7, 2)):
            with self.subTest(step=step, delay=delay):
                self.must_abort()
                self.assert_taken_back()
                for more in ((), ("--resume",)):
                    came_to = self.kill(step, *more, delay=delay)
                    self.assertGreaterEqual(came_to, step)
                    self.assertLess(came_to, 9)
                    self.assert_nobody_looks()
        self.must_abort()
        self.assert_taken_back()
        for folder, _, names in os.walk(os.path.join(self.world.state, "audit")):
            self.assertEqual([name for name in names if not name.endswith(".tree")], [], folder)

    def test_resumed_it_comes_to_a_boot_of_a_disk_with_new_keys(self):
        self.kill(7)
        self.kill(8, "--resume")
        there = set(os.listdir(self.world.vault))
        self.assertLessEqual({"ssh-key", "ssh-known-hosts", "seed.iso", "system.qcow2", "data.raw", "vault.json"}, there)
        self.assertNotIn("incoming.qcow2", there)
        with open(os.path.join(self.world.vault, "vault.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["trust"], "audited")
        self.must_abort()
        self.assert_taken_back()


if __name__ == "__main__":
    unittest.main()
