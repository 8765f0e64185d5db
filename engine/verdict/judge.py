"""How one value is judged, once all bounds are plain numbers.

What cannot be judged (nothing, NaN, infinity, the wrong kind of value) fails: a broken reading must never look like a
good part. Judging is on the hot path of every measurement, so each criterion gets a closure that holds its bounds.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from schemas.documents import Verdict
from schemas.patterns import Pattern, TooSlow

LONGEST_TEXT = 10_000
"""A longer text is not matched against a pattern; it fails."""

LARGEST = sys.float_info.max
"""Stands for a bound that is not there, so that infinity still fails."""


class Judgement(NamedTuple):
    """What a criterion says of a value."""

    verdict: Verdict
    margin: float | None
    """Distance to the nearest bound of acceptance, in the value's unit; negative outside; None where there is none."""


Judge = Callable[[Any], Judgement]

PASSED = Judgement(Verdict.PASS, None)
FAILED = Judgement(Verdict.FAIL, None)

_new = tuple.__new__
_PASS, _MARGINAL, _FAIL = Verdict.PASS, Verdict.MARGINAL, Verdict.FAIL


def as_number(value: object) -> float | None:
    """The finite number that `value` is, or None: booleans, texts, NaN and infinity are none.

    Numbers of NumPy count; whole numbers too large for a float do not.
    """
    if isinstance(value, bool | str | bytes) or value is None:
        return None
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever is no number raises
    except (TypeError, ValueError, OverflowError):
        return None
    # numpy.bool_ turns into 1.0 although it is no number
    if type(value).__name__ in ("bool", "bool_") or not math.isfinite(number):
        return None
    return number


def band_judge(
    low: float, high: float, smallest: float, largest: float, pass_smallest: float, pass_largest: float
) -> Judge:
    """Judge numbers by `smallest <= value <= largest`, marginal outside `pass_smallest <= value <= pass_largest`.

    `low` and `high` (infinite where there is no bound) are what the margin is measured to; they differ from `smallest`
    and `largest` by the least possible step where the bound itself is not allowed.
    """

    def judge(value: Any) -> Judgement:
        if value.__class__ is not float:
            value = as_number(value)
            if value is None:
                return FAILED
        above = value - low
        below = high - value
        if pass_smallest <= value <= pass_largest:
            return _new(Judgement, (_PASS, above if above < below else below))
        if smallest <= value <= largest:
            return _new(Judgement, (_MARGINAL, above if above < below else below))
        if -LARGEST <= value <= LARGEST:
            return _new(Judgement, (_FAIL, above if above < below else below))
        return FAILED

    return judge


def comparable(value: object) -> tuple[str, object] | None:
    """`value` with its kind, so that true never equals 1.0 nor "1"; None for what can equal nothing."""
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return "boolean", bool(value)
    if isinstance(value, str):
        return "text", value
    number = as_number(value)
    return None if number is None else ("number", number)


def membership_judge(allowed: Iterable[float | str | bool]) -> Judge:
    """Judge by exact equality with one of `allowed`."""
    keys = frozenset(map(comparable, allowed))

    def judge(value: Any) -> Judgement:
        key = comparable(value)
        return PASSED if key is not None and key in keys else FAILED

    return judge


def pattern_judge(pattern: Pattern) -> Judge:
    """Judge texts by whether `pattern` matches all of them; where that cannot be found out in time they fail."""
    fullmatch = pattern.fullmatch

    def judge(value: Any) -> Judgement:
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            return FAILED
        try:
            return PASSED if fullmatch(value) is not None else FAILED
        except TooSlow:
            return FAILED

    return judge
