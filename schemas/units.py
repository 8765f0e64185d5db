"""Units of measure: the table of symbols, their dimensions, and the arithmetic of products and quotients.

Owns what `mV/degC` means. Every scale is kept as an exact fraction beside its float: 1e-3 is not a binary number,
``3.3 * 1e-3`` is one bit off for a fifth of all values, and a mV that is not quite a mV makes limits flicker.

Kinds: a *linear* unit is scaled only (V, K, %, dB). A *point* is a temperature on a scale with its own zero (degC).
A *difference* is a span between two such points; it is not K, because a K value may also be an absolute temperature.
A *level* is a logarithm over a reference (dBm); the difference of two levels is in dB, an ordinary linear unit.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Final

# Exponents of s, m, kg, A, K, rad, bit, dB; a level names its family instead.
Dimension = tuple[float, ...] | str
Parts = tuple[tuple[str, float], ...]

NONE: Final[Dimension] = (0.0,) * 8
_TEMPERATURE: Final[Dimension] = (0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
_DECIBEL: Final[Dimension] = (0.0,) * 7 + (1.0,)
LONGEST_UNIT: Final = 48


class UnitKind(StrEnum):
    """How values of a unit relate to its base: scaled, on a scale with its own zero, or over a reference."""

    LINEAR = "linear"
    POINT = "point"
    DIFFERENCE = "difference"
    LEVEL = "level"


class UnitError(ValueError):
    """A unit's text cannot be read; `start` and `end` bound the culprit inside the text."""

    def __init__(self, message: str, help: str = "", start: int = 0, end: int = 0) -> None:
        super().__init__(message, help, start, end)
        self.message = message
        self.help = help
        self.start = start
        self.end = end


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of measure; two are equal when a number means the same in both, however they are spelt."""

    symbol: str = field(compare=False)
    dimension: Dimension
    scale: float
    """Base units in one of this unit: 0.001 for mV."""
    offset: float
    """Base value of this unit's zero: 273.15 for degC."""
    kind: UnitKind
    exact_scale: Fraction = field(compare=False, repr=False)
    exact_offset: Fraction = field(compare=False, repr=False)
    parts: Parts = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.symbol

    @property
    def is_dimensionless(self) -> bool:
        """True for plain numbers, %, ppm and counts."""
        return self.dimension == NONE

    @property
    def is_point(self) -> bool:
        """True where zero is a convention, so that sums and products of two values mean nothing (degC, dBm)."""
        return self.kind is UnitKind.POINT or self.kind is UnitKind.LEVEL

    def difference(self) -> Unit:
        """The unit of the difference of two values: dB for dBm, a span of degrees for degC, itself otherwise."""
        match self.kind:
            case UnitKind.POINT:
                return _make(self.symbol, _TEMPERATURE, self.exact_scale, kind=UnitKind.DIFFERENCE)
            case UnitKind.LEVEL:
                return DECIBEL
            case _:
                return self

    def compatible(self, other: Unit) -> bool:
        """True when a value in `other` can be converted to this unit."""
        return self.dimension == other.dimension


def _make(
    symbol: str,
    dimension: Dimension,
    scale: Fraction | int = 1,
    offset: Fraction | int = 0,
    kind: UnitKind = UnitKind.LINEAR,
    parts: Parts | None = None,
) -> Unit:
    exact_scale, exact_offset = Fraction(scale), Fraction(offset)
    if parts is None:
        parts = ((symbol, 1.0),) if symbol else ()
    return Unit(symbol, dimension, float(exact_scale), float(exact_offset), kind, exact_scale, exact_offset, parts)


def _dimension(
    s: float = 0,
    m: float = 0,
    kg: float = 0,
    a: float = 0,
    k: float = 0,
    rad: float = 0,
    bit: float = 0,
    db: float = 0,
) -> Dimension:
    return (float(s), float(m), float(kg), float(a), float(k), float(rad), float(bit), float(db))


_POWER: Final = _dimension(s=-3, m=2, kg=1)
_VOLTAGE: Final = _dimension(s=-3, m=2, kg=1, a=-1)
_RESISTANCE: Final = _dimension(s=-3, m=2, kg=1, a=-2)
_PI: Final = Fraction(math.pi)

_PREFIXES: Final = {
    "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12,
}  # fmt: skip

