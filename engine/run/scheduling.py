"""Between the planner and the dispatcher: which order a run follows, and what the dispatcher may ask of it.

The planner knows tasks, the dispatcher nodes. What is kept here is what has started, so that a node that is planned later may
fill a gap only until the first one before it that still has to come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from engine.dispatch.policy import AsPlanned, FirstComeFirstServed, MostWorkLeft, Policy, ScheduleName
from engine.plan.model import Plan
from engine.schedule import Budget, Estimate, InvalidProblem, PlannedOrder, plan_order
from engine.schedule.schedule import orders

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


def planned_order(
    plan: Plan, units: int, estimates: Mapping[str, Estimate], budget: Budget | str = DEFAULT_BUDGET
) -> PlannedOrder:
    """The best order found within the budget. Raises InvalidProblem."""
    return plan_order(plan, units, estimates, budget)


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
