"""Makes a schedule better while there is time: tabu search, and paths between the good schedules it finds.

A handful of good schedules is kept. From one of them the search goes some way towards another and starts anew from there
(path relinking after Peng, Lü and Cheng 2015), which reaches what a single search does not. Where modes are shared, several
orders of their values take part. Counted in iterations, the result depends on nothing but the problem.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from engine.schedule import kernel, kernel_numba
from engine.schedule.arrays import Numbers, Orders
from engine.schedule.estimate import Budget
from engine.schedule.forward import simulate
from engine.schedule.graph import Make, Workbench, as_array, as_list, build
from engine.schedule.problem import Problem, Ticks
from engine.schedule.rules import candidates, shuffled
from engine.schedule.schedule import Schedule, check_feasible, windows

Engine = Literal["auto", "python", "compiled"]
PATIENCE = 2_500
"""Iterations without improvement after which a search ends."""
POOL = 8
"""Good schedules that are kept."""
NEAR = 50
"""Two schedules are alike when they differ by less than a place for so many tasks."""


@dataclass(frozen=True, slots=True)
class Improvement:
    """What a search came to."""

    schedule: Schedule
    first: Ticks
    """Length of the best schedule it started from."""
    iterations: int
    engine: str
    """`compiled`, `python`, or empty where there was nothing to search."""
    proven: bool
    """Nothing shorter exists: the lower bound was reached."""


def improve(
    problem: Problem,
    budget: Budget,
    *,
    starts: Sequence[Schedule] | None = None,
    bound: Ticks = 0,
    engine: Engine = "auto",
    seed: int = 1,
    patience: int = PATIENCE,
    clock: Callable[[], float] = time.perf_counter,
) -> Improvement:
    """The best schedule found within the budget, never longer than the best of `starts` (or of all rules)."""
    first = list(starts) if starts else [one.schedule for one in candidates(problem)]
    best = min(first, key=lambda one: one.makespan)
    if not problem.size or best.makespan <= bound or budget.iterations == 0:
        return Improvement(best, best.makespan, 0, "", best.makespan <= bound)
    compiled = engine == "compiled" or (engine == "auto" and kernel_numba.available())
    if compiled:
        warm_up()
    race = _Race(problem, budget, bound, compiled, seed, patience, clock)
    found = race.run(first)
    return Improvement(
        found, best.makespan, race.iterations, "compiled" if compiled else "python", found.makespan <= bound
    )


def warm_up() -> None:
    """Compile, or load what was compiled earlier, so that no budget is spent on it."""
    if _warm:
        return
    from engine.schedule.problem import Resource, Task

    tasks = tuple(
        Task(f"{unit}.{step}", unit, str(step), step, 1 + (unit * 3 + step * 5) % 7, claims=((step % 2, 1), (2, 1)),
             predecessors=(3 * unit + step - 1,) if step else ())
        for unit in range(4) for step in range(3)
    )  # fmt: skip
    problem = Problem(tasks, (Resource("a"), Resource("b"), Resource("c", 2)))
    _warm.append(True)
    starts = [one.schedule for one in candidates(problem)]
    _Race(problem, Budget(iterations=400), 0, True, 1, 20, time.perf_counter).run(starts)


_warm: list[bool] = []


@dataclass(slots=True)
class _Kept:
    length: Ticks
    orders: Orders
    starts: Numbers


class _Race:
    """Searches in turns from each order of the modes' values; most often there is just one."""

    def __init__(
        self,
        problem: Problem,
        budget: Budget,
        bound: Ticks,
        compiled: bool,
        seed: int,
        patience: int,
        clock: Callable[[], float],
    ) -> None:
        self.problem = problem
        self.clock = clock
        self.end = None if budget.seconds is None else clock() + budget.seconds
        self.left = budget.iterations
        self.bound = bound - problem.now
        self.loops: ModuleType = kernel_numba.compiled() if compiled else kernel
        self.make: Make = as_array if compiled else as_list
        self.chunk = max(1, (200_000 if compiled else 2_000) // max(problem.size, 1))
        self.seed = seed
        self.patience = patience
        self.iterations = 0
        self.best: Schedule | None = None

    def over(self) -> bool:
        if self.best is not None and self.best.makespan - self.problem.now <= self.bound:
            return True
        if self.left is not None and self.iterations >= self.left:
            return True
        return self.end is not None and self.clock() >= self.end

    def steps(self) -> int:
        """How many iterations may be done before the clock is looked at."""
        return self.chunk if self.left is None else min(self.chunk, self.left - self.iterations)

    def offer(self, schedule: Schedule) -> None:
        if self.best is None or schedule.makespan < self.best.makespan:
            self.best = schedule

    def run(self, starts: Sequence[Schedule]) -> Schedule:
        ordered = sorted(starts, key=lambda one: one.makespan)
        self.offer(ordered[0])
        families: dict[tuple[object, ...], list[Schedule]] = {}
        for one in ordered:
            families.setdefault(self._family(one), []).append(one)
        searches = [_Search(self, family, self.seed + number) for number, family in enumerate(
            list(families.values())[: 4 if self.problem.modes else 1])]  # fmt: skip
        searches = [one for one in searches if one.usable]
        for turn in itertools.count():
            if not searches or self.over():
                break
            # the most promising half goes on more often
            searches.sort(key=lambda one: one.best_length)
            searches[turn % len(searches) if turn % 2 else 0].cycle()
            if self.problem.modes and not self.over():
                self._reopen(searches, turn)
            searches = [one for one in searches if not one.exhausted]
        assert self.best is not None
        return self.best

    def _family(self, schedule: Schedule) -> tuple[object, ...]:
        return tuple(
            tuple((window.value, frozenset(window.holds)) for window in windows(self.problem, schedule, mode))
            for mode in range(len(self.problem.modes))
        )

    def _reopen(self, searches: list[_Search], turn: int) -> None:
        """Go through time along the best schedule: whoever is ready first opens a window, and joins may become possible."""
        assert self.best is not None
        for search in searches:
            found = search.best_schedule()
            again = simulate(self.problem, [float(start) for start in found.starts])
            if again is None or again.makespan >= found.makespan or check_feasible(self.problem, again):
                continue
            self.offer(again)
            better = _Search(self, [again], self.seed + 100 + turn)
            if better.usable:
                searches[searches.index(search)] = better
            return


class _Search:
    """Tabu search with relinking for one order of the modes' values."""

    def __init__(self, race: _Race, starts: Sequence[Schedule], seed: int) -> None:
        self.race = race
        self.random = random.Random(seed)
        self.pool: list[_Kept] = []
        self.exhausted = False
        self.bench: Workbench | None = None
        self.pending: list[Orders] = []
        for schedule in starts[:POOL]:
            bench = build(race.problem, schedule, race.make)
            if bench is None:
                continue
            if self.bench is None:
                self.bench = bench
                bench.scratch.state[kernel.RANDOM] = seed
            elif list(bench.graph.p) != list(self.bench.graph.p) or list(bench.graph.preds) != list(
                self.bench.graph.preds
            ):
                continue  # another unit opens a window: another graph
            self.pending.append(bench.orders)
        self.best_length = min((one.makespan for one in starts), default=0) - race.problem.now
        self._best: Schedule = starts[0]
        self.fresh: Iterator[Schedule] = shuffled(race.problem, seed)
        if self.bench is not None:
            self.spare = self._copy(self.bench.orders)
            self.ranks = race.make([0] * (int(self.bench.graph.size[1]) + 1))
            self.usable = self._load(self.pending[0]) >= 0
        else:
            self.usable = False

    def best_schedule(self) -> Schedule:
        return self._best

    def cycle(self) -> None:
        """One search from a new beginning until it stagnates."""
        assert self.bench is not None
        if not self._begin():
            return
        bench, race = self.bench, self.race
        state = bench.scratch.state
        state[kernel.SINCE] = state[kernel.ITERATION]
        state[kernel.BEST] = state[kernel.CURRENT]
        best = self.spare
        race.loops.copy_orders(bench.orders, best, bench.graph.size[1], bench.graph.size[2])
        while True:
            before = int(state[kernel.ITERATION])
            result = race.loops.search(
                bench.graph, bench.orders, best, bench.times, bench.scratch, bench.choice,
                race.steps(), race.patience, race.bound,
            )  # fmt: skip
            race.iterations += int(state[kernel.ITERATION]) - before
            if result or race.over():
                break
        stuck = result == 1 and int(state[kernel.BEST]) > race.bound
        length = self._load(best)
        if length >= 0:
            schedule = bench.schedule()
            if length < self.best_length:
                self.best_length, self._best = length, schedule
            if race.best is None or schedule.makespan < race.best.makespan:
                race.offer(schedule)
            self._keep(length)
        if stuck:
            self.stuck = getattr(self, "stuck", 0) + 1
            self.exhausted = self.stuck > POOL

    # -- beginnings

    def _begin(self) -> bool:
        assert self.bench is not None
        race, bench = self.race, self.bench
        if self.pending:
            return self._load(self.pending.pop(0)) >= 0
        if len(self.pool) < 2:
            self._load(self.pool[0].orders)
            order = list(range(race.problem.size))
            self.random.shuffle(order)
            return self._towards(race.make(order), 10 + race.problem.size // 10)
        one, other = self.random.sample(self.pool, 2)
        self._load(one.orders)
        apart = int(race.loops.distance(bench.graph, one.orders, other.orders, self.ranks))
        if apart > 10:
            steps = max(5, int(apart * self.random.uniform(0.22, 0.42)))
            return self._towards(other.starts, steps)
        order = list(range(race.problem.size))
        self.random.shuffle(order)
        return self._towards(race.make(order), 10 + race.problem.size // 10)

    def _towards(self, key: Numbers, steps: int) -> bool:
        assert self.bench is not None
        bench = self.bench
        self.race.loops.relink(bench.graph, bench.orders, bench.times, bench.scratch, steps, key)
        return self._evaluate() >= 0

    def _load(self, orders: Orders) -> int:
        assert self.bench is not None
        bench = self.bench
        self.race.loops.copy_orders(orders, bench.orders, bench.graph.size[1], bench.graph.size[2])
        return self._evaluate()

    def _evaluate(self) -> int:
        assert self.bench is not None
        bench = self.bench
        length = int(self.race.loops.evaluate(bench.graph, bench.orders, bench.times, bench.scratch.mark))
        bench.scratch.state[kernel.CURRENT] = length
        return length

    def _copy(self, orders: Orders) -> Orders:
        return Orders(*(self.race.make(one) for one in orders))

    # -- the pool

    def _keep(self, length: Ticks) -> None:
        assert self.bench is not None
        bench = self.bench
        n = self.race.problem.size
        starts = self.race.make([int(bench.times.end[i]) - int(bench.graph.p[i]) for i in range(n)])
        mine = _Kept(length, self._copy(bench.orders), starts)
        for number, kept in enumerate(self.pool):
            apart = self.race.loops.distance(bench.graph, mine.orders, kept.orders, self.ranks)
            if apart < max(3, n // NEAR):
                if length < kept.length:
                    self.pool[number] = mine
                return
        if len(self.pool) < POOL:
            self.pool.append(mine)
            return
        worst = max(range(len(self.pool)), key=lambda number: self.pool[number].length)
        if length < self.pool[worst].length:
            self.pool[worst] = mine
