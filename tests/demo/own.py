"""A notifier of somebody's own in the demo: --notify PATH [OPTION=VALUE…].

It is set up with as little as it takes: options that it requires and nobody
gave are filled in by their type. What must stay true: an answer that comes
through it counts; where none comes in time, the demo says that it answers as
the admin, and does.
"""
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "api")]

from lib.paths import PROGRAM  # noqa: E402
from lib.wait import SLOW  # noqa: E402

PERSON = "demo"
# How long it waits for an answer: nobody sits there; somebody does.
ALONE, WATCHED = 5.0, 30.0
# How long a request may take to come: a machine may have to start.
FIRST = 120
MOST = 4000  # characters of a file that are shown

# What an option has that must have something; PATH and SECRET are below.
BY_TYPE = {"string": "demo", "bool": "yes", "int": "1", "duration": "1s", "size": "1M", "url": "http://127.0.0.1:9/"}


class Refused(AssertionError):
    """The notifier can't be shown."""


def split(arguments):
    """(path, {option: value}) of --notify and what belongs to it, or (None, {})."""
    if "--notify" not in arguments:
        return None, {}
    rest = arguments[arguments.index("--notify") + 1:]
    if not rest or rest[0].startswith("--"):
        raise Refused("--notify needs the path of a notifier, notify-NAME.so")
    given = [argument for before, argument in zip(rest, rest[1:]) if not argument.startswith("--") and before != "--vm"]
    if any("=" not in argument for argument in given):
        raise Refused("after --notify PATH come options of the notifier, as OPTION=VALUE")
    return os.path.abspath(rest[0]), dict(argument.split("=", 1) for argument in given)


