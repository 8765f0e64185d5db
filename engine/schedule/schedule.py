"""A schedule: when each task starts and ends, and in which order resources serve; and the proof that it obeys the problem."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.schedule.problem import ModeHold, Problem, Ticks, tie


@dataclass(frozen=True, slots=True)
class Schedule:
    """Indexed as the tasks of its problem."""

    starts: tuple[Ticks, ...]
    ends: tuple[Ticks, ...]

    @property
    def makespan(self) -> Ticks:
        """When the last task ends."""
        return max(self.ends, default=0)


@dataclass(frozen=True, slots=True)
class Window:
    """A time during which a mode has one value."""

    value: int
    holds: tuple[int, ...]
    """Indices of holds, the one that opens it first."""


def windows(problem: Problem, schedule: Schedule, mode: int) -> tuple[Window, ...]:
    """The values a mode takes one after the other, and who holds each."""
    order = sorted(
        (index for index, hold in enumerate(problem.holds) if hold.mode == mode),
        key=lambda index: _asked(problem, schedule, problem.holds[index]),
    )
    found: list[tuple[int, list[int]]] = []
    for index in order:
        value = problem.holds[index].value
        if found and found[-1][0] == value:
            found[-1][1].append(index)
        else:
            found.append((value, [index]))
    return tuple(Window(value, tuple(holds)) for value, holds in found)


def _asked(problem: Problem, schedule: Schedule, hold: ModeHold) -> tuple[Any, ...]:
    task = problem.tasks[hold.first]
    return (schedule.starts[hold.first], schedule.ends[hold.first], tie(task))


def orders(problem: Problem, schedule: Schedule) -> tuple[tuple[int, ...], ...]:
    """For each resource the tasks that take it, by start."""
    users: list[list[int]] = [[] for _ in problem.resources]
    for index, task in enumerate(problem.tasks):
        for resource, _ in task.claims:
            users[resource].append(index)
    for span in problem.spans:
        users[span.resource].append(span.first)
    return tuple(
        tuple(sorted(set(found), key=lambda index: (schedule.starts[index], *tie(problem.tasks[index]))))
        for found in users
    )


def uses(problem: Problem, schedule: Schedule) -> list[list[tuple[Ticks, Ticks, int, int]]]:
    """For each resource (from, to, amount, first task) of everyone who takes it, by time."""
    found: list[list[tuple[Ticks, Ticks, int, int]]] = [[] for _ in problem.resources]
    for index, task in enumerate(problem.tasks):
        for resource, amount in task.claims:
            found[resource].append((schedule.starts[index], schedule.ends[index], amount, index))
    for span in problem.spans:
        found[span.resource].append((schedule.starts[span.first], schedule.ends[span.last], span.amount, span.first))
    for taken in found:
        taken.sort()
    return found


def check_feasible(problem: Problem, schedule: Schedule) -> list[str]:
    """Everything in which the schedule breaks the problem's rules; empty for a good one."""
    tasks, starts, ends = problem.tasks, schedule.starts, schedule.ends
    if len(starts) != len(tasks) or len(ends) != len(tasks):
        return [f"{len(starts)} starts and {len(ends)} ends for {len(tasks)} tasks"]
    needed = durations(problem, schedule)
    found: list[str] = []
    for index, task in enumerate(tasks):
        if ends[index] - starts[index] < needed[index]:
            found.append(f"`{task.id}` has {ends[index] - starts[index]} ticks and needs {needed[index]}")
        if task.started is not None:
            if starts[index] != task.started:
                found.append(f"`{task.id}` had started at {task.started} and was moved to {starts[index]}")
            continue
        if starts[index] < max(task.release, problem.now):
            found.append(f"`{task.id}` starts at {starts[index]}, before {max(task.release, problem.now)}")
        found += [
            f"`{task.id}` starts at {starts[index]}, before `{tasks[before].id}` ends at {ends[before]}"
            for before in task.predecessors
            if starts[index] < ends[before]
        ]
    for resource, taken in zip(problem.resources, uses(problem, schedule), strict=True):
        found += _overfull(resource.name, resource.capacity, taken)
    for number, mode in enumerate(problem.modes):
        found += _quarrels(problem, schedule, number, mode.name)
    return found


def _overfull(name: str, capacity: int, taken: Sequence[tuple[Ticks, Ticks, int, int]]) -> list[str]:
    events = sorted(
        [(end, 0, -amount) for start, end, amount, _ in taken if end > start]
        + [(start, 1, amount) for start, end, amount, _ in taken if end > start]
    )
    level = 0
    for at, _, change in events:
        level += change
        if level > capacity:
            return [f"{level} of `{name}` are taken at {at}, and there is only {capacity}"]
    return []


def durations(problem: Problem, schedule: Schedule) -> list[Ticks]:
    """What each task takes in this schedule: its own duration and the transition it starts."""
    needed = [task.duration for task in problem.tasks]
    for number, mode in enumerate(problem.modes):
        value = mode.initial
        for window in windows(problem, schedule, number):
            opener = problem.holds[window.holds[0]].first
            if problem.tasks[opener].started is None:
                needed[opener] += mode.transition[value][window.value]
            value = window.value
    return needed


