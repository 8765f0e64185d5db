"""In which order a mode takes its values: exact for a few, near the best for many.

Transitions are slow (a chamber ramps for minutes), so their order is settled before anything else; what is done at each
value is planned afterwards.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Sequence

from engine.schedule.problem import Problem, Ticks

EXACT_UP_TO = 13
"""Values whose order is found exactly; the work doubles with each."""

Matrix = Sequence[Sequence[Ticks]]


def tour_cost(transition: Matrix, start: int, order: Iterable[int]) -> Ticks:
    """All transitions, from `start` on."""
    total, here = 0, start
    for value in order:
        total += transition[here][value]
        here = value
    return total


def best_tour(transition: Matrix, start: int, values: Iterable[int]) -> tuple[int, ...]:
    """Every value once, in the order with the shortest transitions; ties by the order of values."""
    wanted = sorted(set(values))
    if len(wanted) <= EXACT_UP_TO:
        return best_tours(transition, start, wanted, 1)[0]
    return _improved(transition, start, _by_insertion(transition, start, wanted))


def best_tours(transition: Matrix, start: int, values: Sequence[int], most: int) -> list[tuple[int, ...]]:
    """Up to `most` short tours, the shortest first (Held and Karp, keeping several of each state)."""
    wanted = sorted(set(values))
    if not wanted:
        return [()]
    if len(wanted) > EXACT_UP_TO:
        return [_improved(transition, start, _by_insertion(transition, start, wanted))]
    level: dict[tuple[int, int], list[tuple[Ticks, tuple[int, ...]]]] = {
        (1 << place, value): [(transition[start][value], (value,))] for place, value in enumerate(wanted)
    }
    for _ in range(len(wanted) - 1):
        following: dict[tuple[int, int], list[tuple[Ticks, tuple[int, ...]]]] = {}
        for (visited, last), tours in level.items():
            for place, value in enumerate(wanted):
                if visited >> place & 1:
                    continue
                step = transition[last][value]
                entry = following.setdefault((visited | 1 << place, value), [])
                entry += [(cost + step, (*tour, value)) for cost, tour in tours]
        level = {state: heapq.nsmallest(most, tours) for state, tours in following.items()}
    return [tour for _, tour in heapq.nsmallest(most, (one for tours in level.values() for one in tours))]


def _by_insertion(transition: Matrix, start: int, values: Sequence[int]) -> list[int]:
    tour: list[int] = []
    left = list(values)
    while left:
        best: tuple[Ticks, int, int] | None = None
        for value in left:
            for place in range(len(tour) + 1):
                before = tour[place - 1] if place else start
                added = transition[before][value]
                if place < len(tour):
                    added += transition[value][tour[place]] - transition[before][tour[place]]
                if best is None or (added, value, place) < best:
                    best = (added, value, place)
        assert best is not None
        tour.insert(best[2], best[1])
        left.remove(best[1])
    return tour


def _improved(transition: Matrix, start: int, tour: list[int]) -> tuple[int, ...]:
    """2-opt and Or-opt until neither helps, from several beginnings."""
    best = _descend(transition, start, tour)
    cost = tour_cost(transition, start, best)
    draw = random.Random(len(tour))
    for _ in range(20):
        one = list(best)
        for _ in range(3):
            place = draw.randrange(len(one))
            value = one.pop(place)
            one.insert(draw.randrange(len(one) + 1), value)
        one = _descend(transition, start, one)
        found = tour_cost(transition, start, one)
        if found < cost:
            best, cost = one, found
    return tuple(best)


def _descend(transition: Matrix, start: int, tour: list[int]) -> list[int]:
    cost = tour_cost(transition, start, tour)
    better = True
    while better:
        better = False
        for changed in _neighbours(tour):
            found = tour_cost(transition, start, changed)
            if found < cost:
                tour, cost, better = changed, found, True
                break
    return tour


def _neighbours(tour: list[int]) -> Iterable[list[int]]:
    size = len(tour)
    for i in range(size):
        for j in range(i + 2, size + 1):
            yield tour[:i] + tour[i:j][::-1] + tour[j:]
    for length in (1, 2, 3):
        for i in range(size - length + 1):
            part, rest = tour[i : i + length], tour[:i] + tour[i + length :]
            for place in range(len(rest) + 1):
                if place != i:
                    yield rest[:place] + part + rest[place:]


# --- which holds share a window


MOST_PLANS = 4


def window_plans(problem: Problem, most: int = MOST_PLANS) -> list[tuple[int, ...]]:
    """Ways to share the values of all modes: for each hold the number of its window, the most promising first.

    Units that wait for a site come in batches, each with windows of its own: who has not begun holds up nobody.
    """
    plans: list[list[int]] = []
    batches = _batches(problem)
    for number in range(most):
        plan = [0] * len(problem.holds)
        fresh = False
        for mode in range(len(problem.modes)):
            offset, value = 0, problem.modes[mode].initial
            for batch in batches:
                choices = _merged(problem, mode, value, batch, most)
                fresh = fresh or number < len(choices)
                order = choices[min(number, len(choices) - 1)]
                for place, (found, holds) in enumerate(order):
                    for hold in holds:
                        plan[hold] = offset + place
                    value = found
                offset += len(order)
        if not fresh:
            break
        if plan not in plans:
            plans.append(plan)
    return [tuple(plan) for plan in plans]


def _batches(problem: Problem) -> list[set[int]]:
    """Units that have a site at the same time."""
    units = list(problem.units)
    sites = [resource.capacity for resource in problem.resources if resource.kind == "site"]
    size = min(sites, default=len(units)) or 1
    return [set(units[start : start + size]) for start in range(0, len(units), size)]


_Order = list[tuple[int, list[int]]]
"""(value, holds) of the windows one after the other."""


def _merged(problem: Problem, mode: int, start: int, units: set[int], most: int) -> list[_Order]:
    """Common orders of the values that units want one after the other, each unit's own order kept where it is fixed."""
    place = {task: number for number, task in enumerate(problem.topological)}
    chains: dict[int, list[int]] = {}
    for index, hold in enumerate(problem.holds):
        if hold.mode == mode and problem.tasks[hold.first].unit in units:
            chains.setdefault(problem.tasks[hold.first].unit, []).append(index)
    for holds in chains.values():
        holds.sort(key=lambda index: place[problem.holds[index].first])
    transition = problem.modes[mode].transition
    value_of = [hold.value for hold in problem.holds]
    loose = {unit: _unordered(problem, holds) for unit, holds in chains.items()}
    if all(loose.values()):
        wanted = {value_of[index] for holds in chains.values() for index in holds}
        tours = best_tours(transition, start, sorted(wanted), most)
        return [_grouped(tour, chains, value_of) for tour in tours]
    return [_supersequence(transition, start, chains, loose, value_of)]


