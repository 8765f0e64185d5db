"""What commands print with: plain text that is the same in a pipe as on a screen, colour only where it is seen.

Text that came from a file, a journal or an instrument is printed with its control characters made visible, so that no
reply can steer the terminal.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

_CODES = {"good": "32", "warn": "33", "bad": "31", "quiet": "2", "busy": "36", "strong": "1"}


_PLAIN = str.maketrans(
    {"…": "..", "°": "deg", "µ": "u", "Ω": "Ohm", "–": "-", "≥": ">=", "≤": "<=", "·": "*", "∞": "inf", "×": "x"}
)


def out(text: str = "") -> None:
    """One line, or several, to standard output."""
    print(fitting(text, sys.stdout), file=sys.stdout)


def err(text: str) -> None:
    """One line, or several, to standard error."""
    print(fitting(text, sys.stderr), file=sys.stderr)


def fitting(text: str, stream: TextIO) -> str:
    """The text in letters that the stream can take."""
    return text if text.isascii() or speaks_unicode(stream) else text.translate(_PLAIN)


def out_json(value: Any) -> None:
    """One JSON document, readable, with stable key order."""
    print(json.dumps(value, ensure_ascii=not speaks_unicode(sys.stdout), indent=2, default=str), file=sys.stdout)


def colourful(stream: TextIO) -> bool:
    """Whether colour is seen and wanted there."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def speaks_unicode(stream: TextIO) -> bool:
    """Whether glyphs survive there."""
    return (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "").startswith("utf")


def toned(text: str, tone: str, stream: TextIO | None = None) -> str:
    """The text in the colour of a tone: good, warn, bad, quiet, busy, strong."""
    if tone not in _CODES or not colourful(stream or sys.stdout):
        return text
    return f"\x1b[{_CODES[tone]}m{text}\x1b[0m"


def marked(status: Any) -> str:
    """Glyph and word of a verdict, an outcome or a state, in its colour."""
    from engine.present.verdicts import mark

    shown = mark(status)
    return toned(shown.text(not speaks_unicode(sys.stdout)), str(shown.tone))


def clean(text: object) -> str:
    """Text of others on one line, with control characters made visible."""
    raw = str(text)
    if raw.isprintable():
        return raw
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1].replace("\x7f", "\\u007f") for c in raw)


def width(text: str) -> int:
    """Columns the text takes; colour takes none."""
    if text.isascii() and "\x1b" not in text:
        return len(text)
    columns, skipping = 0, False
    for character in text:
        if skipping:
            skipping = character != "m"
        elif character == "\x1b":
            skipping = True
        elif not unicodedata.combining(character):
            columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return columns


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = (), indent: str = "") -> str:
    """Aligned columns under their heads; the columns of `right` are right-aligned."""
    body = [list(row) for row in rows]
    sizes = [max(map(width, column)) for column in zip(list(head), *body, strict=True)]
    flush = set(right)

    def line(cells: Sequence[str]) -> str:
        padded = []
        for at, cell in enumerate(cells):
            gap = " " * (sizes[at] - width(cell))
            padded.append(gap + cell if at in flush else cell + gap)
        return (indent + "  ".join(padded)).rstrip()

    heading = [toned(cell, "quiet") for cell in head]
    return "\n".join([line(heading), *map(line, body)]) if any(head) else "\n".join(map(line, body))


def plural(count: int, noun: str) -> str:
    """`1 file`, `3 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
