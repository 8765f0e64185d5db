"""Runs a compiled plan on a bench: one process for each unit, one door for all claims, one stream of documents.

It is the only place that knows what is under way. It takes time from the clock, answers from the bench and wishes from the
control, and whatever happens it leaves every instrument in its safe state.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.core.bench import Bench
from engine.core.clock import Clock, ClockStalled
from engine.core.control import Control, Stage
from engine.core.errors import BenchwrightError, StepError
from engine.core.progress import Progress
from engine.core.recorder import Listener, Recorder
from engine.dispatch.emitter import Emitter
from engine.dispatch.gate import Gate
from engine.dispatch.locks import AllAtOnceLocks, Locks
from engine.dispatch.loops import Repeats
from engine.dispatch.policy import FirstComeFirstServed, Policy
from engine.dispatch.safety import SafeKeeper
from engine.dispatch.unit import UnitResult, UnitRun, UnitUnderTest
from engine.plan.model import Plan, Points, PythonAction
from engine.verdict.criterion import as_json
from engine.verdict.ladder import TallyCounter, run_outcome
from schemas.documents import Outcome, Tally

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
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.bench = bench
        self.emitter = emitter
        self.control = control
        self.progress = progress
        self.gate = gate
        self.python = python
        self._repeats: dict[int, Repeats] = {}
        self._limit_texts: dict[int, tuple[Any, str]] = {}

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
    ) -> None:
        """`python` calls code of the project; without `locks`, claims are granted in the order of `policy`."""
        self._clock = clock
        self._control = control or Control()
        self._emitter = Emitter(recorder, listeners, self._control)
        gate = Gate(clock, locks or AllAtOnceLocks(plan.resources, policy or FirstComeFirstServed()))
        shared = Shared(plan, clock, bench, self._emitter, self._control, progress or Progress(), gate, python)
        self._units = [UnitRun(shared, unit) for unit in units]
        self._safe = SafeKeeper(bench, clock, self._emitter, self._control, list(plan.instruments.values()))
        self._seen = Stage.RUNNING
        self._left = len(self._units)
        self._done: Any = None

    def run(self) -> RunResult:
        """Run all units to their end; raises StoreError when the journal failed, and whatever fault the engine has.

        Before it returns or raises, every instrument has been put in its safe state.
        """
        clock = self._clock
        self._done = clock.event()
        for unit in self._units:
            self._safe.enter(unit)
        self._control.attach(lambda: clock.post(self._look))
        failure: BaseException | None = None
        try:
            for unit in self._units:
                unit.root.process = clock.process(self._run(unit))
            if not self._units:
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

    def _run(self, unit: UnitRun) -> Generator[Any, Any, None]:
        yield from unit.run(self._safe.leave)
        self._left -= 1
        if not self._left and not self._done.triggered:
            self._done.succeed()

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
        for unit in self._units:
            if unit.result is not None:
                continue
            try:
                self._clock.run(self._clock.process(self._safe.leave(unit)))
            except (Exception, KeyboardInterrupt):  # noqa: BLE001  # a loop that is broken altogether: without it
                for _ in self._safe.leave(unit):
                    pass

    def _result(self) -> RunResult:
        counter = TallyCounter()
        results = tuple(unit.result for unit in self._units if unit.result is not None)
        for result in results:
            counter.add(result.tally)
        for unit in self._units:
            if unit.broken is not None and not isinstance(unit.broken, BenchwrightError):
                # the documents say so in one line; whoever develops the engine wants all of it
                unit.broken.add_note(f"while unit {unit.identity.serial!r} was run")
        return RunResult(run_outcome(result.outcome for result in results), counter.tally(), results)
