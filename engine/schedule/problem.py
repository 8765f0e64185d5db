"""A scheduling problem as data: tasks, what they need, and what must agree.

Times are whole ticks, so that sums compare exactly and a compiled search gives what the plain one gives. What a unit holds
across several tasks is a `Span`; what units may hold together while they agree on a value is a `Mode`. A problem that says
something impossible is refused here, before a search could go astray on it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from engine.core.errors import BenchwrightError

Ticks = int
TICK_S = 0.001
"""Seconds of one tick, unless a problem says otherwise."""


class InvalidProblem(BenchwrightError):
    """Something is asked for that no schedule can give."""


@dataclass(frozen=True, slots=True)
class Task:
    """One stretch of work of one unit, done without a break."""

    id: str
    """Unique in the problem."""
    unit: int
    node: str
    """Full id of the node, axis values included; one of those folded together."""
    order: int
    """Position in the fully expanded plan."""
    duration: Ticks
    """The mean; without the transition of a mode, where it opens one."""
    p90: Ticks = 0
    """Nine of ten take no longer; 0: not known."""
    predecessors: tuple[int, ...] = ()
    """Indices of tasks that end before it starts."""
    claims: tuple[tuple[int, int], ...] = ()
    """(index of a resource, amount), taken from its start to its end."""
    release: Ticks = 0
    """It does not start before."""
    started: Ticks | None = None
    """When it has started already: it is never moved. None: still to be planned."""
    helper: bool = False
    """It stands for no node and takes no time: it ties others together."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that few can use at once."""

    name: str
    capacity: int = 1
    kind: Literal["instrument", "resource", "site", "sweep"] = "instrument"
    """`sweep`: the freedom of one unit to visit points in any order, one at a time."""
    unit: int | None = None
    """The only unit that has it: instruments of its own site, its sweeps. None: shared by all."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a unit holds from the start of one task to the end of a later one."""

    resource: int
    first: int
    last: int
    amount: int = 1


@dataclass(frozen=True, slots=True)
class Mode:
    """Something with a value on which all who hold it must agree."""

    name: str
    values: tuple[Hashable, ...]
    transition: tuple[tuple[Ticks, ...], ...]
    """[from][to], in the order of `values`; the diagonal is 0."""
    initial: int
    """Index of the value it has at the beginning."""


@dataclass(frozen=True, slots=True)
class ModeHold:
    """A unit needs one value of a mode from the end of one task, which asks for it, to the end of a later one.

    The task that asks starts the transition when it is the first to want the value, and then takes that much longer.
    """

    mode: int
    value: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class FreeSweep:
    """A sweep whose points a unit may visit in any order: spans of a resource of its own."""

    unit: int
    node: str
    """Full id of the sweep, with the axes of the loops around it."""
    resource: int
    points: tuple[tuple[int, int], ...]
    """(written index of the point, index of its first task)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything a schedule has to obey; checked when it is made. Raises InvalidProblem."""

    tasks: tuple[Task, ...]
    resources: tuple[Resource, ...]
    spans: tuple[Span, ...] = ()
    modes: tuple[Mode, ...] = ()
    holds: tuple[ModeHold, ...] = ()
    sweeps: tuple[FreeSweep, ...] = ()
    tick_s: float = TICK_S
    now: Ticks = 0
    """Nothing that has not started yet starts before."""
    successors: tuple[tuple[int, ...], ...] = field(init=False, repr=False, compare=False)
    topological: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """An order in which every task comes after those it waits for; ties by (plan position, unit, node)."""
    place: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """Where each task stands in it."""

    def __post_init__(self) -> None:
        successors: list[list[int]] = [[] for _ in self.tasks]
        for index, task in enumerate(self.tasks):
            for before in task.predecessors:
                if not 0 <= before < len(self.tasks):
                    raise InvalidProblem(f"task `{task.id}` waits for a task that does not exist")
                successors[before].append(index)
        object.__setattr__(self, "successors", tuple(tuple(found) for found in successors))
        object.__setattr__(self, "topological", _topological(self))
        place = [0] * len(self.tasks)
        for position, index in enumerate(self.topological):
            place[index] = position
        object.__setattr__(self, "place", tuple(place))
        _check(self)

    @property
    def size(self) -> int:
        return len(self.tasks)

    def seconds(self, ticks: float) -> float:
        """Ticks as seconds."""
        return ticks * self.tick_s

    def ticks(self, seconds: float) -> Ticks:
        """Seconds as the nearest whole number of ticks."""
        return round(seconds / self.tick_s)

    @property
    def units(self) -> tuple[int, ...]:
        """Every unit, ascending."""
        return tuple(sorted({task.unit for task in self.tasks}))


