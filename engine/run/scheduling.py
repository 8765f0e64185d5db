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
from engine.schedule.replan import OVERDUE, Happened, replan
from engine.schedule.schedule import orders
from schemas.documents import Scheduled

if TYPE_CHECKING:
    from engine.run.runner import Prepared
    from engine.store import JournalReader

DEFAULT_BUDGET = "iters:300"
"""What planning a run is worth where nobody says: reproducible, and a moment on any machine."""
GRACE_S = 1e-6
"""What is planned for this instant may be asked for a rounding error later."""
DRIFT = 0.005
"""Share of the whole plan by which a node may end early or late before the rest is planned again."""
REPLAN_ITERATIONS = 40
"""On the virtual clock a new plan is bounded by iterations, so that the same seed gives the same order."""
Node = tuple[int, int]
"""(unit, position in the fully expanded plan)"""


class Guide:
    """Answers the dispatcher from a planned order, notes what has come to pass, and plans again when that has drifted."""

    def __init__(self, planned: PlannedOrder, replan: Budget | None = None) -> None:
        """`replan`: what a new plan is worth while the run is under way; None: the first one stands."""
        self.replans = 0
        self.replan_failed = False
        self._budget = replan
        self._whole = planned.problem
        self._tolerance_s = DRIFT * planned.makespan_s
        """How far a node may end from its plan before the rest is planned again."""
        self._not_before = 0.0
        self._orders: dict[tuple[int, str], int] = {}
        self._running: dict[Node, float] = {}
        self._over: dict[Node, tuple[float, float]] = {}
        self._gone: set[int] = set()
        self._follow(planned)

    def _follow(self, planned: PlannedOrder) -> None:
        self.planned = planned
        self._queues = orders(planned.problem, planned.schedule)
        """For each resource its tasks by planned start."""
        self._heads = [0] * len(self._queues)
        self._place = {
            (resource, task): place for resource, queue in enumerate(self._queues) for place, task in enumerate(queue)
        }
        self._begun: set[int] = set()

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
                soonest = min(soonest, self._comes(queue[head], now))
        return soonest

    def _comes(self, task: int, now: float) -> float:
        """When a task that has not begun is expected to: not before its plan, nor before what it waits for is over."""
        problem = self.planned.problem
        due = problem.seconds(self.planned.schedule.starts[task]) + GRACE_S
        return max(due, now, *(self._over_at(before, now) for before in problem.tasks[task].predecessors))

    def _over_at(self, task: int, now: float) -> float:
        """When a task is expected to be over; `now` for one that cannot be waited for any longer.

        What runs over its time is expected to take a share of what it has taken longer, so that it is asked for ever more
        seldom; what should be over and has not even begun is waited for no longer than it would take.
        """
        problem = self.planned.problem
        one = problem.tasks[task]
        takes = problem.seconds(one.duration)
        began = self._running.get((one.unit, one.order))
        if began is not None:
            return max(began + takes, now + OVERDUE * (now - began))
        if task in self._begun or (one.unit, one.order) in self._over:
            return now
        ends = problem.seconds(self.planned.schedule.ends[task])
        return max(ends, now + takes) if now < ends + takes else now

    def started(self, unit: int, node: str, now: float) -> None:
        order = self._orders.get((unit, node))
        if order is None:
            return
        self._running[unit, order] = now
        task = self.planned.task_of(unit, order)
        if task is not None:
            self._begun.add(task)

    def finished(self, unit: int, node: str, now: float) -> None:
        order = self._orders.pop((unit, node), None)
        if order is None:
            return
        began = self._running.pop((unit, order), now)
        self._over[unit, order] = (began, now)
        if self._budget is None or now < self._not_before:
            return
        expected = self.planned.expected_end(unit, node, order)
        if expected is not None and abs(now - expected) > self._tolerance_s:
            self._again(now)

    def left(self, unit: int, now: float) -> None:
        """Nothing of this unit comes any more: one that left early leaves gaps for the others."""
        self._gone.add(unit)
        problem = self.planned.problem
        missed = 0
        for index, task in enumerate(problem.tasks):
            if task.unit == unit and index not in self._begun:
                missed += task.duration
                self._begun.add(index)
        if self._budget is not None and problem.seconds(missed) > self._tolerance_s:
            self._again(now)

    def _again(self, now: float) -> None:
        """Plan what is left; the old order, gone through from now, is among what is compared."""
        assert self._budget is not None
        self._not_before = now + self._tolerance_s
        happened = Happened(now, dict(self._running), dict(self._over), frozenset(self._gone))
        try:
            planned = replan(self.planned, happened, self._budget, problem=self._whole)
        except Exception:  # noqa: BLE001  a planner that fails must not take a run with it: the old order goes on
            self._budget = None
            self.replan_failed = True
            return
        self.replans += 1
        self._follow(planned)
        for unit, order in self._running:
            task = planned.task_of(unit, order)
            if task is not None:
                self._begun.add(task)


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
    planned = planned_order(prepared.plan, count, known, prepared.request.optimize)
    again = Budget(iterations=REPLAN_ITERATIONS)
    if prepared.plan.clock == "wall" and prepared.request.replan_s:
        again = Budget(seconds=prepared.request.replan_s)
    return Ordering("plan", planned, known, again if prepared.request.replan_s else None)


@dataclass(frozen=True, slots=True)
class Ordering:
    """What the dispatcher is told of the order of units."""

    policy: ScheduleName
    planned: PlannedOrder | None = None
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    replan: Budget | None = None
    """What planning again is worth when the run has drifted; None: never."""

    def rank(self) -> Policy:
        """A fresh policy: it notes what has happened, so it serves one run."""
        return policy_for(self.policy, self.planned, self.replan)

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


def policy_for(schedule: ScheduleName, planned: PlannedOrder | None, replan: Budget | None = None) -> Policy:
    """The rule by which the dispatcher ranks those who wait."""
    match schedule:
        case "fifo":
            return FirstComeFirstServed()
        case "plan" if planned is not None:
            return AsPlanned(Guide(planned, replan))
        case _:
            return MostWorkLeft()


__all__ = ["DEFAULT_BUDGET", "Guide", "InvalidProblem", "planned_order", "policy_for"]
