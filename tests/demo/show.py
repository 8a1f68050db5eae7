"""What both demos are told with: lines with times, and the person: on Telegram, or at a notifier of an author's own."""
import contextlib
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "api")]

from lib.case import BotApi  # noqa: E402
from own import OwnNotifier, Refused, split  # noqa: E402

EMULATED_PERSON = 42


class Wrong(Exception):
    """Something that the demo shows did not happen."""


# ---- lines ---------------------------------------------------------------------------------------

class Lines:
    def __init__(self):
        self.began = time.monotonic()
        self.colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def head(self, text):
        print("\n" + self.paint("1", text), flush=True)

    def step(self, who, text):
        at = self.paint("2", f"[{time.monotonic() - self.began:6.2f} s]")
        print(f"{at} {self.paint('36', f'{who:<8}')} {text}", flush=True)

    def vain(self, what, answer):
        self.step("agent", f"{what}: {self.paint('32', answer)}")

    def note(self, text):
        print(self.paint("2", text), flush=True)


def check(good, what):
    if not good:
        raise Wrong(what)


# ---- the person ----------------------------------------------------------------------------------

def telegram_sections(telegram, write, more):
    """Of the config file; the token goes into a file."""
    token = write("telegram-token", telegram.token + "\n")
    return f"[notify telegram]\nplugin = telegram\nbot-token = file:{token}\n{more}\n[approver you]\ntelegram = {telegram.person}\n"


class EmulatedTelegram:
    """Telegram's stand-in on this machine; the person is at the terminal, or an option."""

    def __init__(self, lines, answer, tls=None):
        self.lines, self.answer, self.api, self.denied = lines, answer, BotApi(tls=tls), False
        self.person, self.token = EMULATED_PERSON, self.api.token
        # How long a message may take, and what says that none will come any more.
        self.patience, self.over = 60, lambda: False

    def start(self):
        self.api.start()
        self.lines.step("telegram", f"emulated on this machine, at {self.api.url}")

    def stop(self):
        self.api.stop()

    name = "telegram"

    def sections(self, write):
        return telegram_sections(self, write, f"api-base = {self.api.url}\n")

    def decide(self, words):
        """The message that has these words comes, and a button is pressed."""
        card, end = None, time.monotonic() + self.patience
        while card is None and time.monotonic() < end and not self.over():
            with contextlib.suppress(TimeoutError):
                card = self.api.wait_message(self.person, words, timeout=1)
        check(card is not None, "the bot sent no message")
        self.lines.step("telegram", "the bot sends this message to you:")
        print("\n" + self.api.render(card, color=self.lines.colour) + "\n", flush=True)
        press = self.answer or self._ask()
        self.denied = press == "deny"
        self.lines.step("you", f"press {'Approve once' if press == 'approve' else 'Deny'}")
        query = self.api.tap(self.person, card["message_id"], "Approve once" if press == "approve" else "Deny")
        toast = self.api.wait_answer(query, timeout=30)
        check(toast is not None, "the tap was not answered")
        self.lines.step("telegram", f"your tap is answered: “{toast['text']}”")
        return card

    def settled(self, card):
        edited = self.api.wait_edit(self.person, card["message_id"], {"no_keyboard": True}, timeout=30)
        first = edited["text"].splitlines()[0]
        self.lines.step("telegram", f"the message has no buttons any more, and begins with “{first}”")

    @staticmethod
    def _ask():
        while True:
            typed = input("Press a button: [a]pprove or [d]eny? ").strip().lower()
            if typed[:1] in ("a", "d"):
                return "approve" if typed[0] == "a" else "deny"


class RealTelegram:
    """The real one: the person has it in the hand."""

    def __init__(self, lines, token, person):
        self.lines, self.token, self.person, self.denied = lines, token, person, False

    def start(self):
        self.lines.step("telegram", f"the real one; the bot will write to user {self.person}")

    def stop(self):
        pass

    name = "telegram"

    def sections(self, write):
        return telegram_sections(self, write, "")

    def decide(self, words):
        self.lines.step("telegram", f"look at your phone: the message says {words}")

    def settled(self, card):
        self.lines.step("telegram", "the message on your phone says how it went")


# ---- the command line ----------------------------------------------------------------------------

def answer_of(arguments):
    if "--deny" in arguments:
        return "deny"
    if "--yes" in arguments or not sys.stdin.isatty() or os.environ.get("CI") == "true":
        return "approve"
    return None


def channel_of(lines, arguments, on_host):
    """Where the person is asked: a notifier of an author's own, or Telegram."""
    try:
        path, options = split(arguments)
        if path is not None:
            return OwnNotifier(lines, answer_of(arguments), path, options, on_host)
    except Refused as error:
        raise Wrong(str(error)) from error
    return telegram_of(lines, arguments)


def telegram_of(lines, arguments, tls=None):
    token, person = os.environ.get("TELEGRAM_BOT_TOKEN"), os.environ.get("TELEGRAM_APPROVER")
    # No program that is started from here may find it there.
    os.environ.pop("TELEGRAM_BOT_TOKEN", None)
    if bool(token) != bool(person):
        raise Wrong("TELEGRAM_BOT_TOKEN and TELEGRAM_APPROVER go together: set both, or none")
    return RealTelegram(lines, token, person) if token else EmulatedTelegram(lines, answer_of(arguments), tls)
