"""The program with stdin, stdout or stderr closed: no file of its own ends up in their place.

$SECRET_PROXY names the program; secret-proxyd lies beside it, the plugins where it finds them.
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ.get("SECRET_PROXY", "secret-proxy")
LIMIT = 60
STANDARD = (0, 1, 2)


def start(closed, *args):
    """The program, without these descriptors."""
    shell = 'exec "$@"' + "".join(f" {fd}>&-" for fd in closed)
    return subprocess.Popen(["sh", "-c", shell, "sh", PROGRAM, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def descriptors(pid):
    return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in STANDARD]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


class Closed(unittest.TestCase):
    def test_a_vault_and_its_daemon_hold_them(self):
        for closed in ((1,), (0, 1, 2)):
            with self.subTest(closed=closed):
                base = tempfile.mkdtemp(prefix="sp-fds-")
                self.addCleanup(shutil.rmtree, base)
                folder = os.path.join(base, "vault")
                process = start(closed, "local", folder, "--port", "0")
                try:
                    self.wait_for(folder, process)
                    for pid in (process.pid, *children(process.pid)):
                        self.assertEqual(descriptors(pid), ["/dev/null"] * 3)
                finally:
                    process.send_signal(signal.SIGTERM)
                    process.wait(LIMIT)

    def wait_for(self, folder, process):
        end = time.monotonic() + LIMIT
        while subprocess.run([PROGRAM, "--vault", folder + "/", "status"], capture_output=True, check=False).returncode != 0:
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_a_result_that_nobody_gets_is_a_failure(self):
        for closed in itertools.chain.from_iterable(itertools.combinations(STANDARD, n) for n in range(4)):
            with self.subTest(closed=closed):
                self.assertEqual(start(closed, "--version").wait(LIMIT), 1 if 1 in closed else 0)


if __name__ == "__main__":
    unittest.main()
