"""Units of measure: the table of symbols, their dimensions, and the arithmetic of products and quotients.

Owns what `mV/degC` means. Every scale is kept as an exact fraction beside its float: 1e-3 is not a binary number,
``3.3 * 1e-3`` is one bit off for a fifth of all values, and a mV that is not quite a mV makes limits flicker.

Kinds: a *linear* unit is scaled only (V, K, %, dB). A *point* is a temperature on a scale with its own zero (degC).
A *difference* is a span between two such points; it is not K, because a K value may also be an absolute temperature.
A *level* is a logarithm over a reference (dBm); the difference of two levels is in dB, an ordinary linear unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Final

from schemas.diagnostics import nearest

# Exponents of s, m, kg, A, K, rad, bit, dB; a level names its family instead.
Dimension = tuple[float, ...] | str
Parts = tuple[tuple[str, float], ...]

NONE: Final[Dimension] = (0.0,) * 8
TEMPERATURE: Final[Dimension] = (0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
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
                return make(self.symbol, TEMPERATURE, self.exact_scale, kind=UnitKind.DIFFERENCE)
            case UnitKind.LEVEL:
                return DECIBEL
            case _:
                return self

    def compatible(self, other: Unit) -> bool:
        """True when a value in `other` can be converted to this unit."""
        return self.dimension == other.dimension


def make(
    symbol: str,
    dimension: Dimension,
    scale: Fraction | int = 1,
    offset: Fraction | int = 0,
    kind: UnitKind = UnitKind.LINEAR,
    parts: Parts | None = None,
) -> Unit:
    """A unit from its exact scale and offset; its floats follow from them."""
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
    ("K", TEMPERATURE, 1),
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
            table[name] = make(name, dimension, scale)
    for names, dimension, scale in _PREFIXED:
        for name in names.split():
            for prefix, power in _PREFIXES.items():
                exact = Fraction(scale) * Fraction(10) ** power
                table.setdefault(prefix + name, make(prefix + name, dimension, exact))
    for names, degrees, zero in _POINTS:
        for name in names.split():
            table[name] = make(name, TEMPERATURE, degrees, zero, UnitKind.POINT)
    for names, family, offset in _LEVELS:
        for name in names.split():
            table[name] = make(name, family, 1, offset, UnitKind.LEVEL)
    table["1"] = make("", NONE)
    return table


SYMBOLS: Final[dict[str, Unit]] = _table()
DIMENSIONLESS: Final[Unit] = SYMBOLS["1"]
DECIBEL: Final[Unit] = SYMBOLS["dB"]
PERCENT: Final[Unit] = SYMBOLS["%"]
SECOND: Final[Unit] = SYMBOLS["s"]

COHERENT: Final[dict[Dimension, str]] = {
    dimension: names.split()[0] for names, dimension, scale in reversed(_PREFIXED) if scale == 1
}
COHERENT[_dimension(kg=1)] = "kg"
COHERENT.pop(NONE)
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
    if not same and len(name) > 2:
        near = nearest(name, [candidate for candidate in candidates if len(candidate) > 1])
        same = [near] if near else []
    if same:
        return "did you mean " + " or ".join(f"`{symbol}`" for symbol in same[:2]) + "?"
    if expected is not None and expected.symbol:
        return f"a unit such as `{expected.symbol}` is expected"
    return "units are V, A, W, Ohm, F, H, Hz, s, min, h, degC, K, %, ppm, dB, dBm, … with SI prefixes"
