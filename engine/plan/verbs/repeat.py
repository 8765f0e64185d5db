"""`repeat`: a body again and again."""

from __future__ import annotations

from engine.expr import Kind, Type
from engine.plan.compiler import SequenceCompiler
from engine.plan.drafts import At, Draft
from engine.plan.model import Amount, RepeatAction
from engine.plan.values import PLAIN
from engine.plan.verbs.loops import begin, body_ids, stride
from schemas.steps import RepeatStep

UNKNOWN_ROUNDS = 1_000_000
"""Room in `order` for a loop whose number of rounds is only known when it begins."""


def compile_repeat(c: SequenceCompiler, step: RepeatStep, at: At) -> list[Draft]:
    before = len(c.problems.errors)
    scope = at.scope
    count: Amount | None
    if isinstance(step.repeat, int):
        count = float(step.repeat)
    else:
        count = c.values.amount(step.repeat.text, at.place("repeat"), scope, PLAIN)
    if isinstance(count, float) and (count < 1 or count != int(count)):
        c.problems.error("P011", "how often must be a whole number, at least 1", c.file.at(at.place("repeat")))
    if step.until is not None and step.while_ is not None:
        c.problems.error(
            "P034",
            "a loop has `until` or `while`, not both",
            c.file.key(at.place("while")),
            notes=((c.file.key(at.place("until")), "the other one"),),
        )
    while_ = None
    if step.while_ is not None:
        while_ = c.values.condition(step.while_, at.place("while"), scope, live=True)
    every = c.values.duration(step.every, at.place("every"), scope) if step.every is not None else None
    loop, body = begin(c, scope)
    iteration = body.define("iteration", Type(Kind.NUMBER, PLAIN), kind="context")
    first = c.build.order
    nodes = c.steps(step.each, at.place("each"), body, body_ids(step, at), at.inherited)
    most = max(1, int(count)) if isinstance(count, float) else UNKNOWN_ROUNDS
    size = stride(c, first, most, at.place("repeat"))
    until = None
    if step.until is not None:
        until = c.values.condition(step.until, at.place("until"), body, live=True)
    scope.after_loop(body, loop, ())
    if count is None or len(c.problems.errors) > before:
        return []
    action = RepeatAction(count, most, until, while_, every, nodes, size, loop.slots, iteration.slot)
    return [Draft(action, claims=c.claims(until, while_))]
