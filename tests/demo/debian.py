"""The demo with a cloud image: an agent sets up a Debian with cloud-init, the host makes one of its own of it.

Run by ./demo --image debian as root; with --runtime container the daemon is in a container of these machines. A distribution boots four times, emulated where there is no KVM, so it takes
some minutes. What must stay true: as in vm.py.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "vm"), os.path.join(HERE, "..", "cloud")]

from show import check  # noqa: E402
from vm import DIAL, Demo, main  # noqa: E402
from cloud_world import CloudWorld, ContainerWorld  # noqa: E402

PATIENCE = 900
PLANTED = "/etc/planted-by-the-agent"


class DebianDemo(Demo):
    WORLD = CloudWorld
    AGENT = "an ordinary user of this machine, no root; it makes a Debian with cloud-init, which takes a minute or two to boot"

    def __init__(self, lines, arguments):
        super().__init__(lines, arguments)
        self.channel.patience = PATIENCE

    @classmethod
    def make_world(cls, **more):
        return cls.WORLD(**more)

    def provision(self):
        super().provision()
        self.old_key, self.old_known = self.world.keep_agents_key()
        done = self.world.ssh(self.world.ssh_port, self.old_key, self.old_known, f"sudo touch {PLANTED} && sudo cat /etc/machine-id")
        check(done.returncode == 0, f"ssh into the agent's machine: {done.stderr}")
        self.old_id = done.stdout.strip()
        self.lines.step("agent", f"ssh with its temporary key: it is root there, and leaves {PLANTED}")

    def maintain(self):
        """The host logs in, and the agent's key does not."""
        self.lines.head("The host logs in for maintenance, and says so")
        world = self.world
        for words in (("stop",), ("start", "--maintenance")):
            done = world.vm(*words, timeout=PATIENCE)
            check(done.status == 0, f"vm {' '.join(words)}: {done.err}")
        check(world.statement().get("maintenance") is True, "the statement does not say so")
        self.lines.step("host", "vm start --maintenance; the signed statement says maintenance: true")
        done = world.vm("ssh", "--", f"cat /etc/machine-id; hostname; ls {PLANTED} 2>&1")
        new_id, name, planted = done.out.decode().split("\n", 2)
        check(new_id != self.old_id and "No such file" in planted, f"vm ssh: {done}")
        self.lines.step("host", f"vm ssh: {name}, machine-id {new_id[:8]}… and not {self.old_id[:8]}…; {PLANTED} is not there")
        address = world.vm("status").json["ssh"]
        old = world.ssh(address.rpartition(":")[2], self.old_key, os.path.join(world.vault, "ssh-known-hosts"), "true")
        check(old.returncode == 255, "the agent's old key opens the vault")
        self.lines.vain("the agent's old SSH key", old.stderr.strip().splitlines()[-1])
        check(world.vm("stop").status == 0 and world.vm("start", timeout=PATIENCE).status == 0, "it does not start again")
        check("maintenance" not in world.statement(), "it is in maintenance still")
        self._vain("port of the maintenance, which is over", DIAL, address.rpartition(":")[2])

    def prove(self):
        self.lines.head("What the host can show")
        world = self.world
        shown = world.must("--json", "--vault", world.vault + "/", "ownership", "verify").json
        statement = world.statement()
        self.lines.step("host", f"ownership verify: vault {shown['vault']}, trust {statement['trust']}, acceleration "
                        f"{statement['acceleration']}")
        self.lines.step("host", f"measured: base {statement['measurement']['base'][:16]}…, bundle "
                        f"{statement['measurement']['bundle'][:16]}…")
        found = world.must("--json", "--vault", world.vault + "/", "audit", "verify").json
        self.lines.step("audit", f"verify: ok, {found['entries']} entries, head {found['head'][:16]}…")

    def run(self):
        super().run()
        self.maintain()


class ContainerDemo(DebianDemo):
    WORLD = ContainerWorld
    AGENT = DebianDemo.AGENT + ", with the daemon in a container of it"

    def prove(self):
        super().prove()
        measured = self.world.statement()["measurement"]["container"]
        self.lines.step("host", f"measured at each start: the disk of the container, {measured[:16]}…")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], ContainerDemo if "--runtime" in sys.argv else DebianDemo))
