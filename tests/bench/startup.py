"""How long the command line takes to say something, beside the interpreter that does nothing. Wall time."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import Line, Note, Row

TITLE = "Start-up, wall time"
REPEATS = 7
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("benchwright")
RUN = ("run", "sequences/ldo_tempco.yaml", "--station", "stations/sim_bench.yaml")


def figures() -> Iterator[Line]:
    with tempfile.TemporaryDirectory(prefix="benchwright-bench-") as results:
        commands = {
            "--help": ("--help",),
            "validate, a shipped sequence": ("validate", "sequences/ldo_tempco.yaml"),
            "validate, everything shipped": ("validate",),
            "run, ldo_tempco from shell to shell": (*RUN, "--results", results),
        }
        targets = {"validate, a shipped sequence": "≤ 300"}
        lines = {"pass": [sys.executable, "-c", "pass"]}
        lines |= {name: [str(PROGRAM), *arguments] for name, arguments in commands.items()}
        taken: dict[str, list[float]] = {name: [] for name in lines}
        failed: dict[str, int] = {}
        for _ in range(REPEATS):
            for name, line in lines.items():
                started = time.perf_counter()
                done = subprocess.run(line, capture_output=True, cwd=ROOT, stdin=subprocess.DEVNULL)
                taken[name].append((time.perf_counter() - started) * 1e3)
                if done.returncode not in (0, 1, 5):
                    failed[name] = done.returncode
    floor = statistics.median(taken["pass"])
    for name in commands:
        if name in failed:
            yield Note(f"`benchwright {' '.join(commands[name][:2])}` ended with exit code {failed[name]}; left out")
        else:
            yield Row(name, statistics.median(taken[name]), "ms", "python -c pass", floor, targets.get(name, ""))
