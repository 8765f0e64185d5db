"""The compiled plan: a graph of nodes, as data.

A list of steps is a `Steps`: its nodes and, for each, which of its siblings it waits for. Loops hold their body once, as a
template, and their points. What differs from point to point is kept out of the nodes: a node's full id is its `id` plus the
axis values of the enclosing loops, and its `order` is that of the first point plus the loop's `stride` for every later one.
So a million points are one template and two numbers.

Values live at run time in one flat dictionary for each call of a sequence, its *environment*, under *slots*: the compiler
gives every name a slot of its own, so that nothing is looked up by scope while a run is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from engine.core.bench import InstrumentSpec, PropertyValue, Target
from engine.core.errors import EvaluationFailed
from engine.expr import Type
from engine.verdict import Criterion
from schemas.documents import FileSnapshot
from schemas.quantity import Unit
from schemas.source import Span

Environment = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LiveReading:
    """A property read afresh before a formula is evaluated."""

    target: Target
    slot: str


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression that is ready to run."""

    text: str
    """As written, without braces: for messages."""
    fn: Callable[[Mapping[str, Any]], Any]
    """environment → value; raises whatever arithmetic raises: use `value_of`."""
    explain: Callable[[BaseException], EvaluationFailed]
    """What a user is told of what `fn` raised: the sub-expression, the step that should have given a value."""
    type: Type
    """What it gives; a number is in the type's unit."""
    live: tuple[LiveReading, ...] = ()
    series: tuple[tuple[str, str], ...] = ()
    """(accumulator slot, array slot): series so far that are copied into arrays before it is evaluated."""
    names: frozenset[str] = frozenset()
    """The slots it reads."""
    span: Span | None = None
    needs: frozenset[str] = frozenset()
    """The slots whose reading must be there for what is judged: those read, but for those of which `is_nan` asks."""

    def value(self, environment: Environment) -> Any:
        """The value, with series so far made arrays; live readings must already be in their slots."""
        if self.series:
            import numpy

            for accumulator, array in self.series:
                environment[array] = numpy.array(environment.get(accumulator, ()))
        try:
            return self.fn(environment)
        except Exception as error:  # noqa: BLE001  whatever arithmetic raises is told at the sub-expression
            raise self.explain(error) from None


Amount = float | Formula
"""A number known when compiled, or a formula; in the unit its field names."""
Constant = PropertyValue


@dataclass(frozen=True, slots=True)
class Claim:
    """What a node takes before it acts, and gives back after."""

    resource: str
    """An instrument or a plain resource of the station."""
    amount: int = 1
    per_site: bool = False
    """The instance of the unit's own site is meant."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What a unit goes on holding after a node: until the end of the innermost group or call, or `release`."""

    resource: str
    kind: Literal["drive", "mode"]
    per_site: bool = False
    property: str = ""


class LimitPlan(Protocol):
    """What judges a value; may depend on values of the run."""

    @property
    def name(self) -> str:
        """The limit's name; the measured name for one written in place."""
        ...

    @property
    def fixed(self) -> Criterion | None:
        """The criterion, where it depends on nothing."""
        ...

    def resolve(self, environment: Environment) -> Criterion:
        """The criterion here and now; raises EvaluationFailed where no case matches or a bound has no value."""
        ...


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a produced value goes."""

    name: str
    slot: str
    accumulators: Sequence[str] = ()
    """Slots of the series it is appended to: one for each enclosing loop whose series something reads."""


# --- actions: what a node does -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Write:
    """One property and the value it is to have."""

    target: Target
    value: Constant | Formula


@dataclass(frozen=True, slots=True)
class SetAction:
    """Writes of one instrument, in written order."""

    instrument: str
    writes: tuple[Write, ...]
    routes: tuple[Write | SiteWrite, ...] = ()
    """Connections made first."""
    until: Formula | None = None
    poll_s: Amount | None = None
    """None: the slowest default of the properties that `until` reads."""
    settle_s: Amount = 0.0
    force: bool = False


@dataclass(frozen=True, slots=True)
class SiteWrite:
    """A write whose value depends on the unit's site."""

    target: Target
    values: Mapping[str, Constant]


@dataclass(frozen=True, slots=True)
class MeasureAction:
    target: Target
    binding: Binding
    unit: Unit | None
    """The unit recorded; None for words and switches."""
    convert: tuple[float, float] | None
    """(factor, offset) from the property's unit, a net's scale included; None: as it is."""
    samples: int
    interval_s: Amount
    statistic: str
    limit: LimitPlan | None
    routes: tuple[Write | SiteWrite, ...] = ()
    net: str = ""
    pin: str = ""


@dataclass(frozen=True, slots=True)
class ComputeAction:
    binding: Binding
    formula: Formula
    unit: Unit | None
    limit: LimitPlan | None


