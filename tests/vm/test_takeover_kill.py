"""A takeover that is killed, at each step and in between: --abort or --resume settles it each time."""
import os
import random
import signal
import unittest

from vmlib.qmp import Monitor
from vmlib.world import World

from lib.wait import until

FINAL = 11


class Killed(unittest.TestCase):
    """One agent's VM, which has to survive all but the last."""

    @classmethod
    def setUpClass(cls):
        cls.world = World(telegram=False)
        cls.addClassCleanup(cls.world.close)
        done = cls.world.provision()
        assert done.status == 0, done

    def assert_as_before(self):
        """The agent's VM runs, with its port and its monitor, and the host has nothing of it."""
        world = self.world
        world.settled()
        self.assertEqual(world.left(), [])
        machine = world.agents_machine()
        self.assertIsNotNone(machine, "the agent's VM has ended")
        with Monitor(os.path.join(world.staging, "monitor.sock")) as monitor:
            self.assertEqual(monitor.status, "running")
            self.assertNotIn("takeover-checkpoint", monitor.snapshots)
        health = until(world.health, "/health of the agent's VM", timeout=20)
        self.assertEqual(health["ownership"], "unowned")
        self.assertIn("READY_FOR_TAKEOVER", os.listdir(world.staging))

    def abort(self):
        done = self.world.abort()
        self.assertEqual(done.status, 0, done)
        return done

    def test_1_after_each_step_abort_takes_it_back(self):
        for step in range(1, FINAL):
            with self.subTest(step=step):
                if step < FINAL - 1:
                    self.world.kill_takeover(step)
                else:
                    self.world.kill_before_its_line(step)
                done = self.abort()
                self.assertNotIn("in vain", done.err)
                self.assert_as_before()

    def test_2_in_the_middle_of_a_step_abort_takes_it_back(self):
        seed = random.randrange(1 << 32)
        dice = random.Random(seed)
        # The steps that take long: a checkpoint, the copy and what is done to it, keys, and a boot.
        for step in (0, 2, 2, 4, 5, 6, 7, 8, 8):
            delay = dice.uniform(0.001, 0.6 if step != 8 else 4)
            with self.subTest(seed=seed, step=step, delay=delay):
                came_to = self.world.kill_takeover(step, delay=delay)
                self.assertLess(came_to, FINAL)
                done = self.world.abort()
                # Killed before its journal was there: nothing was begun.
                self.assertIn(done.status, (0, 5) if step == 0 else (0,), done)
                self.assertNotIn("in vain", done.err)
                self.assert_as_before()

    def test_3_nothing_survives_a_kill_while_the_vault_boots(self):
        world = self.world
        process = world.start_takeover()
        until(world.owned_machine, "the vault's machine", timeout=60)
        self.assertIsNotNone(world.resident())
        process.kill()
        process.communicate()
        world.settled()
        self.abort()
        self.assert_as_before()

    def test_3_a_resident_process_that_hangs_is_killed_by_abort(self):
        world = self.world
        process = world.start_takeover()
        until(world.owned_machine, "the vault's machine", timeout=60)
        os.kill(world.resident(), signal.SIGSTOP)
        process.kill()
        process.communicate()
        self.abort()
        self.assert_as_before()

    def test_4_at_the_same_time_there_is_one(self):
        world = self.world
        process = world.start_takeover()
        until(lambda: os.path.exists(os.path.join(world.vault, "takeover.json")), "its journal")
        for done in (world.takeover(), world.abort(), world.resume()):
            self.assertEqual(done.status, 6, done)
            self.assertIn("another process", done.json["error"]["message"])
        process.kill()
        process.communicate()
        again = world.takeover()
        self.assertEqual(again.status, 6, again)
        self.assertIn("--resume", again.json["error"]["message"])
        self.assertIn("--abort", again.json["error"]["message"])
        self.abort()
        self.assert_as_before()

    def test_5_with_nothing_to_settle_there_is_nothing(self):
        for done in (self.world.abort(), self.world.resume()):
            self.assertEqual(done.status, 5, done)
            self.assertIn("interrupted", done.json["error"]["message"])
        self.assertEqual(self.world.left(), [])

    def test_5_a_journal_that_was_never_whole_is_in_nobodys_way(self):
        world = self.world
        os.mkdir(world.vault, 0o700)
        world.write(os.path.join("state", "default", ".takeover.json.YWJjZGVmZ2hp"), "{")
        done = world.abort()
        self.assertEqual(done.status, 5, done)
        self.assertEqual(world.left(), [])

    def test_6_a_polite_end_is_as_good_as_a_kill(self):
        world = self.world
        process = world.start_takeover()
        for _ in range(7):
            process.stdout.readline()
        process.terminate()
        process.communicate()
        self.abort()
        self.assert_as_before()

    def test_7_resume_begins_anew_and_from_step_11_on_it_goes_on(self):
        world = self.world
        # A vault that ran: its log, its anchor, and its identity must not get into the next one.
        world.kill_before_its_line(10)
        first = self._identity()
        self.assertEqual(world.kill_takeover(5, "--resume"), 5)
        self.assertIn(world.kill_takeover(FINAL, "--resume"), (11, 12))
        self.assertNotEqual(self._identity(), first)
        self._assert_no_way_back()
        # As after a crash of the host: the vault is started again for what is left to do.
        os.kill(world.resident(), signal.SIGKILL)
        world.settled()
        self.assertGreaterEqual(world.kill_takeover(12, "--resume"), 12)
        self._assert_no_way_back()
        done = world.resume()
        self.assertEqual(done.status, 0, done)
        self._assert_owned()

    def _identity(self):
        with open(os.path.join(self.world.vault, "vault-id"), encoding="ascii") as file:
            return file.read()

    def _assert_no_way_back(self):
        done = self.world.abort()
        self.assertEqual(done.status, 6, done)
        self.assertIn("--resume", done.json["error"]["message"])

    def _assert_owned(self):
        world = self.world
        self.assertIsNone(world.agents_machine())
        self.assertEqual(os.listdir(world.staging), ["agent.json"])
        self.assertNotIn("takeover.json", os.listdir(world.vault))
        self.assertEqual(world.takeover().status, 6)
        for done in (world.abort(), world.resume()):
            self.assertEqual(done.status, 5, done)
        agent = world.connect()
        self.assertEqual(agent.call("GET", "/v1/secrets").status, 200)
        found = world.must("--json", "--vault", world.vault + "/", "audit", "verify").json
        self.assertTrue(found["ok"])
        listed = world.must("--json", "--vault", world.vault + "/", "agent", "list").json
        self.assertEqual([a["agent"] for a in listed["items"] if not a["revoked_at"]], ["agent"])


if __name__ == "__main__":
    unittest.main()
