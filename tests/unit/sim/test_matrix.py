"""One meter behind a switch, and sites whose units change: who is read is what is connected, and nobody else."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest

from engine.core.bench import InstrumentSpec
from engine.core.errors import UsageError
from engine.sim.bench import SimulatedBench
from engine.sim.device import check_wiring
from engine.sim.session import SimSession
from schemas.device import Device
from schemas.diagnostics import Problems
from schemas.loading import Loaded, load, load_text
from schemas.station import World as Spec

ROOT = Path(__file__).parents[3]
SITES = ["A", "B", "C"]
WIRING = {"1A1": "A", "1A2": {"site": "B"}, "1A3": {"site": "C", "point": "vout"}, "1B1": {"site": "A", "point": "vin"}}


def device(name: str) -> Device:
    model = load(ROOT / "stations" / "devices" / f"{name}.yaml", "device").model
    assert isinstance(model, Device)
    return model


class Rack:
    """Three sites with outputs of 2.7, 2.8 and 2.9 V, told apart by their supplies: the parts are in dropout."""

    def __init__(self, switch: str = "sim_matrix", relays: Any = WIRING, **meter: Any) -> None:
        self.now = 0.0
        serials = {site: f"SN-{site}" for site in SITES}
        self.bench = SimulatedBench(Spec(spread=0.0), SITES, serials, 1, lambda: self.now)
        self.psus = [self.session("psu", site=site) for site in SITES]
        self.matrix = self.session("matrix", switch, simulate={"relays": relays})
        self.dmm = self.session("dmm", simulate={"matrix": "matrix", **meter})
        for psu, volt in zip(self.psus, (3.0, 3.1, 3.2), strict=True):
            psu.write(f"VOLT {volt};:OUTP ON")
        self.now = 1.0

    def session(self, name: str, of: str = "", site: str | None = None, simulate: Any = None) -> SimSession:
        session = self.bench.session(name, device(of or f"sim_{name}"), site, simulate)
        session.open()
        return session

    def volts(self) -> float:
        return float(self.dmm.query("MEAS:VOLT:DC?"))

    def error(self) -> str:
        return self.matrix.query("SYST:ERR?")


@pytest.mark.parametrize(("relay", "site", "point"), [("1A1", "A", "vout"), ("1A3", "C", "vout"), ("1B1", "A", "vin")])
def test_the_meter_reads_what_the_closed_relay_connects(relay: str, site: str, point: str) -> None:
    rack = Rack()
    rack.matrix.write(f'ROUT:CLOS "{relay}"')
    assert rack.volts() == pytest.approx(rack.bench.world.site(site).truth(rack.now)[point], rel=1e-4)


def test_an_open_input_reads_next_to_nothing_and_never_twice_the_same() -> None:
    rack = Rack()
    readings = [rack.volts() for _ in range(200)]
    assert statistics.fmean(readings) == pytest.approx(0.0, abs=50e-6)
    assert 100e-6 < statistics.stdev(readings) < 400e-6


def test_closing_a_relay_opens_the_one_before_it() -> None:
    rack = Rack()
    for relay, volt in (("1A1", 2.7), ("1A2", 2.8), ("1A3", 2.9), ("1A1", 2.7)):
        rack.matrix.write(f"ROUT:CLOS {relay}")
        assert rack.matrix.query("ROUT:CLOS?") == f'"{relay}"'
        assert rack.volts() == pytest.approx(volt, abs=0.01)
    assert rack.matrix.query("DIAG:CYCL?") == "4"


@pytest.mark.parametrize("opening", ['ROUT:CLOS ""', "ROUT:OPEN:ALL", "*RST"])
def test_everything_can_be_opened(opening: str) -> None:
    rack = Rack()
    rack.matrix.write("ROUT:CLOS 1A2")
    rack.matrix.write(opening)
    assert rack.matrix.query("ROUT:CLOS?") == '""'
    assert abs(rack.volts()) < 0.002
    assert rack.error() == '+0,"No error"'


@pytest.mark.parametrize("relays", ['"1A1,1A2"', '"(@1A1:1A3)"', '"1C1"', "7"])
def test_two_relays_at_once_and_unknown_ones_are_refused_and_nothing_moves(relays: str) -> None:
    rack = Rack()
    rack.matrix.write("ROUT:CLOS 1A3")
    rack.matrix.write(f"ROUT:CLOS {relays}")
    assert rack.error() == '-224,"Illegal parameter value"'
    assert rack.matrix.query("ROUT:CLOS?") == '"1A3"'


def test_a_relay_that_is_wired_to_nothing_leaves_the_input_open() -> None:
    rack = Rack()
    rack.matrix.write("ROUT:CLOS 1B8")
    assert abs(rack.volts()) < 0.002


def test_switching_takes_the_time_of_a_relay() -> None:
    rack = Rack()
    rack.matrix.take_latency()
    rack.matrix.write("ROUT:CLOS 1A1")
    assert rack.matrix.take_latency() == pytest.approx(0.015)


def test_a_switch_that_allows_it_ties_outputs_together_and_the_higher_one_wins() -> None:
    rack = Rack("relay_card", {"1": "A", "2": "B", "8": "C"})
    rack.matrix.write("ROUT:CLOS2")
    assert rack.volts() == pytest.approx(2.8, abs=0.01)
    rack.matrix.write("ROUT:CLOS1")
    assert rack.volts() == pytest.approx(2.8, abs=0.01)
    rack.matrix.write("ROUT:CLOS8")
    assert rack.volts() == pytest.approx(2.9, abs=0.01)
    rack.matrix.write("ROUT:OPEN2;OPEN8")
    assert rack.volts() == pytest.approx(2.7, abs=0.01)


def test_only_voltage_comes_through_a_switch() -> None:
    rack = Rack()
    rack.matrix.write("ROUT:CLOS 1A1")
    assert float(rack.dmm.query("MEAS:CURR:DC?")) == pytest.approx(0.0, abs=1e-6)


def test_a_meter_whose_switch_nobody_uses_hangs_open() -> None:
    bench = SimulatedBench(None, SITES)
    dmm = bench.session("dmm", device("sim_dmm"), None, {"matrix": "matrix"})
    dmm.open()
    assert abs(float(dmm.query("READ?"))) < 0.002


@pytest.mark.parametrize(
    ("switch", "relays", "message"),
    [
        ("sim_matrix", "1A1", "what each relay connects"),
        ("sim_matrix", {"1A1": "Z"}, "relay `1A1`: this station has no site `Z`"),
        ("sim_matrix", {"1A1": {"point": "vin"}}, "wired to no site"),
        ("sim_matrix", {"1A1": {"site": "A", "point": "vuot"}}, "no point `vuot`"),
        ("sim_matrix", {"1A1": {"sight": "A"}}, "unknown key `sight`"),
        ("sim_matrix", {"1A1,1A2": "A"}, "letters and digits"),
        ("sim_dmm", {"1A1": "A"}, "no parameter `relays`"),
    ],
)
def test_a_wiring_of_relays_that_cannot_be_is_refused(switch: str, relays: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Rack(switch, relays)


def test_relays_need_something_that_closes_them() -> None:
    still = load_text('device: still\ncommands: {"FOO?": {reply: "1"}}\n', "still.yaml", "device").model
    with pytest.raises(UsageError, match="no state `closed`"):
        SimulatedBench(None, SITES).session("matrix", still, None, {"relays": {"1": "A"}})


# ---- what a station says of it


def told(station: str, **used: str) -> list[str]:
    loaded = load_text(station, "rack.yaml", "station")
    devices: dict[str, Loaded[Device]] = {
        name: load(ROOT / "stations" / "devices" / f"{name}.yaml", "device") for name in used.values()
    }
    specs = {}
    for name, of in used.items():
        written = loaded.model.instruments[name]
        specs[name] = InstrumentSpec(
            name, of, name, "generic", "sim", "", 5.0, {}, device=of,
            per_site=bool(written.per_site), simulate=written.simulate,
        )  # fmt: skip
    problems = Problems()
    check_wiring(loaded, specs, devices, problems)
    return [f"{problem.span}: {problem.message}" for problem in problems.errors]


RACK = """\
station: rack
sites: [A, B]
instruments:
  psu: {driver: sim_psu, per_site: true}
  matrix: {driver: sim_matrix, simulate: {relays: {"1A1": A, "1A2": B}}}
  dmm: {driver: sim_dmm, simulate: {matrix: matrix}}
