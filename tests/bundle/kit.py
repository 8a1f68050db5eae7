"""A machine that has nothing but BusyBox, as a folder to chroot into, and what runs there.

What must stay true: no library of this machine is to be found in it; processes are ended by
their ids; what listens on a port that it has not chosen does so in a network of its own.
"""
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "api"))

from lib import processes  # noqa: E402
from lib.paths import PROGRAM  # noqa: E402
from lib.wait import SLOW  # noqa: E402

BUSYBOX = "/bin/busybox"
PLACE = "/opt/secret-proxy"
INSIDE = PLACE + "/bin/secret-proxy"
MADE_AT = 1704067200
NAMES = ("sh", "cat", "chmod", "chown", "cp", "dirname", "env", "id", "ifconfig", "kill", "ls", "mkdir", "mv", "rm",
         "sha256sum", "sleep", "sync", "tar", "touch", "wget")


def build(option, to) -> dict:
    """`image build OPTION TO`; what it prints."""
    done = subprocess.run([PROGRAM, "--json", "image", "build", option, to], capture_output=True, check=False,
                          timeout=100 * SLOW, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def source(name) -> str:
    """The text of a file of core/bundle."""
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "core", "bundle", name), encoding="utf-8") as file:
        return file.read()


def template(name) -> str:
    """The text of a template of a cloud image's seed."""
    folder = os.path.join(os.path.dirname(__file__), "..", "..", "core", "host", "cloud", "templates")
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


class Root:
    """The folder of such a machine; `bundle`: lies at its place already; `layer`: a tar that is all there is."""

    def __init__(self, bundle=None, layer=None):
        self.path, self.running = tempfile.mkdtemp(prefix="sp-test-"), []
        os.chmod(self.path, 0o755)
        if layer:
            with tarfile.open(layer) as tar:
                tar.extractall(self.path, numeric_owner=True)
            for name in ("dev", "proc"):
                os.mkdir(self.at(name))
        else:
            self._fill(bundle)

    def _fill(self, bundle):
        for name in ("bin", "dev", "etc", "opt", "proc", "run", "tmp", "var"):
            os.mkdir(self.at(name), 0o755)
        os.chmod(self.at("tmp"), 0o1777)
        shutil.copy(BUSYBOX, self.at("bin/busybox"))
        for name in NAMES:
            os.symlink("busybox", self.at("bin/" + name))
        if bundle:
            shutil.copytree(bundle, self.at(PLACE))

    def at(self, path) -> str:
        return os.path.join(self.path, path.lstrip("/"))

    def write(self, path, text, mode=0o644) -> str:
        os.makedirs(os.path.dirname(self.at(path)), exist_ok=True)
        with open(self.at(path), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.at(path), mode)
        return path

    def command(self, arguments, own_network=False, user=0) -> list:
        """What runs `arguments` there, with devices, processes and nothing of our environment."""
        text = ('set -e; mount --bind /proc "$0/proc"; mount --rbind /dev "$0/dev"; '
                + ("ip link set lo up; " if own_network else "")
                + 'root=$0; exec "$@"')
        network = ["--net"] if own_network else []
        return ["unshare", "--mount", *network, "sh", "-c", text, self.path, "/usr/bin/env", "-i", "PATH=/bin",
                "/usr/bin/setpriv", "--no-new-privs", "/usr/sbin/chroot", f"--userspec={user}:{user}", self.path, *arguments]

    def run(self, *arguments, **more):
        return subprocess.run(self.command(arguments, **more), capture_output=True, check=False, timeout=60 * SLOW,
                              stdin=subprocess.DEVNULL)

    def start(self, *arguments, **more) -> subprocess.Popen:
        with open(self.path + ".log", "ab") as log:
            process = subprocess.Popen(self.command(arguments, **more), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=log)
        self.running.append(process)
        return process

    def start_local(self, *arguments, **more):
        """The process, and its ready line."""
        process = self.start(*arguments, **more)
        assert select.select([process.stdout], [], [], 30 * SLOW)[0], self.log()
        line = process.stdout.readline()
        assert line, self.log()
        return process, json.loads(line)

    def log(self) -> str:
        with open(self.path + ".log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def close(self):
        for process in self.running:
            stop(process, signal.SIGKILL)
        shutil.rmtree(self.path)
        if os.path.exists(self.path + ".log"):
            os.unlink(self.path + ".log")


def stop(process, number=signal.SIGTERM) -> int:
    if process.poll() is None:
        process.send_signal(number)
    status = process.wait(30 * SLOW)
    if process.stdout:
        process.stdout.close()
    return status


def inside(process, *arguments, user=0, env=()) -> list:
    """What runs `arguments` where `process` is: its files and its network."""
    return ["/usr/bin/env", "-i", "PATH=/bin", *env, "/usr/bin/nsenter", "--target", str(process.pid), "--mount", "--net",
            "--root", "--wd=/", f"--setuid={user}", f"--setgid={user}", *arguments]


def enter(process, *arguments, input=b""):
    return subprocess.run(inside(process, *arguments), input=input, capture_output=True, check=False, timeout=60 * SLOW)


def mapped(process) -> set:
    """All files that the process and those below it have mapped."""
    found = set()
    for pid in (process.pid, *processes.descendants(process.pid)):
        with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
            found.update(line.split(None, 5)[5].strip() for line in file if len(line.split(None, 5)) > 5)
    return {name for name in found if name.startswith("/") and not name.startswith(("/memfd:", "/dev/"))}
