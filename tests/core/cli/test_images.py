"""Cloud images as they are typed: built of a file, kept beside appliances, shown, copied, removed; and what provision would do.

$SECRET_PROXY names the program. No machine is started; the disk of a vendor is a qcow2 of nothing.
"""
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
import unittest

PROGRAM = os.environ.get("SECRET_PROXY", "secret-proxy")
LIMIT = 120
OK, USAGE, NOT_FOUND, CONFLICT, INTEGRITY = 0, 2, 5, 6, 9


def sha512(path):
    with open(path, "rb") as file:
        return hashlib.sha512(file.read()).hexdigest()


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="sp-test-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.base = cls.at("vendor.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", cls.base, "4M"], check=True)
        cls.exported = cls.at("exported")
        cls.built = cls.call("image", "build", "--cloud", cls.base, "--sha512", sha512(cls.base), "--output", cls.exported)

    @classmethod
    def at(cls, *names):
        return os.path.join(cls.folder, *names)

    @classmethod
    def run_program(cls, *args):
        # What looks for a proxy is a library of C++, whose exceptions a program with a sanitizer can't bear.
        env = {**os.environ, "SECRET_PROXY_STATE_DIR": cls.at("state"), "XDG_CACHE_HOME": cls.at("cache"), "GIO_USE_PROXY_RESOLVER": "dummy"}
        return subprocess.run([PROGRAM, "--json", *args], capture_output=True, timeout=LIMIT, env=env, check=False,
                              stdin=subprocess.DEVNULL)

    @classmethod
    def call(cls, *args):
        done = cls.run_program(*args)
        assert done.returncode == OK, done
        return json.loads(done.stdout)

    def refused(self, status, *args):
        done = self.run_program(*args)
        self.assertEqual(done.returncode, status, done)
        return json.loads(done.stdout.splitlines()[-1])["error"]["message"]


class Vendor(http.server.BaseHTTPRequestHandler):
    """Has one file, and counts who asks for it."""
    content, asked = b"", 0

    def do_GET(self):  # pylint: disable=invalid-name
        type(self).asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


class FromTheNetwork(Case):
    def test_an_address_is_fetched_once(self):
        with open(self.base, "rb") as file:
            Vendor.content = file.read()
        with http.server.HTTPServer(("127.0.0.1", 0), Vendor) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}/vendor.qcow2"
            words = ("image", "build", "--cloud", url, "--sha512", sha512(self.base).upper(), "--output")
            first = self.call(*words, self.at("first"))
            second = self.call(*words, self.at("second"))
            self.refused(INTEGRITY, *words[:-2], "d" * 128, "--output", self.at("third"))
            server.shutdown()
        self.assertEqual((first["url"], first["base"], first["image"]), (url, "vendor.qcow2", second["image"]))
        self.assertEqual(Vendor.asked, 2)
        self.assertEqual(os.listdir(self.at("cache", "secret-proxy", "images")), [sha512(self.base) + ".qcow2"])
        self.assertFalse(os.path.exists(self.at("third")))


