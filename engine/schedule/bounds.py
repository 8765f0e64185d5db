"""What no schedule can beat, and what stands in the way of a shorter one.

Every bound leaves out something that a real schedule must obey, so the largest of them is still a lower bound.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from engine.schedule.problem import Mode, ModeHold, Problem, Resource, Ticks, earliest
from engine.schedule.safety import inside, ordered
from engine.schedule.schedule import Schedule, durations, uses
from engine.schedule.setpoints import EXACT_UP_TO

Job = tuple[Ticks, Ticks, Ticks]
"""(head, work, tail)"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lower bounds of one problem, ticks from 0."""

    critical_path: Ticks
    """The longest chain of tasks, if nothing were ever busy."""
    resource: Ticks
    """What the busiest resource needs."""
    busiest: str
    """Its name."""
    mode: Ticks
    """What the modes need: all transitions in the best order and the work at each value."""

    @property
    def best(self) -> Ticks:
        return max(self.critical_path, self.resource, self.mode)


def lower_bounds(problem: Problem) -> Bounds:
    """All of them."""
    chains = [_Chains(problem, number) for number in range(len(problem.modes))]
    extra = _extra(chains)
    heads, after, path = _chain_path(problem, chains, extra)
    best, name = 0, ""
    for number, jobs in enumerate(_jobs(problem, heads, after, extra)):
        found = pool_bound(jobs, problem.resources[number].capacity) if problem.resources[number].unit is None else 0
        if found > best:
            best, name = found, problem.resources[number].name
    modes = max((_mode_bound(problem, chain, heads, after) for chain in chains), default=0)
    return Bounds(path, best, name, modes)


def lower_bound(problem: Problem) -> Ticks:
    """The best of them."""
    return lower_bounds(problem).best


class _Chains:
    """The values that units want of one mode in an order that is fixed: between two of them lies at least the transition."""

    def __init__(self, problem: Problem, number: int) -> None:
        self.number = number
        self.matrix = closed(problem.modes[number])
        self.extra: dict[int, Ticks] = {}
        """Task that asks → the transition from what its unit had before."""
        self.floor: dict[int, Ticks] = {}
        """Task that asks first in its unit → when it can be over at the earliest, from the first task that asks."""
        self.total = 0
        """Transitions of the unit with the longest chain."""
        holds = [hold for hold in problem.holds if hold.mode == number]
        if any(problem.tasks[hold.first].started is not None for hold in holds):
            return
        place = {task: position for position, task in enumerate(problem.topological)}
        by_unit: dict[int, list[ModeHold]] = {}
        for hold in sorted(holds, key=lambda one: place[one.first]):
            by_unit.setdefault(problem.tasks[hold.first].unit, []).append(hold)
        initial = problem.modes[number].initial
        for mine in by_unit.values():
            links = [_follows(problem, place, one.last, other.first) for one, other in pairwise(mine)]
            steps = [self.matrix[one.value][other.value] for one, other in pairwise(mine)]
            for linked, other, step in zip(links, mine[1:], steps, strict=True):
                if linked:
                    self.extra[other.first] = step
            for hold in mine:
                self.floor[hold.first] = self.matrix[initial][hold.value] + problem.tasks[hold.first].duration
            if all(links):
                self.total = max(self.total, self.matrix[initial][mine[0].value] + sum(steps))


def _follows(problem: Problem, place: dict[int, int], one: int, other: int) -> bool:
    seen, stack = {one}, [one]
    while stack:
        for after in problem.successors[stack.pop()]:
            if after == other:
                return True
            if after not in seen and place[after] < place[other]:
                seen.add(after)
                stack.append(after)
    return False


def _extra(chains: Sequence[_Chains]) -> dict[int, Ticks]:
    """Task that asks → the transition that its unit cannot avoid there."""
    extra: dict[int, Ticks] = {}
    for chain in chains:
        for first, ticks in chain.extra.items():
            extra[first] = max(extra.get(first, 0), ticks)
    return extra


