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
REPEATS = 5
WORKLOADS = Path(__file__).parent / "workloads"
Told = dict[str, Any]


PARTS = ("cpu_s", "load_s", "run_s", "report_s")
"""Figures of a workload that grow with its steps; not every workload tells all."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One workload: what a step costs beyond the start, in all and by part, and what the start takes."""

    step_us: dict[str, float]
    start_s: dict[str, float]
    first_ms: float
    peak_mb: float

    @property
    def all_us(self) -> float:
        return self.step_us["cpu_s"]


def figures() -> Iterator[Line]:
    ours = measured(lambda steps, folder: _ours(steps, "grouped", folder))
    each = measured(lambda steps, folder: _ours(steps, "each", folder))
    asking = measured(lambda steps, folder: _ours(steps, "grouped", folder, asks_for_errors=True))
    floor = measured(lambda steps, folder: _script(sys.executable, "floor.py", steps, "grouped", folder))
    floor_each = measured(lambda steps, folder: _script(sys.executable, "floor.py", steps, "each", folder))
    batched = "floor: simpy, query, limit, row"
    yield Row("a step, batched", ours.all_us, "µs", batched, floor.all_us, "≤ 35")
    for part in PARTS[1:]:
        yield Row(f"of that: {part.removesuffix('_s')}", ours.step_us[part], "µs", batched, floor.all_us)
    yield Row("the error queue asked after each", asking.all_us, "µs", batched, floor.all_us)
    durable = "floor, one commit a step"
    yield Row("a step, one durable commit each (FULL)", each.all_us, "µs", durable, floor_each.all_us, "≤ 90")
    yield Row("first step after the process starts, wall", ours.first_ms, "ms", "floor", floor.first_ms, "≤ 400")
    yield Row("peak memory at 10,000 points", ours.peak_mb, "MB", "floor", floor.peak_mb, "≤ 60")
    yield from _peers(ours)
    yield from _million(ours)


def _million(ours: Cost) -> Iterator[Line]:
    with tempfile.TemporaryDirectory(prefix="benchwright-bench-") as name:
        told = _ours(MILLION, "grouped", Path(name))
    for part, here in ours.step_us.items():
        what = "a step at 1,000,000 points" if part == "cpu_s" else f"of that: {part.removesuffix('_s')}"
        step_us = (told[part] - ours.start_s[part]) * 1e6 / (MILLION - 1)
        yield Row(what, step_us, "µs", "a step at 10,000", here, "≤ 1.2 ×" if part == "cpu_s" else "")
    yield Row("peak memory at 1,000,000 points", told["peak_mb"], "MB", "at 10,000", ours.peak_mb, "≤ 150")


def _peers(ours: Cost) -> Iterator[Line]:
    for package, script in (("pytest", "with_pytest.py"), ("openhtf", "with_openhtf.py")):
        try:
            python = str(python_with(package))
            peer = measured(lambda steps, folder, p=python, s=script: _script(p, s, steps, folder))  # type: ignore[misc]
        except (NotInstallable, subprocess.SubprocessError) as reason:
            yield Note(str(reason))
            continue
        yield Row("a step, batched", ours.all_us, "µs", package, peer.all_us)
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
    start_s = {part: statistics.median(told[part] for told in one) for part in PARTS if part in one[0]}
    total_s = {part: statistics.median(told[part] for told in many) for part in start_s}
    return Cost(
        {part: (total_s[part] - start_s[part]) * 1e6 / (STEPS - 1) for part in start_s},
        start_s,
        statistics.median(told["first_ms"] for told in one),
        statistics.median(told["peak_mb"] for told in many),
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
