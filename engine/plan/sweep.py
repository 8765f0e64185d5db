"""Axes of a sweep and the points they span.

A sweep keeps its axes, not its points: a point is worked out from its index when it is visited, so that a million of them
cost what their axis values cost.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import gt, lt
from typing import Any

from engine.expr import Kind, Type, is_expression
from engine.plan.model import AxisPlan, Formula
from engine.plan.names import Scope
from engine.plan.values import PLAIN, Values, on_off
from schemas.quantity import QuantityError, Unit, parse_quantity, parse_unit
from schemas.source import Path
from schemas.sweep import ListAxis, RangeAxis

AxisValue = float | str | bool
MOST_POINTS = 100_000_000
"""Of one axis."""
MOST_SHUFFLED = 10_000_000
"""Of a sweep in random order, which keeps eight bytes a point."""
KNOWN_HELP = "an expression here can use parameters only"


@dataclass(slots=True)
class AxisValues:
    """One axis with all its values."""

    plan: AxisPlan
    type: Type
    values: Sequence[AxisValue]


@dataclass(slots=True)
class ProductPoints:
    """Every combination of the dimensions, the first slowest; a dimension is one axis, or several zipped ones."""

    dimensions: tuple[tuple[AxisValues, ...], ...]
    extra: tuple[tuple[AxisValue, ...], ...] = ()
    """Further points, after the product."""
    exclude: Formula | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    order: str = "as_written"
    shuffle_key: str = ""
    slow: frozenset[str] = frozenset()
    """Slots of axes whose change takes long, for `order: fastest`."""

    @property
    def axes(self) -> tuple[AxisPlan, ...]:
        return tuple(axis.plan for dimension in self.dimensions for axis in dimension)

    @property
    def lengths(self) -> tuple[int, ...]:
        return tuple(len(dimension[0].values) for dimension in self.dimensions)

    @property
    def product_size(self) -> int:
        return math.prod(self.lengths)

    @property
    def size(self) -> int:
        """Points before `exclude`, further points included."""
        return self.product_size + len(self.extra)

    @property
    def sorted(self) -> bool:
        """Visited in written order."""
        return self.order == "as_written"

    @property
    def may_repeat(self) -> bool:
        """Whether two points can be equal: never where every dimension rises or falls."""
        return bool(self.extra) or any(_repeats(dimension) for dimension in self.dimensions)

    def __iter__(self) -> Iterator[tuple[int, tuple[AxisValue, ...]]]:
        points = self._product() if self.sorted else ((index, self._point(index)) for index in self._visits())
        if self.exclude is None:
            return iter(points)
        return self._kept(points)

    def count(self) -> int:
        """Points that are visited."""
        return self.size if self.exclude is None else sum(1 for _ in self)

    def breaks_at(self, index: int) -> int:
        """The first written index after `index` that is of another run of the innermost axis."""
        if index >= self.product_size:
            return index + 1
        inner = self.lengths[-1] if self.dimensions else 1
        return (index // inner + 1) * inner

    def _product(self) -> Iterator[tuple[int, tuple[AxisValue, ...]]]:
        if len(self.dimensions) == 1 and len(self.dimensions[0]) == 1:
            for index, value in enumerate(self.dimensions[0][0].values):
                yield index, (value,)
        else:
            for index in range(self.product_size):
                yield index, self._point(index)
        for number, point in enumerate(self.extra):
            yield self.product_size + number, point

    def _point(self, index: int) -> tuple[AxisValue, ...]:
        if index >= self.product_size:
            return self.extra[index - self.product_size]
        digits: list[int] = []
        for length in reversed(self.lengths):
            index, digit = divmod(index, length)
            digits.append(digit)
        digits.reverse()
        return tuple(
            axis.values[digit] for dimension, digit in zip(self.dimensions, digits, strict=True) for axis in dimension
        )

    def _kept(self, points: Iterator[tuple[int, tuple[AxisValue, ...]]]) -> Iterator[tuple[int, tuple[AxisValue, ...]]]:
        assert self.exclude is not None
        environment = dict(self.constants)
        slots = [axis.slot for axis in self.axes]
        for index, point in points:
            environment.update(zip(slots, point, strict=True))
            if not self.exclude.value(environment):
                yield index, point

    def _visits(self) -> Iterator[int]:
        match self.order:
            case "random":
                visits = array("q", range(self.size))
                random.Random(self.shuffle_key).shuffle(visits)
                yield from visits
            case "snake":
                yield from self._snake(range(len(self.dimensions)), ())
                yield from range(self.product_size, self.size)
            case _:
                slow = [
                    n for n, dimension in enumerate(self.dimensions) if any(a.plan.slot in self.slow for a in dimension)
                ]
                rest = [n for n in range(len(self.dimensions)) if n not in slow]
                yield from self._snake([*slow, *rest], slow)
                yield from range(self.product_size, self.size)

    def _snake(self, nesting: Sequence[int], ascending: Sequence[int]) -> Iterator[int]:
        """Written indices, walking back and forth; dimensions in `ascending` are first put in order of value."""
        lengths = self.lengths
        strides = [math.prod(lengths[n + 1 :]) for n in range(len(lengths))]
        tracks: list[list[int]] = []
        for n in nesting:
            track = list(range(lengths[n]))
            if n in ascending:
                values = self.dimensions[n][0].values
                track.sort(key=[(str(type(value)), value) for value in values].__getitem__)
            tracks.append(track)
        for number in range(self.product_size):
            index, rest, turns = 0, number, []
            for level in range(len(nesting) - 1, -1, -1):
                rest, digit = divmod(rest, len(tracks[level]))
                turns.append((level, digit, rest))
            for level, digit, outer in turns:
                track = tracks[level]
                position = len(track) - 1 - digit if outer % 2 else digit
                index += track[position] * strides[nesting[level]]
            yield index


def _repeats(dimension: tuple[AxisValues, ...]) -> bool:
    """Whether a dimension has the same values twice; looks for an order first, because a set of a million is large."""
    for axis in dimension:
        values = axis.values
        for ordered in (lt, gt):
            if all(map(ordered, values, islice(values, 1, None))):
                return False
    rows = list(zip(*(axis.values for axis in dimension), strict=True))
    return len(set(rows)) < len(rows)


def axis_values(name: str, axis: Any, path: Path, values: Values, scope: Scope) -> AxisValues | None:
    """The values of a list or range axis; they must be known before the run. None where there is a problem."""
    if isinstance(axis, RangeAxis):
        return _range(name, axis, path, values, scope)
    if isinstance(axis, ListAxis):
        return _list(name, axis.values, axis.unit, (*path, "values"), values, scope)
    return _list(name, axis, None, path, values, scope)


def _list(
    name: str, items: Sequence[Any], unit_text: str | None, path: Path, values: Values, scope: Scope
) -> AxisValues | None:
    switches = [on_off(item) for item in items]
    if unit_text is None and all(switch is not None for switch in switches):
        plan = AxisPlan(name, name, None)
        return AxisValues(plan, Type(Kind.BOOL, None), [bool(switch) for switch in switches])
    unit = parse_unit(unit_text) if unit_text is not None else _unit_of_first(items, path, values, scope)
    if unit is None and unit_text is None and all(isinstance(item, str) and not is_expression(item) for item in items):
        return AxisValues(AxisPlan(name, name, None), Type(Kind.TEXT, None), [str(item) for item in items])
    unit = unit or PLAIN
    numbers = array("d")
    for index, item in enumerate(items):
        number = _known(item, (*path, index), values, scope, unit)
        if number is None:
            return None
        numbers.append(number)
    return AxisValues(AxisPlan(name, name, unit), Type(Kind.NUMBER, unit), numbers)


def _unit_of_first(items: Sequence[Any], path: Path, values: Values, scope: Scope) -> Unit | None:
    """The unit that the first value with a unit brings; None where no value is a number."""
    numeric = None
    for index, item in enumerate(items):
        if isinstance(item, str):
            if is_expression(item):
                formula = values.compile(item, (*path, index), scope)
                if formula is not None and formula.type.kind is Kind.NUMBER:
                    return formula.type.unit or PLAIN
                continue
            try:
                return parse_quantity(item).unit
            except QuantityError:
                continue
        elif not isinstance(item, bool):
            numeric = PLAIN
    return numeric


def _known(raw: Any, path: Path, values: Values, scope: Scope, unit: Unit, *, difference: bool = False) -> float | None:
    number = values.number(raw, path, scope, unit, difference=difference)
    if isinstance(number, Formula):
        values.problems.error(
            "P010",
            "the points of a sweep must be known before the run",
            values.file.at(path),
            help=KNOWN_HELP,
        )
        return None
    return number


def _range(name: str, axis: RangeAxis, path: Path, values: Values, scope: Scope) -> AxisValues | None:
    if axis.unit is not None:
        unit: Unit = parse_unit(axis.unit)
    else:
        unit = _unit_of_first([axis.from_, axis.to], path, values, scope) or PLAIN
    first = _known(axis.from_, (*path, "from"), values, scope, unit)
    last = _known(axis.to, (*path, "to"), values, scope, unit)
    if first is None or last is None:
        return None
    problem = None
    count = 0
    step = 0.0
    if axis.step is not None:
        found = _known(axis.step, (*path, "step"), values, scope, unit, difference=True)
        if found is None:
            return None
        step = found
        if step == 0 or (last - first) / step < 0:
            problem = ("step", "this step never gets from `from` to `to`")
        else:
            count = math.floor((last - first) / step + 1e-9) + 1
    else:
        number = (
            axis.points
            if isinstance(axis.points, int)
            else _known(axis.points, (*path, "points"), values, scope, PLAIN)
        )
        if number is None:
            return None
        count = int(number)
        if count < 1 or count != number:
            problem = ("points", "the number of points must be a whole number, at least 1")
        elif count > 1:
            step = (last - first) / (count - 1)
    if axis.log and (first <= 0 or last <= 0):
        problem = ("from", "a logarithmic axis needs values above zero")
    if problem is None and count > MOST_POINTS:
        problem = (
            "points" if axis.step is None else "step",
            f"an axis can have {MOST_POINTS:,} points, this has {count:,}",
        )
    if problem is not None:
        values.problems.error("P011", problem[1], values.file.at((*path, problem[0])))
        return None
    numbers = array("d", bytes(8 * count))
    ratio = math.log(last / first) / (count - 1) if axis.log and count > 1 else 0.0
    for index in range(count):
        value = first * math.exp(ratio * index) if axis.log else first + step * index
        numbers[index] = float(f"{value:.12g}")
    if axis.step is None and count > 1:
        numbers[count - 1] = last
    return AxisValues(AxisPlan(name, name, unit), Type(Kind.NUMBER, unit), numbers)
