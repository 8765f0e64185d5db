"""What the dispatcher itself costs: process CPU time of one trivial judged `measure`, documents included, without journal.

Run as `python -m tests.bench.dispatch_cost`. The bench is one that costs next to nothing; the floor of the table is a plain
loop that makes the same three documents for every step.
"""

from __future__ import annotations

import gc
import resource
import time
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


def cost(work: Callable[[], None], count: int) -> float:
    """Process CPU time a step, µs, the best of three."""
    best = float("inf")
    for _ in range(3 if count <= 100_000 else 1):
        gc.collect()
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best / count * 1e6


def main() -> None:
    base = cost(lambda: floor(20_000), 20_000)
    print(f"{'case':44} {'µs a step':>10} {'x floor':>8}")
    print(f"{'floor: three documents and a verdict':44} {base:10.2f} {1:8.1f}")
    small = 10_000
    line, groups = straight(small), grouped(small)
    cases: list[tuple[str, Callable[[], None], int]] = [
        ("straight line", lambda: run(line), small),
        ("groups of ten", lambda: run(groups), small),
        ("sweep", lambda: run(swept(small)), small),
        ("sweep, 1 ms latency a call", lambda: run(swept(small), 0.001), small),
        ("sweep, 4 units that share a meter", lambda: run(swept(small), 0.001, 4), 4 * small),
        ("sweep of a million points", lambda: run(swept(1_000_000)), 1_000_000),
    ]
    for title, work, count in cases:
        found = cost(work, count)
        print(f"{title:44} {found:10.2f} {found / base:8.1f}")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
