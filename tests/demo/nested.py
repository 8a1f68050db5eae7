"""The demo with the agent in a machine of its own: a vault VM that is built two levels deep becomes the host's.

Run by ./demo --nested as root. The agent's machine is emulated, the one in it twice, so it takes some minutes. It
has a network of its own, which leads nowhere: Telegram is the emulated one. What must stay true: as in vm.py.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "vm"), os.path.join(HERE, "..", "nested")]

from show import check  # noqa: E402
from vm import Demo, main  # noqa: E402
from nested_world import ADDRESS, STAGING, NestedWorld, host_address  # noqa: E402
from vmlib.net import leave_the_machines_network  # noqa: E402

PORT = "3737"


PATIENCE = 600


class NestedDemo(Demo):
    AGENT = "in a machine of its own, in which it makes another one; two emulators deep that takes minutes"

    def __init__(self, lines, arguments):
        super().__init__(lines, arguments)
        self.channel.patience = PATIENCE

    @staticmethod
    def make_world(**more):
        return NestedWorld(**more)

    def provision(self):
        super().provision()
        machines = self.world.nested_machine()
        check(len(machines) == 1, f"there are {len(machines)} machines in the agent's")
        self.lines.step("agent", f"its machine runs QEMU, process {machines[0].split()[0]} there; the host runs none for the vault")
        check(self.world.owned_machine() is None, "the host has a machine already")

    def curl(self):
        """The agent's machine has no curl: what the vault says to everybody, in plain HTTP."""
        url = self.world.told()["url"]
        status, said = self.world.says(ADDRESS, url.rpartition(":")[2], "/health")
        check("200" in status and said["ownership"] == "owned", f"the vault says {status}: {said}")
        self.lines.step("agent", f"GET /health at {ADDRESS}, from its machine: {said['status']}, {said['ownership']}")

    def _gone(self, what, there):
        check(not there, f"{what}: {there}")
        self.lines.vain(what, "there is none")

    def try_in_vain(self):
        self.lines.head("What the agent tries in vain, as root of its own machine")
        world = self.world
        for name in ("disk.qcow2", "monitor.sock", "qemu.pid"):
            self._gone(f"its old {name}", world.there(f"{STAGING}/{name}"))
        self._gone("a QEMU that still runs", world.nested_machine())
        self._gone("the old vault's port", world.reaches("127.0.0.1", PORT))
        for port in ("22", "23"):
            self._gone(f"a shell: port {port} of the vault", world.reaches(ADDRESS, port))
        self._gone("files of its machine with the value", world.files_with(self.value))
        self._search()


if __name__ == "__main__":
    leave_the_machines_network()
    host_address()
    sys.exit(main(sys.argv[1:], NestedDemo))
