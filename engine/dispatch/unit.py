"""One unit under test on its way through the plan: its names, its strands, and what its nodes ask of the run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.core.bench import Bench, Target
from engine.core.clock import Clock
from engine.core.control import Control, Stage
from engine.core.errors import EvaluationFailed
from engine.core.progress import Progress
from engine.dispatch.emitter import Emitter
from engine.dispatch.flow import run_block
from engine.dispatch.frame import Environment, Frame, Ledger
from engine.dispatch.gate import Gate, with_extra
from engine.dispatch.holdings import Acquired, Holdings
from engine.dispatch.node import LEAF_S
from engine.dispatch.prepare import Prepared, Preparer
from engine.dispatch.settled import Settled
from engine.dispatch.step import Step
from engine.dispatch.stopped import Stopped
from engine.dispatch.strand import Strand
from engine.plan.model import DUT_SLOT, ELAPSED_SLOT, OUTCOME_SLOT, SITE_SLOT, Claim, Formula, Plan
from engine.verdict.ladder import unit_outcome, worse
from schemas.documents import Level, Logged, Outcome, Tally, UnitFinished, UnitStarted

if TYPE_CHECKING:
    from engine.dispatch.dispatcher import Shared


@dataclass(frozen=True, slots=True)
class UnitUnderTest:
    """A unit that takes a place at the bench."""

    index: int
    serial: str
    site: str
    fields: Mapping[str, str] = field(default_factory=dict)
    """What the sequence declares under `dut`, besides the serial number."""


@dataclass(frozen=True, slots=True)
class UnitResult:
    """How one unit ended."""

    unit: UnitUnderTest
    outcome: Outcome
    tally: Tally
    message: str = ""


class UnitRun:
    """Has been given its place, runs, has left; `result` is there from then on."""

    def __init__(self, shared: Shared, unit: UnitUnderTest) -> None:
        self.shared = shared
        self.identity = unit
        self.number = unit.index
        self.site = unit.site
        self.plan: Plan = shared.plan
        self.bench: Bench = shared.bench
        self.clock: Clock = shared.clock
        self.emitter: Emitter = shared.emitter
        self.control: Control = shared.control
        self.progress: Progress = shared.progress
        self.gate: Gate = shared.gate
        self.python: Callable[..., Any] = shared.python
        self.repeats = shared.repeats
        self.limit_text = shared.limit_text
        self.own = frozenset(
            self.bench.instance(unit.index, name) for name, spec in self.plan.instruments.items() if spec.per_site
        )
        """Instances that no other unit uses."""
        self.holdings: Holdings | None = None
        """What it holds across nodes; None in a run of one unit."""
        if shared.needs is not None:
            self.holdings = Holdings(self, shared.needs)
        self.joint: frozenset[str] = self.holdings.modes if self.holdings is not None else frozenset()
        """Instruments on which several units may act at a time."""
        self.settled = Settled(shared.settled, self.joint)
        self.preparer = Preparer(self)
        self.pauses: set[str] = set()
        """Monitors that want this unit to stand still."""
        self.done_once: set[str] = set()
        """Full ids of nodes that are never repeated and have been done."""
        self.broken: BaseException | None = None
        """A fault of the engine itself, kept so that it is not lost."""
        self.strands: list[Strand] = []
        self.result: UnitResult | None = None
        self._monitors = 0
        self._instances: dict[str, str] = {}
        self._sources = {(role.instrument, role.channel): role.name for role in self.plan.roles}
        self._resumed: Any = None
        self._started = 0.0
        self.ledger = Ledger()
        self.asking = self.ledger
        """Of the attempt in which a formula is evaluated right now: what `outcome` means there."""
        self.root = self.strand(0)

    # -- strands

    def strand(self, shield: int) -> Strand:
        """One more line of execution; everybody who asks for claims from now on waits for the others."""
        strand = Strand(self, shield)
        strand.step = Step(strand)
        self.strands.append(strand)
        self.gate.strands += 1
        self.gate.lines += 1
        return strand

    def watched(self, more: int) -> None:
        """A monitor begins (1) or ends (-1): nobody of this unit acts without being seen by it."""
        self.gate.strands += more
        self._monitors += more

    @property
    def is_single(self) -> bool:
        """Nothing of this unit happens side by side."""
        return len(self.strands) == 1 and not self._monitors

    def is_undisturbed(self) -> bool:
        """Nobody can change what this unit may be looking at."""
        return len(self.strands) == 1 and (self.holdings is None or self.holdings.is_undisturbed())

    def over(self, strand: Strand) -> None:
        """A line of execution has ended."""
        self.strands.remove(strand)
        self.gate.strands -= 1
        self.gate.lines -= 1
        self.gate.look()

    def run(self, leave: Callable[[UnitRun], Generator[Any, Any, str]]) -> Generator[Any, Any, None]:
        """The unit's process, from its start to its safe end; never raises. `leave` gives what is not safe."""
        strand = self.root
        unit = self.identity
        ledger = self.ledger
        message = ""
        self._started = self.clock.now
        try:
            self.emitter.emit(UnitStarted(self.number, unit.serial, unit.site, self.clock.now, dict(unit.fields)))
            strand.look()
            scope = self.holdings.root if self.holdings is not None else None
            yield from run_block(strand, self.plan.root, Frame(self._environment(), ledger, scope=scope))
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001  # handed on below
            stopped = strand.caught(error)
            if stopped is None:
                self.broken = error
                stopped = Stopped(Outcome.ERROR, f"internal: {type(error).__name__}: {error}")
            message = stopped.message
            ledger.outcome = worse(ledger.outcome, stopped.outcome)
        strand.process = None  # from here on nothing may interrupt it: the instruments go to their safe state
        if self.holdings is not None:
            yield from self.holdings.end(self.holdings.root, failed=True)
        unsafe = yield from leave(self)
        if unsafe:
            message = f"{message}; {unsafe}" if message else unsafe
            ledger.counter.error()
            ledger.outcome = worse(ledger.outcome, Outcome.ERROR)
        self.over(strand)
        outcome = unit_outcome([ledger.outcome])
        self.result = UnitResult(unit, outcome, ledger.counter.tally(), message)
        try:
            self.emitter.emit(UnitFinished(self.number, outcome, self.clock.now, ledger.counter.tally(), message))
            self.emitter.commit()
        except Stopped:
            pass  # the journal failed at the very end; the emitter keeps the failure

    def _environment(self) -> Environment:
        unit = self.identity
        values = dict(self.plan.environment)
        values[SITE_SLOT] = unit.site
        for name, value in unit.fields.items():
            values[f"{DUT_SLOT}.{name}"] = value
        values[f"{DUT_SLOT}.serial"] = unit.serial
        values[f"{DUT_SLOT}.index"] = float(unit.index)
        clock, started = self.clock, self._started
        return Environment(
            values,
            {
                ELAPSED_SLOT: lambda: clock.now - started,
                OUTCOME_SLOT: lambda: unit_outcome([self.asking.so_far()]).value,
            },
        )

    # -- what nodes ask

    def instance(self, instrument: str) -> str:
        """The key of the instance that this unit uses."""
        found = self._instances.get(instrument)
        if found is None:
            found = self._instances[instrument] = self.bench.instance(self.number, instrument)
        return found

    def resource(self, claim: Claim) -> str:
        """What locks call that which a claim means here."""
        if claim.resource in self.plan.instruments:
            return self.instance(claim.resource)
        return f"{claim.resource}@{self.site}" if claim.per_site else claim.resource

    def reply_s(self, instrument: str) -> float:
        """How long one reply may take, seconds."""
        spec = self.plan.instruments.get(instrument)
        return spec.timeout_s if spec is not None else 5.0

    def source(self, target: Target) -> str:
        """`role.property`, as people know it."""
        role = self._sources.get((target.instrument, target.channel))
        return f"{role}.{target.property}" if role is not None else str(target)

    def unbound(self, slot: str, formula: Formula, error: EvaluationFailed) -> EvaluationFailed:
        """The error for a name without a value: names the step that should have given it."""
        producer = self.plan.producers.get(slot)
        if producer is None or producer in error.message:
            return error
        return EvaluationFailed(
            f"`{slot}` has no value in `{formula.text}`: step `{producer}`, which gives it, was skipped or did not finish",
            "test it with `defined(...)` first, or give the step that reads it the same `when`",
        )

    def aborted(self) -> Stopped:
        """What ends everything of this unit, as urgently as it was asked for."""
        hard = self.control.stage is Stage.HALT
        return Stopped(Outcome.ABORTED, self.control.reason or "the run was stopped", hard=hard)

    def instrument_of(self, resource: str) -> str | None:
        """The instrument behind what locks call a shared instance; None for a plain resource."""
        return resource if resource in self.plan.instruments else None

    def warn(self, message: str) -> None:
        """Something went wrong that ends nothing."""
        self.emitter.note(Logged(self.clock.now, Level.WARNING, message, self.number, kind="instrument"))

    def acquire(
        self, strand: Strand, prepared: Prepared, frame: Frame, id: str, order: int
    ) -> Generator[Any, Any, Acquired | None]:
        """Have what a node needs; None where nobody else is there who could be in its way."""
        if self.holdings is not None:
            return (yield from self.holdings.acquire(strand, prepared, frame, id, order))
        gate = self.gate
        if gate.strands == 1:
            return None
        clock = self.clock
        asked = clock.now
        wants = with_extra(prepared.wants, frame.wants)
        ticket = yield from gate.acquire(self.number, id, order, wants)
        if frame.deadline is not None and clock.now > asked:
            frame.deadline.extend(clock.now - asked)
        return Acquired(ticket)

    def give_back(self, acquired: Acquired) -> None:
        """The node is over."""
        if acquired.ticket is None:
            return
        if self.holdings is not None:
            self.holdings.release(acquired.ticket)
        else:
            self.gate.release(acquired.ticket)

    def evaluate(self, strand: Strand, prepared: Prepared, frame: Frame, formula: Formula) -> Generator[Any, Any, Any]:
        """The value of a formula of a group or loop; it takes its claims only where it reads instruments."""
        node = prepared.node
        step = strand.step
        order = node.order + frame.shift
        id = node.id + frame.suffix  # of this point, so that a noisy reading differs from point to point
        step.begin(node, frame, id, order, frame.attempt, LEAF_S)
        step.timeout_s, step.deadline = LEAF_S, self.clock.now + LEAF_S  # its own timeout is that of the whole
        if not formula.live:
            return step.value(formula)
        self.emitter.commit()
        leave = prepared.wants or frame.wants
        acquired = yield from self.acquire(strand, prepared, frame, id, order) if leave else _nothing()
        try:
            step.deadline = self.clock.now + step.timeout_s
            value = yield from step.evaluate(formula)
            yield from step.ask_for_errors(None)
        finally:
            if acquired is not None:
                self.give_back(acquired)
        return value

    # -- pausing

    def pause(self, plan: Any) -> None:
        """Start no further node for now."""
        self.pauses.add(plan.id)

    def resume(self, plan: Any = None) -> None:
        """One reason to stand still is gone."""
        if plan is not None:
            self.pauses.discard(plan.id)
        if not self.pauses and not self.control.paused and self._resumed is not None:
            resumed, self._resumed = self._resumed, None
            if not resumed.triggered:
                resumed.succeed()

    def wait_while_paused(self, frame: Frame) -> Generator[Any, Any, None]:
        """Stand still between two nodes; the time does not count for any timeout."""
        began = self.clock.now
        self.emitter.commit()
        while self.pauses or self.control.paused:
            if self._resumed is None:
                self._resumed = self.clock.outside()
            resumed = self._resumed
            try:
                yield resumed
            except BaseException:
                if not resumed.triggered and len(self.strands) == 1:
                    self._resumed = None
                    resumed.succeed()
                raise
        if frame.deadline is not None:
            frame.deadline.extend(self.clock.now - began)


def _nothing() -> Generator[Any, Any, None]:
    return
    yield
