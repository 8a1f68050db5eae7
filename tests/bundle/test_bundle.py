"""The bundle: the same bytes each time, and all that it needs, on a machine without any library."""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from kit import INSIDE, MADE_AT, PLACE, Root, build, enter, mapped, stop

from lib.wait import until
from lib.webhook import JsonService

SECRET = "0123456789abcdef0123456789abcdef"
VALUE = "hunter2-of-the-bundle"
CONFIG = """\
[vault default]
store = sqlite
tls = required
notify = desk

[notify desk]
plugin = webhook
url = https://localhost:{port}/hook
secret = file:/tmp/secret

[approver alice]
desk = alice
"""
# What a service manager does with such a file, as far as it matters here.
OPENRC_RUN = """\
#!/bin/sh
. "$1"
case $2 in
  start) [ "$supervisor" = supervise-daemon ]; "$command" >/run/out 2>&1 & echo $! >/run/pid ;;
  stop) kill "$(cat /run/pid)" ;;
esac
"""
RC_SERVICE = '#!/bin/sh\n[ "$2" = restart ] && exec /sbin/openrc-run "/etc/init.d/$1" start\nexec /sbin/openrc-run "/etc/init.d/$1" "$2"\n'


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="sp-test-")
        cls.addClassCleanup(shutil.rmtree, cls.home)
        cls.bundle = os.path.join(cls.home, "bundle")
        cls.built = build("--bundle", cls.bundle)

    def root(self, bundle=None):
        root = Root(bundle)
        self.addCleanup(root.close)
        return root

    def assert_runs(self, done):
        self.assertEqual(done.returncode, 0, done)
        return done.stdout.decode()


class Bytes(Case):
    def files(self, folder):
        return sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)

    def test_building_twice_gives_the_same_bytes(self):
        again = os.path.join(self.home, "again")
        self.assertEqual(build("--bundle", again)["bundle"], self.built["bundle"])
        self.assertEqual(self.files(again), self.files(self.bundle))
        for name in self.files(again):
            one, two = os.path.join(self.bundle, name), os.path.join(again, name)
            self.assertTrue(read(one) == read(two), name)
            self.assertEqual((os.stat(one).st_mode, os.stat(one).st_mtime), (os.stat(two).st_mode, MADE_AT), name)

    def test_the_id_stands_for_every_file(self):
        manifest = json.loads(read(self.bundle + "/manifest"))
        self.assertEqual("sha256:" + hashlib.sha256(read(self.bundle + "/manifest")).hexdigest(), self.built["bundle"])
        self.assertEqual(manifest["sums"]["sha256"], hashlib.sha256(read(self.bundle + "/sums")).hexdigest())
        self.assertIn("libglib2.0-0", manifest["packages"])
        summed = dict(reversed(line.split("  ", 1)) for line in read(self.bundle + "/sums").decode().splitlines())
        self.assertEqual(sorted(summed), sorted(set(self.files(self.bundle)) - {"sums", "manifest"}))
        for name, digest in summed.items():
            self.assertEqual(hashlib.sha256(read(os.path.join(self.bundle, name))).hexdigest(), digest, name)

    def test_nothing_of_vm_plugins_is_in_it(self):
        self.assertEqual([n for n in os.listdir(self.bundle + "/plugins") if n.startswith("vm-")], [])
        self.assertIn("notify-telegram.so", os.listdir(self.bundle + "/plugins"))


