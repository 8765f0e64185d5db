"""Documents into rows, one group at a time.

A node that starts and finishes within one group is written once. What is the same for many measurements (name, unit,
limit, instrument, …) is written once for the whole journal. A group changes no state but the database's and `Known`, so
that it can be tried again.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from engine.core.errors import StoreError
from engine.store.encoding import axes_text, clean, dumps, encode_value
from engine.store.identifiers import short_id
from engine.store.migrations import SEQUENCE_BITS
from schemas.documents import (
    Attached,
    Discarded,
    Document,
    Held,
    InstrumentOpened,
    Logged,
    Measured,
    NodeFinished,
    NodeStarted,
    RunFinished,
    RunStarted,
    SafeState,
    Scheduled,
    Tally,
    UnitFinished,
    UnitStarted,
    Waited,
)

REMEMBERED = 10_000
"""Quantities and limits whose keys are remembered; limits that differ at every point must not fill the memory."""

INSERT_NODE = "INSERT INTO nodes VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
FINISH_NODE = (
    "UPDATE nodes SET title=?, outcome=?, state='finished', final=?, t1=?, waited=?, wall=?, message=? WHERE id=?"
)
INSERT_MEASUREMENT = "INSERT INTO measurements VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,1)"
DISCARD_NODES = "UPDATE nodes SET final=0 WHERE id BETWEEN ? AND ? AND unit=? AND ord>=? AND ord<?"
DISCARD_MEASUREMENTS = "UPDATE measurements SET final=0 WHERE id BETWEEN ? AND ? AND unit=? AND ord>=? AND ord<?"
INSERT_EVENT = "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?)"

NodeKey = tuple[int, str, int]
"""Unit, node, attempt."""
Row = tuple[Any, ...]


class Known:
    """Keys of rows that many others refer to."""

    def __init__(self) -> None:
        self.quantities: dict[Row, int] = {}
        self.limits: dict[str, int] = {}

    def forget(self) -> None:
        """A transaction was taken back, and the rows with it."""
        self.quantities.clear()
        self.limits.clear()


class Group:
    """One transaction's worth of documents; the recorder takes over its state only once it is committed."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        known: Known,
        wall: float,
        number: int,
        base: int | None,
        open_nodes: dict[NodeKey, int],
        given_up: dict[NodeKey, int],
        claim: Callable[[str], None],
        cleaning: bool = False,
    ) -> None:
        self.connection = connection
        self.known = known
        self.wall = wall
        self.number = number
        """Of the last document, counted from 1 in its run."""
        self.base = base
        """The run's key, shifted; None before RunStarted."""
        self.open = dict(open_nodes)
        self.given_up = dict(given_up)
        self.claim = claim
        self.cleaning = cleaning
        """Make every value fit for its column first; slow, for a group in which one was refused."""
        self.new_nodes: list[Row] = []
        self.finished_nodes: list[Row] = []
        self.measurements: list[Row] = []
        self.discarded: list[Row] = []
        """(first row, last row, unit, first place, place after the last) of what is no result."""
        self.events: list[Row] = []

    def write(self, documents: Sequence[Document]) -> None:
        started: dict[NodeKey, tuple[int, NodeStarted]] = {}
        nodes, measurements, wall = self.new_nodes, self.measurements, self.wall
        quantities = self.known.quantities
        base, number = self.base, self.number
        last_axes: Any = ()
        axes: str | None = None
        for d in documents:
            number += 1
            kind = type(d)
            if base is None and kind is not RunStarted:
                raise StoreError(f"the journal got {kind.__name__} before RunStarted", "report this as a bug")
            if kind is Measured:
                assert isinstance(d, Measured)
                assert base is not None
                key = (d.name, d.unit_symbol, d.source, d.instrument, d.net, d.pin, d.limit, d.diagnostic)
                quantity = quantities.get(key) or self.quantity(key)
                if d.axes is not last_axes:
                    last_axes = d.axes
                    axes = axes_text(last_axes) if last_axes else None
                value = d.value
                if type(value) is float:
                    type_, real, text = "number", value, None
                else:
                    type_, real, text = encode_value(value)  # type: ignore[assignment]
                # fmt: off
                measurements.append((
                    base + number, d.unit, d.order, d.attempt, d.node, quantity, type_, real, text, d.verdict._value_,
                    d.low, d.high, d.margin, axes, d.t, wall, d.samples, d.spread, d.json_value or None,
                ))
                # fmt: on
            elif kind is NodeFinished:
                assert isinstance(d, NodeFinished)
                assert base is not None
                node = (d.unit, d.node, d.attempt)
                begun = started.pop(node, None)
                identity = self.open.pop(node, None) if begun is None else None
                outcome = d.outcome._value_
                if identity is None:
                    row = base + (number if begun is None else begun[0])
                    t0 = d.started if begun is None else begun[1].t
                    # fmt: off
                    nodes.append((
                        row, d.unit, d.node, d.attempt, d.order, d.kind, d.title, outcome, "finished", d.final,
                        t0, d.t, d.waited, wall, d.message,
                    ))
                    # fmt: on
                else:
                    self.finished_nodes.append(
                        (d.title, outcome, d.final, d.t, d.waited, wall, d.message, identity),
                    )
                if not d.final:
                    self.given_up[node] = row if identity is None else identity
            elif kind is NodeStarted:
                assert isinstance(d, NodeStarted)
                started[(d.unit, d.node, d.attempt)] = (number, d)
            else:
                self.number = number
                self.seldom(d)
                base = self.base
        self.number = number
        for key_, (row_number, s) in started.items():
            assert base is not None
            self.open[key_] = base + row_number
            # fmt: off
            nodes.append((
                base + row_number, s.unit, s.node, s.attempt, s.order, s.kind, "", None, "started", True,
                s.t, None, 0.0, wall, "",
            ))
            # fmt: on
        self.many(INSERT_NODE, nodes)
        self.many(FINISH_NODE, self.finished_nodes)
        self.many(INSERT_MEASUREMENT, measurements)
        self.many(DISCARD_NODES, self.discarded)
        self.many(DISCARD_MEASUREMENTS, self.discarded)
        self.many(INSERT_EVENT, self.events)

    def many(self, statement: str, rows: Sequence[Row]) -> None:
        if rows and self.cleaning:
            self.connection.executemany(statement, ([clean(value) for value in row] for row in rows))
        elif rows:
            self.connection.executemany(statement, rows)

    def one(self, statement: str, row: Iterable[Any]) -> sqlite3.Cursor:
        """One row, its values made fit for columns."""
        return self.connection.execute(statement, [clean(value) for value in row])

    def insert(self, table: str, values: dict[str, Any]) -> int:
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        cursor = self.one(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values.values())
        return int(cursor.lastrowid or 0)

    def quantity(self, key: Row) -> int:
        """The key of what was measured; written at its first appearance in the journal."""
        *parts, limit, diagnostic = key
        row = [*parts, self.limit(limit), bool(diagnostic)]
        self.one("INSERT OR IGNORE INTO quantities VALUES (NULL,?,?,?,?,?,?,?,?)", row)
        found = self.one(
            "SELECT id FROM quantities WHERE name=? AND unit_symbol=? AND source=? AND instrument=? AND net=? AND pin=?"
            " AND limit_id=? AND diagnostic=?",
            row,
        ).fetchone()
        return _remember(self.known.quantities, key, int(found[0]))

    def limit(self, text: str) -> int:
        """The key of a limit; 0 where there is none."""
        if not text:
            return 0
        known = self.known.limits.get(text)
        if known is not None:
            return known
        self.one("INSERT OR IGNORE INTO limits VALUES (NULL,?)", (text,))
        found = self.one("SELECT id FROM limits WHERE json=?", (text,)).fetchone()
        return _remember(self.known.limits, text, int(found[0]))

    def seldom(self, document: Document) -> None:
        """Documents of which a run has few."""
        if isinstance(document, RunStarted):
            self.start_run(document)
            return
        assert self.base is not None
        run = self.base >> SEQUENCE_BITS
        number = self.base + self.number
        d = document
        match d:
            case Logged():
                level = d.level._value_
                self.events.append(
                    (number, "Logged", d.t, self.wall, d.kind, level, d.unit, d.node, d.message, None),
                )
            case SafeState():
                level = "error" if d.verified is False else "info"
                data = dumps({"instrument": d.instrument, "verified": d.verified})
                self.events.append(
                    (number, "SafeState", d.t, self.wall, "safe", level, None, "", d.message, data),
                )
            case Discarded():
                # from its own first row on: an attempt may be given up at each of a million points
                first = self.given_up.pop((d.unit, d.node, d.attempt), self.base)
                self.discarded.append((first, number, d.unit, d.order, d.order + d.size))
            case Held() | Waited():
                data = dumps(asdict(d))
                kind = type(d).__name__
                self.events.append(
                    (number, kind, d.t1, self.wall, kind.lower(), "debug", d.unit, d.node, d.resource, data),
                )
            case Scheduled():
                message = f"order of several units: {d.policy}"
                data = dumps(asdict(d))
                self.events.append(
                    (number, "Scheduled", d.t, self.wall, "schedule", "debug", None, "", message, data),
                )
            case InstrumentOpened():
                message = f"{d.instrument.name}: {d.instrument.identity}"
                data = dumps(asdict(d.instrument))
                self.events.append(
                    (number, "InstrumentOpened", d.t, self.wall, "instrument", "info", None, "", message, data),
                )
            case Attached():
                blob = self.blob(d.content, hashlib.sha256(d.content).hexdigest()) if d.content or not d.size else None
                row = (number, d.unit, d.node, d.t, self.wall, d.name, d.path, d.sha256, d.size, blob)
                self.one("INSERT INTO attachments VALUES (?,?,?,?,?,?,?,?,?,?)", row)
            case UnitStarted():
                self.insert(
                    "units",
                    {"run": run, "unit": d.unit, "serial": d.serial, "site": d.site, "fields": dumps(d.fields)}
                    | {"started_s": d.t, "message": "", **asdict(Tally())},
                )
            case UnitFinished():
                changes = {"finished_s": d.t, "outcome": d.outcome._value_, "message": d.message, **asdict(d.tally)}
                self.update("units", changes, "run=? AND unit=?", (run, d.unit))
            case RunFinished():
                changes = {"finished_s": d.t, "finished_wall": self.wall, "outcome": d.outcome._value_}
                self.update("runs", {**changes, "message": d.message, **asdict(d.tally)}, "key=?", (run,))
            case _:
                raise StoreError(
                    f"the journal does not know documents of type {type(document).__name__}", "report this as a bug"
                )

    def update(self, table: str, changes: dict[str, Any], where: str, key: Row) -> None:
        columns = ", ".join(f"{column}=?" for column in changes)
        self.one(f"UPDATE {table} SET {columns} WHERE {where}", (*changes.values(), *key))

    def start_run(self, d: RunStarted) -> None:
        if self.base is not None:
            raise StoreError("the journal got a second RunStarted for one run", "report this as a bug")
        if self.connection.execute("SELECT 1 FROM runs WHERE id=?", (d.run_id,)).fetchone():
            raise StoreError(f"the journal already has a run {d.run_id}", "start the run again: it gets a new id")
        self.claim(d.run_id)
        run = self.insert(
            "runs",
            {"id": d.run_id, "short": short_id(d.run_id), "sequence": d.sequence, "title": d.title}
            | {"version": d.version, "station": d.station, "clock": d.clock, "seed": str(d.seed)}
            | {"procedure_digest": d.procedure_digest, "plan_digest": d.plan_digest}
            | {"parameters": dumps(d.parameters), "limit_set": d.limit_set, "operator": d.operator}
            | {"description": d.description, "meta": dumps(d.meta), "environment": dumps(d.environment)}
            | {
                "argv": dumps(d.argv),
                "units": dumps(d.units),
                "planned_s": d.planned_s,
                "started_wall": self.wall,
                "message": "",
            }
            | {"host": socket.gethostname(), "pid": os.getpid(), **asdict(Tally())},
        )
        for position, file in enumerate(d.files):
            content = file.text.encode("utf-8", "surrogateescape")
            blob = self.blob(content, hashlib.sha256(content).hexdigest())
            row = {"run": run, "position": position, "kind": file.kind, "path": file.path, "sha256": file.sha256}
            self.insert("run_files", {**row, "blob": blob})
        self.base = run << SEQUENCE_BITS

    def blob(self, content: bytes, sha256: str) -> str:
        self.connection.execute("INSERT OR IGNORE INTO blobs VALUES (?,?)", (sha256, content))
        return sha256


def _remember(known: dict[Any, int], key: Any, value: int) -> int:
    if len(known) >= REMEMBERED:
        known.clear()
    known[key] = value
    return value
