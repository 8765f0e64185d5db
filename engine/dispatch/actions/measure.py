"""`measure`: read, judge and record one named value."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

from engine.dispatch.actions.state import write_all
from engine.dispatch.step import Step
from engine.plan.model import MeasureAction
from engine.verdict.statistics import STATISTICS, spread


def measure(step: Step, action: MeasureAction) -> Generator[Any, Any, None]:
    """One reading, or several of which a statistic is kept; never better than the worst of its readings."""
    if action.routes:
        yield from write_all(step, action.routes, force=False)
    target = action.target
    deviation = None
    if action.samples == 1:
        value = yield from step.read(target)
        if action.convert is not None:
            value = converted(value, action.convert)
    else:
        readings = yield from sampled(step, action)
        value = STATISTICS[action.statistic](readings)
        deviation = spread(readings)
    step.bind(action.binding, value)
    step.record(
        action.binding.name,
        value,
        action.unit,
        action.limit,
        step.unit.source(target),
        instrument=step.unit.instance(target.instrument),
        net=action.net,
        pin=action.pin,
        samples=action.samples,
        spread=deviation,
    )


def sampled(step: Step, action: MeasureAction) -> Generator[Any, Any, list[float]]:
    """Readings on a grid of `interval`, or as fast as they come where that is shorter than a reading takes."""
    interval_s = step.duration(action.interval_s, "interval")
    step.allow(action.samples * (interval_s + step.unit.reply_s(action.target.instrument)))
    clock = step.clock
    start = clock.now
    readings: list[float] = []
    for number in range(action.samples):
        if number and (late := start + number * interval_s - clock.now) > 0:
            yield from step.let_pass(late)
        value = yield from step.read(action.target)
        if action.convert is not None:
            value = converted(value, action.convert)
        readings.append(value if isinstance(value, float | int) else math.nan)
    return readings


def converted(value: Any, convert: tuple[float, float]) -> Any:
    """A reading, or each of a block, in the unit recorded; words and switches as they are."""
    factor, offset = convert
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, float | int):
        return value * factor + offset
    return [item * factor + offset for item in value]
