"""One node: whether it runs, its attempts, what is recorded of it, and what its outcome does to the list it stands in.

Whatever happens inside, a node that has started is finished in the record, gives back what it took, and only what its final
attempt did counts.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from engine.core.errors import BenchwrightError, StepTimeout, StoreError
from engine.core.progress import FinishedNode
from engine.dispatch.frame import Frame, Ledger
from engine.dispatch.gate import with_extra
from engine.dispatch.holdings import Acquired, Scope
from engine.dispatch.lists import run_list
from engine.dispatch.retries import Snapshot, discard
from engine.dispatch.stopped import INTERNAL, Deadline, Stopped
from engine.dispatch.tree import bindings
from engine.dispatch.values import accumulate
from engine.plan.model import CallAction, Formula, GroupAction, Node, RepeatAction, SweepAction
from engine.verdict.ladder import worse
from schemas.documents import NodeFinished, NodeStarted, Outcome, Verdict

if TYPE_CHECKING:
    from engine.dispatch.prepare import Prepared
    from engine.dispatch.strand import Strand

Ended = tuple[Outcome, bool, str]
"""(outcome, whether the list around it is to stop, why): what a group or loop says of itself."""

FAILURES = {Outcome.FAIL: "fail", Outcome.ERROR: "error"}
LEAF_S = 60.0
"""Every leaf is over after this and what it plans to take, unless it has a `timeout` of its own."""


def run_node(strand: Strand, prepared: Prepared, frame: Frame) -> Generator[Any, Any, tuple[Outcome, bool]]:
    """Run one node with all its attempts; gives its outcome and whether its list stops. Raises Stopped."""
    unit = strand.unit
    node = prepared.node
    id = node.id + frame.suffix
    try:
        if unit.control.stage:
            strand.look()
        if (unit.pauses or unit.control.paused) and not strand.shield:
            yield from unit.wait_while_paused(frame)
            strand.look()
        if frame.deadline is not None and (deadline := frame.deadline.first()).at <= unit.clock.now:
            raise deadline.stopped()
        if not prepared.plain or unit.control.skipped or unit.progress:
            ended = yield from whether(strand, prepared, frame, id)
            if ended is not None:
                return ended
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        stopped = strand.caught(error)
        if stopped is None:
            raise
        record_end(strand, prepared, frame, id, Outcome.NOT_RUN, stopped.message)
        raise stopped from None

    attempt = (frame.attempt - 1) * prepared.tries
    attempts = leaf_attempt if prepared.act is not None else composite_attempt
    if node.retry is None:
        outcome, stop, _ = yield from attempts(strand, prepared, frame, id, attempt + 1, 0)
    else:
        outcome, stop = yield from retried(strand, prepared, frame, id, attempt, attempts)
    if node.once:
        unit.done_once.add(id)
    if stop:
        # a stop from inside goes on to the group around, unless an error is told to end here
        return outcome, not (outcome is Outcome.ERROR and node.on_error == "continue")
    if outcome is Outcome.FAIL:
        return outcome, node.on_fail == "stop"
    if outcome is Outcome.ERROR:
        return outcome, node.on_error == "stop"
    return outcome, False


def retried(
    strand: Strand, prepared: Prepared, frame: Frame, id: str, attempt: int, attempts: Callable[..., Any]
) -> Generator[Any, Any, tuple[Outcome, bool]]:
    """Attempt after attempt until one is final; between two nothing is held, and what the discarded one bound is forgotten."""
    unit = strand.unit
    node = prepared.node
    retry = node.retry
    assert retry is not None
    order = node.order + frame.shift
    snapshot = Snapshot(node, frame.env) if prepared.act is None else None
    for left in range(retry.times, -1, -1):
        attempt += 1
        outcome, stop, final = yield from attempts(strand, prepared, frame, id, attempt, left)
        if final:
            break
        try:
            if snapshot is not None:
                snapshot.restore(unit.done_once, frame.suffix)
            strand.step.begin(node, frame, id, order, attempt, LEAF_S)
            delay_s = strand.step.duration(retry.delay_s, "delay")
            if delay_s > 0:
                yield from strand.sleep(delay_s, frame)
            if unit.control.stage:
                strand.look()
            if retry.remedy.nodes:
                yield from run_list(
                    strand, retry.remedy, frame.inside(attempt, Ledger(frame.ledger), frame.deadline, frame.wants)
                )
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            stopped = strand.caught(error)
            discard(unit.emitter, unit.number, node, id, attempt, order, unit.clock.now)
            if stopped is not None:
                record_end(strand, prepared, frame, id, stopped.outcome, stopped.message, attempt + 1)
                raise stopped from None
            if not isinstance(error, BenchwrightError):
                raise
            record_end(strand, prepared, frame, id, Outcome.ERROR, str(error), attempt + 1)
            settle(frame, [], Outcome.ERROR)
            return Outcome.ERROR, False
        discard(unit.emitter, unit.number, node, id, attempt, order, unit.clock.now)
    return outcome, stop


def whether(
    strand: Strand, prepared: Prepared, frame: Frame, id: str
) -> Generator[Any, Any, tuple[Outcome, bool] | None]:
    """Do not run the node where something says so; None where it runs."""
    node = prepared.node
    unit = strand.unit
    if unit.progress and prepared.act is not None and (done := unit.progress.of(unit.number, id)) is not None:
        taken_over(node, frame, done)
        return done.outcome, False
    reason: str | None = node.skip
    if reason is None and id in unit.control.skipped:
        reason = "skipped by the operator"
    if reason is None and node.once and id in unit.done_once:
        reason = "already done, and it is to be done only once"
    if reason is None and node.when is not None:
        step = strand.step
        step.begin(node, frame, id, node.order + frame.shift, frame.attempt, LEAF_S)
        try:
            if not (yield from step.evaluate(node.when)):
                reason = f"`{node.when.text}` does not hold"
        except BenchwrightError as error:
            record_end(strand, prepared, frame, id, Outcome.ERROR, str(error))
            settle(frame, [], Outcome.ERROR)
            return Outcome.ERROR, node.on_error == "stop"
    if reason is None:
        return None
    record_end(strand, prepared, frame, id, Outcome.SKIPPED, reason)
    frame.ledger.counter.skip()
    return Outcome.SKIPPED, False


def taken_over(node: Node, frame: Frame, done: FinishedNode) -> None:
    """An earlier run has finished this node: its names and verdicts are there again."""
    for binding in bindings(node):
        if binding.name in done.values:
            frame.env[binding.slot] = done.values[binding.name]
            accumulate(frame.env, binding, done.values[binding.name])
    settle(frame, list(done.verdicts), done.outcome)


def record_end(
    strand: Strand, prepared: Prepared, frame: Frame, id: str, outcome: Outcome, message: str, attempt: int = 0
) -> None:
    """Record a node, or an attempt, that never started: skipped, not run."""
    node = prepared.node
    unit = strand.unit
    now = unit.clock.now
    attempt = attempt or (frame.attempt - 1) * prepared.tries + 1
    order = node.order + frame.shift
    unit.emitter.emit(
        NodeFinished(unit.number, id, attempt, order, node.verb, outcome, now, now, True, message, node.title)
    )
    if prepared.meets and unit.shared.barriers is not None:
        unit.shared.barriers.passed(unit.number, order, node.size)


def leaf_attempt(
    strand: Strand, prepared: Prepared, frame: Frame, id: str, attempt: int, left: int
) -> Generator[Any, Any, tuple[Outcome, bool, bool]]:
    """One attempt of a node that acts itself: claims → restore → act → errors → judge → record → release."""
    unit = strand.unit
    clock = unit.clock
    emitter = unit.emitter
    node = prepared.node
    step = strand.step
    order = node.order + frame.shift
    ready = started = clock.now
    acquired: Acquired | None = None
    stopped: Stopped | None = None
    failure: BaseException | None = None
    kind = ""
    begun = False
    step.begin(node, frame, id, order, attempt, LEAF_S)
    try:
        try:
            if prepared.wants or frame.wants:
                acquired = yield from unit.acquire(strand, prepared, frame, id, order)
                if acquired is not None:
                    started = clock.now
                    step.deadline = started + step.timeout_s
            emitter.emit(NodeStarted(unit.number, id, attempt, order, node.verb, started, started - ready))
            begun = True
            emitter.commit()
            if node.timeout_s.__class__ is Formula:
                step.bound_time()
            assert prepared.act is not None
            action = node.action
            try:
                if acquired is not None and acquired.message:
                    step.message, action = acquired.message, acquired.action
                if action is not None:
                    yield from prepared.act(step, action)
            except BenchwrightError as error:
                failure = error
            if step.touched and not isinstance(failure, StoreError):
                yield from step.ask_for_errors(failure)
            if failure is not None:
                raise failure
            outcome = step.outcome
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001  # handed on below
            stopped = strand.caught(error)
            if stopped is not None:
                outcome, step.message = stopped.outcome if begun else Outcome.NOT_RUN, stopped.message
            else:
                outcome, kind = Outcome.ERROR, "timeout" if isinstance(error, StepTimeout) else "error"
                text = (
                    str(error) if isinstance(error, BenchwrightError) else INTERNAL.format(type(error).__name__, error)
                )
                step.message = f"{text}; {step.message}" if step.message and failure is error else text
        if outcome is Outcome.FAIL:
            kind = "fail"
        final = left == 0 or not kind or stopped is not None or node.retry is None or kind not in node.retry.kinds
        if step.bound and (not final or outcome is Outcome.ERROR or stopped is not None):
            step.unbind()
        if final:
            settle(frame, step.verdicts, outcome)
        emitter.emit(
            NodeFinished(
                unit.number,
                id,
                attempt,
                order,
                node.verb,
                outcome,
                started,
                clock.now,
                final,
                step.message,
                node.title,
                started - ready,
            )
        )
    finally:
        if acquired is not None:
            unit.give_back(acquired)
        if prepared.meets and unit.shared.barriers is not None:
            unit.shared.barriers.passed(unit.number, order, 1)
    if stopped is not None:
        raise stopped
    return outcome, False, final


def settle(frame: Frame, verdicts: list[Any], outcome: Outcome) -> None:
    """The final attempt counts."""
    ledger = frame.ledger
    for verdict in verdicts:
        ledger.counter.count(verdict)
    if outcome is not ledger.outcome:
        if outcome is Outcome.ERROR:
            ledger.counter.error()
        ledger.outcome = worse(ledger.outcome, outcome)
    elif outcome is Outcome.ERROR:
        ledger.counter.error()


def composite_attempt(
    strand: Strand, prepared: Prepared, frame: Frame, id: str, attempt: int, left: int
) -> Generator[Any, Any, tuple[Outcome, bool, bool]]:
    """One attempt of a group, a loop, a branching or a call."""
    unit = strand.unit
    clock = unit.clock
    emitter = unit.emitter
    node = prepared.node
    order = node.order + frame.shift
    ready = started = clock.now
    message, kind = "", ""
    stop = begun = False
    stopped: Stopped | None = None
    ledger = Ledger(frame.ledger) if node.retry is not None else frame.ledger
    deadline = frame.deadline
    scope: Scope | None = None
    outcome = Outcome.NOT_RUN
    try:
        if unit.holdings is not None and isinstance(node.action, GroupAction | CallAction):
            scope = unit.holdings.scope(frame.scope, node.action.block)
            if node.action.block.hold:
                yield from unit.holdings.by_hand(scope, node.action.block, id, order, frame)
                started = clock.now
        emitter.emit(NodeStarted(unit.number, id, attempt, order, node.verb, started, started - ready))
        begun = True
        if node.timeout_s is not None:
            strand.step.begin(node, frame, id, order, attempt, LEAF_S)
            timeout_s = strand.step.duration(node.timeout_s, "timeout")
            deadline = Deadline(started + timeout_s, timeout_s, id, frame.deadline)
        wants = frame.wants
        if prepared.wants and isinstance(node.action, GroupAction | CallAction):
            # what a group needs, each of its leaves takes: nobody ever waits while holding something
            wants = with_extra(prepared.wants, wants)
        assert prepared.hold is not None
        outcome, stop, message = yield from prepared.hold(
            strand, prepared, frame.inside(attempt, ledger, deadline, wants, scope)
        )
        if outcome is Outcome.FAIL or outcome is Outcome.ERROR:
            kind = FAILURES[outcome]
        if message and outcome is Outcome.FAIL and isinstance(node.action, RepeatAction | SweepAction):
            ledger.counter.count(Verdict.FAIL)  # an `until` that never held, an edge that is not there
    except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001  # handed on below
        stopped = strand.caught(error)
        if stopped is None:
            outcome, kind = Outcome.ERROR, "timeout" if isinstance(error, StepTimeout) else "error"
            message = (
                str(error) if isinstance(error, BenchwrightError) else INTERNAL.format(type(error).__name__, error)
            )
        else:
            outcome, message = stopped.outcome if begun else Outcome.NOT_RUN, stopped.message
            if deadline is not None and stopped.scope is deadline and deadline is not frame.deadline:
                stopped, kind = None, "timeout"
        if stopped is None:
            ledger.counter.error()
            ledger.outcome = worse(ledger.outcome, outcome)
    # what is judged inside is already in the ledger; what the node itself found is added
    ledger.outcome = worse(ledger.outcome, outcome)
    if scope is not None and scope.spans:
        failed = stopped is not None or stop or outcome is Outcome.ERROR
        stopped = yield from end_of_holding(strand, scope, failed, stopped)
    final = left == 0 or not kind or stopped is not None or node.retry is None or kind not in node.retry.kinds
    if final and ledger is not frame.ledger:
        ledger.settle()
    emitter.emit(
        NodeFinished(
            unit.number,
            id,
            attempt,
            order,
            node.verb,
            outcome,
            started,
            clock.now,
            final,
            message,
            node.title,
            started - ready,
        )
    )
    if prepared.meets and unit.shared.barriers is not None:
        unit.shared.barriers.passed(unit.number, order, node.size)
    if stopped is not None:
        raise stopped
    return outcome, stop, final


def end_of_holding(
    strand: Strand, scope: Scope, failed: bool, stopped: Stopped | None
) -> Generator[Any, Any, Stopped | None]:
    """Give up what was begun to be held in a group; gives what is to be raised now."""
    assert strand.unit.holdings is not None
    strand.shielded()
    try:
        yield from strand.unit.holdings.end(scope, failed=failed)
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        cause = strand.caught(error)
        if cause is None:
            raise
        stopped = stopped or cause
    finally:
        kept = strand.unshielded()
    return stopped or kept


__all__ = ["LEAF_S", "Ended", "run_node"]
