"""The physics against formulas worked out by hand and against a fine integrator that shares none of its methods."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from math import exp
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import UsageError
from engine.sim.physics.chamber import Chamber, ChamberParameters
from engine.sim.physics.ldo import Drive, LdoParameters, solve
from engine.sim.physics.parameters import DEFECTS, defect_of, draw_unit
from engine.sim.physics.world import World
from schemas.station import World as Spec


def world(serial: str = "SN1", seed: int = 1, spread: float = 0.0, dynamics: str = "exact", **parameters: Any) -> World:
    spec = Spec(model="ldo", parameters=parameters, seed=seed, dynamics=dynamics, spread=spread)
    return World(spec, ["A"], {"A": serial})


IDEAL = {"load_regulation": 0, "line_regulation": 0}


def oracle(chamber: float, vin: float, load: float) -> tuple[float, float, float]:
    """Tj, Vout, P by plain repetition of the formulas of the reference, to the last digit."""
    tj = chamber
    vout = power = 0.0
    for _ in range(500):
        vdo = 0.3 * ((tj + 273.15) / 300.0) ** 1.5
        vout = min(3.3 * (1 + 50 * (tj - 25) * 1e-6), max(0.0, vin - vdo))
        power = (vin - vout) * load + vin * 50e-6 * (1 + 0.003 * (tj - 25))
        tj = chamber + power * 20.0
    return tj, vout, power


POINTS = [
    (-40, 5.0, 0.1, -36.576, 3.289840, 0.171220),
    (25, 5.0, 0.1, 28.404, 3.300562, 0.170196),
    (85, 5.0, 0.1, 88.385, 3.310459, 0.169252),
    (25, 3.3, 0.05, 25.301, 3.002321, 0.015049),
    (25, 12.0, 0.5, 111.872, 3.314334, 4.343589),
]


@pytest.mark.parametrize("dynamics", ["exact", "settled"])
@pytest.mark.parametrize(("chamber", "vin", "load", "tj", "vout", "power"), POINTS)
def test_the_oracle_points_of_the_reference_are_met(
    dynamics: str, chamber: float, vin: float, load: float, tj: float, vout: float, power: float
) -> None:
    bench = world(dynamics=dynamics, **IDEAL)
    bench.set_setpoint(0.0, chamber)
    bench.site("A").supply(0.0, vin, 1.0)
    bench.site("A").load(0.0, load)
    truth = bench.site("A").truth(7200.0)
    assert truth["tj"] == pytest.approx(tj, abs=6e-4)
    assert truth["vout"] == pytest.approx(vout, abs=1e-6)
    assert truth["power"] == pytest.approx(power, abs=1e-6)
    exact = oracle(chamber, vin, load)
    assert (truth["tj"], truth["vout"], truth["power"]) == pytest.approx(exact, rel=1e-9)


def reference(bench: World, events: list[tuple[float, str, float]], end_s: float, step_s: float) -> list[float]:
    """Case temperatures at the end of each second, by Runge-Kutta with a fine step, chamber included as an ODE."""
    part = bench.site("A").part
    air = case = ramped = bench.chamber.parameters.ambient
    setpoint, rate = ramped, bench.chamber.ramp_rate / 60.0
    vin, limit, load = 0.0, 0.0, 0.0
    found: list[float] = []
    queue = sorted(events, key=lambda event: event[0])
    steps = round(end_s / step_s)
    per_second = round(1.0 / step_s)
    for index in range(steps):
        now = index * step_s
        while queue and queue[0][0] <= now + step_s / 2:
            _, what, value = queue.pop(0)
            if what == "setpoint":
                setpoint = value
            elif what == "vin":
                vin = value
            elif what == "limit":
                limit = value
            else:
                load = value

        def slope(
            h: float, air: float, case: float, drive: Drive, start: float, setpoint: float = setpoint
        ) -> tuple[float, float]:
            gap = setpoint - start
            moved = min(abs(gap), rate * h) * (1 if gap > 0 else -1)
            power = solve(part, case, drive).power
            return (start + moved - air) / 30.0, (air - case + power * part.theta_ca) / part.case_time

        drive = Drive(vin, limit, load)
        a1, c1 = slope(0, air, case, drive, ramped)
        a2, c2 = slope(step_s / 2, air + a1 * step_s / 2, case + c1 * step_s / 2, drive, ramped)
        a3, c3 = slope(step_s / 2, air + a2 * step_s / 2, case + c2 * step_s / 2, drive, ramped)
        a4, c4 = slope(step_s, air + a3 * step_s, case + c3 * step_s, drive, ramped)
        air += step_s / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        case += step_s / 6 * (c1 + 2 * c2 + 2 * c3 + c4)
        gap = setpoint - ramped
        ramped += min(abs(gap), rate * step_s) * (1 if gap > 0 else -1)
        if (index + 1) % per_second == 0:
            found.append(case)
    return found


def play(bench: World, events: list[tuple[float, str, float]]) -> None:
    site = bench.site("A")
    vin = limit = 0.0
    for time_s, what, value in sorted(events):
        if what == "setpoint":
            bench.set_setpoint(time_s, value)
        elif what == "load":
            site.load(time_s, value)
        else:
            vin, limit = (value, limit) if what == "vin" else (vin, value)
            site.supply(time_s, vin, limit)


SCENES = {
    "regulating through a ramp and load steps": [
        (0, "limit", 2.0), (0, "vin", 5.0), (0, "load", 0.1), (5, "setpoint", 85), (60, "load", 0.5), (200, "load", 0.01),
        (260, "vin", 12.0), (300, "load", 0.2),
    ],
    "a ramp in dropout": [(0, "limit", 2.0), (0, "vin", 3.4), (0, "load", 0.3), (5, "setpoint", -40), (300, "load", 0.05)],
    "into dropout and out of it": [
        (0, "limit", 2.0), (0, "vin", 3.64), (0, "load", 0.5), (5, "setpoint", 60), (250, "setpoint", 20), (300, "vin", 3.5),
    ],
    "the supply in constant current": [
        (0, "limit", 0.1), (0, "vin", 9.0), (0, "load", 0.3), (5, "setpoint", 60), (200, "limit", 0.4),
    ],
    "a setpoint turned back on its way": [
        (0, "limit", 2.0), (0, "vin", 12.0), (0, "load", 0.5), (5, "setpoint", 85), (65, "setpoint", 10), (90, "setpoint", 40),
    ],
}  # fmt: skip


@pytest.mark.parametrize("scene", SCENES)
def test_the_case_follows_a_fine_integrator_to_a_millionth(scene: str) -> None:
    bench = world(soft_start=0)
    expected = reference(bench, SCENES[scene], 360.0, 0.05)
    events = sorted(SCENES[scene], key=lambda event: event[0])
    site = bench.site("A")
    position = 0
    for second, case in enumerate(expected, start=1):
        due = [event for event in events[position:] if event[0] < second]
        for event in due:
            _apply(bench, event)
        position += len(due)
        assert site.at(float(second)).case == pytest.approx(case, rel=1e-6, abs=1e-6), f"at {second} s"


def _apply(bench: World, event: tuple[float, str, float]) -> None:
    time_s, what, value = event
    site = bench.site("A")
    drive = site._thermal.drive
    match what:
        case "setpoint":
            bench.set_setpoint(time_s, value)
        case "load":
            site.load(time_s, value)
        case "vin":
            site.supply(time_s, value, drive.current_limit)
        case _:
            site.supply(time_s, drive.voltage, value)


@settings(max_examples=8, deadline=None)
@given(
    events=st.lists(
        st.one_of(
            st.tuples(st.integers(0, 80), st.just("setpoint"), st.floats(-55, 80)),
            st.tuples(st.integers(0, 80), st.just("load"), st.sampled_from([0.0, 0.1, 0.5, 0.9])),
            st.tuples(st.integers(0, 80), st.just("vin"), st.sampled_from([0.0, 0.4, 3.3, 3.5, 3.65, 5.0, 12.0])),
            st.tuples(st.integers(0, 80), st.just("limit"), st.sampled_from([0.05, 0.3, 2.0])),
        ),
        max_size=6,
    )
)
def test_any_course_of_events_follows_the_fine_integrator(events: list[tuple[float, str, float]]) -> None:
    events = sorted([(0, "limit", 2.0), (0, "vin", 5.0), *events], key=lambda event: event[0])
    bench = world(soft_start=0, thermal_shutdown="900 degC")
    expected = reference(bench, events, 90.0, 0.05)
    for second, case in enumerate(expected, start=1):
        for event in (e for e in events if second - 1 <= e[0] < second):
            _apply(bench, event)
        assert bench.site("A").at(float(second)).case == pytest.approx(case, rel=1e-6, abs=1e-6)


def test_the_heat_of_a_slow_start_is_counted() -> None:
    slow, none = world(soft_start="2 s", **IDEAL), world(soft_start=0, **IDEAL)
    part = slow.site("A").part
    for bench in (slow, none):
        bench.site("A").supply(0.0, 12.0, 2.0)
        bench.site("A").load(0.0, 0.3)
    case, step = 25.0, 0.0005
    drive = Drive(12.0, 2.0, 0.3)
    for index in range(round(6 / step)):

        def slope(time_s: float, case: float) -> float:
            return (25.0 - case + solve(part, case, drive, 1 - exp(-time_s / 2.0)).power * 5.0) / 5.0

        start = index * step
        half = slope(start + step / 2, case + step / 2 * slope(start, case))
        case += step * half
    assert slow.site("A").at(6.0).case == pytest.approx(case, abs=2e-5)
    assert slow.site("A").at(6.0).case > none.site("A").at(6.0).case + 0.1


def test_a_part_that_would_run_away_is_refused() -> None:
    with pytest.raises(UsageError, match="heat itself without end"):
        world(theta_ca="1000 degC/W", tempco="5000 ppm/degC")


def test_looking_never_changes_what_is_seen_later() -> None:
    seen, unseen = world(), world()
    for bench in (seen, unseen):
        play(bench, SCENES["into dropout and out of it"][:4])
    for tick in range(1, 2000):
        seen.site("A").at(5 + tick * 0.1)
    assert seen.site("A").at(210.0) == unseen.site("A").at(210.0)
    seen.site("A").at(3.0)
    assert seen.site("A").at(210.0) == unseen.site("A").at(210.0)


def test_a_read_before_the_last_event_gives_the_state_at_that_event() -> None:
    bench = world()
    play(bench, [(0, "limit", 1.0), (0, "vin", 5.0), (100, "load", 0.3)])
    assert bench.site("A").at(50.0) == bench.site("A").at(100.0)


def test_an_hour_of_a_settled_bench_costs_nothing() -> None:
    bench = world()
    play(bench, [(0, "limit", 2.0), (0, "vin", 3.4), (0, "load", 0.3), (1, "setpoint", 85)])
    bench.site("A").at(3600.0)
    pieces = len(bench.site("A")._thermal._pieces)
    start = time.process_time()
    for hour in range(2, 1002):
        bench.site("A").at(3600.0 * hour)
    assert len(bench.site("A")._thermal._pieces) == pieces
    assert 1000 * 3600 / (time.process_time() - start + 1e-9) > 10_000_000


def test_a_loaded_part_heats_itself_by_its_power_and_resistances() -> None:
    bench = world()
    site = bench.site("A")
    site.supply(0.0, 12.0, 2.0)
    site.load(0.0, 0.5)
    early, late = site.truth(0.5), site.truth(600.0)
    assert early["tj"] < late["tj"]
    assert late["tj"] == pytest.approx(25 + late["power"] * 20.0, abs=1e-9)
    assert late["power"] == pytest.approx((12 - late["vout"]) * 0.5 + 12 * late["iq"])


def test_the_output_rises_with_its_soft_start() -> None:
    bench = world(soft_start="2 ms")
    site = bench.site("A")
    site.supply(10.0, 5.0, 1.0)
    full = site.truth(11.0)["vout"]
    assert site.truth(10.0)["vout"] == 0.0
    assert site.truth(10.002)["vout"] == pytest.approx(full * (1 - exp(-1)), rel=1e-4)
    assert site.truth(10.02)["vout"] == pytest.approx(full, rel=1e-4)
    site.supply(20.0, 6.0, 1.0)
    assert site.truth(20.0)["vout"] > 3.2, "a supply step on a running part is no start"


def test_a_supply_at_its_current_limit_folds_to_the_voltage_that_draws_it() -> None:
    bench = world()
    site = bench.site("A")
    site.supply(0.0, 5.0, 0.2)
    site.load(0.0, 0.1)
    assert site.truth(10.0)["vin"] == 5.0
    site.load(10.0, 0.3)
    truth = site.truth(20.0)
    assert truth["limiting"] == 1.0
    assert truth["iin"] == pytest.approx(0.2, abs=1e-12)
    assert 0 < truth["vin"] < 1.0
    site.load(20.0, 0.1)
    assert site.truth(21.0)["vin"] == 5.0


def test_a_load_beyond_the_parts_own_limit_pulls_the_output_down() -> None:
    bench = world(current_limit="0.6 A")
    site = bench.site("A")
    site.supply(0.0, 5.0, 3.0)
    site.load(0.0, 0.7)
    truth = site.truth(1.0)
    assert truth["iload"] == pytest.approx(0.6)
    assert truth["vout"] < 0.05


def hot() -> World:
    bench = world()
    bench.set_setpoint(0.0, 80.0)
    site = bench.site("A")
    site.supply(2000.0, 12.0, 3.0)
    site.load(2000.0, 0.5)
    return bench


def test_an_overheated_part_shuts_down_and_comes_back_cooler() -> None:
    bench = hot()
    site = bench.site("A")
    assert site.truth(2002.0)["shut"] == 0.0
    states = [site.truth(2000 + tick * 0.05) for tick in range(4000)]
    running = [s["tj"] for s in states if not s["shut"]]
    assert max(running) <= 165.0 + 1e-6
    shut = [s for s in states if s["shut"]]
    assert shut
    assert all(s["vout"] == 0.0 and s["iload"] == 0.0 for s in shut)
    changes = sum(a["shut"] != b["shut"] for a, b in pairwise(states))
    assert changes > 2


def test_a_part_that_keeps_switching_off_is_as_cheap_as_any() -> None:
    bench = hot()
    site = bench.site("A")
    site.at(2500.0)
    pieces = len(site._thermal._pieces)
    late = site.truth(2_000_000.0)
    assert len(site._thermal._pieces) == pieces
    start, period = site._thermal._cycle or (0.0, 0.0)
    assert period > 0.1
    again = site.truth(start + 0.3 * period)
    assert site.truth(start + 10.3 * period)["tc"] == pytest.approx(again["tc"], abs=1e-6)
    assert late["tc"] < 165


@settings(max_examples=60, deadline=None)
@given(
    case=st.floats(-60, 160), voltage=st.floats(0, 20), limit=st.floats(0, 3), load=st.floats(0, 5), rise=st.floats(0, 1)
)  # fmt: skip
def test_every_operating_point_conserves_energy(
    case: float, voltage: float, limit: float, load: float, rise: float
) -> None:
    part = LdoParameters()
    point = solve(part, case, Drive(voltage, limit, load), rise)
    assert 0.0 <= point.vin <= voltage
    assert 0.0 <= point.vout <= max(point.vin, 0.0)
    assert point.iload <= part.current_limit + 1e-9
    assert point.iload + point.iq <= max(limit, 0.0) + 1e-9 or not point.limiting
    assert point.power == pytest.approx(point.vin * (point.iload + point.iq) - point.vout * point.iload, abs=1e-9)
    assert point.tj == pytest.approx(case + part.theta_jc * point.power, abs=1e-8)


def test_each_unit_of_a_lot_is_itself_and_stays_so() -> None:
    lot = LdoParameters()
    one, two = draw_unit(lot, 7, "SN1", 1.0), draw_unit(lot, 7, "SN2", 1.0)
    assert one != two
    assert one == draw_unit(lot, 7, "SN1", 1.0)
    assert one != draw_unit(lot, 8, "SN1", 1.0)
    assert draw_unit(lot, 7, "SN1", 0.0) == lot
    for number in range(200):
        part = draw_unit(lot, 7, f"SN{number}", 1.0)
        assert part.vnom == pytest.approx(3.3, rel=0.0031)
        assert part.tempco == pytest.approx(50, abs=6.1)


def test_a_bad_serial_gives_the_defect_it_names_and_nothing_else() -> None:
    lot = LdoParameters()
    field = {"TC": "tempco", "VREF": "vnom", "LOAD": "load_regulation", "LINE": "line_regulation", "IQ": "iq25",
             "DROPOUT": "vdo25", "START": "soft_start"}  # fmt: skip
    for defect in DEFECTS:
        part = draw_unit(lot, 1, f"BAD-{defect}-004", 0.0)
        assert replace(part, **{field[defect]: getattr(lot, field[defect])}) == lot, defect
        assert part != lot
    assert abs(draw_unit(lot, 1, "BAD-TC", 0.0).tempco) >= 250
    assert defect_of("SN-BAD") is None
    assert defect_of("BAD17") in DEFECTS
    assert len({defect_of(f"BAD{n}") for n in range(60)}) == 6


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tempc": "30 ppm/degC"}, "unknown world parameter `tempc`"),
        ({"vnom": "3.3 A"}, "`vnom`"),
        ({"case_time": 0}, "must be above 0 s"),
        ({"chamber_time": "-1 s"}, "must be above 0 s"),
        ({"thermal_restart": "170 degC"}, "below its shutdown"),
        ({"vnom": True}, "must be a quantity"),
    ],
)
def test_a_world_that_cannot_be_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        world(**parameters)


def test_a_misspelt_parameter_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        world(tempc="30 ppm/degC")
    assert "tempco" in caught.value.help


def test_units_written_in_a_world_are_converted() -> None:
    bench = world(
        tempco="30 ppm/degC", iq25="80 uA", load_regulation="5 mV/A", line_regulation="2 mV/V", tcq="0.2 %/degC"
    )
    part = bench.site("A").part
    assert (part.tempco, part.iq25, part.load_regulation, part.line_regulation, part.tcq) == pytest.approx(
        (30.0, 80e-6, 0.005, 0.002, 0.002)
    )


# ---- the chamber alone


def test_the_chamber_ramps_and_then_settles_as_a_first_order() -> None:
    chamber = Chamber(ChamberParameters())
    chamber.set_setpoint(0.0, 85.0)
    assert chamber.reference(60.0) == pytest.approx(35.0)
    assert chamber.air(60.0) == pytest.approx(35.0 - 5.0 * (1 - exp(-2)))
    end = chamber.air(360.0)
    assert chamber.air(390.0) == pytest.approx(85.0 + (end - 85.0) * exp(-1))


def test_the_chamber_is_stable_only_after_the_hold() -> None:
    chamber = Chamber(ChamberParameters())
    assert chamber.stable(0.0)
    chamber.set_setpoint(10.0, 85.0)
    ready = chamber.stable_changes_at(10.0)
    entered = ready - 30.0
    assert abs(chamber.air(entered) - 84.5) < 1e-6
    assert not chamber.stable(entered + 29.999)
    assert not chamber.stable(ready - 1e-6)
    assert chamber.stable(ready)
    assert chamber.stable_changes_at(ready) == float("inf")


def test_a_new_setpoint_starts_the_hold_again_and_the_same_one_does_not() -> None:
    chamber = Chamber(ChamberParameters())
    chamber.set_setpoint(100.0, 25.2)
    assert not chamber.stable(100.0)
    assert chamber.stable_changes_at(100.0) == pytest.approx(130.0)
    chamber.set_setpoint(120.0, 25.2)
    assert chamber.stable(130.0)
    chamber.set_ramp_rate(125.0, 5.0)
    assert chamber.stable(130.0 + 1e-6), "another ramp rate does not break a hold under way"


def test_a_settled_chamber_is_there_at_once() -> None:
    chamber = Chamber(ChamberParameters(settled=True))
    chamber.set_setpoint(5.0, -40.0)
    assert chamber.air(5.0) == -40.0
    assert chamber.stable(5.0)


moves = st.lists(
    st.tuples(st.floats(0.5, 400.0), st.floats(-55.0, 150.0), st.sampled_from([0.5, 2.0, 10.0, 100.0])),
    min_size=1,
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(moves=moves, look=st.floats(0.0, 2000.0))
def test_stability_never_changes_before_it_was_announced(moves: list[tuple[float, float, float]], look: float) -> None:
    chamber = Chamber(ChamberParameters())
    now = 0.0
    for wait, setpoint, rate in moves:
        now += wait
        chamber.set_setpoint(now, setpoint)
        chamber.set_ramp_rate(now, rate)
    now += look
    changes = chamber.stable_changes_at(now)
    before = chamber.stable(now)
    until = min(changes, now + 40_000.0)
    for share in (0.0, 0.1, 0.3, 0.5, 0.9, 0.999999):
        assert chamber.stable(now + (until - now) * share) == before
    if changes < float("inf"):
        assert chamber.stable(changes) != before


@settings(max_examples=30, deadline=None)
@given(moves=moves)
def test_stability_agrees_with_watching_the_air(moves: list[tuple[float, float, float]]) -> None:
    chamber = Chamber(ChamberParameters())
    now = 0.0
    for wait, setpoint, rate in moves:
        now += wait
        chamber.set_setpoint(now, setpoint)
        chamber.set_ramp_rate(now, rate)
    start, target, held = now, moves[-1][1], 0.0
    for tick in range(1, 4000):
        instant = start + tick * 0.5
        held = held + 0.5 if abs(chamber.air(instant) - target) <= 0.5 else 0.0
        if held >= 31.0:
            assert chamber.stable(instant)
        elif held < 29.0 and held != tick * 0.5:
            assert not chamber.stable(instant)
