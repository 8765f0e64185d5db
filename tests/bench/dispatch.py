"""What the dispatcher itself costs a trivial judged `measure`, documents included, without journal and without instruments.

The bench answers at once; the floor is a plain loop that makes the same three documents for every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from engine.clock import VirtualClock
from engine.core.bench import SafeReport, Target
from engine.core.recorder import NullRecorder
from engine.dispatch import Dispatcher, UnitUnderTest
from engine.plan.model import (
    AxisPlan,
    Binding,
    Block,
    Claim,
    GroupAction,
    LoopSlots,
    MeasureAction,
    Node,
    Plan,
    Steps,
    SweepAction,
)
from engine.verdict import band
from schemas.documents import Measured, NodeFinished, NodeStarted, Outcome, Verdict
from schemas.quantity import parse_unit
from tests.bench.measure import Line, Row, cpu_s, side_by_side

TITLE = "The dispatcher alone"
VOLT = parse_unit("V")


class IdleBench:
    """Answers at once."""

    def __init__(self, latency_s: float = 0.0) -> None:
        self.latency_s = latency_s

    def instance(self, unit: int, instrument: str) -> str:
        return instrument

    def begin(self, unit: int, instrument: str, node: str, attempt: int) -> None:
        pass

    def restore(self, unit: int, instrument: str) -> bool:
        return False

    def read(self, unit: int, target: Target) -> float:
        return 3.3

    def check_errors(self, unit: int, instrument: str) -> None:
        pass

    def take_latency(self, unit: int, instrument: str) -> float:
        return self.latency_s

    def make_safe(self, unit: int, instrument: str) -> SafeReport:
        return SafeReport(instrument, True)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class Limit:
    name = "vout"
    fixed = band(3.2, 3.4)

    def resolve(self, environment: Any) -> Any:
        return self.fixed


class Count:
    """Points 0 … size-1 of one axis."""

    axes = (AxisPlan("x", "x", None),)
    sorted = True

    def __init__(self, size: int) -> None:
        self.size = size

    def __iter__(self) -> Iterator[tuple[int, tuple[float]]]:
        return ((index, (float(index),)) for index in range(self.size))

    def count(self) -> int:
        return self.size

    may_repeat = False

    def breaks_at(self, index: int) -> int:
        return self.size


def measure(number: int) -> Node:
    action = MeasureAction(
        Target("dmm", "", "voltage"), Binding("vout", f"vout{number}"), VOLT, None, 1, 0.0, "mean", Limit()
    )
    return Node(f"steps/vout{number}", "measure", "", action, number, 1, None, claims=(Claim("dmm"),))


def plan(nodes: tuple[Node, ...]) -> Plan:
    root = Block(steps=Steps(nodes))
    return Plan("s", "", "1", "b", "virtual", ("A",), root, {}, (), {}, {}, (), {}, 0, None, "", "", (), {})


def straight(count: int) -> Plan:
    return plan(tuple(measure(number) for number in range(count)))


def swept(count: int) -> Plan:
    action = SweepAction(Count(count), None, Steps((measure(0),)), 1, LoopSlots(["vout0"]), None, ())
    return plan((Node("steps/sweep", "sweep", "", action, 0, count, None),))


def grouped(count: int) -> Plan:
    groups = []
    for start in range(0, count, 10):
        steps = Steps(tuple(measure(number) for number in range(start, start + 10)))
        groups.append(Node(f"steps/g{start}", "group", "", GroupAction(Block(steps=steps)), start, 11, None))
    return plan(tuple(groups))


def run(plan: Plan, latency_s: float = 0.0, units: int = 1) -> None:
    under_test = [UnitUnderTest(number, f"SN{number}", f"S{number}") for number in range(units)]
    Dispatcher(plan, VirtualClock(), IdleBench(latency_s), NullRecorder(), under_test).run()  # type: ignore[arg-type]


def floor(count: int) -> None:
    """The same documents, and nothing else."""
    recorder = NullRecorder()
    limit = Limit.fixed
    for number in range(count):
        id = f"steps/vout{number}"
        recorder.record(NodeStarted(0, id, 1, number, "measure", 0.0))
        judged = limit.judge(3.3)
        recorder.record(
            Measured(0, id, 1, number, "vout", 3.3, "V", judged.verdict, 0.0, 3.2, 3.4, "{}", judged.margin)
        )
        assert judged.verdict is Verdict.PASS
        recorder.record(NodeFinished(0, id, 1, number, "measure", Outcome.PASS, 0.0, 0.0))


def figures() -> Iterator[Line]:
    small = 10_000
    line, groups, loop = straight(small), grouped(small), swept(small)
    cases: dict[str, tuple[Callable[[], None], int]] = {
        "straight line": (lambda: run(line), small),
        "groups of ten": (lambda: run(groups), small),
        "sweep": (lambda: run(loop), small),
        "sweep, 1 ms latency a call": (lambda: run(loop, 0.001), small),
        "sweep, 4 units that share a meter": (lambda: run(loop, 0.001, 4), 4 * small),
    }
    took = side_by_side({"floor": lambda: floor(small), **{name: case[0] for name, case in cases.items()}}, repeats=5)
    floor_us = took["floor"] / small * 1e6
    for name, (_, steps) in cases.items():
        yield Row(name, took[name] / steps * 1e6, "µs", "three documents and a verdict", floor_us)
    million = cpu_s(lambda: run(swept(1_000_000)))
    yield Row("sweep of 1,000,000 points", million, "µs", "sweep of 10,000", took["sweep"] / small * 1e6, "≤ 1.2 ×")
