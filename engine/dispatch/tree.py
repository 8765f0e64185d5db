"""Walking a plan: what a node holds, and what it gives names to."""

from __future__ import annotations

from collections.abc import Iterator

from engine.plan.model import (
    Binding,
    CallAction,
    ComputeAction,
    GroupAction,
    IfAction,
    LetAction,
    MeasureAction,
    Node,
    ParallelAction,
    PythonAction,
    QueryAction,
    RepeatAction,
    Steps,
    SweepAction,
)


def inner_lists(node: Node) -> Iterator[Steps]:
    """The lists that a node holds directly, in the order they may run."""
    match node.action:
        case GroupAction(block) | CallAction(block=block):
            yield from (block.setup, block.steps, block.cleanup)
        case IfAction(_, then, otherwise):
            yield from (then, otherwise)
        case ParallelAction(branches):
            yield from branches
        case SweepAction(body=body) | RepeatAction(body=body):
            yield body
        case _:
            pass


def bindings(node: Node) -> Iterator[Binding]:
    """What a node itself gives names to."""
    match node.action:
        case MeasureAction(binding=binding) | ComputeAction(binding=binding):
            yield binding
        case LetAction(items):
            yield from (binding for binding, _ in items)
        case QueryAction(binding=binding, groups=groups):
            if binding is not None:
                yield binding
            yield from groups
        case PythonAction(binding=binding):
            if binding is not None:
                yield binding
        case CallAction(store=store):
            yield from (binding for binding, _ in store)
        case _:
            pass
