"""An agent's machine of its own: a virtual one, emulated, which is reached over SSH and by nothing else.

It has BusyBox, QEMU, an SSH server and our programs (`build-root`), two accounts that a key made here
opens, `agent` and `root`, and a network of QEMU's, on which the vault VM that is built in it lies
another level below. What must stay true: no vault is looked at from outside of what SSH gives.
"""
import json
import os
import shlex
import shutil
import socket
import subprocess
import tarfile
import tempfile

from vmlib.appliance import free_port, kernel_words
from vmlib.image import image
from vmlib.paths import BUILD, ROOM

from lib.wait import SLOW, until  # noqa: E402, from tests/api by vmlib.paths

HERE = os.path.dirname(os.path.abspath(__file__))
# Not the network that QEMU has by itself, which the machine in it has.
NETWORK = ("10.8.0.0/24", "10.8.0.2", "10.8.0.15/24")
MEMORY = 1536
BOOT = 60
HOME = "/home/agent"
SSHD, KEYGEN = "/usr/sbin/dropbear", "dropbearkey"


def run(*argv, **more):
    return subprocess.run(argv, check=True, capture_output=True, **more)


class AgentVm:
    def __init__(self, say=lambda text: None):
        self.folder = tempfile.mkdtemp(prefix="sp-nested-", dir=ROOM)
        self.log, self.process, self.port = self.path("console"), None, free_port()
        try:
            say("making the root of the agent's machine")
            self._make_root()
            self._make_keys()
            self._start()
        except BaseException:
            self.close()
            raise

    def path(self, name):
        return os.path.join(self.folder, name)

    # ---- what it is made of

    def _make_root(self):
        with open(os.path.join(image(), "manifest"), encoding="utf-8") as file:
            release = json.load(file)["release"]
        run(os.path.join(HERE, "build-root"), BUILD, release, self.path("root"))

    def _make_keys(self):
        """A key pair of each side, so that both know whom they speak to."""
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", self.path("key"))
        made = run(KEYGEN, "-t", "ed25519", "-f", self.path("host-key"))
        public = next(line for line in made.stdout.decode().splitlines() if line.startswith("ssh-ed25519 "))
        with open(self.path("known-hosts"), "w", encoding="ascii") as file:
            file.write(f"[127.0.0.1]:{self.port} {public}\n")
        shutil.copy(self.path("key.pub"), self.path("authorized_keys"))
        with tarfile.open(self.path("keys"), "w") as archive:
            for name in ("host-key", "authorized_keys"):
                archive.add(self.path(name), name)
        # A disk has whole sectors.
        os.truncate(self.path("keys"), 64 << 10)

    def _argv(self):
        network, gateway, address = NETWORK
        argv = ["qemu-system-x86_64", "-name", "agent-machine", "-M", "pc", "-cpu", "max", "-accel", "tcg,tb-size=512", "-smp", "1",
                "-m", str(MEMORY), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-device", "virtio-rng-pci",
                "-serial", f"file:{self.log}", "-kernel", os.path.join(image(), "kernel"), "-initrd", os.path.join(image(), "initrd"),
                "-append", f"{kernel_words()} root=/dev/vda agent.address={address} agent.gateway={gateway}",
                "-netdev", f"user,id=net,net={network},host={gateway},hostfwd=tcp:127.0.0.1:{self.port}-{address.split('/', 1)[0]}:22",
                "-device", "virtio-net-pci,netdev=net,romfile="]
        for name in ("root", "keys"):
            argv += ["-drive", f"if=none,id={name},format=raw,read-only=on,file={self.path(name)}",
                     "-device", f"virtio-blk-pci,drive={name}"]
        return argv

    def _start(self):
        self.process = subprocess.Popen(self._argv(), stdin=subprocess.DEVNULL)
        until(self._greets, f"the SSH server of the agent's machine ({self.log})", BOOT)

    def _greets(self):
        """QEMU accepts before the guest listens."""
        assert self.process.poll() is None, f"the agent's machine has ended:\n{self.console()[-2000:]}"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    # ---- how it is reached

    def ssh(self, user="agent"):
        """The words of docs/operations.md."""
        return ["ssh", "-F", "none", "-T", "-a", "-x", "-i", self.path("key"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                "-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={self.path('known-hosts')}", "-p", str(self.port),
                f"{user}@127.0.0.1"]

    def argv(self, *words, user="agent"):
        return [*self.ssh(user), shlex.join(map(str, words))]

    def run(self, *words, user="agent", check=True, timeout=120, **more):
        """A command in it; its result has text."""
        done = subprocess.run(self.argv(*words, user=user), capture_output=True, text=True, timeout=timeout * SLOW, check=False,
                              **({} if "input" in more else {"stdin": subprocess.DEVNULL}), **more)
        assert done.returncode == 0 or not check, f"{words}: status {done.returncode}: {done.stderr}"
        return done

    def start(self, *words):
        """The same, not waited for."""
        return subprocess.Popen(self.argv(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def bring(self, folder):
        """A folder, into the agent's home."""
        with subprocess.Popen(["tar", "-C", os.path.dirname(folder), "-c", os.path.basename(folder)], stdout=subprocess.PIPE) as tar:
            subprocess.run(self.argv("tar", "-x", "-C", HOME), stdin=tar.stdout, check=True, timeout=300 * SLOW)

    def programs(self, words):
        """The processes in it whose command line has `words`."""
        listed = self.run("ps", "-o", "pid,args", user="root").stdout.splitlines()[1:]
        return [line for line in listed if words in line]

    def console(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
