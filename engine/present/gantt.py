"""Who has what when, as rows of bars: the one model of planned and of actual timelines, whatever draws it.

A run may have a million bars and a picture has a thousand columns: what is too narrow to be told apart becomes one bar that
says how much of it was in use, so that a picture stays small and a meter that is busy a tenth of the time does not look busy
all the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from engine.present.chart import nice_ticks

COLUMNS = 1200
"""Stretches of a chart that a bar can tell apart."""
SEVERAL = -1
"""In place of a unit where there is more than one."""


class Kind(StrEnum):
    """What a unit does in a bar."""

    CLAIM = "claim"
    """Has it for one node."""
    DRIVE = "drive"
    HOLD = "hold"
    """Both: keeps it from one node to another."""
    MODE = "mode"
    """Together with others at one value."""
    TRANSITION = "transition"
    """On its way to that value."""
    WAIT = "wait"
    """Cannot start because of others."""
    STAY = "stay"
    """Is at its site."""
    TASK = "task"
    """Planned."""


class RowKind(StrEnum):
    RESOURCE = "resource"
    MODE = "mode"
    UNIT = "unit"


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of a row, or several that are too near to each other to be told apart."""

    start_s: float
    end_s: float
    unit: int
    """Its number; SEVERAL where there are more."""
    kind: Kind
    node: str = ""
    """The node that took it; of several the first."""
    label: str = ""
    """Value of a mode, or the resource a unit has or waits for."""
    share: float = 1.0
    """How much of the stretch was in use."""
    count: int = 1

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a chart; bars in order of time."""

    name: str
    kind: RowKind
    bars: tuple[Bar, ...]
    note: str = ""
    """Behind the name: the site of a unit."""


@dataclass(frozen=True, slots=True)
class Gantt:
    """What is drawn."""

    rows: tuple[Row, ...]
    end_s: float
    units: Mapping[int, str] = field(default_factory=dict)
    """Serial of each."""
    behind: tuple[Row, ...] = ()
    """What was planned, drawn behind the row of the same name; empty where nothing was."""

    def serial(self, unit: int) -> str:
        return self.units.get(unit, f"unit {unit + 1}")


class PlannedBar(Protocol):
    """A bar of a schedule, `engine.schedule.schedule.Bar`."""

    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...
    @property
    def unit(self) -> int: ...
    @property
    def node(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def label(self) -> str: ...


class PlannedRow(Protocol):
    """A row of a schedule, `engine.schedule.schedule.Row`."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def bars(self) -> Sequence[PlannedBar]: ...


_PLANNED = {"task": Kind.TASK, "span": Kind.HOLD, "mode": Kind.MODE, "transition": Kind.TRANSITION}


def planned_rows(rows: Iterable[PlannedRow], units: Mapping[int, str]) -> tuple[Row, ...]:
    """Rows of a schedule in this model: units by their serials, modes by their instruments, as in what happened."""
    given = list(rows)
    least_s = max((bar.end_s for row in given for bar in row.bars), default=0.0) / COLUMNS
    modes = {row.name.partition(".")[0] for row in given if row.kind == "mode"}
    moving = {(bar.unit, bar.node) for row in given for bar in row.bars if bar.kind == "transition"}
    found = []
    for row in given:
        if row.kind == "mode":
            found.append(Row(row.name.partition(".")[0], RowKind.MODE, _values(row.bars)))
        elif row.kind == "unit":
            bars = tuple(
                replace(bar, kind=Kind.TRANSITION) if (bar.unit, bar.node) in moving else bar
                for bar in map(_planned, row.bars)
            )
            name = units.get(bars[0].unit, row.name) if bars else row.name
            found.append(Row(name, RowKind.UNIT, thinned(map(stretch_of, bars), least_s)))
        elif row.name not in modes:
            bars = thinned((stretch_of(_planned(bar)) for bar in row.bars), least_s)
            found.append(Row(row.name, RowKind.RESOURCE, bars))
    order = {RowKind.MODE: 0, RowKind.RESOURCE: 1, RowKind.UNIT: 2}
    return tuple(sorted(found, key=lambda row: order[row.kind]))


def _planned(bar: PlannedBar) -> Bar:
    return Bar(bar.start_s, bar.end_s, bar.unit, _PLANNED.get(bar.kind, Kind.TASK), bar.node, bar.label)


