"""A chart as SVG text, drawn with nothing but arithmetic; every text of a user is escaped.

Lines differ by colour and by the shape of their points; a point beyond its limit is a cross, not merely a red one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from engine.present import values
from engine.present.chart import Chart, Line, decades, nice_ticks, tick_texts

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#332288", "#999933", "#555555")
"""Told apart by people with any kind of colour vision (Okabe-Ito and Tol)."""
FAIL = "#D55E00"
GRID, FRAME, TEXT = "#e6e9ed", "#9aa4b0", "#3b4652"

WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 74, 16, 14, 44
MOST_MARKS = 60
"""A line with more points is drawn without marks."""


def svg(chart: Chart, width: int = WIDTH, height: int = HEIGHT, identifier: str = "chart") -> str:
    """The whole `<svg>` element; `identifier` must be unique on a page."""
    canvas = _Canvas(chart, width, height)
    name = escape(identifier)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {width} {canvas.height}"'
        f' role="img" aria-labelledby="{name}-title {name}-desc" font-family="inherit" font-size="11.5">',
        f'<title id="{name}-title">{escape(f"{chart.y_label} over {chart.x_label}")}</title>',
        f'<desc id="{name}-desc">{escape(_description(chart))}</desc>',
        f'<clipPath id="{name}-clip"><rect x="{LEFT}" y="{TOP - 4}" width="{width - LEFT - RIGHT}"'
        f' height="{canvas.floor - TOP + 8}"/></clipPath>',
    ]
    parts += canvas.axes()
    parts.append(f'<g clip-path="url(#{name}-clip)">')
    parts += canvas.bounds()
    for index, line in enumerate(chart.lines):
        parts += canvas.line(line, index)
    parts.append("</g>")
    parts += canvas.bound_labels()
    parts += canvas.legend()
    parts.append("</svg>")
    return "".join(parts)


def _description(chart: Chart) -> str:
    points = sum(len(line.xs) for line in chart.lines)
    beyond = sum(sum(line.beyond) for line in chart.lines)
    said = [f"{len(chart.lines)} lines, {points} points" if len(chart.lines) > 1 else f"{points} points"]
    said += [bound.text for bound in chart.bounds]
    said.append(f"{beyond} beyond the limits" if beyond else "none beyond the limits" if chart.bounds else "")
    return "; ".join(filter(None, said))


class _Canvas:
    """Where things are."""

    def __init__(self, chart: Chart, width: int, height: int) -> None:
        self.chart = chart
        self.width = width
        self.floor = height - BOTTOM
        self.named = _legend_rows(chart.lines, width - LEFT - RIGHT)
        self.height = height + 18 * len(self.named)
        self.x_low, self.x_high = chart.x_low, chart.x_high
        if chart.x_log:
            self.x_low, self.x_high = math.log10(self.x_low) - 0.05, math.log10(self.x_high) + 0.05
        elif not chart.categories:
            room = (self.x_high - self.x_low) * 0.02 or abs(self.x_low) * 0.05 or 1.0
            self.x_low, self.x_high = self.x_low - room, self.x_high + room
        room = (chart.y_high - chart.y_low) * 0.08 or abs(chart.y_low) * 0.02 or 1.0
        self.y_low, self.y_high = chart.y_low - room, chart.y_high + room

    def x(self, value: float) -> str:
        if self.chart.x_log:
            value = math.log10(value)
        inside = (value - self.x_low) / (self.x_high - self.x_low)
        return _short(LEFT + inside * (self.width - LEFT - RIGHT))

    def y(self, value: float) -> str:
        inside = (value - self.y_low) / (self.y_high - self.y_low)
        return _short(self.floor - inside * (self.floor - TOP))

    def axes(self) -> list[str]:
        chart, right = self.chart, self.width - RIGHT
        parts = []
        ticks = nice_ticks(self.y_low, self.y_high, 5)
        for tick, text in zip(ticks, tick_texts(ticks), strict=True):
            y = self.y(tick)
            parts.append(f'<path d="M{LEFT} {y}H{right}" stroke="{GRID}"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{y}" dy=".34em" text-anchor="end" fill="{TEXT}">{text}</text>')
        if chart.categories:
            places = [float(i) for i in range(len(chart.categories))]
            texts = [name if len(name) <= 14 else name[:13] + "…" for name in chart.categories]
        elif chart.x_log:
            places = decades(10**self.x_low, 10**self.x_high)
            texts = [values.number_text(place) for place in places]
        else:
            places = nice_ticks(self.x_low, self.x_high, 8)
            texts = tick_texts(places)
        for tick, text in zip(places, texts, strict=True):
            x = self.x(tick)
            parts.append(f'<path d="M{x} {TOP}V{self.floor}" stroke="{GRID}"/>')
            parts.append(
                f'<text x="{x}" y="{self.floor + 16}" text-anchor="middle" fill="{TEXT}">{escape(text)}</text>'
            )
        parts.append(f'<path d="M{LEFT} {TOP}V{self.floor}H{right}" fill="none" stroke="{FRAME}"/>')
        middle = LEFT + (right - LEFT) / 2
        parts.append(
            f'<text x="{_short(middle)}" y="{self.floor + 35}" text-anchor="middle" fill="{TEXT}"'
            f' font-weight="600">{escape(chart.x_label)}</text>'
        )
        across = TOP + (self.floor - TOP) / 2
        parts.append(
            f'<text transform="translate(15 {_short(across)}) rotate(-90)" text-anchor="middle" fill="{TEXT}"'
            f' font-weight="600">{escape(chart.y_label)}</text>'
        )
        return parts

    def bounds(self) -> list[str]:
        return [
            f'<path d="{self._path(bound.xs, bound.ys)}" fill="none" stroke="{FAIL}" stroke-width="1.3"'
            f' stroke-dasharray="{"2 3" if bound.acceptance else "7 4"}"/>'
            for bound in self.chart.bounds
        ]

    def bound_labels(self) -> list[str]:
        parts = []
        two = any(bound.acceptance for bound in self.chart.bounds)
        for bound in self.chart.bounds:
            # inside the band; outside it where what is accepted is drawn inside
            below = bound.text.startswith("upper") == (bound.acceptance or not two)
            y = float(self.y(bound.ys[0 if bound.acceptance else -1])) + (13 if below else -5)
            # what is accepted is told on the other side, for the two lines are often close to each other
            at = f'x="{LEFT + 4}"' if bound.acceptance else f'x="{self.width - RIGHT - 4}" text-anchor="end"'
            parts.append(
                f'<text {at} y="{_short(y)}" fill="#a34700" font-size="11"'
                f' paint-order="stroke" stroke="#fff" stroke-width="3">{escape(bound.text)}</text>'
            )
        return parts

    def line(self, line: Line, index: int) -> list[str]:
        colour = PALETTE[index % len(PALETTE)]
        parts = []
        if not self.chart.categories:
            parts.append(
                f'<path d="{self._path(line.xs, line.ys)}" fill="none" stroke="{colour}" stroke-width="1.7"'
                f' stroke-linejoin="round"{_dashes(index)}/>'
            )
        marked = len(line.xs) <= MOST_MARKS
        crosses = []
        for x, y, beyond in zip(line.xs, line.ys, line.beyond, strict=True):
            if beyond:
                crosses.append(f"M{self.x(x)} {self.y(y)}m-4-4l8 8m0-8l-8 8")
            elif marked:
                parts.append(_mark(index, float(self.x(x)), float(self.y(y)), colour))
        if crosses:
            parts.append(f'<path d="{"".join(crosses)}" fill="none" stroke="{FAIL}" stroke-width="2"/>')
        return parts

    def legend(self) -> list[str]:
        parts = []
        for row, entries in enumerate(self.named):
            y = self.floor + BOTTOM + 10 + 18 * row
            for index, x, text in entries:
                colour = PALETTE[index % len(PALETTE)]
                parts.append(f'<path d="M{x} {y}h20" stroke="{colour}" stroke-width="2"{_dashes(index)}/>')
                parts.append(_mark(index, x + 10, y, colour))
                parts.append(f'<text x="{x + 26}" y="{y}" dy=".34em" fill="{TEXT}">{escape(text)}</text>')
        return parts

    def _path(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        points = [f"{self.x(x)} {self.y(y)}" for x, y in zip(xs, ys, strict=True)]
        return "M" + "L".join(points)


def _legend_rows(lines: Sequence[Line], room: int) -> list[list[tuple[int, int, str]]]:
    """Rows of (line, x, text); none where there is one line without a name."""
    rows: list[list[tuple[int, int, str]]] = []
    x = LEFT
    for index, line in enumerate(lines):
        if not line.label:
            continue
        text = line.label if len(line.label) <= 48 else line.label[:47] + "…"
        width = 44 + round(6.4 * len(text))
        if not rows or x + width > LEFT + room:
            rows.append([])
            x = LEFT
        rows[-1].append((index, x, text))
        x += width
    return rows


def _dashes(index: int) -> str:
    """The second eight lines have the colours of the first, and are dashed."""
    return ' stroke-dasharray="6 3"' if index >= len(PALETTE) else ""


def _mark(index: int, x: float, y: float, colour: str) -> str:
    at = f"{_short(x)} {_short(y)}"
    match index % 4:
        case 0:
            return f'<circle cx="{_short(x)}" cy="{_short(y)}" r="3" fill="{colour}"/>'
        case 1:
            return f'<path d="M{at}m-3-3h6v6h-6z" fill="{colour}"/>'
        case 2:
            return f'<path d="M{at}m0-4l4 7h-8z" fill="{colour}"/>'
        case _:
            return f'<path d="M{at}m0-4l4 4-4 4-4-4z" fill="{colour}"/>'


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
