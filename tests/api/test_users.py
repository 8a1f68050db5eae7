"""The daemon as it runs in a machine of its own: each process as a user of its own."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import unittest

from lib import processes
from lib.case import Case, is_root
from lib.paths import DAEMON
from lib.wait import until

FIRST = 61000


def users_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    return set(fields["Uid"].split()) | set(fields["Gid"].split()), fields["Groups"].split()


@unittest.skipUnless(is_root(), "only root can start processes as other users")
class Users(Case):
    def home(self):
        home = tempfile.mkdtemp(prefix="sp-test-")
        self.addCleanup(shutil.rmtree, home, True)
        os.chmod(home, 0o711)
        return home

    def start(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        daemon = subprocess.Popen(
            [DAEMON, "--listen", "127.0.0.1:0", "--state", os.path.join(self.home(), "state"), "--admin-fd",
             str(theirs.fileno()), "--first-user", str(FIRST)],
            pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        theirs.close()
        self.addCleanup(daemon.stdout.close)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        self.assertIn("listening", json.loads(daemon.stdout.readline()))
        return daemon, ours

    def test_keeper_and_gate_are_nobody_that_has_a_name(self):
        daemon, _ = self.start()
        def named():
            """By the names that they have given themselves, once both have."""
            found = {processes.comm(pid): pid for pid in processes.children(daemon.pid)}
            return found if {"sp-keeper", "sp-gate"} <= found.keys() else None

        users = {name: users_of(pid) for name, pid in until(named, "two processes").items()}
        self.assertEqual(users["sp-keeper"], ({str(FIRST)}, []))
        self.assertEqual(users["sp-gate"], ({str(FIRST + 1)}, []))

    def test_the_host_ends_it_in_good_order(self):
        daemon, host = self.start()
        lines = host.makefile("rw")
        self.assertEqual(lines.readline(), "\n")
        self.assertEqual(json.loads(lines.readline())["method"], "hello")
        for message in ({"method": "hello", "params": {"session": "h", "reply": True}},
                        {"id": "h:1", "method": "vault.shutdown", "params": {}}):
            lines.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        lines.flush()
        answers = [json.loads(line) for line in lines if line.strip()]
        self.assertTrue([a for a in answers if a.get("id") == "h:1" and "result" in a], answers)
        self.assertEqual(daemon.wait(timeout=30), 0)
