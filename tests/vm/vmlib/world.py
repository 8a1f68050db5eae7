"""A host, an agent that is another user of this machine, and Telegram's stand-in.

The programs are copied into the scenario's own folder, as installed ones would
lie in /usr: the agent must be able to run them wherever the build tree is.
What must stay true: what a scenario started is ended by it, and just that.
"""
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from .image import image
from .paths import BIN, BUILD, ROOM

from botapi import BotApi  # noqa: E402, from tests/botapi by vmlib.paths
from server import make_certificate  # noqa: E402
from lib import processes  # noqa: E402
from lib.http import Agent  # noqa: E402
from lib.wait import SLOW, until  # noqa: E402

# A number that nobody has, and not of those from which a machine's own user is taken.
AGENT_USER = 60900
ALICE = 42
# The step of a takeover before the last one that can be taken back.
LAST_BUT_ONE = 9
# What the guest of a user network calls this machine's loopback.
LOOPBACK_SEEN = "10.0.2.2"

CONFIG = """\
[vault default]
vm = {kind}
store = sqlite
{notify}listen = {listen}
allow-emulation = yes
{vault}
[vm {kind}]
plugin = {kind}
memory = {memory}
{vm}
{telegram}
[source agent]
exec = {exec}
staging = {staging}
{source}
"""

TELEGRAM = """\
[notify telegram]
plugin = telegram
bot-token = file:{token}
{base}
[approver alice]
telegram = {person}
"""

