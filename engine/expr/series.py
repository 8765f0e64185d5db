"""What generated code may call for series: the only module here that imports NumPy, and only when one is evaluated.

Aggregates propagate NaN: a reading that failed must not vanish in a mean. Divisions by zero and logarithms of negative
numbers raise, as they do for single values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import EvaluationFailed
from engine.expr.runtime import HELPERS as SINGLE_HELPERS

Floats = NDArray[np.float64]


def numbers(values: Any) -> Floats:
    """Values as a flat array of floats."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            if array.dtype.kind in "USOb" and array.size:
                raise EvaluationFailed("a series of numbers is needed, this holds something else")
            array = array.astype(float)
    except (ValueError, TypeError):
        raise EvaluationFailed("a series of numbers is needed, this is something else") from None
    if array.ndim != 1:
        raise EvaluationFailed(f"a flat series is needed, this has {array.ndim} dimensions")
    return array.astype(float, copy=False)


def numbers_or_one(value: Any) -> Any:
    """NumPy's single numbers as floats, all else as a series."""
    if isinstance(value, np.number | np.ndarray) and value.ndim == 0 and value.dtype.kind in "fiu":
        return float(value)
    return numbers(value)


def filled(values: Any) -> Floats:
    """Values as a flat array that is not empty."""
    array = numbers(values)
    if not array.size:
        raise EvaluationFailed("the series is empty")
    return array


def aligned(*series: Any) -> tuple[Floats, ...]:
    """Several series of one length, none empty."""
    arrays = tuple(filled(one) for one in series)
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise EvaluationFailed("the series differ in length: " + ", ".join(map(str, lengths)))
    return arrays


def array(*values: float) -> Floats:
    """A series of the given numbers."""
    return np.array(values, dtype=float)


def texts(*values: str) -> NDArray[Any]:
    """A series of the given texts."""
    return np.array(values, dtype=object)


def item(values: Any, index: float) -> Any:
    """One element; a negative index counts from the end."""
    whole = int(index) if index == index and abs(index) < 1e15 else None
    if whole is None or whole != index:
        raise EvaluationFailed(f"an index is a whole number, this is {index:g}")
    count = len(values)
    if not -count <= whole < count:
        raise EvaluationFailed(f"index {whole} is outside the series of {count}")
    found = values[whole]
    return found.item() if isinstance(found, np.generic) else found


def first(values: Any) -> Any:
    """The first element."""
    return _end(values, 0)


def last(values: Any) -> Any:
    """The last element."""
    return _end(values, -1)


def _end(values: Any, index: int) -> Any:
    if not len(values):
        raise EvaluationFailed("the series is empty")
    return item(values, index)


def length(values: Any) -> float:
    """The number of elements."""
    try:
        return float(len(values))
    except TypeError:
        raise EvaluationFailed("a series is needed, this is one value") from None


def _strictly(function: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*values: Any) -> Any:
        with np.errstate(divide="raise", invalid="raise", over="raise", under="ignore"):
            return function(*values)

    return checked


def rounded(values: Floats, digits: int = 0) -> Floats:
    """Each to the given number of decimals."""
    return np.round(values, digits)


def ne(a: Any, b: Any) -> Any:
    """`a != b`, false where one is NaN."""
    return (a < b) | (a > b)


def chain(left: Any, *rest: Any) -> Any:
    """`a < b < c` element by element: operand, operator, operand, …"""
    result: Any = True
    for operator, right in zip(rest[::2], rest[1::2], strict=True):
        result = np.logical_and(result, COMPARE[operator](left, right))
        left = right
    return result


COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": ne,
}


def text_eq(a: Any, b: Any) -> Any:
    """Which texts are the same."""
    return np.asarray(a, dtype=object) == np.asarray(b, dtype=object)


def text_ne(a: Any, b: Any) -> Any:
    """Which texts are not the same."""
    return np.asarray(a, dtype=object) != np.asarray(b, dtype=object)


def contains(values: Any, value: Any) -> bool:
    """True when an element equals the value."""
    return any(value == element for element in values)


def lacks(values: Any, value: Any) -> bool:
    """True when no element equals the value, and the value is no NaN."""
    return bool(value == value and not contains(values, value))


def every(values: Any) -> bool:
    """True when all are true."""
    return bool(np.all(_conditions(values)))


def some(values: Any) -> bool:
    """True when at least one is true."""
    return bool(np.any(_conditions(values)))


def _conditions(values: Any) -> NDArray[Any]:
    found = np.asarray(values)
    if found.dtype.kind != "b" and found.size:
        raise EvaluationFailed("a series of true/false is needed, this holds something else")
    return found


def text_series(values: Any) -> NDArray[Any]:
    """Values of unknown kind as a series of texts."""
    found = np.asarray(values, dtype=object)
    if found.ndim != 1 or not all(isinstance(one, str) for one in found):
        raise EvaluationFailed("a series of texts is needed, this is something else")
    return found


def mean(values: Any) -> float:
    """The arithmetic mean."""
    return float(np.mean(filled(values)))


def median(values: Any) -> float:
    """The middle value."""
    return float(np.median(filled(values)))


def smallest(values: Any) -> float:
    """The smallest value."""
    return float(np.min(filled(values)))


def largest(values: Any) -> float:
    """The largest value."""
    return float(np.max(filled(values)))


def total(values: Any) -> float:
    """The sum; 0 when empty."""
    return float(np.sum(numbers(values)))