def _quarrels(problem: Problem, schedule: Schedule, mode: int, name: str) -> list[str]:
    found: list[str] = []
    free, value = 0, problem.modes[mode].initial
    for window in windows(problem, schedule, mode):
        holds = [problem.holds[index] for index in window.holds]
        opener = problem.tasks[holds[0].first]
        if opener.started is None and schedule.starts[holds[0].first] < free:
            found.append(
                f"`{opener.id}` changes `{name}` at {schedule.starts[holds[0].first]}, which others hold until {free}"
            )
        changes = problem.modes[mode].transition[value][window.value] > 0
        ready = schedule.ends[holds[0].first] if changes else free
        value = window.value
        found += [
            f"`{problem.tasks[hold.first].id}` joins `{name}` at {schedule.starts[hold.first]}, before {ready}"
            for hold in holds[1:]
            if schedule.starts[hold.first] < ready and problem.tasks[hold.first].started is None
        ]
        free = max([free, *(schedule.ends[hold.last] for hold in holds)])
    return found


# --- for people and programs


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of a row."""

    start_s: float
    end_s: float
    unit: int
    node: str
    kind: str
    """`task`, `span`, `mode` or `transition`."""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a Gantt chart."""

    name: str
    kind: str
    """`unit`, `resource` or `mode`."""
    bars: tuple[Bar, ...]


def rows(problem: Problem, schedule: Schedule) -> tuple[Row, ...]:
    """Units first, then shared resources and modes; what takes no time is left out."""
    found: list[Row] = []
    by_unit: dict[int, list[Bar]] = {}
    for index, task in enumerate(problem.tasks):
        bar = _bar(problem, schedule, index, index, "task", task.node)
        if bar.end_s > bar.start_s:
            by_unit.setdefault(task.unit, []).append(bar)
    found += [Row(f"unit {unit + 1}", "unit", _sorted(bars)) for unit, bars in sorted(by_unit.items())]
    by_resource: list[list[Bar]] = [[] for _ in problem.resources]
    for index, task in enumerate(problem.tasks):
        for resource, _ in task.claims:
            by_resource[resource].append(_bar(problem, schedule, index, index, "task", task.node))
    for span in problem.spans:
        node = problem.tasks[span.first].node
        by_resource[span.resource].append(_bar(problem, schedule, span.first, span.last, "span", node))
    for shared, bars in zip(problem.resources, by_resource, strict=True):
        shown = [bar for bar in bars if bar.end_s > bar.start_s]
        if shared.unit is None and shown:
            found.append(Row(shared.name, "resource", _sorted(shown)))
    for number, mode in enumerate(problem.modes):
        bars = []
        for window in windows(problem, schedule, number):
            holds = [problem.holds[index] for index in window.holds]
            opener = holds[0].first
            label = _text(mode.values[window.value])
            unit, node = problem.tasks[opener].unit, problem.tasks[opener].node
            start, ready = schedule.starts[opener], schedule.ends[opener]
            end = max(schedule.ends[hold.last] for hold in holds)
            bars.append(Bar(problem.seconds(start), problem.seconds(ready), unit, node, "transition", label))
            bars.append(Bar(problem.seconds(ready), problem.seconds(end), -1, node, "mode", label))
        if bars:
            found.append(Row(mode.name, "mode", _sorted([bar for bar in bars if bar.end_s > bar.start_s])))
    return tuple(found)


def _bar(problem: Problem, schedule: Schedule, first: int, last: int, kind: str, node: str) -> Bar:
    unit = problem.tasks[first].unit
    return Bar(problem.seconds(schedule.starts[first]), problem.seconds(schedule.ends[last]), unit, node, kind)


def _sorted(bars: list[Bar]) -> tuple[Bar, ...]:
    return tuple(sorted(bars, key=lambda bar: (bar.start_s, bar.end_s, bar.unit, bar.node)))


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def as_json(problem: Problem, schedule: Schedule) -> str:
    """The same text for the same schedule, always; sorted by (unit, plan order)."""
    order = sorted(range(problem.size), key=lambda i: (problem.tasks[i].unit, problem.tasks[i].order, i))
    digits = 9
    tasks = [
        {
            "unit": problem.tasks[index].unit,
            "node": problem.tasks[index].node,
            "order": problem.tasks[index].order,
            "start_s": round(problem.seconds(schedule.starts[index]), digits),
            "end_s": round(problem.seconds(schedule.ends[index]), digits),
        }
        for index in order
    ]
    resources = {
        resource.name: [problem.tasks[index].id for index in users]
        for resource, users in zip(problem.resources, orders(problem, schedule), strict=True)
        if resource.unit is None
    }
    document = {"makespan_s": round(problem.seconds(schedule.makespan), digits), "tasks": tasks, "orders": resources}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
