"""Stand-ins for what notify-webhook speaks to: a signed JSON service, and ntfy.

What must stay true: they are no kinder than the real ones. The JSON service checks each
signature by itself; ntfy has the limits, ids and cursors of ntfy's server.
"""
import hashlib
import hmac
import json
import re
import secrets
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from .wait import until

TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # pylint: disable=invalid-name
        self._serve(b"")

    def do_POST(self):  # pylint: disable=invalid-name
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _serve(self, body):
        service = self.server.service
        entry = {"method": self.command, "path": self.path, "body": body, "at": time.monotonic(),
                 "headers": {n.lower(): v for n, v in self.headers.items()}}
        with service.lock:
            service.log.append(entry)
            fault = service.pick_fault(entry)
        status, headers, out = fault(entry) if fault else service.serve(entry)
        if status is None:  # no word until the other side has had enough of it
            service.released.wait(20)
            self.close_connection = True
            return
        try:
            while status == 100 and not service.released.is_set():
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
        except OSError:
            return
        self.send_response(status)
        self.send_header("Content-Length", headers.pop("Content-Length", str(len(out))))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(out)
        except OSError:
            pass

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """The vault hangs up when it has seen enough."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


def answer(status, body=b"", **headers):
    """A fault that answers so."""
    return lambda entry: (status, {n.replace("_", "-"): v for n, v in headers.items()}, body)


class Service:
    """An HTTP server on a port that it keeps; stop() and start() make an outage."""

    def __init__(self, tls=None):
        self.tls = tls  # (certificate, key): files
        self.lock, self.log, self.faults = threading.RLock(), [], []
        self.released, self.server, self.port = threading.Event(), None, 0

    def start(self):
        self.released.clear()
        self.server = _Server(("127.0.0.1", self.port), _Handler)
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.service, self.port = self, self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self):
        self.released.set()
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
        self.server = None

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def fault(self, part, what, times=1):
        """The next `times` requests with `part` in their method, path or body are served by `what`."""
        with self.lock:
            self.faults.append([part.encode(), what, times])

    def pick_fault(self, entry):
        text = f"{entry['method']} {entry['path']} ".encode() + entry["body"]
        for fault in self.faults:
            if fault[0] in text and fault[2] > 0:
                fault[2] -= 1
                return fault[1]
        return None

    def entries(self, part):
        with self.lock:
            return [e for e in self.log if part.encode() in f"{e['method']} {e['path']} ".encode() + e["body"]]

    def wait_entry(self, part, count=1, timeout=15):
        return until(lambda: self.entries(part)[count - 1:count], f"request {count} with {part}", timeout)[0]


class JsonService(Service):
    """Template json. `decide`: what to answer a notice with at once: a function of it that gives a choice."""

    def __init__(self, secret, person, tls=None):
        super().__init__(tls)
        self.secret, self.person = secret.encode(), person
        self.decide, self.answers, self.skew = None, [], 0

    def mac(self, text):
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()

    def sign(self, body, age=0):
        stamp = str(int(time.time() - age + self.skew))
        return f"t={stamp},v1={self.mac(stamp.encode() + b'.answer.' + body)}"

    def is_signed(self, entry):
        what = entry["body"] or f"GET {entry['path']}".encode()
        header = entry["headers"].get("x-secret-proxy-signature", "t=0,v1=")
        stamp, given = header.removeprefix("t=").split(",v1=")
        return abs(time.time() - int(stamp)) < 60 and self.mac(stamp.encode() + b"." + what) == given

    def signed(self, value, age=0):
        body = json.dumps(value).encode()
        return 200, {"X-Secret-Proxy-Signature": self.sign(body, age)}, body

    def answer_to(self, notice, choice, person=None):
        return {"notice": notice["id"], "choice": choice, "person": person or self.person, "time": int(time.time())}

    def serve(self, entry):
        if not self.is_signed(entry):
            return 403, {}, b"not signed"
        if entry["method"] == "GET":
            start = int(parse_qs(urlsplit(entry["path"]).query).get("after", ["0"])[0])
            return self.signed({"answers": self.answers[start:], "next": str(len(self.answers))})
        message = json.loads(entry["body"])
        if message["event"] == "notice" and self.decide is not None:
            return self.signed({"answer": self.answer_to(message, self.decide(message))})
        return 200, {}, b"ok"

    def events(self, name, **members):
        found = [json.loads(e["body"]) for e in self.entries(f'"event":"{name}"')]
        return [m for m in found if all(m.get(k) == v for k, v in members.items())]

    def notice(self, request, count=1):
        """The notice of this request, the `count`th time that it came."""
        def look():
            return [n for n in self.events("notice")
                    if any(f["value"] == request["code"] for f in n["fields"])][count - 1:count]
        return until(look, "a notice", 20)[0]


class Ntfy(Service):
    """The part of ntfy's server that matters: publish as JSON, publish text, poll, health."""

    def __init__(self, token=None):
        super().__init__()
        self.token, self.messages = token, {}

    def publish(self, topic, text, **more):
        message = {"id": secrets.token_hex(6), "time": int(time.time()), "event": "message", "topic": topic, **more,
                   "message": text}
        with self.lock:
            self.messages.setdefault(topic, []).append(message)
        return message

    def serve(self, entry):
        path = urlsplit(entry["path"])
        if path.path == "/v1/health":
            return 200, {}, b'{"healthy":true}'
        if entry["method"] == "POST" and path.path == "/":
            return self._publish_json(entry)
        topic, _, rest = path.path.removeprefix("/").partition("/")
        if not TOPIC.fullmatch(topic) or (entry["method"] == "GET") != (rest == "json"):
            return 404, {}, b'{"code":40401,"error":"page not found"}'
        if entry["method"] == "POST":
            return 200, {}, json.dumps(self.publish(topic, entry["body"].decode())).encode()
        return self._poll(entry, topic, parse_qs(path.query))

    def _allowed(self, entry):
        return self.token is None or entry["headers"].get("authorization") == f"Bearer {self.token}"

    def _publish_json(self, entry):
        if not self._allowed(entry):
            return 403, {}, b'{"code":40301,"error":"forbidden"}'
        body = json.loads(entry["body"])
        if len(entry["body"]) > 8192 or not TOPIC.fullmatch(body["topic"]) or len(body.get("actions", [])) > 3:
            return 400, {}, b'{"code":40024,"error":"invalid request"}'
        text = body.pop("message")
        return 200, {}, json.dumps(self.publish(body.pop("topic"), text, **body)).encode()

    def _poll(self, entry, topic, query):
        if not self._allowed(entry):
            return 403, {}, b'{"code":40301,"error":"forbidden"}'
        with self.lock:
            all_of_it = list(self.messages.get(topic, []))
        ids = [m["id"] for m in all_of_it]
        since = query["since"][0]
        news = all_of_it[ids.index(since) + 1:] if since in ids else all_of_it
        return 200, {}, b"".join(json.dumps(m, separators=(",", ":")).encode() + b"\n" for m in news)

    def card(self, topic, part, timeout=15):
        """The newest message in this topic that has `part` in its text or title."""
        def look():
            with self.lock:
                return [m for m in self.messages.get(topic, []) if part in m["message"] or part in m.get("title", "")][-1:]
        return until(look, f"a message with {part} in {topic}", timeout)[0]

    def tap(self, card, label):
        """What the app does: the button's request, through the network."""
        import urllib.request
        action = next(a for a in card["actions"] if a["label"] == label)
        request = urllib.request.Request(action["url"], action["body"].encode(), method=action["method"])
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == 200
