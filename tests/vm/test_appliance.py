"""The appliance as it boots: what it answers before anybody owns it, how it ends, what it needs."""
import os
import subprocess
import tempfile
import unittest

from vmlib.appliance import Machine
from lib.wait import until

OTHERS = (("GET", "/v1/secrets"), ("GET", "/v1/ownership?nonce=" + "0" * 32), ("POST", "/v1/requests"), ("GET", "/"),
          ("DELETE", "/v1/requests/1"))


class Case(unittest.TestCase):
    def boot(self, *words, **more):
        machine = Machine(*words, **more)
        self.addCleanup(machine.close)
        return machine

    def assert_unowned(self, machine):
        (status, health), _ = machine.wait_for_health()
        self.assertEqual((status, health["status"], health["ownership"]), (200, "ok", "unowned"))

    def data(self):
        folder = tempfile.TemporaryDirectory(prefix="sp-data-")
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "data")
        with open(path, "wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", path], check=True)
        return path


class Unowned(Case):
    def test_it_boots_in_96_mib_and_answers_health_and_nothing_else(self):
        machine = self.boot(memory=96, forward=(22, 23, 80, 3737))
        self.assert_unowned(machine)
        for method, path in OTHERS:
            with self.subTest(path):
                status, body = machine.ask(path, method)
                self.assertEqual((status, body["type"]), (503, "urn:secret-proxy:problem:unowned"))
        for port in (22, 23, 80):
            with self.subTest(port):
                self.assertTrue(machine.says_nothing_at(port))
        self.assertIn('"listening"', machine.console)
        self.assertLess(len(machine.console.splitlines()), 10, machine.console)

    def test_its_power_button_ends_it(self):
        machine = self.boot()
        machine.wait_for_health()
        # The button is the last thing that comes to be: pressed before, nobody hears it.
        def press():
            if machine.process.poll() is None:
                machine.press_power_button()
            return machine.process.poll() is not None
        until(press, "the end of the machine", 30, pause=0.5)
        self.assertNotIn("failed", machine.console)

    def test_it_takes_another_address(self):
        self.assert_unowned(self.boot("sp.net=10.0.2.77/24,10.0.2.2,10.0.2.3", guest="10.0.2.77"))

    def test_it_asks_for_an_address(self):
        self.assert_unowned(self.boot("sp.net=dhcp"))

    def test_it_ends_at_once_where_it_is_told_to(self):
        machine = self.boot("sp.off")
        machine.wait_for_end()
        self.assertNotIn("listening", machine.console)


class Owned(Case):
    def test_it_keeps_its_data_on_the_data_disk(self):
        path = self.data()
        machine = self.boot(disks=(("data", path),), admin=True)
        (status, health), _ = machine.wait_for_health()
        self.assertEqual((status, health["ownership"]), (503, "owned"))
        until(lambda: machine.process.poll() is not None or machine.press_power_button(), "the end of the machine", 30, pause=0.5)
        checked = subprocess.run(["e2fsck", "-fn", path], capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        listed = subprocess.run(["debugfs", "-R", "ls -l /", path], capture_output=True, text=True, check=True).stdout
        self.assertRegex(listed, r"40711 .* state")

    def test_it_does_not_run_without_a_data_disk(self):
        machine = self.boot(admin=True)
        machine.wait_for_end()
        self.assertIn("failed: there is no data disk that works", machine.console)
        self.assertNotIn("listening", machine.console)


if __name__ == "__main__":
    unittest.main()
