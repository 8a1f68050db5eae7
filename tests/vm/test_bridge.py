"""network = bridge and tap, in a network namespace of this process."""
import ctypes
import os
import socket
import subprocess
import unittest

from case import BRIDGE, FAILED, RUNNING, TAP, Case, Driver, wait_until

CLONE_NEWNET = 0x40000000
PLACE = "address=10.77.0.10/24 gateway=10.77.0.1"


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def setUpModule():
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.unshare(CLONE_NEWNET) != 0:
        raise unittest.SkipTest("this needs root and network namespaces")
    ip("link", "set", "lo", "up")
    ip("link", "add", "br0", "type", "bridge")
    ip("addr", "add", "10.77.0.1/24", "dev", "br0")
    ip("link", "set", "br0", "up")


class Bridge(Case):
    def hello(self):
        """What the guest says to whoever connects to it."""
        try:
            with socket.create_connection(("10.77.0.10", 3737), 1) as connection:
                return connection.recv(100)
        except OSError:
            return b""

    def test_a_machine_in_a_bridge_is_reached_at_its_own_address(self):
        driver = Driver(self)
        self.start(driver, network=BRIDGE, bridge="br0", cmdline=PLACE)
        self.assertEqual(self.inspect(driver)[0], RUNNING)
        wait_until("it is reached", lambda: self.hello() == b"hello\n")
        self.assertEqual(len(self.ports()), 1)
        self.assertEqual(driver.ask("destroy " + self.id), "ok")
        wait_until("its tap device is gone", lambda: not self.ports())

    def test_a_tap_device_of_the_admin_is_used(self):
        ip("tuntap", "add", "tap9", "mode", "tap")
        self.addCleanup(ip, "link", "del", "tap9")
        ip("link", "set", "tap9", "master", "br0", "up")
        driver = Driver(self)
        self.start(driver, network=TAP, bridge="tap9", cmdline=PLACE)
        wait_until("it is reached", lambda: self.hello() == b"hello\n")

    def test_errors_name_the_device_and_what_to_do(self):
        driver = Driver(self)
        for network, name, what in ((BRIDGE, "br7", "there is no bridge 'br7': make it (ip link add"), (TAP, "tap7", "there is no tap device 'tap7'"),
                                    (BRIDGE, "lo", "into the bridge 'lo'"), (TAP, "lo", "cannot open the tap device 'lo'")):
            self.assertEqual(driver.ask("create " + self.spec(network=network, bridge=name)), "ok")
            self.assertIn(what, driver.ask("start " + self.id))
            self.assertEqual(self.inspect(driver)[0], FAILED)

    @staticmethod
    def ports():
        shown = subprocess.run(["ip", "-o", "link", "show", "master", "br0"], capture_output=True, text=True, check=True).stdout
        return shown.splitlines()


if __name__ == "__main__":
    unittest.main()
