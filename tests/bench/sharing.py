"""Many units through the whole engine: sequence text, compiler, planner, dispatcher, locks, on the virtual clock.

A job shop becomes a sequence: every job is a unit, every machine a resource of the station, every operation a `wait` that `uses`
it. What comes out is what a user would get, not what a planner promises.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine.core.recorder import NullRecorder
from engine.run.request import RunRequest
from engine.run.runner import Prepared, prepare, run
from engine.run.scheduling import Ordering, ordering
from engine.schedule import Budget, Estimate, plan_problem
from engine.schedule.problem import Problem
from schemas.library import Library
from schemas.loading import load, load_text
from tests.bench.measure import Line, Row
from tests.bench.scheduling import SPREAD, _drawn, _with
from tests.bench.shops import Shop, shops

TITLE = "Many units through the engine"
ROOT = Path(__file__).resolve().parents[2]
PLANNING = "2s"
AGAIN = Budget(iterations=1500)
SHOPS = 6


def figures() -> Iterator[Line]:
    chosen = [shop for shop in shops() if 100 <= shop.problem.size <= 300][:SHOPS]
    yield from _as_planned(chosen)
    yield from _drifting(chosen)
    yield from _rack()


def _as_planned(chosen: Sequence[Shop]) -> Iterator[Line]:
    gaps: dict[str, list[float]] = {"fifo": [], "rules": [], "plan": []}
    for shop in chosen:
        actual = [task.duration for task in shop.problem.tasks]
        for policy, found in gaps.items():
            found.append(100.0 * (_through(shop.problem, actual, policy) / shop.best_known - 1.0))
    come = statistics.mean(gaps["fifo"])
    name = f"{len(chosen)} job shops as sequences, over the best known"
    yield Row(f"{name}: rules", statistics.mean(gaps["rules"]), "%", "first come", come)
    yield Row(f"{name}: plan, {PLANNING}", statistics.mean(gaps["plan"]), "%", "first come", come, "≤ 1.0")


def _drifting(chosen: Sequence[Shop]) -> Iterator[Line]:
    gaps: dict[str, list[float]] = {"fifo": [], "rules": [], "plan": []}
    for number, shop in enumerate(chosen):
        problem = shop.problem
        actual = _drawn(problem, seed=100 + number)
        known = Problem(
            tuple(_with(task, actual[index]) for index, task in enumerate(problem.tasks)), problem.resources
        )
        clairvoyant = plan_problem(known, PLANNING).schedule.makespan
        for policy, found in gaps.items():
            found.append(100.0 * (_through(problem, actual, policy) / clairvoyant - 1.0))
    come = statistics.mean(gaps["fifo"])
    name = f"the same, durations ± {SPREAD:.0%}, over a plan that knew them"
    yield Row(f"{name}: rules", statistics.mean(gaps["rules"]), "%", "first come", come)
    yield Row(f"{name}: planned again under way", statistics.mean(gaps["plan"]), "%", "first come", come, "≤ 7")


def _through(problem: Problem, actual: Sequence[int], policy: str) -> float:
    """Milliseconds of simulated time that the engine takes for a job shop."""
    prepared, nodes = _as_sequence(problem, actual)
    known = {node: Estimate(task.duration * problem.tick_s) for node, task in zip(nodes, problem.tasks, strict=True)}
    orders = {node.id: node.order for node in prepared.plan.root.steps.nodes}
    match policy:
        case "plan":
            tasks = tuple(
                replace(task, node=node, order=orders[node]) for node, task in zip(nodes, problem.tasks, strict=True)
            )
            planned = plan_problem(replace(problem, tasks=tasks), PLANNING)
            order = Ordering("plan", planned, known, AGAIN)
        case "rules":
            order = Ordering("rules", None, known)
        case _:
            order = Ordering("fifo")
    summary = run(prepared, recorder=NullRecorder(), run_id="bench", ordering=order, exclusive=False)
    assert summary.message == "", summary
    return summary.duration_s * 1000.0


def _as_sequence(problem: Problem, actual: Sequence[int]) -> tuple[Prepared, list[str]]:
    """The shop as files, ready to run, and the node of each of its tasks."""
    jobs = sorted({task.unit for task in problem.tasks})
    steps, nodes = [], []
    for number, (task, duration) in enumerate(zip(problem.tasks, actual, strict=True)):
        machine = f"m{task.claims[0][0]}"
        steps.append(f"  - {{id: s{number}, wait: {duration} ms, uses: [{machine}], when: dut.index == {task.unit}}}")
        nodes.append(f"steps/s{number}")
    resources = "\n".join(f"  m{index}: {{capacity: {one.capacity}}}" for index, one in enumerate(problem.resources))
    station = (
        f"station: shop\nclock: virtual\nsites: [{', '.join(f'S{job}' for job in jobs)}]\n"
        f"instruments:\n  card: {{driver: relay_card, backend: sim, per_site: true}}\nresources:\n{resources}\n"
    )
    request = RunRequest(
        load_text("sequence: shop\nsteps:\n" + "\n".join(steps) + "\n", "shop.yaml", "sequence"),
        load_text(station, "shop_station.yaml", "station"),
        serials=tuple(f"J{job}" for job in jobs),
    )
    return prepare(request, Library(ROOT), ROOT), nodes


def _rack() -> Iterator[Line]:
    """Eight units on the rack beside eight runs one after the other."""
    for sequence in ("ldo_tempco", "ldo_characterisation", "ldo_dropout"):
        request = RunRequest(
            load(ROOT / "sequences" / f"{sequence}.yaml", "sequence"),
            load(ROOT / "stations" / "sim_rack.yaml", "station"),
            serials=tuple(f"LDO{number}" for number in range(1, 9)),
        )
        prepared = prepare(request, Library(ROOT), ROOT)
        begun = time.process_time()
        together = run(
            prepared, recorder=NullRecorder(), run_id="bench", ordering=ordering(prepared), exclusive=False
        ).duration_s
        taken = time.process_time() - begun
        alone = sum(
            run(
                replace(prepared, units=(replace(unit, index=0, site=prepared.plan.sites[0]),)),
                recorder=NullRecorder(),
                run_id="bench",
                exclusive=False,
            ).duration_s
            for unit in prepared.units
        )
        yield Row(f"eight units of {sequence} on sim_rack, simulated", together, "s", "one after the other", alone)
        yield Row("the same, CPU time with planning", taken, "s")
