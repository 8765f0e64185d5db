"""The event loop both clocks share: simpy's, with its few sharp edges taken off.

simpy re-creates an exception as `type(error)(*error.args)` when it hands it to a waiting process or out of the loop;
one with any other signature would arrive as a `TypeError`. Here every exception arrives as itself. The kernel adds a
door for other threads and signal handlers (`post`) and a hook after the last event of an instant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from heapq import heappop
from queue import Empty, SimpleQueue
from typing import Any

import simpy
from simpy.core import EmptySchedule
from simpy.events import EventPriority

from engine.core.clock import ClockStalled

LAST = EventPriority(1_000)
"""After everything else that happens at the same time."""


class Process(simpy.Process):
    """A simpy process into which a failure is thrown as it is, not as a copy."""

    def _resume(self, event: simpy.Event) -> None:
        env = self.env
        env._active_proc = self
        while True:
            try:
                if event._ok:
                    event = self._generator.send(event._value)
                else:
                    event._defused = True
                    event = self._generator.throw(event._value)
            except StopIteration as finished:
                self._ok = True
                self._value = finished.value
                break
            except BaseException as error:  # noqa: BLE001  # those who wait for the process get it
                self._ok = False
                self._value = error
                break
            if event.callbacks is not None:
                event.callbacks.append(self._resume)
                self._target = event
                env._active_proc = None
                return
        self._target = None  # type: ignore[assignment]  # simpy does the same to a process that is over
        env.schedule(self)
        env._active_proc = None


def _defuse(event: simpy.Event) -> None:
    event.defused = True


class Kernel(simpy.Environment):
    """Events in order of time, priority and request; also the common half of both clocks."""

    def __init__(self) -> None:
        super().__init__(0.0)
        # A SimpleQueue and not a condition variable: its put() may interrupt its own get(), as a signal handler does.
        self._inbox: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._after_instant: dict[Callable[[], object], None] = {}
        self._outside = 0

    @property
    def env(self) -> simpy.Environment:
        """The environment itself."""
        return self

    @property
    def now(self) -> float:
        """Seconds since the start of the run."""
        return self._now

    def timeout(self, delay: float = 0, value: Any = None) -> simpy.Timeout:
        """An event `delay` seconds from now; raises ValueError for a delay that is negative, infinite or NaN."""
        if not 0 <= delay < math.inf:
            raise ValueError(f"a wait of {delay} s cannot be made")
        return simpy.Timeout(self, delay, value)

    def event(self) -> simpy.Event:
        """An event that somebody triggers later."""
        return simpy.Event(self)

    def outside(self) -> simpy.Event:
        """An event that a `post` triggers later; until it has happened an idle clock waits instead of giving up."""
        event = simpy.Event(self)
        self._outside += 1
        event.callbacks.append(self._came_from_outside)
        return event

    def _came_from_outside(self, _event: simpy.Event) -> None:
        self._outside -= 1

    def process(self, generator: Generator[Any, Any, Any]) -> simpy.Process:
        """Run a generator of events beside the others."""
        return Process(self, generator)

    def post(self, callback: Callable[[], object]) -> None:
        """Run `callback` inside the loop as soon as possible; safe in any thread and in a signal handler."""
        self._inbox.put(callback)

    def _run_posted(self) -> None:
        """Run all that was posted up to now."""
        while True:
            try:
                callback = self._inbox.get_nowait()
            except Empty:
                return
            callback()

    def after_instant(self, callback: Callable[[], object]) -> None:
        """Run `callback` once after all other events of this instant."""
        if not self._after_instant:
            event = simpy.Event(self)
            event._ok = True
            event._value = None
            event.callbacks.append(self._instant_is_over)
            self.schedule(event, LAST)
        self._after_instant[callback] = None

    def _instant_is_over(self, _event: simpy.Event) -> None:
        callbacks, self._after_instant = self._after_instant, {}
        for callback in callbacks:
            callback()

    def step(self) -> None:
        """Let the next event happen; raises EmptySchedule when there is none and none can come."""
        if not self._inbox.empty():
            self._run_posted()
        if not self._queue:
            if not self._outside:
                raise EmptySchedule
            self._inbox.get()()
            return
        self._happen()

    def _happen(self) -> None:
        """Move to the first event of the queue and call those who wait for it."""
        self._now, _, _, event = heappop(self._queue)
        callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]  # simpy's mark of a processed event
        for callback in callbacks:
            callback(event)
        if not event._ok and not event.defused:
            raise event._value

    def run(self, until: simpy.Event | float | None = None) -> Any:
        """Let time pass until an event has happened, until a time, or (None) until nothing is left to happen."""
        if until is None:
            until = simpy.Event(self)
            endless = True
        else:
            endless = False
            if not isinstance(until, simpy.Event):
                until = self.timeout(until - self._now)
        if until.callbacks is not None:
            until.callbacks.append(_defuse)
        step = self.step
        try:
            while until.callbacks is not None:
                step()
        except EmptySchedule:
            if endless:
                return None
            raise ClockStalled(
                f"nothing is left to happen at {self._now:g} s, yet {until} is waited for",
                "this is a fault of the engine, please report it",
            ) from None
        if not until._ok:
            raise until._value
        return until._value
