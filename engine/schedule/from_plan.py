"""From a compiled plan, a number of units and estimates to a scheduling problem.

One unit is laid out as tasks, loops point by point, and copied for every unit. What a unit holds across steps becomes spans,
setpoints that units must agree on become modes, a sweep in `order: fastest` becomes a choice. Plans too large for that
are made coarser: a task then stands for the same step at several points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.plan.model import Plan
from engine.schedule.estimate import Estimate
from engine.schedule.layout import Draft, Layout, lay_out
from engine.schedule.problem import FreeSweep, InvalidProblem, Mode, ModeHold, Problem, Resource, Span, Task
from engine.schedule.transitions import Transition, transition_matrix

MOST_TASKS = 20_000
"""Tasks of all units together; a plan with more is made coarser."""
SITE = "site"


def problem_from_plan(
    plan: Plan,
    units: int,
    estimates: Mapping[str, Estimate],
    *,
    transitions: Mapping[str, Transition] | None = None,
    most_tasks: int = MOST_TASKS,
) -> Problem:
    """The problem of running `units` units through the plan.

    `estimates`: by the id of the template node, without axis values. `transitions`: by instrument, how its mode changes;
    by default worked out from its ramp rate and the estimates. Raises InvalidProblem.
    """
    if units < 1:
        raise InvalidProblem("there are no units to plan for")
    layout = lay_out(plan, estimates, max(most_tasks // units, 1), queue=units > max(len(plan.sites), 1))
    return _Assembly(plan, units, layout, estimates, transitions or {}).problem()


@dataclass(frozen=True, slots=True)
class _Key:
    resource: str
    unit: int | None


class _Assembly:
    """Copies one unit's layout for every unit."""

    def __init__(
        self,
        plan: Plan,
        units: int,
        layout: Layout,
        estimates: Mapping[str, Estimate],
        transitions: Mapping[str, Transition],
    ) -> None:
        self.plan = plan
        self.units = units
        self.layout = layout
        self.estimates = estimates
        self.transitions = transitions
        self.resources: list[Resource] = []
        self.numbers: dict[_Key, int] = {}

    def problem(self) -> Problem:
        layout, size = self.layout, len(self.layout.drafts)
        tasks: list[Task] = []
        spans: list[Span] = []
        sweeps: list[FreeSweep] = []
        for unit in range(self.units):
            offset = unit * size
            tasks += [self._task(draft, unit, offset) for draft in layout.drafts]
            for span in layout.spans:
                number = self._resource(span.resource, None)
                spans.append(Span(number, offset + span.first, offset + span.last, span.amount))
            for index, sweep in enumerate(layout.sweeps):
                number = self._resource(f"{sweep.node}#{index}", unit, "sweep")
                spans += [Span(number, offset + one.first, offset + one.last) for one in sweep.points]
                points = tuple((one.index, offset + one.first) for one in sweep.points)
                sweeps.append(FreeSweep(unit, sweep.node, number, points))
            if layout.queue is not None:
                number = self._resource(SITE, None, "site", len(self.plan.sites))
                spans.append(Span(number, offset + layout.queue[0], offset + layout.queue[1]))
        self._barriers(tasks)
        modes, holds = self._modes(size)
        return Problem(tuple(tasks), tuple(self.resources), tuple(spans), modes, holds, tuple(sweeps))

    def _task(self, draft: Draft, unit: int, offset: int) -> Task:
        claims = tuple(
            (self._resource(name, unit if own else None), amount)
            for (name, own), amount in sorted(draft.claims.items())
        )
        return Task(
            f"{unit}:{draft.id}",
            unit,
            draft.node,
            draft.order,
            draft.duration,
            draft.p90,
            tuple(offset + before for before in draft.predecessors),
            claims,
            helper=draft.helper,
        )

    def _resource(self, name: str, unit: int | None, kind: str = "", capacity: int = 0) -> int:
        key = _Key(name, unit)
        found = self.numbers.get(key)
        if found is None:
            found = self.numbers[key] = len(self.resources)
            plain = name in self.plan.resources
            shown = name if unit is None else f"{name}@{unit + 1}"
            amount = capacity or (self.plan.resources[name] if plain else 1)
            if kind == "sweep":
                self.resources.append(Resource(shown, 1, "sweep", unit))
            elif kind == "site":
                self.resources.append(Resource(shown, amount, "site"))
            else:
                self.resources.append(Resource(shown, amount, "resource" if plain else "instrument", unit))
        return found

    def _barriers(self, tasks: list[Task]) -> None:
        """Everybody who has a site at the same time waits for the others."""
        size, sites = len(self.layout.drafts), max(len(self.plan.sites), 1)
        for arrive, leave in self.layout.barriers:
            for unit in range(self.units):
                batch = range(unit // sites * sites, min(self.units, (unit // sites + 1) * sites))
                index = unit * size + leave
                tasks[index] = replace(tasks[index], predecessors=tuple(other * size + arrive for other in batch))

    def _modes(self, size: int) -> tuple[tuple[Mode, ...], tuple[ModeHold, ...]]:
        modes: list[Mode] = []
        holds: list[ModeHold] = []
        for number, (instrument, name) in enumerate(self.layout.modes):
            mine = [hold for hold in self.layout.holds if hold.mode == number]
            initial, values, matrix, unknown = transition_matrix(
                self.plan, instrument, name, mine, self.estimates, self.transitions.get(instrument)
            )
            table = list(values)
            rows = [list(row) for row in matrix]
            places = {value: place for place, value in enumerate(table)}
            for unit in range(self.units):
                for hold in mine:
                    value = hold.value
                    if value is None:  # known only in the run: nobody can count on sharing it
                        value = (unit, hold.first)
                        places[value] = len(table)
                        table.append(value)
                        for row in rows:
                            row.append(unknown)
                        rows.append([unknown] * (len(table) - 1) + [0])
                    holds.append(ModeHold(number, places[value], unit * size + hold.first, unit * size + hold.last))
            modes.append(Mode(f"{instrument}.{name}", tuple(table), tuple(tuple(row) for row in rows), places[initial]))
        return tuple(modes), tuple(holds)
