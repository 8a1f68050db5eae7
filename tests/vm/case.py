"""What the scenarios of virtual machines share: a folder, the driver, a guest's admin port."""
import atexit
import functools
import glob
import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import uuid

import guest

BUILD = os.environ["SP_BUILD"]
PATIENCE = 60 * float(os.environ.get("SECRET_PROXY_TEST_SLOW", "1"))
OWNED, PROVISION = 2, 1
ABSENT, STOPPED, RUNNING, PAUSED, FAILED = 1, 2, 3, 4, 5
KVM, EMULATED = 1, 2
USER, BRIDGE, TAP, NAMED = 1, 2, 3, 4
RAW, QCOW2 = 1, 2
# A third of the time is spent for what these leave out.
KERNEL_WORDS = "console=ttyS0 quiet panic=-1 8250.nr_uarts=1 cryptomgr.notests acpi=noirq mitigations=off"


def wait_until(what, condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def quoted(text):
    return "nothing" if text is None else "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status_of(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(name + ":"):
                return line.split(":", 1)[1].split()
    raise KeyError(name)


def is_alive(pid):
    try:
        return status_of(pid, "State")[0] != "Z"
    except FileNotFoundError:
        return False


@functools.cache
def initrd_folder(kernel):
    """One for all classes; it goes with the process."""
    folder = tempfile.TemporaryDirectory(prefix="sp-vm-")
    atexit.register(folder.cleanup)
    guest.make_initrd(os.path.join(folder.name, "initrd"), kernel)
    return folder


class Driver:
    """The driver as a process; it lies beside a link to the daemon's program, as it must."""

    def __init__(self, case, options=None, plugin_dir=None, watch=False, prefix=()):
        program = os.path.join(case.folder, "bin", "driver")
        if not os.path.exists(program):
            os.makedirs(os.path.dirname(program), exist_ok=True)
            shutil.copy2(os.path.join(BUILD, "tests", "vm", "driver"), program)
            os.symlink(os.path.join(BUILD, "core", "secret-proxyd"), os.path.join(case.folder, "bin", "secret-proxyd"))
        given = "@a{ss} {" + ", ".join(f"{quoted(k)}: {quoted(v)}" for k, v in (options or {}).items()) + "}"
        argv = [*prefix, program, plugin_dir or os.path.join(BUILD, "plugins"), os.path.join(case.folder, "state"), case.plugin, given]
        self.process = subprocess.Popen(argv + (["--watch"] if watch else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        case.addCleanup(self.close)
        if not watch:
            case.assertEqual(self.read(), "ok open")

    def read(self):
        return self.process.stdout.readline().strip()

    def tell(self, line):
        """Its answer is to be read later."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.tell(line)
        return self.read()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.stdout.close()


class Case(unittest.TestCase):
    """Machines that end with the test."""

    plugin = "qemu"

    @classmethod
    def setUpClass(cls):
        cls.kernel = guest.kernel()
        if cls.kernel is None:
            raise unittest.SkipTest("there is no Debian kernel with its modules here: install linux-image-cloud-amd64")
        if not os.path.exists("/usr/bin/qemu-system-x86_64"):
            raise unittest.SkipTest("there is no QEMU: install qemu-system-x86")
        cls.initrd = os.path.join(initrd_folder(cls.kernel).name, "initrd")

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sp-vm-")
        self.addCleanup(folder.cleanup)
        self.folder, self.id, self.port = folder.name, str(uuid.uuid4()), free_port()

    def path(self, name):
        return os.path.join(self.folder, name)

    def disk(self, name, text, size=1 << 20):
        with open(self.path(name), "wb") as file:
            file.write(text.encode().ljust(size, b"\0"))
        os.chmod(self.path(name), 0o600)
        return self.path(name)

    def spec(self, role=OWNED, disks=(), acceleration=EMULATED, network=USER, bridge=None, cmdline="", log_limit=65536, memory=128,
             by_firmware=False):
        """GVariant text of a specification; `by_firmware`: of one that boots its first disk."""
        provision, forwards = role == PROVISION, f"('127.0.0.1', {self.port}, 3737)" if network == USER else ""
        listed = ", ".join(f"({quoted(p)}, {quoted(n)}, {f}, {int(r)})" for p, n, f, r in disks)
        boot = (None, None, None) if by_firmware else (self.kernel, self.initrd, f"{KERNEL_WORDS} {cmdline}".strip())
        words = [quoted(self.id), "'test'", str(role), *map(quoted, boot), f"[{listed}]", str(memory << 20), "1", str(acceleration), str(network),
                 quoted(bridge), "nothing", f"[{forwards}]", quoted(self.path("admin.sock")), quoted(self.path("console.log")), str(log_limit),
                 quoted(self.path("monitor.sock") if provision else None), quoted(self.path("qemu.pid") if provision else None)]
        return "(" + ", ".join(words) + ")"

    def start(self, driver, **options):
        self.assertEqual(driver.ask("create " + self.spec(**options)), "ok")
        self.assertEqual(driver.ask("start " + self.id), "ok")

    def inspect(self, driver):
        """(state, acceleration, pid, why)"""
        answer = driver.ask("inspect " + self.id)
        self.assertTrue(answer.startswith("ok "), answer)
        _, state, acceleration, pid, why = answer.split(" ", 4)
        return int(state), int(acceleration), int(pid), why

    def qemu_of_this_test(self):
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                if self.id.encode() in guest.read(path).split(b"\0"):
                    return int(path.split("/")[2])
            except (FileNotFoundError, ProcessLookupError):
                continue
        raise AssertionError("there is no QEMU")

    def console(self):
        text = b""
        for name in ("console.log.1", "console.log"):
            if os.path.exists(self.path(name)):
                text += guest.read(self.path(name))
        return text

    def admin(self):
        """A connection to the guest's admin port."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        connection.connect(self.path("admin.sock"))
        self.addCleanup(connection.close)
        return connection

    def tell(self, connection, line):
        """The guest's answer to a line; the first one after the start waits until it is up."""
        connection.sendall(line.encode() + b"\n")
        return self.answer(connection)

    @staticmethod
    def answer(connection):
        answer = b""
        while not answer.endswith(b"\n"):
            chunk = connection.recv(4096)
            if not chunk:
                break
            answer += chunk
        return answer.decode().strip()
