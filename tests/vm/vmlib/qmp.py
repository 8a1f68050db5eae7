"""The agent's monitor, as the agent would use it."""
import json
import socket


class Monitor:
    """A conversation; the monitor takes one at a time."""

    def __init__(self, path, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.file = self.socket.makefile("rw", encoding="utf-8")
        json.loads(self.file.readline())
        self.ask("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()
        self.socket.close()

    def ask(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "return" in answer or "error" in answer:
                return answer.get("return")

    def human(self, line):
        return self.ask("human-monitor-command", **{"command-line": line})

    @property
    def status(self):
        return self.ask("query-status")["status"]

    @property
    def snapshots(self):
        return self.human("info snapshots")