# (spellings, dimension, scale): these take SI prefixes. The first spelling names the coherent unit of its dimension.
_PREFIXED: Final[tuple[tuple[str, Dimension, Fraction | int], ...]] = (
    ("V", _VOLTAGE, 1),
    ("A", _dimension(a=1), 1),
    ("W VA var", _POWER, 1),
    ("Ohm ohm Ω Ω", _RESISTANCE, 1),
    ("F", _dimension(s=4, m=-2, kg=-1, a=2), 1),
    ("H", _dimension(s=-2, m=2, kg=1, a=-2), 1),
    ("Hz", _dimension(s=-1), 1),
    ("s", _dimension(s=1), 1),
    ("S", _dimension(s=3, m=-2, kg=-1, a=2), 1),
    ("J", _dimension(s=-2, m=2, kg=1), 1),
    ("N", _dimension(s=-2, m=1, kg=1), 1),
    ("Pa", _dimension(s=-2, m=-1, kg=1), 1),
    ("K", _TEMPERATURE, 1),
    ("m", _dimension(m=1), 1),
    ("g", _dimension(kg=1), Fraction(1, 1000)),
    ("rad", _dimension(rad=1), 1),
    ("bit", _dimension(bit=1), 1),
    ("B", _dimension(bit=1), 8),
    ("bar", _dimension(s=-2, m=-1, kg=1), 100_000),
    ("Wh", _dimension(s=-2, m=2, kg=1), 3600),
    ("Ah", _dimension(s=1, a=1), 3600),
    ("Sa", NONE, 1),
)
_PLAIN: Final[tuple[tuple[str, Dimension, Fraction | int], ...]] = (
    ("min", _dimension(s=1), 60),
    ("h", _dimension(s=1), 3600),
    ("d", _dimension(s=1), 86400),
    ("metre meter", _dimension(m=1), 1),
    ("cm", _dimension(m=1), Fraction(1, 100)),
    ("deg °", _dimension(rad=1), _PI / 180),
    ("rpm", _dimension(s=-1, rad=1), 2 * _PI / 60),
    ("1 count counts sample samples", NONE, 1),
    ("%", NONE, Fraction(1, 100)),
    ("ppm", NONE, Fraction(1, 10**6)),
    ("ppb", NONE, Fraction(1, 10**9)),
    ("dB", _DECIBEL, 1),
)
_POINTS: Final = (
    ("degC °C ℃", Fraction(1), Fraction("273.15")),
    ("degF °F", Fraction(5, 9), Fraction("459.67") * Fraction(5, 9)),
)
_LEVELS: Final = (
    ("dBm", "power level", 0),
    ("dBW", "power level", 30),
    ("dBV", "voltage level", 0),
    ("dBmV", "voltage level", -60),
    ("dBuV dBµV dBμV", "voltage level", -120),
)


def _table() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for names, dimension, scale in _PREFIXED + _PLAIN:
        for name in names.split():
            table[name] = _make(name, dimension, scale)
    for names, dimension, scale in _PREFIXED:
        for name in names.split():
            for prefix, power in _PREFIXES.items():
                exact = Fraction(scale) * Fraction(10) ** power
                table.setdefault(prefix + name, _make(prefix + name, dimension, exact))
    for names, degrees, zero in _POINTS:
        for name in names.split():
            table[name] = _make(name, _TEMPERATURE, degrees, zero, UnitKind.POINT)
    for names, family, offset in _LEVELS:
        for name in names.split():
            table[name] = _make(name, family, 1, offset, UnitKind.LEVEL)
    table["1"] = _make("", NONE)
    return table


SYMBOLS: Final[dict[str, Unit]] = _table()
DIMENSIONLESS: Final[Unit] = SYMBOLS["1"]
DECIBEL: Final[Unit] = SYMBOLS["dB"]
PERCENT: Final[Unit] = SYMBOLS["%"]
SECOND: Final[Unit] = SYMBOLS["s"]

_COHERENT: Final[dict[Dimension, str]] = {
    dimension: names.split()[0] for names, dimension, scale in reversed(_PREFIXED) if scale == 1
}
_COHERENT[_dimension(kg=1)] = "kg"
_COHERENT.pop(NONE)
_NAMES: Final[dict[Dimension, str]] = {
    SYMBOLS[symbol].dimension: name
    for symbol, name in {
        "V": "voltage", "A": "current", "W": "power", "Ohm": "resistance", "F": "capacitance", "H": "inductance",
        "Hz": "frequency", "s": "time", "S": "conductance", "J": "energy", "N": "force", "Pa": "pressure",
        "K": "temperature", "m": "length", "g": "mass", "rad": "angle", "rpm": "speed of rotation", "bit": "data size",
        "Ah": "charge", "1": "number", "dB": "ratio in dB", "dBm": "power level", "dBV": "voltage level",
    }.items()
}  # fmt: skip


