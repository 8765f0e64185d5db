"""`sweep` and `repeat`: one body, many points, nothing kept of a point but what something reads later."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from engine.core.errors import StepError
from engine.dispatch.frame import Frame
from engine.dispatch.lists import run_list
from engine.dispatch.series import LoopSeries, Rows
from engine.plan.model import Amount, AxisPlan, Formula, Points, RepeatAction, SearchPlan, SweepAction
from engine.verdict.ladder import worse
from schemas.documents import Outcome

if TYPE_CHECKING:
    from engine.dispatch.node import Ended
    from engine.dispatch.prepare import Prepared
    from engine.dispatch.strand import Strand

ITERATION = "iteration"
MISSING = object()
Point = tuple[Any, ...]


def axis_text(value: Any) -> str:
    """An axis value as node ids spell it: the shortest of twelve digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value + 0.0:.12g}" if isinstance(value, float | int) else str(value)


class Repeats:
    """Which points of a sweep are equal to others: the second of them is `#2`."""

    def __init__(self, points: Points) -> None:
        """Two passes, where points can be equal at all."""
        suspects: set[int] = set()
        if points.may_repeat:
            times = Counter(hash(values) for _, values in points)
            suspects = {found for found, count in times.items() if count > 1}
        seen: dict[Point, list[int]] = {}
        if suspects:
            for index, values in points:
                if hash(values) in suspects:
                    seen.setdefault(values, []).append(index)
        self._number = {
            index: number
            for indices in seen.values()
            for number, index in enumerate(sorted(indices), start=1)
            if number > 1
        }

    def suffix(self, index: int) -> str:
        """`#2` for the second of equal points in written order; empty for the first."""
        number = self._number.get(index) if self._number else None
        return f"#{number}" if number else ""


def loop_series(prepared: Prepared, axes: tuple[AxisPlan, ...]) -> LoopSeries:
    """The series of a loop, worked out once for each node."""
    found: LoopSeries | None = prepared.series
    if found is None:
        action: Any = prepared.node.action
        found = prepared.series = LoopSeries(action.slots, tuple(axis.slot for axis in axes))
    return found


class _Loop:
    """One run of a loop: goes from point to point."""

    __slots__ = ("changed", "env", "frame", "names", "outcome", "point", "rows", "slots", "strand", "stride", "values")

    def __init__(
        self, strand: Strand, frame: Frame, rows: Rows, axes: tuple[AxisPlan, ...], stride: int, changed: dict[int, str]
    ) -> None:
        self.strand = strand
        self.frame = frame
        self.env = frame.env
        self.rows = rows
        self.names = tuple(axis.name for axis in axes)
        self.slots = tuple(axis.slot for axis in axes)
        self.stride = stride
        self.changed = changed
        self.values: Point | None = None
        self.point = frame
        self.outcome = Outcome.DONE

    def run(self, body: Any, values: Point, number: int, index: int | None, suffix: str) -> Generator[Any, Any, bool]:
        """Run the body at one point; True when the loop has to stop. `number` counts points for their place in the plan."""
        env = self.env
        rows = self.rows
        rows.begin_point(values)
        names = self.names
        if len(names) == 1:
            env[self.slots[0]] = values[0]
            label = f"{names[0]}={axis_text(values[0])}{suffix}"
            axes: Any = ((names[0], values[0]),)
        else:
            for slot, value in zip(self.slots, values, strict=True):
                env[slot] = value
            label = ",".join(f"{name}={axis_text(value)}" for name, value in zip(names, values, strict=True)) + suffix
            axes = tuple(zip(names, values, strict=True))
        for position, slot in self.changed.items():
            env[slot] = self.values is None or self.values[position] != values[position]
        self.values = values
        self.point = self.frame.point(label, axes, number * self.stride)
        outcome, stop = yield from run_list(self.strand, body, self.point)
        rows.end_point(index)
        if outcome is not self.outcome:
            self.outcome = worse(self.outcome, outcome)
        return stop


def sweep(strand: Strand, prepared: Prepared, frame: Frame) -> Generator[Any, Any, Ended]:
    """The body at every point, in the order of visit."""
    action: SweepAction = prepared.node.action  # type: ignore[assignment]
    points = action.points
    axes = points.axes if action.search is None else (*points.axes, action.search.axis)
    rows = loop_series(prepared, axes).begin(frame.env)
    slots = {axis.slot: number for number, axis in enumerate(axes)}
    changed = {slots[axis]: slot for axis, slot in action.changed}
    loop = _Loop(strand, frame, rows, axes, action.stride, changed)
    repeats = strand.unit.repeats(points)
    message = ""
    stop = False
    ended: set[int] = set()
    try:
        for index, values in points:
            if ended and points.breaks_at(index) in ended:
                continue
            if action.search is not None:
                edge = _Search(loop, prepared, action, action.search, index * action.search.most, values)
                stop, problem = yield from edge.find(frame)
                if problem:
                    message = message or problem
                    loop.outcome = worse(loop.outcome, Outcome.FAIL)
            else:
                stop = yield from loop.run(
                    action.body, values, index, None if points.sorted else index, repeats.suffix(index)
                )
                if not stop and action.stop_when is not None:
                    over = yield from strand.unit.evaluate(strand, prepared, loop.point, action.stop_when)
                    if over:
                        if points.sorted:
                            ended.clear()
                        ended.add(points.breaks_at(index))
            if stop:
                break
    finally:
        rows.end()
    return loop.outcome, stop, message


