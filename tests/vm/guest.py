"""A guest for tests: a Debian kernel from /boot with an initial RAM disk of BusyBox, made here.

It says "guest ready" on its console once its network and its admin port are there, and then does what a
line on the admin port asks for; each answer is one line.
"""
import glob
import gzip
import os
import re
import subprocess

ADMIN_PORT = "org.secret-proxy.admin"
MODULES = ("virtio_pci", "virtio_net", "virtio_blk", "virtio_console", "virtio-rng")

INIT = r"""#!/bin/busybox sh
B=/bin/busybox
$B mkdir -p /dev /proc /sys /tmp
$B mount -t devtmpfs none /dev; $B mount -t proc none /proc; $B mount -t sysfs none /sys
for m in $($B cat /modules/order); do $B insmod /modules/$m; done
$B ip link set lo up
wait_for() { i=0; while [ ! -e "$1" ] && [ $i -lt 100 ]; do $B usleep 20000; i=$((i+1)); done; }
wait_for /sys/class/net/eth0
for word in $($B cat /proc/cmdline); do
  case $word in address=*) A=${word#address=};; gateway=*) G=${word#gateway=};; esac
done
$B ip addr add ${A:-10.0.2.15/24} dev eth0; $B ip link set eth0 up
$B ip route add default via ${G:-10.0.2.2}
i=0; while [ $i -lt 100 ] && ! $B grep -qx PORTNAME /sys/class/virtio-ports/*/name 2>/dev/null; do $B usleep 20000; i=$((i+1)); done
port=$($B grep -lx PORTNAME /sys/class/virtio-ports/*/name); port=${port%/name}
$B sh -c 'while :; do echo hello | /bin/busybox nc -l -p 3737; done' &
exec 3<>/dev/${port##*/}
echo "guest ready"
while :; do
  while IFS= read -r line <&3; do
    set -- $line
    case $1 in
      echo) echo "$2" >&3;;
      # nc ends with the peer; a connection that is refused ends it at once, with a status.
      tcp) $B timeout 5 $B nc -w 3 $2 $3 </dev/null >/tmp/out 2>&1; echo "tcp $?" >&3;;
      udp) $B timeout 1 $B tftp -g -r x -l /tmp/x $2 $3 >/tmp/out 2>&1; echo "udp sent" >&3;;
      disk) echo "disk $($B cat /sys/block/$2/serial) $($B head -c 5 /dev/$2)" >&3;;
      write) echo "$3" | $B dd of=/dev/$2 conv=notrunc 2>/dev/null && $B sync && echo "written" >&3 || echo "not written" >&3;;
      flood) $B dd if=/dev/zero bs=1024 count=$2 2>/dev/null | $B tr '\0' x; echo; echo "flood over"; echo "flooded" >&3;;
      poweroff) $B poweroff -f;;
      reboot) $B reboot -f;;
      *) echo "what?" >&3;;
    esac
  done
  $B usleep 50000
done
"""


def kernel():
    """The newest kernel in /boot that has its modules here, or None."""
    found = [p for p in sorted(glob.glob("/boot/vmlinuz-*-amd64")) if os.path.isdir("/lib/modules/" + version_of(p))]
    return found[-1] if found else None


def version_of(path):
    return os.path.basename(path)[len("vmlinuz-"):]


def module_files(version):
    out = []
    for name in MODULES:
        shown = subprocess.run(["/sbin/modprobe", "-S", version, "-D", name], capture_output=True, text=True, check=True).stdout
        for path in re.findall(r"^insmod (\S+)", shown, re.M):
            if path not in out:
                out.append(path)
    return out


class Cpio:
    """An archive in the format that the kernel reads (newc)."""

    def __init__(self):
        self.data, self.inode = bytearray(), 0

    def add(self, name, mode, data=b""):
        self.inode += 1
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        self.data += b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        self._pad()
        self.data += data
        self._pad()

    def _pad(self):
        self.data += b"\0" * (-len(self.data) % 4)

    def finish(self):
        self.add("TRAILER!!!", 0)
        return bytes(self.data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def make_initrd(path, kernel_path):
    archive, files = Cpio(), module_files(version_of(kernel_path))
    for folder in ("bin", "modules", "dev"):
        archive.add(folder, 0o040755)
    archive.add("bin/busybox", 0o100755, read("/bin/busybox"))
    for file in files:
        archive.add("modules/" + os.path.basename(file), 0o100644, read(file))
    archive.add("modules/order", 0o100644, "\n".join(map(os.path.basename, files)).encode())
    archive.add("init", 0o100755, INIT.replace("PORTNAME", ADMIN_PORT).encode())
    with open(path, "wb") as file:
        file.write(gzip.compress(archive.finish(), 1))
    os.chmod(path, 0o644)
