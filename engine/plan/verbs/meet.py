"""`barrier` and `release`: what a unit does with regard to the others. Whether a barrier can be met is looked at in `sharing`."""

from __future__ import annotations

from engine.plan.compiler import SequenceCompiler
from engine.plan.drafts import At, Draft
from engine.plan.model import BarrierAction, ReleaseAction
from schemas.steps import BarrierStep, ReleaseStep


def compile_barrier(c: SequenceCompiler, step: BarrierStep, at: At) -> list[Draft]:
    return [Draft(BarrierAction(step.barrier))]


def compile_release(c: SequenceCompiler, step: ReleaseStep, at: At) -> list[Draft]:
    claims = []
    for index, name in enumerate(step.release):
        claim = c.resource(name, at.place("release", index))
        if claim is not None:
            claims.append(claim)
    # from here on raw text to them would disturb the others again
    at.scope.held = at.scope.held - {claim.resource for claim in claims}
    return [Draft(ReleaseAction(tuple(claims)))] if len(claims) == len(step.release) else []
