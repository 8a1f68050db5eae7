#!/usr/bin/env python3
"""A service for notify-webhook, in one file: shows notices on a terminal and takes answers from there.

    webhook-receiver.py --secret FILE --person ID [--port 8787]

The vault's section: `url = http://127.0.0.1:8787/`, `answers = http://127.0.0.1:8787/answers`, and
`secret = file:FILE` with the same secret. Elsewhere than on the vault's own machine, put a web server with
TLS in front. Type `NUMBER CHOICE`, such as `1 approve`, and the answer goes with the vault's next fetch.
"""
import argparse
import hashlib
import hmac
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

FRESH = 300  # seconds


def mac(secret: bytes, text: bytes) -> str:
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


def check(secret: bytes, header: str, what: bytes) -> bool:
    """Whether `header`, t=TIME,v1=HEX, signs `what`: a body, or b"GET " and the target of the request."""
    try:
        stamp, given = header.removeprefix("t=").split(",v1=")
        fresh = abs(time.time() - int(stamp)) <= FRESH
    except (AttributeError, ValueError):
        return False
    return fresh and hmac.compare_digest(mac(secret, stamp.encode() + b"." + what), given)


def sign(secret: bytes, body: bytes) -> str:
    """The header of an answer. "answer." is in it so that no request of the vault can be sent back as one."""
    stamp = str(int(time.time()))
    return f"t={stamp},v1={mac(secret, stamp.encode() + b'.answer.' + body)}"


def plain(text) -> str:
    """What comes from an agent must not steer the terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


class Desk:
    """The notices that are open, and the answers so far. A real service keeps both on disk."""

    def __init__(self, secret, person):
        self.secret, self.person = secret, person
        self.lock, self.seen, self.notices, self.answers = threading.Lock(), set(), [], []

    def take(self, message):
        with self.lock:
            if message["delivery"] in self.seen:
                return
            self.seen.add(message["delivery"])
            getattr(self, "on_" + message["event"], lambda _: None)(message)

    def on_notice(self, message):
        self.notices.append(message)
        print(f"\n[{len(self.notices)}] {plain(message['title'])}")
        for field in message["fields"]:
            claim = "" if field["origin"] == "core" else " (an agent's own words)"
            print(f"    {plain(field['label'])}: {plain(field['value'])}{claim}")
        print("    " + "   ".join(f"{len(self.notices)} {plain(choice['id'])}" for choice in message["choices"]), flush=True)

    def on_settled(self, message):
        print(f"\n{plain(message['outcome']['text'])}", flush=True)

    def on_answered(self, message):
        print(f"\n{plain(message['result'])}: {plain(message['text'])}", flush=True)

    def answer(self, line):
        number, choice = line.split()
        with self.lock:
            notice = self.notices[int(number) - 1]
            self.answers.append({"notice": notice["id"], "choice": choice, "person": self.person})

    def after(self, cursor):
        with self.lock:
            return {"answers": self.answers[int(cursor):], "next": str(len(self.answers))}


class Handler(BaseHTTPRequestHandler):
    def reply(self, status, body=b"", signature=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if signature:
            self.send_header("X-Secret-Proxy-Signature", signature)
        self.end_headers()
        self.wfile.write(body)

    def is_signed(self, what):
        return check(self.server.desk.secret, self.headers.get("X-Secret-Proxy-Signature"), what)

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 65536))
        if not self.is_signed(body):
            return self.reply(403, b"this is not signed with our secret\n")
        self.server.desk.take(json.loads(body))
        return self.reply(204)

    def do_GET(self):  # pylint: disable=invalid-name
        if not self.is_signed(b"GET " + self.path.encode()):
            return self.reply(403, b"this is not signed with our secret\n")
        cursor = parse_qs(urlsplit(self.path).query).get("after", ["0"])[0]
        body = json.dumps(self.server.desk.after(cursor)).encode()
        return self.reply(200, body, sign(self.server.desk.secret, body))

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--secret", required=True, help="file with the secret")
    parser.add_argument("--person", required=True, help="your id in the vault's [approver] section")
    parser.add_argument("--port", type=int, default=8787)
    given = parser.parse_args()
    with open(given.secret, "rb") as file:
        secret = file.read().rstrip()
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    server.desk = Desk(secret, given.person)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"waiting for notices at http://127.0.0.1:{server.server_port}/", flush=True)
    for line in sys.stdin:
        try:
            server.desk.answer(line)
        except (ValueError, IndexError):
            print("type NUMBER CHOICE", flush=True)
    server.shutdown()


if __name__ == "__main__":
    main()
