"""Real time, or a multiple of it: the same kernel, whose step waits for the next event or for news from elsewhere.

Results of calls carry the moment they were ready, and are put in order with timed events by it: a settling time that
follows a call never comes out short because the loop was busy. Control callbacks (`post`) go before everything.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

import simpy
from simpy.core import EmptySchedule

from engine.clock.kernel import Kernel
from engine.clock.workers import Job, JobState, Raised, Result, Worker
from engine.core.errors import CommunicationFailed, StepTimeout

T = TypeVar("T")

LONGEST_WAIT_S = 3600.0
"""A thread cannot be told to wait for any length of time; the loop asks again after this many seconds."""


class TimeSource(Protocol):
    """Where real time comes from; a test brings its own."""

    def monotonic(self) -> float:
        """Seconds since some moment; callable from any thread."""
        ...

    def wait(self, inbox: SimpleQueue[Callable[[], object]], timeout_s: float | None) -> Callable[[], object] | None:
        """Take the next item of `inbox`, waiting at most `timeout_s` (None: until one comes); None when none came."""
        ...


class SystemTime:
    """The computer's own monotonic clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, inbox: SimpleQueue[Callable[[], object]], timeout_s: float | None) -> Callable[[], object] | None:
        try:
            return inbox.get(timeout=LONGEST_WAIT_S if timeout_s is None else min(timeout_s, LONGEST_WAIT_S))
        except Empty:
            return None


class _Call:
    """A call somebody waits for; `done` brings its Result, or None when it took too long."""

    __slots__ = ("done", "job")

    def __init__(self, done: simpy.Event, job: Job) -> None:
        self.done = done
        self.job = job


class _Arrival:
    """The result of a call, and the real moment it was ready; being called puts it in line."""

    __slots__ = ("call", "clock", "moment", "result")

    def __init__(self, clock: WallClock, call: _Call, moment: float, result: Result) -> None:
        self.clock = clock
        self.call = call
        self.moment = moment
        self.result = result

    def __call__(self) -> None:
        self.clock._in_flight.discard(self.call)
        self.clock._arrivals.append(self)


