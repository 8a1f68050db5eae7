"""What a machine of the host's does while it runs, in steps: a suite takes them one by one, or several on one guest."""
import os
import select
import socket
import subprocess

from case import ABSENT, EMULATED, FAILED, PATIENCE, QCOW2, RAW, RUNNING, STOPPED, guest, is_alive, wait_until

# A boot sector: it copies itself to the sector behind it, says "hello" on the serial port and powers off.
BOOT_SECTOR = bytes.fromhex(
    "31c08ed88ec0fc"            # ax, ds, es = 0; forwards
    "b80103bb007cb90200b600cd13"  # write one sector from 7c00 to sector 2 of the disk in dl
    "be357c"                    # the text
    "ac84c07406baf803eeebf5"    # each of its bytes to the port 3f8
    "b8015331dbcd15"            # connect to the power management
    "b80753bb0100b90300cd15"    # all off
    "f4") + b"hello from the disk\r\n\0"


def listed(doors):
    """As `host-loopback` takes them."""
    return ", ".join(str(door.getsockname()[1]) for door in doors)


class Steps:
    """For a Case; each of them wants a machine that was started with `options` of the specification."""

    def two_disks(self):
        return (self.disk("root.img", "ROOT!"), "root", RAW, True), (self.disk("data.img", "DATA!"), "data", RAW, False)

    def check_that_it_answers(self, driver, disks, **options):
        """Its admin port, its disks, its forwarded port; and that what is done already is done."""
        (root, *_), (data, *_) = disks
        state, _, pid, _ = self.inspect(driver)
        self.assertEqual(state, RUNNING)
        self.assertTrue(is_alive(pid))
        self.assertEqual(os.stat(self.path("admin.sock")).st_mode & 0o777, 0o600)
        for i in range(3):
            connection = self.admin()
            self.assertEqual(self.tell(connection, f"echo round{i}"), f"round{i}")
            connection.close()
        connection = self.admin()
        self.assertEqual(self.tell(connection, "disk vda"), "disk root ROOT!")
        self.assertEqual(self.tell(connection, "disk vdb"), "disk data DATA!")
        self.assertEqual(self.tell(connection, "write vdb KEPT."), "written")
        self.assertEqual(self.tell(connection, "write vda EVIL."), "not written")
        connection.close()
        self.assertEqual(guest.read(data)[:5], b"KEPT.")
        self.assertEqual(guest.read(root)[:5], b"ROOT!")
        with socket.create_connection(("127.0.0.1", self.port), 10) as http:
            self.assertEqual(http.recv(100), b"hello\n")
        # Again, as after a crash of the caller: done already.
        self.assertEqual(driver.ask("create " + self.spec(disks=disks, **options)), "ok")
        self.assertEqual(driver.ask("start " + self.id), "ok")
        self.assertEqual(self.inspect(driver)[2], pid)
        self.assertIn("runs already, with another specification", driver.ask("create " + self.spec()))

    def check_that_it_boots_a_disk_by_firmware(self, driver):
        """A qcow2 of the host's, which the guest can write to; the disk behind it is none to boot."""
        system, data = self.path("system.qcow2"), self.disk("data.img", "DATA!")
        with open(self.path("system.raw"), "wb") as file:
            file.write(BOOT_SECTOR.ljust(510, b"\0") + b"\x55\xaa" + b"\0" * ((1 << 20) - 512))
        convert = ["qemu-img", "convert", "-O"]
        subprocess.run([*convert, "qcow2", "-f", "raw", self.path("system.raw"), system], check=True)
        os.chmod(system, 0o600)
        self.start(driver, disks=((system, "system", QCOW2, False), (data, "data", RAW, False)), by_firmware=True)
        wait_until("its end", lambda: self.inspect(driver)[0] != RUNNING)
        self.assertEqual(self.inspect(driver), (STOPPED, 0, 0, "-"))
        self.assertIn(b"hello from the disk", self.console())
        subprocess.run([*convert, "raw", "-f", "qcow2", system, self.path("system.raw")], check=True)
        written = guest.read(self.path("system.raw"))
        self.assertEqual(written[:512], written[512:1024])
        self.assertEqual(os.stat(system).st_mode & 0o777, 0o600)

    def check_that_its_log_is_bounded(self, driver, limit=32768):
        connection = self.admin()
        self.assertEqual(self.tell(connection, "flood 100"), "flooded")
        connection.close()
        self.inspect(driver)
        wait_until("the end is in the log", lambda: self.inspect(driver) and b"flood over" in self.console())
        self.assertLessEqual(len(self.console()), limit)
        self.assertGreater(len(self.console()), limit // 2)
        for name in ("console.log", "console.log.1"):
            self.assertEqual(os.stat(self.path(name)).st_mode & 0o777, 0o600)

    def check_that_it_powers_off(self, driver):
        """And that it can be started again."""
        connection = self.admin()
        self.assertEqual(self.tell(connection, "echo up"), "up")
        # As the core does it: ask the guest, then wait with stop().
        connection.sendall(b"poweroff\n")
        self.assertEqual(driver.ask("stop " + self.id), "ok")
        self.assertEqual(self.inspect(driver)[:3], (STOPPED, 0, 0))
        self.assertEqual(driver.ask("stop " + self.id), "ok")
        self.assertEqual(driver.ask("start " + self.id), "ok")
        self.assertEqual(self.inspect(driver)[0], RUNNING)

    def check_that_a_reset_is_told(self, driver):
        connection = self.admin()
        self.assertEqual(self.tell(connection, "echo up"), "up")
        pid = self.inspect(driver)[2]
        connection.sendall(b"reboot\n")
        wait_until("QEMU has ended", lambda: not is_alive(pid))
        state, _, _, why = self.inspect(driver)
        self.assertEqual(state, FAILED)
        self.assertIn("the guest reset itself", why)

    def probe(self, driver):
        """The acceleration that it chooses."""
        answer = driver.ask("probe")
        self.assertRegex(answer, r"^ok [12] QEMU emulator version .* \| ")
        acceleration = int(answer.split()[1])
        if acceleration == EMULATED:
            self.assertIn("/dev/kvm", answer)
            self.assertIn("emulation works, and isolates nothing", answer)
        return acceleration

    def open_doors(self):
        """A TCP and a UDP port of this machine's loopback."""
        tcp, udp = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        for door in (tcp, udp):
            self.addCleanup(door.close)
        return tcp, udp

    def knock(self, doors):
        """Whether the guest came through the two."""
        tcp, udp = doors
        connection = self.admin()
        connection.sendall(f"tcp 10.0.2.2 {tcp.getsockname()[1]}\n".encode())
        came = tcp in select.select([tcp, connection], [], [], PATIENCE)[0]
        if came:
            # So that the guest need not wait for an end.
            tcp.accept()[0].close()
        self.assertTrue(self.answer(connection).startswith("tcp "))
        self.assertEqual(self.tell(connection, f"udp 10.0.2.2 {udp.getsockname()[1]}"), "udp sent")
        connection.close()
        return came, udp in select.select([udp], [], [], 0)[0]

    def check_that_it_is_destroyed(self, driver):
        pid = self.inspect(driver)[2]
        self.assertEqual(driver.ask("destroy " + self.id), "ok")
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.inspect(driver)[0], ABSENT)
        self.assertEqual(driver.ask("destroy " + self.id), "ok")
