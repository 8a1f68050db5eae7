"""network = user: the guest reaches the host's loopback only where the admin says so, or it does not run."""
import glob
import os
import shutil
import unittest

import life
from case import BUILD, FAILED, Case, Driver


class Loopback(life.Steps, Case):
    """What the guest calls 10.0.2.2 is the host's loopback."""

    def test_is_out_of_reach(self):
        self.start(Driver(self))
        self.assertEqual(self.knock(self.open_doors()), (False, False))

    def test_is_in_reach_where_the_admin_lists_the_port(self):
        doors = self.open_doors()
        self.start(Driver(self, options={"host-loopback": life.listed(doors)}))
        self.assertEqual(self.knock(doors), (True, True))


class Guard(Case):
    """Without the network guard there is no guest."""

    def start_with(self, guard):
        plugins = self.path("plugins")
        os.mkdir(plugins, 0o755)
        shutil.copy2(os.path.join(BUILD, "plugins", f"vm-{self.plugin}.so"), plugins)
        if guard is not None:
            shutil.copy2(guard, os.path.join(plugins, "secret-proxy-netguard.so"))
        driver = Driver(self, plugin_dir=plugins)
        self.assertEqual(driver.ask("create " + self.spec()), "ok")
        answer = driver.ask("start " + self.id)
        self.assertEqual(self.inspect(driver)[:3], (FAILED, 0, 0))
        return answer

    def test_missing(self):
        self.assertIn("without it a guest could reach the host's loopback", self.start_with(None))

    def test_another_library_in_its_place(self):
        self.assertIn("QEMU runs without the network guard", self.start_with(glob.glob("/lib/*/libdl.so.2")[0]))


if __name__ == "__main__":
    unittest.main()
