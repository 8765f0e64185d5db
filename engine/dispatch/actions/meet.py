"""`barrier` and `release`: what a unit does with regard to the others."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from engine.core.errors import StepTimeout
from engine.dispatch.step import Step
from engine.plan.model import BarrierAction, ReleaseAction

LONGEST_MEETING_S = 86_400.0
"""How long units wait for each other unless told otherwise."""


def barrier(step: Step, action: BarrierAction) -> Generator[Any, Any, None]:
    """Wait for all units that take part; alone there is nobody to wait for."""
    barriers = step.unit.shared.barriers
    if barriers is None:
        return
    step.allow(LONGEST_MEETING_S)
    event = barriers.arrive(step.index, step.order)
    if event is None:
        return
    try:
        yield from step.until(event)
    except StepTimeout as error:
        serials = ", ".join(step.unit.shared.serial(unit) for unit in barriers.missing(step.order))
        raise StepTimeout(
            f"barrier `{action.name}`: {serials} did not come within {step.timeout_s:g} s", error.help
        ) from None
    finally:
        barriers.forget(step.order, event)


def release(step: Step, action: ReleaseAction) -> Generator[Any, Any, None]:
    """Give back; what is not held is given back already."""
    if step.unit.holdings is not None:
        step.unit.holdings.give_up(action.claims)
    return
    yield
