"""Whether everybody can still finish after somebody has begun to hold something: the check that keeps plans free of deadlock.

Whoever holds something for a while may need more before giving it up. A state is safe when there is an order in which all
can get what they need, one after the other. Who holds a value of a mode need only be able to finish with that value: it
gives the value up before it waits for another, and keeps the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.schedule.problem import ModeHold, Problem, Span


def inside(problem: Problem, first: int, last: int) -> set[int]:
    """Tasks that come after `first` and before `last`, both included."""
    place, low, high = problem.place, problem.place[first], problem.place[last]
    after, stack = {first}, [first]
    while stack:
        for other in problem.successors[stack.pop()]:
            if other not in after and place[other] <= high:
                after.add(other)
                stack.append(other)
    found, stack = {last}, [last]
    while stack:
        for other in problem.tasks[stack.pop()].predecessors:
            if other in after and other not in found and place[other] >= low:
                found.add(other)
                stack.append(other)
    return found | {first}


def ordered(problem: Problem, tasks: Iterable[int]) -> list[int]:
    """Tasks, each after those it waits for."""
    return sorted(tasks, key=problem.place.__getitem__)


@dataclass(slots=True)
class Block:
    """Tasks of one unit that its spans tie together: once begun, it holds something until the end."""

    unit: int
    tasks: list[int] = field(default_factory=list)
    """In topological order."""
    needs: dict[int, int] = field(default_factory=dict)
    """Shared resource → the most it may hold at any moment; never more than there is."""
    modes: set[int] = field(default_factory=set)


def blocks(problem: Problem) -> tuple[list[Block], list[int]]:
    """All blocks in topological order of their first tasks, and for each task the index of its own; tasks apart are blocks too.

    Blocks of one unit never interleave: where spans overlap, or lie between each other's tasks, they are one block.
    """
    position = problem.place
    by_unit: dict[int, list[int]] = {}
    for index in problem.topological:
        by_unit.setdefault(problem.tasks[index].unit, []).append(index)
    ranges: dict[int, list[tuple[int, int]]] = {}
    pairs = [(span.first, span.last) for span in problem.spans] + [(hold.first, hold.last) for hold in problem.holds]
    for first, last in pairs:
        if first != last:
            ranges.setdefault(problem.tasks[first].unit, []).append((position[first], position[last]))
    found: list[Block] = []
    for unit, members in by_unit.items():
        joined = _joined(sorted(ranges.get(unit, [])))
        end, current = -1, None
        waiting = iter(joined)
        ahead = next(waiting, None)
        for index in members:
            place = position[index]
            if current is not None and place <= end:
                current.tasks.append(index)
                continue
            current = Block(unit, [index])
            found.append(current)
            end = place
            while ahead is not None and ahead[0] <= place:
                end = max(end, ahead[1])
                ahead = next(waiting, None)
    found.sort(key=lambda block: position[block.tasks[0]])
    own = [0] * problem.size
    for number, block in enumerate(found):
        for index in block.tasks:
            own[index] = number
    _add_needs(problem, found, own)
    return found, own


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in ranges:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _add_needs(problem: Problem, found: list[Block], own: list[int]) -> None:
    for span in problem.spans:
        needs = found[own[span.first]].needs
        needs[span.resource] = needs.get(span.resource, 0) + span.amount
    for block in found:
        most: dict[int, int] = {}
        for index in block.tasks:
            for resource, amount in problem.tasks[index].claims:
                most[resource] = max(most.get(resource, 0), amount)
        for resource, amount in most.items():
            block.needs[resource] = block.needs.get(resource, 0) + amount
        for resource in block.needs:
            block.needs[resource] = min(block.needs[resource], problem.resources[resource].capacity)
    for hold in problem.holds:
        found[own[hold.first]].modes.add(hold.mode)


class Safety:
    """Knows what everybody may still need; asked before a span or a mode hold begins."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.needed = any(problem.resources[span.resource].unit is None for span in problem.spans)
        """False where nobody holds anything that others want, so that every state is safe."""
        if not self.needed:
            return
        self._blocks, self._own = blocks(problem)
        self._capacity = [resource.capacity for resource in problem.resources]
        self._inside = {hold: inside(problem, hold.first, hold.last) for hold in problem.holds}
        self._phases = {hold: self._phase(hold) for hold in problem.holds}
        self._open: dict[int, list[Span]] = {}
        """Block → spans it holds."""
        self._modes: dict[int, ModeHold] = {}
        """Block → the hold it is in; the latest where there are several."""

    def _phase(self, hold: ModeHold) -> dict[int, int]:
        problem = self._problem
        members = self._inside[hold]
        needs: dict[int, int] = {}
        for index in members:
            for resource, amount in problem.tasks[index].claims:
                needs[resource] = max(needs.get(resource, 0), amount)
        for span in problem.spans:
            if span.first in members:
                needs[span.resource] = needs.get(span.resource, 0) + span.amount
        return {resource: min(amount, self._capacity[resource]) for resource, amount in needs.items()}

    def opens(self, task: int, spans: list[Span], holds: list[ModeHold], *, begun: bool = False) -> bool:
        """Whether the task may begin these; if so, or if it has `begun` already, they are held from now on."""
        if not self.needed:
            return True
        block = self._own[task]
        mode_before = self._modes.get(block)
        self._open.setdefault(block, []).extend(spans)
        for hold in holds:
            self._modes[block] = hold
        if begun or self._safe():
            return True
        self._drop(block, spans)
        if mode_before is None:
            self._modes.pop(block, None)
        else:
            self._modes[block] = mode_before
        return False

    def closes(self, task: int, spans: list[Span], holds: list[ModeHold]) -> None:
        """These are given back."""
        if not self.needed:
            return
        block = self._own[task]
        self._drop(block, spans)
        for hold in holds:
            if self._modes.get(block) is hold:
                del self._modes[block]

    def _drop(self, block: int, spans: list[Span]) -> None:
        held = self._open.get(block, [])
        for span in spans:
            held.remove(span)
        if not held:
            self._open.pop(block, None)

    def _safe(self) -> bool:
        free = list(self._capacity)
        held: dict[int, dict[int, int]] = {}
        for number, spans in self._open.items():
            mine = held[number] = {}
            for span in spans:
                mine[span.resource] = mine.get(span.resource, 0) + span.amount
                free[span.resource] -= span.amount
        if min(free, default=0) < 0:
            return False
        holding = dict(self._modes)
        active = {*held, *holding}
        progress = True
        while active and progress:
            progress = False
            for number in sorted(active):
                mine = held.get(number, {})
                phase = holding.get(number)
                if phase is not None and self._fits(self._phases[phase], mine, free):
                    del holding[number]
                    progress = True
                    for span in self._open.get(number, ()):
                        if span.last in self._inside[phase]:
                            mine[span.resource] -= span.amount
                            free[span.resource] += span.amount
                    if not any(mine.values()):
                        active.discard(number)
                        continue
                block = self._blocks[number]
                alone = all(hold.mode not in block.modes for other, hold in holding.items() if other != number)
                if number not in holding and alone and self._fits(block.needs, mine, free):
                    for resource, amount in mine.items():
                        free[resource] += amount
                    active.discard(number)
                    progress = True
        return not active

    @staticmethod
    def _fits(needs: dict[int, int], held: dict[int, int], free: list[int]) -> bool:
        return all(amount - held.get(resource, 0) <= free[resource] for resource, amount in needs.items())
