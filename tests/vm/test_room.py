"""When there is no room: on the vault's own disk, and on the host's; what was acknowledged stays, and there is a way out."""
import os
import shutil
import subprocess
import unittest

from vmlib.world import World
from lib.wait import SLOW, until

PIECE = os.urandom(60000)


class Case(unittest.TestCase):
    def world(self, **more):
        world = World(telegram=False, **more)
        self.addCleanup(world.close)
        return world

    def fill(self, world):
        """Until nothing fits any more: the names that were acknowledged, and the failure."""
        kept = []
        for value in (PIECE, b"x"):
            for i in range(1000):
                name = f"s{len(value)}-{i}"
                done = world.host("--json", "secret", "put", name, input=value)
                if done.status != 0:
                    break
                kept.append(name)
        self.assertTrue(kept)
        return kept, done

    def names(self, world):
        return {item["name"] for item in world.must("--json", "secret", "list").json["items"]}


class Room(Case):
    def test_a_full_vault_fails_clearly_and_goes_on_when_its_disk_grows(self):
        world = self.world(vm="disk-size = 16M\n")
        world.must("create", "default")
        kept, failure = self.fill(world)
        self.assertEqual((failure.status, failure.json["error"]["code"]), (1, "store"), failure)
        world.must("vm", "stop", "default")
        full = world.host("--json", "vm", "start", "default")
        # It may have found room for the one row that unlocking needs.
        if full.status != 0:
            self.assertIn("disk-size", full.json["error"]["message"])
        world.host("vm", "stop", "default")
        world.configure(vm="disk-size = 48M\n")
        world.must("vm", "start", "default")
        self.assertEqual(self.names(world), set(kept))
        world.must("secret", "rm", kept[0], "--yes")
        for i in range(100):
            world.must("secret", "put", f"more-{i}", input=PIECE)
        self.assertTrue(world.must("--json", "audit", "verify").json["ok"])
        world.must("vm", "stop", "default")
        checked = subprocess.run(["e2fsck", "-fn", os.path.join(world.vault, "data.raw")], capture_output=True, text=True,
                                 check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout)

    def test_a_full_host_ends_the_machine_and_it_comes_back_with_room(self):
        world = self.world()
        world.must("create", "default")
        world.must("vm", "stop", "default")
        self.move_to_small_disk(world)
        world.must("vm", "start", "default")
        kept, failure = self.fill(world)
        self.assertEqual(failure.status, 4, failure)
        self.assertIn("file system is full", until(lambda: self.status(world).get("why"), "the reason", timeout=30 * SLOW))
        self.assertIsNone(world.health())
        subprocess.run(["mount", "-o", "remount,size=64m", world.vault], check=True)
        until(lambda: self.status(world).get("unlocked"), "the vault", timeout=60 * SLOW)
        self.assertLessEqual(set(kept), self.names(world))

    def move_to_small_disk(self, world):
        copy = world.path("copy")
        subprocess.run(["cp", "-a", "--sparse=always", world.vault, copy], check=True)
        shutil.rmtree(world.vault)
        os.mkdir(world.vault, 0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "none", world.vault], check=True)
        self.addCleanup(self.unmount, world)
        subprocess.run(["cp", "-a", "--sparse=always", copy + "/.", world.vault], check=True)

    def unmount(self, world):
        world.host("vm", "stop", "default")
        subprocess.run(["umount", "--lazy", world.vault], check=True)

    def status(self, world):
        return world.must("--json", "vm", "status", "default").json


if __name__ == "__main__":
    unittest.main()
