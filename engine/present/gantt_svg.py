"""A timeline as SVG text, drawn with nothing but arithmetic; every text of a user is escaped.

Units differ by colour, by pattern and by the serial that is written where there is room; waiting is hatched. What would be
narrower than a pixel was joined before; whatever is too narrow to carry a text becomes part of one path a row and look, so
that the picture has a bounded size.
"""

from __future__ import annotations

from html import escape

from engine.present import values
from engine.present.gantt import SEVERAL, Bar, Gantt, Kind, Row, RowKind, time_ticks
from engine.present.gantt_look import lanes_of, texture, tints
from engine.present.gantt_text import shortened
from engine.present.svg import FRAME, GRID, PALETTE, TEXT

WIDTH = 1000
RIGHT, TOP, GAP = 12, 30, 12
MODE_HEIGHT, RESOURCE_HEIGHT, UNIT_HEIGHT = 26, 24, 20
MOST_UNITS = 48
MOST_RESOURCES = 40
LETTER = 6.3
"""Width of a letter, pixels."""
TOLD_FROM = 6.0
"""A bar of so many pixels has a text for whoever points at it."""
MIXED = "#6b7785"
WAITING = "#D55E00"
_DARK_INK = ("#E69F00", "#56B4E9", "#CC79A7", "#999933", "#009E73")
"""Colours on which black is read more easily than white."""


def gantt_svg(gantt: Gantt, width: int = WIDTH, identifier: str = "timeline") -> str:
    """The whole `<svg>` element, or nothing where there is nothing to draw; `identifier` must be unique on a page."""
    if not gantt.rows or gantt.end_s <= 0:
        return ""
    return _Canvas(gantt, width, escape(identifier)).draw()


