"""What the journal gives back, one frozen record for each kind of row. Times are seconds since the run's start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from schemas.documents import Level, Outcome, Tally, Value, Verdict


class RunState(StrEnum):
    """Where a run is in its life."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    """Its process ended without finishing it."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run, as it started and as it ended."""

    key: int
    id: str
    short_id: str
    sequence: str
    title: str
    version: str
    station: str
    clock: str
    procedure_digest: str
    plan_digest: str
    parameters: Mapping[str, Any]
    limit_set: str | None
    seed: int
    operator: str
    description: str
    meta: Mapping[str, str]
    environment: Mapping[str, Any]
    argv: tuple[str, ...]
    planned_s: float | None
    units: Mapping[str, str]
    """Of parameters and axes, by name."""
    started_wall: float
    """Seconds since the epoch."""
    finished_wall: float | None
    duration_s: float | None
    """On the run's own clock; None while it is not finished."""
    outcome: Outcome | None
    """None unless finished."""
    message: str
    tally: Tally
    host: str
    pid: int
    state: RunState

    @property
    def status(self) -> str:
        """The outcome, or `running`, or `interrupted`."""
        return str(self.outcome) if self.outcome is not None else str(self.state)


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """One unit under test in its place."""

    unit: int
    serial: str
    site: str
    fields: Mapping[str, str]
    started_s: float
    finished_s: float | None
    outcome: Outcome | None
    message: str
    tally: Tally


class NodeRecord(NamedTuple):
    """One attempt of one node; a tuple inside because a run may have millions."""

    number: int
    """Of the document that started it."""
    unit: int
    node: str
    attempt: int
    order: int
    kind: str
    title: str
    outcome: Outcome | None
    """None: it had not finished."""
    state: str
    """started, finished or interrupted."""
    final: bool
    """False where it, or what it stands in, was tried again."""
    started: float
    finished: float | None
    waited: float
    wall: float
    """When the journal took it, seconds since the epoch."""
    message: str


class MeasurementRecord(NamedTuple):
    """One recorded value; has every field of the document, and when the journal took it."""

    number: int
    unit: int
    node: str
    attempt: int
    order: int
    name: str
    value: Value
    unit_symbol: str
    verdict: Verdict
    t: float
    low: float | None
    high: float | None
    limit: str
    margin: float | None
    axes: tuple[tuple[str, float | str], ...]
    source: str
    instrument: str
    net: str
    pin: str
    samples: int
    spread: float | None
    diagnostic: bool
    json_value: str
    wall: float
    final: bool = True
    """False where the attempt was given up for another one: no result."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A message, an opened instrument or a safe state."""

    number: int
    document: str
    """Name of the kind of document: Logged, InstrumentOpened, SafeState."""
    t: float
    wall: float
    kind: str
    level: Level
    unit: int | None
    node: str
    message: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InstrumentRecord:
    """An instrument as it answered, and whether it ended safe."""

    name: str
    driver: str
    backend: str
    address: str
    identity: str
    site: str | None
    calibration_due: str | None
    driver_file: str
    driver_sha256: str
    safe: bool | None
    """True: read back; False: read back and wrong; None: not told, or nothing to read back."""
    safe_message: str
    safe_recorded: bool = False
    """Whether it was told to become safe at all."""
    has_safe_state: bool = True
    """Whether the station names one; journals of long ago do not say."""

    @property
    def safety_unknown(self) -> bool:
        """It was to be left in a safe state, and nobody knows whether it was."""
        return self.has_safe_state and not self.safe_recorded


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file the run used."""

    kind: str
    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class AttachmentRecord:
    """A file kept with the run."""

    number: int
    unit: int
    node: str
    t: float
    name: str
    path: str
    sha256: str
    size: int
    kept: bool
    """Whether the journal has the content."""


@dataclass(frozen=True, slots=True)
class NoteRecord:
    """What somebody wrote about a run afterwards."""

    wall: float
    author: str
    text: str
