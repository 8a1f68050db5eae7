"""An agent that is reached by a command only: what scenarios of it share, and a command that fails as told."""
import json
import os
import unittest

from .world import World, free_port

from lib import processes  # noqa: E402, from tests/api by .paths

OUT_OF_REACH, TIMED_OUT = 4, 8

# A line of the rule: a pattern for the words, and what becomes of a command that it fits.
SCRIPT = """\
#!/bin/sh
# What runs at the agent's side: straight, or as `rule` has it.
here=${0%/*}
words=$*
agent ()
{
  exec setpriv --reuid=USER --regid=USER --clear-groups --no-new-privs env PATH=PLACES "$@"
}
case $words in
  'secret-proxy relay '*) echo $$ >>"$here/relays" ;;
esac
while read -r how pattern; do
  case $words in
    $pattern) ;;
    *) continue ;;
  esac
  echo "$words" >>"$here/fitted"
  case $how in
    hang) exec sleep 1000 ;;
    stall) (agent "$@") | head -c 1000000; exec sleep 1000 ;;
    lose) (agent "$@") | head -c 1000000; echo 'connection reset by peer' >&2; exit 255 ;;
    fail) echo 'no route to host' >&2; exit 255 ;;
    vanish)
      mv "$here/reach" "$here/away"
      kill -9 $(cat "$here/relays")
      exit 255
      ;;
  esac
done <"$here/rule"
agent "$@"
"""


class Far:
    """The prefix of a world whose agent is on this machine."""

    def __init__(self, world):
        self.world, self.program = world, world.path("far", "reach")
        os.mkdir(world.path("far"), 0o755)
        places = f"{world.path('core')}:/usr/sbin:/usr/bin:/sbin:/bin"
        world.write("far/reach", SCRIPT.replace("USER", str(world.user)).replace("PLACES", places), 0o755)
        self.obey()
        world.configure(exec=self.program)

    def obey(self, *rules):
        """`rules`: (what to do, a pattern for the words); none: everything works."""
        self.world.write("far/rule", "".join(f"{how} {pattern}\n" for how, pattern in rules))

    def come_back(self):
        """After it has vanished."""
        os.rename(self.world.path("far", "away"), self.program)
        self.obey()

    @property
    def fitted(self):
        """The commands that a rule was for."""
        try:
            with open(self.world.path("far", "fitted"), encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def running(self):
        """The processes of the agent's side that a takeover has started."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                if any(word == self.world.staging + "/monitor.sock" for word in processes.arguments(pid)[1:3])]


class FarCase(unittest.TestCase):
    def world(self, **more):
        world = World(telegram=False, **more)
        self.addCleanup(world.close)
        return world

    def provision(self, world):
        world.agent_port = free_port()
        done = world.provision(port=world.agent_port)
        self.assertEqual(done.status, 0, done)

    def finished(self, world, done):
        """It was taken over, and the agent has what it is to have and nothing else."""
        self.assertEqual(done.status, 0, done)
        self.assertEqual(sorted(os.listdir(world.staging)), ["agent.json"] + ["plugin"] * os.path.isdir(world.staging + "/plugin"))
        status = os.stat(world.agent_file)
        self.assertEqual((status.st_uid, status.st_mode & 0o777), (world.user, 0o600))
        self.assertIsNone(world.agents_machine())
        self.assertNotIn("takeover.json", os.listdir(world.vault))

    def health(self, world):
        """What the agent sees, asked in its own way."""
        done = world.agent("-sS", "-k", "--max-time", "30", "--pinnedpubkey", self.told(world, "tls_pin"),
                           self.told(world, "url") + "/health", program="curl")
        self.assertEqual(done.status, 0, done)
        return done.json

    @staticmethod
    def told(world, name):
        with open(world.agent_file, encoding="utf-8") as file:
            return json.load(file)[name]
