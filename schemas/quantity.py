"""Quantities as people write them: `3.3 V`, `10 mA`, `85 degC`, `1 h 30 min` ↔ a float in the field's own unit.

Owns the reading and the printing. The number is built once, correctly rounded, from its decimal text: `3.3 mV` in a
V field is ``float("3.3e-3")`` and never ``3.3 * 0.001``. What a quick parser would misread silently (`3,3 V`, `10k`,
`0x10 V`) is refused with the spelling that works.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from schemas import unit_algebra, units
from schemas.units import DIMENSIONLESS, SECOND, Dimension, Unit, UnitKind

__all__ = [
    "Dimension",
    "Quantity",
    "QuantityError",
    "Unit",
    "UnitKind",
    "conversion",
    "convert",
    "factor",
    "format_quantity",
    "parse_quantity",
    "parse_unit",
]

LONGEST_QUANTITY = 64


class QuantityError(ValueError):
    """A text is no quantity, or not one of the expected dimension; `span` bounds the culprit inside the text."""

    def __init__(self, code: str, message: str, help: str = "", span: tuple[int, int] | None = None) -> None:
        super().__init__(code, message, help, span)
        self.code = code
        self.message = message
        self.help = help
        self.span = span

    def __str__(self) -> str:
        return f"{self.message}; {self.help}" if self.help else self.message


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and its unit."""

    value: float
    unit: Unit

    def __str__(self) -> str:
        return format_quantity(self.value, self.unit)


def parse_unit(text: str) -> Unit:
    """The unit a text names (`V`, `ppm/degC`, `V^2`); the empty text is a plain number. Raises QuantityError Q005."""
    try:
        return unit_algebra.parse_unit(text)
    except units.UnitError as error:
        raise QuantityError("Q005", error.message, error.help, (error.start, error.end)) from None


def parse_quantity(text: str | float, unit: Unit | None = None, *, difference: bool = False) -> Quantity:
    """Read a quantity; with `unit`, bare numbers are in it and the result is converted to it.

    `difference` reads a tolerance or a step: `0.5 degC` is then a span of degrees, `3 dB` fits a dBm field.
    Raises QuantityError: Q001 too long, Q002–Q004 spelling, Q005 unit, Q006 ambiguous, Q007 dimension, Q008 overflow.
    """
    if isinstance(text, str):
        return _parse_text(text, unit, difference)
    if isinstance(text, bool) or not isinstance(text, int | float):
        shown = str(text).lower() if isinstance(text, bool) else type(text).__name__
        raise QuantityError("Q004", f"`{shown}` is not a quantity", _example(unit))
    target = _target(unit, difference)
    try:
        value = float(text)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise QuantityError("Q008", "the number is not finite or too large for a float", _example(unit))
    return Quantity(value, target)


def factor(from_: Unit, to: Unit) -> float:
    """How many `to` one `from_` is, offsets left aside. Raises QuantityError Q007 across dimensions."""
    return _conversion(from_, to)[0]


def convert(value: float, from_: Unit, to: Unit) -> float:
    """The same quantity as a number in another unit of its dimension. Raises QuantityError Q007 across dimensions."""
    if from_ == to:
        return value
    multiplier, divisor, added = conversion(from_, to)
    if multiplier != 1.0:
        value *= multiplier
    if divisor != 1.0:
        value /= divisor
    return value + added if added else value


def format_quantity(value: float, unit: Unit | str, digits: int = 6) -> str:
    """A number with its unit for people: `3.3 V`, `-40 degC`, `NaN V`; at most `digits` significant digits."""
    symbol = unit if isinstance(unit, str) else unit.symbol
    if value != value:
        shown = "NaN"
    else:
        shown = f"{value:.{digits}g}"
        if shown == "-0":
            shown = "0"
    return f"{shown} {symbol}" if symbol else shown


# ---------------------------------------------------------------- conversion


@lru_cache(maxsize=4096)
def _exact(from_: Unit, to: Unit) -> tuple[Fraction, Fraction]:
    if from_.dimension != to.dimension:
        raise QuantityError(
            "Q007",
            f"{units.describe(from_)} (`{from_.symbol}`) cannot be converted to {units.describe(to)} (`{to.symbol}`)",
            _family_hint(from_, to),
        )
    scale = from_.exact_scale / to.exact_scale
    if UnitKind.DIFFERENCE in (from_.kind, to.kind):
        return scale, Fraction(0)
    return scale, (from_.exact_offset - to.exact_offset) / to.exact_scale


@lru_cache(maxsize=4096)
def _conversion(from_: Unit, to: Unit) -> tuple[float, float]:
    scale, added = _exact(from_, to)
    return float(scale), float(added)


