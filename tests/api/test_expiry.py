"""What takes its time by the real clock: the shortest wait for a decision is 30 s, and `get` is patient too."""
import json
import os
import socket
import time
import unittest

from lib.case import Background, Case, TelegramCase
from lib.vault import run


class Expiry(TelegramCase):
    def test_nobody_decides(self):
        vault = self.telegram()
        vault.put("db", "x")
        agent = vault.agent()
        path = os.path.join(vault.home, "agent.json")
        vault.admin("agent", "add", "waiting", "--write", path)
        asked = agent.ask("db", ttl=30)
        began = time.monotonic()
        card = self.card(asked)
        get = Background(lambda: run("--json", "get", "db", "--reason", "r", "--ttl", "30",
                                     env={"SECRET_PROXY_AGENT_FILE": path}))
        seen = agent.look(asked["id"], 60)
        self.assertEqual(seen["status"], "expired")
        self.assertAlmostEqual(time.monotonic() - began, 30, delta=4)
        self.assert_problem(agent.redeem(asked["id"]), 410, "expired")
        self.assertIn("Expired", self.settled(card)["text"])
        self.assertEqual(vault.cli("request", "approve", "--", asked["id"]).status, 6)
        result = get.result(90)
        self.assertEqual(result.status, 8, result)
        self.assertEqual(agent.look(asked["id"])["status"], "expired")
        self.assertIn("request.expired", [e["event"] for e in vault.audit() if e.get("request") == asked["id"]])


class Unreachable(Case):
    def unheard_port(self) -> int:
        """A port on which nobody listens, held until the end, as another scenario's vault may get one that is let go."""
        held = socket.socket()
        self.addCleanup(held.close)
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]

    def test_get_gives_up_after_a_while(self):
        vault = self.vault()
        path = os.path.join(vault.home, "agent.json")
        vault.admin("agent", "add", "builder", "--write", path)
        nobody = self.unheard_port()
        with open(path, encoding="utf-8") as file:
            settings = json.load(file)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**settings, "url": f"https://127.0.0.1:{nobody}"}, file)
        result = run("--json", "get", "db", "--reason", "r", env={"SECRET_PROXY_AGENT_FILE": path}, timeout=80)
        self.assert_fails(result, 4, "unreachable")


if __name__ == "__main__":
    unittest.main()
