"""libyaml's events to plain data, positions and problems.

Events instead of nodes, and an explicit stack: no recursion that a file could exhaust, and half the time. The
cyclic garbage collector is held off meanwhile; with every container it would walk all containers made so far.
"""

from __future__ import annotations

import gc
import re
from array import array
from collections.abc import Callable, Iterable
from typing import Any, Final

from yaml._yaml import CParser
from yaml.error import YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from schemas.diagnostics import Diagnostic, Problems, did_you_mean
from schemas.reader.limits import Limits
from schemas.reader.lines import quoted, template_diagnostic
from schemas.reader.scalars import BadNumber, resolve
from schemas.reader.syntax import explain
from schemas.source import Positions, Source, SourceMap

_NOTHING: Final = object()
_PROPERTIES = re.compile(r"&[^\s,\[\]{}]+(?:\s+(?:#[^\n]*\n\s*)*)?")
_QUESTION_MARK = re.compile(r"(?:^|(?<=[\s,{\[]))\?[ \t]", re.MULTILINE)
_DECIMAL_COMMA = re.compile(r"[0-9]+(?:$|\s|[eE%])")
_SMALLEST_KEY, _LARGEST_KEY = -(2**31), 2**31 - 1


def build(source: Source, limits: Limits, problems: Problems, suspects: Iterable[Diagnostic] = ()) -> SourceMap | None:
    """Data and positions of a text, or None when there is none; adds all problems met.

    `suspects` are characters that are fine in quoted text and in blocks of text, and a mistake anywhere else.
    """
    found_before = len(problems)
    builder = _Builder(source, limits, problems, suspects)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        source_map = builder.run()
        problems.extend(builder.suspects.values())
        return source_map
    except _Stop:
        return None
    except YAMLError as error:
        # a syntax error behind a misleading character or a conflict marker is a symptom of it
        found = explain(source, error)
        stopped = getattr(error, "problem_mark", None)
        guilty = [one for at, one in builder.suspects.items() if stopped is None or at <= stopped.index]
        problems.extend(guilty)
        if not found_before and not guilty:
            told = {problem.span.line for problem in problems if problem.span is not None}
            if found.span is None or found.span.line not in told:
                problems.add(found)
        return None
    finally:
        if was_enabled:
            gc.enable()


class _Stop(Exception):
    """Reading on would be harmful or useless; the reason is among the problems."""


class _Anchor:
    """A value that may be repeated: what it is, how many values it holds expanded, where it was named."""

    __slots__ = ("size", "start", "value")

    def __init__(self, value: Any, size: int, start: int) -> None:
        self.value, self.size, self.start = value, size, start


class _Frame:
    """A container under construction."""

    __slots__ = (
        "anchor",
        "container",
        "flow",
        "is_mapping",
        "key",
        "key_end",
        "key_start",
        "merge",
        "positions",
        "size",
        "start",
    )

    def __init__(self, container: Any, is_mapping: bool, flow: bool, anchor: str | None, start: int) -> None:
        self.container = container
        self.is_mapping = is_mapping
        self.flow = flow
        self.anchor = anchor
        self.start = start
        self.positions: list[int] = []
        self.size = 1
        self.key: Any = _NOTHING
        self.key_start = self.key_end = 0
        self.merge: tuple[Any, int, int] | None = None  # value, its start, start of `<<`