@lru_cache(maxsize=4096)
def conversion(from_: Unit, to: Unit) -> tuple[float, float, float]:
    """Multiplier, divisor and addend, in this order; dividing by 1000 is exact where multiplying by 0.001 is not."""
    scale, added = _exact(from_, to)
    top, bottom = scale.numerator, scale.denominator
    if top < 1 << 53 and bottom < 1 << 53:
        return float(top), float(bottom), float(added)
    if top % (10**15) == 0 or bottom == 1:
        return float(top), float(bottom), float(added)
    return float(scale), 1.0, float(added)


def _family_hint(from_: Unit, to: Unit) -> str:
    kinds = {from_.kind, to.kind}
    if UnitKind.LEVEL in kinds and units.DECIBEL in (from_, to):
        return "a level such as dBm and a ratio in dB are different things"
    return ""


def _target(unit: Unit | None, difference: bool) -> Unit:
    if unit is None:
        return DIMENSIONLESS
    return unit.difference() if difference else unit


# ---------------------------------------------------------------- reading

_SPACES = "[ \u00a0\u202f\t]*"
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?"
_SIMPLE = re.compile(
    rf"{_SPACES}(?P<number>{_NUMBER})(?:{_SPACES}(?P<unit>[^\d\s+\-.,_][^\s,]*))?{_SPACES}\Z", re.ASCII
)
_TIME = re.compile(rf"{_SPACES}(?P<number>\d+(?:\.\d*)?){_SPACES}(?P<unit>d|h|min|s|ms|us|µs){_SPACES}", re.ASCII)
_SI_PREFIXES = frozenset("fpnuµμmkKMGT")


@lru_cache(maxsize=16384)
def _parse_text(text: str, unit: Unit | None, difference: bool) -> Quantity:
    if len(text) > LONGEST_QUANTITY:
        raise QuantityError("Q001", f"a quantity of {len(text)} characters is too long", _example(unit), (0, len(text)))
    found = _SIMPLE.match(text)
    if found is None:
        return _parse_durations(text, unit, difference)
    number, symbol = found["number"], found["unit"]
    target = _target(unit, difference)
    if symbol is None:
        return Quantity(_finite(float(number), text), target)
    read = units.SYMBOLS.get(symbol)
    span = (found.start("unit"), found.end("unit"))
    if read is None:
        if symbol in _SI_PREFIXES or _spelling_help(text):
            raise _misspelt(text, unit, span, number, symbol)
        try:
            read = unit_algebra.parse_unit(symbol)
        except units.UnitError as error:
            help = units.suggestion(symbol, unit) if error.start == 0 and error.end == len(symbol) else error.help
            at = (span[0] + error.start, span[0] + error.end)
            raise QuantityError("Q005", error.message, help, at) from None
    if symbol == "m" and (unit is None or unit.dimension != read.dimension):
        raise _misspelt(text, unit, span, number, symbol)
    if unit is None:
        return Quantity(_finite(float(number), text), read.difference() if difference else read)
    if difference or unit.kind is UnitKind.DIFFERENCE:
        if read.kind is UnitKind.LEVEL:
            raise QuantityError(
                "Q007",
                f"`{text.strip()}` is {units.describe(read)}, a difference is expected",
                f"write `{number} dB`",
                span,
            )
        read = read.difference()
    if read == target:
        return Quantity(_finite(float(number), text), target)
    if read.dimension != target.dimension:
        raise QuantityError(
            "Q007",
            f"`{text.strip()}` is {units.describe(read)}, {units.describe(target)} is expected",
            _mismatch_help(number, symbol, target),
            span,
        )
    if (
        read.kind is UnitKind.DIFFERENCE and target.kind is UnitKind.POINT
    ):  # pragma: no cover - no text names a difference
        raise QuantityError("Q007", f"`{text.strip()}` is a difference, a temperature is expected", "", span)
    return Quantity(_rescaled(number, read, target, text), target)


def _rescaled(number: str, from_: Unit, to: Unit, text: str) -> float:
    power = _power_of_ten(from_, to)
    if power is not None:
        mantissa, _, exponent = number.lower().partition("e")
        return _finite(float(f"{mantissa}e{int(exponent or 0) + power}"), text)
    scale, added = _exact(from_, to)
    return _finite_fraction(Fraction(number) * scale + added, text)


@lru_cache(maxsize=4096)
def _power_of_ten(from_: Unit, to: Unit) -> int | None:
    scale, added = _exact(from_, to)
    if added:
        return None
    top, bottom = scale.numerator, scale.denominator
    large = top if bottom == 1 else bottom if top == 1 else 0
    power = len(str(large)) - 1
    if large != 10**power:
        return None
    return power if bottom == 1 else -power


def _finite(value: float, text: str) -> float:
    if not math.isfinite(value):
        raise QuantityError("Q008", f"`{text.strip()}` is too large for a float", "", (0, len(text)))
    return value


