"""The whole way with an agent that sits in a machine of its own: three levels, of which the third changes its owner.

The agent's machine (first level, emulated) builds the vault VM in itself (second level, emulated by what is
emulated); the host takes it over by nothing but SSH and runs it beside the agent's machine.
"""
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "vm")]

from nested_world import ADDRESS, STAGING, NestedWorld, host_address  # noqa: E402
from vmlib import checklist  # noqa: E402
from vmlib.net import leave_the_machines_network  # noqa: E402
from vmlib.world import ALICE, Done  # noqa: E402
from lib.wait import until  # noqa: E402, from tests/api by vmlib.paths

SECRET, REASON = "nested/password", "from a machine of its own"
VALUE = "three-levels-deep-7f3a9c"
OLD = [f"{STAGING}/{name}" for name in ("disk.qcow2", "monitor.sock", "qemu.pid", "READY_FOR_TAKEOVER", "seed.iso")]
PORT = "3737"


def setUpModule():
    leave_the_machines_network()
    host_address()


class Nested(unittest.TestCase):
    def setUp(self):
        self.world = NestedWorld()
        self.addCleanup(self.world.close)

    def test_the_whole_way(self):
        self.provision()
        self.takeover()
        self.old_machine_is_gone()
        self.agent_reaches_the_vault()
        self.nothing_else_answers()
        self.agent_gets_a_secret()

    def steps(self, done, points):
        self.assertEqual(done.status, 0, done)
        steps = [line for line in done.lines if "step" in line]
        for line in steps:
            print(f"{line['step']:>2} {line['name']:<30} {line['status']:<7} {line['ms'] / 1000:7.2f} s  {line['message']}", flush=True)
        self.assertEqual(checklist.wrong(steps, points), "")
        return steps

    def provision(self):
        self.steps(self.world.provision(), checklist.AGENT)
        # It is in the agent's machine that it runs, and nowhere else.
        self.assertEqual(len(self.world.nested_machine()), 1)
        self.assertIsNone(self.world.owned_machine())
        self.assertEqual(self.world.there(*OLD), OLD[:4])
        status, said = self.world.says("127.0.0.1", PORT, "/health")
        self.assertIn("200", status)
        self.assertEqual(said["ownership"], "unowned")

    def takeover(self):
        taking = self.world.start_takeover()
        until(lambda: taking.poll() is not None or self.world.telegram.messages(ALICE), "a question to the approver", timeout=600)
        if taking.poll() is None:
            self.world.press("takeover-check")
        out, err = taking.communicate(timeout=600)
        steps = self.steps(Done(subprocess.CompletedProcess(taking.args, taking.returncode, out, err)), checklist.HOST)
        self.assertEqual([line["status"] for line in steps], ["ok"] * 13)

    def old_machine_is_gone(self):
        world = self.world
        self.assertIsNotNone(world.owned_machine())
        self.assertEqual(world.nested_machine(), [])
        self.assertEqual(world.there(*OLD), [])
        self.assertFalse(world.reaches("127.0.0.1", PORT), "the old vault's port")
        listed = world.machine.run("stat", "-c", "%n %U %a", world.agent_file, user="root").stdout.strip()
        self.assertEqual(listed, f"{world.agent_file} agent 600")

    def agent_reaches_the_vault(self):
        told = self.world.told()
        self.assertTrue(told["url"].startswith(f"https://{ADDRESS}:"), told["url"])
        port = told["url"].rpartition(":")[2]
        status, said = self.world.says(ADDRESS, port, "/health")
        self.assertIn("200", status)
        self.assertEqual(said["ownership"], "owned")
        self.world.machine.run("secret-proxy", "health", told["url"], "--pin", told["tls_pin"])

    def nothing_else_answers(self):
        """No shell, no console: of the address of the vault the agent's machine reaches one port."""
        port = self.world.told()["url"].rpartition(":")[2]
        self.assertTrue(self.world.reaches(ADDRESS, port))
        for other in ("22", "23", "2222", "4444", "5900"):
            self.assertFalse(self.world.reaches(ADDRESS, other), other)

    def agent_gets_a_secret(self):
        world = self.world
        world.must("secret", "put", SECRET, input=VALUE.encode())
        self.assertEqual(world.files_with(VALUE), [])
        with self.asking() as asking:
            world.press(REASON, timeout=120)
            out, err = asking.communicate(timeout=300)
        self.assertEqual((asking.returncode, out), (0, VALUE), err)
        self.assertEqual(world.files_with(VALUE), [])
        # The search does find what is there.
        self.assertEqual(world.files_with(world.told()["token"]), [world.agent_file])
        self.assertTrue(world.must("--json", "audit", "verify").json["ok"])

    def asking(self):
        return self.world.machine.start("env", f"SECRET_PROXY_AGENT_FILE={self.world.agent_file}", "secret-proxy", "get", SECRET,
                                        "--reason", REASON)


if __name__ == "__main__":
    unittest.main(verbosity=2)
