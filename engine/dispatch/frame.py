"""Where in the plan a line of execution stands: the point of every loop around it, the attempt, the deadline.

A node is compiled once and run for every point; what tells the points apart is kept here, so that a million points leave
nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.dispatch.stopped import Deadline
from engine.plan.model import ATTEMPT_SLOT, ELAPSED_SLOT, OUTCOME_SLOT
from engine.verdict.ladder import TallyCounter, worse
from schemas.documents import Outcome

Axes = tuple[tuple[str, float | str], ...]
Want = tuple[str, int]
"""An instance or resource of the station, and how much of it."""


class Environment(dict[str, Any]):
    """The names of one call; what changes by itself (`elapsed`, `outcome`) is worked out only when a formula asks."""

    __slots__ = ("_asked",)

    def __init__(self, values: Any, asked: dict[str, Callable[[], Any]]) -> None:
        super().__init__(values)
        self._asked = asked

    def __missing__(self, slot: str) -> Any:
        asked = self._asked.get(slot)
        if asked is None:
            raise KeyError(slot)
        return asked()

    def inner(self, values: dict[str, Any]) -> Environment:
        """The environment of a sequence that is called from here."""
        return Environment(values, self._asked)


SELF_CHANGING = (ELAPSED_SLOT, OUTCOME_SLOT)
"""Never stored in an environment."""


class Ledger:
    """What an attempt has come to so far; a discarded attempt's is thrown away, a final one's added to `outer`."""

    __slots__ = ("counter", "outcome", "outer")

    def __init__(self, outer: Ledger | None = None) -> None:
        self.outer = outer
        self.counter = TallyCounter()
        self.outcome = Outcome.DONE

    def settle(self) -> None:
        """This attempt was the final one."""
        outer = self.outer
        if outer is not None:
            outer.counter.add(self.counter.tally())
            outer.outcome = worse(outer.outcome, self.outcome)

    def so_far(self) -> Outcome:
        """The worst outcome of all steps that count up to now."""
        ledger: Ledger | None = self
        outcome = Outcome.DONE
        while ledger is not None:
            outcome = worse(outcome, ledger.outcome)
            ledger = ledger.outer
        return outcome


class Frame:
    """Shared by all nodes of one list at one point; never changed once made."""

    __slots__ = ("attempt", "axes", "deadline", "env", "labels", "ledger", "scope", "shift", "suffix", "wants")

    def __init__(
        self,
        env: Environment,
        ledger: Ledger,
        labels: str = "",
        axes: Axes = (),
        shift: int = 0,
        attempt: int = 1,
        deadline: Deadline | None = None,
        wants: tuple[Want, ...] = (),
        scope: Any = None,
    ) -> None:
        self.env = env
        self.ledger = ledger
        self.labels = labels
        """`temperature=-40,iout=0.1`: the axes of all loops around, outermost first."""
        self.suffix = f"[{labels}]" if labels else ""
        self.axes = axes
        self.shift = shift
        """Added to the order of every node."""
        self.attempt = attempt
        """Of the innermost group or loop that is tried again."""
        self.deadline = deadline
        """The innermost one; None in a cleanup, which always gets its time."""
        self.wants = wants
        """What every node inside takes besides its own claims."""
        self.scope = scope
        """The group or call with which what is begun to be held here ends; None in a run of one unit."""

    def point(self, labels: str, axes: Axes, shift: int) -> Frame:
        """The same place at one point of a loop."""
        return Frame(
            self.env,
            self.ledger,
            f"{self.labels},{labels}" if self.labels else labels,
            self.axes + axes,
            self.shift + shift,
            self.attempt,
            self.deadline,
            self.wants,
            self.scope,
        )

    def inside(
        self, attempt: int, ledger: Ledger, deadline: Deadline | None, wants: tuple[Want, ...], scope: Any = None
    ) -> Frame:
        """One attempt of a group or loop."""
        own = scope or self.scope
        return Frame(self.env, ledger, self.labels, self.axes, self.shift, attempt, deadline, wants, own)

    def cleaning(self) -> Frame:
        """The same place without the deadlines around it."""
        if self.deadline is None:
            return self
        return Frame(
            self.env, self.ledger, self.labels, self.axes, self.shift, self.attempt, None, self.wants, self.scope
        )

    def calling(self, env: Environment) -> Frame:
        """The same place with the names of another sequence."""
        return Frame(
            env, self.ledger, self.labels, self.axes, self.shift, self.attempt, self.deadline, self.wants, self.scope
        )


__all__ = ["ATTEMPT_SLOT", "Axes", "Environment", "Frame", "Ledger", "Want"]
