"""What the leaves of a plan do: one function for each verb.

An action is given the step it acts for and says by `step.outcome` what came of it; what it cannot do it raises. It is a
generator, because anything it asks of an instrument may take time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from engine.dispatch.actions.derive import check, compute, let, record
from engine.dispatch.actions.files import attach, log
from engine.dispatch.actions.measure import measure
from engine.dispatch.actions.meet import barrier, release
from engine.dispatch.actions.plugin import python
from engine.dispatch.actions.state import set_state
from engine.dispatch.actions.talk import command, query
from engine.dispatch.actions.wait import wait
from engine.dispatch.step import Step
from engine.plan.model import (
    AttachAction,
    BarrierAction,
    CheckAction,
    CommandAction,
    ComputeAction,
    LetAction,
    LogAction,
    MeasureAction,
    PythonAction,
    QueryAction,
    RecordAction,
    ReleaseAction,
    SetAction,
    WaitAction,
)

Act = Callable[[Step, Any], Generator[Any, Any, None]]

ACTIONS: dict[type, Act] = {
    SetAction: set_state,
    MeasureAction: measure,
    ComputeAction: compute,
    CheckAction: check,
    LetAction: let,
    RecordAction: record,
    WaitAction: wait,
    CommandAction: command,
    QueryAction: query,
    LogAction: log,
    AttachAction: attach,
    PythonAction: python,
    BarrierAction: barrier,
    ReleaseAction: release,
}

__all__ = ["ACTIONS", "Act"]
