"""What a hostile client does to the connection: smuggling forms, slowness, size, number."""
import contextlib
import socket
import ssl
import time
import unittest

from lib.case import VaultCase
from lib.http import Agent, Closed, Connection, form
from lib.wait import SLOW, until

BODY = b'{"secret":"db","reason":"smuggled"}'


class Raw(VaultCase):
    def raw(self, data, pin=None):
        """The answers to `data` until the server closes."""
        answers = []
        with Connection(self.v.port, pin) as connection:
            connection.send(data)
            with contextlib.suppress(Closed):
                while True:
                    answers.append(connection.read())
        return answers

    def head(self, *lines, first=b"POST /v1/requests HTTP/1.1", body=BODY):
        every = [first, *lines, b"Authorization: Bearer " + self.a.token.encode(), b"Connection: close"]
        return b"\r\n".join(every) + b"\r\n\r\n" + body

    def count(self):
        return len(self.a.call("GET", "/v1/requests?limit=100").json["items"])


class Smuggling(Raw):
    def assert_refused(self, data, before):
        answers = self.raw(data)
        self.assertEqual(len(answers), 1, answers)
        self.assertIn(answers[0].status, (400, 413, 405, 426, 401), answers)
        if answers[0].status == 400:
            self.assert_problem(answers[0], 400, "invalid")
        self.assertEqual(answers[0].header("connection"), "close")
        self.assertEqual(self.count(), before)

    def test_heads_with_two_readings(self):
        host, kind = b"Host: vault", b"Content-Type: application/json"
        length = b"Content-Length: %d" % len(BODY)
        inner = form("POST", "/v1/requests", BODY, [("Authorization", f"Bearer {self.a.token}")])
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
        forms = {
            "chunked": self.head(host, kind, b"Transfer-Encoding: chunked", body=chunked),
            "both": self.head(host, kind, length, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + inner),
            "odd coding": self.head(host, kind, length, b"Transfer-Encoding: xchunked"),
            "hidden coding": self.head(host, kind, length, b"Transfer-Encoding : chunked"),
            "two lengths": self.head(host, kind, length, b"Content-Length: 0", body=BODY + inner),
            "two equal lengths": self.head(host, kind, length, length),
            "list of lengths": self.head(host, kind, b"Content-Length: %d, %d" % (len(BODY), len(BODY))),
            "signed length": self.head(host, kind, b"Content-Length: +%d" % len(BODY)),
            "hex length": self.head(host, kind, b"Content-Length: 0x23"),
            "negative length": self.head(host, kind, b"Content-Length: -1"),
            "empty length": self.head(host, kind, b"Content-Length:"),
            "huge length": self.head(host, kind, b"Content-Length: 99999999999999999999"),
            "two hosts": self.head(host, host, kind, length),
            "no host": self.head(kind, length),
            "folded": self.head(host, kind, length, b"X-A: 1\r\n folded"),
            "space before colon": self.head(host, kind, b"Content-Length : %d" % len(BODY)),
            "no colon": self.head(host, kind, length, b"nonsense"),
            "bare LF": self.head(host, kind, length).replace(b"\r\n", b"\n"),
            "one bare LF": self.head(host + b"\nX-A: 1", kind, length),
            "bare CR": self.head(host, b"X-A: a\rb", kind, length),
            "NUL": self.head(host, b"X-A: a\0b", kind, length),
            "absolute": self.head(host, kind, length, first=b"POST http://vault/v1/requests HTTP/1.1"),
            "authority": self.head(host, first=b"CONNECT vault:80 HTTP/1.1", body=b""),
            "asterisk": self.head(host, first=b"OPTIONS * HTTP/1.1", body=b""),
            "HTTP/1.0": self.head(host, kind, length, first=b"POST /v1/requests HTTP/1.0"),
            "HTTP/2.0": self.head(host, kind, length, first=b"POST /v1/requests HTTP/2.0"),
            "no version": b"GET /health\r\n\r\n",
            "lower-case method": self.head(host, kind, length, first=b"post /v1/requests HTTP/1.1"),
            "two spaces": self.head(host, kind, length, first=b"POST  /v1/requests HTTP/1.1"),
            "tab": self.head(host, kind, length, first=b"POST\t/v1/requests HTTP/1.1"),
            "encoded path": self.head(host, kind, length, first=b"POST /v1/%72equests HTTP/1.1"),
            "dots": self.head(host, kind, length, first=b"POST /v1/x/../requests HTTP/1.1"),
            "expect": self.head(host, kind, length, b"Expect: 100-continue"),
            "upgrade": self.head(host, kind, length, b"Upgrade: h2c"),
            "range": self.head(host, b"Range: bytes=16-,99-100,-99", first=b"GET /health HTTP/1.1", body=b""),
            "two tokens": self.head(host, kind, length, b"Authorization: Bearer other"),
            "two types": self.head(host, kind, kind, length),
            "GET with a body": self.head(host, length, first=b"GET /v1/secrets HTTP/1.1"),
        }
        before = self.count()
        for name, data in forms.items():
            with self.subTest(name):
                self.assert_refused(data, before)

    def test_http2_preface_and_noise(self):
        for data in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n\r\n", b"\0" * 100, b"SSH-2.0-x\r\n", b"GET",
                     b"\x80\x2e\x01\x03\x01"):
            with Connection(self.v.port) as connection:
                connection.send(data)
                connection.socket.shutdown(socket.SHUT_WR)
                with contextlib.suppress(Closed):
                    self.assertEqual(connection.read().status, 400)
        self.assertEqual(self.v.anonymous().call("GET", "/health").status, 200)

    def test_nothing_behind_a_refusal_is_served(self):
        inner = form("POST", "/v1/requests", BODY, [("Authorization", f"Bearer {self.a.token}")])
        before = self.count()
        with contextlib.suppress(ConnectionError):
            self.assertEqual(len(self.raw(form("GET", "/nowhere", None, [("X A", "1")]) + inner)), 1)
        self.assertEqual(self.count(), before)

    def test_requests_one_after_the_other_on_one_connection(self):
        with Connection(self.v.port) as connection:
            for _ in range(20):
                self.assertEqual(connection.request("GET", "/health").status, 200)

    def test_requests_sent_ahead_get_their_own_answers(self):
        one = form("GET", "/health")
        two = form("GET", "/nowhere", None, [("Connection", "close")])
        self.assertEqual([a.status for a in self.raw(one + two)], [200, 404])


