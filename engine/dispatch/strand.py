"""One line of execution of one unit: what can be interrupted, and when.

A unit runs in one strand; branches that run side by side get one each. An interruption that arrives while a strand cleans up
is kept until the cleanup is over.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import simpy

from engine.core.control import Stage
from engine.dispatch.frame import Frame
from engine.dispatch.stopped import Stopped
from schemas.documents import Outcome

if TYPE_CHECKING:
    from engine.dispatch.step import Step
    from engine.dispatch.unit import UnitRun


class Strand:
    """Exists, runs as a process, is over."""

    __slots__ = ("_due", "_kept", "children", "process", "shield", "step", "unit")

    def __init__(self, unit: UnitRun, shield: int = 0) -> None:
        self.unit = unit
        self.step: Step
        self.process: Any = None
        self.shield = shield
        """How many cleanups it is inside of."""
        self.children: list[Strand] = []
        """Strands it has started and waits for."""
        self._due: Stopped | None = None
        """Given to the process, which has not been woken by it yet."""
        self._kept: list[tuple[int, Stopped]] = []
        """(level, cause): for when the cleanup is over."""

    def interrupt(self, cause: Stopped, level: int) -> None:
        """Unwind what it does; `level` is the number of cleanups around that which is to end."""
        for child in tuple(self.children):
            child.interrupt(cause, level)
        if self.process is None or self.process.triggered:
            return
        if self.shield > level and not cause.hard:
            self._kept.append((level, cause))
        elif self._due is None:
            self._due = cause
            self.process.interrupt(cause)
        elif cause.hard or (cause.scope is None and not self._due.hard):
            self._due = cause

    def caught(self, error: BaseException) -> Stopped | None:
        """What an exception that arrived here says about stopping; None for any other."""
        if isinstance(error, Stopped):
            return error
        if isinstance(error, simpy.Interrupt):
            cause, self._due = self._due, None
            return cause or Stopped(Outcome.ABORTED, str(error.cause))
        if isinstance(error, KeyboardInterrupt | SystemExit):
            self.unit.control.abort(
                "Ctrl-C" if isinstance(error, KeyboardInterrupt) else "the program was told to exit"
            )
            return self.unit.aborted()
        return None

    def look(self) -> None:
        """Between nodes: raises Stopped where somebody asked the run to stop."""
        stage = self.unit.control.stage
        if stage is Stage.HALT or (stage and not self.shield):
            raise self.unit.aborted()

    def shielded(self) -> None:
        """A cleanup begins."""
        self.shield += 1

    def unshielded(self) -> Stopped | None:
        """A cleanup is over: what was asked meanwhile, the outermost first."""
        self.shield -= 1
        kept = [entry for entry in self._kept if entry[0] >= self.shield]
        if not kept:
            return None
        self._kept = [entry for entry in self._kept if entry[0] < self.shield]
        return min(kept, key=lambda entry: entry[0])[1]

    def sleep(self, seconds: float, frame: Frame) -> Generator[Any, Any, None]:
        """Let time pass between nodes; raises Stopped when a deadline around this place passes first."""
        clock = self.unit.clock
        self.unit.emitter.commit()
        end = clock.now + seconds
        while True:
            deadline = frame.deadline.first() if frame.deadline is not None else None
            if deadline is None or end <= deadline.at:
                if end > clock.now:
                    yield clock.timeout(end - clock.now)
                return
            if deadline.at <= clock.now:
                raise deadline.stopped()
            yield clock.timeout(deadline.at - clock.now)
