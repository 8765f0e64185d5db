"""What the dispatcher asks of time: the one seam through which seconds pass, simulated or real.

Nothing above this seam knows whether a second is computed or waited for. Time taken from anywhere else (`time.time`,
`sleep`) would make a simulated run slow, a prediction wrong and a test flaky.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeVar

from engine.core.errors import BenchwrightError

T = TypeVar("T")


class ClockStalled(BenchwrightError):
    """Something is still waited for and nothing is left that could make it happen: a fault of the engine."""


class Event(Protocol):
    """May happen, is going to happen (`triggered`), has happened (`processed`)."""

    @property
    def triggered(self) -> bool: ...

    @property
    def processed(self) -> bool: ...

    @property
    def ok(self) -> bool:
        """Whether it succeeded; only once triggered."""
        ...

    @property
    def value(self) -> Any:
        """What it brought, or the exception it failed with; only once triggered."""
        ...

    def succeed(self, value: Any = None) -> Any: ...

    def fail(self, exception: Exception) -> Any: ...


class Clock(Protocol):
    """Seconds since the start of the run, and everything that waits for them.

    All methods but `post` belong to the thread that runs the clock.
    """

    @property
    def env(self) -> Any:
        """The simpy environment underneath, for conditions such as `env.any_of`."""
        ...

    @property
    def now(self) -> float:
        """Seconds since the start of the run; may be read from any thread."""
        ...

    @property
    def wall(self) -> bool:
        """True where a second takes real time."""
        ...

    def timeout(self, delay: float = 0, value: Any = None) -> Event:
        """An event `delay` seconds from now; raises ValueError for a negative, infinite or NaN delay."""
        ...

    def event(self) -> Event:
        """An event that happens when somebody inside the loop triggers it."""
        ...

    def outside(self) -> Event:
        """An event that somebody outside the loop triggers by `post`; a clock with nothing else to do waits for it."""
        ...

    def process(self, generator: Generator[Any, Any, Any]) -> Event:
        """Run a generator of events beside the others; it is itself an event that happens when it ends."""
        ...

    def call(self, worker_key: str, function: Callable[[], T]) -> Generator[Any, Any, T]:
        """Call something that may block, as `value = yield from clock.call("dmm", read)`.

        Virtual: at once, here, without yielding. Wall: on the worker of that key, one call after the other. What the
        function raises arrives as the very same exception. A caller interrupted before its call began has it dropped.
        """
        ...

    def call_bounded(
        self, worker_key: str, function: Callable[[], T], timeout_s: float, on_timeout: Callable[[], None]
    ) -> Generator[Any, Any, T]:
        """The same, within `timeout_s` *real* seconds; raises StepTimeout.

        On overrun `on_timeout` is called (it should make the blocked call return, as `Session.abort` does); a worker
        that stays stuck is given up and replaced. A simulated call cannot block, so the virtual clock sets no bound:
        the latency that a session has added up is the dispatcher's to let pass.
        """
        ...

    def post(self, callback: Callable[[], object]) -> None:
        """Run `callback` inside the loop as soon as possible; callable from any thread and from a signal handler."""

    def after_instant(self, callback: Callable[[], object]) -> None:
        """Run `callback` once when all other events of this instant are over; asking twice is asking once."""

    def run(self, until: Any = None) -> Any:
        """Let time pass until an event has happened; returns its value or raises what it failed with.

        Raises ClockStalled when nothing is left that could make it happen.
        """
        ...

    def close(self) -> None:
        """Let go of every worker; may be called any number of times."""
