"""The same sequences on the rack: eight sites, one chamber, one meter behind a switch matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.recorder import MemoryRecorder
from engine.run.request import RunRequest, RunSummary
from engine.run.runner import prepare, run
from schemas.documents import (
    Document,
    InstrumentOpened,
    Measured,
    Outcome,
    SafeState,
    UnitFinished,
    UnitStarted,
    Verdict,
)
from schemas.loading import load, load_text

ROOT = Path(__file__).resolve().parents[2]
SITES = "ABCDEFGH"
SEQUENCES = {
    "ldo_startup": "B",
    "ldo_load_regulation": "C",
    "ldo_line_regulation": "D",
    "ldo_dropout": "E",
    "ldo_quiescent_current": "F",
    "ldo_tempco": "G",
    "ldo_characterisation": "H",
}
CLOSE = {
    "vout": 0.5e-3,
    "vout_off": 1e-3,
    "vout_started": 0.3e-3,
    "vout_regulated": 0.3e-3,
    "iin_started": 0.1,
    "load_regulation": 0.3,
    "line_regulation": 0.02,
    "dropout": 5.0,
    "iq": 0.5,
    "iq_tempco": 0.01,
    "tempco": 1.0,
    "self_heating_error": 2.0,
    "readings_to_start": 1.0,
}
"""How near two benches are to each other for the same unit, in the unit of the value: accuracy and noise of their meters."""


@dataclass(frozen=True)
class Ran:
    """What a run left behind."""

    summary: RunSummary
    documents: Sequence[Document]

    def all(self, kind: type[Any]) -> list[Any]:
        return [found for found in self.documents if type(found) is kind]

    def measured(self, unit: int = 0) -> list[Measured]:
        """What was measured of a unit and judged."""
        return [one for one in self.all(Measured) if one.unit == unit and one.verdict is not Verdict.UNJUDGED]

    def failed(self, unit: int = 0) -> set[str]:
        return {one.name for one in self.all(Measured) if one.unit == unit and one.verdict is Verdict.FAIL}


Rack = Callable[..., Ran]


@pytest.fixture(scope="session")
def rack(bench: Any) -> Rack:
    """`rack("ldo_tempco", (serial, …))`: units from site A on, or one at `site`; a shipped sequence, or the text of one."""

    def at(sequence: str, serials: tuple[str, ...], site: str | None = None) -> Ran:
        shipped = sequence in SEQUENCES
        path = ROOT / "sequences" / f"{sequence}.yaml"
        loaded = load(path, "sequence") if shipped else load_text(sequence, "own.yaml", "sequence")
        request = RunRequest(loaded, load(ROOT / "stations" / "sim_rack.yaml", "station"), serials=serials)
        prepared = prepare(request, bench.library, ROOT)
        if site is not None:
            prepared = replace(prepared, units=tuple(replace(unit, site=site) for unit in prepared.units))
        recorder = MemoryRecorder()
        return Ran(run(prepared, recorder=recorder, run_id="test"), recorder.documents)

    return at


def same_values(one: Sequence[Measured], other: Sequence[Measured]) -> None:
    """The same points, and at each of them values within `CLOSE`."""
    first, second = ({(found.node, found.name): found.value for found in ran} for ran in (one, other))
    assert first.keys() == second.keys()
    for (node, name), value in first.items():
        assert value == pytest.approx(second[node, name], abs=CLOSE[name]), node


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_good_part_passes_at_any_site_and_everything_is_left_safe(rack: Rack, sequence: str) -> None:
    ran = rack(sequence, ("LDO-0001",), SEQUENCES[sequence])
    assert ran.summary.outcome is Outcome.PASS, ran.summary
    safe = ran.all(SafeState)
    assert safe
    assert all(found.verified is not False for found in safe)


@pytest.mark.parametrize("site", SITES)
def test_a_unit_has_the_same_values_at_every_site_as_on_a_bench_of_its_own(rack: Rack, bench: Any, site: str) -> None:
    serial = f"LDO-{site}"
    there, alone = rack("ldo_load_regulation", (serial,), site), bench("ldo_load_regulation", serials=(serial,))
    assert there.summary.outcome is Outcome.PASS
    same_values(there.measured(), Ran(alone.summary, alone.documents).measured())


def test_the_sites_of_the_rack_hold_different_parts(rack: Rack) -> None:
    found = {rack("ldo_load_regulation", (f"LDO-{site}",), site).measured()[-1].value for site in "ABC"}
    assert len(found) == 3


@pytest.mark.parametrize(
    ("site", "serial", "sequence", "culprit"),
    [
        ("A", "BAD-TC-1", "ldo_tempco", "tempco"),
        ("B", "BAD-VREF-1", "ldo_tempco", "vout"),
        ("C", "BAD-LOAD-1", "ldo_load_regulation", "load_regulation"),
        ("D", "BAD-LINE-1", "ldo_line_regulation", "line_regulation"),
        ("E", "BAD-IQ-1", "ldo_quiescent_current", "iq"),
        ("F", "BAD-DROPOUT-1", "ldo_dropout", "dropout"),
        ("G", "BAD-START-1", "ldo_startup", "readings_to_start"),
    ],
)
def test_a_bad_part_fails_for_the_right_reason(rack: Rack, site: str, serial: str, sequence: str, culprit: str) -> None:
    ran = rack(sequence, (serial,), site)
    assert ran.summary.outcome is Outcome.FAIL
    assert culprit in ran.failed()


def test_only_the_instruments_of_the_unit_s_own_site_are_used(rack: Rack) -> None:
    ran = rack("ldo_dropout", ("LDO-0001",), "F")
    assert {(one.instrument.name, one.instrument.site) for one in ran.all(InstrumentOpened)} == {
        ("psu", "F"),
        ("load", "F"),
        ("matrix", None),
        ("dmm", None),
    }


def test_a_net_is_recorded_with_its_pin_and_connected_at_the_unit_s_own_site(rack: Rack) -> None:
    ran = rack(
        "sequence: two_nets\n"
        "needs: {psu: power_supply}\n"
        "setup: [{set: {psu.voltage: 6 V, psu.current_limit: 1 A, psu.output: on}, settle: 20 ms}]\n"
        "steps: [{measure: vout, at: VOUT, limit: none}, {measure: vin, at: VIN, limit: none}]\n"
        "cleanup: [{set: {psu.output: off}}]\n",
        ("LDO-0001",),
        "D",
    )
    vout, vin = ran.all(Measured)
    assert (vout.net, vout.pin, vin.net, vin.pin) == ("VOUT", "TP3", "VIN", "TP1")
    assert vout.value == pytest.approx(3.3, abs=0.05)
    assert vin.value == pytest.approx(6.0, abs=0.01)


# ---- eight units at once

UNITS = ("LDO-0001", "LDO-0002", "LDO-0003", "BAD-TC-1", "LDO-0005", "LDO-0006", "LDO-0007", "LDO-0008")


@pytest.fixture(scope="module")
def eight(rack: Rack) -> Ran:
    return rack("ldo_characterisation", UNITS)


def test_each_of_eight_units_has_an_outcome_of_its_own(eight: Ran) -> None:
    outcomes = {one.unit: one.outcome for one in eight.all(UnitFinished)}
    assert outcomes == {
        unit: Outcome.FAIL if serial.startswith("BAD") else Outcome.PASS for unit, serial in enumerate(UNITS)
    }
    assert eight.summary.outcome is Outcome.FAIL
    assert {(one.serial, one.site) for one in eight.all(UnitStarted)} == set(zip(UNITS, SITES, strict=True))


def test_the_bad_one_of_eight_fails_for_the_right_reason_and_no_other_does(eight: Ran) -> None:
    assert "tempco" in eight.failed(UNITS.index("BAD-TC-1"))
    assert {"load_regulation", "line_regulation", "dropout", "iq"}.isdisjoint(eight.failed(UNITS.index("BAD-TC-1")))
    assert [eight.failed(unit) for unit, serial in enumerate(UNITS) if not serial.startswith("BAD")] == [set()] * 7


@pytest.mark.parametrize("unit", [unit for unit, serial in enumerate(UNITS) if not serial.startswith("BAD")])
def test_a_good_one_of_eight_has_the_values_it_has_on_a_bench_of_its_own(eight: Ran, bench: Any, unit: int) -> None:
    alone = bench("ldo_characterisation", serials=(UNITS[unit],))
    same_values(eight.measured(unit), Ran(alone.summary, alone.documents).measured())


def test_eight_units_in_one_chamber_take_little_longer_than_one(eight: Ran, rack: Rack) -> None:
    one = rack("ldo_characterisation", ("LDO-0001",))
    assert eight.summary.duration_s < 1.05 * one.summary.duration_s


def test_a_slow_start_is_seen_though_eight_units_share_the_meter(rack: Rack) -> None:
    ran = rack("ldo_startup", (*UNITS[:3], "BAD-START-1", *UNITS[4:]))
    assert {unit: ran.failed(unit) for unit in range(8)} == {
        unit: {"readings_to_start"} if unit == 3 else set() for unit in range(8)
    }


def test_eight_units_leave_every_instrument_of_the_rack_safe(eight: Ran) -> None:
    safe = {one.instrument: one.verified for one in eight.all(SafeState)}
    assert all(verified is not False for verified in safe.values())
    assert {"chamber", "matrix", *(f"{name}@{site}" for name in ("psu", "load") for site in SITES)} <= safe.keys()


def test_more_units_than_sites_queue_and_each_is_measured_as_the_part_it_is(rack: Rack, bench: Any) -> None:
    serials = (*UNITS, "LDO-0009", "BAD-LOAD-1", "LDO-0011")
    ran = rack("ldo_load_regulation", serials)
    assert {one.serial for one in ran.all(UnitStarted)} == set(serials)
    started = {one.serial: one for one in ran.all(UnitStarted)}
    ended = {one.unit: one for one in ran.all(UnitFinished)}
    for serial in serials[8:]:
        before = [one for one in started.values() if one.site == started[serial].site and one.serial != serial]
        assert any(ended[one.unit].t <= started[serial].t for one in before)
    assert {unit for unit, one in ended.items() if one.outcome is Outcome.FAIL} == {serials.index("BAD-LOAD-1")}
    for unit in (8, 10):
        alone = bench("ldo_load_regulation", serials=(serials[unit],))
        same_values(ran.measured(unit), Ran(alone.summary, alone.documents).measured())


def test_eight_units_give_the_same_documents_again(eight: Ran, rack: Rack) -> None:
    assert rack("ldo_characterisation", UNITS).documents[1:] == eight.documents[1:]
