"""Staging folders as a hostile agent would leave them.

STAGINGS is a list of (name, maker, step, code): maker(folder, uid) spoils a good staging folder of
user uid, and returns a function that ends what it has left running, or None; step is the step of
the takeover that has to refuse it (DESIGN: 1 signal, 2 monitor, 5 copy, 11 removal), code the problem
that it has to name. Most makers need root, as they make files of other users.

    python3 tests/hostile/staging.py              lists the names
    python3 tests/hostile/staging.py NAME FOLDER UID   spoils FOLDER, and waits for the end of stdin
"""
import fcntl
import json
import os
import signal
import socket
import stat
import sys

DISK, MONITOR, PID, READY = "disk.qcow2", "monitor.sock", "qemu.pid", "READY_FOR_TAKEOVER"
IMAGE = "sha256:" + "0" * 64

# ---- tools ---------------------------------------------------------------------------------------


def put(folder, uid, name, data):
    """A new regular file in place of whatever is there."""
    path = os.path.join(folder, name)
    clear(folder, name)
    with open(path, "wb") as file:
        file.write(data)
    os.chown(path, uid, uid)
    return path


def clear(folder, name):
    path = os.path.join(folder, name)
    if os.path.lexists(path):
        os.unlink(path)
    return path


def link(name, target):
    def make(folder, uid):
        path = clear(folder, name)
        os.symlink(target, path)
        os.lchown(path, uid, uid)
    return make


def hard_link(name):
    return lambda folder, uid: os.link(os.path.join(folder, name), os.path.join(folder, "second"))


def fifo(name):
    def make(folder, uid):
        path = clear(folder, name)
        os.mkfifo(path, 0o600)
        os.chown(path, uid, uid)
    return make


def directory(name):
    def make(folder, uid):
        path = clear(folder, name)
        os.mkdir(path, 0o700)
        os.chown(path, uid, uid)
    return make


def device(name):
    def make(folder, uid):
        path = clear(folder, name)
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
        os.chown(path, uid, uid)
    return make


def owned_by_root(name):
    return lambda folder, uid: os.chown(os.path.join(folder, name), 0, 0)


def text(name, data):
    def make(folder, uid):
        put(folder, uid, name, data)
    return make


def ready(**changes):
    """A ready file with other members; None leaves one out."""
    members = {"format": 1, "image": IMAGE, "port": 3737, **changes}
    return text(READY, json.dumps({k: v for k, v in members.items() if v is not None}).encode())


def sparse(name, size):
    def make(folder, uid):
        os.truncate(put(folder, uid, name, b"QFI\xfb"), size)
    return make


def mode(bits):
    return lambda folder, uid: os.chmod(folder, bits)


def folder_link(folder, uid):
    real = folder + ".real"
    os.rename(folder, real)
    os.symlink(real, folder)
    os.lchown(folder, uid, uid)


def parent_for_all(folder, uid):
    os.chmod(os.path.dirname(folder), 0o1777)


# ---- processes -----------------------------------------------------------------------------------