def _finite_fraction(value: Fraction, text: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise QuantityError("Q008", f"`{text.strip()}` is too large for a float", "", (0, len(text))) from None


def _parse_durations(text: str, unit: Unit | None, difference: bool) -> Quantity:
    """`1 h 30 min`: the sum of several times; anything else that is no single quantity is an error here."""
    body = text.strip()
    negative = body.startswith("-")
    position = text.index(body) + 1 if negative else 0
    total, pieces = Fraction(0), 0
    while found := _TIME.match(text, position):
        total += Fraction(found["number"]) * units.SYMBOLS[found["unit"]].exact_scale
        position, pieces = found.end(), pieces + 1
    if pieces < 2 or position != len(text):
        raise _misspelt(text, unit, (0, len(text)))
    target = SECOND if unit is None else _target(unit, difference)
    if target.dimension != SECOND.dimension:
        raise QuantityError(
            "Q007", f"`{body}` is a time, {units.describe(target)} is expected", _example(unit), (0, len(text))
        )
    return Quantity(_finite_fraction((-total if negative else total) / target.exact_scale, text), target)


# ---------------------------------------------------------------- explaining

_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(?!\d*,)")
_THOUSANDS = re.compile(r"[-+]?\d[\d_,' ]*[_,' ]\d")
_BASED = re.compile(r"[-+]?0[xXoObB][0-9a-fA-F_]+")
_LETTER_AS_POINT = re.compile(r"[-+]?(\d+)([RkKMmunpµ])(\d+)")


def _spelling_help(text: str) -> tuple[str, str, str] | None:
    """(code, message, help) for the spellings that other tools read silently wrong."""
    body = text.strip()
    if _BASED.match(body):
        return (
            "Q004",
            f"`{body}`: hexadecimal, octal and binary numbers are not quantities",
            "write the number in decimal",
        )
    if "**" in body:
        return "Q004", f"`{body}` is an expression, not a quantity", 'write "{{ … }}" around an expression'
    if body[:1] in "−–—" and len(body) > 1:
        return "Q004", f"`{body}` starts with a typographic dash", f"write `-{body[1:]}` with a plain minus sign"
    if found := _DECIMAL_COMMA.match(body):
        return "Q002", f"`{body}` has a decimal comma", f"write `{found[0].replace(',', '.')}{body[found.end() :]}`"
    if found := _THOUSANDS.match(body):
        plain = re.sub(r"[_,' ]", "", found[0])
        return "Q003", f"`{body}` has digits set apart", f"write `{plain}{body[found.end() :]}`"
    if found := _LETTER_AS_POINT.match(body):
        whole, letter, rest = found.groups()
        prefix = {"R": "", "K": "k"}.get(letter, letter)
        return (
            "Q004",
            f"`{body}` uses a letter as decimal point",
            f"write `{whole}.{rest} {prefix}Ohm`, or the unit you mean",
        )
    return None


def _misspelt(text: str, unit: Unit | None, span: tuple[int, int], number: str = "", symbol: str = "") -> QuantityError:
    """The error for text that is no quantity, naming the habit behind it where one can be told."""
    body = text.strip()
    whole = (0, max(len(text), 1))
    if found := _spelling_help(text):
        code, message, help = found
        return QuantityError(code, message, help, whole)
    if symbol in _SI_PREFIXES:
        prefix = "k" if symbol == "K" else symbol
        expected = unit.symbol if unit is not None and unit.symbol else ""
        if unit is not None and unit.dimension == SECOND.dimension and symbol in "mM":
            return QuantityError(
                "Q006", f"`{body}` may be minutes or milliseconds", f"write `{number} min` or `{number} ms`", span
            )
        if symbol == "m" and not expected:
            help = f"write `{number} mV`, `{number} mA`, `{number} min`, or `{number} metre`"
            return QuantityError("Q006", f"`{body}` may be milli-something, minutes or metres", help, span)
        bare = expected.lstrip("fpnuµμmkMGT") or expected if expected in units.SYMBOLS else ""
        help = (
            f"write `{number} {prefix}{bare}`"
            if prefix + bare in units.SYMBOLS and bare
            else f"write for example `{number} {prefix}V`"
        )
        return QuantityError("Q006", f"`{body}` has a prefix without a unit", help, span)
    if not body:
        return QuantityError("Q004", "a quantity is missing", _example(unit), whole)
    return QuantityError("Q004", f"`{body}` is not a quantity", _example(unit), whole)


def _mismatch_help(number: str, symbol: str, target: Unit) -> str:
    twin = symbol.swapcase()
    if twin in units.SYMBOLS and units.SYMBOLS[twin].dimension == target.dimension:
        return f"did you mean `{number} {twin}`?"
    if target.is_dimensionless and not target.symbol:
        return f"write the number alone: `{number}`"
    return f"write it in `{target.symbol}` or a multiple, such as `{number} {target.symbol}`"


def _example(unit: Unit | None) -> str:
    if unit is None:
        return "expected a number and a unit, such as `3.3 V` or `10 mA`"
    if not unit.symbol:
        return "expected a plain number, such as `3.3`"
    return f"expected a number and a unit, such as `1.5 {unit.symbol}`"
