"""The processes of a vault, found by their parents and names in /proc."""
import os


def _read(pid, what):
    try:
        with open(f"/proc/{pid}/{what}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def comm(pid) -> str:
    return _read(pid, "comm").decode(errors="replace").strip()


def arguments(pid) -> list:
    return _read(pid, "cmdline").decode(errors="replace").split("\0")[:-1]


def environment(pid) -> bytes:
    return _read(pid, "environ")


def uid_of(pid) -> int:
    return next((int(line.split()[2]) for line in _read(pid, "status").splitlines() if line.startswith(b"Uid:")), -1)


def parent_of(pid) -> int:
    fields = _read(pid, "stat").rsplit(b")", 1)[-1].split()
    return int(fields[1]) if len(fields) > 1 and fields[0] != b"Z" else 0


def children(pid) -> list:
    """Living children, oldest first."""
    found = [int(e) for e in os.listdir("/proc") if e.isdigit() and parent_of(int(e)) == pid]
    return sorted(found, key=lambda p: (_started(p), p))


def ancestors(pid) -> list:
    """From its parent on; empty where it has ended."""
    out, parent = [], parent_of(pid)
    while parent > 1:
        out.append(parent)
        parent = parent_of(parent)
    return out


def _started(pid) -> int:
    fields = _read(pid, "stat").rsplit(b")", 1)[-1].split()
    return int(fields[19]) if len(fields) > 19 else 0


def descendants(pid) -> list:
    out = []
    for child in children(pid):
        out += [child, *descendants(child)]
    return out


def _kind_by_memory(pid):
    """"store" or "notify", by the plugin that it has mapped; None where that can't be seen."""
    maps = _read(pid, "maps")
    return "store" if b"/store-" in maps else "notify" if b"/notify-" in maps else None


def _kinds(hosts, known):
    """pid -> "store" or "notify". Only root sees what another process has mapped; for others the
    store is the older one of two that are new, and what is new beside a known one is the other."""
    out = {pid: known.get(pid) or _kind_by_memory(pid) for pid in hosts}
    left = [pid for pid in hosts if out[pid] is None]
    if os.geteuid() != 0 and left:
        missing = [kind for kind in ("store", "notify") if kind not in out.values()]
        if len(left) == len(missing) or len(hosts) == 2:
            out.update(zip(left, missing))
    return {pid: kind for pid, kind in out.items() if kind}


def roles(local_pid, known) -> dict:
    """{"parent", "keeper", "gate", "store", "notify"} -> pid, as far as they run now.

    `known` is what earlier calls for the same vault have found out; it is added to."""
    out = {}
    for daemon in children(local_pid):
        if not comm(daemon).startswith("secret-proxyd"):
            continue
        out["parent"], hosts = daemon, []
        for child in children(daemon):
            name = comm(child)
            if name in ("sp-keeper", "sp-gate"):
                out[name[3:]] = child
            elif name == "sp-plugin":
                hosts.append(child)
        kinds = _kinds(hosts, known)
        known.update(kinds)
        out.update({kind: pid for pid, kind in kinds.items()})
    return out
