"""How a run is put into lines of text: its values, its steps, why it is not green."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.cli import console
from engine.present import values
from engine.present.fold import Row, Table, axes_text
from engine.present.names import told_apart
from engine.present.verdicts import headline, mark

if TYPE_CHECKING:
    from engine.present.steps import StepRow
    from engine.present.timeline import Timeline, Wait
    from engine.store import JournalReader, RunRecord, UnitRecord

MOST_ROWS = 200
MOST_CAUSES = 10
MOST_UNITS = 60
MOST_WAITS = 8


def measurement_table(table: Table, serials: Mapping[int, str] | None = None) -> str:
    """Every value, or every swept one on a line, with its limit and verdict.

    What several units have in common is one line for all of them; `serials` are the names of units, by number.
    """
    rows = table.rows
    units = {row.unit for row in rows}
    if len(units) > 1 or len(serials or ()) > 1:
        from engine.present.units import is_shared

        if is_shared(rows):
            folded = _folded_table(rows, serials or {}, max(len(units), len(serials or ())))
            return folded + _given_up_text(table)
    named = serials if serials is not None and len(units) > 1 else {unit: f"unit {unit + 1}" for unit in units}
    left_out = max(0, len(rows) - MOST_ROWS)
    if left_out:
        worst = sorted(rows, key=lambda row: -mark(row.verdict).rank)[:MOST_ROWS]
        kept = set(map(id, worst))
        rows = [row for row in rows if id(row) in kept]
    given_up = _given_up_text(table)
    if not rows:
        return f"  nothing was measured{given_up}"
    placed = told_apart([(row.unit, row.node, row.name) for row in table.rows])
    names = {id(row): name for row, name in zip(table.rows, placed, strict=True)}
    several = len(units) > 1
    lines = [_measurement(row, named.get(row.unit, "") if several else "", names[id(row)]) for row in rows]
    head = [*(["unit"] if several else []), "verdict", "name", "value", "limit", "margin", "where"]
    shift = 1 if several else 0
    text = console.table(head, lines, right=(2 + shift, 4 + shift), indent="  ")
    if left_out:
        text += f"\n  and {console.plural(left_out, 'more row')} without a worse verdict; `benchwright export` has all"
    return text + given_up


def _given_up_text(table: Table) -> str:
    count = len(table.superseded) + table.superseded_left_out
    if not count:
        return ""
    values_of = "1 value of an attempt that was" if count == 1 else f"{count:,} values of attempts that were"
    return f"\n  {values_of} given up for another one, not counted; `benchwright export` has all"


def _folded_table(rows: Sequence[Row], serials: Mapping[int, str], units: int) -> str:
    """What units have in common, a line each: from the smallest to the largest of all, and whose is the worst."""
    from engine.present.units import across

    found = across(rows)
    shown = found
    if len(found) > MOST_ROWS:
        worst = sorted(found, key=lambda one: -mark(one.verdict).rank)[:MOST_ROWS]
        kept = set(map(id, worst))
        shown = [one for one in found if id(one) in kept]
    placed = told_apart([("", one.total.node, one.name) for one in found])
    names = {id(one): name for one, name in zip(found, placed, strict=True)}
    lines = []
    for one in shown:
        said = one.total.shown()
        bad = one.verdict in ("fail", "marginal")
        judged = one.verdict != "unjudged"
        place = one.total.worst.axes if one.total.worst is not None else ()
        most = max(row.count for row in one.rows)
        where = f"{most:,} points a unit" if most > 1 else axes_text(one.total.first.axes)
        if most > 1 and bad:
            where += f", worst at {axes_text(place)}"
        cells = [
            *(names[id(one)], said.value, said.limit, said.margin),
            *(
                serials.get(one.worst_unit, f"unit {one.worst_unit + 1}") if judged else "",
                one.units_text(units),
                where,
            ),
        ]
        lines.append([console.marked(one.verdict), *map(console.clean, cells)])
    head = ("verdict", "name", "value", "limit", "margin", "worst unit", "units", "where")
    text = console.table(head, lines, right=(2, 4), indent="  ")
    if len(shown) < len(found):
        left_out = console.plural(len(found) - len(shown), "more row")
        text += f"\n  and {left_out} without a worse verdict; `benchwright export` has all"
    return text


def unit_table(units: Sequence[UnitRecord], waited_s: Mapping[int, float], gone: str = "running") -> str:
    """Every unit with its verdict, those that failed first. `waited_s`: seconds each waited for others.

    What never ended is told to be `gone`.
    """
    from engine.present.units import worst_first

    ordered = worst_first(units)
    lines = []
    for unit in ordered[:MOST_UNITS]:
        took = unit.finished_s - unit.started_s if unit.finished_s is not None else None
        lines.append(
            [
                console.marked(unit.outcome or gone),
                *map(console.clean, (unit.serial, unit.site)),
                tally_text(unit.tally) if unit.outcome is not None else "",
                values.duration_text(took),
                values.duration_text(waited_s.get(unit.unit)),
                console.clean(unit.message),
            ]
        )
    waits = any(waited_s.get(unit.unit) for unit in ordered)
    says = any(unit.message for unit in ordered)
    columns = [0, 1, 2, 3, 4, *([5] if waits else []), *([6] if says else [])]
    head = ("outcome", "unit", "site", "values", "took", "waited", "")
    text = console.table(
        [head[at] for at in columns], [[line[at] for at in columns] for line in lines], right=(4, 5), indent="  "
    )
    if len(ordered) > len(lines):
        text += f"\n  and {console.plural(len(ordered) - len(lines), 'more unit')}, none worse than these"
    return text


def results_text(journal: JournalReader, run: RunRecord, table: Table) -> str:
    """What a run found: its units, where there are several, then what was measured."""
    from engine.present.timeline import waited_of

    units = journal.units(run)
    if len(units) < 2:
        return measurement_table(table)
    waited = waited_of(journal.waited(run))
    serials = {unit.unit: unit.serial for unit in units}
    return f"{unit_table(units, waited, str(run.state))}\n\n{measurement_table(table, serials)}"


def timeline_text(found: Timeline) -> str:
    """Who had what when, how much each thing was used, who waited for whom; empty where nothing was shared."""
    from engine.present.gantt_text import gantt_text

    ascii_only = not console.speaks_unicode(sys.stdout)
    lines = ["  " + line for line in gantt_text(found.gantt, ascii_only=ascii_only)]
    if not lines:
        return ""
    usage = [
        [
            console.clean(one.resource),
            f"{one.share:.1%}",
            values.duration_text(one.busy_s),
            f"{one.uses:,}×",
            values.duration_text(one.waited_s) if one.waited_s else "",
        ]
        for one in found.usage[:MOST_WAITS]
    ]
    head = ("resource", "in use", "time", "uses", "waited for")
    if found.plan_text:
        lines += ["", f"  {found.plan_text}"]
    lines += ["", console.table(head, usage, right=(1, 2, 3, 4), indent="  ")]
    if found.waits:
        serial = found.gantt.serial
        waits = [
            [
                console.clean(serial(one.unit)),
                values.duration_text(one.total_s),
                f"{one.count:,}×",
                console.clean(one.resource),
                console.clean(whom_text(one, serial)),
                f"{values.duration_text(one.longest_s)} at {values.duration_text(one.longest_at_s) or '0 s'}",
            ]
            for one in found.waits[:MOST_WAITS]
        ]
        titles = ("unit", "waited", "", "for", "which had", "longest")
        lines += ["", console.table(titles, waits, right=(1, 2), indent="  ")]
        if len(found.waits) > MOST_WAITS:
            lines.append(f"  and {len(found.waits) - MOST_WAITS} more, none longer")
    return "\n".join(lines)


def whom_text(wait: Wait, serial: Callable[[int], str], most: int = 3) -> str:
    """The units that were in the way, the most first: `SN2, SN7 and 4 others`."""
    named = [serial(unit) for unit, _ in wait.others]
    if len(named) <= most:
        return ", ".join(named)
    return f"{', '.join(named[: most - 1])} and {len(named) - most + 1} others"


def serials_text(units: Sequence[UnitRecord], most: int = 3) -> str:
    """`LDO1, LDO2`; of many the number and the first and last."""
    if len(units) <= most:
        return ", ".join(unit.serial for unit in units)
    return f"{len(units):,} units, {units[0].serial} … {units[-1].serial}"


def _measurement(row: Row, unit: str, name: str) -> list[str]:
    shown = row.shown()
    where = f"{row.count:,} points" if row.swept else axes_text(row.first.axes)
    bad = row.verdict in ("fail", "marginal")
    if row.swept and bad and row.worst is not None:
        where += f", worst at {axes_text(row.worst.axes)}"
    cells = [name, shown.value, shown.limit, shown.margin, where]
    return [
        *([console.clean(unit)] if unit else []),
        console.marked(row.verdict),
        *(console.clean(cell) for cell in cells),
    ]


def step_table(rows: Sequence[StepRow], most: int = 400) -> str:
    """The tree of steps with outcome, how often and how long."""
    lines = []
    for row in rows[:most]:
        count = f"{row.count:,}×" if row.count > 1 else ""
        retried = f"{console.plural(row.retries, 'retry')}".replace("retrys", "retries") if row.retries else ""
        lines.append(
            [
                console.marked(row.status) if row.status else "",
                "  " * row.depth + console.clean(row.label),
                row.kind,
                count,
                values.duration_text(row.seconds / max(1, row.units)),
                ", ".join(part for part in (retried, console.clean(row.message)) if part),
            ]
        )
    if not lines:
        return "  no step was run"
    head = "time a unit" if any(row.units > 1 for row in rows) else "time"
    text = console.table(("outcome", "step", "verb", "", head, ""), lines, right=(3, 4), indent="  ")
    if len(rows) > most:
        text += f"\n  and {console.plural(len(rows) - most, 'more step')}"
    return text


def _whose(unit: int | None, serials: Mapping[int, str]) -> str:
    return f"{console.clean(serials[unit])}  " if unit is not None and unit in serials else ""


def causes_text(journal: JournalReader, run: RunRecord, rows: Iterable[Row], unit: int | None = None) -> str:
    """Why a run, or one unit of it, is not green, worst first; empty where it is."""
    if run.status in ("pass", "marginal"):
        return ""
    from engine.output.causes import causes

    found = [cause for cause in causes(journal, run, rows) if unit is None or cause.unit in (None, unit)]
    units = journal.units(run)
    serials = {one.unit: one.serial for one in units} if len(units) > 1 and unit is None else {}
    lines = []
    for cause in found[:MOST_CAUSES]:
        times = f" ({cause.count:,} times)" if cause.count > 1 else ""
        glyph = cause.mark.text(not console.speaks_unicode(sys.stdout))
        lines.append(
            f"  {console.toned(glyph, str(cause.mark.tone))}  {_whose(cause.unit, serials)}{console.clean(cause.where)}: "
            f"{console.clean(cause.what)}{times}"
        )
    if len(found) > MOST_CAUSES:
        lines.append(f"  and {len(found) - MOST_CAUSES} more")
    return "\n".join(lines)


def headline_text(status: Any, what: str) -> str:
    """`✗ FAIL  ldo_tempco …`: the verdict in a word with its glyph, never colour alone."""
    shown = mark(status)
    glyph = shown.ascii if not console.speaks_unicode(sys.stdout) else shown.glyph
    return f"{console.toned(f'{glyph} {headline(status)}', str(shown.tone))}  {console.clean(what)}"


def tally_text(tally: Any) -> str:
    """`12 passed, 1 failed`; what there is none of is left out."""
    counts = (
        *((tally.passed, "passed"), (tally.marginal, "marginal"), (tally.failed, "failed")),
        *(
            (tally.errors, "error" if tally.errors == 1 else "errors"),
            (tally.unjudged, "unjudged"),
            (tally.skipped, "skipped"),
        ),
    )
    return ", ".join(f"{count:,} {word}" for count, word in counts if count) or "nothing judged"


def moment(wall: float | None) -> str:
    """Local time, to the second."""
    from datetime import datetime

    return "" if wall is None else f"{datetime.fromtimestamp(wall):%Y-%m-%d %H:%M:%S}"


def parameter_text(run: RunRecord, name: str) -> str:
    """A parameter with its unit."""
    given = run.parameters[name]
    unit = run.units.get(name, "")
    if isinstance(given, bool):
        return "on" if given else "off"
    text = values.number_text(given, 12) if isinstance(given, float | int) else str(given)
    return values.with_unit(text, values.pretty_unit(unit))
