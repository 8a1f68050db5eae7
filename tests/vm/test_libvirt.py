"""Machines by way of libvirt: the life that machines of QEMU have too, and what others do to them meanwhile."""
import json
import os
import signal
import subprocess
import time
import unittest
import uuid

import life
import test_network
import test_owned
from case import BRIDGE, FAILED, NAMED, PAUSED, PROVISION, RAW, RUNNING, TAP, Case, Driver, is_alive, status_of, wait_until
from test_bridge import PLACE, ip
from vmlib import libvirtd

CLONE_NEWNET = 0x40000000
DAEMON = None

NAMED_NETWORK = """<network><name>vaults</name><forward mode='open'/><bridge name='spnet0'/><dns enable='no'/>
<ip address='10.78.0.1' netmask='255.255.255.0'/></network>"""


def setUpModule():
    global DAEMON  # pylint: disable=global-statement
    why = libvirtd.missing()
    if why is not None:
        raise unittest.SkipTest(why)
    # Bridges are made here, too, where they disturb nobody.
    if libvirtd.LIBC.unshare(CLONE_NEWNET) != 0:
        raise unittest.SkipTest("this needs network namespaces")
    ip("link", "set", "lo", "up")
    DAEMON = libvirtd.Libvirtd()
    unittest.addModuleCleanup(DAEMON.stop)


class LibvirtCase(Case):
    plugin = "libvirt"

    def setUp(self):
        super().setUp()
        # After all else: whatever was done, nothing is left of it.
        self.addCleanup(lambda: wait_until("libvirt knows nothing of it any more", lambda: not DAEMON.domains()))

    def watch(self, **options):
        """A machine that runs, and a driver that tells when something happens to it."""
        driver = Driver(self, watch=True)
        self.addCleanup(driver.process.kill)
        self.assertEqual(driver.ask(self.spec(**options)), "state 1")
        self.assertEqual(driver.read(), "ok created")
        self.assertEqual(driver.read(), "ok started")
        return driver


class Life(life.Steps, LibvirtCase):
    test_force = test_owned.Life.test_force_ends_it_at_once
    test_firmware = test_owned.Life.test_without_a_kernel_the_firmware_boots_the_first_disk
    test_it_ends_with_the_caller = test_owned.Life.test_it_ends_with_the_caller
    test_kvm_is_not_replaced_by_emulation = test_owned.Probe.test_kvm_is_not_replaced_by_emulation

    def test_a_life(self):
        """All that needs a guest which is up, on one."""
        allowed, shut = self.open_doors(), self.open_doors()
        driver = Driver(self, options={"host-loopback": life.listed(allowed)})
        acceleration = self.probe(driver)
        disks = self.two_disks()
        options = {"acceleration": 0, "log_limit": 32768}
        self.start(driver, disks=disks, **options)
        self.assertEqual(self.inspect(driver)[:2], (RUNNING, acceleration))
        self.check_that_it_is_transient_and_runs_as_nobody(driver, [path for path, *_ in disks])
        self.check_that_it_answers(driver, disks, **options)
        self.assertEqual(self.knock(allowed), (True, True))
        self.assertEqual(self.knock(shut), (False, False))
        self.check_that_its_log_is_bounded(driver)
        self.check_that_it_powers_off(driver)
        self.check_that_a_reset_is_told(driver)

    def check_that_it_is_transient_and_runs_as_nobody(self, driver, files):
        pid = self.inspect(driver)[2]
        users = set(status_of(pid, "Uid"))
        self.assertEqual(len(users), 1)
        self.assertIn(int(users.pop()), range(61184, 65520))
        self.assertEqual(status_of(pid, "NoNewPrivs"), ["1"])
        self.assertEqual(status_of(pid, "Seccomp"), ["2"])
        self.assertEqual(int(status_of(pid, "CapEff")[0], 16), 0)
        for path in files:
            shown = os.stat(path)
            self.assertEqual((shown.st_uid, shown.st_mode & 0o777), (0, 0o600))
        self.assertIn("Persistent:     no", DAEMON.virsh("dominfo", "test").stdout)
        self.assertEqual(os.listdir("/var/lib/libvirt/boot"), [], "the copies were for the start only")

    def test_the_end_of_a_destroyed_machine_is_heard_of(self):
        driver = Driver(self)
        # Each would take more than 3 s if it were not; one may do so on a busy machine.
        for _ in range(4):
            self.start(driver)
            begun = time.monotonic()
            self.check_that_it_is_destroyed(driver)
            if time.monotonic() - begun < 3:
                return
        self.fail("each took more than 3 s")


