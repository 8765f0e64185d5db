"""Goes through time and starts, at every instant, whatever may start: the best-ranked first.

It does what the dispatcher does, so its schedules are ones that a run can follow. Where spans are held it starts nothing
that would leave somebody unable to finish.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from engine.schedule.problem import ModeHold, Problem, Span, Ticks
from engine.schedule.safety import Safety
from engine.schedule.schedule import Schedule


def simulate(
    problem: Problem,
    rank: Sequence[float],
    *,
    ageing: float = 0.0,
    window: Sequence[int] | None = None,
) -> Schedule | None:
    """Start what may start, smallest rank first; None where it gets stuck.

    `ageing`: how much the instant at which a task became ready counts (in ticks, times this). `window`: for each hold the
    number of the window of its mode that it belongs to; a window is not left before all its holds are over.
    """
    return _Run(problem, rank, ageing, window).go()


class _Mode:
    __slots__ = ("holders", "left", "number", "opener", "value")

    def __init__(self, value: int) -> None:
        self.value = value
        self.holders = 0
        self.opener = -1
        """The task during which the value is being reached; -1 for none."""
        self.number = 0
        """Of the present window, where windows are given."""
        self.left: dict[int, int] = {}
        """Window → holds that are not over."""


class _Run:
    def __init__(self, problem: Problem, rank: Sequence[float], ageing: float, window: Sequence[int] | None) -> None:
        self.problem = problem
        self.rank = rank
        self.ageing = ageing
        self.window = window
        self.free = [resource.capacity for resource in problem.resources]
        self.safety = Safety(problem)
        self.modes = [_Mode(mode.initial) for mode in problem.modes]
        self.starts = [0] * problem.size
        self.ends = [0] * problem.size
        self.missing = [len(task.predecessors) for task in problem.tasks]
        self.opens: dict[int, list[Span]] = {}
        self.closes: dict[int, list[Span]] = {}
        self.asks: dict[int, list[int]] = {}
        self.drops: dict[int, list[int]] = {}
        for span in problem.spans:
            self.opens.setdefault(span.first, []).append(span)
            self.closes.setdefault(span.last, []).append(span)
        for index, hold in enumerate(problem.holds):
            self.asks.setdefault(hold.first, []).append(index)
            self.drops.setdefault(hold.last, []).append(index)
            if window is not None:
                left = self.modes[hold.mode].left
                left[window[index]] = left.get(window[index], 0) + 1
        self.events: list[tuple[Ticks, int, int]] = []
        """(instant, 0 end | 1 release, task)"""
        self.ready: list[tuple[float, int, int]] = []
        self.done = 0

    def go(self) -> Schedule | None:
        problem = self.problem
        begun = [(task.started, index) for index, task in enumerate(problem.tasks) if task.started is not None]
        for started, index in sorted(begun):
            self._start(index, started)
        for index, task in enumerate(problem.tasks):
            if task.started is None and not self.missing[index]:
                self._available(index, 0)
        now = problem.now
        while self.done < problem.size:
            self._settle(now)
            self._pass(now)
            if not self.events:
                return Schedule(tuple(self.starts), tuple(self.ends)) if self.done == problem.size else None
            now = max(now, self.events[0][0])
        return Schedule(tuple(self.starts), tuple(self.ends))

    def _available(self, index: int, now: Ticks) -> None:
        task = self.problem.tasks[index]
        release = max(task.release, self.problem.now)
        if release > now:
            heapq.heappush(self.events, (release, 1, index))
        else:
            self._enlist(index, now)

    def _enlist(self, index: int, now: Ticks) -> None:
        task = self.problem.tasks[index]
        heapq.heappush(self.ready, (self.rank[index] + self.ageing * now, task.unit, index))

    def _settle(self, now: Ticks) -> None:
        while self.events and self.events[0][0] <= now:
            at, kind, index = heapq.heappop(self.events)
            if kind == 1:
                self._enlist(index, at)
                continue
            self._end(index)
            for after in self.problem.successors[index]:
                self.missing[after] -= 1
                if not self.missing[after] and self.problem.tasks[after].started is None:
                    self._available(after, now)

    def _pass(self, now: Ticks) -> None:
        progress = True
        while progress:
            progress = False
            blocked: list[tuple[float, int, int]] = []
            ready, self.ready = self.ready, []
            while ready:
                entry = heapq.heappop(ready)
                index = entry[2]
                if not self._may_start(index):
                    blocked.append(entry)
                    continue
                self._start(index, now)
                if self.ends[index] <= now:
                    progress = True
            self.ready += blocked
            heapq.heapify(self.ready)
            if progress:
                self._settle(now)

    def _may_start(self, index: int) -> bool:
        free = self.free
        claims = self.problem.tasks[index].claims
        for resource, amount in claims:
            if free[resource] < amount:
                return False
        spans = self.opens.get(index, ())
        if spans:
            wanted = dict(claims)
            for span in spans:
                wanted[span.resource] = wanted.get(span.resource, 0) + span.amount
            if any(free[resource] < amount for resource, amount in wanted.items()):
                return False
        for number in self.asks.get(index, ()):
            hold = self.problem.holds[number]
            mode = self.modes[hold.mode]
            if self.window is not None and not self._in_turn(mode, self.window[number]):
                return False
            if mode.opener >= 0 or (mode.value != hold.value and mode.holders):
                return False
        if spans or index in self.asks:
            return self.safety.opens(index, list(spans), [self.problem.holds[n] for n in self.asks.get(index, ())])
        return True

    @staticmethod
    def _in_turn(mode: _Mode, number: int) -> bool:
        if number == mode.number:
            return True
        return number > mode.number and not any(mode.left.get(k, 0) for k in range(mode.number, number))

    def _start(self, index: int, now: Ticks) -> None:
        task = self.problem.tasks[index]
        duration = task.duration
        for resource, amount in task.claims:
            self.free[resource] -= amount
        for span in self.opens.get(index, ()):
            self.free[span.resource] -= span.amount
        for number in self.asks.get(index, ()):
            hold = self.problem.holds[number]
            mode = self.modes[hold.mode]
            if task.started is None:
                transition = self.problem.modes[hold.mode].transition[mode.value][hold.value]
                if transition:
                    mode.opener = index
                duration += transition
            elif mode.value != hold.value and now + duration > self.problem.now:
                mode.opener = index
            mode.value = hold.value
            mode.holders += 1
            if self.window is not None:
                mode.number = max(mode.number, self.window[number])
        if task.started is not None and (index in self.asks or index in self.opens):
            holds: list[ModeHold] = [self.problem.holds[n] for n in self.asks.get(index, ())]
            self.safety.opens(index, self.opens.get(index, []), holds, begun=True)
        self.starts[index] = now
        self.ends[index] = now + duration
        heapq.heappush(self.events, (now + duration, 0, index))

    def _end(self, index: int) -> None:
        self.done += 1
        for resource, amount in self.problem.tasks[index].claims:
            self.free[resource] += amount
        for number in self.asks.get(index, ()):
            mode = self.modes[self.problem.holds[number].mode]
            if mode.opener == index:
                mode.opener = -1
        dropped = self.drops.get(index, ())
        for number in dropped:
            hold = self.problem.holds[number]
            mode = self.modes[hold.mode]
            mode.holders -= 1
            if self.window is not None:
                mode.left[self.window[number]] -= 1
        closed = self.closes.get(index, ())
        for span in closed:
            self.free[span.resource] += span.amount
        if closed or dropped:
            self.safety.closes(index, list(closed), [self.problem.holds[number] for number in dropped])
