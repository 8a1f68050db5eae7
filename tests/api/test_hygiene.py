"""No value, token or key where it does not belong: logs, arguments, environments, memory of others, files."""
import base64
import json
import os
import re
import stat
import unittest

from lib import processes
from lib.case import ALICE, TOKEN, TelegramCase
from lib.wait import until

VALUE = "a-value-that-is-nowhere-7f3a9c"


class Hygiene(TelegramCase):
    def setUp(self):
        super().setUp()
        self.v = self.telegram(tls="required")
        self.v.put("db", VALUE)
        self.path = os.path.join(self.v.home, "agent.json")
        self.v.admin("agent", "add", "builder", "--write", self.path)
        with open(self.path, encoding="utf-8") as file:
            self.token = json.load(file)["token"]
        agent = self.v.anonymous(self.token, tls=True)
        for button in ("Approve once", "Deny"):
            asked = agent.ask("db")
            self.tap(asked, button)
            agent.redeem(asked["id"])
        agent.call("POST", "/v1/requests", {"secret": VALUE, "reason": self.token})
        agent.call("GET", f"/v1/requests/{VALUE}")
        self.v.anonymous(VALUE, tls=True).call("GET", "/v1/secrets")
        self.v.cli("secret", "put", "bad name", input=VALUE)
        self.v.cli("secret", "put", "db", "--base64", input=VALUE)
        self.master = self.read("master.key")
        self.assertGreaterEqual(len(self.hidden()), 10, "the keys were not found")

    def read(self, name):
        with open(os.path.join(self.v.folder, name), "rb") as file:
            return file.read()

    def hidden(self):
        """What must not show, in the forms in which it could."""
        private = [line for name in ("vault.key", "host.key", "tls.pem") for line in self.private_lines(self.read(name))]
        return {"value": VALUE.encode(), "value in base64": base64.b64encode(VALUE.encode())[:-4],
                "token of the agent": self.token.encode(), "token of the bot": TOKEN.split(":")[1].encode(),
                "master key": self.master, "master key in hex": self.master.hex().encode(),
                "master key in base64": base64.b64encode(self.master)[:-4],
                **{f"private key line {n}": line for n, line in enumerate(private)}}

    @staticmethod
    def private_lines(pem):
        """The first line of each private key in a PEM file."""
        return re.findall(rb"PRIVATE KEY-----\r?\n([A-Za-z0-9+/=]{20,})", pem)

    def assert_clean(self, data, where, leave_out=()):
        for what, text in self.hidden().items():
            if what not in leave_out and text:
                self.assertNotIn(text, data, f"{where} holds the {what}")

    def test_logs(self):
        self.v.restart()
        self.assert_clean(self.v.log().encode(), "the log")

    def test_arguments_and_environments(self):
        for pid in self.v.all_processes():
            where = f"{processes.comm(pid)} ({pid})"
            self.assert_clean("\0".join(processes.arguments(pid)).encode(), f"the arguments of {where}")
            self.assert_clean(processes.environment(pid), f"the environment of {where}")

    def test_the_audit_log_and_the_lists(self):
        for verb in (("audit", "show"), ("request", "list"), ("secret", "list"), ("agent", "list"), ("status",)):
            out = self.v.cli("--json", *verb).out
            # The agent itself wrote its token and the value into a reason above, which was refused.
            self.assert_clean(out, " ".join(verb))

    def test_what_lies_on_the_disk(self):
        keys = {"master.key", "vault.key", "host.key", "tls.pem"}
        for folder, _, names in os.walk(self.v.folder):
            self.assertEqual(os.stat(folder).st_mode & 0o077, 0, folder)
            for name in names:
                path = os.path.join(folder, name)
                mode = os.lstat(path).st_mode
                self.assertEqual(mode & 0o077, 0, f"{path} has mode {mode & 0o7777:04o}")
                if stat.S_ISREG(mode) and name not in keys:
                    with open(path, "rb") as file:
                        self.assert_clean(file.read(), path)

    def test_names_are_sealed_too(self):
        self.v.put("telling-name-of-a-secret", "x", "--description", "telling description")
        self.v.end()
        for folder, _, names in os.walk(self.v.folder + "/state"):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    data = file.read()
                for text in (b"telling-name", b"telling description", b"builder"):
                    self.assertNotIn(text, data, f"{name} shows {text}")

    def test_what_telegram_gets_to_see(self):
        said = json.dumps([e["params"] for e in self.api.log()]) + json.dumps(self.api.messages(ALICE))
        self.assertNotIn(VALUE, said)
        self.assertNotIn(self.token, said)

    def test_no_process_can_be_dumped_or_gain_rights(self):
        for name, pid in self.v.roles().items():
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                status = dict(line.split(":", 1) for line in file)
            self.assertEqual(status["NoNewPrivs"].strip(), "1", name)
            with open(f"/proc/{pid}/limits", encoding="ascii") as file:
                core = next(line for line in file if line.startswith("Max core file size"))
            self.assertEqual(core.split()[4:6], ["0", "0"], name)

    def test_processes_share_no_descriptors_of_others(self):
        roles = until(lambda: (r := self.v.roles()) and len(r) == 5 and r, "all processes")
        self.assertEqual(set(roles), {"parent", "keeper", "gate", "store", "notify"})
        for name in ("gate", "notify", "keeper"):
            try:
                targets = [os.readlink(f"/proc/{roles[name]}/fd/{fd}") for fd in os.listdir(f"/proc/{roles[name]}/fd")]
            except PermissionError:
                self.skipTest("needs root")
            for target in targets:
                self.assertNotIn("vault.db", target, name)
                self.assertNotIn(".key", target, name)

    def test_the_values_key_is_in_the_keeper_only(self):
        for name, pid in self.v.roles().items():
            if name in ("keeper", "parent"):
                continue
            found = memory_has(pid, self.master)
            if found is None:
                self.skipTest("may not read the memory of processes")
            self.assertFalse(found, f"{name} holds the master key")


def memory_has(pid, needle):
    """Whether the memory of a process holds these bytes; None where it can't be read."""
    try:
        with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                span, mode = line.split()[:2]
                start, end = (int(x, 16) for x in span.split("-"))
                if "w" not in mode or end - start > 1 << 28:
                    continue
                try:
                    memory.seek(start)
                    if needle in memory.read(end - start):
                        return True
                except OSError:
                    continue
    except OSError:
        return None
    return False


if __name__ == "__main__":
    unittest.main()
