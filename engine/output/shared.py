"""The part of the page about several units: how each ended, what they have in common, who had what and who waited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from engine.output.rows import drawing_of, line_of
from engine.present.fold import Row, axes_text
from engine.present.gantt_svg import gantt_svg
from engine.present.names import told_apart
from engine.present.timeline import Timeline, timeline
from engine.present.units import Across, across, is_shared, traces, worst_first
from engine.present.verdicts import mark
from engine.store import JournalReader, RunRecord, UnitRecord
from schemas.documents import Verdict

MOST_UNITS = 500
MOST_ROWS = 400
MOST_CHARTS = 30
MOST_WAITS = 20
MOST_NAMED = 3


def bench_page(
    journal: JournalReader, run: RunRecord, units: Sequence[UnitRecord], rows: Sequence[Row], with_charts: bool
) -> dict[str, Any]:
    """What the template shows of a run of several units."""
    found = timeline(journal.held(run), journal.waited(run), units, run.duration_s, run.units, journal.scheduled(run))
    serials = {unit.unit: unit.serial for unit in units}
    common = across(rows) if is_shared(rows) else []
    shown = common
    if len(common) > MOST_ROWS:
        worst = sorted(common, key=lambda one: -mark(one.verdict).rank)[:MOST_ROWS]
        kept = set(map(id, worst))
        shown = [one for one in common if id(one) in kept]
    ordered = worst_first(units)
    names = _names(common)
    return {
        "ended": ended_text(units),
        "units": [_unit(unit, run, found) for unit in ordered[:MOST_UNITS]],
        "units_left_out": max(0, len(ordered) - MOST_UNITS),
        "fields": sorted({name for unit in units for name in unit.fields}),
        "waits_at_all": bool(found.waits),
        "says": any(unit.message for unit in units),
        "rows": [_common(one, serials, len(units), names[id(one)]) for one in shown],
        "rows_left_out": len(common) - len(shown),
        "charts": _charts(common, serials, run, names) if with_charts else [],
        "timeline": Markup(gantt_svg(found.gantt)),  # gantt_svg() escapes every text
        "plan_text": found.plan_text,
        "usage": found.usage,
        "waits": [_wait(wait, found) for wait in found.waits[:MOST_WAITS]],
        "waits_left_out": max(0, len(found.waits) - MOST_WAITS),
    }


def ended_text(units: Sequence[UnitRecord]) -> str:
    """`8 units, 1 fail, 7 pass`; empty while some have not ended."""
    counts: dict[str, int] = {}
    for unit in units:
        if unit.outcome is None:
            return ""
        counts[str(unit.outcome)] = counts.get(str(unit.outcome), 0) + 1
    worst = sorted(counts, key=lambda outcome: -mark(outcome).rank)
    said = [f"{counts[outcome]:,} {outcome}" for outcome in worst]
    return f"{len(units):,} units, {', '.join(said)}"


def _unit(unit: UnitRecord, run: RunRecord, found: Timeline) -> dict[str, Any]:
    took = unit.finished_s - unit.started_s if unit.finished_s is not None else None
    status = unit.outcome or run.status
    return {"unit": unit, "mark": mark(status), "took_s": took, "waited_s": found.waited_s.get(unit.unit)}


def _common(one: Across, serials: dict[int, str], units: int, name: str) -> dict[str, Any]:
    """A row for all units; named is the one whose value is the worst."""
    line = line_of(one.total)
    most = max(row.count for row in one.rows)
    judged = one.verdict is not Verdict.UNJUDGED
    notes = [f"{most:,} points a unit"] if most > 1 else []
    worst = one.total.worst
    if most > 1 and judged and worst is not None and worst.axes:
        notes.append(f"worst at {axes_text(worst.axes)}")
    elif most == 1 and one.total.first.axes:
        notes.append(axes_text(one.total.first.axes))
    notes += [f"{word} {text}" for word, text in (("net", one.total.first.net),) if text]
    return {
        **line,
        "name": name,
        "notes": ", ".join(notes),
        "worst": serials.get(one.worst_unit, "") if judged else "",
        "units": one.units_text(units),
    }


def _charts(
    common: Sequence[Across], serials: dict[int, str], run: RunRecord, names: dict[int, str]
) -> list[dict[str, Any]]:
    """One chart for what units sweep alike, one line each; the worst first."""
    swept = [one for one in common if any(row.swept for row in one.rows)]
    swept.sort(key=lambda one: -mark(one.verdict).rank)
    charts: list[dict[str, Any]] = []
    for one in swept:
        if len(charts) == MOST_CHARTS:
            break
        drawing, note = drawing_of(traces(one, serials), run, f"all{len(charts)}")
        if drawing:
            charts.append({"name": names[id(one)], "mark": mark(one.verdict), "svg": drawing, "note": note})
    return charts


def _names(common: Sequence[Across]) -> dict[int, str]:
    """By id of the row: its name, with as much of its place as tells it from others."""
    placed = told_apart([("", one.total.node, one.name) for one in common], " / ")
    return {id(one): name for one, name in zip(common, placed, strict=True)}


def _wait(wait: Any, found: Timeline) -> dict[str, Any]:
    named = [found.gantt.serial(unit) for unit, _ in wait.others]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return {"wait": wait, "serial": found.gantt.serial(wait.unit), "others": ", ".join(named[:MOST_NAMED]) + more}