class Guard(LibvirtCase, test_network.Guard):
    pass


class BehindOurBack(LibvirtCase):
    def ended(self, driver):
        self.assertEqual(driver.read(), "changed " + self.id)
        return driver.read()

    def test_a_domain_that_is_destroyed_is_noticed_and_named(self):
        driver = self.watch()
        DAEMON.virsh("destroy", "test")
        self.assertEqual(self.ended(driver), "ok 5 0 0 libvirt's domain 'test' was destroyed by another program, by virsh perhaps")

    def test_a_qemu_that_is_killed_is_noticed(self):
        driver = self.watch()
        with open("/run/libvirt/qemu/test.pid", encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        self.assertIn("ended because its QEMU was killed or failed", self.ended(driver))

    def test_a_device_that_is_attached_is_noticed_and_named(self):
        driver = self.watch()
        disk = self.disk("evil.img", "EVIL!")
        os.chmod(disk, 0o644)
        os.chmod(self.folder, 0o755)
        DAEMON.virsh("attach-disk", "test", disk, "vdz", "--mode", "readonly")
        answer = self.ended(driver)
        self.assertIn("the definition of libvirt's domain 'test' was changed by another program", answer)
        self.assertTrue(answer.startswith("ok 5 "), answer)

    def test_a_limit_that_is_set_is_noticed_and_named(self):
        driver = self.watch(disks=((self.disk("data.img", "DATA!"), "data", RAW, False),))
        DAEMON.virsh("blkdeviotune", "test", "vda", "--total-bytes-sec", "100000")
        self.assertIn("was changed by another program: it has now '<iotune>'", self.ended(driver))

    def test_a_reset_by_another_is_named(self):
        driver = self.watch()
        # Its end may come before virsh's answer.
        DAEMON.virsh("reset", "test", check=False)
        self.assertEqual(self.ended(driver), "ok 5 0 0 libvirt's domain 'test' was reset by another program, by virsh perhaps")

    def test_a_definition_that_is_to_last_is_noticed_and_named(self):
        driver = self.watch()
        xml = DAEMON.virsh("dumpxml", "--inactive", "test").stdout
        with open(self.path("domain.xml"), "w", encoding="utf-8") as file:
            file.write(xml)
        DAEMON.virsh("define", self.path("domain.xml"))
        self.assertIn("another program has defined libvirt's domain 'test' anew, to last: run virsh undefine test", self.ended(driver))
        # It is no more than that: the run ends it.
        DAEMON.virsh("undefine", "test")

    def test_a_pause_is_noticed(self):
        driver = self.watch()
        DAEMON.virsh("suspend", "test")
        self.assertTrue(self.ended(driver).startswith(f"ok {PAUSED} "))

    def test_a_domain_with_our_number_and_another_name_is_left_alone_and_named(self):
        driver = Driver(self)
        self.start(driver)
        xml = DAEMON.virsh("dumpxml", "--inactive", "test").stdout
        self.assertEqual(driver.ask("force " + self.id), "ok")
        with open(self.path("domain.xml"), "w", encoding="utf-8") as file:
            file.write(xml)
        DAEMON.virsh("define", self.path("domain.xml"))
        DAEMON.virsh("domrename", "test", "other")
        self.assertIn("libvirt's domain 'other' has the number of this machine: it was renamed", driver.ask("start " + self.id))
        self.assertEqual(self.inspect(driver)[0], FAILED)
        DAEMON.virsh("undefine", "other")
        self.assertEqual(driver.ask("start " + self.id), "ok")

    def test_what_a_killed_start_left_is_cleared_away(self):
        driver = Driver(self)
        self.start(driver)
        xml = DAEMON.virsh("dumpxml", "--inactive", "test").stdout
        self.assertEqual(driver.ask("force " + self.id), "ok")
        with open(self.path("domain.xml"), "w", encoding="utf-8") as file:
            file.write(xml)
        DAEMON.virsh("define", self.path("domain.xml"))
        self.assertEqual(driver.ask("start " + self.id), "ok")
        self.assertEqual(self.inspect(driver)[0], RUNNING)

    def test_a_name_that_is_taken_is_a_conflict(self):
        driver = Driver(self)
        with open(self.path("domain.xml"), "w", encoding="utf-8") as file:
            file.write("<domain type='qemu'><name>test</name><memory>131072</memory><os><type>hvm</type></os></domain>")
        DAEMON.virsh("define", self.path("domain.xml"))
        self.addCleanup(DAEMON.virsh, "undefine", "test", check=False)
        self.assertEqual(driver.ask("create " + self.spec()), "ok")
        self.assertIn("libvirt has a domain 'test' of somebody else's", driver.ask("start " + self.id))
        self.assertEqual(DAEMON.domains(), ["test"])
        DAEMON.virsh("undefine", "test")


class Daemon(LibvirtCase):
    def test_a_daemon_that_dies_takes_no_machine_out_of_our_hands(self):
        driver = Driver(self)
        self.start(driver)
        pid = self.inspect(driver)[2]
        DAEMON.kill()
        wait_until("QEMU has ended", lambda: not is_alive(pid))
        state, _, _, why = self.inspect(driver)
        self.assertEqual((state, why), (FAILED, "libvirt's domain 'test' was ended, as the connection to libvirt's daemon was lost"))
        answer = driver.ask("start " + self.id)
        self.assertIn("cannot reach libvirt at qemu:///system", answer)
        self.assertIn("systemctl start libvirtd", answer)
        DAEMON.start()
        self.assertEqual(driver.ask("start " + self.id), "ok")

    def test_a_daemon_that_dies_in_a_start_leaves_nothing_that_runs_or_stands_in_the_way(self):
        driver = Driver(self)
        self.assertEqual(driver.ask("create " + self.spec()), "ok")
        driver.tell("start " + self.id)
        wait_until("QEMU waits for its first order", self.waiting_qemu)
        DAEMON.kill()
        answer = driver.read()
        self.assertIn("the connection to libvirt's daemon was lost meanwhile", answer)
        self.assertIn("systemctl start libvirtd", answer)
        self.assertIsNone(self.waiting_qemu())
        driver.close()
        DAEMON.start()
        # As after a takeover that was taken back: the same name, and another number.
        self.assertEqual(DAEMON.domains(), ["test"])
        self.id = str(uuid.uuid4())
        driver = Driver(self)
        self.start(driver)
        self.assertEqual(self.inspect(driver)[0], RUNNING)

    def waiting_qemu(self):
        """One that has processors, and so survives whoever started it."""
        try:
            pid = self.qemu_of_this_test()
            return pid if len(os.listdir(f"/proc/{pid}/task")) > 2 else None
        except (AssertionError, FileNotFoundError):
            return None

    def test_a_daemon_that_hangs_does_not_hold_us_up(self):
        driver, other = Driver(self), Driver(self)
        self.start(driver)
        pid = self.inspect(driver)[2]
        DAEMON.signal(signal.SIGSTOP)
        self.addCleanup(DAEMON.signal, signal.SIGCONT)
        # While one has to give up connecting:
        other.tell("probe")
        # In a call, which is then answered.
        state, _, _, why = self.inspect(driver)
        self.assertEqual(state, FAILED, why)
        self.assertIn("the connection to libvirt's daemon was lost", why)
        wait_until("QEMU has ended", lambda: not is_alive(pid))
        self.assertIn("does not answer: its daemon hangs", other.read())


class Network(LibvirtCase):
    def test_a_network_of_libvirts(self):
        driver = Driver(self)
        self.assertEqual(driver.ask("create " + self.spec(network=NAMED, bridge="vaults")), "ok")
        self.assertIn("libvirt has no network 'vaults'", driver.ask("start " + self.id))
        with open(self.path("network.xml"), "w", encoding="ascii") as file:
            file.write(NAMED_NETWORK)
        DAEMON.virsh("net-define", self.path("network.xml"))
        self.addCleanup(DAEMON.virsh, "net-undefine", "vaults")
        self.assertIn("'vaults' is not active", driver.ask("start " + self.id))
        DAEMON.virsh("net-start", "vaults")
        self.addCleanup(DAEMON.virsh, "net-destroy", "vaults")
        place = PLACE.replace("10.77", "10.78")
        self.start(driver, network=NAMED, bridge="vaults", cmdline=place)
        # Refused, and not out of reach: a packet went there and back.
        self.assertEqual(self.tell(self.admin(), "tcp 10.78.0.1 22"), "tcp 1")

    @staticmethod
    def plugged_in(bridge):
        """How many devices of the bridge have somebody who holds their other end."""
        shown = subprocess.run(["ip", "-json", "link", "show", "master", bridge], capture_output=True, check=True).stdout
        return sum("LOWER_UP" in device["flags"] for device in json.loads(shown or "[]"))

    def test_a_bridge_and_a_tap_device(self):
        ip("link", "add", "br0", "type", "bridge")
        self.addCleanup(ip, "link", "del", "br0")
        ip("addr", "add", "10.77.0.1/24", "dev", "br0")
        ip("link", "set", "br0", "up")
        ip("tuntap", "add", "tap9", "mode", "tap")
        self.addCleanup(ip, "link", "del", "tap9")
        ip("link", "set", "tap9", "master", "br0", "up")
        driver = Driver(self)
        for network, name in ((BRIDGE, "br0"), (TAP, "tap9")):
            self.assertEqual(self.plugged_in("br0"), 0)
            self.start(driver, network=network, bridge=name)
            self.assertEqual(self.plugged_in("br0"), 1)
            self.assertEqual(driver.ask("force " + self.id), "ok")
        self.assertEqual(driver.ask("create " + self.spec(network=BRIDGE, bridge="br7")), "ok")
        self.assertIn("there is no bridge or tap device 'br7'", driver.ask("start " + self.id))


class Refusals(LibvirtCase):
    test_a_link_is_no_disk = test_owned.Refusals.test_a_link_is_no_disk
    test_a_port_that_is_taken_is_named = test_owned.Refusals.test_a_port_that_is_taken_is_named

    def test_a_remote_libvirt_is_refused(self):
        for uri in ("qemu+ssh://root@example.org/system", "qemu+tcp://127.0.0.1/system", "test:///default", "qemu:///system?socket=/tmp/x"):
            driver = Driver(self, options={"uri": uri}, watch=False)
            answer = driver.ask("probe")
            self.assertIn("only this machine's libvirt is used", answer)
            driver.close()

    def test_a_session_of_root_is_refused(self):
        self.assertIn("would run QEMU as root", Driver(self, options={"uri": "qemu:///session"}).ask("probe"))

    def test_a_machine_of_an_agents_is_refused(self):
        self.assertIn("provision it with vm = qemu", Driver(self).ask("create " + self.spec(role=PROVISION)))


if __name__ == "__main__":
    unittest.main()
