"""How the bars of a timeline look: tints of values, a pattern for each unit, strips for those that have one thing at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress

from engine.present.gantt import Bar, Kind, Row, RowKind

_COOL, _MIDDLE, _WARM = (0xBF, 0xDC, 0xF0), (0xF1, 0xF4, 0xF7), (0xF7, 0xD9, 0xBF)


def tints(labels: Iterable[str]) -> dict[str, str]:
    """A light colour for each value of modes, from the smallest to the largest; one for all that are no numbers."""
    numbers: dict[str, float] = {}
    for label in set(labels):
        with suppress(ValueError, IndexError):
            numbers[label] = float(label.split()[0])
    low, high = min(numbers.values(), default=0.0), max(numbers.values(), default=0.0)
    if not (math.isfinite(low) and math.isfinite(high)) or low == high:
        return {}
    found = {}
    for label, number in numbers.items():
        share = 2 * (number - low) / (high - low) - 1
        end = _WARM if share > 0 else _COOL
        mixed = (round(m + (e - m) * abs(share)) for m, e in zip(_MIDDLE, end, strict=True))
        found[label] = "#" + "".join(f"{part:02x}" for part in mixed)
    return found


def lanes_of(row: Row) -> dict[int, tuple[int, int]]:
    """Where units have a resource at the same time: which strip of how many, by identity of the bar."""
    if row.kind is not RowKind.RESOURCE:
        return {}
    bars = sorted((bar for bar in row.bars if bar.kind in (Kind.CLAIM, Kind.TASK)), key=lambda bar: bar.start_s)
    ends: list[float] = []
    lanes: list[tuple[Bar, int]] = []
    for bar in bars:
        lane = next((at for at, end in enumerate(ends) if end <= bar.start_s + 1e-9), len(ends))
        if lane == len(ends) and len(ends) >= 4:
            lane = min(range(4), key=ends.__getitem__)
        if lane == len(ends):
            ends.append(0.0)
        ends[lane] = bar.end_s
        lanes.append((bar, lane))
    return {id(bar): (lane, max(1, len(ends))) for bar, lane in lanes}


def texture(identifier: str, colour: str, which: int) -> str:
    """The colour with stripes, dots or both: a second, a third look for one colour."""
    marks: Sequence[str] = (
        '<path d="M0 0l6 6M-3 3l6 6M3-3l6 6" stroke="#fff" stroke-width="1.4"/>',
        '<circle cx="3" cy="3" r="1.3" fill="#fff"/>',
        '<path d="M0 3h6" stroke="#fff" stroke-width="1.4"/>',
        '<path d="M3 0v6" stroke="#fff" stroke-width="1.4"/>',
        '<path d="M0 3h6M3 0v6" stroke="#fff" stroke-width="1"/>',
    )
    mark = marks[(which - 1) % len(marks)]
    return (
        f'<pattern id="{identifier}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<rect width="6" height="6" fill="{colour}"/>{mark}</pattern>'
    )
