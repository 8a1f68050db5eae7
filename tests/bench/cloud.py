"""How long the takeover of a cloud image takes, as a ratio to its floor, measured in the same run on the same files.

It never judges: machines differ, and where there is no KVM all guests are emulated. What to look at are the ratios.

  rebuilt     steps 1 to 11, without a person, to what can't be left out: a conversion of the base image, which is
              a copy as well, and one first boot of that disk with its seed, until it answers over HTTP.
  audited     the same to a copy of the agent's disk, a conversion of it, one launch of libguestfs on it in which
              nothing is done, and that boot.
  Aim: at most 1.3. Before that each step and each part of the floor, with its time.

The floor is taken with plain tools: cp, sync, qemu-img, libguestfs as a library that has its machine made already, and
the QEMU that the agent had. The list of the base image, which is made once for each image, is made before.

Run by `meson test --benchmark cloud`, as root; `cloud.py --runs N` for more than one run; minutes for each.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("vm", "cloud"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))

from vm import FINAL, Series, boot_once, plain_argv, say, seconds  # noqa: E402

from cloud_world import BIN, CloudWorld  # noqa: E402
from vmlib.world import free_port  # noqa: E402

AUDIT = os.path.join(BIN, "secret-proxy-audit")
LIBRARY = "libguestfs.so.0"
# Emulated, beside others.
BOOT_LIMIT = 1200
# Where it lies has no header here, and a program of its own ends with all that it has started.
LAUNCH = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.guestfs_create.restype = ctypes.c_void_p
handle = ctypes.c_void_p(library.guestfs_create())
words = (ctypes.c_char_p * 2)(b"force_tcg" if sys.argv[3] == "tcg" else None, None)
must = [library.guestfs_set_backend(handle, b"direct"), library.guestfs_set_backend_settings(handle, words),
        library.guestfs_add_drive(handle, sys.argv[2].encode()), library.guestfs_launch(handle), library.guestfs_shutdown(handle)]
sys.exit(any(must))
"""


def run(*argv, **more):
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **more)


class Floor:
    """The parts of a takeover that can't be left out, each with plain tools."""

    def __init__(self, world, kvm):
        self.world, self.kvm, self.times = world, kvm, {}
        self.place = world.path("floor")
        os.mkdir(self.place)

    def path(self, name):
        return os.path.join(self.place, name)

    def take(self, what, work):
        self.times[what] = seconds(work)

    def copy(self, disk):
        def work():
            run("cp", "--sparse=always", disk, self.path("copy.qcow2"))
            run("sync", self.path("copy.qcow2"))
        self.take("copy", work)

    def convert(self, disk):
        def work():
            run("qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", disk, self.path("converted.qcow2"))
            run("sync", self.path("converted.qcow2"))
        self.take("conversion", work)

    def launch(self, disk):
        argv = (sys.executable, "-c", LAUNCH, LIBRARY, disk, "kvm" if self.kvm else "tcg")
        environment = {**os.environ, "LIBGUESTFS_CACHEDIR": self.place, "LIBGUESTFS_TMPDIR": self.place}
        run(*argv, env=environment)
        self.take("libguestfs", lambda: run(*argv, env=environment))

    def boot(self, agents_argv):
        """The first one of the disk that step 8 left, with the seed that it made and the address in it, on a machine as the agent's was."""
        port = free_port()
        argv = [re.sub(r",hostfwd=tcp:127.0.0.1:\d+-:22\b", "", word) for word in plain_argv(agents_argv, port)]
        with open(self.path("seed.iso"), "rb") as file:
            address = re.search(rb'macaddress: "([0-9a-f:]+)"', file.read())[1].decode()
        for old, new in ((os.path.join(self.world.staging, "disk.qcow2"), self.path("system.qcow2")),
                         (os.path.join(self.world.staging, "seed.iso"), self.path("seed.iso")), (r"\bmac=[0-9a-f:]+", "mac=" + address)):
            argv = [re.sub(old, new, word) for word in argv]
        self.times["boot"] = boot_once(self.world, argv, port, BOOT_LIMIT)

    @property
    def sum(self):
        return sum(self.times.values())


def keep_parts(world, floor):
    """Disk and seed as they are before the first boot: from a takeover that ends there and is taken back."""
    world.kill_before_its_line(8)
    for name in ("system.qcow2", "seed.iso"):
        shutil.copyfile(os.path.join(world.vault, name), floor.path(name))
    done = world.abort()
    assert done.status == 0, done


def once(trust):
    """Seconds of each step, and the floor, printed as soon as they are there."""
    world = CloudWorld(vault=f"trust = {trust}\n", telegram=False)
    try:
        if trust == "audited":
            shutil.copy2(AUDIT, world.path("core"))
        floor = Floor(world, "KVM works" in json.dumps(world.must("--json", "doctor").json))
        done = world.provision()
        assert done.status == 0, done
        agents_argv = world._argv(world.agents_machine())  # pylint: disable=protected-access
        disk = floor.path("agents.qcow2")
        keep_parts(world, floor)
        shutil.copyfile(os.path.join(world.staging, "disk.qcow2"), disk)
        done = world.takeover(timeout=1800)
        assert done.status == 0, done
        for n, step in done.steps.items():
            say(trust, f"{n:>2} {step['name']:<30} {step['ms'] / 1000:.2f} s")
        world.must("--vault", world.vault + "/", "vm", "stop")
        if trust == "audited":
            floor.copy(disk)
            floor.launch(disk)
        floor.convert(disk if trust == "audited" else os.path.join(world.image_folder, "base.qcow2"))
        floor.boot(agents_argv)
        for name, took in floor.times.items():
            say(trust, f"floor: {name:<26} {took:.2f} s")
        return sum(step["ms"] / 1000 for n, step in done.steps.items() if n <= FINAL), floor.sum
    finally:
        world.close()


def bench(trust, runs):
    ours, base = Series(), Series()
    for _ in range(runs):
        took, least = once(trust)
        ours.append(took)
        base.append(least)
    say(trust, f"steps 1-{FINAL} {ours}; floor {base}; ratio {ours.median / base.median:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("parts", nargs="*", choices=[[], "rebuilt", "audited"])
    arguments = parser.parse_args()
    for trust in arguments.parts or ["rebuilt", "audited"]:
        if trust == "audited" and not os.path.exists(AUDIT):
            say(trust, "not measured: this was built without libguestfs")
        else:
            bench(trust, arguments.runs)


if __name__ == "__main__":
    main()
