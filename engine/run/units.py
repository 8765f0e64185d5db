"""Which units a run is about: serial numbers from the command line or a CSV file, checked before anything moves.

The sequence's `dut:` says what identifies a unit. A CSV has a header with `serial` and, if wanted, one column for each
declared field; every problem of it is told with its line and column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.diagnostics import Problems, did_you_mean
from schemas.loading import display_name
from schemas.patterns import Pattern, TooSlow
from schemas.reader import Limits, read_bytes
from schemas.source import Source, Span

MOST_UNITS = 10_000
LONGEST_SERIAL = 200


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """One unit as it was named, before it has a site."""

    serial: str
    fields: Mapping[str, str] = field(default_factory=dict)
    """Declared fields of `dut` besides the serial."""
    span: Span | None = None
    """Where it was named."""
    columns: Mapping[str, Span] = field(default_factory=dict)
    """Where the names of its fields stand."""


def numbered(count: int, prefix: str = "SIM") -> list[UnitEntry]:
    """Units without serial numbers of their own: `SIM-1`, `SIM-2`, …"""
    return [UnitEntry(f"{prefix}-{number}") for number in range(1, count + 1)]


def from_command(serials: Sequence[str], fields: Mapping[str, str]) -> list[UnitEntry]:
    """Units named with `--dut`; `--dut-field` is for all of them."""
    return [UnitEntry(serial, dict(fields), Source("--dut", serial).span(0)) for serial in serials]


def from_csv(path: Path) -> list[UnitEntry]:
    """Units listed in a CSV file. Raises InvalidFiles with every problem."""
    name = display_name(path)
    problems = Problems()
    data = read_bytes(path, name, Limits())
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        source = Source(name, data.decode("utf-8", "replace"))
        start = len(data[: error.start].decode("utf-8", "ignore"))
        problems.error("U001", "this file is not UTF-8", source.span(start, start + 1), help="save it as UTF-8")
        problems.raise_if_any()
        raise
    source = Source(name, text)
    rows = list(_rows(source, problems))
    problems.raise_if_any()
    if not rows:
        problems.error(
            "U002", "this file lists no units", source.span(0), help="its first line is a header with `serial`"
        )
        problems.raise_if_any()
    header, *body = rows
    columns = _columns(header, source, problems)
    named = {column: span for column, (_, span) in zip(columns, header, strict=True) if column is not None}
    entries: list[UnitEntry] = []
    for row in body:
        if not any(cell for cell, _ in row):
            continue
        if len(row) != len(header):
            problems.error(
                "U003", f"this line has {len(row)} cells, the header {len(header)}", row[0][1], label="this line"
            )
            continue
        cells = {column: cell for column, cell in zip(columns, row, strict=True) if column is not None}
        if "serial" not in cells:
            continue
        serial, span = cells.pop("serial")
        fields = {column: text for column, (text, _) in cells.items() if text}
        entries.append(UnitEntry(serial, fields, span, named))
    if len(entries) > MOST_UNITS:
        problems.error("U004", f"a run can have {MOST_UNITS:,} units, this file lists {len(entries):,}", source.span(0))
    if not entries and not problems:
        problems.error("U002", "this file lists no units", source.span(0), help="add a line for each unit")
    problems.raise_if_any()
    return entries


def check_units(entries: Sequence[UnitEntry], identity: Mapping[str, Any]) -> Problems:
    """What does not fit the `dut:` that the sequence declares, and serials that are named twice."""
    problems = Problems()
    seen: dict[str, UnitEntry] = {}
    for entry in entries:
        if not entry.serial.strip() or not entry.serial.isprintable() or len(entry.serial) > LONGEST_SERIAL:
            problems.error("U005", "a serial number is text that can be read and printed", entry.span)
        elif entry.serial in seen:
            first = seen[entry.serial].span
            problems.error(
                "U006",
                f"two units have the serial `{entry.serial}`",
                entry.span,
                notes=((first, "the first one"),) if first is not None else (),
            )
        seen.setdefault(entry.serial, entry)
        for name in entry.fields:
            if name not in identity:
                problems.error(
                    "U007",
                    f"the sequence declares no `dut.{name}`",
                    entry.columns.get(name, entry.span),
                    label=did_you_mean(name, ["serial", *identity]),
                    help=f"declared: {', '.join(identity) or 'none'}",
                )
        for name, wanted in identity.items():
            value = entry.serial if name == "serial" else entry.fields.get(name)
            if value is None:
                if wanted.required:
                    problems.error(
                        "U008",
                        f"unit `{entry.serial}` has no `dut.{name}`",
                        entry.span,
                        help=f"give --dut-field {name}=…, or a column `{name}` in the CSV",
                    )
            elif wanted.matches is not None and not _matches(wanted.matches, value):
                problems.error(
                    "U009", f"`dut.{name}` is `{value[:60]}`, which does not match `{wanted.matches}`", entry.span
                )
    return problems


def _matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits; what takes too long to tell does not."""
    try:
        return bool(Pattern(pattern).fullmatch(text[:1000]))
    except TooSlow:
        return False


def units_of(
    serials: Sequence[str] = (),
    fields: Mapping[str, str] | None = None,
    listed: Path | None = None,
    count: int | None = None,
) -> tuple[UnitEntry, ...]:
    """The units that a command names, in order; empty where it names none. Raises InvalidFiles."""
    entries = from_command(serials, fields or {})
    if listed is not None:
        entries += from_csv(listed)
    if count is not None:
        entries += numbered(count)
    return tuple(entries)


Cell = tuple[str, Span]


def _rows(source: Source, problems: Problems) -> list[list[Cell]]:
    """Every line as cells with their places; quoted cells may hold commas but no line ends."""
    rows: list[list[Cell]] = []
    offset = 0
    for line in source.text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        try:
            cells = next(csv.reader(io.StringIO(bare), strict=True), [])
        except csv.Error as error:
            problems.error(
                "U010", f"this line cannot be read: {error}", source.span(offset, offset + max(1, len(bare)))
            )
            offset += len(line)
            continue
        row: list[Cell] = []
        for cell, start in zip(cells, _starts(bare), strict=False):
            written = bare[start:]
            begin = offset + start + len(written) - len(written.lstrip(' "'))
            text = cell.strip()
            row.append((text, source.span(begin, begin + max(1, len(text)))))
        if bare.strip() or rows:
            rows.append(row if row else [("", source.span(offset, offset + 1))])
        offset += len(line)
    return rows


def _starts(line: str) -> list[int]:
    """Where each cell of a line begins."""
    starts, quoted = [0], False
    for position, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            starts.append(position + 1)
    return starts


def _columns(header: Sequence[Cell], source: Source, problems: Problems) -> list[str | None]:
    """What each column is; None for one that has a problem."""
    columns: list[str | None] = []
    for text, span in header:
        name = text.lower().removeprefix("dut.")
        if name in columns:
            problems.error("U012", f"two columns are called `{name}`", span)
        columns.append(name if name not in columns else None)
    if "serial" not in columns and not problems:
        near = next((span for (text, span) in header if did_you_mean(text.lower(), ["serial"])), None)
        problems.error(
            "U013",
            "there is no column `serial`",
            near or (header[0][1] if header else source.span(0)),
            label="did you mean `serial`?" if near is not None else "",
        )
    return columns