@dataclass(frozen=True, slots=True)
class CheckAction:
    formula: Formula
    message: Formula | str


@dataclass(frozen=True, slots=True)
class LetAction:
    items: tuple[tuple[Binding, Formula | Constant], ...]


@dataclass(frozen=True, slots=True)
class RecordAction:
    items: tuple[tuple[str, Any, Unit | None], ...]
    """(name, value, unit): a plain JSON value, or a formula; lists and mappings may hold formulas."""


@dataclass(frozen=True, slots=True)
class WaitAction:
    """Exactly one of the two."""

    duration_s: Amount | None
    condition: Formula | None
    poll_s: Amount | None = None


@dataclass(frozen=True, slots=True)
class CommandAction:
    instrument: str
    text: Formula | str


@dataclass(frozen=True, slots=True)
class QueryAction:
    instrument: str
    text: Formula | str
    binding: Binding | None
    groups: tuple[Binding, ...]
    """The named groups of `expect`, in order."""
    expect: str | None
    unit: Unit | None
    """Reads the reply as a number; None: text."""
    limit: LimitPlan | None


@dataclass(frozen=True, slots=True)
class LogAction:
    text: Formula | str
    level: str


@dataclass(frozen=True, slots=True)
class AttachAction:
    path: Formula | str
    root: str
    """Files outside this folder are refused."""


@dataclass(frozen=True, slots=True)
class PythonAction:
    module: str
    function: str
    root: str
    """The project folder the module is looked for in."""
    arguments: Mapping[str, Any]
    """Plain values; formulas inside are evaluated."""
    binding: Binding | None
    unit: Unit | None
    limit: LimitPlan | None


@dataclass(frozen=True, slots=True)
class ReleaseAction:
    """Gives back what this unit holds of these, whoever of its steps began to hold it."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class BarrierAction:
    """Waits until every active unit is here, or has left this place behind."""

    name: str


# --- actions that hold other nodes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Steps:
    """Nodes of one list."""

    nodes: tuple[Node, ...] = ()
    waits: tuple[tuple[int, ...], ...] | None = None
    """For each node the siblings it waits for; None: each waits for the one before it."""


@dataclass(frozen=True, slots=True)
class MonitorPlan:
    name: str
    id: str
    target: Target
    unit: Unit | None
    every_s: float
    limit: LimitPlan | None
    on_fail: Literal["stop", "pause", "continue"]
    resume_when: Formula | None
    hold_s: float
    order: int
    value_slot: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Setup, steps and cleanup: once the setup has begun, the cleanup runs on every way out."""

    setup: Steps = Steps()
    steps: Steps = Steps()
    cleanup: Steps = Steps()
    monitors: tuple[MonitorPlan, ...] = ()
    hold: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupAction:
    block: Block


@dataclass(frozen=True, slots=True)
class CallAction:
    """Another sequence, in an environment of its own."""

    sequence: str
    block: Block
    arguments: tuple[tuple[str, Formula | Constant], ...]
    """(slot of the inner parameter, value found in the outer environment)."""
    constants: Mapping[str, Any]
    """What the inner environment starts with: parameters left at their default."""
    inherited: tuple[str, ...]
    """Slots passed through unchanged: dut, site, station."""
    store: tuple[tuple[Binding, str], ...]
    """(outer binding, inner slot)."""


@dataclass(frozen=True, slots=True)
class IfAction:
    condition: Formula
    then: Steps
    otherwise: Steps


@dataclass(frozen=True, slots=True)
class ParallelAction:
    branches: tuple[Steps, ...]


