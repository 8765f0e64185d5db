"""`wait`: let time pass, or look again and again until something holds."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

from engine.core.errors import StepTimeout
from engine.dispatch.step import Step
from engine.plan.model import ELAPSED_SLOT, Amount, Formula, WaitAction

POLL_S = 1.0
"""How often a condition without readings is looked at, seconds."""
SHORTEST_POLL_S = 0.001


def wait(step: Step, action: WaitAction) -> Generator[Any, Any, None]:
    """A duration, or until the condition holds."""
    if action.condition is not None:
        yield from poll_until(step, action.condition, action.poll_s)
    else:
        assert action.duration_s is not None
        seconds = step.duration(action.duration_s, "wait")
        step.allow(seconds)
        if seconds > 0:
            yield from step.let_pass(seconds)


def poll_until(step: Step, condition: Formula, poll_s: Amount | None) -> Generator[Any, Any, bool]:
    """Look until it holds; True when it held at the first look. Raises StepTimeout with what was read last.

    Looks happen on a grid that starts at the first one. Where the instrument says until when a reading cannot change, the
    looks before that are left out, and the next one is still on the grid.
    """
    clock = step.clock
    if (yield from step.evaluate(condition)):
        return True
    start = clock.now
    targets = tuple(live.target for live in condition.live)
    if poll_s is not None:
        every_s = step.duration(poll_s, "poll")
    else:
        every_s = max((step.bench.poll_s(target) for target in targets), default=POLL_S)
    every_s = max(every_s, SHORTEST_POLL_S)
    may_skip = bool(targets) and ELAPSED_SLOT not in condition.names
    look = 0
    while True:
        look = max(look + 1, math.ceil((clock.now - start) / every_s - 1e-9))
        if may_skip and step.unit.is_undisturbed():
            look = max(look, _first_look(step, targets, start, every_s))
        late = start + look * every_s - clock.now
        try:
            if late > 0:
                yield from step.let_pass(late)
            if (yield from step.evaluate(condition)):
                return False
        except StepTimeout as error:
            raise StepTimeout(
                f"`{condition.text}` did not hold within {step.timeout_s:g} s{last_read(step, condition)}", error.help
            ) from None


def _first_look(step: Step, targets: tuple[Any, ...], start: float, every_s: float) -> int:
    """The first look of the grid at which one of the readings may be another."""
    steady = [step.bench.steady_until(step.index, target) for target in targets]
    if any(until is None for until in steady):
        return 0
    earliest = min(until for until in steady if until is not None)
    if not math.isfinite(earliest):
        earliest = max(step.deadline, step.clock.now)
        if not math.isfinite(earliest):
            return 0
    return math.ceil((earliest - start) / every_s - 1e-9)


def last_read(step: Step, condition: Formula) -> str:
    """What the condition saw last, for a message: `; last read: chamber.stable = false`."""
    seen = []
    for live in condition.live:
        value = step.env.get(live.slot)
        if value is not None:
            word = (
                str(value).lower() if isinstance(value, bool) else f"{value:.9g}" if isinstance(value, float) else value
            )
            seen.append(f"{step.unit.source(live.target)} = {word}")
    return f"; last read: {', '.join(seen)}" if seen else ""
