"""Texts that users wrote, and where in them each value stood.

Owns the arithmetic between character offsets, lines, columns and paths into the data. Everything is kept as
offsets into the decoded text, because a line number counted anywhere else (libyaml counts NEL and LS as line
ends, editors do not) sends the engineer to the wrong line.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.quoting import character_width, value_offsets

Path = tuple[str | int, ...]
"""Keys and list indices from the root of a file to one value: `("steps", 0, "set", "psu.voltage")`."""

_BIG_MAPPING = 32  # from here on a dictionary of entry numbers beats walking the keys


@dataclass(frozen=True, slots=True)
class Source:
    """One text file: its name as shown to the user, and its decoded text."""

    name: str
    text: str = field(repr=False)
    _line_starts: array[int] = field(default_factory=lambda: array("I"), init=False, repr=False, compare=False)

    def line_col(self, offset: int) -> tuple[int, int]:
        """Line and column of a character offset, from 1, as editors count (LF and CRLF end a line)."""
        starts = self._starts()
        offset = min(max(offset, 0), len(self.text))
        number = bisect_right(starts, offset)
        return number, offset - starts[number - 1] + 1

    def line(self, number: int) -> str:
        """Text of one line, without its line end; empty for a number outside the file."""
        starts = self._starts()
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] if number < len(starts) else len(self.text)
        text = self.text[starts[number - 1] : end]
        return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")

    def line_start(self, number: int) -> int:
        """Offset of the first character of a line; the nearest line for a number outside the file."""
        starts = self._starts()
        return starts[min(max(number, 1), len(starts)) - 1]

    def span(self, start: int, end: int | None = None) -> Span:
        """Span of `[start, end)`, kept inside the text; one character when `end` is left out."""
        size = len(self.text)
        start = min(max(start, 0), size)
        return Span(self, start, min(max(start + 1 if end is None else end, start), size))

    def _starts(self) -> array[int]:
        starts = self._line_starts
        if not starts:  # filled once, on the first question: most files are never asked about
            starts.append(0)
            find = self.text.find
            at = find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = find("\n", at + 1)
        return starts


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of characters `[start, end)` in a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """Line of the first character, from 1."""
        return self.source.line_col(self.start)[0]

    @property
    def column(self) -> int:
        """Column of the first character, from 1, in characters."""
        return self.source.line_col(self.start)[1]

    @property
    def text(self) -> str:
        """The characters themselves."""
        return self.source.text[self.start : self.end]

    def __str__(self) -> str:
        line, column = self.source.line_col(self.start)
        return f"{self.source.name}:{line}:{column}"


@dataclass(slots=True)
class Positions:
    """Offsets of all entries of all containers of one file, as the reader met them.

    `base[id(container)]` is where its entries begin in `offsets`: four numbers an entry of a mapping
    (key start, key end, value start, value end), two an item of a list (start, end). Identity is safe
    as a key because the `SourceMap` keeps the data alive, and `kept` what merge keys took entries from.
    """

    base: dict[int, int] = field(default_factory=dict)
    offsets: array[int] = field(default_factory=lambda: array("I"))
    root: tuple[int, int] = (0, 0)
    kept: list[object] = field(default_factory=list)


class SourceMap:
    """Where every value of one loaded file stood; `root` is its plain data, which must not be changed."""

    __slots__ = ("_entries", "_positions", "root", "source")

    def __init__(self, source: Source, root: Any, positions: Positions) -> None:
        self.source = source
        self.root = root
        self._positions = positions
        self._entries: dict[int, dict[Any, int]] = {}

    def value(self, path: Path) -> Span:
        """Span of the value at `path`, or of its nearest ancestor that exists."""
        return self._find(path)[1]

    def key(self, path: Path) -> Span:
        """Span of the key at `path` (for a list item, the item itself), or of its nearest ancestor's."""
        return self._find(path)[0]

    def inside(self, path: Path, start: int, end: int) -> Span:
        """Span of the characters `[start, end)` of the scalar's *value*, found again through its quoting.

        Kept inside the scalar; the whole scalar when its value cannot be lined up with the file.
        """
        whole = self.value(path)
        text = self.source.text
        value = self.get(path)
        if not isinstance(value, str):
            value = whole.text  # a number is counted in the characters it was written with
        offsets = value_offsets(text, whole.start, whole.end, value)
        if offsets is None or not value:
            return whole
        start = min(max(start, 0), len(value))
        end = min(max(end, start), len(value))
        first = offsets[start]
        last = first if end == start else offsets[end - 1]
        if last < whole.end:
            last += character_width(text, whole.start, last)
        return Span(self.source, first, min(last, whole.end))

    def has(self, path: Path) -> bool:
        """Whether the file has a value at `path`."""
        return self._find(path)[2] == len(path)

    def get(self, path: Path) -> Any:
        """The plain value at `path`; None where there is none."""
        node = self.root
        for step in path:
            if isinstance(node, dict):
                if step not in node:
                    return None
                node = node[step]
            elif isinstance(node, list) and type(step) is int and 0 <= step < len(node):
                node = node[step]
            else:
                return None
        return node

    def entry(self, container: object, key: object) -> tuple[Span, Span] | None:
        """Spans of the key and the value of one entry of a container of this file, None for a stranger."""
        base = self._positions.base.get(id(container))
        if base is None:
            return None
        offsets = self._positions.offsets
        if isinstance(container, dict):
            number = self._entry_number(container, key)
            if number is None:
                return None
            at = base + 4 * number
            return Span(self.source, offsets[at], offsets[at + 1]), self._span(
                offsets[at + 2], offsets[at + 3], container[key]
            )
        if isinstance(container, list) and type(key) is int and 0 <= key < len(container):
            at = base + 2 * key
            item = self._span(offsets[at], offsets[at + 1], container[key])
            return item, item
        return None

    def _find(self, path: Path) -> tuple[Span, Span, int]:
        """Spans of key and value as far down the path as the file goes, and how far that was."""
        node = self.root
        whole = self._span(*self._positions.root, self.root)
        found = (whole, whole)
        for depth, step in enumerate(path):
            spans = self.entry(node, step)
            if spans is None:
                return *found, depth
            found = spans
            node = node[step]
        return *found, len(path)

    def _entry_number(self, mapping: Mapping[Any, Any], key: object) -> int | None:
        if key not in mapping:
            return None
        if len(mapping) >= _BIG_MAPPING:
            numbers = self._entries.get(id(mapping))
            if numbers is None:
                numbers = {name: number for number, name in enumerate(mapping)}
                self._entries[id(mapping)] = numbers
            return numbers[key]
        return next(number for number, name in enumerate(mapping) if name == key)

    def _span(self, start: int, end: int, value: object) -> Span:
        """Span of a value without the white space behind it, and behind a container without comments either."""
        text = self.source.text
        while end > start and text[end - 1] in " \t\r\n":
            end -= 1
            if isinstance(value, dict | list):
                line = text.rfind("\n", 0, end) + 1
                if line > start and text[line:end].lstrip(" ").startswith("#"):
                    end = line
        return Span(self.source, start, end)
