"""A small bench and a way to compile the steps of a test on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.plan.compile import Wish, compile_plan
from engine.plan.model import (
    CallAction,
    GroupAction,
    IfAction,
    Node,
    ParallelAction,
    Plan,
    RepeatAction,
    Steps,
    SweepAction,
)
from schemas.library import Library
from schemas.loading import load, load_text

SHARED = Path(__file__).parents[2] / "data" / "invalid" / "shared"
NEEDS = "needs: {chamber: thermal_chamber, psu: power_supply, dmm: multimeter, box: generic}\n"
Compile = Callable[..., Plan]


@pytest.fixture(scope="session")
def library() -> Library:
    return Library(SHARED)


@pytest.fixture(scope="session")
def compiled(library: Library) -> Compile:
    """Compiles the text of a sequence without its head; `wish` are the fields of `Wish`."""
    station = load(SHARED / "stations" / "bench.yaml", "station")

    def compile_text(text: str, head: str = "sequence: demo\n" + NEEDS, *, bench: Any = None, **wish: Any) -> Plan:
        sequence = load_text(head + text, "demo.yaml", "sequence")
        return compile_plan(sequence, bench or station, library, SHARED, Wish(**wish))

    return compile_text


def lists_of(node: Node) -> list[Steps]:
    """The lists of steps inside a node, as written."""
    action = node.action
    match action:
        case GroupAction() | CallAction():
            lists = [action.block.setup, action.block.steps, action.block.cleanup]
        case IfAction():
            lists = [action.then, action.otherwise]
        case ParallelAction():
            lists = list(action.branches)
        case SweepAction() | RepeatAction():
            lists = [action.body]
        case _:
            lists = []
    return lists + ([node.retry.remedy] if node.retry is not None else [])


def walk(plan: Plan) -> Iterator[Node]:
    """Every node of a plan, as written; the body of a loop once."""

    def inside(steps: Steps) -> Iterator[Node]:
        for node in steps.nodes:
            yield node
            for inner in lists_of(node):
                yield from inside(inner)

    for steps in (plan.root.setup, plan.root.steps, plan.root.cleanup):
        yield from inside(steps)


def expanded(plan: Plan) -> Iterator[int]:
    """The order of every node at every point, as written."""

    def inside(steps: Steps, shift: int) -> Iterator[int]:
        for node in steps.nodes:
            yield node.order + shift
            action = node.action
            rounds, stride = 1, 0
            if isinstance(action, SweepAction):
                rounds, stride = action.points.size, action.stride
                rounds *= action.search.most if action.search is not None else 1
            elif isinstance(action, RepeatAction):
                rounds, stride = action.most, action.stride
            for number in range(rounds):
                for inner in lists_of(node):
                    yield from inside(inner, shift + number * stride)

    for steps in (plan.root.setup, plan.root.steps, plan.root.cleanup):
        yield from inside(steps, 0)


@pytest.fixture(scope="session")
def nodes() -> Callable[[Plan], dict[str, Node]]:
    """Id → node, of every node of a plan."""
    return lambda plan: {node.id: node for node in walk(plan)}


@pytest.fixture(scope="session")
def orders() -> Callable[[Plan], list[int]]:
    return lambda plan: list(expanded(plan))
