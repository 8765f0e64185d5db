"""Nothing leaves that the station or the instrument does not allow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.bench import Target
from engine.core.errors import GuardViolation, UsageError

VOLTAGE = Target("psu", "", "volt")


def guarded(fake: SimpleNamespace, **changes: Any) -> Any:
    return fake.rig(fake.spec("psu", fake.prop("volt", low=0.0, high=20.0, guard_low=1.0, guard_high=12.0, **changes)))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (14.0, "psu.volt: 14 V is above the 12 V the station allows; nothing was sent"),
        (0.5, "psu.volt: 0.5 V is below the 1 V the station allows; nothing was sent"),
        (12.000000001, "psu.volt: 12.000000001 V is above the 12 V the station allows; nothing was sent"),
        (float("nan"), "psu.volt: NaN is no value it can be set to; nothing was sent"),
        (float("inf"), "psu.volt: inf is no value it can be set to; nothing was sent"),
        ("12", "psu.volt: `12` is not a number; nothing was sent"),
        (True, "psu.volt: `True` is not a number; nothing was sent"),
        (None, "psu.volt: `None` is not a number; nothing was sent"),
    ],
)
def test_a_value_outside_the_guard_is_refused_before_any_traffic(
    fake: SimpleNamespace, value: Any, message: str
) -> None:
    rig = guarded(fake)
    with pytest.raises(GuardViolation) as caught:
        rig.bench.apply(0, VOLTAGE, value)
    assert caught.value.message == message
    assert rig.psu.take() == []


def test_bounds_are_allowed(fake: SimpleNamespace) -> None:
    rig = guarded(fake)
    assert rig.bench.apply(0, VOLTAGE, 12.0)
    assert rig.bench.apply(0, VOLTAGE, 1.0)


def test_force_does_not_pass_the_guard(fake: SimpleNamespace) -> None:
    rig = guarded(fake)
    with pytest.raises(GuardViolation):
        rig.bench.apply(0, VOLTAGE, 14.0, force=True)


def test_a_refused_value_leaves_what_was_wanted(fake: SimpleNamespace) -> None:
    rig = guarded(fake)
    rig.bench.apply(0, VOLTAGE, 5.0)
    with pytest.raises(GuardViolation):
        rig.bench.apply(0, VOLTAGE, 14.0)
    assert not rig.bench.apply(0, VOLTAGE, 5.0)


def test_what_the_instrument_cannot_take_is_refused_too(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", high=6.0)))
    with pytest.raises(GuardViolation, match="above the 6 V the instrument takes"):
        rig.bench.apply(0, VOLTAGE, 7.0)


def test_a_coarse_format_cannot_round_past_the_guard(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", set="VOLT {{ value:.0f }}", guard_high=11.7)))
    with pytest.raises(GuardViolation, match=r"12 V is above the 11\.7 V"):
        rig.bench.apply(0, VOLTAGE, 11.6)
    assert rig.psu.take() == []


def test_an_unknown_word_is_refused_with_the_nearest(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", type="choice", choices={"slow": "S", "fast": "F"})))
    with pytest.raises(GuardViolation) as caught:
        rig.bench.apply(0, VOLTAGE, "fsat")
    assert "fast" in caught.value.help
    assert rig.psu.take() == []


def test_a_default_outside_the_guard_is_not_put_back(fake: SimpleNamespace) -> None:
    psu = fake.spec("psu", fake.prop("volt", default=0.0, guard_low=1.0))
    rig = fake.rig(psu, sites={0: "A", 1: "B"})
    rig.bench.apply(0, VOLTAGE, 5.0)
    assert not rig.bench.restore(1, "psu")
    assert any("not allowed" in line for line in rig.logged)


def test_a_safe_value_the_instrument_cannot_take_is_refused_when_built(fake: SimpleNamespace) -> None:
    with pytest.raises(UsageError, match=r"the safe state of psu cannot be: psu\.volt: 30 V is above the 20 V"):
        fake.rig(fake.spec("psu", fake.prop("volt", high=20.0), safe=[("volt", 30.0)]))


def test_a_safe_value_may_lie_outside_the_guard(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", guard_low=1.0), safe=[("volt", 0.0)]))
    assert rig.bench.make_safe(0, "psu").verified is True


def test_numbers_of_numpy_are_numbers_and_its_switches_are_switches(fake: SimpleNamespace) -> None:
    numpy = pytest.importorskip("numpy")
    rig = fake.rig(fake.spec("psu", fake.prop("volt"), fake.prop("outp", type="on_off")))
    rig.bench.apply(0, VOLTAGE, numpy.float64(3.3))
    rig.bench.apply(0, Target("psu", "", "outp"), numpy.bool_(True))
    assert rig.psu.take() == ["VOLT 3.3", "OUTP ON"]
