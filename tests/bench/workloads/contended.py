"""Random programs whose units get in each other's way, and a bench and a ledger that notice when a promise is broken.

Everything is drawn from one seed: what is claimed and for how long, what is driven and held, which values units have to agree on,
failures, retries, meeting points, how many units there are and how few sites. What a unit has set is measured again
afterwards, so a value that did not stay true for it is a fail that nobody asked for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from engine.clock import VirtualClock
from engine.core.bench import InstrumentSpec, SafeReport, SafeValue, Target
from engine.core.clock import ClockStalled
from engine.core.control import Control
from engine.core.errors import ReplyTimeout
from engine.core.recorder import MemoryRecorder
from engine.dispatch import Dispatcher, RunResult, UnitUnderTest
from engine.dispatch.locks import Span, Ticket
from engine.dispatch.manager import AllAtOnceLocks
from engine.dispatch.policy import AsPlanned, FirstComeFirstServed, MostWorkLeft, Policy
from engine.expr import Kind, Type
from engine.plan.model import (
    Action,
    BarrierAction,
    Binding,
    Block,
    Claim,
    Formula,
    GroupAction,
    Hold,
    IfAction,
    LogAction,
    LoopSlots,
    MeasureAction,
    Node,
    ParallelAction,
    Plan,
    ReleaseAction,
    RepeatAction,
    RetryPlan,
    SetAction,
    Steps,
    WaitAction,
    Write,
)
from engine.plan.sharing import SharingCheck
from engine.verdict import band
from schemas.diagnostics import Problems
from schemas.documents import Document, Logged, NodeFinished, NodeStarted, Outcome, UnitFinished

CAPACITY = {"mux": 2, "lane": 1}
DRIVEN = ("psu", "src")
SITES = "ABCDEFGH"
TEMPERATURES = (-40.0, 25.0, 85.0)


def spec(name: str, *, shared: str | None = None, per_site: bool = False, safe: bool = False) -> InstrumentSpec:
    values = (SafeValue("", "voltage", 0.0),) if safe else ()
    return InstrumentSpec(
        name, "driver", name, "generic", "sim", "", 1.0, {}, safe=values, shared=shared, per_site=per_site
    )


INSTRUMENTS = {
    one.name: one
    for one in (
        spec("chamber", shared="setpoint"),
        spec("press", shared="setpoint"),
        spec("psu", safe=True),
        spec("src", safe=True),
        spec("dmm"),
        spec("load", per_site=True, safe=True),
    )
}


@dataclass(frozen=True)
class Limit:
    name: str
    fixed: Any

    def resolve(self, environment: Any) -> Any:
        return self.fixed


class Program:
    """A random sequence."""

    def __init__(self, seed: int, *, fierce: bool = True) -> None:
        """`fierce`: several things are held across nodes, groups stand in groups, and things go wrong."""
        self.draw = random.Random(seed)
        self.fierce = fierce
        self.orders = 0
        self.numbers = 0
        self.cleanups: dict[str, str] = {}
        """Group → the last step of its cleanup."""
        draw = self.draw
        self.modes = draw.choice([(), ("chamber",), ("chamber",), ("chamber", "press")])
        self.driven: tuple[str, ...] = (*DRIVEN, "load")
        self.sites = draw.randint(1, 4)
        self.units = draw.randint(2, 8)
        depth = draw.choice([1, 2, 2, 3]) if fierce else 0
        steps = self.steps(depth, draw.randint(2, 5), top=True)
        self.plan = self._checked(steps)

    def _checked(self, steps: list[Node]) -> Plan:
        """The plan; where the compiler would refuse it, without meeting points and without holding a chamber alone."""
        plan = self._plan(steps)
        problems = Problems()
        SharingCheck(plan.instruments, plan.resources, self.sites, problems).check(plan.root)
        self.refused = bool(problems)
        if problems:
            plan = self._plan([_without_refused(node) for node in steps])
        return plan

    def _plan(self, steps: list[Node]) -> Plan:
        root = Block(Steps(), Steps(tuple(steps)), Steps((self.wait("last", 0.5),)))
        sites = tuple(SITES[: self.sites])
        return Plan(
            "seq", "", "1", "bench", "virtual", sites, root, {}, (), INSTRUMENTS, CAPACITY, (), {}, self.orders, None,
            "", "", (), {},
        )  # fmt: skip

    # -- leaves

    def node(self, id: str, action: Action, **more: Any) -> Node:
        order, self.orders = self.orders, self.orders + 1
        return Node(id, type(action).__name__.removesuffix("Action").lower(), "", action, order, 1, None, **more)

    def id(self, prefix: str) -> str:
        self.numbers += 1
        return f"{prefix}{self.numbers}"

    def wait(self, id: str, seconds: float, claims: tuple[Claim, ...] = (), **more: Any) -> Node:
        return self.node(id, WaitAction(seconds, None), claims=claims, duration_s=seconds, **more)

    def common(self) -> dict[str, Any]:
        draw = self.draw
        more: dict[str, Any] = {
            "on_fail": draw.choice(["continue", "continue", "stop"]),
            "on_error": draw.choice(["continue", "stop"]),
        }
        if self.fierce and draw.random() < 0.1:
            more["retry"] = RetryPlan(1, draw.choice([0.0, 1.5]), frozenset(("fail", "error", "timeout")), Steps())
        return more

    def leaf(self) -> list[Node]:
        draw = self.draw
        match draw.choice(["use", "use", "use", "measure", "drive", "drive", "mode", "mode", "release", "log"]):
            case "use":
                names = draw.sample(["psu", "src", "dmm", "mux", "lane", "chamber"], draw.choice([1, 1, 2, 2, 3]))
                claims = tuple(Claim(name) for name in sorted(names))
                return [self.wait(self.id("use"), draw.choice([0.5, 1.0, 3.0, 20.0]), claims, **self.common())]
            case "measure":
                return [self.measure(self.id("m"), "dmm.volts", band(0.0, 0.8), **self.common())]
            case "drive" if self.fierce and self.driven:
                name = draw.choice(self.driven)
                value = draw.choice([1.0, 2.0, 3.0])
                return [*self.set(name, "voltage", value, "drive"), *self.audit(name, "voltage", value)]
            case "mode" if self.modes and self.fierce:
                name = draw.choice(self.modes)
                value = draw.choice(TEMPERATURES)
                return [*self.set(name, "setpoint", value, "mode"), *self.audit(name, "setpoint", value)]
            case "release" if self.fierce and len(self.driven) == 3:  # not what another branch has set
                return [self.node(self.id("release"), ReleaseAction((Claim(draw.choice([*DRIVEN, "chamber"])),)))]
            case _:
                return [self.node(self.id("log"), LogAction("", "info"))]

    def measure(self, id: str, source: str, limit: Any, **more: Any) -> Node:
        instrument, name = source.split(".")
        action = MeasureAction(
            Target(instrument, "", name), Binding(id, id), None, None, 1, 0.0, "mean", Limit(id, limit)
        )
        return self.node(id, action, claims=(Claim(instrument, 1, INSTRUMENTS[instrument].per_site),), **more)

    def set(self, name: str, prop: str, value: float, kind: Any) -> list[Node]:
        own = INSTRUMENTS[name].per_site
        settle_s = self.draw.choice([0.0, 5.0, 30.0]) if kind == "mode" else 0.0
        action = SetAction(name, (Write(Target(name, "", prop), value),), settle_s=settle_s)
        hold = Hold(name, kind, own, prop if kind == "mode" else "")
        return [self.node(self.id(f"set-{name}-"), action, claims=(Claim(name, 1, own),), holds=(hold,))]

    def audit(self, name: str, prop: str, value: float) -> list[Node]:
        """What was set must still be so a while later."""
        pause = self.wait(self.id("w"), self.draw.choice([0.0, 2.0, 15.0]))
        return [pause, self.measure(self.id("audit-"), f"{name}.{prop}", band(value, value))]

    # -- what holds others

    def steps(self, depth: int, count: int, *, top: bool = False) -> list[Node]:
        found: list[Node] = []
        for _ in range(count):
            if depth and self.draw.random() < 0.55:
                found.append(self.composite(depth))
            else:
                found += self.leaf()
            if top and self.draw.random() < 0.2:
                found.append(self.node(self.id("barrier"), BarrierAction("here")))
        return found

    def composite(self, depth: int) -> Node:
        draw = self.draw
        match draw.choice(["group", "group", "group", "repeat", "parallel", "if"]):
            case "group":
                id, cleanup = self.id("g"), self.id("c")
                self.cleanups[id] = cleanup
                hold = ()
                if draw.random() < 0.4:
                    names = draw.sample(["psu", "src", "dmm", "mux", "lane", "chamber"], draw.choice([1, 1, 2]))
                    hold = tuple(Claim(name) for name in sorted(names))
                setup = self.leaf() if draw.random() < 0.4 else []
                steps = self.steps(depth - 1, draw.randint(1, 3))
                end = [self.wait(cleanup, draw.choice([0.0, 1.0]))]
                if draw.random() < 0.4 and "chamber" in self.modes:
                    end = [*self.set("chamber", "setpoint", 25.0, "mode"), *end]
                block = Block(Steps(tuple(setup)), Steps(tuple(steps)), Steps(tuple(end)), (), hold)
                return self.node(id, GroupAction(block), **self.common())
            case "repeat":
                body = Steps(tuple(self.steps(depth - 1, draw.randint(1, 2))))
                action = RepeatAction(2.0, 2, None, None, None, body, 1000, LoopSlots(), "iteration")
                return self.node(self.id("repeat"), action)
            case "parallel":
                # a value set in two branches would be refused when compiled
                modes, driven = self.modes, self.driven
                branches = []
                for mode, names in ((modes, ("psu", "load")), ((), ("src",))):
                    self.modes, self.driven = mode, tuple(name for name in names if name in driven)
                    branches.append(Steps(tuple(self.steps(draw.randint(0, depth - 1), 2))))
                self.modes, self.driven = modes, driven
                return self.node(self.id("parallel"), ParallelAction(tuple(branches)))
            case _:
                holds = draw.random() < 0.5
                condition = Formula("…", lambda env: holds, lambda error: error, Type(Kind.ANY))  # type: ignore[arg-type,return-value]
                then = Steps(tuple(self.steps(depth - 1, 1)))
                otherwise = Steps(tuple(self.steps(depth - 1, 1)))
                return self.node(self.id("if"), IfAction(condition, then, otherwise))


def _without_refused(node: Node) -> Node:
    """The same without what waits for others by hand."""
    if isinstance(node.action, BarrierAction):
        return replace(node, action=LogAction("", "info"))
    match node.action:
        case GroupAction(block):
            lists = [
                Steps(tuple(map(_without_refused, one.nodes))) for one in (block.setup, block.steps, block.cleanup)
            ]
            hold = tuple(claim for claim in block.hold if claim.resource not in ("chamber", "press"))
            return replace(node, action=GroupAction(Block(*lists, (), hold)))
        case RepeatAction(body=body):
            inner = Steps(tuple(map(_without_refused, body.nodes)))
            return replace(node, action=replace(node.action, body=inner))
        case ParallelAction(branches):
            inside = tuple(Steps(tuple(map(_without_refused, one.nodes))) for one in branches)
            return replace(node, action=ParallelAction(inside))
        case IfAction(condition, then, otherwise):
            arms = [Steps(tuple(map(_without_refused, one.nodes))) for one in (then, otherwise)]
            return replace(node, action=IfAction(condition, *arms))
        case _:
            return node


@dataclass
class Bench:
    """Keeps what it is told, and fails now and then."""

    clock: Any
    draw: random.Random
    failing: float = 0.05
    sites: dict[int, str] = field(default_factory=dict)
    values: dict[tuple[str, str], Any] = field(default_factory=dict)
    unsafe: set[str] = field(default_factory=set)

    def instance(self, unit: int, instrument: str) -> str:
        return f"{instrument}@{self.sites[unit]}" if instrument == "load" else instrument

    def begin(self, unit: int, instrument: str, node: str, attempt: int) -> None: ...

    def restore(self, unit: int, instrument: str) -> bool:
        return False

    def release(self, unit: int, instrument: str) -> None: ...

    def context(self, unit: int, instrument: str) -> Any:
        return None

    def read(self, unit: int, target: Target) -> Any:
        if target.property == "volts":
            if self.draw.random() < self.failing:
                raise ReplyTimeout("no reply")
            return self.draw.random()
        return self.values.get((self.instance(unit, target.instrument), target.property), 0.0)

    def apply(self, unit: int, target: Target, value: Any, *, force: bool = False) -> bool:
        key = (self.instance(unit, target.instrument), target.property)
        changed = self.values.get(key) != value
        self.values[key] = value
        return changed

    def check_errors(self, unit: int, instrument: str) -> None: ...

    def take_latency(self, unit: int, instrument: str) -> float:
        return 0.0

    def steady_until(self, unit: int, target: Target) -> float | None:
        return None

    def poll_s(self, target: Target) -> float:
        return 1.0

    def make_safe(self, unit: int, instrument: str) -> SafeReport:
        key = self.instance(unit, instrument)
        self.values[key, "voltage"] = 0.0
        return SafeReport(key, key not in self.unsafe, "")

    def abort(self, unit: int, instrument: str) -> None: ...


class Ledger(AllAtOnceLocks):
    """Keeps books of its own beside those of the manager, and compares."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.acting: list[Ticket] = []
        self.open: list[Span] = []

    def grant(self, now: float) -> list[Ticket]:
        granted = super().grant(now)
        for ticket in granted:
            if ticket.problem is None:
                self.acting.append(ticket)
                self.open += ticket.opens
        self.audit()
        return granted

    def release(self, ticket: Ticket) -> bool:
        if ticket in self.acting:
            self.acting.remove(ticket)
        return super().release(ticket)

    def close(self, span: Span) -> bool:
        if span in self.open:
            self.open.remove(span)
        return super().close(span)

    def audit(self) -> None:
        resources = {name for ticket in self.acting for name in (*dict(ticket.wants), *ticket.joins)}
        for name in resources | {span.resource for span in self.open}:
            most = CAPACITY.get(name, 1)
            acting: dict[int, int] = {}
            for ticket in self.acting:
                if name in dict(ticket.wants):
                    acting[ticket.unit] = acting.get(ticket.unit, 0) + dict(ticket.wants)[name]
            joint = [ticket.unit for ticket in self.acting if name in ticket.joins]
            held: dict[int, int] = {}
            for span in self.open:
                if span.resource == name and span.kind != "mode":
                    held[span.unit] = min(most, held.get(span.unit, 0) + span.amount)
            total = sum(max(acting.get(unit, 0), held.get(unit, 0)) for unit in {*acting, *held})
            assert total <= most, f"{name}: {total} of {most} are taken"
            assert not (joint and acting), f"{name}: somebody acts on it alone while others act together"
            agreed = {span.value for span in self.open if span.resource == name and span.kind == "mode"}
            assert len(agreed) <= 1, f"{name}: units hold {agreed}"
            holders = {span.unit for span in self.open if span.resource == name and span.kind == "mode"}
            assert all(unit in held for unit in holders) or not held, f"{name}: held alone and together"


