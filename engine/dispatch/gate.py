"""The door between nodes and locks: lets a strand wait for what its node needs.

Decisions are made once per instant, after everything else of that instant has happened; who asks a microsecond of computing
earlier has no advantage, and a run repeats exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from engine.core.clock import Clock
from engine.dispatch.frame import Want
from engine.dispatch.locks import Foresight, Locks, Span, Ticket, refusal
from engine.dispatch.policy import Policy

Estimates = Callable[[int, str, int], "float | None"]
"""(unit, full node id, order) → seconds it will take; None: nobody knows."""


def unknown(unit: int, node: str, order: int) -> float | None:
    """Where nobody has estimated anything."""
    return None


class Gate:
    """One for all units of a run."""

    def __init__(self, clock: Clock, locks: Locks, policy: Policy, estimates: Estimates = unknown) -> None:
        self._clock = clock
        self._locks = locks
        self._policy = policy
        self._estimates = estimates
        self._numbers = 0
        self._look_at: float | None = None
        self._refused: dict[str, str] = {}
        self.strands = 0
        """Lines of execution and monitors under way: while there is one, nobody can be in its way."""
        self.lines = 0
        """Lines of execution alone."""
        self.resting = 0
        """Those of them that wait for others: in line here, or for branches they started."""
        self.on_wait: Callable[[], None] | None = None
        """Called when somebody has to wait: what has happened so far is not to be kept back meanwhile."""
        self.on_stall: Callable[[], None] | None = None
        self.several = False
        """More than one unit takes part, now or later."""
        self.on_free: Callable[[], None] | None = None
        """Called after a pass in which something may have become free for good."""

    def acquire(
        self,
        unit: int,
        node: str,
        order: int,
        wants: tuple[Want, ...],
        *,
        joins: tuple[str, ...] = (),
        opens: tuple[Span, ...] = (),
        need: Foresight | None = None,
        patient: bool = True,
    ) -> Generator[Any, Any, Ticket]:
        """Wait until all of it is had at once; interrupted, it leaves the line. Raises InstrumentError under quarantine.

        Without patience it raises NotNow at the end of the instant instead of waiting.
        """
        self._numbers += 1
        clock = self._clock
        duration_s = self._estimates(unit, node, order)
        ticket = Ticket(
            unit, node, order, wants, clock.now, self._numbers,
            joins=joins, opens=opens, need=need, duration_s=duration_s,
        )  # fmt: skip
        ticket.patient = patient
        ticket.ready = clock.event()
        self._locks.ask(ticket)
        clock.after_instant(self._pass)
        self.resting += 1
        try:
            yield ticket.ready
        except BaseException:
            self.release(ticket)
            for span in opens:
                self.close(span)
            raise
        finally:
            self.resting -= 1
        if ticket.problem is not None:
            raise ticket.problem
        return ticket

    def release(self, ticket: Ticket) -> bool:
        """Give back; may be called any number of times."""
        if not self._locks.release(ticket):
            return False
        if ticket.granted:
            self._locks.finished(ticket, self._clock.now)
        self._clock.after_instant(self._pass)
        return True

    def close(self, span: Span) -> bool:
        """Give up what was held across nodes; may be called any number of times."""
        if not self._locks.close(span):
            return False
        self._clock.after_instant(self._pass)
        return True

    def busy(self, resource: str, unit: int = -1) -> bool:
        """Whether a node acts on it now, or another unit holds it."""
        return self._locks.busy(resource, unit)

    def mode_is_free(self, resource: str, unit: int, value: Any) -> bool:
        """Whether a unit could set this value at once without being in anybody's way."""
        return self._locks.mode_is_free(resource, unit, value)

    def mode_holders(self, resource: str) -> tuple[int, ...]:
        """Units that hold a value of it."""
        return self._locks.mode_holders(resource)

    def quarantine(self, resource: str, why: str) -> None:
        """Nobody gets it any more."""
        self._refused[resource] = why
        self._locks.quarantine(resource, why)
        self._clock.after_instant(self._pass)

    def check(self, wants: tuple[Want, ...]) -> None:
        """Raise InstrumentError where something is under quarantine, also what a unit need not stand in line for."""
        for resource, _ in wants if self._refused else ():
            if resource in self._refused:
                raise refusal(resource, self._refused[resource])

    def left(self, unit: int) -> None:
        """A unit is over."""
        self._policy.left(unit, self._clock.now)
        self._clock.after_instant(self._pass)

    def describe(self) -> str:
        """Who holds what and who waits for what, for people."""
        return self._locks.describe()

    def look(self) -> None:
        """Something may have changed for those in line."""
        if self.several:
            self._clock.after_instant(self._pass)

    def _pass(self) -> None:
        now = self._clock.now
        granted = self._locks.grant(now)
        for ticket in granted:
            ticket.ready.succeed()
        if self.on_wait is not None and self._locks.waiting():
            self.on_wait()
        at = self._locks.next_look(now)
        if not granted and at is None and 0 < self.lines == self.resting and self.on_stall and self._locks.waiting():
            self.on_stall()
        if at is not None and (self._look_at is None or at < self._look_at or self._look_at <= now):
            self._look_at = at
            self._clock.process(self._look_later(at))
        if self.on_free is not None:
            self.on_free()

    def _look_later(self, at: float) -> Generator[Any, Any, None]:
        yield self._clock.timeout(max(0.0, at - self._clock.now))
        if self._look_at == at:
            self._look_at = None
        self._clock.after_instant(self._pass)


def with_extra(wants: tuple[Want, ...], extra: tuple[Want, ...]) -> tuple[Want, ...]:
    """What a node takes inside a group that takes something too."""
    if not extra:
        return wants
    amounts = dict(extra)
    for resource, amount in wants:
        amounts[resource] = max(amounts.get(resource, 0), amount)
    return tuple(sorted(amounts.items()))
