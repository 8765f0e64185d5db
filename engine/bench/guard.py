"""What a property may be set to, checked before anything is sent.

Owns the last word between a sequence and the hardware: the type of the property, what the instrument takes (the
driver's `range`) and what the station allows (its `guard`). A value that slipped through here could destroy a part.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from engine.bench.commands import CommandTemplate, is_plain, printable
from engine.bench.encode import sent_numbers
from engine.core.bench import PropertySpec, PropertyValue
from engine.core.errors import GuardViolation
from schemas.diagnostics import did_you_mean
from schemas.quantity import format_quantity

Check = Callable[[object], PropertyValue]
_SENT = "nothing was sent"
_DIGITS = 12


def checker(prop: PropertySpec, where: str, template: CommandTemplate | None = None, *, station: bool = True) -> Check:
    """What turns a value into the property's own type; raises GuardViolation where it may not be set.

    `station=False` leaves out what the station allows: safe values are the station's own word.
    """
    match prop.type:
        case "number":
            return _number_check(prop, where, template, station)
        case "on_off":
            return lambda value: _switch(value, where)
        case "choice":
            return lambda value: _choice(value, prop, where)
        case "text":
            quoted = template is not None and all(place.quote for place in template.places)
            return lambda value: _text(value, where, quoted)
        case "array":
            one = _number_check(prop, where, None, station)
            return lambda value: _array(value, where, one)


def _number_check(
    prop: PropertySpec, where: str, template: CommandTemplate | None, station: bool
) -> Callable[[object], float]:
    bounds = [(prop.low, prop.high, "the instrument takes")]
    if station:
        bounds.insert(0, (prop.guard_low, prop.guard_high, "the station allows"))
    coarse = template is not None and any(place.format for place in template.places)

    def inside(value: float) -> None:
        for low, high, who in bounds:
            if high is not None and not value <= high:
                raise _outside(prop, where, value, "above", high, who)
            if low is not None and not value >= low:
                raise _outside(prop, where, value, "below", low, who)

    def check(value: object) -> float:
        number = _number(value, where)
        inside(number)
        if coarse and template is not None:
            for sent in sent_numbers(template, number):
                inside(sent)  # a format that rounds must not round past a bound
        return number

    return check


def _outside(prop: PropertySpec, where: str, value: float, side: str, bound: float, who: str) -> GuardViolation:
    unit = prop.unit or ""
    digits = 6 if f"{value:.6g}" != f"{bound:.6g}" else _DIGITS + 5
    shown = format_quantity(value, unit, digits)
    return GuardViolation(f"{where}: {shown} is {side} the {format_quantity(bound, unit, digits)} {who}; {_SENT}")


def _number(value: object, where: str) -> float:
    if isinstance(value, (bool, str, bytes)) or type(value).__name__ in ("bool", "bool_"):
        raise GuardViolation(f"{where}: `{printable(str(value))}` is not a number; {_SENT}")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise GuardViolation(f"{where}: `{printable(str(value))}` is not a number; {_SENT}") from None
    if not isfinite(number):
        shown = "NaN" if number != number else str(number)
        raise GuardViolation(f"{where}: {shown} is no value it can be set to; {_SENT}")
    return number


def _switch(value: object, where: str) -> bool:
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("on", "true"):
            return True
        if word in ("off", "false"):
            return False
    elif isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    raise GuardViolation(f"{where}: `{printable(str(value))}` is neither on nor off; {_SENT}")


def _choice(value: object, prop: PropertySpec, where: str) -> str:
    choices = prop.choices or {}
    if isinstance(value, str) and value in choices:
        return str(value)
    help = did_you_mean(str(value), choices) or f"it takes {', '.join(choices)}"
    raise GuardViolation(f"{where}: `{printable(str(value))}` is none of its words; {_SENT}", help)


def _text(value: object, where: str, quoted: bool) -> str:
    if not isinstance(value, str):
        raise GuardViolation(f"{where}: `{printable(str(value))}` is not a text; {_SENT}")
    text = str(value)
    if not is_plain(text):
        raise GuardViolation(f"{where}: `{printable(text)}` holds a line end or another control character; {_SENT}")
    if not quoted and ";" in text:
        raise GuardViolation(
            f"{where}: `{printable(text)}` holds a `;`, which would begin another command; {_SENT}",
            "send several commands with a `command` step",
        )
    return text


def _array(value: object, where: str, one: Callable[[object], float]) -> tuple[float, ...]:
    if isinstance(value, (str, bytes)):
        raise GuardViolation(f"{where}: `{printable(str(value))}` is not a list of numbers; {_SENT}")
    try:
        items = list(value)  # type: ignore[call-overload]
    except TypeError:
        raise GuardViolation(f"{where}: `{printable(str(value))}` is not a list of numbers; {_SENT}") from None
    return tuple(one(item) for item in items)
