"""qemu:///session: an ordinary user's own libvirt."""
import os
import shutil
import subprocess
import unittest

from case import RAW, RUNNING, Case, Driver, guest, status_of, wait_until
from vmlib import libvirtd

USER = 61310
RUNTIME = f"/run/user/{USER}"
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")


class Session(Case):
    plugin = "libvirt"

    def setUp(self):
        why = libvirtd.missing()
        if why is not None:
            self.skipTest(why)
        super().setUp()
        shutil.copy2(self.initrd, self.path("initrd"))
        self.initrd = self.path("initrd")

    def start_daemon(self):
        """Of a user who has logged in, in a mount namespace of this process."""
        libvirtd.move("/run/user")
        libvirtd.add_user(USER, self.folder, "/run/user")
        os.mkdir(RUNTIME, 0o700)
        os.chown(RUNTIME, USER, USER)
        # Without virtlogd, which would stay for two minutes.
        os.makedirs(self.path(".config/libvirt"))
        with open(self.path(".config/libvirt/qemu.conf"), "w", encoding="ascii") as file:
            file.write(libvirtd.SETTINGS["qemu.conf"])
        self.give()
        environment = {"HOME": self.folder, "XDG_RUNTIME_DIR": RUNTIME, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        daemon = subprocess.Popen([*AS_USER, libvirtd.DAEMON], env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.terminate)
        wait_until("its socket", lambda: os.path.exists(RUNTIME + "/libvirt/libvirt-sock"))

    def give(self):
        for folder, _, names in os.walk(self.folder):
            for path in (folder, *(os.path.join(folder, name) for name in names)):
                os.lchown(path, USER, USER)

    def test_a_machine_of_a_users(self):
        data = self.disk("data.img", "DATA!")
        self.give()
        driver = Driver(self, options={"uri": "qemu:///session"}, prefix=AS_USER)
        self.assertIn("is this user's daemon running?", driver.ask("probe"))
        self.start_daemon()
        driver.close()
        driver = Driver(self, options={"uri": "qemu:///session"}, prefix=AS_USER)
        self.start(driver, disks=((data, "data", RAW, False),))
        state, _, pid, _ = self.inspect(driver)
        self.assertEqual(state, RUNNING)
        self.assertEqual(status_of(pid, "Uid")[0], str(USER))
        self.assertEqual(self.tell(self.admin(), "disk vda"), "disk data DATA!")
        self.assertEqual(os.stat(self.path("admin.sock")).st_mode & 0o777, 0o600)
        self.assertIn("memfd:secret-proxy-netguard", str([os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]))
        self.assertEqual(driver.ask("destroy " + self.id), "ok")
        self.assertEqual(guest.read(data)[:5], b"DATA!")


if __name__ == "__main__":
    unittest.main()
