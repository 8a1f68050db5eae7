"""An author's place: what is installed, in a folder of its own, and projects that are built against it.

$SP_BUILD is the build folder of this tree.
"""
import glob
import os
import re
import shutil
import subprocess

BUILD = os.environ["SP_BUILD"]
TREE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PROGRAM = os.path.join(BUILD, "core", "secret-proxy")
LIMIT = 240


def run(*arguments, env=None, cwd=None, check=True):
    done = subprocess.run(list(arguments), env={**os.environ, **(env or {})}, cwd=cwd, capture_output=True, text=True,
                          timeout=LIMIT, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}")
    return done


def install(folder):
    """Everything, as a package would have it, moved to `folder`; gives the prefix."""
    moved = os.path.join(folder, "moved")
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", moved)
    found = glob.glob(os.path.join(moved, "**", "pkgconfig", "secret-proxy-plugin.pc"), recursive=True)
    if len(found) != 1:
        raise AssertionError(f"the installed pkg-config files are {found}")
    with open(found[0], encoding="utf-8") as file:
        text = file.read()
    prefix = re.search(r"^prefix=(.*)$", text, re.M)[1]
    # Nothing else of it may know where it was meant to be.
    text = text.replace(f"prefix={prefix}\n", f"prefix={moved}{prefix}\n")
    if text.count(prefix) != 1:
        raise AssertionError(f"{found[0]} names {prefix} elsewhere:\n{text}")
    with open(found[0], "w", encoding="utf-8") as file:
        file.write(text)
    return Installed(moved + prefix, os.path.dirname(found[0]))


class Installed:
    def __init__(self, prefix, pkgconfig):
        self.prefix, self.program = prefix, os.path.join(prefix, "bin", "secret-proxy")
        # Its programs are not in $PATH: it may lie anywhere.
        self.env = {"PKG_CONFIG_PATH": pkgconfig}

    def pkg_config(self, *arguments):
        return run("pkg-config", *arguments, "secret-proxy-plugin", env=self.env).stdout.split()

    @property
    def plugins(self):
        return self.pkg_config("--variable=plugindir")[0]

    def new(self, kind, name, folder):
        run(self.program, "plugin", "new", kind, name, "--dir", folder)
        return folder

    def build(self, folder, compiler="gcc"):
        """Builds a project, every warning an error; gives what the compiler and linker said."""
        env = {**self.env, "CC": compiler}
        build = os.path.join(folder, "build")
        shutil.rmtree(build, ignore_errors=True)
        run("meson", "setup", build, folder, env=env)
        return run("ninja", "-C", build, env=env).stdout

    def test(self, folder):
        """name -> how it went"""
        done = run("meson", "test", "-C", os.path.join(folder, "build"), env=self.env, check=False)
        found = dict(re.findall(r"^ *\d+/\d+ (\S+) +(\S+)", done.stdout, re.M))
        if set(found.values()) != {"OK"}:
            log = os.path.join(folder, "build", "meson-logs", "testlog.txt")
            with open(log, encoding="utf-8") as file:
                found["log"] = file.read()[-6000:]
        return found
