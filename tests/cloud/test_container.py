"""A vault in a container of its machine: provisioned, taken over at `rebuilt`, asked, stopped and started.

One agent's machine and one vault, in the order of the tests: a boot takes a minute or two.
"""
import hashlib
import json
import os
import shutil
import signal
import subprocess
import unittest

from cloud_world import BIN, ContainerWorld
from vmlib.checklist import CLOUD_AGENT, CLOUD_HOST, wrong

from lib.wait import until

# What a process has of the machine, and what of the image.
LOOK = r"""
pid=$(pidof -s secret-proxyd)
ls /proc/$pid/root | tr '\n' ' ' | sed 's/^/root /'; echo
ls /opt/secret-proxy | tr '\n' ' ' | sed 's/^/bundle /'; echo
sed -n 's/^CapEff:\t/caps /p; s/^Seccomp:\t/seccomp /p; s/^NoNewPrivs:\t/nnp /p' /proc/$pid/status
for ns in pid mnt ipc uts net; do
  [ "$(readlink /proc/1/ns/$ns)" = "$(readlink /proc/$pid/ns/$ns)" ] && echo "$ns shared" || echo "$ns own"
done
sed -n 's/^[^ ]* \(\/\|\/run\/plugins\|\/var\/lib\/secret-proxyd\) \([^ ]*\) \([^ ,]*\),.*/mount \1 \2 \3/p' /proc/$pid/mounts
cmp -s /etc/resolv.conf /proc/$pid/root/etc/resolv.conf && echo "names same"
for serial in /sys/block/*/serial; do echo "serial $(cat $serial)"; done
"""
# chown, kill, setgid, setuid, sys_resource
CAPABILITIES = (1 << 0) | (1 << 5) | (1 << 6) | (1 << 7) | (1 << 24)


