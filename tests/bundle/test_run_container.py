"""What the bundle's service does where the programs are in a container: which image it runs, and with what.

As test_run.py has it, with a stand-in for Podman; the real one is in tests/cloud/test_container.py.
"""
import os
import unittest

import test_run
from kit import source

DISK = "urandom"
IMAGE = "sha256:" + "ab" * 32
RUN = ("run --rm --replace --name secret-proxyd --pull never --read-only --network host --cgroups disabled --log-driver passthrough "
       "--cap-drop all --cap-add chown,kill,setgid,setuid,sys_resource --security-opt no-new-privileges "
       "--security-opt unmask=/sys/dev/block --image-volume ignore --ulimit memlock=-1:-1 --ulimit core=0:0 --user 0:0 --workdir / "
       "--entrypoint /opt/secret-proxy/bin/secret-proxyd")


class Container(test_run.Machine):
    def setUp(self):
        super().setUp()
        self.root.write("opt/secret-proxy/service/container", source("container"))
        os.unlink(self.root.at("opt/secret-proxy/bin/secret-proxyd"))
        os.symlink("busybox", self.root.at("bin/grep"))
        self.podman()
        self.disk(DISK, "container")

    def podman(self, load="exit 0", images=f"echo {IMAGE}", run="exit 0"):
        self.program("bin/podman", f'case "$*" in *" load "*) {load} ;; *" images "*) {images} ;; *" run "*) {run} ;; esac')

    def engine(self, verb):
        """How Podman was called to do that."""
        head = "podman --root /var/lib/containers/root --runroot /var/lib/containers/run --tmpdir /var/lib/containers/tmp " \
            "--storage-driver overlay --cgroup-manager cgroupfs --events-backend none "
        calls = [line for line in self.log() if line.startswith("podman ")]
        for call in calls:
            self.assertTrue(call.startswith(head), call)
        return [call.removeprefix(head) for call in calls if call.removeprefix(head).split()[0] == verb]

    def refused(self, why):
        self.assertEqual(self.run_it(), 1)
        self.assertIn("failed: " + why, self.out)
        self.assertEqual(self.engine("run"), [])

    def test_busybox_can_read_it(self):
        done = self.root.run("/bin/busybox", "sh", "-n", "/opt/secret-proxy/service/container")
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_an_owned_machines_daemon_has_its_disks_and_its_channel(self):
        self.whole()
        self.podman(run="[ -e /proc/$$/fd/3 ] || exit 1")
        self.assertEqual(self.run_it(), 0, self.out)
        self.assertEqual(self.engine("run"), [
            RUN + " --volume /run/plugins:/run/plugins:ro --volume /var/lib/secret-proxyd:/var/lib/secret-proxyd --preserve-fds 1 "
            f"{IMAGE} --listen 0.0.0.0:3737 --state /var/lib/secret-proxyd/state --first-user 61000 --admin-fd 3"])
        self.assertEqual(self.log()[-1], "poweroff ")

    def test_it_asks_the_machines_servers_of_names(self):
        self.whole()
        self.root.write("etc/resolv.conf", "nameserver 127.0.0.53\n")
        self.assertEqual(self.run_it(), 0, self.out)
        self.assertIn(f"{RUN} --volume /etc/resolv.conf:/etc/resolv.conf:ro --volume /run/plugins", self.engine("run")[0])

    def test_an_agents_daemon_has_neither(self):
        # It ends by itself, which no daemon of an unowned machine does in good order.
        self.podman(run='[ -n "$(ls /run/count 2>/dev/null)" ] && kill -TERM $PPID; mkdir -p /run/count/x; exit 1')
        self.run_it()
        self.assertEqual(set(self.engine("run")), {f"{RUN} {IMAGE} --listen 0.0.0.0:3737 --state /run/secret-proxyd --first-user 61000"})
        self.assertEqual(len(self.engine("load")), 1)

    def test_the_image_comes_from_the_disk_into_a_place_that_is_empty(self):
        self.whole()
        self.podman(load="readlink /proc/$$/fd/0 >/run/from")
        os.symlink("busybox", self.root.at("bin/readlink"))
        self.assertEqual(self.run_it(), 0, self.out)
        with open(self.root.at("run/from"), encoding="utf-8") as file:
            self.assertTrue(file.read().strip().endswith("/dev/" + DISK))
        log = self.log()
        fresh = log.index("mount -t tmpfs -o mode=0700,nosuid secret-proxy-engine /var/lib/containers")
        self.assertLess(fresh, next(i for i, line in enumerate(log) if line.startswith("podman ")))

    def test_only_a_disk_that_the_guest_can_not_write_to_is_the_hosts(self):
        self.whole()
        self.disk(DISK, "container", read_only=0)
        self.refused("the host gave it no read-only disk with the container")
        os.unlink(self.root.at(f"sys/block/{DISK}/serial"))
        self.refused("the host gave it no read-only disk with the container")

    def test_who_stops_it_stops_the_container(self):
        """The engine gets the signal, which it passes on, and is waited for."""
        self.whole()
        self.program("bin/mount", "echo $PPID >/run/main")
        self.podman(run=f"trap 'echo engine ended >>{test_run.LOG}; exit 0' TERM; read -r main </run/main; kill -TERM $main; i=0; "
                        "while [ $i -lt 200000 ]; do i=$((i + 1)); done")
        self.assertEqual(self.run_it(), 0, self.out)
        self.assertEqual(self.log()[-1], "engine ended")

    def test_it_comes_late(self):
        self.whole()
        os.rename(self.root.at(f"sys/block/{DISK}"), self.root.at("sys/late"))
        self.program("bin/sleep", f"mv /sys/late /sys/block/{DISK}", log=False)
        self.assertEqual(self.run_it(), 0, self.out)

    def test_what_is_not_one_image_is_not_run(self):
        self.whole()
        for how in ({"load": "exit 1"}, {"images": ":"}, {"images": f"echo {IMAGE}; echo {IMAGE}"}, {"images": "exit 1"},
                    {"images": "echo --privileged"}):
            with self.subTest(**how):
                self.podman(**how)
                self.refused("the image on the disk of the container can not be loaded")

    def test_without_an_engine_it_says_so(self):
        self.whole()
        os.unlink(self.root.at("bin/podman"))
        self.refused("there is no podman on this machine")

    def test_what_can_not_be_emptied_is_not_used(self):
        self.whole()
        self.program("bin/mount", "case $2 in tmpfs) exit 32 ;; esac")
        self.refused("the image on the disk of the container can not be loaded")


if __name__ == "__main__":
    unittest.main()
