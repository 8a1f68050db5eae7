"""The look into a disk, on one with a few files: each look starts one small machine, some ten seconds emulated.

The disk is a file system without a partition table, made by mkfs of a folder; another folder makes another disk.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "vm"))

from vmlib.paths import BIN  # noqa: E402

from lib.wait import SLOW, until  # noqa: E402, from tests/api by vmlib.paths

DRIVER = os.environ["SP_REKEY"]
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nproxy:x:13:13:proxy:/bin:/usr/sbin/nologin\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nproxy:*:19000:0:99999:7:::\n",
    "etc/group": "root:x:0:\nsudo:x:27:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/machine-id": "",
    "etc/ssh/sshd_config": "PasswordAuthentication no\n",
    "usr/bin/tool": "#!/bin/sh\n# GOOD\n" + "x" * 100,
    "var/log/lastlog": "",
}
FOLDERS = ("home", "root", "tmp", "var/lib")
SECRET = "the host's own key\n"


def run(*argv, **more):
    return subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL, **more)


class Small(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="sp-audit-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.dir)
        os.chmod(self.dir, 0o755)
        self.root = os.path.join(self.dir, "root")
        for name in FOLDERS:
            os.makedirs(os.path.join(self.root, name))
        for name, text in FILES.items():
            self.put(name, text)
        self.base = self.disk("base")

    def path(self, name):
        return os.path.join(self.root, name)

    def put(self, name, text, mode=0o644, how="w"):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), how, encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)

    def disk(self, name, change=lambda raw: None):
        raw, disk = (os.path.join(self.dir, name + end) for end in (".raw", ".qcow2"))
        with open(raw, "wb") as file:
            file.truncate(32 << 20)
        run("mkfs.ext4", "-q", "-d", self.root, raw)
        change(raw)
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, disk)
        return disk

    def audit(self, disk, *more):
        environment = {**os.environ, "SECRET_PROXY_STATE_DIR": os.path.join(self.dir, "state")}
        done = subprocess.run([os.path.join(BIN, "secret-proxy"), "--json", "image", "audit", disk, "--base", self.base, *more],
                              env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300 * SLOW, check=False)
        answer = json.loads(done.stdout)
        self.assertIn("findings", answer, done)
        self.assertEqual(done.returncode, 0 if answer["ok"] else 9)
        return answer["findings"]

    @staticmethod
    def blocks(raw):
        return run("debugfs", "-R", "blocks /ldlinux.sys", raw, text=True).stdout

    def found(self, findings):
        return {(one["code"], one["path"]) for one in findings}

    # ---- looking

    def test_what_a_root_user_may_do_is_named(self):
        self.put("usr/bin/tool", "#!/bin/sh\n# EVIL\n" + "x" * 100)
        self.put("usr/bin/su", "x", 0o4755)
        self.put("usr/bin/ping", "x", 0o755)
        run("setcap", "cap_setuid+ep", self.path("usr/bin/ping"))
        self.put("etc/hosts", "10.0.0.1 api.telegram.org\n", how="a")
        self.put("etc/passwd", "toor:x:0:0::/root:/bin/sh\nagent:x:1000:1000::/home/agent:/bin/bash\n", how="a")
        self.put("etc/shadow", "agent:$6$a$b:19000:0:99999:7:::\n", how="a")
        self.put("etc/ssh/sshd_config", "PasswordAuthentication yes\n")
        self.put("etc/odd\nname\x1b[2J", "x")
        self.put("home/agent/.ssh/authorized_keys", "ssh-ed25519 AAAA agent\n")
        os.mkfifo(self.path("home/agent/pipe"))
        os.symlink("/etc", self.path("root/.ssh"))
        os.mknod(self.path("tmp/disk"), 0o60600, os.makedev(252, 0))
        disk = self.disk("agent")
        findings = self.audit(disk)
        self.assertEqual(self.found(findings), {
            ("content-changed", "/usr/bin/tool"), ("setuid", "/usr/bin/su"), ("capability", "/usr/bin/ping"),
            ("line-added", "/etc/hosts"), ("line-added", "/etc/passwd"), ("line-added", "/etc/shadow"),
            ("content-changed", "/etc/ssh/sshd_config"), ("file-added", "/etc/odd%0aname%1b[2J"),
            ("pipe-added", "/home/agent/pipe"), ("link-added", "/root/.ssh"), ("device-added", "/tmp/disk")})
        digests = [one["digest"] for one in findings]
        self.assertEqual(self.found(self.audit(disk, "--accept", ",".join(digests[1:]))), {(findings[0]["code"], findings[0]["path"])})

    def test_what_the_journal_would_bring_back_is_seen(self):
        def write_into_the_journal(raw):
            blocks = run("debugfs", "-R", "blocks /usr/bin/tool", raw, text=True).stdout.split()
            evil = os.path.join(self.dir, "evil")
            size = int([line for line in run("dumpe2fs", "-h", raw, text=True).stdout.splitlines() if line.startswith("Block size")][0].split()[-1])
            with open(evil, "wb") as file:
                file.write(("#!/bin/sh\n# EVIL\n" + "x" * 100).encode().ljust(size, b"\0"))
            script = f"jo\njw -b {blocks[0]} {evil}\njc\n"
            subprocess.run(["debugfs", "-w", "-f", "/dev/stdin", raw], input=script.encode(), check=True, capture_output=True)
            # The file itself is as it was.
            self.assertIn("GOOD", run("debugfs", "-R", "cat /usr/bin/tool", raw, text=True).stdout)

        disk = self.disk("agent", write_into_the_journal)
        self.assertEqual(self.found(self.audit(disk)), {("content-changed", "/usr/bin/tool")})

    def test_where_the_boot_loader_lies_counts_too(self):
        """Its first stage goes by places: the same file elsewhere would leave old ones to whatever is there."""
        def move(raw):
            loader = self.path("ldlinux.sys")
            before = self.blocks(raw)
            # What is written in between has its place.
            filler = os.path.join(self.dir, "filler")
            with open(filler, "wb") as file:
                file.write(b"x" * 65536)
            script = f"rm /ldlinux.sys\nwrite {filler} filler\nwrite {loader} ldlinux.sys\nrm /filler\n"
            subprocess.run(["debugfs", "-w", "-f", "/dev/stdin", raw], input=script.encode(), check=True, capture_output=True)
            self.assertNotEqual(self.blocks(raw), before)

        self.put("ldlinux.sys", "loader" * 1000)
        self.base = self.disk("base")
        self.assertEqual(self.found(self.audit(self.disk("agent", move))), {("attributes-changed", "/ldlinux.sys")})

    def test_what_a_killed_one_leaves_is_removed_by_the_next(self):
        def rooms():
            state = os.path.join(self.dir, "state")
            return [name for name in (os.listdir(state) if os.path.isdir(state) else []) if name.startswith("secret-proxy-audit-")]

        def workers():
            found = run("ps", "-e", "-o", "args", text=True).stdout
            return [line for line in found.splitlines() if any(room in line for room in left)]

        environment = {**os.environ, "SECRET_PROXY_STATE_DIR": os.path.join(self.dir, "state")}
        with subprocess.Popen([os.path.join(BIN, "secret-proxy"), "image", "audit", self.base, "--base", self.base], env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            left = until(rooms, "the folder in which it works", timeout=60)
            until(workers, "what works in it", timeout=60)
            process.kill()
        until(lambda: not workers(), "the end of what worked there", timeout=20)
        self.assertEqual(rooms(), left)
        self.assertEqual(self.audit(self.base), [])
        self.assertEqual(rooms(), [])

    # ---- new keys

    def rekey(self, disk):
        for name, text in (("login.pub", "ssh-ed25519 NEW host\n"), ("host", SECRET), ("host.pub", "ssh-ed25519 HOST vault\n")):
            with open(os.path.join(self.dir, name), "w", encoding="ascii") as file:
                file.write(text)
        # It looks for secret-proxy-audit beside itself.
        driver = shutil.copy(DRIVER, self.dir)
        os.symlink(os.path.join(BIN, "secret-proxy-audit"), os.path.join(self.dir, "secret-proxy-audit"))
        return subprocess.run([driver, os.path.join(self.dir, "state"), self.base, disk, self.dir], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=300 * SLOW, check=False)

    def read(self, raw, name):
        return run("debugfs", "-R", f"cat {name}", raw, text=True).stdout

    def names(self, raw, folder):
        lines = run("debugfs", "-R", f"ls -p {folder}", raw, text=True).stdout.splitlines()
        return {line.split("/")[5] for line in lines if line.startswith("/")} - {".", ".."}

    def test_one_key_opens_what_is_looked_at(self):
        self.put("home/agent/.ssh/authorized_keys", "ssh-ed25519 OLD agent\n")
        self.put("root/.ssh/authorized_keys", "ssh-ed25519 OLD agent\n")
        self.put("root/.bash_history", "echo the password is old\n")
        self.put("etc/ssh/ssh_host_ed25519_key", "OLD\n", 0o600)
        self.put("etc/ssh/ssh_host_rsa_key", "OLD\n", 0o600)
        self.put("etc/passwd", "agent:x:1000:1000::/home/agent:/bin/bash\n", how="a")
        self.put("etc/shadow", "agent:!:19000:0:99999:7:::\n", how="a")
        self.put("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        self.put("etc/sudoers.d/90-cloud-init-users", "agent ALL=(ALL) NOPASSWD:ALL\n")
        self.put("var/lib/systemd/random-seed", "OLD\n", 0o600)
        self.put("var/lib/cloud/instance/obj.pkl", "OLD\n")
        disk = self.disk("agent")
        # Folders that the base has not are named, as they stay; so this disk is compared with one that has them.
        for name in ("home/agent", "root/.ssh", "root/.bash_history", "etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_rsa_key",
                     "etc/sudoers.d/90-cloud-init-users", "var/lib/systemd/random-seed", "var/lib/cloud"):
            path = self.path(name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        for name in ("etc/passwd", "etc/shadow", "etc/machine-id"):
            self.put(name, FILES[name])
        self.base = self.disk("base")
        done = self.rekey(disk)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done)
        system = os.path.join(self.dir, "system.qcow2")
        self.assertEqual(os.stat(system).st_mode & 0o7777, 0o600)
        raw = os.path.join(self.dir, "system.raw")
        run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", system, raw)
        self.assertEqual(self.names(raw, "/home"), {"proxy"})
        self.assertEqual(self.read(raw, "/home/proxy/.ssh/authorized_keys"), "ssh-ed25519 NEW host\n")
        self.assertEqual(self.names(raw, "/root"), set())
        self.assertEqual(self.names(raw, "/etc/ssh"), {"sshd_config", "ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"})
        self.assertEqual(self.read(raw, "/etc/ssh/ssh_host_ed25519_key"), SECRET)
        self.assertEqual(self.read(raw, "/etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nproxy:x:1000:1000:secret-proxy:/home/proxy:/bin/sh\n")
        self.assertEqual(self.read(raw, "/etc/shadow"), "root:*:19000:0:99999:7:::\nproxy:*:19000:0:99999:7:::\n")
        self.assertEqual(self.read(raw, "/etc/machine-id"), "")
        self.assertEqual(self.names(raw, "/etc/sudoers.d"), set())
        self.assertEqual(self.names(raw, "/var/lib/systemd"), set())
        self.assertEqual(self.names(raw, "/var/lib"), {"systemd"})
        state = run("debugfs", "-R", "stat /home/proxy/.ssh/authorized_keys", raw, text=True).stdout
        self.assertRegex(state, r"Mode: +0600")
        self.assertRegex(state, r"User: +1000 ")

    def test_a_finding_leaves_no_disk(self):
        os.mkdir(self.path("home/proxy"))
        os.symlink("../../etc", self.path("home/proxy/.ssh"))
        done = self.rekey(self.disk("agent"))
        self.assertEqual((done.returncode, done.stdout), (9, "link-added /home/proxy/.ssh\n"), done)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "system.qcow2")))
        self.assertEqual([name for name in os.listdir(os.path.join(self.dir, "state")) if name.startswith("secret-proxy-audit")], [])


if __name__ == "__main__":
    unittest.main()
