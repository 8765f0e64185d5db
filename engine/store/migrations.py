"""The tables of the journal and how older journals become today's.

`user_version` counts the migrations a file has had. A migration is never edited once it was released: a change is
a new one. Without this, a journal of last year could not be read, or worse, be misread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.core.errors import StoreError
from engine.store.connection import explained

if TYPE_CHECKING:
    from sqlite_utils import Database

Migration = Callable[["Database"], None]

SEQUENCE_BITS = 40
"""A row's id is its run's key, shifted by this, plus the document's number in it: a run's rows are one key range."""

TALLY = ("passed", "marginal", "failed", "unjudged", "errors", "skipped")


TYPES: dict[str, type] = {"int": int, "text": str, "real": float, "blob": bytes}


def _create(database: Database, name: str, columns: str, pk: str | tuple[str, ...]) -> None:
    """A table of columns given as `type: names; …`."""
    table: dict[str, Any] = {}
    for part in columns.split(";"):
        type_, _, names = part.partition(":")
        table.update(dict.fromkeys(names.split(), TYPES[type_.strip()]))
    # The statement is run by hand: sqlite-utils 3 would commit after it, and a half-made schema must not be seen.
    database.execute(database.create_table_sql(name, table, pk=pk))


def _first(database: Database) -> None:
    tally = f"int: {' '.join(TALLY)}"
    _create(
        database,
        "runs",
        "int: key; text: id short sequence title version station clock procedure_digest plan_digest parameters"
        " limit_set seed operator description meta environment argv units;"
        " real: planned_s started_wall finished_wall finished_s;"
        f" text: outcome message; {tally}; text: host; int: pid",
        "key",
    )
    database.execute("CREATE UNIQUE INDEX runs_id ON runs(id)")
    database.execute("CREATE INDEX runs_short ON runs(short)")
    database.execute("CREATE INDEX runs_sequence ON runs(sequence)")
    _create(
        database,
        "units",
        f"int: run unit; text: serial site fields; real: started_s finished_s; text: outcome message; {tally}",
        ("run", "unit"),
    )
    database.execute("CREATE INDEX units_serial ON units(serial)")
    _create(
        database,
        "nodes",
        "int: id unit; text: node; int: attempt ord; text: kind title outcome state; int: final;"
        " real: t0 t1 waited wall; text: message",
        "id",
    )
    _create(database, "limits", "int: id; text: json", "id")
    database.execute("CREATE UNIQUE INDEX limits_json ON limits(json)")
    quantity = "name unit_symbol source instrument net pin"
    _create(database, "quantities", f"int: id; text: {quantity}; int: limit_id diagnostic", "id")
    unique = ", ".join([*quantity.split(), "limit_id", "diagnostic"])
    database.execute(f"CREATE UNIQUE INDEX quantities_all ON quantities({unique})")
    _create(
        database,
        "measurements",
        "int: id unit ord attempt; text: node; int: quantity; text: type; real: value; text: text verdict;"
        " real: low high margin; text: axes; real: t wall; int: samples; real: spread; text: json",
        "id",
    )
    _create(
        database,
        "events",
        "int: id; text: document; real: t wall; text: kind level; int: unit; text: node message data",
        "id",
    )
    _create(
        database,
        "attachments",
        "int: id unit; text: node; real: t wall; text: name path sha256; int: size; text: blob",
        "id",
    )
    _create(database, "blobs", "text: sha256; blob: content", "sha256")
    _create(database, "run_files", "int: run position; text: kind path sha256 blob", ("run", "position"))
    _create(database, "notes", "int: id run; real: wall; text: author text", "id")
    database.execute("CREATE INDEX notes_run ON notes(run)")
    database.execute(_measured_view("m.high, m.margin, m.axes, m.t"))


def _measured_view(columns: str) -> str:
    return f"""CREATE VIEW measured AS SELECT runs.id AS run, runs.sequence, m.id & {(1 << SEQUENCE_BITS) - 1} AS number,
        m.unit, m.ord, m.attempt, m.node, q.name, coalesce(m.value, m.text) AS value, q.unit_symbol, m.verdict, m.low,
        {columns}, q.source, q.instrument, q.net, q.pin, l.json AS "limit"
        FROM measurements m JOIN quantities q ON q.id = m.quantity JOIN runs ON runs.key = m.id >> {SEQUENCE_BITS}
        LEFT JOIN limits l ON l.id = q.limit_id"""


def _final(database: Database) -> None:
    """Measurements know whether they are results; what earlier journals discarded is told by their nodes."""
    database.execute("ALTER TABLE measurements ADD COLUMN final INTEGER NOT NULL DEFAULT 1")
    database.execute("DROP VIEW measured")
    database.execute(_measured_view("m.high, m.margin, m.axes, m.t, m.final"))
    _discard_earlier(database)


def _discard_earlier(database: Database) -> None:
    """An attempt that was tried again spans the rows up to the next one, of that node and all inside it."""
    tried_again: dict[tuple[int, int, str], tuple[int, str, int]] = {}
    spans: list[tuple[int, int, int, str, str, int]] = []
    some = database.execute("SELECT 1 FROM nodes WHERE final = 0 LIMIT 1").fetchone()
    rows = database.execute("SELECT id, unit, node, final, kind, ord FROM nodes ORDER BY id") if some else ()
    for id_, unit, node, final, kind, order in rows:
        key = (id_ >> SEQUENCE_BITS, unit, node)
        if key in tried_again:
            spans.append(_span_of(*tried_again.pop(key), id_ - 1, unit, node))
        if not final:
            tried_again[key] = (id_, kind, order)
    for (run, unit, node), earlier in tried_again.items():
        spans.append(_span_of(*earlier, (run + 1 << SEQUENCE_BITS) - 1, unit, node))
    for table in ("nodes", "measurements"):
        for first, last, unit, node, below, order in spans:
            database.execute(
                f"UPDATE {table} SET final = 0 WHERE id BETWEEN ? AND ? AND unit = ?"
                " AND (node = ? OR (ord >= ? AND substr(node, 1, ?) = ?))",
                (first, last, unit, node, order, len(below), below),
            )


def _span_of(first: int, kind: str, order: int, last: int, unit: int, node: str) -> tuple[int, int, int, str, str, int]:
    """Rows of one attempt: (first, last, unit, node, how all inside it begin, its place)."""
    path = node.partition("[")[0]  # below a node its own axis values stand at the end
    if kind in ("sweep", "repeat") and "#" in path.rpartition("/")[2]:
        path = path.rpartition("/")[0]  # a loop without an id leaves no trace in the names of its steps
    return first, last, unit, node, path + "/", order


MIGRATIONS: Sequence[Migration] = (_first, _final)


def schema_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_version(connection: sqlite3.Connection, path: Path, known: int = len(MIGRATIONS)) -> int:
    """The schema version of the file; raises StoreError for one from the future."""
    with explained(path):
        version = schema_version(connection)
    if version > known:
        raise StoreError(
            f"the journal {path} was written by a newer Benchwright (schema {version}, this one knows {known})",
            "update Benchwright, or choose another results folder with --results",
        )
    return version


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the file to today's schema in one transaction; two processes may try at once.

    Raises StoreError.
    """
    if check_version(connection, path, len(migrations)) == len(migrations):
        return
    with explained(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = schema_version(connection)  # again: another process may have been faster
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if version == 0 and tables:
                raise StoreError(
                    f"{path} is a database, but not a Benchwright journal",
                    "move it away, or choose another results folder with --results",
                )
            from sqlite_utils import Database  # takes longer than opening a journal that needs no migration

            database = Database(connection, recursive_triggers=False, execute_plugins=False)
            for migration in migrations[version:]:
                migration(database)
            connection.execute(f"PRAGMA user_version={max(version, len(migrations))}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
