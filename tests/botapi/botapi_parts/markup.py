"""Checks `reply_markup` and turns it into what a message carries.

What must stay true: callback_data is 1 to 64 bytes (`BUTTON_DATA_INVALID`
otherwise), each button has a text and one action, and an empty keyboard is
the same as none.
"""
import json

from .errors import bad_request

ACTIONS = ("url", "callback_data", "web_app", "login_url", "switch_inline_query",
           "switch_inline_query_current_chat", "switch_inline_query_chosen_chat",
           "copy_text", "callback_game", "pay")
STYLES = ("danger", "success", "primary")
MAX_BUTTONS = 100


def parse_markup(raw: str):
    """The markup as a dict, or None; `raw` is the parameter's text."""
    if not raw:
        return None
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise bad_request("can't parse reply keyboard markup JSON object") from None
    if value is None:
        return None
    if not isinstance(value, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" not in value:
        return value if value else None
    rows = value["inline_keyboard"]
    if not isinstance(rows, list):
        raise bad_request('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array')
    clean = [[_button(b) for b in _row(row)] for row in rows]
    clean = [row for row in clean if row]
    if sum(map(len, clean)) > MAX_BUTTONS:
        raise bad_request("reply markup is too long")
    return {"inline_keyboard": clean} if clean else None


def _row(row):
    if not isinstance(row, list):
        raise bad_request('field "inline_keyboard" must be an Array of Arrays')
    return row


def _button(button) -> dict:
    def wrong(text):
        return bad_request("can't parse inline keyboard button: " + text)
    if not isinstance(button, dict):
        raise wrong("InlineKeyboardButton must be an Object")
    if not isinstance(button.get("text"), str):
        raise wrong('Can\'t find field "text"')
    if not button["text"].strip():
        raise wrong("Text must be non-empty")
    if button.get("style") not in (None, "") + STYLES:
        raise wrong("Invalid button style specified")
    data = button.get("callback_data")
    actions = [a for a in ACTIONS if button.get(a) not in (None, "")]
    if data == "" and not actions:
        raise bad_request("BUTTON_DATA_INVALID")
    if not actions:
        raise wrong("Text buttons are unallowed in the inline keyboard")
    if data is not None and not _data_ok(data):
        raise bad_request("BUTTON_DATA_INVALID")
    keep = ("text", "style", "icon_custom_emoji_id") + ACTIONS
    return {k: v for k, v in button.items() if k in keep and v not in (None, "")}


def _data_ok(data) -> bool:
    return isinstance(data, str) and 1 <= len(data.encode("utf-8", "replace")) <= 64
