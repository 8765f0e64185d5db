"""`wait`: a duration, or until something holds."""

from __future__ import annotations

import re

from engine.expr import Kind
from engine.plan.compiler import SequenceCompiler
from engine.plan.drafts import At, Draft
from engine.plan.model import WaitAction
from engine.plan.values import SECOND
from schemas.steps import WaitStep

_DURATION = re.compile(r"\s*[-+]?[\d.][\d.,eE+-]*\s*([^\W\d_]+\s*([\d.,]+\s*[^\W\d_]+\s*)*)?\Z")
"""Numbers and words in turn: a duration, right or wrong, and no expression."""


def compile_wait(c: SequenceCompiler, step: WaitStep, at: At) -> list[Draft]:
    place, raw = at.place("wait"), step.wait
    if isinstance(raw, bool):
        c.problems.error(
            "P033",
            f"expected a duration or a condition, found `{str(raw).lower()}`",
            c.file.at(place),
            help="such as `wait: 30 s` or `wait: chamber.stable`",
        )
        return []
    if not isinstance(raw, str) or _DURATION.match(raw):
        seconds = c.values.quantity(raw, place, SECOND)
        if seconds is not None and seconds < 0:
            c.problems.error("P030", "a duration cannot be negative", c.file.at(place))
            return []
        return [] if seconds is None else [_timed(c, step, at, Draft(WaitAction(seconds, None)))]
    formula = c.values.compile(raw, place, at.scope, live=True)
    if formula is None:
        return []
    claims = c.claims(formula)
    if formula.type.kind is Kind.NUMBER:
        timed = c.values.amount(raw, place, at.scope, SECOND, live=True)
        if isinstance(timed, float) and timed < 0:
            c.problems.error("P030", "a duration cannot be negative", c.file.at(place))
        return [] if timed is None else [_timed(c, step, at, Draft(WaitAction(timed, None), claims=claims))]
    if formula.type.kind not in (Kind.BOOL, Kind.ANY):
        c.problems.error(
            "P033", f"expected a duration or a condition, found {formula.type.kind.value}", c.file.at(place)
        )
        return []
    if at.inherited.of(step, "timeout") is None:
        c.problems.error(
            "P031", "waiting for a condition needs a `timeout`", c.file.key(place), help="add `timeout: 5 min`, say"
        )
    poll = c.values.duration(step.poll, at.place("poll"), at.scope) if step.poll is not None else None
    return [Draft(WaitAction(None, formula, poll), claims=claims)]


def _timed(c: SequenceCompiler, step: WaitStep, at: At, draft: Draft) -> Draft:
    if step.poll is not None:
        c.problems.error("P032", "`poll` needs a condition to look at", c.file.key(at.place("poll")))
    return draft
