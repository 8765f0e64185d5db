"""How near the best possible plans are: classical job shops, racks in a chamber, and runs whose durations are not what was planned.

Planning time is CPU time of one process. By default every eighth job shop is planned; all 162 where BENCHWRIGHT_ALL_SHOPS is
set, which takes a quarter of an hour.
"""

from __future__ import annotations

import heapq
import math
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

from engine.schedule import kernel_numba
from engine.schedule.bounds import lower_bound
from engine.schedule.estimate import Budget
from engine.schedule.improve import Engine, improve, warm_up
from engine.schedule.planned import PlannedOrder, plan_problem
from engine.schedule.problem import Problem
from engine.schedule.replan import Happened, replan
from engine.schedule.rules import candidates, first_come, first_plan, longest_tail
from engine.schedule.schedule import check_feasible
from tests.bench.measure import Line, Note, Row
from tests.bench.shops import Shop, racks, shops

TITLE = "Planning: distance from the best known"
ALL = "BENCHWRIGHT_ALL_SHOPS"
PLAIN = 19
"""Job shops that are planned without the extra, the smaller ones first."""
SPREAD = 0.2
"""Standard deviation over mean of durations that are drawn, lognormally."""
LENIENCE = 0.3
"""Share of its length by which work that is let in may hold up planned work: waiting for what may come late costs more."""


def figures() -> Iterator[Line]:
    known = shops()
    chosen = known if os.environ.get(ALL) or len(known) < 20 else known[::8]
    yield from _job_shops(chosen)
    yield from _racks()
    yield from _online(chosen)


def _job_shops(chosen: Sequence[Shop]) -> Iterator[Line]:
    count = f"{len(chosen)} job shops"
    come = [_gap(shop, first_come(shop.problem).makespan) for shop in chosen]
    rule = [_gap(shop, first_plan(shop.problem).makespan) for shop in chosen]
    yield Row(f"{count}: rules, mean", statistics.mean(rule), "%", "first come, first served", statistics.mean(come))
    yield Row(f"{count}: rules, worst", max(rule), "%", "first come, first served", max(come))
    if kernel_numba.available():
        warm_up()
        for seconds, mean, worst in ((1.0, "≤ 1.0", ""), (5.0, "≤ 0.6", "≤ 4")):
            gaps = [_planned(shop, seconds, "compiled") for shop in chosen]
            beside = statistics.mean(come), max(come)
            yield Row(f"{count}: {seconds:g} s with the extra, mean", statistics.mean(gaps), "%", "first come", beside[0],
                      mean)  # fmt: skip
            yield Row(f"{count}: {seconds:g} s with the extra, worst", max(gaps), "%", "first come", beside[1], worst)
    else:
        yield Note("the extra `plan` is not installed: no figures for the compiled search")
    small = sorted(chosen, key=lambda shop: shop.problem.size)[:PLAIN]
    gaps = [_planned(shop, 5.0, "python") for shop in small]
    yield Row(f"{len(small)} job shops: 5 s without the extra, mean", statistics.mean(gaps), "%", target="≤ 2.5")
    yield Row(f"{len(small)} job shops: 5 s without the extra, worst", max(gaps), "%")


def _gap(shop: Shop, length: float) -> float:
    return 100.0 * (length / shop.best_known - 1.0)


def _planned(shop: Shop, seconds: float, engine: Engine) -> float:
    begun = time.process_time()
    starts = [one.schedule for one in candidates(shop.problem)]
    left = Budget(seconds=max(0.0, seconds - (time.process_time() - begun)))
    found = improve(shop.problem, left, starts=starts, bound=shop.bound, engine=engine, clock=time.process_time)
    assert not check_feasible(shop.problem, found.schedule)
    return _gap(shop, found.schedule.makespan)


def _racks() -> Iterator[Line]:
    come: list[float] = []
    rule: list[float] = []
    plan: list[float] = []
    for _, problem in racks():
        bound = lower_bound(problem)
        planned = plan_problem(problem, "1s")
        assert not check_feasible(problem, planned.schedule)
        come.append(first_come(problem).makespan / bound)
        rule.append(first_plan(problem).makespan / bound)
        plan.append(planned.schedule.makespan / bound)
    name = f"{len(plan)} racks in a chamber, over the lower bound"
    yield Row(f"{name}: rules, mean", statistics.mean(rule), "", "first come", statistics.mean(come))
    yield Row(
        f"{name}: 1 s of planning, mean", statistics.mean(plan), "", "first come", statistics.mean(come), "≤ 1.02"
    )
    yield Row(f"{name}: 1 s of planning, worst", max(plan), "", "first come", max(come), "≤ 1.06")


# --- durations that are not what was planned


