"""The two checklists of the recipe that this project comes from, and what the programs print for each of their points.

What must stay true: each point has a line, in the recipe's order, with its time; where one does not
apply to an image the line says so.
"""
import re

# (the recipe's point, the step's name, what its line says besides)
AGENT = (
    ("Check for /dev/kvm access", "tools and /dev/kvm checked", "/dev/kvm"),
    ("Download Alpine cloud image", "image verified", "version"),
    ("Create cloud-init config with proxy setup", "cloud-init config", "needs no cloud-init"),
    ("Start nested VM with QEMU", "VM started", "monitor on"),
    ("Wait for proxy to be ready", "vault answers", "/health"),
    ("Test HTTP API works", "HTTP API tested", "unowned"),
    ("Signal ready for takeover", "ready for takeover", "READY_FOR_TAKEOVER"),
)
# With a cloud image one of them has another answer.
CLOUD_AGENT = tuple((point, name, "seed.iso" if name == "cloud-init config" else words) for point, name, words in AGENT)
HOST = (
    ("Receive takeover signal", "signal received", ""),
    ("Connect to monitor socket", "monitor connected", ""),
    ("Save VM state", "checkpoint saved", ""),
    ("Copy disk image to host location", "disk copied", ""),
    ("Generate new SSH keys", "keys made new", "no SSH, an appliance has no login"),
    ("Inject keys into VM (guestfish)", "started from host-owned files", "the new keys were put in"),
    ("Restart VM from host location", "started from host-owned files", ""),
    ("Remove agent's access to monitor/disk", "agent's access removed", "monitor, ready file and disk are gone"),
    ("Verify agent can still HTTP request", "agent's HTTP verified", "the agent reaches it"),
    ("Test full approval workflow", "approval workflow tested", ""),
)
# At `rebuilt`: keys for SSH come on the seed, instead of into a disk of the agent's, which is not copied.
CLOUD_HOST = tuple((point, name, {"Copy disk image to host location": "uses nothing of the agent's",
                                  "Generate new SSH keys": "SSH, and the machine's own"}.get(point, words)) for point, name, words in HOST)

LINE = re.compile(r"^\[ ?(?P<step>\d+)/(?P<count>\d+)\] (?P<name>.{30}) (?P<status>ok|skipped) +(?P<seconds>\d+\.\d\d) s  (?P<message>.*)$")


def read(out):
    """The steps in what provision or takeover has printed to a person, as --json would have them."""
    found = [match for match in map(LINE.match, out.splitlines()) if match]
    return [{"step": int(line["step"]), "name": line["name"].rstrip(), "status": line["status"], "ms": float(line["seconds"]) * 1000,
             "message": line["message"]} for line in found]


def wrong(steps, checklist):
    """What is missing, without a time, or in another order; "": nothing."""
    numbers = [line["step"] for line in steps]
    if not steps or numbers != list(range(1, len(steps) + 1)):
        return f"the steps are numbered {numbers}"
    if not all(line["ms"] >= 0 for line in steps):
        return f"there are steps without a time: {steps}"
    at = 0
    for point, name, words in checklist:
        found = next((i for i, line in enumerate(steps) if i >= at and line["name"] == name and words in line["message"]), None)
        if found is None:
            return f"no line for {point!r} ({name}: … {words} …) from step {at + 1} on in {steps}"
        at = found
    return ""
