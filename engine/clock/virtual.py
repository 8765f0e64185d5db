"""Simulated time: a second takes as long as what happens in it.

Calls run where they are made, so a simulated run needs no thread and repeats exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from engine.clock.kernel import Kernel

T = TypeVar("T")


class VirtualClock(Kernel):
    """Jumps from event to event; stands still during a call, however long that takes (a prompt freezes all units)."""

    wall = False

    def call(self, worker_key: str, function: Callable[[], T]) -> Generator[Any, Any, T]:
        """Call `function` at once."""
        return function()
        yield  # makes this a generator, as on the wall clock

    def call_bounded(
        self, worker_key: str, function: Callable[[], T], timeout_s: float, on_timeout: Callable[[], None]
    ) -> Generator[Any, Any, T]:
        """Call `function` at once; a simulated call cannot block, so the bound is never reached."""
        return function()
        yield

    def close(self) -> None:
        """Nothing to let go of."""