class _Builder:
    """Takes events and makes one file's data of them; used once."""

    def __init__(self, source: Source, limits: Limits, problems: Problems, suspects: Iterable[Diagnostic]) -> None:
        self.suspects = {one.span.start: one for one in suspects if one.span is not None}
        self.source = source
        self.text = source.text
        self.limits = limits
        self.problems = problems
        self.positions = Positions()
        self.anchors: dict[str, _Anchor] = {}
        self.aliases = 0
        self.documents = 0
        self.merged = 0
        self.most_nodes = limits.nodes(len(source.text))

    def run(self) -> SourceMap | None:
        """Reads to the end of the text."""
        next_event: Callable[[], Any] = CParser(self.text).get_event
        text, limits = self.text, self.limits
        longest, longest_number = limits.scalar_length, limits.number_length
        resolved: dict[str, Any] = {}
        question_marks = {mark.end() for mark in _QUESTION_MARK.finditer(text)} if "? " in text else None
        stack: list[_Frame] = []
        left = limits.entries
        frame: _Frame | None = None
        root: Any = _NOTHING
        while True:
            event = next_event()
            kind = event.__class__
            size = 1
            if kind is ScalarEvent:
                start, end = event.start_mark.index, event.end_mark.index
                value = event.value
                if event.anchor is not None:
                    start = self._behind_anchor(event.anchor, start)
                if event.tag is not None:
                    self._refuse_tag(start)
                elif event.implicit[0]:
                    try:
                        value = resolved[value]
                    except KeyError:
                        try:
                            value = resolve(value, longest_number)
                        except BadNumber as error:
                            self._error("Y015", str(error), start, end)
                        if len(resolved) < 100_000:
                            resolved[event.value] = value
                else:
                    if self.suspects:
                        self.suspects = {at: one for at, one in self.suspects.items() if not start <= at < end}
                    if text[end : end + 1] == "#" and text[end - 1] in "\"'":
                        self._comment_without_space(end)
                if len(event.value) > longest:
                    self._error(
                        "Y003",
                        f"this text has {len(event.value):,} characters; at most {longest:,} are allowed",
                        start,
                        stop=True,
                    )
                if event.anchor is not None:
                    self.anchors[event.anchor] = _Anchor(value, 1, start)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                if frame is not None:
                    if frame.is_mapping and frame.key is _NOTHING:
                        self._refuse_container_as_key(event.start_mark.index)
                    stack.append(frame)
                frame = self._open(event, kind is MappingStartEvent, len(stack))
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                assert frame is not None
                start, end, value, size = frame.start, event.end_mark.index, frame.container, frame.size
                self._close(frame, end)
                frame = stack.pop() if stack else None
            elif kind is AliasEvent:
                start, end = event.start_mark.index, event.end_mark.index
                value, size = self._alias(event.anchor, start, end)
            elif kind is DocumentStartEvent:
                self._document(event)
                continue
            elif kind is StreamEndEvent:
                break
            else:
                continue

            if frame is None:
                root = value
                self.positions.root = (start, end)
            elif not frame.is_mapping:
                frame.container.append(value)
                frame.positions += (start, end)
                frame.size += size
                left -= 1
                if left < 0:
                    self._too_many(start)
            elif frame.key is _NOTHING:
                frame.key = value if value.__class__ is str else self._key(value, start, end)
                frame.key_start, frame.key_end = start, end
                frame.size += 1
                if question_marks and start in question_marks:
                    self._error("Y011", "a key is written without `? `", start - 2, end, help="write `key: value`")
                if end - start > limits.key_length:
                    self._long_key(frame.key, start, end)
            else:
                self._entry(frame, value, start, end)
                frame.size += size
                left -= 1
                if left < 0:
                    self._too_many(start)
        if root is _NOTHING:
            self._empty()
            return None
        return SourceMap(self.source, root, self.positions)

    def _too_many(self, start: int) -> None:
        self._error(
            "Y003",
            f"this file has more than {self.limits.entries:,} entries of lists and mappings",
            start,
            label="reading stopped here",
            help="let a `sweep` or `repeat` make the points, or split the file into several that refer to each other by id",
            stop=True,
        )

    def _open(self, event: Any, is_mapping: bool, depth: int) -> _Frame:
        start = event.start_mark.index
        if depth >= self.limits.depth:
            self._error("Y003", f"this is nested deeper than {self.limits.depth} levels", start, start + 1, stop=True)
        if event.tag is not None:
            self._refuse_tag(start)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchor(_NOTHING, 0, start)
        return _Frame({} if is_mapping else [], is_mapping, event.flow_style, event.anchor, start)

    def _close(self, frame: _Frame, end: int) -> None:
        if frame.merge is not None:
            self._merge(frame)
        offsets = self.positions.offsets
        self.positions.base[id(frame.container)] = len(offsets)
        offsets.extend(frame.positions)
        if frame.flow and self.text[end : end + 1] == "#":
            self._comment_without_space(end)
        if frame.size > self.most_nodes:
            self._error(
                "Y003",
                f"aliases make this more than {self.most_nodes:,} values",
                frame.start,
                frame.start + 1,
                stop=True,
            )
        if frame.anchor is not None:
            self.anchors[frame.anchor] = _Anchor(frame.container, frame.size, frame.start)

    def _entry(self, frame: _Frame, value: Any, start: int, end: int) -> None:
        """Puts one key and value into a mapping."""
        key, key_start = frame.key, frame.key_start
        frame.key = _NOTHING
        if value is None and frame.flow and start == end:
            self._missing_value(frame, key_start, end)
        if key == "<<" and self.text[key_start] == "<":
            if frame.merge is not None:
                self._error(
                    "Y014",
                    "a second merge key `<<`",
                    key_start,
                    frame.key_end,
                    help="merge several mappings with one list: `<<: [*a, *b]`",
                    notes=[(self.source.span(frame.merge[2], frame.merge[2] + 2), "first one here")],
                )
            frame.merge = (value, start, key_start)
        elif key in frame.container:
            number = list(frame.container).index(key)
            first, first_end = frame.positions[4 * number : 4 * number + 2]
            self._error(
                "Y012",
                f"duplicate key `{key}`",
                key_start,
                frame.key_end,
                label="given again",
                help="remove or rename one of them",
                notes=[(self.source.span(first, first_end), "first given here")],
            )
        else:
            frame.container[key] = value
            frame.positions += (key_start, frame.key_end, start, end)

    def _merge(self, frame: _Frame) -> None:
        """Copies the entries that `<<` names, except those the mapping has itself."""
        assert frame.merge is not None
        value, start, _ = frame.merge
        offsets: array[int] = self.positions.offsets
        for mapping in value if isinstance(value, list) else [value]:
            if not isinstance(mapping, dict):
                self._error(
                    "Y014",
                    "`<<` merges mappings, and this is none",
                    start,
                    help="write `<<: *name` with the anchor of a mapping",
                )
                return
            self.merged += len(mapping)
            if self.merged > self.most_nodes:
                self._error("Y003", f"merge keys copy more than {self.most_nodes:,} entries", start, stop=True)
            self.positions.kept.append(mapping)
            base = self.positions.base[id(mapping)]
            for number, (key, merged) in enumerate(mapping.items()):
                if key not in frame.container:
                    frame.container[key] = merged
                    at = base + 4 * number
                    frame.positions += offsets[at : at + 4]

    def _alias(self, name: str, start: int, end: int) -> tuple[Any, int]:
        self.aliases += 1
        if self.aliases > self.limits.aliases:
            self._error("Y003", f"more than {self.limits.aliases:,} aliases", start, end, stop=True)
        anchor = self.anchors.get(name)
        if anchor is None:
            rest = self._rest_of_value(start)
            self._error(
                "Y013",
                f"there is no anchor `&{name}` for the alias `*{name}`",
                start,
                end,
                label=did_you_mean(name, self.anchors),
                help=f"if this is text, write {quoted(rest)}",
            )
            return None, 1
        if anchor.value is _NOTHING:
            self._error(
                "Y013",
                f"the alias `*{name}` stands inside what it repeats",
                start,
                end,
                notes=[(self.source.span(anchor.start), "the anchor is here")],
            )
            return None, 1
        return anchor.value, anchor.size

    def _key(self, value: Any, start: int, end: int) -> Any:
        """A usable key made of a value that is not text: whole numbers stay, all else is refused."""
        if value.__class__ is int:
            if _SMALLEST_KEY <= value <= _LARGEST_KEY:
                return value
            self._error("Y011", "this key is too large for a number", start, end, help="put it in quotes")
        elif value.__class__ is dict or value.__class__ is list:
            self._error("Y011", "a mapping or list cannot be a key", start, max(end, start + 1))
        elif start == end:
            self._error("Y011", "a key is missing before `:`", start)
        else:
            found = {bool: "a boolean", float: "a decimal number"}.get(value.__class__, "empty")
            written = self.text[start:end]
            self._error(
                "Y011",
                f"a key must be text, and `{written}` is {found}",
                start,
                end,
                help=f"write {quoted(written)}",
            )
        return ("refused", start)

    def _refuse_container_as_key(self, start: int) -> None:
        if self.text[start - 1 : start + 1] == "{{":
            self.problems.add(template_diagnostic(self.source, start - 1))
            raise _Stop
        self._error("Y011", "a mapping or list cannot be a key", start, start + 1, stop=True)

    def _long_key(self, key: Any, start: int, end: int) -> None:
        if key.__class__ is str and len(key) > self.limits.key_length:
            self._error(
                "Y003",
                f"this key has {len(key):,} characters; at most {self.limits.key_length:,} are allowed",
                start,
                end,
            )

    def _missing_value(self, frame: _Frame, start: int, end: int) -> None:
        """A key without a value between brackets: `{limit: 1,5 A}` is read as `limit: 1` and a key `5 A`."""
        key = self.text[start : frame.key_end]
        if self.text[frame.key_end : end].strip().startswith(":") or key.startswith(("?", '"', "'")):
            return
        before = self.text[frame.positions[-2] : frame.positions[-1]] if frame.positions else ""
        if _DECIMAL_COMMA.match(key) and before[-1:].isdigit() and self.text[frame.positions[-1]] == ",":
            self._error(
                "Y017",
                f"`{before},{key}` is not a number: between brackets a comma separates entries",
                frame.positions[-2],
                frame.key_end,
                label="decimal comma",
                help=f"write `{before}.{key}`",
            )
            return
        self._error("Y017", f"`{key}` has no value", start, frame.key_end, help=f"write `{key}: …`")

    def _behind_anchor(self, name: str, start: int) -> int:
        match = _PROPERTIES.match(self.text, start)
        if match is None:
            return start
        behind = start + 1 + len(name)
        if self.text[behind : behind + 1] not in ("", " ", "\t", "\r", "\n", ",", "]", "}"):
            self._error(
                "Y013",
                f"`{self.text[behind]}` cannot stand in the name of an anchor",
                behind,
                help="use letters, digits, `-` and `_`",
            )
        return match.end()

    def _refuse_tag(self, start: int) -> None:
        rest = self._rest_of_value(start)
        tag = rest.split(None, 1)[0] if rest else "!"
        self._error(
            "Y008",
            f"the tag `{tag}` is not allowed",
            start,
            start + len(tag),
            help=f"remove it; if this is text, write {quoted(rest)}",
        )

    def _document(self, event: Any) -> None:
        self.documents += 1
        start = event.start_mark.index
        if self.documents > 1:
            self._error(
                "Y010",
                "a second document starts here; a file holds one",
                start,
                start + 3,
                help="remove the `---` line, or make two files",
                stop=True,
            )
        if event.version or event.tags:
            start = self.text.find("%")
            self._error(
                "Y009",
                "a line that starts with `%` is a YAML directive, and directives are not allowed",
                start,
                start + len(self._rest_of_value(start)),
                help="remove the line",
            )

    def _comment_without_space(self, at: int) -> None:
        self._error("Y016", "a comment needs a space before `#`", at, label="add a space here")

    def _empty(self) -> None:
        self._error(
            "Y007", "this file is empty", 0, 0, help="the first key names the kind, such as `sequence: my_test`"
        )

    def _rest_of_value(self, start: int) -> str:
        number, column = self.source.line_col(start)
        return self.source.line(number)[column - 1 :].split(" #")[0].rstrip()

    def _error(
        self, code: str, message: str, start: int, end: int | None = None, *, stop: bool = False, **more: Any
    ) -> None:
        self.problems.error(code, message, self.source.span(start, end), **more)
        if stop or len(self.problems) >= self.limits.problems:
            raise _Stop
