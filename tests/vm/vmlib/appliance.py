"""The appliance in a QEMU of the test's own, without the programs of the host: what can be seen from outside."""
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from .image import image
from .paths import TREE

from lib.wait import SLOW, until  # noqa: E402, from tests/api by vmlib.paths

PATIENCE = 60


def kernel_words():
    """SP_KERNEL_WORDS, which every boot has."""
    with open(os.path.join(TREE, "core", "host", "appliance", "image-set.h"), encoding="utf-8") as file:
        return re.search(r'#define SP_KERNEL_WORDS[\s\\]*"([^"]*)"', file.read())[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Machine:
    """One boot; `forward`: guest ports that are led to a free port here, `words`: more of the kernel's."""

    def __init__(self, words="", memory=128, forward=(3737,), guest="", disks=(), admin=False):
        self.folder = tempfile.mkdtemp(prefix="sp-appliance-")
        self.log, self.monitor, self.admin = (os.path.join(self.folder, n) for n in ("console", "monitor", "admin"))
        self.ports = {port: free_port() for port in forward}
        self.began = time.monotonic()
        self.process = subprocess.Popen(self._argv(words, memory, guest, disks, admin), stdin=subprocess.DEVNULL)

    def _argv(self, words, memory, guest, disks, admin):
        folder = image()
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{here}-{guest}:{there}" for there, here in self.ports.items())
        argv = ["qemu-system-x86_64", "-M", "pc", "-cpu", "max", "-accel", "tcg,tb-size=64", "-smp", "1", "-m", str(memory),
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-device", "virtio-rng-pci",
                "-serial", f"file:{self.log}", "-qmp", f"unix:{self.monitor},server=on,wait=off",
                "-kernel", os.path.join(folder, "kernel"), "-initrd", os.path.join(folder, "initrd"),
                "-append", f"{kernel_words()} root=/dev/vda {words}".strip(),
                "-netdev", f"user,id=net{forwards}", "-device", "virtio-net-pci,netdev=net,romfile="]
        for name, path in (("root", os.path.join(folder, "root")), *disks):
            only = "off" if name == "data" else "on"
            argv += ["-drive", f"if=none,id={name},format=raw,read-only={only},file={path}",
                     "-device", f"virtio-blk-pci,drive={name},serial={name}"]
        if admin:
            argv += ["-device", "virtio-serial-pci", "-chardev", f"socket,id=admin,path={self.admin},server=on,wait=off",
                     "-device", "virtserialport,chardev=admin,name=org.secret-proxy.admin"]
        return argv

    @property
    def console(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def ask(self, path="/health", method="GET", timeout=5.0, body=None):
        """(status, JSON); None: no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[3737], timeout=timeout)
        try:
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def wait_for_health(self):
        """QEMU accepts before the guest listens, so each try is short. The answer, and the seconds since the start."""
        def probe():
            assert self.process.poll() is None, f"the machine has ended:\n{self.console[-2000:]}"
            return self.ask(timeout=0.3)
        answer = until(probe, f"an answer of /health ({self.log})", PATIENCE)
        return answer, time.monotonic() - self.began

    def says_nothing_at(self, port):
        """Whether a connection to this guest port is closed without a byte."""
        with socket.create_connection(("127.0.0.1", self.ports[port]), timeout=10 * SLOW) as connection:
            try:
                return connection.recv(1) == b""
            except ConnectionResetError:
                return True

    def press_power_button(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.monitor)
            file = connection.makefile("rwb")
            file.readline()
            for command in ("qmp_capabilities", "system_powerdown"):
                file.write(json.dumps({"execute": command}).encode() + b"\n")
                file.flush()
                file.readline()

    def wait_for_end(self):
        """Seconds since the start."""
        self.process.wait(PATIENCE * SLOW)
        return time.monotonic() - self.began

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
