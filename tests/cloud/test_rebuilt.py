"""A takeover at `rebuilt`: nothing that an agent's root did to its cloud image is in the vault that comes of it.

One agent's machine and one vault, in the order of the tests: a boot takes a minute or two.
"""
import json
import os
import re
import tarfile
import unittest

import backdoors
from cloud_world import CloudWorld
from vmlib.checklist import CLOUD_HOST, wrong
from vmlib.qmp import Monitor

from lib.wait import until

# What makes a machine this one: keys, ids, tokens and seeds; each line is a name and a value.
IDENTITY = r"""
for f in /etc/ssh/ssh_host_*_key /etc/machine-id /var/lib/systemd/random-seed /var/lib/cloud/data/instance-id; do
  [ ! -s $f ] || echo "$f $(base64 -w 0 $f)"
done
for f in /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys; do
  [ ! -s $f ] || grep -o 'AAAA[^ ]*' $f | sed "s|^|$f |"
done
ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key | sed 's/^/host /'
cat /sys/class/dmi/id/product_uuid /sys/class/net/eth0/address | sed 's/^/machine /'
grep -v ':[*!]' /etc/shadow | sed 's/^/password /'
"""

# As root of the agent's machine, beside what is in backdoors.py: a key, a password, and a unit that is enabled.
WAYS_IN = r"""
set -e
mkdir -p /root/.ssh && cat /home/proxy/.ssh/authorized_keys >/root/.ssh/authorized_keys
echo 'proxy:letmein' | chpasswd
echo 'PasswordAuthentication yes' >>/etc/ssh/sshd_config
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -s ../planted.service /etc/systemd/system/multi-user.target.wants/planted.service
echo planted >/opt/secret-proxy/planted
"""
FOUND = """
ls -d /etc/systemd/system/multi-user.target.wants/planted.service /opt/secret-proxy/planted
grep '^PasswordAuthentication yes' /etc/ssh/sshd_config
"""
DISK = "/dev/vda"


def facts(text):
    """The values that IDENTITY has found, but for what says that there is none."""
    return {line.split(" ", 1)[1] for line in text.splitlines() if " " in line}


