"""Verbs of the language that come with later work: refused at their place, without noise about the names they would make."""

from __future__ import annotations

from engine.plan.compiler import SequenceCompiler
from engine.plan.drafts import At, Draft, Ids
from schemas.steps import AcquireStep, PromptStep, StepBase, verb_of


def compile_later(c: SequenceCompiler, step: StepBase, at: At) -> list[Draft]:
    verb = verb_of(step)
    c.problems.error(
        "P001", f"`{verb}` is not supported yet", c.file.key(at.place(verb)), help="remove the step for now"
    )
    return []


def compile_prompt(c: SequenceCompiler, step: PromptStep, at: At) -> list[Draft]:
    if step.store is not None:
        c.spoilt(step.store, at.place("store"), at.scope, step.limit)
    return compile_later(c, step, at)


def compile_acquire(c: SequenceCompiler, step: AcquireStep, at: At) -> list[Draft]:
    c.steps(step.during, at.place("during"), at.scope, Ids(f"{at.node_id}/during"), at.inherited)
    c.spoilt(step.acquire, at.place("acquire"), at.scope, step.limit)
    return compile_later(c, step, at)
