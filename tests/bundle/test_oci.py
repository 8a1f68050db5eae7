"""The OCI image: made without a daemon, as the specification says, and it runs: unpacked, and with Podman."""
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest

from kit import BUSYBOX, INSIDE, MADE_AT, PLACE, Root, build, inside, mapped, stop

from lib import yaml
from lib.case import Background
from lib.paths import DOCS
from lib.wait import SLOW, until

VALUE = "hunter2-of-the-container"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
URL = "https://127.0.0.1:3737"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="sp-test-")
        cls.addClassCleanup(shutil.rmtree, cls.home)
        cls.file = os.path.join(cls.home, "image.tar")
        cls.built = build("--oci", cls.file)
        cls.layout = os.path.join(cls.home, "layout")
        with tarfile.open(cls.file) as tar:
            cls.members = tar.getmembers()
            tar.extractall(cls.layout)
        cls.index = cls.json("index.json")
        cls.manifest = cls.follow(cls.index["manifests"][0])
        cls.config = cls.follow(cls.manifest["config"])

    @classmethod
    def json(cls, name):
        with open(os.path.join(cls.layout, name), encoding="utf-8") as file:
            return json.load(file)

    @classmethod
    def blob(cls, descriptor):
        return os.path.join(cls.layout, "blobs", *descriptor["digest"].split(":"))

    @classmethod
    def follow(cls, descriptor):
        return cls.json(cls.blob(descriptor))

    def assert_runs(self, done):
        self.assertEqual(done.returncode, 0, done)
        return done.stdout.decode()


class Layout(Case):
    def test_building_twice_gives_the_same_bytes(self):
        again = os.path.join(self.home, "again.tar")
        self.assertEqual(build("--oci", again), {**self.built, "written": again})
        with open(self.file, "rb") as one, open(again, "rb") as two:
            self.assertTrue(one.read() == two.read())
        self.assertEqual({(m.uid, m.gid, m.mtime) for m in self.members}, {(0, 0, MADE_AT)})

    def test_each_descriptor_fits_its_blob(self):
        self.assertEqual(self.json("oci-layout"), {"imageLayoutVersion": "1.0.0"})
        entry = self.index["manifests"][0]
        self.assertEqual((self.index["schemaVersion"], self.manifest["schemaVersion"]), (2, 2))
        self.assertEqual((entry["mediaType"], entry["digest"]), (MANIFEST, self.built["digest"]))
        self.assertEqual(self.manifest["mediaType"], MANIFEST)
        self.assertEqual(self.manifest["config"]["mediaType"], CONFIG)
        self.assertEqual([layer["mediaType"] for layer in self.manifest["layers"]], [LAYER])
        seen = set()
        for descriptor in (entry, self.manifest["config"], *self.manifest["layers"]):
            with open(self.blob(descriptor), "rb") as file:
                data = file.read()
            self.assertEqual((len(data), "sha256:" + hashlib.sha256(data).hexdigest()),
                             (descriptor["size"], descriptor["digest"]))
            seen.add(descriptor["digest"].split(":")[1])
        self.assertEqual(set(os.listdir(self.layout + "/blobs/sha256")), seen)

    def test_the_config_is_what_a_container_starts_from(self):
        with tarfile.open(self.blob(self.manifest["layers"][0])) as layer:
            names = {m.name: m for m in layer.getmembers()}
        unzipped = subprocess.run(["gzip", "--decompress", "--stdout", self.blob(self.manifest["layers"][0])],
                                  capture_output=True, check=True).stdout
        self.assertEqual(self.config["rootfs"], {"type": "layers",
                                                 "diff_ids": ["sha256:" + hashlib.sha256(unzipped).hexdigest()]})
        self.assertEqual((self.config["os"], self.config["architecture"]), ("linux", "amd64"))
        user = int(self.config["config"]["User"].split(":")[0])
        self.assertGreater(user, 0)
        self.assertEqual((names["data"].uid, names["data"].mode), (user, 0o700))
        self.assertIn("/data", self.config["config"]["Volumes"])
        self.assertIn(self.config["config"]["Entrypoint"][0].lstrip("/"), names)
        others = {name for name, member in names.items() if name != "data" and member.uid != 0}
        self.assertEqual(others, set())
        label = self.config["config"]["Labels"]
        self.assertEqual(label, self.manifest["annotations"])
        self.assertEqual(label["secret-proxy.bundle"], self.built["bundle"])

    def test_the_compose_file_fits_the_image(self):
        with open(os.path.join(DOCS, "examples", "compose.yaml"), encoding="utf-8") as file:
            service = yaml.load(file.read())["services"]["secret-proxy"]
        self.assertEqual([service["image"]], self.json("manifest.json")[0]["RepoTags"])
        self.assertEqual([v.split(":")[1] for v in service["volumes"]], list(self.config["config"]["Volumes"]))
        self.assertEqual([p.split(":")[-1] + "/tcp" for p in service["ports"]], list(self.config["config"]["ExposedPorts"]))

    def test_what_is_there_is_not_overwritten(self):
        with self.assertRaises(AssertionError) as caught:
            build("--oci", self.file)
        self.assertIn("is there", str(caught.exception))