class Rebuilt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = CloudWorld()
        cls.addClassCleanup(cls.world.close)
        done = cls.world.provision()
        assert done.status == 0, done
        cls.old_key, cls.old_known = cls.world.keep_agents_key()

    def in_agents(self, script):
        done = self.world.ssh(self.world.ssh_port, self.old_key, self.old_known, "sudo sh -c '" + script.replace("'", "'\\''") + "'")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def in_vault(self, script):
        done = self.world.vm("ssh", "--", "sudo sh -c '" + script.replace("'", "'\\''") + "'")
        return done.status, done.out.decode(), done.err

    # ---- the agent's part

    def test_1_the_agents_root_plants_what_it_likes(self):
        type(self).theirs = facts(self.in_agents(IDENTITY))
        self.assertGreaterEqual(len(self.theirs), 6, self.theirs)
        self.in_agents(WAYS_IN + backdoors.planting_here(DISK))
        self.assertEqual(len(self.in_agents(FOUND).split("\n")), 4)
        self.assertLessEqual(set(backdoors.NAMES), backdoors.seen(self.in_agents(backdoors.looking(DISK))))

    # ---- killed

    def assert_as_before(self):
        world = self.world
        world.settled()
        self.assertEqual(world.left(), [])
        self.assertIsNotNone(world.agents_machine(), "the agent's VM has ended")
        with Monitor(os.path.join(world.staging, "monitor.sock")) as monitor:
            self.assertEqual(monitor.status, "running")
        health = until(world.health, "/health of the agent's VM", timeout=60)
        self.assertEqual(health["ownership"], "unowned")

    def test_2_killed_at_any_step_abort_takes_it_back(self):
        for step in (1, 4, 6, 7, 8):
            with self.subTest(step=step):
                self.world.kill_takeover(step)
                done = self.world.abort()
                self.assertEqual(done.status, 0, done)
                self.assertNotIn("in vain", done.err)
                self.assert_as_before()

    def test_2_killed_while_disk_or_seed_are_made(self):
        for step, delay in ((6, 0.05), (6, 0.4), (7, 0.02), (8, 5)):
            with self.subTest(step=step, delay=delay):
                self.world.kill_takeover(step, delay=delay)
                done = self.world.abort()
                self.assertEqual(done.status, 0, done)
                self.assert_as_before()

    def test_3_without_a_cloud_image_of_its_own_the_host_says_so(self):
        self.world.configure(vault="trust = rebuilt\nimage = " + "0" * 64 + "\n")
        done = self.world.takeover()
        self.world.configure()
        self.assertEqual(done.status, 5, done)
        self.assertIn("[vault default] image: ", done.json["error"]["message"])
        self.assert_as_before()

    def test_3_byte_by_byte_it_is_refused(self):
        self.world.configure(vault="trust = exact\n")
        done = self.world.takeover()
        self.world.configure()
        self.assertEqual(done.status, 3, done)
        self.assertIn("trust = rebuilt", done.json["error"]["message"])
        self.assert_as_before()

    # ---- the takeover

    def test_4_takeover(self):
        world = self.world
        taking = world.start_takeover()
        world.press("takeover-check", timeout=900, during=taking)
        out, err = taking.communicate(timeout=900)
        self.assertEqual(taking.returncode, 0, err)
        lines = [line for line in map(json.loads, out.decode().splitlines()) if "step" in line]
        self.assertEqual(wrong(lines, CLOUD_HOST), "")
        self.assertEqual([line["name"] for line in lines if line["status"] == "skipped"], ["disk copied", "image checked"])
        self.assertIsNone(world.agents_machine())
        for name in ("seed.iso", "incoming.qcow2", "takeover.json"):
            self.assertNotIn(name, os.listdir(world.vault))
        for name in ("system.qcow2", "ssh-key", "data.raw"):
            self.assertEqual(os.stat(os.path.join(world.vault, name)).st_mode & 0o777, 0o600)
        statement = world.statement()
        self.assertEqual(statement["trust"], "rebuilt")
        self.assertNotIn("maintenance", statement)
        self.assertEqual(sorted(statement["measurement"]), ["base", "bundle", "image", "plugins"])

    def test_5_a_person_approves(self):
        world = self.world
        world.must("secret", "put", "db", input=b"hunter2-of-a-cloud")
        agent = world.connect()
        request = agent.call("POST", "/v1/requests", {"secret": "db", "reason": "to see that it works"}).json
        world.press("to see that it works")
        seen = agent.call("GET", f"/v1/requests/{request['id']}?wait=60").json
        self.assertEqual(seen["status"], "approved")
        self.assertEqual(agent.call("POST", f"/v1/requests/{request['id']}/redeem").json["value"], "hunter2-of-a-cloud")

    def test_6_nobody_logs_in_without_maintenance(self):
        done = self.world.vm("ssh", "--", "true")
        self.assertEqual(done.status, 6, done)
        self.assertIn("--maintenance", done.json["error"]["message"])
        with open(f"/proc/{self.world.owned_machine()}/cmdline", encoding="utf-8") as file:
            self.assertEqual(re.findall(r"hostfwd=[^,\0]*", file.read()), [f"hostfwd=tcp:127.0.0.1:{self.world.port}-:3737"])

    def test_7_in_maintenance_only_the_new_key_opens_it(self):
        world = self.world
        self.assertEqual(world.vm("stop").status, 0)
        started = world.vm("start", "--maintenance", timeout=900)
        self.assertEqual(started.status, 0, started)
        self.assertIs(world.statement()["maintenance"], True)
        self.assertTrue(world.must("--json", "--vault", world.vault + "/", "ownership", "verify").json["ok"])
        status, out, err = self.in_vault(IDENTITY)
        self.assertEqual(status, 0, err)
        ours = facts(out)
        self.assertGreaterEqual(len(ours), 6, ours)
        self.assertEqual(ours & self.theirs, set())
        self.assertNotIn("password", out)
        self.check_that_nothing_of_it_is_there()
        status, out, _ = self.in_vault("systemctl is-enabled ssh.service; systemctl is-active ssh.service")
        self.assertEqual(out.split(), ["masked", "inactive"])
        self.check_that_others_are_refused()

    def check_that_nothing_of_it_is_there(self):
        status, out, _ = self.in_vault(FOUND)
        self.assertNotEqual(status, 0)
        self.assertEqual(out, "")
        status, out, err = self.in_vault(backdoors.looking(DISK))
        self.assertEqual(status, 0, err)
        there = backdoors.seen(out)
        for name in backdoors.NAMES:
            with self.subTest(name):
                self.assertNotIn(name, there)
        self.assertEqual(there, set())
        # All that the daemon is made of is the host's, by the list that is in the host's own bundle.
        with tarfile.open(os.path.join(self.world.image_folder, "bundle.tar")) as bundle:
            sums = bundle.extractfile("./sums").read().decode()
        status, out, err = self.in_vault("cd /opt/secret-proxy && cat sums && sha256sum --check --quiet --strict sums >&2")
        self.assertEqual((status, out), (0, sums), err)

    def check_that_others_are_refused(self):
        port = self.world.vm("status").json["ssh"].rpartition(":")[2]
        known = os.path.join(self.world.vault, "ssh-known-hosts")
        for words, why in (((), "the old key"), (("-o", "PreferredAuthentications=password,keyboard-interactive"), "a password"),
                           (("-l", "root"), "root")):
            done = self.world.ssh(port, self.old_key, known, "true", words=words)
            self.assertEqual(done.returncode, 255, why)
            self.assertIn("Permission denied (publickey)", done.stderr, why)
        # And the old machine's host key is not this one's.
        done = self.world.ssh(port, os.path.join(self.world.vault, "ssh-key"), self.old_known, "true")
        self.assertEqual(done.returncode, 255)
        self.assertIn("Host key verification failed", done.stderr)

    def test_8_afterwards_it_is_shut_again(self):
        world = self.world
        self.assertEqual(world.vm("stop").status, 0)
        self.assertEqual(world.vm("start", timeout=900).status, 0)
        self.assertNotIn("maintenance", world.statement())
        self.test_6_nobody_logs_in_without_maintenance()
        self.assertNotIn("maintenance.raw", os.listdir(world.vault))
        # What it had it has still.
        items = world.must("--json", "secret", "list").json["items"]
        self.assertIn("db", [item["name"] for item in items])
        found = world.must("--json", "--vault", world.vault + "/", "audit", "verify").json
        self.assertTrue(found["ok"])

    def test_9_there_is_nothing_to_move_to(self):
        done = self.world.vm("update")
        self.assertEqual(done.status, 6, done)
        self.assertIn("image build --cloud", done.json["error"]["message"])


if __name__ == "__main__":
    unittest.main()
