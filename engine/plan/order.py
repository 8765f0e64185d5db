"""The order of a list whose steps say `after`: who waits for whom, and what must not happen side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.core.bench import Target
from engine.plan.model import (
    CallAction,
    GroupAction,
    IfAction,
    LetAction,
    Node,
    ParallelAction,
    RepeatAction,
    SetAction,
    Steps,
    SweepAction,
)
from schemas.diagnostics import Problems, did_you_mean
from schemas.loading import Loaded
from schemas.source import Path
from schemas.steps import Step


def dependencies(
    steps: Sequence[Step], file: Loaded[Any], path: Path, problems: Problems
) -> tuple[list[tuple[int, ...]], list[int]]:
    """(for each step the steps it waits for, an order in which all come after what they wait for)."""
    ids = {step.id: index for index, step in enumerate(steps) if step.id is not None}
    needs: list[tuple[int, ...]] = []
    for index, step in enumerate(steps):
        if step.after is None:
            needs.append((index - 1,) if index else ())
            continue
        found: list[int] = []
        for number, name in enumerate(step.after):
            if name not in ids:
                problems.error(
                    "N013",
                    f"no step of this list has the id `{name}`",
                    file.at((*path, index, "after", number)),
                    label=did_you_mean(name, ids),
                    help=f"ids here: {', '.join(ids)}" if ids else "give the step meant an `id:`",
                )
            else:
                found.append(ids[name])
        needs.append(tuple(dict.fromkeys(found)))
    order: list[int] = []
    done: set[int] = set()
    waiting = list(range(len(steps)))
    while waiting:
        ready = [index for index in waiting if all(other in done for other in needs[index])]
        if not ready:
            cycle = _cycle(needs, waiting)
            names = " → ".join(steps[index].id or f"step {index + 1}" for index in [*cycle, cycle[0]])
            problems.error(
                "N014",
                f"these steps wait for each other: {names}" if len(cycle) > 1 else "this step waits for itself",
                file.key((*path, cycle[0], "after")) if steps[cycle[0]].after else file.at((*path, cycle[0])),
                notes=tuple((file.at((*path, index)), "and this one") for index in cycle[1:4]),
            )
            for index in waiting:
                needs[index] = tuple(other for other in needs[index] if other < index)
            continue
        order.append(ready[0])
        done.add(ready[0])
        waiting.remove(ready[0])
    return needs, order


def _cycle(needs: Sequence[tuple[int, ...]], among: Sequence[int]) -> list[int]:
    """Some cycle of the steps that wait for each other."""
    seen: list[int] = []
    index = among[0]
    while index not in seen:
        seen.append(index)
        index = next(other for other in needs[index] if other in among)
    return seen[seen.index(index) :]


def _lists_of(node: Node) -> list[Steps]:
    """The lists that a node holds, the remedy of its retries included."""
    action = node.action
    lists = [node.retry.remedy] if node.retry is not None else []
    match action:
        case GroupAction() | CallAction():
            lists += [action.block.setup, action.block.steps, action.block.cleanup]
        case IfAction():
            lists += [action.then, action.otherwise]
        case ParallelAction():
            lists += action.branches
        case SweepAction() | RepeatAction():
            lists.append(action.body)
    return lists


def targets_set(node: Node) -> Iterator[tuple[Target, Node]]:
    """Every property that a node, or a node inside it, sets."""
    if isinstance(node.action, SetAction):
        yield from ((write.target, node) for write in node.action.writes)
    for steps in _lists_of(node):
        for inner in steps.nodes:
            yield from targets_set(inner)


def _assigned(node: Node) -> Iterator[tuple[str, Node]]:
    """Every working value that a node, or a node inside it, assigns; a called sequence has its own."""
    if isinstance(node.action, LetAction):
        yield from ((binding.name, node) for binding, _ in node.action.items)
    if isinstance(node.action, CallAction):
        return
    for steps in _lists_of(node):
        for inner in steps.nodes:
            yield from _assigned(inner)


def check_unordered(
    groups: Sequence[tuple[int, Sequence[Node], Path]],
    ancestors: Mapping[int, set[int]],
    file: Loaded[Any],
    problems: Problems,
) -> None:
    """Two steps that may happen in any order must not change the same property or value: which of the two would hold?"""
    changes: list[tuple[int, dict[Target | str, Node], Path]] = []
    for number, nodes, path in groups:
        found: dict[Target | str, Node] = {}
        for node in nodes:
            for target, inner in targets_set(node):
                found.setdefault(target, inner)
            for name, inner in _assigned(node):
                found.setdefault(name, inner)
        changes.append((number, found, path))
    for position, (number, found, path) in enumerate(changes):
        for other, others, other_path in changes[:position]:
            if other in ancestors.get(number, set()) or number in ancestors.get(other, set()):
                continue
            for what in found:
                if what not in others:
                    continue
                problems.error(
                    "N015",
                    f"`{what}` is {'assigned' if isinstance(what, str) else 'set'} by two steps that may run in any order",
                    found[what].span or file.at(path),
                    notes=((others[what].span or file.at(other_path), "the other one"),),
                    help="order them with `after`, or put them in one list",
                )
