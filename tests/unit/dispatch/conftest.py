"""Plans made by hand, and a bench that does as it is told."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from engine.clock import VirtualClock
from engine.core.bench import InstrumentSpec, SafeReport, SafeValue, Target
from engine.core.control import Control
from engine.core.errors import EvaluationFailed, InstrumentError, ReplyTimeout
from engine.core.recorder import MemoryRecorder
from engine.dispatch import Dispatcher, RunResult, UnitUnderTest
from engine.expr import Kind, Type
from engine.plan.model import (
    Action,
    AxisPlan,
    BarrierAction,
    Binding,
    Block,
    CheckAction,
    Claim,
    ComputeAction,
    Formula,
    GroupAction,
    Hold,
    IfAction,
    LetAction,
    LiveReading,
    LogAction,
    LoopSlots,
    MeasureAction,
    Node,
    ParallelAction,
    Plan,
    ReleaseAction,
    RepeatAction,
    RetryPlan,
    Role,
    SetAction,
    Steps,
    SweepAction,
    WaitAction,
    Write,
)
from engine.verdict import band
from schemas.documents import Document, Measured, NodeFinished, NodeStarted, Outcome
from schemas.quantity import parse_unit

VOLT = parse_unit("V")


# --- a bench


@dataclass
class FakeBench:
    """Answers from `values`: a value, a list taken from the front, a function of (unit, time), or an exception."""

    clock: Any = None
    values: dict[str, Any] = field(default_factory=dict)
    latency: dict[str, float] = field(default_factory=dict)
    """Seconds that a read of a property takes."""
    errors: dict[str, list[str]] = field(default_factory=dict)
    """Instrument → errors it has in its queue."""
    steady: dict[str, Callable[[float], float | None]] = field(default_factory=dict)
    polls: dict[str, float] = field(default_factory=dict)
    per_site: dict[int, str] = field(default_factory=dict)
    """unit → site, for instruments whose name begins with `site_`."""
    contexts: dict[tuple[int, str], Any] = field(default_factory=dict)
    restored: set[str] = field(default_factory=set)
    unsafe: set[str] = field(default_factory=set)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    applied: dict[Target, Any] = field(default_factory=dict)
    on_call: Callable[[str], None] = lambda what: None
    _spent: dict[str, float] = field(default_factory=dict)

    def instance(self, unit: int, instrument: str) -> str:
        return f"{instrument}@{self.per_site[unit]}" if instrument.startswith("site_") else instrument

    def begin(self, unit: int, instrument: str, node: str, attempt: int) -> None:
        self.calls.append(("begin", instrument, node, attempt))

    def restore(self, unit: int, instrument: str) -> bool:
        return instrument in self.restored

    def release(self, unit: int, instrument: str) -> None:
        self.calls.append(("release", instrument, unit, self.clock.now))

    def context(self, unit: int, instrument: str) -> Any:
        return self.contexts.get((unit, instrument))

    def read(self, unit: int, target: Target) -> Any:
        return self._answer(unit, str(target), target.instrument)

    def _answer(self, unit: int, key: str, instrument: str) -> Any:
        self.calls.append(("read", key, self.clock.now))
        self.on_call(key)
        if key in self.latency:
            self._spent[instrument] = self._spent.get(instrument, 0.0) + self.latency[key]
        value = self.values.get(key, 0.0)
        if isinstance(value, list):
            value = value.pop(0) if len(value) > 1 else value[0]
        if isinstance(value, BaseException):
            raise value
        return value(unit, self.clock.now) if callable(value) else value

    def apply(self, unit: int, target: Target, value: Any, *, force: bool = False) -> bool:
        self.calls.append(("apply", str(target), value, self.clock.now))
        self.on_call(f"{target}={value}")
        problem = self.values.get(f"{target}=")
        if isinstance(problem, BaseException):
            raise problem
        if not force and self.applied.get(target) == value:
            return False
        self.applied[target] = value
        return True

    def command(self, unit: int, instrument: str, text: str) -> None:
        self.calls.append(("command", instrument, text))

    def query(self, unit: int, instrument: str, text: str) -> str:
        return self._answer(unit, f"{instrument}:{text}", instrument)

    def check_errors(self, unit: int, instrument: str) -> None:
        if self.errors.get(instrument):
            raise InstrumentError(f"`{instrument}` says {self.errors[instrument].pop(0)}")

    def take_latency(self, unit: int, instrument: str) -> float:
        return self._spent.pop(instrument, 0.0)

    def steady_until(self, unit: int, target: Target) -> float | None:
        steady = self.steady.get(str(target))
        return steady(self.clock.now) if steady else None

    def poll_s(self, target: Target) -> float:
        return self.polls.get(str(target), 1.0)

    def identity(self, unit: int, instrument: str) -> str:
        return "fake"

    def make_safe(self, unit: int, instrument: str) -> SafeReport:
        key = self.instance(unit, instrument)
        self.calls.append(("safe", key, self.clock.now))
        self.on_call(f"safe {instrument}")
        return SafeReport(key, instrument not in self.unsafe, "still on" if instrument in self.unsafe else "")

    def abort(self, unit: int, instrument: str) -> None:
        self.calls.append(("abort", instrument))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] == kind]


# --- plans


def target(text: str) -> Target:
    instrument, name = text.split(".")
    return Target(instrument, "", name)


class Slots(ast.NodeTransformer):
    """Names become look-ups in the environment, as in compiled expressions."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in ("abs", "len", "list", "nan"):
            return node
        self.names.add(node.id)
        env = ast.Name("env", ast.Load())
        return ast.copy_location(ast.Subscript(env, ast.Constant(node.id), ast.Load()), node)


