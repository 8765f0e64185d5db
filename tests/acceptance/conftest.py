"""Runs the shipped sequences on the shipped bench, as the command line does, without the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.core.recorder import MemoryRecorder
from engine.run.request import RunRequest, RunSummary
from engine.run.runner import Prepared, prepare, run
from schemas.documents import Document, Measured
from schemas.library import Library
from schemas.loading import load, load_text

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    """What a run left behind."""

    summary: RunSummary
    documents: Sequence[Document]

    def measured(self, name: str) -> list[Measured]:
        return [found for found in self.documents if isinstance(found, Measured) and found.name == name]

    def value(self, name: str) -> float:
        """The last value of a name."""
        value = self.measured(name)[-1].value
        assert isinstance(value, float)
        return value

    def values(self, name: str) -> list[float]:
        return [float(found.value) for found in self.measured(name)]  # type: ignore[arg-type]


class Bench:
    """`bench("ldo_tempco", world="tempco: 30 ppm/degC", seed=3)`: a run with other constants of the world."""

    def __init__(self, library: Library) -> None:
        self.library = library

    def prepared(
        self, sequence: str, *, world: str | None = None, dynamics: str = "exact", spread: float = 1.0, **wish: Any
    ) -> Prepared:
        text = (ROOT / "stations" / "sim_bench.yaml").read_text(encoding="utf-8")
        if world is not None:
            text = text.replace("parameters: {tempco: 30 ppm/degC}", f"parameters: {{{world}}}")
        text = text.replace("  seed: 7", f"  seed: 7\n  dynamics: {dynamics}\n  spread: {spread}")
        station = load_text(text, "sim_bench.yaml", "station")
        request = RunRequest(load(ROOT / "sequences" / f"{sequence}.yaml", "sequence"), station, **wish)
        return prepare(request, self.library, ROOT)

    def __call__(self, sequence: str, **wish: Any) -> Ran:
        recorder = MemoryRecorder()
        summary = run(self.prepared(sequence, **wish), recorder=recorder, run_id="test")
        return Ran(summary, recorder.documents)


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench(Library(ROOT, None, None))
