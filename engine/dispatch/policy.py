"""In what order those who wait are looked at; every order is total, so that a run repeats exactly."""

from __future__ import annotations

from typing import Any, Protocol

from engine.dispatch.locks import Ticket


class Policy(Protocol):
    """Ranks the waiting; the smallest key is looked at first."""

    def key(self, ticket: Ticket, now: float) -> Any:
        """Must differ for different tickets."""
        ...


class FirstComeFirstServed:
    """Who asked first; ties by plan position, unit and node."""

    def key(self, ticket: Ticket, now: float) -> Any:
        return (ticket.since, ticket.order, ticket.unit, ticket.node, ticket.number)
