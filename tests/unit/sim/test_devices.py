"""Instruments described by a file alone, and what goes wrong with any instrument on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import ConnectionFailed, ReplyTimeout, UsageError
from engine.sim.bench import SimulatedBench
from engine.sim.device import check_device, check_world, device_problems
from engine.sim.session import SimSession
from schemas.device import Device
from schemas.diagnostics import InvalidFiles, Problems, render
from schemas.loading import load_text

ROOT = Path(__file__).parents[3]

PSU = """
device: psu_2ch
identity: "Benchwright,PSU-2CH,SIM-{{ serial }},1.0"
channels: 2
state: {voltage: 0.0, output: false, mode: CV, slot: [0, 0]}
commands:
  "VOLTage[:LEVel] <x:float>": {set: {voltage: x}, range: [0 V, 6 V], error: [-222, "Data out of range"]}
  "VOLTage[:LEVel]?":          {reply: "{{ voltage }}", format: "%.4f"}
  "OUTPut[:STATe] <s:bool>":   {set: {output: s}}
  "OUTPut[:STATe]?":           {reply: "{{ output }}"}
  "MEASure:VOLTage[:DC]?":     {reply: "{{ voltage if output else 0 }}", noise: {sigma: 50 uV}, latency: 20 ms}
  "MEASure:ALL?":              {reply: "V {{ voltage:.2f }} M {{ mode }}"}
  "MODE <m:CV|CC>":            {set: {mode: m}}
  "RATio? <a:float>, <b:float>": {reply: "{{ a / b }}"}
  "SLOT<n> <x:float>":         {set: {slot: x + n / 10}}
  "SLOT<n>?":                  {reply: "{{ slot }}"}
  "FIXed?":                    {reply: 42}
