"""`plugin check` on one plugin of the tree, with real values where it needs them.

    python3 run.py PLUGIN.so [CHECK.CONF]

In CHECK.CONF @PLUGIN@ stands for the plugin and @FOLDER@ for a folder of the
test's own, in which the private file `token` holds a made-up token. What must
stay true: nothing but TAP comes to stdout, and the exit status is the suite's.
"""
import os
import subprocess
import sys
import tempfile

TOKEN = "1234567890:made-up-for-the-suite"


def write_private(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def configured(folder, plugin, template):
    """The path of a config file made from the template."""
    with open(template, encoding="utf-8") as file:
        text = file.read().replace("@FOLDER@", folder).replace("@PLUGIN@", plugin)
    write_private(os.path.join(folder, "token"), TOKEN)
    path = os.path.join(folder, "check.conf")
    write_private(path, text)
    return path


def main():
    plugin, templates = os.path.abspath(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        config = ["--config", configured(folder, plugin, templates[0])] if templates else []
        return subprocess.run([os.environ["SECRET_PROXY"], "plugin", "check", *config, plugin],
                              check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
