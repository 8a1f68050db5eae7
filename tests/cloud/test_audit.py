"""Trust `audited`: what an agent's root plants in a Debian is named, and a disk without findings boots with new keys.

One agent's machine; what is planted is planted in a copy of its disk, as there is no way back for some of it.
"""
import json
import os
import shutil
import subprocess
import sys
import unittest

import backdoors
from cloud_world import BIN, CloudWorld
from test_rebuilt import IDENTITY, facts
from vmlib.qmp import Monitor

from lib.wait import SLOW, until  # noqa: E402, from tests/api by cloud_world


def run(*argv, **more):
    return subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL, **more)


class Mounted:
    """The file system of a disk of our own, in a namespace of mounts that nobody else sees."""

    def __init__(self, raw, folder):
        self.raw, self.folder = raw, folder

    def sh(self, script):
        os.makedirs(self.folder, exist_ok=True)
        mount = f"set -e; mount -o loop,offset={backdoors.START} '{self.raw}' '{self.folder}'; R='{self.folder}'; {script}\numount '{self.folder}'"
        return run("unshare", "--mount", "sh", "-c", mount, text=True).stdout


class Audited(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = CloudWorld(vault="trust = audited\n")
        cls.addClassCleanup(cls.world.close)
        shutil.copy2(os.path.join(BIN, "secret-proxy-audit"), cls.world.path("core", "secret-proxy-audit"))
        done = cls.world.provision()
        assert done.status == 0, done
        cls.old_key, cls.old_known = cls.world.keep_agents_key()
        done = cls.world.ssh(cls.world.ssh_port, cls.old_key, cls.old_known, "sudo sh -c '" + (IDENTITY + "sync\n").replace("'", "'\\''") + "'")
        assert done.returncode == 0, done
        cls.theirs = facts(done.stdout)

    def look(self, disk, *more):
        done = self.world.host("--json", "image", "audit", disk, "--base", self.world.image_folder, *more, timeout=900 * SLOW)
        self.assertIn(done.status, (0, 9), done)
        self.assertIn("findings", done.json, done)
        return done.json["findings"]

    def copy(self, name):
        raw = self.world.path(name + ".raw")
        run("qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", os.path.join(self.world.staging, "disk.qcow2"), raw)
        return raw

    def test_1_each_back_door_is_named(self):
        raw = self.copy("planted")
        mounted = Mounted(raw, self.world.path("mounted"))
        mounted.sh(backdoors.planting(mounted.folder))
        backdoors.plant_in_places(raw)
        disk = self.world.path("planted.qcow2")
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, disk)
        os.unlink(raw)
        found = {(one["code"], one["path"]) for one in self.look(disk)}
        paths = {path for _, path in found}
        for row in backdoors.ROWS:
            with self.subTest(row.name):
                begin, each, _ = row.path.partition("%")
                self.assertTrue(begin in paths or (each and any(one.startswith(begin) for one in paths)), sorted(found))
        for place in backdoors.PLACES:
            with self.subTest(place.name):
                self.assertIn(place.finding, found)
        for code, path in (("setuid", "/usr/bin/planted"), ("capability", "/usr/bin/dash")):
            self.assertIn((code, path), found)
        # And nothing else: what is not planted is no finding.
        planted = {row.path for row in backdoors.ROWS}
        others = {path for path in paths if path not in planted and not path.startswith(("/boot/vmlinuz-", "/boot/initrd.img-")) and
                  not any(one.startswith(path + "/") for one in planted)}
        self.assertEqual(others, {place.finding[1] for place in backdoors.PLACES})

    def test_2_a_takeover_refuses_it_and_takes_it_back(self):
        world = self.world
        done = world.ssh(world.ssh_port, self.old_key, self.old_known, "sudo sh -c 'echo x >/etc/planted; sync'")
        self.assertEqual(done.returncode, 0, done)
        done = world.takeover(timeout=900 * SLOW)
        self.assertEqual(done.status, 9, done)
        lines = [json.loads(line) for line in done.out.decode().splitlines() if line.strip()]
        found = [line["finding"] for line in lines if "finding" in line]
        self.assertEqual([(one["code"], one["path"]) for one in found], [("file-added", "/etc/planted")])
        self.assertEqual([name for name in world.left() if name.split("/")[0] != "audit"], [])
        # Its guest had powered off for the copy; from the checkpoint it goes on.
        self.assertIsNotNone(world.agents_machine())
        with Monitor(os.path.join(world.staging, "monitor.sock")) as monitor:
            self.assertEqual(monitor.status, "running")
        self.assertEqual(until(world.health, "/health of the agent's VM", timeout=60)["ownership"], "unowned")
        type(self).digest = found[0]["digest"]

    def test_3_takeover_that_was_killed_once(self):
        world = self.world
        world.configure(vault="trust = audited\n", source=f"accept = {self.digest}\n")
        # The agent's guest has powered off by then; to be looked at again it goes on from the checkpoint.
        self.assertEqual(world.kill_takeover(8, delay=5), 8)
        world.settled()
        with open(os.path.join(world.vault, "ssh-key.pub"), encoding="ascii") as file:
            killed = file.read()
        taking = world.start_takeover("--resume")
        world.press("takeover-check", timeout=1800, during=taking)
        out, err = taking.communicate(timeout=900)
        self.assertEqual(taking.returncode, 0, (out, err))
        self.assertIn(b"1 digests are accepted", out)
        self.assertEqual(world.statement()["trust"], "audited")
        with open(os.path.join(world.vault, "ssh-key.pub"), encoding="ascii") as file:
            self.assertNotEqual(file.read(), killed)
        for name in ("seed.iso", "incoming.qcow2", "takeover.json"):
            self.assertNotIn(name, os.listdir(world.vault))

    def test_4_only_the_new_key_opens_it(self):
        world = self.world
        self.assertEqual(world.vm("stop").status, 0)
        raw = world.path("system.raw")
        run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", os.path.join(world.vault, "system.qcow2"), raw)
        mounted = Mounted(raw, world.path("mounted"))
        with open(os.path.join(world.vault, "ssh-key.pub"), encoding="ascii") as file:
            new = file.read().split()[1]
        keys = mounted.sh("cat $R/root/.ssh/authorized_keys $R/home/*/.ssh/authorized_keys 2>/dev/null || true")
        self.assertEqual({line.split()[1] for line in keys.splitlines() if line.startswith("ssh-")}, {new})
        self.assertEqual(mounted.sh("grep -v ':[*!]' $R/etc/shadow || true"), "")
        self.assertEqual(mounted.sh("grep ':x:0:' $R/etc/passwd | cut -d: -f1"), "root\n")
        self.assertEqual(mounted.sh("ls $R/home; cat $R/etc/planted"), "proxy\nx\n")
        # The daemon served only when the first boot was through.
        self.assertIn("cloud-init.disabled", mounted.sh("ls $R/etc/cloud"))
        identity = r"""
for f in $R/etc/ssh/ssh_host_*_key $R/etc/machine-id $R/var/lib/systemd/random-seed $R/var/lib/cloud/data/instance-id; do
  [ ! -s $f ] || echo "$f $(base64 -w 0 $f)"
done
"""
        ours = facts(mounted.sh(identity))
        self.assertGreaterEqual(len(ours), 3)
        self.assertEqual(ours & self.theirs, set())


if __name__ == "__main__":
    unittest.main()
