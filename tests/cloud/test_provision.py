"""An agent provisions a cloud image for real: first boot, cloud-init, the bundle from the seed, an answer; then the power is cut."""
import json
import os
import shutil
import signal
import stat
import subprocess
import unittest

from cloud_world import CloudWorld

from lib.wait import SLOW, until
from vmlib.checklist import CLOUD_AGENT, wrong
from vmlib.paths import BIN
from vmlib.world import free_port

TIMED_OUT = 8
# A boot takes some 40 seconds of a processor where it is emulated, and others may want it as well.
PATIENCE = 600


class Provision(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = CloudWorld(telegram=False)
        cls.addClassCleanup(cls.world.close)
        cls.done = cls.world.provision()

    def test_every_point_of_the_checklist_has_a_line(self):
        self.assertEqual(self.done.status, 0, self.done)
        self.assertEqual(wrong([line for line in self.done.lines if "step" in line], CLOUD_AGENT), "")

    def test_the_staging_folder(self):
        files = {name: os.lstat(os.path.join(self.world.staging, name)) for name in os.listdir(self.world.staging)}
        self.assertLessEqual({"disk.qcow2", "seed.iso", "monitor.sock", "qemu.pid", "READY_FOR_TAKEOVER", "ssh-key", "ssh-key.pub",
                              "ssh-known-hosts"}, set(files))
        self.assertNotIn("image.new", files)
        for name in ("disk.qcow2", "seed.iso", "ssh-key", "READY_FOR_TAKEOVER"):
            self.assertEqual(stat.S_IMODE(files[name].st_mode), 0o600, name)
        with open(os.path.join(self.world.staging, "READY_FOR_TAKEOVER"), encoding="utf-8") as file:
            ready = json.load(file)
        name = self.world.must("--json", "image", "measure", self.world.agent_image).json["image"]
        self.assertEqual(ready, {"format": 1, "image": name, "port": self.world.port})

    def run_there(self, *command, key=None, words=()):
        staging = self.world.staging
        known = self.world.path("known")
        with open(os.path.join(staging, "ssh-known-hosts"), encoding="ascii") as file:
            address, line = file.read().split(" ", 1)
        self.assertEqual(address, f"[127.0.0.1]:{self.world.ssh_port}")
        with open(known, "w", encoding="ascii") as file:
            file.write("vault " + line)
        return self.world.ssh(self.world.ssh_port, key or os.path.join(staging, "ssh-key"), known, *command, words=words)

    def test_the_temporary_key_opens_it_and_nothing_else_does(self):
        done = self.run_there("id -un; sudo -n id -u; df -m / | tail -n 1")
        self.assertEqual(done.returncode, 0, done)
        name, root, room = done.stdout.splitlines()
        self.assertEqual((name, root), ("proxy", "0"))
        # The root has grown with the disk.
        self.assertGreater(int(room.split()[1]), 5000)
        other = self.world.path("other-key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
        for words in ((), ("-o", "PreferredAuthentications=password,keyboard-interactive")):
            done = self.run_there("true", key=other, words=words)
            self.assertEqual(done.returncode, 255, done)
            self.assertIn("Permission denied", done.stderr)

    def test_z_what_was_installed_survives_that_the_power_is_cut(self):
        """Last, as the machine is another one after it."""
        pid = self.world.agents_machine()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not os.path.exists(f"/proc/{pid}"), "the end of the machine")
        port = free_port()
        disk = os.path.join(self.world.staging, "disk.qcow2")
        # Without its seed, as later boots are.
        qemu = subprocess.Popen(["qemu-system-x86_64", "-M", "pc", "-accel", "tcg,tb-size=128", "-m", "256M", "-nodefaults", "-display", "none",
                                 "-drive", f"file={disk},format=qcow2,if=virtio", "-device", "virtio-rng-pci",
                                 "-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{port}-:3737",
                                 "-device", "virtio-net-pci,netdev=n,mac=52:54:00:37:37:01,romfile="], stdin=subprocess.DEVNULL)
        try:
            until(lambda: b"unowned" in subprocess.run(["curl", "-s", "-m", "5", f"http://127.0.0.1:{port}/health"], capture_output=True,
                                                       check=False).stdout, "an answer after the power was cut", PATIENCE)
        finally:
            qemu.kill()
            qemu.wait()


class Failing(unittest.TestCase):
    def test_an_image_that_is_made_here_and_does_not_answer_leaves_nothing(self):
        """Of a file, with the agent's own programs."""
        world = CloudWorld(telegram=False)
        self.addCleanup(world.close)
        # Where it is installed it has its recipes.
        for name in ("bundle", "guest"):
            shutil.copytree(os.path.join(BIN, name), world.path("core", name))
        world.bring_image()
        base = os.path.join(world.agent_image, "vendor.qcow2")
        os.rename(os.path.join(world.agent_image, "base.qcow2"), base)
        words = [base if word == world.agent_image else word for word in world.provision_words("--boot-timeout", "1s")]
        done = world.agent(*words)
        self.assertEqual(done.status, TIMED_OUT, done)
        self.assertIn("step 6, vault answers", done.json["error"]["message"])
        self.assertIsNone(world.agents_machine())
        self.assertEqual(os.listdir(world.staging), [])


if __name__ == "__main__":
    unittest.main()
