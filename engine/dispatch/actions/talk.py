"""`command` and `query`: raw text to an instrument."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from engine.bench.decode import parse_number
from engine.bench.instrument import LONGEST_SEARCHED
from engine.core.errors import StepError, UnreadableReply
from engine.dispatch.actions.derive import judge
from engine.dispatch.step import Step
from engine.dispatch.values import to_json
from engine.plan.model import CommandAction, QueryAction
from schemas.patterns import Pattern, TooSlow


def command(step: Step, action: CommandAction) -> Generator[Any, Any, None]:
    """Send text; nothing that was known of the instrument holds any more."""
    text = step.text(action.text)
    yield from step.call(action.instrument, step.bench.command, step.index, action.instrument, text)
    step.unit.settled.disturbed(action.instrument, step.clock.now)


def query(step: Step, action: QueryAction) -> Generator[Any, Any, None]:
    """Send text and keep the reply; `expect` is judged, its named groups become values."""
    text = step.text(action.text)
    reply: str = yield from step.call(action.instrument, step.bench.query, step.index, action.instrument, text)
    found = None
    if action.expect is not None:
        try:
            found = Pattern(action.expect).search(reply[:LONGEST_SEARCHED])
        except TooSlow as error:
            raise StepError(
                f"{error}, in the reply {reply[:60]!r} of `{action.instrument}`", "simplify the pattern"
            ) from None
        if found is None:
            step.message = (
                f"`{action.instrument}` replied {reply!r} to {text!r}, in which `{action.expect}` is not found"
            )
        judge(step, found is not None, "query", to_json({"kind": "expect", "pattern": action.expect}), reply)
        if found is None:
            return
        groups = found.groupdict()
        for binding in action.groups:
            step.bind(binding, groups.get(binding.name))
    if action.binding is None and action.limit is None:
        return
    value: Any = reply
    if action.unit is not None:
        part = found.group(1) if found is not None and found.re.groups else reply
        value = _number(part, action.instrument, text)
    name = step.node.id.rsplit("/", 1)[-1]
    if action.binding is not None:
        name = action.binding.name
        step.bind(action.binding, value)
    step.record(
        name,
        value,
        action.unit,
        action.limit,
        "query",
        instrument=step.unit.instance(action.instrument),
        diagnostic=action.limit is None,
    )


def _number(reply: str, instrument: str, text: str) -> float:
    try:
        return parse_number(reply)
    except (TypeError, ValueError):
        raise UnreadableReply(
            f"`{instrument}` replied {reply!r} to {text!r}, which is not a number",
            "leave out `unit` to keep it as text, or pick the number out with `expect`",
        ) from None