class _Canvas:
    """Where things are."""

    def __init__(self, gantt: Gantt, width: int, name: str) -> None:
        self.gantt = gantt
        self.width = width
        self.name = name
        resources = [row for row in gantt.rows if row.kind is not RowKind.UNIT]
        units = [row for row in gantt.rows if row.kind is RowKind.UNIT]
        self.resources, self.units = resources[:MOST_RESOURCES], units[:MOST_UNITS]
        self.left_out = len(gantt.rows) - len(self.resources) - len(self.units)
        shown = [*self.resources, *self.units]
        labels = [shortened(row.name) + ("  " + row.note if row.note else "") for row in shown]
        self.left = min(260, 18 + round(7.4 * max(map(len, labels))))  # names of resources are bold
        self.behind = {row.name: row for row in gantt.behind}
        self.places = {unit: at for at, unit in enumerate(sorted(gantt.units))}
        heights = {RowKind.MODE: MODE_HEIGHT, RowKind.RESOURCE: RESOURCE_HEIGHT, RowKind.UNIT: UNIT_HEIGHT}
        y = TOP
        self.tops: list[tuple[Row, int, int]] = []
        for group in (self.resources, self.units):
            for row in group:
                self.tops.append((row, y, heights[row.kind]))
                y += heights[row.kind]
            y += GAP if group else 0
        self.floor = y - GAP
        self.kinds = {bar.kind for row in shown for bar in row.bars}
        self.entries = self._entries()
        self.height = self.floor + 14 + 20 * (1 + max((line for line, *_ in self.entries), default=0))
        self.tints = tints(bar.label for row in self.resources for bar in row.bars if bar.kind is Kind.MODE)

    def x(self, seconds: float) -> float:
        inside = min(1.0, max(0.0, seconds / self.gantt.end_s))
        return self.left + inside * (self.width - self.left - RIGHT)

    def draw(self) -> str:
        name = self.name
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" viewBox="0 0 {self.width} {self.height}"'
            f' role="img" aria-labelledby="{name}-title {name}-desc" font-family="system-ui, sans-serif" font-size="11.5">',
            f'<title id="{name}-title">Who had what when</title>',
            f'<desc id="{name}-desc">{escape(self._description())}</desc>',
            self._patterns(),
        ]
        parts += self._axis()
        for number, (row, y, height) in enumerate(self.tops):
            parts += self._row(row, y, height, f"{name}-r{number}")
        parts += self._legend()
        parts.append("</svg>")
        return "".join(parts)

    def _description(self) -> str:
        said = [f"{values.duration_text(self.gantt.end_s)}, {len(self.gantt.units)} units"]
        said += [f"{row.name}: {_described(row)}" for row in self.resources]
        return "; ".join(said)

    def _patterns(self) -> str:
        """Waiting, being on the way, and a look for each eight units."""
        name = self.name
        found = [
            f'<pattern id="{name}-wait" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
            f'<rect width="6" height="6" fill="#fff"/><rect width="1.6" height="6" fill="{WAITING}"/></pattern>',
            f'<pattern id="{name}-move" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">'
            '<rect width="1.3" height="7" fill="#7b8794"/></pattern>',
        ]
        for unit, at in self.places.items():
            if at >= len(PALETTE) and at < MOST_UNITS:
                found.append(texture(f"{name}-u{unit}", PALETTE[at % len(PALETTE)], at // len(PALETTE)))
        return f"<defs>{''.join(found)}</defs>"

    def _axis(self) -> list[str]:
        parts = []
        for tick in time_ticks(self.gantt.end_s, 9):
            x = _short(self.x(tick))
            parts.append(f'<path d="M{x} {TOP - 6}V{self.floor}" stroke="{GRID}"/>')
            text = values.duration_text(tick) or "0 s"
            parts.append(f'<text x="{x}" y="{TOP - 12}" text-anchor="middle" fill="{TEXT}">{text}</text>')
        parts.append(
            f'<path d="M{self.left} {TOP - 6}V{self.floor}M{self.width - RIGHT} {TOP - 6}V{self.floor}" stroke="{FRAME}"/>'
        )
        return parts

    def _row(self, row: Row, y: int, height: int, identifier: str) -> list[str]:
        middle = y + height / 2
        note = f'  <tspan fill="#5b6776" font-size="10.5">{escape(row.note)}</tspan>' if row.note else ""
        weight = "" if row.kind is RowKind.UNIT else ' font-weight="600"'
        parts = [
            f'<g role="group" aria-label="{escape(f"{row.name}: {_described(row)}")}">',
            f'<text x="{self.left - 8}" y="{_short(middle)}" dy=".34em" text-anchor="end" fill="{TEXT}"{weight}>'
            f"{escape(shortened(row.name))}{note}</text>",
            f'<path d="M{self.left} {y + height}H{self.width - RIGHT}" stroke="{GRID}"/>',
        ]
        planned = self.behind.get(row.name)
        if planned is not None:
            parts.append(self._planned(planned, y, height))
        parts += self._bars(row, y, height)
        parts.append("</g>")
        return parts

    def _planned(self, row: Row, y: int, height: int) -> str:
        """Outlines below, so that being late is seen at the edge."""
        outlines = []
        for bar in row.bars:
            if bar.kind is not Kind.STAY:
                left, wide = self.x(bar.start_s), max(0.8, self.x(bar.end_s) - self.x(bar.start_s))
                outlines.append(f"M{_short(left)} {y + 1}h{_short(wide)}v{height - 2}h-{_short(wide)}z")
        path = "".join(outlines)
        return f'<path d="{path}" fill="none" stroke="#7b8794" stroke-width=".8" stroke-dasharray="3 2"/>'

    def _bars(self, row: Row, y: int, height: int) -> list[str]:
        """First what lasts, then what is done in it, then what it is called."""
        parts: list[str] = []
        texts: list[str] = []
        fine: dict[str, list[str]] = {}
        ordered = sorted(row.bars, key=lambda bar: (_DEPTH[bar.kind], bar.start_s))
        lanes = lanes_of(row)
        free = -1.0
        for bar in ordered:
            left, right = self.x(bar.start_s), self.x(bar.end_s)
            wide = max(0.8, right - left)
            look = self._look(bar)
            top, tall = _extent(bar, y, height, *lanes.get(id(bar), (0, 1)), row.kind is RowKind.UNIT)
            box = f"M{_short(left)} {_short(top)}h{_short(wide)}v{_short(tall)}h-{_short(wide)}z"
            if wide < TOLD_FROM:
                fine.setdefault(look, []).append(box)
            else:
                parts.append(f'<path d="{box}" {look}><title>{escape(self._told(bar, row))}</title></path>')
            if bar.kind in (Kind.MODE, Kind.CLAIM, Kind.HOLD, Kind.DRIVE, Kind.TASK) and left >= free:
                text = self._text(bar, row, wide)
                if text:
                    texts.append(self._label(bar, text, left, y, height))
                    free = left + 8 + LETTER * len(text)
        parts += [f'<path d="{"".join(boxes)}" {look}/>' for look, boxes in fine.items()]
        return parts + texts

    def _text(self, bar: Bar, row: Row, wide: float) -> str:
        """What is written in a bar: what fits of it, or nothing."""
        if row.kind is RowKind.UNIT:
            said = bar.label
        else:
            said = bar.label or ("" if bar.unit == SEVERAL else self.gantt.serial(bar.unit))
        for text in (said, shortened(said, 9), said.partition(" ")[0] if bar.kind is Kind.MODE else ""):
            if text and LETTER * len(text) + 8 <= wide:
                return text
        return ""

    def _label(self, bar: Bar, text: str, left: float, y: int, height: int) -> str:
        colour = self._colour(bar)
        ink = "#1b2430" if bar.kind is Kind.MODE or colour in _DARK_INK or self._textured(bar) else "#fff"
        halo = ' paint-order="stroke" stroke="#fff" stroke-width="3"' if ink != "#fff" and bar.kind is Kind.MODE else ""
        if self._textured(bar):
            halo = ' paint-order="stroke" stroke="#fff" stroke-width="3"'
        return (
            f'<text x="{_short(left + 4)}" y="{_short(y + height / 2)}" dy=".34em" fill="{ink}" font-size="10.5"'
            f' pointer-events="none"{halo}>{escape(text)}</text>'
        )

    def _colour(self, bar: Bar) -> str:
        if bar.unit == SEVERAL:
            return MIXED
        return PALETTE[self.places.get(bar.unit, 0) % len(PALETTE)]

    def _textured(self, bar: Bar) -> bool:
        return bar.unit != SEVERAL and len(PALETTE) <= self.places.get(bar.unit, 0) < MOST_UNITS

    def _look(self, bar: Bar) -> str:
        match bar.kind:
            case Kind.WAIT:
                return f'fill="url(#{self.name}-wait)" stroke="{WAITING}" stroke-width=".6"'
            case Kind.TRANSITION:
                return f'fill="url(#{self.name}-move)"'
            case Kind.MODE:
                return f'fill="{self.tints.get(bar.label, "#dce9f3")}" stroke="#5b8fb5" stroke-width=".8"'
            case Kind.STAY:
                return 'fill="#dfe4ea"'
        fill = f"url(#{self.name}-u{bar.unit})" if self._textured(bar) else self._colour(bar)
        faint = ' fill-opacity=".45"' if bar.kind in (Kind.HOLD, Kind.DRIVE) else ""
        return f'fill="{fill}"{faint}'

    def _told(self, bar: Bar, row: Row) -> str:
        """What is said to whoever points at a bar."""
        who = "several units" if bar.unit == SEVERAL else self.gantt.serial(bar.unit)
        what = f" {bar.label}" if bar.label else ""
        times = f", {bar.count:,} times" if bar.count > 1 and bar.kind is not Kind.MODE else ""
        used = f", {bar.share:.0%} of it" if bar.share < 0.995 else ""
        node = f", {bar.node}" if bar.node and bar.count == 1 else ""
        at = f"{values.duration_text(bar.start_s) or '0 s'} to {values.duration_text(bar.end_s)}"
        match bar.kind:
            case Kind.MODE:
                said = f"{row.name} at{what} for {bar.count} {'unit' if bar.count == 1 else 'units'}"
            case Kind.TRANSITION:
                said = f"{row.name} on its way to{what}" if row.kind is RowKind.MODE else f"{who} sets{what}"
            case Kind.WAIT:
                said = f"{who} waits for{what}"
            case Kind.STAY:
                said = f"{who} at {row.note or 'its site'}"
            case Kind.TASK:
                said = f"{who}{what}"
            case Kind.CLAIM:
                said = f"{who} uses{what or ' ' + row.name}"
            case Kind.HOLD | Kind.DRIVE:
                said = f"{who} keeps{what or ' ' + row.name}"
        return f"{said}, {at}{times}{used}{node}"

    def _entries(self) -> list[tuple[int, float, str, str]]:
        """Of the legend: line, x, look, text."""
        name = self.name
        several = any(
            bar.unit == SEVERAL and bar.kind in (Kind.CLAIM, Kind.TASK) for row in self.resources for bar in row.bars
        )
        known = [
            (Kind.MODE in self.kinds, 'fill="#dce9f3" stroke="#5b8fb5" stroke-width=".8"', "at a value"),
            (Kind.TRANSITION in self.kinds, f'fill="url(#{name}-move)" stroke="#7b8794" stroke-width=".6"', "on its way to it"),
            (Kind.CLAIM in self.kinds, f'fill="{PALETTE[0]}"', "in use, one look a unit"),
            (several, f'fill="{MIXED}"', "several in turn, as high as in use"),
            (bool(self.kinds & {Kind.HOLD, Kind.DRIVE}), f'fill="{PALETTE[0]}" fill-opacity=".45"', "kept from step to step"),
            (Kind.TASK in self.kinds, f'fill="{PALETTE[0]}"', "planned"),
            (Kind.WAIT in self.kinds, f'fill="url(#{name}-wait)" stroke="{WAITING}" stroke-width=".6"', "waits for others"),
            (bool(self.behind), 'fill="none" stroke="#7b8794" stroke-dasharray="3 2"', "as it was planned"),
            (bool(self.left_out), 'fill="none"', f"and {self.left_out} more rows that are not drawn"),
        ]  # fmt: skip
        entries, x, line = [], float(self.left), 0
        for shown, look, text in known:
            if shown:
                wide = 38 + LETTER * len(text)
                if x + wide > self.width and x > self.left:
                    x, line = float(self.left), line + 1
                entries.append((line, x, look, text))
                x += wide
        return entries

    def _legend(self) -> list[str]:
        parts = []
        for line, x, look, text in self.entries:
            y = self.floor + 18 + 20 * line
            parts.append(f'<rect x="{_short(x)}" y="{y - 6}" width="16" height="12" {look}/>')
            parts.append(f'<text x="{_short(x + 22)}" y="{y}" dy=".34em" fill="{TEXT}">{escape(text)}</text>')
        return parts


_DEPTH = {
    Kind.STAY: 0,
    Kind.MODE: 1,
    Kind.TRANSITION: 2,
    Kind.HOLD: 3,
    Kind.DRIVE: 3,
    Kind.CLAIM: 4,
    Kind.TASK: 4,
    Kind.WAIT: 5,
}


def _described(row: Row) -> str:
    """A row in words, for those who do not see it."""
    if row.kind is RowKind.MODE:
        modes = [bar.label for bar in row.bars if bar.kind is Kind.MODE]
        more = f" and {len(modes) - 12} more values" if len(modes) > 12 else ""
        return ", ".join(modes[:12]) + more
    used = sum(bar.seconds * bar.share for bar in row.bars if bar.kind in (Kind.CLAIM, Kind.TASK))
    waited = sum(bar.seconds * bar.share for bar in row.bars if bar.kind is Kind.WAIT)
    said = f"in use for {values.duration_text(used)}" if row.kind is RowKind.RESOURCE else ""
    if row.kind is RowKind.UNIT:
        said = f"used shared instruments for {values.duration_text(used)}"
        said += f", waited {values.duration_text(waited)}" if waited else ""
    return said


def _extent(bar: Bar, y: int, height: int, lane: int, lanes: int, in_unit: bool) -> tuple[float, float]:
    """Top and height of a bar: as high as its share, waiting and staying as a strip."""
    room = height - 6
    match bar.kind:
        case Kind.STAY:
            return y + height / 2 - 1, 2
        case Kind.TRANSITION if in_unit:
            return y + height / 2 - 3, 6
        case Kind.MODE | Kind.TRANSITION | Kind.HOLD | Kind.DRIVE:
            return y + 3, room
    tall = room / lanes
    high = tall * max(0.18, bar.share) if bar.kind is not Kind.WAIT else tall * 0.55
    offset = (tall - high) if bar.kind is not Kind.WAIT else tall * 0.22
    return y + 3 + lane * tall + offset, high


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
