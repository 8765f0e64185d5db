"""`python`: code of the project."""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import partial
from typing import Any

import simpy

from engine.core.errors import StepError, StepTimeout
from engine.dispatch.step import SHORTEST_BOUND_S, Step
from engine.dispatch.values import plain
from engine.plan.model import PythonAction


def python(step: Step, action: PythonAction) -> Generator[Any, Any, None]:
    """Call a function; whatever it raises is an error of the step, in its own words."""
    name = f"{action.module}:{action.function}"
    arguments = {key: step.filled(value) for key, value in action.arguments.items()}
    left_s = max(SHORTEST_BOUND_S, min(step.deadline - step.clock.now, 1e6))
    try:
        result = yield from step.clock.call_bounded(
            f"python {name}#{id(step.strand)}", partial(step.unit.python, action, arguments), left_s, _nothing
        )
    except StepTimeout:
        raise step.overdue() from None
    except (StepError, KeyboardInterrupt, simpy.Interrupt):
        raise
    except SystemExit as error:
        raise StepError(
            f"`{name}` tried to end the program ({error})", "return a value, or raise an exception"
        ) from None
    except Exception as error:  # noqa: BLE001  # what it raises is its own business, and told to the user
        raise StepError(f"`{name}` raised {type(error).__name__}: {error}") from None
    if action.binding is None and action.limit is None:
        return
    value = plain(result)
    if action.unit is not None:
        value = _number(value, name)
    if action.binding is not None:
        step.bind(action.binding, value)
    recorded = action.binding.name if action.binding is not None else step.node.id.rsplit("/", 1)[-1]
    step.record(recorded, value, action.unit, action.limit, "python", diagnostic=action.limit is None)


def _number(value: Any, name: str) -> float:
    if isinstance(value, float) and not isinstance(value, bool):
        return value
    if value is None:
        return math.nan
    raise StepError(f"`{name}` returned {value!r}, and a number is needed here", "return a float, or leave out `unit`")


def _nothing() -> None:
    """Code of the project cannot be cut off; its thread is given up."""
