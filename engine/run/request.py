"""What a run is asked to do, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from schemas.documents import Outcome, Tally

if TYPE_CHECKING:
    from engine.run.units import UnitEntry
    from schemas.loading import Loaded
    from schemas.sequence import Sequence as SequenceModel
    from schemas.station import Station


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One sequence on one station, and everything that was said on the command line."""

    sequence: Loaded[SequenceModel]
    station: Loaded[Station]
    units: tuple[UnitEntry, ...] = ()
    """The units as they were named, one after the other; empty: one called `SIM-1`, or `UNIT-1` on a real bench."""
    serials: tuple[str, ...] = ()
    """The same for callers who have serial numbers only."""
    dut_fields: Mapping[str, str] = field(default_factory=dict)
    """What else identifies the unit, where none is named."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    limit_set: str | None = None
    mocks: Mapping[str, str] = field(default_factory=dict)
    """`role.property` → value, as typed."""
    seed: int | None = None
    """None: the world's own."""
    operator: str = ""
    description: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    speed: float = 1.0
    """Simulated seconds a real one, on the wall clock."""
    cleanup_timeout_s: float = 30.0
    schedule: Literal["auto", "fifo", "rules", "plan"] = "auto"
    """How several units are ordered; auto: by a plan."""
    optimize: str = "iters:300"
    """What planning is worth: `5s`, or `iters:N`, which gives the same plan every time."""
    replan_s: float = 0.05
    """What planning again is worth when a run has drifted from its plan, seconds; 0: never."""
    plugins: tuple[str, ...] = ()
    """Modules that `python:` steps may use."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    settings_file: Path | None = None
    argv: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What came of one run."""

    run_id: str
    """Empty where nothing was recorded."""
    outcome: Outcome
    tally: Tally
    duration_s: float
    """On the run's own clock."""
    message: str = ""


@dataclass(frozen=True, slots=True)
class NodeEstimate:
    """How long one node took in the simulated run, all its points and attempts together."""

    node: str
    verb: str
    count: int
    total_s: float
    order: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the simulated run took."""

    duration_s: float
    outcome: Outcome
    nodes: tuple[NodeEstimate, ...]
    executed: int
    """Node attempts in all."""
    message: str = ""
