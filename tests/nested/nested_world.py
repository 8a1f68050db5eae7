"""The World of the other scenarios with its agent in a machine of its own, which is reached over SSH.

Host and agent have a network of their own (`leave_the_machines_network`), in which the host has an address for
this purpose on its loopback: the network that QEMU gives the agent's machine leads to it, as it would to
any other address.
"""
import json
import os

from agent_vm import HOME, AgentVm
from vmlib.net import ip
from vmlib.world import Done, World, free_port

from lib.wait import SLOW  # noqa: E402, from tests/api by vmlib.paths

ADDRESS = "10.99.0.1"
STAGING = HOME + "/secret-proxy"
# What is emulated twice is slow, and on a machine that does other things, too, it is very slow.
PATIENCE = 1200


def host_address():
    """Once, after the network of this machine was left."""
    ip("address", "add", ADDRESS + "/32", "dev", "lo")


class NestedWorld(World):
    def __init__(self, say=lambda text: None, **more):
        self.machine = AgentVm(say)
        try:
            super().__init__(say=say, exec=" ".join(self.machine.ssh()), listen=f"{ADDRESS}:{free_port()}", **more)
        except BaseException:
            self.machine.close()
            raise

    def _make_agent(self):
        """It is there already."""
        self.staging, self.agent_image, self.agent_program = STAGING, HOME + "/image", "secret-proxy"

    def as_agent(self, *argv):
        return self.machine.argv(*argv)

    def told(self):
        return json.loads(self.machine.run("cat", self.agent_file).stdout)

    def bring_image(self):
        exported = self.path("image")
        self.must("image", "export", exported)
        self.machine.bring(exported)

    def provision_words(self, *more, port=None):
        return ["--json", "provision", "--staging", STAGING, "--image", self.agent_image, "--memory", self.memory,
                "--boot-timeout", f"{PATIENCE}s", *(["--port", port] if port else []), *more]

    def provision(self, *more, port=None):
        self.bring_image()
        return self.agent(*self.provision_words(*more, port=port), timeout=PATIENCE, program=self.agent_program)

    # ---- what the agent's machine has, seen by its root

    def there(self, *paths):
        """Those of the paths that are there."""
        return self.machine.run("sh", "-c", 'for f; do [ ! -e "$f" ] || echo "$f"; done', "sh", *paths, user="root").stdout.split()

    def nested_machine(self):
        """The processes of the agent's QEMU, in its machine."""
        return self.machine.programs("qemu-system")

    def reaches(self, address, port):
        """Whether a connection from there comes about."""
        return self.machine.run("nc", "-w", "10", address, port, check=False).returncode == 0

    def says(self, address, port, path):
        """What plain HTTP answers from there: (status line, JSON)."""
        asked = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        head, _, body = self.machine.run("nc", "-w", "60", address, port, input=asked).stdout.partition("\n\n")
        return head.splitlines()[0], json.loads(body)

    def files_with(self, text):
        """The files of all of its disk and memory file systems that have the text, which is no argument there."""
        line = "read -r text; find / \\( -path /proc -o -path /sys -o -path /dev \\) -prune -o -type f -print0 | " \
               "xargs -0 grep -lF -e \"$text\" || :"
        return self.machine.run("sh", "-c", line, user="root", input=text + "\n", timeout=300).stdout.split()

    def close(self):
        super().close()
        self.machine.close()
