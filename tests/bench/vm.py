"""How fast and how small the vault VM is, as ratios to baselines measured in the same run.

It never judges: machines differ, and where there is no KVM the guest is emulated. What to look at are
the ratios; each figure is a median, with the smallest and the largest behind it.

  boot        from the start of QEMU until /health answers, unowned, with the arguments that provision
              gives QEMU; to the same kernel and initrd that power off as their first deed (sp.off):
              the ratio is what our part of a boot costs. The same as processor time, which
              does not depend on what else runs. Aim: at most 1.15.
  memory      what an owned guest has in use when it idles: its memory less what it calls available, so
              with the kernel and without caches that can go; QEMU's resident set, which under emulation
              has translated code in it; the smallest memory that an owned guest boots with.
  image       bytes of kernel, initrd and root.
  takeover    steps 1 to 11, without a person; to what can't be left out: a copy of the agent's disk, a
              comparison of the root, and one boot of the owned machine until it is unlocked (vm start).
              Aim: at most 1.3. Then the steps, each with its own median.

Run by `meson test --benchmark vm`, as root; `vm.py --runs N` for other than 5 runs.
"""
import argparse
import json
import os
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "vm"))

from vmlib.image import image  # noqa: E402
from vmlib.world import Done, World, free_port  # noqa: E402

PATIENCE = 240
FINAL = 11
# Printed by the guest itself, every second.
METER = """#!/bin/sh
while sleep 1; do
  while read -r name kib _; do
    case $name in MemTotal: | MemAvailable:) echo "meter $name $kib" ;; esac
  done </proc/meminfo
done
"""


class Series(list):
    def __str__(self):
        return f"{self.median:.2f} s ({min(self):.2f}-{max(self):.2f})"

    @property
    def median(self):
        return statistics.median(self)


def say(what, text):
    print(f"{what:<10} {text}", flush=True)


def seconds(work):
    start = time.monotonic()
    work()
    return time.monotonic() - start


def processor(work):
    """Its result, and the processor time of the programs that it has started and ended."""
    before = os.times()
    result, after = work(), os.times()
    return result, after.children_user + after.children_system - before.children_user - before.children_system


def until(probe, what):
    end = time.monotonic() + PATIENCE
    while not probe():
        if time.monotonic() > end:
            sys.exit(f"bench: {what} did not happen")
        time.sleep(0.02)


# ---- booting ------------------------------------------------------------------------------------------


def plain_argv(argv, port):
    """What provision gave QEMU, without what only it needs: the pause, the monitor, its port."""
    out, words = [], iter(argv)
    for word in words:
        if word == "-S":
            continue
        value = next(words) if word in ("-chardev", "-mon", "-pidfile") else None
        if word in ("-mon", "-pidfile") or (value or "").startswith("socket,id=qmp"):
            continue
        out += [word] if value is None else [word, value]
    return [re.sub(r"hostfwd=tcp:127.0.0.1:\d+", f"hostfwd=tcp:127.0.0.1:{port}", word) for word in out]


def provisioned(world):
    """The argument list of a machine that provision started and that has ended by now."""
    done = world.provision(port=free_port())
    assert done.status == 0, done
    pid = world.agents_machine()
    argv = world._argv(pid)  # pylint: disable=protected-access
    ended = os.pidfd_open(pid)
    signal.pidfd_send_signal(ended, signal.SIGKILL)
    select.select([ended], [], [])
    os.close(ended)
    return argv


def boot_once(world, argv, port, limit=PATIENCE):
    start, patience = time.monotonic(), 0.2
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as machine:
        try:
            while not world.health(port, timeout=patience):
                patience = min(patience + 0.02, 1.0)
                time.sleep(0.01)
                assert machine.poll() is None and time.monotonic() < start + limit, "the machine does not answer"
            return time.monotonic() - start
        finally:
            machine.kill()


def off_once(argv):
    return seconds(lambda: subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))


def bench_boot(world, runs):
    port = free_port()
    argv = plain_argv(provisioned(world), port)
    off = [word + " sp.off" if before == "-append" else word for before, word in zip([None, *argv], argv)]
    ours, base, ours_cpu, base_cpu = Series(), Series(), Series(), Series()
    for _ in range(runs):
        for work, times, cpu in ((lambda: off_once(off), base, base_cpu), (lambda: boot_once(world, argv, port), ours, ours_cpu)):
            took, used = processor(work)
            times.append(took)
            cpu.append(used)
    say("boot", f"to /health, unowned {ours}; kernel and initrd alone {base}; ratio {ours.median / base.median:.2f}")
    say("boot", f"processor time    {ours_cpu}; kernel and initrd alone {base_cpu}; ratio {ours_cpu.median / base_cpu.median:.2f}")


# ---- size ---------------------------------------------------------------------------------------------


def bench_image(folder):
    sizes = {name: os.path.getsize(os.path.join(folder, name)) for name in ("kernel", "initrd", "root")}
    say("image", ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items()) + f"; in all {sum(sizes.values()) / 1e6:.1f} MB")


