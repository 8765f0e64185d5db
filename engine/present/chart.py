"""A swept measurement as a picture's model: axes, lines, limits, and which points lie beyond them.

A million points become a few hundred a line, by the smallest and the largest of each stretch: no extreme is ever lost.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.present import values
from engine.present.fold import VERDICTS, Row, axes_text
from schemas.documents import Verdict

STRETCHES = 300
"""Stretches of the x axis; each keeps its first, smallest, largest and last point at most."""
MOST_LINES = 8
MOST_CATEGORIES = 16
MOST_COUNTED = 5000
UNIT_AXIS = ""
"""Name of the axis that tells units apart, which no sweep can have; its values are serial numbers."""
MOST_UNITS = 16
"""Lines of a chart that has one a unit."""
_FAIL = VERDICTS.index(Verdict.FAIL)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart; points in order of x."""

    label: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    beyond: tuple[bool, ...]
    """Whether each point failed its limit."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit along x: two points where it is the same everywhere."""

    text: str
    """`upper limit 3.366 V`."""
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    acceptance: bool = False
    """What is accepted, inside the specification by a guard band or an uncertainty."""


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn; numbers are already divided into the units of the labels."""

    title: str
    x_label: str
    y_label: str
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    lines: tuple[Line, ...]
    bounds: tuple[Bound, ...]
    categories: tuple[str, ...] = ()
    """Names at x = 0, 1, …; empty where x is a number."""
    note: str = ""
    """What is not shown."""
    x_log: bool = False
    """Equal ratios of x are equally far apart."""


def chart_of(row: Row, x_unit: Callable[[str], str] = lambda _: "") -> Chart | None:
    """The chart of a swept row; None where fewer than two points are numbers. `x_unit` gives an axis its unit."""
    points = row.points
    if row.readings < 2:
        return None
    x_name = _x_axis(points.axes)
    count = len(points)
    xs: Sequence[float]
    categories: tuple[str, ...] = ()
    if x_name is not None:
        xs = points.axes[x_name]  # type: ignore[assignment]  # _x_axis takes numeric ones only
        others = [name for name in points.axes if name != x_name]
    else:
        word = _category_axis(points.axes)
        others = [name for name in points.axes if name != word]
        if word is None:
            xs, x_name = range(1, count + 1), "point"
        else:
            names = list(dict.fromkeys(map(str, points.axes[word])))
            place = {name: float(i) for i, name in enumerate(names)}
            xs, x_name, categories = [place[str(v)] for v in points.axes[word]], word, tuple(names)
    varying = [name for name in others if len(set(points.axes[name])) > 1]
    groups: dict[tuple[float | str, ...], Sequence[int]] = {(): range(count)}
    if varying:
        members: dict[tuple[float | str, ...], list[int]] = {}
        columns = [points.axes[name] for name in varying]
        for i, key in enumerate(zip(*columns, strict=True)):
            members.setdefault(key, []).append(i)
        groups = dict(members)
    first = row.first
    bound_values = [b for b in (first.low, first.high) if b is not None and math.isfinite(b)]
    scale = values.scale_for(bound_values if any(bound_values) else [row.low, row.high], first.unit_symbol)
    most = MOST_UNITS if UNIT_AXIS in varying else MOST_LINES
    chosen = _nearest_to_limits(groups, row, most) if len(groups) > most else list(groups)
    lines = []
    x_log = not categories and _is_logarithmic(xs)
    for key in chosen:
        label = axes_text(tuple(zip(varying, key, strict=True))).strip()
        line = _line(label, groups[key], xs, row, scale, x_log)
        if line.xs:
            lines.append(line)
    if not lines:
        return None
    x_low, x_high = min(line.xs[0] for line in lines), max(line.xs[-1] for line in lines)
    if categories:
        x_low, x_high = -0.5, len(categories) - 0.5
    bounds = _bounds(row, xs, scale, x_low, x_high)
    y_low = min([min(line.ys) for line in lines] + [min(b.ys) for b in bounds])
    y_high = max([max(line.ys) for line in lines] + [max(b.ys) for b in bounds])
    notes = []
    if len(groups) > len(chosen):
        notes.append(f"{len(chosen)} of {len(groups)} lines shown, those nearest to their limits")
    if count > row.readings:
        notes.append(f"{count - row.readings} of {count} points have no reading")
    elif sum(len(line.xs) for line in lines) < count and len(groups) == len(chosen):
        notes.append(f"{count:,} points, drawn with the extremes of every stretch")
    return Chart(
        title=row.name,
        x_label=_label(x_name or "unit", values.pretty_unit(x_unit(x_name))),
        y_label=_label(row.name, scale.unit),
        x_low=x_low,
        x_high=x_high,
        y_low=y_low,
        y_high=y_high,
        lines=tuple(lines),
        bounds=bounds,
        categories=categories,
        note="; ".join(notes),
        x_log=x_log,
    )


def _label(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _x_axis(axes: dict[str, array[float] | list[float | str]]) -> str | None:
    """The numeric axis with the most values; of two alike the inner one."""
    best, most = None, 1
    for name, column in axes.items():
        if isinstance(column, array):
            different = _different(column)
            if different >= most and different > 1:
                best, most = name, different
    return best


def _different(column: Sequence[float]) -> int:
    """How many different numbers; no further than MOST_COUNTED, where one axis is as good as another."""
    seen: set[float] = set()
    for value in column:
        if math.isfinite(value):
            seen.add(value)
            if len(seen) >= MOST_COUNTED:
                break
    return len(seen)


def _drawable(x: float, y: float) -> bool:
    return x - x == 0 and y - y == 0  # neither NaN nor infinite


def _category_axis(axes: dict[str, array[float] | list[float | str]]) -> str | None:
    for name, column in reversed(axes.items()):
        if 1 < len(set(column)) <= MOST_CATEGORIES:
            return name
    return None


def _nearest_to_limits(
    groups: dict[tuple[float | str, ...], Sequence[int]], row: Row, most: int
) -> list[tuple[float | str, ...]]:
    points = row.points

    def margin(i: int) -> float:
        y = points.y[i]
        distances = (y - points.low[i], points.high[i] - y)
        return -points.guard[i] + min((d for d in distances if not math.isnan(d)), default=math.inf)

    worst = sorted(groups, key=lambda key: min(margin(i) for i in groups[key]))[:most]
    kept = set(worst)
    return [key for key in groups if key in kept]


def _is_logarithmic(xs: Sequence[float]) -> bool:
    """Whether x is spread over decades: positive, over a factor of 100, most of it in the lowest tenth."""
    finite = sorted(x for x in xs[:MOST_COUNTED] if math.isfinite(x))
    if not finite or finite[0] <= 0 or finite[-1] < 100 * finite[0]:
        return False
    return finite[len(finite) // 2] < finite[-1] / 10


def _line(
    label: str, members: Sequence[int], xs: Sequence[float], row: Row, scale: values.Scale, x_log: bool = False
) -> Line:
    y, verdicts = row.points.y, row.points.verdicts
    drawn = decimate(members, array("d", (math.log10(x) if x > 0 else math.nan for x in xs)) if x_log else xs, y)
    return Line(
        label,
        tuple(xs[i] for i in drawn),
        tuple(scale.of(y[i]) for i in drawn),
        tuple(verdicts[i] == _FAIL for i in drawn),
    )


def decimate(members: Sequence[int], xs: Sequence[float], ys: Sequence[float], stretches: int = STRETCHES) -> list[int]:
    """Those of the members that are numbers, in order of x.

    Of many, at most four for each stretch of x: first, smallest, largest and last; in one pass and without sorting them.
    """
    if len(members) <= 4 * stretches:
        return sorted((i for i in members if _drawable(xs[i], ys[i])), key=xs.__getitem__)
    low = min((xs[i] for i in members if _drawable(xs[i], ys[i])), default=0.0)
    high = max((xs[i] for i in members if _drawable(xs[i], ys[i])), default=0.0)
    per_stretch = stretches / (high - low) if high > low else 0.0
    kept: list[list[int] | None] = [None] * stretches
    for i in members:
        x, y = xs[i], ys[i]
        if not _drawable(x, y):
            continue
        stretch = min(stretches - 1, int((x - low) * per_stretch))
        four = kept[stretch]
        if four is None:
            kept[stretch] = [i, i, i, i]
            continue
        if x < xs[four[0]]:
            four[0] = i
        if x >= xs[four[3]]:
            four[3] = i
        if y < ys[four[1]]:
            four[1] = i
        elif y > ys[four[2]]:
            four[2] = i
    return sorted({i for four in kept if four for i in four}, key=lambda i: (xs[i], i))


def _bounds(row: Row, xs: Sequence[float], scale: values.Scale, x_low: float, x_high: float) -> tuple[Bound, ...]:
    found = []
    points = row.points
    columns = [("upper", "limit", points.high), ("lower", "limit", points.low)]
    if any(points.guard):
        highest = array("d", (bound - guard for bound, guard in zip(points.high, points.guard, strict=True)))
        lowest = array("d", (bound + guard for bound, guard in zip(points.low, points.guard, strict=True)))
        columns += [("upper", "acceptance", highest), ("lower", "acceptance", lowest)]
    for side, what, column in columns:
        first = next((bound for bound in column if math.isfinite(bound)), None)
        if first is None:
            continue
        if all(bound == first for bound in column if bound == bound):
            text = f"{side} {what} {values.with_unit(values.number_text(scale.of(first), 9), scale.unit)}"
            found.append(Bound(text, (x_low, x_high), (scale.of(first),) * 2, what == "acceptance"))
            continue
        # Where lines differ in their limit at one x, the tightest is drawn.
        tightest: dict[float, float] = {}
        for i, bound in enumerate(column):
            if not _drawable(xs[i], bound):
                continue
            known = tightest.get(xs[i])
            if known is None or (bound < known if side == "upper" else bound > known):
                tightest[xs[i]] = bound
        places = sorted(tightest)
        heights = [tightest[x] for x in places]
        kept = decimate(range(len(places)), places, heights)
        ys = tuple(scale.of(heights[i]) for i in kept)
        found.append(Bound(f"{side} {what}", tuple(places[i] for i in kept), ys, what == "acceptance"))
    return tuple(found)


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most about `most` round numbers from `low` to `high`: steps of 1, 2, 2.5 or 5 times a power of ten."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low] if math.isfinite(low) else []
    magnitude = 10.0 ** math.floor(math.log10((high - low) / most))

    def awkward(multiple: float) -> int:
        s = multiple * magnitude
        return abs(math.floor(high / s + 1e-9) - math.ceil(low / s - 1e-9) + 1 - most) + (multiple == 2.5)

    step = min((1, 2, 5, 10, 2.5), key=awkward) * magnitude
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [n * step if n else 0.0 for n in range(first, min(last, first + 50) + 1)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten from `low` to `high`, at most about ten of them; 2 and 5 between where there are few."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    every = max(1, (last - first) // 9 + 1)
    if last - first >= 3:
        return [10.0**n for n in range(first, last + 1, every)]
    found = [m * 10.0**n for n in range(first - 1, last + 1) for m in (1, 2, 5)]
    return [tick for tick in found if low <= tick <= high]


def tick_texts(ticks: Sequence[float]) -> list[str]:
    """The ticks with just the digits that tell them apart."""
    if len(ticks) < 2:
        return [values.number_text(tick) for tick in ticks]
    step = ticks[1] - ticks[0]
    largest = max(map(abs, ticks))
    if step < 1e-9 or largest >= 1e7:
        return [f"{tick:.6g}" for tick in ticks]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if abs(round(step * 10**decimals) - step * 10**decimals) > 1e-6:
        decimals += 1
    return [f"{tick:.{decimals}f}" for tick in ticks]
