"""The methods that a bot calls, except getUpdates.

Each method takes the request's parameters and gives back a JSON value, or
raises `ApiError` with the real server's words. What must stay true: a method
runs under the state's lock and is all-or-nothing, so that a connection cut
after it has a definite meaning; the messages and their order are those of a
real chat.
"""
from . import entities, params as P
from .errors import bad_request, forbidden, too_many
from .markup import parse_markup
from .polling import SET_WEBHOOK

OLD_QUERY = "query is too old and response timeout expired or query ID is invalid"
SAME = ("message is not modified: specified new message content and reply markup are exactly "
        "the same as a current content and reply markup of the message")
SEND_OPTIONS = ("disable_notification", "protect_content", "link_preview_options",
                "message_thread_id", "reply_parameters", "message_effect_id")
COMMON = {"business_connection_id", "chat_id", "text", "parse_mode", "entities",
          "link_preview_options", "reply_markup"}
KNOWN_PARAMS = {
    "getupdates": {"offset", "limit", "timeout", "allowed_updates"},
    "sendmessage": COMMON | {"message_thread_id", "direct_messages_topic_id",
                             "disable_notification", "protect_content", "allow_paid_broadcast",
                             "message_effect_id", "suggested_post_parameters",
                             "reply_parameters", "disable_web_page_preview",
                             "reply_to_message_id", "allow_sending_without_reply"},
    "editmessagetext": COMMON | {"message_id", "inline_message_id", "disable_web_page_preview"},
    "editmessagereplymarkup": {"business_connection_id", "chat_id", "message_id",
                               "inline_message_id", "reply_markup"},
    "answercallbackquery": {"callback_query_id", "text", "show_alert", "url", "cache_time"},
    "deletemessage": {"chat_id", "message_id"},
    "getme": set(), "getwebhookinfo": set(), "deletewebhook": {"drop_pending_updates"},
}


class Described:
    """A result that carries a description, as setWebhook's does."""

    def __init__(self, result, description: str):
        self.result, self.description = result, description


