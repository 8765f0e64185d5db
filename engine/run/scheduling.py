"""Between the planner and the dispatcher: which order a run follows, and what the dispatcher may ask of it.

The planner knows tasks, the dispatcher nodes. What is kept here is what has started, so that a node that is planned later may
fill a gap only until the first one before it that still has to come.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.core.errors import UsageError
from engine.dispatch.policy import AsPlanned, FirstComeFirstServed, MostWorkLeft, Policy, ScheduleName
from engine.plan.model import Plan
from engine.run.estimates import estimates
from engine.schedule import Budget, Estimate, InvalidProblem, PlannedOrder, plan_order
from engine.schedule.schedule import orders
from schemas.documents import Scheduled

if TYPE_CHECKING:
    from engine.run.runner import Prepared
    from engine.store import JournalReader

DEFAULT_BUDGET = "iters:300"
"""What planning a run is worth where nobody says: reproducible, and a moment on any machine."""


class Guide:
    """Answers the dispatcher from a planned order, and notes what has come to pass."""

    def __init__(self, planned: PlannedOrder) -> None:
        self.planned = planned
        problem, schedule = planned.problem, planned.schedule
        self._queues = orders(problem, schedule)
        """For each resource its tasks by planned start."""
        self._heads = [0] * len(self._queues)
        self._place: dict[tuple[int, int], int] = {}
        for resource, queue in enumerate(self._queues):
            for position, task in enumerate(queue):
                self._place[resource, task] = position
        self._begun: set[int] = set()
        self._orders: dict[tuple[int, str], int] = {}

    def priority(self, unit: int, node: str, order: int) -> float:
        """Planned start, seconds."""
        self._orders[unit, node] = order
        start = self.planned.expected_start(unit, node, order)
        return math.inf if start is None else start

    def expected(self, unit: int, node: str, order: int, now: float) -> float:
        """The earliest planned start of a task before this one, on something it needs, that has not begun."""
        task = self.planned.task_of(unit, order)
        if task is None:
            return math.inf
        problem = self.planned.problem
        soonest = math.inf
        for resource, _ in problem.tasks[task].claims:
            queue = self._queues[resource]
            head = self._heads[resource]
            while head < len(queue) and queue[head] in self._begun:
                head += 1
            self._heads[resource] = head
            if head < self._place[resource, task]:
                soonest = min(soonest, problem.seconds(self.planned.schedule.starts[queue[head]]))
        return soonest

    def started(self, unit: int, node: str, now: float) -> None:
        order = self._orders.get((unit, node))
        task = None if order is None else self.planned.task_of(unit, order)
        if task is not None:
            self._begun.add(task)

    def finished(self, unit: int, node: str, now: float) -> None:
        self._orders.pop((unit, node), None)

    def left(self, unit: int, now: float) -> None:
        """Nothing of this unit comes any more."""
        self._begun.update(index for index, task in enumerate(self.planned.problem.tasks) if task.unit == unit)


MOST_BARS = 5_000


def ordering(prepared: Prepared, journal: JournalReader | None = None) -> Ordering:
    """How the units of a run are to be ordered. Raises InvalidProblem for units that cannot share this bench.

    On the virtual clock history is not looked at, so that the same files and seed give the same order.
    """
    wish = prepared.request.schedule
    count = len(prepared.units)
    if count < 2 or wish == "fifo":
        return Ordering("fifo")
    known = estimates(prepared, journal if prepared.plan.clock == "wall" else None)
    if wish == "rules":
        return Ordering("rules", None, known)
    return Ordering("plan", planned_order(prepared.plan, count, known, prepared.request.optimize), known)


@dataclass(frozen=True, slots=True)
class Ordering:
    """What the dispatcher is told of the order of units."""

    policy: ScheduleName
    planned: PlannedOrder | None = None
    estimates: Mapping[str, Estimate] = field(default_factory=dict)

    def rank(self) -> Policy:
        """A fresh policy: it notes what has happened, so it serves one run."""
        return policy_for(self.policy, self.planned)

    def duration(self, unit: int, node: str, order: int) -> float | None:
        """How long a node is expected to take, seconds; None where nobody knows."""
        found = self.estimates.get(node.partition("[")[0])
        return None if found is None else found.mean_s

    def document(self, t: float) -> Scheduled:
        """For the journal."""
        if self.planned is None:
            return Scheduled(t, self.policy)
        bars = list(planned_bars(self.planned))
        return Scheduled(t, self.policy, self.planned.makespan_s, self.planned.lower_bound_s, bars[:MOST_BARS])


def planned_bars(planned: PlannedOrder) -> Iterator[tuple[str, int, float, float]]:
    """(resource, unit, start, end) of every task on every resource it takes, by resource and start."""
    problem, schedule = planned.problem, planned.schedule
    for resource, queue in zip(problem.resources, orders(problem, schedule), strict=True):
        if resource.kind == "sweep":
            continue
        for task in queue:
            start, end = problem.seconds(schedule.starts[task]), problem.seconds(schedule.ends[task])
            yield resource.name, problem.tasks[task].unit, start, end


def planned_order(
    plan: Plan, units: int, known: Mapping[str, Estimate], budget: Budget | str = DEFAULT_BUDGET
) -> PlannedOrder:
    """The best order found within the budget. Raises InvalidProblem, UsageError for a budget that is none."""
    try:
        asked = Budget.parse(budget) if isinstance(budget, str) else budget
    except ValueError as error:
        raise UsageError(str(error), "write `--optimize 5s` or `--optimize iters:2000`") from None
    return plan_order(plan, units, known, asked)


def policy_for(schedule: ScheduleName, planned: PlannedOrder | None) -> Policy:
    """The rule by which the dispatcher ranks those who wait."""
    match schedule:
        case "fifo":
            return FirstComeFirstServed()
        case "plan" if planned is not None:
            return AsPlanned(Guide(planned))
        case _:
            return MostWorkLeft()


__all__ = ["DEFAULT_BUDGET", "Guide", "InvalidProblem", "planned_order", "policy_for"]
