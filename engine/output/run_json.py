"""One run as one JSON document, for `show --json` and for programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from engine.output.export import json_safe
from engine.present.timeline import Wait, timeline
from engine.store import JournalReader, RunRecord

ROWS = 10_000
"""Measurements and nodes at most; `export` gives all."""


def run_summary(run: RunRecord) -> dict[str, Any]:
    """What `runs --json` says of one run."""
    return {
        "id": run.id,
        "short_id": run.short_id,
        "sequence": run.sequence,
        "title": run.title,
        "version": run.version,
        "station": run.station,
        "state": str(run.state),
        "outcome": run.outcome and str(run.outcome),
        "started": _moment(run.started_wall),
        "finished": _moment(run.finished_wall),
        "duration_s": run.duration_s,
        "operator": run.operator,
        "tally": asdict(run.tally),
        "message": run.message,
    }


def run_as_json(journal: JournalReader, run: RunRecord, rows: int = ROWS, *, unit: int | None = None) -> dict[str, Any]:
    """Everything of one run but the texts of its files; at most `rows` nodes and as many measurements.

    With `unit` only the nodes, values and waits of that unit; the counts are of the whole run.
    """
    units = journal.units(run)
    shared = timeline(journal.held(run), journal.waited(run), units, run.duration_s, run.units, journal.scheduled(run))
    all_nodes = (node for node in journal.nodes(run) if unit is None or node.unit == unit)
    all_measurements = (m for m in journal.measurements(run) if unit is None or m.unit == unit)
    nodes = [node._asdict() for node, _ in zip(all_nodes, range(rows), strict=False)]
    measurements = [m._asdict() for m, _ in zip(all_measurements, range(rows), strict=False)]
    for m in measurements:
        m["axes"] = dict(m["axes"])
    node_count, measurement_count = journal.count_nodes(run), journal.count_measurements(run)
    document = {
        **run_summary(run),
        "tally": asdict(journal.tally(run)),
        "description": run.description,
        "meta": dict(run.meta),
        "clock": run.clock,
        "seed": run.seed,
        "parameters": dict(run.parameters),
        "units_of": dict(run.units),
        "limit_set": run.limit_set,
        "procedure_digest": run.procedure_digest,
        "plan_digest": run.plan_digest,
        "planned_s": run.planned_s,
        "environment": dict(run.environment),
        "argv": list(run.argv),
        "host": run.host,
        "pid": run.pid,
        "units": [
            {**asdict(one), "waited_s": shared.waited_s.get(one.unit, 0.0)}
            for one in units
            if unit is None or one.unit == unit
        ],
        "utilisation": [asdict(usage) for usage in shared.usage],
        "waits": [_wait(wait) for wait in shared.waits[:ROWS] if unit is None or wait.unit == unit],
        "instruments": [asdict(instrument) for instrument in journal.instruments(run)],
        "files": [asdict(file) for file in journal.files(run)],
        "attachments": [asdict(attachment) for attachment in journal.attachments(run)],
        "notes": [asdict(note) for note in journal.notes(run)],
        "events": [asdict(event) for event in journal.events(run)],
        "node_count": node_count,
        "nodes": nodes,
        "measurement_count": measurement_count,
        "measurements": measurements,
    }
    plain: dict[str, Any] = _plain(document)
    return plain


def _wait(wait: Wait) -> dict[str, Any]:
    return {**asdict(wait), "others": [{"unit": other, "seconds": seconds} for other, seconds in wait.others]}


def _moment(wall: float | None) -> str | None:
    return None if wall is None else datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | int | None.__class__):
        return value
    return str(value) if isinstance(value, str) else json_safe(value)
