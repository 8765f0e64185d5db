"""Runs random programs whose units contend for everything, and counts the deadlocks: there must be none.

`python -m tests.bench.deadlocks [programs] [first seed]`; 2,000 programs unless told otherwise, 100,000 for a night.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.bench.workloads.contended import run_program

BATCH = 50


def faults_of(first: int, count: int) -> list[tuple[int, str]]:
    """Broken promises of some programs: (seed, what)."""
    found: list[tuple[int, str]] = []
    for seed in range(first, first + count):
        try:
            found += ((seed, promise) for promise in run_program(seed).broken_promises())
        except Exception as error:  # noqa: BLE001  # counted like any other, with its seed
            found.append((seed, f"{type(error).__name__}: {error}"))
    return found


def batches(programs: int, first: int) -> Iterator[tuple[int, int]]:
    for start in range(first, first + programs, BATCH):
        yield start, min(BATCH, first + programs - start)


def main(arguments: list[str]) -> int:
    programs = int(arguments[0].replace("_", "").replace(",", "")) if arguments else 2_000
    first = int(arguments[1]) if len(arguments) > 1 else 0
    began = time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        work = [pool.submit(faults_of, start, count) for start, count in batches(programs, first)]
        found = [fault for future in work for fault in future.result()]
    deadlocks = sum(1 for _, what in found if what.startswith("deadlock"))
    took_s = time.perf_counter() - began
    print(
        f"{programs:,} contended programs in {took_s:.0f} s: {deadlocks} deadlocks, {len(found) - deadlocks} other faults"
    )
    for seed, what in found[:10]:
        print(f"  seed {seed}: {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
