"""What happened in a run, one document at a time, in order.

Documents are the only thing the dispatcher emits: the journal stores them, screens and reports read them. They are slotted
dataclasses because a run emits several for every step. Once emitted a document is never changed. Times are seconds since the
start of the run on the run's own clock; the journal adds wall time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar


class Verdict(StrEnum):
    """What a limit says of one value."""

    PASS = "pass"
    MARGINAL = "marginal"
    FAIL = "fail"
    UNJUDGED = "unjudged"


class Outcome(StrEnum):
    """How a step, a unit or a run ended; see `engine.verdict.ladder` for the order."""

    PASS = "pass"
    MARGINAL = "marginal"
    UNJUDGED = "unjudged"
    FAIL = "fail"
    ERROR = "error"
    ABORTED = "aborted"
    SKIPPED = "skipped"
    NOT_RUN = "not run"
    DONE = "done"
    """A step that judges nothing and did its work."""


class Level(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


Value = float | str | bool | None
"""What a measurement can be; a missing reading is NaN, an unreadable one None."""


@dataclass(slots=True)
class InstrumentIdentity:
    """Who answered for an instrument of the station."""

    name: str
    driver: str
    backend: str
    address: str
    identity: str
    site: str | None = None
    calibration_due: str | None = None
    driver_file: str = ""
    driver_sha256: str = ""
    has_safe_state: bool = True
    """Whether the station names a state in which a run is to leave it."""


@dataclass(slots=True)
class FileSnapshot:
    """A file the run used, as it was."""

    kind: str
    """sequence, station, driver, device, settings, attachment."""
    path: str
    sha256: str
    text: str


@dataclass(slots=True)
class RunStarted:
    """The run exists; nothing has been set yet."""

    run_id: str
    sequence: str
    title: str
    version: str
    station: str
    clock: str
    procedure_digest: str
    plan_digest: str
    parameters: dict[str, Any]
    limit_set: str | None
    seed: int
    operator: str
    description: str
    meta: dict[str, str]
    files: list[FileSnapshot]
    environment: dict[str, Any]
    """Host, user, versions, git commit and dirtiness."""
    argv: list[str] = field(default_factory=list)
    planned_s: float | None = None
    """The duration the simulated run predicted, seconds."""
    units: dict[str, str] = field(default_factory=dict)
    """Unit symbols of parameters and axes, by name; a name without a unit is left out."""


@dataclass(slots=True)
class InstrumentOpened:
    """An instrument answered."""

    t: float
    instrument: InstrumentIdentity


@dataclass(slots=True)
class UnitStarted:
    """A unit takes its place."""

    unit: int
    serial: str
    site: str
    t: float
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class NodeStarted:
    """A node has what it needs and acts now."""

    unit: int
    node: str
    attempt: int
    order: int
    """Position in the fully expanded plan; exports sort by it."""
    kind: str
    """The verb."""
    t: float
    waited: float = 0.0
    """Seconds from being ready to having what it needed."""


@dataclass(slots=True)
class Measured:
    """One recorded value and what its limit said."""

    unit: int
    node: str
    attempt: int
    order: int
    name: str
    value: Value
    unit_symbol: str
    """Of value and limits; empty where there is none."""
    verdict: Verdict
    t: float
    low: float | None = None
    high: float | None = None
    limit: str = ""
    """The limit in structured form, JSON; empty where not judged."""
    margin: float | None = None
    """Distance to the nearest bound, in the unit of the value; negative outside."""
    axes: tuple[tuple[str, float | str], ...] = ()
    """Axis values of the enclosing loops, outermost first."""
    source: str = ""
    """`role.property`, or the verb that derived it."""
    instrument: str = ""
    net: str = ""
    pin: str = ""
    samples: int = 1
    spread: float | None = None
    """Sample standard deviation (n-1) of the readings; None for one reading."""
    diagnostic: bool = False
    """Kept with the run and never judged (`record`)."""
    json_value: str = ""
    """A diagnostic, or a series, as JSON."""
    final: ClassVar[bool] = True
    """A result, as far as is known when it is measured; `Discarded` takes it back."""


@dataclass(slots=True)
class Logged:
    """A message of the run."""

    t: float
    level: Level
    message: str
    unit: int | None = None
    node: str = ""
    kind: str = "log"
    """log, guard, monitor, safe, instrument, control."""


@dataclass(slots=True)
class Attached:
    """A file kept with the run."""

    unit: int
    node: str
    t: float
    name: str
    path: str
    sha256: str
    size: int
    content: bytes = b""


@dataclass(slots=True)
class NodeFinished:
    """A node's attempt is over."""

    unit: int
    node: str
    attempt: int
    order: int
    kind: str
    outcome: Outcome
    started: float
    t: float
    final: bool = True
    """False for an attempt that is tried again; what such an attempt held is told by `Discarded`."""
    message: str = ""
    title: str = ""
    waited: float = 0.0
    """Seconds from being ready to having what it needed."""


@dataclass(slots=True)
class Discarded:
    """An attempt is given up for another one: nothing recorded so far for these places of the plan is a result.

    What its remedy recorded is covered too.
    """

    unit: int
    node: str
    attempt: int
    order: int
    """Of the node; the places are `order` to `order + size`, that one not included."""
    size: int
    t: float


@dataclass(slots=True)
class Scheduled:
    """In which order several units are to share the bench; what came of it is told by what they held."""

    t: float
    policy: str
    """fifo, rules or plan."""
    makespan_s: float | None = None
    """How long all of it is planned to take; None without a plan."""
    lower_bound_s: float | None = None
    """No order can take less."""
    bars: list[tuple[str, int, float, float]] = field(default_factory=list)
    """(resource, unit, start, end) of what is planned to be held."""


@dataclass(slots=True)
class Held:
    """A unit has given back something that other units may use too; only in runs of several units."""

    unit: int
    resource: str
    """The instance of an instrument, or a resource of the station."""
    kind: str
    """claim (for one node), drive, hold (both across nodes), mode (together with others at one value)."""
    node: str
    """The node that took it."""
    t0: float
    t1: float
    value: Value = None
    """Of a mode."""


@dataclass(slots=True)
class Waited:
    """A node could not start because of what others had; only in runs of several units."""

    unit: int
    node: str
    resource: str
    """What was in the way when it came in line."""
    others: tuple[int, ...]
    """Units that had it then."""
    t0: float
    t1: float


@dataclass(slots=True)
class Tally:
    """How many values were judged how; a loop that failed for a reason of its own is counted with them."""

    passed: int = 0
    marginal: int = 0
    failed: int = 0
    unjudged: int = 0
    errors: int = 0
    skipped: int = 0


@dataclass(slots=True)
class UnitFinished:
    """A unit has left its place; its instruments are safe."""

    unit: int
    outcome: Outcome
    t: float
    tally: Tally
    message: str = ""


@dataclass(slots=True)
class SafeState:
    """An instrument was told its safe state and, where it can be, read back."""

    t: float
    instrument: str
    verified: bool | None
    """None: nothing to read back."""
    message: str = ""


@dataclass(slots=True)
class RunFinished:
    """Nothing follows."""

    outcome: Outcome
    t: float
    tally: Tally
    message: str = ""


Document = (
    RunStarted
    | InstrumentOpened
    | UnitStarted
    | NodeStarted
    | Measured
    | Logged
    | Attached
    | NodeFinished
    | Discarded
    | Scheduled
    | Held
    | Waited
    | UnitFinished
    | SafeState
    | RunFinished
)
