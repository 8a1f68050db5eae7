"""Hostile qcow2 images, made by code: each stands for a way to get at the host, or to overrun it.

HOSTILE and GOOD are lists of (name, maker, codes): maker(path) writes the image; codes are those of
the findings of `image check`, in order.  TOOL_ONLY are flaws that only qemu-img's own check sees.
Whatever takes an image from an agent must refuse each of HOSTILE and TOOL_ONLY.
"""
import struct

BITS = 16
CLUSTER = 1 << BITS
HEADER, REFCOUNTS, BLOCK, L1, L2, DATA = (n * CLUSTER for n in range(6))
FILE_CLUSTERS, DISK_CLUSTERS = 8, 64
COPIED, COMPRESSED, ZERO = 1 << 63, 1 << 62, 1
SECRET = "/etc/shadow"

# Extensions of the header.
NAMES, BACKING_FORMAT, DATA_FILE, BITMAPS, LUKS = 0x6803f857, 0xe2792aca, 0x44415441, 0x23852875, 0x0537be77


class Image:
    """A good image in memory; spoil it, then save it."""

    def __init__(self):
        self.bytes = bytearray(FILE_CLUSTERS * CLUSTER)
        self.header(version=3, cluster_bits=BITS, size=DISK_CLUSTERS * CLUSTER, l1_size=1, l1=L1,
                    refcounts=REFCOUNTS, refcount_clusters=1, refcount_order=4, header_length=104)
        self.put(0, ">4s", b"QFI\xfb")
        self.put(REFCOUNTS, ">Q", BLOCK)
        self.put(BLOCK, f">{FILE_CLUSTERS}H", *[1] * FILE_CLUSTERS)
        self.put(L1, ">Q", L2 | COPIED)
        self.put(L2, ">QQQ", DATA | COPIED, (DATA + CLUSTER) | COPIED, (DATA + 2 * CLUSTER) | COPIED)
        for number in range(3):
            start = DATA + number * CLUSTER
            self.bytes[start:start + CLUSTER] = bytes([0x41 + number]) * CLUSTER

    FIELDS = {
        "version": (4, ">I"), "backing": (8, ">Q"), "backing_length": (16, ">I"), "cluster_bits": (20, ">I"),
        "size": (24, ">Q"), "crypt": (32, ">I"), "l1_size": (36, ">I"), "l1": (40, ">Q"), "refcounts": (48, ">Q"),
        "refcount_clusters": (56, ">I"), "n_snapshots": (60, ">I"), "snapshots": (64, ">Q"),
        "incompatible": (72, ">Q"), "compatible": (80, ">Q"), "autoclear": (88, ">Q"), "refcount_order": (96, ">I"),
        "header_length": (100, ">I"),
    }

    def put(self, at, form, *values):
        struct.pack_into(form, self.bytes, at, *values)
        return self

    def header(self, **fields):
        for name, value in fields.items():
            self.put(self.FIELDS[name][0], self.FIELDS[name][1], value)
        return self

    def extension(self, kind, data, at=104):
        self.put(at, ">II", kind, len(data))
        self.bytes[at + 8:at + 8 + len(data)] = data
        return self

    def backing(self, name):
        text = name.encode()
        self.bytes[0x400:0x400 + len(text)] = text
        return self.header(backing=0x400, backing_length=len(text))

    def snapshot(self, l1=DATA + CLUSTER, l1_size=1, extra=16):
        """One, its table in the last cluster, its L1 in the one before; the disk has neither any more."""
        self.put(L2, ">QQQ", DATA | COPIED, 0, 0)
        self.bytes[DATA + CLUSTER:] = bytes(2 * CLUSTER)
        self.put(DATA + 2 * CLUSTER, ">QIHHIIQII", l1, l1_size, 0, 0, 0, 0, 0, 0, extra)
        self.put(DATA + 2 * CLUSTER + 40, ">QQ", 0, DISK_CLUSTERS * CLUSTER)
        return self.header(n_snapshots=1, snapshots=DATA + 2 * CLUSTER)

    def save(self, path):
        with open(path, "wb") as file:
            file.write(self.bytes)


def _flaw(change):
    """A maker: @change is called with a good image, and may return another length of the file."""
    def make(path):
        image = Image()
        change(image)
        image.save(path)
    return make


