"""Message text as Telegram stores it: cleaning, HTML, clickable words.

A message that cannot be parsed is refused with a byte offset, and the length
limit counts characters after parsing; both matter to a program that puts
hostile text into its messages. Entity offsets are UTF-16 code units. What
must stay true: the allowed tags, the four named entities, the error texts,
and that control characters and bidi overrides do not survive into the text.
"""
import json
import re

from .errors import bad_request

MAX_TEXT = 4096
MAX_BYTES = 1 << 15
SPACES = b" \t\r\n\0\v"
TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic",
    "u": "underline", "ins": "underline", "s": "strikethrough",
    "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler",
    "span": "spoiler", "a": "text_link", "code": "code", "pre": "pre",
    "blockquote": "blockquote", "tg-emoji": "custom_emoji", "tg-time": "date_time",
}
NAMED = {b"lt": "<", b"gt": ">", b"amp": "&", b"quot": '"'}
ENTITY = re.compile(rb"&(?:#x([0-9a-fA-F]{1,8})|#([0-9]{1,8})|([a-zA-Z]+));?")
ATTRIBUTE = re.compile(rb"([^\s=>\0]+)(?:[\s\0]*=[\s\0]*(\"[^\"]*\"|'[^']*'|[A-Za-z0-9.\-]*))?")
SPECIAL = re.compile(rb"[<&]")
AUTO = [
    ("url", re.compile(r"(?:https?://|www\.)[^\s<>\"']+|(?<![\w@.])[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|me|ru|dev)\b(?:/[^\s<>\"']*)?")),
    ("email", re.compile(r"(?<![\w.])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("mention", re.compile(r"(?<!\w)@[A-Za-z]\w{3,31}")),
    ("bot_command", re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?")),
    ("hashtag", re.compile(r"(?<![\w&])#(?=\w*[^\W\d])\w{1,256}")),
]
KNOWN = set(TAGS.values()) | {"mention", "hashtag", "cashtag", "bot_command", "url",
                              "email", "phone_number", "text_mention",
                              "expandable_blockquote"}


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut16(text: str, offset: int, length: int) -> str:
    raw = text.encode("utf-16-le", "surrogatepass")
    return raw[offset * 2:(offset + length) * 2].decode("utf-16-le", "replace")


class _Html:
    """One pass over the bytes; positions in errors are byte offsets."""

    def __init__(self, text: str):
        self.src = text.encode("utf-8")
        self.out = []
        self.pos16 = 0
        self.open = []
        self.found = []

    def parse(self):
        i = 0
        for match in iter(lambda: SPECIAL.search(self.src, i), None):
            self._put(self.src[i:match.start()].decode("utf-8"))
            i = match.start()
            i = self._tag(i) if self.src[i:i + 1] == b"<" else self._amp(i)
        self._put(self.src[i:].decode("utf-8"))
        if self.open:
            raise _fail(f"Can't find end tag corresponding to start tag \"{self.open[-1][0]}\"")
        self.found.sort(key=lambda e: (e["offset"], -e["length"]))
        return "".join(self.out), self.found

    def _put(self, text: str):
        self.out.append(text)
        self.pos16 += utf16(text)

    def _amp(self, i: int) -> int:
        char, end = _decode_entity(self.src, i)
        self._put(char)
        return end

    def _tag(self, i: int) -> int:
        return self._close(i) if self.src[i + 1:i + 2] == b"/" else self._open(i)

    def _open(self, begin: int) -> int:
        i = _skip_name(self.src, begin + 1)
        if i >= len(self.src):
            raise _fail(f"Unclosed start tag at byte offset {begin}")
        name = self.src[begin + 1:i].decode("utf-8", "replace").lower()
        if name not in TAGS:
            raise _fail(f'Unsupported start tag "{name}" at byte offset {begin}')
        attributes, i = self._attributes(name, i, begin)
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise _fail(f'Tag "span" must have class "tg-spoiler" at byte offset {begin}')
        self.open.append((name, attributes, self.pos16, len(self.out)))
        return i

    def _attributes(self, name: str, i: int, begin: int):
        found = {}
        while True:
            while i < len(self.src) and self.src[i] in SPACES:
                i += 1
            if self.src[i:i + 1] == b">":
                return found, i + 1
            match = ATTRIBUTE.match(self.src, i)
            if not match and i < len(self.src):
                raise _fail(f'Empty attribute name in the tag "{name}" at byte offset {begin}')
            if not match or match.end() >= len(self.src):
                raise _fail(f"Unclosed start tag at byte offset {begin}")
            i = match.end()
            if self.src[i:i + 1] in (b'"', b"'") and self.src.find(self.src[i:i + 1], i + 1) < 0:
                raise _fail(f"Unclosed start tag at byte offset {begin}")
            if self.src[i] not in SPACES + b">":
                raise _fail(f"Unexpected end of name token at byte offset {match.start()}")
            found[match[1].decode("utf-8", "replace").lower()] = _value(match[2])

    def _close(self, begin: int) -> int:
        if not self.open:
            raise _fail(f"Unexpected end tag at byte offset {begin}")
        i = _skip_name(self.src, begin + 2)
        name = self.src[begin + 2:i].decode("utf-8", "replace").lower()
        while i < len(self.src) and self.src[i] in SPACES:
            i += 1
        if self.src[i:i + 1] != b">":
            raise _fail(f"Unclosed end tag at byte offset {begin}")
        expected, attributes, offset, out_at = self.open.pop()
        if name and name != expected:
            raise _fail(f'Unmatched end tag at byte offset {begin}, expected "</{expected}>", '
                        f'found "</{name}>"')
        if self.pos16 > offset:
            self._entity(expected, attributes, offset, "".join(self.out[out_at:]))
        return i + 1

    def _entity(self, name: str, attributes: dict, offset: int, inner: str):
        entity = {"offset": offset, "length": self.pos16 - offset, "type": TAGS[name]}
        if name == "a":
            url = attributes.get("href") or inner
            if "." not in url and not url.startswith("tg://"):
                return
            entity["url"] = url
        elif name == "blockquote" and "expandable" in attributes:
            entity["type"] = "expandable_blockquote"
        elif name == "tg-emoji":
            if not attributes.get("emoji-id", "").isdigit():
                raise _fail("Invalid custom emoji identifier specified")
            entity["custom_emoji_id"] = attributes["emoji-id"]
        elif name == "code" and attributes.get("class", "").startswith("language-"):
            entity["_language"] = attributes["class"][9:]
        elif name == "pre":
            self._merge_code(entity)
        self.found.append(entity)

    def _merge_code(self, entity: dict):
        last = self.found[-1] if self.found else None
        if last and last["type"] == "code" and "_language" in last and \
                (last["offset"], last["length"]) == (entity["offset"], entity["length"]):
            entity["language"] = self.found.pop()["_language"]


def _skip_name(src: bytes, i: int) -> int:
    while i < len(src) and src[i] not in SPACES and src[i:i + 1] != b">":
        i += 1
    return i


def _value(raw: bytes | None) -> str:
    if raw is None:
        return ""
    if raw[:1] not in (b'"', b"'"):
        return raw.decode("utf-8").lower()
    return ENTITY.sub(lambda m: _decode_entity(m[0], 0)[0].encode("utf-8", "replace"),
                      raw[1:-1]).decode("utf-8", "replace")


def _decode_entity(src: bytes, i: int):
    match = ENTITY.match(src, i)
    if not match:
        return "&", i + 1
    if match[3]:
        char = NAMED.get(match[3])
    else:
        code = int(match[1], 16) if match[1] else int(match[2])
        char = chr(code) if 0 < code < 0x10FFFF else None
    if char is None:
        return "&", i + 1
    if 0xD800 <= ord(char) <= 0xDFFF:
        raise _fail("Text contains invalid Unicode characters after decoding HTML entities, "
                    "check for unmatched surrogate code units")
    return char, match.end()


def _fail(text: str):
    return bad_request("can't parse entities: " + text)


def clean(text: str) -> str:
    """What the server does to every text: no control or bidi override characters."""
    out = []
    for char in text:
        code = ord(char)
        if char == "\r" or 0x2028 <= code <= 0x202E:
            continue
        out.append(" " if code < 32 and char != "\n" else char)
    return "".join(out)


def _clean_with(text: str, entities: list):
    """Cleans and trims, and moves the entities with the text."""
    units, kept = 0, []
    shift = []              # for each old UTF-16 unit: its new position
    for char in text:
        new = clean(char)
        shift += [units] * utf16(char)
        units += utf16(new)
        kept.append(new)
    shift.append(units)
    full = "".join(kept)
    body = full.rstrip()
    lead = len(body) - len(body.lstrip())
    body = body.lstrip()
    size, out = utf16(body), []
    for entity in entities:
        start = max(0, shift[min(entity["offset"], len(shift) - 1)] - lead)
        end = min(size, shift[min(entity["offset"] + entity["length"], len(shift) - 1)] - lead)
        if end > start:
            out.append({**entity, "offset": start, "length": end - start})
    return body, out


def _given(raw: str) -> list:
    """The `entities` parameter."""
    try:
        items = json.loads(raw)
    except ValueError:
        raise bad_request("can't parse entities JSON object") from None
    out = []
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict) or not all(isinstance(item.get(k), int) for k in ("offset", "length")):
            raise bad_request("can't parse MessageEntity: Field \"offset\" must be of type Number")
        if item.get("type") in KNOWN and item["offset"] >= 0 and item["length"] > 0:
            out.append(dict(item))
    return out


def _automatic(text: str, entities: list) -> list:
    """Adds what the server makes clickable by itself, outside code and links."""
    taken = [(e["offset"], e["offset"] + e["length"]) for e in entities
             if e["type"] in ("code", "pre", "text_link")]
    for kind, pattern in AUTO:
        for match in pattern.finditer(text):
            start = utf16(text[:match.start()])
            end = start + utf16(match[0])
            if all(end <= a or start >= b for a, b in taken):
                taken.append((start, end))
                entities.append({"offset": start, "length": end - start, "type": kind})
    entities.sort(key=lambda e: (e["offset"], -e["length"]))
    return entities


def parse_message(text: str, parse_mode: str = "", given: str = "", too_long: str = "message is too long"):
    """(plain text, entities) or ApiError, as sendMessage and editMessageText do."""
    if not text:
        raise bad_request("message text is empty")
    if len(text.encode("utf-8")) > MAX_BYTES:
        raise bad_request("text is too long")
    mode = parse_mode.lower()
    if mode == "html":
        plain, entities = _Html(text).parse()
    elif mode in ("", "none"):
        plain, entities = text, _given(given) if given else []
    else:
        raise bad_request("unsupported parse_mode")
    for entity in entities:
        entity.pop("_language", None)
    plain, entities = _clean_with(plain, entities)
    if not plain:
        raise bad_request("message text is empty")
    if len(plain) > MAX_TEXT:
        raise bad_request(too_long)
    return plain, _automatic(plain, entities)
