"""Reads the parameters of a Bot API request, whatever form they come in.

Query string, form, multipart and JSON body all end as one table of strings,
as in the real server, so a method never cares how it was called. What must
stay true: text that is not UTF-8 is refused, an integer that is none is taken
as the default, and numbers out of range are clamped.
"""
import json
import re
from urllib.parse import parse_qsl

from .errors import bad_request

JSON_PARAMS = ("reply_markup", "allowed_updates", "entities", "link_preview_options",
               "reply_parameters", "commands", "scope")


def collect(query: str, content_type: str, body: bytes) -> dict:
    """All parameters of a request; the body wins over the query string."""
    params = _form(query.encode("latin-1", "replace"))
    kind = content_type.split(";")[0].strip().lower()
    if not body:
        return params
    if kind == "application/json":
        params.update(_json(body))
    elif kind == "multipart/form-data":
        params.update(_multipart(content_type, body))
    elif kind == "application/x-www-form-urlencoded":
        params.update(_form(body))
    return params


def _utf8(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise bad_request("strings must be encoded in UTF-8") from None
    return text


def _form(data: bytes) -> dict:
    try:
        return dict(parse_qsl(data.decode("utf-8"), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise bad_request("strings must be encoded in UTF-8") from None


def _json(body: bytes) -> dict:
    try:
        value = json.loads(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise bad_request("strings must be encoded in UTF-8") from None
    except (ValueError, RecursionError):
        raise bad_request("can't parse request JSON object") from None
    if not isinstance(value, dict):
        raise bad_request("request must be a JSON object")
    return {k: _text(v) for k, v in value.items() if v is not None}


def _text(value) -> str:
    if isinstance(value, str):
        return _utf8(value)
    return _utf8(json.dumps(value, ensure_ascii=False))


def _multipart(content_type: str, body: bytes) -> dict:
    match = re.search(r'boundary="?([^";]+)"?', content_type)
    if not match:
        raise bad_request("can't find boundary of multipart/form-data")
    out = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + match[1].encode("latin-1"))[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        if name and b"filename=" not in head:
            try:
                out[name[1].decode("utf-8")] = value.decode("utf-8")
            except UnicodeDecodeError:
                raise bad_request("strings must be encoded in UTF-8") from None
    return out


def for_log(params: dict) -> dict:
    """The same, easier to assert on: JSON parameters as values."""
    out = dict(params)
    for key in JSON_PARAMS:
        if key in out:
            try:
                out[key] = json.loads(out[key])
            except (ValueError, RecursionError):
                pass
    return out


def integer(params: dict, name: str, default: int = 0, low: int = -2**31, high: int = 2**31 - 1) -> int:
    try:
        value = int(str(params.get(name, "")).strip())
    except ValueError:
        value = default
    return max(low, min(high, value))


def boolean(params: dict, name: str) -> bool:
    return params.get(name, "").strip().lower() in ("true", "yes", "1")


def from_json(params: dict, name: str):
    """A JSON parameter's value; None when absent or broken."""
    try:
        return json.loads(params[name]) if params.get(name) else None
    except (ValueError, RecursionError):
        return None
