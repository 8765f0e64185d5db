"""The shipped simulated bench, through its own driver files."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bench import InstrumentBench
from engine.core.bench import InstrumentSpec, Target
from engine.core.errors import GuardViolation, InstrumentError
from engine.plan.binding import bind_station
from engine.sim.bench import SimulatedBench
from engine.sim.session import SimSession
from schemas.diagnostics import Problems
from schemas.library import Library
from schemas.loading import load

ROOT = Path(__file__).parents[3]


class Bench:
    """The station's instruments on a clock that stands where it is put."""

    def __init__(self) -> None:
        problems = Problems()
        library = Library(ROOT)
        station = load(ROOT / "stations" / "sim_bench.yaml", "station")
        specs = bind_station(station, library, problems).instruments
        problems.raise_if_any()
        self.now = 0.0
        simulated = SimulatedBench(station.model.world, ["A"], {"A": "SN1"}, None, lambda: self.now)

        def session(spec: InstrumentSpec, site: str | None) -> SimSession:
            found = library.find("device", spec.device or "")
            assert found is not None
            return simulated.session(spec.name, load(found.path, "device").model, site)

        self.bench = InstrumentBench(specs, session, {0: "A"})
        self.bench.open_all()


def test_a_simulated_supply_is_set_read_guarded_and_left_safe() -> None:
    bench = Bench().bench
    assert bench.instance(0, "psu") == "psu@A"
    assert "PS-SIM" in bench.identity(0, "psu")
    assert bench.restore(0, "psu") is False
    for name, value in (("voltage", 5.0), ("current_limit", 0.5), ("output", True)):
        assert bench.apply(0, Target("psu", "1", name), value)
        assert bench.read(0, Target("psu", "1", name)) == value
    bench.check_errors(0, "psu")
    assert bench.read(0, Target("psu", "1", "voltage_measured")) == pytest.approx(5.0, abs=0.01)
    with pytest.raises(GuardViolation, match="14 V is above the 12 V the station allows"):
        bench.apply(0, Target("psu", "1", "voltage"), 14.0)
    assert bench.read(0, Target("psu", "1", "voltage")) == 5.0
    assert bench.make_safe(0, "psu").verified is True
    assert bench.read(0, Target("psu", "1", "output")) is False
    assert bench.read(0, Target("psu", "1", "voltage")) == 0.0


def test_every_instrument_of_the_shipped_bench_can_be_left_safe() -> None:
    bench = Bench().bench
    reports = {instance: bench.make_safe_instance(instance).verified for instance in bench.instances()}
    assert reports == {"chamber": True, "psu@A": True, "load@A": True, "dmm@A": None}
    bench.close_all()


def test_a_simulated_chamber_says_until_when_it_stays() -> None:
    rig = Bench()
    rig.bench.apply(0, Target("chamber", "", "setpoint"), 85.0)
    until = rig.bench.steady_until(0, Target("chamber", "", "stable"))
    assert until is None or until > 0.0
    assert rig.bench.read(0, Target("chamber", "", "stable")) is False
    rig.now = 4 * 3600.0
    assert rig.bench.read(0, Target("chamber", "", "stable")) is True
    assert rig.bench.poll_s(Target("chamber", "", "stable")) == 10.0


def test_a_simulated_instrument_complains_in_its_own_words() -> None:
    bench = Bench().bench
    bench.command(0, "dmm", "NONSENSE 1")
    with pytest.raises(InstrumentError, match="dmm@A reports -113"):
        bench.check_errors(0, "dmm")
    bench.check_errors(0, "dmm")