def std(values: Any) -> float:
    """The sample standard deviation, with n - 1 below; 0 of one value."""
    found = filled(values)
    return float(np.std(found, ddof=1)) if found.size > 1 else 0.0 * float(found[0])


def rms(values: Any) -> float:
    """The root of the mean square."""
    return math.sqrt(float(np.mean(np.square(filled(values)))))


def pp(values: Any) -> float:
    """Peak to peak: the largest less the smallest."""
    return float(np.ptp(filled(values)))


def percentile(values: Any, share: float) -> float:
    """The value below which `share` per cent lie, interpolated linearly."""
    if not 0 <= share <= 100:
        raise EvaluationFailed(f"a percentile lies between 0 % and 100 %, this is {share:g} %")
    return float(np.percentile(filled(values), share))


def _moments(y: Any, x: Any) -> tuple[Floats, Floats, float]:
    """Both less their means, and the sum of squares of x."""
    along, over = aligned(y, x)
    if along.size < 2:
        raise EvaluationFailed("a line needs two points")
    dy, dx = along - along.mean(), over - over.mean()
    square = float(dx @ dx)
    if square == 0.0:
        raise EvaluationFailed("a line needs two different x values")
    return dy, dx, square


def slope(y: Any, x: Any) -> float:
    """The slope of the least-squares line of y over x."""
    dy, dx, square = _moments(y, x)
    return float(dx @ dy) / square


def intercept(y: Any, x: Any) -> float:
    """The value of the least-squares line of y over x where x is 0 in its own unit."""
    return float(np.mean(numbers(y))) - slope(y, x) * float(np.mean(numbers(x)))


def r2(y: Any, x: Any) -> float:
    """The coefficient of determination of the least-squares line; NaN when all y are the same."""
    dy, dx, square = _moments(y, x)
    spread = float(dy @ dy)
    return float(dx @ dy) ** 2 / (square * spread) if spread else math.nan


def trapz(y: Any, x: Any) -> float:
    """The area under y over x by the trapezoidal rule."""
    along, over = aligned(y, x)
    return float(np.sum(np.diff(over) * (along[1:] + along[:-1])) / 2.0)


def interp(x: Any, xs: Any, ys: Any) -> Any:
    """y at x on straight lines between the points, which may stand in any order; NaN outside them."""
    known, values = aligned(xs, ys)
    order = np.argsort(known, kind="stable")
    found = np.interp(x, known[order], values[order], left=math.nan, right=math.nan)
    return found if isinstance(found, np.ndarray) and found.ndim else float(found)


def nearest(values: Any, axis: Any, value: float) -> Any:
    """The element where the axis is nearest to the value, the first of equals; axis values of NaN are left aside."""
    along = filled(axis)
    if len(values) != along.size:
        raise EvaluationFailed(f"the series differ in length: {len(values)}, {along.size}")
    distance = np.abs(along - value)
    if np.isnan(distance).all():
        return math.nan
    return item(values, int(np.nanargmin(distance)))


def argmin(values: Any) -> float:
    """The index of the smallest value; NaN when one is NaN."""
    found = filled(values)
    return math.nan if np.isnan(found).any() else float(np.argmin(found))


def argmax(values: Any) -> float:
    """The index of the largest value; NaN when one is NaN."""
    found = filled(values)
    return math.nan if np.isnan(found).any() else float(np.argmax(found))


def diff(values: Any) -> Floats:
    """Each element less the one before; one shorter than the series."""
    return np.diff(numbers(values))


def where(condition: Any, a: Any, b: Any) -> Any:
    """Element by element: `a` where the condition holds, else `b`."""
    return np.where(condition, a, b)


_STRICT: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "round": rounded,
    "floor": np.floor,
    "ceil": np.ceil,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "db": lambda ratio: 20.0 * np.log10(ratio),
    "is_nan": np.isnan,
    "pow": np.power,
    "div": np.true_divide,
    "mod": np.mod,
    "floordiv": np.floor_divide,
}

HELPERS: dict[str, Any] = {
    **SINGLE_HELPERS,
    **{"s_" + name: _strictly(function) for name, function in _STRICT.items()},
    **{
        "s_" + name: function
        for name, function in {
            "numbers": numbers, "array": array, "texts": texts, "item": item, "first": first, "last": last,
            "len": length, "ne": ne, "chain": chain, "text_eq": text_eq, "text_ne": text_ne, "contains": contains,
            "lacks": lacks, "all": every, "any": some, "mean": mean, "median": median, "min": smallest, "max": largest,
            "sum": total, "std": std, "rms": rms, "pp": pp, "percentile": percentile, "slope": slope,
            "intercept": intercept, "r2": r2, "trapz": trapz, "interp": interp, "nearest": nearest, "argmin": argmin,
            "argmax": argmax, "diff": diff, "conditions": _conditions, "text_series": text_series,
            "where": where, "and": np.logical_and, "or": np.logical_or, "not": np.logical_not,
        }.items()
    },
}  # fmt: skip
"""All that generated code of series can reach."""


def quietly(function: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Any]:
    """The function with NumPy's warnings off and its result as a plain float where it is one value."""
    state = np.errstate

    def run(environment: Mapping[str, Any]) -> Any:
        with state(over="ignore", invalid="ignore", divide="raise"):
            result = function(environment)
        return result.item() if isinstance(result, np.generic) else result

    return run