EMULATED = """\
api-base = https://{host}:{port}
ca-file = {ca}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Done:
    """A program that has ended."""

    def __init__(self, process):
        self.status, self.out, self.err = process.returncode, process.stdout, process.stderr.decode(errors="replace")

    @property
    def lines(self):
        """The JSON objects on stdout."""
        return [json.loads(line) for line in self.out.decode().splitlines() if line.startswith("{")]

    @property
    def json(self):
        return self.lines[-1]

    @property
    def steps(self):
        return {line["step"]: line for line in self.lines if "step" in line}

    def __repr__(self):
        return f"<exit {self.status}\n{self.out.decode(errors='replace')[-3000:]}\n{self.err[-3000:]}>"


class World:
    # pylint: disable=too-many-instance-attributes
    def __init__(self, telegram=True, memory="128M", say=lambda text: None, real=None, reach=(), kind="qemu", **more):
        """`telegram`: with an emulated one; `real`: (token, person) of the real one instead; `reach`: the
        words in front of all that the agent runs; `kind`: the vm plugin of the host."""
        # First, as it may take long or fail, and nothing is there yet.
        self.image_folder = self.make_image(say)
        self.home = tempfile.mkdtemp(prefix="sp-test-", dir=ROOM)
        os.chmod(self.home, 0o755)
        self.state, self.agent_home = self.path("state"), self.path("agent")
        self.staging = os.path.join(self.agent_home, "staging")
        self.port, self.user, self.reach = free_port(), AGENT_USER, list(reach)
        self.more, self.memory = more, memory
        self.real, self.kind = real, kind
        self.telegram = None
        try:
            self._make(telegram and not real)
        except BaseException:
            self.end()
            raise

    @staticmethod
    def make_image(say):
        return image(say)

    def _make(self, telegram):
        if telegram:
            self.telegram = self._telegram()
        self._install()
        self._make_agent()
        self.configure()
        self.must("image", "import", self.image_folder)

    def path(self, *names):
        return os.path.join(self.home, *names)

    # ---- what it is made of

    def _telegram(self):
        self.tls = make_certificate(self.path("telegram-tls"))
        api = BotApi(tls=self.tls)
        api.start()
        return api

    def _install(self):
        for folder in ("core", "plugins"):
            os.mkdir(self.path(folder), 0o755)
        for name in ("secret-proxy", "secret-proxyd"):
            shutil.copy2(os.path.join(BIN, name), self.path("core", name))
        for name in os.listdir(os.path.join(BUILD, "plugins")):
            if name.endswith(".so"):
                shutil.copy2(os.path.join(BUILD, "plugins", name), self.path("plugins", name))
        self.program = self.path("core", "secret-proxy")

    def _make_agent(self):
        self.agent_program = self.program
        os.makedirs(self.staging, 0o700)
        for folder in (self.agent_home, self.staging):
            os.chmod(folder, 0o700)
            os.chown(folder, self.user, self.user)
        self.agent_image = os.path.join(self.agent_home, "image")

    def configure(self, **more):
        more = {**self.more, **more}
        fields = {"listen": f"127.0.0.1:{self.port}", "staging": self.staging, "memory": self.memory, "exec": "", "vault": "", "vm": "",
                  "kind": self.kind, "source": "", "notify": "", "telegram": "", **more}
        if self.telegram:
            fields["vm"] += f"host-loopback = {self.telegram.port}\n"
            base = EMULATED.format(host=LOOPBACK_SEEN, port=self.telegram.port, ca=self.tls[0])
            self._telegram_fields(fields, self.telegram.token, ALICE, base)
        elif self.real:
            self._telegram_fields(fields, *self.real, "")
        self.config = self.write("secret-proxy.conf", CONFIG.format(**fields))

    def _telegram_fields(self, fields, token, person, base):
        path = self.write("telegram-token", token + "\n")
        fields["notify"] = "notify = telegram\n"
        fields["telegram"] = TELEGRAM.format(token=path, base=base, person=person)

    def write(self, name, content, mode=0o600):
        path = self.path(name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
            file.write(content)
        return path

    # ---- who does what

    def host_argv(self, *arguments):
        return [self.program, "--config", self.config, *map(str, arguments)]

    @property
    def host_env(self):
        return {**os.environ, "SECRET_PROXY_STATE_DIR": self.state}

    def host(self, *arguments, timeout=300, input=b""):
        return Done(subprocess.run(self.host_argv(*arguments), capture_output=True, env=self.host_env, input=input,
                                   timeout=timeout * SLOW, check=False))

    def begin(self, *arguments):
        """The same, while it runs."""
        return subprocess.Popen(self.host_argv("--json", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                env=self.host_env, bufsize=0)

    def must(self, *arguments, **more):
        done = self.host(*arguments, **more)
        assert done.status == 0, done
        return done

    def as_agent(self, *argv):
        return [*self.reach, "setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", "--no-new-privs",
                "env", "-i", "-C", "/", f"HOME={self.agent_home}", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *map(str, argv)]

    def agent(self, *arguments, timeout=300, program=None):
        argv = self.as_agent(program or self.program, *arguments)
        return Done(subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout * SLOW, check=False))

    # ---- the story

    def which_image(self):
        return []

    def bring_image(self):
        self.must("image", "export", self.agent_image, *self.which_image())
        for folder, _, names in os.walk(self.agent_image):
            for path in (folder, *(os.path.join(folder, n) for n in names)):
                os.chown(path, self.user, self.user)

    def provision_words(self, *more, port=None):
        return ["--json", "provision", "--staging", self.staging, "--image", self.agent_image, "--port", port or self.port,
                "--memory", self.memory, *more]

    def provision(self, *more, port=None):
        if not os.path.isdir(self.agent_image):
            self.bring_image()
        return self.agent(*self.provision_words(*more, port=port))

    def takeover(self, *more, **options):
        return self.host("--json", "takeover", "agent", *more, **options)

    def start_takeover(self, *more):
        return self.begin("takeover", "agent", *more)

    def kill_takeover(self, step, *more, delay=None):
        """Start it, and end it by SIGKILL when the line of `step` is out (0: at once), or `delay` seconds later; at the
        latest with the line of LAST_BUT_ONE, as the next step may be quick and the one after it can't be taken back."""
        process = self.start_takeover(*more)
        seen = 0
        while seen < step:
            line = process.stdout.readline()
            assert line, f"the takeover ended by itself: {process.stderr.read().decode()}"
            seen = json.loads(line).get("step", seen)
        end = time.monotonic() + (delay or 0)
        while seen < LAST_BUT_ONE and select.select([process.stdout], [], [], max(0, end - time.monotonic()))[0]:
            line = process.stdout.readline()
            if not line:
                break
            seen = json.loads(line).get("step", seen)
        process.kill()
        rest = process.stdout.read().decode().splitlines()
        process.stderr.close()
        process.stdout.close()
        process.wait()
        return max([seen, *(json.loads(line).get("step", 0) for line in rest if line.startswith("{"))])

    def kill_before_its_line(self, step, *more):
        """The same when `step` is done and the next one can't have begun: the line of `step` finds no room in the pipe."""
        reading, writing = os.pipe()
        process = subprocess.Popen(self.host_argv("--json", "takeover", "agent", *more), stdout=writing, stderr=subprocess.DEVNULL,
                                   stdin=subprocess.DEVNULL, env=self.host_env)
        with os.fdopen(reading, encoding="utf-8") as lines:
            while json.loads(lines.readline())["step"] < step - 1:
                pass
            os.set_blocking(writing, False)
            try:
                while True:
                    os.write(writing, b"\n" * 4096)
            except BlockingIOError:
                os.set_blocking(writing, True)
            until(lambda: self._writes_to(process.pid, 1), f"the end of step {step}", timeout=60)
            process.kill()
            process.wait()
            os.close(writing)

    @staticmethod
    def _writes_to(pid, number):
        """Whether a process stands in write(2) to its descriptor `number`."""
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            return file.read().split()[:2] == ["1", hex(number)]

    def abort(self):
        return self.takeover("--abort")

    def resume(self):
        return self.takeover("--resume")

    @property
    def vault(self):
        return os.path.join(self.state, "default")

    @property
    def agent_file(self):
        return os.path.join(self.staging, "agent.json")

    def told(self):
        """What the agent was given."""
        with open(self.agent_file, encoding="utf-8") as file:
            return json.load(file)

    def connect(self):
        """The agent's HTTP client, with that."""
        written = self.told()
        return Agent(self.port, written["token"], written["tls_pin"], name="agent")

    def press(self, words, button="Approve once", timeout=60, during=None):
        """Wait for the message with these words, and press a button of it; `during`: the program without which there will be none."""
        end = time.monotonic() + timeout * SLOW
        card = None
        while card is None:
            try:
                card = self.telegram.wait_message(ALICE, words, timeout=min(2, max(0, end - time.monotonic())))
            except TimeoutError:
                if during is not None and during.poll() is not None:
                    raise AssertionError(f"what was to lead to a message has ended: {during.returncode}, {during.communicate()}") from None
                if time.monotonic() >= end:
                    raise
        return self.telegram.tap(ALICE, card["message_id"], button)

    # ---- what runs

    def _argv(self, pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return file.read().decode(errors="replace").split("\0")[:-1]
        except OSError:
            return []

    def _all(self):
        return {int(entry): self._argv(entry) for entry in os.listdir("/proc") if entry.isdigit()}

    def _is_of_this(self, pid):
        """Whether a process has anything of this scenario open, or names it."""
        if any(self.home in word for word in self._argv(pid)):
            return True
        try:
            return any(os.readlink(f"/proc/{pid}/fd/{fd}").startswith(self.home) for fd in os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            return False

    def owned_machine(self):
        """The QEMU of the host's vault, or None; one that only looks at what this machine can do has no -kernel."""
        return next((pid for pid, argv in self._all().items()
                     if argv and "qemu-system" in argv[0] and "-kernel" in argv and
                     not any(self.staging in word for word in argv) and self._is_of_this(pid)), None)

    def agents_machine(self):
        return next((pid for pid, argv in self._all().items()
                     if argv and "qemu-system" in argv[0] and any(self.staging in word for word in argv)), None)

    def residents(self):
        """Every process of our programs on the host's side, whatever it calls itself."""
        found = []
        for pid in self._all():
            try:
                path = os.readlink(f"/proc/{pid}/exe")
            except OSError:
                continue
            if path.startswith(self.home + "/core/") and os.stat(f"/proc/{pid}").st_uid != self.user:
                found.append(pid)
        return found

    def resident(self):
        """The resident process of the vault, or None."""
        return next((pid for pid in self.residents() if ["vm", "run"] in (self._argv(pid)[-2:], self._argv(pid)[-3:-1])), None)

    def settled(self):
        """What must not run after a takeover that was taken back: nothing."""
        until(lambda: not self.residents() and not self.owned_machine(), "the end of what the takeover has started", timeout=20)

    def left(self):
        """Every file of the state folder that is not of an image."""
        return sorted(os.path.relpath(os.path.join(folder, name), self.state)
                      for folder, folders, names in os.walk(self.state) for name in [*names, *folders]
                      if os.path.relpath(os.path.join(folder, name), self.state).split("/")[0] != "images")

    def console(self):
        with open(os.path.join(self.vault, "console.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def health(self, port=None, timeout=2.0):
        """What /health says over plain HTTP; None: nothing."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            connection.request("GET", "/health")
            return json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def close(self):
        self.host("--vault", self.vault + "/", "vm", "stop")
        left = [*self.residents(), self.agents_machine(), self.owned_machine()]
        for pid in filter(None, left):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        until(lambda: not (self.agents_machine() or self.owned_machine()), "the end of the machines", timeout=20)
        self.end()

    def end(self):
        """What is no process of its own."""
        if self.telegram:
            self.telegram.stop()
        shutil.rmtree(self.home, ignore_errors=True)