def describe(path):
    done = subprocess.run([PROGRAM, "--json", "plugin", "show", path], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(done.stderr.strip().removeprefix("secret-proxy: ") or "plugin show failed")
    return json.loads(done.stdout)


def runs_as():
    """As root: whose programs it may be. It never runs as root in the vault's stead."""
    name = os.environ.get("SUDO_USER", "")
    return name if name not in ("", "root") else "nobody"


class OwnNotifier:
    """The person and the channel of an author's own; see show.py for the others."""

    def __init__(self, lines, answer, path, given, on_host):
        # pylint: disable=too-many-arguments,too-many-positional-arguments
        self.lines, self.answer, self.denied = lines, answer, False
        # What asks the vault as the admin; and whether that on which the next request waits has ended.
        self.vault, self.over = None, lambda: False
        self.shown = {}
        self.user = pwd.getpwnam(runs_as()) if on_host and os.geteuid() == 0 else None
        self.on_host = on_host
        # Beside the demo's other folders, as its user must be able to reach it.
        self.home = tempfile.mkdtemp(prefix="sp-demo-notify-")
        os.chmod(self.home, 0o755)
        try:
            self._take(path, given)
        except Refused:
            self.stop()
            raise

    def _take(self, path, given):
        self.path = self._copy(path)
        self.about = describe(self.path)
        if self.about["kind"] != "notify":
            raise Refused(f"{path} is a {self.about['kind']} plugin, and this shows notifiers")
        self.options = self._options(given)

    def _copy(self, path):
        """Whoever built it: here it is the demo's own."""
        try:
            return shutil.copy(path, self.home)
        except OSError as error:
            raise Refused(f"cannot read {path}: {error.strerror}") from error

    # ---- its options

    def _options(self, given):
        known = {option["key"]: option for option in self.about["options"]}
        unknown = [key for key in given if key not in known]
        if unknown:
            raise Refused(f"{self.about['name']} has no option {unknown[0]}: it has {', '.join(known) or 'none'}")
        made = {key: self._value(option) for key, option in known.items() if option["required"] and key not in given}
        return {**made, **given}

    def _value(self, option):
        kind = option["type"]
        if kind == "path":
            return self._place(option)
        if kind == "secret":
            return "file:" + self._write(option["key"], "demo\n")
        if kind == "choice":
            return option["choices"][0]
        least = option["min"]
        if least is not None and kind in ("int", "duration", "size"):
            return f"{least}ms" if kind == "duration" else str(least)
        return BY_TYPE[kind]

    def _place(self, option):
        """A file of its own to be, in a folder of its own; or that folder, where the words say so."""
        folder = self._own(tempfile.mkdtemp(prefix=option["key"] + "-", dir=self.home))
        words = (option["key"] + " " + option["help"]).lower()
        wants_folder = any(word in words for word in ("folder", "directory")) and "file" not in words
        return folder if wants_folder else os.path.join(folder, option["key"])

    def _write(self, name, text):
        path = os.path.join(self.home, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def _own(self, path):
        if self.user is not None and os.path.isdir(path):
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        return path

    # ---- what the demo asks of a channel

    def start(self):
        self.lines.step("notify", f"{self.about['name']} {self.about['version']}: {self.about['summary']}")
        for key, value in self.options.items():
            self.lines.step("notify", f"its option {key} = {value}")
        self.lines.step("notify", f"who may answer is {PERSON}, whose id there is {PERSON}")

    def stop(self):
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def name(self):
        return self.about["name"]

    def sections(self, _write):
        options = {"plugin": self.path, **self.options}
        if self.on_host:
            options["where"] = "host"
        if self.user is not None:
            options["run-as"] = self.user.pw_name
        lines = "".join(f"{key} = {value}\n" for key, value in options.items())
        return f"[notify {self.name}]\n{lines}\n[approver {PERSON}]\n{self.name} = {PERSON}\n"

    def decide(self, words):
        """The request with these words is decided: by an answer that comes through it, or by the admin."""
        request = self._find(words)
        if request is None:
            return None
        watched = self.answer is None
        self.lines.step("notify", f"waiting {WATCHED if watched else ALONE:.0f} s for an answer through {self.name}")
        end = time.monotonic() + (WATCHED if watched else ALONE)
        while time.monotonic() < end and self._status(request) == "pending":
            self._show_files()
            time.sleep(0.2)
        self._show_files()
        self._show_trouble()
        if self._status(request) == "pending":
            self._as_admin(request)
        else:
            self.lines.step("you", f"your answer came through {self.name}: {self._status(request)}")
        self.denied = self._status(request) == "denied"
        return request

    def settled(self, _request):
        """What it writes when the matter is closed, where it does."""
        end = time.monotonic() + (ALONE if self.shown and "settle" in self.about["calls"] else 0)
        while time.monotonic() < end and not self._show_files():
            time.sleep(0.1)

    # ---- the vault

    def _show_trouble(self):
        for plugin in self.vault("status")["plugins"]:
            if plugin["name"] == self.name and plugin["state"] != "ready":
                self.lines.step("notify", f"{self.name} is {plugin['state']}: {plugin.get('why', 'it says nothing')}")

    def _requests(self):
        return self.vault("request", "list")["items"]

    def _find(self, words):
        """The newest request that has these words; it may be that the vault only begins."""
        end = time.monotonic() + FIRST * SLOW
        while time.monotonic() < end and not self.over():
            try:
                for request in self._requests():
                    if any(words in request[member] for member in ("reason", "code", "secret")):
                        return request["id"]
            except AssertionError:
                pass
            time.sleep(0.2)
        if self.over():
            return None
        raise Refused(f"no request with “{words}” came")

    def _status(self, number):
        return next((request["status"] for request in self._requests() if request["id"] == number), "gone")

    def _as_admin(self, number):
        verb = "deny" if self.answer == "deny" else "approve"
        self.lines.step("admin", f"no answer came through {self.name}, so the admin answers: request {verb}")
        self.vault("request", verb, "--", number)

    # ---- what it wrote

    def _show_files(self):
        """Whether there was something new."""
        new = False
        for folder, _, names in os.walk(self.home):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if folder != self.home and os.path.isfile(path) and not os.path.islink(path):
                    new = self._show_file(path) or new
        return new

    def _show_file(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            file.seek(self.shown.get(path, 0))
            text = file.read(MOST)
            self.shown[path] = file.tell()
        if text:
            self.lines.step("notify", f"wrote into {path}:")
            for line in text.strip("\n").splitlines():
                print("    │ " + "".join(c if c.isprintable() else "?" for c in line), flush=True)
        return bool(text)
