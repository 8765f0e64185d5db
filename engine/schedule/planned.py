"""A plan for a run, as the dispatcher asks for it: who goes first, and when a node is expected to start."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.plan.model import Plan
from engine.schedule.bounds import Bounds, lower_bounds, with_more
from engine.schedule.estimate import Budget, Estimate
from engine.schedule.from_plan import problem_from_plan
from engine.schedule.improve import Engine, improve
from engine.schedule.problem import Problem
from engine.schedule.rules import candidates
from engine.schedule.schedule import Schedule
from engine.schedule.transitions import Transition

Priority = tuple[float, int, int]
"""(expected start in seconds, position in the plan, unit); the smallest goes first."""


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """A schedule of a problem, looked up by unit and node."""

    problem: Problem
    schedule: Schedule
    bounds: Bounds
    iterations: int = 0
    engine: str = ""
    """What searched: `compiled`, `python`, or empty where rules were enough."""
    rule: str = ""
    """The rule that gave the first plan."""
    _orders: Mapping[int, tuple[list[int], list[int]]] = field(init=False, repr=False, compare=False)
    """Unit → (positions in the plan, ascending; task of each)."""

    def __post_init__(self) -> None:
        by_unit: dict[int, list[tuple[int, int]]] = {}
        for index, task in enumerate(self.problem.tasks):
            by_unit.setdefault(task.unit, []).append((task.order, index))
        found = {
            unit: ([order for order, _ in sorted(pairs)], [index for _, index in sorted(pairs)])
            for unit, pairs in by_unit.items()
        }
        object.__setattr__(self, "_orders", found)

    def task_of(self, unit: int, order: int) -> int | None:
        """The task of a position; for one that has none of its own, the one before it."""
        found = self._orders.get(unit)
        if found is None:
            return None
        orders, tasks = found
        place = bisect_right(orders, order) - 1
        return tasks[max(place, 0)]

    def priority(self, unit: int, node: str, order: int) -> Priority:
        """Who goes first; `order` is the node's position in the fully expanded plan. Units without a plan go last."""
        index = self.task_of(unit, order)
        if index is None:
            return (float("inf"), order, unit)
        return (self.problem.seconds(self.schedule.starts[index]), order, unit)

    def expected_start(self, unit: int, node: str, order: int) -> float | None:
        """Seconds from the beginning of the run; None for a unit that is not planned."""
        index = self.task_of(unit, order)
        return None if index is None else self.problem.seconds(self.schedule.starts[index])

    def expected_end(self, unit: int, node: str, order: int) -> float | None:
        """Seconds from the beginning of the run; None for a unit that is not planned."""
        index = self.task_of(unit, order)
        return None if index is None else self.problem.seconds(self.schedule.ends[index])

    def sweep_order(self, unit: int, node: str) -> tuple[int, ...] | None:
        """For a sweep in `order: fastest`: written indices of the points that begin each stretch with one setpoint, in order.

        The points of a stretch follow its first in the sweep's own order of visit. None: as that order says.
        """
        for sweep in self.problem.sweeps:
            if sweep.unit == unit and sweep.node == node:
                ordered = sorted(sweep.points, key=lambda point: (self.schedule.starts[point[1]], point[1]))
                return tuple(index for index, _ in ordered)
        return None

    @property
    def makespan_s(self) -> float:
        return self.problem.seconds(self.schedule.makespan)

    @property
    def lower_bound_s(self) -> float:
        return self.problem.seconds(min(self.bounds.best, self.schedule.makespan))

    @property
    def gap(self) -> float:
        """How much longer than the lower bound at most: 0.02 is two percent."""
        bound = self.lower_bound_s
        return self.makespan_s / bound - 1.0 if bound else 0.0


def plan_problem(problem: Problem, budget: Budget | str, *, engine: Engine = "auto", seed: int = 1) -> PlannedOrder:
    """The best order of a problem that is found within the budget (`5s`, `iters:2000`); `iters:0` is the rules alone."""
    asked = Budget.parse(budget) if isinstance(budget, str) else budget
    started = time.perf_counter()
    bounds = lower_bounds(problem)
    half = started + (asked.seconds or 0.0) / 2
    first = candidates(problem, lambda: asked.seconds is not None and time.perf_counter() > half)
    if asked.seconds is not None:
        asked = Budget(seconds=max(0.0, asked.seconds - (time.perf_counter() - started)))
    starts = [one.schedule for one in first]
    found = improve(problem, asked, starts=starts, bound=bounds.best, engine=engine, seed=seed)
    return PlannedOrder(problem, found.schedule, bounds, found.iterations, found.engine, first[0].rule)


def plan_order(
    plan: Plan,
    units: int,
    estimates: Mapping[str, Estimate],
    budget: Budget | str,
    *,
    transitions: Mapping[str, Transition] | None = None,
    engine: Engine = "auto",
    seed: int = 1,
) -> PlannedOrder:
    """The order in which `units` units go through a plan. Raises InvalidProblem."""
    problem = problem_from_plan(plan, units, estimates, transitions=transitions)
    return plan_problem(problem, budget, engine=engine, seed=seed)


def what_if(planned: PlannedOrder, resource: str, more: int = 1, budget: Budget | str = "iters:200") -> float:
    """Seconds that more of a resource, or one more of what has a mode, would save: found by planning again with it."""
    changed = plan_problem(with_more(planned.problem, resource, more), budget)
    return max(0.0, planned.makespan_s - changed.makespan_s)
