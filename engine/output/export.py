"""The measurements of a run as rows: the same run gives the same bytes, wherever and whenever it is exported.

Rows come in order of (unit, plan, attempt, name). Wall times and the run's id differ between two runs that are otherwise
equal, so they are left out unless asked for. Numbers are written so that reading them gives the same float. A row whose
`final` is false was given up for another attempt: it is no result.

Texts come from whoever typed a serial number. In CSV one that a spreadsheet would run as a formula is written after an
apostrophe, which spreadsheets take for "this is text"; JSON lines have every text as it is.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any, TextIO

from engine.core.errors import UsageError
from engine.store import JournalReader, MeasurementRecord, RunRecord

COLUMNS = (
    *("unit", "serial", "site", "order", "node", "attempt", "name", "value", "value_unit", "verdict", "low", "high"),
    *("margin", "limit", "samples", "spread", "source", "instrument", "net", "pin", "diagnostic", "json", "final"),
)
TIMES = ("run", "t", "wall")
"""What tells two equal runs apart; `t` too, since a wall clock never repeats."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is a formula to a spreadsheet, and may call other programs."""


def write_csv(journal: JournalReader, run: RunRecord, stream: TextIO, *, times: bool = False) -> int:
    """Write a header and one line a value; returns the number of values. Each axis has a column `axis_<name>`."""
    axes = journal.axes(run)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*(TIMES if times else ()), *COLUMNS, *(f"axis_{name}" for name in axes)])
    units = {number: (as_text(serial), as_text(site)) for number, (serial, site) in _units(journal, run).items()}
    value_at, net_at = (COLUMNS.index(name) + (len(TIMES) if times else 0) for name in ("value", "net"))
    nothing = [None] * len(axes)
    count = 0
    for m in _rows(journal, run):
        row = [*_times(run, m), *_fields(m, units)] if times else _fields(m, units)
        value = m.value
        if value is True or value is False:
            row[value_at] = "true" if value else "false"
        elif value.__class__ is str:
            row[value_at] = as_text(value)
        if m.net:
            row[net_at : net_at + 2] = as_text(m.net), as_text(m.pin)
        if m.axes:
            given = dict(m.axes)
            row += [as_text(given.get(name)) for name in axes]
        else:
            row += nothing
        writer.writerow(row)  # writes None as nothing and floats with repr
        count += 1
    return count


def write_jsonl(journal: JournalReader, run: RunRecord, stream: TextIO, *, times: bool = False) -> int:
    """Write one JSON object a value; returns the number of values. What is no number in JSON is text: "NaN"."""
    units = _units(journal, run)
    names = (*TIMES, *COLUMNS) if times else COLUMNS
    count = 0
    for m in _rows(journal, run):
        row = [*_times(run, m), *_fields(m, units)] if times else _fields(m, units)
        document = dict(zip(names, map(json_safe, row), strict=True))
        document["diagnostic"], document["final"] = m.diagnostic, m.final
        document["axes"] = {name: json_safe(value) for name, value in m.axes}
        stream.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
        count += 1
    return count


Writer = Callable[..., int]
FORMATS: dict[str, Writer] = {"csv": write_csv, "jsonl": write_jsonl}


def writer_for(format_: str) -> Writer:
    """The writer of a format; raises UsageError."""
    try:
        return FORMATS[format_]
    except KeyError:
        raise UsageError(f"there is no export format `{format_}`", f"known: {', '.join(FORMATS)}") from None


def as_text(cell: Any) -> Any:
    """The cell; a text that a spreadsheet would run as a formula after an apostrophe. `-5` and `+1e3` are numbers."""
    if cell.__class__ is not str or not cell.startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell


def json_safe(value: Any) -> Any:
    """The value, or its name where JSON has no number for it."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _rows(journal: JournalReader, run: RunRecord) -> Iterator[MeasurementRecord]:
    for _, group in groupby(journal.measurements(run), key=attrgetter("unit", "order", "attempt")):
        rows = list(group)
        yield from sorted(rows, key=attrgetter("name")) if len(rows) > 1 else rows


def _units(journal: JournalReader, run: RunRecord) -> dict[int, tuple[str, str]]:
    return {unit.unit: (unit.serial, unit.site) for unit in journal.units(run)}


def _times(run: RunRecord, m: MeasurementRecord) -> list[Any]:
    return [run.id, m.t, m.wall]


def _fields(m: MeasurementRecord, units: dict[int, tuple[str, str]]) -> list[Any]:
    serial, site = units.get(m.unit, ("", ""))
    return [
        *(m.unit, serial, site, m.order, m.node, m.attempt, m.name, m.value, m.unit_symbol, m.verdict.value),
        *(m.low, m.high, m.margin, m.limit, m.samples, m.spread, m.source, m.instrument, m.net, m.pin),
        *("true" if m.diagnostic else "false", m.json_value, "true" if m.final else "false"),
    ]
