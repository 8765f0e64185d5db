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
        return _align(text, text.index("\n", start) + 1, end, value, "")
    if style in ('"', "'") and end - start >= 2 and text[end - 1] == style:
        return _align(text, start + 1, end - 1, value, style)
    return _align(text, start, end, value, "")


def _align(text: str, start: int, end: int, value: str, quote: str) -> array[int] | None:
    offsets = array("I")
    at, number, size = start, 0, len(value)
    while number < size:
        wanted = value[number]
        if quote == '"':
            at = _skip_line_joins(text, at, end)
        found = text[at] if at < end else ""
        if quote == '"' and found == "\\":
            escape = _ESCAPE.match(text, at, end)
            if escape is None:
                return None
            offsets.append(at)
            at, number = escape.end(), number + 1
        elif quote == "'" and found == "'":
            offsets.append(at)
            at, number = at + 2, number + 1
        elif found == wanted and found not in _BLANK:
            offsets.append(at)
            at, number = at + 1, number + 1
        elif found and wanted in _BLANK and found in _BLANK:
            at, number = _align_blanks(text, at, end, value, number, offsets, quote)
        elif found and found in _BLANK:  # block indentation, or a line end that was folded away
            at += 1
        elif wanted in _BLANK:  # the last line end of a block, at the end of a file that has none
            offsets.append(min(at, end))
            number += 1
        else:
            return None
    offsets.append(min(at, end))
    return offsets


def _align_blanks(
    text: str, at: int, end: int, value: str, number: int, offsets: array[int], quote: str
) -> tuple[int, int]:
    """Lines up one run of white space, which folding may have made shorter or longer than it was written."""
    first = number
    while number < len(value) and value[number] in _BLANK:
        number += 1
    begin = at
    while at < end and text[at] in _BLANK:
        at += 1
        if quote == '"':
            at = _skip_line_joins(text, at, end)
    count = number - first
    for step in range(count):
        # the line end stands first; spaces that belong to the value stand last in a block's indentation
        offsets.append(begin if step == 0 else max(min(begin + step, at - 1), at - count + step))
    return at, number


def _skip_line_joins(text: str, at: int, end: int) -> int:
    """Steps over `\\` at the end of a line, which joins it to the next one."""
    while at < end and text[at] == "\\" and text[at + 1 : at + 2] in ("\n", "\r"):
        at += 1
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
