"""What can be known of a node before it runs, worked out once: what it takes, how long it may take, what runs it.

Kept for each unit, because a unit's site decides which instance of an instrument is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from engine.dispatch.actions import ACTIONS, Act
from engine.dispatch.flow import call, choose, group, parallel
from engine.dispatch.frame import Want
from engine.dispatch.loops import repeat, sweep
from engine.plan.model import (
    CallAction,
    Claim,
    GroupAction,
    IfAction,
    Node,
    ParallelAction,
    RepeatAction,
    Steps,
    SweepAction,
)

if TYPE_CHECKING:
    from engine.dispatch.node import Ended
    from engine.dispatch.unit import UnitRun

Hold = Callable[..., "Generator[Any, Any, Ended]"]

COMPOSITES: dict[type, Hold] = {
    GroupAction: group,
    CallAction: call,
    IfAction: choose,
    ParallelAction: parallel,
    SweepAction: sweep,
    RepeatAction: repeat,
}


class Prepared:
    """One node as one unit runs it."""

    __slots__ = ("act", "hold", "node", "plain", "series", "tries", "wants")

    def __init__(self, node: Node, wants: tuple[Want, ...]) -> None:
        self.node = node
        self.act: Act | None = ACTIONS.get(type(node.action))
        """What a leaf does; None for nodes that hold others."""
        self.hold: Hold | None = COMPOSITES.get(type(node.action))
        self.tries = 1 if node.retry is None else node.retry.times + 1
        self.plain = node.when is None and node.skip is None and not node.once
        """Nothing but `after` decides whether it runs."""
        self.wants = wants
        self.series: Any = None
        """Of a loop: its series, worked out when it is first run."""


class Preparer:
    """The prepared nodes of one unit."""

    def __init__(self, unit: UnitRun) -> None:
        self._unit = unit
        self._lists: dict[int, tuple[Prepared, ...]] = {}

    def steps(self, steps: Steps) -> tuple[Prepared, ...]:
        """The nodes of one list, in order; the plan lives as long as the run, so its identity is a key."""
        found = self._lists.get(id(steps))
        if found is None:
            found = tuple(Prepared(node, self.wants(node.claims)) for node in steps.nodes)
            self._lists[id(steps)] = found
        return found

    def wants(self, claims: tuple[Claim, ...]) -> tuple[Want, ...]:
        """The instances that claims mean here, each once."""
        if not claims:
            return ()
        if len(claims) == 1:
            return ((self._unit.resource(claims[0]), claims[0].amount),)
        amounts: dict[str, int] = {}
        for claim in claims:
            resource = self._unit.resource(claim)
            amounts[resource] = max(amounts.get(resource, 0), claim.amount)
        return tuple(sorted(amounts.items()))
