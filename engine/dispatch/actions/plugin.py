"""`python`: code of the project.

It runs in a thread of its own on every clock, because nothing else lets a run go on when it never returns. Its time is real
time even where the clock is virtual: a simulated second says nothing about a function that hangs.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import simpy

from engine.core.control import Stage
from engine.core.errors import StepError, StepTimeout
from engine.dispatch.step import SHORTEST_BOUND_S, Step
from engine.dispatch.stopped import Stopped
from engine.dispatch.values import plain
from engine.plan.model import PythonAction

SLICE_S = 0.05
"""Real seconds between two looks at whether the run is to end."""


def python(step: Step, action: PythonAction) -> Generator[Any, Any, None]:
    """Call a function; whatever it raises is an error of the step, in its own words."""
    name = f"{action.module}:{action.function}"
    arguments = {key: step.filled(value) for key, value in action.arguments.items()}
    call = _Call(name, partial(step.unit.python, action, arguments))
    yield from _wait(step, call)
    result = call.result()
    if action.binding is None and action.limit is None:
        return
    value = plain(result)
    if action.unit is not None:
        value = _number(value, name)
    if action.binding is not None:
        step.bind(action.binding, value)
    recorded = action.binding.name if action.binding is not None else step.node.id.rsplit("/", 1)[-1]
    step.record(recorded, value, action.unit, action.limit, "python", diagnostic=action.limit is None)


class _Call:
    """A function under way in a thread that keeps nothing alive; over, or given up."""

    def __init__(self, name: str, function: Callable[[], Any]) -> None:
        self.name = name
        self._function = function
        self._over = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None
        self._tell: Callable[[], object] = lambda: None

    def start(self, tell: Callable[[], object] = lambda: None) -> None:
        """Begin; `tell` is called in the thread once it is over."""
        self._tell = tell
        threading.Thread(target=self._run, name=f"python {self.name}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001  # told to the user by whoever waits
            self._error = error
        self._over.set()
        self._tell()

    def is_over(self, wait_s: float = 0.0) -> bool:
        """Whether it has ended; waits for that so many real seconds."""
        return self._over.wait(wait_s) if wait_s > 0 else self._over.is_set()

    def result(self) -> Any:
        """What it gave; raises StepError for whatever it raised."""
        error, name = self._error, self.name
        if error is None:
            return self._value
        if isinstance(error, StepError):
            raise error
        if isinstance(error, SystemExit):
            raise StepError(f"`{name}` tried to end the program ({error})", "return a value, or raise an exception")
        raise StepError(f"`{name}` raised {type(error).__name__}: {error}")


def _wait(step: Step, call: _Call) -> Generator[Any, Any, None]:
    """Until it is over; raises StepTimeout when its time is, and that or Stopped when the run cannot wait any longer.

    A first request to stop lets it finish in its time, a second one gives it up, and so does a halt.
    """
    control = step.unit.control
    begun = control.stage
    left_s = max(SHORTEST_BOUND_S, min(step.deadline - step.clock.now, 1e6))
    if begun >= Stage.HURRY:
        left_s = min(left_s, control.cleanup_budget_s)

    def given_up() -> Exception | None:
        if control.stage < Stage.HURRY or (control.stage <= begun and control.stage is not Stage.HALT):
            return None
        message = f"`{call.name}` had not returned when the run was stopped, and was given up"
        if step.strand.shield and control.stage is not Stage.HALT:
            return StepTimeout(message)
        stopped = step.unit.aborted()
        return Stopped(stopped.outcome, f"{stopped.message}; {message}", hard=stopped.hard)

    step.unit.emitter.commit()
    if step.clock.wall:
        yield from _wait_beside(step, call, left_s, given_up)
        return
    call.start()
    end = time.monotonic() + left_s
    while not call.is_over(min(SLICE_S, max(end - time.monotonic(), SHORTEST_BOUND_S))):
        if (error := given_up()) is not None:
            raise error
        if time.monotonic() >= end:
            raise _overdue(step, call)


def _wait_beside(
    step: Step, call: _Call, left_s: float, given_up: Callable[[], Exception | None]
) -> Generator[Any, Any, None]:
    """The same while everybody else goes on."""
    clock = step.clock
    over = clock.event()
    call.start(lambda: clock.post(lambda: None if over.triggered else over.succeed()))
    speed = getattr(clock, "speed", 1.0)
    end = clock.now + left_s * speed
    asked: simpy.Interrupt | None = None
    while not call.is_over():
        try:
            yield clock.env.any_of([over, clock.timeout(min(SLICE_S * speed, max(end - clock.now, 0.0)))])
        except simpy.Interrupt as interrupt:
            asked = interrupt
            if not step.unit.control.stage:  # a monitor, say, whose cleanup must not wait
                raise
        if call.is_over():
            break
        if (error := given_up()) is not None:
            raise asked or error
        if step.frame.deadline is not None and (around := step.frame.deadline.first()).at <= clock.now:
            raise asked or around.stopped()
        if clock.now >= end:
            raise asked or _overdue(step, call)
    if asked is not None:
        raise asked


def _overdue(step: Step, call: _Call) -> StepTimeout:
    error = step.overdue()
    return StepTimeout(f"{error.message}: `{call.name}` has not returned, and was given up", error.help)


def _number(value: Any, name: str) -> float:
    if isinstance(value, float) and not isinstance(value, bool):
        return value
    if value is None:
        return math.nan
    raise StepError(f"`{name}` returned {value!r}, and a number is needed here", "return a float, or leave out `unit`")
