"""One thread for each instrument, so that blocking drivers stay plain code and one stuck instrument stops only itself.

A call runs on its worker strictly in order. What it returns or raises is handed over as a value (`Returned`, `Raised`),
never as a failed event: a caller interrupted meanwhile would leave the failure unclaimed, and that stops the loop.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


@dataclass(frozen=True, slots=True)
class Returned:
    """A call gave this."""

    value: Any

    def unwrap(self) -> Any:
        return self.value


@dataclass(frozen=True, slots=True)
class Raised:
    """A call raised this."""

    error: BaseException

    def unwrap(self) -> Any:
        raise self.error


Result = Returned | Raised


class JobState(Enum):
    """May run, is running, has run; or will never run or no longer be listened to."""

    QUEUED = auto()
    RUNNING = auto()
    FINISHED = auto()
    DROPPED = auto()


class Job:
    """One call to be made on a worker; `deliver` is called on the worker's thread with its result."""

    __slots__ = ("deliver", "function", "state")

    def __init__(self, function: Callable[[], Any], deliver: Callable[[Result], None]) -> None:
        self.function = function
        self.deliver = deliver
        self.state = JobState.QUEUED


class Worker:
    """A thread that starts with its first job, runs jobs in order and ends when closed or abandoned."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._current: Job | None = None
        self._thread: threading.Thread | None = None

    @property
    def current(self) -> Job | None:
        """The job that is running now."""
        return self._current

    def submit(self, job: Job) -> None:
        """Run `job` after those submitted before."""
        with self._changed:
            if self._ending:
                raise RuntimeError(f"worker {self.name} is closed")
            self._jobs.append(job)
            if self._thread is None:
                # A daemon: a call that never returns must not keep the process alive.
                self._thread = threading.Thread(target=self._work, name=f"instrument {self.name}", daemon=True)
                self._thread.start()
            self._changed.notify()

    def drop(self, job: Job) -> bool:
        """Make sure `job` will not run; False when it runs already or is over."""
        with self._changed:
            if job.state is not JobState.QUEUED:
                return False
            job.state = JobState.DROPPED
            return True

    def abandon(self) -> list[Job]:
        """Give up the thread, which ends once its stuck call returns; gives back the jobs it had not begun.

        The result of the stuck call goes nowhere.
        """
        with self._changed:
            self._ending = True
            if self._current is not None:
                self._current.state = JobState.DROPPED
            left = [job for job in self._jobs if job.state is JobState.QUEUED]
            self._jobs.clear()
            self._changed.notify()
            return left

    def close(self) -> None:
        """Tell the thread to end after the call it is in; jobs not begun never run."""
        with self._changed:
            self._ending = True
            for job in self._jobs:
                job.state = JobState.DROPPED
            self._jobs.clear()
            self._changed.notify()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end, at most `timeout_s`; False when it has not."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _next(self) -> Job | None:
        with self._changed:
            self._current = None
            while True:
                while self._jobs:
                    job = self._jobs.popleft()
                    if job.state is JobState.QUEUED:
                        job.state = JobState.RUNNING
                        self._current = job
                        return job
                if self._ending:
                    return None
                self._changed.wait()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            result: Result
            try:
                result = Returned(job.function())
            except BaseException as error:  # noqa: BLE001  # it is raised again where the call was made
                result = Raised(error)
            with self._changed:
                listened_to = job.state is JobState.RUNNING
                if listened_to:
                    job.state = JobState.FINISHED
            if listened_to:
                job.deliver(result)
            del job, result  # an idle thread must not keep the last reading, or the frames of an error, alive