def _chain_path(
    problem: Problem, chains: Sequence[_Chains], extra: dict[int, Ticks]
) -> tuple[list[Ticks], list[Ticks], Ticks]:
    """(when each task can start, what follows each, the longest chain), transitions that cannot be avoided included."""
    floor: dict[int, Ticks] = {}
    plain = earliest(problem)
    for chain in chains:
        asked = min((plain[first] for first in chain.floor), default=0)
        for first, ticks in chain.floor.items():
            floor[first] = max(floor.get(first, 0), asked + ticks)
    starts, ends, after = [0] * problem.size, [0] * problem.size, [0] * problem.size
    for index in problem.topological:
        task = problem.tasks[index]
        start = max(task.release, problem.now, *(ends[k] for k in task.predecessors), 0)
        starts[index] = task.started if task.started is not None else start
        ends[index] = max(starts[index] + task.duration + extra.get(index, 0), floor.get(index, 0))
    for index in reversed(problem.topological):
        following = problem.successors[index]
        after[index] = max((after[k] + problem.tasks[k].duration + extra.get(k, 0) for k in following), default=0)
    longest = max((end + rest for end, rest in zip(ends, after, strict=True)), default=0)
    return starts, after, longest


def _jobs(problem: Problem, heads: Sequence[Ticks], after: Sequence[Ticks], extra: dict[int, Ticks]) -> list[list[Job]]:
    jobs: list[list[Job]] = [[] for _ in problem.resources]
    for index, task in enumerate(problem.tasks):
        for resource, amount in task.claims:
            jobs[resource] += [(heads[index], task.duration, after[index])] * amount
    for span in problem.spans:
        if problem.resources[span.resource].unit is None:
            length = _between(problem, span.first, span.last, extra)
            jobs[span.resource] += [(heads[span.first], length, after[span.last])] * span.amount
    return jobs


def _between(problem: Problem, first: int, last: int, extra: dict[int, Ticks]) -> Ticks:
    """From the start of one task to the end of a later one, if nothing were ever busy."""
    if first == last:
        return problem.tasks[first].duration
    ends = {first: problem.tasks[first].duration}
    for index in ordered(problem, inside(problem, first, last)):
        if index != first:
            task = problem.tasks[index]
            start = max((ends[k] for k in task.predecessors if k in ends), default=0)
            ends[index] = start + task.duration + extra.get(index, 0)
    return ends[last]


