"""Ready-made hostile updates, by name, for conformance tests.

Each is something that a modified client, a token thief or a surprising server
could put before the owner's tap. What must stay true: every item is pushed
as one update and none of them is a legitimate decision.
"""
from . import jsonbytes


def _tap(chat_id: int, message_id: int, **changes) -> dict:
    user = {"id": chat_id, "is_bot": False, "first_name": "Owner"}
    query = {"id": "4382bfdwdsb323b2d9", "from": user, "chat_instance": "1",
             "message": {"message_id": message_id, "date": 1, "chat": {"id": chat_id, "type": "private"}},
             "data": "x"}
    query.update(changes)
    return {"callback_query": {k: v for k, v in query.items() if v is not ...}}


def build(kind: str, chat_id: int, message_id: int, size: int) -> bytes:
    """The update's JSON without update_id."""
    if kind == "deep":
        depth = size or 100_000
        return b'{"message":' + b"[" * depth + b"]" * depth + b"}"
    if kind == "huge-id":
        text = jsonbytes.dumps(_tap(chat_id, message_id)).decode()
        return text.replace(f'"id":{chat_id}', '"id":1e20').encode()
    if kind == "overflow-id":
        text = jsonbytes.dumps(_tap(chat_id, message_id)).decode()
        return text.replace(f'"id":{chat_id}', '"id":99999999999999999999').encode()
    if kind == "not-json":
        return b'{"callback_query":{"id":'
    if kind == "not-object":
        return b'{"callback_query":["id",7],"message":"text"}'
    return jsonbytes.dumps(_variants(chat_id, message_id, size)[kind])


def _variants(chat_id: int, message_id: int, size: int) -> dict:
    def tap(**changes):
        return _tap(chat_id, message_id, **changes)
    bot = {"id": chat_id, "is_bot": True, "first_name": "Bot"}
    return {
        "non-utf8": tap(data=b"a\xff\xfe\x80b"),
        "nul": tap(data="a\0b"),
        "lone-surrogate": tap(data="a\ud800b"),
        "no-from": tap(**{"from": ...}),
        "no-data": tap(data=...),
        "no-message": tap(message=...),
        "no-id": tap(id=...),
        "from-bot": tap(**{"from": bot}),
        "from-string": tap(**{"from": {"id": str(chat_id), "first_name": "x"}}),
        "anonymous-admin": tap(**{"from": {"id": 1087968824, "is_bot": True,
                                           "first_name": "Group", "username": "GroupAnonymousBot"}}),
        "inline": tap(message=..., inline_message_id="AAAA"),
        "inaccessible": tap(message={"message_id": message_id, "date": 0,
                                     "chat": {"id": chat_id, "type": "private"}}),
        "long-data": tap(data="x" * (size or 5000)),
        "big": tap(data="x" * (size or 20_000_000)),
        "game": tap(data=..., game_short_name="game"),
        "unknown-type": {"brand_new_update": {"x": [1, {"y": None}]}},
        "empty": {},
    }


KINDS = ("deep", "huge-id", "overflow-id", "not-json", "not-object", *_variants(1, 1, 1))
