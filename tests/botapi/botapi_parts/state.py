"""What the emulator knows: the bot, users, chats, messages, taps, requests.

One object and one condition variable guard all of it, because a test asks
questions that span parts ("has the message that answers this tap come?").
What must stay true: every access holds `cond`; every change ends with
`changed()`, so that long polls and waiting tests wake at once; the bot token
never gets into the log.
"""
import random
import threading
import time
from collections import deque

from . import jsonbytes
from .clock import Clock
from .tqueue import UpdateQueue

LOG_LIMIT = 50_000
CALLBACK_TTL = 150
MESSAGE_TTL = 86400
DEFAULT_OFF = {"chat_member", "message_reaction", "message_reaction_count"}
UPDATE_TYPES = {
    "message", "edited_message", "channel_post", "edited_channel_post", "business_connection",
    "business_message", "edited_business_message", "deleted_business_messages",
    "message_reaction", "message_reaction_count", "inline_query", "chosen_inline_result",
    "callback_query", "shipping_query", "pre_checkout_query", "purchased_paid_media", "poll",
    "poll_answer", "my_chat_member", "chat_member", "chat_join_request", "chat_boost",
    "removed_chat_boost",
}


class Message:
    """One message of a chat, with its past."""

    def __init__(self, chat: dict, message_id: int, sender: dict, date: int):
        self.chat, self.message_id, self.sender, self.date = chat, message_id, sender, date
        self.edit_date = None
        self.text, self.source, self.parse_mode, self.entities = "", "", "", []
        self.markup = None
        self.edits = []
        self.deleted = False
        self.extra = {}         # further fields of the API object
        self.options = {}       # what the sender asked for: protect_content, …

    def api(self) -> dict:
        """The Message object of the Bot API."""
        out = {"message_id": self.message_id, "from": self.sender, "chat": self.chat,
               "date": self.date}
        if self.edit_date:
            out["edit_date"] = self.edit_date
        out.update(self.extra)
        out["text"] = self.text
        if self.entities:
            out["entities"] = self.entities
        if self.markup and "inline_keyboard" in self.markup:
            out["reply_markup"] = self.markup
        return out

    def inaccessible(self) -> dict:
        return {"message_id": self.message_id, "chat": self.chat, "date": 0}

    def keyboard(self) -> list:
        return (self.markup or {}).get("inline_keyboard", [])

    def buttons(self) -> list:
        return [b for row in self.keyboard() for b in row]

    def view(self) -> dict:
        """What a test or the demo sees: plain data, a copy."""
        return {"chat_id": self.chat["id"], "message_id": self.message_id,
                "from": dict(self.sender), "date": self.date, "edit_date": self.edit_date,
                "text": self.text, "source": self.source, "parse_mode": self.parse_mode,
                "entities": [dict(e) for e in self.entities],
                "keyboard": [[dict(b) for b in row] for row in self.keyboard()],
                "buttons": [b["text"] for b in self.buttons()],
                "edits": [dict(e) for e in self.edits], "deleted": self.deleted,
                "options": dict(self.options)}

    def remember(self, now: float):
        """Puts the present state into the history before a change."""
        self.edits.append({"time": now, "text": self.text, "source": self.source,
                           "keyboard": self.keyboard()})
        self.edit_date = int(now)


class State:
    def __init__(self, token: str, open_chats: bool, bot_name: str, bot_username: str):
        self.cond = threading.Condition(threading.RLock())
        self.clock = Clock(self.cond)
        self.queue = UpdateQueue(self.clock)
        self.token = token
        self.open_chats = open_chats
        self.bot = {"id": int(token.split(":")[0]), "is_bot": True, "first_name": bot_name,
                    "username": bot_username}
        self.users, self.chats, self.members = {}, {}, {}
        self.started, self.blocked, self.kicked = set(), set(), set()
        self.migrated, self.topics = {}, {}
        self.messages = {}          # chat id -> {message id: Message}
        self.next_message = {}
        self.queries, self.answers = {}, []
        self.webhook = {"url": ""}
        self.allowed = None         # None: the default set
        self.answer_timeout = 15.0
        self.privacy = True
        self.limits = {"chat": None, "group": None}
        self.sent_times = {}
        self.commands = []
        self.requests = deque(maxlen=LOG_LIMIT)
        self.request_number = 0
        self.running = False

    def changed(self):
        self.cond.notify_all()

    # users and chats

    def user(self, who) -> dict:
        """A user by id or by (partial) User object; made on first sight."""
        given = dict(who) if isinstance(who, dict) else {"id": int(who)}
        known = self.users.get(given["id"])
        if known is None:
            known = {"id": given["id"], "is_bot": False,
                     "first_name": f"User {given['id']}", "language_code": "en"}
            self.users[given["id"]] = known
        known.update(given)
        return dict(known)

    def private_chat(self, user_id: int) -> dict:
        user = self.user(user_id)
        chat = {"id": user_id, "first_name": user["first_name"]}
        for key in ("last_name", "username"):
            if key in user:
                chat[key] = user[key]
        return {**chat, "type": "private"}

    def chat(self, chat_id: int):
        """The chat as the bot may know it, or None."""
        if chat_id in self.chats:
            return dict(self.chats[chat_id])
        known = chat_id in self.started or (self.open_chats and chat_id < 2**52)
        return self.private_chat(chat_id) if chat_id > 0 and known else None

    # messages

    def new_message(self, chat: dict, sender: dict) -> Message:
        box = self.messages.setdefault(chat["id"], {})
        number = self.next_message.get(chat["id"]) or random.randint(2, 900)
        self.next_message[chat["id"]] = number + 1
        message = Message(chat, number, sender, self.clock.unix())
        box[number] = message
        return message

    def find_message(self, chat_id: int, message_id: int):
        return self.messages.get(chat_id, {}).get(message_id)

    # updates

    def wants(self, kind: str) -> bool:
        if kind not in UPDATE_TYPES:
            return True
        return kind in self.allowed if self.allowed is not None else kind not in DEFAULT_OFF

    def push(self, kind: str, value, filtered: bool = True) -> int:
        """Queues {kind: value}; 0 when the bot does not want this kind."""
        if filtered and not self.wants(kind):
            return 0
        ttl = CALLBACK_TTL if kind == "callback_query" else MESSAGE_TTL
        number = self.queue.push(kind, jsonbytes.dumps({kind: value}), ttl)
        self.changed()
        return number

    # the request log

    def scrub(self, value):
        """Replaces the token wherever it might hide in a logged value."""
        if isinstance(value, str):
            return value.replace(self.token, "<token>")
        if isinstance(value, dict):
            return {self.scrub(k): self.scrub(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.scrub(v) for v in value]
        return value

    def log_request(self, method: str, params: dict, peer_port: int) -> dict:
        with self.cond:
            self.request_number += 1
            entry = {"n": self.request_number, "time": self.clock.now(),
                     "mono": time.monotonic(), "method": self.scrub(method),
                     "params": self.scrub(params), "peer_port": peer_port,
                     "status": None, "fault": None, "ended": None}
            self.requests.append(entry)
            self.changed()
            return entry

    def end_request(self, entry: dict, status):
        with self.cond:
            entry["status"], entry["ended"] = status, time.monotonic()
            self.changed()
