"""What generated code may call for single values, and the checks of values whose kind only the run knows.

Owns the rule that NaN never makes anything true: `!=` with NaN is false here, unlike Python's. NumPy is not imported;
a value that turns out to be a series is handed to `series.py` then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from engine.core.errors import EvaluationFailed


def number(value: Any) -> Any:
    """A value of unknown kind as a float or an array of floats."""
    kind = type(value)
    if kind is float or kind is int:
        return value
    if kind is bool or kind is str or value is None:
        raise EvaluationFailed(f"a number is needed, this is {_kind_of(value)}")
    from engine.expr.series import numbers_or_one

    return numbers_or_one(value)


def single(value: Any) -> Any:
    """A value of unknown kind as one float."""
    found = number(value)
    if type(found) is float or type(found) is int:
        return found
    raise EvaluationFailed("one number is needed, this is a series")


def text(value: Any) -> str:
    """A value of unknown kind as text."""
    if isinstance(value, str):
        return value
    raise EvaluationFailed(f"text is needed, this is {_kind_of(value)}")


def truth(value: Any) -> bool:
    """A value of unknown kind as true or false."""
    if isinstance(value, bool):
        return value
    if type(value).__name__ == "bool":  # NumPy's
        return bool(value)
    raise EvaluationFailed(f"true or false is needed, this is {_kind_of(value)}")


def same(a: Any, b: Any) -> bool:
    """`a == b` of two values of unknown kind."""
    if isinstance(a, str) != isinstance(b, str):
        raise EvaluationFailed(f"cannot compare {_kind_of(a)} with {_kind_of(b)}")
    return bool(a == b)


def different(a: Any, b: Any) -> bool:
    """`a != b` of two values of unknown kind; false when one is NaN."""
    return not same(a, b) and a == a and b == b


def _kind_of(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case None:
            return "no value"
        case _:
            return f"a {type(value).__name__}"


def ne(a: float, b: float) -> bool:
    """`a != b`, false when one is NaN."""
    return a < b or a > b


def is_in(value: float, items: tuple[float, ...]) -> bool:
    """True when `value` equals one of the items."""
    return any(value == item for item in items)


def not_in(value: float, items: tuple[float, ...]) -> bool:
    """True when `value` differs from all items; false for NaN."""
    return value == value and all(value < item or value > item for item in items)


def smallest(*values: float) -> float:
    """The smallest value; NaN when one is NaN."""
    result = values[0]
    for value in values:
        if value != value:
            return math.nan
        if value < result:
            result = value
    return result


def largest(*values: float) -> float:
    """The largest value; NaN when one is NaN."""
    result = values[0]
    for value in values:
        if value != value:
            return math.nan
        if value > result:
            result = value
    return result


def some(*values: bool) -> bool:
    """True when at least one is true."""
    return any(values)


def every(*values: bool) -> bool:
    """True when all are true."""
    return all(values)


def mean(*values: float) -> float:
    """The arithmetic mean."""
    return math.fsum(values) / len(values)


def total(*values: float) -> float:
    """The sum."""
    return math.fsum(values)


def rounded(value: float, digits: int = 0) -> float:
    """To the given number of decimals, halves to even; NaN and infinity stay."""
    return round(float(value), digits)


def floor(value: float) -> float:
    """The whole number below; NaN and infinity stay."""
    return float(math.floor(value)) if math.isfinite(value) else value


def ceil(value: float) -> float:
    """The whole number above; NaN and infinity stay."""
    return float(math.ceil(value)) if math.isfinite(value) else value


def db(ratio: float) -> float:
    """An amplitude ratio in decibels, 20·log10(ratio)."""
    return 20.0 * math.log10(ratio)


def is_nan(value: float) -> bool:
    """True for NaN."""
    return value != value


def div(a: float, b: float) -> float:
    """`a / b`."""
    return a / b


def mod(a: float, b: float) -> float:
    """The remainder, with the sign of `b`."""
    return a % b


def floordiv(a: float, b: float) -> float:
    """The whole part of the quotient, downwards."""
    return a // b


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "round": rounded,
    "floor": floor,
    "ceil": ceil,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "log10": math.log10,
    "db": db,
    "is_nan": is_nan,
    "pow": math.pow,
    "div": div,
    "mod": mod,
    "floordiv": floordiv,
}
"""Functions of single values; `s_` before the name is the same for series, `any_` chooses when evaluated."""


def _either(name: str, single: Callable[..., Any]) -> Callable[..., Any]:
    def choose(*values: Any) -> Any:
        checked = [number(value) for value in values]
        if all(type(value) is float or type(value) is int for value in checked):
            return single(*checked)
        from engine.expr.series import HELPERS as SERIES_HELPERS

        return SERIES_HELPERS["s_" + name](*checked)

    return choose


def any_item(values: Any, index: float) -> Any:
    """One element of a value of unknown kind."""
    if isinstance(values, str | bool | int | float) or values is None:
        raise EvaluationFailed(f"a series is needed, this is {_kind_of(values)}")
    from engine.expr.series import item

    return item(values, index)


HELPERS: dict[str, Any] = {
    "__builtins__": {},
    "number": number,
    "single": single,
    "text": text,
    "truth": truth,
    "same": same,
    "different": different,
    "ne": ne,
    "is_in": is_in,
    "not_in": not_in,
    "min": smallest,
    "max": largest,
    "mean": mean,
    "sum": total,
    "any": some,
    "all": every,
    "any_item": any_item,
    **ELEMENTWISE,
    **{"any_" + name: _either(name, single) for name, single in ELEMENTWISE.items()},
}
"""All that generated code of single values can reach."""
