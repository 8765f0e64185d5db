"""Runs a compiled plan on a bench: one process for each unit, one door for all claims, one stream of documents.

It is the only place that knows what is under way. It takes time from the clock, answers from the bench and wishes from the
control, and whatever happens it leaves every instrument in its safe state.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.core.bench import Bench
from engine.core.clock import Clock, ClockStalled
from engine.core.control import Control, Stage
from engine.core.errors import BenchwrightError, StepError
from engine.core.progress import Progress
from engine.core.recorder import Listener, Recorder
from engine.dispatch.barriers import Barriers
from engine.dispatch.emitter import Emitter
from engine.dispatch.gate import Estimates, Gate, unknown
from engine.dispatch.holdings import Leftovers
from engine.dispatch.locks import Locks
from engine.dispatch.loops import Repeats
from engine.dispatch.manager import AllAtOnceLocks
from engine.dispatch.policy import FirstComeFirstServed, Policy
from engine.dispatch.safety import SafeKeeper
from engine.dispatch.seats import Seats
from engine.dispatch.settled import Settled
from engine.dispatch.unit import UnitResult, UnitRun, UnitUnderTest
from engine.plan.model import Plan, Points, PythonAction
from engine.plan.needs import PlanNeeds
from engine.verdict.criterion import as_json
from engine.verdict.ladder import TallyCounter, run_outcome
from schemas.documents import Level, Logged, Outcome, Tally, UnitFinished, UnitStarted

MOST_LIMIT_TEXTS = 4096


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended."""

    outcome: Outcome
    tally: Tally
    units: tuple[UnitResult, ...]


def no_python(action: PythonAction, arguments: dict[str, Any]) -> Any:
    """Stands in where no code of the project may be called."""
    raise StepError(f"`{action.module}:{action.function}` cannot be called here")


def seated(unit: UnitUnderTest) -> None:
    """Stands in where nobody has to be told who sits where."""


class Shared:
    """What all units of a run share."""

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        bench: Bench,
        emitter: Emitter,
        control: Control,
        progress: Progress,
        gate: Gate,
        python: Callable[[PythonAction, dict[str, Any]], Any],
        safe: SafeKeeper,
        units: Sequence[UnitUnderTest],
        needs: PlanNeeds | None,
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.bench = bench
        self.emitter = emitter
        self.control = control
        self.progress = progress
        self.gate = gate
        self.python = python
        self.safe = safe
        self.needs = needs
        """What blocks may need at most; None in a run of one unit, which shares nothing."""
        self.settled = Settled()
        """Of values that units hold together."""
        self.leftovers = Leftovers(gate, clock, bench)
        self.barriers: Barriers | None = None
        if needs is not None:
            barriers = Barriers(plan, clock)
            self.barriers = barriers if barriers.inside else None
        self._serials = {unit.index: unit.serial for unit in units}
        self._repeats: dict[int, Repeats] = {}
        self._limit_texts: dict[int, tuple[Any, str]] = {}

    def serial(self, unit: int) -> str:
        """What people call it."""
        return self._serials[unit]

    def repeats(self, points: Points) -> Repeats:
        """Which points of a sweep are equal to others; they never change, so it is worked out once."""
        found = self._repeats.get(id(points))
        if found is None:
            found = self._repeats[id(points)] = Repeats(points)
        return found

    def limit_text(self, criterion: Any) -> str:
        """A criterion in structured form, written once for all its measurements."""
        found = self._limit_texts.get(id(criterion))
        if found is None:
            if len(self._limit_texts) >= MOST_LIMIT_TEXTS:
                self._limit_texts.clear()
            # the criterion is kept beside its text, so that its identity stays its own
            found = self._limit_texts[id(criterion)] = (criterion, as_json(criterion))
        return found[1]


