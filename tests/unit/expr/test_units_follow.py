"""Units follow: what an expression gives, in which unit, and which mixtures are refused."""

from __future__ import annotations

from typing import Any

import pytest

from engine.expr import ExpressionError, SimpleScope, compile_expression, evaluate
from schemas.quantity import UnitKind, parse_unit

GIVES = [
    # text, value, unit
    ("v + mv", 6.6, "V"),
    ("mv - v", 0.0, "mV"),
    ("v + 1", 4.3, "V"),
    ("mv + 1 V", 4300.0, "mV"),
    ("current * r", 20.0, "V"),
    ("v * current", 0.033, "W"),
    ("v / mv", 1.0, ""),
    ("v / current", 330.0, "Ohm"),
    ("v * 2", 6.6, "V"),
    ("2 * mv", 6600.0, "mV"),
    ("1 / soak", 1 / 120, "Hz"),
    ("v ** 2", 3.3 * 3.3, "V^2"),
    ("v ** 0.5", 3.3**0.5, "V^0.5"),
    ("sqrt(v * v)", 3.3, "V"),
    ("v // 2", 1.0, ""),
    ("elapsed % 7", 2.0, "s"),
    ("-v", -3.3, "V"),
    ("abs(-v)", 3.3, "V"),
    ("eff * v", 0.93 * 3.3, "V"),
    ("eff + 1", 94.0, "%"),
    ("v * (1 + tc * (t - 25))", 3.3 * 1.003, "V"),
    ("5 V/us", 5.0, "V/us"),
    ("5 V/v", 5 / 3.3, ""),
    ("2 %", 2.0, "%"),
    ("100 % - eff", 7.0, "%"),
    ("1 h + 30 min", 1.5, "h"),
    ("1 h 30 min", 5400.0, "s"),
    ("soak + 1 min 30 s", 3.5, "min"),
    ("n + 1", 4.0, ""),
    ("v if ok else 0", 3.3, "V"),
    ("mv if ok else v", 3300.0, "mV"),
    # temperatures
    ("t", 85.0, "degC"),
    ("t + 5", 90.0, "degC"),
    ("t + 5 degC", 90.0, "degC"),
    ("t + 5 K", 90.0, "degC"),
    ("5 + t", 90.0, "degC"),
    ("t - 5 K", 80.0, "degC"),
    ("t2 + (t - f)", 85.0, "degC"),
    ("-40 degC", -40.0, "degC"),
    ("round(t)", 85.0, "degC"),
    # levels
    ("pout + gain", -10.0, "dBm"),
    ("gain + pout", -10.0, "dBm"),
    ("pout - gain", -30.0, "dBm"),
    ("pout - pout", 0.0, "dB"),
    ("gain * 2", 20.0, "dB"),
    ("10 ** (gain / 20 dB)", 10**0.5, ""),
    ("db(v / mv)", 0.0, "dB"),
]


@pytest.mark.parametrize(("text", "value", "unit"), GIVES)
def test_an_expression_gives_its_value_in_the_derived_unit(
    scope: SimpleScope, environment: dict[str, Any], text: str, value: float, unit: str
) -> None:
    compiled = compile_expression(text, scope)
    assert evaluate(compiled, environment) == pytest.approx(value, rel=1e-12)
    assert compiled.type.unit == parse_unit(unit)


DIFFERENCES = [("t - t2", 60.0), ("t - 25", 60.0), ("t - f", 60.0), ("t - 25 degC", 60.0), ("(t - 25) * 2", 120.0)]


@pytest.mark.parametrize(("text", "value"), DIFFERENCES)
def test_two_temperatures_give_a_difference(
    scope: SimpleScope, environment: dict[str, Any], text: str, value: float
) -> None:
    compiled = compile_expression(text, scope)
    assert compiled.type.unit is not None
    assert compiled.type.unit.kind is UnitKind.DIFFERENCE
    assert evaluate(compiled, environment) == pytest.approx(value)


TRUE = [
    "v > 10 mV", "v > 3", "3 < v < 4", "3 V < mv <= 3300", "t > 300 K", "t2 < t < 100", "f == t2", "k > t2",
    "abs(t - 25) > 0.5", "abs(t - t2) > 0.5 degC", "t - t2 > 59 K", "pout < 0 dBm", "gain - 1 < 10 dB",
    "soak > elapsed", "v * current > 5 mW", "v * current > 0", "eff > 90", "eff > 90 %", "eff > 0.9 * 1",
    "v in [3.3, 4]", "mv in [3.3 V]", "v not in [3.2 V, 4 V]", "v != 3", "ok == true", "v in vs", "7 % 3 == 1",
]  # fmt: skip


@pytest.mark.parametrize("text", TRUE)
def test_comparisons_convert_within_a_dimension(scope: SimpleScope, environment: dict[str, Any], text: str) -> None:
    assert evaluate(compile_expression(text, scope), environment) is True