class Sizes(Raw):
    def test_a_head_that_is_too_large(self):
        for data in (b"GET /health HTTP/1.1\r\nHost: v\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
                     b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: v\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nHost: v\r\n" + b"X: a\r\n" * 1000 + b"\r\n"):
            try:
                answers = self.raw(data)
            except ConnectionError:
                continue  # closed while we still sent
            self.assertIn([a.status for a in answers], ([413], [400], []))

    def test_a_huge_body_is_refused_unread(self):
        with Connection(self.v.port) as connection:
            connection.send(form("POST", "/v1/requests", b"", [("Authorization", f"Bearer {self.a.token}")])
                            .replace(b"Content-Length: 0", b"Content-Length: 1000000000\r\nContent-Type: application/json"))
            self.assert_problem(connection.read(), 413, "too-large")
            sent, began = 0, time.monotonic()
            with contextlib.suppress(OSError):
                while time.monotonic() - began < 10 * SLOW:
                    connection.send(b"x" * 65536)
                    sent += 65536
            self.assertLess(sent, 500_000_000)
        resident = memory_of(self.v.role("gate"))
        self.assertLess(resident, 200 * 1024)

    def test_a_body_without_a_token_is_not_read(self):
        with Connection(self.v.port) as connection:
            connection.send(form("POST", "/v1/requests", b"x" * 16000, [("Content-Type", "application/json")])[:-8000])
            self.assert_problem(connection.read(), 401, "unauthorized")


def memory_of(pid) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


class Slowness(Raw):
    def closed_after(self, data, pin=None, more=None, limit=30.0):
        """Seconds until the server ends a connection that sends `data`, then `more` byte by byte."""
        began = time.monotonic()
        with Connection(self.v.port, pin, timeout=limit) as connection:
            connection.send(data)
            connection.socket.settimeout(0.3)
            while time.monotonic() - began < limit * SLOW:
                try:
                    if not connection.socket.recv(4096):
                        break
                except TimeoutError:
                    with contextlib.suppress(OSError):
                        connection.send(more or b"")
                except OSError:
                    break
        return time.monotonic() - began

    def test_slow_clients_are_dropped(self):
        from lib.case import Background
        slow = {
            "half a head": (b"GET /health HT", None),
            "a byte at a time": (b"GET /health HTTP/1.1\r\nHost: v\r\nX: ", b"a"),
            "half a body": (form("POST", "/v1/requests", b"x" * 100, [("Authorization", f"Bearer {self.a.token}")])[:-50],
                            None),
            "half a handshake": (b"\x16\x03\x01", None),
            "silence": (b"", None),
            "idle after an answer": (form("GET", "/health"), None),
        }
        calls = {name: Background(self.closed_after, data, None, more) for name, (data, more) in slow.items()}
        for name, call in calls.items():
            with self.subTest(name):
                self.assertLess(call.result(60 * SLOW), 25 * SLOW)

    def test_many_connections_do_not_keep_others_out(self):
        with contextlib.ExitStack() as stack:
            for n in range(300):
                with contextlib.suppress(OSError):
                    stack.enter_context(contextlib.closing(
                        socket.create_connection(("127.0.0.1", self.v.port), 5, (f"127.0.4.{n % 2 + 1}", 0))))
            good = Agent(self.v.port, self.a.token, source="127.0.5.1")
            def served():
                try:
                    return good.call("GET", "/v1/secrets").status == 200
                except (Closed, OSError):
                    return False
            until(served, "service in spite of idle connections", 30, 0.2)
        until(lambda: self.v.anonymous().call("GET", "/health").status == 200)

    def test_clients_that_go_away_leave_nothing(self):
        number = self.a.ask("db")["id"]
        data = form("GET", f"/v1/requests/{number}?wait=60", None, [("Authorization", f"Bearer {self.a.token}")])
        for _ in range(100):
            with Connection(self.v.port) as connection:
                connection.send(data)
        gate = self.v.role("gate")
        until(lambda: sockets_of(gate) < 30, "the end of abandoned calls")
        self.assertEqual(self.a.look(number)["status"], "pending")


def sockets_of(pid) -> int:
    import os
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        return 0


class Tls(Raw):
    def test_old_versions_are_refused(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", self.v.port), 10) as plain:
            with contextlib.suppress(OSError), context.wrap_socket(plain) as old:
                old.sendall(form("GET", "/health"))
                self.assertEqual(old.recv(100), b"")

    def test_the_key_is_that_of_the_ready_line(self):
        with Connection(self.v.port, self.v.pin) as connection:
            self.assertEqual(connection.request("GET", "/health").status, 200)
        with self.assertRaises(AssertionError):
            Connection(self.v.port, "sha256//" + "A" * 43 + "=")

    def test_noise_in_the_handshake(self):
        for data in (b"\x16\x03\x01\xff\xff" + b"\0" * 3000, b"\x16\x03\x01\0\x01\x01", b"\x16" * 500):
            with Connection(self.v.port) as connection:
                connection.send(data)
                # What can't become a handshake may be cut off at once.
                with contextlib.suppress(Closed, OSError, ValueError, IndexError, UnicodeDecodeError):
                    connection.socket.shutdown(socket.SHUT_WR)
                    connection.read()
        with Connection(self.v.port, self.v.pin) as connection:
            self.assertEqual(connection.request("GET", "/health").status, 200)


if __name__ == "__main__":
    unittest.main()
