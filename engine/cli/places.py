"""Where each step of a plan is written, and which `defaults:` hold there.

A node knows only where its verb stands; its other keys are found from there. Guessing them from the node's id would go
wrong with the first `id:` that somebody adds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.plan.model import Node
from schemas.loading import Loaded
from schemas.source import Path
from schemas.steps import VERBS

_LISTS = ("setup", "steps", "cleanup", "each", "then", "else", "during")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one step is written."""

    file: Loaded[Any]
    path: Path
    defaults: tuple[Path, ...]
    """Places of `defaults:` that hold here, innermost first."""


class Places:
    """Finds the step that a node came from, by where its verb stands."""

    def __init__(self, files: Iterable[Loaded[Any]]) -> None:
        self._found: dict[tuple[str, int], Place] = {}
        for file in files:
            root = file.source_map.root
            defaults: tuple[Path, ...] = (("defaults",),) if "defaults" in root else ()
            for key in _LISTS:
                self._steps(file, root.get(key), (key,), defaults)

    def of(self, node: Node) -> Place | None:
        if node.span is None:
            return None
        return self._found.get((node.span.source.name, node.span.start))

    def _steps(self, file: Loaded[Any], steps: Any, path: Path, defaults: tuple[Path, ...]) -> None:
        if not isinstance(steps, list):
            return
        for index, step in enumerate(steps):
            place: Path = (*path, index)
            if isinstance(step, list):  # a branch
                self._steps(file, step, place, defaults)
                continue
            if not isinstance(step, dict):
                continue
            verb = next((key for key in step if key in VERBS), None)
            if verb is not None:
                span = file.key((*place, verb))
                self._found[span.source.name, span.start] = Place(file, place, defaults)
            inner = ((*place, "defaults"), *defaults) if "defaults" in step else defaults
            for key in _LISTS:
                self._steps(file, step.get(key), (*place, key), inner)
            self._steps(file, step.get("parallel"), (*place, "parallel"), inner)
            if isinstance(step.get("retry"), dict):
                self._steps(file, step["retry"].get("remedy"), (*place, "retry", "remedy"), inner)
