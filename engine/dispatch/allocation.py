"""Who has what right now: what nodes act on, what units hold, on which values they agree. Bookkeeping, without decisions.

A unit's own holding never stands in its own way: what its nodes act on is taken from what it holds first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.dispatch.locks import Amounts, Span, Ticket

Context = Callable[[int, str], Any]
"""(unit, instrument) → what this unit wants of it beside the value agreed on."""
MISSING = object()


class Mode:
    """The value of an instrument that units hold together."""

    __slots__ = ("changed_at", "holders", "value")

    def __init__(self, value: Any, now: float) -> None:
        self.value = value
        self.changed_at = now
        self.holders: dict[int, int] = {}


class Allocation:
    """Kept up to date by tickets and spans, each of which it takes once and gives back once."""

    def __init__(self, capacity: Mapping[str, int], context: Context | None = None) -> None:
        """`capacity`: of plain resources; everything else is there once."""
        self.capacity = dict(capacity)
        self.context = context or (lambda unit, resource: None)
        self.taken: dict[str, int] = {}
        """In all, of each resource."""
        self.acting: dict[str, dict[int, int]] = {}
        self.spans: dict[str, dict[int, int]] = {}
        self.actors: dict[str, list[Ticket]] = {}
        self.joint: dict[str, list[Ticket]] = {}
        self.modes: dict[str, Mode] = {}
        self.held: dict[int, dict[str, int]] = {}
        """unit → what it holds across nodes."""
        self.agreed: dict[int, set[str]] = {}
        """unit → instruments of which it holds a value."""
        self.tickets: dict[int, int] = {}
        """unit → how many of its nodes act."""
        self.open: dict[int, list[Span]] = {}

    def most(self, resource: str) -> int:
        """How much of it there is."""
        return self.capacity.get(resource, 1)

    def holds_something(self, unit: int) -> bool:
        """Whether it may stand in somebody's way while it waits."""
        return bool(self.open.get(unit) or self.tickets.get(unit))

    def mine(self, resource: str, unit: int) -> int:
        """How much of it this unit has."""
        span = min(self.spans.get(resource, {}).get(unit, 0), self.most(resource))
        return max(span, self.acting.get(resource, {}).get(unit, 0))

    # -- whether something fits

    def in_the_way(self, ticket: Ticket, reserved: Amounts) -> str | None:
        """The first resource that keeps a ticket waiting; None where all of it is free."""
        unit = ticket.unit
        for resource, amount in ticket.wants:
            acts = self.acting.get(resource, {}).get(unit, 0) + amount
            if self.joint.get(resource) or acts > self.most(resource):
                return resource
            if not self._has_room(resource, unit, acts, reserved):
                return resource
        for resource in ticket.joins:
            if self.acting.get(resource) or self._held_by_others(resource, unit):
                return resource
            others = self.joint.get(resource)
            if others and self.context(unit, resource) != self.context(others[0].unit, resource):
                return resource
        for span in ticket.opens:
            resource = span.resource
            mode = self.modes.get(resource)
            strangers = mode is not None and any(holder != unit for holder in mode.holders)
            if span.kind == "mode":
                if self._held_by_others(resource, unit) or (
                    strangers and mode is not None and mode.value != span.value
                ):
                    return resource
                continue
            if strangers or any(other.unit != unit for other in self.joint.get(resource, ())):
                return resource
            held = min(self.spans.get(resource, {}).get(unit, 0) + span.amount, self.most(resource))
            if not self._has_room(resource, unit, held, reserved):
                return resource
        return None

    def _has_room(self, resource: str, unit: int, amount: int, reserved: Amounts) -> bool:
        taken = self.taken.get(resource, 0)
        if not taken:
            return reserved.get(resource, 0) + amount <= self.most(resource)
        mine = self.mine(resource, unit)
        if amount <= mine:
            return True
        return taken - mine + reserved.get(resource, 0) + amount <= self.most(resource)

    def _held_by_others(self, resource: str, unit: int) -> bool:
        return any(other != unit for other in self.spans.get(resource, ()))

    def units_on(self, resource: str, but: int) -> tuple[int, ...]:
        """The other units that have something of it, for messages."""
        units = {*self.acting.get(resource, ()), *self.spans.get(resource, ())}
        units.update(ticket.unit for ticket in self.joint.get(resource, ()))
        mode = self.modes.get(resource)
        if mode is not None:
            units.update(mode.holders)
        return tuple(sorted(units - {but}))

    # -- taking and giving back

    def take(self, ticket: Ticket, now: float) -> None:
        unit = ticket.unit
        self.tickets[unit] = self.tickets.get(unit, 0) + 1
        for resource, amount in ticket.wants:
            self._change(self.acting, resource, unit, amount)
            self.actors.setdefault(resource, []).append(ticket)
        for resource in ticket.joins:
            self.joint.setdefault(resource, []).append(ticket)
        for span in ticket.opens:
            self._open(span, now)

    def _open(self, span: Span, now: float) -> None:
        span.open, span.since = True, now
        unit, resource = span.unit, span.resource
        self.open.setdefault(unit, []).append(span)
        if span.kind == "mode":
            mode = self.modes.get(resource)
            if mode is None:
                mode = self.modes[resource] = Mode(span.value, now)
            elif mode.value != span.value:
                mode.value, mode.changed_at = span.value, now
            mode.holders[unit] = mode.holders.get(unit, 0) + 1
            self.agreed.setdefault(unit, set()).add(resource)
        else:
            self._change(self.spans, resource, unit, span.amount)
            self._hold(unit, resource)

    def give_back(self, ticket: Ticket) -> None:
        unit = ticket.unit
        self.tickets[unit] -= 1
        for resource, amount in ticket.wants:
            self._change(self.acting, resource, unit, -amount)
            self.actors[resource].remove(ticket)
        for resource in ticket.joins:
            self.joint[resource].remove(ticket)

    def close(self, span: Span) -> None:
        span.open = False
        unit, resource = span.unit, span.resource
        self.open[unit].remove(span)
        if span.kind == "mode":
            mode = self.modes[resource]
            mode.holders[unit] -= 1
            if not mode.holders[unit]:
                del mode.holders[unit]
                self.agreed[unit].discard(resource)
            if not mode.holders:
                del self.modes[resource]
        else:
            self._change(self.spans, resource, unit, -span.amount)
            self._hold(unit, resource)

    def _hold(self, unit: int, resource: str) -> None:
        amount = min(self.spans.get(resource, {}).get(unit, 0), self.most(resource))
        held = self.held.setdefault(unit, {})
        if amount:
            held[resource] = amount
        else:
            held.pop(resource, None)

    def _change(self, kind: dict[str, dict[int, int]], resource: str, unit: int, amount: int) -> None:
        before = self.mine(resource, unit)
        units = kind.setdefault(resource, {})
        units[unit] = units.get(unit, 0) + amount
        if not units[unit]:
            del units[unit]
        self.taken[resource] = self.taken.get(resource, 0) + self.mine(resource, unit) - before
