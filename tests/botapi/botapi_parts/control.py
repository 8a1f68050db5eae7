"""The control API: the class's verbs over HTTP, for C, shell and the demo.

`POST /control/VERB` with a JSON object of arguments calls the method of that
name and answers `{"ok":true,"result":…}`; a failure is `{"ok":false,"error":
{"code","message"}}`. GET with a query string works for simple arguments.
What must stay true: only the verbs listed here can be called, the port is on
loopback, and a wait that times out is 408, so that scripts can tell.
"""
import base64
import json
from urllib.parse import parse_qsl

from . import jsonbytes
from .bot_http import QuietHandler
from .errors import ApiError

VERBS = (
    "user_starts", "add_group", "migrate_group", "kick_bot", "block", "unblock", "send_text",
    "tap", "tap_raw", "push_raw_update", "poison", "edit_message_as_thief", "messages",
    "wait_message", "wait_edit", "wait_answer", "wait_request", "answers", "log", "clear_log",
    "render", "fault", "faults", "clear_faults", "advance", "restart_ids", "pending",
    "set_token", "set_limits", "set_answer_timeout", "set_privacy", "set_webhook", "info", "quit",
)


class ControlHandler(QuietHandler):
    """One connection to the control port."""

    def do_GET(self):
        try:
            self._serve()
        except OSError:
            self.close_connection = True

    do_POST = do_GET

    def _serve(self):
        path, _, query = self.path.partition("?")
        try:
            body = self.read_body()
            args = self._arguments(query, body)
            verb = path.removeprefix("/control/").replace("-", "_")
            if not path.startswith("/control/") or verb not in VERBS:
                return self._fail(404, f"no such verb; known: {', '.join(VERBS)}")
            result = getattr(self.server.api, verb)(**args)
            text = jsonbytes.dumps({"ok": True, "result": result})
            self.send(200, text)
        except TimeoutError as error:
            self._fail(408, str(error))
        except LookupError as error:
            self._fail(404, str(error))
        except ApiError as error:
            self._fail(400, error.description)
        except (ValueError, TypeError, RecursionError) as error:
            self._fail(400, f"{type(error).__name__}: {error}")

    def _arguments(self, query: str, body: bytes) -> dict:
        args = {k: _plain(v) for k, v in parse_qsl(query, keep_blank_values=True)}
        if body:
            value = json.loads(body)
            if not isinstance(value, dict):
                raise ValueError("the body must be a JSON object")
            args.update(value)
        return {k.removesuffix("_base64"): _decode(k, v) for k, v in args.items()}

    def _fail(self, code: int, message: str):
        self.send(code, jsonbytes.dumps({"ok": False, "error": {"code": code, "message": message}}))


def _plain(text: str):
    """A query argument: a JSON number, boolean or null, else text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, (dict, list)) else value


def _decode(key: str, value):
    """NAME_base64 gives bytes to the argument NAME."""
    return base64.b64decode(value, validate=True) if key.endswith("_base64") else value