def pool_bound(jobs: Sequence[Job], capacity: int) -> Ticks:
    """When a pool can be done at the earliest; for a capacity of 1 exactly what interrupted jobs would take (Jackson)."""
    work = [job for job in jobs if job[1] > 0]
    if not work:
        return 0
    longest = max(head + length + tail for head, length, tail in work)
    if capacity == 1:
        return max(longest, preemptive(work))
    if len(work) <= capacity:
        return longest
    total = sum(length for _, length, _ in work)
    heads = sorted(head for head, _, _ in work)[:capacity]
    ends = sorted(tail for _, _, tail in work)[:capacity]
    return max(longest, -(-(total + sum(heads) + sum(ends)) // capacity))


def preemptive(jobs: Iterable[Job]) -> Ticks:
    """The end of Jackson's preemptive schedule on one machine: always the job with the longest tail."""
    waiting = sorted(jobs)
    running: list[list[Ticks]] = []
    now, best, place = 0, 0, 0
    while place < len(waiting) or running:
        if not running:
            now = max(now, waiting[place][0])
        while place < len(waiting) and waiting[place][0] <= now:
            head, length, tail = waiting[place]
            heapq.heappush(running, [-tail, head, length])
            place += 1
        job = running[0]
        until = now + job[2]
        if place < len(waiting) and waiting[place][0] < until:
            job[2] -= waiting[place][0] - now
            now = waiting[place][0]
            continue
        heapq.heappop(running)
        now = until
        best = max(best, now - job[0])
    return best


# --- modes


def closed(mode: Mode) -> list[list[Ticks]]:
    """The shortest way between any two values, others in between allowed."""
    size = len(mode.values)
    matrix = [list(row) for row in mode.transition]
    for k in range(size):
        for i in range(size):
            for j in range(size):
                if matrix[i][k] + matrix[k][j] < matrix[i][j]:
                    matrix[i][j] = matrix[i][k] + matrix[k][j]
    return matrix


def _mode_bound(problem: Problem, chains: _Chains, heads: Sequence[Ticks], after: Sequence[Ticks]) -> Ticks:
    """Transitions in the best order, plus at each value the time its work needs at least.

    Windows of different values never overlap, so their lengths add up. Work that follows the task that asks can begin when
    the value is there and the work before it is done, whichever is later; that counts at the first value.
    """
    mode, matrix = problem.modes[chains.number], chains.matrix
    holds = [hold for hold in problem.holds if hold.mode == chains.number]
    if not holds or any(problem.tasks[hold.first].started is not None for hold in holds):
        return 0
    values = sorted({hold.value for hold in holds})
    members = {id(hold): inside(problem, hold.first, hold.last) for hold in holds}
    work: dict[int, Ticks] = {}
    inner: dict[int, Ticks] = {}
    for value in values:
        mine = [hold for hold in holds if hold.value == value]
        work[value] = _window_work(problem, [members[id(hold)] - {hold.first}
                                             for hold in mine])  # fmt: skip
        inner[value] = min(
            (min((heads[k] for k in members[id(hold)] - {hold.first}), default=0) for hold in mine),
            default=0,
        )
    asked = min(heads[hold.first] for hold in holds)
    last = min(after[hold.last] for hold in holds)
    total = sum(work.values()) + last
    own = min(problem.tasks[hold.first].duration for hold in holds)
    if len(values) <= EXACT_UP_TO:
        rest = _shortest_from(matrix, values)
        best = min(max(asked + matrix[mode.initial][value] + own, inner[value]) + rest[value] for value in values)
    else:
        best = asked
        best += sum(min(matrix[i][value] for i in (*values, mode.initial) if i != value) for value in values if
                    value != mode.initial)  # fmt: skip
    return max(best, asked + own + chains.total) + total


def _window_work(problem: Problem, groups: Sequence[set[int]]) -> Ticks:
    """How long a window with these tasks lasts at least, from when the first of them may begin."""
    longest = 0
    jobs: dict[int, list[Job]] = {}
    by_unit: dict[int, Ticks] = {}
    for members in groups:
        if not members:
            continue
        order = ordered(problem, members)
        head: dict[int, Ticks] = {}
        for k in order:
            head[k] = max((head[b] + problem.tasks[b].duration for b in problem.tasks[k].predecessors if b in head),
                          default=0)  # fmt: skip
        tail: dict[int, Ticks] = {}
        for k in reversed(order):
            tail[k] = max((tail[s] + problem.tasks[s].duration for s in problem.successors[k] if s in tail), default=0)
        for k in order:
            task = problem.tasks[k]
            for resource, amount in task.claims:
                if problem.resources[resource].unit is None:
                    jobs.setdefault(resource, []).extend([(head[k], task.duration, tail[k])] * amount)
        length = max(head[k] + problem.tasks[k].duration for k in order)
        unit = problem.tasks[order[0]].unit
        by_unit[unit] = by_unit.get(unit, 0) + length
    longest = max(by_unit.values(), default=0)
    several = len(groups) > len(by_unit)
    for resource, found in jobs.items():
        shared: Resource = problem.resources[resource]
        flat = [(0, length, 0) for _, length, _ in found] if several else found
        longest = max(longest, pool_bound(flat, shared.capacity))
    return longest


def _shortest_from(matrix: Sequence[Sequence[Ticks]], values: Sequence[int]) -> dict[int, Ticks]:
    """For each value the shortest way from it through all others (Held and Karp, from the end)."""
    size = len(values)
    full = (1 << size) - 1
    best: list[dict[int, Ticks]] = [{} for _ in range(full + 1)]
    for place in range(size):
        best[1 << place][place] = 0
    for visited in range(1, full + 1):
        for first, cost in best[visited].items():
            for place in range(size):
                if visited >> place & 1:
                    continue
                found = cost + matrix[values[place]][values[first]]
                entry = best[visited | 1 << place]
                if found < entry.get(place, 1 << 62):
                    entry[place] = found
    return {value: best[full][place] for place, value in enumerate(values)}


# --- what stands in the way


@dataclass(frozen=True, slots=True)
class Critical:
    """One step of the chain that decides the length."""

    task: int
    cause: str
    """Why it did not start earlier: `precedence`, `release`, the name of a resource or mode."""


def critical_path(problem: Problem, schedule: Schedule) -> tuple[Critical, ...]:
    """One chain of tasks without slack from the start to the end; what waits for nothing visible is called `release`."""
    taken = uses(problem, schedule)
    mine: dict[int, list[int]] = {}
    for resource, found in enumerate(taken):
        for _, _, _, task in found:
            mine.setdefault(task, []).append(resource)
    ends_of = [{end: task for _, end, _, task in found} for found in taken]
    last_of_span = {(span.resource, span.first): span.last for span in problem.spans}
    needed = durations(problem, schedule)
    index = max(range(problem.size), key=lambda i: (schedule.ends[i], -i), default=-1)
    chain: list[Critical] = []
    seen: set[int] = set()
    while index >= 0 and index not in seen:
        seen.add(index)
        start = schedule.ends[index] - needed[index]
        start = min(start, schedule.starts[index]) if schedule.starts[index] < start else start
        before, cause = -1, "release"
        for other in problem.tasks[index].predecessors:
            if schedule.ends[other] == start:
                before, cause = other, "precedence"
        if before < 0:
            for resource in mine.get(index, ()):
                holder = ends_of[resource].get(start)
                if holder is not None and holder != index:
                    before = last_of_span.get((resource, holder), holder)
                    cause = problem.resources[resource].name
                    break
        if before < 0:
            for hold in problem.holds:
                other_last = [
                    other.last
                    for other in problem.holds
                    if hold.first == index and other.mode == hold.mode and other is not hold
                    and start in (schedule.ends[other.last], schedule.ends[other.first])
                ]  # fmt: skip
                if other_last:
                    before = next((k for k in other_last if schedule.ends[k] == start), -1)
                    if before < 0:
                        before = next(
                            (other.first for other in problem.holds if other.mode == hold.mode
                             and schedule.ends[other.first] == start), -1)  # fmt: skip
                    cause = problem.modes[hold.mode].name
                    break
        chain.append(Critical(index, cause))
        index = before
    return tuple(reversed(chain))


def utilisation(problem: Problem, schedule: Schedule) -> dict[str, float]:
    """Shared resource → the share of the time, from now to the end, in which its pieces are taken; modes: held or changing."""
    span = schedule.makespan - problem.now
    found: dict[str, float] = {}
    for resource, taken in zip(problem.resources, uses(problem, schedule), strict=True):
        if resource.unit is None and taken:
            busy = sum((end - start) * amount for start, end, amount, _ in taken)
            found[resource.name] = busy / (span * resource.capacity) if span else 0.0
    for number, mode in enumerate(problem.modes):
        intervals = sorted(
            (schedule.starts[hold.first], schedule.ends[hold.last]) for hold in problem.holds if hold.mode == number
        )
        busy, until = 0, 0
        for start, end in intervals:
            busy += max(0, end - max(start, until))
            until = max(until, end)
        if intervals:
            found[mode.name] = busy / span if span else 0.0
    return found


def binding(problem: Problem, schedule: Schedule) -> str:
    """The resource or mode that takes up most of the critical path's waiting and working; empty where none is on it."""
    share: dict[str, Ticks] = {}
    names = {resource.name for resource in problem.resources if resource.unit is None}
    asked = {hold.first: problem.modes[hold.mode].name for hold in problem.holds}
    for step in critical_path(problem, schedule):
        task = problem.tasks[step.task]
        length = schedule.ends[step.task] - schedule.starts[step.task]
        if step.task in asked:
            share[asked[step.task]] = share.get(asked[step.task], 0) + length
        if step.cause in names:
            for resource, _ in task.claims:
                name = problem.resources[resource].name
                if name == step.cause:
                    share[name] = share.get(name, 0) + length
            share.setdefault(step.cause, 0)
    return max(sorted(share), key=lambda name: share[name], default="")


def with_more(problem: Problem, resource: str, more: int = 1) -> Problem:
    """The same problem with more of one resource; a mode becomes two, its holds shared out between them in turn."""
    changed = tuple(
        replace(one, capacity=one.capacity + more) if one.name == resource and one.unit is None else one
        for one in problem.resources
    )
    modes, holds = problem.modes, problem.holds
    for number, mode in enumerate(problem.modes):
        if mode.name == resource:
            copies = tuple(replace(mode, name=f"{mode.name} {k + 2}") for k in range(more))
            place = {unit: k % (more + 1) for k, unit in enumerate(problem.units)}
            first = len(modes)
            modes = modes + copies
            holds = tuple(
                replace(hold, mode=first + place[problem.tasks[hold.first].unit] - 1)
                if hold.mode == number and place[problem.tasks[hold.first].unit]
                else hold
                for hold in holds
            )
    return replace(problem, resources=changed, modes=modes, holds=holds)
