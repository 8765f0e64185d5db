"""What an action may do: talk to instruments, evaluate, judge, record, bind names and let time pass.

One for each strand, used by one leaf after the other. Everything here ends with the attempt: what it bound is taken back if
the attempt does not count, and no wait goes past the deadline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.core.bench import Target
from engine.core.errors import (
    BenchwrightError,
    CommunicationFailed,
    EvaluationFailed,
    ReplyTimeout,
    StepError,
    StepTimeout,
)
from engine.dispatch.frame import Frame
from engine.dispatch.values import accumulate, plain, to_json
from engine.plan.model import ATTEMPT_SLOT, Amount, Binding, Formula, LimitPlan, Node
from engine.verdict.criterion import as_json
from engine.verdict.judge import Judgement
from engine.verdict.ladder import of_verdict, worse
from engine.verdict.mask import MaskCriterion
from schemas.documents import Logged, Measured, Outcome, Verdict
from schemas.quantity import Unit

if TYPE_CHECKING:
    from engine.dispatch.strand import Strand

MISSING = object()
UNJUDGED = Judgement(Verdict.UNJUDGED, None)
SHORTEST_BOUND_S = 0.001
"""Real seconds a call gets that starts right before its deadline."""


class Step:
    """Has begun, acts, is judged; then the next leaf begins."""

    __slots__ = (
        "_own_time",
        "attempt",
        "bench",
        "bound",
        "calls",
        "clock",
        "deadline",
        "env",
        "frame",
        "id",
        "index",
        "inline",
        "message",
        "node",
        "order",
        "outcome",
        "strand",
        "timeout_s",
        "touched",
        "unit",
        "verdicts",
    )

    def __init__(self, strand: Strand) -> None:
        self.strand = strand
        self.unit = strand.unit
        self.index = strand.unit.number
        self.bench = strand.unit.bench
        self.clock = strand.unit.clock
        self.inline = not strand.unit.clock.wall
        self.node: Node
        self.frame: Frame
        self.env: dict[str, Any] = {}
        self.id = ""
        self.attempt = 1
        self.order = 0
        self.timeout_s = 0.0
        self.deadline = math.inf
        self._own_time = False
        self.outcome = Outcome.DONE
        self.message = ""
        self.touched: list[str] = []
        self.calls = 0
        self.bound: list[tuple[Binding, Any]] = []
        self.verdicts: list[Verdict] = []

    def begin(self, node: Node, frame: Frame, id: str, order: int, attempt: int, default_s: float) -> None:
        """A node of this strand acts now; its time counts from here."""
        self.node = node
        self.frame = frame
        self.env = frame.env
        self.id = id
        self.order = order
        self.attempt = attempt
        self.outcome = Outcome.DONE
        self.message = ""
        if self.touched:
            self.touched = []
            self.calls = 0
        if self.bound:
            self.bound = []
        if self.verdicts:
            self.verdicts = []
        own = node.timeout_s
        self._own_time = own is not None
        self.timeout_s = default_s if own is None else own if isinstance(own, float | int) else math.inf
        self.deadline = self.clock.now + self.timeout_s

    # -- time

    def bound_time(self) -> None:
        """Work out a timeout that is an expression; raises EvaluationFailed."""
        own = self.node.timeout_s
        if isinstance(own, Formula):
            self.timeout_s = self.duration(own, "timeout")
            self.deadline = self.clock.now + self.timeout_s

    def allow(self, seconds: float) -> None:
        """What a step plans to take comes on top of the default timeout, never of one that was written."""
        if not self._own_time:
            self.timeout_s += seconds
            self.deadline += seconds

    def let_pass(self, seconds: float) -> Generator[Any, Any, None]:
        """Let time pass; raises StepTimeout, or Stopped for a deadline around the step, when that comes first."""
        clock = self.clock
        outer = self.frame.deadline
        if outer is None and clock.now + seconds <= self.deadline:
            yield clock.timeout(seconds)
            return
        end = clock.now + seconds
        while True:
            around = outer.first() if outer is not None else None
            limit = self.deadline if around is None else min(self.deadline, around.at)
            if end <= limit:
                if end > clock.now:
                    yield clock.timeout(end - clock.now)
                return
            if limit > clock.now:
                yield clock.timeout(limit - clock.now)
            elif around is not None and around.at <= clock.now:
                raise around.stopped()
            else:
                raise self.overdue()

    def until(self, event: Any) -> Generator[Any, Any, None]:
        """Wait for an event; raises StepTimeout, or Stopped for a deadline around the step, when that comes first."""
        clock = self.clock
        self.unit.emitter.commit()
        while not event.triggered:
            around = self.frame.deadline.first() if self.frame.deadline is not None else None
            limit = self.deadline if around is None else min(self.deadline, around.at)
            if limit > clock.now:
                yield clock.env.any_of([event, clock.timeout(limit - clock.now)])
            elif around is not None and around.at <= clock.now:
                raise around.stopped()
            else:
                raise self.overdue()

    def overdue(self) -> StepTimeout:
        """What is raised when the step's own time is over."""
        what = "" if self._own_time else " (the default)"
        return StepTimeout(
            f"`{self.id}` did not finish within {self.timeout_s:g} s{what}", "allow more with `timeout:`"
        )

    def duration(self, amount: Amount, what: str) -> float:
        """Seconds, from a number or a formula; raises StepError where they are negative or not finite."""
        seconds = self.value(amount) if isinstance(amount, Formula) else amount
        if not isinstance(seconds, float | int) or not 0 <= seconds < math.inf:
            raise StepError(f"`{what}` is {seconds} here, and must be a duration of at least 0 s")
        return float(seconds)

    # -- instruments

    def call(self, instrument: str, function: Callable[..., Any], *arguments: Any) -> Generator[Any, Any, Any]:
        """Let an instrument do something, and its simulated latency pass; the first call of a node restores it."""
        if instrument not in self.touched:
            self.touched.append(instrument)
            function = partial(self._restored, instrument, function)
        elif instrument in self.unit.joint:
            function = partial(self._again, instrument, function)
        if self.inline:
            try:
                result = function(*arguments)
            except Exception:
                latency = self.bench.take_latency(self.index, instrument)
                if latency:
                    yield from self.let_pass(latency)
                raise
        else:
            left_s = max(SHORTEST_BOUND_S, min(self.deadline - self.clock.now, 1e6))
            result = yield from self.clock.call_bounded(
                self.unit.instance(instrument),
                partial(function, *arguments),
                left_s,
                partial(self.bench.abort, self.index, instrument),
            )
        latency = self.bench.take_latency(self.index, instrument)
        if latency:
            yield from self.let_pass(latency)
        return result

    def _restored(self, instrument: str, function: Callable[..., Any], *arguments: Any) -> Any:
        self.bench.begin(self.index, instrument, self.id, self.attempt)
        if self.bench.restore(self.index, instrument):
            self.unit.settled.disturbed(instrument, self.clock.now)
        return function(*arguments)

    def _again(self, instrument: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """A further call where another unit may have acted meanwhile: its noise is told apart by the number of the call."""
        self.calls += 1
        self.bench.begin(self.index, instrument, f"{self.id}~{self.calls}", self.attempt)
        self.bench.restore(self.index, instrument)
        return function(*arguments)

    def read(self, target: Target) -> Generator[Any, Any, Any]:
        """A fresh reading."""
        return self.call(target.instrument, self.bench.read, self.index, target)

    def ask_for_errors(self, failed: BaseException | None) -> Generator[Any, Any, None]:
        """Ask every instrument the node talked to for its own errors; raises InstrumentError, adds to an error at hand.

        An instrument that did not understand a query stays silent and has the reason in its queue; one that is gone is
        not asked again.
        """
        if isinstance(failed, CommunicationFailed) and not isinstance(failed, ReplyTimeout):
            return
        for instrument in self.touched:
            if failed is not None and self.clock.now >= self.deadline:
                return
            try:
                yield from self.call(instrument, self.bench.check_errors, self.index, instrument)
            except BenchwrightError as error:
                if failed is None:
                    raise
                if not isinstance(error, CommunicationFailed | StepTimeout):
                    self.message = f"{self.message}; {error}" if self.message else str(error)

    # -- values

    def value(self, formula: Formula) -> Any:
        """The value of a formula whose live readings are in place; a name without a value names the step that makes it."""
        env = self._asking()
        try:
            return formula.value(env)
        except EvaluationFailed as error:
            cause = error.__context__
            if isinstance(cause, KeyError) and cause.args:
                raise self.unit.unbound(str(cause.args[0]), formula, error) from None
            raise

    def _asking(self) -> dict[str, Any]:
        """The environment, in which `attempt` and `outcome` are those of this step from now on until time passes."""
        env = self.env
        env[ATTEMPT_SLOT] = self.attempt
        self.unit.asking = self.frame.ledger
        return env

    def evaluate(self, formula: Formula) -> Generator[Any, Any, Any]:
        """The value of a formula, after every live reading it needs."""
        for live in formula.live:
            self.env[live.slot] = yield from self.read(live.target)
        return self.value(formula)

    def filled(self, value: Any) -> Any:
        """A plain value with every formula inside it evaluated."""
        if isinstance(value, Formula):
            return plain(self.value(value))
        if isinstance(value, dict):
            return {key: self.filled(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.filled(item) for item in value]
        return value

    def text(self, text: Formula | str) -> str:
        """A text that may be a template."""
        return text if isinstance(text, str) else str(self.value(text))

    def bind(self, binding: Binding, value: Any) -> None:
        """Give a name its value, until the attempt turns out not to count."""
        env = self.env
        self.bound.append((binding, env.get(binding.slot, MISSING)))
        env[binding.slot] = value
        if binding.accumulators:
            accumulate(env, binding, value)

    def unbind(self) -> None:
        """Take back what this attempt bound, latest first."""
        env = self.env
        for binding, old in reversed(self.bound):
            if old is MISSING:
                env.pop(binding.slot, None)
            else:
                env[binding.slot] = old
            for slot in binding.accumulators:
                if slot in env and len(env[slot]):
                    env[slot].pop()
        self.bound.clear()

    # -- verdicts and documents

    def record(
        self,
        name: str,
        value: Any,
        unit: Unit | None,
        limit: LimitPlan | None,
        source: str,
        *,
        instrument: str = "",
        net: str = "",
        pin: str = "",
        samples: int = 1,
        spread: float | None = None,
        diagnostic: bool = False,
    ) -> None:
        """Judge a value by its limit and record both; a limit that does not apply leaves it unjudged and raises."""
        symbol = "" if unit is None else unit.symbol
        judged, low, high, text = UNJUDGED, None, None, ""
        problem: BenchwrightError | None = None
        if limit is not None:
            try:
                criterion = limit.fixed if limit.fixed is not None else limit.resolve(self._asking())
            except BenchwrightError as error:
                problem = error
            else:
                if isinstance(criterion, MaskCriterion):
                    value, along = plain(value), plain(self.env.get(criterion.along))
                    judged = criterion.judge(value, along)
                    if judged.verdict is Verdict.FAIL:
                        self.message = f"`{name}`: {criterion.explain(value, symbol, along)}"
                else:
                    judged = criterion.judge(value)
                    if judged.verdict is Verdict.FAIL:
                        self.message = f"`{name}`: {criterion.explain(value, symbol)}"
                low, high = criterion.low, criterion.high
                text = self.unit.limit_text(criterion) if limit.fixed is not None else as_json(criterion)
        as_text = ""
        if type(value) is not float:
            value = plain(value)
            if isinstance(value, list | dict):
                value, as_text = None, to_json(value)
        self.unit.emitter.emit(
            Measured(
                self.index,
                self.id,
                self.attempt,
                self.order,
                name,
                value,
                symbol,
                judged.verdict,
                self.clock.now,
                low,
                high,
                text,
                judged.margin,
                self.frame.axes,
                source,
                instrument,
                net,
                pin,
                samples,
                spread,
                diagnostic,
                as_text,
            )
        )
        if not diagnostic:
            self.count(judged.verdict)
        if problem is not None:
            raise problem

    def count(self, verdict: Verdict) -> None:
        """A value of this step was judged."""
        self.verdicts.append(verdict)
        outcome = of_verdict(verdict)
        if outcome is not self.outcome:
            self.outcome = worse(self.outcome, outcome)

    def emit(self, document: Measured) -> None:
        """Record a value that was judged here."""
        self.unit.emitter.emit(document)

    def log(self, level: Any, message: str, kind: str = "log") -> None:
        """A message of the run."""
        self.unit.emitter.emit(Logged(self.clock.now, level, message, self.index, self.id, kind))
