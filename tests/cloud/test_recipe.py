"""The recipe's own VM: made by hand with the recipe's commands, and taken over at `rebuilt`.

What is not as the recipe writes it: the accelerator where there is no KVM, the ports, the folder that stands
for /tmp, and that nothing is fetched from the network: a few lines of Python stand for the recipe's proxy.
"""
import os
import shutil
import signal
import subprocess
import unittest
import urllib.request

from cloud_world import CloudWorld

from vmlib.world import free_port

from lib import processes
from lib.wait import until

USER_DATA = """\
#cloud-config
users:
  - name: proxy
    sudo: ALL=(ALL) NOPASSWD:ALL
    ssh_authorized_keys:
      - {key}
locale: false
ssh_genkeytypes: [ed25519]
bootcmd:
  - [sh, -c, "! grep -q '^proxy:.*/nologin$' /etc/passwd || userdel proxy"]
write_files:
  - path: /opt/secret-proxy/proxy.py
    content: |
      import http.server
      class Proxy(http.server.BaseHTTPRequestHandler):
          def do_GET(self):
              self.send_response(200)
              self.end_headers()
              self.wfile.write(b'of the recipe')
      http.server.HTTPServer(('', 3737), Proxy).serve_forever()
runcmd:
  - systemd-run --unit secret-proxy python3 /opt/secret-proxy/proxy.py
"""

# Phase 1, steps 1 to 7; the words are the recipe's.
PHASE_1 = r"""
set -e
cd {folder}
qemu-img create -q -f qcow2 secret-proxy.qcow2 10G
cp {base} secret-proxy.qcow2
qemu-img resize -q secret-proxy.qcow2 10G
genisoimage -quiet -output seed.iso -volid cidata -joliet -rock user-data meta-data
qemu-system-x86_64 \
  {accelerator} \
  -m 512M \
  -smp 1 \
  -display none \
  -drive file=secret-proxy.qcow2,if=virtio \
  -drive file=seed.iso,if=virtio,format=raw,readonly=on \
  -netdev user,id=net0,hostfwd=tcp::{port}-:3737 \
  -device virtio-net,netdev=net0 \
  -monitor unix:{tmp}/secret-proxy-monitor.sock,server,nowait \
  -daemonize \
  -pidfile {tmp}/secret-proxy.pid
"""
KVM, EMULATED = "-enable-kvm -cpu host", "-accel tcg,tb-size=128 -cpu max"


class RecipeWorld(CloudWorld):
    """The agent is reached by a command only, as with `multipass exec`, since the recipe's files lie in /tmp."""

    def __init__(self):
        super().__init__(telegram=False)
        self.tmp = self.path("tmp")
        os.mkdir(self.tmp)
        os.chmod(self.tmp, 0o1777)
        self.monitor, self.ready = (os.path.join(self.tmp, name) for name in ("secret-proxy-monitor.sock", "secret-proxy-ready"))
        self.disk = os.path.join(self.agent_home, "secret-proxy.qcow2")
        self.hand_port = free_port()
        self.configure(source=f"disk = {self.disk}\nmonitor = {self.monitor}\nready = {self.ready}\n",
                       exec=f"setpriv --reuid={self.user} --regid={self.user} --clear-groups -- env "
                            f"PATH={self.path('core')}:/usr/sbin:/usr/bin:/sbin:/bin")

    def pid(self):
        with open(os.path.join(self.tmp, "secret-proxy.pid"), encoding="ascii") as file:
            return int(file.read())

    def put(self, name, text):
        path = os.path.join(self.agent_home, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chown(path, self.user, self.user)

    def phase_1(self, kvm):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path("temporary-key")], check=True)
        with open(self.path("temporary-key.pub"), encoding="ascii") as file:
            self.put("user-data", USER_DATA.format(key=file.read().strip()))
        self.put("meta-data", "instance-id: by-hand\nlocal-hostname: secret-proxy-vm\n")
        base = os.path.join(self.agent_home, "nocloud.qcow2")
        shutil.copy(os.path.join(self.image_folder, "base.qcow2"), base)
        os.chmod(base, 0o644)
        script = PHASE_1.format(folder=self.agent_home, base=base, accelerator=KVM if kvm else EMULATED, port=self.hand_port, tmp=self.tmp)
        subprocess.run(self.as_agent("sh", "-c", script), check=True, stdin=subprocess.DEVNULL)

    def by_hand(self):
        """What the recipe's proxy answers; None: nothing yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.hand_port}/health", timeout=5) as answer:
                return answer.read()
        except OSError:
            return None


class Recipe(unittest.TestCase):
    def setUp(self):
        self.world = RecipeWorld()
        self.addCleanup(self.world.close)
        self.addCleanup(self.end_by_hand)

    def end_by_hand(self):
        try:
            if self.world.monitor in processes.arguments(self.world.pid()):
                os.kill(self.world.pid(), signal.SIGKILL)
        except (OSError, ValueError):
            pass

    def test_the_recipes_own_vm_becomes_the_hosts(self):
        world = self.world
        kvm = "KVM works" in str(world.must("--json", "doctor").json)
        world.phase_1(kvm)
        self.assertEqual(until(world.by_hand, "the recipe's proxy", timeout=600), b"of the recipe")
        subprocess.run(world.as_agent("sh", "-c", f"echo READY_FOR_TAKEOVER > {world.ready}"), check=True)
        pid = world.pid()
        done = world.takeover("--approval-timeout", "1s", timeout=1200)
        self.assertEqual(done.status, 0, done)
        self.assertIn("human monitor", done.steps[2]["message"])
        self.assertIn("the agent's own is not used", done.steps[1]["message"])
        self.assertEqual([done.steps[number]["status"] for number in (2, 3, 4, 7, 8, 9, 10, 11, 12)], ["ok"] * 9)
        until(lambda: not os.path.exists(f"/proc/{pid}"), "the end of the recipe's VM", timeout=20)
        for path in (world.disk, world.monitor, world.ready):
            self.assertFalse(os.path.lexists(path), path)
        self.assertEqual(world.statement()["trust"], "rebuilt")
        # As its last step has it: the agent still reaches it over HTTP.
        asked = world.agent("-sS", f"http://127.0.0.1:{world.port}/health", program="curl")
        self.assertEqual(asked.json["ownership"], "owned")


if __name__ == "__main__":
    unittest.main()