"""


class Bench:
    """One device on a bench whose clock the test turns."""

    def __init__(self, text: str, folder: Path | None = None, seed: int = 1, **simulate: Any) -> None:
        self.now = 0.0
        bench = SimulatedBench(None, ["A"], {"A": "SN1"}, seed, lambda: self.now)
        model = load_text(text, "device.yaml", "device").model
        assert isinstance(model, Device)
        self.session: SimSession = bench.session("unit", model, "A", simulate, folder)
        self.session.open()

    def says(self, command: str) -> str:
        return self.session.query(command)


def test_the_device_of_the_language_page_behaves_as_its_file_says() -> None:
    bench = Bench(PSU)
    assert bench.says("*IDN?") == "Benchwright,PSU-2CH,SIM-SIM-unit-A,1.0"
    bench.session.write("VOLT 3.3;OUTP ON")
    assert bench.says("VOLT?;OUTP?") == "3.3000;1"
    bench.session.take_latency()
    assert float(bench.says("MEAS:VOLT?")) == pytest.approx(3.3, abs=5e-4)
    assert bench.says("MEAS:VOLT?") != "3.3"
    assert bench.session.take_latency() == pytest.approx(0.04)
    assert bench.says("MEAS:ALL?") == "V 3.30 M CV"
    bench.session.write("MODE CC;*CLS")
    assert bench.says("MEAS:ALL?") == "V 3.30 M CC"
    assert bench.says("FIX?") == "42"
    bench.session.write("VOLT 7")
    assert bench.says("SYST:ERR?;:VOLT?") == '-222,"Data out of range";3.3000'
    assert bench.says("VOLT MAX;VOLT?") == "6.0000"
    bench.session.write("*RST")
    assert bench.says("VOLT?;OUTP?") == "0.0000;0"


def test_a_state_with_a_value_for_each_channel_follows_the_suffix() -> None:
    bench = Bench(PSU)
    bench.session.write("SLOT1 4;SLOT2 5")
    assert bench.says("SLOT1?;SLOT2?;SLOT? (@1,2)") == "4.1;5.2;4.1,5.2"
    bench.session.write("SLOT3 1")
    assert bench.says("SYST:ERR?").startswith("-114")


def test_an_expression_that_fails_is_a_device_error_and_no_reply() -> None:
    bench = Bench(PSU)
    assert bench.says("RAT? 6,3") == "2"
    with pytest.raises(ReplyTimeout):
        bench.says("RAT? 1,0")
    assert bench.says("SYST:ERR?").startswith("-310")


def test_a_station_can_start_a_device_in_another_state() -> None:
    assert Bench(PSU, voltage=2.5).says("VOLT?") == "2.5000"
    with pytest.raises(UsageError, match="no state `volage`"):
        Bench(PSU, volage=2.5)


def test_a_binary_reply_comes_as_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "trace.bin").write_bytes(b"#14\x00\xff\x80\n")
    bench = Bench('device: scope\ncommands:\n  "CURVe?": {binary: trace.bin}\n', tmp_path)
    assert bench.session.query_bytes("CURV?") == b"#14\x00\xff\x80\n"
    assert bench.session.query("CURV?").startswith("#14")


def test_the_relay_card_remembers_its_relays_and_misses_two_replies() -> None:
    path = ROOT / "stations" / "devices" / "relay_card.yaml"
    bench = Bench(path.read_text(encoding="utf-8"))
    bench.session.write("ROUT:CLOS (@1,3)")
    assert bench.says("ROUT:CLOS? (@1,2,3)") == "1,0,1"
    bench.session.write("ROUT:OPEN3;:SYST:LAB 'left; bench'")
    assert bench.says("ROUT:CLOS3?;:DIAG:CYCL?;:SYST:LAB?") == '0;3;"left; bench"'
    missed = []
    for reading in range(1, 14):
        try:
            assert float(bench.says("SYST:TEMP?")) == pytest.approx(31.5, abs=1.5)
        except ReplyTimeout:
            missed.append(reading)
    assert missed == [10, 11]


# ---- faults


def faulty(*faults: str) -> Bench:
    listed = "".join(f"  - {fault}\n" for fault in faults)
    return Bench(PSU + "faults:\n" + listed)


def test_a_reply_that_never_comes_costs_the_timeout() -> None:
    bench = faulty("{on: 'MEAS:VOLT?', after: 3, kind: no_reply}")
    for _ in range(3):
        bench.says("MEAS:VOLTage:DC?")
    bench.session.take_latency()
    for _ in range(2):
        with pytest.raises(ReplyTimeout):
            bench.says("MEAS:VOLT?")
    assert bench.session.take_latency() == pytest.approx(10.04)
    assert bench.says("VOLT?") == "0.0000"
    assert bench.says("SYST:ERR?") == '+0,"No error"'


def test_a_fault_comes_at_its_time_and_ends_after_its_times() -> None:
    bench = faulty("{on: 'VOLT?', at: 1 min, times: 1, kind: garbage}")
    assert bench.says("VOLT?") == "0.0000"
    bench.now = 60.0
    assert "0.0" not in bench.says("VOLT?")
    assert bench.says("VOLT?") == "0.0000"


def test_a_late_reply_is_only_slow_within_the_timeout_and_answers_the_wrong_query_beyond() -> None:
    bench = faulty("{on: 'VOLT?', kind: late_reply, delay: 2 s}")
    assert bench.says("VOLT?") == "0.0000"
    assert bench.session.take_latency() == pytest.approx(2.0)
    bench = faulty("{on: 'VOLT?', kind: late_reply, times: 1}")
    with pytest.raises(ReplyTimeout):
        bench.says("VOLT?")
    assert bench.says("OUTP?") == "0.0000", "what came too late is taken for the next answer"
    bench.session.close()
    bench.session.open()
    assert bench.says("OUTP?") == "0"


def test_a_scripted_error_goes_to_the_queue_and_the_command_is_not_done() -> None:
    bench = faulty("{on: 'VOLT 1', kind: error, error: [-240, Too hot]}")
    bench.session.write("VOLT 3")
    assert bench.says("SYST:ERR?;:VOLT?") == '-240,"Too hot";0.0000'


def test_a_disconnected_instrument_answers_again_after_it_was_opened() -> None:
    bench = faulty("{on: '*', after: 1, times: 1, kind: disconnect}")
    assert bench.says("VOLT?") == "0.0000"
    with pytest.raises(ConnectionFailed, match="closed the connection"):
        bench.says("VOLT?")
    with pytest.raises(ConnectionFailed, match="open it first"):
        bench.says("VOLT?")
    bench.session.open()
    assert bench.says("VOLT?") == "0.0000"


def test_an_unlikely_fault_strikes_as_often_as_it_should_and_at_the_same_places() -> None:
    def struck(seed: int) -> list[int]:
        bench = Bench(PSU + "faults: [{on: 'VOLT?', probability: 0.1, kind: garbage}]\n", seed=seed)
        return [n for n in range(500) if bench.says("VOLT?") != "0.0000"]

    assert 25 < len(struck(1)) < 80
    assert struck(1) == struck(1)
    assert struck(1) != struck(2)


# ---- mistakes


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"VOLT?": {reply: "{{ votlage }}"}', "votlage"),
        ('"VOLT?": {reply: "{{ voltage"}', "not closed"),
        ('"VOLT?": {reply: "{{ voltage:zz }}"}', "format"),
        ('"VOLT?": {set: {voltage: 1}}', "query without a reply"),
        ('"VOLT": {reply: x}', "is no query"),
        ('"VOLT <x:float>": {set: {volage: x}}', "no `volage` in the state"),
        ('"VOLT <x:float>": {set: {voltage: y}}', "y"),
        ('"VOLT <x:floot>": {set: {voltage: x}}', "no kind of parameter"),
        ('"VOLT[:LEV <x:float>": {set: {voltage: x}}', "without its"),
        ('"VOLT <x:float>": {set: {voltage: x}, range: [6, 0]}', "ends below its beginning"),
        ('"VOLT <x:float>": {set: {voltage: x}, range: {y: [0, 6]}}', "no number `y`"),
        ('"VOLT <x:bool>": {range: [0, 6]}', "a range is for one number"),
        ('"VOLT <voltage:float>": {set: {voltage: voltage}}', "both a parameter and part of the state"),
        ('"VOLT?": {reply: "{{ voltage }}", noise: {sigma: 5 foo}}', "foo"),
        ('"VOLT?": {binary: ../secret.bin}', "outside the device file's folder"),
        ('"VOLT?": {binary: none.bin}', "there is no file"),
        ('"VOLT <x:float>": {set: {slot: x}}', "a value for each channel"),
    ],
)
def test_a_mistake_in_a_command_is_found_before_it_is_sent(line: str, message: str) -> None:
    text = f"device: d\nchannels: 2\nstate: {{voltage: 1, slot: [1, 2]}}\ncommands:\n  {line}\n"
    loaded = load_text(text, "d.yaml", "device")
    problems = Problems()
    check_device(loaded.model, loaded.source_map, problems)
    shown = render(problems)
    assert message in shown
    assert "d.yaml:5:" in shown
    with pytest.raises(UsageError):
        SimulatedBench(None, ["A"]).session("d", loaded.model, "A")


def test_a_caret_stands_under_the_wrong_name_inside_a_reply() -> None:
    text = 'device: d\nstate: {voltage: 1}\ncommands:\n  "VOLT?": {reply: "{{ votlage }} V"}\n'
    loaded = load_text(text, "d.yaml", "device")
    problems = Problems()
    check_device(loaded.model, loaded.source_map, problems)
    assert f"d.yaml:4:{text.splitlines()[3].index('votlage') + 1}" in render(problems)
    assert "did you mean `voltage`" in render(problems)


def test_every_mistake_of_a_file_is_told_at_once() -> None:
    text = 'device: d\nstate: {v: 1}\ncommands:\n  "A?": {reply: "{{ w }}"}\n  "B <x:foo>": {set: {v: x}}\n  "C?": {}\n'
    assert len(device_problems(load_text(text, "d.yaml", "device").model)) == 3


def test_a_fault_on_no_command_is_found() -> None:
    text = 'device: d\ncommands:\n  "A?": {reply: 1}\nfaults: [{on: "B?", kind: no_reply}]\n'
    loaded = load_text(text, "d.yaml", "device")
    problems = Problems()
    check_device(loaded.model, loaded.source_map, problems)
    assert "names no command" in render(problems)
    assert "d.yaml:4:" in render(problems)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device: d\n", "needs a `model` or `commands`"),
        ("device: d\nmodel: multimeter\nstate: {a: 1}\n", "keeps its own state"),
        ('device: d\nparameters: {a: 1}\ncommands:\n  "A?": {reply: 1}\n', "belong to a built-in"),
        ('device: d\ncommands:\n  "A?": {reply: 1, binary: x}\n', "not both"),
        ('device: d\ncommands:\n  "A": {noise: {sigma: 1}}\n', "need a `reply`"),
        ('device: d\ncommands:\n  "A <x:float>": {range: [0, 1], error: [a, b]}\n', "a number and a text"),
        ('device: d\ncommands:\n  "A?": {reply: 1}\nfaults: [{kind: vanish}]\n', "vanish"),
        ('device: d\ncommands:\n  "A?": {reply: 1, format: "%s"}\n', "format"),
        ("device: d\nmodel: toaster\n", "toaster"),
    ],
)
def test_a_device_file_that_contradicts_itself_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidFiles) as caught:
        load_text(text, "d.yaml", "device")
    assert message in render(caught.value.problems)


def test_a_wrong_world_is_shown_at_its_place_in_the_station() -> None:
    text = (
        "station: s\nworld:\n  model: ldo\n  parameters: {tempc: 30 ppm/degC, vnom: 3 A}\n"
        "instruments:\n  dmm: {driver: sim_dmm}\n"
    )
    loaded = load_text(text, "s.yaml", "station")
    problems = Problems()
    check_world(loaded.model.world, loaded.source_map, problems)
    shown = render(problems)
    assert "s.yaml:4:" in shown
    assert "did you mean `tempco`" in shown
    assert "2 errors" in shown