def metered_image(to):
    """The appliance with a program that tells its use of memory on the console."""
    shutil.copytree(image(), to)
    with tempfile.TemporaryDirectory() as folder:
        tree, root = os.path.join(folder, "tree"), os.path.join(to, "root")
        subprocess.run(["unsquashfs", "-q", "-n", "-d", tree, root], check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(tree, "etc", "init.d", "meter"), "w", encoding="ascii") as file:
            file.write(METER)
        os.chmod(file.name, 0o755)
        with open(os.path.join(tree, "etc", "inittab"), "a", encoding="ascii") as file:
            file.write("::once:/etc/init.d/meter\n")
        subprocess.run(["mksquashfs", tree, root, "-quiet", "-no-progress", "-noappend", "-no-xattrs", "-all-root"], check=True,
                       stdout=subprocess.DEVNULL)
    with open(os.path.join(to, "manifest"), encoding="utf-8") as file:
        manifest = json.load(file)
    manifest["root"] = {"sha256": subprocess.check_output(["sha256sum", root], text=True).split()[0], "size": os.path.getsize(root)}
    with open(os.path.join(to, "manifest"), "w", encoding="utf-8") as file:
        json.dump(manifest, file, separators=(",", ":"), sort_keys=True)
    return to


def create(world, memory, *more):
    world.configure(memory=memory)
    return world.host("--json", "create", "default", *more)


def discard(world):
    world.host("--vault", world.vault + "/", "vm", "stop")
    shutil.rmtree(world.vault, ignore_errors=True)


def rss_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024


def bench_memory(world, memory=128):
    metered = world.must("--json", "image", "import", metered_image(world.path("metered"))).json["image"]
    done = create(world, f"{memory}M", "--image", metered.removeprefix("sha256:"))
    assert done.status == 0, done
    told = len(world.console())
    until(lambda: world.console()[told:].count("MemAvailable") >= 3, "what the guest says of its memory")
    found = dict(re.findall(r"meter (\w+): (\d+)", world.console()))
    available, total = int(found["MemAvailable"]) / 1024, int(found["MemTotal"]) / 1024
    say("memory", f"owned, of {memory} MiB: in use {memory - available:.0f} MiB, of which the kernel's image and tables "
        f"{memory - total:.0f} MiB; QEMU's resident set {rss_mib(world.owned_machine()):.0f} MiB")
    discard(world)


def bench_smallest(world, sizes=(128, 112, 96, 88)):
    boots = []
    for size in sizes:
        done = create(world, f"{size}M")
        discard(world)
        if done.status != 0:
            break
        boots.append(size)
    say("memory", f"the smallest that an owned guest boots with: {min(boots, default=0)} MiB (tried {', '.join(map(str, sizes))})")


# ---- takeover -------------------------------------------------------------------------------------------


def baseline(world, disk, root):
    """A copy, a comparison, a boot: what a takeover can't do without."""
    copied = seconds(lambda: subprocess.run(["cp", "--sparse=always", disk, world.path("copy")], check=True))
    compared = seconds(lambda: subprocess.run(["cmp", root, world.path("root")], check=True))
    world.must("--vault", world.vault + "/", "vm", "stop")
    booted = seconds(lambda: world.must("vm", "start", "default"))
    return copied, compared, booted


def takeover_once():
    world = World(telegram=False)
    try:
        root = os.path.join(world.image_folder, "root")
        shutil.copyfile(root, world.path("root"))
        done = world.provision()
        assert done.status == 0, done
        shutil.copyfile(os.path.join(world.staging, "disk.qcow2"), world.path("disk"))
        done = world.takeover()
        assert done.status == 0, done
        return {n: step["ms"] / 1000 for n, step in done.steps.items()}, baseline(world, world.path("disk"), root), names(done)
    finally:
        world.close()


def names(done: Done):
    return {n: step["name"] for n, step in done.steps.items()}


def bench_takeover(runs):
    ours, base, booted, steps, told = Series(), Series(), Series(), {}, {}
    for _ in range(runs):
        times, (copied, compared, boot), told = takeover_once()
        ours.append(sum(took for step, took in times.items() if step <= FINAL))
        base.append(copied + compared + boot)
        booted.append(boot)
        for step, took in times.items():
            steps.setdefault(step, Series()).append(took)
    say("takeover", f"steps 1-{FINAL} {ours}; copy, comparison and a boot {base}, the boot alone {booted}; "
        f"ratio {ours.median / base.median:.2f}")
    for step, took in steps.items():
        say("takeover", f"{step:>2} {told[step]:<30} {took}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("parts", nargs="*", choices=[[], "image", "boot", "memory", "takeover"])
    arguments = parser.parse_args()
    parts = arguments.parts or ["image", "boot", "memory", "takeover"]
    if "image" in parts:
        bench_image(image())
    if "boot" in parts or "memory" in parts:
        world = World(telegram=False)
        try:
            if "boot" in parts:
                bench_boot(world, arguments.runs)
            if "memory" in parts:
                bench_memory(world)
                bench_smallest(world)
        finally:
            world.close()
    if "takeover" in parts:
        bench_takeover(max(arguments.runs * 3 // 5, 1))


if __name__ == "__main__":
    main()