@dataclass(slots=True)
class LoopSlots:
    """What a loop does to the environment; filled while the nodes after it are compiled."""

    cleared: list[str] = field(default_factory=list)
    """Names made in the body: unbound when a point begins."""
    accumulators: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Slot of a series → (slot of the name or axis it collects, whether it is text); one row a point, NaN or "" if missing.

    What a loop around this one made is collected here as well, where something puts it against values of this loop: at every
    point the value that its slot has then.
    """
    collected: dict[str, bool] = field(default_factory=dict)
    """Slot of a series that inner loops extend, with all their rows → whether it is text; not padded."""
    extends: list[tuple[str, str]] = field(default_factory=list)
    """At the end of this loop: (slot of a series of its own, slot of the outer loop's series it is added to)."""


@dataclass(frozen=True, slots=True)
class AxisPlan:
    name: str
    slot: str
    unit: Unit | None
    """None: words."""


class Points(Protocol):
    """The points of a sweep, made as they are needed."""

    @property
    def axes(self) -> tuple[AxisPlan, ...]: ...

    @property
    def size(self) -> int:
        """How many there are before `exclude`; further points included."""
        ...

    @property
    def sorted(self) -> bool:
        """Visited in written order."""
        ...

    @property
    def may_repeat(self) -> bool:
        """Whether two points can be equal."""
        ...

    def __iter__(self) -> Iterator[tuple[int, tuple[float | str | bool, ...]]]:
        """(index in written order, value of each axis), in the order of visit, excluded points left out."""
        ...

    def count(self) -> int:
        """How many points are visited."""
        ...

    def breaks_at(self, index: int) -> int:
        """The first written index after `index` that is not of the same innermost run: for `stop_when`."""
        ...


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """Bisection along one axis."""

    axis: AxisPlan
    start: Amount
    stop: Amount
    within: Amount
    where: Formula
    most: int
    """The most points it can take."""


@dataclass(frozen=True, slots=True)
class SweepAction:
    points: Points
    search: SearchPlan | None
    """The innermost axis, where it is a search; `points` are then those of the axes before it."""
    body: Steps
    stride: int
    """Size of the body: nodes of one point."""
    slots: LoopSlots
    stop_when: Formula | None
    changed: Sequence[tuple[str, str]]
    """(axis slot, slot of `changed(axis)`) for the axes whose change something asks for."""


@dataclass(frozen=True, slots=True)
class RepeatAction:
    count: Amount
    most: int
    """The most rounds `order` leaves room for."""
    until: Formula | None
    while_: Formula | None
    every_s: Amount | None
    body: Steps
    stride: int
    slots: LoopSlots
    iteration_slot: str


Leaf = (
    SetAction
    | MeasureAction
    | ComputeAction
    | CheckAction
    | LetAction
    | RecordAction
    | WaitAction
    | CommandAction
    | QueryAction
    | LogAction
    | AttachAction
    | PythonAction
    | ReleaseAction
    | BarrierAction
)
Action = Leaf | GroupAction | CallAction | IfAction | ParallelAction | SweepAction | RepeatAction


@dataclass(frozen=True, slots=True)
class RetryPlan:
    times: int
    delay_s: Amount
    kinds: frozenset[str]
    """Of fail, error, timeout."""
    remedy: Steps


@dataclass(frozen=True, slots=True)
class Node:
    """One step of the plan, or one instrument's share of a step."""

    id: str
    """Stable path, without axis values: `steps/vout`."""
    verb: str
    title: str
    action: Action
    order: int
    """Position in the fully expanded plan, for the first point of every enclosing loop."""
    size: int
    """Nodes it stands for when fully expanded, itself included."""
    span: Span | None
    when: Formula | None = None
    skip: str | None = None
    timeout_s: Amount | None = None
    """None: the finite default of its kind; for composites, none."""
    retry: RetryPlan | None = None
    on_fail: Literal["continue", "stop"] = "continue"
    on_error: Literal["continue", "stop"] = "stop"
    once: bool = False
    on_resume: Literal["redo", "skip", "ask"] = "redo"
    duration_s: float | None = None
    tags: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    """All taken together before it acts; sorted by resource."""
    holds: tuple[Hold, ...] = ()
    """What a unit goes on holding after it."""
    binds: tuple[str, ...] = ()
    """Slots it gives a value to: named when one is read that was skipped."""


# --- the whole -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Role:
    """A name of the sequence and the instrument behind it."""

    name: str
    capability: str
    instrument: str
    channel: str = ""


@dataclass(frozen=True, slots=True)
class ParameterValue:
    name: str
    value: Any
    unit: Unit | None
    source: str
    """Where the value came from: `ldo_tempco.yaml:12:9`, `--param vin`."""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A sequence on a station, ready to run."""

    sequence: str
    title: str
    version: str
    station: str
    clock: Literal["virtual", "wall"]
    sites: tuple[str, ...]
    root: Block
    environment: Mapping[str, Any]
    """Slots and values every unit starts with: parameters, `station`."""
    roles: tuple[Role, ...]
    instruments: Mapping[str, InstrumentSpec]
    """Only those that the sequence uses, in the station's order."""
    resources: Mapping[str, int]
    """Plain resources and their capacity."""
    parameters: tuple[ParameterValue, ...]
    identity: Mapping[str, Any]
    """Declared fields of `dut`."""
    size: int
    """Nodes, fully expanded."""
    limit_set: str | None
    procedure_digest: str
    plan_digest: str
    files: tuple[FileSnapshot, ...]
    producers: Mapping[str, str]
    """slot → id of the node that makes it: for messages about names without a value."""


DUT_SLOT = "dut"
SITE_SLOT = "site"
STATION_SLOT = "station"
ATTEMPT_SLOT = "attempt"
ELAPSED_SLOT = "elapsed"
OUTCOME_SLOT = "outcome"
"""Slots the dispatcher keeps up to date; `dut.serial` has the slot `dut.serial`."""
