"""`secret-proxy relay`: stdin and stdout, connected to a Unix socket.

$SECRET_PROXY names the program.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

PROGRAM = os.environ.get("SECRET_PROXY", "secret-proxy")
LIMIT = 60
LARGE = os.urandom(1 << 20) * 8


class Server(threading.Thread):
    """One connection, played by a function; what that returns is `heard`."""

    def __init__(self, path, play):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        # By a relative name, as a path may be longer than an address.
        here = os.open(".", os.O_RDONLY)
        os.chdir(os.path.dirname(path))
        self.listener.bind(os.path.basename(path))
        os.fchdir(here)
        os.close(here)
        self.listener.listen(1)
        self.play, self.heard = play, None
        self.start()

    def run(self):
        connection, _ = self.listener.accept()
        with connection, self.listener:
            try:
                self.heard = self.play(connection)
            except BrokenPipeError:
                pass  # it was hung up on


def read_all(connection):
    parts = []
    while True:
        part = connection.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def echo(connection):
    """Reads until the end, then writes all of it back."""
    data = read_all(connection)
    connection.sendall(data)
    return data


class Relay(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sp-relay-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "monitor.sock")

    def start(self, path=None):
        process = subprocess.Popen([PROGRAM, "relay", path or self.path], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait(LIMIT)
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()

    def refused(self, path, status):
        result = subprocess.run([PROGRAM, "relay", path], stdin=subprocess.DEVNULL, capture_output=True,
                                timeout=LIMIT, check=False)
        self.assertEqual((result.returncode, result.stdout), (status, b""), result.stderr)
        self.assertIn(path.encode(), result.stderr)

    def test_nothing_is_lost_over_a_half_close(self):
        server = Server(self.path, echo)
        out, err = self.start().communicate(LARGE, timeout=LIMIT)
        server.join(LIMIT)
        self.assertEqual(err, b"")
        self.assertTrue(server.heard == LARGE, "what the socket got is not what was sent")
        self.assertTrue(out == LARGE, "what came back is not what was sent")

    def test_both_ways_at_once(self):
        def play(connection):
            writer = threading.Thread(target=lambda: (connection.sendall(LARGE), connection.shutdown(socket.SHUT_WR)))
            writer.start()
            data = read_all(connection)
            writer.join()
            return data

        server = Server(self.path, play)
        out, _ = self.start().communicate(LARGE, timeout=LIMIT)
        server.join(LIMIT)
        self.assertTrue(server.heard == LARGE and out == LARGE)

    def test_an_answer_comes_before_the_next_question(self):
        def play(connection):
            for line in connection.makefile("rb"):
                connection.sendall(line.upper())

        Server(self.path, play)
        process = self.start()
        for word in (b"one\n", b"two\n"):
            process.stdin.write(word)
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), word.upper())
        self.assertEqual(process.communicate(timeout=LIMIT)[0], b"")
        self.assertEqual(process.returncode, 0)

    def test_ends_when_the_socket_closes(self):
        Server(self.path, lambda connection: connection.sendall(LARGE))
        process = self.start()
        # Stdin stays open all the while.
        self.assertTrue(process.stdout.read() == LARGE)
        self.assertEqual(process.wait(LIMIT), 0)

    def test_goes_on_when_the_socket_only_stops_to_speak(self):
        def play(connection):
            connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

        server = Server(self.path, play)
        process = self.start()
        self.assertEqual(process.stdout.read(), b"")
        process.stdin.write(b"still heard")
        process.stdin.close()
        self.assertEqual(process.wait(LIMIT), 0)
        server.join(LIMIT)
        self.assertEqual(server.heard, b"still heard")

    def test_ends_when_nobody_reads(self):
        server = Server(self.path, read_all)
        process = self.start()
        process.stdout.close()
        self.assertEqual(process.wait(LIMIT), 0)
        server.join(LIMIT)
        self.assertEqual(server.heard, b"")

    def test_what_could_not_be_written_is_an_error(self):
        Server(self.path, lambda connection: (connection.sendall(LARGE[:1 << 19]), read_all(connection)))
        process = self.start()
        process.stdout.read(1)
        process.stdout.close()
        self.assertEqual(process.wait(LIMIT), 4)

    def test_a_long_path_is_no_obstacle(self):
        folder = os.path.join(self.folder, "a" * 120)
        os.mkdir(folder)
        path = os.path.join(folder, "monitor.sock")
        server = Server(path, echo)
        self.assertEqual(self.start(path).communicate(b"hello", timeout=LIMIT)[0], b"hello")
        server.join(LIMIT)

    def test_what_is_no_socket_is_refused(self):
        path = os.path.join(self.folder, "x")
        self.refused(path, 5)
        with open(path, "wb"):
            pass
        self.refused(path, 2)
        self.refused(self.folder, 2)

    def test_a_link_to_a_socket_is_refused(self):
        link = os.path.join(self.folder, "link")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path)
            listener.listen(1)
            os.symlink(self.path, link)
            self.refused(link, 2)

    def test_a_socket_that_nobody_serves_is_unreachable(self):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.path)
        self.refused(self.path, 4)


if __name__ == "__main__":
    unittest.main()
