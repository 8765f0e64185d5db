"""Many units on the shipped rack: the same values as alone, little more time, each with its own noise."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.recorder import MemoryRecorder
from engine.run.request import RunRequest
from engine.run.runner import prepare, run
from schemas.documents import Held, Measured, Outcome, UnitFinished, UnitStarted
from schemas.library import Library
from schemas.loading import load

ROOT = Path(__file__).resolve().parents[3]


def ran(*serials: str, sequence: str = "ldo_tempco"):
    station = load(ROOT / "stations" / "sim_rack.yaml", "station")
    request = RunRequest(load(ROOT / "sequences" / f"{sequence}.yaml", "sequence"), station, serials=serials)
    recorder = MemoryRecorder()
    summary = run(prepare(request, Library(ROOT, None, None), ROOT), recorder=recorder, run_id="test")
    return summary, recorder.documents


def values(documents, name, unit):
    return [d.value for d in documents if isinstance(d, Measured) and d.name == name and d.unit == unit]


@pytest.fixture(scope="module")
def eight():
    return ran(*(f"SN{number}" for number in range(8)))


def test_eight_units_take_hardly_longer_than_one(eight):
    alone, _ = ran("SN0")
    together, _ = eight
    assert together.outcome is Outcome.PASS
    assert together.duration_s < 1.05 * alone.duration_s


def test_a_unit_among_others_measures_what_it_measures_alone(eight):
    _, documents = eight
    for number in (0, 5):
        _, single = ran(f"SN{number}")
        # the chamber is a little later for some, so equal up to how far it had settled and the noise
        assert values(documents, "tempco", number) == pytest.approx(values(single, "tempco", 0), rel=0.02)
        assert values(documents, "vout", number) == pytest.approx(values(single, "vout", 0), abs=2e-4)


def test_units_differ_from_each_other(eight):
    _, documents = eight
    assert len({values(documents, "tempco", number)[0] for number in range(8)}) == 8


def test_the_same_run_twice_is_the_same(eight):
    _, again = ran(*(f"SN{number}" for number in range(8)))
    assert again[1:] == eight[1][1:]


def test_documents_say_who_had_the_chamber_and_the_meter(eight):
    held = {(d.resource, d.kind) for d in eight[1] if isinstance(d, Held)}
    assert {("chamber", "mode"), ("dmm", "claim"), ("matrix", "claim")} <= held
    assert not any("@" in resource for resource, _ in held)


def test_a_unit_that_comes_later_is_another_part_at_the_same_site():
    summary, documents = ran(*(f"SN{number}" for number in range(10)), sequence="ldo_load_regulation")
    assert summary.outcome is Outcome.PASS
    sites = {d.unit: d.site for d in documents if isinstance(d, UnitStarted)}
    assert sites[8] in sites.values()
    assert len([d for d in documents if isinstance(d, UnitFinished)]) == 10
    _, alone = ran("SN9", sequence="ldo_load_regulation")
    name = next(d.name for d in alone if isinstance(d, Measured) and isinstance(d.value, float) and d.limit)
    assert values(documents, name, 9) == pytest.approx(values(alone, name, 0), rel=0.05, abs=1e-3)
