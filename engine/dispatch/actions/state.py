"""`set`: bring properties into a state, wait until it is reached and has settled.

What is already so is not written again, but `until` is always read. `settle` counts from when `until` first held after the last
real change: a chamber that has been stable for an hour costs no further wait.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from engine.core.errors import StepError
from engine.dispatch.actions.wait import poll_until
from engine.dispatch.step import Step
from engine.dispatch.values import plain
from engine.plan.model import Formula, SetAction, SiteWrite, Write


def set_state(step: Step, action: SetAction) -> Generator[Any, Any, None]:
    """Routes, then writes, then `until`, then `settle`."""
    settle_s = step.duration(action.settle_s, "settle")
    step.allow(settle_s)
    if action.routes:
        yield from write_all(step, action.routes, force=False)
    yield from write_all(step, action.writes, force=action.force)
    settled = step.unit.settled
    targets = tuple(write.target for write in action.writes)
    if action.until is not None:
        held_since = settled.held_since(targets, action.until.text)
        at_once = yield from poll_until(step, action.until, action.poll_s)
        if held_since is None or not at_once:
            held_since = step.clock.now
            settled.holds(targets, action.until.text, held_since)
    else:
        held_since = settled.changed_at(targets)
    if settle_s > 0 and held_since is not None and (left_s := held_since + settle_s - step.clock.now) > 0:
        yield from step.let_pass(left_s)


def write_all(step: Step, writes: Sequence[Write | SiteWrite], *, force: bool) -> Generator[Any, Any, None]:
    """Write in order what differs, in a cleanup everything; remembers when something really changed."""
    force = force or step.strand.shield > 0
    for write in writes:
        target = write.target
        value = site_value(step, write) if isinstance(write, SiteWrite) else write.value
        if isinstance(value, Formula):
            value = plain(step.value(value))
        written = yield from step.call(target.instrument, _apply, step, target, value, force)
        if written:
            step.unit.settled.changed(target, step.clock.now)


def _apply(step: Step, target: Any, value: Any, force: bool) -> bool:
    return step.bench.apply(step.index, target, value, force=force)


def site_value(step: Step, write: SiteWrite) -> Any:
    """The value for this unit's site; raises StepError where the station gives none."""
    site = step.unit.site
    if site not in write.values:
        raise StepError(
            f"the station says no value of `{write.target}` for site `{site}`",
            f"add one beside {', '.join(sorted(write.values)) or 'the others'} under `connections`",
        )
    return write.values[site]
