"""Which runs a journal has, and finding one by the beginning of its id, as git finds a commit."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from engine.core.errors import StoreError, UsageError
from engine.store.connection import connect, connect_for_reading, explain, explained
from engine.store.identifiers import short_id
from engine.store.liveness import is_running
from engine.store.migrations import MIGRATIONS, TALLY, check_version, migrate
from engine.store.records import RunRecord, RunState
from schemas.documents import Outcome, Tally

LATEST = ("latest", "last")
JOURNAL_NAME = "benchwright.db"
"""In the results folder."""


def journal_path(path: Path | str) -> Path:
    """The path itself; for an existing folder, that of the journal in it."""
    path = Path(path)
    return path / JOURNAL_NAME if path.is_dir() else path


class RunCatalogue:
    """An open journal and the runs in it."""

    def __init__(self, path: Path | str, connection: sqlite3.Connection | None = None) -> None:
        """Open the journal at `path`, or in that folder, for reading; raises StoreError when there is none."""
        self.path = journal_path(path)
        if connection is None:
            if not self.path.exists():
                raise StoreError(
                    f"there is no journal {self.path}",
                    "run a sequence first, or name its results folder with --results",
                )
            connection = connect_for_reading(self.path)
        self._connection = connection
        try:
            version = check_version(connection, self.path)
            if not version:
                raise StoreError(f"{self.path} is not a Benchwright journal", "run any sequence on it")
            if version < len(MIGRATIONS):
                _bring_up_to_date(self.path)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, statement: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        return list(self._rows(statement, parameters))

    def _rows(self, statement: str, parameters: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """Rows by column; without sqlite-utils, whose import (NumPy with it) takes longer than most commands."""
        with explained(self.path):
            cursor = self._connection.execute(statement, parameters)
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))

    def _stream(self, statement: str, parameters: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(statement, parameters)
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

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
        for row in self._rows(
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
            tally=tally_of(row),
            state=state,
        )


def _bring_up_to_date(path: Path) -> None:
    """An old journal, once, for whoever reads it first; raises StoreError where it may not be written."""
    try:
        writer = connect(path, create=False)
        try:
            migrate(writer, path)
        finally:
            writer.close()
    except StoreError as error:
        raise StoreError(
            f"the journal {path} is an old one and could not be brought up to date: {error}",
            error.help or "run any sequence on it",
        ) from error


def tally_of(row: dict[str, Any]) -> Tally:
    """The tally in a row of runs or units."""
    return Tally(**{name: row[name] for name in TALLY})
