"""Monitors: watch a value beside the steps of a block, without claims and without keeping the run alive.

A look is left out while the instrument is busy. Every trip is recorded when it begins, not at each look.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import simpy

from engine.core.bench import Target
from engine.core.errors import BenchwrightError
from engine.dispatch.frame import Frame
from engine.dispatch.stopped import INTERNAL, Stopped
from engine.dispatch.values import plain
from engine.plan.model import ATTEMPT_SLOT, Claim, Formula, MonitorPlan
from engine.verdict.ladder import of_verdict, worse
from schemas.documents import Level, Logged, Measured, Outcome, Verdict

if TYPE_CHECKING:
    from engine.dispatch.strand import Strand


class Watch:
    """The monitors of one run of a block: not started, watching, ended."""

    def __init__(self, strand: Strand, monitors: tuple[MonitorPlan, ...], frame: Frame) -> None:
        self._strand = strand
        self._plans = monitors
        self.frame = frame
        self._level = strand.shield
        self._monitors: list[_Monitor] = []
        self._processes: list[Any] = []
        self.outcome = Outcome.DONE
        """What the trips that count come to."""

    def start(self) -> None:
        """Begin to watch; the first look is one interval from now."""
        unit = self._strand.unit
        for plan in self._plans:
            monitor = _Monitor(self, self._strand, plan)
            unit.watched(1)
            self._monitors.append(monitor)
            self._processes.append(unit.clock.process(monitor.run()))

    def end(self) -> None:
        """The block is over; nobody is paused by it any more."""
        unit = self._strand.unit
        for process in self._processes:
            unit.watched(-1)
            if not process.triggered:
                process.interrupt("the block is over")
        self._processes.clear()
        for monitor in self._monitors:
            monitor.tell_if_blind()
        self._monitors.clear()
        for plan in self._plans:
            unit.resume(plan)

    def stop(self, cause: str, outcome: Outcome) -> None:
        """End the block."""
        self._strand.interrupt(Stopped(outcome, cause, self), self._level)


class _Monitor:
    """One monitor: fine, broken for a while, tripped, fine again."""

    def __init__(self, watch: Watch, strand: Strand, plan: MonitorPlan) -> None:
        self._watch = watch
        self._unit = strand.unit
        self._plan = plan
        self._frame = watch.frame
        self._looks = 0
        self._busy = 0
        self._seen = False
        self._problem = ""
        self._broken_since: float | None = None
        self._tripped = False
        self._good_since: float | None = None

    def run(self) -> Generator[Any, Any, None]:
        clock = self._unit.clock
        try:
            while True:
                yield clock.timeout(self._plan.every_s)
                yield from self._look()
        except simpy.Interrupt:
            return
        except Stopped:  # the journal failed: the run is being stopped already
            return
        except Exception as error:  # noqa: BLE001  # a monitor that breaks must not take the cleanup of its group along
            text = str(error) if isinstance(error, BenchwrightError) else INTERNAL.format(type(error).__name__, error)
            self._watch.outcome = worse(self._watch.outcome, Outcome.ERROR)
            self._watch.stop(f"monitor `{self._plan.name}`: {text}", Outcome.ERROR)

    def _look(self) -> Generator[Any, Any, None]:
        plan, unit = self._plan, self._unit
        if unit.gate.busy(unit.resource(Claim(plan.target.instrument)), unit.number if unit.gate.several else -1):
            self._busy += 1
            return
        self._looks += 1
        error: BenchwrightError | None = None
        value: Any = None
        try:
            value = yield from self._read(plan.target)
        except BenchwrightError as problem:
            error = problem
        if plan.value_slot:
            self._frame.env[plan.value_slot] = value
        if error is not None:
            verdict, message, limits = Verdict.FAIL, str(error), ("", None, None, None)
            self._problem = message
        else:
            verdict, message, limits = self._judge(value)
            self._seen = True
        now = unit.clock.now
        if plan.limit is None:
            if error is None:
                self._record(value, verdict, limits, diagnostic=True)
            elif not self._tripped:
                self._log(Level.WARNING, f"monitor `{plan.name}`: {message}")
            self._tripped = error is not None
            return
        if verdict is Verdict.FAIL:
            self._good_since = None
            if self._broken_since is None:
                self._broken_since = now
            if not self._tripped and now - self._broken_since >= plan.hold_s:
                self._tripped = True
                self._trip(value, message, limits, error)
        else:
            self._broken_since = None
        if self._tripped:
            yield from self._maybe_resume(verdict is not Verdict.FAIL, now)

    def tell_if_blind(self) -> None:
        """The block is over: a limit that was never looked at says so, or its silence would pass for good news."""
        plan = self._plan
        if plan.limit is None or self._seen or self._tripped:
            return
        if self._problem:
            why = self._problem
        elif self._busy:
            why = f"`{plan.target.instrument}` was busy at each of its {self._busy} looks"
        else:
            why = f"the block was over before its first look, which comes after {plan.every_s:g} s"
        self._frame.ledger.counter.count(Verdict.UNJUDGED)
        self._frame.ledger.outcome = worse(self._frame.ledger.outcome, Outcome.UNJUDGED)
        self._watch.outcome = worse(self._watch.outcome, Outcome.UNJUDGED)
        with suppress(Stopped):  # the journal failed: the run is being stopped already
            self._record(None, Verdict.UNJUDGED, ("", None, None, None), diagnostic=False)
            self._log(Level.WARNING, f"monitor `{plan.name}` saw nothing: {why}")

    def _read(self, target: Target) -> Generator[Any, Any, Any]:
        unit = self._unit
        bench, number, instrument = unit.bench, unit.number, target.instrument
        bench.begin(number, instrument, self._plan.id, self._looks)
        try:
            value = yield from unit.clock.call_bounded(
                unit.instance(instrument),
                partial(self._restored, target),
                max(unit.reply_s(instrument), 1.0),
                partial(bench.abort, number, instrument),
            )
        finally:
            latency = bench.take_latency(number, instrument)
        if latency:
            yield unit.clock.timeout(latency)
        return value

    def _restored(self, target: Target) -> Any:
        unit = self._unit
        bench, number, instrument = unit.bench, unit.number, target.instrument
        if unit.holdings is not None and instrument not in unit.holdings.modes:
            bench.restore(number, instrument)
        return bench.read(number, target)

    def _judge(self, value: Any) -> tuple[Verdict, str, Any]:
        limit = self._plan.limit
        if limit is None:
            return Verdict.UNJUDGED, "", ("", None, None, None)
        criterion = limit.resolve(self._env())
        judged = criterion.judge(value)
        symbol = "" if self._plan.unit is None else self._plan.unit.symbol
        message = criterion.explain(value, symbol) if judged.verdict is Verdict.FAIL else ""
        return judged.verdict, message, (self._unit.limit_text(criterion), criterion.low, criterion.high, judged.margin)

    def _trip(self, value: Any, message: str, limits: Any, error: BenchwrightError | None) -> None:
        plan = self._plan
        outcome = Outcome.ERROR if error is not None else of_verdict(Verdict.FAIL)
        text = f"monitor `{plan.name}`: {message}"
        pauses = plan.on_fail == "pause"
        if error is None:
            self._record(value, Verdict.FAIL, limits, diagnostic=pauses)
        self._log(Level.WARNING if pauses else Level.ERROR, text)
        if pauses:
            self._unit.pause(plan)
            return
        self._watch.outcome = worse(self._watch.outcome, outcome)
        ledger = self._frame.ledger
        ledger.outcome = worse(ledger.outcome, outcome)
        if error is None:
            ledger.counter.count(Verdict.FAIL)
        else:
            ledger.counter.error()
        if plan.on_fail == "stop":
            self._watch.stop(text, outcome)

    def _maybe_resume(self, good: bool, now: float) -> Generator[Any, Any, None]:
        plan = self._plan
        if plan.on_fail == "pause" and plan.resume_when is not None:
            good = yield from self._may_resume(plan.resume_when)
        if not good:
            self._good_since = None
            return
        if self._good_since is None:
            self._good_since = now
        if now - self._good_since >= (plan.hold_s if plan.on_fail == "pause" else 0.0):
            self._tripped = False
            self._broken_since = self._good_since = None
            self._log(Level.INFO, f"monitor `{plan.name}`: good again")
            self._unit.resume(plan)

    def _may_resume(self, condition: Formula) -> Generator[Any, Any, bool]:
        for live in condition.live:
            self._frame.env[live.slot] = yield from self._read(live.target)
        return bool(condition.value(self._env()))

    def _env(self) -> dict[str, Any]:
        """The names of the block, in which `attempt` and `outcome` are those of the block until time passes."""
        env = self._frame.env
        env[ATTEMPT_SLOT] = self._frame.attempt
        self._unit.asking = self._frame.ledger
        return env

    def _record(self, value: Any, verdict: Verdict, limits: Any, *, diagnostic: bool) -> None:
        plan, unit = self._plan, self._unit
        text, low, high, margin = limits
        unit.emitter.emit(
            Measured(
                unit.number,
                plan.id + self._frame.suffix,
                self._frame.attempt,
                plan.order + self._frame.shift,
                plan.name,
                plain(value),
                "" if plan.unit is None else plan.unit.symbol,
                verdict,
                unit.clock.now,
                low,
                high,
                text,
                margin,
                self._frame.axes,
                unit.source(plan.target),
                unit.instance(plan.target.instrument),
                diagnostic=diagnostic,
            )
        )

    def _log(self, level: Level, message: str) -> None:
        unit = self._unit
        node = self._plan.id + self._frame.suffix
        unit.emitter.emit(Logged(unit.clock.now, level, message, unit.number, node, "monitor"))