class Methods:
    def __init__(self, state, polling):
        self.state, self.polling = state, polling
        self.table = {
            "getme": self.get_me, "sendmessage": self.send_message,
            "editmessagetext": self.edit_text, "editmessagereplymarkup": self.edit_markup,
            "answercallbackquery": self.answer, "deletemessage": self.delete_message,
            "getwebhookinfo": self.webhook_info, "setwebhook": self.set_webhook,
            "deletewebhook": self.delete_webhook, "setmycommands": self.set_commands,
            "getmycommands": lambda p: self.state.commands,
            "deletemycommands": self.delete_commands, "getchat": self.get_chat,
            "sendchataction": self.chat_action, "getchatmember": self.chat_member,
        }

    # common checks

    def _chat_id(self, params: dict) -> int:
        raw = params.get("chat_id", "").strip()
        if not raw:
            raise bad_request("chat_id is empty")
        try:
            return int(raw)
        except ValueError:
            raise bad_request("chat not found") from None

    def _chat(self, params: dict) -> dict:
        chat_id = self._chat_id(params)
        if chat_id in self.state.migrated:
            raise bad_request("group chat was upgraded to a supergroup chat",
                              {"migrate_to_chat_id": self.state.migrated[chat_id]})
        chat = self.state.chat(chat_id)
        if chat is None:
            raise bad_request("chat not found")
        return chat

    def _may_write(self, chat: dict):
        if chat["id"] in self.state.blocked:
            raise forbidden("bot was blocked by the user")
        if chat["id"] in self.state.kicked:
            raise forbidden(f"bot was kicked from the {chat['type']} chat")

    def _pace(self, chat: dict):
        """Optional flood limits, see BotApi.set_limits."""
        limits, now = self.state.limits, self.state.clock.now()
        times = self.state.sent_times.setdefault(chat["id"], [])
        for count, window in ((limits["chat"], 1.0), (limits["group"], 60.0)):
            recent = [t for t in times if t > now - window]
            if count is None or (window > 1 and chat["type"] == "private"):
                continue
            if len(recent) >= count:
                raise too_many(int(recent[0] + window - now) + 1)
        times[:] = [t for t in times if t > now - 60] + [now]

    def _message(self, params: dict, what: str):
        if not params.get("chat_id") and "inline_message_id" in params:
            raise bad_request("MESSAGE_ID_INVALID")
        chat = self._chat(params)
        message_id = P.integer(params, "message_id", 0, 0)
        if not message_id:
            raise bad_request("message identifier is not specified")
        message = self.state.find_message(chat["id"], message_id)
        if message is None or message.deleted:
            raise bad_request(f"message to {what} not found")
        if what == "edit" and message.sender["id"] != self.state.bot["id"]:
            raise bad_request("message can't be edited")
        return message

    def _text(self, params: dict, too_long: str):
        return entities.parse_message(params.get("text", ""), params.get("parse_mode", ""),
                                      params.get("entities", ""), too_long)

    # messages

    def send_message(self, params: dict) -> dict:
        text, found = self._text(params, "message is too long")
        markup = parse_markup(params.get("reply_markup", ""))
        chat = self._chat(params)
        self._may_write(chat)
        thread = self._thread(chat, params)
        reply = self._reply(chat, params)
        self._pace(chat)
        message = self.state.new_message(chat, self.state.bot)
        message.text, message.entities, message.markup = text, found, markup
        message.source, message.parse_mode = params["text"], params.get("parse_mode", "")
        shown = P.for_log(params)
        message.options = {k: shown[k] for k in SEND_OPTIONS if k in shown}
        if thread:
            message.extra.update(message_thread_id=thread, is_topic_message=True)
        if reply:
            message.extra["reply_to_message"] = reply
        if P.boolean(params, "protect_content"):
            message.extra["has_protected_content"] = True
        self.state.changed()
        return message.api()

    def _thread(self, chat: dict, params: dict) -> int:
        thread = P.integer(params, "message_thread_id", 0)
        if thread and thread not in self.state.topics.get(chat["id"], ()):
            raise bad_request("message thread not found")
        return thread

    def _reply(self, chat: dict, params: dict):
        options = P.from_json(params, "reply_parameters")
        if not isinstance(options, dict):
            options = {"message_id": params.get("reply_to_message_id"),
                       "allow_sending_without_reply": P.boolean(params, "allow_sending_without_reply")}
        wanted = P.integer(options, "message_id", 0)
        if not wanted:
            return None
        message = self.state.find_message(chat["id"], wanted)
        if message is not None and not message.deleted:
            return {k: v for k, v in message.api().items() if k != "reply_to_message"}
        if options.get("allow_sending_without_reply") in (True, "true"):
            return None
        raise bad_request("message to be replied not found")

    def edit_text(self, params: dict) -> dict:
        text, found = self._text(params, "MESSAGE_TOO_LONG")
        markup = parse_markup(params.get("reply_markup", ""))
        message = self._message(params, "edit")
        if (text, found, markup) == (message.text, message.entities, message.markup):
            raise bad_request(SAME)
        self.change(message, text, found, markup, params["text"], params.get("parse_mode", ""))
        return message.api()

    def change(self, message, text, found, markup, source, parse_mode):
        message.remember(self.state.clock.now())
        message.text, message.entities, message.markup = text, found, markup
        message.source, message.parse_mode = source, parse_mode
        self.state.changed()

    def edit_markup(self, params: dict) -> dict:
        markup = parse_markup(params.get("reply_markup", ""))
        message = self._message(params, "edit")
        if markup == message.markup:
            raise bad_request(SAME)
        self.change(message, message.text, message.entities, markup, message.source,
                    message.parse_mode)
        return message.api()

    def delete_message(self, params: dict) -> bool:
        message = self._message(params, "delete")
        if self.state.clock.now() - message.date > 48 * 3600:
            raise bad_request("message can't be deleted for everyone")
        message.deleted = True
        self.state.changed()
        return True

    def answer(self, params: dict) -> bool:
        text = params.get("text", "")
        query = self.state.queries.get(params.get("callback_query_id", ""))
        now = self.state.clock.now()
        if query is None or now - query["time"] > self.state.answer_timeout:
            raise bad_request(OLD_QUERY)
        if len(text) > 200:
            raise bad_request("MESSAGE_TOO_LONG")
        toast = {"query_id": query["id"], "text": text, "time": now,
                 "show_alert": P.boolean(params, "show_alert"), "url": params.get("url", ""),
                 "cache_time": P.integer(params, "cache_time", 0, 0)}
        query["answers"].append(toast)
        self.state.answers.append(toast)
        self.state.changed()
        return True

    # the bot itself

    def get_me(self, params: dict) -> dict:
        return {**self.state.bot, "can_join_groups": True, "can_read_all_group_messages":
                not self.state.privacy, "supports_inline_queries": False,
                "can_connect_to_business": False, "has_main_web_app": False,
                "has_topics_enabled": False}

    def webhook_info(self, params: dict) -> dict:
        hook = self.state.webhook
        out = {"url": hook["url"], "has_custom_certificate": False,
               "pending_update_count": self.state.queue.size()}
        if hook["url"]:
            out.update(max_connections=hook.get("max_connections", 40), ip_address="<unknown>")
        if self.state.allowed is not None:
            out["allowed_updates"] = sorted(self.state.allowed)
        return out

    def set_webhook(self, params: dict) -> Described:
        url = params.get("url", "")
        if not url:
            return self.delete_webhook(params)
        if not url.startswith("https://"):
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
        self.polling.remember_allowed(params)
        if P.boolean(params, "drop_pending_updates"):
            self.state.queue.clear()
        self.polling.abort(SET_WEBHOOK)
        self.state.webhook = {"url": url, "max_connections": P.integer(params, "max_connections", 40, 1, 100)}
        return Described(True, "Webhook was set")

    def delete_webhook(self, params: dict) -> Described:
        was = self.state.webhook["url"]
        if P.boolean(params, "drop_pending_updates"):
            self.state.queue.clear()
        self.state.webhook = {"url": ""}
        return Described(True, "Webhook was deleted" if was else "Webhook is already deleted")

    def set_commands(self, params: dict) -> bool:
        commands = P.from_json(params, "commands")
        if not isinstance(commands, list) or len(commands) > 100:
            raise bad_request("can't parse commands list JSON")
        for item in commands:
            self._check_command(item)
        self.state.commands = commands
        return True

    def _check_command(self, item):
        name = item.get("command", "") if isinstance(item, dict) else ""
        text = item.get("description", "") if isinstance(item, dict) else ""
        name = name.lstrip("/")
        if not (1 <= len(name) <= 32 and all(c in "abcdefghijklmnopqrstuvwxyz0123456789_" for c in name)):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(text) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")

    def delete_commands(self, params: dict) -> bool:
        self.state.commands = []
        return True

    def get_chat(self, params: dict) -> dict:
        return {**self._chat(params), "accent_color_id": 0, "max_reaction_count": 11}

    def chat_action(self, params: dict) -> bool:
        if not params.get("action"):
            raise bad_request("wrong parameter action in request")
        self._may_write(self._chat(params))
        return True

    def chat_member(self, params: dict) -> dict:
        chat, who = self._chat(params), P.integer(params, "user_id", 0, 0, 2**52)
        members = self.state.members.get(chat["id"], [chat["id"]])
        if who not in members and who != self.state.bot["id"]:
            raise bad_request("member not found")
        user = self.state.bot if who == self.state.bot["id"] else self.state.user(who)
        return {"user": user, "status": "member"}