class AnyOrder:
    """A plan drawn at random, with promises about nodes to come that may be wrong."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._places: dict[tuple[int, str], float] = {}
        self._expected: dict[tuple[int, str], float] = {}

    def priority(self, unit: int, node: str, order: int) -> float:
        return self._places.setdefault((unit, node), self._draw.random())

    def expected(self, unit: int, node: str, order: int, now: float) -> float:
        key = (unit, node)
        if key not in self._expected:
            self._expected[key] = now + self._draw.choice([0.0, 0.0, 2.0, 10.0])
        return self._expected[key]

    def started(self, unit: int, node: str, now: float) -> None: ...

    def finished(self, unit: int, node: str, now: float) -> None: ...

    def left(self, unit: int, now: float) -> None: ...


def policy_of(seed: int) -> Policy:
    """A policy for a seed: all of them have to keep the same promises."""
    return (FirstComeFirstServed(), MostWorkLeft(), AsPlanned(AnyOrder(seed)))[seed % 3]


@dataclass
class Outcomes:
    """What came of one program."""

    program: Program
    result: RunResult | None
    documents: list[Document]
    clock: Any
    locks: Ledger
    deadlock: str = ""

    def broken_promises(self) -> Iterator[str]:
        """What must never be."""
        if self.deadlock:
            yield f"deadlock: {self.deadlock}"
            return
        finished = [d for d in self.documents if isinstance(d, NodeFinished)]
        ended: dict[tuple[int, str, int], NodeFinished] = {}
        for d in finished:
            key = (d.unit, d.node, d.attempt)
            if key in ended:
                yield f"{key} ended twice"
            ended[key] = d
            if d.node.startswith("audit") and d.outcome is Outcome.FAIL:
                yield f"{key}: what the unit had set did not stay true: {d.message}"
            if "internal" in d.message:
                yield f"{key}: {d.message}"
        started = [(d.unit, d.node, d.attempt) for d in self.documents if isinstance(d, NodeStarted)]
        if len(set(started)) != len(started):
            yield "a node started twice"
        yield from (f"{key} never ended" for key in started if key not in ended)
        for unit, node, attempt in started:
            name, bracket, rest = node.partition("[")
            if name in self.program.cleanups:
                cleanup = ended.get((unit, self.program.cleanups[name] + bracket + rest, attempt))
                if cleanup is None or cleanup.outcome is not Outcome.DONE:
                    yield f"{(unit, node, attempt)}: its cleanup did not run"
        units = [d.unit for d in self.documents if isinstance(d, UnitFinished)]
        if sorted(units) != list(range(self.program.units)):
            yield f"units that finished: {units}"
        if self.locks.acting or self.locks.open:
            yield f"never given back: {self.locks.describe()}"


def run_program(
    seed: int,
    *,
    fierce: bool = True,
    failing: float = 0.05,
    during: Callable[[Any, Control], None] | None = None,
    policy: Policy | None = None,
) -> Outcomes:
    """Run the program of a seed to its end."""
    program = Program(seed, fierce=fierce)
    clock, control, recorder = VirtualClock(), Control(), MemoryRecorder()
    bench = Bench(clock, random.Random(seed + 1), failing)
    order = policy or policy_of(seed)
    locks = Ledger(CAPACITY, order, None if isinstance(order, AsPlanned) else 5.0)
    units = [UnitUnderTest(number, f"SN{number}", "") for number in range(program.units)]

    def seat(unit: UnitUnderTest) -> None:
        bench.sites[unit.index] = unit.site

    durations = {node.id: node.duration_s for node in _all(program.plan.root)}
    estimates = lambda unit, node, order: durations.get(node.partition("[")[0])  # noqa: E731
    dispatcher = Dispatcher(
        program.plan, clock, bench, recorder, units,
        control=control, policy=order, locks=locks, estimates=estimates, seat=seat,
    )  # fmt: skip
    if during is not None:
        during(clock, control)
    result, deadlock = None, ""
    try:
        result = dispatcher.run()
    except ClockStalled as error:
        deadlock = f"{error}\n{locks.describe()}"
    for d in recorder.documents:
        if isinstance(d, Logged) and d.kind == "stall":
            deadlock = d.message
        if isinstance(d, NodeFinished) and d.node.startswith("barrier") and "did not come" in d.message:
            deadlock = d.message
    return Outcomes(program, result, recorder.documents, clock, locks, deadlock)


def _all(block: Block) -> Iterator[Node]:
    stack = [*block.setup.nodes, *block.steps.nodes, *block.cleanup.nodes]
    while stack:
        node = stack.pop()
        yield node
        match node.action:
            case GroupAction(inner):
                stack += [*inner.setup.nodes, *inner.steps.nodes, *inner.cleanup.nodes]
            case RepeatAction(body=body):
                stack += body.nodes
            case IfAction(_, then, otherwise):
                stack += [*then.nodes, *otherwise.nodes]
            case ParallelAction(branches):
                stack += [node for branch in branches for node in branch.nodes]
            case _:
                pass
