"""Blocks and what holds them: group, call, if, parallel.

The one promise here is the cleanup: once the setup of a block has begun, its cleanup runs on every way out, and an end that is
asked for meanwhile waits for it.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.dispatch.frame import Frame
from engine.dispatch.lists import Brake, Fork, not_run, run_list
from engine.dispatch.monitors import Watch
from engine.dispatch.stopped import Stopped
from engine.dispatch.values import accumulate, plain
from engine.plan.model import Block, CallAction, Formula, GroupAction, IfAction, ParallelAction, Steps
from engine.verdict.ladder import worse
from schemas.documents import Outcome

if TYPE_CHECKING:
    from engine.dispatch.node import Ended
    from engine.dispatch.prepare import Prepared
    from engine.dispatch.strand import Strand


def run_block(strand: Strand, block: Block, frame: Frame) -> Generator[Any, Any, Ended]:
    """Setup, steps, cleanup; a stop inside comes to rest here. Raises Stopped for what ends more than this block."""
    outcome, stop = Outcome.DONE, False
    message = ""
    raised: BaseException | None = None
    watch = Watch(strand, block.monitors, frame) if block.monitors else None
    setup_is_over = False
    try:
        try:
            if watch is not None:
                watch.start()
            outcome, stop = yield from run_list(strand, block.setup, frame)
            setup_is_over = True
            if stop:
                not_run(strand, strand.unit.preparer.steps(block.steps), frame, "the setup stopped")
            else:
                ended, _ = yield from run_list(strand, block.steps, frame)
                outcome = worse(outcome, ended)
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001  # handed on below
            raised = strand.caught(error) or error
            if isinstance(raised, Stopped):
                if not setup_is_over:
                    not_run(strand, strand.unit.preparer.steps(block.steps), frame, raised.message)
                if watch is not None and raised.scope is watch:
                    outcome, message, raised = worse(outcome, raised.outcome), raised.message, None
    finally:
        if watch is not None:
            watch.end()
    ended, raised = yield from _clean(strand, block.cleanup, frame, raised)
    outcome = worse(outcome, ended)
    if watch is not None:
        outcome = worse(outcome, watch.outcome)
    if raised is not None:
        raise raised
    return outcome, False, message


def _clean(
    strand: Strand, cleanup: Steps, frame: Frame, raised: BaseException | None
) -> Generator[Any, Any, tuple[Outcome, BaseException | None]]:
    """Run a cleanup to its end; gives its outcome and what is to be raised now."""
    if not cleanup.nodes:
        return Outcome.DONE, raised
    if isinstance(raised, Stopped) and raised.hard:
        not_run(strand, strand.unit.preparer.steps(cleanup), frame, raised.message)
        return Outcome.DONE, raised
    outcome = Outcome.DONE
    strand.shielded()
    try:
        outcome, _ = yield from run_list(strand, cleanup, frame.cleaning(), unstoppable=True)
    except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001  # handed on below
        raised = strand.caught(error) or error
    finally:
        kept = strand.unshielded()
    if kept is not None and (raised is None or kept.scope is None):
        raised = kept
    return outcome, raised


def group(strand: Strand, prepared: Prepared, frame: Frame) -> Generator[Any, Any, Ended]:
    """A block in the same environment."""
    action: GroupAction = prepared.node.action  # type: ignore[assignment]
    return (yield from run_block(strand, action.block, frame))


def call(strand: Strand, prepared: Prepared, frame: Frame) -> Generator[Any, Any, Ended]:
    """A block in an environment of its own; without an error, names come out through `store`, where they have a value."""
    action: CallAction = prepared.node.action  # type: ignore[assignment]
    node = prepared.node
    outer = frame.env
    step = strand.step
    step.begin(node, frame, node.id + frame.suffix, node.order + frame.shift, frame.attempt, 0.0)
    values: dict[str, Any] = dict(action.constants)
    for slot in action.inherited:
        if slot in outer:
            values[slot] = outer[slot]
    for slot, given in action.arguments:
        values[slot] = plain(step.value(given)) if isinstance(given, Formula) else given
    env = outer.inner(values)
    ended = yield from run_block(strand, action.block, frame.calling(env))
    if ended[0] is Outcome.ERROR:
        return ended
    for binding, slot in action.store:
        if slot in env:
            outer[binding.slot] = env[slot]
            accumulate(outer, binding, env[slot])
    return ended


def choose(strand: Strand, prepared: Prepared, frame: Frame) -> Generator[Any, Any, Ended]:
    """One of two lists."""
    action: IfAction = prepared.node.action  # type: ignore[assignment]
    holds = yield from strand.unit.evaluate(strand, prepared, frame, action.condition)
    outcome, stop = yield from run_list(strand, action.then if holds else action.otherwise, frame)
    return outcome, stop, ""


def parallel(strand: Strand, prepared: Prepared, frame: Frame) -> Generator[Any, Any, Ended]:
    """Lists side by side; when one stops, what runs in the others is finished and nothing more is started."""
    action: ParallelAction = prepared.node.action  # type: ignore[assignment]
    fork = Fork(strand)
    brake = Brake()
    total: list[Any] = [Outcome.DONE, False]

    def then(result: tuple[Outcome, bool]) -> None:
        total[0] = worse(total[0], result[0])
        total[1] = total[1] or result[1]

    for branch in action.branches:
        fork.start(partial(_branch, branch, frame, brake), then)
    yield from fork.join(lambda: None)
    return total[0], total[1], ""


def _branch(branch: Steps, frame: Frame, brake: Brake, strand: Strand) -> Generator[Any, Any, tuple[Outcome, bool]]:
    return run_list(strand, branch, frame, brake=brake)
