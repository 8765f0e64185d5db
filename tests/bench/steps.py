"""What a recorded step costs from the file to the report, and what a million of them need.

Each workload is a process of its own. What it costs to start (a run of one step) is taken off, for ours as for the others,
and shown by itself as the time to the first step.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.store import Journal
from tests.bench.measure import Line, Note, Row
from tests.bench.peers import NotInstallable, python_with
from tests.bench.projects import write_project

TITLE = "A recorded step: one judged reading of a simulated instrument"
STEPS = 10_000
MILLION = 1_000_000
REPEATS = 3
WORKLOADS = Path(__file__).parent / "workloads"
Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cost:
    """One workload: what a step costs beyond the start, and what the start takes."""

    step_us: float
    first_ms: float
    peak_mb: float
    told: Told
    """Of the median run with many steps."""


def figures() -> Iterator[Line]:
    ours = measured(lambda steps, folder: _ours(steps, "grouped", folder))
    each = measured(lambda steps, folder: _ours(steps, "each", folder))
    asking = measured(lambda steps, folder: _ours(steps, "grouped", folder, asks_for_errors=True))
    floor = measured(lambda steps, folder: _script(sys.executable, "floor.py", steps, "grouped", folder))
    floor_each = measured(lambda steps, folder: _script(sys.executable, "floor.py", steps, "each", folder))
    yield Row("a step, batched", ours.step_us, "µs", "floor: simpy, query, limit, row", floor.step_us, "≤ 35")
    yield Row("a step, two durable commits each", each.step_us, "µs", "floor, one commit", floor_each.step_us, "≤ 90")
    yield Row("the same, error queue asked after each", asking.step_us, "µs", "floor, batched", floor.step_us)
    for part in ("load", "run", "report"):
        share = ours.told[f"{part}_s"] * 1e6 / STEPS
        yield Row(f"of the batched step: {part}", share, "µs", "floor, batched", floor.step_us)
    yield Row("first step after the process starts, wall", ours.first_ms, "ms", "floor", floor.first_ms, "≤ 400")
    yield Row("peak memory at 10,000 points", ours.peak_mb, "MB", "floor", floor.peak_mb, "≤ 60")
    yield from _peers(ours)
    with tempfile.TemporaryDirectory(prefix="benchwright-bench-") as name:
        told = _ours(MILLION, "grouped", Path(name))
    million_us = (told["cpu_s"] - ours.told["cpu_s"]) * 1e6 / (MILLION - STEPS)
    yield Row("a step at 1,000,000 points", million_us, "µs", "a step at 10,000", ours.step_us, "≤ 1.2 ×")
    yield Row("peak memory at 1,000,000 points", told["peak_mb"], "MB", "at 10,000", ours.peak_mb, "≤ 150")
    for part in ("load", "run", "report"):
        share = told[f"{part}_s"] * 1e6 / MILLION
        yield Row(f"at 1,000,000: {part}", share, "µs", "at 10,000", ours.told[f"{part}_s"] * 1e6 / STEPS)


def _peers(ours: Cost) -> Iterator[Line]:
    for package, script in (("pytest", "with_pytest.py"), ("openhtf", "with_openhtf.py")):
        try:
            python = str(python_with(package))
            peer = measured(lambda steps, folder, p=python, s=script: _script(p, s, steps, folder))  # type: ignore[misc]
        except (NotInstallable, subprocess.SubprocessError) as reason:
            yield Note(str(reason))
            continue
        yield Row("a step, batched", ours.step_us, "µs", package, peer.step_us)
        yield Row("first step, wall", ours.first_ms, "ms", package, peer.first_ms)
        yield Row("peak memory at 10,000 points", ours.peak_mb, "MB", package, peer.peak_mb)


def measured(workload: Callable[[int, Path], Told]) -> Cost:
    """The medians of several runs with one step and with many, in turns."""
    one: list[Told] = []
    many: list[Told] = []
    for _ in range(REPEATS):
        for steps, found in ((1, one), (STEPS, many)):
            with tempfile.TemporaryDirectory(prefix="benchwright-bench-") as name:
                found.append(workload(steps, Path(name)))
    start_s = statistics.median(told["cpu_s"] for told in one)
    many.sort(key=lambda told: float(told["cpu_s"]))
    middle = many[len(many) // 2]
    return Cost(
        (middle["cpu_s"] - start_s) * 1e6 / (STEPS - 1),
        statistics.median(told["first_ms"] for told in one),
        statistics.median(told["peak_mb"] for told in many),
        middle,
    )


def _ours(steps: int, durability: str, folder: Path, *, asks_for_errors: bool = False) -> Told:
    write_project(folder / "project", steps, asks_for_errors=asks_for_errors)
    Journal(
        folder / "benchwright.db"
    ).close()  # every run but the first finds one; making it needs sqlite-utils and NumPy
    told = _script(sys.executable, "ours.py", folder / "project", durability, folder)
    if told["passed"] != steps:
        raise RuntimeError(f"{told['passed']} of {steps} steps passed, the run ended as {told['outcome']}")
    return told


def _script(python: str, script: str, *arguments: object) -> Told:
    command: Sequence[str] = [python, str(WORKLOADS / script), *map(str, arguments)]
    started = time.time()
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=WORKLOADS)
    told: Told = json.loads(done.stdout.strip().rpartition("\n")[2])
    told["first_ms"] = (told["first"] - started) * 1e3 if told["first"] else float("nan")
    return told
