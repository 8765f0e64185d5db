"""Every name that the steps of a sequence make, and where: so that a name read too early is told as that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from schemas.loading import Loaded
from schemas.sequence import Sequence as SequenceModel
from schemas.source import Path, Span
from schemas.steps import (
    CallStep,
    ComputeStep,
    GroupStep,
    IfStep,
    LetStep,
    MeasureStep,
    ParallelStep,
    PythonStep,
    QueryStep,
    RepeatStep,
    Step,
    SweepStep,
)


def declared_names(file: Loaded[SequenceModel]) -> dict[str, Span]:
    """Name → where the first step that makes it says so."""
    model = file.model
    found: dict[str, Span] = {}
    for key in ("setup", "steps", "cleanup"):
        for name, path in _of_list(getattr(model, key), (key,)):
            found.setdefault(name, file.at(path) if path[-1] != name else file.key(path))
    return found


def _of_list(steps: Sequence[Step], path: Path) -> Iterator[tuple[str, Path]]:
    for index, step in enumerate(steps):
        yield from _of_step(step, (*path, index))


def _of_step(step: Any, path: Path) -> Iterator[tuple[str, Path]]:
    match step:
        case MeasureStep():
            yield step.measure, (*path, "measure")
        case ComputeStep():
            yield step.compute, (*path, "compute")
        case LetStep():
            yield from ((name, (*path, "let", name)) for name in step.let)
        case QueryStep():
            if step.expect is not None:
                yield from ((name, (*path, "expect")) for name in re.compile(step.expect).groupindex)
            if step.store is not None:
                yield step.store, (*path, "store")
        case PythonStep() if step.store is not None:
            yield step.store, (*path, "store")
        case CallStep():
            yield from ((name, (*path, "store", name)) for name in step.store)
        case GroupStep():
            for key in ("setup", "steps", "cleanup"):
                yield from _of_list(getattr(step, key), (*path, key))
        case SweepStep():
            for name, axis in step.sweep.items():
                for member in axis if isinstance(axis, dict) else (name,):
                    yield member, (*path, "sweep", name, *((member,) if isinstance(axis, dict) else ()))
            yield from _of_list(step.each, (*path, "each"))
        case RepeatStep():
            yield from _of_list(step.each, (*path, "each"))
        case IfStep():
            yield from _of_list(step.then, (*path, "then"))
            yield from _of_list(step.else_, (*path, "else"))
        case ParallelStep():
            for number, branch in enumerate(step.parallel):
                yield from _of_list(branch, (*path, "parallel", number))
