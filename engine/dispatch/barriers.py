"""Meeting points: a unit goes on when every unit that takes part is there, or has left the place behind.

A place is a number, the barrier's position in the fully expanded plan, so every point of a loop is a meeting of its own.
Units that are over do not count; units still queued for a site are not waited for.
"""

from __future__ import annotations

from typing import Any

from engine.core.clock import Clock
from engine.plan.model import BarrierAction, Plan, SweepAction
from engine.plan.walk import all_nodes, lists_of


class _Way:
    """How far one unit has come."""

    __slots__ = ("furthest", "over", "places")

    def __init__(self) -> None:
        self.places: set[int] = set()
        self.over: list[tuple[int, int]] = []
        """Stretches of the plan that it does not come to any more."""
        self.furthest = -1


class Barriers:
    """All meeting points of a run."""

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self._clock = clock
        self._ways: dict[int, _Way] = {}
        self._waiting: dict[int, list[Any]] = {}
        self._in_order = True
        """Whoever is at a later place has left the earlier ones behind; not so where points are visited in another order."""
        self.inside: set[str] = set()
        """Ids of barriers and of all nodes around one."""
        for _, node in all_nodes(plan):
            self._look_into(node)

    def _look_into(self, node: Any) -> bool:
        found = isinstance(node.action, BarrierAction)
        for steps in lists_of(node):
            for inner in steps.nodes:
                found = self._look_into(inner) or found
        if found:
            self.inside.add(node.id)
            if isinstance(node.action, SweepAction) and not node.action.points.sorted:
                self._in_order = False
        return found

    def enter(self, unit: int) -> None:
        """A unit takes part from now on."""
        self._ways[unit] = _Way()

    def leave(self, unit: int) -> None:
        """It is over."""
        self._ways.pop(unit, None)
        self._check()

    def arrive(self, unit: int, place: int) -> Any:
        """An event that happens when all are here; None where they are."""
        way = self._ways[unit]
        way.places.add(place)
        way.furthest = max(way.furthest, place)
        event = self._clock.event()
        self._waiting.setdefault(place, []).append(event)
        self._check()
        return None if event.triggered else event

    def forget(self, place: int, event: Any) -> None:
        """Somebody waits no longer; it has been here all the same."""
        events = self._waiting.get(place)
        if events and event in events:
            events.remove(event)

    def passed(self, unit: int, first: int, size: int) -> None:
        """A unit does not come to this stretch of the plan any more."""
        way = self._ways.get(unit)
        if way is not None:
            way.over.append((first, first + max(size, 1)))
            self._check()

    def missing(self, place: int) -> list[int]:
        """Units that are waited for there."""
        return [unit for unit, way in self._ways.items() if not self._has_passed(way, place)]

    def _has_passed(self, way: _Way, place: int) -> bool:
        if place in way.places or (self._in_order and way.furthest > place):
            return True
        return any(first <= place < end for first, end in way.over)

    def _check(self) -> None:
        for place in tuple(self._waiting):
            if not self.missing(place):
                for event in self._waiting.pop(place):
                    if not event.triggered:
                        event.succeed()