class WallClock(Kernel):
    """Lets `speed` simulated seconds pass for each real one."""

    wall = True

    def __init__(
        self,
        speed: float = 1.0,
        *,
        source: TimeSource | None = None,
        abort_grace_s: float = 1.0,
        close_grace_s: float = 1.0,
    ) -> None:
        """Start at 0 s; raises ValueError for a speed that is not positive and finite.

        `abort_grace_s`: real seconds an aborted call has to return before its worker is replaced.
        `close_grace_s`: real seconds that all workers together have to end at `close`.
        """
        if not 0 < speed < math.inf:
            raise ValueError(f"a speed of {speed} cannot be kept")
        super().__init__()
        self.speed = speed
        self._source = source or SystemTime()
        self._abort_grace_s = abort_grace_s
        self._close_grace_s = close_grace_s
        self._workers: dict[str, Worker] = {}
        self.given_up: list[str] = []
        """Keys whose worker had to be replaced, oldest first: their instruments are in a state nobody knows."""
        self._closed = False
        self._in_flight: set[_Call] = set()
        self._arrivals: deque[_Arrival] = deque()
        self._anchor()

    # -- time

    def _anchor(self) -> None:
        """Let simulated and real time meet here; what passed outside `run` does not count."""
        self._origin = self._now
        self._real_origin = self._source.monotonic()

    def _at(self, moment: float) -> float:
        """The time of the run at a real moment."""
        return self._origin + (moment - self._real_origin) * self.speed

    def run(self, until: simpy.Event | float | None = None) -> Any:
        """Let time pass until an event has happened, until a time, or (None) until nothing is left to happen."""
        self._anchor()
        return super().run(until)

    def step(self) -> None:
        """Wait for the next event, result or posted callback, and let it happen."""
        while not self._inbox.empty():
            self._take(self._inbox.get_nowait())
        due = self._queue[0][0] if self._queue else math.inf
        if self._arrivals and (at := self._at(self._arrivals[0].moment)) < due:
            self._now = max(self._now, at)
            arrival = self._arrivals.popleft()
            if not arrival.call.done.triggered:
                arrival.call.done.succeed(arrival.result)
            return
        left_s: float | None = None
        if self._queue:
            left_s = self._real_origin + (due - self._origin) / self.speed - self._source.monotonic()
            if left_s <= 0:
                self._happen()
                return
        elif not self._in_flight and not self._outside:
            raise EmptySchedule
        item = self._source.wait(self._inbox, left_s)
        if item is not None:
            self._take(item)

    def _take(self, item: Callable[[], object]) -> None:
        """Put a result in line; run a posted callback, before the next event."""
        if not isinstance(item, _Arrival):
            due = self._queue[0][0] if self._queue else math.inf
            at = self._at(self._source.monotonic())
            # A loop that is late stays where it is, so that the callback comes before the events it is late for.
            if self._now < at < due:
                self._now = at
        item()

    # -- calls

    def call(self, worker_key: str, function: Callable[[], T]) -> Generator[Any, Any, T]:
        """Call `function` on the worker of that key and wait for what it gives."""
        call = self._submit(worker_key, function)
        try:
            result: Result = yield call.done
        except BaseException:
            self._drop(worker_key, call)
            raise
        value: T = result.unwrap()
        return value

    def call_bounded(
        self, worker_key: str, function: Callable[[], T], timeout_s: float, on_timeout: Callable[[], None]
    ) -> Generator[Any, Any, T]:
        """The same, within `timeout_s` real seconds at any speed; raises StepTimeout."""
        call = self._submit(worker_key, function)
        try:
            self._bound(call, timeout_s)
            result: Result | None = yield call.done
            if result is None:
                raise (yield from self._overrun(worker_key, call, timeout_s, on_timeout))
        except BaseException:
            self._drop(worker_key, call)
            raise
        value: T = result.unwrap()
        return value

    def _submit(self, worker_key: str, function: Callable[[], Any]) -> _Call:
        if self._closed:
            raise RuntimeError(f"a call to {worker_key} after the clock was closed")
        worker = self._workers.get(worker_key)
        if worker is None:
            worker = self._workers[worker_key] = Worker(worker_key)

        def deliver(result: Result) -> None:
            self._inbox.put(_Arrival(self, call, self._source.monotonic(), result))

        call = _Call(simpy.Event(self), Job(function, deliver))
        self._in_flight.add(call)
        worker.submit(call.job)
        return call

    def _drop(self, worker_key: str, call: _Call) -> bool:
        """Make sure that a call nobody waits for does not begin any more; False when it has begun."""
        if not self._workers[worker_key].drop(call.job):
            return False
        self._in_flight.discard(call)
        return True

    def _bound(self, call: _Call, real_s: float) -> None:
        """Let `call.done` bring None after `real_s` real seconds, counted from now and not from where the loop is."""
        done = call.done
        behind = max(0.0, self._at(self._source.monotonic()) - self._now)

        def expire(_event: simpy.Event) -> None:
            if not done.triggered:
                done.succeed(None)

        self.timeout(behind + real_s * self.speed).callbacks.append(expire)

    def _overrun(
        self, worker_key: str, call: _Call, timeout_s: float, on_timeout: Callable[[], None]
    ) -> Generator[Any, Any, StepTimeout]:
        """Abort a call that took too long, replace its worker if that does not help; gives the error to raise."""
        worker = self._workers[worker_key]
        stuck = worker.current
        message = f"`{worker_key}` did not finish within {timeout_s:g} s"
        if self._drop(worker_key, call):
            message += " (it was still busy with an earlier call)"
        try:
            on_timeout()
        except Exception as error:  # noqa: BLE001  # the timeout is the news; a failing abort only adds to it
            message += f"; aborting it failed: {error}"
        call.done = simpy.Event(self)
        self._bound(call, self._abort_grace_s)
        yield call.done
        if stuck is not None and stuck.state is JobState.RUNNING and self._workers[worker_key] is worker:
            self._replace(worker_key)
            message += "; the call never returned and was given up"
        return StepTimeout(message, "see whether the instrument is still alive, or allow more time with `timeout:`")

    def _replace(self, worker_key: str) -> None:
        """Give up the thread of a stuck call; calls that wait behind it go on with a new one."""
        worker = self._workers[worker_key]
        waiting = worker.abandon()
        self.given_up.append(worker_key)
        self._workers[worker_key] = successor = Worker(worker_key)
        for job in waiting:
            successor.submit(job)
        for call in [call for call in self._in_flight if call.job.state is JobState.DROPPED]:
            self._in_flight.discard(call)
            if not call.done.triggered:
                error = CommunicationFailed(f"`{worker_key}` was given up: a call never returned")
                call.done.succeed(Raised(error))

    def close(self) -> None:
        """Let every worker end after the call it is in; one that does not end in time is left behind."""
        self._closed = True
        for worker in self._workers.values():
            worker.close()
        deadline = time.monotonic() + self._close_grace_s
        for worker in self._workers.values():
            worker.join(max(0.0, deadline - time.monotonic()))
