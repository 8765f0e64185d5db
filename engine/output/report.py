"""A run as one self-contained HTML page: no network, no script, prints on A4.

The page says first how the run ended and why. Its size is bounded: a sweep is one row and one picture however many points
it has.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from engine.output.causes import MOST as MOST_CAUSES
from engine.output.causes import causes, never_safe
from engine.output.logo import data_uri
from engine.output.rows import drawing_of, line_of
from engine.output.shared import bench_page
from engine.present import values
from engine.present.fold import LONGEST_LIST, Measurement, Table, axes_text, fold
from engine.present.names import told_apart
from engine.present.units import worst_first
from engine.present.verdicts import headline, mark
from engine.store import JournalReader, RunRecord, UnitRecord
from schemas.documents import Outcome, Verdict

MOST_ROWS = 1000
MOST_CHARTS = 60
MOST_LOG = 500
MOST_SECTIONS = 32
"""Units with a section of their own; those that failed come first."""
MOST_OPEN = 4
"""Of more units the sections are folded up."""
MOST_ROWS_EACH = 100
NOT_GOOD = (Verdict.FAIL, Verdict.MARGINAL)
MOST_POINTS = 60
"""Points of a sweep listed one by one below its chart; a longer one is in the export."""


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """The section `report` of the settings."""

    company: str = ""
    logo: Path | None = None
    include_charts: bool = True
    confidentiality: str = ""
    """A line at the foot of the page; empty for none."""


def html_report(
    journal: JournalReader, run: RunRecord, settings: ReportSettings | None = None, zone: tzinfo | None = None
) -> str:
    """The page; times are local unless a zone is given. Raises UsageError for a logo that cannot be shown."""
    settings = settings or ReportSettings()
    table = fold(journal.measurements(run))
    units = _units(journal, run, table)
    several = len(units) > 1
    bench = bench_page(journal, run, units, table.rows, settings.include_charts) if several else None
    drawn = worst_first(units)[:MOST_SECTIONS]
    tally = journal.tally(run)
    found = causes(journal, run, table.rows) if run.status not in ("pass", "marginal") else []
    failed_steps = max(0, tally.failed - sum(row.counts.get(Verdict.FAIL, 0) for row in table.rows))
    events = journal.events(run, limit=MOST_LOG * 4, document="Logged")
    left = journal.nodes(run, [Outcome.SKIPPED, Outcome.NOT_RUN])
    not_run, not_run_left_out = _some(left, LONGEST_LIST)
    return str(
        _environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            mark=mark(run.status),
            headline=headline(run.status),
            unsafe=never_safe(journal, run),
            settings=settings,
            logo=data_uri(settings.logo) if settings.logo else "",
            started=_moment(run.started_wall, zone),
            finished=_moment(run.finished_wall, zone),
            identity=_identity(run, zone),
            tally=tally,
            cards=_cards(run, tally),
            judged=tally.passed + tally.marginal + tally.failed - failed_steps,
            failed_values=tally.failed - failed_steps,
            failed_steps=failed_steps,
            causes=found[:MOST_CAUSES],
            causes_left_out=max(0, len(found) - MOST_CAUSES),
            bench=bench,
            serials={unit.unit: unit.serial for unit in units},
            units=[_unit(unit, table, run, settings, alone=not several) for unit in drawn],
            units_left_out=len(units) - len(drawn),
            folded=len(units) > MOST_OPEN,
            table=table,
            instruments=journal.instruments(run),
            parameters=[(name, _parameter(run, name, value)) for name, value in run.parameters.items()],
            environment=[
                (name.replace("_", " "), _plain_text(value))
                for name, value in run.environment.items()
                if value and name not in ("git_commit", "git_branch", "git_dirty")  # said above
            ],
            files=journal.files(run),
            attachments=journal.attachments(run),
            notes=[(_moment(note.wall, zone), note.author, note.text) for note in journal.notes(run)],
            events=events[:MOST_LOG],
            events_left_out=max(0, len(events) - MOST_LOG),
            not_run=not_run,
            not_run_left_out=not_run_left_out,
        )
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = values.duration_text
    environment.filters["unit"] = values.pretty_unit
    environment.filters["axes"] = axes_text
    environment.filters["shown"] = _shown
    environment.globals["mark_of"] = mark
    return environment


def _moment(wall: float | None, zone: tzinfo | None) -> str:
    if wall is None:
        return ""
    return f"{datetime.fromtimestamp(wall, zone).astimezone(zone):%Y-%m-%d %H:%M:%S %z}"


def _identity(run: RunRecord, zone: tzinfo | None) -> list[tuple[str, str]]:
    git = ""
    if commit := run.environment.get("git_commit"):
        git = str(commit)[:12] + (" with uncommitted changes" if run.environment.get("git_dirty") else "")
    duration = values.duration_text(run.duration_s)
    if duration and run.clock == "virtual":
        duration += " simulated"
    if duration and run.planned_s is not None:
        duration += f", predicted {values.duration_text(run.planned_s)}"
    pairs = [
        ("Run", run.id),
        ("Sequence", f"{run.sequence} {run.version}".strip()),
        ("Station", run.station),
        ("Operator", run.operator),
        ("Started", _moment(run.started_wall, zone)),
        ("Duration", duration),
        ("Limit set", run.limit_set or ""),
        ("Clock and seed", f"{run.clock}, seed {run.seed}"),
        ("Git commit", git),
        *((name, str(value)) for name, value in run.meta.items()),
    ]
    return [(name, text) for name, text in pairs if text]


def _cards(run: RunRecord, tally: Any) -> list[tuple[str, int, str]]:
    cards = [
        ("passed", tally.passed, "good"),
        ("marginal", tally.marginal, "warn"),
        ("failed", tally.failed, "bad"),
        ("errors", tally.errors, "bad"),
        ("unjudged", tally.unjudged, "quiet"),
        ("skipped", tally.skipped, "quiet"),
    ]
    return [(name, count, tone if count else "none") for name, count, tone in cards]


def _units(journal: JournalReader, run: RunRecord, table: Table) -> list[UnitRecord]:
    """The units of the run; one without a name for values that belong to none."""
    units = journal.units(run)
    known = {unit.unit for unit in units}
    strays = sorted({row.unit for row in table.rows} - known)
    return [*units, *(UnitRecord(u, "", "", {}, 0.0, None, None, "", run.tally.__class__()) for u in strays)]


def _unit(
    unit: UnitRecord, table: Table, run: RunRecord, settings: ReportSettings, *, alone: bool = True
) -> dict[str, Any]:
    """The section of a unit; one of several has its charts with the others."""
    rows = [row for row in table.rows if row.unit == unit.unit]
    shown = rows
    most = MOST_ROWS if alone else MOST_ROWS_EACH
    if len(rows) > most:
        worst = sorted(rows, key=lambda row: -mark(row.verdict).rank)[:most]
        kept = set(map(id, worst))
        shown = [row for row in rows if id(row) in kept]
    placed = told_apart([(unit.unit, row.node, row.name) for row in rows], " / ")
    names = {id(row): name for row, name in zip(rows, placed, strict=True)}
    charts = 0
    sweeps: list[dict[str, Any]] = []
    for row in shown:
        if not row.swept:
            continue
        drawing = ""
        if alone and settings.include_charts and charts < MOST_CHARTS:
            drawing, note = drawing_of(row, run, f"u{unit.unit}c{charts}")
            charts += bool(drawing)
        else:
            note = ""
        points = row.listed if row.count <= MOST_POINTS and (alone or row.verdict in NOT_GOOD) else []
        sweeps.append(
            {"row": row, "name": names[id(row)], "shown": row.shown(), "svg": drawing, "note": note, "points": points}
        )
    status = unit.outcome or (run.status if run.outcome is None else "")
    sweeps.sort(key=lambda sweep: -mark(sweep["row"].verdict).rank)
    return {
        "unit": unit,
        "mark": mark(status) if status else None,
        "rows": [line_of(row, names[id(row)]) for row in shown],
        "left_out": len(rows) - len(shown),
        "sweeps": sweeps,
    }


def _shown(m: Measurement) -> values.Shown:
    return values.judged(m.value, m.unit_symbol, m.low, m.high, m.limit, m.margin)


def _parameter(run: RunRecord, name: str, value: Any) -> str:
    unit = values.pretty_unit(run.units.get(name, ""))
    if isinstance(value, list):
        return values.with_unit(", ".join(_plain_text(item) for item in value), unit)
    return values.with_unit(_plain_text(value), unit)


def _plain_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return values.number_text(value, 12)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain_text(one)}" for name, one in value.items() if one not in (None, "", [], {}))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _some(items: Any, most: int) -> tuple[list[Any], int]:
    kept: list[Any] = []
    left = 0
    for item in items:
        if len(kept) < most:
            kept.append(item)
        else:
            left += 1
    return kept, left
