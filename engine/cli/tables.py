"""How a run is put into lines of text: its values, its steps, why it is not green."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from engine.cli import console
from engine.present import values
from engine.present.fold import Row, Table, axes_text
from engine.present.verdicts import headline, mark

if TYPE_CHECKING:
    from engine.present.steps import StepRow
    from engine.store import JournalReader, RunRecord

MOST_ROWS = 200
MOST_CAUSES = 10
_PHASES = ("setup", "steps", "cleanup", "monitors")


def measurement_table(table: Table, *, units: int = 1) -> str:
    """Every value, or every swept one on a line, with its limit and verdict."""
    rows = table.rows
    left_out = max(0, len(rows) - MOST_ROWS)
    if left_out:
        worst = sorted(rows, key=lambda row: -mark(row.verdict).rank)[:MOST_ROWS]
        kept = set(map(id, worst))
        rows = [row for row in rows if id(row) in kept]
    if not rows:
        return "  nothing was measured"
    often = Counter((row.unit, row.name) for row in table.rows)
    lines = [_measurement(row, units > 1, often[row.unit, row.name] > 1) for row in rows]
    head = [*(["unit"] if units > 1 else []), "verdict", "name", "value", "limit", "margin", "where"]
    shift = 1 if units > 1 else 0
    text = console.table(head, lines, right=(2 + shift, 4 + shift), indent="  ")
    if left_out:
        text += f"\n  and {console.plural(left_out, 'more row')} without a worse verdict; `benchwright export` has all"
    return text


def _measurement(row: Row, with_unit: bool, with_place: bool) -> list[str]:
    shown = row.shown()
    where = f"{row.count:,} points" if row.swept else axes_text(row.first.axes)
    bad = row.verdict in ("fail", "marginal")
    if row.swept and bad and row.worst is not None:
        where += f", worst at {axes_text(row.worst.axes)}"
    cells = [_placed(row) if with_place else row.name, shown.value, shown.limit, shown.margin, where]
    return [
        *([str(row.unit)] if with_unit else []),
        console.marked(row.verdict),
        *(console.clean(cell) for cell in cells),
    ]


def _placed(row: Row) -> str:
    """The name with what tells it from others of the same name: `ldo_dropout/vout`."""
    parts = [part for part in row.node.split("/") if part not in _PHASES]
    return "/".join([*parts[:-1], row.name])


def step_table(rows: Sequence[StepRow], most: int = 400) -> str:
    """The tree of steps with outcome, how often and how long."""
    lines = []
    for row in rows[:most]:
        count = f"{row.count:,}×" if row.count > 1 else ""
        retried = f"{console.plural(row.retries, 'retry')}".replace("retrys", "retries") if row.retries else ""
        lines.append(
            [
                console.marked(row.outcome) if row.outcome is not None else "",
                "  " * row.depth + console.clean(row.label),
                row.kind,
                count,
                values.duration_text(row.seconds),
                ", ".join(part for part in (retried, console.clean(row.message)) if part),
            ]
        )
    if not lines:
        return "  no step was run"
    text = console.table(("outcome", "step", "verb", "", "time", ""), lines, right=(3, 4), indent="  ")
    if len(rows) > most:
        text += f"\n  and {console.plural(len(rows) - most, 'more step')}"
    return text


def causes_text(journal: JournalReader, run: RunRecord, rows: Iterable[Row]) -> str:
    """Why a run is not green, worst first; empty where it is."""
    if run.status in ("pass", "marginal"):
        return ""
    from engine.output.causes import causes

    found = causes(journal, run, rows)
    lines = []
    for cause in found[:MOST_CAUSES]:
        times = f" ({cause.count:,} times)" if cause.count > 1 else ""
        glyph = cause.mark.text(not console.speaks_unicode(sys.stdout))
        lines.append(
            f"  {console.toned(glyph, str(cause.mark.tone))}  {console.clean(cause.where)}: "
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
