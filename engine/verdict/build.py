"""From the numbers of a limit to a criterion; refuses what could not judge anything.

The order is fixed (specification, then guard band or uncertainty, then marginal as a share of what is left), because
the same shares in another order give other bounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.verdict.criterion import Band, Equals, Exclusive, LimitError, Matches, OneOf, Scalar
from schemas.patterns import Pattern, PatternError, check


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a width: 0.1 is 10 %."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Absolute:
    """A width in the unit of the value."""

    width: float


Width = Share | Absolute


def band(
    low: float | None,
    high: float | None,
    *,
    nominal: float | None = None,
    exclusive: Exclusive | None = None,
    marginal: Width | None = None,
    guardband: Width | None = None,
    uncertainty: float | None = None,
) -> Band:
    """A band of numbers; raises LimitError.

    `guardband`: taken off each end (ILAC-G8); a share is one of the specification's width.
    `uncertainty`: expanded uncertainty, taken off each end (JCGM 106).
    `marginal`: the outer part at each end of the acceptance band; a share is one of that band's width.
    A band with one bound has no width, so it takes `Absolute` only. `nominal` is for display.
    """
    low, high = _bound(low, "lower"), _bound(high, "upper")
    if low is None and high is None:
        raise LimitError("this limit has no bound", "give `min`, `max` or both")
    exclusive_low, exclusive_high = exclusive in ("low", "both"), exclusive in ("high", "both")
    if (exclusive_low and low is None) or (exclusive_high and high is None):
        raise LimitError(
            f"`exclusive: {exclusive}` names a bound that this limit does not have",
            f"write `exclusive: {'high' if low is None else 'low'}`",
        )
    if low is not None and high is not None:
        if low > high:
            raise LimitError(f"the lower bound {low:g} lies above the upper bound {high:g}", "exchange them")
        if not math.isfinite(high - low):
            raise LimitError("the bounds lie further apart than a number can say", "leave one of them out")
        if low == high and (exclusive_low or exclusive_high):
            raise LimitError(f"nothing can pass: both bounds are {low:g} and not included", "remove `exclusive`")
    if guardband is not None and uncertainty is not None:
        raise LimitError("`guardband` and `uncertainty` both tighten the band", "give one of them")

    guard: float | None = None
    name = "guardband"
    if guardband is not None:
        guard = _width(guardband, low, high, "guardband")
    elif uncertainty is not None:
        name = "uncertainty"
        guard = _not_negative(uncertainty, "uncertainty")
    accept_low = low if low is None or not guard else low + guard
    accept_high = high if high is None or not guard else high - guard
    if guard and accept_low is not None and accept_high is not None and accept_low >= accept_high:
        raise LimitError(
            f"nothing can pass: `{name}` takes {guard:g} off each end of a band {_spread(low, high):g} wide",
            "widen the limit, or measure with less uncertainty" if name == "uncertainty" else "give less than 50 %",
        )

    edge: float | None = None
    if marginal is not None:
        edge = _width(marginal, accept_low, accept_high, "marginal")
        width = _spread(accept_low, accept_high)
        if edge > 0 and 2 * edge >= width:
            raise LimitError(
                f"nothing could simply pass: `marginal` marks {edge:g} at each end of a band {width:g} wide",
                "give less than half the band",
            )
    return Band(
        low,
        high,
        exclusive_low,
        exclusive_high,
        accept_low,
        accept_high,
        edge if accept_low is not None else None,
        edge if accept_high is not None else None,
        _bound(nominal, "nominal"),
        guard,
        uncertainty is not None,
    )


def around(nominal: float, tolerance: Width | tuple[Width, Width]) -> tuple[float, float]:
    """The bounds of `nominal` with `tolerance`: half a width, or both signed deviations such as (-2 %, 5 %).

    A share is one of the size of the nominal. Raises LimitError.
    """
    if not math.isfinite(nominal):
        raise LimitError(f"the nominal {nominal:g} is not a finite number")
    if not isinstance(tolerance, tuple):
        half = _deviation(nominal, tolerance)
        if half < 0:
            raise LimitError(f"a tolerance of {half:g} is negative", "give it without sign, or as `[-2 %, 5 %]`")
        return _tidy(nominal - half), _tidy(nominal + half)
    below, above = _deviation(nominal, tolerance[0]), _deviation(nominal, tolerance[1])
    if below > above:
        raise LimitError("the deviations of `tolerance` stand in the wrong order", "write the lower one first")
    return _tidy(nominal + below), _tidy(nominal + above)


def _tidy(bound: float) -> float:
    """A computed bound without the last digit's rounding: 3.366, not 3.3659999999999997."""
    return float(f"{bound:.15g}")


def equals(value: Scalar) -> Equals:
    """Exactly this value; raises LimitError for NaN and infinity."""
    _comparable(value)
    return Equals(value)


def one_of(values: Sequence[Scalar]) -> OneOf:
    """One of these values; raises LimitError for NaN, infinity and an empty list."""
    if not values:
        raise LimitError("`one_of` allows nothing", "name at least one value")
    for value in values:
        _comparable(value)
    return OneOf(tuple(values))


def matches(pattern: str) -> Matches:
    """A text that this pattern matches as a whole; raises LimitError for a pattern that cannot be read."""
    try:
        check(pattern)
    except PatternError as error:
        raise LimitError(f"the pattern {pattern!r} cannot be read: {error}") from None
    return Matches(Pattern(pattern))


def _comparable(value: Scalar) -> None:
    if not isinstance(value, bool | str) and not math.isfinite(value):
        raise LimitError(f"nothing equals {value}", "give a finite number")


def _bound(value: float | None, which: str) -> float | None:
    if value is None:
        return None
    if not math.isfinite(value):
        raise LimitError(f"the {which} bound is {value}, not a finite number", "leave the bound out if there is none")
    return float(value)


def _spread(low: float | None, high: float | None) -> float:
    return math.inf if low is None or high is None else high - low


def _width(width: Width, low: float | None, high: float | None, name: str) -> float:
    """A width in the unit of the value, from a share of the band where it is one."""
    if isinstance(width, Absolute):
        return _not_negative(width.width, name)
    if low is None or high is None:
        raise LimitError(
            f"`{name}` is a share of the band, and a limit with one bound has no width",
            f"give a quantity, such as `{name}: 10 mV`",
        )
    return _not_negative(width.fraction, name) * (high - low)


def _not_negative(value: float, name: str) -> float:
    if not 0 <= value < math.inf:
        raise LimitError(f"`{name}` is {value:g}; it must be zero or a positive finite number")
    return value


def _deviation(nominal: float, width: Width) -> float:
    if isinstance(width, Absolute):
        deviation = width.width
    elif nominal == 0:
        raise LimitError("a share of a nominal of 0 is no tolerance", "give a quantity, such as `tolerance: 20 mV`")
    else:
        deviation = width.fraction * abs(nominal)
    if not math.isfinite(deviation):
        raise LimitError(f"`tolerance` is {deviation:g}, not a finite number")
    return deviation
