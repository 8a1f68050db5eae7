"""The vault of a cloud image through libvirt: made, stopped, started for maintenance, logged in to."""
import unittest

from cloud_world import CloudWorld, cloud_image
from vmlib import libvirtd


class Libvirt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        why = libvirtd.missing()
        if why is not None:
            raise unittest.SkipTest(why)
        cloud_image()
        cls.daemon = libvirtd.Libvirtd()
        cls.addClassCleanup(cls.daemon.stop)
        cls.world = CloudWorld(vault="", telegram=False, kind="libvirt")
        cls.addClassCleanup(cls.world.close)

    def test_it_is_made_stopped_and_reached_in_maintenance(self):
        world = self.world
        made = world.host("--json", "create", "default", "--image", world.image_id(), timeout=900)
        self.assertEqual(made.status, 0, made)
        self.assertEqual(self.daemon.domains(), ["default"])
        self.assertEqual(world.statement()["trust"], "rebuilt")
        world.must("secret", "put", "a", input=b"value")
        self.assertIsNotNone(world.owned_machine())
        self.assertNotEqual(world.vm("ssh", "--", "true").status, 0)
        self.assertEqual(world.vm("stop").status, 0)
        self.assertEqual(self.daemon.domains(), [])
        self.assertIsNone(world.owned_machine())
        started = world.vm("start", "--maintenance", timeout=900)
        self.assertEqual(started.status, 0, started)
        done = world.vm("ssh", "--", "sudo -n id -u; ls /etc/cloud")
        self.assertEqual(done.status, 0, done)
        shown = done.out.decode().split()
        self.assertEqual(shown[0], "0")
        self.assertIn("cloud-init.disabled", shown)
        self.assertIs(world.statement()["maintenance"], True)
        self.assertEqual([item["name"] for item in world.must("--json", "secret", "list").json["items"]], ["a"])
        self.assertEqual(world.vm("stop").status, 0)
        self.assertEqual(self.daemon.domains(), [])


if __name__ == "__main__":
    unittest.main()
