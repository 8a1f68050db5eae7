"""What may be wrong when an agent provisions its vault VM: which step, why, what to do, and nothing is left half-made."""
import json
import os
import shutil
import signal
import socket
import subprocess
import unittest

from vmlib.world import World

from lib.wait import until

FAILED, USAGE, CONFIG, CONFLICT, INTEGRITY = 1, 2, 3, 6, 9
HIDE = 'mount --bind /dev/null "$1" && shift && exec "$@"'
QEMU = "/usr/bin/qemu-system-x86_64"


class Bad(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World(telegram=False)
        cls.addClassCleanup(cls.world.close)
        cls.world.must("image", "export", cls.world.agent_image)
        subprocess.run(["chown", "-R", str(cls.world.user), cls.world.agent_image], check=True)

    def tearDown(self):
        machine = self.world.agents_machine()
        if machine is not None:
            os.kill(machine, signal.SIGKILL)
            until(lambda: self.world.agents_machine() is None, "the end of the machine")
        for name in os.listdir(self.world.staging):
            path = os.path.join(self.world.staging, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def argv(self, *more):
        world = self.world
        return world.as_agent(world.program, "--json", "provision", "--staging", world.staging, "--image", world.agent_image,
                              "--port", world.port, "--memory", world.memory, *more)

    def assert_fails(self, step, status, *words, argv=None):
        done = subprocess.run(argv or self.argv(), capture_output=True, check=False)
        self.assertEqual(done.returncode, status, done)
        message = json.loads(done.stdout.splitlines()[-1])["error"]["message"]
        self.assertTrue(step is None or message.startswith(f"step {step}, "), message)
        for word in words:
            self.assertIn(word, message)
        return message

    def assert_nothing_left(self):
        self.assertIsNone(self.world.agents_machine())
        self.assertEqual(os.listdir(self.world.staging), [])

    def test_a_damaged_image(self):
        root, manifest = (os.path.join(self.world.agent_image, name) for name in ("root", "manifest"))
        for path, damage in ((root, lambda f: f.write(b"x")), (root, lambda f: f.truncate(4096)), (manifest, lambda f: f.truncate(10))):
            with open(path, "rb") as file:
                content = file.read()
            try:
                with open(path, "r+b") as file:
                    damage(file)
                self.assert_fails(2, INTEGRITY, self.world.agent_image)
                self.assert_nothing_left()
            finally:
                with open(path, "wb") as file:
                    file.write(content)

    def test_no_image(self):
        empty = self.world.path("agent", "empty")
        subprocess.run(self.world.as_agent("mkdir", "-p", empty), check=True)
        for folder in (empty, empty + "/nowhere"):
            argv = [folder if word == self.world.agent_image else word for word in self.argv()]
            done = subprocess.run(argv, capture_output=True, check=False)
            self.assertIn(done.returncode, (5, 9), done)
            self.assertIn("step 2, ", json.loads(done.stdout.splitlines()[-1])["error"]["message"])
            self.assert_nothing_left()

    def test_a_port_that_is_taken(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", self.world.port))
            other.listen()
            self.assert_fails(5, CONFLICT, f"127.0.0.1:{self.world.port} is in use", "--port")
        self.assert_nothing_left()

    def test_no_qemu(self):
        self.assert_fails(1, CONFIG, "there is no QEMU", "install", argv=["unshare", "--mount", "sh", "-ec", HIDE, "sh", QEMU, *self.argv()])
        self.assert_nothing_left()

    def test_too_little_memory_and_other_nonsense(self):
        for option, value in (("--memory", "1K"), ("--memory", "lots"), ("--disk", "-1"), ("--vm", "nosuch"), ("--port", "0"), ("--port", "70000")):
            with self.subTest(option=option, value=value):
                argv = self.argv()
                if option in argv:
                    argv[argv.index(option) + 1] = value
                else:
                    argv += [option, value]
                done = subprocess.run(argv, capture_output=True, check=False)
                self.assertIn(done.returncode, (USAGE, CONFIG, 5), done)
                self.assert_nothing_left()

    def test_the_machine_dies_while_it_boots(self):
        process = subprocess.Popen(self.argv(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        os.kill(until(self.world.agents_machine, "the machine"), signal.SIGKILL)
        out, _ = process.communicate()
        message = json.loads(out.splitlines()[-1])["error"]["message"]
        self.assertNotEqual(process.returncode, 0)
        self.assertRegex(message, "^step [56], ")
        self.assert_nothing_left()

    def test_a_folder_with_a_vault_and_a_run_that_was_killed(self):
        """At each step: the same command again goes on, or says what is in the way and how to remove it."""
        for step in range(8):
            with self.subTest(step=step):
                process = subprocess.Popen(self.argv(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                for _ in range(step):
                    process.stdout.readline()
                process.kill()
                process.communicate()
                ready = "READY_FOR_TAKEOVER" in os.listdir(self.world.staging)
                # The last steps take a moment only: there the kill may come after the end.
                self.assertTrue(not ready or step >= 6, step)
                if ready:
                    self.assertIn("have the host take it over", self.assert_fails(None, CONFLICT))
                    os.kill(self.world.agents_machine(), signal.SIGKILL)
                elif step < 5:
                    # Whether it comes so far again is what counts here.
                    process = subprocess.Popen(self.argv(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    lines = [process.stdout.readline() for _ in range(5)]
                    self.assertIn(b'"step":5', lines[-1], (lines, process.stderr.read() if b"error" in lines[-1] else b""))
                    process.kill()
                    process.communicate()
                else:
                    machine = self.world.agents_machine()
                    message = self.assert_fails(None, CONFLICT, self.world.staging, f"process {machine}", "remove")
                    self.assertIn(f"end it with 'kill {machine}'", message)
                self.tearDown()
        self.assertEqual(self.world.provision().status, 0)
        machine = self.world.agents_machine()
        self.assertIn("have the host take it over", self.assert_fails(None, CONFLICT))
        os.kill(machine, signal.SIGKILL)
        until(lambda: self.world.agents_machine() is None, "the end of the machine")
        self.assertIn("does not run any more: remove the folder", self.assert_fails(None, CONFLICT, self.world.staging))


if __name__ == "__main__":
    unittest.main()
