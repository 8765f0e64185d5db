"""How things are timed here, and the rows that come of it.

What is compared is measured in turns and not one after the other: on a machine that others use, a slow minute would
otherwise fall on one side only.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat

Work = Callable[[], object]
REPEATS = 7


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside one floor or peer, both in the same unit."""

    what: str
    ours: float
    unit: str
    beside: str = ""
    """Which floor or peer; empty where the figure stands alone."""
    theirs: float | None = None
    target: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over theirs."""
        return self.ours / self.theirs if self.theirs else None


@dataclass(frozen=True, slots=True)
class Note:
    """Something the reader of a table has to know, such as what was left out and why."""

    text: str


Line = Row | Note


def cpu_s(work: Work, calls: int = 1) -> float:
    """CPU seconds of this process for one call, the mean of several in a row."""
    started = time.process_time()
    for _ in repeat(None, calls):
        work()
    return (time.process_time() - started) / calls


def side_by_side(works: Mapping[str, Work], calls: int = 1, repeats: int = REPEATS) -> dict[str, float]:
    """CPU seconds for one call of each, the median of several turns."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(repeats):
        for name, work in works.items():
            taken[name].append(cpu_s(work, calls))
    return {name: statistics.median(times) for name, times in taken.items()}


def number(value: float | None) -> str:
    """Three significant digits, without an exponent."""
    if value is None:
        return ""
    if value and abs(value) < 0.001:
        return f"{value:.1e}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(title: str, lines: list[Line]) -> str:
    """The rows as a Markdown table, the notes below it."""
    head = ("", "ours", "beside", "value", "ours ÷ value", "target")
    cells = [
        (row.what, f"{number(row.ours)} {row.unit}", row.beside, number(row.theirs), number(row.ratio), row.target)
        for row in lines
        if isinstance(row, Row)
    ]
    widths = [max(len(line[column]) for line in (head, *cells)) for column in range(len(head))]
    text = [f"## {title}", ""]
    text += [_line(cells_of, widths) for cells_of in (head, tuple("-" * width for width in widths), *cells)]
    for note in lines:
        if isinstance(note, Note):
            text += ["", f"- {note.text}"]
    return "\n".join(text)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
