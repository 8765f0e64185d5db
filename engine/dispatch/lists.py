"""A list of nodes: one after the other in the strand they stand in, or as a graph of strands side by side."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.dispatch.frame import Frame
from engine.dispatch.stopped import Stopped
from engine.plan.model import Steps
from engine.verdict.ladder import worse
from schemas.documents import Outcome

if TYPE_CHECKING:
    from engine.dispatch.prepare import Prepared
    from engine.dispatch.strand import Strand


class Brake:
    """Shared by branches: once pulled, what has not started does not start any more."""

    __slots__ = ("pulled",)

    def __init__(self) -> None:
        self.pulled = False


def run_list(
    strand: Strand, steps: Steps, frame: Frame, *, brake: Brake | None = None, unstoppable: bool = False
) -> Generator[Any, Any, tuple[Outcome, bool]]:
    """Run the nodes of a list; gives the worst outcome and whether it was stopped. Raises Stopped.

    `unstoppable`: a cleanup, in which a step that fails does not stop those after it.
    """
    from engine.dispatch.node import run_node

    if steps.waits is not None:
        return (yield from _run_graph(strand, steps, frame, brake, unstoppable))
    outcome = Outcome.DONE
    prepared = strand.unit.preparer.steps(steps)
    for number, node in enumerate(prepared):
        if brake is not None and brake.pulled:
            not_run(strand, prepared[number:], frame, "another branch stopped")
            return outcome, True
        try:
            ended, stop = yield from run_node(strand, node, frame)
        except Stopped as stopped:
            not_run(strand, prepared[number + 1 :], frame, stopped.message)
            raise
        if ended is not outcome:
            outcome = worse(outcome, ended)
        if stop and not unstoppable:
            if brake is not None:
                brake.pulled = True
            not_run(strand, prepared[number + 1 :], frame, f"stopped by `{node.node.id}{frame.suffix}`")
            return outcome, True
    return outcome, False


def not_run(strand: Strand, nodes: Sequence[Prepared], frame: Frame, why: str) -> None:
    """Record nodes that were due and never started."""
    from engine.dispatch.node import record_end

    for node in nodes:
        record_end(strand, node, frame, node.node.id + frame.suffix, Outcome.NOT_RUN, why)


class Fork:
    """Strands started here, and the wait for all of them: one that is stopped takes the others along."""

    def __init__(self, strand: Strand) -> None:
        self._strand = strand
        self._unit = strand.unit
        self._running = 0
        self._wake: Any = None
        self._level = strand.shield
        self._changed = False
        self.stopped: Stopped | None = None
        """Why it has to end, once something said so."""

    def start(self, work: Callable[[Strand], Generator[Any, Any, Any]], then: Callable[[Any], None]) -> None:
        """Run `work` in a strand of its own; `then` is given what it returns."""
        child = self._unit.strand(self._strand.shield)
        self._strand.children.append(child)
        self._running += 1
        child.process = self._unit.clock.process(self._run(child, work, then))

    def _run(
        self, child: Strand, work: Callable[[Strand], Generator[Any, Any, Any]], then: Callable[[Any], None]
    ) -> Generator[Any, Any, None]:
        try:
            result = yield from work(child)
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001  # handed on below
            stopped = child.caught(error)
            if stopped is None:
                stopped = Stopped(Outcome.ERROR, f"internal: {type(error).__name__}: {error}")
                self._unit.broken = error
            self.stop(stopped, child)
        else:
            then(result)
        finally:
            self._running -= 1
            self._strand.children.remove(child)
            self._unit.over(child)
            self._changed = True
            if self._wake is not None and not self._wake.triggered:
                self._wake.succeed()

    def stop(self, cause: Stopped, but: Strand | None = None) -> None:
        """End every strand that still runs."""
        if self.stopped is None or cause.hard:
            self.stopped = cause
            for child in tuple(self._strand.children):
                if child is not but:
                    child.interrupt(cause, self._level)

    def join(self, on_change: Callable[[], None]) -> Generator[Any, Any, None]:
        """Wait until all strands are over, those included that `on_change` starts; raises Stopped if they were stopped."""
        strand = self._strand
        while True:
            if self._changed:
                self._changed = False
                if self.stopped is None:
                    on_change()
                continue
            if not self._running:
                break
            self._wake = self._unit.clock.event()
            self._unit.gate.resting += 1
            try:
                yield self._wake
            except (Exception, KeyboardInterrupt, SystemExit) as error:  # handed on below
                cause = strand.caught(error)
                if cause is None:
                    raise
                self.stop(cause)
            finally:
                self._unit.gate.resting -= 1
        if self.stopped is not None:
            raise self.stopped


def _node(node: Prepared, frame: Frame, strand: Strand) -> Generator[Any, Any, tuple[Outcome, bool]]:
    from engine.dispatch.node import run_node

    return run_node(strand, node, frame)


def _run_graph(
    strand: Strand, steps: Steps, frame: Frame, brake: Brake | None, unstoppable: bool
) -> Generator[Any, Any, tuple[Outcome, bool]]:
    """Every node starts as soon as those it waits for are over, in written order where several may."""
    assert steps.waits is not None
    prepared = strand.unit.preparer.steps(steps)
    missing = [set(waits) for waits in steps.waits]
    started = [False] * len(prepared)
    total: list[Any] = [Outcome.DONE, ""]
    fork = Fork(strand)
    own = brake or Brake()

    def finished(number: int) -> Callable[[Any], None]:
        def then(result: tuple[Outcome, bool]) -> None:
            outcome, stop = result
            total[0] = worse(total[0], outcome)
            if stop and not unstoppable:
                own.pulled = True
                total[1] = total[1] or f"stopped by `{prepared[number].node.id}{frame.suffix}`"
            for waits in missing:
                waits.discard(number)

        return then

    def start_ready() -> None:
        for number, node in enumerate(prepared):
            if not started[number] and not missing[number] and not own.pulled:
                started[number] = True
                fork.start(partial(_node, node, frame), finished(number))

    try:
        start_ready()
        yield from fork.join(start_ready)
    finally:
        rest = [node for number, node in enumerate(prepared) if not started[number]]
        if rest:
            why = fork.stopped.message if fork.stopped is not None else total[1] or "another branch stopped"
            not_run(strand, rest, frame, why)
    return total[0], own.pulled
