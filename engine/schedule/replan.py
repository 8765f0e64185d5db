"""A new order for what is left, while a run is under way: after drift, a failure, a retry or a new unit.

What has started is never moved. The old order, gone through again from now, is always among what is compared, so that a new
plan is not worse than keeping the old one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from engine.schedule.bounds import Bounds
from engine.schedule.estimate import Budget
from engine.schedule.forward import simulate
from engine.schedule.improve import Engine, improve
from engine.schedule.planned import PlannedOrder
from engine.schedule.problem import FreeSweep, Mode, ModeHold, Problem, Span, Task, Ticks
from engine.schedule.rules import candidates, longest_tail, most_work, plan_order
from engine.schedule.schedule import Schedule, check_feasible

Node = tuple[int, int]
"""(unit, position in the fully expanded plan)"""
OVERDUE = 0.1
"""A task that should be over is expected to take this share of the time it has taken longer."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What a run has come to so far, seconds from its beginning."""

    now_s: float
    started: Mapping[Node, float] = field(default_factory=dict)
    """Under way: when each started."""
    finished: Mapping[Node, tuple[float, float]] = field(default_factory=dict)
    """Over, one way or another: (start, end)."""
    gone: frozenset[int] = frozenset()
    """Units that have ended or dropped out."""


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a problem."""

    problem: Problem
    origin: tuple[int, ...]
    """For each of its tasks, the index in the problem it comes from."""


def remaining(problem: Problem, happened: Happened, expected: Schedule | None = None) -> Remaining:
    """The problem without what is over; what is under way stays, and so does what began something that is still held.

    `expected`: the schedule in force, from which the length of a transition that is under way is taken.
    """
    now = problem.ticks(happened.now_s)
    starts, ends = _states(problem, happened, now)
    held_until: dict[int, list[int]] = {}
    for span in problem.spans:
        held_until.setdefault(span.first, []).append(span.last)
    for hold in problem.holds:
        held_until.setdefault(hold.first, []).append(hold.last)
    kept: list[int] = []
    for index, task in enumerate(problem.tasks):
        if task.unit in happened.gone:
            continue
        still = any(last not in ends for last in held_until.get(index, ()))
        if index not in ends or (index in starts and still):
            kept.append(index)
    number = {index: place for place, index in enumerate(kept)}
    tasks = tuple(_left(problem, index, number, starts, ends, now, expected) for index in kept)
    modes = tuple(
        replace(mode, initial=_present(problem, place, mode, starts, ends)) for place, mode in enumerate(problem.modes)
    )
    left = Problem(
        tasks,
        problem.resources,
        tuple(
            Span(span.resource, number[span.first], number[span.last], span.amount)
            for span in problem.spans
            if span.first in number and span.last in number
        ),
        modes,
        tuple(
            ModeHold(hold.mode, hold.value, number[hold.first], number[hold.last])
            for hold in problem.holds
            if hold.first in number and hold.last in number
        ),
        tuple(_sweeps(problem.sweeps, number)),
        problem.tick_s,
        now,
    )
    return Remaining(left, tuple(kept))


def _states(problem: Problem, happened: Happened, now: Ticks) -> tuple[dict[int, Ticks], dict[int, Ticks]]:
    """(start of what has started, end of what is over); what stands for no node follows from what stands around it."""
    starts: dict[int, Ticks] = {}
    ends: dict[int, Ticks] = {}
    asks = {hold.first for hold in problem.holds}
    begins = asks | {span.first for span in problem.spans}
    for index, task in enumerate(problem.tasks):
        if task.helper:
            continue
        over = happened.finished.get((task.unit, task.order))
        begun = happened.started.get((task.unit, task.order))
        if over is not None:
            starts[index], ends[index] = min(problem.ticks(over[0]), now), min(problem.ticks(over[1]), now)
        elif begun is not None:
            starts[index] = min(problem.ticks(begun), now)
            if not task.duration and not task.claims and index not in asks:
                ends[index] = starts[index]  # a group that has begun to hold what it holds
    for index in problem.topological:
        before = problem.tasks[index].predecessors
        if problem.tasks[index].helper and index not in begins and before and all(k in ends for k in before):
            starts[index] = ends[index] = max(ends[k] for k in before)
    for index in reversed(problem.topological):
        after = [starts[k] for k in problem.successors[index] if k in starts]
        if index not in ends and after:
            starts.setdefault(index, min(after))
            ends[index] = max(min(after), starts[index])
    return starts, ends


def _left(
    problem: Problem,
    index: int,
    number: Mapping[int, int],
    starts: Mapping[int, Ticks],
    ends: Mapping[int, Ticks],
    now: Ticks,
    expected: Schedule | None,
) -> Task:
    task = problem.tasks[index]
    if index not in starts:
        before = tuple(number[k] for k in task.predecessors if k in number)
        return replace(task, predecessors=before, started=None)
    start = starts[index]
    if index in ends:
        return replace(task, predecessors=(), started=start, duration=max(0, ends[index] - start), claims=())
    duration = task.duration
    if expected is not None:
        duration = max(duration, expected.ends[index] - expected.starts[index])
    elapsed = now - start
    if duration <= elapsed:
        duration = max(elapsed + 1, round(elapsed * (1.0 + OVERDUE)), task.p90)
    return replace(task, predecessors=(), started=start, duration=duration)


def _present(problem: Problem, number: int, mode: Mode, starts: Mapping[int, Ticks], ends: Mapping[int, Ticks]) -> int:
    """The value it has, or, while it changes, the one it had before."""
    asked = sorted(
        (starts[hold.first], hold.first not in ends, hold.first, hold.value)
        for hold in problem.holds
        if hold.mode == number and hold.first in starts
    )
    value = mode.initial
    for place, (_, under_way, _, wanted) in enumerate(asked):
        if wanted == value:
            continue
        others = [one for one in asked[place + 1 :] if one[3] != wanted]
        if under_way and not others:
            return value
        value = wanted
    return value


def _sweeps(sweeps: Iterable[FreeSweep], number: Mapping[int, int]) -> Iterable[FreeSweep]:
    for sweep in sweeps:
        points = tuple((index, number[first]) for index, first in sweep.points if first in number)
        if points:
            yield replace(sweep, points=points)


def _unchanged(order: PlannedOrder, whole: Problem, left: Remaining) -> list[Schedule]:
    """The old times, where everything has gone as planned so far."""
    if whole is not order.problem:
        return []
    starts, ends = [], []
    for task, index in zip(left.problem.tasks, left.origin, strict=True):
        begun = task.started is not None
        starts.append(task.started if task.started is not None else order.schedule.starts[index])
        ends.append(starts[-1] + task.duration if begun else order.schedule.ends[index])
    schedule = Schedule(tuple(starts), tuple(ends))
    return [] if check_feasible(left.problem, schedule) else [schedule]


def replan(
    order: PlannedOrder,
    happened: Happened,
    budget: Budget | str = Budget(seconds=0.03),  # noqa: B008  frozen
    *,
    problem: Problem | None = None,
    engine: Engine = "auto",
    clock: Callable[[], float] = time.perf_counter,
) -> PlannedOrder:
    """The best order of what is left that is found within the budget, started nodes where they are.

    `problem`: the whole problem, where units have come since; by default the one that was planned.
    """
    asked = Budget.parse(budget) if isinstance(budget, str) else budget
    begun = clock()
    whole = problem if problem is not None else order.problem
    expected = order.schedule if whole is order.problem else None
    left = remaining(whole, happened, expected)
    rank = [order.priority(task.unit, task.node, task.order)[0] for task in left.problem.tasks]
    found = simulate(left.problem, rank)
    schedules = [] if found is None else [found]
    schedules += _unchanged(order, whole, left)
    for rule in (longest_tail, most_work, plan_order):
        if schedules and asked.seconds is not None and clock() - begun > asked.seconds / 3:
            break
        again = simulate(left.problem, rule(left.problem))
        if again is not None:
            schedules.append(again)
    if not schedules:
        schedules = [one.schedule for one in candidates(left.problem)]
    rest = asked
    if asked.seconds is not None:
        rest = Budget(seconds=max(0.0, asked.seconds - (clock() - begun)))
    better = improve(left.problem, rest, starts=schedules, engine=engine, clock=clock)
    return PlannedOrder(
        left.problem, better.schedule, Bounds(0, 0, "", 0), better.iterations, better.engine, "replanned"
    )
