"""What a person can ask of a run while it is under way: stop, pause, skip.

Requests may come from any thread and from a signal handler, so they only set plain fields and post a wake-up. The
dispatcher looks at them between nodes, because a simulated run may go on for long without letting the clock see anything.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

CLEANUP_BUDGET_S = 30.0
"""How long cleanup may still take after a second request to stop, in seconds of the run."""


class Stage(IntEnum):
    """How urgently the run is to end; only ever rises."""

    RUNNING = 0
    ABORT = 1
    """Interrupt what is waited for, run every cleanup that is due, go to the safe state."""
    HURRY = 2
    """The same, with a bound on all that cleanup still has to do."""
    HALT = 3
    """Straight to the safe state."""


class Control:
    """Is handed in before the run starts; may be asked at any time; asking twice for the same is harmless."""

    def __init__(self, cleanup_budget_s: float = CLEANUP_BUDGET_S) -> None:
        self.cleanup_budget_s = cleanup_budget_s
        self.stage = Stage.RUNNING
        self.reason = ""
        """Who or what asked first: `Ctrl-C`."""
        self.paused = False
        self.skipped: set[str] = set()
        """Full ids of nodes that are not to be run."""
        self._wake: Callable[[], None] | None = None

    def abort(self, reason: str = "the operator stopped the run") -> None:
        """Stop the run: first politely, the second time with a bound on cleanup, the third time at once."""
        self._raise(Stage(min(self.stage + 1, Stage.HALT)), reason)

    def halt(self, reason: str = "the operator halted the run") -> None:
        """Stop at once: no more cleanup, straight to the safe state."""
        self._raise(Stage.HALT, reason)

    def pause(self) -> None:
        """Start no further node until `resume`; what runs goes on."""
        self.paused = True
        self._tell()

    def resume(self) -> None:
        """Go on after `pause`."""
        self.paused = False
        self._tell()

    def skip(self, node: str) -> None:
        """Do not run the node with this full id, if it has not started yet."""
        self.skipped.add(node)

    def attach(self, wake: Callable[[], None] | None) -> None:
        """Let the dispatcher be told of every request; `wake` must be safe to call from a signal handler."""
        self._wake = wake

    def _raise(self, stage: Stage, reason: str) -> None:
        if not self.reason:
            self.reason = reason
        self.stage = max(self.stage, stage)
        self._tell()

    def _tell(self) -> None:
        if self._wake is not None:
            self._wake()
