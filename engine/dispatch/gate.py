"""The door between nodes and locks: lets a strand wait for what its node needs.

Decisions are made once per instant, after everything else of that instant has happened; who asks a microsecond of computing
earlier has no advantage, and a run repeats exactly.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from engine.core.clock import Clock
from engine.dispatch.frame import Want
from engine.dispatch.locks import Locks, Ticket
from engine.plan.model import Hold


class Gate:
    """One for all units of a run."""

    def __init__(self, clock: Clock, locks: Locks) -> None:
        self._clock = clock
        self._locks = locks
        self._numbers = 0
        self.strands = 0
        """Lines of execution and monitors under way: while there is one, nobody can be in its way."""

    def acquire(
        self, unit: int, node: str, order: int, wants: tuple[Want, ...], holds: tuple[Hold, ...]
    ) -> Generator[Any, Any, Ticket]:
        """Wait until all of `wants` is had at once; interrupted, it leaves the line."""
        self._numbers += 1
        ticket = Ticket(unit, node, order, wants, holds, self._clock.now, self._numbers)
        ticket.ready = self._clock.event()
        self._locks.ask(ticket)
        self._clock.after_instant(self._pass)
        try:
            yield ticket.ready
        except BaseException:
            self.release(ticket)
            raise
        return ticket

    def release(self, ticket: Ticket) -> None:
        """Give back; may be called any number of times."""
        if self._locks.release(ticket):
            self._clock.after_instant(self._pass)

    def busy(self, resource: str) -> bool:
        """Whether a node acts on it now."""
        return self._locks.busy(resource)

    def _pass(self) -> None:
        for ticket in self._locks.grant(self._clock.now):
            ticket.ready.succeed()


def with_extra(wants: tuple[Want, ...], extra: tuple[Want, ...]) -> tuple[Want, ...]:
    """What a node takes inside a group that takes something too."""
    if not extra:
        return wants
    amounts = dict(extra)
    for resource, amount in wants:
        amounts[resource] = max(amounts.get(resource, 0), amount)
    return tuple(sorted(amounts.items()))
