"""Runs the benchmarks named, or all of them, and prints each table as soon as it is complete."""

from __future__ import annotations

import importlib
import os
import platform
import sqlite3
import sys

from tests.bench.measure import table

NAMES = (
    "loading",
    "expressions",
    "queries",
    "journal",
    "simulation",
    "dispatch",
    "steps",
    "startup",
    "scheduling",
    "sharing",
)


def main(wanted: list[str]) -> int:
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"there is no benchmark `{unknown[0]}`; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, "
          f"{platform.system()}; CPU time unless said otherwise, medians\n", flush=True)  # fmt: skip
    for name in wanted or NAMES:
        benchmark = importlib.import_module(f"tests.bench.{name}")
        print(table(benchmark.TITLE, list(benchmark.figures())), end="\n\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
