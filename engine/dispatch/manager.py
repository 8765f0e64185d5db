"""Decides who may have what. Pure: it knows neither events nor a clock, only the moments it is told.

1. A node takes all it needs at once or waits, so no node waits while it has a part of what it needs.
2. A unit begins to hold something across nodes only if everybody who holds something can still finish (`banker`).
3. Whoever has waited long enough reserves what it wants: those behind it pass only if they end before it could start anyway.
4. A value that units agree on closes to newcomers when somebody has waited long enough for another one.
5. 3 and 4 never bind a unit that holds something already: those who wait may be waiting for exactly that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.core.errors import InstrumentError, StepError
from engine.dispatch.allocation import Allocation, Context
from engine.dispatch.banker import Holder, is_safe
from engine.dispatch.locks import Amounts, Foresight, Need, NotNow, Span, Ticket, refusal
from engine.dispatch.policy import AGED_AFTER_S, Policy

TRANSITIONS = 2.0
"""A value closes to newcomers no sooner than this many times what a change of it takes."""
NOTHING: Amounts = {}
UNSAFE = "the safety of those who hold something"


class _Reserved:
    """What the tickets looked at so far keep those behind them from, in one pass."""

    __slots__ = ("alone", "amounts", "closed", "limits", "needs")

    def __init__(self) -> None:
        self.amounts: dict[str, int] = {}
        self.alone: set[str] = set()
        """What somebody ahead wants to act on without others."""
        self.limits: list[tuple[frozenset[str], float]] = []
        """(resources, expected start): who ends before that may pass."""
        self.needs: set[str] = set()
        """What nobody new may begin to hold."""
        self.closed: set[str] = set()
        """Values that nobody new may join."""


def asked_for(ticket: Ticket) -> Iterator[str]:
    """All that a ticket asks for."""
    yield from dict(ticket.wants)
    yield from ticket.joins
    yield from (span.resource for span in ticket.opens)


class AllAtOnceLocks:
    """The one manager of a run."""

    def __init__(
        self,
        capacity: Mapping[str, int],
        policy: Policy,
        aged_after_s: float | None = None,
        context: Context | None = None,
    ) -> None:
        """`capacity`: of plain resources; everything else is there once. `aged_after_s`: the policy's own if None."""
        self._allocation = Allocation(capacity, context)
        self._policy = policy
        self._aged_after_s = policy.aged_after_s if aged_after_s is None else aged_after_s
        self._waiting: list[Ticket] = []
        self._needs: dict[int, Need] = {}
        self._foresight: dict[int, Foresight] = {}
        self._quarantined: dict[str, str] = {}
        self._transition_s: dict[str, float] = {}
        """The longest a change of a value has taken in this run."""
        self.transition_s: Mapping[str, float] = {}
        """The same as estimated before it."""
        self._next_look: float | None = None

    # -- asking

    def ask(self, ticket: Ticket) -> None:
        most = self._allocation.most
        for resource, amount in (*ticket.wants, *((span.resource, span.amount) for span in ticket.opens)):
            if amount > most(resource):
                raise StepError(
                    f"`{ticket.node}` needs {amount} of `{resource}`, and there is only {most(resource)}",
                    "raise its `capacity` in the station, or ask for less",
                )
        self._waiting.append(ticket)

    def grant(self, now: float) -> list[Ticket]:
        self._next_look = None
        if not self._waiting:
            return []
        if self._quarantined:
            for ticket in self._waiting:
                ticket.problem = ticket.problem or self._quarantine_of(ticket)
        granted = [ticket for ticket in self._waiting if ticket.problem is not None]
        left = [ticket for ticket in self._waiting if ticket.problem is None]
        if len(left) > 1:
            key = self._policy.key
            left.sort(key=lambda ticket: key(ticket, now))
            if self._policy.aged_first and any(now - ticket.since >= self._aged_after_s for ticket in left):
                # those who aged come first, the oldest before all: so there is always one whom nobody passes by
                left.sort(key=lambda ticket: ticket.since if now - ticket.since >= self._aged_after_s else math.inf)
        self._waiting = []
        reserved = _Reserved()
        for ticket in left:
            obstacle = self._obstacle(ticket, now, reserved)
            if obstacle is None:
                self._take(ticket, now)
                granted.append(ticket)
                continue
            if not ticket.patient:
                ticket.problem = NotNow()
                granted.append(ticket)
                continue
            self._waiting.append(ticket)
            if ticket.blocked_by is None:
                ticket.blocked_by = self._blocked_by(ticket, obstacle)
            if now - ticket.since >= self._aged_after_s:
                ticket.aged = True
                self._reserve(ticket, now, reserved)
            else:
                self._look_again(ticket.since + self._aged_after_s)
            self._maybe_close(ticket, now, reserved)
        return granted

    def _obstacle(self, ticket: Ticket, now: float, reserved: _Reserved) -> str | None:
        """What keeps it waiting: something that is not free, not safe, or reserved; None: nothing."""
        allocation = self._allocation
        free_to_pass = allocation.holds_something(ticket.unit)
        bound = not free_to_pass and bool(reserved.limits or reserved.closed)
        amounts: Amounts = NOTHING
        if bound:
            for span in ticket.opens:
                if span.resource in (reserved.closed if span.kind == "mode" else reserved.needs):
                    return span.resource
            if reserved.limits and not self._ends_before(ticket, now, reserved):
                amounts = reserved.amounts
                for resource in ticket.joins:
                    if resource in reserved.alone:
                        return resource
        obstacle = allocation.in_the_way(ticket, amounts)
        if obstacle is not None:
            return obstacle
        if not free_to_pass and (until := self._policy.hold_until(ticket, now)) > now:
            self._look_again(until)
            return next(asked_for(ticket), ticket.node)
        if ticket.opens and not self._stays_safe(ticket):
            return UNSAFE
        return None

    def _blocked_by(self, ticket: Ticket, obstacle: str) -> tuple[str, tuple[int, ...]]:
        if obstacle is not UNSAFE:
            return obstacle, self._allocation.units_on(obstacle, ticket.unit)
        others = (unit for unit, spans in self._allocation.open.items() if spans and unit != ticket.unit)
        return ticket.opens[0].resource, tuple(sorted(others))

    def _ends_before(self, ticket: Ticket, now: float, reserved: _Reserved) -> bool:
        """Whether it is over before any of those ahead, from whom it would take something, could start."""
        mine = {*ticket.joins, *(resource for resource, _ in ticket.wants)}
        starts = [start for resources, start in reserved.limits if not resources.isdisjoint(mine)]
        if not starts or ticket.opens:
            return not starts
        first = min(starts)
        return first == math.inf or (ticket.duration_s is not None and now + ticket.duration_s <= first)

    def _reserve(self, ticket: Ticket, now: float, reserved: _Reserved) -> None:
        resources: dict[str, int] = dict(ticket.wants)
        reserved.alone.update(resources)
        resources.update(dict.fromkeys(ticket.joins, 1))
        for span in ticket.opens:
            if span.kind != "mode":
                resources[span.resource] = max(resources.get(span.resource, 0), span.amount)
        for resource, amount in resources.items():
            # what the unit has of it already is not taken from the others a second time
            more = amount - self._allocation.mine(resource, ticket.unit)
            if more > 0:
                reserved.amounts[resource] = reserved.amounts.get(resource, 0) + more
        reserved.limits.append((frozenset(resources), self._expected(ticket, resources, now)))
        if ticket.opens and ticket.need is not None:
            need = self._need(ticket)
            reserved.needs.update(need.most)
            for mode in need.modes:
                if now - ticket.since >= self.wait_limit_s(mode):
                    reserved.closed.add(mode)

    def _expected(self, ticket: Ticket, resources: Iterable[str], now: float) -> float:
        """When a ticket could start at the earliest; infinite where it waits for what is held across nodes."""
        allocation = self._allocation
        start, waits = now, False
        for resource in resources:
            if any(unit != ticket.unit for unit in allocation.spans.get(resource, ())):
                return math.inf
            for actor in (*allocation.actors.get(resource, ()), *allocation.joint.get(resource, ())):
                waits = True
                if actor.duration_s is not None:
                    start = max(start, actor.granted_at + actor.duration_s)
        return start if waits else math.inf

    def _maybe_close(self, ticket: Ticket, now: float, reserved: _Reserved) -> None:
        """A value that somebody has waited long enough to change is joined by nobody new."""
        for span in ticket.opens:
            mode = self._allocation.modes.get(span.resource)
            if span.kind != "mode" or mode is None or mode.value == span.value:
                continue
            limit = ticket.since + self.wait_limit_s(span.resource)
            if now >= limit:
                reserved.closed.add(span.resource)
            else:
                self._look_again(limit)

    def wait_limit_s(self, resource: str) -> float:
        """How long somebody waits for another value before the present one closes to newcomers."""
        changes = max(self._transition_s.get(resource, 0.0), self.transition_s.get(resource, 0.0))
        return max(self._aged_after_s or AGED_AFTER_S, TRANSITIONS * changes)

    def _look_again(self, at: float) -> None:
        if at < math.inf and (self._next_look is None or at < self._next_look):
            self._next_look = at

    def next_look(self, now: float) -> float | None:
        return self._next_look if self._next_look is not None and self._next_look > now else None

    def _stays_safe(self, ticket: Ticket) -> bool:
        """Whether everybody can still finish once this unit holds what it asks for."""
        allocation = self._allocation
        unit = ticket.unit
        others = [other for other, spans in allocation.open.items() if spans and other != unit]
        if not others or ticket.need is None:
            return True
        held = dict(allocation.held.get(unit, NOTHING))
        modes = set(allocation.agreed.get(unit, ()))
        for span in ticket.opens:
            if span.kind == "mode":
                modes.add(span.resource)
            else:
                total = allocation.spans.get(span.resource, {}).get(unit, 0) + span.amount
                held[span.resource] = min(total, allocation.most(span.resource))
        holders: list[Holder] = [(held, frozenset(modes), self._need(ticket))]
        for other in others:
            agreed = frozenset(allocation.agreed.get(other, ()))
            holders.append((allocation.held.get(other, NOTHING), agreed, self._needs[other]))
        return is_safe(allocation.capacity, holders)

    def _need(self, ticket: Ticket) -> Need:
        """What its unit may still need once it is granted."""
        if ticket.need is None:
            return Need()
        return ticket.need((*self._allocation.open.get(ticket.unit, ()), *ticket.opens))

    def _take(self, ticket: Ticket, now: float) -> None:
        ticket.granted, ticket.granted_at = True, now
        if ticket.opens:
            self._needs[ticket.unit] = self._need(ticket)
            if ticket.need is not None:
                self._foresight[ticket.unit] = ticket.need
        self._allocation.take(ticket, now)
        self._policy.started(ticket, now)

    # -- giving back

    def release(self, ticket: Ticket) -> bool:
        if ticket.released:
            return False
        ticket.released = True
        if ticket.problem is not None:
            return False
        if not ticket.granted:
            self._waiting.remove(ticket)
            return True
        self._allocation.give_back(ticket)
        return True

    def finished(self, ticket: Ticket, now: float) -> None:
        """Its node is over: what it took is remembered as a measure of how long a change of a value takes."""
        for span in ticket.opens:
            if span.kind == "mode":
                took = now - ticket.granted_at
                self._transition_s[span.resource] = max(self._transition_s.get(span.resource, 0.0), took)
        self._policy.finished(ticket, now)

    def close(self, span: Span) -> bool:
        if not span.open:
            return False
        self._allocation.close(span)
        left = self._allocation.open.get(span.unit)
        if not left:
            self._needs.pop(span.unit, None)
        elif (foresight := self._foresight.get(span.unit)) is not None:
            self._needs[span.unit] = foresight(left)
        return True

    # -- looking

    def busy(self, resource: str, unit: int = -1) -> bool:
        allocation = self._allocation
        if allocation.acting.get(resource):
            return True
        return unit >= 0 and any(other != unit for other in allocation.spans.get(resource, ()))

    def mode_is_free(self, resource: str, unit: int, value: Any) -> bool:
        allocation = self._allocation
        mode = allocation.modes.get(resource)
        if mode is not None and any(holder != unit for holder in mode.holders):
            return False
        if allocation.acting.get(resource) or allocation.joint.get(resource):
            return False
        if any(other != unit for other in allocation.spans.get(resource, ())):
            return False
        return not any(
            ticket.unit != unit and resource in (*ticket.joins, *(span.resource for span in ticket.opens))
            for ticket in self._waiting
        )

    def mode_holders(self, resource: str) -> tuple[int, ...]:
        mode = self._allocation.modes.get(resource)
        return tuple(mode.holders) if mode is not None else ()

    def waiting(self) -> Iterable[Ticket]:
        return tuple(self._waiting)

    # -- trouble

    def quarantine(self, resource: str, why: str) -> None:
        self._quarantined[resource] = why

    def _quarantine_of(self, ticket: Ticket) -> InstrumentError | None:
        for resource in asked_for(ticket):
            why = self._quarantined.get(resource)
            if why is not None:
                return refusal(resource, why)
        return None

    def describe(self) -> str:
        allocation = self._allocation
        lines = []
        for resource, actors in sorted(allocation.actors.items()):
            lines += [f"{resource}: unit {one.unit} acts in `{one.node}`" for one in actors]
        for resource, joint in sorted(allocation.joint.items()):
            lines += [f"{resource}: unit {one.unit} acts with others in `{one.node}`" for one in joint]
        for unit, spans in sorted(allocation.open.items()):
            for span in spans:
                value = f" at {span.value}" if span.kind == "mode" else ""
                lines.append(f"{span.resource}: unit {unit} holds it ({span.kind}{value}) since `{span.node}`")
        for ticket in self._waiting:
            wants = [resource for resource, _ in ticket.wants] + list(ticket.joins)
            wants += [f"{span.resource} to hold" for span in ticket.opens]
            blocked = ticket.blocked_by[0] if ticket.blocked_by else "nothing"
            lines.append(f"unit {ticket.unit} waits in `{ticket.node}` for {', '.join(wants)}; in its way: {blocked}")
        return "\n".join(lines)
