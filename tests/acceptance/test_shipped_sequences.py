"""The shipped sequences find in a part what was put into it, and judge it rightly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.recorder import NullRecorder
from engine.run.runner import run
from schemas.documents import Outcome, SafeState

SEQUENCES = [
    "ldo_startup",
    "ldo_load_regulation",
    "ldo_line_regulation",
    "ldo_dropout",
    "ldo_quiescent_current",
    "ldo_tempco",
    "ldo_characterisation",
]
ALIKE = {"spread": 0.0}


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_good_part_passes_and_everything_is_left_safe(bench, sequence):
    ran = bench(sequence, serials=("LDO-0001",))
    assert ran.summary.outcome is Outcome.PASS, ran.summary
    safe = [found for found in ran.documents if isinstance(found, SafeState)]
    assert safe
    assert all(found.verified is not False for found in safe)


@pytest.mark.parametrize("tempco", [-80.0, 0.0, 30.0, 75.0])
def test_the_tempco_found_is_the_one_the_part_has(bench, tempco):
    ran = bench("ldo_tempco", world=f"tempco: {tempco} ppm/degC", **ALIKE)
    assert ran.value("tempco") == pytest.approx(tempco, abs=0.7)


def test_the_load_regulation_found_is_the_one_the_part_has(bench):
    ran = bench("ldo_load_regulation", world="load_regulation: 20 mV/A, tempco: 0 ppm/degC", **ALIKE)
    assert ran.value("load_regulation") == pytest.approx(20.0, rel=0.01)


def test_the_line_regulation_found_is_the_one_the_part_has(bench):
    ran = bench("ldo_line_regulation", world="line_regulation: 1.5 mV/V, tempco: 0 ppm/degC", **ALIKE)
    assert ran.value("line_regulation") == pytest.approx(1.5, rel=0.02)


def test_the_dropout_found_is_the_one_the_part_has(bench):
    ran = bench("ldo_dropout", world="vdo25: 300 mV, tempco: 0 ppm/degC", **ALIKE)
    # 25 °C is 298.15 K, and the part warms by 0.2 W x 20 °C/W while it is found
    assert ran.value("dropout") == pytest.approx(300 * (300 / 300) ** 1.5, rel=0.03)


def test_the_quiescent_current_found_is_the_one_the_part_has(bench):
    ran = bench("ldo_quiescent_current", world="iq25: 50 uA, tcq: 0.3 %/degC", **ALIKE)
    assert ran.values("iq") == pytest.approx([50 * (1 + 0.003 * (t - 25)) for t in (-40, 25, 85)], rel=0.01)


@pytest.mark.parametrize(
    ("serial", "sequence", "culprit"),
    [
        ("BAD-TC-1", "ldo_tempco", "tempco"),
        ("BAD-VREF-1", "ldo_tempco", "vout"),
        ("BAD-LOAD-1", "ldo_load_regulation", "load_regulation"),
        ("BAD-LINE-1", "ldo_line_regulation", "line_regulation"),
        ("BAD-IQ-1", "ldo_quiescent_current", "iq"),
        ("BAD-DROPOUT-1", "ldo_dropout", "dropout"),
        ("BAD-START-1", "ldo_startup", "readings_to_start"),
    ],
)
def test_a_bad_part_fails_for_the_right_reason(bench, serial, sequence, culprit):
    ran = bench(sequence, serials=(serial,))
    assert ran.summary.outcome is Outcome.FAIL
    failed = {found.name for found in ran.documents if getattr(found, "verdict", None) == "fail"}
    assert culprit in failed


def test_the_same_seed_gives_the_same_documents_and_another_does_not(bench):
    one, again, other = (bench("ldo_tempco", seed=seed) for seed in (5, 5, 6))
    assert one.documents[3:] == again.documents[3:]
    assert one.values("vout") != other.values("vout")


@pytest.mark.slow
@pytest.mark.parametrize("sequence", SEQUENCES[:-1])
def test_a_part_in_the_middle_of_its_limits_passes_a_thousand_seeds(bench, sequence):
    first = bench.prepared(sequence, dynamics="settled")
    outcomes = [run(replace(first, seed=seed), recorder=NullRecorder(), run_id="test").outcome for seed in range(1000)]
    assert outcomes.count(Outcome.PASS) == 1000
