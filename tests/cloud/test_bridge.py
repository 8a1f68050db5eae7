"""The vault of a cloud image with an address of its own on a bridge: the seed gives it, others reach it, and in maintenance SSH is there, too."""
import socket
import subprocess
import unittest

from cloud_world import CloudWorld, cloud_image
from vmlib.net import Namespace, ip, leave_the_machines_network

HOST, ADDRESS = "10.77.0.1", "10.77.0.10"
SSH = 22


def setUpModule():
    # What it is made of may have to be fetched.
    cloud_image()
    leave_the_machines_network()
    ip("link", "add", "br0", "type", "bridge")
    ip("addr", "add", f"{HOST}/24", "dev", "br0")
    ip("link", "set", "br0", "up")


class Bridge(unittest.TestCase):
    def setUp(self):
        self.world = CloudWorld(vault="", telegram=False, listen=f"{ADDRESS}:3737",
                                vm=f"network = bridge\nbridge = br0\naddress = {ADDRESS}/24\ngateway = {HOST}\n")
        self.addCleanup(self.world.close)
        self.client = Namespace(self)
        self.client.cable("10.77.0.20/24", bridge="br0")

    def ownership(self):
        """What /health says to another machine of the network, at the key that is pinned."""
        pin = self.world.statement()["tls_pin"]
        done = subprocess.run([*self.client.reach, "curl", "-sS", "-k", "--noproxy", "*", "--max-time", "60", "--pinnedpubkey", pin,
                               f"https://{ADDRESS}:3737/health"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def is_shut(self):
        try:
            socket.create_connection((ADDRESS, SSH), 20).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_it_has_its_address_and_ssh_in_maintenance_only(self):
        world = self.world
        made = world.host("--json", "create", "default", "--image", world.image_id(), timeout=900)
        self.assertEqual(made.status, 0, made)
        self.assertIn('"owned"', self.ownership())
        self.assertTrue(self.is_shut())
        self.assertEqual(world.vm("stop").status, 0)
        started = world.vm("start", "--maintenance", timeout=900)
        self.assertEqual(started.status, 0, started)
        self.assertEqual(world.vm("status").json["ssh"], f"{ADDRESS}:{SSH}")
        done = world.vm("ssh", "--", "ip -o -4 addr show scope global; ip route; cat /sys/class/net/eth0/address")
        self.assertEqual(done.status, 0, done)
        shown = done.out.decode()
        self.assertIn(f" {ADDRESS}/24 ", shown)
        self.assertIn(f"default via {HOST} ", shown)
        self.assertIn("52:54:00:", shown)
        self.assertIn('"owned"', self.ownership())
        self.assertIs(world.statement()["maintenance"], True)
        self.assertEqual(world.vm("stop").status, 0)


if __name__ == "__main__":
    unittest.main()
