"""Where the daemon is in a container an update is the exchange of that: the machine's own disk stays as it is, there and back.

The host made it alone. The order is that of the names.
"""
import hashlib
import json
import os
import shutil
import subprocess
import unittest

from cloud_world import BIN, ContainerWorld

VALUE = "of-before-the-update"
# In the other image's container, and in no other.
MARK = "opt/secret-proxy/of-the-second"
SEEN = f"pid=$(pidof -s secret-proxyd); test -e /proc/$pid/root/{MARK} && echo second || echo first"


def describe(path):
    with open(path, "rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "size": os.stat(path).st_size}


def other_archive(world, to):
    """What `image build --oci` would make of programs with one more file."""
    bundle, work = world.path("other-bundle"), world.path("other-work")
    subprocess.run([os.path.join(BIN, "secret-proxy"), "image", "build", "--bundle", bundle], check=True, capture_output=True)
    with open(os.path.join(bundle, os.path.basename(MARK)), "w", encoding="ascii"):
        pass
    os.mkdir(work)
    subprocess.run([os.path.join(BIN, "bundle", "build-oci"), "--bundle", bundle, "--id", "ab" * 32, "--version", "0.1.1",
                    "--work", work, "--output", to], check=True, capture_output=True)


def other_image(world, to):
    """The same machine with other programs."""
    shutil.copytree(world.image_folder, to)
    archive, manifest = os.path.join(to, "container.tar"), os.path.join(to, "manifest")
    os.unlink(archive)
    other_archive(world, archive)
    with open(manifest, encoding="utf-8") as file:
        said = {**json.load(file), "container": describe(archive), "version": "0.1.1"}
    with open(manifest, "w", encoding="utf-8") as file:
        json.dump(said, file)
    return to


class ContainerUpdate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = world = ContainerWorld(telegram=False)
        cls.addClassCleanup(world.close)
        cls.first = world.image_id()
        world.must("create", "default", "--image", cls.first, timeout=1200)
        world.must("secret", "put", "db", input=VALUE.encode())
        made = world.must("--json", "image", "import", other_image(world, world.path("second")))
        cls.second = made.json["image"].removeprefix("sha256:")
        cls.machine = cls.of_machine()

    @classmethod
    def of_machine(cls):
        """Its disk, by its number, and the key that it is known by."""
        with open(os.path.join(cls.world.vault, "ssh-known-hosts"), encoding="ascii") as file:
            return os.stat(os.path.join(cls.world.vault, "system.qcow2")).st_ino, file.read()

    def assert_has(self, image, previous, word):
        """Which of the two it runs, as the host says, as the vault has signed, and as its machine shows."""
        world = self.world
        status = world.must("--json", "vm", "status").json
        self.assertEqual((status["image"], status["previous_image"], status["trust"]), (image, previous, "rebuilt"), status)
        archive = os.path.join(world.state, "images", image, "container.tar")
        measured = world.statement()["measurement"]
        self.assertEqual((measured["image"], measured["container"]), (image, describe(archive)["sha256"]))
        world.must("--vault", world.vault + "/", "ownership", "verify")
        self.assertIn("db", [item["name"] for item in world.must("--json", "secret", "list").json["items"]])
        self.assertEqual(self.of_machine(), self.machine)
        world.must("vm", "stop")
        world.must("vm", "start", "--maintenance", timeout=900)
        done = world.vm("ssh", "--", f"sudo sh -c '{SEEN}'")
        self.assertEqual((done.status, done.out.decode().strip()), (0, word), done)

    def test_1_the_container_is_all_that_is_exchanged(self):
        done = self.world.must("--json", "vm", "update", timeout=900)
        self.assertEqual([step["status"] for step in done.steps.values()], ["ok", "skipped", *["ok"] * 6], done)
        self.assert_has(self.second, self.first, "second")

    def test_2_an_image_that_is_the_way_back_is_not_removed(self):
        done = self.world.host("--json", "image", "rm", self.first)
        self.assertEqual(done.status, 6, done)

    def test_3_and_back(self):
        self.world.must("--json", "vm", "rollback-image", timeout=900)
        self.assert_has(self.first, self.second, "first")

    def test_4_without_the_archive_of_before_there_is_no_way_back(self):
        folder = os.path.join(self.world.state, "images", self.second)
        os.rename(os.path.join(folder, "container.tar"), self.world.path("aside"))
        done = self.world.vm("rollback-image")
        self.assertNotEqual(done.status, 0, done)
        self.assertIn("the image of before", done.json["error"]["message"])
        self.assertEqual(self.world.must("--json", "vm", "status").json["state"], "running")


if __name__ == "__main__":
    unittest.main()
