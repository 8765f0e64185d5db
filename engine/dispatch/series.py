"""The series of a loop: every name and axis that something reads after it, in rows that stay aligned.

Each point of a loop gives one row. What loops inside gather is handed to the outer loop at their end, all rows of it. A value
that is missing at a point is NaN, or empty text; a point that never ran has no row.
"""

from __future__ import annotations

import math
from array import array
from typing import Any

from engine.dispatch.frame import Environment
from engine.plan.model import LoopSlots


class LoopSeries:
    """Of one loop of the plan, for all its runs."""

    __slots__ = ("axes", "cleared", "collected", "extends", "own", "rows")

    def __init__(self, slots: LoopSlots, axis_slots: tuple[str, ...]) -> None:
        self.cleared = tuple(slots.cleared)
        self.rows = tuple((series, slot) for series, (slot, _) in slots.accumulators.items())
        """(series that gets one value at every point, the slot it collects)"""
        self.axes = tuple(
            (axis_slots.index(slot), series) for series, (slot, _) in slots.accumulators.items() if slot in axis_slots
        )
        """(position of the axis, its series)"""
        self.collected = tuple(slots.collected)
        """Series that get all rows of the loops inside."""
        self.own = (
            *((series, text) for series, (_, text) in slots.accumulators.items()),
            *slots.collected.items(),
        )
        self.extends = tuple(slots.extends)

    def begin(self, env: Environment) -> Rows:
        """The loop starts: its series are empty."""
        for series, text in self.own:
            env[series] = [] if text else array("d")
        return Rows(self, env)


class Rows:
    """The rows of one run of a loop."""

    __slots__ = ("_env", "_heights", "_marks", "_points", "_series", "_visits")

    def __init__(self, series: LoopSeries, env: Environment) -> None:
        self._series = series
        self._env = env
        self._points = 0
        self._visits = array("q")
        """The written index of every point, where points are not visited in written order."""
        self._marks: tuple[int, ...] = ()
        self._heights: tuple[array[int], ...] = tuple(array("q") for _ in series.collected)
        """How many rows every point gave to each collected series, where they have to be put in order."""

    def begin_point(self, values: tuple[Any, ...]) -> None:
        """Names made in the loop are unbound; the series of its axes get their values."""
        env = self._env
        series = self._series
        for slot in series.cleared:
            env.pop(slot, None)
        for number, name in series.axes:
            append(env[name], values[number])
        if series.collected:
            self._marks = tuple(len(env[name]) for name in series.collected)

    def end_point(self, index: int | None = None) -> None:
        """Every series has one row more; `index` is given where points are not visited in written order."""
        series = self._series
        if not series.own:
            return
        env = self._env
        row = self._points
        self._points = row + 1
        for name, slot in series.rows:
            values = env[name]
            found = len(values) - row
            if found == 0:  # nothing was made here: missing, or a value of the loop around
                append(values, env.get(slot))
            elif found > 1:  # a name may be bound again: the last one counts
                values[row] = values[-1]
                del values[row + 1 :]
        if index is not None:
            self._visits.append(index)
            for name, mark, heights in zip(series.collected, self._marks, self._heights, strict=True):
                heights.append(len(env[name]) - mark)

    def end(self) -> None:
        """The loop is over: its rows come into written order and become arrays, and are handed to the loop around."""
        env = self._env
        series = self._series
        if not series.own:
            return
        import numpy

        points = self._points
        for name, _ in series.rows:  # what a point that was cut short had begun is no row
            del env[name][points:]
        order = numpy.argsort(self._visits, kind="stable") if self._visits else None
        for name, text in series.own:
            env[name] = numpy.array(env[name], dtype=str if text else float)
        if order is not None:
            for name, _ in series.rows:
                env[name] = env[name][order]
            for name, heights in zip(series.collected, self._heights, strict=True):
                starts = numpy.cumsum(heights) - heights
                blocks = [env[name][starts[n] : starts[n] + heights[n]] for n in order]
                env[name] = numpy.concatenate(blocks) if blocks else env[name]
        for own, outer in series.extends:
            if outer in env:
                env[outer].extend(env[own].tolist())


def append(series: Any, value: Any) -> None:
    """Append a value to a series; what is no number is NaN in a series of numbers."""
    if isinstance(series, array):
        series.append(value if isinstance(value, float | int) else math.nan)
    else:
        series.append("" if value is None else str(value))