def formula(text: str, *live: str) -> Formula:
    """Python over the environment; `psu.voltage` in `live` is read afresh into the slot `psu_voltage`."""
    slots = Slots()
    tree = ast.fix_missing_locations(slots.visit(ast.parse(f"lambda env: {text}", mode="eval")))
    fn = eval(compile(tree, "<formula>", "eval"), {"abs": abs, "len": len, "list": list, "nan": float("nan")})

    def explain(error: BaseException) -> EvaluationFailed:
        return EvaluationFailed(f"`{text}`: {type(error).__name__} {error}")

    readings = tuple(LiveReading(target(one), one.replace(".", "_")) for one in live)
    return Formula(text, fn, explain, Type(Kind.ANY), readings, names=frozenset(slots.names))


@dataclass(frozen=True)
class Limit:
    name: str
    fixed: Any

    def resolve(self, environment: Any) -> Any:
        if isinstance(self.fixed, Exception):
            raise self.fixed
        return self.fixed


def between(low: float | None, high: float | None) -> Limit:
    return Limit("limit", band(low, high))


@dataclass
class Points:
    """The product of lists of values."""

    axes: tuple[AxisPlan, ...]
    points: list[tuple[Any, ...]]
    visits: list[int] | None = None
    inner: int = 1_000_000

    @property
    def size(self) -> int:
        return len(self.points)

    @property
    def sorted(self) -> bool:
        return self.visits is None

    def __iter__(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        for index in range(len(self.points)) if self.visits is None else self.visits:
            yield index, self.points[index]

    def count(self) -> int:
        return len(self.points)

    may_repeat = True

    def breaks_at(self, index: int) -> int:
        return (index // self.inner + 1) * self.inner


class Build:
    """Nodes with as few words as a YAML file needs."""

    def __init__(self) -> None:
        self.orders = 0

    def node(self, id: str, action: Action, verb: str = "", size: int = 1, **more: Any) -> Node:
        order, self.orders = self.orders, self.orders + 1
        return Node(
            id, verb or type(action).__name__.removesuffix("Action").lower(), "", action, order, size, None, **more
        )

    def measure(
        self,
        name: str,
        source: str = "dmm.volts",
        limit: Limit | None = None,
        samples: int = 1,
        interval_s: float = 0.0,
        statistic: str = "mean",
        convert: tuple[float, float] | None = None,
        series: Sequence[str] = (),
        id: str = "",
        **more: Any,
    ) -> Node:
        binding = Binding(name, name, series)
        action = MeasureAction(target(source), binding, VOLT, convert, samples, interval_s, statistic, limit)
        more.setdefault("claims", (Claim(source.split(".")[0]),))
        return self.node(id or name, action, binds=(name,), **more)

    def set(
        self, what: str, value: Any, until: Formula | None = None, poll_s: Any = None, settle_s: Any = 0.0, **more: Any
    ) -> Node:
        force = more.pop("force", False)
        action = SetAction(what.split(".")[0], (Write(target(what), value),), (), until, poll_s, settle_s, force)
        more.setdefault("claims", (Claim(what.split(".")[0]),))
        return self.node(more.pop("id", f"set {what}"), action, **more)

    def wait(self, seconds: Any = None, condition: Formula | None = None, poll_s: Any = None, **more: Any) -> Node:
        return self.node(more.pop("id", "wait"), WaitAction(seconds, condition, poll_s), **more)

    def compute(
        self, name: str, value: Formula, limit: Limit | None = None, series: Sequence[str] = (), **more: Any
    ) -> Node:
        return self.node(more.pop("id", name), ComputeAction(Binding(name, name, series), value, VOLT, limit), **more)

    def let(self, name: str, value: Any, series: Sequence[str] = (), **more: Any) -> Node:
        return self.node(more.pop("id", f"let {name}"), LetAction(((Binding(name, name, series), value),)), **more)

    def check(self, condition: Formula, message: str = "", **more: Any) -> Node:
        return self.node(more.pop("id", "check"), CheckAction(condition, message), **more)

    def log(self, text: str, **more: Any) -> Node:
        return self.node(more.pop("id", text), LogAction(text, "info"), **more)

    def group(
        self,
        id: str,
        steps: Sequence[Node] = (),
        setup: Sequence[Node] = (),
        cleanup: Sequence[Node] = (),
        monitors: Any = (),
        hold: Sequence[str] = (),
        **more: Any,
    ) -> Node:
        held = tuple(Claim(name) for name in hold)
        block = Block(Steps(tuple(setup)), Steps(tuple(steps)), Steps(tuple(cleanup)), tuple(monitors), held)
        return self.node(id, GroupAction(block), **more)

    def drive(self, what: str, value: Any, **more: Any) -> Node:
        """A `set` after which the unit goes on holding the instrument."""
        return self.set(what, value, holds=(Hold(what.split(".")[0], "drive"),), **more)

    def mode(self, what: str, value: Any, **more: Any) -> Node:
        """A `set` of a value on which units agree."""
        instrument, name = what.split(".")
        return self.set(what, value, holds=(Hold(instrument, "mode", False, name),), **more)

    def release(self, *names: str, **more: Any) -> Node:
        return self.node(more.pop("id", "release"), ReleaseAction(tuple(Claim(name) for name in names)), **more)

    def barrier(self, name: str, **more: Any) -> Node:
        return self.node(more.pop("id", name), BarrierAction(name), **more)

    def use(self, id: str, *names: str, seconds: Any = 10.0, **more: Any) -> Node:
        """Take things for a while."""
        return self.wait(seconds, id=id, claims=tuple(Claim(name) for name in names), **more)

    def parallel(self, *branches: Sequence[Node], **more: Any) -> Node:
        return self.node(more.pop("id", "parallel"), ParallelAction(tuple(Steps(tuple(b)) for b in branches)), **more)

    def sweep(
        self,
        axes: Mapping[str, Sequence[Any]],
        body: Sequence[Node],
        visits: list[int] | None = None,
        stop_when: Formula | None = None,
        changed: Any = (),
        cleared: Sequence[str] = (),
        series: Mapping[str, tuple[str, bool]] | None = None,
        collected: Mapping[str, bool] | None = None,
        extends: Sequence[tuple[str, str]] = (),
        search: Any = None,
        id: str = "sweep",
        **more: Any,
    ) -> Node:
        points: list[tuple[Any, ...]] = [()]
        for values in axes.values():
            points = [(*point, value) for point in points for value in values]
        inner = len(list(axes.values())[-1]) if axes else 1
        plan = Points(tuple(AxisPlan(name, name, None) for name in axes), points, visits, inner)
        slots = LoopSlots(list(cleared), dict(series or {}), dict(collected or {}), list(extends))
        action = SweepAction(plan, search, Steps(tuple(body)), len(body), slots, stop_when, changed)
        return self.node(id, action, **more)

    def repeat(
        self, count: Any, body: Sequence[Node], until: Any = None, while_: Any = None, every_s: Any = None, **more: Any
    ) -> Node:
        slots = LoopSlots(list(more.pop("cleared", ())), dict(more.pop("series", {})))
        action = RepeatAction(count, 1000, until, while_, every_s, Steps(tuple(body)), len(body), slots, "iteration")
        return self.node(more.pop("id", "repeat"), action, **more)

    @staticmethod
    def retry(
        times: int = 1,
        kinds: Sequence[str] = ("fail", "error", "timeout"),
        delay_s: Any = 0.0,
        remedy: Sequence[Node] = (),
    ) -> RetryPlan:
        return RetryPlan(times, delay_s, frozenset(kinds), Steps(tuple(remedy)))


def spec(
    name: str, *safe: tuple[str, Any], timeout_s: float = 1.0, shared: str | None = None, per_site: bool = False
) -> InstrumentSpec:
    return InstrumentSpec(
        name,
        "driver",
        name,
        "generic",
        "sim",
        "",
        timeout_s,
        {},
        safe=tuple(SafeValue("", prop, value) for prop, value in safe),
        shared=shared,
        per_site=per_site,
    )


def plan_of(
    steps: Sequence[Node] | Steps,
    setup: Sequence[Node] = (),
    cleanup: Sequence[Node] = (),
    monitors: Any = (),
    instruments: Sequence[InstrumentSpec] = (),
    **more: Any,
) -> Plan:
    block = Block(
        Steps(tuple(setup)),
        steps if isinstance(steps, Steps) else Steps(tuple(steps)),
        Steps(tuple(cleanup)),
        tuple(monitors),
    )
    known = instruments or (spec("psu", ("output", False)), spec("dmm"), spec("chamber", ("setpoint", 25.0)))
    plan = Plan(
        "seq", "title", "1", "bench", "virtual", ("A",), block, {}, (Role("meter", "multimeter", "dmm"),),
        {one.name: one for one in known}, {}, (), {}, 0, None, "", "", (), {},
    )  # fmt: skip
    return replace(plan, **more)


# --- runs


@dataclass
class Run:
    """A finished run and what a user would look at."""

    result: RunResult
    documents: list[Document]
    bench: FakeBench
    clock: Any

    @property
    def outcome(self) -> Outcome:
        return self.result.outcome

    def finished(self, node: str | None = None) -> list[NodeFinished]:
        return [d for d in self.documents if isinstance(d, NodeFinished) and node in (None, d.node)]

    def started(self) -> list[str]:
        return [d.node for d in self.documents if isinstance(d, NodeStarted)]

    def end(self, node: str, unit: int | None = None) -> NodeFinished:
        """The final attempt of a node."""
        return next(d for d in reversed(self.finished(node)) if d.final and unit in (None, d.unit))

    def times(self, node: str) -> dict[int, tuple[float, float]]:
        """Unit → when it started and ended this node."""
        return {d.unit: (d.started, d.t) for d in self.finished(node) if d.final}

    def outcomes(self) -> dict[str, Outcome]:
        return {d.node: d.outcome for d in self.finished() if d.final}

    def measured(self, name: str | None = None) -> list[Measured]:
        return [d for d in self.documents if isinstance(d, Measured) and name in (None, d.name)]

    def values(self, name: str) -> list[Any]:
        return [d.value for d in self.measured(name)]

    def of(self, kind: type) -> list[Any]:
        return [d for d in self.documents if isinstance(d, kind)]


def run_plan(
    plan: Plan,
    bench: FakeBench | None = None,
    units: int | Sequence[UnitUnderTest] = 1,
    during: Callable[[Any, Control], None] | None = None,
    **more: Any,
) -> Run:
    """Run a plan to its end; `during` may post things before it starts."""
    clock = more.pop("clock", None) or VirtualClock()
    bench = bench or FakeBench()
    bench.clock = clock
    control = more.setdefault("control", Control())
    recorder = more.pop("recorder", None) or MemoryRecorder()
    if isinstance(units, int):
        units = [UnitUnderTest(number, f"SN{number}", "ABCDEFGH"[number]) for number in range(units)]
    bench.per_site = {unit.index: unit.site for unit in units}
    dispatcher = Dispatcher(plan, clock, bench, recorder, units, **more)
    if during is not None:
        during(clock, control)
    result = dispatcher.run()
    return Run(result, recorder.documents, bench, clock)


def rack(*steps: Node, instruments: Sequence[InstrumentSpec] = (), **more: Any) -> Plan:
    """A plan on a bench whose chamber is shared and whose supply is driven by one unit at a time."""
    known = instruments or (
        spec("psu", ("output", False)), spec("dmm"), spec("chamber", shared="setpoint"),
        spec("site_load", ("input", False), per_site=True),
    )  # fmt: skip
    more.setdefault("sites", tuple("ABCDEFGH"))
    return plan_of(steps, instruments=known, **more)


def choose(build: Build, condition: str, then: Node, otherwise: Node) -> Node:
    """One step or another."""
    return build.node("if", IfAction(formula(condition), Steps((then,)), Steps((otherwise,))))


def at(clock: Any, seconds: float, action: Callable[[], None]) -> None:
    """Have something happen at a time of the run."""

    def wait() -> Iterator[Any]:
        yield clock.timeout(seconds)
        action()

    clock.process(wait())


@pytest.fixture
def build() -> Build:
    return Build()


@pytest.fixture
def dsl() -> SimpleNamespace:
    """Everything a test needs to write a plan and run it."""
    return SimpleNamespace(
        between=between, formula=formula, target=target, plan=plan_of, rack=rack, choose=choose, run=run_plan, at=at, spec=spec, Bench=FakeBench,
        Limit=Limit, Points=Points, ReplyTimeout=ReplyTimeout,
    )  # fmt: skip