def describe(unit: Unit) -> str:
    """What a unit measures, in words: `a voltage`, `a plain number`, `something in V/s`."""
    if unit.kind is UnitKind.DIFFERENCE:
        return "a temperature difference"
    if unit.is_dimensionless:
        return "a ratio" if unit.scale != 1.0 else "a plain number"
    name = _NAMES.get(unit.dimension)
    if name is None:
        return f"something in {unit.symbol}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


# ---------------------------------------------------------------- reading

_FACTOR = re.compile(r"(?P<name>1|[^\d\s*/·^²³()]+)(?:\^(?P<power>-?\d+(?:\.\d+)?)|(?P<raised>[²³]))?")


@lru_cache(maxsize=4096)
def parse_unit(text: str) -> Unit:
    """The unit a text such as `mV/degC` or `V^2` names; the empty text is a plain number. Raises UnitError."""
    known = SYMBOLS.get(text)
    if known is not None:
        return known
    if len(text) > LONGEST_UNIT:
        raise UnitError(f"a unit of {len(text)} characters is too long", "", 0, len(text))
    stripped = text.strip()
    if not stripped:
        return DIMENSIONLESS
    known = SYMBOLS.get(stripped)
    if known is not None:
        return known
    return _parse_compound(text)


def _parse_compound(text: str) -> Unit:
    position = len(text) - len(text.lstrip())
    end_of_text = len(text.rstrip())
    result: Unit | None = None
    sign = 1.0
    while True:
        found = _FACTOR.match(text, position, end_of_text)
        if found is None:
            raise UnitError(
                f"`{text.strip()}` is not a unit",
                "products and quotients are written like `W*s`, `mV/degC` or `V^2`",
                min(position, max(end_of_text - 1, 0)),
                end_of_text,
            )
        name = found["name"]
        unit = SYMBOLS.get(name)
        if unit is None:
            raise UnitError(f"unknown unit `{name}`", suggestion(name), found.start("name"), found.end("name"))
        exponent = 1.0
        if found["power"]:
            exponent = float(found["power"])
        elif found["raised"]:
            exponent = 2.0 if found["raised"] == "²" else 3.0
        if abs(exponent) > 9:
            raise UnitError(f"the power in `{found[0]}` is too large", "", found.start(), found.end())
        unit = _inside(unit, found.start(), found.end())
        factor_unit = power(unit, sign * exponent)
        result = factor_unit if result is None else multiply(result, factor_unit)
        position = found.end()
        if position >= end_of_text:
            break
        if text[position] not in "*/·":
            raise UnitError(f"`{text.strip()}` is not a unit", "join units with `*` and `/`", position, end_of_text)
        sign = -1.0 if text[position] == "/" else 1.0
        position += 1
    spelt = text.strip()
    return _make(spelt, result.dimension, result.exact_scale, kind=result.kind, parts=result.parts)


def _inside(unit: Unit, start: int, end: int) -> Unit:
    """The unit as a factor of a compound: degC is a difference there; a level cannot be a factor."""
    if unit.kind is UnitKind.LEVEL:
        raise UnitError(f"`{unit.symbol}` cannot be part of a compound unit", "use `dB`", start, end)
    if unit.kind is UnitKind.POINT:
        return _make(unit.symbol, _TEMPERATURE, unit.exact_scale)
    return unit


_HABITS: Final = {
    "C": "degC", "c": "degC", "celsius": "degC", "Celsius": "degC", "R": "Ohm", "sec": "s", "secs": "s",
    "second": "s", "seconds": "s", "msec": "ms", "usec": "us", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
    "minute": "min", "minutes": "min", "mins": "min", "day": "d", "days": "d", "volt": "V", "volts": "V",
    "amp": "A", "amps": "A", "percent": "%", "Kelvin": "K", "kelvin": "K", "cps": "Hz", "Vdc": "V", "Vrms": "V",
    "Vpp": "V", "Adc": "A", "Arms": "A",
}  # fmt: skip


def suggestion(name: str, expected: Unit | None = None) -> str:
    """A `did you mean` for a unit nobody knows, of the expected dimension where one is given; else the common units."""
    candidates = [s for s, u in SYMBOLS.items() if expected is None or u.dimension == expected.dimension]
    habit = _HABITS.get(name)
    if habit in candidates:
        return f"did you mean `{habit}`?"
    same = [symbol for symbol in candidates if symbol.lower() == name.lower()]
    if not same and len(name) > 1:
        import difflib

        same = difflib.get_close_matches(name, [c for c in candidates if len(c) > 1], 1, 0.6)
    if same:
        return "did you mean " + " or ".join(f"`{symbol}`" for symbol in same[:2]) + "?"
    if expected is not None and expected.symbol:
        return f"a unit such as `{expected.symbol}` is expected"
    return "units are V, A, W, Ohm, F, H, Hz, s, min, h, degC, K, %, ppm, dB, dBm, … with SI prefixes"


