"""A vault on a machine of libvirt's: made on the host, run, stopped and started again; what others do to it is told."""
import json
import subprocess
import unittest

from vmlib import libvirtd
from vmlib.world import World

from lib.wait import until


class Vault(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        why = libvirtd.missing()
        if why is not None:
            raise unittest.SkipTest(why)
        cls.daemon = libvirtd.Libvirtd()
        cls.addClassCleanup(cls.daemon.stop)
        cls.world = World(telegram=False, kind="libvirt")
        cls.addClassCleanup(cls.world.close)
        cls.world.must("create", "default")

    def verb(self, *words, **more):
        return self.world.must("--json", "--vault", self.world.vault + "/", *words, **more)

    def status(self):
        return self.verb("vm", "status").json

    def setUp(self):
        # As `create` has left it, or a test before.
        if self.world.resident() is None:
            self.verb("vm", "start")
        until(lambda: self.world.host("--vault", self.world.vault + "/", "secret", "list").status == 0, "its answer", timeout=60)

    def test_it_starts_serves_and_stops(self):
        self.assertEqual(self.status()["state"], "running")
        self.assertEqual(self.daemon.domains(), ["default"])
        self.verb("secret", "put", "a", input=b"value")
        self.assertIsNotNone(self.world.owned_machine())
        self.verb("vm", "stop")
        self.assertEqual(self.daemon.domains(), [])
        self.assertIsNone(self.world.owned_machine())
        self.check_a_stop_while_it_starts()
        self.verb("vm", "start")
        self.assertEqual([item["name"] for item in self.verb("secret", "list").json["items"]], ["a"])

    def check_a_stop_while_it_starts(self):
        """It is told as that, and not by what the log says of an earlier start."""
        starting = self.world.begin("--vault", self.world.vault + "/", "vm", "start")
        until(self.world.owned_machine, "a machine", timeout=60)
        self.verb("vm", "stop")
        out, _ = starting.communicate()
        self.assertEqual((starting.returncode, json.loads(out)["error"]["message"]), (6, "it was stopped while it started"))
        self.assertEqual(self.daemon.domains(), [])

    def test_what_others_do_to_a_domain_is_named_and_it_is_started_again(self):
        for verb, words in (("suspend", "another program had paused it"), ("destroy", "was destroyed by another program")):
            # Its guest need not be up.
            until(lambda: self.status()["state"] == "running", "a machine that runs", timeout=60)
            first = self.world.owned_machine()
            self.daemon.virsh(verb, "default")
            until(lambda: self.world.owned_machine() not in (None, first), "another machine", timeout=60)  # pylint: disable=cell-var-from-loop
            until(lambda: words in self.status().get("why", ""), "the reason", timeout=60)  # pylint: disable=cell-var-from-loop

    def test_an_agent_can_neither_speak_to_libvirt_nor_read_what_it_keeps(self):
        world = self.world
        code = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect('/run/libvirt/libvirt-sock')"
        done = subprocess.run(world.as_agent("python3", "-c", code), capture_output=True, text=True, check=False)
        self.assertIn("PermissionError", done.stderr)
        for path in ("/var/lib/libvirt/qemu/.", "/run/libvirt/qemu/default.xml", f"/proc/{world.owned_machine()}/mem"):
            done = subprocess.run(world.as_agent("cat", path), capture_output=True, text=True, check=False)
            self.assertIn("Permission denied", done.stderr)


if __name__ == "__main__":
    unittest.main()