INTO = [
    ("slope(vs, ts) / mean(vs)", "ppm/degC", 48.3126),
    ("current * r", "V", 20.0),
    ("v", "mV", 3300.0),
    ("5", "V", 5.0),
    ("5", "degC", 5.0),
    ("t", "K", 358.15),
    ("k", "degC", 26.85),
    ("25 degC", "degF", 77.0),
    ("t - 5", "degC", 80.0),
    ("t - 5", "degF", 176.0),
    ("t - t2", "K", 60.0),
    ("pout - 3", "dBm", -23.0),
    ("v / mv", "%", 100.0),
    ("eff", "", 0.93),
    ("soak", "s", 120.0),
    ("answer", "V", 5.0),
]


@pytest.mark.parametrize(("text", "unit", "value"), INTO)
def test_the_result_is_converted_to_the_asked_unit(
    scope: SimpleScope, environment: dict[str, Any], text: str, unit: str, value: float
) -> None:
    compiled = compile_expression(text, scope, unit=parse_unit(unit))
    assert compiled.type.unit == parse_unit(unit)
    assert evaluate(compiled, environment) == pytest.approx(value, rel=1e-5)


REFUSED = [
    ("v > current", "cannot compare V with mA"),
    ("v + current", "cannot add V and mA"),
    ("v - current", "cannot subtract mA from V"),
    ("v < 5 s", "cannot compare V with s"),
    ("v if ok else 1 A", "cannot choose between V and A"),
    ("v in [1 V, 2 A]", "cannot look for V among A"),
    ("min(v, 1 A)", "cannot compare V with A"),
    ("t + t2", "cannot add a temperature"),
    ("t * 2", "means nothing"),
    ("-t", "means nothing"),
    ("abs(t)", "means nothing"),
    ("sum(ts)", "means nothing"),
    ("rms(ts)", "means nothing"),
    ("pout + pout", "cannot add dBm and dBm"),
    ("pout * 2", "means nothing"),
    ("pout > gain", "cannot compare dBm with dB"),
    ("gain - pout", "cannot subtract dBm from dB"),
    ("t - t2 > t", "cannot compare"),
    ("v * current > 5", "not clear"),
    ("v ** n", "must be a literal"),
    ("2 ** v", "exponent is a plain number"),
    ("10 ** (gain / 20)", "exponent is a plain number"),
    ("log(v)", "needs a plain number"),
    ("vs[1 V]", "an index is a plain number"),
    ("interp(1 V, xs, vs)", "cannot compare"),
    ("nearest(vs, ts, 1 V)", "cannot compare"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_mixed_dimensions_are_refused_when_compiled(scope: SimpleScope, text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as caught:
        compile_expression(text, scope)
    assert 0 <= caught.value.start < caught.value.end <= len(text)


def test_a_difference_does_not_fit_a_field_for_temperatures_unless_either_is_taken(scope: SimpleScope) -> None:
    degrees = parse_unit("degC")
    with pytest.raises(ExpressionError, match="this is a difference"):
        compile_expression("t - t2", scope, unit=degrees)
    either = compile_expression("t - t2", scope, unit=degrees, difference=None)
    assert either.type.unit == degrees.difference()


def test_a_tolerance_takes_differences_and_literals_but_no_temperature(scope: SimpleScope) -> None:
    degrees = parse_unit("degC")
    for text in ("0.5", "0.5 degC", "0.5 K", "t - t2"):
        assert compile_expression(text, scope, unit=degrees, difference=True).type.unit == degrees.difference()
    with pytest.raises(ExpressionError, match="a difference is expected"):
        compile_expression("t", scope, unit=degrees, difference=True)


def test_a_wrong_dimension_for_the_field_says_what_was_derived(scope: SimpleScope) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression("v * current", scope, unit=parse_unit("V"))
    assert caught.value.message == "a voltage is expected, this is a power"
    assert "mW" in caught.value.help


def test_equal_units_cost_no_conversion(scope: SimpleScope) -> None:
    compiled = compile_expression("v > 3.2 V", scope)
    assert compiled.code is not None
    assert 3.2 in compiled.code.co_consts
    assert 1000.0 not in compile_expression("mv > 3.2 V", scope).code.co_consts  # type: ignore[union-attr]


def test_a_unit_that_is_also_a_name_after_a_slash_is_refused() -> None:
    from engine.expr import Kind, Symbol, Type

    scope = SimpleScope({"s": Symbol("s", Type(Kind.NUMBER, parse_unit("")))})
    with pytest.raises(ExpressionError, match="a unit and a name"):
        compile_expression("5 V/s", scope)
    assert compile_expression("5 V / s", scope).type.unit == parse_unit("V")
