"""An emulator of the Telegram Bot API, for tests and for the demo.

Why our own: what breaks bots is long polling, conflicts, flood control, lost
replies and forged taps, and emulators for the happy path have none of these.
`BotApi` is everything that a test needs: the server a bot talks to, the
people on the other side, faults on demand, and a clock that can be moved. The
same verbs are served over HTTP, see `server.py`.

What must stay true: standard library only; listens on loopback only; nothing
a client sends ends it; the bot token is never in `log()`; error texts and
queue rules are those of the real server.
"""
import os
import ssl
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from botapi_parts import poison as P, render as R  # noqa: E402
from botapi_parts.bot_http import BotHandler, QuietServer  # noqa: E402
from botapi_parts.clock import wait_real  # noqa: E402
from botapi_parts.control import ControlHandler  # noqa: E402
from botapi_parts.faults import Faults  # noqa: E402
from botapi_parts.methods import Methods  # noqa: E402
from botapi_parts.polling import Polling  # noqa: E402
from botapi_parts.state import State  # noqa: E402
from botapi_parts.user_side import UserSide  # noqa: E402

DEFAULT_TOKEN = "123456:TEST-abcdefghijklmnopqrstuvwxyz0123"
LOOPBACK = ("127.0.0.1", "localhost")


class BotApi(UserSide):
    """One bot's view of Telegram. See UserSide for what people can do."""

    def __init__(self, token=DEFAULT_TOKEN, tls=None, host="127.0.0.1", port=0,
                 open_chats=True, bot_name="Secret Proxy", bot_username="secret_proxy_bot"):
        if host not in LOOPBACK:
            raise ValueError("the emulator listens on loopback only")
        state = State(token, open_chats, bot_name, bot_username)
        self.polling = Polling(state)
        super().__init__(state, Methods(state, self.polling))
        self.host, self.port, self.tls = host, port, tls
        self._faults = Faults(state)
        self._server = self._control = None
        self._done = threading.Event()

    # life

    def start(self) -> "BotApi":
        context = None
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
        self._server = QuietServer((self.host, self.port), BotHandler, context)
        self._server.state, self._server.faults = self.state, self._faults
        self._server.polling, self._server.methods = self.polling, self.methods
        self.port = self._server.server_address[1]
        self.state.running = True
        self._done.clear()
        self._run(self._server)
        return self

    def start_control(self, port=0) -> str:
        """Serves the control API on a second loopback port; gives its URL."""
        self._control = QuietServer(("127.0.0.1", port), ControlHandler)
        self._control.api = self
        self._run(self._control)
        return f"http://127.0.0.1:{self._control.server_address[1]}/control"

    def _run(self, server):
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        """Ends all connections and waiting polls. May be started again."""
        with self.state.cond:
            self.state.running = False
            self.state.changed()
        for server in (self._server, self._control):
            if server is not None:
                server.shutdown()
                server.drop_all()
                server.server_close()
        self._server = self._control = None
        self._done.set()

    def quit(self) -> bool:
        """Lets `wait` return: the control API's way to end the command."""
        self._done.set()
        return True

    def wait(self):
        self._done.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    @property
    def url(self) -> str:
        """The api-base for a bot."""
        name = "localhost" if self.tls else self.host
        return f"{'https' if self.tls else 'http'}://{name}:{self.port}"

    @property
    def token(self) -> str:
        return self.state.token

    def info(self) -> dict:
        with self.state.cond:
            return {"url": self.url, "bot": dict(self.state.bot), "now": self.state.clock.now(),
                    "pending": self.state.queue.size(), "polling": self.polling.waiting is not None,
                    "webhook": self.state.webhook["url"],
                    "allowed_updates": sorted(self.state.allowed) if self.state.allowed else None}

    # time, ids, settings

    def advance(self, seconds: float) -> float:
        """Moves the protocol clock forward; waiting rules see it at once."""
        return self.state.clock.advance(seconds)

    def restart_ids(self, lower=True, at=None):
        with self.state.cond:
            self.state.queue.restart_ids(lower, at)

    def pending(self) -> int:
        with self.state.cond:
            return self.state.queue.size()

    def set_token(self, token: str):
        """The owner makes a new token; the old one is 401 from now on."""
        with self.state.cond:
            self.state.token = token
            self.state.changed()

    def set_answer_timeout(self, seconds: float):
        """How old a tap may be when it is answered (15 s unless set)."""
        with self.state.cond:
            self.state.answer_timeout = float(seconds)

    def set_privacy(self, on: bool):
        with self.state.cond:
            self.state.privacy = bool(on)

    def set_limits(self, per_second_in_chat=None, per_minute_in_group=None):
        """Real flood limits for sendMessage (1 and 20 at Telegram); None: no limit."""
        with self.state.cond:
            self.state.limits = {"chat": per_second_in_chat, "group": per_minute_in_group}

    def set_webhook(self, url: str):
        """Somebody with the token sets a webhook ("" takes it away)."""
        with self.state.cond:
            method = "setwebhook" if url else "deletewebhook"
            self.methods.table[method]({"url": url})
            self.state.changed()

    # faults

    def fault(self, method: str, kind, times=1, **args) -> int:
        """Spoils the next `times` calls (None: until cleared); see README."""
        return self._faults.add(method, kind, times, args)

    def faults(self) -> list:
        return self._faults.views()

    def clear_faults(self):
        self._faults.clear()

    def poison(self, kind: str, chat_id=42, message_id=1, size=0) -> int:
        """Queues a ready-made hostile update; kinds in `botapi_parts/poison.py`."""
        if kind not in P.KINDS:
            raise ValueError(f"unknown poison {kind!r}; known: {', '.join(P.KINDS)}")
        return self.push_raw_update(P.build(kind, int(chat_id), int(message_id), int(size)), True)

    # what the bot did

    def answers(self) -> list:
        """Every answerCallbackQuery that was accepted, in order."""
        with self.state.cond:
            return [dict(a) for a in self.state.answers]

    def log(self, method=None) -> list:
        """Every request: n, time, mono, method, params, status, fault, ended."""
        with self.state.cond:
            return [dict(e) for e in self.state.requests
                    if method is None or e["method"].lower() == method.lower()]

    def clear_log(self):
        with self.state.cond:
            self.state.requests.clear()

    def wait_request(self, method: str, count=1, timeout=10.0) -> dict:
        """Waits until the method was called `count` times; gives that request."""
        def probe():
            fitting = self.log(method)
            return fitting[count - 1] if len(fitting) >= count else None
        with self.state.cond:
            found = wait_real(self.state.cond, float(timeout), probe)
        if found is None:
            raise TimeoutError(f"{method} was not called {count} times within {timeout} s")
        return found

    def render(self, message=None, chat_id=None, message_id=None, width=60, color=False) -> str:
        """A picture of a message: a view, or found by chat and message id."""
        if message is None:
            views = [m for m in self.messages(chat_id)
                     if message_id in (None, m["message_id"]) and m["from"]["is_bot"]]
            if not views:
                raise LookupError("no such message")
            message = views[-1]
        return R.render(message, self.state.bot["first_name"], width, color)
