"""Finds the characters of a scalar's value again in the file it was written in.

A caret inside an expression needs the way back from "character 17 of the value" to the file, through quotes,
escapes, folded lines and block indentation. Counting from the start of the scalar instead would point beside
the mistake in every quoted or multi-line text.
"""

from __future__ import annotations

import re
from array import array

_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_BLANK = " \t\r\n"


def value_offsets(text: str, start: int, end: int, value: str) -> array[int] | None:
    """Offset in `text` of each character of `value` and of the place behind it; None where they do not match.

    `text[start:end]` is the scalar as written: plain, quoted, or a block with its header line.
    """
    style = text[start : start + 1]
    if style in ("|", ">") and "\n" in text[start:end]:
        return _align_block(text, text.index("\n", start) + 1, end, value)
    if style in ('"', "'") and end - start >= 2 and text[end - 1] == style:
        return _align_flow(text, start + 1, end - 1, value, style)
    return _align_flow(text, start, end, value, "")


def _align_flow(text: str, at: int, end: int, value: str, quote: str) -> array[int] | None:
    """A plain or quoted scalar: escapes, doubled apostrophes, and line ends that are folded away."""
    offsets = array("I")
    size = len(value)
    while len(offsets) < size:
        found = text[at : at + 1] if at < end else ""
        if quote == '"' and found == "\\":
            if text[at + 1 : at + 2] in ("\n", "\r"):  # joins this line to the next one
                at = _skip_blanks(text, at + 1, end)
                continue
            escape = _ESCAPE.match(text, at, end)
            if escape is None:
                return None
            offsets.append(at)
            at = escape.end()
        elif quote == "'" and found == "'":
            offsets.append(at)
            at += 2
        elif found and found in _BLANK:
            behind = _skip_blanks(text, at, end)
            ends = text.count("\n", at, behind)
            # one line end is read as a space, of several the first is left out; blanks around them do not count
            count = behind - at if not ends else max(1, ends - 1)
            offsets.extend(min(at + step, behind - 1) for step in range(count))
            at = behind
        elif found == value[len(offsets)]:
            offsets.append(at)
            at += 1
        else:
            return None
    if len(offsets) > size:
        return None
    offsets.append(min(at, end))
    return offsets


def _align_block(text: str, at: int, end: int, value: str) -> array[int] | None:
    """A block of lines: runs of white space are lined up with each other, all else is as written."""
    offsets = array("I")
    number, size = 0, len(value)
    while number < size:
        wanted = value[number]
        found = text[at] if at < end else ""
        if found == wanted and found not in _BLANK:
            offsets.append(at)
            at, number = at + 1, number + 1
        elif found and found in _BLANK:
            behind = _skip_blanks(text, at, end)
            count = _skip_blanks(value, number, size) - number
            for step in range(count):
                # the line end stands first; spaces that belong to the value stand last in the indentation
                offsets.append(at if step == 0 else max(min(at + step, behind - 1), behind - count + step))
            at, number = behind, number + count
        elif wanted in _BLANK:  # the last line end, which a span does not include
            offsets.append(min(at, end))
            number += 1
        else:
            return None
    offsets.append(min(at, end))
    return offsets


def _skip_blanks(text: str, at: int, end: int) -> int:
    while at < end and text[at] in _BLANK:
        at += 1
    return at


def character_width(text: str, start: int, offset: int) -> int:
    """Characters of the file that one character of the scalar at `start` takes: an escape takes several."""
    style, found = text[start : start + 1], text[offset : offset + 1]
    if style == '"' and found == "\\":
        return {"x": 4, "u": 6, "U": 10}.get(text[offset + 1 : offset + 2], 2)
    if style == "'" and text[offset : offset + 2] == "''":
        return 2
    return 1
