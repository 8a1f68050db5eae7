"""`secret-proxy image check` against hostile images, and against what a real QEMU leaves.

$SECRET_PROXY names the program.  Whether a tool ran is seen from outside: in a mount namespace of the
test, a witness lies over bwrap, through which alone a tool can be run.
"""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

import images

PROGRAM = os.environ.get("SECRET_PROXY", "secret-proxy")
BWRAP, QEMU, QEMU_IMG, QEMU_IO = "/usr/bin/bwrap", "qemu-system-x86_64", "qemu-img", "qemu-io"
LIMIT = 120
INTEGRITY = 9

# What is run in place of bwrap, within whose bounds nothing can be written; and how it gets there.
WITNESS = "#!/bin/sh\n: >%s\necho '{}'\n"
IN_PLACE = """\
mount --bind "$1" %s || exit 200
shift
exec "$@"
""" % BWRAP


# Who may not mount is root in a namespace for that, and then itself again in another.
IS_ROOT = os.geteuid() == 0
OWN_MOUNTS = ["unshare", "--mount"] if IS_ROOT else ["unshare", "--mount", "--map-root-user"]
ITSELF = [] if IS_ROOT else ["unshare", f"--map-user={os.getuid()}", f"--map-group={os.getgid()}"]


def can(command):
    return subprocess.run(command, capture_output=True, timeout=LIMIT, check=False).returncode == 0


