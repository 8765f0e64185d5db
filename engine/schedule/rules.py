"""A first plan at once: priority rules, each tried in several ways, and the best that came of it.

A single rule is a gamble (the best one is 14 % off on job shops, some are 60 %), a handful of them costs a few
milliseconds. What they give is always a schedule that can be run.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from engine.schedule.forward import simulate
from engine.schedule.problem import InvalidProblem, Problem, tails
from engine.schedule.schedule import Schedule, check_feasible
from engine.schedule.serial import insert
from engine.schedule.setpoints import window_plans

Rank = list[float]
MANY_TASKS = 3_000
"""From here on only the quick rules are tried."""
FEW_TASKS = 600
"""Up to here tasks that spans or modes tie together are inserted as well, which is slow."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One schedule and the rule that made it."""

    rule: str
    schedule: Schedule


def longest_tail(problem: Problem) -> Rank:
    """What has the most work behind it first."""
    return [-float(tail + task.duration) for tail, task in zip(tails(problem), problem.tasks, strict=True)]


def most_work(problem: Problem) -> Rank:
    """The unit with the most work left first, its tasks in plan order."""
    left: dict[int, int] = {}
    rank = [0.0] * problem.size
    for index in reversed(problem.topological):
        task = problem.tasks[index]
        left[task.unit] = left.get(task.unit, 0) + task.duration
        rank[index] = -float(left[task.unit])
    return rank


def constrained(problem: Problem) -> Rank:
    """What leads to the busiest resource first."""
    load = [0.0] * len(problem.resources)
    for task in problem.tasks:
        for resource, amount in task.claims:
            load[resource] += task.duration * amount / problem.resources[resource].capacity
    worth = [0.0] * problem.size
    for index in reversed(problem.topological):
        task = problem.tasks[index]
        mine = max((load[resource] for resource, _ in task.claims), default=0.0) / (sum(load) or 1.0)
        after = max((worth[other] for other in problem.successors[index]), default=0.0)
        worth[index] = after + task.duration * (0.25 + mine)
    return [-one for one in worth]


def plan_order(problem: Problem) -> Rank:
    """As the plan is written, units side by side."""
    order = sorted(range(problem.size), key=lambda i: (problem.tasks[i].order, problem.tasks[i].unit, i))
    rank = [0.0] * problem.size
    for place, index in enumerate(order):
        rank[index] = float(place)
    return rank


def unit_by_unit(problem: Problem) -> Rank:
    """One unit before the other, wherever both could go."""
    order = sorted(range(problem.size), key=lambda i: (problem.tasks[i].unit, problem.tasks[i].order, i))
    rank = [0.0] * problem.size
    for place, index in enumerate(order):
        rank[index] = float(place)
    return rank


def shortest(problem: Problem) -> Rank:
    """The shortest task first."""
    return [float(task.duration) for task in problem.tasks]


RULES: dict[str, Callable[[Problem], Rank]] = {
    "longest tail": longest_tail,
    "most constrained": constrained,
    "most work": most_work,
    "plan order": plan_order,
    "unit by unit": unit_by_unit,
    "shortest": shortest,
}


def first_come(problem: Problem) -> Schedule:
    """Who is ready first goes first: what sequencers with locks do. Raises InvalidProblem where that gets stuck."""
    found = simulate(problem, [0.0] * problem.size, ageing=1.0)
    return found if found is not None else first_plan(problem)


def candidates(problem: Problem, enough: Callable[[], bool] = lambda: False) -> list[Candidate]:
    """Schedules of all rules, the best first; ties as the rules are listed. Raises InvalidProblem where nothing works.

    `enough`: asked after each; once it says so and there is a schedule, no more rules are tried.
    """
    found: list[Candidate] = []
    small = problem.size <= MANY_TASKS
    plans: list[tuple[str, Sequence[int] | None]] = [("", None)]
    if problem.modes:
        plans = [*((f", windows {number + 1}", plan) for number, plan in enumerate(window_plans(problem))), *plans]
    tied = bool(problem.modes or problem.spans)
    for name, rule in RULES.items():
        if found and enough():
            break
        rank = rule(problem)
        for suffix, plan in plans:
            _add(found, f"{name}{suffix}", simulate(problem, rank, window=plan))
            if not small or (found and enough()):
                break
        if small and (not tied or (problem.size <= FEW_TASKS and name in ("longest tail", "unit by unit"))):
            _add(found, f"{name}, inserted", _checked(problem, insert(problem, rank)))
        if not small and found and name == "most work":
            break
    if not found or not enough():
        _add(found, "first come", simulate(problem, [0.0] * problem.size, ageing=1.0))
    if not found:
        for name, rule in RULES.items():
            _add(found, f"{name}, inserted", _checked(problem, insert(problem, rule(problem))))
    if not found:
        raise InvalidProblem("no order was found in which every unit gets what it needs", "hold less across steps")
    return sorted(found, key=lambda one: one.schedule.makespan)


def first_plan(problem: Problem) -> Schedule:
    """The best schedule of all rules."""
    return candidates(problem)[0].schedule


def shuffled(problem: Problem, seed: int) -> Iterator[Schedule]:
    """Ever new schedules, along rankings drawn at random around the longest tail."""
    draw = random.Random(seed)
    base = longest_tail(problem)
    while True:
        rank = [one * (1.0 + 0.4 * draw.random()) for one in base]
        found = simulate(problem, rank) if problem.modes or problem.spans else insert(problem, rank)
        if found is not None:
            yield found


def _checked(problem: Problem, schedule: Schedule | None) -> Schedule | None:
    """Insertion places what is tied together blindly at times: what breaks a rule is left out."""
    if schedule is not None and (problem.spans or problem.modes) and check_feasible(problem, schedule):
        return None
    return schedule


def _add(found: list[Candidate], rule: str, schedule: Schedule | None) -> None:
    if schedule is not None:
        found.append(Candidate(rule, schedule))
