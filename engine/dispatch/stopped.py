"""What unwinds steps that are under way: an abort, a deadline, a monitor."""

from __future__ import annotations

from schemas.documents import Outcome

INTERNAL = "internal: {}: {} (a fault of the engine, please report it)"
"""What a user is told of a bug."""


class Stopped(Exception):
    """Ends everything inside `scope`; every cleanup that is due runs on the way out."""

    def __init__(self, outcome: Outcome, message: str, scope: object = None, *, hard: bool = False) -> None:
        super().__init__(outcome, message, scope)
        self.outcome = outcome
        """Of every node that it ends."""
        self.message = message
        self.scope = scope
        """Where it comes to rest; None: the whole unit."""
        self.hard = hard
        """No cleanup runs any more."""


class Deadline:
    """When an attempt of a group or loop has to be over; stands inside `outer`, the deadline around it."""

    __slots__ = ("at", "node", "outer", "timeout_s")

    def __init__(self, at: float, timeout_s: float, node: str, outer: Deadline | None) -> None:
        self.at = at
        self.timeout_s = timeout_s
        self.node = node
        self.outer = outer

    def extend(self, seconds: float) -> None:
        """Waiting for claims and pauses does not count."""
        deadline: Deadline | None = self
        while deadline is not None:
            deadline.at += seconds
            deadline = deadline.outer

    def first(self) -> Deadline:
        """The deadline that comes first, of this one and those around it."""
        found: Deadline = self
        deadline = self.outer
        while deadline is not None:
            if deadline.at <= found.at:
                found = deadline
            deadline = deadline.outer
        return found

    def stopped(self) -> Stopped:
        """What is raised when it has passed."""
        return Stopped(Outcome.ERROR, f"`{self.node}` did not finish within {self.timeout_s:g} s", self)
