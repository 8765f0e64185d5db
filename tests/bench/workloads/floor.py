"""What cannot be avoided: let time pass in simpy, ask, compare, write a row. Arguments: steps, `grouped` or `each`, folder."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import simpy
from told import first_step, tell

REPLIES = {"MEAS:VOLT?": "5.000000e-01"}
INSERT = "INSERT INTO measurements VALUES (?,?,?,?,?,?,?)"


def main(steps: int, durability: str, folder: Path) -> None:
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={'FULL' if durability == 'each' else 'NORMAL'}")
    connection.execute("CREATE TABLE measurements (id INTEGER PRIMARY KEY, node, t, value, low, high, verdict)")
    clock = simpy.Environment()

    def unit() -> Generator[Any, Any, None]:
        rows = []
        for number in range(steps):
            yield clock.timeout(0.001)
            value = float(REPLIES["MEAS:VOLT?"])
            verdict = "pass" if -1.0 <= value <= 1.0 else "fail"
            first_step()
            rows.append((number, f"steps/reading[point={number}]", clock.now, value, -1.0, 1.0, verdict))
            if durability == "each" or len(rows) == 1000:
                connection.execute("BEGIN")
                connection.executemany(INSERT, rows)
                connection.execute("COMMIT")
                rows.clear()
        connection.executemany(INSERT, rows)

    clock.process(unit())
    clock.run()
    connection.close()
    tell()


main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
