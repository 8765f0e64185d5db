"""A timeline in letters: one line a row, so many columns wide whatever the run."""

from __future__ import annotations

from dataclasses import dataclass

from engine.present import values
from engine.present.gantt import Bar, Gantt, Kind, Row, RowKind, time_ticks

WIDTH = 72
MOST_UNITS = 24
MOST_RESOURCES = 24
LONGEST_NAME = 20


@dataclass(frozen=True, slots=True)
class Letters:
    """What the columns are drawn with."""

    load: str
    """From hardly used to always used."""
    wait: str
    stay: str
    moving: str
    holding: str
    change: str
    """Where another value begins."""
    tick: str
    cut: str


BLOCKS = Letters("▁▂▃▄▅▆▇█", "░", "·", "╱", "═", "│", "╷", "…")
PLAIN = Letters("_.:-=+*#", "w", ".", "/", "=", "|", "'", "~")


def gantt_text(gantt: Gantt, width: int = WIDTH, *, ascii_only: bool = False) -> list[str]:
    """The lines: an axis, resources, units, and what the letters mean. `width` columns are for time."""
    if not gantt.rows or gantt.end_s <= 0:
        return []
    letters = PLAIN if ascii_only else BLOCKS
    resources = [row for row in gantt.rows if row.kind is not RowKind.UNIT]
    units = [row for row in gantt.rows if row.kind is RowKind.UNIT]
    shown = [*resources[:MOST_RESOURCES], *units[:MOST_UNITS]]
    names = [_name(row, letters) for row in shown]
    room = max(map(len, names))
    lines = [" " * room + "  " + line for line in _axis(gantt.end_s, width, letters)]
    for row, name in zip(shown, names, strict=True):
        lines.append(f"{name:<{room}}  {_cells(row, gantt.end_s, width, letters)}".rstrip())
    left_out = len(gantt.rows) - len(shown)
    if left_out:
        lines.append(f"and {left_out} more rows, in the report")
    lines.append(_legend(shown, room, letters))
    return lines


def shortened(name: str, most: int = LONGEST_NAME, cut: str = "…") -> str:
    """The name with its middle left out; both ends of a serial number tell something."""
    if len(name) <= most:
        return name
    tail = (most - 1) * 2 // 3
    return f"{name[: most - 1 - tail]}{cut}{name[-tail:]}"


def _name(row: Row, letters: Letters) -> str:
    name = "".join(letter if letter.isprintable() else "?" for letter in row.name)
    return shortened(name, cut=letters.cut)


def _axis(end_s: float, width: int, letters: Letters) -> list[str]:
    """Times above, marks below."""
    texts, marks = [" "] * (width + 12), [" "] * width
    free = 0
    for tick in time_ticks(end_s, max(2, width // 14)):
        at = min(width - 1, round(tick / end_s * width))
        text = values.duration_text(tick) or "0 s"
        marks[at] = letters.tick
        if at >= free and at + len(text) <= width + 12:
            texts[at : at + len(text)] = text
            free = at + len(text) + 1
    return ["".join(texts).rstrip(), "".join(marks).rstrip()]


def _cells(row: Row, end_s: float, width: int, letters: Letters) -> str:
    if row.kind is RowKind.MODE:
        return _mode_cells(row, end_s, width, letters)
    stays = _covered(row, end_s, width, {Kind.STAY})
    waits = _covered(row, end_s, width, {Kind.WAIT})
    spans = _covered(row, end_s, width, {Kind.DRIVE, Kind.HOLD})
    claims = _covered(row, end_s, width, {Kind.CLAIM, Kind.TASK})
    moves = _covered(row, end_s, width, {Kind.TRANSITION})
    cells = []
    for stay, wait, span, claim, move in zip(stays, waits, spans, claims, moves, strict=True):
        load = max(span, claim)
        if wait > 0.5 and wait >= max(load, move):
            cells.append(letters.wait)
        elif move > 0.5 and move >= load:
            cells.append(letters.moving)
        elif load > 1e-9:
            cells.append(letters.load[min(7, int(load * 8))])
        elif move > 1e-9:
            cells.append(letters.moving)
        else:
            cells.append(letters.stay if stay > 1e-9 else " ")
    return "".join(cells)


def _covered(row: Row, end_s: float, width: int, kinds: set[Kind]) -> list[float]:
    """The share of each column in which there is one of these."""
    found = [0.0] * width
    for bar in row.bars:
        if bar.kind in kinds:
            for column, share in _columns(bar, end_s, width):
                found[column] = min(1.0, found[column] + share * bar.share)
    return found


def _columns(bar: Bar, end_s: float, width: int) -> list[tuple[int, float]]:
    start, end = bar.start_s / end_s * width, min(bar.end_s / end_s * width, width)
    first, last = min(width - 1, int(start)), min(width - 1, int(end))
    return [(column, min(end, column + 1) - max(start, column)) for column in range(first, last + 1)]


def _mode_cells(row: Row, end_s: float, width: int, letters: Letters) -> str:
    """Values in words, one after the other, with what moves and what stands told apart."""
    modes = [bar for bar in row.bars if bar.kind is Kind.MODE]
    moving = _covered(row, end_s, width, {Kind.TRANSITION})
    cells = [" "] * width
    for at, bar in enumerate(modes):
        first = min(width - 1, round(bar.start_s / end_s * width))
        last = min(width, round(bar.end_s / end_s * width))
        for column in range(first, last):
            cells[column] = letters.moving if moving[column] >= 0.5 else letters.holding
        if at and last > first:
            cells[first] = letters.change
        text = bar.label if bar.label.isascii() or letters is BLOCKS else values.pretty_unit(bar.label, True)
        place = first + (1 if at else 0)
        for said in (text, text.partition(" ")[0]):
            if said and len(said) + 1 <= last - place:
                cells[place : place + len(said)] = said
                break
    return "".join(cells)


def _legend(rows: list[Row], room: int, letters: Letters) -> str:
    kinds = {bar.kind for row in rows for bar in row.bars}
    said = []
    if Kind.TRANSITION in kinds:
        said.append(f"{letters.moving} on its way to the value")
    if Kind.MODE in kinds:
        said.append(f"{letters.holding} there")
    if kinds & {Kind.CLAIM, Kind.DRIVE, Kind.HOLD, Kind.TASK}:
        said.append(f"{letters.load[0]}{letters.load[3]}{letters.load[7]} in use, by how much")
    if Kind.WAIT in kinds:
        said.append(f"{letters.wait} waiting for others")
    return " " * room + "  " + ", ".join(said)
