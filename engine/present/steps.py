"""The tree of a run's steps; the points of a sweep are one branch, whatever their number."""

from __future__ import annotations

from collections.abc import Collection, Iterable
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
    """The first that any of them left, of those that count before those that were given up."""
    told_by_final: bool = False
    """Whether the message is of one that counts."""
    broken: str = ""
    """`interrupted` or `running` where it, or something in it, has begun and not ended."""
    units: int = 1
    """How many units took it, where all are seen together; `seconds` is then of all of them."""

    @property
    def status(self) -> str:
        """How it is to be shown: `discarded` where all of it was given up for another attempt; empty where nothing is known."""
        if self.broken:
            return self.broken
        if self.outcome is None:
            return "discarded" if self.retries and not self.count else ""
        return str(self.outcome)

    @property
    def depth(self) -> int:
        return len(self.path) - 1

    @property
    def label(self) -> str:
        return self.title or self.path[-1]


def step_rows(
    nodes: Iterable[Step], *, together: bool = False, unfinished: Collection[int] = (), gone: str = "interrupted"
) -> list[StepRow]:
    """The tree as rows, parents before children, in the order in which they come; with `together` one tree for all units.

    `unfinished` are the units that never ended: what they were in has not ended either, whatever its last step says. What has
    begun and not ended is told to be `gone`.
    """
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
        if node.message and (not row.message or (node.final and not row.told_by_final)):
            row.message, row.told_by_final = node.message, node.final
        row.seconds += (node.finished - node.started) if node.finished is not None else 0.0
        row.waited_s += node.waited
        row.ended = max(row.ended, node.finished if node.finished is not None else node.started)
        if not node.final:
            row.retries += 1
            continue
        row.count += 1
        if node.finished is None:
            row.broken = gone
        if node.outcome is not None:
            row.outcome = node.outcome if row.outcome is None else worse(row.outcome, node.outcome)

    ordered: list[StepRow] = []

    def visit(key: tuple[int, tuple[str, ...]]) -> None:
        row = rows[key]
        ordered.append(row)
        inside = [rows[child] for child in children.get(key, [])]
        for child in children.get(key, []):
            visit(child)
        if row.broken:
            _break_last(inside, row.broken)
        if row.count or row.retries:
            return
        for child_row in inside:
            row.broken = row.broken or child_row.broken
            if child_row.outcome is not None:
                row.outcome = child_row.outcome if row.outcome is None else worse(row.outcome, child_row.outcome)
        if row.outcome is None and not row.broken and all(child_row.status == "discarded" for child_row in inside):
            row.retries = max(child_row.retries for child_row in inside)
        row.started = min(child_row.started for child_row in inside)
        row.ended = max(child_row.ended for child_row in inside)
        row.seconds = row.ended - row.started
        row.units = 1

    for root in roots:
        visit(root)
    for unit in {0} if together and unfinished else set(unfinished):
        _break_last([rows[root] for root in roots if root[0] == unit], gone)
    return ordered


def _break_last(inside: list[StepRow], gone: str) -> None:
    """Of the phases of something that never ended, the last one has not ended."""
    phases = [row for row in inside if not row.count and not row.retries]
    if phases and not any(row.broken for row in inside):
        max(phases, key=lambda row: row.started).broken = gone
