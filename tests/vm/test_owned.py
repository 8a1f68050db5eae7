"""Machines of the host: they run as nobody, say what happens to them, and end with the plugin."""
import glob
import os
import signal
import socket
import threading
import unittest

import life
from case import (ABSENT, EMULATED, FAILED, KVM, OWNED, RAW, RUNNING, STOPPED, Case, Driver, guest, is_alive, status_of, wait_until)


class Life(life.Steps, Case):
    def test_a_started_machine_runs_and_answers_on_its_admin_port(self):
        driver = Driver(self)
        disks = self.two_disks()
        self.start(driver, disks=disks)
        self.assertEqual(self.inspect(driver)[1], EMULATED)
        self.check_that_it_answers(driver, disks)
        self.check_that_it_is_destroyed(driver)

    def test_without_a_kernel_the_firmware_boots_the_first_disk(self):
        self.check_that_it_boots_a_disk_by_firmware(Driver(self))

    def test_power_off_by_the_guest_is_an_orderly_end(self):
        driver = Driver(self)
        self.start(driver)
        self.check_that_it_powers_off(driver)

    def test_reset_by_the_guest_is_a_failure_that_says_so(self):
        driver = Driver(self)
        self.start(driver)
        self.check_that_a_reset_is_told(driver)

    def test_force_ends_it_at_once(self):
        driver = Driver(self)
        self.start(driver)
        pid = self.inspect(driver)[2]
        self.assertEqual(driver.ask("force " + self.id), "ok")
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.inspect(driver)[0], STOPPED)

    def test_a_kill_is_noticed(self):
        driver = Driver(self, watch=True)
        self.assertEqual(driver.ask(self.spec()), "state 1")
        self.assertEqual(driver.read(), "ok created")
        self.assertEqual(driver.read(), "ok started")
        pid = self.qemu_of_this_test()
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(driver.read(), "changed " + self.id)
        self.assertEqual(driver.read(), "ok 5 0 0 QEMU was ended by signal 9 (Killed)")
        driver.process.kill()

    def test_a_kill_while_its_monitor_is_asked_is_noticed(self):
        driver = Driver(self)
        self.start(driver)
        pid = self.inspect(driver)[2]
        os.kill(pid, signal.SIGSTOP)
        # Mostly while inspect() waits for the answer; what comes out is the same at any other time.
        killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
        killer.start()
        self.addCleanup(killer.join)
        self.assertEqual(self.inspect(driver)[::3], (FAILED, "QEMU was ended by signal 9 (Killed)"))
        self.assertEqual(driver.ask("start " + self.id), "ok")

    def test_it_ends_with_the_plugin_host_and_the_core_is_told(self):
        driver = Driver(self, watch=True)
        self.assertEqual(driver.ask(self.spec()), "state 1")
        self.assertEqual(driver.read(), "ok created")
        self.assertEqual(driver.read(), "ok started")
        pid = self.qemu_of_this_test()
        os.kill(int(status_of(pid, "PPid")[0]), signal.SIGKILL)
        self.assertEqual(driver.read(), "state 0")
        wait_until("QEMU has ended", lambda: not is_alive(pid))
        driver.process.kill()

    def test_it_ends_with_the_caller(self):
        for end in (Driver.close, lambda driver: driver.process.kill()):
            driver = Driver(self)
            self.start(driver)
            pid = self.inspect(driver)[2]
            end(driver)
            wait_until("QEMU has ended", lambda: not is_alive(pid))

    def test_the_log_is_bounded_and_keeps_what_is_new(self):
        driver = Driver(self)
        self.start(driver, log_limit=32768)
        self.check_that_its_log_is_bounded(driver)


