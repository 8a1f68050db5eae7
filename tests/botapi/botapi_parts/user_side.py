"""What people do in Telegram: press Start, write, tap, block; and forgers.

These are the verbs of a test and of the demo. The honest ones (`tap`,
`send_text`) make the update that the real server would make from the state of
the chat; the forging ones (`tap_raw`, `push_raw_update`, `poison`) may say
anything at all, since a modified client or a token thief can. What must stay
true: waits use real time and a condition variable, and a wait that finds its
answer already there returns at once.
"""
import random

from . import entities, jsonbytes
from .clock import wait_real
from .state import MESSAGE_TTL

INSTANCE_SALT = random.getrandbits(40)


class UserSide:
    def __init__(self, state, methods):
        self.state, self.methods = state, methods

    # people and chats

    def user_starts(self, user_id: int, first_name=None, username=None, payload=None) -> int:
        """The user opens the bot and presses Start; gives the message id."""
        with self.state.cond:
            who = {"id": int(user_id)}
            if first_name is not None:
                who["first_name"] = first_name
            if username is not None:
                who["username"] = username
            user = self.state.user(who)
            if user_id in self.state.blocked:
                self.unblock(user_id)
            self.state.started.add(int(user_id))
            text = "/start" + (f" {payload}" if payload else "")
            return self.send_text(int(user_id), user, text)

    def add_group(self, chat_id: int, members=(), title="Group", topics=()) -> dict:
        with self.state.cond:
            kind = "supergroup" if str(chat_id).startswith("-100") else "group"
            chat = {"id": int(chat_id), "title": title, "type": kind}
            if topics:
                chat["is_forum"] = True
                self.state.topics[int(chat_id)] = [int(t) for t in topics]
            self.state.chats[int(chat_id)] = chat
            self.state.members[int(chat_id)] = [self.state.user(m)["id"] for m in members]
            self.state.kicked.discard(int(chat_id))
            return dict(chat)

    def migrate_group(self, old_id: int, new_id: int):
        """The group becomes a supergroup with another id; old messages stay behind."""
        with self.state.cond:
            old = self.state.chats.pop(int(old_id))
            members = self.state.members.pop(int(old_id), [])
            self.add_group(new_id, members, old["title"])
            self.state.migrated[int(old_id)] = int(new_id)
            sender = self._user(members[0] if members else 1)
            note = {"message_id": random.randint(1000, 2000), "from": sender, "chat": old,
                    "date": self.state.clock.unix(), "migrate_to_chat_id": int(new_id)}
            self.state.push("message", note)
            self.state.push("message", {**note, "message_id": 1, "chat": self.state.chat(int(new_id)),
                                        "migrate_to_chat_id": None, "migrate_from_chat_id": int(old_id)})

    def kick_bot(self, chat_id: int, user=None):
        with self.state.cond:
            self.state.kicked.add(int(chat_id))
            self._membership(int(chat_id), user, "member", "kicked")

    def block(self, user):
        with self.state.cond:
            number = self._user(user)["id"]
            self.state.blocked.add(number)
            self._membership(number, user, "member", "kicked")

    def unblock(self, user):
        with self.state.cond:
            number = self._user(user)["id"]
            self.state.blocked.discard(number)
            self._membership(number, user, "kicked", "member")

    def _membership(self, chat_id: int, user, old: str, new: str):
        if user is None:
            user = (self.state.members.get(chat_id) or [1])[0]
        chat = self.state.chat(chat_id) or self.state.private_chat(chat_id)

        def member(status):
            out = {"user": self.state.bot, "status": status}
            return {**out, "until_date": 0} if status == "kicked" else out
        self.state.push("my_chat_member", {
            "chat": chat, "from": self._user(user), "date": self.state.clock.unix(),
            "old_chat_member": member(old), "new_chat_member": member(new)})
        self.state.changed()

    def _user(self, who) -> dict:
        return self.state.user(who)

    # writing and tapping

    def send_text(self, chat_id: int, user, text: str, **fields) -> int:
        """The user writes; fields go into the message (sender_chat, forward_origin, …)."""
        with self.state.cond:
            chat = self.state.chat(int(chat_id)) or self.state.private_chat(int(chat_id))
            message = self.state.new_message(chat, self._user(user))
            message.text, message.entities = entities.parse_message(text)
            message.source, message.extra = text, dict(fields)
            hidden = chat["type"] != "private" and self.state.privacy \
                and not text.startswith("/") and "reply_to_message" not in fields
            if not hidden:
                self.state.push("message", message.api())
            self.state.changed()
            return message.message_id

    def tap(self, chat_id, message_id=None, button=None, data=None, user=None,
            message="current", inline_message_id=None, expect_button=True) -> str:
        """The user taps a button (by label or flat index) or sends any data.

        `message` is "current", "inaccessible", None (left out) or a dict.
        Without `data` the button must be there. Gives the callback query id.
        """
        with self.state.cond:
            target = self._target(int(chat_id), message_id)
            if data is None:
                data = self._button_data(target, button)
            if user is None:
                members = self.state.members.get(int(chat_id))
                user = members[0] if members else int(chat_id)
            query = {"id": self._query_id(), "from": self._user(user)}
            if inline_message_id is not None:
                query["inline_message_id"] = inline_message_id
            elif message is not None:
                query["message"] = self._shown(message, target, int(chat_id), message_id)
            query["chat_instance"] = str(hash((INSTANCE_SALT, int(chat_id))))
            query["data"] = data
            return self._register(query)

    def _target(self, chat_id: int, message_id):
        if message_id is not None:
            return self.state.find_message(chat_id, int(message_id))
        box = self.state.messages.get(chat_id, {})
        live = [m for m in box.values() if m.keyboard() and not m.deleted]
        return live[-1] if live else None

    def _button_data(self, target, button):
        if target is None or target.deleted:
            raise LookupError("no such message, or it is deleted")
        buttons = target.buttons()
        if isinstance(button, int) and 0 <= button < len(buttons):
            found = buttons[button]
        else:
            fitting = [b for b in buttons if b["text"] == button] or \
                [b for b in buttons if isinstance(button, str) and button in b["text"]]
            if len(fitting) != 1:
                raise LookupError(f"no single button {button!r} among {[b['text'] for b in buttons]}")
            found = fitting[0]
        if "callback_data" not in found:
            raise LookupError(f"button {found['text']!r} carries no callback_data")
        return found["callback_data"]

    def _shown(self, message, target, chat_id: int, message_id) -> dict:
        if isinstance(message, dict):
            return message
        if target is None or target.deleted or message == "inaccessible":
            chat = self.state.chat(chat_id) or {"id": chat_id, "type": "private"}
            number = target.message_id if target else int(message_id or 0)
            return {"message_id": number, "chat": chat, "date": 0}
        return target.api()

    def _query_id(self) -> str:
        return str(random.randint(10**17, 9 * 10**18))

    def _register(self, query: dict, filtered=True, extra=None) -> str:
        key = query.get("id")
        key = key if isinstance(key, str) else self._query_id()
        self.state.queries[key] = {"id": key, "time": self.state.clock.now(), "answers": []}
        if extra is None:
            self.state.push("callback_query", query, filtered)
        return key

    # forging

    def tap_raw(self, update: dict) -> str:
        """Queues any update object; bytes values become raw bytes in the JSON.

        A callback_query without an id gets one. Gives the query id ("" when
        the update is no tap).
        """
        with self.state.cond:
            update = dict(update)
            query, key = update.get("callback_query"), ""
            if isinstance(query, dict):
                query = {"id": self._query_id(), **query}
                update["callback_query"] = query
                key = self._register(query, extra=True)
            splice = "update_id" not in update
            kind = next((k for k in update if k != "update_id"), "raw")
            ttl = 150 if kind == "callback_query" else MESSAGE_TTL
            self.state.queue.push(kind, jsonbytes.dumps(update), ttl, splice)
            self.state.changed()
            return key

    def push_raw_update(self, raw: bytes, splice_id=None) -> int:
        """Queues bytes as they are; gives the update id that they count as.

        With splice_id an "update_id" is put in after the first brace; the
        default is to do so when the bytes do not contain one.
        """
        raw = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else bytes(raw)
        with self.state.cond:
            if splice_id is None:
                splice_id = b'"update_id"' not in raw
            number = self.state.queue.push("raw", raw, MESSAGE_TTL, splice_id)
            self.state.changed()
            return number

    def edit_message_as_thief(self, chat_id, message_id, text, parse_mode="", keep_keyboard=True):
        """Somebody else with the token edits our message."""
        with self.state.cond:
            target = self.state.find_message(int(chat_id), int(message_id))
            if target is None:
                raise LookupError("no such message")
            plain, found = entities.parse_message(text, parse_mode)
            markup = target.markup if keep_keyboard else None
            self.methods.change(target, plain, found, markup, text, parse_mode)

    # looking and waiting

    def messages(self, chat_id, include_deleted=True) -> list:
        with self.state.cond:
            box = self.state.messages.get(int(chat_id), {})
            return [m.view() for m in box.values() if include_deleted or not m.deleted]

    def wait_message(self, chat_id, predicate=None, timeout=10.0, since=0) -> dict:
        """The first live message of the bot that fits and has an id above since."""
        test = make_predicate(predicate)

        def probe():
            for view in self.messages(chat_id, include_deleted=False):
                if view["message_id"] > since and view["from"]["is_bot"] and test(view):
                    return view
            return None
        return self._wait(probe, timeout, f"message in chat {chat_id}", chat_id)

    def wait_edit(self, chat_id, message_id=None, predicate=None, timeout=10.0, since=0) -> dict:
        """A message edited more than `since` times that fits; edits already made count."""
        test = make_predicate(predicate)

        def probe():
            for view in self.messages(chat_id):
                if message_id in (None, view["message_id"]) and len(view["edits"]) > since and test(view):
                    return view
            return None
        return self._wait(probe, timeout, f"edit in chat {chat_id}", chat_id)

    def _wait(self, probe, timeout, what, chat_id):
        with self.state.cond:
            found = wait_real(self.state.cond, float(timeout), probe)
            if found is None:
                there = [m["text"][:80] for m in self.messages(chat_id)][-5:]
                raise TimeoutError(f"no such {what} within {timeout} s; last texts: {there}")
            return found

    def wait_answer(self, query_id, timeout=10.0):
        """The toast of a tap, or None when there was none in time."""
        with self.state.cond:
            def probe():
                query = self.state.queries.get(query_id)
                return dict(query["answers"][0]) if query and query["answers"] else None
            return wait_real(self.state.cond, float(timeout), probe)


def make_predicate(predicate):
    """A callable, a substring of the text, or {"text":…, "button":…} parts."""
    if predicate is None:
        return lambda view: True
    if callable(predicate):
        return predicate
    if isinstance(predicate, str):
        return lambda view: predicate in view["text"]
    unknown = set(predicate) - {"text", "button", "no_keyboard"}
    if unknown:
        raise ValueError(f"unknown predicate {sorted(unknown)}")

    def test(view):
        if "text" in predicate and predicate["text"] not in view["text"]:
            return False
        if "button" in predicate and not any(predicate["button"] in b for b in view["buttons"]):
            return False
        return not (predicate.get("no_keyboard") and view["keyboard"])
    return test
