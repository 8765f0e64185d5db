"""Who may have which instrument: pure bookkeeping, without time or events.

A node takes all it needs at once or waits, so nobody ever waits while holding a part of what it needs. Whoever has waited
long enough reserves what it wants: those behind it no longer pass it by. A unit that already holds something is never
bound by a reservation, because the one that reserves may be waiting for exactly that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from engine.core.errors import StepError
from engine.plan.model import Hold

if TYPE_CHECKING:
    from engine.dispatch.policy import Policy

AGED_AFTER_S = 60.0
"""After how many seconds of waiting a ticket reserves what it wants."""


class Ticket:
    """Stands in line, has been granted, has been given back."""

    __slots__ = ("granted", "holds", "node", "number", "order", "ready", "released", "since", "unit", "wants")

    def __init__(
        self,
        unit: int,
        node: str,
        order: int,
        wants: tuple[tuple[str, int], ...],
        holds: tuple[Hold, ...],
        since: float,
        number: int,
    ) -> None:
        self.unit = unit
        self.node = node
        self.order = order
        self.wants = wants
        """(instance or resource, amount), each resource once."""
        self.holds = holds
        """What the unit goes on holding after the node."""
        self.since = since
        self.number = number
        """Of all tickets of the run, by time of asking."""
        self.granted = False
        self.released = False
        self.ready: Any = None
        """The event that its strand waits for."""


class Locks(Protocol):
    """All decisions about who may have what."""

    def ask(self, ticket: Ticket) -> None:
        """Stand in line; raises StepError for what could never be had."""
        ...

    def grant(self, now: float) -> list[Ticket]:
        """Give to those in line what is free: one pass, called once after all events of an instant."""
        ...

    def release(self, ticket: Ticket) -> bool:
        """Give back, or leave the line; asking twice is asking once. True where something became free."""
        ...

    def busy(self, resource: str) -> bool:
        """Whether somebody holds any of it."""
        ...


class AllAtOnceLocks:
    """Grants a ticket when everything it wants is free, oldest first, the younger ones past a blocked one."""

    def __init__(self, capacity: Mapping[str, int], policy: Policy, aged_after_s: float = AGED_AFTER_S) -> None:
        """`capacity`: of plain resources; everything else is there once."""
        self._capacity = dict(capacity)
        self._policy = policy
        self._aged_after_s = aged_after_s
        self._taken: dict[str, int] = {}
        self._waiting: list[Ticket] = []
        self._held: dict[int, int] = {}
        """How many tickets each unit holds."""

    def ask(self, ticket: Ticket) -> None:
        for resource, amount in ticket.wants:
            if amount > self._capacity.get(resource, 1):
                raise StepError(
                    f"`{ticket.node}` needs {amount} of `{resource}`, and there is only {self._capacity.get(resource, 1)}",
                    "raise its `capacity` in the station, or ask for less",
                )
        self._waiting.append(ticket)

    def grant(self, now: float) -> list[Ticket]:
        if not self._waiting:
            return []
        if len(self._waiting) > 1:
            key = self._policy.key
            self._waiting.sort(key=lambda ticket: key(ticket, now))
        granted: list[Ticket] = []
        left: list[Ticket] = []
        reserved: dict[str, int] = {}
        for ticket in self._waiting:
            if self._fits(ticket.wants, {} if self._held.get(ticket.unit) else reserved):
                self._take(ticket)
                granted.append(ticket)
                continue
            left.append(ticket)
            if now - ticket.since >= self._aged_after_s:
                for resource, amount in ticket.wants:
                    reserved[resource] = reserved.get(resource, 0) + amount
        self._waiting = left
        return granted

    def release(self, ticket: Ticket) -> bool:
        if ticket.released:
            return False
        ticket.released = True
        if not ticket.granted:
            self._waiting.remove(ticket)
            return False
        for resource, amount in ticket.wants:
            self._taken[resource] -= amount
        self._held[ticket.unit] -= 1
        return True

    def busy(self, resource: str) -> bool:
        return self._taken.get(resource, 0) > 0

    def waiting(self) -> Iterable[Ticket]:
        """Those in line, for messages."""
        return tuple(self._waiting)

    def _fits(self, wants: tuple[tuple[str, int], ...], reserved: dict[str, int]) -> bool:
        return all(
            self._taken.get(resource, 0) + reserved.get(resource, 0) + amount <= self._capacity.get(resource, 1)
            for resource, amount in wants
        )

    def _take(self, ticket: Ticket) -> None:
        ticket.granted = True
        for resource, amount in ticket.wants:
            self._taken[resource] = self._taken.get(resource, 0) + amount
        self._held[ticket.unit] = self._held.get(ticket.unit, 0) + 1
