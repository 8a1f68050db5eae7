"""An agent's VM that is none: a staging folder, and a monitor that answers as it is told to.

It costs milliseconds where a machine costs seconds. For what is refused before the host's own machine
starts that is enough: up to there the host has only this monitor's word.
"""
import json
import os
import shutil
import signal
import socket

GREETING = b'{"QMP":{"version":{"qemu":{"micro":22,"minor":2,"major":7},"package":""},"capabilities":[]}}\r\n'
MONITOR, DISK, READY = "monitor.sock", "disk.qcow2", "READY_FOR_TAKEOVER"


def in_child(uid, act):
    """act(say) as user uid in a process of its own; its pid, once it has called say()."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            act(lambda: os.write(writing, b"x"))
        finally:
            os._exit(1)
    os.close(writing)
    assert os.read(reading, 1) == b"x", "the monitor did not start"
    os.close(reading)
    return child


# ---- how a monitor may behave: what it does with one command, as (name of it, connection, answer) ---------


def honest(name, connection, answer):
    connection.sendall(answer)


def closes_at(word):
    def act(name, connection, answer):
        if name.startswith(word):
            raise ConnectionError
        connection.sendall(answer)
    return act


def refuses(word):
    def act(name, connection, answer):
        number = json.loads(answer).get("id")
        no = json.dumps({"error": {"class": "GenericError", "desc": "no \x1b[31m"}, "id": number}).encode() + b"\r\n"
        connection.sendall(no if name.startswith(word) else answer)
    return act


def floods_at(word, piece):
    def act(name, connection, answer):
        while name.startswith(word):
            connection.sendall(piece * 1000)
        connection.sendall(answer)
    return act


def yes_to_everything(name, connection, answer):
    connection.sendall(b'{"return":{}}\r\n')


def never_greets(name, connection, answer):
    while connection.recv(4096):
        pass


class FakeAgent:
    """What an agent's user has put into its staging folder; `behave`: one of the above."""

    def __init__(self, world, image, behave=honest, port=4, folder=None):
        self.world, self.user, self.behave = world, world.user, behave
        self.staging = folder or world.staging
        shutil.rmtree(self.staging, ignore_errors=True)
        os.makedirs(self.staging)
        self.log = os.path.join(world.agent_home, "monitor.log")
        self.put(READY, json.dumps({"format": 1, "image": "sha256:" + image, "port": port}).encode())
        self.put(DISK, b"no disk yet")
        self.forget()
        for path, mode in ((self.staging, 0o700), (world.agent_home, 0o700)):
            os.chown(path, self.user, self.user)
            os.chmod(path, mode)
        self.child = in_child(self.user, self._serve)

    def put(self, name, data):
        path = os.path.join(self.staging, name)
        with open(path, "wb") as file:
            file.write(data)
        os.chown(path, self.user, self.user)
        return path

    def forget(self):
        """What it was asked to do up to now."""
        with open(self.log, "wb"):
            os.chown(self.log, self.user, self.user)

    def own(self, name):
        os.chown(os.path.join(self.staging, name), self.user, self.user)

    # ---- the monitor

    def _serve(self, say):
        server = socket.socket(socket.AF_UNIX)
        server.bind(os.path.join(self.staging, MONITOR))
        server.listen(1)
        say()
        while True:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                try:
                    self._talk(connection, lines)
                except (OSError, ValueError):
                    pass

    def _talk(self, connection, lines):
        if self.behave is never_greets:
            self.behave(None, connection, None)
        connection.sendall(GREETING)
        for line in lines:
            asked = json.loads(line)
            words = asked.get("arguments", {}).get("command-line")
            name = words or asked["execute"]
            with open(self.log, "a", encoding="utf-8") as log:
                log.write(name + "\n")
            answer = {"return": {} if words is None else self._said(words), "id": asked.get("id")}
            self.behave(name, connection, json.dumps(answer).encode() + b"\r\n")
            if name == "quit":
                raise ConnectionError

    @staticmethod
    def _said(words):
        address = words.split("tcp:")[-1]
        return f"host forwarding rule for tcp:{address} removed\r\n" if words.startswith("hostfwd_remove") else ""

    @property
    def asked(self):
        """What the monitor was asked to do, in order."""
        with open(self.log, encoding="utf-8") as log:
            return [line for line in log.read().splitlines() if line != "qmp_capabilities"]

    @property
    def is_paused(self):
        return [line for line in self.asked if line in ("stop", "cont")][-1:] == ["stop"]

    @property
    def has_checkpoint(self):
        return [line for line in self.asked if line.startswith(("savevm", "delvm"))][-1:] == ["savevm takeover-checkpoint"]

    def end(self):
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
