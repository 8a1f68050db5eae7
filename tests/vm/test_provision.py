"""Machines to be provisioned: they outlive the plugin host and are found again; their monitor is a socket."""
import json
import os
import signal
import socket
import subprocess
import unittest

from case import EMULATED, FAILED, PAUSED, PROVISION, QCOW2, RUNNING, STOPPED, Case, Driver, is_alive, status_of, wait_until


class Provision(Case):
    def setUp(self):
        super().setUp()
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", self.path("disk, 1.qcow2"), "16M"], check=True)
        self.options = {"role": PROVISION, "disks": ((self.path("disk, 1.qcow2"), "disk", QCOW2, False),)}
        self.addCleanup(self.end)

    def end(self):
        if os.path.exists(self.path("qemu.pid")):
            with open(self.path("qemu.pid"), encoding="ascii") as file:
                os.kill(int(file.read()), signal.SIGKILL)

    def monitor(self, command):
        """What the human monitor says, by way of the socket, as a host does that takes over."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.path("monitor.sock"))
            lines = connection.makefile("rw")
            lines.readline()
            for request in ({"execute": "qmp_capabilities"}, {"execute": "human-monitor-command", "arguments": {"command-line": command}}):
                lines.write(json.dumps(request) + "\n")
                lines.flush()
                answer = json.loads(lines.readline())
                while "event" in answer:
                    answer = json.loads(lines.readline())
            return answer["return"]

    def test_it_outlives_the_plugin_host_and_is_found_again(self):
        driver = Driver(self)
        self.start(driver, **self.options)
        connection = self.admin()
        self.assertEqual(self.tell(connection, "echo up"), "up")
        connection.close()
        state, acceleration, pid, _ = self.inspect(driver)
        self.assertEqual((state, acceleration), (RUNNING, EMULATED))
        self.assertEqual({int(n) for n in status_of(pid, "Uid")}, {os.getuid()})
        self.assertEqual(status_of(pid, "Seccomp"), ["2"])
        driver.close()
        self.assertTrue(is_alive(pid))
        later = Driver(self)
        self.assertEqual(later.ask("create " + self.spec(**self.options)), "ok")
        self.assertEqual(self.inspect(later)[:3], (RUNNING, EMULATED, pid))
        self.assertEqual(later.ask("start " + self.id), "ok")
        self.assertEqual(self.inspect(later)[2], pid)
        self.assertEqual(self.tell(self.admin(), "echo still"), "still")
        self.assertEqual(later.ask("force " + self.id), "ok")
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.inspect(later)[0], STOPPED)
        self.assertFalse(os.path.exists(self.path("qemu.pid")))
        self.assertIn(b"guest ready", self.console())

    def test_its_monitor_and_disk_take_a_checkpoint(self):
        driver = Driver(self)
        self.start(driver, **self.options)
        self.assertEqual(self.monitor("savevm takeover"), "")
        self.assertIn("takeover", self.monitor("info snapshots"))
        # Each look at the machine gives the monitor back.
        self.assertEqual(self.inspect(driver)[0], RUNNING)
        self.assertIn("takeover", self.monitor("info snapshots"))
        self.monitor("stop")
        self.assertEqual(self.inspect(driver)[0], PAUSED)
        self.assertEqual(os.stat(self.path("monitor.sock")).st_mode & 0o077, 0)

    def test_a_kill_is_a_failure(self):
        driver = Driver(self, watch=True)
        self.assertEqual(driver.ask(self.spec(**self.options)), "state 1")
        self.assertEqual(driver.read(), "ok created")
        self.assertEqual(driver.read(), "ok started")
        with open(self.path("qemu.pid"), encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        self.assertEqual(driver.read(), "changed " + self.id)
        self.assertEqual(driver.read(), "ok 5 0 0 QEMU ended without an orderly shutdown")
        os.unlink(self.path("qemu.pid"))
        driver.process.kill()

    def test_a_pid_file_that_names_another_process_is_not_believed(self):
        with open(self.path("qemu.pid"), "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
        driver = Driver(self)
        self.assertEqual(driver.ask("create " + self.spec(**self.options)), "ok")
        self.assertEqual(self.inspect(driver)[0], STOPPED)
        self.assertEqual(driver.ask("force " + self.id), "ok")
        os.unlink(self.path("qemu.pid"))

    def test_power_off_by_the_guest_is_an_orderly_end(self):
        driver = Driver(self)
        self.start(driver, **self.options)
        connection = self.admin()
        self.assertEqual(self.tell(connection, "echo up"), "up")
        pid = self.inspect(driver)[2]
        connection.sendall(b"poweroff\n")
        wait_until("QEMU has ended", lambda: not is_alive(pid))
        self.assertEqual(self.inspect(driver)[:3], (STOPPED, 0, 0))
        self.assertNotEqual(self.inspect(driver)[0], FAILED)


if __name__ == "__main__":
    unittest.main()