class Confinement(Case):
    def test_the_process_can_do_little(self):
        driver = Driver(self)
        data = self.disk("data.img", "DATA!")
        self.start(driver, disks=((data, "data", RAW, False),))
        pid = self.inspect(driver)[2]
        users = {int(n) for n in status_of(pid, "Uid") + status_of(pid, "Gid")}
        if os.geteuid() == 0:
            self.assertEqual(len(users), 1)
            self.assertIn(users.pop(), range(61184, 65520))
            self.assertEqual(status_of(pid, "Groups"), [])
        self.assertEqual(status_of(pid, "NoNewPrivs"), ["1"])
        self.assertEqual(status_of(pid, "Seccomp"), ["2"])
        self.assertEqual(int(status_of(pid, "CapEff")[0], 16), 0)
        self.assertEqual(int(status_of(pid, "CapPrm")[0], 16), 0)
        core = [line for line in guest.read(f"/proc/{pid}/limits").decode().splitlines() if "core" in line]
        self.assertEqual(core[0].split()[4], "0")
        self.assertEqual(os.stat(data).st_mode & 0o777, 0o600)

    def test_command_line_and_environment_name_no_file_of_the_vault(self):
        driver = Driver(self)
        data = self.disk("data.img", "DATA!")
        self.start(driver, disks=((data, "data", RAW, False),))
        pid = self.inspect(driver)[2]
        argv = guest.read(f"/proc/{pid}/cmdline").decode().split("\0")
        self.assertNotIn(self.folder, " ".join(argv))
        self.assertFalse([word for word in argv if word.startswith("unix:") or "path=" in word], argv)
        self.assertNotIn("-gdb", argv)
        environment = guest.read(f"/proc/{pid}/environ").decode().split("\0")
        self.assertEqual(sorted(word.split("=")[0] for word in environment if word), ["LD_PRELOAD", "PATH", "SECRET_PROXY_NETGUARD"])
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
            self.assertNotIn("config", target)

    def test_descriptors_are_those_that_it_was_given(self):
        driver = Driver(self)
        data = self.disk("data.img", "DATA!")
        self.start(driver, disks=((data, "data", RAW, False),))
        pid = self.inspect(driver)[2]
        files = {os.readlink(f"/proc/{pid}/fd/{d}") for d in os.listdir(f"/proc/{pid}/fd")}
        ours = {path for path in files if path.startswith("/") and not path.startswith("/dev/")}
        known = {data, self.kernel, self.initrd}
        self.assertEqual({path for path in ours if not path.endswith("secret-proxy-netguard.so")}, known)


class Refusals(Case):
    def test_a_port_that_is_taken_is_named(self):
        driver = Driver(self)
        with socket.socket() as other:
            other.bind(("127.0.0.1", self.port))
            other.listen()
            self.assertEqual(driver.ask("create " + self.spec()), "ok")
            answer = driver.ask("start " + self.id)
        self.assertIn(f"127.0.0.1:{self.port} is in use by another program", answer)
        self.assertEqual(self.inspect(driver)[0], FAILED)
        self.assertEqual(driver.ask("start " + self.id), "ok")

    def test_without_qemu_it_says_what_to_install(self):
        driver = Driver(self, options={"qemu": "/nonexistent/qemu"})
        self.assertEqual(driver.ask("create " + self.spec()), "ok")
        self.assertIn("qemu-system-x86", driver.ask("start " + self.id))
        self.assertIn("there is no QEMU", driver.ask("probe"))

    def test_what_qemu_says_comes_along(self):
        driver = Driver(self)
        self.assertEqual(driver.ask("create " + self.spec(memory=1 << 20)), "ok")
        answer = driver.ask("start " + self.id)
        self.assertTrue(answer.startswith("error "), answer)
        self.assertIn("QEMU ended with status 1: ", answer)
        self.assertEqual(self.inspect(driver)[0], FAILED)

    def test_an_unknown_machine_is_absent_and_cannot_be_started(self):
        driver = Driver(self)
        self.assertEqual(self.inspect(driver)[0], ABSENT)
        self.assertIn("create it first", driver.ask("start " + self.id))

    def test_specifications_that_make_no_sense_are_refused(self):
        driver = Driver(self)
        good = self.spec()
        for old, new, what in ((self.id, "x", "no UUID"), ("'test'", "'a,b'", "the name of the machine"), ("quiet", "qu\\niet", "command line"),
                               (str(128 << 20), "1000", "memory"), ("'127.0.0.1'", "'::1'", "IPv4"), (quoted_path(self, "console.log"), "'log'", "not absolute")):
            self.assertIn(what, driver.ask("create " + good.replace(old, new)))

    def test_a_link_is_no_disk(self):
        driver = Driver(self)
        os.symlink(self.disk("data.img", "DATA!"), self.path("link.img"))
        self.assertEqual(driver.ask("create " + self.spec(disks=((self.path("link.img"), "data", RAW, False),))), "ok")
        self.assertIn("cannot open " + self.path("link.img"), driver.ask("start " + self.id))


def quoted_path(case, name):
    return "'" + case.path(name) + "'"


class Probe(life.Steps, Case):
    def test_it_says_what_it_tried_and_start_agrees(self):
        driver = Driver(self)
        acceleration = self.probe(driver)
        self.start(driver, acceleration=0)
        self.assertEqual(self.inspect(driver)[:2], (RUNNING, acceleration))
        self.assertEqual(self.tell(self.admin(), "echo up"), "up")

    def test_kvm_is_not_replaced_by_emulation(self):
        driver = Driver(self)
        if driver.ask("probe").startswith("ok 1 "):
            self.skipTest("KVM works here")
        self.assertEqual(driver.ask("create " + self.spec(role=OWNED, acceleration=KVM)), "ok")
        self.assertTrue(driver.ask("start " + self.id).startswith("error "))
        self.assertEqual(self.inspect(driver)[0], FAILED)


if __name__ == "__main__":
    unittest.main()
