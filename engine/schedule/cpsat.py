"""Lower bounds and proofs by constraint programming, where the extra `plan` is installed.

The solver is always given the best schedule known as a hint and its length as an upper limit: left to itself it finds
nothing at all on many plans. What it gives back is a bound that holds, and a schedule where it found a shorter one.
"""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import dataclass
from typing import Any

from engine.schedule.bounds import closed
from engine.schedule.forward import simulate
from engine.schedule.problem import Problem, Ticks
from engine.schedule.schedule import Schedule, check_feasible, durations

MOST_TASKS = 5_000
"""Larger problems take the solver longer to read than anybody waits."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the solver came to."""

    schedule: Schedule
    """The hint, or a shorter one."""
    bound: Ticks
    optimal: bool


def available() -> bool:
    """Whether the extra `plan` is installed."""
    return importlib.util.find_spec("ortools") is not None


def prove(problem: Problem, schedule: Schedule, seconds: float, *, bound: Ticks = 0, workers: int = 1) -> Proof:
    """Look for a shorter schedule, or for the proof that there is none. Raises ImportError without the extra.

    More workers than cores make it worse. Orders that differ from `schedule` in who opens a window are covered as well.
    """
    if schedule.makespan <= bound or not problem.size or problem.size > MOST_TASKS:
        return Proof(schedule, bound, schedule.makespan <= bound)
    return _Model(problem, schedule, bound).solve(seconds, workers)


class _Model:
    def __init__(self, problem: Problem, schedule: Schedule, bound: Ticks) -> None:
        from ortools.sat.python import cp_model

        self.cp: Any = cp_model
        self.problem = problem
        self.hint = schedule
        self.bound = max(bound, problem.now)
        self.model: Any = cp_model.CpModel()
        self.horizon = schedule.makespan
        self.makespan: Any = self.model.new_int_var(self.bound, self.horizon, "makespan")
        self.model.add_hint(self.makespan, self.horizon)
        self._tasks()
        self._resources()
        self._modes()
        self.model.minimize(self.makespan)

    def _tasks(self) -> None:
        problem, model = self.problem, self.model
        needed = durations(problem, self.hint)
        asks = {hold.first for hold in problem.holds}
        self.starts: list[Any] = []
        self.ends: list[Any] = []
        self.intervals: list[Any] = []
        for index, task in enumerate(problem.tasks):
            low = task.started if task.started is not None else max(task.release, problem.now)
            high = low if task.started is not None else self.horizon
            start = model.new_int_var(low, high, "")
            # a task that may open a window takes as long as the transition asks; all others what they take
            longest = self.horizon if index in asks and task.started is None else task.duration
            size = (
                model.new_int_var(task.duration, max(longest, task.duration), "") if longest > task.duration else None
            )
            end = model.new_int_var(low + task.duration, max(self.horizon, low + task.duration), "")
            interval = model.new_interval_var(start, task.duration if size is None else size, end, "")
            model.add_hint(start, self.hint.starts[index])
            model.add_hint(end, self.hint.starts[index] + needed[index])
            if size is not None:
                model.add_hint(size, needed[index])
            model.add(self.makespan >= end)
            self.starts.append(start)
            self.ends.append(end)
            self.intervals.append(interval)
        for index, task in enumerate(problem.tasks):
            if task.started is None:
                for before in task.predecessors:
                    model.add(self.starts[index] >= self.ends[before])

    def _resources(self) -> None:
        users: list[list[tuple[Any, int]]] = [[] for _ in self.problem.resources]
        for index, task in enumerate(self.problem.tasks):
            for resource, amount in task.claims:
                users[resource].append((self.intervals[index], amount))
        for span in self.problem.spans:
            size = self.model.new_int_var(0, self.horizon, "")
            interval = self.model.new_interval_var(self.starts[span.first], size, self.ends[span.last], "")
            users[span.resource].append((interval, span.amount))
        for shared, found in zip(self.problem.resources, users, strict=True):
            if len(found) < 2:
                continue
            if shared.capacity == 1:
                self.model.add_no_overlap([interval for interval, _ in found])
            else:
                self.model.add_cumulative(
                    [interval for interval, _ in found], [amount for _, amount in found], shared.capacity
                )

    def _modes(self) -> None:
        """Any two holds of different values: one is over, and the transition done, before the other has its value.

        That leaves out who opens a window, so the bound is one of a slightly easier problem.
        """
        problem, model = self.problem, self.model
        for number, mode in enumerate(problem.modes):
            matrix = closed(mode)
            holds = [hold for hold in problem.holds if hold.mode == number]
            fresh = not any(problem.tasks[hold.first].started is not None for hold in holds)
            for hold in holds:
                if fresh:
                    own = problem.tasks[hold.first].duration
                    model.add(self.ends[hold.first] >= problem.now + matrix[mode.initial][hold.value] + own)
            for one, other in itertools.combinations(holds, 2):
                if one.value == other.value:
                    continue
                first = model.new_bool_var("")
                model.add_hint(first, self.hint.starts[one.first] < self.hint.starts[other.first])
                for before, after, literal in ((one, other, first), (other, one, first.negated())):
                    own = problem.tasks[after.first].duration
                    step = matrix[before.value][after.value] + own
                    if problem.tasks[after.first].started is not None:
                        step = 0
                    model.add(self.ends[after.first] >= self.ends[before.last] + step).only_enforce_if(literal)

    def solve(self, seconds: float, workers: int) -> Proof:
        solver: Any = self.cp.CpSolver()
        solver.parameters.num_workers = workers
        solver.parameters.max_time_in_seconds = seconds
        solver.parameters.random_seed = 1
        status = solver.solve(self.model)
        if status not in (self.cp.OPTIMAL, self.cp.FEASIBLE):
            return Proof(self.hint, self.bound, False)
        bound = max(self.bound, int(solver.best_objective_bound + 1e-6))
        best = self.hint
        found = Schedule(
            tuple(int(solver.value(start)) for start in self.starts), tuple(int(solver.value(end)) for end in self.ends)
        )
        for candidate in (found, simulate(self.problem, [float(start) for start in found.starts])):
            if (
                candidate is not None
                and candidate.makespan < best.makespan
                and not check_feasible(self.problem, candidate)
            ):
                best = candidate
        return Proof(best, bound, best.makespan <= bound)
