"""The socket for answers of notify-exec, where something else lies at its place."""
import os
import socket
import unittest

from lib.wait import until
from test_hosted import HostCase


class Places(HostCase):
    def test_a_socket_of_another(self):
        shared = os.path.join(self.room, "answer.sock")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(shared)
            other.listen()
            os.chmod(shared, 0o666)
            self.begin("later", f"socket = {shared}", start=False)
            self.v.start()
            until(lambda: self.notifier()["state"] == "failed", "the notifier's failure", 20)
            self.assertIn("another program listens there", self.notifier()["why"])
            self.v.end()
            self.assertTrue(os.path.exists(shared))
        # Nobody listens there any more.
        self.v.start()
        self.wait_ready()
        self.v.end()
        self.assertFalse(os.path.exists(shared))
        os.symlink("/nowhere", shared)
        self.v.start()
        until(lambda: self.notifier()["state"] == "failed", "the notifier's failure", 20)
        self.assertIn("what lies there is no socket", self.notifier()["why"])

    def test_a_socket_that_was_replaced_stays(self):
        path = os.path.join(self.room, "answer.sock")
        self.begin("later", f"socket = {path}")
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            self.v.end()
        self.assertTrue(os.path.exists(path))


if __name__ == "__main__":
    unittest.main()
