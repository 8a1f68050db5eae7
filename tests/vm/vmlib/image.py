"""The appliance under test, built once for all scenarios, and again when something in it has changed."""
import fcntl
import glob
import hashlib
import json
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


def variant(to, version=None, init=None):
    """Another image, made of the one under test, in the new folder `to`: its bytes differ from it; with `version` it says
    that it is of that one, and with `init` a shell script is the first program of its root."""
    shutil.copytree(image(), to)
    root, manifest = os.path.join(to, "root"), os.path.join(to, "manifest")
    if init is not None:
        _exchange_init(root, init)
    with open(root, "ab") as file:
        file.write(os.urandom(4096))
    with open(manifest, encoding="utf-8") as file:
        said = json.load(file)
    with open(root, "rb") as file:
        said["root"] = {"sha256": hashlib.sha256(file.read()).hexdigest(), "size": os.path.getsize(root)}
    said["version"] = version or said["version"]
    with open(manifest, "w", encoding="utf-8") as file:
        json.dump(said, file)
    return to


def _exchange_init(root, script):
    tree = root + ".tree"
    subprocess.run(["unsquashfs", "-quiet", "-no-progress", "-dest", tree, root], check=True, stdout=subprocess.DEVNULL)
    path = os.path.join(tree, "sbin", "init")
    os.unlink(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(script)
    os.chmod(path, 0o755)
    os.unlink(root)
    subprocess.run(["mksquashfs", tree, root, "-quiet", "-no-progress", "-comp", "gzip", "-Xcompression-level", "1"], check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
