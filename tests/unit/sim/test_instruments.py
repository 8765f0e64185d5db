"""The four simulated instruments on one bench, spoken to in text as a driver does."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.core.errors import CommunicationFailed, ConnectionFailed, ReplyTimeout, UsageError
from engine.core.session import Session
from engine.sim.bench import SimulatedBench
from engine.sim.device import device_problems
from engine.sim.session import SimSession
from schemas.device import Device
from schemas.loading import load
from schemas.station import World as Spec

ROOT = Path(__file__).parents[3]
DEVICES = ROOT / "stations" / "devices"
QUIET = {"load_regulation": 0, "line_regulation": 0, "chamber_noise": 0}


def device(name: str) -> Device:
    model = load(DEVICES / f"sim_{name}.yaml", "device").model
    assert isinstance(model, Device)
    return model


class Bench:
    """A bench of the shipped devices with a clock that the test turns."""

    def __init__(self, serial: str = "SN1", seed: int = 1, parameters: dict[str, Any] | None = None, **simulate: Any):
        self.now = 0.0
        spec = Spec(model="ldo", parameters=parameters or {}, seed=seed, spread=0.0)
        self.bench = SimulatedBench(spec, ["A"], {"A": serial}, None, lambda: self.now)
        self.chamber = self.session("chamber")
        self.psu = self.session("psu")
        self.dmm = self.session("dmm", **simulate)
        self.load = self.session("load")

    def session(self, name: str, **simulate: Any) -> SimSession:
        session = self.bench.session(name, device(name), "A", simulate)
        session.open()
        return session

    def power(self, vin: float = 5.0, load: float = 0.1) -> None:
        self.psu.write(f"VOLT {vin};CURR 1;:OUTP ON")
        self.load.write(f"CURR {load};:INP ON")

    @property
    def truth(self) -> dict[str, float]:
        return self.bench.world.site("A").truth(self.now)


def no_error(session: SimSession) -> bool:
    return session.query("SYST:ERR?") == '+0,"No error"'


def test_a_simulated_session_keeps_the_promise_of_a_session() -> None:
    assert isinstance(Bench().dmm, Session)


@pytest.mark.parametrize(
    ("role", "messages"),
    [
        (
            "chamber",
            ["TEMP:SETPOINT 85.00", "TEMP:SETPOINT?", "TEMP:ACTUAL?", "TEMP:STAB?", "TEMP:RAMP 5", "TEMP:RAMP?"],
        ),
        ("psu", ["VOLT 5.0", "VOLT?", "CURR 0.5", "CURR?", "OUTP ON", "OUTP?", "OUTP OFF", "MEAS:VOLT?", "MEAS:CURR?"]),
        ("dmm", ["MEAS:VOLT:DC?", "MEAS:CURR:DC?", "CONF:VOLT:DC", "CONF:CURR:DC", "CONF?", "READ?"]),
        ("load", ["CURR 0.1", "CURR?", "INP ON", "INP?", "MEAS:VOLT?", "MEAS:CURR?"]),
    ],
)
def test_the_spellings_of_the_reference_are_answered(role: str, messages: list[str]) -> None:
    session = getattr(Bench(), role)
    for message in ["*RST", "*CLS", "*OPC", "*OPC?", "*IDN?", *messages]:
        if message.endswith("?"):
            assert session.query(message)
        else:
            session.write(message)
        assert no_error(session), message


def test_a_reset_returns_to_the_defaults() -> None:
    bench = Bench()
    bench.power()
    bench.chamber.write("TEMP:SETP 60;RAMP 3")
    for session in (bench.psu, bench.load, bench.chamber, bench.dmm):
        session.write("*RST")
    assert bench.psu.query("VOLT?;CURR?;:OUTP?") == "0.000;1.0000;0"
    assert bench.load.query("CURR?;:INP?") == "0.00000;0"
    assert bench.chamber.query("TEMP:SETP?;RAMP?") == "25.00;10.00"
    assert bench.dmm.query("CONF?") == '"VOLT:DC"'


def test_a_voltage_reaches_the_unit_only_through_an_output_that_is_on() -> None:
    bench = Bench()
    bench.psu.write("VOLT 5;CURR 1")
    assert bench.truth["vin"] == 0.0
    assert bench.psu.query("MEAS:VOLT?") == "0.0000"
    bench.psu.write("OUTP ON")
    assert bench.truth["vin"] == 5.0
    bench.psu.write("VOLT 4")
    assert bench.truth["vin"] == 4.0
    bench.psu.write("VOLT2 3;:OUTP2 ON")
    assert bench.truth["vin"] == 4.0, "the second channel is wired to nothing"
    assert float(bench.psu.query("MEAS2:VOLT?")) == pytest.approx(3.0, abs=2e-3)
    bench.psu.write("INST:NSEL 2;:VOLT 7")
    assert bench.psu.query("VOLT1?;VOLT2?;VOLT?") == "4.000;7.000;7.000"


def test_the_supply_measures_the_quiescent_current() -> None:
    bench = Bench()
    bench.psu.write("VOLT 5;CURR 1;:OUTP ON")
    bench.now = 1.0
    readings = [float(bench.psu.query("MEAS:CURR?")) for _ in range(30)]
    assert statistics.mean(readings) == pytest.approx(50e-6, rel=0.02)


def test_a_supply_in_constant_current_says_so_in_its_status() -> None:
    bench = Bench()
    bench.power(load=0.3)
    bench.now = 1.0
    assert bench.psu.query("STAT:QUES:COND?") == "0"
    bench.psu.write("CURR 0.2")
    assert bench.psu.query("STAT:QUES:COND?") == "1"
    assert float(bench.psu.query("MEAS:CURR?")) == pytest.approx(0.2, abs=1e-5)
    assert float(bench.psu.query("MEAS:VOLT?")) < 1.0


def test_the_meter_reads_the_output_within_its_accuracy() -> None:
    bench = Bench()
    bench.power()
    bench.now = 60.0
    for nplc in ("0.02", "0.2", "1", "10", "100"):
        bench.dmm.write(f"VOLT:DC:NPLC {nplc}")
        assert float(bench.dmm.query("MEAS:VOLT:DC?")) == pytest.approx(bench.truth["vout"], abs=3e-4)
        assert float(bench.dmm.query("MEAS:CURR:DC?")) == pytest.approx(0.1, rel=1e-4)


def test_noise_falls_and_time_grows_with_integration() -> None:
    bench = Bench()
    bench.power()
    bench.now = 60.0
    spreads, times = [], []
    for nplc in (0.02, 1.0, 100.0):
        bench.dmm.write(f"VOLT:DC:NPLC {nplc}")
        bench.dmm.take_latency()
        spreads.append(statistics.stdev(float(bench.dmm.query("READ?")) for _ in range(60)))
        times.append(bench.dmm.take_latency() / 60)
    assert spreads[0] > 3 * spreads[1] > 9 * spreads[2] > 0
    assert times == pytest.approx([0.0004, 0.02, 2.0])


def test_a_fixed_range_that_is_too_small_reads_over_range() -> None:
    bench = Bench()
    bench.power()
    bench.now = 1.0
    bench.dmm.write("VOLT:DC:RANG 1")
    assert bench.dmm.query("READ?") == "+9.90000000E+37"
    assert bench.dmm.query("VOLT:RANG?;RANG:AUTO?") == "+1.00000000E+00;0"
    bench.dmm.write("VOLT:DC:RANG 0")
    assert float(bench.dmm.query("READ?")) < 4
    assert float(bench.dmm.query("MEAS:RES?")) == 9.9e37, "open leads"


def test_a_finer_range_resolves_more() -> None:
    bench = Bench(noise=0)
    bench.psu.write("VOLT 5;:OUTP ON")
    bench.now = 1.0
    coarse = abs(float(bench.dmm.query("MEAS:CURR:DC? 1")) - 0.0)
    fine = abs(float(bench.dmm.query("MEAS:CURR:DC? 0.0001")))
    assert fine < 1e-8
    assert coarse < 1e-4


@pytest.mark.parametrize(("current", "expected"), [("load", 0.1), ("input", 0.10005), ("ground", 50e-6)])
def test_the_wiring_decides_what_the_meter_sees(current: str, expected: float) -> None:
    bench = Bench(current=current, voltage="vin")
    bench.power()
    bench.now = 1.0
    assert float(bench.dmm.query("MEAS:CURR:DC?")) == pytest.approx(expected, rel=0.02)
    assert float(bench.dmm.query("MEAS:VOLT:DC?")) == pytest.approx(5.0, rel=1e-4)


def test_two_meters_of_one_bench_have_errors_of_their_own() -> None:
    bench = Bench(noise=0)
    bench.power()
    bench.now = 1.0
    other = bench.bench.session("dmm2", device("dmm"), "A", {"noise": 0})
    other.open()
    assert other.query("READ?") != bench.dmm.query("READ?")


def test_the_chamber_reports_settling_and_stability() -> None:
    bench = Bench(parameters=QUIET)
    bench.chamber.write("TEMP:SETP 85")
    assert bench.chamber.query("TEMP:STAB?;:STAT:OPER:COND?") == "0;2"
    bench.now = 3600.0
    assert bench.chamber.query("TEMP:STAB?;ACT?;:STAT:OPER:COND?") == "1;85.00;0"
    bench.chamber.write("TEMP:RAMP 0")
    bench.chamber.write("TEMP:SETP 500")
    assert bench.chamber.query("SYST:ERR:ALL?") == '-222,"Data out of range",-222,"Data out of range"'


@settings(max_examples=40, deadline=None)
@example(setpoint=0.0, rate=1.0, second=22.625, wait=0.0, look=260.0, command="TEMP:ACT?")
@example(setpoint=0.0, rate=13.0, second=-1.0, wait=313.0, look=1.0, command="TEMP:ACT?")
@given(
    setpoint=st.floats(-55, 150),
    rate=st.floats(0.5, 100),
    second=st.floats(-55, 150),
    wait=st.floats(0, 500),
    look=st.floats(0, 2000),
    command=st.sampled_from(["TEMP:STAB?", "TEMP:ACT?", "TEMP:ACTUAL?"]),
)
def test_a_poll_may_be_skipped_until_the_announced_time_and_no_longer(
    setpoint: float, rate: float, second: float, wait: float, look: float, command: str
) -> None:
    bench = Bench(parameters=QUIET)
    bench.chamber.write(f"TEMP:RAMP {rate:.3f};SETP {setpoint:.3f}")
    bench.now = wait
    bench.chamber.write(f"TEMP:SETP {second:.3f}")
    bench.now = wait + look
    reply = bench.chamber.query(command)
    until = bench.chamber.steady_until(command)
    assert until is not None
    assert until >= bench.now
    end = min(until, bench.now + 10_000)
    start = bench.now
    for share in (0.25, 0.5, 0.75, 0.9999999):
        bench.now = start + (end - start) * share
        assert bench.chamber.query(command) == reply
    if until < float("inf") and command == "TEMP:STAB?":
        bench.now = until
        assert bench.chamber.query(command) != reply


def test_nobody_knows_until_when_a_noisy_reading_holds() -> None:
    bench = Bench()
    assert bench.chamber.steady_until("TEMP:ACT?") is None
    assert bench.dmm.steady_until("READ?") is None
    assert bench.chamber.steady_until("TEMP:STAB?;ACT?") is None
    assert bench.chamber.steady_until("FOO?") is None
    assert no_error(bench.chamber)


# ---- noise


def test_a_draw_depends_on_its_key_and_on_nothing_that_ran_before() -> None:
    def readings(before: int, key: tuple[str | int, ...], serial: str = "SN1", seed: int = 1) -> list[str]:
        bench = Bench(serial, seed)
        bench.power()
        bench.now = 100.0
        for _ in range(before):
            bench.dmm.query("READ?")
            bench.psu.query("MEAS:CURR?")
        bench.dmm.set_noise_key(key)
        return [bench.dmm.query("READ?") for _ in range(5)]

    first = readings(0, ("steps/vout", 1))
    assert readings(17, ("steps/vout", 1)) == first
    assert readings(0, ("steps/vout", 2)) != first
    assert readings(0, ("steps/other", 1)) != first
    assert readings(0, ("steps/vout", 1), serial="SN2") != first
    assert readings(0, ("steps/vout", 1), seed=2) != first
    assert len(set(first)) > 1


def test_two_benches_with_one_seed_are_the_same_bench() -> None:
    def story() -> list[str]:
        bench = Bench("BAD-TC", 9)
        bench.power()
        said = []
        for minute in range(5):
            bench.chamber.write(f"TEMP:SETP {25 + 10 * minute}")
            bench.now += 300.0
            said += [bench.dmm.query("READ?"), bench.chamber.query("TEMP:ACT?"), bench.psu.query("MEAS:CURR?")]
        return said

    assert story() == story()


@pytest.mark.parametrize(
    ("serial", "reads_wrong"),
    [("BAD-VREF", "vout"), ("BAD-IQ", "iq"), ("BAD-LOAD", "sag"), ("BAD-DROPOUT", "dropout"), ("SN1", "nothing")],
)
def test_a_bad_unit_shows_its_defect_on_the_instruments(serial: str, reads_wrong: str) -> None:
    bench = Bench(serial)
    bench.psu.write("VOLT 5;CURR 1;:OUTP ON")
    bench.now = 1.0
    wrong = set()
    empty = float(bench.dmm.query("READ?"))
    if abs(empty - 3.3) > 0.1:
        wrong.add("vout")
    if float(bench.psu.query("MEAS:CURR?")) > 100e-6:
        wrong.add("iq")
    bench.load.write("CURR 0.5;:INP ON")
    if empty - float(bench.dmm.query("READ?")) > 0.05:
        wrong.add("sag")
    bench.load.write("CURR 0.05")
    bench.psu.write("VOLT 3.3")
    if float(bench.dmm.query("READ?")) < 2.85:
        wrong.add("dropout")
    assert wrong == ({reads_wrong} if reads_wrong != "nothing" else set())


# ---- sessions


def test_a_query_that_is_wrong_has_no_reply_and_costs_the_timeout() -> None:
    bench = Bench()
    bench.psu.take_latency()
    bench.psu.timeout_s = 3.0
    with pytest.raises(ReplyTimeout, match="did not answer `FOO\\?` within 3 s"):
        bench.psu.query("FOO?")
    assert bench.psu.take_latency() == pytest.approx(3.0)
    assert bench.psu.query("SYST:ERR?") == '-113,"Undefined header"'


def test_a_session_that_is_not_open_says_so() -> None:
    bench = Bench()
    bench.psu.close()
    bench.psu.close()
    for call in (lambda: bench.psu.query("*IDN?"), lambda: bench.psu.write("*RST"), bench.psu.read):
        with pytest.raises(ConnectionFailed, match="open it first"):
            call()


def test_what_was_written_can_be_read_later_unless_something_else_was_said() -> None:
    bench = Bench()
    bench.psu.write("VOLT?")
    assert bench.psu.read() == "0.000"
    with pytest.raises(ReplyTimeout):
        bench.psu.read()
    assert bench.psu.query("SYST:ERR?") == '-420,"Query UNTERMINATED"'
    bench.psu.write("VOLT?")
    bench.psu.write("VOLT 2")
    assert bench.psu.query("SYST:ERR?") == '-410,"Query INTERRUPTED"'
    assert bench.psu.query("VOLT?") == "2.000"


def test_an_abort_does_not_touch_what_comes_after_it() -> None:
    bench = Bench()
    bench.psu.abort()
    bench.psu.write("OUTP OFF")
    assert no_error(bench.psu)


def test_a_call_that_waits_for_its_turn_is_cut_off_by_an_abort() -> None:
    bench = Bench()

    class Turn:
        def __enter__(self) -> None:
            bench.psu.abort()

        def __exit__(self, *_: object) -> None:
            return None

    bench.psu._lock = Turn()
    with pytest.raises(CommunicationFailed, match="cut off"):
        bench.psu.query("*IDN?")


def test_latency_is_told_once() -> None:
    bench = Bench()
    bench.chamber.take_latency()
    bench.chamber.query("TEMP:STAB?")
    assert bench.chamber.take_latency() == pytest.approx(0.02)
    assert bench.chamber.take_latency() == 0.0


def test_a_second_session_speaks_to_the_same_instrument() -> None:
    bench = Bench()
    bench.psu.write("VOLT 3")
    other = bench.session("psu")
    assert other.query("VOLT?") == "3.000"


@pytest.mark.parametrize(
    ("simulate", "message"),
    [
        ({"voltge": "vin"}, "no parameter `voltge`"),
        ({"voltage": "vinn"}, "cannot be `vinn`"),
        ({"gain_error": "1 V"}, "gain_error"),
        ({"noise": -1}, "must not be below"),
    ],
)
def test_a_wiring_that_cannot_be_is_refused(simulate: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Bench(**simulate)


def test_an_instrument_shared_by_sites_must_say_which_it_is_wired_to() -> None:
    bench = SimulatedBench(None, ["A", "B"], {"A": "1", "B": "2"})
    with pytest.raises(UsageError, match="shared by several sites"):
        bench.session("dmm", device("dmm"))
    assert bench.session("dmm", device("dmm"), None, {"site": "B"})
    assert bench.session("chamber", device("chamber")), "one chamber serves all"
    with pytest.raises(UsageError, match="no site `C`"):
        bench.session("psu", device("psu"), "C")


def test_sites_differ_and_share_the_air() -> None:
    now = [0.0]
    bench = SimulatedBench(None, ["A", "B"], {"A": "SN1", "B": "BAD-VREF"}, None, lambda: now[0])
    chamber = bench.session("chamber", device("chamber"))
    chamber.open()
    readings = {}
    for site in ("A", "B"):
        psu, dmm = bench.session("psu", device("psu"), site), bench.session("dmm", device("dmm"), site)
        psu.open()
        dmm.open()
        psu.write("VOLT 5;:OUTP ON")
        now[0] += 1.0
        readings[site] = float(dmm.query("READ?"))
    assert abs(readings["A"] - readings["B"]) > 0.1
    chamber.write("TEMP:SETP 85")
    now[0] += 3600.0
    assert bench.world.site("A").truth(now[0])["tc"] == pytest.approx(85, abs=0.1)
    assert bench.world.site("B").truth(now[0])["tc"] == pytest.approx(85, abs=0.1)


@pytest.mark.parametrize("path", sorted(DEVICES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_device_is_sound(path: Path) -> None:
    assert device_problems(load(path, "device").model, path.parent) == []


@pytest.mark.parametrize("name", ["chamber", "psu", "dmm", "load"])
def test_every_shipped_driver_and_its_device_understand_each_other(name: str) -> None:
    driver = load(ROOT / "stations" / "drivers" / f"sim_{name}.yaml", "driver").model
    session = getattr(Bench(), name)
    for channel in ("", "1"):
        for prop in driver.properties.values():
            low = prop.range[0] if prop.range else "on"
            if prop.set:
                session.write(prop.set.replace("{{ value }}", str(low)).replace("{{ channel }}", channel))
            if prop.get:
                assert session.query(prop.get.replace("{{ channel }}", channel))
            assert no_error(session)
