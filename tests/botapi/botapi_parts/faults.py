"""Faults on demand: what the network and Telegram's front end do on bad days.

A fault waits for calls of one method (or "*") and spoils the next `times` of
them. What must stay true: it is always clear whether the method took effect.
Kinds that invent an answer leave the method uncalled unless `effect=True`;
kinds that spoil the real answer always call it; `cut_before` never does.
"""
from .errors import ApiError, standard

# Kinds that answer in the method's place, and those that spoil its answer.
INSTEAD = {"status", "html", "empty", "huge", "redirect", "raw", "raw_response", "cut_before", "hang",
           "interim"}
SPOIL = {"truncated", "content_length", "cut_after", "drip", "delay", "chunked", "close"}
ARGS = {
    "status": {"code", "description", "retry_after", "in_body", "in_header", "parameters"},
    "html": {"code"}, "empty": {"code"}, "huge": {"size"},
    "redirect": {"location", "code"}, "raw": {"body", "code", "content_type"},
    "raw_response": {"body"}, "cut_before": {"rst"}, "hang": set(), "interim": set(),
    "truncated": {"keep"}, "content_length": {"delta"}, "cut_after": {"rst", "partial"},
    "drip": {"chunk", "interval"}, "delay": {"seconds"}, "chunked": {"chunk"}, "close": set(),
}
COMMON = {"delay", "effect", "match", "skip"}
HTML = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n" \
       b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"


class Fault:
    def __init__(self, number: int, method: str, kind, times, args: dict):
        kind = str(kind)
        if kind.isdigit():
            args, kind = {"code": int(kind), **args}, "status"
        if kind not in ARGS:
            raise ValueError(f"unknown fault kind {kind!r}; known: {sorted(ARGS)} or a status code")
        unknown = set(args) - ARGS[kind] - COMMON
        if unknown:
            raise ValueError(f"fault {kind!r} does not know {sorted(unknown)}")
        self.id, self.method, self.kind = number, method.lower(), kind
        self.left, self.hits, self.args = times, 0, args
        self.skip = int(args.get("skip", 0))

    def fits(self, method: str, params: dict) -> bool:
        if self.left == 0 or self.method not in ("*", method.lower()):
            return False
        match = self.args.get("match") or {}
        return all(str(params.get(k)) == str(v) for k, v in match.items())

    def takes_effect(self) -> bool:
        return self.kind in SPOIL or bool(self.args.get("effect"))

    def view(self) -> dict:
        return {"id": self.id, "method": self.method, "kind": self.kind, "left": self.left,
                "hits": self.hits}


class Faults:
    def __init__(self, state):
        self.state, self.items, self.count = state, [], 0

    def add(self, method: str, kind, times, args: dict) -> int:
        with self.state.cond:
            fault = Fault(self.count + 1, method, kind, times, args)
            self.count += 1
            self.items.append(fault)
            return self.count

    def take(self, method: str, params: dict):
        """The fault for this call, or None. Lock held."""
        for fault in self.items:
            if not fault.fits(method, params):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.hits += 1
            if fault.left is not None:
                fault.left -= 1
            self.state.changed()
            return fault
        return None

    def clear(self):
        with self.state.cond:
            self.items.clear()
            self.state.changed()

    def views(self) -> list:
        with self.state.cond:
            return [f.view() for f in self.items]


def answer_of(fault: Fault):
    """(status, headers, body, content type) of a fault that answers itself."""
    args, kind = fault.args, fault.kind
    if kind == "status":
        return _status(args)
    if kind == "html":
        return int(args.get("code", 502)), {}, HTML, "text/html"
    if kind == "empty":
        return int(args.get("code", 200)), {}, b"", "application/json"
    if kind == "huge":
        size = int(args.get("size", 20_000_000))
        head, tail = b'{"ok":true,"result":[],"description":"', b'"}'
        return 200, {}, head + b"x" * max(0, size - len(head) - len(tail)) + tail, "application/json"
    if kind == "redirect":
        return int(args.get("code", 302)), {"Location": args.get("location", "http://127.0.0.1:9/")}, \
            b"", "text/html"
    body = args.get("body", b"")
    return int(args.get("code", 200)), {}, body.encode() if isinstance(body, str) else bytes(body), \
        args.get("content_type", "application/json")


def _status(args: dict):
    from . import jsonbytes
    code = int(args.get("code", 500))
    usual = standard(code, args.get("retry_after"))
    error = ApiError(code, args.get("description") or usual.description,
                     args.get("parameters", usual.parameters))
    headers = error.headers()
    if args.get("in_header") is False:
        headers = {}
    if args.get("in_body") is False:
        error.parameters = None
        if not args.get("description"):
            error.description = "Too Many Requests" if code == 429 else error.description
    return code, headers, jsonbytes.dumps(error.body()), "application/json"
