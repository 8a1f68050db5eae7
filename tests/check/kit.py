"""Run `plugin check` and read its TAP."""
import os
import re
import subprocess

PROGRAM = os.environ["SECRET_PROXY"]
BAD = os.environ["SP_TEST_PLUGINS"]
TREE = os.environ["SP_TREE_PLUGINS"]
SLOW = float(os.environ.get("SECRET_PROXY_TEST_SLOW", "1"))
LINE = re.compile(r"(not ok|ok) (\d+) - ([a-z0-9/-]+): (.*?)(?: # SKIP (.*))?$")


class Verdict:
    """What the suite said: `failed` maps the name of a point to its lines of explanation."""

    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.names, self.failed, self.skipped = [], {}, {}
        name = None
        for line in done.stdout.splitlines():
            found = LINE.match(line)
            if found:
                name = found[3]
                assert int(found[2]) == len(self.names) + 1, line
                self.names.append(name)
                if found[1] == "not ok":
                    self.failed[name] = []
                elif found[5] is not None:
                    self.skipped[name] = found[5]
            elif line.startswith("# ") and name in self.failed:
                self.failed[name].append(line[2:])


def check(path, *args, seconds=120):
    return Verdict(subprocess.run([PROGRAM, "plugin", "check", *args, path], capture_output=True, text=True,
                                  check=False, timeout=seconds * SLOW, stdin=subprocess.DEVNULL))


def bad(name):
    return os.path.join(BAD, name + ".so")


def tree(name):
    return os.path.join(TREE, name + ".so")