def tie(task: Task) -> tuple[int, int, str]:
    """Settles what is otherwise equal."""
    return (task.order, task.unit, task.node)


def _topological(problem: Problem) -> tuple[int, ...]:
    import heapq

    tasks = problem.tasks
    missing = [len(task.predecessors) for task in tasks]
    ready = [(tie(task), index) for index, task in enumerate(tasks) if not missing[index]]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)[1]
        order.append(index)
        for after in problem.successors[index]:
            missing[after] -= 1
            if not missing[after]:
                heapq.heappush(ready, (tie(tasks[after]), after))
    if len(order) < len(tasks):
        stuck = next(task.id for index, task in enumerate(tasks) if missing[index])
        raise InvalidProblem(f"task `{stuck}` waits for itself, directly or through others")
    return tuple(order)


def _check(problem: Problem) -> None:
    ids: set[str] = set()
    for task in problem.tasks:
        if task.id in ids:
            raise InvalidProblem(f"two tasks have the id `{task.id}`")
        ids.add(task.id)
        if task.duration < 0 or task.release < 0:
            raise InvalidProblem(f"task `{task.id}` has a negative duration or release")
        if task.started is not None and task.started > problem.now:
            raise InvalidProblem(f"task `{task.id}` is said to have started in the future")
        if len({resource for resource, _ in task.claims}) < len(task.claims):
            raise InvalidProblem(f"task `{task.id}` names a resource twice", "add the amounts up")
        for resource, amount in task.claims:
            _fits(problem, resource, amount, task.id)
    position = {index: place for place, index in enumerate(problem.topological)}
    for span in problem.spans:
        _pair(problem, position, span.first, span.last)
        _fits(problem, span.resource, span.amount, problem.tasks[span.first].id)
    for mode in problem.modes:
        size = len(mode.values)
        square = len(mode.transition) == size and all(len(row) == size for row in mode.transition)
        if not square or not 0 <= mode.initial < size:
            raise InvalidProblem(f"mode `{mode.name}` needs a transition for every pair of values, and a first value")
        if any(ticks < 0 or (one == other and ticks) for one, row in enumerate(mode.transition)
               for other, ticks in enumerate(row)):  # fmt: skip
            raise InvalidProblem(f"transitions of mode `{mode.name}` must not be negative, and 0 to the same value")
    firsts: set[tuple[int, int]] = set()
    for hold in problem.holds:
        if not 0 <= hold.mode < len(problem.modes) or not 0 <= hold.value < len(problem.modes[hold.mode].values):
            raise InvalidProblem(f"task `{problem.tasks[hold.first].id}` wants a value of a mode that does not exist")
        _pair(problem, position, hold.first, hold.last)
        if (hold.mode, hold.first) in firsts:
            raise InvalidProblem(f"task `{problem.tasks[hold.first].id}` wants two values of one mode")
        firsts.add((hold.mode, hold.first))


def _fits(problem: Problem, resource: int, amount: int, task: str) -> None:
    if not 0 <= resource < len(problem.resources):
        raise InvalidProblem(f"task `{task}` claims a resource that does not exist")
    found = problem.resources[resource]
    if not 1 <= amount <= found.capacity:
        raise InvalidProblem(
            f"task `{task}` claims {amount} of `{found.name}`, and there is only {found.capacity}",
            "raise its `capacity` in the station, or ask for less",
        )


def _pair(problem: Problem, position: dict[int, int], first: int, last: int) -> None:
    one, other = problem.tasks[first], problem.tasks[last]
    if one.unit != other.unit:
        raise InvalidProblem(f"a hold goes from `{one.id}` to `{other.id}`, which is of another unit")
    if first != last and position[first] > position[last]:
        raise InvalidProblem(f"a hold ends with `{other.id}` before it begins with `{one.id}`")


def earliest(problem: Problem, durations: Sequence[Ticks] | None = None) -> list[Ticks]:
    """When each task could start if nothing were ever busy."""
    starts = [0] * problem.size
    for index in problem.topological:
        task = problem.tasks[index]
        if task.started is not None:
            starts[index] = task.started
            continue
        start = max(task.release, problem.now)
        for before in task.predecessors:
            end = starts[before] + (durations[before] if durations else problem.tasks[before].duration)
            start = max(start, end)
        starts[index] = start
    return starts


def tails(problem: Problem) -> list[Ticks]:
    """How much work follows each task at least, its own left out."""
    found = [0] * problem.size
    for index in reversed(problem.topological):
        found[index] = max((found[after] + problem.tasks[after].duration for after in problem.successors[index]),
                           default=0)  # fmt: skip
    return found
