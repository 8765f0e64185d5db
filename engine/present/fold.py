"""Many values into few rows: those that are results, and one row for all points of a sweep.

Rows are taken one at a time, in the order of the plan, and only numbers are kept of a swept value: a run of a million
points must still fit on a page and in memory.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from engine.present import values
from engine.present.verdicts import worse
from schemas.documents import Value, Verdict

POINTS_LISTED = 200
"""Points of one sweep that are kept word for word."""
LONGEST_LIST = 200

_AXIS_VALUES = re.compile(r"\[[^\]]*\]")

Axes = tuple[tuple[str, float | str], ...]


class Measurement(Protocol):
    """What a row needs of a value: the document has it, and so has the journal's record."""

    @property
    def unit(self) -> int: ...
    @property
    def node(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def order(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def value(self) -> Value: ...
    @property
    def unit_symbol(self) -> str: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def t(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def limit(self) -> str: ...
    @property
    def margin(self) -> float | None: ...
    @property
    def axes(self) -> Axes: ...
    @property
    def instrument(self) -> str: ...
    @property
    def net(self) -> str: ...
    @property
    def pin(self) -> str: ...
    @property
    def samples(self) -> int: ...
    @property
    def spread(self) -> float | None: ...
    @property
    def diagnostic(self) -> bool: ...
    @property
    def json_value(self) -> str: ...
    @property
    def final(self) -> bool: ...


def template(node: str) -> str:
    """The node without its axis values: what all points of a sweep have in common."""
    return _AXIS_VALUES.sub("", node)


@dataclass(slots=True)
class Points:
    """The numbers of a swept value, column by column."""

    y: array[float] = field(default_factory=lambda: array("d"))
    low: array[float] = field(default_factory=lambda: array("d"))
    """NaN where there is no bound."""
    high: array[float] = field(default_factory=lambda: array("d"))
    guard: array[float] = field(default_factory=lambda: array("d"))
    """What a guard band or an uncertainty takes off each end; 0 where there is none."""
    verdicts: bytearray = field(default_factory=bytearray)
    """Indices into VERDICTS."""
    axes: dict[str, array[float] | list[float | str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.y)


VERDICTS = tuple(Verdict)
_VERDICT_INDEX = {verdict: index for index, verdict in enumerate(VERDICTS)}


@dataclass(slots=True)
class Row:
    """One line of a measurement table: a value, or all points of a swept one."""

    first: Measurement
    """The only one, or the first point."""
    unit: int
    name: str
    node: str
    """Without axis values."""
    count: int = 0
    readings: int = 0
    """Finite numbers among them."""
    low: float | None = None
    """Of the values, not of the limit."""
    high: float | None = None
    total: float = 0.0
    verdict: Verdict = Verdict.UNJUDGED
    worst: Measurement | None = None
    """The one with the worst verdict, and among those the smallest margin."""
    worst_key: tuple[int, float] = (-1, 0.0)
    counts: dict[Verdict, int] = field(default_factory=dict)
    points: Points = field(default_factory=Points)
    listed: list[Measurement] = field(default_factory=list)
    limits_vary: bool = False

    @property
    def swept(self) -> bool:
        return self.count > 1

    @property
    def mean(self) -> float | None:
        return self.total / self.readings if self.readings else None

    @property
    def margin(self) -> float | None:
        return self.worst.margin if self.worst is not None else None

    def shown(self) -> values.Shown:
        """Value, limit and margin in words; for a sweep the range `min … max` and the worst margin."""
        m = self.worst if self.worst is not None else self.first
        if not self.swept:
            return values.judged(m.value, m.unit_symbol, m.low, m.high, m.limit, m.margin)
        bounds = [b for b in (m.low, m.high) if b is not None]
        scale = values.scale_for(bounds if any(bounds) else [self.low, self.high], m.unit_symbol)
        limit = values.limit_text(m.limit, m.low, m.high, scale)
        if self.limits_vary and limit:
            limit = f"{limit} (varies)"
        if self.low is None or self.high is None:
            text = _same_text(self)
        else:
            accepted = values.acceptance(m.limit, m.low, m.high)
            ends = [values.judged_digits(v, *accepted, scale) for v in (self.low, self.high)]
            joined = ends[0] if ends[0] == ends[1] else " … ".join(ends)
            text = values.with_unit(joined, scale.unit)
        return values.Shown(text, limit, values.margin_text(self.margin, m.unit_symbol))

    def mean_text(self) -> str:
        """The mean of a swept value, in the same unit as its range; empty where there is none."""
        m = self.first
        if not self.swept or self.mean is None:
            return ""
        bounds = [b for b in (m.low, m.high) if b is not None]
        scale = values.scale_for(bounds if any(bounds) else [self.low, self.high], m.unit_symbol)
        accepted = values.acceptance(m.limit, m.low, m.high)
        return values.with_unit(values.judged_digits(self.mean, *accepted, scale), scale.unit)

    def add(self, m: Measurement) -> None:
        self.count += 1
        value = m.value
        number = math.nan
        if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
            number = value
        if math.isfinite(number):
            self.readings += 1
            self.total += number
            self.low = number if self.low is None or number < self.low else self.low
            self.high = number if self.high is None or number > self.high else self.high
        verdict = m.verdict
        self.counts[verdict] = self.counts.get(verdict, 0) + 1
        if verdict is not self.verdict:
            self.verdict = worse(self.verdict, verdict)
        key = _badness(m)
        if self.worst is None or key > self.worst_key:
            self.worst, self.worst_key = m, key
        if (m.low, m.high) != (self.first.low, self.first.high):
            self.limits_vary = True
        if len(self.listed) < POINTS_LISTED:
            self.listed.append(m)
        self._point(m, number)

    def _point(self, m: Measurement, number: float) -> None:
        points = self.points
        points.y.append(number)
        points.low.append(math.nan if m.low is None else m.low)
        points.high.append(math.nan if m.high is None else m.high)
        points.guard.append(values.guard(m.limit))
        points.verdicts.append(_VERDICT_INDEX[m.verdict])
        if self.count == 1:
            points.axes = {name: array("d") for name, _ in m.axes}
        elif len(points.axes) == 1 == len(m.axes):  # by far the most frequent, so without a dictionary
            [(name, value)] = m.axes
            only = points.axes.get(name)
            if type(only) is array and type(value) is float:
                only.append(value)
                return
        given = dict(m.axes)
        for name, column in points.axes.items():
            value = given.get(name, math.nan)
            if isinstance(column, array):
                if isinstance(value, float | int):
                    column.append(value)
                    continue
                column = points.axes[name] = list(column)
            column.append(value)


_RANKS = {Verdict.UNJUDGED: 0, Verdict.PASS: 1, Verdict.MARGINAL: 2, Verdict.FAIL: 3}


def _badness(m: Measurement) -> tuple[int, float]:
    """Higher is worse: by verdict, then by margin; a failure without a margin, as of no reading, is the worst."""
    rank = _RANKS[m.verdict]
    margin = m.margin
    if margin is None or margin != margin:
        return rank, math.inf if rank == 3 else -math.inf
    return rank, -margin


def _same_text(row: Row) -> str:
    texts = {values.value_text(m.value, m.unit_symbol) for m in row.listed}
    return texts.pop() if len(texts) == 1 and row.count <= POINTS_LISTED else "various"


@dataclass(slots=True)
class Table:
    """All rows of a run."""

    rows: list[Row] = field(default_factory=list)
    diagnostics: list[Measurement] = field(default_factory=list)
    """Recorded and never judged; at most LONGEST_LIST."""
    diagnostics_left_out: int = 0
    superseded: list[Measurement] = field(default_factory=list)
    """Values of attempts and remedies that were given up for another attempt; at most LONGEST_LIST."""
    superseded_left_out: int = 0


def fold(measurements: Iterable[Measurement]) -> Table:
    """The table of values that come in order of (unit, plan, attempt); those given up for another attempt are no rows."""
    table = Table()
    rows: dict[tuple[int, str, str], Row] = {}
    for m in measurements:
        if not m.final:
            if len(table.superseded) < LONGEST_LIST:
                table.superseded.append(m)
            else:
                table.superseded_left_out += 1
        elif m.diagnostic:
            if len(table.diagnostics) < LONGEST_LIST:
                table.diagnostics.append(m)
            else:
                table.diagnostics_left_out += 1
        else:
            key = (m.unit, template(m.node), m.name)
            row = rows.get(key)
            if row is None:
                row = rows[key] = Row(m, m.unit, m.name, key[1])
            row.add(m)
    table.rows = list(rows.values())
    return table


def axes_text(axes: Axes) -> str:
    """`temperature -40, load 0.1`."""
    return ", ".join(f"{name} {value if isinstance(value, str) else values.number_text(value)}" for name, value in axes)


def position(value: Value, low: float | None, high: float | None) -> float | None:
    """Where a value lies in its limits: 0.15 at the lower, 0.85 at the upper, clamped to 0 … 1; None if nowhere."""
    if isinstance(value, bool | str) or value is None or not math.isfinite(value):
        return None
    if low is not None and high is not None and high > low:
        share = (value - low) / (high - low)
    elif high is not None and math.isfinite(high):
        share = 1 - (high - value) / (abs(high) or 1.0)
    elif low is not None and math.isfinite(low):
        share = (value - low) / (abs(low) or 1.0)
    else:
        return None
    return min(1.0, max(0.0, 0.15 + 0.7 * share)) if math.isfinite(share) else None
