"""Random scheduling problems for the tests: graphs of tasks, claims, pools, spans and modes."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from engine.schedule.problem import FreeSweep, Mode, ModeHold, Problem, Resource, Span, Task


def random_problem(
    seed: int, *, units: int = 4, steps: int = 6, spans: bool = True, modes: bool = True, branches: bool = True
) -> Problem:
    """Units with a few steps each; what a unit holds never contradicts what it needs inside."""
    draw = random.Random(seed)
    resources = [Resource(f"r{k}", draw.choice((1, 1, 2, 3))) for k in range(draw.randint(2, 4))]
    tasks: list[Task] = []
    held: list[Span] = []
    holds: list[ModeHold] = []
    values = draw.randint(2, 3)
    table = [[0 if i == j else draw.randint(1, 20) for j in range(values + 1)] for i in range(values + 1)]
    with_mode = modes and draw.random() < 0.7
    sited = spans and draw.random() < 0.3 and units > 2
    if sited:
        resources.append(Resource("site", 2, "site"))
    for unit in range(units):
        first = len(tasks)
        count = draw.randint(1, steps)
        span_at = draw.randrange(count) if spans and draw.random() < 0.5 else None
        span_to = draw.randrange(span_at, count) if span_at is not None else None
        span_on = draw.randrange(len(resources) - sited)
        mode_at = draw.randrange(count) if with_mode and draw.random() < 0.8 else None
        for step in range(count):
            index = first + step
            claims = {}
            inside = span_at is not None and span_to is not None and span_at <= step <= span_to
            for resource in draw.sample(range(len(resources) - sited), draw.choice((0, 1, 1, 2))):
                if inside and resource == span_on:
                    continue
                claims[resource] = draw.randint(1, resources[resource].capacity)
            before: tuple[int, ...] = (index - 1,) if step else ()
            chained = inside or mode_at is not None or sited or step == 0
            if branches and not chained and draw.random() < 0.4:
                before = tuple(sorted(draw.sample(range(first, index), draw.randint(0, min(2, step)))))
            tasks.append(
                Task(
                    f"{unit}.{step}", unit, f"n{step}", step, draw.choice((0, 1, 3, 5, 8, 13)),
                    predecessors=before, claims=tuple(sorted(claims.items())),
                    release=draw.choice((0, 0, 0, 7)),
                )
            )  # fmt: skip
        if span_at is not None and span_to is not None and (mode_at is not None or sited or not branches):
            held.append(Span(span_on, first + span_at, first + span_to))
        if mode_at is not None:
            middle = draw.randint(mode_at, count - 1)
            holds.append(ModeHold(0, draw.randrange(values), first + mode_at, first + middle))
            if middle + 1 < count:
                holds.append(ModeHold(0, draw.randrange(values), first + middle + 1, first + count - 1))
        if sited:
            held.append(Span(len(resources) - 1, first, first + count - 1))
    mode = (Mode("chamber", tuple(range(values + 1)), tuple(tuple(row) for row in table), values),) if holds else ()
    return Problem(tuple(tasks), tuple(resources), tuple(held), mode, tuple(holds))


def free_sweep(units: int, values: int, seed: int = 0) -> Problem:
    """Units that visit setpoints in any order, with one meter for all."""
    draw = random.Random(seed)
    tasks: list[Task] = []
    spans: list[Span] = []
    holds: list[ModeHold] = []
    sweeps: list[FreeSweep] = []
    resources = [Resource("meter")]
    for unit in range(units):
        resources.append(Resource(f"sweep@{unit}", 1, "sweep", unit))
        points = []
        for value in range(values):
            first = len(tasks)
            tasks.append(Task(f"{unit}.{value}.set", unit, f"set{value}", 10 * value, 0))
            tasks.append(Task(f"{unit}.{value}.read", unit, f"read{value}", 10 * value + 1, draw.randint(5, 20),
                              predecessors=(first,), claims=((0, 1),)))  # fmt: skip
            spans.append(Span(unit + 1, first, first + 1))
            holds.append(ModeHold(0, value, first, first + 1))
            points.append((value, first))
        sweeps.append(FreeSweep(unit, "sweep", unit + 1, tuple(points)))
    table = tuple(tuple(abs(i - j) * 30 for j in range(values + 1)) for i in range(values + 1))
    mode = Mode("chamber", tuple(range(values + 1)), table, values // 2)
    return Problem(tuple(tasks), tuple(resources), tuple(spans), (mode,), tuple(holds), tuple(sweeps))


def job_shop(jobs: int, machines: int, seed: int) -> Problem:
    """Every job visits every machine once."""
    draw = random.Random(seed)
    tasks: list[Task] = []
    for job in range(jobs):
        order = draw.sample(range(machines), machines)
        for step, machine in enumerate(order):
            before = (len(tasks) - 1,) if step else ()
            tasks.append(Task(f"{job}.{step}", job, f"{step}", step, draw.randint(1, 99), predecessors=before,
                              claims=((machine, 1),)))  # fmt: skip
    return Problem(tuple(tasks), tuple(Resource(f"m{k}") for k in range(machines)))


problems = st.builds(
    random_problem,
    st.integers(0, 10**6),
    units=st.integers(1, 5),
    steps=st.integers(1, 7),
    spans=st.booleans(),
    modes=st.booleans(),
    branches=st.booleans(),
)
