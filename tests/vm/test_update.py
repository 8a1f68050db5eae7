"""A vault moves to another image and back: with its data, by itself where the new one is no good, and when it is killed.

It is one that the host made alone; an administrator approves. The order is that of the names.
"""
import json
import os
import random
import subprocess
import time
import unittest

from vmlib.image import variant
from vmlib.world import World

from lib.http import Agent
from lib.wait import SLOW, until

SECRET, VALUE = "prod/db", "a value"
ROUNDS = int(os.environ.get("SECRET_PROXY_TEST_ROUNDS", "1"))
DEAF = "#!/bin/sh\nexec sleep 100000\n"


class Update(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = world = World(telegram=False)
        cls.addClassCleanup(world.close)
        cls.first = world.must("--json", "image", "list").json["items"][0]["image"]
        world.must("create", "default")
        given = world.path("agent.json")
        world.must("agent", "add", "agent", "--write", given)
        with open(given, encoding="utf-8") as file:
            written = json.load(file)
        cls.agent = Agent(world.port, written["token"], written["tls_pin"], name="agent")
        world.must("secret", "put", SECRET, input=VALUE.encode())
        cls.second = cls.imported("second", version="0.1.1")

    @classmethod
    def imported(cls, name, **how):
        made = cls.world.must("--json", "image", "import", variant(cls.world.path(name), **how))
        return made.json["image"].removeprefix("sha256:")

    # ---- what it is like

    def status(self):
        return self.world.must("--json", "vm", "status").json

    def works(self):
        status = self.status()
        return status["state"] == "running" and status["unlocked"]

    def moves(self):
        """(from, to) of each exchange that the audit log tells of."""
        items = self.world.must("--json", "audit", "show").json["items"]
        return [(item.get("from"), item["to"]) for item in items if item["event"] == "vault.updated"]

    def names(self):
        return {item["name"] for item in self.world.must("--json", "secret", "list").json["items"]}

    def redeem(self):
        asked = self.agent.ask(SECRET)
        self.world.must("request", "approve", asked["id"])
        self.assertEqual(self.agent.redeem(asked["id"]).json["value"], VALUE)

    def assert_serves(self, image, previous):
        """The vault works for its agent and its administrator, with that image and no other; nothing is half-done."""
        status = self.status()
        self.assertEqual((status["state"], status["unlocked"], status["on_trial"]), ("running", True, False), status)
        self.assertEqual((status["image"], status.get("previous_image")), (image, previous), status)
        shown = json.loads(self.world.must("--json", "--vault", self.world.vault + "/", "ownership", "show").json["statement"])
        self.assertEqual(shown["measurement"]["image"].removeprefix("sha256:"), image)
        self.world.must("--vault", self.world.vault + "/", "ownership", "verify")
        self.assertTrue(self.world.must("--json", "audit", "verify").json["ok"])
        self.assertNotIn("before.new", os.listdir(self.world.vault))
        self.redeem()

    # ---- there and back

    def test_1_it_moves_with_its_data(self):
        before = self.status()
        self.assertNotIn("rollback", before)
        refused = self.world.host("--json", "vm", "rollback-image")
        self.assertEqual((refused.status, refused.json["error"]["code"]), (6, "conflict"), refused)
        done = self.world.must("--json", "vm", "update")
        self.assertEqual([step["status"] for step in done.steps.values()], ["ok"] * 7, done)
        self.assert_serves(self.second, self.first)
        self.assertEqual(self.moves(), [(self.first, self.second)])
        self.assertEqual(self.status()["rollback"], "image, or image and data")
        for name in ("data.raw", "anchor", "vault.json"):
            self.assertEqual(os.stat(os.path.join(self.world.vault, "before", name)).st_mode & 0o777, 0o600)

    def test_2_images_in_use_stay(self):
        items = {item["image"]: item for item in self.world.must("--json", "image", "list").json["items"]}
        self.assertEqual(items[self.second]["used_by"], ["default"])
        self.assertEqual(items[self.first]["used_by"], ["default (before)"])
        for used in (self.first, self.second):
            refused = self.world.host("--json", "image", "rm", used, "--yes")
            self.assertEqual(refused.status, 6, refused)
        spare = self.imported("spare")
        self.world.must("image", "rm", "sha256:" + spare, "--yes")
        self.assertEqual({item["image"] for item in self.world.must("--json", "image", "list").json["items"]}, {self.first, self.second})

    def test_2_there_is_nothing_to_move_to(self):
        same = self.world.host("--json", "vm", "update", "--image", self.second)
        self.assertEqual(same.status, 6, same)
        older = self.world.host("--json", "vm", "update", "--image", self.first)
        self.assertEqual(older.status, 6, older)
        self.assertIn("--older", older.json["error"]["message"])
        self.assertEqual(self.world.host("vm", "update", "--image", "0" * 64).status, 5)
        self.assert_serves(self.second, self.first)

    def test_3_going_back_keeps_what_came_after(self):
        self.world.must("secret", "put", "after/one", input=b"x")
        self.world.must("--json", "vm", "rollback-image")
        self.assert_serves(self.first, self.second)
        self.assertIn("after/one", self.names())
        self.assertEqual(self.moves()[-1], (self.second, self.first))

    def assert_older_record_is_refused(self):
        world, path = self.world, os.path.join(self.world.vault, "vault.json")
        with open(path, encoding="utf-8") as file:
            kept = file.read()
        older = json.loads(kept)
        older["index"] -= 1
        for text, status in ((json.dumps(older), 9), (kept, None)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            if status:
                refused = world.host("--json", "vm", "start")
                self.assertEqual(refused.status, status, refused)
                self.assertIn("was set back", refused.json["error"]["message"])

    def test_4_going_back_with_the_data_loses_what_came_after_and_says_so(self):
        world = self.world
        world.must("vm", "stop")
        self.assert_older_record_is_refused()
        world.must("vm", "update")
        self.assertEqual(self.status()["state"], "stopped", "as it was found")
        world.must("vm", "start")
        world.must("secret", "put", "after/two", input=b"x")
        asked = world.host("--json", "vm", "rollback-image", "--data")
        self.assertEqual(asked.status, 2, asked)
        self.assertRegex(asked.json["error"]["message"], r"newest [1-9]\d* entries")
        self.assertIn("after/two", self.names())
        world.must("--json", "vm", "rollback-image", "--data", "--yes")
        self.assert_serves(self.first, self.second)
        self.assertEqual(self.names(), {SECRET, "after/one"})
        self.assertEqual({"data.after", "before"} & set(os.listdir(world.vault)), set())
        again = world.host("--json", "vm", "rollback-image", "--data", "--yes")
        self.assertEqual(again.status, 6, again)

    def test_5_an_image_that_never_answers_is_left_by_itself(self):
        deaf = self.imported("deaf", version="0.2.0", init=DEAF)
        moves, names = self.moves(), self.names()
        failed = self.world.host("--json", "vm", "update", "--deadline", f"{int(3 * SLOW)}s")
        self.assertEqual((failed.status, failed.json["error"]["code"]), (8, "timed-out"), failed)
        self.assertIn(f"the vault runs as before, with image {self.first[:12]}", failed.json["error"]["message"])
        self.assert_serves(self.first, self.second)
        # It had no keys, so the store never heard of it.
        self.assertNotIn(deaf, [image for move in self.moves()[len(moves):] for image in move])
        self.assertEqual(self.names(), names)
        self.world.must("image", "rm", deaf, "--yes")

    def kill_update_after(self, step):
        process = subprocess.Popen(self.world.host_argv("--json", "vm", "update"), env=self.world.host_env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        with process.stdout as lines:
            while json.loads(lines.readline())["step"] < step:
                pass
            process.kill()
        process.wait()

    def test_6_killed_on_trial(self):
        world = self.world
        self.kill_update_after(5)
        status = self.status()
        self.assertEqual((status["image"], status["on_trial"], status["unlocked"]), (self.second, True, True))
        world.must("secret", "put", "on-trial", input=b"x")
        world.must("vm", "stop")
        world.must("vm", "start")
        self.assert_serves(self.first, self.second)
        self.assertEqual(self.moves()[-2:], [(self.first, self.second), (self.second, self.first)])
        self.assertIn("on-trial", self.names())
        self.assertEqual(self.status()["rollback"], "image, or data")
        world.must("vm", "rollback-image", "--data", "--yes")
        self.assert_serves(self.first, self.second)
        self.assertNotIn("on-trial", self.names())

    def test_7_killed_at_any_moment(self):
        seed = random.randrange(10**6)
        dice, world = random.Random(seed), self.world
        for number in range(ROUNDS):
            with self.subTest(seed=seed, round=number):
                begun = self.status()["image"]
                there = self.second if begun == self.first else self.first
                world.must("secret", "put", f"killed/{number}", input=b"x")
                process = subprocess.Popen(world.host_argv("vm", "update", "--older", "--image", there), env=world.host_env,
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(dice.uniform(0, 6) * SLOW)
                process.kill()
                process.wait()
                # What it was starting ends with it; what was ready stays.
                until(lambda: not world.resident() or self.works(), "an end of the start", timeout=60)
                if not world.resident():
                    world.must("vm", "start")
                status = self.status()
                self.assertIn(f"killed/{number}", self.names())
                if status["image"] == begun or status["on_trial"]:
                    world.must("vm", "update", "--older", "--image", there)
                self.assert_serves(there, begun)
                self.assertIn(f"killed/{number}", self.names())


if __name__ == "__main__":
    unittest.main()
