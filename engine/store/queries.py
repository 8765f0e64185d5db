"""What can be asked of the journal; the answers are frozen records or iterators that never hold a whole run.

A run may have a million rows, so whatever grows with it is streamed in an order the journal sorts, not Python.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from sys import intern
from typing import Any

from engine.core.errors import StoreError, UsageError
from engine.store.durations import NodeDuration, durations
from engine.store.encoding import axes_from, decode_value
from engine.store.migrations import SEQUENCE_BITS
from engine.store.records import (
    AttachmentRecord,
    EventRecord,
    FileRecord,
    InstrumentRecord,
    MeasurementRecord,
    NodeRecord,
    NoteRecord,
    RunRecord,
    RunState,
    UnitRecord,
)
from engine.store.runs import RunCatalogue, tally_of
from schemas.documents import Held, Level, Outcome, Scheduled, Tally, Value, Verdict, Waited

NUMBER_MASK = (1 << SEQUENCE_BITS) - 1

MEASUREMENTS = """SELECT m.id, m.unit, m.node, m.attempt, m.ord, q.name, m.type, m.value, m.text, q.unit_symbol,
 m.verdict, m.t, m.low, m.high, l.json, m.margin, m.axes, q.source, q.instrument, q.net, q.pin, m.samples, m.spread,
 q.diagnostic, m.json, m.wall, m.final
 FROM measurements m CROSS JOIN quantities q ON q.id = m.quantity LEFT JOIN limits l ON l.id = q.limit_id
 WHERE m.id BETWEEN ? AND ?"""
EVENT_DATA = "SELECT data FROM events WHERE id BETWEEN ? AND ? AND document = ? ORDER BY id"
IN_ORDER = " ORDER BY m.unit, m.ord, m.attempt, m.id"


class JournalReader(RunCatalogue):
    """Asks an existing journal and changes nothing."""

    def units(self, run: RunRecord) -> list[UnitRecord]:
        return [
            UnitRecord(
                unit=row["unit"],
                serial=row["serial"],
                site=row["site"],
                fields=json.loads(row["fields"]),
                started_s=row["started_s"],
                finished_s=row["finished_s"],
                outcome=Outcome(row["outcome"]) if row["outcome"] is not None else None,
                message=row["message"],
                tally=tally_of(row),
            )
            for row in self._ask("SELECT * FROM units WHERE run = ? ORDER BY unit", (run.key,))
        ]

    def nodes(self, run: RunRecord, outcomes: Sequence[Outcome] = ()) -> Iterator[NodeRecord]:
        """Every attempt of every node in order of (unit, plan, attempt); with `outcomes`, only those."""
        gone = "interrupted" if run.state is not RunState.RUNNING else "started"
        marks = ",".join("?" * len(outcomes))
        only = f" AND outcome IN ({marks})" if outcomes else ""
        statement = (
            "SELECT id, unit, node, attempt, ord, kind, title, outcome, state, final, t0, t1, waited, wall, message"
            f" FROM nodes WHERE id BETWEEN ? AND ?{only} ORDER BY unit, ord, attempt, id"
        )
        for id_, unit, node, attempt, order, kind, title, outcome, state, final, *rest in self._stream(
            statement, (*_span(run), *map(str, outcomes))
        ):
            t0, t1, waited, wall, message = rest
            yield NodeRecord(
                *(id_ & NUMBER_MASK, unit, node, attempt, order, kind, title),
                *(_OUTCOMES.get(outcome), gone if state == "started" else state, bool(final)),
                *(t0, t1, waited, wall, message),
            )

    def count_nodes(self, run: RunRecord) -> int:
        return int(self._ask("SELECT count(*) AS n FROM nodes WHERE id BETWEEN ? AND ?", _span(run))[0]["n"])

    def measurements(self, run: RunRecord) -> Iterator[MeasurementRecord]:
        """Every value in order of (unit, plan, attempt, time), one after the other."""
        return map(_measurement(), self._stream(MEASUREMENTS + IN_ORDER, _span(run)))

    def count_measurements(self, run: RunRecord) -> int:
        return int(self._ask("SELECT count(*) AS n FROM measurements WHERE id BETWEEN ? AND ?", _span(run))[0]["n"])

    def series(self, run: RunRecord, name: str) -> Iterator[MeasurementRecord]:
        """Every value of one name, in the same order."""
        return map(_measurement(), self._stream(MEASUREMENTS + " AND q.name = ?" + IN_ORDER, (*_span(run), name)))

    def axes(self, run: RunRecord) -> list[str]:
        """Names of all axes that any value of the run has, in the order of the plan."""
        rows = self._ask(
            "SELECT je.key AS name, min(m.ord) AS first, min(je.id) AS place FROM measurements m, json_each(m.axes) je"
            " WHERE m.id BETWEEN ? AND ? AND m.axes IS NOT NULL GROUP BY je.key ORDER BY first, place, name",
            _span(run),
        )
        return [row["name"] for row in rows]

    def tally(self, run: RunRecord) -> Tally:
        """What was judged how: the run's own count, or for one that never finished, that of its rows."""
        if run.outcome is not None:
            return run.tally
        counts = {
            row["verdict"]: row["n"]
            for row in self._ask(
                "SELECT verdict, count(*) AS n FROM measurements m JOIN quantities q ON q.id = m.quantity"
                " WHERE m.id BETWEEN ? AND ? AND m.final AND NOT q.diagnostic GROUP BY verdict",
                _span(run),
            )
        }
        loops = self._ask(
            "SELECT count(*) AS n FROM nodes WHERE id BETWEEN ? AND ? AND final AND outcome = 'fail'"
            " AND kind IN ('repeat', 'sweep') AND message != ''",
            _span(run),
        )
        nodes = {
            row["outcome"]: row["n"]
            for row in self._ask(
                "SELECT outcome, count(*) AS n FROM nodes WHERE id BETWEEN ? AND ? AND final"
                " AND outcome IN ('error', 'skipped') GROUP BY outcome",
                _span(run),
            )
        }
        return Tally(
            passed=counts.get(Verdict.PASS, 0),
            marginal=counts.get(Verdict.MARGINAL, 0),
            failed=counts.get(Verdict.FAIL, 0) + int(loops[0]["n"]),
            unjudged=counts.get(Verdict.UNJUDGED, 0),
            errors=nodes.get(Outcome.ERROR, 0),
            skipped=nodes.get(Outcome.SKIPPED, 0),
        )

    def events(
        self, run: RunRecord, after: int = -1, limit: int | None = None, document: str | None = None
    ) -> list[EventRecord]:
        """Messages, opened instruments and safe states, in order; `after` is the number of the last one known.

        With `document` only those of one kind. Who held what and who waited is not among them: `held`, `waited`.
        """
        low, high = _span(run)
        only = "document = ?" if document is not None else "document NOT IN ('Held', 'Waited')"
        kind = (document,) if document is not None else ()
        return [
            EventRecord(
                number=row["id"] & NUMBER_MASK,
                level=Level(row["level"]),
                data=json.loads(row["data"]) if row["data"] else {},
                **{name: row[name] for name in ("document", "t", "wall", "kind", "unit", "node", "message")},
            )
            for row in self._ask(
                f"SELECT * FROM events WHERE id BETWEEN ? AND ? AND {only} ORDER BY id LIMIT ?",
                (max(low, low + after + 1), high, *kind, -1 if limit is None else limit),
            )
        ]

    def held(self, run: RunRecord) -> Iterator[Held]:
        """What units had of what several may use, in the order in which it was given back."""
        for (data,) in self._stream(EVENT_DATA, (*_span(run), "Held")):
            document = json.loads(data)
            document["resource"], document["kind"] = intern(document["resource"]), intern(document["kind"])
            yield Held(**document)

    def scheduled(self, run: RunRecord) -> Scheduled | None:
        """In which order units were to share the bench; None for a run of one unit."""
        for (data,) in self._stream(EVENT_DATA, (*_span(run), "Scheduled")):
            document = json.loads(data)
            return Scheduled(**{**document, "bars": [tuple(bar) for bar in document["bars"]]})
        return None

    def waited(self, run: RunRecord) -> Iterator[Waited]:
        """Who could not start because of whom, in the order in which they could."""
        for (data,) in self._stream(EVENT_DATA, (*_span(run), "Waited")):
            document = json.loads(data)
            yield Waited(**{**document, "others": tuple(document["others"])})

    def instruments(self, run: RunRecord) -> list[InstrumentRecord]:
        """Who answered, in order; the last word on each one's safe state with it."""
        rows = self._ask(
            "SELECT document, message, data FROM events WHERE id BETWEEN ? AND ?"
            " AND document IN ('InstrumentOpened', 'SafeState') ORDER BY id",
            _span(run),
        )
        opened: dict[tuple[str, str | None], dict[str, Any]] = {}
        safe: dict[str, tuple[bool | None, str]] = {}
        for row in rows:
            data = json.loads(row["data"])
            if row["document"] == "InstrumentOpened":
                opened[data["name"], data["site"]] = data
            else:
                safe[data["instrument"]] = (data["verified"], row["message"])
        records = []
        for data in opened.values():
            instance = f"{data['name']}@{data['site']}" if data["site"] else data["name"]
            verified, message = safe.get(instance, (None, ""))
            records.append(
                InstrumentRecord(**data, safe=verified, safe_message=message, safe_recorded=instance in safe)
            )
        return records

    def attachments(self, run: RunRecord) -> list[AttachmentRecord]:
        return [
            AttachmentRecord(
                number=row["id"] & NUMBER_MASK,
                kept=row["blob"] is not None,
                **{name: row[name] for name in ("unit", "node", "t", "name", "path", "sha256", "size")},
            )
            for row in self._ask("SELECT * FROM attachments WHERE id BETWEEN ? AND ? ORDER BY id", _span(run))
        ]

    def attachment_content(self, run: RunRecord, attachment: AttachmentRecord) -> bytes:
        """The bytes kept of an attachment; raises UsageError when only its name was kept."""
        rows = self._ask(
            "SELECT content FROM attachments a JOIN blobs b ON b.sha256 = a.blob WHERE a.id = ?",
            (_span(run)[0] + attachment.number,),
        )
        if not rows:
            raise UsageError(f"the journal has no copy of {attachment.name}", f"it was {attachment.path}")
        return bytes(rows[0]["content"])

    def notes(self, run: RunRecord) -> list[NoteRecord]:
        rows = self._ask("SELECT wall, author, text FROM notes WHERE run = ? ORDER BY id", (run.key,))
        return [NoteRecord(**row) for row in rows]

    def durations(self, procedure_digest: str, station: str) -> dict[str, NodeDuration]:
        """How long each template node took in the newest runs of this procedure on this station."""
        return durations(self._ask, procedure_digest, station)

    # The files a run used

    def files(self, run: RunRecord) -> list[FileRecord]:
        return [
            FileRecord(**row)
            for row in self._ask(
                "SELECT kind, path, f.sha256, length(content) AS size"
                " FROM run_files f JOIN blobs b ON b.sha256 = f.blob WHERE run = ? ORDER BY position",
                (run.key,),
            )
        ]

    def file_text(self, run: RunRecord, path: str) -> str:
        """The text of a file as the run used it; raises UsageError."""
        rows = self._ask(
            "SELECT content FROM run_files f JOIN blobs b ON b.sha256 = f.blob WHERE run = ? AND path = ?",
            (run.key, path),
        )
        if not rows:
            known = ", ".join(file.path for file in self.files(run)) or "none"
            raise UsageError(f"run {run.short_id} used no file {path}", f"its files: {known}")
        return bytes(rows[0]["content"]).decode("utf-8", "surrogateescape")

    def extract_files(self, run: RunRecord, folder: Path | str) -> list[Path]:
        """Write every file of the run below `folder`, never outside it; raises StoreError."""
        root = Path(folder)
        written: list[Path] = []
        try:
            for file in self.files(run):
                target = root / _below(file.path)
                target.parent.mkdir(parents=True, exist_ok=True)
                content = self.file_text(run, file.path).encode("utf-8", "surrogateescape")
                target.write_bytes(content)
                written.append(target)
        except OSError as error:
            raise StoreError(
                f"cannot write the files of the run to {root}: {error.strerror}", "choose another folder"
            ) from error
        return written


