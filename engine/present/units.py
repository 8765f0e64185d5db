"""The measurements of several units in one table: a row for what they have in common, however many they are."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from engine.present.chart import UNIT_AXIS
from engine.present.fold import POINTS_LISTED, Points, Row
from engine.present.verdicts import mark, worse
from schemas.documents import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Across:
    """One measurement of every unit that has it."""

    rows: tuple[Row, ...]
    """One a unit, in order of unit."""
    total: Row
    """All their values together, its worst point that of the worst unit; without the points themselves."""

    @property
    def name(self) -> str:
        return self.total.name

    @property
    def verdict(self) -> Verdict:
        return self.total.verdict

    @property
    def worst_unit(self) -> int:
        return self.total.worst.unit if self.total.worst is not None else self.total.unit

    def counts(self) -> dict[Verdict, int]:
        """How many units by their verdict on it."""
        found: dict[Verdict, int] = {}
        for row in self.rows:
            found[row.verdict] = found.get(row.verdict, 0) + 1
        return found

    def units_text(self, of: int) -> str:
        """`7 pass, 1 fail`; says how many of all `of` units have no value."""
        counts = self.counts()
        said = [f"{counts[v]:,} {v}" for v in (Verdict.FAIL, Verdict.MARGINAL, Verdict.PASS) if v in counts]
        if Verdict.UNJUDGED in counts:
            said.append(f"{counts[Verdict.UNJUDGED]:,} {Verdict.UNJUDGED}" if said else f"{len(self.rows):,} units")
        if len(self.rows) < of:
            said.append(f"{of - len(self.rows):,} without")
        return ", ".join(said)


def across(rows: Iterable[Row]) -> list[Across]:
    """The rows of all units by what they measure, in the order of the plan."""
    grouped: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        grouped.setdefault((row.node, row.name, row.first.unit_symbol), []).append(row)
    found = [Across(tuple(group), _together(group)) for group in grouped.values()]
    return sorted(found, key=lambda one: min(row.first.order for row in one.rows))


def is_shared(rows: Sequence[Row]) -> bool:
    """Whether any two units measure the same."""
    keys = [(row.node, row.name, row.first.unit_symbol) for row in rows]
    return len(set(keys)) < len(keys)


def _together(rows: Sequence[Row]) -> Row:
    first = rows[0]
    total = Row(first.first, first.unit, first.name, first.node)
    for row in rows:
        total.count += row.count
        total.readings += row.readings
        total.total += row.total
        total.low = row.low if total.low is None else total.low if row.low is None else min(total.low, row.low)
        total.high = row.high if total.high is None else total.high if row.high is None else max(total.high, row.high)
        total.verdict = worse(total.verdict, row.verdict)
        for verdict, count in row.counts.items():
            total.counts[verdict] = total.counts.get(verdict, 0) + count
        if total.worst is None or row.worst_key > total.worst_key:
            total.worst, total.worst_key = row.worst, row.worst_key
        bounds = (row.first.low, row.first.high)
        total.limits_vary = total.limits_vary or row.limits_vary or bounds != (first.first.low, first.first.high)
        total.listed += row.listed[: POINTS_LISTED - len(total.listed)]
    return total


def traces(found: Across, serials: Mapping[int, str]) -> Row:
    """All points of all units in one row, with the unit as one more axis: one line each in a chart."""
    total = _together(found.rows)
    names = list(dict.fromkeys(name for row in found.rows for name in row.points.axes))
    points = Points(axes={UNIT_AXIS: [], **{name: [] for name in names}})
    for row in found.rows:
        source = row.points
        points.y.extend(source.y)
        points.low.extend(source.low)
        points.high.extend(source.high)
        points.guard.extend(source.guard)
        points.verdicts.extend(source.verdicts)
        points.axes[UNIT_AXIS] += [serials.get(row.unit, f"unit {row.unit + 1}")] * len(source)  # type: ignore[operator]
        for name in names:
            column = source.axes.get(name)
            points.axes[name] += list(column) if column is not None else [float("nan")] * len(source)  # type: ignore[operator]
    for name in names:
        column = points.axes[name]
        if all(isinstance(value, float | int) for value in column):
            points.axes[name] = array("d", column)  # type: ignore[arg-type]
    total.points = points
    return total


class Unit(Protocol):
    """What a table of units orders by."""

    @property
    def unit(self) -> int: ...
    @property
    def outcome(self) -> Outcome | None: ...


U = TypeVar("U", bound=Unit)


def worst_first(units: Iterable[U]) -> list[U]:
    """Those that failed before those that passed, each in their order; one that has not finished in between."""
    return sorted(units, key=lambda one: (-mark(one.outcome or "running").rank, one.unit))