def file_sum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Container(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = ContainerWorld()
        cls.addClassCleanup(cls.world.close)
        cls.done = cls.world.provision()
        assert cls.done.status == 0, cls.done
        cls.old_key, cls.old_known = cls.world.keep_agents_key()
        cls.archive = os.path.join(cls.world.image_folder, "container.tar")

    def kept(self):
        """The archive among the host's images."""
        name = self.world.must("--json", "image", "measure", self.world.image_folder).json["image"].removeprefix("sha256:")
        return os.path.join(self.world.state, "images", name, "container.tar")

    def check_container(self, text, owned):
        words = {}
        for line in text.splitlines():
            name, _, rest = line.partition(" ")
            words.setdefault(name, []).append(rest.strip())
        self.assertEqual(words["root"], ["data dev etc opt proc run sys tmp var"], text)
        self.assertEqual(words["bundle"], ["install manifest service sums"])
        self.assertEqual(int(words["caps"][0], 16), CAPABILITIES)
        self.assertEqual((words["seccomp"], words["nnp"]), (["2"], ["1"]))
        for namespace, whose in {"pid": "own", "mnt": "own", "ipc": "own", "uts": "own", "net": "shared"}.items():
            self.assertEqual(words[namespace], [whose], namespace)
        mounts = dict(line.split(" ", 1) for line in words["mount"])
        self.assertEqual(mounts["/"], "overlay ro")
        if owned:
            self.assertEqual((mounts["/run/plugins"], mounts["/var/lib/secret-proxyd"]), ("squashfs ro", "ext4 rw"))
        self.assertEqual(words["names"], ["same"])
        self.assertIn("container", words["serial"])

    # ---- the agent's part

    def test_1_every_point_of_the_agents_checklist_has_a_line(self):
        self.assertEqual(wrong([line for line in self.done.lines if "step" in line], CLOUD_AGENT), "")

    def test_2_the_agents_daemon_is_in_a_container(self):
        done = self.world.ssh(self.world.ssh_port, self.old_key, self.old_known, "sudo sh -c '" + LOOK.replace("'", "'\\''") + "'")
        self.assertEqual(done.returncode, 0, done)
        self.check_container(done.stdout, owned=False)
        self.assertEqual(self.world.health()["ownership"], "unowned")

    def test_2_on_the_agents_disk_an_audit_finds_nothing_of_the_engine(self):
        """It could be taken over at `audited`: what an engine leaves behind is of no use, and removed."""
        program = os.path.join(BIN, "secret-proxy-audit")
        if not os.path.exists(program):
            self.skipTest("there is no secret-proxy-audit: install libguestfs-dev")
        world = self.world
        shutil.copy2(program, world.path("core", "secret-proxy-audit"))
        self.assertEqual(world.ssh(world.ssh_port, self.old_key, self.old_known, "sudo sync").returncode, 0)
        disk = world.path("copy.qcow2")
        subprocess.run(["qemu-img", "convert", "-U", "-f", "qcow2", "-O", "qcow2", os.path.join(world.staging, "disk.qcow2"), disk], check=True)
        done = world.host("--json", "image", "audit", disk, "--base", world.image_folder, timeout=900)
        self.assertEqual((done.status, done.json["findings"]), (0, []), done)
        os.unlink(disk)

    # ---- the takeover

    def test_3_takeover(self):
        world = self.world
        taking = world.start_takeover()
        world.press("takeover-check", timeout=900)
        out, err = taking.communicate(timeout=900)
        self.assertEqual(taking.returncode, 0, err)
        self.assertEqual(wrong([line for line in map(json.loads, out.decode().splitlines()) if "step" in line], CLOUD_HOST), "")
        measured = world.statement()["measurement"]
        self.assertEqual(sorted(measured), ["base", "bundle", "container", "image", "plugins"])
        self.assertEqual(measured["container"], file_sum(self.archive))
        # The one among the host's images, to read only; and nothing of the agent's.
        machine = f"/proc/{world.owned_machine()}"
        opened = {os.readlink(f"{machine}/fd/{fd}"): fd for fd in os.listdir(f"{machine}/fd")}
        self.assertIn(self.kept(), opened)
        with open(f"{machine}/fdinfo/{opened[self.kept()]}", encoding="ascii") as file:
            flags = next(line for line in file if line.startswith("flags:"))
        self.assertEqual(int(flags.split()[1], 8) & os.O_ACCMODE, os.O_RDONLY)
        self.assertEqual([path for path in opened if path.startswith(world.agent_home)], [])

    def test_4_a_person_approves(self):
        world = self.world
        world.must("secret", "put", "db", input=b"hunter2-of-a-container")
        agent = world.connect()
        request = agent.call("POST", "/v1/requests", {"secret": "db", "reason": "to see that it works"}).json
        world.press("to see that it works")
        seen = agent.call("GET", f"/v1/requests/{request['id']}?wait=60").json
        self.assertEqual(seen["status"], "approved")
        self.assertEqual(agent.call("POST", f"/v1/requests/{request['id']}/redeem").json["value"], "hunter2-of-a-container")

    def test_5_another_archive_is_not_started(self):
        self.assertEqual(self.world.vm("stop").status, 0)
        with open(self.kept(), "r+b") as file:
            file.seek(600)
            old = file.read(1)
            for byte, why in ((bytes([old[0] ^ 1]), "container.tar is not what the manifest says"), (old, None)):
                file.seek(600)
                file.write(byte)
                file.flush()
                if why:
                    done = self.world.vm("start")
                    self.assertEqual(done.status, 9, done)
                    self.assertIn(why, done.json["error"]["message"])
                    self.assertIsNone(self.world.owned_machine())

    def test_6_in_maintenance_the_machine_shows_its_container(self):
        world = self.world
        started = world.vm("start", "--maintenance", timeout=900)
        self.assertEqual(started.status, 0, started)
        done = world.vm("ssh", "--", "sudo sh -c '" + LOOK.replace("'", "'\\''") + "'")
        self.assertEqual(done.status, 0, done)
        self.check_container(done.out.decode(), owned=True)
        port = world.vm("status").json["ssh"].rpartition(":")[2]
        refused = world.ssh(port, self.old_key, os.path.join(world.vault, "ssh-known-hosts"), "true")
        self.assertEqual(refused.returncode, 255, refused)
        self.assertIn("Permission denied (publickey)", refused.stderr)

    def test_7_a_daemon_that_dies_is_started_in_a_new_container(self):
        world = self.world
        kill = "old=$(pidof -s secret-proxyd); kill -9 $old; until new=$(pidof -s secret-proxyd) && [ $new != $old ]; do sleep 1; done"
        done = world.vm("ssh", "--", f"sudo sh -c '{kill}'", timeout=120)
        self.assertEqual(done.status, 0, done)
        until(lambda: world.host("secret", "list").status == 0, "that it serves again", timeout=120)

    def test_7_a_service_that_is_stopped_ends_its_container_in_good_order(self):
        world = self.world
        done = world.vm("ssh", "--", "sudo systemctl restart secret-proxyd && sudo journalctl --boot --unit secret-proxyd --output cat", timeout=300)
        self.assertEqual(done.status, 0, done)
        self.assertNotIn(b"(secret-proxyd) with signal SIGKILL", done.out)
        until(lambda: world.host("secret", "list").status == 0, "that it serves again", timeout=300)

    def test_8_what_it_had_it_has_still(self):
        items = self.world.must("--json", "secret", "list").json["items"]
        self.assertIn("db", [item["name"] for item in items])
        self.assertTrue(self.world.must("--json", "--vault", self.world.vault + "/", "audit", "verify").json["ok"])
        self.assertIs(self.world.must("--json", "--vault", self.world.vault + "/", "ownership", "verify").json["ok"], True)


class MadeHere(unittest.TestCase):
    def test_an_agent_that_makes_the_image_keeps_its_archive_as_long_as_its_machine(self):
        world = ContainerWorld(telegram=False)
        self.addCleanup(world.close)
        # Where it is installed it has its recipes.
        for name in ("bundle", "guest"):
            shutil.copytree(os.path.join(BIN, name), world.path("core", name))
        base = os.path.join(world.agent_home, "vendor.qcow2")
        shutil.copy(os.path.join(world.image_folder, "base.qcow2"), base)
        os.chown(base, world.user, world.user)
        words = [base if word == world.agent_image else word for word in world.provision_words("--boot-timeout", "5m")]
        agent = subprocess.Popen(world.as_agent(world.program, *words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        line = next(line for line in map(json.loads, agent.stdout) if line.get("step") == 5)
        self.assertEqual(line["status"], "ok", line)
        self.assertEqual(file_sum(os.path.join(world.staging, "container.tar")), file_sum(os.path.join(world.image_folder, "container.tar")))
        self.assertNotIn("image.new", os.listdir(world.staging))
        # Its machine ends before it answers: nothing of it is left.
        os.kill(world.agents_machine(), signal.SIGKILL)
        agent.communicate(timeout=120)
        self.assertNotEqual(agent.returncode, 0)
        self.assertEqual(os.listdir(world.staging), [])


if __name__ == "__main__":
    unittest.main()