class Dispatcher:
    """May be run once."""

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        bench: Bench,
        recorder: Recorder,
        units: Sequence[UnitUnderTest],
        *,
        control: Control | None = None,
        progress: Progress | None = None,
        listeners: Sequence[Listener] = (),
        python: Callable[[PythonAction, dict[str, Any]], Any] = no_python,
        policy: Policy | None = None,
        locks: Locks | None = None,
        estimates: Estimates = unknown,
        seat: Callable[[UnitUnderTest], None] = seated,
    ) -> None:
        """`python` calls code of the project; without `locks`, claims are granted in the order of `policy`.

        Units without a site take the first that is free, when one is free; `seat` is called before each of them starts.
        """
        self._clock = clock
        self._bench = bench
        self._control = control or Control()
        self._emitter = Emitter(recorder, listeners, self._control)
        self._seat = seat
        several = len(units) > 1
        needs = PlanNeeds(plan.root, plan.instruments, plan.resources) if several else None
        order = policy or FirstComeFirstServed()
        if locks is None:
            tuned: AbstractSet[str] = needs.tuned if needs is not None else frozenset()
            context = partial(_context, bench, tuned) if tuned else None
            locks = AllAtOnceLocks(plan.resources, order, context=context)
        self._gate = gate = Gate(clock, locks, order, estimates)
        gate.several = several
        gate.on_stall = self._stalled
        gate.on_wait = self._emitter.commit_quietly
        self._safe = SafeKeeper(bench, clock, self._emitter, self._control, list(plan.instruments.values()))
        if several:
            self._safe.quarantine = gate.quarantine
        self._shared = Shared(
            plan, clock, bench, self._emitter, self._control, progress or Progress(), gate, python, self._safe, units, needs
        )  # fmt: skip
        self._seats = Seats(plan.sites, units)
        self._numbers = [unit.index for unit in units]
        self._units: list[UnitRun] = []
        self._never_seated: list[UnitResult] = []
        self._seen = Stage.RUNNING
        self._left = len(units)
        self._done: Any = None

    def run(self) -> RunResult:
        """Run all units to their end; raises StoreError when the journal failed, and whatever fault the engine has.

        Before it returns or raises, every instrument has been put in its safe state.
        """
        clock = self._clock
        self._done = clock.event()
        if self._gate.several:
            for number in self._numbers:
                self._safe.expect(number)
        self._control.attach(lambda: clock.post(self._look))
        failure: BaseException | None = None
        try:
            self._seat_all()
            if not self._left:
                self._done.succeed()
            failure = self._until_done()
        finally:
            if self._left:
                self._make_the_rest_safe()
            self._control.attach(None)
        if self._emitter.failure is not None:
            raise self._emitter.failure
        if failure is not None:
            raise failure
        return self._result()

    # -- who takes part

    def _seat_all(self) -> None:
        """Start units as long as there are free sites."""
        while (unit := self._seats.next()) is not None:
            self._seat(unit)
            run = UnitRun(self._shared, unit)
            self._units.append(run)
            self._safe.enter(run)
            if self._shared.barriers is not None:
                self._shared.barriers.enter(run.number)
            run.root.process = self._clock.process(self._run(run))

    def _run(self, unit: UnitRun) -> Generator[Any, Any, None]:
        yield from unit.run(self._safe.leave)
        if self._shared.barriers is not None:
            self._shared.barriers.leave(unit.number)
        self._gate.left(unit.number)
        self._seats.leave(unit.site)
        if self._control.stage:
            yield from self._dismiss_queued()
        else:
            self._seat_all()
        self._left -= 1
        self._maybe_done()

    def _dismiss_queued(self) -> Generator[Any, Any, None]:
        """The run is being stopped: those who wait for a site never get one."""
        queue, self._seats.queue = self._seats.queue, []
        why = self._control.reason or "the run was stopped"
        for unit in queue:
            tally = Tally()
            message = f"never started: {why}"
            now = self._clock.now
            self._emitter.note(UnitStarted(unit.index, unit.serial, unit.site, now, dict(unit.fields)))
            self._emitter.note(UnitFinished(unit.index, Outcome.ABORTED, now, tally, message))
            self._never_seated.append(UnitResult(unit, Outcome.ABORTED, tally, message))
            yield from self._safe.dismiss(unit.index)
            self._left -= 1

    def _maybe_done(self) -> None:
        if not self._left and not self._done.triggered:
            self._done.succeed()

    # -- the loop

    def _until_done(self) -> BaseException | None:
        """Let time pass until every unit is over; a Ctrl-C that reaches the loop itself is an abort like any other."""
        failure: BaseException | None = None
        while True:
            try:
                self._clock.run(self._done)
            except (KeyboardInterrupt, SystemExit):
                self._control.abort("Ctrl-C")
                self._look()
            except ClockStalled as error:
                return failure or error
            except Exception as error:  # noqa: BLE001  # handed on once cleanup has run and the instruments are safe
                failure = failure or error
                self._control.abort(f"internal: {type(error).__name__}: {error}")
                self._look()
            else:
                return failure

    def _stalled(self) -> None:
        """Everybody waits for somebody: a fault of the engine. It is written down in full, and the run is stopped safely."""
        ledger = self._gate.describe()
        text = f"internal: all units wait for each other (a fault of the engine, please report it)\n{ledger}"
        self._emitter.note(Logged(self._clock.now, Level.ERROR, text, kind="stall"))
        self._control.abort("internal: all units waited for each other")
        self._look()

    def _look(self) -> None:
        """Runs inside the loop after a request: reaches strands that sleep."""
        control = self._control
        stage = control.stage
        if stage > self._seen:
            self._seen, before = stage, self._seen
            if before is Stage.RUNNING or stage is Stage.HALT:
                for unit in self._units:
                    unit.root.interrupt(unit.aborted(), 0)
            if stage is Stage.HURRY:
                self._clock.process(self._hurry())
        for unit in self._units:
            unit.resume()

    def _hurry(self) -> Generator[Any, Any, None]:
        """What is still cleaning up when the budget is spent is cut off."""
        yield self._clock.timeout(self._control.cleanup_budget_s)
        self._control.halt("cleanup took too long")
        self._look()

    def _make_the_rest_safe(self) -> None:
        """The loop itself failed: nothing of the units runs any more, the instruments are still owed their safe state."""
        leaving: list[Callable[[], Generator[Any, Any, Any]]] = [
            partial(self._safe.leave, unit) for unit in self._units if unit.result is None
        ]
        leaving += [partial(self._safe.dismiss, unit.index) for unit in self._seats.queue]
        for leave in leaving:
            try:
                self._clock.run(self._clock.process(leave()))
            except (Exception, KeyboardInterrupt):  # noqa: BLE001  # a loop that is broken altogether: without it
                for _ in leave():
                    pass

    def _result(self) -> RunResult:
        counter = TallyCounter()
        results = [unit.result for unit in self._units if unit.result is not None] + self._never_seated
        place = {number: position for position, number in enumerate(self._numbers)}
        results.sort(key=lambda result: place[result.unit.index])
        for result in results:
            counter.add(result.tally)
        for unit in self._units:
            if unit.broken is not None and not isinstance(unit.broken, BenchwrightError):
                # the documents say so in one line; whoever develops the engine wants all of it
                unit.broken.add_note(f"while unit {unit.identity.serial!r} was run")
        return RunResult(run_outcome(result.outcome for result in results), counter.tally(), tuple(results))


def _context(bench: Bench, tuned: AbstractSet[str], unit: int, resource: str) -> Any:
    """What a unit wants of an instrument beside the value agreed on; the same for all where nothing else is ever set."""
    return bench.context(unit, resource) if resource in tuned else None
