"""What a vault in a machine survives: power cuts while it is written to, and the end of each of its processes.

It is one that the host made alone; an administrator approves. The order is that of the names.
"""
import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
import unittest

from vmlib.world import World

from lib import processes
from lib.http import Agent, Closed
from lib.wait import until

SECRET, VALUE = "prod/db", "a value"
ROUNDS = int(os.environ.get("SECRET_PROXY_TEST_ROUNDS", "3"))


class Life(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = world = World(telegram=False, vault="agent-rate = 100000\nagent-pending = 512\n")
        cls.addClassCleanup(world.close)
        cls.trouble = False
        cls.addClassCleanup(cls.tell)
        world.must("create", "default")
        given = world.path("agent.json")
        cls.admin("agent", "add", "agent", "--write", given)
        with open(given, encoding="utf-8") as file:
            written = json.load(file)
        cls.agent = Agent(world.port, written["token"], written["tls_pin"], name="agent")
        cls.admin("secret", "put", SECRET, input=VALUE.encode())
        cls.redeem()

    @classmethod
    def tell(cls):
        """What a failure may have to do with."""
        for name in ("resident.log", "console.log") if cls.trouble else ():
            with contextlib.suppress(OSError), open(os.path.join(cls.world.vault, name), encoding="utf-8", errors="replace") as file:
                print(f"---- {name}\n{file.read()[-4000:]}")

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            type(self).trouble = True

    @classmethod
    def admin(cls, *arguments, **more):
        return cls.world.must("--json", "--vault", cls.world.vault + "/", *arguments, **more)

    @classmethod
    def redeem(cls):
        asked = cls.agent.ask(SECRET)
        cls.admin("request", "approve", asked["id"])
        assert cls.agent.redeem(asked["id"]).json["value"] == VALUE

    def read(self, name):
        with open(os.path.join(self.world.vault, name), "rb") as file:
            return file.read()

    def serves(self):
        with contextlib.suppress(Closed, OSError, AssertionError):
            return self.agent.call("GET", "/v1/secrets", timeout=1).status == 200
        return False

    def back(self):
        """The vault serves again, and the administrator reaches it, too."""
        until(self.serves, "a vault that serves", timeout=120, pause=0.1)
        until(lambda: self.world.host("--vault", self.world.vault + "/", "status").status == 0, "an unlocked vault", timeout=60, pause=0.1)

    def assert_audit(self):
        found = self.admin("audit", "verify").json
        self.assertTrue(found["ok"], found)
        anchor = json.loads(self.read("anchor"))
        self.assertLessEqual(anchor["seq"], found["entries"])
        return found

    def test_0_nobody_logs_in_to_an_appliance(self):
        """It has no SSH, so a start for maintenance would open nothing and look as if it did."""
        vault = ("--json", "--vault", self.world.vault + "/")
        done = self.world.host(*vault, "vm", "ssh", "--", "true")
        self.assertEqual(done.status, 6, done)
        self.assertIn("not in maintenance", done.json["error"]["message"])
        self.admin("vm", "stop")
        done = self.world.host(*vault, "vm", "start", "--maintenance")
        self.assertEqual(done.status, 6, done)
        self.assertIn("an appliance, which has no login", done.json["error"]["message"])
        self.admin("vm", "start")
        self.redeem()

    def test_1_what_was_acknowledged_survives_a_power_cut(self):
        seed = random.randrange(10**6)
        dice, secrets, asked, kept_on = random.Random(seed), [], [], threading.Event()

        def put():
            while not kept_on.is_set():
                name = f"s/{len(secrets)}-{dice.randrange(10**9)}"
                if self.world.host("--vault", self.world.vault + "/", "secret", "put", name, input=b"x").status == 0:
                    secrets.append(name)

        def ask():
            while not kept_on.is_set():
                with contextlib.suppress(Closed, OSError, ValueError):
                    answer = self.agent.call("POST", "/v1/requests", {"secret": SECRET, "reason": str(len(asked))}, timeout=3)
                    if answer.status == 201:
                        asked.append(answer.json["id"])
                        self.agent.call("DELETE", "/v1/requests/" + asked[-1], timeout=3)

        for number in range(ROUNDS):
            with self.subTest(seed=seed, round=number):
                kept_on.clear()
                before = len(secrets), len(asked)
                writers = [threading.Thread(target=put), threading.Thread(target=ask)]
                for writer in writers:
                    writer.start()
                until(lambda: len(secrets) > before[0] and len(asked) > before[1], "something acknowledged", timeout=60)
                time.sleep(dice.uniform(0, 1))
                machine = self.world.owned_machine()
                os.kill(machine, signal.SIGKILL)
                kept_on.set()
                for writer in writers:
                    writer.join()
                self.back()
                self.assertNotEqual(self.world.owned_machine(), machine)
                listed = {item["name"] for item in self.admin("secret", "list").json["items"]}
                self.assertEqual(set(secrets) - listed, set())
                for number_of in asked:
                    self.assertEqual(self.agent.get(number_of).status, 200)
                self.assert_audit()
        self.redeem()
        log = self.read("resident.log").decode()
        self.assertGreaterEqual(log.count("starting it again"), ROUNDS)
        self.assertIn("QEMU was ended by signal 9", log)

    def test_1_a_machine_that_is_killed_while_it_boots_is_started_again(self):
        for _ in range(3):
            machine = until(self.world.owned_machine, "a machine", timeout=60)
            os.kill(machine, signal.SIGKILL)
            until(lambda old=machine: self.world.owned_machine() not in (None, old), "another machine", timeout=60)
        self.back()
        self.assert_audit()

    def test_2_it_stops_in_good_order(self):
        entries = self.assert_audit()["entries"]
        self.world.must("--vault", self.world.vault + "/", "vm", "stop")
        self.world.settled()
        self.assertIn("reboot: Power down", self.world.console())
        header = subprocess.run(["dumpe2fs", "-h", os.path.join(self.world.vault, "data.raw")], capture_output=True, text=True, check=True).stdout
        self.assertIn("Filesystem state:         clean", header)
        self.assertNotIn("needs_recovery", header)
        self.assertNotIn("admin.sock", os.listdir(self.world.vault))
        self.world.must("--vault", self.world.vault + "/", "vm", "start")
        self.assertGreater(self.assert_audit()["entries"], entries)
        self.redeem()

    def test_3_its_processes_end_with_the_resident_one(self):
        world, resident = self.world, self.world.resident()
        children = [pid for pid in processes.descendants(resident)]
        self.assertIn(world.owned_machine(), children)
        os.kill(resident, signal.SIGKILL)
        until(lambda: not any(processes.parent_of(pid) for pid in children), "the end of its processes")
        world.settled()
        world.must("--vault", world.vault + "/", "vm", "start")
        self.back()
        self.assert_audit()
        self.redeem()

    def test_3_its_processes_end_with_the_plugin_host(self):
        world, machine = self.world, self.world.owned_machine()
        host = processes.parent_of(machine)
        self.assertEqual(processes.parent_of(host), world.resident())
        os.kill(host, signal.SIGKILL)
        until(lambda: world.owned_machine() not in (None, machine), "another machine", timeout=60)
        self.back()
        self.redeem()


if __name__ == "__main__":
    unittest.main()
