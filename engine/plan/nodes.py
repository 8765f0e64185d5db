"""The keys that every step may have: timeouts, retries and their remedies, what is taken, what a failure does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.plan.drafts import HOLDERS, Draft, Ids, Inherited
from engine.plan.model import Amount, Claim, Formula, Node, RetryPlan
from engine.plan.names import Scope
from schemas.source import Path
from schemas.steps import CommandStep, PythonStep, Step, verb_of

if TYPE_CHECKING:
    from engine.plan.compiler import SequenceCompiler


def make_node(
    c: SequenceCompiler,
    step: Step,
    path: Path,
    scope: Scope,
    inherited: Inherited,
    node_id: str,
    order: int,
    draft: Draft,
    when: Formula | None,
) -> Node:
    """The node of a draft, with the common keys that its step wrote or inherited."""
    retry = _retry(c, step, path, scope, inherited, node_id)
    timeout: Amount | None = None
    given, place = inherited.find(step, "timeout", path)
    if given is not None:
        timeout = c.values.duration(given, place, scope)
        if timeout == 0:
            c.problems.error("P035", "a timeout must be more than 0 s", c.file.at(place))
    once = bool(inherited.of(step, "once"))
    on_resume = inherited.of(step, "on_resume")
    asks = once or isinstance(step, CommandStep | PythonStep)
    claims = draft.claims
    if isinstance(step, HOLDERS):
        if step.uses and verb_of(step) != "group":
            c.problems.error(
                "P036",
                f"`{verb_of(step)}` takes nothing itself: the steps inside do",
                c.file.key((*path, "uses")),
                help="put `uses` on those steps, or a `group` with `hold` around them",
            )
    else:
        claims = _with_uses(c, claims, *inherited.find(step, "uses", path))
    for slot in draft.binds:
        c.frame.producers.setdefault(slot, node_id)
    return Node(
        id=node_id,
        verb=verb_of(step),
        title=step.title or getattr(step, "group", "") or "",
        action=draft.action,
        order=order,
        size=c.build.order - order,
        span=c.file.key((*path, verb_of(step))),
        when=when,
        skip=step.skip,
        timeout_s=timeout,
        retry=retry,
        on_fail=inherited.of(step, "on_fail") or "continue",
        on_error=inherited.of(step, "on_error") or "stop",
        once=once,
        on_resume=on_resume or ("ask" if asks else "redo"),
        duration_s=inherited.of(step, "duration"),
        tags=tuple(inherited.of(step, "tags")),
        claims=claims,
        holds=draft.holds,
        binds=draft.binds,
    )


def _retry(
    c: SequenceCompiler, step: Step, path: Path, scope: Scope, inherited: Inherited, node_id: str
) -> RetryPlan | None:
    retry, place = inherited.find(step, "retry", path)
    if retry is None:
        return None
    if inherited.of(step, "once"):
        if step.retry is not None:  # one that `defaults` gave is not meant for this step
            c.problems.error(
                "P002",
                "a step that must happen `once` cannot be tried again",
                c.file.key(place),
                help="remove `retry` or `once`",
            )
        return None
    delay = c.values.duration(retry.delay, (*place, "delay"), scope)
    remedy = c.steps(
        retry.remedy, (*place, "remedy"), scope.copy(), Ids(f"{node_id}/remedy"), inherited.without_retry()
    )
    kinds = [retry.for_] if isinstance(retry.for_, str) else retry.for_
    return RetryPlan(retry.times, delay if delay is not None else 0.0, frozenset(kinds), remedy)


def _with_uses(c: SequenceCompiler, claims: tuple[Claim, ...], uses: Iterable[str], place: Path) -> tuple[Claim, ...]:
    found = {claim.resource: claim for claim in claims}
    for index, name in enumerate(uses):
        claim = c.resource(name, (*place, index))
        if claim is not None:
            found.setdefault(claim.resource, claim)
    return tuple(found[name] for name in sorted(found))
