"""Quantities: what is read, to the last bit; what is refused, and with which advice."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import unit_algebra, units
from schemas.quantity import (
    QuantityError,
    UnitKind,
    convert,
    factor,
    format_quantity,
    parse_quantity,
    parse_unit,
)

READ = [
    ("3.3 V", "V", 3.3),
    ("3.3V", "V", 3.3),
    ("+5 V", "V", 5.0),
    (".5 V", "V", 0.5),
    ("10 mA", "mA", 10.0),
    ("50 mA", "A", 0.05),
    ("3.3 mV", "V", 3.3e-3),
    ("4.7 uF", "F", 4.7e-6),
    ("4.7 µF", "uF", 4.7),
    ("4.7 μF", "nF", 4700.0),
    ("1.5 kOhm", "Ohm", 1500.0),
    ("1.5 kΩ", "ohm", 1500.0),
    ("-40 degC", "degC", -40.0),
    ("25 °C", "degC", 25.0),
    ("77 degF", "degC", 25.0),
    ("300 K", "degC", 26.85),
    ("25 degC", "K", 298.15),
    ("2 %", "", 0.02),
    ("2 %", "%", 2.0),
    ("50 ppm/degC", "ppm/degC", 50.0),
    ("50 ppm/degC", "1/K", 50e-6),
    ("10 degC/min", "degC/min", 10.0),
    ("1 V/us", "V/s", 1e6),
    ("3 nV/Hz^0.5", "V/Hz^0.5", 3e-9),
    ("4 V²", "V^2", 4.0),
    ("5 W*s", "J", 5.0),
    ("1 Wh", "J", 3600.0),
    ("1 bar", "Pa", 1e5),
    ("2 B", "bit", 16.0),
    ("60 rpm", "deg/s", 360.0),
    ("-20 dBm", "dBm", -20.0),
    ("0 dBW", "dBm", 30.0),
    ("20 m", "mm", 20000.0),
    ("1 h 30 min", "s", 5400.0),
    ("1 h 30 min", "min", 90.0),
    ("-1 h 30 min", "s", -5400.0),
    ("1 d 2 h 3 min 4 s 5 ms", "s", 93784.005),
    ("1.1 min", "s", 66.0),
    (3, "V", 3.0),
    ("3", "V", 3.0),
    ("1e3", "mV", 1000.0),
    ("1e3 mV", "V", 1.0),
    ("3 counts", "", 3.0),
]


@pytest.mark.parametrize(("text", "unit", "value"), READ)
def test_a_quantity_is_read_in_the_unit_of_its_field(text: str | float, unit: str, value: float) -> None:
    quantity = parse_quantity(text, parse_unit(unit))
    assert quantity.value == value
    assert quantity.unit == parse_unit(unit)


REFUSED = [
    ("3,3 V", "Q002", "3.3 V"),
    ("1,000,000 V", "Q003", "1000000 V"),
    ("1_000 V", "Q003", "1000 V"),
    ("1 000 V", "Q003", "1000 V"),
    ("0x10 V", "Q004", "decimal"),
    ("9**9 V", "Q004", "{{"),
    ("−5 V", "Q004", "-5 V"),
    ("4k7", "Q004", "4.7 kOhm"),
    ("", "Q004", "such as"),
    ("V", "Q004", "such as"),
    ("nan", "Q004", "such as"),
    ("inf V", "Q004", "such as"),
    ("5 min 3", "Q004", "such as"),
    ("1 h 30", "Q004", "such as"),
    ("٣ V", "Q004", "such as"),
    ("10k", "Q006", "10 kV"),
    ("10 m", "Q006", "10 mV"),
    ("10 mv", "Q005", "`mV`"),
    ("10 volts", "Q005", "`V`"),
    ("10 V/furlong", "Q005", ""),
    ("10 V//s", "Q005", ""),
    ("10 V^99", "Q005", ""),
    ("10 A", "Q007", "10 V"),
    ("10 V/s", "Q007", ""),
    ("1 h 30 min", "Q007", ""),
    ("1e400 V", "Q008", ""),
    ("9" * 70 + " V", "Q001", ""),
    (True, "Q004", ""),
    (math.nan, "Q008", ""),
    (10**400, "Q008", ""),
]


@pytest.mark.parametrize(("text", "code", "advice"), REFUSED)
def test_what_other_tools_misread_is_refused_with_the_spelling_that_works(
    text: str | float, code: str, advice: str
) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_quantity(text, parse_unit("V"))
    assert caught.value.code == code
    assert advice in caught.value.help
    if caught.value.span is not None and isinstance(text, str):
        start, end = caught.value.span
        assert 0 <= start < end <= max(len(text), 1)


def test_ten_m_of_a_time_may_be_minutes_or_milliseconds() -> None:
    with pytest.raises(QuantityError, match="minutes or milliseconds") as caught:
        parse_quantity("10 m", parse_unit("s"))
    assert "`10 min` or `10 ms`" in caught.value.help


def test_capital_s_is_offered_as_second_where_a_time_is_expected() -> None:
    with pytest.raises(QuantityError) as caught:
        parse_quantity("10 S", parse_unit("s"))
    assert "did you mean `10 s`?" in caught.value.help


def test_celsius_by_its_letter_is_explained() -> None:
    with pytest.raises(QuantityError) as caught:
        parse_quantity("25 C")
    assert "degC" in caught.value.help


def test_a_tolerance_in_degrees_is_a_difference() -> None:
    degrees = parse_unit("degC")
    tolerance = parse_quantity("0.5 degC", degrees, difference=True)
    assert tolerance.value == 0.5
    assert tolerance.unit.kind is UnitKind.DIFFERENCE
    assert parse_quantity("0.5 K", degrees, difference=True).value == 0.5
    assert parse_quantity("9 degF", degrees, difference=True).value == 5.0
    assert parse_quantity(0.5, degrees, difference=True).unit == degrees.difference()


def test_a_tolerance_of_a_level_is_in_db() -> None:
    dbm = parse_unit("dBm")
    assert parse_quantity("3 dB", dbm, difference=True).unit == parse_unit("dB")
    with pytest.raises(QuantityError, match="difference"):
        parse_quantity("3 dBm", dbm, difference=True)
    with pytest.raises(QuantityError):
        parse_quantity("3 dB", dbm)


def test_without_a_field_a_quantity_keeps_its_own_unit() -> None:
    assert str(parse_quantity("10 mA")) == "10 mA"
    assert str(parse_quantity("1 h 30 min")) == "5400 s"
    assert parse_quantity("7").unit.symbol == ""


EQUAL = [
    ("kOhm*mA", "V"),
    ("W*s", "J"),
    ("V/A", "Ohm"),
    ("1/s", "Hz"),
    ("ppm", "uV/V"),
    ("degC/min", "K/min"),
    ("N*m", "J"),
]


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_units_are_equal_when_a_number_means_the_same_in_both(a: str, b: str) -> None:
    assert parse_unit(a) == parse_unit(b)
    assert hash(parse_unit(a)) == hash(parse_unit(b))


DIFFERENT = [
    ("degC", "K"),
    ("dB", "dBm"),
    ("dBm", "dBV"),
    ("V", "mV"),
    ("%", ""),
    ("rad", ""),
    ("B", "bit"),
    ("Hz", "rpm"),
]


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_units_differ_when_a_number_means_something_else(a: str, b: str) -> None:
    assert parse_unit(a) != parse_unit(b)


def test_a_difference_of_degrees_is_neither_kelvin_nor_a_temperature() -> None:
    span = parse_unit("degC").difference()
    assert span not in (parse_unit("degC"), parse_unit("K"))
    assert convert(5.0, span, parse_unit("K")) == 5.0
    assert convert(5.0, parse_unit("degC"), parse_unit("K")) == 278.15


def test_conversion_across_dimensions_is_an_error() -> None:
    with pytest.raises(QuantityError, match="a voltage"):
        convert(1.0, parse_unit("V"), parse_unit("A"))
    assert factor(parse_unit("mV"), parse_unit("V")) == 0.001


PRODUCTS = [("mA", "kOhm", "V"), ("V", "mA", "mW"), ("V", "V", "V^2"), ("V", "us", "V*us"), ("degC", "W", None)]


@pytest.mark.parametrize(("a", "b", "symbol"), PRODUCTS)
def test_a_product_goes_by_its_shortest_name(a: str, b: str, symbol: str | None) -> None:
    if symbol is not None:
        assert unit_algebra.multiply(parse_unit(a), parse_unit(b)).symbol == symbol


def test_the_coherent_unit_has_scale_one() -> None:
    for text in ("mW", "kOhm", "mV/us", "min", "g", "bar", "mA*min", "rpm", "kB/s"):
        unit = parse_unit(text)
        coherent = unit_algebra.coherent(unit)
        assert coherent.scale == 1.0
        assert coherent.dimension == unit.dimension
        assert parse_unit(coherent.symbol).dimension == unit.dimension


def test_every_symbol_is_read_back_from_its_own_text() -> None:
    for symbol, unit in units.SYMBOLS.items():
        assert parse_unit(symbol) == unit


SHOWN = [
    (3.3, "V", "3.3 V"),
    (-40.0, "degC", "-40 degC"),
    (2.0, "", "2"),
    (-0.0, "V", "0 V"),
    (math.nan, "V", "NaN V"),
    (3.30001234, "V", "3.30001 V"),
    (1e-9, "A", "1e-09 A"),
]


@pytest.mark.parametrize(("value", "unit", "text"), SHOWN)
def test_a_quantity_is_shown_with_its_unit(value: float, unit: str, text: str) -> None:
    assert format_quantity(value, unit) == text
    assert format_quantity(value, parse_unit(unit)) == text


DECIMALS = st.decimals(-(10**6), 10**6, allow_nan=False, allow_infinity=False, places=6)


@given(DECIMALS, st.sampled_from(["pV", "nV", "uV", "mV", "V", "kV", "MV"]), st.sampled_from(["uV", "mV", "V", "kV"]))
def test_every_prefix_gives_the_nearest_float(number: Decimal, written: str, field: str) -> None:
    exponent = {"p": -12, "n": -9, "u": -6, "m": -3, "V": 0, "k": 3, "M": 6}
    exact = number.scaleb(exponent[written[0]] - exponent[field[0]])
    assert parse_quantity(f"{number:f} {written}", parse_unit(field)).value == float(exact)


@given(st.floats(-1e9, 1e9), st.sampled_from([("mV", "kV"), ("degC", "degF"), ("min", "h"), ("rpm", "deg/s")]))
def test_a_conversion_there_and_back_is_the_same_value(value: float, pair: tuple[str, str]) -> None:
    there, back = map(parse_unit, pair)
    assert math.isclose(convert(convert(value, there, back), back, there), value, rel_tol=1e-12, abs_tol=1e-9)


def outcome_of(text: str, unit: str | None) -> float | QuantityError:
    """The value read, or the refusal."""
    try:
        return parse_quantity(text, None if unit is None else parse_unit(unit)).value
    except QuantityError as error:
        return error


def is_sound(outcome: float | QuantityError, text: str) -> bool:
    """True for a finite value, and for a refusal that points inside the text."""
    if isinstance(outcome, float):
        return math.isfinite(outcome)
    start, end = outcome.span or (0, 0)
    return bool(outcome.message) and 0 <= start <= end <= max(len(text), 1)


@given(st.text(max_size=70), st.sampled_from([None, "V", "s", "degC", "%", "ppm/degC"]))
def test_any_text_is_a_quantity_or_a_quantity_error(text: str, unit: str | None) -> None:
    assert is_sound(outcome_of(text, unit), text)


@given(st.text("0123456789.eE+-_, mkVAOhmsindegCKdB%ppm/^*µΩ", max_size=20))
def test_near_misses_are_quantities_or_quantity_errors(text: str) -> None:
    assert is_sound(outcome_of(text, None), text)