class Running(Case):
    """A secret's way through the vault in a container. `command` gives what runs something in there."""

    def call(self, command, *arguments, value=b""):
        return self.assert_runs(subprocess.run(command(INSIDE, "--vault", "/data/", "--json", *arguments), input=value,
                                               capture_output=True, check=False, timeout=60 * SLOW))

    def use(self, command):
        self.call(command, "secret", "put", "db", value=VALUE.encode())
        self.call(command, "agent", "add", "ci", "--write", "/data/agent.json")
        get = command(INSIDE, "get", "db", "--reason", "to see", env=["SECRET_PROXY_AGENT_FILE=/data/agent.json"])
        asking = Background(lambda: subprocess.run(get, capture_output=True, stdin=subprocess.DEVNULL, check=False))
        pending = until(lambda: json.loads(self.call(command, "request", "list", "--status", "pending"))["items"],
                        "a request", 20)
        self.call(command, "request", "approve", pending[0]["id"])
        self.assertEqual(self.assert_runs(asking.result()).strip(), VALUE)
        self.assertEqual(json.loads(self.call(command, "health"))["status"], "ok")

    def test_unpacked_without_any_engine(self):
        root, user = Root(layer=self.blob(self.manifest["layers"][0])), self.config["config"]["User"].split(":")[0]
        self.addCleanup(root.close)
        process, ready = root.start_local(*self.config["config"]["Entrypoint"], "--url", URL, own_network=True, user=user)
        self.assertEqual((ready["url"], ready["admin"]), (URL, "/data/admin.sock"))
        self.use(lambda *arguments, env=(): inside(process, *arguments, user=user, env=env))
        self.assertEqual([name for name in mapped(process) if PLACE not in name and "/data/" not in name], [])
        self.assertEqual(stop(process), 0)

    def test_with_podman(self):
        podman = Podman(os.path.join(self.home, "podman"))
        self.addCleanup(podman.close)
        why = podman.refused()
        if why:
            self.skipTest("this machine runs no container: " + why)
        image = self.assert_runs(podman("load", "--quiet", "--input", self.file)).split()[-1]
        self.assert_runs(podman("run", "--detach", "--name=vault", *podman.bounds, "--read-only", "--cap-drop=all",
                                "--security-opt=no-new-privileges", "--volume=data:/data", image, "--url", URL))
        logs = until(lambda: podman("logs", "vault").stdout, "the ready line", 30)
        self.assertEqual(json.loads(logs)["url"], URL)
        self.use(lambda *arguments, env=(): podman.command("exec", "--interactive", *[f"--env={e}" for e in env], "vault",
                                                           *arguments))
        self.assert_runs(podman("stop", "--time=20", "vault"))
        self.assertEqual(self.assert_runs(podman("inspect", "--format={{.State.ExitCode}}", "vault")).strip(), "0")


class Podman:
    """Podman with all that it keeps in a folder of the test's own, without a network and without control groups:
    who sits in a container already, or has an old kernel, can run it so, too."""
    bounds = ("--network=none", "--cgroups=disabled", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")

    def __init__(self, folder):
        self.folder = folder

    def command(self, *arguments):
        # crun refuses where both kinds of control groups are mounted; it needs none.
        text = '[ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified; exec "$@"'
        return ["unshare", "--mount", "sh", "-c", text, "sh", "podman", "--root", self.folder + "/root", "--runroot",
                self.folder + "/run", "--storage-driver=vfs", "--cgroup-manager=cgroupfs", *arguments]

    def __call__(self, *arguments):
        return subprocess.run(self.command(*arguments), capture_output=True, check=False, timeout=120 * SLOW,
                              stdin=subprocess.DEVNULL)

    def refused(self):
        """Why this machine can't run the plainest of containers; None: it can."""
        tree = os.path.join(self.folder, "plain")
        os.makedirs(tree)
        shutil.copy(BUSYBOX, tree)
        tar = tree + ".tar"
        subprocess.run(["tar", "--create", "--file", tar, "--directory", tree, "."], check=True)
        self("import", tar, "plain")
        done = self("run", "--rm", *self.bounds, "plain", "/busybox", "true")
        return done.stderr.decode().strip() if done.returncode else None

    def close(self):
        self("rm", "--force", "--all")
        shutil.rmtree(self.folder)


if __name__ == "__main__":
    unittest.main()
