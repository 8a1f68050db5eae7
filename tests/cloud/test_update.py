"""The vault of a cloud image moves to another one and back: with its data, on a disk of its own each time, and when it is killed.

The host made it alone, which is what a takeover at `rebuilt` comes to; an administrator approves. The order is that of the names.
"""
import hashlib
import json
import os
import shutil
import subprocess
import unittest

from cloud_world import CloudWorld

from lib.http import Agent
from lib.wait import until

SECRET, VALUE = "prod/db", "a value"
# What the other image's first boot leaves.
MARK = "/etc/of-the-second"
FILES = ("system.qcow2", "ssh-known-hosts")


def variant(folder, to):
    """Another cloud image, made of the one in `folder`: another template, and another version."""
    shutil.copytree(folder, to)
    path, manifest = os.path.join(to, "user-data"), os.path.join(to, "manifest")
    with open(path, "r+", encoding="utf-8") as file:
        text = file.read().replace("bootcmd:\n", f"bootcmd:\n  - [touch, {MARK}]\n")
        assert MARK in text
        file.seek(0)
        file.write(text)
    with open(manifest, encoding="utf-8") as file:
        said = json.load(file)
    data = text.encode()
    said["templates"]["user-data"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    said["version"] = "0.1.1"
    with open(manifest, "w", encoding="utf-8") as file:
        json.dump(said, file)
    return to


class Update(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = world = CloudWorld(telegram=False)
        cls.addClassCleanup(world.close)
        cls.first = world.must("--json", "image", "list").json["items"][0]["image"]
        world.must("create", "default", "--image", cls.first, timeout=1200)
        given = world.path("agent.json")
        world.must("agent", "add", "agent", "--write", given)
        with open(given, encoding="utf-8") as file:
            written = json.load(file)
        cls.agent = Agent(world.port, written["token"], written["tls_pin"], name="agent")
        world.must("secret", "put", SECRET, input=VALUE.encode())
        made = world.must("--json", "image", "import", variant(world.image_folder, world.path("second")))
        cls.second = made.json["image"].removeprefix("sha256:")
        cls.known = cls.read("ssh-known-hosts")

    @classmethod
    def read(cls, name):
        with open(os.path.join(cls.world.vault, name), encoding="utf-8") as file:
            return file.read()

    def update(self, *more):
        return self.world.must("--json", "vm", "update", *more, timeout=1200)

    def status(self):
        return self.world.must("--json", "vm", "status").json

    def names(self):
        return {item["name"] for item in self.world.must("--json", "secret", "list").json["items"]}

    def redeem(self):
        asked = self.agent.ask(SECRET)
        self.world.must("request", "approve", asked["id"])
        self.assertEqual(self.agent.redeem(asked["id"]).json["value"], VALUE)

    def assert_serves(self, image, previous):
        world, status = self.world, self.status()
        self.assertEqual((status["state"], status["unlocked"], status["on_trial"]), ("running", True, False), status)
        self.assertEqual((status["image"], status.get("previous_image"), status["trust"]), (image, previous, "rebuilt"), status)
        statement = world.statement()
        self.assertEqual((statement["measurement"]["image"], statement["trust"]), (image, "rebuilt"))
        world.must("--vault", world.vault + "/", "ownership", "verify")
        self.assertTrue(world.must("--json", "audit", "verify").json["ok"])
        there = set(os.listdir(world.vault))
        self.assertEqual({"image.new", "image.out", "image.back", "before.new", "seed.iso"} & there, set())
        for name in FILES:
            for path in (name, os.path.join("image.before", name)):
                self.assertEqual(os.stat(os.path.join(world.vault, path)).st_mode & 0o777, 0o600)
        self.redeem()

    # ---- there

    def test_1_it_moves_with_its_data_to_a_disk_of_its_own(self):
        done = self.update()
        self.assertEqual([step["status"] for step in done.steps.values()], ["ok"] * 8, done)
        self.assert_serves(self.second, self.first)
        self.assertEqual(self.status()["rollback"], "image, or image and data")
        self.assertNotEqual(self.read("ssh-known-hosts"), self.known)
        self.assertEqual(self.read("image.before/ssh-known-hosts"), self.known)

    def test_1_what_does_not_fit_is_refused(self):
        appliance = self.world.path("appliance")
        os.mkdir(appliance)
        for name in ("kernel", "initrd", "root"):
            with open(os.path.join(appliance, name), "wb") as file:
                file.write(b"x")
        part = {"sha256": hashlib.sha256(b"x").hexdigest(), "size": 1}
        with open(os.path.join(appliance, "manifest"), "w", encoding="utf-8") as file:
            json.dump({"format": 1, "initrd": part, "kernel": part, "packages": {}, "release": "1", "root": part, "version": "0.1.2"}, file)
        made = self.world.must("--json", "image", "import", appliance).json["image"]
        done = self.world.vm("update", "--image", made)
        self.assertEqual(done.status, 6, done)
        self.assertIn("a cloud image is needed here", done.json["error"]["message"])
        older = self.world.vm("update", "--image", self.first)
        self.assertEqual(older.status, 6, older)
        self.assertIn("--older", older.json["error"]["message"])

    def test_2_the_exchanged_host_key_is_that_of_the_machine(self):
        self.world.must("vm", "stop")
        self.world.must("vm", "start", "--maintenance", timeout=900)
        done = self.world.vm("ssh", "--", "ls", MARK)
        self.assertEqual((done.status, done.out.decode().strip()), (0, MARK), done)
        self.assertIs(self.world.statement()["maintenance"], True)

    # ---- and back

    def test_3_going_back_takes_the_disk_of_before(self):
        self.world.must("secret", "put", "after/one", input=b"x")
        self.world.must("--json", "vm", "rollback-image", timeout=900)
        self.assert_serves(self.first, self.second)
        self.assertNotIn("maintenance", self.world.statement())
        self.assertIn("after/one", self.names())
        self.assertEqual(self.read("ssh-known-hosts"), self.known)

    def test_4_killed_on_trial(self):
        world = self.world
        process = subprocess.Popen(world.host_argv("--json", "vm", "update"), env=world.host_env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        with process.stdout as lines:
            while json.loads(lines.readline())["step"] < 5:
                pass
            until(world.owned_machine, "the machine on trial", timeout=60)
            process.kill()
        process.wait()
        world.settled()
        status = self.status()
        self.assertEqual((status["image"], status["on_trial"]), (self.second, True), status)
        self.assertIn("seed.iso", os.listdir(world.vault))
        world.must("vm", "start", timeout=900)
        self.assert_serves(self.first, self.second)
        self.assertEqual(self.read("ssh-known-hosts"), self.known)

    def test_5_going_back_with_the_data(self):
        world = self.world
        self.update()
        world.must("secret", "put", "after/two", input=b"x")
        world.must("--json", "vm", "rollback-image", "--data", "--yes", timeout=900)
        self.assert_serves(self.first, self.second)
        self.assertEqual(self.names(), {SECRET, "after/one"})
        self.assertEqual(self.read("ssh-known-hosts"), self.known)
        self.assertEqual({"data.after", "before"} & set(os.listdir(world.vault)), set())

    def test_6_a_disk_that_is_gone_is_no_way_back(self):
        shutil.rmtree(os.path.join(self.world.vault, "image.before"))
        self.assertNotIn("rollback", self.status())
        done = self.world.vm("rollback-image")
        self.assertEqual(done.status, 6, done)
        self.assertIn("vm update --older", done.json["error"]["message"])

    def test_7_a_machine_that_has_not_set_itself_up_is_not_moved(self):
        self.world.must("vm", "stop")
        seed = self.world.write("state/default/seed.iso", "of a first boot that has not come to its end")
        done = self.world.vm("update", "--image", self.second)
        self.assertEqual(done.status, 6, done)
        self.assertIn("first boot", done.json["error"]["message"])
        os.unlink(seed)
        self.assertNotIn("image.new", os.listdir(self.world.vault))


if __name__ == "__main__":
    unittest.main()