def _sparse(size):
    def make(path):
        Image().save(path)
        with open(path, "r+b") as file:
            file.truncate(size)
    return make


def _raw(content):
    def make(path):
        with open(path, "wb") as file:
            file.write(content)
    return make


def _fan_out(image):
    """All L1 entries lead to one table, all of whose entries lead to one cluster: 16 GiB in 512 KiB."""
    image.header(size=16 << 30, l1_size=32)
    image.put(L1, ">32Q", *[L2 | COPIED] * 32)
    image.put(L2, f">{CLUSTER // 8}Q", *[DATA | COPIED] * (CLUSTER // 8))


def _vmdk():
    text = b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 8 FLAT "%s" 0\n' % SECRET.encode()
    return text.ljust(65536, b"\0")


def _iso():
    return (bytes(32768) + b"\x01CD001\x01").ljust(65536, b"\0")


def _cd_as_well(image):
    image.bytes[32768:32775] = b"\x01CD001\x01"


def _gpt_as_well(image):
    image.bytes[510:520] = b"\x55\xaaEFI PART"


_NAME_TABLE = b"".join(struct.pack(">BB46s", 0, bit, b"name\x1b[2J") for bit in range(5))

HOSTILE = [(name, maker if maker.__name__ == "make" else _flaw(maker), codes) for name, maker, codes in [
    # What leads out of the image.
    ("backing-file", lambda i: i.backing(SECRET), ["backing-file"]),
    ("backing-json", lambda i: i.backing('json:{"driver":"file","filename":"%s"}' % SECRET), ["backing-file"]),
    ("backing-nbd", lambda i: i.backing("nbd://127.0.0.1:10809/x"), ["backing-file"]),
    ("backing-format", lambda i: i.extension(BACKING_FORMAT, b"raw"), ["backing-file"]),
    ("data-file", lambda i: i.header(incompatible=4).extension(DATA_FILE, SECRET.encode()), ["data-file"]),
    ("data-file-name-alone", lambda i: i.extension(DATA_FILE, SECRET.encode()), ["data-file"]),
    ("data-file-raw", lambda i: i.header(incompatible=4, autoclear=2), ["data-file"]),
    ("encrypted", lambda i: i.header(crypt=1), ["encryption"]),
    ("luks", lambda i: i.header(crypt=2).extension(LUKS, bytes(16)), ["encryption"]),
    # What is another thing than it says.
    ("empty", _raw(b""), ["not-qcow2"]),
    ("raw", _raw(bytes(65536)), ["not-qcow2"]),
    ("vmdk-descriptor", _raw(_vmdk()), ["not-qcow2"]),
    ("qed", _raw(b"QED\0".ljust(65536, b"\0")), ["not-qcow2"]),
    ("iso", _raw(_iso()), ["not-qcow2"]),
    ("also-iso", _cd_as_well, ["polyglot"]),
    ("also-gpt", _gpt_as_well, ["polyglot"]),
    ("header-only", _raw(bytes(Image().bytes[:64])), ["truncated"]),
    ("version-1", lambda i: i.header(version=1), ["version"]),
    ("version-2", lambda i: i.header(version=2), ["version"]),
    # Features.
    ("dirty", lambda i: i.header(incompatible=1), ["dirty"]),
    ("corrupt", lambda i: i.header(incompatible=2), ["corrupt"]),
    ("zstd", lambda i: i.header(incompatible=8, header_length=112).put(104, ">B", 1), ["compression-type"]),
    ("extended-l2", lambda i: i.header(incompatible=16), ["extended-l2"]),
    ("unknown-incompatible", lambda i: i.header(incompatible=1 << 5), ["unknown-feature"]),
    ("unknown-autoclear", lambda i: i.header(autoclear=1 << 63), ["unknown-feature"]),
    ("bitmaps", lambda i: i.header(autoclear=1).extension(BITMAPS, bytes(24)), ["bitmaps"]),
    ("unknown-extension", lambda i: i.extension(0xdeadbeef, b"x"), ["unknown-extension"]),
    ("endless-extension", lambda i: i.extension(NAMES, b"").put(108, ">I", 0xfffffff0), ["extension"]),
    ("compressed", lambda i: i.put(L2, ">Q", COMPRESSED | DATA), ["compressed"]),
    # Bombs, and numbers that overrun.
    ("huge-disk", lambda i: i.header(size=1 << 50), ["virtual-size"]),
    ("disk-of-2-to-64", lambda i: i.header(size=(1 << 64) - 512), ["virtual-size"]),
    ("odd-disk", lambda i: i.header(size=DISK_CLUSTERS * CLUSTER - 1), ["virtual-size"]),
    ("huge-file", _sparse((16 << 30) + 1), ["file-too-large"]),
    ("huge-l1", lambda i: i.header(l1_size=0x7fffffff), ["l1-size", "l1-table"]),
    ("short-l1", lambda i: i.header(size=8 << 30), ["l1-size"]),
    ("huge-clusters", lambda i: i.header(cluster_bits=40), ["cluster-size"]),
    ("huge-refcount-table", lambda i: i.header(refcount_clusters=0xffff), ["refcount-table"]),
    ("wide-refcounts", lambda i: i.header(refcount_order=30), ["refcount-width"]),
    ("fan-out", _fan_out, ["cluster-shared", "l2-shared"]),
    ("many-snapshots", lambda i: i.snapshot().header(n_snapshots=9), ["snapshots"]),
    ("endless-snapshot", lambda i: i.snapshot(extra=0xffffffff), ["snapshot-table"]),
    ("snapshot-huge-l1", lambda i: i.snapshot(l1_size=0xffffffff), ["snapshot-table"]),
    # Places.
    ("l1-outside", lambda i: i.header(l1=FILE_CLUSTERS * CLUSTER), ["l1-table"]),
    ("l1-overflow", lambda i: i.header(l1=(1 << 64) - CLUSTER), ["l1-table"]),
    ("l1-over-header", lambda i: i.header(l1=HEADER), ["l1-table"]),
    ("l1-over-refcounts", lambda i: i.header(l1=BLOCK).put(BLOCK, ">Q", 0), ["overlap"]),
    ("l2-outside", lambda i: i.put(L1, ">Q", FILE_CLUSTERS * CLUSTER), ["l2-table"]),
    ("l2-is-header", lambda i: i.put(L1, ">Q", COPIED), ["l2-table"]),
    ("l2-is-l1", lambda i: i.put(L1, ">Q", L1 | COPIED), ["l2-shared"]),
    ("cluster-outside", lambda i: i.put(L2, ">Q", 1 << 50), ["cluster"]),
    ("cluster-askew", lambda i: i.put(L2, ">Q", DATA + 512), ["cluster"]),
    ("cluster-twice", lambda i: i.put(L2, ">Q", DATA + CLUSTER), ["cluster-shared"]),
    ("cluster-is-l1", lambda i: i.put(L2, ">Q", L1 | COPIED), ["cluster-shared"]),
    ("reserved-in-l1", lambda i: i.put(L1, ">Q", L2 | COPIED | 1), ["reserved-bits"]),
    ("reserved-in-l2", lambda i: i.put(L2, ">Q", DATA | COPIED | 1 << 60), ["reserved-bits"]),
]]

TOOL_ONLY = [(name, _flaw(maker), codes) for name, maker, codes in [
    ("no-refcounts", lambda i: i.put(BLOCK, f">{FILE_CLUSTERS}H", *[0] * FILE_CLUSTERS), ["tool-corruption"]),
    ("too-few-references", lambda i: i.put(BLOCK + 2 * 5, ">H", 0), ["tool-corruption"]),
]]

GOOD = [(name, _flaw(maker), []) for name, maker, codes in [
    ("plain", lambda i: i, []),
    ("feature-names", lambda i: i.extension(NAMES, _NAME_TABLE), []),
    ("longer-header", lambda i: i.header(header_length=112).extension(NAMES, _NAME_TABLE, at=112), []),
    ("zero-clusters", lambda i: i.put(L2, ">QQQ", DATA | COPIED | ZERO, ZERO, (DATA + CLUSTER) | COPIED), []),
    ("leaks", lambda i: i.put(L2, ">QQQ", 0, 0, 0), []),
    ("snapshot", lambda i: i.snapshot(), []),
]]
