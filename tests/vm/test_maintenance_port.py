"""Another program takes the port that leads to a machine in maintenance, just before QEMU would: it gets another one.

In a network namespace that has few ports to choose from, all of which are taken while the plugin disk is built, which comes
between the choice and the start. The machine is none that boots: what counts is what QEMU is told.
"""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import unittest

from vmlib.world import World

from lib.wait import SLOW, until

FIRST, LAST, MORE = 40000, 40003, 40050
RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
# It waits for the test, and is then what it stands for.
SLOW_TOOL = """\
#!/bin/sh
: >'{home}/begun'
while [ ! -e '{home}/go' ]; do sleep 0.05; done
exec /usr/bin/mksquashfs "$@"
"""


def let_choose_from(first, last):
    with open(RANGE, "w", encoding="ascii") as file:
        file.write(f"{first} {last}")


def listening_at(port):
    taken = socket.socket()
    taken.bind(("127.0.0.1", port))
    taken.listen()
    return taken


def forwards(child):
    """The ports of the QEMU below a process: None while there is none."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", encoding="utf-8", errors="replace") as file:
                argv = file.read()
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                session = int(file.read().rpartition(")")[2].split()[3])
        except OSError:
            continue
        if "qemu-system" in argv and session == child:
            found = re.findall(r"hostfwd=tcp:127\.0\.0\.1:(\d+)-:22", argv)
            return found or None
    return None


def inside(home, *argv):
    """In the namespace: starts `vm run`, takes the ports when it has chosen, and prints what QEMU is told."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    let_choose_from(FIRST, LAST)
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        until(lambda: os.path.exists(os.path.join(home, "begun")) or process.poll() is not None, "the plugin disk's tool", timeout=60)
        taken = [listening_at(port) for port in range(FIRST, LAST + 1)]
        let_choose_from(FIRST, MORE)
        with open(os.path.join(home, "go"), "wb"):
            pass
        found = until(lambda: forwards(process.pid) or (process.poll() is not None and ["none"]), "QEMU", timeout=60)
        print(json.dumps({"taken": [one.getsockname()[1] for one in taken], "found": found}))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


class Port(unittest.TestCase):
    def make_it_one_of_a_cloud_image(self, world):
        world.must("create", "default")
        world.must("vm", "stop", "default")
        path = os.path.join(world.vault, "vault.json")
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
        record.update(base="b" * 64, bundle="c" * 64, trust="rebuilt")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(record, file)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", os.path.join(world.vault, "system.qcow2"), "16M"], check=True)

    def test_a_port_that_is_taken_in_between_is_left_to_others(self):
        world = World(telegram=False, memory="256M")
        self.addCleanup(world.close)
        self.make_it_one_of_a_cloud_image(world)
        os.mkdir(world.path("tools"))
        tool = world.write("tools/mksquashfs", SLOW_TOOL.format(home=world.home), mode=0o755)
        os.chmod(tool, 0o755)
        environment = {**world.host_env, "PATH": world.path("tools") + ":" + os.environ["PATH"]}
        done = subprocess.run(["unshare", "--net", sys.executable, __file__, world.home, *world.host_argv("vm", "run", "--maintenance")],
                              env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200 * SLOW, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = json.loads(done.stdout)
        self.assertEqual(said["taken"], list(range(FIRST, LAST + 1)))
        self.assertEqual(len(said["found"]), 1, done.stderr)
        self.assertIn(int(said["found"][0]), range(LAST + 1, MORE + 1))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        inside(*sys.argv[1:])
    else:
        unittest.main()