CAN_BIND = can([*OWN_MOUNTS, "mount", "--bind", "/usr/bin/true", BWRAP])
CAN_SANDBOX = can([BWRAP, "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "true"])


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sp-hostile-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.image = self.path("image.qcow2")

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_program(self, *args, before=()):
        """In the folder, which is where temporary files go too."""
        return subprocess.run([*before, os.path.abspath(PROGRAM), *args], cwd=self.folder, capture_output=True, timeout=LIMIT,
                              env={**os.environ, "TMPDIR": self.folder}, check=False)

    def check(self, **how):
        result = self.run_program("--json", "image", "check", self.image, **how)
        answer = json.loads(result.stdout)
        self.assertNotIn("error", answer, result.stderr)
        self.assertEqual(result.stderr, b"")
        return result.returncode, answer

    def assert_check(self, codes, **how):
        status, answer = self.check(**how)
        self.assertEqual([finding["code"] for finding in answer["findings"]], codes)
        self.assertEqual(answer["ok"], not codes)
        self.assertEqual(status, INTEGRITY if codes else 0)
        return answer


@unittest.skipUnless(CAN_BIND, "no mount namespace can be made here")
class Hostile(Case):
    """None of them meets a tool, and none leaves anything."""

    def setUp(self):
        super().setUp()
        self.seen = self.path("seen")
        self.witness = self.path("witness")
        with open(self.witness, "w", encoding="utf-8") as file:
            file.write(WITNESS % self.seen)
        # It may run as a user of its own.
        os.chmod(self.witness, 0o755)
        os.chmod(self.folder, 0o777)
        self.before = [*OWN_MOUNTS, "sh", "-c", IN_PLACE, "sh", self.witness, *ITSELF]

    def ran(self):
        return os.path.exists(self.seen)

    def test_hostile_images_are_refused_by_name_and_meet_no_tool(self):
        self.assertGreater(len(images.HOSTILE), 20)
        for name, make, codes in images.HOSTILE:
            with self.subTest(image=name):
                make(self.image)
                before = sorted(os.listdir(self.folder))
                answer = self.assert_check(codes, before=self.before)
                self.assertFalse(self.ran())
                self.assertEqual(sorted(os.listdir(self.folder)), before)
                for finding in answer["findings"]:
                    self.assertRegex(finding["message"], r"^[ -~]{10,}$")
                    self.assertNotIn(images.SECRET, finding["message"])

    def test_witness_sees_the_tool_of_a_good_image(self):
        images.GOOD[0][1](self.image)
        self.check(before=self.before)
        self.assertTrue(self.ran())

    def test_images_are_not_changed(self):
        for name, make, _ in images.HOSTILE[:8] + images.GOOD:
            with self.subTest(image=name):
                make(self.image)
                with open(self.image, "rb") as file:
                    content = file.read()
                self.check(before=self.before)
                with open(self.image, "rb") as file:
                    self.assertEqual(file.read(), content)


@unittest.skipUnless(CAN_SANDBOX, "no sandbox can be made here")
class WithTool(Case):
    def test_good_images_are_good(self):
        for name, make, codes in images.GOOD:
            with self.subTest(image=name):
                make(self.image)
                self.assert_check(codes)

    def test_what_only_the_tool_sees_is_refused(self):
        for name, make, codes in images.TOOL_ONLY:
            with self.subTest(image=name):
                make(self.image)
                self.assert_check(codes)

    def test_images_that_root_alone_may_read(self):
        images.GOOD[0][1](self.image)
        os.chmod(self.image, 0o600)
        self.assert_check([])

    def test_images_of_qemu_img_are_good(self):
        for options in ("", "cluster_size=512", "cluster_size=2M", "lazy_refcounts=on", "preallocation=metadata",
                        "refcount_bits=1", "refcount_bits=64"):
            with self.subTest(options=options):
                more = ["-o", options] if options else []
                subprocess.run([QEMU_IMG, "create", "-q", "-f", "qcow2", *more, self.image, "10001K"], check=True)
                self.assert_check([])
                subprocess.run([QEMU_IO, "-f", "qcow2", self.image, "-c", "write -q 3M 100k", "-c", "write -q -z 4M 1M",
                                "-c", "discard -q 3M 64k", "-c", "write -q 9900k 101k"], check=True, stdout=subprocess.DEVNULL)
                self.assert_check([])

    def test_images_that_lead_elsewhere_are_refused(self):
        raw = self.path("raw")
        subprocess.run([QEMU_IMG, "create", "-q", "-f", "raw", raw, "1M"], check=True)
        for codes, options in ((["backing-file"], ["-b", raw, "-F", "raw"]), (["data-file"], ["-o", f"data_file={raw}"]),
                               (["version"], ["-o", "compat=0.10"]), (["extended-l2"], ["-o", "extended_l2=on"])):
            with self.subTest(codes=codes):
                subprocess.run([QEMU_IMG, "create", "-q", "-f", "qcow2", *options, self.image, "1M"], check=True)
                self.assert_check(codes)


class Files(Case):
    def code_of(self, path):
        result = self.run_program("--json", "image", "check", path)
        return result.returncode, json.loads(result.stdout)["error"]["code"]

    def test_what_is_no_file_is_not_opened(self):
        images.GOOD[0][1](self.image)
        os.symlink(self.image, self.path("link"))
        os.mkfifo(self.path("fifo"))
        for name in ("link", "fifo", "."):
            with self.subTest(name=name):
                self.assertEqual(self.code_of(self.path(name)), (2, "invalid"))
        self.assertEqual(self.code_of("/dev/zero"), (2, "invalid"))
        self.assertEqual(self.code_of(self.path("nothing")), (5, "not-found"))

    def test_people_get_a_sentence_and_a_table(self):
        images.HOSTILE[0][1](self.image)
        result = self.run_program("image", "check", self.image)
        self.assertEqual(result.returncode, INTEGRITY)
        self.assertRegex(result.stdout.decode(), r"image\.qcow2 is refused: 1 finding\n\ncode +message\nbacking-file +it names")


class Machine:
    """A QEMU without a guest, whose disk is written through its monitor."""

    def __init__(self, folder, image):
        self.path = os.path.join(folder, "monitor")
        self.process = subprocess.Popen(
            [QEMU, "-M", "pc", "-accel", "tcg,tb-size=64", "-m", "64", "-display", "none", "-nodefaults", "-qmp",
             f"unix:{self.path},server=on,wait=off", "-drive", f"file={image},format=qcow2,if=virtio"])
        self.socket = self._connect()
        self.stream = self.socket.makefile("rw", encoding="utf-8")
        self.stream.readline()
        self.call("qmp_capabilities")

    def _connect(self):
        end = time.monotonic() + LIMIT
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self.path)
                return connection
            except OSError:
                connection.close()
                if self.process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def call(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise AssertionError(answer["error"])

    def monitor(self, line):
        answer = self.call("human-monitor-command", **{"command-line": line})
        if answer:
            raise AssertionError(f"{line}: {answer}")

    def write(self, what):
        self.monitor(f'qemu-io virtio0 "write -q {what}"')

    def close(self):
        self.process.kill()
        self.process.wait()
        self.stream.close()
        self.socket.close()


@unittest.skipUnless(CAN_SANDBOX, "no sandbox can be made here")
@unittest.skipUnless(shutil.which(QEMU), "there is no QEMU here")
class Stopped(Case):
    """A copy of the disk of a machine that is stopped, while QEMU has it open."""

    WRITES = (("-P 0x41", 1 << 20, 300 << 10), ("-P 0x42", 5 << 20, 1 << 10), ("-P 0x43", 40 << 20, 3 << 20), ("-z", 6 << 20, 1 << 20),
              ("-P 0x44", 6 << 20, 512), ("-z", 41 << 20, 64 << 10))

    def machine(self):
        subprocess.run([QEMU_IMG, "create", "-q", "-f", "qcow2", self.path("disk.qcow2"), "64M"], check=True)
        machine = Machine(self.folder, self.path("disk.qcow2"))
        self.addCleanup(machine.close)
        return machine

    def copy(self):
        shutil.copyfile(self.path("disk.qcow2"), self.image)
        self.assert_check([])

    def expected(self):
        disk = bytearray(64 << 20)
        for what, offset, length in self.WRITES:
            disk[offset:offset + length] = bytes([int(what[3:], 16) if what != "-z" else 0]) * length
        return bytes(disk)

    def test_copy_is_good_after_each_step(self):
        machine = self.machine()
        machine.call("stop")
        self.copy()
        machine.call("cont")
        for what, offset, length in self.WRITES[:3]:
            machine.write(f"{what} {offset} {length}")
        machine.call("stop")
        self.copy()
        for name in ("one", "two"):
            machine.monitor(f"savevm {name}")
            self.copy()
        machine.call("cont")
        for what, offset, length in self.WRITES[3:]:
            machine.write(f"{what} {offset} {length}")
        machine.monitor("savevm three")
        machine.call("stop")
        self.copy()
        for name in ("one", "two", "three"):
            machine.monitor(f"delvm {name}")
            self.copy()

    def test_content_of_the_copy_is_what_was_written(self):
        reader = os.environ.get("SP_READ_IMAGE")
        machine = self.machine()
        for what, offset, length in self.WRITES:
            machine.write(f"{what} {offset} {length}")
            machine.monitor(f"savevm at-{offset}")
        machine.call("stop")
        self.copy()
        self.assertTrue(reader, "SP_READ_IMAGE names no program")
        read = subprocess.run([reader, self.image], capture_output=True, timeout=LIMIT, check=True)
        self.assertEqual(len(read.stdout), 64 << 20)
        self.assertTrue(read.stdout == self.expected(), "the content differs")


if __name__ == "__main__":
    unittest.main()
