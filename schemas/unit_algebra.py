"""Products, quotients and powers of units: reading `mV/degC`, and deriving the unit of a result."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from schemas.units import (
    COHERENT,
    DIMENSIONLESS,
    LONGEST_UNIT,
    NONE,
    SYMBOLS,
    TEMPERATURE,
    Dimension,
    Parts,
    Unit,
    UnitError,
    UnitKind,
    make,
    suggestion,
)

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
    return make(spelt, result.dimension, result.exact_scale, kind=result.kind, parts=result.parts)


def _inside(unit: Unit, start: int, end: int) -> Unit:
    """The unit as a factor of a compound: degC is a difference there; a level cannot be a factor."""
    if unit.kind is UnitKind.LEVEL:
        raise UnitError(f"`{unit.symbol}` cannot be part of a compound unit", "use `dB`", start, end)
    if unit.kind is UnitKind.POINT:
        return make(unit.symbol, TEMPERATURE, unit.exact_scale)
    return unit


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
    kind = UnitKind.DIFFERENCE if dimension == TEMPERATURE else UnitKind.LINEAR
    if len(parts) == 1 and parts[0][1] == 1.0:
        return make(parts[0][0], dimension, scale, kind=kind, parts=parts)
    coherent = COHERENT.get(dimension)
    if coherent is not None and len(parts) > 1 and kind is UnitKind.LINEAR:
        for prefix in ("", "m", "u", "k", "n", "M", "p", "G", "f", "T"):
            known = SYMBOLS.get(prefix + coherent)
            if known is not None and known.exact_scale == scale:
                return known
    return make(_spell(parts), dimension, scale, kind=kind, parts=parts)


def coherent(unit: Unit) -> Unit:
    """The unit of the same dimension with scale 1: W for mW, s for min, V/s for mV/us, 1 for %."""
    if unit.is_point or unit.kind is UnitKind.DIFFERENCE or unit.scale == 1.0:
        return unit
    if unit.dimension == NONE:
        return DIMENSIONLESS
    symbol = COHERENT.get(unit.dimension)
    if symbol is not None:
        return SYMBOLS[symbol]
    merged: dict[str, float] = {}
    for name, exponent in unit.parts:
        base = SYMBOLS[name]
        if base.dimension == NONE:
            continue
        plain = COHERENT.get(base.dimension, name) if base.kind is not UnitKind.POINT else name
        merged[plain] = merged.get(plain, 0.0) + exponent
    parts = tuple((s, e) for s, e in merged.items() if e)
    return make(_spell(parts), unit.dimension, parts=parts)


def _spell(parts: Parts) -> str:
    def one(symbol: str, exponent: float) -> str:
        return symbol if exponent == 1.0 else f"{symbol}^{exponent:g}"

    above = [one(s, e) for s, e in parts if e > 0]
    below = [one(s, -e) for s, e in parts if e < 0]
    if not below:
        return "*".join(above)
    return "/".join(["*".join(above) or "1", *below])
