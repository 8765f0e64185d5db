"""What is shared and kept while a sequence is compiled: counters, ids, inherited keys, drafts of nodes."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.plan.binding import Bound
from engine.plan.model import Action, Claim, Hold
from engine.plan.names import Scope
from engine.plan.wiring import Net
from schemas.diagnostics import Problems
from schemas.library import Library
from schemas.loading import Loaded
from schemas.sequence import Identity
from schemas.sequence import Sequence as SequenceModel
from schemas.source import Path
from schemas.steps import (
    CallStep,
    ComputeStep,
    Defaults,
    GroupStep,
    IfStep,
    MeasureStep,
    ParallelStep,
    RepeatStep,
    StepBase,
    SweepStep,
    verb_of,
)

HOLDERS = (GroupStep, SweepStep, RepeatStep, IfStep, ParallelStep, CallStep)
"""Steps that hold others."""
MOST_NODES = 2**62
"""What a node's `order` may count to."""


@dataclass(slots=True)
class Build:
    """What is shared by all frames of one compilation."""

    bound: Bound
    nets: Mapping[str, Net | None]
    """None: a net with problems of its own."""
    library: Library
    problems: Problems
    root: pathlib.Path
    """The project: files that steps name lie below it."""
    limit_set: str | None = None
    seed: int = 0
    plugins: tuple[str, ...] = ()
    order: int = 0
    sequences: dict[pathlib.Path, Loaded[SequenceModel]] = field(default_factory=dict)
    instruments: set[str] = field(default_factory=set)
    """Those that some node uses."""
    identity: dict[str, Identity] = field(default_factory=dict)
    """What identifies a unit, for the sequence and all that it calls."""

    def next_order(self) -> int:
        self.order += 1
        return self.order - 1


@dataclass(slots=True)
class Ids:
    """Gives the nodes of one place their stable names."""

    prefix: str
    counters: dict[str, int] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def of(self, step: StepBase) -> str:
        """`id`, else the measured name, else `verb#ordinal`."""
        verb = verb_of(step)
        if step.id is not None:
            return self.unique(step.id)
        if isinstance(step, MeasureStep):
            return self.unique(step.measure)
        if isinstance(step, ComputeStep):
            return self.unique(step.compute)
        if isinstance(step, CallStep):
            return self.unique(step.call)
        self.counters[verb] = self.counters.get(verb, 0) + 1
        return self.unique(f"{verb}#{self.counters[verb]}")

    def unique(self, name: str) -> str:
        path = f"{self.prefix}/{name}" if self.prefix else name
        number = 1
        while path in self.taken:
            number += 1
            path = f"{self.prefix}/{name}#{number}" if self.prefix else f"{name}#{number}"
        self.taken.add(path)
        return path

    def unique_below(self, node_id: str, suffix: str) -> str:
        """The id of one node of several that a step became."""
        path, number = f"{node_id}/{suffix}", 1
        while path in self.taken:
            number += 1
            path = f"{node_id}/{suffix}#{number}"
        self.taken.add(path)
        return path


_OF_LEAVES = frozenset({"timeout", "retry", "duration", "uses"})
"""Keys that `defaults:` gives to the steps that act, not to those that hold them: both would count twice."""


@dataclass(frozen=True, slots=True)
class Inherited:
    """Common keys that `defaults:` gave, with where they stand; innermost last."""

    layers: tuple[tuple[Defaults, Path], ...] = ()

    def with_(self, defaults: Defaults | None, path: Path) -> Inherited:
        return self if defaults is None else Inherited((*self.layers, (defaults, path)))

    def of(self, step: StepBase, key: str) -> Any:
        """The step's own value if it wrote one, else the innermost default's, else the model's."""
        return self.find(step, key, ())[0]

    def find(self, step: StepBase, key: str, path: Path) -> tuple[Any, Path]:
        """The value, and where in the file it stands; `path` is the step's."""
        if key in step.model_fields_set or (key in _OF_LEAVES and isinstance(step, HOLDERS)):
            return getattr(step, key), (*path, key)
        for layer, place in reversed(self.layers):
            if key in layer.model_fields_set:
                return getattr(layer, key), (*place, key)
        return getattr(step, key), (*path, key)

    def without_retry(self) -> Inherited:
        """The same without retries: what repairs a step is not repaired itself."""
        return Inherited(tuple((layer.model_copy(update={"retry": None}), place) for layer, place in self.layers))


@dataclass(frozen=True, slots=True)
class At:
    """A step while it is compiled: where it stands, what it sees, what it inherits."""

    path: Path
    scope: Scope
    node_id: str
    ids: Ids
    inherited: Inherited

    def place(self, *keys: str | int) -> Path:
        return (*self.path, *keys)


@dataclass(slots=True)
class Draft:
    """What a verb made of a step: actions, in order, and what they touch."""

    action: Action
    suffix: str = ""
    """Appended to the id where one step becomes several nodes."""
    claims: tuple[Claim, ...] = ()
    holds: tuple[Hold, ...] = ()
    binds: tuple[str, ...] = ()
