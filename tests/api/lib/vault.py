"""A vault of `secret-proxy local`, in a folder of its own, on a port of its own.

What must stay true: a scenario ends just the processes that it started; what
the daemon writes to its log is kept, and is looked at for reports of the
sanitizers and for broken assumptions when the vault ends.
"""
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

from . import processes
from .http import Agent
from .paths import PROGRAM
from .wait import SLOW, until

START_TIMEOUT = 20.0
TROUBLE = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|-CRITICAL \*\*|assertion")


class Failed(Exception):
    """`local` ended before it was ready."""

    def __init__(self, status, message):
        super().__init__(f"exit {status}: {message}")
        self.status, self.message = status, message


class Result:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr.decode(errors="replace")

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def error(self) -> dict:
        """What --json says of a failure."""
        return self.json["error"]

    def __repr__(self):
        return f"<exit {self.status} out={self.out[:300]!r} err={self.err[:600]!r}>"


def run(*arguments, input=b"", env=None, timeout=60, cwd=None, program=PROGRAM, **more) -> Result:
    """secret-proxy with `arguments`; a value goes in on stdin."""
    if isinstance(input, str):
        input = input.encode()
    return Result(subprocess.run([program, *map(str, arguments)], input=input, capture_output=True,
                                 timeout=timeout * SLOW, cwd=cwd, check=False,
                                 env={**os.environ, **(env or {})}, **more))


class Vault:
    def __init__(self, config=None, folder=None, arguments=(), prefix=(), env=None, ephemeral=False, options=()):
        self.home = tempfile.mkdtemp(prefix="sp-test-")
        self.folder = folder or os.path.join(self.home, "vault")
        self.log_path = os.path.join(self.home, "log")
        self.config_path = None
        self.arguments, self.prefix, self.env = list(arguments), list(prefix), env or {}
        self.options = list(options)  # of `local` itself
        self.port, self.process, self.ready = 0, None, None
        self.expected_trouble, self.kinds, self.ephemeral = None, {}, ephemeral
        if config is not None:
            self.configure(config)

    # files

    def write(self, name, content, mode=0o600) -> str:
        """A file in the scenario's own folder; gives its path."""
        path = os.path.join(self.home, name)
        data = content.encode() if isinstance(content, str) else content
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(data)
        os.chmod(path, mode)
        return path

    def configure(self, text):
        """All of it or nothing, as a vault may be reading it."""
        self.config_path = os.path.join(self.home, "secret-proxy.conf")
        os.replace(self.write("secret-proxy.conf.new", text), self.config_path)

    def log(self) -> str:
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    # life

    def start(self):
        config = ["--config", self.config_path] if self.config_path else []
        place = "--ephemeral" if self.ephemeral else self.folder
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, PROGRAM, *config, *self.arguments, "local", place, "--port", str(self.port),
                 *self.options],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env={**os.environ, **self.env})
        self.ready = json.loads(self._first_line())
        self.port = int(self.ready["url"].rsplit(":", 1)[1])
        if self.ephemeral:
            self.folder = os.path.dirname(self.ready["admin"])
        return self

    def _first_line(self):
        out, line, end = self.process.stdout, b"", time.monotonic() + START_TIMEOUT * SLOW
        while not line.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                self.kill()
                raise AssertionError(f"no ready line within {START_TIMEOUT * SLOW:.0f} s:\n{self.log()}")
            data = os.read(out.fileno(), 4096)
            if not data:
                status = self.process.wait()
                out.close()
                self.process = None
                raise Failed(status, self.log())
            line += data
        return line

    @property
    def pid(self):
        return self.ready["pid"]

    @property
    def pin(self):
        return self.ready["tls_pin"]

    def roles(self) -> dict:
        return processes.roles(self.pid, self.kinds)

    def role(self, name) -> int:
        return until(lambda: self.roles().get(name), f"the start of {name}")

    def all_processes(self) -> list:
        return [self.pid, *processes.descendants(self.pid)]

    def end(self, number=signal.SIGTERM) -> int:
        """Sends a signal and waits; nothing that it started may run on."""
        if self.process is None:
            return 0
        mine = self.all_processes() if self.ready else []
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        status = self.process.wait(20 * SLOW)
        self.process.stdout.close()
        self.process = None
        for pid in mine:
            until(lambda p=pid: processes.parent_of(p) == 0 or not _is_ours(p), f"the end of process {pid}")
        return status

    def kill(self):
        return self.end(signal.SIGKILL)

    def restart(self, number=signal.SIGTERM):
        self.end(number)
        return self.start()

    def close(self):
        try:
            self.end()
        finally:
            log = self.log()
            shutil.rmtree(self.home, ignore_errors=True)
        found = [line for line in log.splitlines() if TROUBLE.search(line)
                 and not (self.expected_trouble and re.search(self.expected_trouble, line))]
        if found:
            raise AssertionError("the log has:\n" + "\n".join(log.splitlines()[-80:]))

    # administration

    def cli(self, *arguments, input=b"", **more) -> Result:
        return run("--vault", self.folder + "/", *arguments, input=input, **more)

    def admin(self, *arguments, input=b"") -> dict:
        """An admin verb that must succeed, with --json."""
        result = self.cli("--json", *arguments, input=input)
        if result.status != 0:
            raise AssertionError(f"{' '.join(arguments)}: {result}\n{self.log()[-3000:]}")
        return result.json

    def put(self, name, value, *options) -> dict:
        return self.admin("secret", "put", name, *options, input=value)

    def agent(self, name="builder", tls=False, source="127.0.0.1") -> Agent:
        token = self.admin("agent", "add", name)["token"]
        return Agent(self.port, token, self.pin if tls else None, source, name)

    def anonymous(self, token=None, tls=False, source="127.0.0.1") -> Agent:
        return Agent(self.port, token, self.pin if tls else None, source)

    def approve(self, number, *options) -> dict:
        return self.admin("request", "approve", *options, "--", number)

    def deny(self, number) -> dict:
        return self.admin("request", "deny", "--", number)

    def audit(self) -> list:
        return self.admin("audit", "show", "--limit", "100000")["items"]

    def verify(self) -> dict:
        found = self.admin("audit", "verify")
        if found["ok"] is not True or found["first_bad"] is not None:
            raise AssertionError(f"audit verify: {found}")
        return found


def _is_ours(pid) -> bool:
    name = processes.comm(pid)
    return name.startswith(("sp-", "secret-proxy"))