def _online(chosen: Sequence[Shop]) -> Iterator[Line]:
    small = [shop for shop in chosen if 100 <= shop.problem.size <= 300][:6]
    came: list[float] = []
    ranked: list[float] = []
    again: list[float] = []
    for number, shop in enumerate(small):
        problem = shop.problem
        actual = _drawn(problem, seed=number)
        known = Problem(
            tuple(_with(task, actual[index]) for index, task in enumerate(problem.tasks)), problem.resources
        )
        clairvoyant = improve(known, Budget(seconds=2.0), clock=time.process_time).schedule.makespan
        planned = plan_problem(problem, "2s")
        ready: dict[int, int] = {}
        tail = longest_tail(problem)
        came.append(_run(problem, actual, lambda index, now, ready=ready: ready.setdefault(index, now)))
        ranked.append(_run(problem, actual, lambda index, now, tail=tail: tail[index]))
        again.append(_run_planned(problem, actual, planned))
        for gaps in (came, ranked, again):
            gaps[-1] = 100.0 * (gaps[-1] / clairvoyant - 1.0)
    if small:
        name = f"{len(small)} job shops, durations ± {SPREAD:.0%}, over a plan that knew them"
        yield Row(f"{name}: rule, mean", statistics.mean(ranked), "%", "first come", statistics.mean(came))
        yield Row(
            f"{name}: planned again, mean", statistics.mean(again), "%", "first come", statistics.mean(came), "≤ 7"
        )


def _with(task, duration):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(task, duration=duration)


def _drawn(problem: Problem, seed: int) -> list[int]:
    draw = random.Random(seed)
    sigma = math.sqrt(math.log(1 + SPREAD * SPREAD))
    return [max(1, round(task.duration * math.exp(draw.gauss(-sigma * sigma / 2, sigma)))) for task in problem.tasks]


def _run(problem: Problem, actual: Sequence[int], key: Callable[[int, int], float]) -> float:
    """Whoever may start does, smallest key first."""
    run = _Run(problem, actual)
    while run.left:
        for index in sorted(run.ready, key=lambda index: (key(index, run.now), index)):
            run.start_if_free(index)
        run.next_instant()
    return run.now


def _run_planned(problem: Problem, actual: Sequence[int], planned: PlannedOrder) -> float:
    """In planned order, with work let in where it (nearly) ends before the planned work begins; planned again when something ends."""
    run = _Run(problem, actual)
    order, moved = planned, False
    due = {task.id: start for task, start in zip(order.problem.tasks, order.schedule.starts, strict=True)}
    while run.left:
        if moved:
            happened = Happened(run.now * problem.tick_s, run.started(), run.finished(), frozenset())
            order = replan(order, happened, "iters:1500", problem=problem)
            due = {task.id: start for task, start in zip(order.problem.tasks, order.schedule.starts, strict=True)}
        for index in sorted(run.ready, key=lambda index: (due[problem.tasks[index].id], index)):
            task = problem.tasks[index]
            ahead = [
                other
                for resource, _ in task.claims
                for other in run.users[resource]
                if other not in run.starts and other != index and due[problem.tasks[other].id] < due[task.id]
            ]
            sure = run.now + task.duration * (1.0 - LENIENCE)
            if all(sure <= max(due[problem.tasks[other].id], run.earliest(other)) for other in ahead):
                run.start_if_free(index)
        moved = run.next_instant() > 0
    return run.now


class _Run:
    """A run under way, told by its own clock."""

    def __init__(self, problem: Problem, actual: Sequence[int]) -> None:
        self.problem = problem
        self.actual = actual
        self.now = 0
        self.starts: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        self.busy: set[int] = set()
        self.events: list[tuple[int, int]] = []
        self.left = problem.size
        self.ready = {index for index, task in enumerate(problem.tasks) if not task.predecessors}
        self.users: list[list[int]] = [[] for _ in problem.resources]
        for index, task in enumerate(problem.tasks):
            for resource, _ in task.claims:
                self.users[resource].append(index)

    def start_if_free(self, index: int) -> None:
        claims = [resource for resource, _ in self.problem.tasks[index].claims]
        if self.busy.isdisjoint(claims):
            self.busy.update(claims)
            self.ready.discard(index)
            self.starts[index] = self.now
            heapq.heappush(self.events, (self.now + self.actual[index], index))

    def earliest(self, index: int) -> int:
        """When it could start as far as its own steps go."""
        task = self.problem.tasks[index]
        before = task.predecessors[0] if task.predecessors else None
        if before is None or before in self.ends:
            return self.now
        begun = self.starts.get(before)
        expected = self.problem.tasks[before].duration
        return max(self.now, begun + expected) if begun is not None else self.earliest(before) + expected

    def next_instant(self) -> int:
        """Go to when something ends; gives how much."""
        self.now = self.events[0][0]
        count = 0
        while self.events and self.events[0][0] == self.now:
            index = heapq.heappop(self.events)[1]
            count += 1
            self.left -= 1
            self.ends[index] = self.now
            self.busy.difference_update(resource for resource, _ in self.problem.tasks[index].claims)
            self.ready.update(self.problem.successors[index])
        return count

    def started(self) -> dict[tuple[int, int], float]:
        return {self._key(i): self.starts[i] * self.problem.tick_s for i in self.starts if i not in self.ends}

    def finished(self) -> dict[tuple[int, int], tuple[float, float]]:
        tick = self.problem.tick_s
        return {self._key(i): (self.starts[i] * tick, end * tick) for i, end in self.ends.items()}

    def _key(self, index: int) -> tuple[int, int]:
        return (self.problem.tasks[index].unit, self.problem.tasks[index].order)


def main() -> None:
    for line in figures():
        print(line, flush=True)


if __name__ == "__main__":
    main()
