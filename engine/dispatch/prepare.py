"""What can be known of a node before it runs, worked out once: what it takes, how long it may take, what runs it.

Kept for each unit, because a unit's site decides which instance of an instrument is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from engine.dispatch.actions import ACTIONS, Act
from engine.dispatch.flow import call, choose, group, parallel
from engine.dispatch.frame import Want
from engine.dispatch.loops import repeat, sweep
from engine.plan import model
from engine.plan.model import (
    CallAction,
    Claim,
    CommandAction,
    Formula,
    GroupAction,
    IfAction,
    MeasureAction,
    Node,
    ParallelAction,
    QueryAction,
    RepeatAction,
    SetAction,
    Steps,
    SweepAction,
)

if TYPE_CHECKING:
    from engine.dispatch.node import Ended
    from engine.dispatch.unit import UnitRun

Hold = Callable[..., "Generator[Any, Any, Ended]"]
UnitHold = model.Hold

COMPOSITES: dict[type, Hold] = {
    GroupAction: group,
    CallAction: call,
    IfAction: choose,
    ParallelAction: parallel,
    SweepAction: sweep,
    RepeatAction: repeat,
}


def is_joint(node: Node, instrument: str) -> bool:
    """Whether a node only reads an instrument, or sets the value that units agree on, so that others may do so as well."""
    action = node.action
    if isinstance(action, CommandAction | QueryAction):
        return False
    reads = any(
        live.target.instrument == instrument
        for field in fields(action)
        if isinstance(formula := getattr(action, field.name), Formula)
        for live in formula.live
    )
    writes: list[Any] = list(getattr(action, "routes", ()))
    if isinstance(action, SetAction):
        writes += action.writes
    if isinstance(action, MeasureAction):
        reads = reads or action.target.instrument == instrument
    agreed = {hold.property for hold in node.holds if hold.kind == "mode" and hold.resource == instrument}
    mine = [write.target.property for write in writes if write.target.instrument == instrument]
    return all(prop in agreed for prop in mine) and (reads or bool(mine))


class Prepared:
    """One node as one unit runs it."""

    __slots__ = ("act", "common", "hold", "holds", "joins", "meets", "node", "plain", "series", "tries", "wants")

    def __init__(self, node: Node, wants: tuple[Want, ...]) -> None:
        self.node = node
        self.act: Act | None = ACTIONS.get(type(node.action))
        """What a leaf does; None for nodes that hold others."""
        self.hold: Hold | None = COMPOSITES.get(type(node.action))
        self.tries = 1 if node.retry is None else node.retry.times + 1
        self.plain = node.when is None and node.skip is None and not node.once
        """Nothing but `after` decides whether it runs."""
        self.wants = wants
        self.common: tuple[Want, ...] = wants
        """Of `wants` what other units may want too."""
        self.joins: tuple[str, ...] = ()
        """Of `wants` what it may act on together with units that want the same of it."""
        self.holds: tuple[UnitHold, ...] = ()
        """What the unit goes on holding, and others may want."""
        self.meets = False
        """It is a barrier, or there is one inside."""
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
            found = tuple(self._prepared(node) for node in steps.nodes)
            self._lists[id(steps)] = found
        return found

    def _prepared(self, node: Node) -> Prepared:
        unit = self._unit
        prepared = Prepared(node, self.wants(node.claims))
        if unit.holdings is not None:
            own = unit.own
            prepared.common = tuple(want for want in prepared.wants if want[0] not in own)
            prepared.holds = tuple(hold for hold in node.holds if not hold.per_site)
            joins = (name for name, _ in prepared.common if name in unit.holdings.modes and is_joint(node, name))
            prepared.joins = tuple(joins)
        if unit.shared.barriers is not None:
            prepared.meets = node.id in unit.shared.barriers.inside
        return prepared

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
