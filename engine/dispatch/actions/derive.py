"""`compute`, `check`, `let` and `record`: values that come from other values."""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from functools import lru_cache
from typing import Any

from engine.dispatch.step import Step
from engine.dispatch.values import plain, to_json
from engine.plan.model import CheckAction, ComputeAction, Formula, LetAction, RecordAction
from schemas.documents import Measured, Verdict


def compute(step: Step, action: ComputeAction) -> Generator[Any, Any, None]:
    """Derive, judge and record a value."""
    value = number = yield from step.evaluate(action.formula)
    if missing := unread(step, action.formula):
        number = nothing_of(value)
    elif type(value) is not float and not (hasattr(value, "ndim") and value.ndim):
        number = plain(value)
    step.bind(action.binding, number)
    step.record(action.binding.name, number, action.unit, action.limit, "compute")
    if missing and step.message:
        step.message = f"{step.message}; {missing}"


def check(step: Step, action: CheckAction) -> Generator[Any, Any, None]:
    """A judged condition; what is not plainly true fails."""
    value = yield from step.evaluate(action.formula)
    holds = value is True or (hasattr(value, "ndim") and value.ndim == 0 and value.dtype == bool and bool(value))
    missing = unread(step, action.formula)
    if missing:
        holds = False
        step.message = f"{missing}; {step.text(action.message)}" if action.message else missing
    elif not holds:
        step.message = step.text(action.message) or f"`{action.formula.text}` does not hold"
    judge(step, holds, "check", _as_limit(action.formula.text))


@lru_cache(maxsize=1024)
def _as_limit(condition: str) -> str:
    return json.dumps({"kind": "check", "condition": condition}, ensure_ascii=False, separators=(",", ":"))


def unread(step: Step, formula: Formula) -> str:
    """`no reading: `over``, for values that a formula reads and that are none; empty where all are there.

    NaN makes no comparison true, so that `not over > 3 V` would hold of a reading that never was.
    """
    env = step.env
    slots = [slot for slot in formula.needs if slot in env and _is_nothing(env[slot])]
    if not slots:
        return ""
    names = sorted(slot.partition("~")[0].partition("@")[0] for slot in slots)
    return f"no reading: {', '.join(f'`{name}`' for name in names)}"


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def nothing_of(value: Any) -> Any:
    """What stands for a value that could not be worked out: NaN for numbers, nothing for states and texts."""
    if hasattr(value, "ndim") and value.ndim:
        return value * math.nan if value.dtype.kind in "fiu" else None
    return math.nan if isinstance(plain(value), float) else None


def judge(step: Step, holds: bool, source: str, limit: str, value: str | bool | None = None) -> None:
    """Record something that simply holds or does not, under the last part of the node's id."""
    verdict = Verdict.PASS if holds else Verdict.FAIL
    step.emit(
        Measured(
            step.index,
            step.id,
            step.attempt,
            step.order,
            step.node.id.rsplit("/", 1)[-1],
            holds if value is None else value,
            "",
            verdict,
            step.clock.now,
            limit=limit,
            axes=step.frame.axes,
            source=source,
        )
    )
    step.count(verdict)


def let(step: Step, action: LetAction) -> Generator[Any, Any, None]:
    """Working values, each in sight of those above it."""
    for binding, value in action.items:
        if isinstance(value, Formula):
            value = yield from step.evaluate(value)
            if hasattr(value, "ndim") and not value.ndim:
                value = plain(value)
        step.bind(binding, value)


def record(step: Step, action: RecordAction) -> Generator[Any, Any, None]:
    """Diagnostics, never judged; what is no single value is kept as JSON."""
    for name, given, unit in action.items:
        if isinstance(given, Formula):
            value = plain((yield from step.evaluate(given)))
        else:
            value = step.filled(given)
        as_text = ""
        if isinstance(value, list | dict):
            value, as_text = None, to_json(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        step.emit(
            Measured(
                step.index,
                step.id,
                step.attempt,
                step.order,
                name,
                value,
                "" if unit is None else unit.symbol,
                Verdict.UNJUDGED,
                step.clock.now,
                axes=step.frame.axes,
                source="record",
                diagnostic=True,
                json_value=as_text,
            )
        )
