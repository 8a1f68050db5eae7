"""Each plugin of tests/bad fails the one point that it should, with what is wrong and what to mend."""
import concurrent.futures
import json
import subprocess
import unittest

from kit import PROGRAM, bad, check

# Plugin: the point that fails, and a part of what is said about it; None: all is well.
VERDICTS = {
    "notify-answers-unknown": ("notify/answers-known-notice", "to the notice 'another-notice'"),
    "notify-answers-unlisted": ("notify/answers-listed-person", "as '999999'"),
    "notify-bad-name": ("description/words", "its name is not lower case"),
    "notify-bad-options": ("options/table", "a secret can't have a default"),
    "notify-changes-environment": ("hygiene/environment", "post() changed BAD_PLUGIN"),
    "notify-changes-folder": ("hygiene/working-directory", "post() changed the working directory to /"),
    "notify-changes-locale": ("hygiene/locale", "post() changed the locale to C"),
    "notify-changes-thread-locale": ("hygiene/locale", "start() left another locale to its thread"),
    "notify-changes-umask": ("hygiene/umask", "post() changed the umask from 0077 to 0000"),
    "notify-dies": ("contract/survives", "post() ended the process: signal 9"),
    "notify-dies-on-load": ("contract/survives", "loading it ended the process: signal 9"),
    "notify-exits": ("contract/survives", "post() ended the process: exit status 0"),
    "notify-fails-in-open": ("life/least-options", "no such chat"),
    "notify-false-without-error": ("contract/error", "post() failed and set no error"),
    "notify-handles-signals": ("hygiene/signals", "post() changed what signal 10"),
    "notify-hangs-in-open": ("contract/deadline", "open() took longer than 5000 ms"),
    "notify-hangs-on-load": ("contract/deadline", "loading it took longer than 5000 ms"),
    "notify-honest": None,
    "notify-ignores-children": ("hygiene/signals", "open() changed what signal 17"),
    "notify-ignores-deadline": ("contract/deadline", "post() went on for more than 2000 ms"),
    "notify-lacks-library": ("file/loads", "undefined symbol: sp_nowhere_at_all"),
    "notify-leaks-descriptor": ("life/descriptors", "leave 12 open descriptors behind"),
    "notify-leaks-memory": ("life/memory", "bytes of memory behind"),
    "notify-leaks-process": ("hygiene/children", "1 processes that it had started"),
    "notify-leaks-thread": ("hygiene/threads", "after close(): poller"),
    "notify-leaves-daemon": ("hygiene/children", "1 processes that it had started"),
    "notify-leaves-open-on-exec": ("hygiene/close-on-exec", "/dev/null"),
    "notify-minds-deadline": None,
    "notify-no-close": ("description/calls", "it lacks the call close()"),
    "notify-no-post": ("description/calls", "it lacks the call post()"),
    "notify-no-summary": ("description/words", "its version or summary is not one line"),
    "notify-no-symbol": ("file/one-symbol", "it does not export sp_plugin() but sp_something_else"),
    "notify-prints": ("hygiene/stdout", "it wrote to stdout: Release of the secret"),
    "notify-prints-on-load": ("hygiene/stdout", "it wrote to stdout: hello"),
    "notify-returns-nothing": ("description/abi", "its sp_plugin() returns nothing"),
    "notify-shares-state": ("life/two-instances", "the same instance twice"),
    "notify-short-table": None,
    "notify-shouts": ("contract/sentence", "starts with a capital letter"),
    "notify-tiny": ("description/abi", "its description has 16 bytes"),
    "notify-troubled": None,
    "notify-true-with-error": ("contract/error", "post() succeeded and set an error all the same"),
    "notify-two-symbols": ("file/one-symbol", "it exports 2 symbols: sp_plugin, helper"),
    "notify-unescaped-markup": ("notify/render-markup", "it passes tags on"),
    "notify-unescaped-text": ("notify/render-one-line", "can begin a line of their own"),
    "notify-unknown-kind": ("description/abi", "its kind is 99"),
    "notify-unmarked-agent": ("notify/render-marks-agent", "just like what the core says"),
    "notify-unreachable": None,
    "notify-wrong-abi": ("description/abi", "it is built for plugin ABI 9"),
    "notify-wrong-kind": ("description/words", "it says that it is the store plugin"),
    "notify-wrong-name": ("description/words", "whose file is named notify-right-name.so"),
    "notify-wrong-ops-abi": ("description/abi", "it is built for notify ABI 7"),
    "store-lost-update": ("store/two-writers", "one of them was lost"),
    "store-torn-write": ("store/killed", "it left a part of a batch"),
    "vm-no-inspect": ("description/calls", "it lacks the call inspect()"),
}
# Those that break more than one promise, and some of what they break.
CARELESS = {
    "store-careless": {"store/absent", "store/conflict", "store/order", "store/reopen"},
    "vm-careless": {"vm/probe", "vm/unknown", "vm/nonsense"},
}
SECONDS = 60


class Bad(unittest.TestCase):
    def test_each_fails_what_it_should(self):
        # Those that hang have the suite wait for their deadlines.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            verdicts = dict(zip(VERDICTS, pool.map(lambda name: check(bad(name), seconds=SECONDS), VERDICTS)))
        for name, wanted in VERDICTS.items():
            with self.subTest(name):
                verdict = verdicts[name]
                if wanted and "sanitizer" in verdict.skipped.get(wanted[0], ""):
                    continue
                self.assertEqual(list(verdict.failed), [wanted[0]] if wanted else [], verdict.out)
                self.assertEqual(verdict.status, 1 if wanted else 0)
                self.assertEqual(verdict.out.splitlines()[-1], f"1..{len(verdict.names)}")
                if wanted:
                    lines = verdict.failed[wanted[0]]
                    self.assertIn(wanted[1], lines[0])
                    self.assertRegex(lines[-1], r"^mend: .{10}")

    def test_the_careless_fail_a_lot(self):
        for name, wanted in CARELESS.items():
            with self.subTest(name):
                verdict = check(bad(name))
                self.assertEqual(verdict.status, 1)
                self.assertLessEqual(wanted, set(verdict.failed))

    def test_what_comes_after_a_closed_gate_is_not_judged(self):
        verdict = check(bad("notify-wrong-abi"))
        self.assertEqual(verdict.skipped["notify/post"], "not reached: see description/abi")
        self.assertEqual(verdict.skipped["contract/error"], "not reached: see description/abi")
        self.assertNotIn("file/loads", verdict.skipped)

    def test_json(self):
        done = subprocess.run([PROGRAM, "--json", "plugin", "check", bad("notify-changes-umask")],
                              capture_output=True, text=True, check=False, timeout=SECONDS)
        self.assertEqual(done.returncode, 1)
        report = json.loads(done.stdout)
        self.assertFalse(report["ok"])
        failed = [point for point in report["points"] if point["verdict"] == "failed"]
        self.assertEqual([point["name"] for point in failed], ["hygiene/umask"])
        self.assertTrue(failed[0]["message"] and failed[0]["mend"])


if __name__ == "__main__":
    unittest.main()
