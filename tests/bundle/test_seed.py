"""What a cloud image's seed does at the first boot, on a machine of BusyBox and OpenRC's stand-in, where there is no glibc."""
import os
import shutil
import subprocess
import tempfile
import textwrap
import unittest

from kit import PLACE, Root, build, enter, template
from lib.wait import until
from test_bundle import OPENRC_RUN, RC_SERVICE, read

# As the kernel does with a CD, which is a device that is known by its serial number. Functions, as BusyBox's shell takes its own
# commands before any program.
CD = """
mount () { [ "$*" = "-t iso9660 -o ro /dev/vdb /run/seed" ] && cp /media/bundle.tar /run/seed/; }
umount () { [ "$*" = /run/seed ] && rm /run/seed/bundle.tar; }
"""


def command(name):
    """The command of that template, as cloud-init would find it there."""
    text = template(name)
    return textwrap.dedent(text[text.index("    - |\n") + len("    - |\n"):])


def script():
    return CD + command("user-data")


class Seed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="sp-test-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        build("--bundle", os.path.join(cls.folder, "bundle"))
        subprocess.run(["tar", "-C", os.path.join(cls.folder, "bundle"), "-cf", os.path.join(cls.folder, "bundle.tar"), "."], check=True)

    def setUp(self):
        self.machine = Root()
        self.addCleanup(self.machine.close)
        for path, text in (("sbin/openrc-run", OPENRC_RUN), ("bin/rc-service", RC_SERVICE),
                           ("bin/rc-update", '#!/bin/sh\necho "$*" >>/run/rc-update\n')):
            self.machine.write(path, text, 0o755)
        for folder in ("etc/init.d", "etc/cloud", "media"):
            os.mkdir(self.machine.at(folder))
        shutil.copy(os.path.join(self.folder, "bundle.tar"), self.machine.at("media"))
        self.machine.write("sys/block/vda/serial", "disk")
        self.machine.write("sys/block/vdb/serial", "seed")

    def test_the_daemon_is_installed_and_started(self):
        machine = self.machine
        keeper = machine.start("/bin/sh", "-c", script().replace("exec ", "") + "wait; sleep 1000", own_network=True)
        ask = ("/bin/wget", "-q", "-O", "-", "http://127.0.0.1:3737/health")
        answer = until(lambda: enter(keeper, *ask).stdout.decode(), "an answer", 20)
        self.assertIn("unowned", answer, machine.log())
        self.assertIn(b"add secret-proxyd default\n", read(machine.at("run/rc-update")))
        self.assertEqual(os.listdir(machine.at("opt")), ["secret-proxy"])
        self.assertTrue(os.path.exists(machine.at("etc/cloud/cloud-init.disabled")))
        self.assertTrue(os.path.exists(machine.at(PLACE + "/install")))

    def test_without_the_seed_nothing_is_installed(self):
        self.machine.write("sys/block/vdb/serial", "other")
        done = self.machine.run("/bin/sh", "-c", script())
        self.assertNotEqual(done.returncode, 0, done)
        self.assertEqual(os.listdir(self.machine.at("opt")), [])
        self.assertFalse(os.path.exists(self.machine.at("run/rc-update")))

    def test_a_damaged_bundle_is_not_started(self):
        with open(self.machine.at("media/bundle.tar"), "r+b") as file:
            content = file.read()
            at = content.index(b"\x7fELF") + 5000
            file.seek(at)
            file.write(bytes(byte ^ 1 for byte in content[at:at + 4]))
        done = self.machine.run("/bin/sh", "-c", script())
        self.assertNotEqual(done.returncode, 0, done)
        self.assertIn(b"damaged", done.stderr)
        self.assertFalse(os.path.exists(self.machine.at(PLACE)))


class Engine(unittest.TestCase):
    """What a machine with a container does before: the engine is fetched only where there is none."""

    def setUp(self):
        self.machine = Root()
        self.addCleanup(self.machine.close)

    def fetched(self, *programs):
        for name in programs:
            self.machine.write("bin/" + name, f'#!/bin/sh\necho "{name} $*" >>/run/log\n', 0o755)
        done = self.machine.run("/bin/sh", "-c", command("user-data.engine"))
        self.assertEqual(done.returncode, 0, done)
        return read(self.machine.at("run/log")).decode().splitlines() if os.path.exists(self.machine.at("run/log")) else []

    def test_of_debian(self):
        self.assertEqual(self.fetched("apt-get", "apk"), ["apt-get update", "apt-get install --yes --no-install-recommends podman crun"])

    def test_of_alpine(self):
        self.assertEqual(self.fetched("apk"), ["apk add podman"])

    def test_nothing_is_fetched_where_it_is_there(self):
        self.assertEqual(self.fetched("podman", "apt-get", "apk"), [])


if __name__ == "__main__":
    unittest.main()
