"""What an engineer is told about a project that cannot run: one message for each cause, at its place, with a remedy.

Each case of `tests/data/invalid` is a sequence, or a folder with a sequence, a station and drivers of its own; the rest
comes from `shared`. The golden text beside it holds all that is told.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.plan.compile import compile_plan
from schemas.diagnostics import InvalidFiles, Problems, render
from schemas.library import Library
from schemas.loading import load

INVALID = Path(__file__).parents[2] / "data" / "invalid"
SHARED = INVALID / "shared"
FILES = sorted(path.stem for path in INVALID.glob("*.yaml"))
FOLDERS = sorted(path.name for path in INVALID.iterdir() if path.is_dir() and path != SHARED)


def problems_of(sequence: Path, station: Path, project: Path) -> Problems:
    """Everything that is told of a project."""
    problems = Problems()
    loaded = []
    for path, kind in ((sequence, "sequence"), (station, "station")):
        try:
            loaded.append(load(path, kind))  # type: ignore[arg-type]
        except InvalidFiles as invalid:
            problems.extend(invalid.problems)
    if len(loaded) == 2:
        try:
            compile_plan(*loaded, Library(project, shipped=SHARED), project, problems=problems)
        except InvalidFiles as invalid:
            problems.extend(invalid.problems)
    return problems


def compare(problems: Problems, golden: Path) -> None:
    assert problems.errors, "nothing wrong was found"
    told = render(problems) + "\n"
    if os.environ.get("BENCHWRIGHT_UPDATE_GOLDEN"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", FILES)
def test_a_sequence_that_cannot_run_is_told_as_in_its_golden_message(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(INVALID)
    problems = problems_of(INVALID / f"{case}.yaml", SHARED / "stations" / "bench.yaml", INVALID)
    compare(problems, INVALID / f"{case}.txt")


@pytest.mark.parametrize("case", FOLDERS)
def test_a_project_that_cannot_run_is_told_as_in_its_golden_message(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(INVALID)
    folder = INVALID / case
    problems = problems_of(folder / "sequence.yaml", folder / "station.yaml", folder)
    compare(problems, folder / "expected.txt")


def test_there_are_enough_cases() -> None:
    assert len(FILES) + len(FOLDERS) >= 60
