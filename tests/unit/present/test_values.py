"""Numbers and limits as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.present import values
from engine.present.verdicts import Tone, headline, mark
from schemas.documents import Outcome, Verdict


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (3.3, "V", "3.3 V"),
        (4.82e-5, "A", "48.2 µA"),
        (0.5, "V", "0.5 V"),
        (1e-13, "F", "100 fF"),
        (2_500_000.0, "Hz", "2.5 MHz"),
        (50.0, "mA", "50 mA"),
        (0.002, "mA", "0.002 mA"),
        (-40.0, "degC", "-40 °C"),
        (28.4, "ppm/degC", "28.4 ppm/°C"),
        (4700.0, "Ohm", "4.7 kΩ"),
        (0.0, "V", "0 V"),
        (7200.0, "s", "7200 s"),
        (math.nan, "V", "no reading"),
        (math.inf, "V", "∞ V"),
        (None, "V", "unreadable"),
        (True, "", "true"),
        ("B2", "", "B2"),
        (1e30, "", "1e30"),
        (12.0, "uV", "12 µV"),
    ],
)
def test_a_value_alone(value: object, unit: str, text: str) -> None:
    assert values.value_text(value, unit) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "unit", "low", "high", "value_text", "limit_text", "margin_text"),
    [
        (3.2999, "V", 3.234, 3.366, "3.2999 V", "3.234 … 3.366 V", "65.9 mV"),
        (48e-6, "A", None, 50e-6, "48.00 µA", "≤ 50 µA", "2 µA"),
        (0.0061, "V", None, 0.005, "6.100 mV", "≤ 5 mV", "-1.1 mV"),
        (3.36600001, "V", 3.234, 3.366, "3.36600001 V", "3.234 … 3.366 V", "-10 nV"),
        (3.0, "V", 3.0, None, "3.000 V", "≥ 3 V", "0 V"),
        (28.4, "ppm/degC", -100.0, 100.0, "28.4 ppm/°C", "-100 … 100 ppm/°C", "71.6 ppm/°C"),
        (25.2, "degC", 20.0, 30.0, "25.20 °C", "20 … 30 °C", "4.8 K"),
        (0.5, "V", 0.0, 0.0, "0.5000 V", "0 … 0 V", "-0.5 V"),
        (math.nan, "V", 3.0, 4.0, "no reading", "3 … 4 V", ""),
    ],
)
def test_a_value_with_its_limits(
    value: float, unit: str, low: float | None, high: float | None, value_text: str, limit_text: str, margin_text: str
) -> None:
    margin = min(([value - low] if low is not None else []) + ([high - value] if high is not None else []))
    shown = values.judged(value, unit, low, high, "", margin)
    assert (shown.value, shown.limit, shown.margin) == (value_text, limit_text, margin_text)


finite = st.floats(-1e9, 1e9).filter(lambda v: v == 0 or abs(v) > 1e-9)


@settings(deadline=None)
@given(value=finite, a=finite, b=finite, unit=st.sampled_from(["V", "A", "mA", "degC", ""]))
def test_a_value_never_reads_as_on_another_side_of_its_limit(value: float, a: float, b: float, unit: str) -> None:
    low, high = min(a, b), max(a, b)
    for near in (value, math.nextafter(high, math.inf), math.nextafter(low, -math.inf), low, high):
        scale = values.scale_for([low, high], unit)
        shown = float(values.judged_digits(near, low, high, scale))
        for bound in (scale.of(low), scale.of(high)):
            assert (shown > bound, shown < bound) == (scale.of(near) > bound, scale.of(near) < bound)


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ('{"kind":"one_of","values":["a","b"]}', "one of a, b"),
        ('{"kind":"equals","value":true}', "= true"),
        ('{"kind":"equals","value":3}', "= 3 V"),
        ('{"kind":"matches","pattern":"A\\\\d+"}', "matches A\\d+"),
        ('{"kind":"mask","along":"temperature"}', "mask along temperature"),
        ('{"kind":"band","low":1,"high":2,"exclusive":"high"}', "1 … < 2 V"),
        ('{"kind":"band","low":1,"exclusive":"low"}', "> 1 V"),
        ("not json", ""),
        ("[1, 2]", ""),
        ("", ""),
    ],
)
def test_a_limit_of_every_form(limit: str, text: str) -> None:
    assert values.limit_text(limit, None, None, values.Scale(1.0, "V")) == text


def test_a_limit_says_how_it_was_tightened() -> None:
    assert values.limit_notes('{"kind":"band","high":1,"guardband":0.002}', "V") == "guard band 2 mV"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""), (0, "0 s"), (0.25, "250 ms"), (12.34, "12.3 s"), (59.97, "1 min"), (72, "1 min 12 s"), (3599.7, "1 h"),
        (4320, "1 h 12 min"), (86399, "1 d"), (183600, "2 d 3 h"), (-5, "-5 s"), (math.nan, ""), (0.00042, "0.42 ms"),
    ],
)  # fmt: skip
def test_durations(seconds: float | None, text: str) -> None:
    assert values.duration_text(seconds) == text


def test_units_for_a_plain_terminal() -> None:
    assert values.pretty_unit("µV/°C", ascii_only=True) == "uV/degC"
    assert values.pretty_unit("kOhm") == "kΩ"
    assert values.pretty_unit("degrees") == "degrees"


def test_every_outcome_and_verdict_has_a_word_a_glyph_and_an_ascii_form() -> None:
    for what in [*Outcome, *Verdict, "running", "interrupted", "started"]:
        found = mark(what)
        assert found.word == str(what)
        assert found.glyph != "?"
        assert found.text(ascii_only=True).isascii()
        assert headline(what).isupper()


def test_only_a_pass_is_green() -> None:
    assert [str(what) for what in [*Outcome, "running", "interrupted"] if mark(what).tone is Tone.GOOD] == ["pass"]
