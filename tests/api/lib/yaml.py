"""The small part of YAML that docs/openapi.yaml keeps to.

Block style with two spaces, one value a line, lists in brackets of plain
words, quoted strings; no anchors, no folded text. What it does not know it
refuses, so that nothing is read otherwise than it was meant.
"""
import json
import re

KEY = re.compile(r'("[^"]*"|[^\s"#][^:#]*?):(?:\s+(.*))?$')


def _scalar(text):
    text = text.strip()
    if text.startswith('"'):
        return json.loads(text)
    if text.startswith("["):
        inner = text[1:text.rindex("]")].strip()
        return [_scalar(part) for part in inner.split(",")] if inner else []
    if text[:1] in "{&*|>!%@`'":
        raise ValueError(f"not in the small part of YAML: {text}")
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    return {"true": True, "false": False, "null": None}.get(text, text)


def _lines(text):
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.strip().startswith("#"):
            yield number, len(line) - len(line.lstrip()), line.strip()


class _Reader:
    def __init__(self, text):
        self.lines, self.at = list(_lines(text)), 0

    def block(self, indent):
        return self.list(indent) if self.lines[self.at][2].startswith("- ") else self.map(indent)

    def more(self, indent):
        return self.at < len(self.lines) and self.lines[self.at][1] == indent

    def list(self, indent):
        out = []
        while self.more(indent) and self.lines[self.at][2].startswith("- "):
            number, _, text = self.lines[self.at]
            if KEY.match(text[2:]):
                self.lines[self.at] = (number, indent + 2, text[2:])
                out.append(self.map(indent + 2))
            else:
                out.append(_scalar(text[2:]))
                self.at += 1
        return out

    def map(self, indent):
        out = {}
        while self.more(indent) and not self.lines[self.at][2].startswith("- "):
            number, _, text = self.lines[self.at]
            found = KEY.match(text)
            if not found:
                raise ValueError(f"line {number}: {text}")
            key, value = _scalar(found[1]), found[2]
            if key in out:
                raise ValueError(f"line {number}: {key} stands there twice")
            self.at += 1
            out[key] = _scalar(value) if value is not None else self.below(indent)
        return out

    def below(self, indent):
        if self.at < len(self.lines) and self.lines[self.at][1] > indent:
            return self.block(self.lines[self.at][1])
        return None


def load(text):
    reader = _Reader(text)
    out = reader.block(0)
    if reader.at < len(reader.lines):
        raise ValueError(f"line {reader.lines[reader.at][0]} is indented oddly")
    return out
