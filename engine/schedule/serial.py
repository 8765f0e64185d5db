"""Puts one block after the other where it fits first, gaps included: always comes to an end, whatever is held across tasks.

A block is a task, or all tasks that spans of one unit tie together. It is placed whole: when something it holds is not
free for as long as it turns out to need it, the block is tried again later.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from engine.schedule.problem import ModeHold, Problem, Span, Ticks
from engine.schedule.safety import Block, blocks
from engine.schedule.schedule import Schedule

MOST_ATTEMPTS = 2_000
"""After which a block is given up: it is in its own way."""


class NoPlace(Exception):
    """A block fits nowhere; carries its first task."""


Taken = tuple[Ticks, Ticks, int]
"""(from, to, amount)"""


class _Timeline:
    """What of one resource is taken when."""

    __slots__ = ("capacity", "taken")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.taken: list[Taken] = []
        """Sorted; where the capacity is 1, without overlaps."""

    def add(self, start: Ticks, end: Ticks, amount: int) -> None:
        if end > start:
            insort(self.taken, (start, end, amount))

    def conflict(self, start: Ticks, end: Ticks, amount: int, extra: Iterable[Taken] = ()) -> Ticks | None:
        """None where `amount` is free from `start` to `end`; else an instant before which trying again is in vain."""
        if self.capacity == 1 and not extra:
            place = bisect_left(self.taken, (start, -1, 0))
            if place and self.taken[place - 1][1] > start:
                return self.taken[place - 1][1]
            if place < len(self.taken) and self.taken[place][0] < end:
                return self.taken[place][1]
            return None
        around = [one for one in (*self.taken, *extra) if one[0] < end and one[1] > start]
        instants = {start, *(one[0] for one in around if one[0] > start)}
        for instant in sorted(instants):
            here = [one for one in around if one[0] <= instant < one[1]]
            if sum(one[2] for one in here) + amount > self.capacity:
                return min(one[1] for one in here)
        return None


class _Windows:
    """The values a mode has had; a new hold joins the last window that suits, or opens one at the end."""

    __slots__ = ("entries", "initial", "transition")

    def __init__(self, initial: int, transition: Sequence[Sequence[Ticks]]) -> None:
        self.initial = initial
        self.transition = transition
        self.entries: list[list[int]] = []
        """[value, instant of opening, ready, end of all holds]"""

    def place(self, value: int, start: Ticks, own: Ticks) -> tuple[Ticks, Ticks, int]:
        """(start, duration, index of the window or -1 for a new one) of a task that asks for a value."""
        for index, (found, _, ready, _end) in enumerate(self.entries):
            if found != value:
                continue
            limit = self.entries[index + 1][1] if index + 1 < len(self.entries) else None
            begin = max(start, ready)
            if limit is None or begin < limit:
                return begin, own, index
        last = self.entries[-1] if self.entries else [self.initial, 0, 0, 0]
        return max(start, last[3]), own + self.transition[last[0]][value], -1

    def commit(self, value: int, index: int, start: Ticks, ready: Ticks, end: Ticks) -> None:
        if index >= 0:
            self.entries[index][3] = max(self.entries[index][3], end)
        elif self.entries and self.entries[-1][0] == value:
            self.entries[-1][3] = max(self.entries[-1][3], end)
        else:
            self.entries.append([value, start, ready, end])


def insert(problem: Problem, rank: Sequence[float]) -> Schedule | None:
    """The schedule that the order of `rank` gives, smallest first; every task comes after those it waits for.

    None where a block fits nowhere, because it is in its own way.
    """
    try:
        return _Insertion(problem, rank).go()
    except NoPlace:
        return None


class _Insertion:
    def __init__(self, problem: Problem, rank: Sequence[float]) -> None:
        self.problem = problem
        self.rank = rank
        self.lines = [_Timeline(resource.capacity) for resource in problem.resources]
        self.modes = [_Windows(mode.initial, mode.transition) for mode in problem.modes]
        self.starts = [0] * problem.size
        self.ends = [0] * problem.size
        self.opens: dict[int, list[Span]] = {}
        self.asks: dict[int, list[ModeHold]] = {}
        for span in problem.spans:
            self.opens.setdefault(span.first, []).append(span)
        for hold in problem.holds:
            self.asks.setdefault(hold.first, []).append(hold)

    def go(self) -> Schedule:
        problem = self.problem
        found, own = blocks(problem)
        waits: list[set[int]] = [set() for _ in found]
        feeds: list[set[int]] = [set() for _ in found]
        for index, task in enumerate(problem.tasks):
            for before in task.predecessors:
                if own[before] != own[index]:
                    waits[own[index]].add(own[before])
                    feeds[own[before]].add(own[index])
        missing = [len(one) for one in waits]
        ready: list[tuple[bool, float, int]] = []

        def enlist(number: int) -> None:
            first = found[number].tasks[0]
            heapq.heappush(ready, (problem.tasks[first].started is None, self.rank[first], number))

        for number in range(len(found)):
            if not missing[number]:
                enlist(number)
        while ready:
            number = heapq.heappop(ready)[2]
            self._place(found[number])
            for after in feeds[number]:
                missing[after] -= 1
                if not missing[after]:
                    enlist(after)
        return Schedule(tuple(self.starts), tuple(self.ends))

    def _place(self, block: Block) -> None:
        begin = 0
        for _ in range(MOST_ATTEMPTS):
            later = self._attempt(block, begin)
            if later is None:
                return
            begin = max(later, begin + 1)
        raise NoPlace(block.tasks[0])

    def _attempt(self, block: Block, begin: Ticks) -> Ticks | None:
        """Place all tasks no earlier than `begin`; None when it worked, else when to try again."""
        problem = self.problem
        extra: dict[int, list[Taken]] = {}
        joined: list[tuple[ModeHold, int]] = []
        for index in block.tasks:
            task = problem.tasks[index]
            if task.started is not None:
                start, duration = task.started, task.duration
                joined += [(hold, -1) for hold in self.asks.get(index, ())]
            else:
                earliest = max(begin, task.release, problem.now, *(self.ends[k] for k in task.predecessors), 0)
                placed = self._first_fit(index, earliest, extra, joined)
                if placed is None:
                    return begin + 1
                start, duration = placed
            self.starts[index], self.ends[index] = start, start + duration
            for resource, amount in task.claims:
                extra.setdefault(resource, []).append((start, start + duration, amount))
        for index in block.tasks:
            for span in self.opens.get(index, ()):
                start, end = self.starts[span.first], self.ends[span.last]
                others = extra.get(span.resource, [])
                again = self.lines[span.resource].conflict(start, end, span.amount, others)
                if again is not None and problem.tasks[span.first].started is None:
                    return max(again - (start - max(begin, 0)), begin + 1)
                extra.setdefault(span.resource, []).append((start, end, span.amount))
        for hold, window in joined:
            entries = self.modes[hold.mode].entries
            if 0 <= window < len(entries) - 1 and self.ends[hold.last] > entries[window + 1][1]:
                return max(entries[window + 1][1], begin + 1)
        for resource, taken in extra.items():
            for start, end, amount in taken:
                self.lines[resource].add(start, end, amount)
        for hold, window in joined:
            start, ready, end = self.starts[hold.first], self.ends[hold.first], self.ends[hold.last]
            self.modes[hold.mode].commit(hold.value, window, start, ready, end)
        return None

    def _first_fit(
        self, index: int, earliest: Ticks, extra: dict[int, list[Taken]], joined: list[tuple[ModeHold, int]]
    ) -> tuple[Ticks, Ticks] | None:
        task = self.problem.tasks[index]
        start, duration = earliest, task.duration
        asks = self.asks.get(index, ())
        while True:
            duration = task.duration
            for hold in asks:
                before = self._own_windows(hold.mode, joined)
                start, duration, window = before.place(hold.value, start, task.duration)
            moved = False
            for resource, amount in task.claims:
                again = self.lines[resource].conflict(start, start + duration, amount, extra.get(resource, ()))
                if again is not None:
                    start, moved = max(again, start + 1), True
            for span in self.opens.get(index, ()):
                again = self.lines[span.resource].conflict(start, start + max(duration, 1), span.amount)
                if again is not None:
                    start, moved = max(again, start + 1), True
            if not moved:
                break
        for hold in asks:
            _, _, window = self._own_windows(hold.mode, joined).place(hold.value, start, task.duration)
            joined.append((hold, window))
        return start, duration

    def _own_windows(self, mode: int, joined: list[tuple[ModeHold, int]]) -> _Windows:
        """The windows of a mode with those that this block has opened so far."""
        mine = [(hold, window) for hold, window in joined if hold.mode == mode]
        if not mine:
            return self.modes[mode]
        known = self.modes[mode]
        view = _Windows(known.initial, known.transition)
        view.entries = [list(entry) for entry in known.entries]
        for hold, window in mine:
            view.commit(hold.value, window, self.starts[hold.first], self.ends[hold.first], self.ends[hold.last])
        return view