def in_child(uid, act):
    """act() as uid in a process that stays; a function that ends it, once act() is done."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            act()
            os.write(writing, b"x")
            while True:
                signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)

    def end():
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return end


def listen(path, kept=[]):
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(1)
    kept.append(server)


def served_by_root(folder, uid):
    path = clear(folder, MONITOR)
    end = in_child(0, lambda: listen(path))
    os.chown(path, uid, uid)
    return end


def silent(folder, uid):
    path = clear(folder, MONITOR)
    return in_child(uid, lambda: listen(path))


def link_to_socket(folder, uid):
    other = os.path.join(folder, "docker.sock")
    end = in_child(0, lambda: listen(other))
    link(MONITOR, other)(folder, uid)
    return end


def dead(folder, uid):
    silent(folder, uid)()


def lease(name):
    def make(folder, uid):
        path = os.path.join(folder, name)

        def hold(kept=[]):
            signal.signal(signal.SIGIO, signal.SIG_IGN)
            kept.append(open(path, "r+b"))
            fcntl.fcntl(kept[0], fcntl.F_SETLEASE, fcntl.F_WRLCK)
        return in_child(uid, hold)
    return make


# ---- the list ------------------------------------------------------------------------------------

STAGINGS = [
    ("folder-is-a-link", folder_link, 1, "integrity"),
    ("folder-of-root", lambda folder, uid: os.chown(folder, 0, 0), 1, "integrity"),
    ("folder-group-writable", mode(0o770), 1, "integrity"),
    ("folder-world-writable", mode(0o707), 1, "integrity"),
    ("parent-for-all", parent_for_all, 1, "integrity"),
    ("ready-missing", lambda folder, uid: clear(folder, READY) and None, 1, "not-found"),
    ("ready-is-a-link", link(READY, "/etc/passwd"), 1, "integrity"),
    ("ready-is-a-magic-link", link(READY, "/proc/self/environ"), 1, "integrity"),
    ("ready-is-a-hard-link", hard_link(READY), 1, "integrity"),
    ("ready-is-a-fifo", fifo(READY), 1, "integrity"),
    ("ready-is-a-folder", directory(READY), 1, "integrity"),
    ("ready-is-a-device", device(READY), 1, "integrity"),
    ("ready-of-root", owned_by_root(READY), 1, "integrity"),
    ("ready-leased", lease(READY), 1, "integrity"),
    ("ready-too-large", text(READY, b"x" * 4097), 1, "too-large"),
    ("ready-huge", sparse(READY, 1 << 40), 1, "too-large"),
    ("ready-zero-byte", text(READY, b'{"format":1\0}'), 1, "integrity"),
    ("ready-escapes", text(READY, b"\x1b[2J\x1b]0;owned\x07"), 1, "integrity"),
    ("ready-deep", text(READY, b"[" * 4000), 1, "integrity"),
    ("ready-empty", text(READY, b""), 1, "integrity"),
    ("ready-unknown-key", ready(memory="64G"), 1, "integrity"),
    ("ready-arguments", ready(qemu=["-monitor", "stdio"]), 1, "integrity"),
    ("ready-path-as-image", ready(image="sha256:../../etc/shadow"), 1, "integrity"),
    ("ready-port-0", ready(port=0), 1, "integrity"),
    ("ready-port-text", ready(port="3737; reboot"), 1, "integrity"),
    ("ready-format-2", ready(format=2), 1, "integrity"),
    ("ready-without-image", ready(image=None), 1, "integrity"),
    ("monitor-is-a-link", link_to_socket, 2, "integrity"),
    ("monitor-is-a-file", text(MONITOR, b""), 2, "integrity"),
    ("monitor-is-a-fifo", fifo(MONITOR), 2, "integrity"),
    ("monitor-served-by-root", served_by_root, 2, "integrity"),
    ("monitor-dead", dead, 2, "unreachable"),
    ("monitor-silent", silent, 2, "timed-out"),
    ("disk-missing", lambda folder, uid: clear(folder, DISK) and None, 5, "not-found"),
    ("disk-is-a-link", link(DISK, "/etc/shadow"), 5, "integrity"),
    ("disk-is-a-hard-link", hard_link(DISK), 5, "integrity"),
    ("disk-is-a-fifo", fifo(DISK), 5, "integrity"),
    ("disk-is-a-device", device(DISK), 5, "integrity"),
    ("disk-is-a-folder", directory(DISK), 5, "integrity"),
    ("disk-of-root", owned_by_root(DISK), 5, "integrity"),
    ("disk-8-tib", sparse(DISK, 8 << 40), 5, "too-large"),
    ("pid-1", text(PID, b"1\n"), 11, "integrity"),
    ("pid-of-all", text(PID, b"-1\n"), 11, "integrity"),
    ("pid-of-this-process", lambda folder, uid: put(folder, uid, PID, b"%d\n" % os.getpid()) and None, 11, "integrity"),
    ("pid-too-long", text(PID, b"9" * 5000), 11, "too-large"),
]


def main(arguments):
    if not arguments:
        for name, _, step, code in STAGINGS:
            print(f"{name}: step {step}, {code}")
        return 0
    name, folder, uid = arguments
    end = {row[0]: row[1] for row in STAGINGS}[name](os.path.abspath(folder), int(uid))
    sys.stdin.read()
    if end is not None:
        end()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
