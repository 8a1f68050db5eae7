"""The appliance under test, built once for all scenarios, and again when something in it has changed."""
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess

from .paths import BIN, BUILD, TREE

FOLDER = os.path.join(BUILD, "appliance")


def _fingerprint():
    sum_ = hashlib.sha256()
    files = [os.path.join(BIN, "secret-proxyd"), *glob.glob(os.path.join(TREE, "core", "guest", "**"), recursive=True)]
    for path in sorted(p for p in files if os.path.isfile(p)):
        with open(path, "rb") as file:
            sum_.update(path.encode() + b"\0" + file.read())
    return sum_.hexdigest()


def image(say=lambda text: None):
    """The folder of an image that fits the programs."""
    with open(FOLDER + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark, wanted = FOLDER + ".made-of", _fingerprint()
        if os.path.exists(mark) and os.path.isdir(FOLDER):
            with open(mark, encoding="ascii") as file:
                if file.read() == wanted:
                    return FOLDER
        say("building the appliance")
        shutil.rmtree(FOLDER, ignore_errors=True)
        subprocess.run([os.path.join(BIN, "secret-proxy"), "image", "build", "--output", FOLDER], check=True,
                       capture_output=True, stdin=subprocess.DEVNULL)
        with open(mark, "w", encoding="ascii") as file:
            file.write(wanted)
    return FOLDER
