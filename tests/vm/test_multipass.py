"""Takeover from a Multipass instance, step by step as docs/operations.md has it, through Multipass' stand-in."""
import json
import os
import shutil
import subprocess
import unittest

from vmlib import checklist, libvirtd
from vmlib.far import FarCase
from vmlib.net import Namespace, leave_the_machines_network
from vmlib.paths import TESTS
from vmlib.world import Done, free_port

PLACE = "/usr/local/sbin"
NAME, HOST, THERE = "builder", "10.77.1.1", "10.77.1.2"
LOST, NOT_FOUND = 4, 5


def setUpModule():
    leave_the_machines_network()
    # The takeover finds it by its name alone, as it would the snap's.
    libvirtd.move(PLACE)
    shutil.copy(os.path.join(TESTS, "vm", "multipass"), PLACE)


def multipass(*words, **more):
    return Done(subprocess.run(["multipass", *map(str, words)], capture_output=True, check=False, timeout=600,
                               **({} if more else {"stdin": subprocess.DEVNULL}), **more))


class Multipass(FarCase):
    def setUp(self):
        self.there = Namespace(self)
        self.there.cable(f"{THERE}/24", here=f"{HOST}/24")
        self.there.ip("route", "add", "default", "via", HOST)
        self.world = super().world(reach=self.there.reach, exec=f"multipass exec {NAME} --", listen=f"{HOST}:{free_port()}")
        self.home = self.world.agent_home
        self.instance(state="Running")

    def instance(self, **more):
        """What there is: one instance, or with `away` not even the daemon."""
        path = os.path.join(PLACE, "instances.json")
        if more.pop("away", False):
            os.unlink(path)
            return
        found = {"user": self.world.user, "home": self.home, "reach": self.there.reach, "ipv4": [THERE],
                 "path": f"{self.home}/core:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **more}
        with open(path, "w", encoding="utf-8") as file:
            json.dump({NAME: found}, file)

    def well(self, *words, **more):
        done = multipass(*words, **more)
        self.assertEqual(done.status, 0, done)
        return done.out.decode()

    def install(self):
        """What docs/operations.md says that provision needs, and no more: no store, no notifier."""
        plugins = self.world.path("few", "plugins")
        os.makedirs(plugins)
        for name in ("vm-qemu.so", "secret-proxy-netguard.so"):
            shutil.copy2(self.world.path("plugins", name), plugins)
        for folder in (self.world.path("core"), plugins):
            self.well("transfer", "--recursive", folder, f"{NAME}:{os.path.basename(folder)}")

    def bring(self, folder):
        """Through a pipe, as the snap does not see every folder."""
        archive = subprocess.run(["tar", "-C", os.path.dirname(folder), "-c", os.path.basename(folder)], capture_output=True, check=True)
        name = os.path.basename(folder) + ".tar"
        self.well("transfer", "-", f"{NAME}:{name}", input=archive.stdout)
        self.well("exec", NAME, "--", "tar", "-xf", name)

    # ---- as it is written down

    def test_step_by_step(self):
        told = json.loads(self.well("info", NAME, "--format", "json"))["info"][NAME]
        self.assertEqual((told["state"], told["ipv4"]), ("Running", [THERE]))
        self.assertIn(f"default via {HOST} ", self.well("exec", NAME, "--", "ip", "-4", "route", "show", "default"))
        self.install()
        self.assertIn("secret-proxy ", self.well("exec", NAME, "--", "secret-proxy", "--version"))
        self.world.must("image", "export", self.world.path("image"))
        self.bring(self.world.path("image"))
        built = self.well("exec", NAME, "--", "secret-proxy", "provision", "--staging", self.world.staging, "--image", f"{self.home}/image",
                          "--port", free_port())
        self.assertEqual(checklist.wrong(checklist.read(built), checklist.AGENT), "")

        done = self.world.host("takeover", "agent")
        self.finished(self.world, done)
        self.assertEqual(checklist.wrong(checklist.read(done.out.decode()), checklist.HOST), "")
        self.seen_from_there()

    def seen_from_there(self):
        """As the recipe ends: the agent's own curl."""
        told = json.loads(self.well("transfer", f"{NAME}:staging/agent.json", "-"))
        self.assertTrue(told["url"].startswith(f"https://{HOST}:"), told["url"])
        said = self.well("exec", NAME, "--", "curl", "-sS", "-k", "--pinnedpubkey", told["tls_pin"], told["url"] + "/health")
        self.assertEqual(json.loads(said)["ownership"], "owned")

    # ---- what goes wrong

    def refused(self, status, *words):
        done = self.world.takeover()
        self.assertEqual(done.status, status, done)
        for text in words:
            self.assertIn(text, done.err)
        self.assertEqual(self.world.left(), [])

    def test_multipass_own_failures_are_told_as_such(self):
        self.instance(state="Deleted")
        self.refused(LOST, "'multipass' failed (status 2)", 'instance "builder" is deleted', "works by hand")
        self.world.configure(exec="multipass exec bilder --")
        self.refused(LOST, 'instance "bilder" does not exist')
        self.instance(away=True)
        self.refused(LOST, "'multipass' failed (status 3)", "cannot connect to the multipass socket")

    def test_words_of_exec_that_lack_their_dashes(self):
        """Of `test -d FOLDER` multipass takes -d for its own then, and `test` alone is false: nobody is to think that the folder is missing."""
        self.world.configure(exec=f"multipass exec {NAME}")
        self.refused(LOST, "'multipass' failed (status 1)", "works by hand")

    def test_a_stopped_instance_is_started_and_has_nothing_ready(self):
        self.instance(state="Stopped")
        self.refused(NOT_FOUND, "READY_FOR_TAKEOVER is not there")
        self.assertEqual(json.loads(self.well("info", NAME, "--format", "json"))["info"][NAME]["state"], "Running")


if __name__ == "__main__":
    unittest.main()
