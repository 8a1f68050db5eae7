"""Checks how the sources of the tree look: what includes what, how long things are, what is not called.

    python3 tests/style/style.py [TREE]

Each finding is a line FILE:LINE: WHAT; the exit status is 1 where there is one.
What is allowed in spite of a rule stands in WAIVERS, with its reason, and is
printed; a waiver that nothing needs any more is a finding itself.
"""
import os
import re
import statistics
import subprocess
import sys

TREE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

# ---- the rules -----------------------------------------------------------------------------------

# Which parts of core/ a part may include from; each may include from itself and from include/.
LAYERS = {
    "base": set(),
    "plugin": {"base"},
    "vault": {"base", "plugin"},
    "daemon": {"base", "plugin", "vault"},
    "host": {"base", "plugin"},
    "cli": {"base", "plugin", "host"},
    "guest": {"base"},
}
# Plugins that share code, and where that lies; what lies there is no plugin and includes from no other folder.
COMMON = {**{name: ("plugins/vm-common",) for name in ("vm-libvirt", "vm-qemu")},
          **{name: ("plugins/notify-common",) for name in ("notify-telegram", "notify-webhook")}}
MAX_LINES = 500
# A test's scenarios may stay together.
MAX_TEST_LINES = 560
# Longest function; and how many may be longer than SOFT, of all.
MAX_FUNCTION, SOFT_FUNCTION, SOFT_SHARE = 80, 60, 0.01
# Half of all functions are shorter than this.
MEDIAN_FUNCTION = 17

BANNED = {
    "strcpy": "use g_strlcpy or g_strdup", "strcat": "use GString", "sprintf": "use g_snprintf",
    "vsprintf": "use g_vsnprintf", "gets": "it has no bound", "system": "no shell", "popen": "no shell",
    "g_spawn_command_line_sync": "no shell", "g_spawn_command_line_async": "no shell",
    "strtok": "use g_strsplit", "alloca": "unbounded stack", "g_alloca": "unbounded stack", "tmpnam": "a race", "mktemp": "a race",
}
BANNED_OUTSIDE_TESTS = {
    "g_assert": "return an error", "assert": "return an error",
    "g_assert_true": "for tests", "g_assert_cmpint": "for tests", "g_assert_cmpstr": "for tests",
    "g_assert_no_error": "for tests",
}
# Call: the one file that may.
RESERVED = {
    "json_parser_load_from_data": "core/base/json.c",
    "json_parser_load_from_file": None,
    "json_parser_load_from_stream": None,
    "json_from_string": None,
}
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
PLUGIN_NAMES = ("telegram", "sqlite", "qemu", "libvirt")

# (file, rule, part of the line): why it may be so.
WAIVERS = {
    ("core/host/vm/provision.c", "plugin-name", "DEFAULT_VM"):
        "an agent has no config file that could name the vm plugin",
    ("core/host/appliance/image-disk.c", "plugin-name", '"qemu-img", "convert"'):
        "the tool that writes the image format",
    ("core/host/appliance/image-disk.c", "plugin-name", '"qemu-utils"'):
        "the package of that tool",
    ("core/host/cloud/cloud-make.c", "plugin-name", 'DISK_TOOL "qemu-img"'):
        "the tool that writes the image format",
    ("core/host/cloud/cloud-make.c", "plugin-name", 'DISK_PACKAGE "qemu-utils"'):
        "the package of that tool",
    ("core/host/audit/room.c", "plugin-name", '#define DISK_TOOL "'):
        "the tool that reads and writes the image format",
    ("core/host/vm/provision-image.c", "plugin-name", '"qemu-img", "qemu-utils"'):
        "the tool that writes the image format, and its package",
    ("core/host/image/tool.c", "plugin-name", 'TOOL "qemu-img"'):
        "the tool of that name, which belongs to the image format and not to a plugin",
    ("core/base/config-vault.c", "plugin-name", '.fallback = "sqlite"'):
        "the default of the config file's contract",
    ("core/host/monitor/human.c", "plugin-name", '#define BANNER "QEMU "'):
        "how the monitor greets that may speak this dialect",
    ("core/host/monitor/human.c", "plugin-name", '#define PROMPT "(qemu) "'):
        "how that monitor asks for a command",
    ("core/host/resident/local.c", "plugin-name", "store = sqlite"):
        "the built-in config of a local vault, which says the default aloud",
    ("core/host/source/source.h", "plugin-name", "SP_STAGING_PID"):
        "a file name that agents know, whatever runs vaults here",
    ("core/host/source/private.h", "plugin-name", "SP_SOURCE_MACHINE"):
        "what agents run, whatever runs vaults here",
}

