"""JSON for the wire, able to carry bytes that JSON does not allow.

The real server writes callback data that is not UTF-8 as raw bytes. A Python
`bytes` value anywhere in the object is written as a JSON string holding those
very bytes. What must stay true: everything else is ASCII with \\u escapes, as
the real server writes it.
"""
import json
import secrets


def dumps(value) -> bytes:
    """The JSON text of value; bytes values become raw JSON strings."""
    raw = {}

    def keep(item):
        if not isinstance(item, (bytes, bytearray)):
            raise TypeError(f"{type(item).__name__} is not JSON")
        mark = secrets.token_hex(16)
        raw[f'"{mark}"'.encode()] = _quote(bytes(item))
        return mark

    text = json.dumps(value, default=keep, separators=(",", ":")).encode("ascii")
    for mark, content in raw.items():
        text = text.replace(mark, content)
    return text


def _quote(data: bytes) -> bytes:
    out = bytearray(b'"')
    for byte in data:
        if byte in b'"\\':
            out += b"\\" + bytes([byte])
        elif byte < 32:
            out += b"\\u%04x" % byte
        else:
            out.append(byte)
    return bytes(out + b'"')
