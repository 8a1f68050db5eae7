"""Takeover from an agent that is reached by a command only: another user, another network."""
import shutil
import unittest

from vmlib.far import OUT_OF_REACH, FarCase
from vmlib.net import Namespace, leave_the_machines_network
from vmlib.world import free_port


def setUpModule():
    leave_the_machines_network()


class AnotherUser(FarCase):
    """exec = setpriv …: an account of this machine that only a command reaches."""

    def take_over(self, places):
        world = self.world()
        world.configure(exec=f"setpriv --reuid={world.user} --regid={world.user} --clear-groups -- env "
                             f"PATH={places.format(home=world.home)}:/usr/sbin:/usr/bin:/sbin:/bin")
        self.provision(world)
        done = world.takeover()
        self.finished(world, done)
        self.assertEqual(done.steps[12]["status"], "ok", done)
        self.assertEqual(self.health(world)["ownership"], "owned")

    def test_with_our_relay(self):
        self.take_over("{home}/core")

    @unittest.skipUnless(shutil.which("socat"), "there is no socat: install socat")
    def test_with_socat_and_curl_where_nothing_of_ours_is(self):
        self.take_over("/usr/local/bin")


class AnotherNetwork(FarCase):
    """exec = ip netns exec NAME setpriv …: the vault is reached over a cable."""

    def setUp(self):
        self.there = Namespace(self)
        self.there.cable("10.77.1.2/24", here="10.77.1.1/24")

    def far_world(self, listen):
        world = self.world(reach=self.there.reach)
        self.reach(world, listen)
        self.provision(world)
        return world

    def reach(self, world, listen):
        world.configure(listen=listen, exec=" ".join(
            [*self.there.reach, f"setpriv --reuid={world.user} --regid={world.user} --clear-groups -- env",
             f"PATH={world.path('core')}:/usr/sbin:/usr/bin:/sbin:/bin"]))

    def test_the_agent_reaches_its_vault_over_the_cable(self):
        world = self.far_world(f"10.77.1.1:{free_port()}")
        done = world.takeover()
        self.finished(world, done)
        self.assertEqual(done.steps[12]["status"], "ok", done)
        self.assertIn("10.77.1.1", self.told(world, "url"))
        self.assertEqual(self.health(world)["ownership"], "owned")

    def test_an_address_out_of_reach_is_told_and_can_be_mended(self):
        world = self.far_world(f"127.0.0.1:{free_port()}")
        done = world.takeover()
        self.assertEqual(done.status, OUT_OF_REACH, done)
        self.assertIn("is `listen` an address that it can reach?", done.err)
        self.assertIn("takeover --resume", done.err)
        self.reach(world, f"10.77.1.1:{free_port()}")
        done = world.takeover("--resume")
        self.finished(world, done)
        self.assertEqual(self.health(world)["ownership"], "owned")


if __name__ == "__main__":
    unittest.main()
