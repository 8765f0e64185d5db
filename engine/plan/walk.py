"""Looks through a plan without running it."""

from __future__ import annotations

from collections.abc import Iterator

from engine.plan.model import (
    Block,
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
from schemas.quantity import Unit


def lists_of(node: Node, *, remedies: bool = False) -> tuple[Steps, ...]:
    """The lists of steps that a node holds, empty ones left out; its remedy last, where asked for."""
    found: tuple[Steps, ...] = ()
    match node.action:
        case GroupAction() | CallAction():
            found = _lists(node.action.block)
        case IfAction():
            found = (node.action.then, node.action.otherwise)
        case ParallelAction():
            found = node.action.branches
        case SweepAction() | RepeatAction():
            found = (node.action.body,)
    if remedies and node.retry is not None:
        found = (*found, node.retry.remedy)
    return tuple(steps for steps in found if steps.nodes)


def _lists(block: Block) -> tuple[Steps, ...]:
    return (block.setup, block.steps, block.cleanup)


def all_nodes(plan: Plan) -> Iterator[tuple[int, Node]]:
    """(depth, node) of every template node, in written order."""
    stack = [(0, node) for steps in reversed(_lists(plan.root)) for node in reversed(steps.nodes)]
    while stack:
        depth, node = stack.pop()
        yield depth, node
        stack += [(depth + 1, inner) for steps in reversed(lists_of(node)) for inner in reversed(steps.nodes)]


def axis_units(plan: Plan) -> dict[str, Unit]:
    """Axis → its unit; words and switches left out."""
    units: dict[str, Unit] = {}
    for _, node in all_nodes(plan):
        if isinstance(node.action, SweepAction):
            axes = list(node.action.points.axes)
            if node.action.search is not None:
                axes.append(node.action.search.axis)
            units.update({axis.name: axis.unit for axis in axes if axis.unit is not None})
    return units
