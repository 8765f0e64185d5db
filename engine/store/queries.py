"""What can be asked of the journal; the answers are frozen records or iterators that never hold a whole run.

A run may have a million rows, so whatever grows with it is streamed in an order the journal sorts, not Python.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from sqlite_utils import Database

from engine.core.errors import StoreError, UsageError
from engine.store.connection import connect_for_reading, explain, explained
from engine.store.encoding import axes_from, decode_value
from engine.store.identifiers import short_id
from engine.store.liveness import is_running
from engine.store.migrations import MIGRATIONS, SEQUENCE_BITS, TALLY, check_version
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
from schemas.documents import Level, Outcome, Tally, Value, Verdict

NUMBER_MASK = (1 << SEQUENCE_BITS) - 1
LATEST = ("latest", "last")

MEASUREMENTS = """SELECT m.id, m.unit, m.node, m.attempt, m.ord, q.name, m.type, m.value, m.text, q.unit_symbol,
 m.verdict, m.t, m.low, m.high, l.json, m.margin, m.axes, q.source, q.instrument, q.net, q.pin, m.samples, m.spread,
 q.diagnostic, m.json, m.wall
 FROM measurements m CROSS JOIN quantities q ON q.id = m.quantity LEFT JOIN limits l ON l.id = q.limit_id
 WHERE m.id BETWEEN ? AND ?"""
IN_ORDER = " ORDER BY m.unit, m.ord, m.attempt, m.id"


class JournalReader:
    """Asks an existing journal and changes nothing."""

    def __init__(self, path: Path | str, connection: sqlite3.Connection | None = None) -> None:
        """Open the journal at `path` for reading; raises StoreError when there is none."""
        self.path = Path(path)
        if connection is None:
            if not self.path.exists():
                raise StoreError(
                    f"there is no journal {self.path}",
                    "run a sequence first, or name its results folder with --results",
                )
            connection = connect_for_reading(self.path)
        self._connection = connection
        try:
            if check_version(connection, self.path) < len(MIGRATIONS):
                raise StoreError(f"{self.path} is not a Benchwright journal, or an old one", "run any sequence on it")
            self._database = Database(connection, recursive_triggers=False, execute_plugins=False)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, statement: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with explained(self.path):
            return list(self._database.query(statement, list(parameters)))

    def _stream(self, statement: str, parameters: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(statement, parameters)
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    # Runs

    def runs(self, limit: int | None = 20, sequence: str | None = None, outcome: str | None = None) -> list[RunRecord]:
        """The newest runs first; `limit` None gives all. `outcome` may also be `running` or `interrupted`."""
        where, parameters = ["1"], []
        if sequence is not None:
            where.append("sequence = ?")
            parameters.append(sequence)
        alive = outcome in (RunState.RUNNING, RunState.INTERRUPTED)
        if outcome is not None:
            where.append("outcome IS NULL" if alive else "outcome = ?")
            parameters += [] if alive else [str(outcome)]
        found: list[RunRecord] = []
        with explained(self.path):
            for row in self._database.query(
                f"SELECT * FROM runs WHERE {' AND '.join(where)} ORDER BY started_wall DESC, key DESC", parameters
            ):
                if limit is not None and len(found) >= limit:
                    break
                run = self._run(row)
                if not alive or run.state == outcome:
                    found.append(run)
        return found

    def count_runs(self) -> int:
        return int(self._ask("SELECT count(*) AS n FROM runs")[0]["n"])

    def find_run(self, prefix: str) -> RunRecord:
        """The one run whose id, or short id, begins so; `latest` and `last` are the newest.

        Raises UsageError when no run or several fit, and lists those.
        """
        if prefix in LATEST:
            newest = self.runs(limit=1)
            if not newest:
                raise UsageError("no run has been recorded yet", "start one with `benchwright run`")
            return newest[0]
        wanted = prefix.strip().lower()
        rows = []
        if wanted:
            end = wanted + "\U0010ffff"
            rows = self._ask(
                "SELECT * FROM runs WHERE (id >= ? AND id < ?) OR (short >= ? AND short < ?)"
                " ORDER BY key DESC LIMIT 11",
                (wanted, end, wanted, end),
            )
        exact = [row for row in rows if wanted in (row["id"], row["short"])]
        if len(exact) == 1:
            rows = exact
        if not rows:
            raise UsageError(f"no run begins with `{prefix}`", "`benchwright runs` lists them; `latest` is the newest")
        if len(rows) > 1:
            listed = ", ".join(f"{row['short']} ({row['sequence']})" for row in rows[:10])
            more = ", …" if len(rows) > 10 else ""
            raise UsageError(f"several runs begin with `{prefix}`", f"give more of the id: {listed}{more}")
        return self._run(rows[0])

    def run(self, run_id: str) -> RunRecord:
        """The run of exactly this id; raises UsageError."""
        rows = self._ask("SELECT * FROM runs WHERE id = ?", (run_id,))
        if not rows:
            raise UsageError(f"there is no run {run_id}", "`benchwright runs` lists them")
        return self._run(rows[0])

    def _run(self, row: dict[str, Any]) -> RunRecord:
        outcome = Outcome(row["outcome"]) if row["outcome"] is not None else None
        if outcome is not None:
            state = RunState.FINISHED
        else:
            state = RunState.RUNNING if is_running(self.path, row["id"]) else RunState.INTERRUPTED
            if state is RunState.INTERRUPTED:
                # It may have finished between reading the row and looking at its lock.
                again = self._ask("SELECT * FROM runs WHERE id = ? AND outcome IS NOT NULL", (row["id"],))
                if again:
                    return self._run(again[0])
        return RunRecord(
            **{
                name: row[name]
                for name in (
                    *("key", "id", "sequence", "title", "version", "station", "clock", "procedure_digest"),
                    *("plan_digest", "limit_set", "operator", "description", "planned_s", "started_wall"),
                    *("finished_wall", "message", "host", "pid"),
                )
            },
            short_id=row["short"] or short_id(row["id"]),
            parameters=json.loads(row["parameters"]),
            seed=int(row["seed"]),
            meta=json.loads(row["meta"]),
            environment=json.loads(row["environment"]),
            argv=tuple(json.loads(row["argv"])),
            units=json.loads(row["units"]),
            duration_s=row["finished_s"],
            outcome=outcome,
            tally=_tally(row),
            state=state,
        )

    # What happened in one run

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
                tally=_tally(row),
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
                " WHERE m.id BETWEEN ? AND ? AND NOT q.diagnostic GROUP BY verdict",
                _span(run),
            )
        }
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
            failed=counts.get(Verdict.FAIL, 0),
            unjudged=counts.get(Verdict.UNJUDGED, 0),
            errors=nodes.get(Outcome.ERROR, 0),
            skipped=nodes.get(Outcome.SKIPPED, 0),
        )

    def events(self, run: RunRecord, after: int = -1, limit: int | None = None) -> list[EventRecord]:
        """Messages, opened instruments and safe states, in order; `after` is the number of the last one known."""
        low, high = _span(run)
        return [
            EventRecord(
                number=row["id"] & NUMBER_MASK,
                level=Level(row["level"]),
                data=json.loads(row["data"]) if row["data"] else {},
                **{name: row[name] for name in ("document", "t", "wall", "kind", "unit", "node", "message")},
            )
            for row in self._ask(
                "SELECT * FROM events WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
                (max(low, low + after + 1), high, -1 if limit is None else limit),
            )
        ]

    def instruments(self, run: RunRecord) -> list[InstrumentRecord]:
        """Who answered, in order; the last word on each one's safe state with it."""
        rows = self._ask(
            "SELECT document, message, data FROM events WHERE id BETWEEN ? AND ? AND document <> 'Logged' ORDER BY id",
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
            verified, message = safe.get(data["name"], (None, ""))
            records.append(InstrumentRecord(**data, safe=verified, safe_message=message))
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


def _tally(row: dict[str, Any]) -> Tally:
    return Tally(**{name: row[name] for name in TALLY})


def _measurement() -> Callable[[tuple[Any, ...]], MeasurementRecord]:
    """A reader of rows; several values of one point share its axes."""
    axes = lru_cache(maxsize=64)(axes_from)

    def read(row: tuple[Any, ...]) -> MeasurementRecord:
        (id_, unit, node, attempt, order, name, type_, number, text, symbol, verdict, t, low, high, limit) = row[:15]
        (margin, axes_json, source, instrument, net, pin, samples, spread, diagnostic, json_value, wall) = row[15:]
        value: Value = number if number is not None else decode_value(type_, number, text)
        return MeasurementRecord(
            *(id_ & NUMBER_MASK, unit, node, attempt, order, name, value, symbol, _VERDICTS[verdict], t, low, high),
            *(limit or "", margin, axes(axes_json), source, instrument, net, pin, samples, spread, bool(diagnostic)),
            *(json_value or "", wall),
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
