"""Rows of a measurement table, and their charts, as the page shows them."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from engine.present import values
from engine.present.chart import chart_of
from engine.present.fold import Row, axes_text, position
from engine.present.svg import svg
from engine.present.verdicts import mark
from engine.store import RunRecord
from schemas.documents import Verdict


def drawing_of(row: Row, run: RunRecord, identifier: str) -> tuple[Markup | str, str]:
    """The chart of a swept row and what it does not show; empty where there is nothing to draw."""
    chart = chart_of(row, lambda axis: run.units.get(axis, ""))
    if chart is None:
        return "", ""
    return Markup(svg(chart, identifier=identifier)), chart.note  # svg() escapes every text


def line_of(row: Row, name: str = "") -> dict[str, Any]:
    """One line of a table: what is written in it, and the bar that shows where the value lies in what is accepted.

    `name` has as much of its place as tells it from others of the same name.
    """
    m = row.worst if row.worst is not None else row.first
    accepted = values.acceptance(m.limit, m.low, m.high)
    low_at = position(row.low, *accepted)
    high_at = position(row.high, *accepted)
    bar = None
    if low_at is not None and high_at is not None:
        bar = {
            "left": round(low_at * 100, 1),
            "width": round((high_at - low_at) * 100, 1),
            "lower": m.low is not None,
            "upper": m.high is not None,
        }
    notes = []
    if row.first.samples > 1:
        notes.append(f"{row.first.samples} samples")
    if not row.swept and row.first.spread is not None:
        scale = values.scale_for([row.first.spread], _difference(row.first.unit_symbol))
        notes.append("s = " + values.with_unit(values.number_text(scale.of(row.first.spread), 3), scale.unit))
    if not row.swept and row.first.axes:
        notes.append(axes_text(row.first.axes))
    notes += [f"{word} {text}" for word, text in (("net", row.first.net), ("pin", row.first.pin)) if text]
    if row.first.attempt > 1:
        notes.append(f"attempt {row.first.attempt}")
    if extra := values.limit_notes(m.limit, m.unit_symbol):
        notes.append(extra)
    if row.swept and m.axes and row.verdict is not Verdict.UNJUDGED:
        notes.append(f"worst at {axes_text(m.axes)}")
    return {"row": row, "name": name or row.name, "shown": row.shown(), "mean": row.mean_text(), "mark": mark(row.verdict),
            "bar": bar, "notes": ", ".join(notes)}  # fmt: skip


def _difference(unit: str) -> str:
    return "K" if unit == "degC" else unit
