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


def parent_of(pid) -> int:
    fields = _read(pid, "stat").rsplit(b")", 1)[-1].split()
    return int(fields[1]) if len(fields) > 1 and fields[0] != b"Z" else 0


def children(pid) -> list:
    """Living children, oldest first."""
    found = [int(e) for e in os.listdir("/proc") if e.isdigit() and parent_of(int(e)) == pid]
    return sorted(found, key=lambda p: _read(p, "stat").rsplit(b")", 1)[-1].split()[19:20])


def descendants(pid) -> list:
    out = []
    for child in children(pid):
        out += [child, *descendants(child)]
    return out


def _kind_of_plugin(pid):
    """"store" or "notify", by the plugin that it has mapped; None where that can't be seen."""
    maps = _read(pid, "maps")
    return "store" if b"/store-" in maps else "notify" if b"/notify-" in maps else None


def roles(local_pid) -> dict:
    """{"parent", "keeper", "gate", "store", "notify"} -> pid, as far as they run now."""
    out = {}
    for daemon in children(local_pid):
        if not comm(daemon).startswith("secret-proxyd"):
            continue
        out["parent"] = daemon
        hosts = []
        for child in children(daemon):
            name = comm(child)
            if name in ("sp-keeper", "sp-gate"):
                out[name[3:]] = child
            elif name == "sp-plugin":
                hosts.append(child)
        for host in hosts:
            kind = _kind_of_plugin(host)
            if kind is not None:
                out[kind] = host
    return out
