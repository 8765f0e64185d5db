"""What nodes ask for and what units hold: the promise that all decisions about sharing keep.

A `Ticket` stands in line for one node, is granted, is given back. A `Span` is what a unit goes on holding after the node: an
instrument it drives or took by hand, or its part in a value on which units agree. All of a ticket is granted at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from engine.core.errors import InstrumentError

Amounts = Mapping[str, int]
Wants = tuple[tuple[str, int], ...]
"""(instance or resource, amount), each once."""
SpanKind = Literal["drive", "hold", "mode"]


@dataclass(frozen=True, slots=True)
class Need:
    """What a unit that holds something may still need before it holds nothing any more."""

    most: Amounts = field(default_factory=dict)
    """The greatest amount of each resource at once, with what it holds already."""
    modes: frozenset[str] = frozenset()
    """Instruments of which it may want other values."""
    phase: Amounts | None = None
    """The same until it gives up `mode`; None where it may keep all it has to the end."""
    mode: str = ""
    """The instrument whose value it gives up next."""
    after: Amounts = field(default_factory=dict)
    """What it keeps then."""


class NotNow(Exception):
    """Something is not free, and the one who asked does not wait for it."""


class Span:
    """Is asked for with a ticket, open, closed."""

    __slots__ = ("amount", "kind", "node", "open", "resource", "scope", "since", "unit", "value")

    def __init__(
        self, unit: int, resource: str, kind: SpanKind, node: str = "", amount: int = 1, value: Any = None
    ) -> None:
        self.unit = unit
        self.resource = resource
        self.kind = kind
        self.node = node
        """The node that opened it."""
        self.amount = amount
        self.value = value
        """Of a mode: the value agreed on."""
        self.scope: Any = None
        """With what it ends; means nothing here."""
        self.since = 0.0
        self.open = False


def refusal(resource: str, why: str) -> InstrumentError:
    """What is told to who claims something under quarantine."""
    return InstrumentError(
        f"`{resource}` is not used any more in this run: {why}", "make sure of its state by hand before the next run"
    )


Foresight = Callable[[Sequence[Span]], Need]
"""What a unit that holds these may still need."""


class Ticket:
    """Stands in line, has been granted, has been given back."""

    __slots__ = (
        "aged", "blocked_by", "duration_s", "granted", "granted_at", "joins", "need", "node", "number", "opens", "order",
        "patient", "problem", "ready", "released", "since", "unit", "wants",
    )  # fmt: skip

    def __init__(
        self,
        unit: int,
        node: str,
        order: int,
        wants: Wants,
        since: float,
        number: int,
        *,
        joins: tuple[str, ...] = (),
        opens: tuple[Span, ...] = (),
        need: Foresight | None = None,
        duration_s: float | None = None,
    ) -> None:
        self.unit = unit
        self.node = node
        self.order = order
        self.wants = wants
        """What nobody else may act on meanwhile."""
        self.joins = joins
        """What others may act on as well, as long as they want the same of it."""
        self.opens = opens
        """What the unit goes on holding after the node."""
        self.need = need
        """What the unit may then still need."""
        self.duration_s = duration_s
        """How long the node will take, estimated; None: nobody knows."""
        self.since = since
        self.number = number
        """Of all tickets of the run, by time of asking."""
        self.granted = False
        self.granted_at = 0.0
        self.released = False
        self.aged = False
        """Has waited so long that others no longer pass it by."""
        self.ready: Any = None
        """The event that its strand waits for."""
        self.blocked_by: tuple[str, tuple[int, ...]] | None = None
        """What was in the way when it was looked at first: (resource, units)."""
        self.patient = True
        """Waits as long as it takes; otherwise it leaves the line after one look."""
        self.problem: Exception | None = None
        """Why it can no longer be granted."""


class Locks(Protocol):
    """All decisions about who may have what."""

    def ask(self, ticket: Ticket) -> None:
        """Stand in line; raises StepError for what could never be had."""
        ...

    def grant(self, now: float) -> list[Ticket]:
        """Give to those in line what is free: one pass, called once after all events of an instant.

        Those that can no longer be granted are given as well, with their `problem`.
        """
        ...

    def release(self, ticket: Ticket) -> bool:
        """Give back what the node took, or leave the line; asking twice is asking once. True where it changed something."""
        ...

    def finished(self, ticket: Ticket, now: float) -> None:
        """The node of a ticket that was granted is over."""

    def close(self, span: Span) -> bool:
        """Give up what a unit held; asking twice is asking once. True where it changed something."""
        ...

    def busy(self, resource: str, unit: int = -1) -> bool:
        """Whether somebody acts on it, or another unit holds it."""
        ...

    def mode_is_free(self, resource: str, unit: int, value: Any) -> bool:
        """Whether this unit could have this value at once, without being in anybody's way."""
        ...

    def mode_holders(self, resource: str) -> tuple[int, ...]:
        """Units that hold a value of it."""
        ...

    def quarantine(self, resource: str, why: str) -> None:
        """Its state is not known to be safe: whoever claims it from now on gets an error."""
        ...

    def next_look(self, now: float) -> float | None:
        """When those in line have to be looked at again although nothing has happened; None: not before."""
        ...

    def waiting(self) -> Iterable[Ticket]:
        """Those in line."""
        ...

    def describe(self) -> str:
        """Who holds what and who waits for what, for people."""
        ...