class Images(Case):
    def test_it_says_what_it_is_made_of(self):
        self.assertEqual(self.built["kind"], "cloud")
        self.assertEqual(self.built["base"], "vendor.qcow2")
        self.assertEqual(self.built["sha512"], sha512(self.base))
        self.assertNotIn("url", self.built)
        with open(self.at("exported", "manifest"), "rb") as file:
            text = file.read()
        self.assertEqual(self.built["image"], "sha256:" + hashlib.sha256(text).hexdigest())
        manifest = json.loads(text)
        self.assertEqual((manifest["format"], manifest["kind"]), (1, "cloud"))
        self.assertEqual(sorted(manifest["templates"]), ["meta-data", "network-config", "user-data"])

    def test_it_is_kept_shown_copied_and_removed(self):
        name = self.call("image", "import", self.exported)["image"].removeprefix("sha256:")
        items = self.call("image", "list")["items"]
        self.assertEqual([(item["image"], item["kind"], item["release"]) for item in items], [(name, "cloud", "vendor.qcow2")])
        self.assertEqual(self.call("image", "measure", name)["image"], "sha256:" + name)
        copy = self.call("image", "export", self.at("copy"), "--image", name)
        self.assertEqual(copy["image"], "sha256:" + name)
        # Where an appliance is needed it is none, nor the newest of them.
        self.refused(NOT_FOUND, "image", "measure")
        self.call("image", "rm", name, "--yes")
        self.assertEqual(self.call("image", "list")["items"], [])
        self.refused(NOT_FOUND, "image", "measure", name)

    def test_damage_is_found(self):
        shutil.copytree(self.exported, self.at("damaged"))
        with open(self.at("damaged", "user-data"), "a", encoding="utf-8") as file:
            file.write("# more\n")
        self.assertIn("user-data", self.refused(INTEGRITY, "image", "import", self.at("damaged")))

    def test_a_damaged_one_is_got_again(self):
        """As the sentence says that names the damage; a vault may need it, so that it can't be removed before."""
        name = self.call("image", "import", self.exported)["image"].removeprefix("sha256:")
        for file, content in (("bundle.tar", b"x"), ("manifest", b"{}")):
            with open(self.at("state", "images", name, file), "wb") as damaged:
                damaged.write(content)
            self.refused(INTEGRITY, "image", "measure", name)
            self.call("image", "import", self.exported)
            self.assertEqual(self.call("image", "measure", name)["image"], "sha256:" + name)
            self.assertEqual(os.listdir(self.at("state", "images")), [name])
        self.call("image", "rm", name, "--yes")

    def test_a_manifest_that_is_cut_off_is_damage(self):
        shutil.copytree(self.exported, self.at("cut"))
        os.truncate(self.at("cut", "manifest"), 10)
        self.assertIn(self.at("cut"), self.refused(INTEGRITY, "image", "import", self.at("cut")))
        self.assertIn("there is no image", self.refused(NOT_FOUND, "image", "import", self.at("nowhere")))

    def test_what_can_not_be_built(self):
        wrong = "a" * 128
        self.assertIn("SHA-512", self.refused(INTEGRITY, "image", "build", "--cloud", self.base, "--sha512", wrong, "--output", self.at("x")))
        self.assertIn("--sha512", self.refused(USAGE, "image", "build", "--cloud", "https://127.0.0.1:1/x.qcow2"))
        self.assertIn("128 hex digits", self.refused(USAGE, "image", "build", "--cloud", "debian", "--sha512", "12"))
        self.assertIn("alpine, debian", self.refused(USAGE, "image", "build", "--cloud", "plan9"))
        self.assertIn("one thing", self.refused(USAGE, "image", "build", "--cloud", self.base, "--oci", self.at("y")))
        self.assertIn("--cloud", self.refused(USAGE, "image", "build", "--sha512", wrong))
        self.assertFalse(os.path.exists(self.at("x")))

    def test_templates_of_an_administrator(self):
        folder = self.at("templates")
        os.mkdir(folder)
        with open(os.path.join(folder, "meta-data"), "w", encoding="utf-8") as file:
            file.write("instance-id: @instance-id@\nlocal-hostname: mine\n")
        built = self.call("image", "build", "--cloud", self.base, "--templates", folder, "--output", self.at("own"))
        self.assertNotEqual(built["image"], self.built["image"])
        told = self.plan("--image", self.at("own"))
        self.assertIn("local-hostname: mine", told[4]["message"])
        self.assertIn("#cloud-config", told[4]["message"])

    def test_in_a_container(self):
        """The archive is that of `image build --oci`, and what comes onto the machine's disk is the service alone."""
        folder = self.at("contained")
        built = self.call("image", "build", "--cloud", self.base, "--runtime", "container", "--output", folder)
        self.assertEqual((built["kind"], built["runtime"], self.built["runtime"]), ("cloud", "container", "service"))
        self.call("image", "build", "--oci", self.at("oci.tar"))
        with open(self.at("oci.tar"), "rb") as file, open(os.path.join(folder, "container.tar"), "rb") as kept:
            content = file.read()
            self.assertEqual(content, kept.read())
        self.assertEqual(built["container"], hashlib.sha256(content).hexdigest())
        # A disk is made of it as it is.
        self.assertEqual(len(content) % 512, 0)
        with tarfile.open(os.path.join(folder, "bundle.tar")) as tar:
            names = {name.split("/")[1] for name in tar.getnames() if "/" in name}
            self.assertIn("./service/container", tar.getnames())
        self.assertEqual(names, {"install", "manifest", "service", "sums"})
        name = self.call("image", "import", folder)["image"].removeprefix("sha256:")
        self.assertEqual([item["release"] for item in self.call("image", "list")["items"]], ["vendor.qcow2, with a container"])
        self.call("image", "export", self.at("contained-copy"), "--image", name)
        self.assertIn("container.tar", os.listdir(self.at("contained-copy")))
        self.call("image", "rm", name, "--yes")
        self.check_plans_of_a_container(folder)

    def check_plans_of_a_container(self, folder):
        # It is a disk of the machine's, which is given by its whole path.
        for words in ((folder,), (os.path.relpath(folder),), (folder, "--runtime", "container")):
            told = self.plan("--image", *words)
            self.assert_tells(told[4], "podman")
            self.assert_tells(told[5], "512 MiB", f"disk: {folder}/container.tar, serial container, read-only")
        told = self.plan("--image", self.base, "--runtime", "container")
        self.assert_tells(told[2], "the OCI image of this machine's programs")
        self.assert_tells(told[5], f"disk: {self.at('staging')}/container.tar, serial container, read-only")
        words = ("provision", "--dry-run", "--staging", self.at("staging"))
        for image, other in ((folder, "service"), (self.exported, "container")):
            message = self.refused(CONFLICT, *words, "--image", image, "--runtime", other)
            self.assertIn(f"--cloud … --runtime {other}", message)

    def test_runtimes_that_there_are_not(self):
        self.assertIn("service or container", self.refused(USAGE, "image", "build", "--cloud", self.base, "--runtime", "jail"))
        self.assertIn("--cloud", self.refused(USAGE, "image", "build", "--runtime", "container"))
        words = ("provision", "--dry-run", "--staging", self.at("staging"), "--image")
        self.assertIn("service or container", self.refused(USAGE, *words, self.exported, "--runtime", "jail"))
        os.mkdir(self.at("appliance"))
        with open(self.at("appliance", "manifest"), "w", encoding="utf-8") as file:
            file.write("{}")
        self.assertIn("cloud images", self.refused(USAGE, *words, self.at("appliance"), "--runtime", "container"))

    # ---- what provision would do

    def plan(self, *more):
        done = self.run_program("provision", "--dry-run", "--staging", self.at("staging"), "--port", "4000", *more)
        self.assertEqual(done.returncode, OK, done)
        self.assertFalse(os.path.exists(self.at("staging")))
        self.assertFalse(os.path.exists(self.at("cache")))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([line["step"] for line in lines], list(range(1, 9)))
        self.assertEqual({line["status"] for line in lines}, {"planned"})
        return {line["step"]: line for line in lines}

    def assert_tells(self, line, *words):
        for word in words:
            self.assertIn(word, line["message"])

    def test_a_dry_run_of_a_name(self):
        for name, sums in (("debian", "/SHA512SUMS"), ("alpine", "-cloudinit-r0.qcow2.sha512")):
            told = self.plan("--image", name)
            self.assert_tells(told[2], "fetch https://", sums, self.at("cache", "secret-proxy", "images"))
            given = self.plan("--image", name, "--sha512", "b" * 128)
            self.assertNotIn(sums, given[2]["message"])
            self.assert_tells(given[2], "b" * 128)

    def test_a_dry_run_of_an_address(self):
        told = self.plan("--image", "https://images.example/x.qcow2", "--sha512", "C" * 128)
        self.assert_tells(told[2], "fetch https://images.example/x.qcow2", "c" * 128)

    def test_a_dry_run_tells_commands_and_contents(self):
        told = self.plan("--image", self.exported, "--ssh-port", "4001", "--disk", "1G")
        self.assert_tells(told[3], f"convert -f qcow2 -O qcow2 {self.exported}/base.qcow2", str(1 << 30))
        self.assert_tells(told[4], "---- user-data\n#cloud-config\n", "---- meta-data\ninstance-id: \"", "---- network-config\n", "genisoimage",
                          'ssh_authorized_keys: ["(made at the run)"]')
        self.assert_tells(told[5], "256 MiB", "the disk's own loader", "127.0.0.1:4000 to port 3737", "127.0.0.1:4001 to port 22", "read-only")
        self.assert_tells(told[6], "http://127.0.0.1:4000/health", "900 s")
        self.assert_tells(told[8], '{"format":1,"image":"%s","port":4000}' % self.built["image"])

    def test_a_dry_run_of_what_can_not_be(self):
        words = ("provision", "--dry-run", "--staging", self.at("staging"))
        self.refused(USAGE, *words, "--image", "plan9")
        self.refused(USAGE, *words, "--image", "https://127.0.0.1:1/x")
        self.assertIn("--sha512", self.refused(USAGE, *words, "--image", self.exported, "--sha512", "a" * 128))

    def test_a_word_of_a_template_that_stands_for_nothing(self):
        folder = self.at("wrong")
        os.mkdir(folder)
        with open(os.path.join(folder, "user-data"), "w", encoding="utf-8") as file:
            file.write("#cloud-config\nhostname: @hostnam@\n")
        message = self.refused(3, "provision", "--dry-run", "--staging", self.at("staging"), "--image", self.base, "--templates", folder)
        self.assertIn("@hostnam@", message)
        self.assertIn("@hostnam@", self.refused(3, "image", "build", "--cloud", self.base, "--templates", folder, "--output", self.at("z")))
        self.assertFalse(os.path.exists(self.at("z")))


if __name__ == "__main__":
    unittest.main()