# ---------------------------------------------------------------- arithmetic of linear units


@lru_cache(maxsize=4096)
def multiply(a: Unit, b: Unit) -> Unit:
    """The unit of a product; points and levels must have been refused or turned into differences before."""
    return _combine(a, b, 1.0)


@lru_cache(maxsize=4096)
def divide(a: Unit, b: Unit) -> Unit:
    """The unit of a quotient; points and levels must have been refused or turned into differences before."""
    return _combine(a, b, -1.0)


@lru_cache(maxsize=1024)
def power(unit: Unit, exponent: float) -> Unit:
    """The unit of `value ** exponent`; roots of scales that are no perfect power are rounded."""
    if exponent == 1.0:
        return unit
    assert not isinstance(unit.dimension, str)
    dimension = tuple(round(e * exponent, 9) + 0.0 for e in unit.dimension)
    if exponent == int(exponent):
        scale = unit.exact_scale ** int(exponent)
    else:
        scale = _root(unit.exact_scale, exponent)
    parts = tuple((symbol, round(e * exponent, 9)) for symbol, e in unit.parts if e * exponent)
    return _named(dimension, scale, parts)


def _combine(a: Unit, b: Unit, sign: float) -> Unit:
    assert not isinstance(a.dimension, str)
    assert not isinstance(b.dimension, str)
    dimension = tuple(x + sign * y + 0.0 for x, y in zip(a.dimension, b.dimension, strict=True))
    scale = a.exact_scale * b.exact_scale if sign > 0 else a.exact_scale / b.exact_scale
    merged = dict(a.parts)
    for symbol, exponent in b.parts:
        merged[symbol] = merged.get(symbol, 0.0) + sign * exponent
    return _named(dimension, scale, tuple((s, e) for s, e in merged.items() if e))


def _root(scale: Fraction, exponent: float) -> Fraction:
    exact = Fraction(exponent).limit_denominator(12)
    top = round(scale.numerator ** float(exact))
    bottom = round(scale.denominator ** float(exact))
    if top and bottom and Fraction(top, bottom) ** exact.denominator == scale**exact.numerator:
        return Fraction(top, bottom)
    return Fraction(float(scale) ** exponent)


def _named(dimension: Dimension, scale: Fraction, parts: Parts) -> Unit:
    """A compound under its shortest name: `mA*kOhm` is V, `V*mA` is mW, `V/degC` stays what it is."""
    kind = UnitKind.DIFFERENCE if dimension == _TEMPERATURE else UnitKind.LINEAR
    if len(parts) == 1 and parts[0][1] == 1.0:
        return _make(parts[0][0], dimension, scale, kind=kind, parts=parts)
    coherent = _COHERENT.get(dimension)
    if coherent is not None and len(parts) > 1 and kind is UnitKind.LINEAR:
        for prefix in ("", "m", "u", "k", "n", "M", "p", "G", "f", "T"):
            known = SYMBOLS.get(prefix + coherent)
            if known is not None and known.exact_scale == scale:
                return known
    return _make(_spell(parts), dimension, scale, kind=kind, parts=parts)


def coherent(unit: Unit) -> Unit:
    """The unit of the same dimension with scale 1: W for mW, s for min, V/s for mV/us, 1 for %."""
    if unit.is_point or unit.kind is UnitKind.DIFFERENCE or unit.scale == 1.0:
        return unit
    if unit.dimension == NONE:
        return DIMENSIONLESS
    symbol = _COHERENT.get(unit.dimension)
    if symbol is not None:
        return SYMBOLS[symbol]
    merged: dict[str, float] = {}
    for name, exponent in unit.parts:
        base = SYMBOLS[name]
        if base.dimension == NONE:
            continue
        plain = _COHERENT.get(base.dimension, name) if base.kind is not UnitKind.POINT else name
        merged[plain] = merged.get(plain, 0.0) + exponent
    parts = tuple((s, e) for s, e in merged.items() if e)
    return _make(_spell(parts), unit.dimension, parts=parts)


def _spell(parts: Parts) -> str:
    def one(symbol: str, exponent: float) -> str:
        return symbol if exponent == 1.0 else f"{symbol}^{exponent:g}"

    above = [one(s, e) for s, e in parts if e > 0]
    below = [one(s, -e) for s, e in parts if e < 0]
    if not below:
        return "*".join(above)
    return "/".join(["*".join(above) or "1", *below])
