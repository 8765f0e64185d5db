"""One number from several readings of one value.

A missing reading (NaN) is never left out: every statistic of readings with a gap is NaN, which no limit passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence


def mean(readings: Sequence[float]) -> float:
    """Arithmetic mean, summed without rounding errors; NaN of nothing."""
    return _sum(readings) / len(readings) if readings else math.nan


def median(readings: Sequence[float]) -> float:
    """The middle one, or the mean of the two in the middle; NaN of nothing."""
    if not readings or _gap(readings):
        return math.nan
    ordered = sorted(readings)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return mean(ordered[middle - 1 : middle + 1])


def minimum(readings: Sequence[float]) -> float:
    """The smallest; NaN of nothing."""
    return math.nan if not readings or _gap(readings) else min(readings)


def maximum(readings: Sequence[float]) -> float:
    """The largest; NaN of nothing."""
    return math.nan if not readings or _gap(readings) else max(readings)


def std(readings: Sequence[float]) -> float:
    """Sample standard deviation (n-1), in the unit of the readings; NaN of fewer than two."""
    if len(readings) < 2:
        return math.nan
    centre = mean(readings)
    return math.sqrt(_sum([(reading - centre) * (reading - centre) for reading in readings]) / (len(readings) - 1))


def rms(readings: Sequence[float]) -> float:
    """Root of the mean square; NaN of nothing."""
    return math.sqrt(mean([reading * reading for reading in readings]))


def pp(readings: Sequence[float]) -> float:
    """Peak to peak: the largest less the smallest; NaN of nothing."""
    return maximum(readings) - minimum(readings)


def first(readings: Sequence[float]) -> float:
    """The first; NaN of nothing, and where any is NaN."""
    return math.nan if not readings or _gap(readings) else readings[0]


def last(readings: Sequence[float]) -> float:
    """The last; NaN of nothing, and where any is NaN."""
    return math.nan if not readings or _gap(readings) else readings[-1]


STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": mean,
    "median": median,
    "min": minimum,
    "max": maximum,
    "std": std,
    "rms": rms,
    "pp": pp,
    "first": first,
    "last": last,
}
"""By the names of a step's `statistic`."""


def spread(readings: Sequence[float]) -> float | None:
    """Sample standard deviation as recorded beside a value; None for a single reading."""
    return std(readings) if len(readings) > 1 else None


def _gap(readings: Sequence[float]) -> bool:
    return any(reading != reading for reading in readings)


def _sum(readings: Sequence[float]) -> float:
    try:
        return math.fsum(readings)
    except (OverflowError, ValueError):  # beyond the largest float, or infinities of both signs
        return math.nan
