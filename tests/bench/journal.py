"""The journal: documents to rows, in groups and one durable transaction a step, beside bare sqlite3."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from engine.store import Journal
from schemas.documents import Document, Measured, NodeFinished, NodeStarted, Outcome, RunStarted, Verdict
from tests.bench.measure import Line, Note, Row, side_by_side

TITLE = "The journal"
STEPS = 20_000
DURABLE_STEPS = 2_000
LIMIT = '{"kind":"between","low":-1.0,"high":1.0}'
COLUMNS = 20


def figures() -> Iterator[Line]:
    with tempfile.TemporaryDirectory(prefix="benchwright-bench-") as name:
        folder = Path(name)
        grouped = side_by_side(
            {"ours": lambda: _ours(folder, STEPS, each=False), "floor": lambda: _many(folder, STEPS)}, repeats=5
        )
        each = side_by_side(
            {
                "ours": lambda: _ours(folder, DURABLE_STEPS, each=True),
                "floor": lambda: _one_by_one(folder, DURABLE_STEPS),
            },
            repeats=5,
        )
        wall = _wall_us(folder)
    rows = 2 * STEPS
    yield Row(
        "rows/s grouped, a node and a measurement a step",
        rows / grouped["ours"],
        "rows/s",
        "executemany of 1,000",
        rows / grouped["floor"],
    )
    yield Row("a step, grouped", grouped["ours"] / STEPS * 1e6, "µs", "two rows", grouped["floor"] / STEPS * 1e6)
    yield Row(
        "a step, one durable commit each (FULL)",
        each["ours"] / DURABLE_STEPS * 1e6,
        "µs",
        "two rows and a commit",
        each["floor"] / DURABLE_STEPS * 1e6,
    )
    yield Row("the same, wall time", wall[0], "µs", "two rows and a commit", wall[1])
    yield Note(
        "The rows are as wide as ours, and the floor's are already tuples. On the wall clock a step is one such commit: "
        "what came of a step becomes durable together with the intent of the next."
    )


def _documents(steps: int) -> list[Document]:
    documents: list[Document] = []
    for number in range(steps):
        t = number * 0.001
        node = f"steps/reading[point={number}]"
        documents.append(NodeStarted(0, node, 1, number, "measure", t))
        place = (0, node, 1, number)
        axes = (("point", float(number)),)
        bounds = (-1.0, 1.0, LIMIT, 0.5)
        documents.append(
            Measured(*place, "reading", 0.5, "V", Verdict.PASS, t, *bounds, axes, "meter.voltage", "meter")
        )
        documents.append(NodeFinished(0, node, 1, number, "measure", Outcome.PASS, t, t + 0.001))
    return documents


def _started(run_id: str) -> RunStarted:
    return RunStarted(run_id, "points", "", "", "bench", "virtual", "", "", {}, None, 0, "", "", {}, [], {})


_made: dict[int, list[Document]] = {}
_runs = iter(range(1_000_000))


def _ours(folder: Path, steps: int, *, each: bool) -> None:
    documents = _made.get(steps) or _made.setdefault(steps, _documents(steps))
    number = next(_runs)
    own = folder / f"ours{number}"
    with Journal(own / "benchwright.db") as journal:
        recorder = journal.recorder("each" if each else "grouped")
        recorder.record(_started(f"run{number}"))
        record, durable = recorder.record, recorder.durable
        for document in documents:
            record(document)
            if type(document) is NodeFinished:
                durable()
        recorder.close()


def _connection(folder: Path, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / f"floor{next(_runs)}.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    columns = ",".join(f"c{column}" for column in range(1, COLUMNS))
    for table in ("nodes", "measurements"):
        connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, {columns})")
    return connection


_INSERT = "INSERT INTO {} VALUES (" + ",".join("?" * COLUMNS) + ")"
_VALUES = (0, 1, 2, "steps/reading[point=1]", 1, "number", 0.5, None, "pass", -1.0, 1.0, 0.5, '{"point":1.0}', 0.0, 1.7e9,
           1, None, None)  # fmt: skip


def _many(folder: Path, steps: int) -> None:
    connection = _connection(folder, "NORMAL")
    for first in range(0, steps, 1000):
        connection.execute("BEGIN")
        for table in ("nodes", "measurements"):
            connection.executemany(_INSERT.format(table), ((first + row, *_VALUES) for row in range(1000)))
        connection.execute("COMMIT")
    connection.close()


def _one_by_one(folder: Path, steps: int) -> None:
    connection = _connection(folder, "FULL")
    nodes, measurements = _INSERT.format("nodes"), _INSERT.format("measurements")
    for row in range(steps):
        connection.execute("BEGIN")
        connection.execute(nodes, (row, *_VALUES))
        connection.execute(measurements, (row, *_VALUES))
        connection.execute("COMMIT")
    connection.close()


def _wall_us(folder: Path) -> tuple[float, float]:
    started = time.perf_counter()
    _ours(folder, DURABLE_STEPS, each=True)
    between = time.perf_counter()
    _one_by_one(folder, DURABLE_STEPS)
    ended = time.perf_counter()
    return (between - started) / DURABLE_STEPS * 1e6, (ended - between) / DURABLE_STEPS * 1e6