class _Search:
    """Bisection along one axis, at one point of the axes before it."""

    def __init__(
        self, loop: _Loop, prepared: Prepared, action: SweepAction, plan: SearchPlan, first: int, outer: Point
    ) -> None:
        self._loop = loop
        self._prepared = prepared
        self._body = action.body
        self._plan = plan
        self._number = first
        self._last = first + plan.most
        self._outer = outer
        self._visited: dict[float, int] = {}
        self._stop = False

    def find(self, frame: Frame) -> Generator[Any, Any, tuple[bool, str]]:
        """Run points until the edge lies within the width asked for; gives (stop, what went wrong)."""
        plan = self._plan
        numbers = []
        for amount, what in ((plan.start, "from"), (plan.stop, "to"), (plan.within, "within")):
            numbers.append((yield from _number(self._loop.strand, self._prepared, frame, amount, what)))
        start, stop, within = numbers
        if within <= 0:
            raise StepError(f"`within` is {within:g} here, and must be above zero")
        at_start = yield from self._holds(start)
        if self._stop:
            return True, ""
        at_stop = yield from self._holds(stop)
        if self._stop:
            return True, ""
        if at_start == at_stop:
            word = "holds" if at_start else "does not hold"
            return False, (
                f"no edge: `{plan.where.text}` {word} at both {axis_text(start)} and {axis_text(stop)} of `{plan.axis.name}`"
            )
        off, on = (stop, start) if at_start else (start, stop)
        last = stop
        while abs(on - off) > within * (1 + 1e-9):
            middle = (off + on) / 2
            if middle in (off, on) or self._number >= self._last - 1:
                break
            last = middle
            if (yield from self._holds(middle)):
                on = middle
            else:
                off = middle
            if self._stop:
                return True, ""
        if last != on:
            yield from self._holds(on)
        return self._stop, ""

    def _holds(self, value: float) -> Generator[Any, Any, bool]:
        """Run one point, and whether the condition holds there."""
        loop = self._loop
        times = self._visited[value] = self._visited.get(value, 0) + 1
        number, self._number = self._number, self._number + 1
        suffix = f"#{times}" if times > 1 else ""
        self._stop = yield from loop.run(self._body, (*self._outer, value), number, None, suffix)
        if self._stop:
            return False
        holds = yield from loop.strand.unit.evaluate(loop.strand, self._prepared, loop.point, self._plan.where)
        return bool(holds)


def repeat(strand: Strand, prepared: Prepared, frame: Frame) -> Generator[Any, Any, Ended]:
    """The body again and again; an `until` that never held is a fail."""
    action: RepeatAction = prepared.node.action  # type: ignore[assignment]
    unit = strand.unit
    count = int((yield from _number(strand, prepared, frame, action.count, "repeat")))
    if not 0 <= count <= action.most:
        raise StepError(f"`repeat` is {count} here, and must lie between 0 and {action.most}")
    every_s = 0.0
    if action.every_s is not None:
        every_s = yield from _number(strand, prepared, frame, action.every_s, "every")
    axis = AxisPlan(ITERATION, action.iteration_slot, None)
    rows = loop_series(prepared, (axis,)).begin(frame.env)
    loop = _Loop(strand, frame, rows, (axis,), action.stride, {})
    outside = frame.env.get(action.iteration_slot, MISSING)
    held = stop = False
    due = unit.clock.now
    try:
        for number in range(count):
            if number and every_s > 0:
                due = max(due + every_s, unit.clock.now)
                yield from strand.sleep(due - unit.clock.now, frame)
                strand.look()
            if action.while_ is not None:
                frame.env[action.iteration_slot] = float(number + 1)
                before = frame.point(f"{ITERATION}={number + 1}", (), number * action.stride)
                if not (yield from unit.evaluate(strand, prepared, before, action.while_)):
                    break
            stop = yield from loop.run(action.body, (float(number + 1),), number, None, "")
            if stop:
                break
            if action.until is not None:
                held = yield from unit.evaluate(strand, prepared, loop.point, action.until)
                if held:
                    break
    finally:
        rows.end()
        if outside is not MISSING:
            frame.env[action.iteration_slot] = outside
    if action.until is not None and not held and not stop:
        message = f"`{action.until.text}` did not hold within {count} round{'s' if count != 1 else ''}"
        return worse(loop.outcome, Outcome.FAIL), False, message
    return loop.outcome, stop, ""


def _number(strand: Strand, prepared: Prepared, frame: Frame, amount: Amount, what: str) -> Generator[Any, Any, float]:
    """A number known or worked out here; raises StepError where it is none."""
    value = amount
    if isinstance(amount, Formula):
        value = yield from strand.unit.evaluate(strand, prepared, frame, amount)
    if isinstance(value, bool | str) or not isinstance(value, float | int) or not math.isfinite(value):
        raise StepError(f"`{what}` is {value} here, and must be a number")
    return float(value)