"""


def test_a_wiring_is_checked_before_a_run_at_its_place_in_the_station() -> None:
    used = {"psu": "sim_psu", "matrix": "sim_matrix", "dmm": "sim_dmm"}
    assert told(RACK, **used) == []
    [problem] = told(RACK.replace('"1A2": B', '"1A2": C'), **used)
    assert problem == "rack.yaml:5:42: simulated `matrix`, relay `1A2`: this station has no site `C`"
    [problem] = told(RACK.replace("matrix: matrix", "matrix: matrx"), **used)
    assert problem.startswith("rack.yaml:6:45: `dmm` is to measure through `matrx`, but the station has no instrument")
    [problem] = told(RACK.replace("matrix: matrix", "matrix: psu"), **used)
    assert "no relay is wired at `psu`" in problem
    [problem] = told(RACK.replace(", simulate: {matrix: matrix}", ""), **used)
    assert problem.startswith("rack.yaml:6:3: simulated `dmm` is shared by several sites")


def test_a_switch_that_the_sequence_does_not_use_is_known_all_the_same() -> None:
    assert told(RACK, dmm="sim_dmm") == []


# ---- one unit after the other at a site


def test_the_next_unit_at_a_site_is_another_part_and_the_neighbours_stay() -> None:
    rack = Rack()
    rack.psus[0].write("VOLT 5")
    rack.psus[1].write("VOLT 5")
    rack.now = 60.0
    before = {site: rack.bench.world.site(site).truth(rack.now) for site in SITES}
    rack.bench.exchange("A", "BAD-VREF-1")
    after = {site: rack.bench.world.site(site).truth(rack.now + 1.0) for site in SITES}
    assert abs(after["A"]["vout"] - before["A"]["vout"]) > 0.1
    assert after["A"]["vin"] == 5.0, "what is connected stays connected"
    assert after["B"]["vout"] == pytest.approx(before["B"]["vout"], rel=1e-8)
    assert rack.bench.world.site("A").serial == "BAD-VREF-1"


def test_a_unit_that_is_put_where_it_is_stays_as_it_is() -> None:
    rack = Rack()
    chamber = rack.session("chamber")
    chamber.write("TEMP:SETP 85")
    rack.now = 3600.0
    rack.bench.exchange("A", "SN-A")
    assert rack.bench.world.site("A").truth(rack.now)["tc"] > 80.0
    rack.bench.exchange("A", "SN-X")
    assert rack.bench.world.site("A").truth(rack.now)["tc"] == pytest.approx(25.0), "it comes from the shelf"
    rack.now = 7200.0
    assert rack.bench.world.site("A").truth(rack.now)["tc"] == pytest.approx(85.0, abs=0.5)


def test_what_a_unit_reads_does_not_depend_on_who_was_there_before_it() -> None:
    def readings(first: str) -> list[str]:
        rack = Rack()
        rack.bench.exchange("A", first)
        rack.psus[0].write("VOLT 5")
        rack.psus[0].query("MEAS:CURR?")
        rack.bench.exchange("A", "SN-9")
        rack.now = 100.0
        rack.psus[0].set_noise_key(("SN-9", "steps/iin", 1))
        return [rack.psus[0].query("MEAS:CURR?") for _ in range(5)]

    assert readings("SN-1") == readings("SN-2")
    assert len(set(readings("SN-1"))) > 1


def test_what_units_share_draws_its_noise_for_the_unit_that_asks() -> None:
    rack = Rack()
    chamber = rack.session("chamber")

    def reading(session: SimSession, query: str, serial: str) -> str:
        session.set_noise_key((serial, "steps/one", 1))
        return session.query(query)

    for session, query in ((chamber, "TEMP:ACT?"), (rack.dmm, "READ?")):
        first = [reading(session, query, f"SN-{number}") for number in range(20)]
        assert [reading(session, query, f"SN-{number}") for number in range(20)] == first
        assert len(set(first)) > 1


def test_there_is_no_unit_at_a_site_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="no site `Z`"):
        Rack().bench.exchange("Z", "SN1")
