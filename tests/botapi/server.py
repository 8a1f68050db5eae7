"""The emulator as a command, for programs that are not Python.

    python3 tests/botapi/server.py [--port N] [--control-port N]
                                   [--token-file F] [--tls-dir DIR] [--closed-chats]

The first line on stdout is {"ready":true,"url":…,"control":…} (and, with TLS,
"ca"). It runs until SIGTERM, SIGINT, `/control/quit`, or the end of stdin
when --until-stdin-closes is given. What must stay true: both ports are on
loopback, nothing else is printed on stdout, and the token is never printed.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from botapi import DEFAULT_TOKEN, BotApi  # noqa: E402


# 10.0.2.2 is this machine's loopback as seen from QEMU's user network.
NAMES = "DNS:localhost,IP:127.0.0.1,IP:10.0.2.2"


def make_certificate(folder: str):
    """(cert, key) in the folder; made with openssl when missing. The certificate is its own CA."""
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    if not (os.path.exists(cert) and os.path.exists(key)):
        os.makedirs(folder, exist_ok=True)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "30", "-subj", "/CN=localhost", "-keyout", key, "-out", cert,
             "-addext", "subjectAltName=" + NAMES],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.chmod(key, 0o600)
    return cert, key


def arguments():
    parser = argparse.ArgumentParser(description="Telegram Bot API emulator (loopback only)")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--token-file", help="file with the bot token; without it a fixed test token")
    parser.add_argument("--tls-dir", help="serve https with cert.pem and key.pem there (made if missing)")
    parser.add_argument("--closed-chats", action="store_true",
                        help="a private chat exists only after the user pressed Start")
    parser.add_argument("--bot-name", default="Secret Proxy")
    parser.add_argument("--until-stdin-closes", action="store_true")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    token = DEFAULT_TOKEN
    if args.token_file:
        with open(args.token_file, encoding="utf-8") as file:
            token = file.read().strip()
    tls = make_certificate(args.tls_dir) if args.tls_dir else None
    api = BotApi(token, tls=tls, port=args.port, open_chats=not args.closed_chats,
                 bot_name=args.bot_name)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: api.quit())
    api.start()
    ready = {"ready": True, "url": api.url, "control": api.start_control(args.control_port)}
    if tls:
        ready["ca"] = os.path.abspath(tls[0])
    print(json.dumps(ready, separators=(",", ":")), flush=True)
    if args.until_stdin_closes:
        threading.Thread(target=lambda: (sys.stdin.read(), api.quit()), daemon=True).start()
    api.wait()
    api.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
