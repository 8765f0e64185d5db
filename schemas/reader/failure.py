"""What libyaml said about a text, and the line it said it about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from yaml.error import YAMLError

from schemas.diagnostics import Diagnostic, Note
from schemas.reader import lines
from schemas.reader.lines import finding
from schemas.source import Source


@dataclass(frozen=True, slots=True)
class Failure:
    """What libyaml said, and the line it said it about."""

    source: Source
    problem: str
    context: str
    at: int
    """Offset where reading stopped."""
    begun: int | None
    """Offset where that began which could not be read; None when libyaml does not say."""
    number: int
    column: int
    line: str

    @property
    def character(self) -> str:
        return self.source.text[self.at : self.at + 1]

    @property
    def line_start(self) -> int:
        return self.source.line_start(self.number)

    @property
    def begun_line(self) -> int:
        return self.number if self.begun is None else self.source.line_col(self.begun)[0]

    @property
    def opening(self) -> str:
        return "" if self.begun is None else self.source.text[self.begun : self.begun + 1]

    def note(self, offset: int | None, text: str) -> tuple[Note, ...]:
        return () if offset is None else ((self.source.span(offset), text),)

    def value_at(self, offset: int) -> str:
        """Rest of the line at an offset, without comment."""
        number, column = self.source.line_col(offset)
        return lines.uncommented(self.source.line(number)[column - 1 :])

    def error(self, code: str, message: str, start: int, end: int | None = None, **more: Any) -> Diagnostic:
        return finding(self.source, code, message, start, end, **more)


def failure_of(source: Source, error: YAMLError) -> Failure:
    size = len(source.text)
    stopped, begun = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    at = min(stopped.index, size) if stopped is not None else min(getattr(error, "position", 0), size)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "this cannot be read"
    number, column = source.line_col(at)
    return Failure(
        source,
        problem,
        getattr(error, "context", None) or "",
        at,
        min(begun.index, size) if begun is not None else None,
        number,
        column,
        source.line(number),
    )