def _unordered(problem: Problem, holds: Sequence[int]) -> bool:
    """Whether nothing but a free choice says which of the holds comes first."""
    firsts = {problem.holds[index].first for index in holds}
    for first in firsts:
        seen, stack = {first}, [first]
        while stack:
            for after in problem.successors[stack.pop()]:
                if after in firsts and after != first:
                    return False
                if after not in seen:
                    seen.add(after)
                    stack.append(after)
    return True


def _grouped(tour: Sequence[int], chains: dict[int, list[int]], value_of: Sequence[int]) -> _Order:
    windows: _Order = [(value, []) for value in tour]
    for holds in chains.values():
        for index in holds:
            windows[tour.index(value_of[index])][1].append(index)
    return windows


def _supersequence(
    transition: Matrix, start: int, chains: dict[int, list[int]], loose: dict[int, bool], value_of: Sequence[int]
) -> _Order:
    """At each turn the value that the most units want next, near ones preferred; those left behind get windows later."""
    left = {unit: list(holds) for unit, holds in chains.items()}
    here = start
    found: _Order = []
    while any(left.values()):
        wanted: dict[int, int] = {}
        for unit, holds in left.items():
            for index in holds if loose[unit] else holds[:1]:
                wanted[value_of[index]] = wanted.get(value_of[index], 0) + 1
        value = min(wanted, key=lambda one: (one != here, _later(one, left, value_of), transition[here][one], one))
        members: list[int] = []
        for unit, holds in left.items():
            if loose[unit]:
                mine = [index for index in holds if value_of[index] == value]
            else:
                mine = []
                for index in holds:
                    if value_of[index] != value:
                        break
                    mine.append(index)
            members += mine
            left[unit] = [index for index in holds if index not in mine]
        found.append((value, members))
        here = value
    return found


def _later(value: int, left: dict[int, list[int]], value_of: Sequence[int]) -> int:
    """In how many units the value is still to come, but not yet next: a window now would need another then."""
    return sum(
        1
        for holds in left.values()
        if holds and value_of[holds[0]] != value and any(value_of[index] == value for index in holds)
    )