def _values(bars: Iterable[PlannedBar]) -> tuple[Bar, ...]:
    """Each value from the beginning of the way to it, and that way."""
    values: list[Bar] = []
    moving: list[Bar] = []
    for bar in map(_planned, bars):
        if bar.kind is Kind.TRANSITION:
            moving.append(bar)
        last = values[-1] if values else None
        if last is not None and last.label == bar.label and bar.start_s <= last.end_s + 1e-9:
            values[-1] = replace(last, end_s=max(last.end_s, bar.end_s))
        else:
            values.append(replace(bar, kind=Kind.MODE))
    found = values + moving
    return tuple(sorted(found, key=lambda bar: (bar.start_s, bar.end_s)))


Stretch = tuple[float, float, int, Kind, str, str]
"""From, to (seconds), unit, kind, node, label: a bar before it is one, of which a run may have a million."""


def stretch_of(bar: Bar) -> Stretch:
    return (bar.start_s, bar.end_s, bar.unit, bar.kind, bar.node, bar.label)


def thinned(stretches: Iterable[Stretch], least_s: float) -> tuple[Bar, ...]:
    """Bars in order of time; stretches of one kind that are nearer than `least_s` to each other become one.

    Two wide ones are joined when they are of one unit and one label; narrow ones whoever has them.
    """
    found: list[_Growing] = []
    last: dict[tuple[Kind, int], _Growing] = {}
    """Kind, unit → the bar that it would prolong."""
    crowd: dict[Kind, _Growing] = {}
    """Kind → the bar made of narrow ones that another narrow one would join."""
    for start, end, unit, kind, node, label in sorted(stretches):
        narrow = end - start < least_s
        bar = last.get((kind, unit))
        if bar is not None and (bar.unit != unit or bar.label != label or start - bar.end >= least_s):
            bar = None
        if bar is not None and not narrow and crowd.get(kind) is bar:
            del crowd[kind]
        joins = bar
        if joins is None and narrow:
            joins = crowd.get(kind)
            if joins is not None and start - joins.end >= least_s:
                joins = None
        if joins is None:
            joins = _Growing(start, end, unit, kind, node, label)
            found.append(joins)
            if narrow:
                crowd[kind] = joins
        else:
            joins.end = max(joins.end, end)
            joins.used += end - start
            joins.count += 1
            if joins.unit != unit:
                joins.unit = SEVERAL
            if joins.label != label:
                joins.label = ""
        last[kind, unit] = joins
    return tuple(sorted((bar.done() for bar in found), key=lambda bar: (bar.start_s, bar.end_s, bar.unit)))


class _Growing:
    """A bar that others may still join."""

    __slots__ = ("count", "end", "kind", "label", "node", "start", "unit", "used")

    def __init__(self, start: float, end: float, unit: int, kind: Kind, node: str, label: str) -> None:
        self.start, self.end, self.unit, self.kind, self.node, self.label = start, end, unit, kind, node, label
        self.used = end - start
        self.count = 1

    def done(self) -> Bar:
        wide = self.end - self.start
        share = min(1.0, self.used / wide) if wide > 0 else 1.0
        return Bar(self.start, self.end, self.unit, self.kind, self.node, self.label, share, self.count)


def union_s(stretches: Iterable[tuple[float, float]]) -> float:
    """Seconds covered by at least one of the stretches."""
    total = 0.0
    reached = float("-inf")
    for start, end in sorted(stretches):
        if end > reached:
            total += end - max(start, reached)
            reached = end
    return total


_STEPS_S = (10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def time_ticks(end_s: float, most: int) -> list[float]:
    """At most about `most` times people count in, from 0 to `end_s`: every 5 min, 10 min, 1 h, …"""
    if end_s < 60:
        return nice_ticks(0.0, end_s, most)
    whole_days = 86400.0 * max(1, -(-end_s // (86400 * most)))
    step = next((float(s) for s in _STEPS_S if end_s / s <= most), whole_days)
    return [n * step for n in range(int(end_s / step + 1e-9) + 1)]


def planned_chart(rows: Iterable[PlannedRow], serials: Sequence[str]) -> Gantt:
    """A schedule as a chart of its own; `serials` in order of unit."""
    units = dict(enumerate(serials))
    found = planned_rows(rows, units)
    return Gantt(found, max((bar.end_s for row in found for bar in row.bars), default=0.0), units)


def svg(gantt: Gantt) -> str:
    """The chart as a file of its own."""
    from engine.present.gantt_svg import gantt_svg

    return gantt_svg(gantt)
