"""A small HTTP/1.1 client on raw sockets, so that tests can send what no library would.

What must stay true: it takes an answer apart strictly, and over TLS it accepts
the one public key that it was told, whatever the certificate says.
"""
import base64
import hashlib
import json
import socket
import ssl

from .wait import SLOW

URN = "urn:secret-proxy:problem:"
TIMEOUT = 30.0


class Closed(Exception):
    """The other end closed the connection before a whole answer came."""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def problem(self):
        """The problem's name without its prefix, or None."""
        if self.header("content-type") != "application/problem+json":
            return None
        return self.json["type"].removeprefix(URN)

    def header(self, name):
        found = [v for n, v in self.headers if n == name.lower()]
        return found[0] if len(found) == 1 else None

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


def _der(data, at):
    """The value of the element at `at`, as (start of value, end)."""
    length, start = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[start:start + size], "big"), start + size
    return start, start + length


def pin_of(certificate: bytes) -> str:
    """sha256//BASE64 of the public key in a certificate (RFC 5280, section 4.1)."""
    at, _ = _der(certificate, 0)
    at, _ = _der(certificate, at)
    if certificate[at] == 0xA0:
        at = _der(certificate, at)[1]
    for _ in range(5):  # serial, algorithm, issuer, validity, subject
        at = _der(certificate, at)[1]
    key = certificate[at:_der(certificate, at)[1]]
    return "sha256//" + base64.b64encode(hashlib.sha256(key).digest()).decode()


class Connection:
    """One connection; `pin` given: over TLS."""

    def __init__(self, port, pin=None, source="127.0.0.1", timeout=TIMEOUT):
        self.rest = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout * SLOW, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if pin is not None:
            self._start_tls(pin)

    def _start_tls(self, pin):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)
        got = pin_of(self.socket.getpeercert(True))
        if got != pin:
            self.close()
            raise AssertionError(f"the server has the key {got} instead of {pin}")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("end of the connection")
        self.rest += data

    def read(self, head_only=False) -> Answer:
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode("ascii").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        if version != "HTTP/1.1":
            raise AssertionError(f"odd status line {lines[0]!r}")
        headers = [(n.lower(), v.strip()) for n, v in (line.split(":", 1) for line in lines[1:])]
        length = 0 if head_only else int(dict(headers)["content-length"])
        while len(self.rest) < length:
            self._more()
        body, self.rest = self.rest[:length], self.rest[length:]
        return Answer(int(status), headers, body)

    def ends(self) -> bool:
        """Whether the server closes now, having said nothing more."""
        try:
            self._more()
        except Closed:
            return True
        except TimeoutError:
            return False
        return False

    def request(self, method, path, body=None, headers=()):
        self.send(form(method, path, body, headers))
        return self.read(method == "HEAD")


def form(method, path, body=None, headers=()) -> bytes:
    """The bytes of a request; `body` is bytes, or anything that JSON has."""
    lines = [f"{method} {path} HTTP/1.1", "Host: vault"]
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        lines.append("Content-Type: application/json")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{n}: {v}" for n, v in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + (body or b"")


class Agent:
    """An agent with its token. Each call has a connection of its own."""

    def __init__(self, port, token, pin=None, source="127.0.0.1", name=None):
        self.port, self.token, self.pin, self.source = port, token, pin, source
        self.name = name

    def call(self, method, path, body=None, timeout=TIMEOUT, **headers) -> Answer:
        sent = [(n.replace("_", "-"), v) for n, v in headers.items()]
        if self.token is not None:
            sent.append(("Authorization", f"Bearer {self.token}"))
        with Connection(self.port, self.pin, self.source, timeout) as connection:
            return connection.request(method, path, body, sent)

    def ask(self, secret, reason="a test", **more) -> dict:
        """POST /v1/requests, which must succeed; gives the request."""
        answer = self.post(secret, reason, **more)
        assert answer.status == 201, answer
        return answer.json

    def post(self, secret, reason="a test", key=None, **more) -> Answer:
        headers = {} if key is None else {"Idempotency_Key": key}
        return self.call("POST", "/v1/requests", {"secret": secret, "reason": reason, **more},
                         **headers)

    def look(self, number, wait=None) -> dict:
        answer = self.get(number, wait)
        assert answer.status == 200, answer
        return answer.json

    def get(self, number, wait=None) -> Answer:
        query = "" if wait is None else f"?wait={wait}"
        return self.call("GET", f"/v1/requests/{number}{query}", timeout=TIMEOUT + (wait or 0))

    def redeem(self, number) -> Answer:
        return self.call("POST", f"/v1/requests/{number}/redeem")

    def cancel(self, number) -> Answer:
        return self.call("DELETE", f"/v1/requests/{number}")