# ---- reading C -----------------------------------------------------------------------------------

COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    return COMMENT_OR_STRING.sub(lambda m: _blank(m[0]) if m[0][0] == "/" else m[0], text)


def without_strings(text):
    return COMMENT_OR_STRING.sub(lambda m: _blank(m[0]), text)


def functions(text):
    """(name, first line, lines) of each function; its body begins with a brace in the first column."""
    lines, out, start = without_strings(text).splitlines(), [], None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            out.append((_name_before(lines, start), start, number - start - 1))
            start = None
    return out


def _name_before(lines, start):
    for line in reversed(lines[max(0, start - 12):start - 1]):
        found = re.match(r"([A-Za-z_]\w*) \(", line)
        if found:
            return found[1]
    return "?"


# ---- the checks: each gives (line, rule, what) ---------------------------------------------------

def check_length(path, text):
    count, most = text.count("\n"), MAX_TEST_LINES if path.startswith("tests/") else MAX_LINES
    if count > most:
        yield 1, "file-length", f"{count} lines; at most {most}"


def check_opening(path, text):
    if path.endswith((".c", ".h")) and not text.startswith("/*"):
        yield 1, "opening", "does not begin with a comment that says what it is"


def check_marks(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if MARKS.search(line):
            yield number, "mark", f"unfinished: {line.strip()[:60]}"


def check_calls(path, text):
    code, is_test = without_strings(text), path.startswith("tests/")
    banned = BANNED if is_test else {**BANNED, **BANNED_OUTSIDE_TESTS}
    for found in re.finditer(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(", code):
        name, number = found[1], code.count("\n", 0, found.start()) + 1
        if name in banned:
            yield number, "call", f"{name}(): {banned[name]}"
        if name in RESERVED and path != RESERVED[name] and not is_test:
            yield number, "call", f"{name}(): only the bounded reader may parse JSON"
    for found in re.finditer(r"\bgoto\b", code):
        yield code.count("\n", 0, found.start()) + 1, "goto", "goto: use automatic cleanup"


def check_functions(path, text):
    for name, number, length in functions(text):
        if length > MAX_FUNCTION:
            yield number, "function-length", f"{name}() has {length} lines; at most {MAX_FUNCTION}"


def _includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'\s*#\s*include\s+([<"])([^>"]+)', line)
        if found:
            yield number, found[1] == "<", found[2]


def check_includes(path, text):
    parts = path.split("/")
    if parts[0] == "core" and parts[1] in LAYERS:
        yield from _check_core_includes(parts[1], text)
    elif parts[:2] == ["core", "include"]:
        for number, system, name in _includes(text):
            if not system:
                yield number, "include", f'"{name}": a public header includes <…> only'
    elif parts[0] == "plugins":
        yield from _check_plugin_includes(path, text)


def _check_core_includes(layer, text):
    may = LAYERS[layer] | {layer}
    for number, system, name in _includes(text):
        first = name.split("/")[0]
        if not system and "/" in name and first in LAYERS and first not in may:
            yield number, "include", f'"{name}": {layer} may include from {", ".join(sorted(may))} only'
        if not system and name.startswith(("..", "/")):
            yield number, "include", f'"{name}": write it from core/ on'


def _check_plugin_includes(path, text):
    for number, system, name in _includes(text):
        if system and name.startswith("secret-proxy/") or system and not name.startswith("core/"):
            continue
        folders = (os.path.dirname(path), *COMMON.get(path.split("/")[1], ()))
        if system or "/" in name or not any(os.path.exists(os.path.join(TREE, folder, name)) for folder in folders):
            yield number, "include", f"{name}: a plugin includes <secret-proxy/…>, system libraries and its own files"


def check_plugin_names(path, text):
    if not path.startswith("core/") or not path.endswith((".c", ".h")):
        return
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        for name in PLUGIN_NAMES:
            if re.search(rf"\b{name}\b|{name}[-_]", line, re.I):
                yield number, "plugin-name", f"core names a plugin: {line.strip()[:70]}"


CHECKS = (check_length, check_opening, check_marks, check_calls, check_functions, check_includes, check_plugin_names)


def check_text(path, text):
    """All findings in one file."""
    return [finding for check in CHECKS for finding in check(path, text)]


# ---- the tree ------------------------------------------------------------------------------------

def sources(tree):
    for top in ("core", "plugins", "tests"):
        for folder, folders, names in os.walk(os.path.join(tree, top)):
            folders[:] = [f for f in folders if f != "__pycache__"]
            for name in sorted(names):
                if name.endswith((".c", ".h", ".py")) or (top != "tests" and name == "meson.build"):
                    yield os.path.relpath(os.path.join(folder, name), tree)


def is_c(path):
    return path.endswith((".c", ".h"))


def checks_of(path, text):
    if is_c(path):
        return check_text(path, text)
    own = path == "tests/style/style.py" or path == "tests/style/test_style.py"
    return list(check_length(path, text)) + ([] if own else list(check_marks(path, text)))


def waiver_of(path, rule, line):
    for key in WAIVERS:
        if key[0] == path and key[1] == rule and key[2] in line:
            return key
    return None


def check_formats(tree, paths):
    """What clang-format would change."""
    formatted = [os.path.join(tree, p) for p in paths if is_c(p)]
    try:
        done = subprocess.run(["clang-format", "--dry-run", *formatted], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        print("clang-format is not installed: the format is not checked")
        return []
    found = sorted({tuple(line.split(":")[:2]) for line in done.stderr.splitlines() if "[-Wclang-format-violations]" in line})
    return [(os.path.relpath(name, tree), int(number), "format", "clang-format would change it") for name, number in found]


def check_all_functions(texts):
    """What can only be said of all functions together: (file, line, rule, what)."""
    every = [(length, path, name) for path, text in texts.items() if path.startswith(("core/", "plugins/"))
             for name, _, length in functions(text)]
    if not every:
        return
    lengths = [length for length, _, _ in every]
    middle, soft = statistics.median(lengths), [e for e in every if e[0] > SOFT_FUNCTION]
    print(f"{len(every)} functions; half have at most {middle:.0f} lines, the longest {max(lengths)}, "
          f"{len(soft)} more than {SOFT_FUNCTION}")
    if middle >= MEDIAN_FUNCTION:
        yield "core", 1, "function-length", f"half of the functions have {middle:.0f} lines or more; less than {MEDIAN_FUNCTION}"
    if len(soft) > SOFT_SHARE * len(every):
        for length, path, name in soft:
            yield path, 1, "function-length", f"{name}() has {length} lines; nearly all have at most {SOFT_FUNCTION}"


def findings(tree):
    texts, out, used = {}, [], set()
    for path in sources(tree):
        with open(os.path.join(tree, path), encoding="utf-8") as file:
            texts[path] = file.read()
    for path, text in texts.items():
        lines = text.splitlines() or [""]
        for number, rule, what in checks_of(path, text):
            key = waiver_of(path, rule, lines[number - 1] if number <= len(lines) else "")
            used.add(key)
            if key is None:
                out.append((path, number, rule, what))
    out += check_formats(tree, texts)
    out += check_all_functions(texts)
    out += [(key[0], 1, "waiver", f"nothing needs the waiver for {key[2]!r} any more") for key in WAIVERS if key not in used]
    return out


def main(arguments):
    tree = os.path.abspath(arguments[0]) if arguments else TREE
    found = findings(tree)
    for (path, rule, part), why in WAIVERS.items():
        print(f"waived: {path}: {rule}: {part}: {why}")
    for path, number, rule, what in sorted(found):
        print(f"{path}:{number}: {what} [{rule}]")
    print(f"{len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
