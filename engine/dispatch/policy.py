"""In what order those who wait are looked at; every order is total, so that a run repeats exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from engine.dispatch.locks import Ticket

AGED_AFTER_S = 60.0
"""After how many seconds of waiting a ticket reserves what it wants."""
ScheduleName = Literal["fifo", "rules", "plan"]


class Policy(Protocol):
    """Ranks the waiting; the smallest key is looked at first."""

    aged_after_s: float
    """After how long a ticket reserves what it wants; 0: at once, and others fill the gaps before it."""
    aged_first: bool
    """Those who have waited that long come before all others, the oldest first."""

    def key(self, ticket: Ticket, now: float) -> Any:
        """Must differ for different tickets."""
        ...

    def hold_until(self, ticket: Ticket, now: float) -> float:
        """The time until which it is left waiting for the sake of a node that is not in line yet; `now`: it may go.

        Asked only of units that hold nothing. When nobody acts any more, nobody is held back.
        """
        ...

    def started(self, ticket: Ticket, now: float) -> None:
        """It has been granted."""

    def finished(self, ticket: Ticket, now: float) -> None:
        """Its node is over."""

    def left(self, unit: int, now: float) -> None:
        """A unit is over: nothing of what was planned for it comes any more."""


class FirstComeFirstServed:
    """Who asked first; ties by plan position, unit and node."""

    aged_after_s = AGED_AFTER_S
    aged_first = True

    def key(self, ticket: Ticket, now: float) -> Any:
        return (ticket.since, ticket.order, ticket.unit, ticket.node, ticket.number)

    def hold_until(self, ticket: Ticket, now: float) -> float:
        return now

    def started(self, ticket: Ticket, now: float) -> None:
        pass

    def finished(self, ticket: Ticket, now: float) -> None:
        pass

    def left(self, unit: int, now: float) -> None:
        pass


class MostWorkLeft(FirstComeFirstServed):
    """The unit with most work still ahead of it; without estimates the one that is furthest behind in the plan."""

    def __init__(self, left_s: Callable[[int, str, int], float | None] | None = None) -> None:
        """`left_s`: (unit, full node id, order) → seconds of work from this node to the end of the unit."""
        self._left_s = left_s

    def key(self, ticket: Ticket, now: float) -> Any:
        left = self._left_s(ticket.unit, ticket.node, ticket.order) if self._left_s is not None else None
        return (-(left or 0.0), ticket.order, ticket.since, ticket.unit, ticket.node, ticket.number)


class PlannedOrder(Protocol):
    """What a planner knows of the run."""

    def priority(self, unit: int, node: str, order: int) -> float:
        """The node's place in the plan: the smallest first."""
        ...

    def expected(self, unit: int, node: str, order: int, now: float) -> float:
        """The earliest expected start of a node that is planned before this one on something it needs and has not started.

        Infinite where there is none; no later than `now` for one that is overdue.
        """
        ...

    def started(self, unit: int, node: str, now: float) -> None: ...

    def finished(self, unit: int, node: str, now: float) -> None: ...

    def left(self, unit: int, now: float) -> None: ...


class AsPlanned:
    """The order of a plan, with gaps filled: a node planned later goes first only if it ends before the earlier one starts.

    The earlier one may be in line, in which case it has a reservation at once, or still to come.
    """

    aged_after_s = 0.0
    aged_first = False

    def __init__(self, plan: PlannedOrder) -> None:
        self._plan = plan

    def key(self, ticket: Ticket, now: float) -> Any:
        place = self._plan.priority(ticket.unit, ticket.node, ticket.order)
        return (place, ticket.order, ticket.unit, ticket.node, ticket.number)

    def hold_until(self, ticket: Ticket, now: float) -> float:
        expected = self._plan.expected(ticket.unit, ticket.node, ticket.order, now)
        if expected <= now or (ticket.duration_s is not None and now + ticket.duration_s <= expected):
            return now
        return expected if expected != float("inf") else now

    def started(self, ticket: Ticket, now: float) -> None:
        self._plan.started(ticket.unit, ticket.node, now)

    def finished(self, ticket: Ticket, now: float) -> None:
        self._plan.finished(ticket.unit, ticket.node, now)

    def left(self, unit: int, now: float) -> None:
        self._plan.left(unit, now)
