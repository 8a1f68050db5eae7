"""Takeover over a command that fails, hangs or is gone in the middle: nothing half-made, or a way on."""
import os
import unittest

from vmlib.far import OUT_OF_REACH, TIMED_OUT, Far, FarCase

from lib.wait import until  # noqa: E402, from tests/api by vmlib.paths


class BadLine(FarCase):
    """The command fails, hangs or is gone in the middle."""

    def far_world(self):
        world = self.world()
        far = Far(world)
        self.provision(world)
        return world, far

    def taken_back(self, world, far, done):
        self.assertIn("everything was taken back", done.err)
        self.assertFalse(os.path.exists(world.vault))
        self.runs_on(world, far)

    def runs_on(self, world, far):
        """The agent's machine, as if nothing had been; and it can be taken over."""
        self.assertEqual(far.running(), [])
        until(lambda: (world.health(world.agent_port) or {}).get("ownership") == "unowned", "the agent's VM goes on", timeout=30)
        far.obey()
        done = world.takeover()
        self.finished(world, done)

    def go_on(self, world, far, done):
        """What failed after the point of no return."""
        self.assertIn("go on with 'takeover --resume'", done.err)
        self.assertEqual(far.running(), [])
        far.obey()
        self.finished(world, world.takeover("--resume"))
        self.assertEqual(self.health(world)["ownership"], "owned")

    # ---- the disk is copied

    def test_lost_while_the_disk_is_copied(self):
        world, far = self.far_world()
        far.obey(("lose", "cat */disk.qcow2"))
        done = world.takeover()
        self.assertEqual(done.status, OUT_OF_REACH, done)
        self.assertIn("step 5", done.err)
        self.assertIn("connection reset by peer", done.err)
        self.taken_back(world, far, done)

    def test_silent_while_the_disk_is_copied(self):
        world, far = self.far_world()
        far.obey(("stall", "cat */disk.qcow2"))
        done = world.takeover(timeout=120)
        self.assertEqual(done.status, TIMED_OUT, done)
        self.assertIn("step 5", done.err)
        self.assertIn("works by hand", done.err)
        self.taken_back(world, far, done)

    def test_gone_while_the_disk_is_copied(self):
        world, far = self.far_world()
        far.obey(("vanish", "cat */disk.qcow2"))
        done = world.takeover()
        self.assertEqual(done.status, OUT_OF_REACH, done)
        self.assertIn("having the agent's VM go on", done.err)
        self.assertFalse(os.path.exists(world.vault))
        # It stands still, since nobody could tell it to go on; it can be taken over as it is.
        far.come_back()
        self.finished(world, world.takeover())

    # ---- the agent's access is removed

    def test_fails_while_the_access_is_removed(self):
        world, far = self.far_world()
        done, more = None, ()
        for pattern in ("rm *READY*", "rm *disk.qcow2", "mkdir *", "dd *", "chmod *", "mv *"):
            with self.subTest(pattern):
                far.obey(("fail", pattern))
                done = world.takeover(*more)
                self.assertEqual(done.status, OUT_OF_REACH, done)
                self.assertIn("step 11", done.err)
                self.assertIn("no route to host", done.err)
                self.assertFalse(os.path.exists(world.agent_file))
                more = ["--resume"]
        self.go_on(world, far, done)

    def test_a_machine_that_cannot_be_looked_at_is_told_of(self):
        world, far = self.far_world()
        far.obey(("fail", "cat *qemu.pid"))
        done = world.takeover()
        self.assertIn("the agent's own VM may run on", done.err)
        self.finished(world, done)

    def test_hangs_while_the_access_is_removed(self):
        world, far = self.far_world()
        far.obey(("hang", "rm *disk.qcow2"))
        done = world.takeover(timeout=120)
        self.assertEqual(done.status, TIMED_OUT, done)
        self.assertIn("step 11", done.err)
        self.go_on(world, far, done)

    def test_gone_while_the_access_is_removed(self):
        world, far = self.far_world()
        far.obey(("vanish", "rm *READY*"))
        done = world.takeover()
        self.assertEqual(done.status, OUT_OF_REACH, done)
        self.assertIn("step 11", done.err)
        again = world.takeover("--resume")
        self.assertEqual(again.status, OUT_OF_REACH, again)
        far.come_back()
        self.go_on(world, far, done)


if __name__ == "__main__":
    unittest.main()
