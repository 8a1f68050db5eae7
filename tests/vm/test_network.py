"""network = user: the guest reaches the host's loopback only where the admin says so, or it does not run."""
import glob
import os
import shutil
import socket
import unittest

from case import BUILD, FAILED, Case, Driver


class Loopback(Case):
    """What the guest calls 10.0.2.2 is the host's loopback."""

    def setUp(self):
        super().setUp()
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        for listener in (self.tcp, self.udp):
            listener.setblocking(False)
            self.addCleanup(listener.close)

    def knock(self, options):
        """Whether (TCP, UDP) came through."""
        driver = Driver(self, options=options)
        self.start(driver)
        connection = self.admin()
        self.assertTrue(self.tell(connection, f"tcp 10.0.2.2 {self.tcp.getsockname()[1]}").startswith("tcp "))
        self.assertEqual(self.tell(connection, f"udp 10.0.2.2 {self.udp.getsockname()[1]}"), "udp sent")
        return self.has_come(self.tcp.accept), self.has_come(lambda: self.udp.recv(100))

    @staticmethod
    def has_come(take):
        try:
            taken = take()
            if isinstance(taken, tuple):
                taken[0].close()
            return True
        except BlockingIOError:
            return False

    def test_is_out_of_reach(self):
        self.assertEqual(self.knock({}), (False, False))

    def test_is_in_reach_where_the_admin_lists_the_port(self):
        ports = f"{self.tcp.getsockname()[1]}, {self.udp.getsockname()[1]}"
        self.assertEqual(self.knock({"host-loopback": ports}), (True, True))


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
