"""Numbers with units as people read them.

A value and its limits share one unit and enough digits to tell them apart: a failing value never reads like its limit.
Prefixes are chosen for plain units only; what was written in mA stays in mA.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from schemas.documents import Value

NO_READING = "no reading"
UNREADABLE = "unreadable"

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_PREFIXED = ("V", "A", "W", "Ohm", "ohm", "Ω", "Hz", "s", "F", "H", "S", "J", "C", "T", "Wb", "Pa", "N", "Vrms", "VA")
"""Units that take a prefix; degC, %, dB, ppm/degC and whatever has one already do not."""

_PRETTY = [
    (re.compile(r"(?<![A-Za-z])deg([CF])(?![A-Za-z])"), r"°\1"),
    (re.compile(r"(?<![A-Za-z])deg(?![A-Za-z])"), "°"),
    (re.compile(r"(?<![A-Za-z])([munpfkMGT]?)[oO]hm(?![A-Za-z])"), r"\1Ω"),
    (re.compile(r"(?<![A-Za-z])u(?=[VAWFHsΩSJgmNT](?![A-Za-z]))"), "µ"),
    (re.compile(r"\*\*?(?=\d)|\^"), "^"),
    (re.compile(r"\*"), "·"),
]


@dataclass(frozen=True, slots=True)
class Scale:
    """What to divide by, and the unit that is left."""

    divisor: float
    unit: str

    def of(self, value: float) -> float:
        return value / self.divisor if self.divisor != 1 else value


@dataclass(frozen=True, slots=True)
class Shown:
    """One judged value in words."""

    value: str
    """With its unit: `3.3012 V`."""
    limit: str
    """`3.234 … 3.366 V`; empty where there is none."""
    margin: str
    """`12.3 mV`, `-4.0 mV` beyond; empty where there is none."""


def pretty_unit(symbol: str, ascii_only: bool = False) -> str:
    """`ppm/degC` as `ppm/°C`; for a plain terminal the other way round."""
    if ascii_only:
        return symbol.replace("µ", "u").replace("Ω", "Ohm").replace("°", "deg").replace("·", "*")
    for pattern, replacement in _PRETTY:
        symbol = pattern.sub(replacement, symbol)
    return symbol


def scale_for(values: Iterable[float | None], unit: str) -> Scale:
    """The prefix in which all of these values, seen together, read best; set by the largest of them."""
    finite = [abs(v) for v in values if v is not None and math.isfinite(v)]
    largest = max(finite, default=0.0)
    if unit not in _PREFIXED or not largest or 0.1 <= largest < 1000:
        return Scale(1.0, pretty_unit(unit))
    exponent = math.floor(math.log10(largest) / 3 + 1e-9) * 3
    exponent = min(12, max(-15, exponent))
    if unit == "s" and exponent > 0:
        exponent = 0
    return Scale(float(f"1e{exponent}"), _PREFIXES[exponent] + pretty_unit(unit))


def decimals_for(width: float) -> int:
    """Digits after the point that resolve a thousandth of `width`."""
    if not width or not math.isfinite(width):
        return 6
    return max(0, min(12, 3 - math.floor(math.log10(abs(width)))))


def number_text(value: float, digits: int = 6) -> str:
    """A number to significant digits, without needless zeros or exponents."""
    if math.isnan(value):
        return NO_READING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    if 1e-6 <= abs(value) < 10 ** max(digits, 9):
        fixed = f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
        return fixed.rstrip("0").rstrip(".") if "." in fixed else fixed
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}"


def with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit and text not in (NO_READING, UNREADABLE) else text


def value_text(value: Value, unit: str = "", digits: int = 6) -> str:
    """A value that stands alone: `48.2 µA`, `on`, `no reading`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return UNREADABLE
    if isinstance(value, str):
        return value
    scale = scale_for([value], unit)
    return with_unit(number_text(scale.of(value), digits), scale.unit)


def judged_digits(value: float, low: float | None, high: float | None, scale: Scale) -> str:
    """A number with the digits its limits ask for, and more where it would read as being on another side of one."""
    if not math.isfinite(value):
        return number_text(value)
    bounds = [scale.of(b) for b in (low, high) if b is not None and math.isfinite(b)]
    shown = scale.of(value)
    if not bounds:
        return number_text(shown)
    width = abs(bounds[1] - bounds[0]) if len(bounds) == 2 and bounds[0] != bounds[1] else abs(bounds[0])
    decimals = decimals_for(width or shown)
    huge = abs(shown) >= 1e9 or abs(shown) > 1e6 * max(map(abs, bounds)) > 0
    texts = [number_text(shown)] if huge else [f"{shown:.{digits}f}" for digits in range(decimals, 13)]
    for text in texts:
        if all(_side(float(text), bound) == _side(shown, bound) for bound in bounds):
            return text
    return repr(shown)


def judged(value: Value, unit: str, low: float | None, high: float | None, limit: str, margin: float | None) -> Shown:
    """Value, limit and margin in one unit; `low` and `high` are the specification."""
    scale = scale_for([low, high] if any(_usable(b) for b in (low, high)) else [_number(value)], unit)
    number = _number(value)
    digits = 9
    if number is None:
        text = value_text(value, unit)
    elif others := _compared(limit, number):
        digits = next((n for n in (6, *range(9, 16)) if _differ(scale, number, others, n)), 17)
        text = with_unit(_digits(scale.of(number), digits), scale.unit)
        digits = max(digits, 9)
    else:
        text = with_unit(judged_digits(number, *acceptance(limit, low, high), scale), scale.unit)
    return Shown(text, limit_text(limit, low, high, scale, digits), margin_text(margin, unit))


