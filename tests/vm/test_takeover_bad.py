"""What may be wrong when a vault is taken over: each time the message says which step, why, and what to do, and the
agent's VM runs as before.

Where a machine of the host's own has to start, the agent's VM is a real one; everywhere else it is a fake one.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import unittest

from vmlib import fake
from vmlib.fake import DISK, MONITOR, READY, FakeAgent
from vmlib.paths import BUILD
from vmlib.qmp import Monitor
from vmlib.world import World, free_port

from lib.wait import until

FAILED, CONFIG, UNREACHABLE, NOT_FOUND, CONFLICT, TIMED_OUT, INTEGRITY = 1, 3, 4, 5, 6, 8, 9
UNTOUCHED = ["savevm takeover-checkpoint", "delvm takeover-checkpoint"]


class Case(unittest.TestCase):
    def setUp(self):
        self.world = self.make_world()

    def make_world(self):
        world = World(telegram=False)
        self.addCleanup(world.close)
        return world

    def assert_fails(self, step, status, *words, world=None):
        world = world or self.world
        done = world.takeover()
        self.assertEqual(done.status, status, done)
        message = done.json["error"]["message"]
        self.assertTrue(step is None or message.startswith(f"step {step}, "), message)
        for word in words:
            self.assertIn(word, message)
        self.assertTrue(message.isprintable(), message)
        self.assertEqual(world.left(), [])
        world.settled()
        return message


class Machine(unittest.TestCase):
    """With a real agent's VM, which outlives them all."""

    @classmethod
    def setUpClass(cls):
        cls.world = World(telegram=False)
        cls.addClassCleanup(cls.world.close)
        done = cls.world.provision()
        assert done.status == 0, done
        # The vault is to listen somewhere else than the agent's.
        cls.agents_port, cls.world.port = cls.world.port, free_port()

    assert_fails = Case.assert_fails

    def setUp(self):
        self.world.configure()

    def tearDown(self):
        self.assertIsNotNone(self.world.agents_machine())
        with Monitor(os.path.join(self.world.staging, MONITOR)) as monitor:
            self.assertEqual(monitor.status, "running")
            self.assertNotIn("takeover-checkpoint", monitor.snapshots)
        health = until(lambda: self.world.health(self.agents_port), "/health of the agent's VM", timeout=20)
        self.assertEqual(health["ownership"], "unowned")

    def test_the_port_is_taken(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", self.world.port))
            other.listen()
            message = self.assert_fails(9, CONFLICT, f"127.0.0.1:{self.world.port} is in use", "end that, or choose another",
                                        "everything was taken back")
        self.assertIn("started from host-owned files", message)

    def test_the_bridge_is_missing(self):
        bridge = "network = bridge\nbridge = sp-no-bridge\naddress = 10.77.0.10/24\n"
        self.world.configure(vm=bridge)
        with open(self.world.config, encoding="utf-8") as file:
            text = file.read().replace(f"listen = 127.0.0.1:{self.world.port}", "listen = 10.77.0.10:3737")
        self.world.write("secret-proxy.conf", text)
        self.assert_fails(9, CONFIG, "there is no bridge 'sp-no-bridge'", "make it")

    def test_the_resident_process_or_its_machine_is_killed_while_it_boots(self):
        for victim in ("resident process", "machine"):
            with self.subTest(victim):
                process = self.world.start_takeover()
                machine = until(self.world.owned_machine, "the vault's machine", timeout=60)
                os.kill(self.world.resident() if victim == "resident process" else machine, signal.SIGKILL)
                out, _ = process.communicate()
                message = json.loads(out.splitlines()[-1])["error"]["message"]
                self.assertNotEqual(process.returncode, 0)
                self.assertTrue(message.startswith("step 9, "), message)
                self.assertIn("everything was taken back", message)
                self.assertEqual(self.world.left(), [])
                self.world.settled()

    def test_emulation_has_to_be_allowed(self):
        if "KVM works" in str(self.world.must("--json", "doctor").json):
            self.skipTest("this machine has KVM")
        with open(self.world.config, encoding="utf-8") as file:
            self.world.write("secret-proxy.conf", file.read().replace("allow-emulation = yes", "allow-emulation = no"))
        self.assert_fails(1, CONFIG, "emulation isolates nothing", "allow-emulation = yes")


class Monitors(Case):
    """The agent's monitor is not what it should be."""

    def setUp(self):
        super().setUp()
        self.image = self.world.must("--json", "image", "measure", self.world.image_folder).json["image"].removeprefix("sha256:")

    def agent(self, behave=fake.honest, **more):
        agent = FakeAgent(self.world, self.image, behave, **more)
        self.addCleanup(agent.end)
        return agent

    def test_it_ends_or_refuses_or_lies(self):
        noise = b'{"event":"RESUME","timestamp":{"seconds":1,"microseconds":2}}\r\n'
        cases = [
            ("closes at savevm", fake.closes_at("savevm"), 3, UNREACHABLE, "see whether the agent's VM still runs"),
            ("closes at stop", fake.closes_at("stop"), 4, UNREACHABLE, "see whether the agent's VM still runs"),
            ("refuses savevm", fake.refuses("savevm"), 3, CONFLICT, "one writable qcow2 disk"),
            ("refuses to stop", fake.refuses("stop"), 4, CONFLICT, "end the agent's VM by other means"),
            ("floods with events", fake.floods_at("savevm", noise), 3, INTEGRITY, "look at what the agent has put there"),
            ("floods without a newline", fake.floods_at("stop", b"x"), 4, INTEGRITY, "look at what the agent has put there"),
            ("says yes to everything", fake.yes_to_everything, 2, INTEGRITY, "look at what the agent has put there"),
        ]
        for name, behave, step, status, advice in cases:
            with self.subTest(name):
                agent = self.agent(behave)
                began = time.monotonic()
                self.assert_fails(step, status, advice)
                self.assertLess(time.monotonic() - began, 20)
                self.assertFalse(agent.is_paused and "refuse" not in name)

    def test_what_can_not_be_taken_back_is_told(self):
        self.agent(fake.closes_at("cont"))
        self.assert_fails(6, INTEGRITY, "in vain: having the agent's VM go on", "closed")

    def test_a_monitor_that_is_there_again_is_asked_again(self):
        agent = self.agent(fake.closes_at("stop"))
        self.assert_fails(4, UNREACHABLE, "everything was taken back")
        self.assertEqual(agent.asked[-1], "delvm takeover-checkpoint")
        self.assertIn("cont", agent.asked)

    def test_a_monitor_that_was_deaf_when_a_resume_began_is_asked_again_later(self):
        conts = self.world.path("agent", "conts")

        def deaf_twice(name, connection, answer):
            with open(conts, "ab+") as file:
                if name == "cont" and file.tell() < 2:
                    file.write(b"x")
                    raise ConnectionError
            connection.sendall(answer)
        agent = self.agent(deaf_twice)
        self.interrupt(step=4)
        done = self.world.resume()
        self.assertEqual(done.status, INTEGRITY, done)
        self.assertIn("everything was taken back", done.json["error"]["message"])
        self.assertEqual(agent.asked[-2:], ["cont", "delvm takeover-checkpoint"])

    def interrupt(self, step):
        """As if a takeover had been killed in this step."""
        os.mkdir(self.world.vault, 0o700)
        self.world.write(os.path.join("state", "default", "takeover.json"),
                         json.dumps({"format": 1, "image": None, "port": 4, "source": "agent", "step": step}))

    def test_a_late_answer_to_a_run_that_was_killed_is_nobodys(self):
        def late(name, connection, answer):
            if name == "qmp_capabilities" and not os.path.exists(self.world.path("agent", "second")):
                open(self.world.path("agent", "second"), "wb").close()
                connection.sendall(b'{"return":"","id":2}\r\n')
            connection.sendall(answer)
        agent = self.agent(late)
        self.assert_fails(2, INTEGRITY)
        self.assertEqual(agent.asked, [])
        os.unlink(self.world.path("agent", "second"))
        self.interrupt(step=4)
        done = self.world.abort()
        self.assertEqual((done.status, "in vain" in done.err), (0, False), done)
        self.assertEqual(agent.asked, ["cont", "delvm takeover-checkpoint"])

    def test_an_image_that_the_host_does_not_know(self):
        agent = self.agent()
        agent.put(READY, json.dumps({"format": 1, "image": "sha256:" + "a" * 64, "port": 4}).encode())
        self.assert_fails(1, NOT_FOUND, "is unknown to this host", "image import")
        self.assertEqual(agent.asked, [])

    def test_no_staging_folder(self):
        agent = self.agent()
        os.rename(self.world.staging, self.world.staging + ".away")
        self.assert_fails(1, NOT_FOUND, "is not there", "provision")
        self.assertEqual(agent.asked, [])

    def test_no_qemu_is_seen_before_the_agents_vm_is_touched(self):
        agent = self.agent()
        self.world.configure(vm="qemu = /nonexistent/qemu\n")
        self.assert_fails(1, CONFIG, "/nonexistent/qemu", "install")
        self.assertEqual(agent.asked, [])

    def test_audited_without_its_program_and_rebuilt_without_an_image_say_what_is_missing(self):
        agent = self.agent()
        self.world.configure(vault="trust = audited\n")
        self.assert_fails(1, CONFIG, "[vault default] trust = audited: ", "there is no secret-proxy-audit")
        self.world.configure(vault="trust = rebuilt\n")
        self.assert_fails(1, NOT_FOUND, "[vault default] trust = rebuilt: ", "image build --cloud")
        self.assertEqual(agent.asked, [])

    def test_a_source_or_a_config_that_is_none(self):
        done = self.world.host("--json", "takeover", "nobody")
        self.assertEqual(done.status, NOT_FOUND, done)
        self.world.write("secret-proxy.conf", "[vault default]\nvm = nosuch\n")
        self.assertEqual(self.world.takeover().status, CONFIG)
        self.assertEqual(self.world.left(), [])

    def test_a_folder_that_is_in_use_is_left_alone(self):
        self.agent()
        os.mkdir(self.world.vault, 0o700)
        self.world.write(os.path.join("state", "default", "something"), "of mine")
        for done in (self.world.takeover(), self.world.takeover("--vault", self.world.vault + "/")):
            self.assertEqual(done.status, CONFLICT, done)
            self.assertIn("name another one with --vault", done.json["error"]["message"])
        self.assertEqual(self.world.abort().status, NOT_FOUND)
        self.assertEqual(self.world.left(), ["default", "default/something"])


class Full(Case):
    """The state folder is a small file system of its own."""

    ROOM = 12 << 20

    def setUp(self):
        super().setUp()
        world = self.world
        size = sum(os.path.getsize(os.path.join(f, n)) for f, _, names in os.walk(world.state) for n in names) + self.ROOM
        os.rename(world.state, world.state + ".first")
        os.mkdir(world.state, 0o755)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", world.state], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", world.state], check=True)
        subprocess.run(["cp", "-a", world.state + ".first/.", world.state], check=True)
        self.image = world.must("--json", "image", "measure", world.image_folder).json["image"].removeprefix("sha256:")
        self.agent = FakeAgent(world, self.image)
        self.addCleanup(self.agent.end)

    def test_there_is_no_room_for_the_copy(self):
        self.agent.put(DISK, os.urandom(self.ROOM + (1 << 20)))
        self.assert_fails(5, FAILED, "there is no room for the copy: free ", "try again")
        self.assertFalse(self.agent.is_paused)

    def test_there_is_no_room_for_anything(self):
        with open(os.path.join(self.world.state, "filler"), "wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 12)):
                    pass
            except OSError:
                pass
        done = self.world.takeover()
        self.assertEqual(done.status, FAILED, done)
        message = done.json["error"]["message"]
        self.assertIn("No space left on device", message)
        self.assertTrue(message.startswith("step 1, "), message)
        self.assertEqual(self.world.left(), ["filler"])
        self.assertEqual(self.agent.asked, [])


class HandOver(Case):
    """The vault is the host's already; now the agent is in the way, and there is only the way forward."""

    def disk(self):
        """A true disk, of a provisioning that ended there."""
        world = self.world
        world.must("image", "export", world.agent_image)
        subprocess.run(["chown", "-R", str(world.user), world.agent_image], check=True)
        process = subprocess.Popen(world.as_agent(world.program, "--json", "provision", "--staging", world.staging, "--image",
                                                  world.agent_image, "--port", free_port()), stdout=subprocess.PIPE)
        for _ in range(3):
            process.stdout.readline()
        process.kill()
        process.communicate()
        machine = world.agents_machine()
        if machine is not None:
            os.kill(machine, signal.SIGKILL)
            until(lambda: world.agents_machine() is None, "its end")
        with open(os.path.join(world.staging, DISK), "rb") as file:
            return file.read()

    def assert_stuck(self, done, *words):
        self.assertNotEqual(done.status, 0, done)
        message = done.json["error"]["message"]
        self.assertTrue(message.startswith("step 11, "), message)
        for word in (*words, "go on with 'takeover --resume'"):
            self.assertIn(word, message)
        self.assertEqual(self.world.abort().status, CONFLICT)
        self.assertEqual(self.world.health()["ownership"], "owned")
        self.assertFalse(any(name.startswith(".agent") for name in os.listdir(self.world.staging)))

    def agent(self):
        """At the staging folder of a machine that is gone, with its disk."""
        disk, world = self.disk(), self.world
        image = world.must("--json", "image", "measure", world.image_folder).json["image"].removeprefix("sha256:")
        agent = FakeAgent(world, image)
        self.addCleanup(agent.end)
        agent.put(DISK, disk)
        return agent

    def test_a_notifier_that_does_not_work_is_told_and_can_be_mended(self):
        self.agent()
        plugin = os.path.join(self.world.home, "plugins", "notify-fails-in-open.so")
        shutil.copy(os.path.join(BUILD, "tests", "bad", "notify-fails-in-open.so"), plugin)
        self.world.configure(notify="notify = broken\n",
                             telegram=f"[notify broken]\nplugin = {plugin}\n\n[approver alice]\nbroken = 1\n")
        done = self.world.takeover()
        self.assertEqual(done.status, UNREACHABLE, done)
        message = done.json["error"]["message"]
        self.assertTrue(message.startswith("step 12, "), message)
        for words in ("does not serve (notify broken: no such chat)", "mend that in the config", "takeover --resume"):
            self.assertIn(words, message)
        self.world.configure()
        self.assertEqual(self.world.resume().status, 0)
        self.assertEqual(self.world.connect().call("GET", "/v1/secrets").status, 200)

    def test_the_agent_is_in_the_way(self):
        agent, world = self.agent(), self.world
        os.makedirs(world.agent_file + "/full")
        self.assert_stuck(world.takeover(), "agent.json")
        os.rename(world.staging, world.staging + ".away")
        os.mkdir(world.staging, 0o755)
        self.assert_stuck(world.resume(), world.staging)
        os.rmdir(world.staging)
        os.rename(world.staging + ".away", world.staging)
        os.rmdir(world.agent_file + "/full")
        os.rmdir(world.agent_file)
        # Whatever it names, what is not the agent's machine is left alone.
        agent.put("qemu.pid", b"%d\n" % os.getpid())
        done = world.resume()
        self.assertEqual(done.status, 0, done)
        self.assertIn("warning: owned, but the agent's own VM may run on", done.err)
        self.assertEqual([line["step"] for line in done.lines], [11, 12, 13])
        self.assertEqual(world.connect().call("GET", "/v1/secrets").status, 200)


class Gone(Case):
    """The agent's VM, or its monitor, does not take part; the vault is the host's own all the same."""

    def setUp(self):
        super().setUp()
        done = self.world.provision()
        self.assertEqual(done.status, 0, done)

    def test_the_agents_vm_is_killed_half_way(self):
        world = self.world
        process = world.start_takeover()
        lines = [json.loads(process.stdout.readline()) for _ in range(4)]
        self.assertEqual(lines[-1]["name"], "VM stopped")
        os.kill(world.agents_machine(), signal.SIGKILL)
        out, err = process.communicate()
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(json.loads(out.splitlines()[-1])["step"], 13)
        self.assertNotIn(b"warning", err)
        self.assertEqual(world.connect().call("GET", "/v1/secrets").status, 200)

    def test_a_monitor_that_says_yes_and_does_nothing(self):
        """First it keeps the port: refused. Then it has another one, and its machine is ended by its process."""
        world = self.world
        image = world.must("--json", "image", "measure", world.image_folder).json["image"].removeprefix("sha256:")
        kept = {name: open(os.path.join(world.staging, name), "rb").read() for name in (DISK, "qemu.pid")}
        agent = FakeAgent(world, image, port=world.port)
        self.addCleanup(agent.end)
        for name, data in kept.items():
            agent.put(name, data)
        self.assert_fails(9, CONFLICT, "is in use by another program")
        self.assertEqual(agent.asked[-1], "delvm takeover-checkpoint")
        self.assertEqual(world.health()["ownership"], "unowned")
        world.port = free_port()
        world.configure()
        done = world.takeover()
        self.assertEqual(done.status, 0, done)
        until(lambda: world.agents_machine() is None, "the end of the agent's VM")
        self.assertEqual(world.connect().call("GET", "/v1/secrets").status, 200)
        self.assertEqual(os.listdir(world.staging), ["agent.json"])


if __name__ == "__main__":
    unittest.main()