class BusyBoxAlone(Case):
    """A vault with a notifier over TLS; what lies where libraries look must not matter."""

    def setUp(self):
        self.machine = root = self.root(self.bundle)
        pair = [os.path.join(root.path, "tmp", name) for name in ("cert.pem", "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                        pair[1], "-out", pair[0]], check=True, stderr=subprocess.DEVNULL)
        self.certificate = pair[0]
        self.desk = JsonService(SECRET, "alice", pair).start()
        self.desk.decide = lambda notice: notice["choices"][0]["id"]
        self.addCleanup(self.desk.stop)
        root.write("etc/hosts", "127.0.0.1 localhost\n")
        # A module, an NSS module and certificates of some other machine.
        root.write("etc/nsswitch.conf", "hosts: trap [NOTFOUND=return]\npasswd: trap\n")
        for trap in ("lib/x86_64-linux-gnu/libnss_trap.so.2", "usr/lib/x86_64-linux-gnu/gio/modules/libtrap.so",
                     "usr/lib/x86_64-linux-gnu/libglib-2.0.so.0", "etc/ssl/certs/ca-certificates.crt"):
            root.write(trap, "trap\n", 0o755)
        root.write("tmp/secret", SECRET, 0o600)
        root.write("tmp/secret-proxy.conf", CONFIG.format(port=self.desk.port), 0o600)

    def start(self):
        return self.machine.start_local(INSIDE, "local", "/tmp/vault", "--config", "/tmp/secret-proxy.conf", "--port", "0")[0]

    @staticmethod
    def trouble(process):
        done = enter(process, INSIDE, "--vault", "/tmp/vault/", "health")
        return done.stdout.decode() if done.returncode else ""

    def ask(self, process):
        call = [INSIDE, "--vault", "/tmp/vault/"]
        self.assert_runs(enter(process, *call, "secret", "put", "db", input=VALUE.encode()))
        self.assert_runs(enter(process, *call, "agent", "add", "ci", "--write", "/tmp/agent.json"))
        return enter(process, "/bin/env", "SECRET_PROXY_AGENT_FILE=/tmp/agent.json", INSIDE, "exec", "--secret", "V=db",
                     "--reason", "to see", "--", "/bin/env")

    def test_a_person_is_asked_over_tls_that_the_bundle_trusts(self):
        shutil.copy(self.certificate, self.machine.at(PLACE + "/etc/ca-certificates.crt"))
        process = self.start()
        out = self.assert_runs(self.ask(process))
        self.assertIn("V=" + VALUE, out.splitlines())
        self.assertTrue(self.desk.events("notice"))
        # What our programs need to find their parts is nobody else's.
        self.assertFalse([line for line in out.splitlines() if line.startswith(("GIO_", "LOCPATH", "LD_"))], out)
        foreign = [name for name in mapped(process) if PLACE not in name and "/tmp/vault" not in name]
        self.assertEqual(foreign, [])
        self.assertEqual(stop(process), 0)

    def test_certificates_of_the_machine_are_not_trusted(self):
        shutil.copy(self.certificate, self.machine.at("etc/ssl/certs/ca-certificates.crt"))
        process = self.start()
        why = until(lambda: self.trouble(process), "trouble", 20)
        self.assertIn("ertificate", why)
        self.assertEqual(self.desk.log, [])


class Install(Case):
    def setUp(self):
        self.machine = self.root()
        shutil.copytree(self.bundle, self.machine.at("media"))

    def openrc(self):
        self.machine.write("sbin/openrc-run", OPENRC_RUN, 0o755)
        self.machine.write("bin/rc-service", RC_SERVICE, 0o755)
        self.machine.write("bin/rc-update", '#!/bin/sh\necho "$*" >>/run/rc-update\n', 0o755)
        os.mkdir(self.machine.at("etc/init.d"))

    def test_openrc_runs_the_daemon(self):
        self.openrc()
        machine = self.machine
        keeper = machine.start("/bin/sh", "-c", "/media/install && wait && sleep 1000", own_network=True)
        ask = ("/bin/wget", "-q", "-O", "-", "http://127.0.0.1:3737/health")
        answer = until(lambda: enter(keeper, *ask).stdout.decode(), "an answer", 20)
        self.assertIn("unowned", answer, machine.log())
        self.assertEqual(read(machine.at("run/rc-update")), b"add secret-proxy-maintenance default\nadd secret-proxyd default\n")
        pid = int(read(machine.at("run/pid")))
        self.assertTrue(os.path.isdir(machine.at("run/secret-proxyd")))
        self.assert_runs(enter(keeper, "/bin/rc-service", "secret-proxyd", "stop"))
        until(lambda: not os.path.exists(f"/proc/{pid}") or b"Z" in read(f"/proc/{pid}/stat").split(b")")[-1][:3],
              "the end of the service", 20)
        self.assertNotEqual(enter(keeper, *ask).returncode, 0)

    def test_systemd_gets_the_unit(self):
        self.machine.write("bin/systemctl", '#!/bin/sh\necho "$*" >>/run/systemctl\n', 0o755)
        self.assert_runs(self.machine.run("/media/install"))
        self.assertEqual(read(self.machine.at("run/systemctl")),
                         b"--no-reload enable secret-proxy-maintenance.service\n--no-reload enable secret-proxyd.service\n")
        for name in ("secret-proxyd", "secret-proxy-maintenance"):
            self.check_unit(name + ".service", name)

    def check_unit(self, name, word):
        text = read(self.machine.at("etc/systemd/system/" + name)).decode().replace(PLACE, self.machine.at(PLACE))
        self.assertIn("ExecStart=" + self.machine.at(PLACE), text)
        checked = os.path.join(self.home, name)
        with open(checked, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", checked], capture_output=True, check=False)
        complaints = [line for line in done.stderr.decode().splitlines() if word in line]
        self.assertEqual((done.returncode, complaints), (0, []), done)

    def test_it_may_be_installed_again(self):
        self.openrc()
        for _ in range(2):
            self.assert_runs(self.machine.run("/media/install", "--no-start"))
        self.assert_runs(self.machine.run(PLACE + "/install", "--no-start"))
        self.assertEqual(os.listdir(self.machine.at("opt")), ["secret-proxy"])
        self.assertFalse(os.path.exists(self.machine.at("run/pid")))
        self.assertIn("0.1.0", self.assert_runs(self.machine.run(INSIDE, "--version")))

    def test_a_damaged_bundle_is_not_installed(self):
        self.openrc()
        with open(self.machine.at("media/lib/libgio-2.0.so.0"), "r+b") as file:
            file.seek(5000)
            file.write(b"\xff\x00\xff")
        done = self.machine.run("/media/install", "--no-start")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(b"damaged", done.stderr)
        self.assertFalse(os.path.exists(self.machine.at(PLACE)))

    def test_a_machine_without_a_service_manager_says_so(self):
        done = self.machine.run("/media/install")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(b"neither systemd nor OpenRC", done.stderr)


if __name__ == "__main__":
    unittest.main()
