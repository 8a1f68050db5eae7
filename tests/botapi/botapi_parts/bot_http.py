"""The bot side: HTTP in front of the methods, and the place where faults bite.

A thread for each connection; a long poll sleeps in the condition variable and
so wakes within a millisecond. What must stay true: no request, however bad,
ends the server; TCP_NODELAY is on; answers carry Content-Length and keep the
connection; the token is compared, never stored in the log or printed.
"""
import socket
import socketserver
import struct
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

from . import faults as F, jsonbytes, params as P
from .errors import ApiError
from .methods import Described, KNOWN_PARAMS

MAX_BODY = 50 << 20


class QuietServer(socketserver.ThreadingTCPServer):
    """A threading server that can drop all its connections and never prints."""
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, address, handler, tls=None):
        self.tls, self.open, self.reset = tls, set(), set()
        super().__init__(address, handler)

    def process_request(self, request, client_address):
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.open.discard(request)
        if request in self.reset:       # close alone: a reset, not an orderly end
            self.reset.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request, client_address):
        pass

    def drop_all(self):
        for request in list(self.open):
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class QuietHandler(BaseHTTPRequestHandler):
    """HTTP/1.1 with bodies read in full, TLS made in the connection's thread."""
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "nginx/1.18.0", ""
    disable_nagle_algorithm = True
    timeout = None

    def setup(self):
        if self.server.tls is not None:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
            self.server.open.add(self.request)
        super().setup()

    def finish(self):
        try:
            super().finish()
        finally:
            if self.server.tls is not None:
                self.server.open.discard(self.request)
                self.server.reset.discard(self.request)
                self.request.close()

    def log_message(self, *args):
        pass

    def read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunked()
        try:
            size = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            size = -1
        if not 0 <= size <= MAX_BODY:
            self.close_connection = True
            raise ApiError(413, "Request Entity Too Large")
        return self.rfile.read(size)

    def _chunked(self) -> bytes:
        body = b""
        while True:
            size = int(self.rfile.readline(64).split(b";")[0].strip() or b"0", 16)
            if not 0 <= size <= MAX_BODY - len(body):
                self.close_connection = True
                raise ApiError(413, "Request Entity Too Large")
            if size == 0:
                while self.rfile.readline(1024).strip():
                    pass
                return body
            body += self.rfile.read(size)
            self.rfile.readline(8)

    def head(self, status: int, headers: dict) -> bytes:
        """The head of an answer; Content-Length and such are the caller's."""
        lines = [f"HTTP/1.1 {status} {self.responses.get(status, ('Error',))[0]}",
                 f"Server: {self.server_version}", f"Date: {self.date_time_string()}"]
        lines += [f"{k}: {v}" for k, v in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def send(self, status: int, body: bytes, kind="application/json", headers=None):
        extra = {"Connection": "close"} if self.close_connection else {"Connection": "keep-alive"}
        head = self.head(status, {"Content-Type": kind, "Content-Length": len(body),
                                  **extra, **(headers or {})})
        self.wfile.write(head + (b"" if self.command == "HEAD" else body))


class BotHandler(QuietHandler):
    """One connection of a bot."""

    def do_GET(self):
        try:
            self._serve()
        except (ConnectionError, TimeoutError, ValueError, OSError):
            self.close_connection = True

    do_POST = do_HEAD = do_PUT = do_DELETE = do_GET

    # from path to method

    def _serve(self):
        path, _, query = self.path.partition("?")
        state = self.server.state
        try:
            body, problem = self.read_body(), None
        except ApiError as error:
            body, problem = b"", error
        token, method, wrong = split_path(path)
        params = {}
        try:
            params = P.collect(query, self.headers.get("Content-Type", ""), body)
        except ApiError as error:
            problem = problem or error
        entry = state.log_request(method or "(no method)", P.for_log(params),
                                  self.client_address[1])
        unknown = set(params) - KNOWN_PARAMS.get(method.lower(), set(params))
        entry["unknown_params"] = sorted(unknown)
        self._answer(entry, token, method, params, wrong or problem)

    def _answer(self, entry: dict, token: str, method: str, params: dict, problem):
        state = self.server.state
        with state.cond:
            fault = self.server.faults.take(method, params)
        if fault is not None:
            entry["fault"] = fault.kind
            delay = fault.args.get("delay", fault.args.get("seconds", 30 if fault.kind == "delay" else 0))
            self._hold(fault, float(delay or 0))
        if fault is not None and not fault.takes_effect():
            reply = (None, {}, b"", "application/json")
        else:
            reply = self._run(token, method, params, problem)
        if fault is None:
            status, headers, body, kind = reply
            state.end_request(entry, status)
            self.send(status, body, kind, headers)
        else:
            Spoiler(self, fault, entry).send(reply)

    def _hold(self, fault, seconds: float):
        """A delay, on the clock that tests can move; ends when faults are cleared."""
        state = self.server.state
        with state.cond:
            hang = fault.kind == "hang"
            until = state.clock.now() + (1e9 if hang else seconds)
            state.clock.wait_until(
                until, lambda: not state.running or fault not in self.server.faults.items)

    def _run(self, token: str, method: str, params: dict, problem):
        state = self.server.state
        try:
            if problem is not None and not isinstance(problem, ApiError):
                raise problem
            check_token(token, state.token) if problem is None or problem.code != 404 else None
            if problem is not None:
                raise problem
            with state.cond:
                return 200, {}, self._call(method.lower(), params), "application/json"
        except ApiError as error:
            return error.code, error.headers(), jsonbytes.dumps(error.body()), "application/json"
        except Exception as error:      # a fault of the emulator: say so, live on
            text = f"Internal Server Error: emulator: {type(error).__name__}: {error}"
            body = {"ok": False, "error_code": 500, "description": state.scrub(text)}
            return 500, {}, jsonbytes.dumps(body), "application/json"

    def _call(self, method: str, params: dict) -> bytes:
        if method == "getupdates":
            events = self.server.polling.get_updates(params)
            return b'{"ok":true,"result":[' + b",\n".join(e.data for e in events) + b"]}"
        if method not in self.server.methods.table:
            raise ApiError(404, "Not Found: method not found")
        result = self.server.methods.table[method](params)
        if isinstance(result, Described):
            return jsonbytes.dumps({"ok": True, "result": result.result,
                                    "description": result.description})
        return jsonbytes.dumps({"ok": True, "result": result})


class Spoiler:
    """Sends an answer with a fault in it."""

    def __init__(self, handler: BotHandler, fault, entry: dict):
        self.h, self.fault, self.args, self.entry = handler, fault, fault.args, entry

    def send(self, reply):
        kind = self.fault.kind
        status, headers, body, content = reply
        if kind in F.INSTEAD and kind not in ("cut_before", "hang", "interim"):
            status, headers, body, content = F.answer_of(self.fault)
        self.h.server.state.end_request(
            self.entry, None if kind in ("cut_before", "hang", "interim", "raw_response") else status)
        action = getattr(self, "_" + kind, None)
        if action:
            action(status, headers, body, content)
        else:
            self.h.send(status, body, content, headers)

    def _full(self, status, headers, body, content, **extra) -> bytes:
        return self.h.head(status, {"Content-Type": content, "Content-Length": len(body),
                                    "Connection": "keep-alive", **headers, **extra}) + body

    def _cut(self):
        self.h.close_connection = True
        sock = self.h.connection
        if self.args.get("rst", True):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.h.server.reset.add(sock)
        else:
            sock.shutdown(socket.SHUT_RDWR)

    def _cut_before(self, *reply):
        self._cut()

    _hang = _cut_before

    def _interim(self, *reply):
        """1xx until the client has enough of them, or the faults are cleared."""
        faults, self.h.close_connection = self.h.server.faults, True
        try:
            while self.h.server.state.running and self.fault in faults.items:
                self.h.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
        except OSError:
            pass

    def _cut_after(self, *reply):
        partial = int(self.args.get("partial", 0))
        if partial:
            self.h.wfile.write(self._full(*reply)[:partial])
        self._cut()

    def _raw_response(self, status, headers, body, content):
        self.h.wfile.write(body)
        self.h.close_connection = True

    def _truncated(self, status, headers, body, content):
        keep = int(self.args.get("keep", len(body) // 2))
        self.h.send(status, body[:keep], content, headers)

    def _content_length(self, status, headers, body, content):
        size = max(0, len(body) + int(self.args.get("delta", 100)))
        self.h.wfile.write(self._full(status, headers, body, content, **{"Content-Length": size}))
        self.h.close_connection = True

    def _chunked(self, status, headers, body, content):
        size = max(1, int(self.args.get("chunk", 7)))
        head = self.h.head(status, {"Content-Type": content, "Transfer-Encoding": "chunked", **headers})
        parts = [body[i:i + size] for i in range(0, len(body), size)]
        self.h.wfile.write(head + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n")

    def _drip(self, status, headers, body, content):
        size, pause = max(1, int(self.args.get("chunk", 1))), float(self.args.get("interval", 0.02))
        data = self._full(status, headers, body, content)
        start = data.index(b"\r\n\r\n") + 4
        self.h.wfile.write(data[:start])
        for i in range(start, len(data), size):
            if not self.h.server.state.running:
                break
            time.sleep(pause)
            self.h.wfile.write(data[i:i + size])

    def _close(self, status, headers, body, content):
        self.h.close_connection = True
        self.h.send(status, body, content, headers)


def split_path(path: str):
    """(token, method, error) of /bot<token>/METHOD."""
    path = unquote(path)
    if not path.startswith("/"):
        return "", "", ApiError(404, "Not Found: absolute URI is specified in the Request-Line")
    if not path.startswith("/bot"):
        return "", "", ApiError(404, "Not Found")
    token, slash, method = path[4:].partition("/")
    if not slash:
        return token, "", ApiError(404, "Not Found")
    if method.startswith("test/"):      # the test environment: other accounts
        return token + "/test", method[5:], None
    return token, method, None


def check_token(token: str, right: str):
    """401 unless this is the bot's token; malformed ones get their own words."""
    number = token.split(":")[0]
    if token.startswith("0") or len(token) > 80 or ":" not in token \
            or not number.isdigit() or not 0 < int(number) < 2**54:
        raise ApiError(401, "Unauthorized: invalid token specified")
    if token != right:
        raise ApiError(401, "Unauthorized")
