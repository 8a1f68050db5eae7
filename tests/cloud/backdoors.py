"""Ways back in that a root user can leave on a Debian, one a row: how it is planted, and how it is seen that it is there.

`audited` must name each of them on a disk that they were planted on, `rebuilt` must leave none of them in the machine
that the host has made. A row is planted as root below $R (nothing in a machine that runs), where $P is its path.
"""
from dataclasses import dataclass

# Where the first partition of the scenarios' Debian begins.
START = 1 << 20
WORD = "planted"
# cap_setuid, permitted and effective, as the file system keeps it; no program for it is in every Debian.
CAPABILITY = "01000002" + "80000000" + "00000000" * 3


@dataclass(frozen=True)
class Row:
    name: str
    path: str  # as a finding has it; % at its end: of each that begins so
    plant: str
    found: str = '[ -e "$P" ] || [ -L "$P" ]'


ROWS = (
    Row("unit", "/etc/systemd/system/planted.service", r"printf '[Service]\nExecStart=/bin/touch /run/planted\n' >$P",
        '[ -e "$P" ] || systemctl cat planted.service >/dev/null 2>&1'),
    Row("timer", "/etc/systemd/system/timers.target.wants/planted.timer", "mkdir -p ${P%/*}; ln -s /etc/systemd/system/planted.timer $P"),
    Row("generator", "/usr/lib/systemd/system-generators/planted", r"printf '#!/bin/sh\ntouch /run/planted\n' >$P; chmod 755 $P"),
    Row("cron", "/etc/cron.d/planted", "echo '* * * * * root /bin/touch /run/planted' >$P"),
    Row("udev rule", "/etc/udev/rules.d/99-planted.rules", """echo 'RUN+="/bin/touch /run/planted"' >$P"""),
    Row("preloaded library", "/etc/ld.so.preload", "echo /usr/lib/planted.so >$P"),
    Row("PAM", "/etc/pam.d/common-auth", "sed -i '1i auth sufficient pam_permit.so' $P", "grep -qx 'auth sufficient pam_permit.so' $P"),
    Row("NSS", "/etc/nsswitch.conf", "echo 'passwd: planted files' >>$P", "grep -q planted $P"),
    Row("second root", "/etc/passwd", "echo 'toor:x:0:0::/root:/bin/sh' >>$P",
        "[ \"$(cut -d : -f 1,3 $P | grep -c ':0$')\" -ne 1 ] || id toor >/dev/null 2>&1"),
    Row("password", "/etc/shadow", "echo 'toor:$6$planted$x:19000:0:99999:7:::' >>$P", "grep -q planted $P"),
    Row("sshd_config", "/etc/ssh/sshd_config", "echo 'PermitRootLogin yes' >>$P", "grep -qx 'PermitRootLogin yes' $P"),
    Row("sudoers", "/etc/sudoers.d/planted", "echo 'ALL ALL=(ALL) NOPASSWD:ALL' >$P"),
    Row("setuid", "/usr/bin/planted", "cp $R/usr/bin/true $P; chmod 4755 $P"),
    Row("file capability", "/usr/bin/dash",
        f"python3 -c 'import os, sys; os.setxattr(sys.argv[1], \"security.capability\", bytes.fromhex(\"{CAPABILITY}\"))' $P",
        "python3 -c 'import os, sys; os.getxattr(sys.argv[1], \"security.capability\")' $P 2>/dev/null"),
    Row("compiled Python", "/usr/lib/python3/dist-packages/cloudinit/__pycache__/planted.cpython-311.pyc", "mkdir -p ${P%/*}; echo x >$P"),
    Row("kernel", "/boot/vmlinuz-%", "for K in $R/boot/vmlinuz-*; do echo planted >>$K; done", "tail -q -c 8 /boot/vmlinuz-* | grep -qx planted"),
    Row("initrd", "/boot/initrd.img-%", "for K in $R/boot/initrd.img-*; do echo planted >>$K; done",
        "tail -q -c 8 /boot/initrd.img-* | grep -qx planted"),
    Row("boot loader's configuration", "/boot/extlinux/extlinux.conf", r"sed -i 's/quiet/quiet init=\/bin\/sh/' $P", "grep -q init= $P"),
    # A program that runs can't be written to; one beside it takes its name.
    Row("daemon", "/opt/secret-proxy/bin/secret-proxyd", "cp -p $P $P.new; echo planted >>$P.new; mv $P.new $P", "tail -c 8 $P | grep -qx planted"),
    Row("CA certificate", "/etc/ssl/certs/ca-certificates.crt", "echo planted >>$P", "grep -qx planted $P"),
    Row("hosts file", "/etc/hosts", "echo '10.0.0.1 api.telegram.org' >>$P", "grep -q telegram $P || getent -s files hosts api.telegram.org >/dev/null"),
    Row("cloud-init", "/etc/cloud/cloud.cfg.d/99-planted.cfg", "echo 'runcmd: [[/bin/touch, /run/planted]]' >$P"),
)


@dataclass(frozen=True)
class Place:
    """Bytes outside of all files, where a boot loader is."""
    name: str
    finding: tuple  # code and path
    partition: str  # "": of the disk itself
    offset: int

    @property
    def on_disk(self):
        return self.offset + (START if self.partition else 0)


PLACES = (
    Place("boot loader: first sector", ("gap-changed", "code"), "", 0x80),
    Place("boot loader: behind it", ("gap-changed", "before-1"), "", 0x2000),
    Place("boot loader: first sector of the partition", ("boot-changed", "partition-1"), "1", 0x80),
)


def planting(root=""):
    """A script for what is below `root`."""
    return "\n".join([f"R='{root}'", *(f'P="$R{row.path}"\n{row.plant}' for row in ROWS)]) + "\n"


def planting_here(disk):
    """The same for a machine that runs, with its disk."""
    return planting() + "\n".join(f"printf {WORD} | dd of={disk}{place.partition} bs=1 seek={place.offset} conv=notrunc status=none"
                                  for place in PLACES) + "\nsync\n"


def plant_in_places(raw):
    with open(raw, "r+b") as file:
        for place in PLACES:
            file.seek(place.on_disk)
            file.write(WORD.encode())


def looking(disk):
    """A script that prints the name of each that is there, and then what shows that it has looked for all."""
    lines = [f"P='{row.path}'\nif {row.found}; then echo \"{row.name}\"; fi" for row in ROWS]
    lines += [f"if dd if={disk} bs=4096 skip={place.on_disk // 4096} count=1 iflag=direct status=none | grep -aq {WORD}; then echo \"{place.name}\"; fi"
              for place in PLACES]
    # What any of those would have done that run something.
    return "\n".join([*lines, "[ ! -e /run/planted ] || echo 'one of them has run'", f"echo 'looked for {len(NAMES)}'"]) + "\n"


NAMES = tuple(row.name for row in (*ROWS, *PLACES))


def seen(text):
    """The names that it has printed. AssertionError: it has not looked for all."""
    lines = text.splitlines()
    assert lines and lines[-1] == f"looked for {len(NAMES)}", text
    return set(lines[:-1])
