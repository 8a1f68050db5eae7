"""A vault with an address of its own: on a bridge, on a tap device; another machine of that network reaches it."""
import os
import subprocess
import unittest

from vmlib.net import Namespace, ip, leave_the_machines_network
from vmlib.world import World

ADDRESS, URL = "10.77.0.10", "https://10.77.0.10:3737"
CONFIG = 3


def setUpModule():
    leave_the_machines_network()
    ip("link", "add", "br0", "type", "bridge")
    ip("addr", "add", "10.77.0.1/24", "dev", "br0")
    ip("link", "set", "br0", "up")


class Vault(unittest.TestCase):
    def setUp(self):
        self.world = World(telegram=False)
        self.addCleanup(self.world.close)
        self.client = Namespace(self)
        self.client.cable("10.77.0.20/24", bridge="br0")

    def configure(self, network, device, listen=f"{ADDRESS}:3737"):
        self.world.configure(listen=listen, vm=f"network = {network}\nbridge = {device}\naddress = {ADDRESS}/24\n"
                                               "gateway = 10.77.0.1\n")

    def create(self):
        return self.world.host("--json", "create", "default")

    def curl(self, pin):
        """What another machine of the network gets, by exit status and text."""
        done = subprocess.run([*self.client.reach, "curl", "-sS", "-k", "--noproxy", "*", "--max-time", "30", "--pinnedpubkey", pin,
                               URL + "/health"], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def is_reached(self):
        done = self.create()
        self.assertEqual(done.status, 0, done)
        agent = self.world.must("--json", "--vault", self.world.vault + "/", "agent", "add", "other", "--write",
                                self.world.path("agent.json"))
        self.assertEqual(agent.status, 0)
        with open(self.world.path("agent.json"), encoding="utf-8") as file:
            import json
            written = json.load(file)
        self.assertEqual(written["url"], URL)
        status, text = self.curl(written["tls_pin"])
        self.assertEqual(status, 0, text)
        self.assertIn('"owned"', text)
        self.assertNotEqual(self.curl("sha256//" + "A" * 43 + "=")[0], 0)

    def is_refused(self, *words):
        done = self.create()
        self.assertEqual(done.status, CONFIG, done)
        for word in words:
            self.assertIn(word, done.err)
        self.assertFalse(os.path.exists(self.world.vault), "something half-made stays")

    def test_on_a_bridge(self):
        self.configure("bridge", "br0")
        self.is_reached()
        self.assertEqual(len(self.taps()), 1)
        self.world.must("--vault", self.world.vault + "/", "vm", "stop")
        self.assertEqual(self.taps(), [])

    def test_on_a_tap_device_of_the_admin(self):
        ip("tuntap", "add", "tap9", "mode", "tap")
        self.addCleanup(ip, "link", "del", "tap9")
        ip("link", "set", "tap9", "master", "br0", "up")
        self.configure("tap", "tap9")
        self.is_reached()

    def test_a_missing_bridge_is_named(self):
        self.configure("bridge", "br7")
        self.is_refused("there is no bridge 'br7'", "ip link add")

    def test_a_missing_tap_device_is_named(self):
        self.configure("tap", "tap7")
        self.is_refused("there is no tap device 'tap7'", "ip tuntap add")

    def test_an_address_that_is_not_the_machines_is_refused(self):
        self.configure("bridge", "br0", listen="10.77.0.11:3737")
        self.is_refused("listen", f"{ADDRESS}:3737")

    @staticmethod
    def taps():
        """The ports of the bridge that are no cables."""
        shown = subprocess.run(["ip", "-o", "link", "show", "master", "br0"], capture_output=True, text=True, check=True).stdout
        return [line for line in shown.splitlines() if "@" not in line.split(":")[1]]


if __name__ == "__main__":
    unittest.main()
