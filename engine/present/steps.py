"""The tree of a run's steps; the points of a sweep are one branch, whatever their number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from engine.present.fold import template
from engine.verdict.ladder import worse
from schemas.documents import Outcome


class Step(Protocol):
    """What a tree row needs of an attempt of a node."""

    @property
    def unit(self) -> int: ...
    @property
    def node(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def outcome(self) -> Outcome | None: ...
    @property
    def final(self) -> bool: ...
    @property
    def started(self) -> float: ...
    @property
    def finished(self) -> float | None: ...
    @property
    def waited(self) -> float: ...
    @property
    def message(self) -> str: ...


@dataclass(slots=True)
class StepRow:
    """One line of the tree, for all points and attempts of one step."""

    unit: int
    path: tuple[str, ...]
    """Of node names without axis values, outermost first."""
    kind: str = ""
    title: str = ""
    count: int = 0
    """Nodes that ended for good; above 1 in a sweep. 0 for a branch that is only in the names of others."""
    retries: int = 0
    outcome: Outcome | None = None
    """The worst of its own; for a bare branch the worst below it. None: nothing finished."""
    seconds: float = 0.0
    """All attempts together; for a bare branch from its first step to the end of its last."""
    waited_s: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    message: str = ""
    """The first that any of them left."""
    units: int = 1
    """How many units took it, where all are seen together; `seconds` is then of all of them."""

    @property
    def depth(self) -> int:
        return len(self.path) - 1

    @property
    def label(self) -> str:
        return self.title or self.path[-1]


def step_rows(nodes: Iterable[Step], *, together: bool = False) -> list[StepRow]:
    """The tree as rows, parents before children, in the order in which they come; with `together` one tree for all units."""
    seen: dict[tuple[int, tuple[str, ...]], int] = {}
    """The unit that came last to each row."""
    rows: dict[tuple[int, tuple[str, ...]], StepRow] = {}
    children: dict[tuple[int, tuple[str, ...]], list[tuple[int, tuple[str, ...]]]] = {}
    roots: list[tuple[int, tuple[str, ...]]] = []

    def row_at(unit: int, path: tuple[str, ...]) -> StepRow:
        key = (unit, path)
        row = rows.get(key)
        if row is None:
            row = rows[key] = StepRow(unit, path)
            if len(path) > 1:
                row_at(unit, path[:-1])
                children.setdefault((unit, path[:-1]), []).append(key)
            else:
                roots.append(key)
        return row

    for node in nodes:
        path = tuple(part for part in template(node.node).split("/") if part) or (node.node,)
        unit = 0 if together else node.unit
        row = row_at(unit, path)
        if seen.setdefault((unit, path), node.unit) != node.unit:
            seen[unit, path] = node.unit
            row.units += 1
        if not row.count and not row.retries:
            row.started = node.started
        row.kind = row.kind or node.kind
        row.title = row.title or template(node.title)
        row.message = row.message or node.message
        row.seconds += (node.finished - node.started) if node.finished is not None else 0.0
        row.waited_s += node.waited
        row.ended = max(row.ended, node.finished if node.finished is not None else node.started)
        if not node.final:
            row.retries += 1
            continue
        row.count += 1
        if node.outcome is not None:
            row.outcome = node.outcome if row.outcome is None else worse(row.outcome, node.outcome)

    ordered: list[StepRow] = []

    def visit(key: tuple[int, tuple[str, ...]]) -> Outcome | None:
        row = rows[key]
        ordered.append(row)
        below: Outcome | None = None
        for child in children.get(key, []):
            found = visit(child)
            if found is not None:
                below = found if below is None else worse(below, found)
        if not row.count:
            row.outcome = below
            inside = [rows[child] for child in children.get(key, [])]
            if inside and not row.retries:
                row.started = min(child.started for child in inside)
                row.ended = max(child.ended for child in inside)
                row.seconds = row.ended - row.started
                row.units = 1
        return row.outcome

    for root in roots:
        visit(root)
    return ordered