def _compared(limit: str, number: float) -> list[float]:
    """The numbers that a value is compared with and does not equal."""
    form = _form(limit)
    given = [form.get("value")] if form.get("kind") == "equals" else form.get("values", [])
    return [other for one in given if (other := _number(one)) is not None and other != number]


def _differ(scale: Scale, number: float, others: Iterable[float], digits: int) -> bool:
    text = _digits(scale.of(number), digits)
    return all(_digits(scale.of(other), digits) != text for other in others)


def _digits(number: float, digits: int) -> str:
    """To significant digits; all there are where fifteen do not tell it from another."""
    return number_text(number, digits) if digits <= 15 or not math.isfinite(number) else repr(number)


def acceptance(limit: str, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """The bounds that decide: the specification less what a guard band or an uncertainty takes off each end."""
    taken = guard(limit)
    if not taken:
        return low, high
    form = _form(limit)
    return _number(form.get("accept_low", low)), _number(form.get("accept_high", high))


@lru_cache(maxsize=4096)
def guard(limit: str) -> float:
    """What a guard band or an uncertainty takes off each end of a limit; 0 where there is none."""
    form = _form(limit)
    return _number(form.get("guardband")) or _number(form.get("uncertainty")) or 0.0


def is_check(limit: str) -> bool:
    """Whether this judges a condition and no value."""
    return _form(limit).get("kind") == "check"


def inside_guard(value: Value, low: float | None, high: float | None, limit: str) -> str:
    """`inside the guard band` for a value within its specification that is not accepted for that reason, else empty."""
    number = _number(value)
    if number is None or not guard(limit):
        return ""
    if (low is not None and number < low) or (high is not None and number > high):
        return ""
    accept_low, accept_high = acceptance(limit, low, high)
    if (accept_low is None or number >= accept_low) and (accept_high is None or number <= accept_high):
        return ""
    return "inside the guard band" if "guardband" in _form(limit) else "inside the uncertainty"


def margin_text(margin: float | None, unit: str) -> str:
    """A distance to a limit, in its own prefix, to three digits."""
    if margin is None or not math.isfinite(margin):
        return ""
    symbol = "K" if unit in ("degC", "°C") else unit
    scale = scale_for([margin], symbol)
    return with_unit(number_text(scale.of(margin), 3), scale.unit)


def limit_text(limit: str, low: float | None, high: float | None, scale: Scale, digits: int = 9) -> str:
    """A limit in words, from its structured form; its bounds where that says nothing.

    What is accepted stands before the specification where the two differ.
    """
    form = _form(limit)
    kind = form.get("kind")
    match kind:
        case "one_of":
            return "one of " + ", ".join(_word(v, scale, digits) for v in form.get("values", []))
        case "equals":
            return "= " + _word(form.get("value"), scale, digits)
        case "matches":
            return f"matches {form.get('pattern', '')}"
        case "mask":
            return f"mask along {form.get('along', '')}".rstrip()
        case "check":
            return str(form.get("condition", ""))
    low = low if low is not None else _number(form.get("low"))
    high = high if high is not None else _number(form.get("high"))
    exclusive = form.get("exclusive")
    specified = _band_text(low, high, exclusive, scale)
    if guard(limit):
        accepted = _band_text(*acceptance(limit, low, high), exclusive, scale)
        return f"{accepted} accepted, spec {specified}"
    return specified


def _band_text(low: float | None, high: float | None, exclusive: object, scale: Scale) -> str:
    lower = number_text(scale.of(low), 9) if low is not None else ""
    upper = number_text(scale.of(high), 9) if high is not None else ""
    if lower and upper:
        text = f"{'> ' if exclusive in ('low', 'both') else ''}{lower} … "
        text += f"{'< ' if exclusive in ('high', 'both') else ''}{upper}"
    elif lower:
        text = f"{'>' if exclusive == 'low' else '≥'} {lower}"
    elif upper:
        text = f"{'<' if exclusive == 'high' else '≤'} {upper}"
    else:
        return ""
    return with_unit(text, scale.unit)


def limit_notes(limit: str, unit: str) -> str:
    """What else a limit says: guard band, uncertainty, nominal."""
    form = _form(limit)
    notes = []
    for key, word in (("guardband", "guard band"), ("uncertainty", "uncertainty"), ("nominal", "nominal")):
        number = _number(form.get(key))
        if number is not None:
            notes.append(f"{word} {value_text(number, unit)}")
    return ", ".join(notes)


def duration_text(seconds: float | None) -> str:
    """`250 ms`, `12.3 s`, `1 min 12 s`, `1 h 12 min`, `2 d 3 h`; empty for None."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds < 0:
        return "-" + duration_text(-seconds)
    if seconds < 1:
        return "0 s" if seconds == 0 else f"{number_text(seconds * 1000, 3)} ms"
    if seconds < 59.95:
        return f"{number_text(round(seconds, 1), 4)} s"
    whole = round(seconds)
    if whole < 3600:
        return _two(whole // 60, "min", whole % 60, "s")
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return _two(minutes // 60, "h", minutes % 60, "min")
    hours = round(seconds / 3600)
    return _two(hours // 24, "d", hours % 24, "h")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"


def _side(value: float, bound: float) -> int:
    return (value > bound) - (value < bound)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, float | int) and not isinstance(value, bool) else None


def _usable(bound: float | None) -> bool:
    return bound is not None and math.isfinite(bound) and bound != 0


def _word(value: Any, scale: Scale, digits: int = 9) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    number = _number(value)
    return str(value) if number is None else with_unit(_digits(scale.of(number), digits), scale.unit)


def _form(limit: str) -> dict[str, Any]:
    try:
        form = json.loads(limit) if limit else {}
    except ValueError:
        return {}
    return form if isinstance(form, dict) else {}