_OUTCOMES: dict[str | None, Outcome] = {outcome.value: outcome for outcome in Outcome}
_VERDICTS: dict[str, Verdict] = {verdict.value: verdict for verdict in Verdict}


def _span(run: RunRecord) -> tuple[int, int]:
    low = run.key << SEQUENCE_BITS
    return low, low + NUMBER_MASK


def _measurement() -> Callable[[tuple[Any, ...]], MeasurementRecord]:
    """A reader of rows; several values of one point share its axes."""
    axes = lru_cache(maxsize=64)(axes_from)

    def read(row: tuple[Any, ...]) -> MeasurementRecord:
        (id_, unit, node, attempt, order, name, type_, number, text, symbol, verdict, t, low, high, limit) = row[:15]
        (margin, axes_json, source, instrument, net, pin, samples, spread, diagnostic, json_value, wall, final) = row[
            15:
        ]
        value: Value = number if number is not None else decode_value(type_, number, text)
        return MeasurementRecord(
            *(id_ & NUMBER_MASK, unit, node, attempt, order, name, value, symbol, _VERDICTS[verdict], t, low, high),
            *(limit or "", margin, axes(axes_json), source, instrument, net, pin, samples, spread, bool(diagnostic)),
            *(json_value or "", wall, bool(final)),
        )

    return read


def _below(path: str) -> Path:
    """The path without a root, a drive or a way up."""
    parts = [
        part
        for part in PurePosixPath(PureWindowsPath(path).as_posix()).parts
        if part not in ("/", "..", ".") and ":" not in part and part.strip("/")
    ]
    return Path(*parts) if parts else Path("file")
