"""Turns a problem and a schedule of it into the numbers the inner loop works on, and what it found back into a schedule.

The order of a mode's values, and who opens each window, is taken from the schedule and becomes part of the graph: the inner
loop moves everything else.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.schedule.arrays import Graph, Numbers, Orders, Scratch, Times
from engine.schedule.problem import Problem, Ticks
from engine.schedule.schedule import Schedule, durations, windows

Make = Callable[[Sequence[int]], Numbers]
"""A list, or an array of whole numbers."""
TABU_SIZE = 1 << 16
MOST_MEMORY = 20_000_000
"""Numbers kept of moves between machines; with more the search starts from what the rules gave."""


def as_list(numbers: Sequence[int]) -> Numbers:
    return list(numbers)


def as_array(numbers: Sequence[int]) -> Any:
    import numpy

    return numpy.array(numbers, dtype=numpy.int64)


@dataclass(frozen=True, slots=True)
class Slots:
    """Which task takes which machines."""

    first: list[int]
    last: list[int]
    resource: list[int]
    amount_of: list[int]
    """By slot: which one of the same claim or span it is."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """Everything that one search needs."""

    problem: Problem
    graph: Graph
    orders: Orders
    times: Times
    scratch: Scratch
    choice: Numbers

    def schedule(self) -> Schedule:
        """What the present heads say."""
        now = self.problem.now
        ends = [int(self.times.end[index]) + now for index in range(self.problem.size)]
        starts = [end - int(self.graph.p[index]) for index, end in enumerate(ends)]
        return Schedule(tuple(starts), tuple(ends))


def build(problem: Problem, schedule: Schedule, make: Make) -> Workbench | None:
    """None where the schedule cannot be written as orders, which only happens where tasks take no time at all."""
    graph, slots = _graph(problem, schedule, make)
    rank = _ranks(problem, schedule, slots)
    machines = None if rank is None else _assign(problem, schedule, slots, rank)
    if rank is None or machines is None:
        return None
    orders = _orders(slots, machines, graph, rank, make)
    n, m = problem.size, int(graph.size[2])
    room = n + 1

    def zeros(size: int) -> Numbers:
        return make([0] * size)

    moves = len(slots.first) * m if any(graph.high[k] - graph.low[k] > 1 for k in range(m)) else 1
    if moves > MOST_MEMORY:
        return None
    times = Times(zeros(room), zeros(room), zeros(room), zeros(room))
    scratch = Scratch(
        zeros(room),
        zeros(room),
        zeros(room),
        zeros(room),
        zeros(room),
        zeros(room),
        zeros(room),
        zeros(len(slots.first) + 1),
        zeros(TABU_SIZE),
        zeros(moves),
        zeros(5),
    )
    return Workbench(problem, graph, orders, times, scratch, zeros(9))


def mode_arcs(problem: Problem, schedule: Schedule) -> list[tuple[int, int]]:
    """(before, after) of tasks that the order of the windows implies."""
    arcs: list[tuple[int, int]] = []
    for number, mode in enumerate(problem.modes):
        leaving: list[int] = []
        value = mode.initial
        for window in windows(problem, schedule, number):
            holds = [problem.holds[index] for index in window.holds]
            opener = holds[0].first
            if mode.transition[value][window.value]:
                arcs += [(last, opener) for last in leaving]
                arcs += [(opener, hold.first) for hold in holds[1:]]
            else:
                arcs += [(last, hold.first) for last in leaving for hold in holds]
            value = window.value
            leaving = list(dict.fromkeys(hold.last for hold in holds))
    return [(one, other) for one, other in arcs if one != other]


def _graph(problem: Problem, schedule: Schedule, make: Make) -> tuple[Graph, Slots]:
    tasks = problem.tasks
    preds: list[list[int]] = [list(task.predecessors) for task in tasks]
    for one, other in mode_arcs(problem, schedule):
        if one not in preds[other]:
            preds[other].append(one)
    for index, task in enumerate(tasks):
        if task.started is not None:
            preds[index] = []
    succs: list[list[int]] = [[] for _ in tasks]
    for index, before in enumerate(preds):
        for one in before:
            succs[one].append(index)
    entering: list[list[tuple[int, int, int]]] = [[] for _ in tasks]
    skipped = _serial_anyway(problem)
    for index, task in enumerate(tasks):
        entering[index] += [(resource, index, amount) for resource, amount in task.claims if resource not in skipped]
    for span in problem.spans:
        if span.resource not in skipped:
            entering[span.first].append((span.resource, span.last, span.amount))
    slots = Slots([], [], [], [])
    enters_at = [0]
    for index, found in enumerate(entering):
        for resource, last, amount in found:
            for number in range(amount):
                slots.first.append(index)
                slots.last.append(last)
                slots.resource.append(resource)
                slots.amount_of.append(number)
        enters_at.append(len(slots.first))
    leaving: list[list[int]] = [[] for _ in tasks]
    for slot, last in enumerate(slots.last):
        leaving[last].append(slot)
    low: list[int] = []
    high: list[int] = []
    for shared in problem.resources:
        start = len(low)
        low += [start] * shared.capacity
        high += [start + shared.capacity] * shared.capacity
    preds_at, preds_flat = _flat(preds)
    succs_at, succs_flat = _flat(succs)
    leaves_at, leaves = _flat(leaving)
    now = problem.now
    release = [(t.started if t.started is not None else max(t.release, now)) - now for t in tasks]
    graph = Graph(
        make(durations(problem, schedule)),
        make(release),
        make([int(task.started is not None) for task in tasks]),
        make(preds_at),
        make(preds_flat),
        make(succs_at),
        make(succs_flat),
        make([index for index, after in enumerate(succs) if not after]),
        make(enters_at),
        make(leaves_at),
        make(leaves),
        make(slots.first),
        make(slots.last),
        make(low),
        make(high),
        make([len(tasks), len(slots.first), len(low)]),
    )
    return graph, slots


def _serial_anyway(problem: Problem) -> set[int]:
    """Resources of one unit whose tasks stand in one line: nothing can be decided about them."""
    lines: dict[int, bool] = {}
    last: dict[int, int] = {}
    for index in problem.topological:
        task = problem.tasks[index]
        before = last.get(task.unit)
        if before is not None and before not in task.predecessors:
            lines[task.unit] = False
        last[task.unit] = index
    return {
        number
        for number, resource in enumerate(problem.resources)
        if resource.unit is not None and lines.get(resource.unit, True)
    }


def _flat(lists: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    at: list[int] = [0]
    flat: list[int] = []
    for one in lists:
        flat += one
        at.append(len(flat))
    return at, flat


def _ranks(problem: Problem, schedule: Schedule, slots: Slots) -> list[int] | None:
    """A place for every task in one order that all machines share, so that their orders never contradict each other.

    By time; what starts and ends at the same instant stands as precedence, modes and the handing over of spans say.
    """
    keys = [(schedule.starts[i], schedule.ends[i], problem.place[i]) for i in range(problem.size)]
    rank = [0] * problem.size
    for place, index in enumerate(sorted(range(problem.size), key=keys.__getitem__)):
        rank[index] = place
    machines = _assign(problem, schedule, slots, rank)
    if machines is None:
        return None
    follows: list[list[int]] = [list(after) for after in problem.successors]
    missing = [len(task.predecessors) for task in problem.tasks]
    arcs = mode_arcs(problem, schedule)
    last: dict[int, int] = {}
    for slot in sorted(range(len(slots.first)), key=lambda one: (rank[slots.first[one]], one)):
        before = last.get(machines[slot])
        if before is not None and (slots.first[before] != slots.last[before] or slots.first[slot] != slots.last[slot]):
            arcs.append((slots.last[before], slots.first[slot]))
        last[machines[slot]] = slot
    for one, other in arcs:
        if one != other:
            follows[one].append(other)
            missing[other] += 1
    ready = [(keys[index], index) for index in range(problem.size) if not missing[index]]
    heapq.heapify(ready)
    done = 0
    while ready:
        index = heapq.heappop(ready)[1]
        rank[index] = done
        done += 1
        for after in follows[index]:
            missing[after] -= 1
            if not missing[after]:
                heapq.heappush(ready, (keys[after], after))
    return rank if done == problem.size else None


def _assign(problem: Problem, schedule: Schedule, slots: Slots, rank: Sequence[int]) -> list[int] | None:
    """A machine for every slot, by time."""
    offset: list[int] = []
    total = 0
    for shared in problem.resources:
        offset.append(total)
        total += shared.capacity
    free: list[Ticks | None] = [None] * total
    machines = [-1] * len(slots.first)
    for slot in sorted(range(len(slots.first)), key=lambda one: (rank[slots.first[one]], one)):
        resource = slots.resource[slot]
        start, end = schedule.starts[slots.first[slot]], schedule.ends[slots.last[slot]]
        best, latest = -1, None
        for machine in range(offset[resource], offset[resource] + problem.resources[resource].capacity):
            at = free[machine]
            if at is None:
                if best < 0:
                    best = machine
            elif at <= start and (latest is None or at > latest):
                best, latest = machine, at
        if best < 0:
            return None
        machines[slot] = best
        free[best] = end
    return machines


def _orders(slots: Slots, machines: list[int], graph: Graph, rank: Sequence[int], make: Make) -> Orders:
    size, m = len(slots.first), int(graph.size[2])
    before, after, head, last = [-1] * size, [-1] * size, [-1] * m, [-1] * m
    for slot in sorted(range(size), key=lambda one: (rank[slots.first[one]], one)):
        machine = machines[slot]
        if last[machine] < 0:
            head[machine] = slot
        else:
            after[last[machine]] = slot
            before[slot] = last[machine]
        last[machine] = slot
    return Orders(make(machines), make(before), make(after), make(head))
