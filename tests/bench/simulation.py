"""Simulated seconds a CPU second, for the shipped thermal sequence and for the physics alone, and the physics' error.

The floor is the usual way to simulate a bench: an Euler loop at 100 Hz, here in plain Python without a kernel.
The reference for the error shares no code with the physics: Runge-Kutta of fourth order in steps of 20 ms, power from
the formulas of the part.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.core.recorder import MemoryRecorder
from engine.run.request import RunRequest
from engine.run.runner import prepare, run
from engine.sim.physics.world import World
from engine.store import Journal
from schemas.library import Library
from schemas.loading import load
from schemas.station import World as WorldModel
from tests.bench.measure import Line, Row, cpu_s, side_by_side

TITLE = "The simulated bench"
ROOT = Path(__file__).resolve().parents[2]
SETPOINTS = (-40.0, -20.0, 0.0, 25.0, 50.0, 85.0)
SOAK_S = 1_200.0
VIN, LOAD = 5.0, 0.1
AMBIENT = 25.0
RAMP = 10.0 / 60.0
STEP_S = 0.02


def figures() -> Iterator[Line]:
    euler = 2_000.0 / cpu_s(lambda: _euler(2_000.0))
    yield from _sequence(euler)
    span_s = SOAK_S * len(SETPOINTS)
    took = side_by_side({"minute": lambda: _physics(60.0), "second": lambda: _physics(1.0)}, 5)
    floor = "100 Hz Euler loop"
    yield Row("physics alone, a query each simulated minute", span_s / took["minute"], "s/s", floor, euler)
    yield Row("physics alone, a query each simulated second", span_s / took["second"], "s/s", floor, euler)
    case, vout, euler_case = _errors()
    span = max(SETPOINTS) - min(SETPOINTS)
    yield Row("largest error of the case temperature, of its span", case / span, "", floor, euler_case / span, "≤ 1e-6")
    yield Row("largest error of the output voltage, relative", vout, "", "", None, "≤ 1e-6")


def _sequence(euler: float) -> Iterator[Line]:
    library = Library(ROOT, None, None)
    simulated: list[float] = []

    def prepared():  # type: ignore[no-untyped-def]
        station = load(ROOT / "stations/sim_bench.yaml", "station")
        return prepare(RunRequest(load(ROOT / "sequences/ldo_tempco.yaml", "sequence"), station), library, ROOT)

    ready = prepared()
    with (
        tempfile.TemporaryDirectory(prefix="benchwright-bench-") as name,
        Journal(Path(name) / "benchwright.db") as journal,
    ):
        took = side_by_side(
            {
                "engine": lambda: simulated.append(run(ready, recorder=MemoryRecorder()).duration_s),
                "journal": lambda: run(ready, journal),
                "whole": lambda: run(prepared(), journal),
            },
            5,
        )
    floor = "100 Hz Euler loop"
    yield Row("ldo_tempco, engine included", simulated[0] / took["engine"], "s/s", floor, euler, "≥ 1,000,000")
    yield Row("the same, journal included", simulated[0] / took["journal"], "s/s", floor, euler)
    yield Row("the same, loading and compiling included", simulated[0] / took["whole"], "s/s", floor, euler)


def _world() -> World:
    model = WorldModel.model_validate({"model": "ldo", "parameters": {"soft_start": "0 s"}, "spread": 0})
    world = World(model, ("A",))
    site = world.site("A")
    site.supply(0.0, VIN, 1.0)
    site.load(0.0, LOAD)
    return world


def _physics(every_s: float) -> list[tuple[float, float]]:
    """Case temperature and output voltage at regular times through all the soaks."""
    world = _world()
    site = world.site("A")
    found = []
    for number, setpoint in enumerate(SETPOINTS):
        start = number * SOAK_S
        world.set_setpoint(start, setpoint)
        for index in range(1, round(SOAK_S / every_s) + 1):
            state = site.at(start + index * every_s)
            found.append((state.case, state.point.vout))
    return found


def _electrical(case: float) -> tuple[float, float]:
    """Power and output voltage at a case temperature, by iteration; it contracts 10⁴-fold a round."""
    junction = case
    power = vout = 0.0
    for _ in range(4):
        warm = junction - 25.0
        vout = 3.3 * (1.0 + 50e-6 * warm) - 0.02 * LOAD
        power = (VIN - vout) * LOAD + VIN * 50e-6 * (1.0 + 0.003 * warm)
        junction = case + 15.0 * power
    return power, vout


def _reference_of(setpoint: float, start: float, since_s: float) -> float:
    gap = setpoint - start
    moved = min(abs(gap), RAMP * since_s)
    return start + (moved if gap > 0 else -moved)


def _errors() -> tuple[float, float, float]:
    """Largest errors of case (K) and output (relative) at whole seconds; and of the case in the Euler loop."""
    exact = _physics(1.0)
    euler = _euler(SOAK_S * len(SETPOINTS))
    air = case = AMBIENT
    worst_case = worst_vout = worst_euler = 0.0
    seconds = 0
    start = AMBIENT
    h = STEP_S
    for setpoint in SETPOINTS:
        for index in range(round(SOAK_S / h)):
            now = index * h
            r1, r2, r3 = (_reference_of(setpoint, start, at) for at in (now, now + h / 2, now + h))
            a1, c1 = (r1 - air) / 30.0, _case_rate(air, case)
            a2, c2 = (r2 - air - a1 * h / 2) / 30.0, _case_rate(air + a1 * h / 2, case + c1 * h / 2)
            a3, c3 = (r2 - air - a2 * h / 2) / 30.0, _case_rate(air + a2 * h / 2, case + c2 * h / 2)
            a4, c4 = (r3 - air - a3 * h) / 30.0, _case_rate(air + a3 * h, case + c3 * h)
            air += h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
            case += h / 6 * (c1 + 2 * c2 + 2 * c3 + c4)
            if (index + 1) % round(1 / h) == 0:
                vout = _electrical(case)[1]
                worst_case = max(worst_case, abs(exact[seconds][0] - case))
                worst_vout = max(worst_vout, abs(exact[seconds][1] - vout) / vout)
                worst_euler = max(worst_euler, abs(euler[seconds] - case))
                seconds += 1
        start = setpoint
    return worst_case, worst_vout, worst_euler


def _case_rate(air: float, case: float) -> float:
    return (air - case + 5.0 * _electrical(case)[0]) / 5.0


def _euler(span_s: float) -> list[float]:
    """Case temperatures at whole seconds, the bench ticked at 100 Hz."""
    air = case = start = AMBIENT
    found = []
    for tick in range(round(span_s * 100)):
        soak, inside = divmod(tick, round(SOAK_S * 100))
        if inside == 0 and soak:
            start = SETPOINTS[soak - 1]
        reference = _reference_of(SETPOINTS[soak], start, inside * 0.01)
        air, case = air + 0.01 * (reference - air) / 30.0, case + 0.01 * _case_rate(air, case)
        if tick % 100 == 99:
            found.append(case)
    return found
