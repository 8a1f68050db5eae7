"""A libvirt daemon of a scenario's own, whatever else runs on this machine.

The process moves into a mount namespace of its own, where the folders of libvirt
are empty ones, and everything that it starts afterwards speaks to this daemon. A
daemon of the system is neither asked nor disturbed. What must stay true: called
before any thread is started, and ended with the process.
"""
import ctypes
import os
import pwd
import signal
import subprocess
import sys

from . import paths

from lib.wait import until  # noqa: E402

CLONE_NEWNS, PR_SET_PDEATHSIG = 0x20000, 1
SYSTEM = "qemu:///system"
DAEMON = "/usr/sbin/libvirtd"
OWN = ("/etc/libvirt", "/run/libvirt", "/var/cache/libvirt", "/var/lib/libvirt", "/var/log/libvirt")
# As Debian's packages make them.
FOLDERS = ("/var/cache/libvirt/qemu", "/var/lib/libvirt/boot", "/var/lib/libvirt/dnsmasq", "/var/lib/libvirt/qemu", "/var/log/libvirt/qemu")
SETTINGS = {
    "libvirtd.conf": 'unix_sock_group = "root"\nunix_sock_rw_perms = "0700"\nauth_unix_rw = "none"\n',
    # Without virtlogd.
    "qemu.conf": 'stdio_handler = "file"\n',
}
PID_FILE = "/run/libvirt/libvirtd.pid"
REAPER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reaper.py")
KEPT = os.path.join(paths.BUILD, "libvirt-cache")
LIBC = ctypes.CDLL(None, use_errno=True)


def missing():
    """Why it can't be had here; None: it can."""
    if os.geteuid() != 0:
        return "this needs root"
    if not os.path.exists(DAEMON):
        return "there is no libvirt: install libvirt-daemon-system, libvirt-daemon-driver-qemu and libvirt-clients"
    return None


def _mount(*words):
    subprocess.run(["mount", *words], check=True)


def _make_kvm():
    """/dev/kvm for libvirt's QEMU, as udev gives it: where the user has no right to it, libvirt asks QEMU again for each call."""
    if not os.path.exists("/dev/kvm"):
        return
    node = "/run/libvirt/kvm"
    os.mknod(node, 0o20660, os.stat("/dev/kvm").st_rdev)
    os.chown(node, 0, pwd.getpwnam("libvirt-qemu").pw_gid)
    os.chmod(node, 0o660)
    _mount("--bind", node, "/dev/kvm")


def move(*folders):
    """Into a mount namespace where these folders are empty ones."""
    if LIBC.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "no mount namespace")
    _mount("--make-rprivate", "/")
    for folder in folders:
        os.makedirs(folder, exist_ok=True)
        _mount("-t", "tmpfs", "-o", "mode=0755", "none", folder)


def add_user(number, home, folder):
    """Records of a user without them, for who looks from this namespace; libvirt asks for them."""
    for name, line in (("passwd", f"sp-test:x:{number}:{number}::{home}:/bin/sh"), ("group", f"sp-test:x:{number}:")):
        with open("/etc/" + name, encoding="utf-8") as file:
            text = file.read()
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{text}{line}\n")
        os.chmod(path, 0o644)
        _mount("--bind", path, "/etc/" + name)


def _move():
    move(*OWN)
    for folder in FOLDERS:
        os.mkdir(folder, 0o755)
    # What it has found out about QEMU takes seconds, and it judges itself whether that is still so.
    os.makedirs(KEPT, exist_ok=True)
    _mount("--bind", KEPT, "/var/cache/libvirt/qemu")
    user = pwd.getpwnam("libvirt-qemu").pw_uid
    os.chmod("/var/lib/libvirt/boot", 0o711)
    os.chmod("/var/lib/libvirt/qemu", 0o750)
    os.chown("/var/lib/libvirt/qemu", user, user)
    for name, text in SETTINGS.items():
        with open(os.path.join("/etc/libvirt", name), "w", encoding="ascii") as file:
            file.write(text)
    _make_kvm()


class Libvirtd:
    def __init__(self):
        self.process = self.pid = None
        _move()
        self.start()

    def start(self):
        with open("/var/log/libvirt/libvirtd.log", "ab") as log:
            self.process = subprocess.Popen([sys.executable, REAPER, DAEMON, "--pid-file", PID_FILE], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM))
        until(self._answers, "an answer of libvirtd", timeout=60)
        with open(PID_FILE, encoding="ascii") as file:
            self.pid = int(file.read())

    def _answers(self):
        if self.process.poll() is not None:
            with open("/var/log/libvirt/libvirtd.log", encoding="utf-8", errors="replace") as file:
                raise AssertionError("libvirtd has ended:\n" + file.read()[-2000:])
        return self.virsh("version", check=False).returncode == 0

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        self.process.wait()

    @staticmethod
    def virsh(*words, check=True, **more):
        done = subprocess.run(["virsh", "--quiet", "--connect", SYSTEM, *words], capture_output=True, text=True, check=False, **more)
        if check and done.returncode != 0:
            raise AssertionError(f"virsh {' '.join(words)}: {done.stderr.strip()}")
        return done

    def domains(self):
        """Names of all that it knows, running or not."""
        return self.virsh("list", "--all", "--name").stdout.split()


def private():
    """One for this process and what it starts; say why not where it can't be had."""
    why = missing()
    if why is not None:
        sys.exit(f"no libvirt: {why}")
    return Libvirtd()
