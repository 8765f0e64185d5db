"""A mask: corridors that a whole series has to stay inside.

Between its corners a corridor is straight. Beyond its first and last corner it says nothing; a series that no corridor
covers anywhere fails, because a mask that judged nothing must not look like a pass.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from engine.verdict.criterion import NO_READING, LimitError
from engine.verdict.judge import FAILED, Judgement, as_number
from schemas.documents import Verdict
from schemas.quantity import format_quantity

Corner = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Corridor:
    """One side of a mask: corners with rising x; two corners at one x make a step, where the stricter counts."""

    corners: tuple[Corner, ...]
    """`((-40, 3.4), (125, 3.5))`"""
    upper: bool
    xs: tuple[float, ...] = ()

    def at(self, x: float) -> float | None:
        """The bound at `x`; None beyond the corners."""
        corners, xs = self.corners, self.xs
        right = bisect_right(xs, x)
        left = bisect_left(xs, x)
        if left < right:
            ys = [y for _, y in corners[left:right]]
            return min(ys) if self.upper else max(ys)
        if not 0 < right < len(xs):
            return None
        (x0, y0), (x1, y1) = corners[right - 1], corners[right]
        return y0 + (y1 - y0) * ((x - x0) / (x1 - x0))


@dataclass(frozen=True, slots=True)
class MaskCriterion:
    """A series between an upper and a lower corridor, of which one may be missing."""

    upper: Corridor | None
    lower: Corridor | None
    along: str = ""
    """Where the x of every value is found: the slot of an axis or series."""
    name: str = ""
    """What people call it."""
    low: ClassVar[None] = None
    high: ClassVar[None] = None

    def judge(self, values: Any, along: Sequence[float] | None = None) -> Judgement:
        """Judge a series by the x of each of its values; the margin is the smallest of all."""
        margin, why = self._worst(values, along)
        if why:
            return FAILED
        return Judgement(Verdict.FAIL if margin < 0 else Verdict.PASS, margin)

    def explain(self, values: Any, unit: str = "", along: Sequence[float] | None = None) -> str:
        """Why the series does not pass, for people; empty where it does."""
        margin, why = self._worst(values, along)
        if why or margin >= 0:
            return why
        for x, y in zip(along or (), values, strict=True):
            for corridor, name, sign in ((self.upper, "above the upper", 1), (self.lower, "below the lower", -1)):
                bound = corridor.at(x) if corridor else None
                if bound is not None and sign * (bound - y) == margin:
                    return (
                        f"at {self.name or 'x'} = {x:g}: {format_quantity(y, unit, 9)} is {name} corridor "
                        f"{format_quantity(bound, unit, 9)}"
                    )
        raise AssertionError("the worst point of a series is one of its points")

    def _worst(self, values: Any, along: Sequence[float] | None) -> tuple[float, str]:
        """The smallest margin of all points, and why there is none."""
        if values is None:
            return math.nan, NO_READING
        if along is None or isinstance(values, str | bytes) or not hasattr(values, "__len__"):
            return math.nan, "not a series along an axis"
        if len(values) != len(along):
            return math.nan, f"{len(values)} values along {len(along)} places"
        if not len(values):
            return math.nan, NO_READING
        worst = math.inf
        for position, (given_x, given_y) in enumerate(zip(along, values, strict=True), start=1):
            x = as_number(given_x)
            if x is None:
                return math.nan, f"value {position} of the series has no place on `{self.name or 'x'}`"
            y: float | None = None
            for corridor, sign in ((self.upper, 1), (self.lower, -1)):
                bound = corridor.at(x) if corridor else None
                if bound is None:
                    continue
                if y is None and (y := as_number(given_y)) is None:
                    return math.nan, f"{NO_READING} at {self.name or 'x'} = {x:g}"
                worst = min(worst, sign * (bound - y))
        if worst == math.inf:
            return math.nan, "the mask covers no point of the series"
        return worst, ""

    def as_dict(self) -> dict[str, Any]:
        """The limit in structured form."""
        form: dict[str, Any] = {"kind": "mask", "along": self.name}
        for name, corridor in (("upper", self.upper), ("lower", self.lower)):
            if corridor is not None:
                form[name] = [list(corner) for corner in corridor.corners]
        return form

    def describe(self, unit: str = "") -> str:
        """As people write it: `mask along temperature`."""
        sides = " and ".join(name for name, side in (("lower", self.lower), ("upper", self.upper)) if side)
        return f"mask ({sides}) along {self.name or 'x'}"


def mask(
    upper: Sequence[Corner] | None, lower: Sequence[Corner] | None, along: str = "", name: str = ""
) -> MaskCriterion:
    """A mask of `(x, y)` corners in the units of axis and value; raises LimitError."""
    if not upper and not lower:
        raise LimitError("this mask has no corridor", "give `upper`, `lower` or both")
    above = _corridor(upper, True) if upper else None
    below = _corridor(lower, False) if lower else None
    if above is not None and below is not None:
        # Both are straight between corners, so they cross somewhere only if they have crossed at a corner.
        for x in sorted({*above.xs, *below.xs}):
            ceiling, floor = above.at(x), below.at(x)
            if ceiling is not None and floor is not None and ceiling < floor:
                raise LimitError(f"at x = {x:g} the upper corridor ({ceiling:g}) lies below the lower ({floor:g})")
    return MaskCriterion(above, below, along, name or along)


def _corridor(corners: Sequence[Corner], upper: bool) -> Corridor:
    name = "upper" if upper else "lower"
    for x, y in corners:
        if not (math.isfinite(x) and math.isfinite(y)):
            raise LimitError(f"the {name} corridor has a corner at ({x}, {y}), which is no place")
    xs = tuple(float(x) for x, _ in corners)
    for before, here in pairwise(xs):
        if here < before:
            raise LimitError(f"the x of the {name} corridor goes back from {before:g} to {here:g}", "write it rising")
    if any(xs[i] == xs[i + 2] for i in range(len(xs) - 2)):
        raise LimitError(f"the {name} corridor has three corners at one x", "a step takes two")
    return Corridor(tuple((float(x), float(y)) for x, y in corners), upper, xs)
