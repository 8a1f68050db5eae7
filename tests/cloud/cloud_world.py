"""The World of the other scenarios with a cloud image: a Debian of this machine's packages, on both sides.

It boots a whole distribution, emulated where there is no KVM, so everything takes a minute or two.
"""
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "vm"))

from vmlib.paths import BIN, BUILD, TREE  # noqa: E402
from vmlib.world import World, free_port  # noqa: E402

from lib.wait import SLOW  # noqa: E402, from tests/api by vmlib.paths

# The base takes a minute to make, and is the same for every build folder.
BASES = os.environ.get("SECRET_PROXY_TEST_CLOUD") or "/var/tmp/sp-cloud-images"
# For each runtime what makes its base, and where its image is kept.
RUNTIMES = {"service": ("build-debian", os.path.join(BUILD, "cloud-image")),
            "container": ("build-podman", os.path.join(BUILD, "cloud-image-container"))}
SEED = os.path.join(TREE, "core", "host", "cloud", "templates")
# Among QEMU's arguments, which libvirt writes as JSON.
PLUGIN_DISK = re.compile('serial(=|":")plugins')


def _fingerprint(base):
    found = hashlib.sha256(base.encode())
    folders = (os.path.join(BIN, "bundle"), os.path.join(BUILD, "plugins"), SEED)
    for path in sorted(os.path.join(folder, name) for folder in folders for name in os.listdir(folder)):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                found.update(path.encode() + b"\0" + file.read())
    return found.hexdigest()


def cloud_image(say=lambda text: None, runtime="service"):
    """The folder of a cloud image that fits the programs: built once, and again when something in it has changed."""
    maker, folder = RUNTIMES[runtime]
    with open(folder + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        say("making a Debian image of this machine's packages, where it is not there yet")
        built = subprocess.run([os.path.join(HERE, maker), BASES], check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        base = built.stdout.decode().strip()
        mark, wanted = folder + ".made-of", _fingerprint(base)
        if os.path.exists(mark) and os.path.isdir(folder):
            with open(mark, encoding="ascii") as file:
                if file.read() == wanted:
                    return folder
        say("building the cloud image: that, with the bundle")
        shutil.rmtree(folder, ignore_errors=True)
        with open(base, "rb") as file:
            sum_ = hashlib.file_digest(file, "sha512").hexdigest()
        subprocess.run([os.path.join(BIN, "secret-proxy"), "image", "build", "--cloud", base, "--sha512", sum_, "--runtime", runtime, "--output", folder],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL)
        with open(mark, "w", encoding="ascii") as file:
            file.write(wanted)
    return folder


class CloudWorld(World):
    """With trust = rebuilt. The agent may log in to its own machine, as a cloud image is set up."""

    RUNTIME, MEMORY = "service", "256M"

    def __init__(self, vault="trust = rebuilt\n", **more):
        self.ssh_port = free_port()
        super().__init__(memory=self.MEMORY, vault=vault, **more)

    @classmethod
    def make_image(cls, say):
        return cloud_image(say, cls.RUNTIME)

    def which_image(self):
        return ["--image", self.image_folder]

    def image_id(self):
        return self.must("--json", "image", "measure", self.image_folder).json["image"].removeprefix("sha256:")

    def provision_words(self, *more, port=None):
        return super().provision_words("--ssh-port", str(self.ssh_port), *more, port=port)

    def owned_machine(self):
        return next((pid for pid, argv in self._all().items()
                     if argv and "qemu-system" in argv[0] and any(PLUGIN_DISK.search(word) for word in argv) and
                     not any(self.staging in word for word in argv) and self._is_of_this(pid)), None)

    # ---- logging in

    @staticmethod
    def ssh(port, key, known, *command, words=()):
        """With that key and no other."""
        argv = ["ssh", "-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
                "-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes", "-o", "HostKeyAlias=vault", *words,
                "-p", str(port), "proxy@127.0.0.1", *command]
        return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120 * SLOW, check=False)

    def keep_agents_key(self):
        """A copy of the agent's temporary key, for after the takeover; and what its machine is known by."""
        key, known = self.path("old-key"), self.path("old-known")
        shutil.copy(os.path.join(self.staging, "ssh-key"), key)
        os.chmod(key, 0o600)
        with open(os.path.join(self.staging, "ssh-known-hosts"), encoding="ascii") as file:
            line = file.read().split(" ", 1)[1]
        with open(known, "w", encoding="ascii") as file:
            file.write("vault " + line)
        return key, known

    def vm(self, verb, *more, **options):
        return self.host("--json", "--vault", self.vault + "/", "vm", verb, *more, **options)

    def statement(self):
        return json.loads(self.must("--json", "--vault", self.vault + "/", "ownership", "show").json["statement"])


class ContainerWorld(CloudWorld):
    """The same where the daemon runs in a container of the machine's."""

    RUNTIME, MEMORY = "container", "512M"

    def provision_words(self, *more, port=None):
        return super().provision_words("--runtime", self.RUNTIME, *more, port=port)
