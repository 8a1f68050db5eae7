"""Networks of a scenario's own: a namespace for the process itself, others beside it, and cables.

What must stay true: nothing of this machine's network is touched; what was made goes with the scenario.
"""
import ctypes
import os
import subprocess
import unittest
import uuid

CLONE_NEWNET = 0x40000000


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True)


def leave_the_machines_network():
    """This process and all that it starts from now on have a network of their own, with a loopback."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.unshare(CLONE_NEWNET) != 0:
        raise unittest.SkipTest("this needs root and network namespaces")
    ip("link", "set", "lo", "up")


class Namespace:
    """Another one, of which programs are run by `reach` in front of them."""

    def __init__(self, case):
        self.name = "sp-test-" + uuid.uuid4().hex[:8]
        self.reach = ["ip", "netns", "exec", self.name]
        ip("netns", "add", self.name)
        case.addCleanup(ip, "netns", "del", self.name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words):
        ip("-n", self.name, *words)

    def cable(self, address, here=None, bridge=None):
        """A pair of links: `address` at this one's end; at the process's own `here`, or a port of `bridge`."""
        near = "sp" + uuid.uuid4().hex[:8]
        ip("link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        if here:
            ip("addr", "add", here, "dev", near)
        if bridge:
            ip("link", "set", near, "master", bridge)
        ip("link", "set", near, "up")
        self.ip("addr", "add", address, "dev", "eth0")
        self.ip("link", "set", "eth0", "up")
