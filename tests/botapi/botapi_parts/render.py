"""Draws a message in a terminal about as Telegram shows it.

For the demo and for failure messages of tests. What must stay true: hostile
text cannot move the cursor or colour the terminal (control characters are
shown as dots), and no line is wider than asked, counted in terminal cells.
"""
import unicodedata

from .entities import utf16

ANSI = {"bold": "\x1b[1m", "italic": "\x1b[3m", "underline": "\x1b[4m",
        "strikethrough": "\x1b[9m", "code": "\x1b[36m", "pre": "\x1b[36m",
        "text_link": "\x1b[34m", "url": "\x1b[34m", "mention": "\x1b[34m"}
MARKS = {"bold": "*", "italic": "_", "strikethrough": "~", "code": "`", "pre": "`"}
COLOURS = {"danger": "\x1b[31m", "success": "\x1b[32m", "primary": "\x1b[34m"}
RESET = "\x1b[0m"


def cells(text: str) -> int:
    """Terminal cells that the text takes."""
    total = 0
    for char in text:
        if unicodedata.combining(char) or char in "\u200b\u200d\ufe0e\ufe0f":
            continue
        total += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return total


def safe(text: str) -> str:
    return "".join("·" if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\n\u200d"
                   else c for c in text)


def render(view: dict, bot_name: str = "Bot", width: int = 60, color: bool = False) -> str:
    """The picture: a box with the name, the text, then the buttons in rows."""
    inner = width - 4
    who = safe(view["from"].get("first_name", bot_name))
    head = f" {who} "
    lines = ["╭─" + head + "─" * max(0, width - 3 - cells(head)) + "╮"]
    if view.get("deleted"):
        body = [[("(deleted)", ())]]
    else:
        body = _wrap(_styled(view, color), inner)
    lines += [_boxed(row, inner, color) for row in body]
    foot = " edited " if view.get("edits") else ""
    lines.append("╰" + "─" * max(0, width - 3 - cells(foot)) + foot + "─╯")
    if not view.get("deleted"):
        for row in view.get("keyboard", []):
            lines += _buttons(row, width, color)
    return "\n".join(lines)


def _styled(view: dict, color: bool) -> list:
    """The text as (character, styles) pairs; without colour, marks stand for styles."""
    out, at = [], 0
    marked = [] if color else [e for e in view["entities"] if e["type"] in MARKS]
    for char in view["text"]:
        styles = tuple(e["type"] for e in view["entities"]
                       if e["offset"] <= at < e["offset"] + e["length"])
        out += [(MARKS[e["type"]], styles) for e in marked if e["offset"] == at]
        out.append((safe(char), styles))
        at += utf16(char)
        out += [(MARKS[e["type"]], styles) for e in reversed(marked)
                if e["offset"] + e["length"] == at]
    return out


def _wrap(chars: list, width: int) -> list:
    """Lines of (text, styles) pieces, broken at spaces where possible."""
    lines, line, used = [], [], 0
    for word in _words(chars):
        if word[0][0] == "\n":
            lines, line, used = lines + [line], [], 0
            continue
        size = sum(cells(c) for c, _ in word)
        room = width - (2 if _quoted(word) else 0)
        if used and used + size > room and word[0][0] != " ":
            lines, line, used = lines + [line], [], 0
        for char in word:
            if used + cells(char[0]) > room:
                lines, line, used = lines + [line], [], 0
            line.append(char)
            used += cells(char[0])
    return [_pieces(x) for x in lines + [line]]


def _quoted(chars: list) -> bool:
    return any("blockquote" in s for _, styles in chars for s in styles)


def _words(chars: list):
    word = []
    for char in chars:
        if char[0] in " \n":
            if word:
                yield word
            yield [char]
            word = []
        else:
            word.append(char)
    if word:
        yield word


def _pieces(line: list) -> list:
    out = []
    for char, styles in line:
        if out and out[-1][1] == styles:
            out[-1] = (out[-1][0] + char, styles)
        else:
            out.append((char, styles))
    return out


def _boxed(pieces: list, width: int, color: bool) -> str:
    quote = any("blockquote" in s for _, styles in pieces for s in styles)
    shown, size = ("▎ ", 2) if quote else ("", 0)
    for text, styles in pieces:
        shown += _paint(text, styles) if color else text
        size += cells(text)
    return "│ " + shown + " " * max(0, width - size) + " │"


def _paint(text: str, styles: tuple) -> str:
    codes = "".join(ANSI.get(s, "") for s in styles)
    return f"{codes}{text}{RESET}" if codes else text


def _buttons(row: list, width: int, color: bool) -> list:
    count = len(row)
    each = (width - (count - 1)) // count
    top, mid, low = [], [], []
    for index, button in enumerate(row):
        size = each if index < count - 1 else width - (each + 1) * (count - 1)
        label = _cut(safe(button["text"]), size - 4)
        left = (size - 2 - cells(label)) // 2
        right = size - 2 - cells(label) - left
        paint = COLOURS.get(button.get("style"), "") if color else ""
        label = f"{paint}{label}{RESET}" if paint else label
        top.append("┌" + "─" * (size - 2) + "┐")
        mid.append("│" + " " * left + label + " " * right + "│")
        low.append("└" + "─" * (size - 2) + "┘")
    return [" ".join(top), " ".join(mid), " ".join(low)]


def _cut(text: str, width: int) -> str:
    if cells(text) <= width:
        return text
    out = ""
    for char in text:
        if cells(out + char) > width - 1:
            break
        out += char
    return out + "…"
