"""What the bundle's service does in a vault VM of the host's: its disks, its channel, and SSH only where the host wants it.

With folders in the place of /sys and programs that write down how they were called. Devices have names that
every /dev has. The shell is dash: BusyBox's would take its own `mount` and `poweroff`, whatever lies in the PATH.
"""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from kit import Root, source

PORT, PLUGINS, DATA, OTHER = "null", "zero", "full", "random"
LOG = "/run/log"
LIBRARIES = re.findall(r"(/\S+) \(", subprocess.run(["ldd", "/bin/dash"], capture_output=True, text=True, check=True).stdout)


class Machine(unittest.TestCase):
    def setUp(self):
        self.root = Root()
        self.addCleanup(self.root.close)
        for file in ("/bin/dash", *LIBRARIES):
            os.makedirs(os.path.dirname(self.root.at(file)), exist_ok=True)
            shutil.copy(file, self.root.at(file))
        for name in ("run", "maintenance", "sshd_config"):
            self.root.write("opt/secret-proxy/service/" + name, source(name), 0o755)
        for name in ("mount", "poweroff", "systemctl"):
            self.program("bin/" + name, "exit 0")
        # No test waits.
        self.program("bin/sleep", "exit 0", log=False)
        self.daemon("exit 0")

    def program(self, path, text, log=True):
        said = f'echo "{os.path.basename(path)} $*" >>{LOG}\n' if log else ""
        if os.path.islink(self.root.at(path)):
            os.unlink(self.root.at(path))
        self.root.write(path, f"#!/bin/sh\n{said}{text}\n", 0o755)

    def daemon(self, text):
        self.program("opt/secret-proxy/bin/secret-proxyd", text)

    def port(self, name="org.secret-proxy.admin"):
        self.root.write(f"sys/class/virtio-ports/{PORT}/name", name + "\n")

    def disk(self, device, serial, read_only=1):
        # Without a newline, as the kernel has it.
        self.root.write(f"sys/block/{device}/serial", serial)
        self.root.write(f"sys/block/{device}/ro", f"{read_only}\n")

    def whole(self):
        self.port()
        self.disk(OTHER, "system", 0)
        self.disk(PLUGINS, "plugins")
        self.disk(DATA, "data", 0)

    def run_it(self, *words):
        self.done = self.root.run("/bin/dash", "/opt/secret-proxy/service/" + (words[0] if words else "run"), *words[1:])
        self.out = self.done.stdout.decode() + self.done.stderr.decode()
        return self.done.returncode

    def log(self):
        try:
            with open(self.root.at(LOG), encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []


class Run(Machine):
    def test_busybox_can_read_them(self):
        for name in ("run", "maintenance"):
            done = self.root.run("/bin/busybox", "sh", "-n", "/opt/secret-proxy/service/" + name)
            self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_without_the_hosts_parts_it_keeps_nothing(self):
        self.port("org.qemu.guest_agent.0")
        self.disk(OTHER, "system", 0)
        self.daemon('[ -n "$(ls /run/count 2>/dev/null)" ] && kill -TERM $PPID; mkdir -p /run/count/x; exit 1')
        self.run_it()
        self.assertEqual(set(self.log()), {"secret-proxyd --listen 0.0.0.0:3737 --state /run/secret-proxyd --first-user 61000"})

    def test_an_owned_machine_has_its_plugins_and_its_store_on_the_hosts_disks(self):
        self.whole()
        self.daemon("[ -e /proc/$$/fd/3 ] || exit 1")
        self.assertEqual(self.run_it(), 0, self.out)
        log = [line for line in self.log() if not line.startswith("systemctl")]
        self.assertEqual(log, [f"mount -t squashfs -o ro,nosuid,nodev /dev/{PLUGINS} /run/plugins",
                               f"mount -t ext4 -o nosuid,nodev,noexec,noatime /dev/{DATA} /var/lib/secret-proxyd",
                               "secret-proxyd --listen 0.0.0.0:3737 --state /var/lib/secret-proxyd/state --first-user 61000 --admin-fd 3",
                               "poweroff "])
        self.assertEqual(os.stat(self.root.at("var/lib/secret-proxyd/state")).st_mode & 0o777, 0o700)

    def test_with_any_of_the_three_it_starts_only_with_all(self):
        for missing in ("port", "plugins", "data"):
            with self.subTest(missing=missing):
                shutil.rmtree(self.root.at("sys"), ignore_errors=True)
                self.whole()
                shutil.rmtree(self.root.at({"port": "sys/class", "plugins": "sys/block/" + PLUGINS, "data": "sys/block/" + DATA}[missing]))
                self.assertEqual(self.run_it(), 1)
                self.assertIn("failed: the host gave it no admin channel, no plugin disk or no data disk", self.out)
                self.assertEqual(self.log(), [])

    def test_a_driver_that_comes_late_is_waited_for(self):
        self.whole()
        os.rename(self.root.at("sys/class"), self.root.at("sys/late"))
        self.program("bin/sleep", "mv /sys/late /sys/class", log=False)
        self.assertEqual(self.run_it(), 0, self.out)
        self.assertIn("poweroff ", self.log())

    def test_a_disk_that_cannot_be_mounted_is_no_reason_to_go_on_without(self):
        self.whole()
        self.program("bin/mount", f'case $2 in ext4) exit 32 ;; esac')
        self.assertEqual(self.run_it(), 1)
        self.assertIn("failed: the data disk is broken", self.out)
        self.assertNotIn("secret-proxyd", "".join(line for line in self.log() if not line.startswith("mount")))

    def test_a_stop_between_two_starts_is_one(self):
        self.whole()
        self.program("bin/mount", "echo $PPID >/run/main")
        self.program("bin/sleep", "read -r main </run/main; kill -TERM $main", log=False)
        self.daemon("exit 1")
        self.assertEqual(self.run_it(), 0, self.out)
        self.assertEqual(len([line for line in self.log() if line.startswith("secret-proxyd ")]), 1)

    def test_where_sshd_cannot_be_shut_no_vault_starts(self):
        self.whole()
        self.program("bin/systemctl", 'case $2 in mask) exit 1 ;; esac')
        self.assertEqual(self.run_it(), 1)
        self.assertIn("failed: sshd", self.out)
        self.assertNotIn("secret-proxyd", "".join(line for line in self.log() if not line.startswith("mount")))


class Ssh(Machine):
    def setUp(self):
        super().setUp()
        self.program("usr/sbin/sshd", "exit 0")

    def test_it_runs_only_with_the_hosts_disk(self):
        self.assertEqual(self.run_it("maintenance"), 0)
        self.disk(OTHER, "system")
        self.assertEqual(self.run_it("maintenance", "wanted"), 1)
        # A disk that the guest can write to may be anybody's doing.
        self.disk(DATA, "maintenance", 0)
        self.assertEqual(self.run_it("maintenance"), 0)
        self.assertEqual(self.log(), [])
        self.disk(DATA, "maintenance")
        self.assertEqual(self.run_it("maintenance", "wanted"), 0)
        self.assertEqual(self.run_it("maintenance"), 0, self.out)
        self.assertEqual(self.log(), ["sshd -D -e -f /opt/secret-proxy/service/sshd_config"])

    def test_systemds_is_masked_once(self):
        for _ in range(2):
            self.assertEqual(self.run_it("maintenance", "shut"), 0, self.out)
        for unit in ("ssh.service", "ssh.socket", "sshd.service", "sshd.socket"):
            self.assertEqual(self.log().count(f"systemctl --no-reload mask {unit}"), 1)
            self.assertIn(f"systemctl --no-reload disable --now {unit}", self.log())
        self.assertEqual((self.log().count("systemctl daemon-reload"), self.log()[-1]), (1, "systemctl daemon-reload"))

    def test_openrcs_is_stopped_and_can_not_be_started(self):
        os.unlink(self.root.at("bin/systemctl"))
        self.program("bin/rc-service", "exit 0")
        self.program("bin/rc-update", "exit 0")
        self.root.write("etc/init.d/sshd", "#!/sbin/openrc-run\n", 0o755)
        self.assertEqual(self.run_it("maintenance", "shut"), 0, self.out)
        self.assertEqual(self.log(), ["rc-service --ifstarted sshd stop", "rc-update --all del sshd"])
        self.assertEqual(os.stat(self.root.at("etc/init.d/sshd")).st_mode & 0o111, 0)

    def test_the_real_sshd_takes_its_configuration(self):
        found = shutil.which("sshd", path="/usr/sbin:/usr/bin")
        if not found:
            self.skipTest("there is no sshd: install openssh-server")
        folder = tempfile.mkdtemp(prefix="sp-test-")
        self.addCleanup(shutil.rmtree, folder)
        key, config = os.path.join(folder, "key"), os.path.join(folder, "config")
        self.assertEqual(os.system(f"ssh-keygen -q -t ed25519 -N '' -f {key}"), 0)
        with open(config, "w", encoding="utf-8") as file:
            file.write(source("sshd_config").replace("/etc/ssh/ssh_host_ed25519_key", key))
        os.makedirs("/run/sshd", exist_ok=True)
        with os.popen(f"{found} -T -f {config} 2>&1") as out:
            said = out.read().lower().splitlines()
        for line in ("allowusers proxy", "passwordauthentication no", "permitrootlogin no", "disableforwarding yes", "usepam no"):
            self.assertIn(line, said)


if __name__ == "__main__":
    unittest.main()
