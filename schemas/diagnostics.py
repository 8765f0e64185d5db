"""What is wrong with a user's files: a record for each problem, collected rather than raised, and shown.

Every stage of loading adds to one `Problems` and goes on, so that an engineer sees all mistakes of all files
at once. A stage that raised at its first finding would turn ten typing errors into ten round trips.

Codes: Y YAML syntax and limits, S schema shape, Q quantities, X expressions, N names and references,
B binding to a station, P plan, D drivers and devices, R run time.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from schemas.source import Source, Span

_EXCERPT_WIDTH = 96  # characters of a source line that are shown
_LONGEST_TEXT = 1_000  # a message that quotes a hostile file stays readable
_LONGEST_NAME = 80  # nothing longer is a misspelt name; keeps suggestions cheap

Note = tuple[Span, str]
"""A second place that explains the first, and what is to be seen there."""


class Severity(StrEnum):
    """How bad it is: an error refuses the files, a warning only tells."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: what is wrong (`message`), where, what to look at there (`label`), the remedy (`help`)."""

    code: str
    message: str
    span: Span | None
    label: str = ""
    help: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    severity: Severity = Severity.ERROR


class InvalidFiles(Exception):
    """Files that cannot be used; carries everything that was found in them."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return render(self.problems)


class Problems:
    """Collects what every stage finds; iterates by file, then by place, without repetitions."""

    def __init__(self, diagnostics: Iterable[Diagnostic] = ()) -> None:
        self._found: dict[tuple[object, ...], Diagnostic] = {}
        for diagnostic in diagnostics:
            self.add(diagnostic)

    def error(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        label: str = "",
        help: str | Sequence[str] = (),
        notes: Iterable[Note] = (),
    ) -> None:
        """Adds a problem that refuses the files."""
        self.add(Diagnostic(code, message, span, label, _lines(help), tuple(notes), Severity.ERROR))

    def warning(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        label: str = "",
        help: str | Sequence[str] = (),
        notes: Iterable[Note] = (),
    ) -> None:
        """Adds a problem that is told but refuses nothing."""
        self.add(Diagnostic(code, message, span, label, _lines(help), tuple(notes), Severity.WARNING))

    def add(self, diagnostic: Diagnostic) -> None:
        """Adds one finding; the same finding at the same place is kept once."""
        span = diagnostic.span
        place = (span.source.name, span.start, span.end) if span is not None else ("", -1, -1)
        self._found.setdefault((*place, diagnostic.code, diagnostic.message), diagnostic)

    def extend(self, problems: Iterable[Diagnostic]) -> None:
        """Adds all findings of another collector."""
        for diagnostic in problems:
            self.add(diagnostic)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The findings that refuse the files, in reading order."""
        return tuple(found for found in self if found.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The findings that refuse nothing, in reading order."""
        return tuple(found for found in self if found.severity is Severity.WARNING)

    def raise_if_any(self) -> None:
        """Raises InvalidFiles when there are errors; warnings alone raise nothing."""
        if self:
            raise InvalidFiles(self)

    def __bool__(self) -> bool:
        return any(found.severity is Severity.ERROR for found in self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(sorted(self._found.values(), key=_reading_order))

    def __repr__(self) -> str:
        return f"Problems({len(self.errors)} errors, {len(self.warnings)} warnings)"


def render(problems: Iterable[Diagnostic]) -> str:
    """All findings as text for a terminal, each with its excerpt and caret, ending with a count."""
    diagnostics = list(problems)
    errors = sum(found.severity is Severity.ERROR for found in diagnostics)
    counts = [_count(errors, "error")] if errors else []
    if len(diagnostics) > errors:
        counts.append(_count(len(diagnostics) - errors, "warning"))
    parts = [render_one(found) for found in diagnostics]
    parts.append(", ".join(counts) or "no problems")
    return "\n\n".join(parts)


def render_one(found: Diagnostic) -> str:
    """One finding as text: headline, place, excerpt with caret, help."""
    head = f"{found.severity}[{found.code}]: {_one_line(found.message)}"
    if found.span is None:
        hints = [found.label, *found.help] if found.label else found.help
        return "\n".join([head, *(f"  = help: {_one_line(text)}" for text in hints)])
    places = [(found.span, found.label, "^"), *((span, text, "-") for span, text in found.notes)]
    here = found.span.source
    own = sorted((place for place in places if place[0].source is here), key=lambda place: place[0].start)
    foreign = [place for place in places if place[0].source is not here]
    gutter = " " * max(len(str(span.line)) for span, _, _ in places)
    lines = [head, f"{gutter}--> {_one_line(str(found.span))}", f"{gutter} |", *_excerpts(own, gutter)]
    for place in foreign:
        lines += [f"{gutter}::: {_one_line(str(place[0]))}", f"{gutter} |", *_excerpts([place], gutter)]
    if found.help:
        lines.append(f"{gutter} |")
        lines += [f"{gutter} = help: {_one_line(text)}" for text in found.help]
    return "\n".join(lines)


def as_json(found: Diagnostic) -> dict[str, Any]:
    """One finding as plain data for editors and CI; lines and columns count from 1, the end is exclusive."""
    place: dict[str, Any] = {"file": None, "line": None, "column": None, "end_line": None, "end_column": None}
    if found.span is not None:
        place = _json_place(found.span)
    return {
        **place,
        "code": found.code,
        "severity": str(found.severity),
        "message": found.message,
        "label": found.label,
        "help": list(found.help),
        "notes": [{**_json_place(span), "message": text} for span, text in found.notes],
    }


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate probably meant: the same but for case or dashes, a few letters off, or begun alike."""
    if not name or len(name) > _LONGEST_NAME:
        return None
    plain = _plain(name)
    best: tuple[int, str] | None = None
    begun: list[str] = []
    for candidate in candidates:
        other = _plain(candidate)
        if other == plain:
            return candidate
        allowed = max(len(plain), len(other)) // 3
        if abs(len(plain) - len(other)) <= allowed and len(other) <= _LONGEST_NAME:
            distance = _edits(plain, other)
            if distance <= allowed and (best is None or (distance, candidate) < best):
                best = (distance, candidate)
        if min(len(plain), len(other)) >= 3 and (other.startswith(plain) or plain.startswith(other)):
            begun.append(candidate)
    if best is not None:
        return best[1]
    return begun[0] if len(begun) == 1 else None


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """The hint "did you mean `x`?", or an empty text when nothing is near."""
    near = nearest(name, candidates)
    return f"did you mean `{near}`?" if near is not None else ""


def _lines(help: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(help, str):
        return (help,) if help else ()
    return tuple(text for text in help if text)


def _reading_order(found: Diagnostic) -> tuple[str, int, int, str, str]:
    span = found.span
    name, start, end = (span.source.name, span.start, span.end) if span is not None else ("", -1, -1)
    return name, start, end, found.code, found.message


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _json_place(span: Span) -> dict[str, Any]:
    line, column = span.source.line_col(span.start)
    end_line, end_column = span.source.line_col(span.end)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }


def _excerpts(places: Sequence[tuple[Span, str, str]], gutter: str) -> list[str]:
    """Source lines with carets under them; places on one line share it, gaps become dots."""
    lines: list[str] = []
    shown = 0
    for span, label, mark in places:
        number = span.line
        if shown and number > shown + 1:
            lines.append("...")
        text, caret = _excerpt(span.source, span, mark)
        if number != shown:
            lines.append(f"{number:>{len(gutter)}} | {text}".rstrip())
        lines.append(f"{gutter} | {caret} {_one_line(label)}".rstrip())
        shown = number
    return lines


def _excerpt(source: Source, span: Span, mark: str) -> tuple[str, str]:
    """The visible form of a source line, and the carets under the part of the span that stands on it."""
    number, column = source.line_col(span.start)
    line = source.line(number)
    first = min(column - 1, len(line))
    length = max(1, min(span.end - span.start, len(line) - first))
    left = 0
    if len(line) > _EXCERPT_WIDTH:  # show the part around the caret
        left = max(0, min(first - _EXCERPT_WIDTH // 3, len(line) - _EXCERPT_WIDTH))
    cells = [_cell(character) for character in line[left : left + _EXCERPT_WIDTH]]
    before = "…" if left else ""
    behind = "…" if left + _EXCERPT_WIDTH < len(line) else ""
    indent = len(before) + sum(width for _, width in cells[: first - left])
    under = max(1, sum(width for _, width in cells[first - left : first - left + length]))
    return before + "".join(shown for shown, _ in cells) + behind, " " * indent + mark * under


def _cell(character: str) -> tuple[str, int]:
    """Visible form of a character and the columns it takes, so that no file can steer the terminal."""
    if " " <= character <= "~":
        return character, 1
    code = ord(character)
    if character == "\t":
        return "→", 1
    if code < 32:
        return chr(0x2400 + code), 1
    if character == "\u00a0":
        return "⍽", 1
    category = unicodedata.category(character)
    if category in ("Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp"):
        return "\ufffd", 1
    if category in ("Mn", "Me"):
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _one_line(text: str) -> str:
    """Text of ours that quotes a user's, safe to print on one line."""
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + "…"
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else json.dumps(character)[1:-1].replace("\x7f", "\\u007f")
        for character in text
    )


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")


def _edits(left: str, right: str) -> int:
    """Fewest insertions, deletions, replacements and swaps of neighbours that make one name the other."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, mine in enumerate(left, start=1):
        above, before = before, row
        row = [i]
        for j, theirs in enumerate(right, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (mine != theirs))
            if i > 1 and j > 1 and mine == right[j - 2] and left[i - 2] == theirs:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]
