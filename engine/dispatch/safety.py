"""The last thing a run does with an instrument: put it in its safe state, once nobody uses it any more.

Whatever went wrong before, each instrument is tried, outputs first, and none may hold up the end of the run.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.core.bench import Bench, InstrumentSpec, SafeReport
from engine.core.clock import Clock
from engine.core.control import Control
from engine.core.errors import StepTimeout
from engine.dispatch.emitter import Emitter
from engine.dispatch.stopped import Stopped
from schemas.documents import SafeState

if TYPE_CHECKING:
    from engine.dispatch.unit import UnitRun

SHORTEST_BOUND_S = 5.0
"""Real seconds that an instrument gets at least to become safe."""


class SafeKeeper:
    """Knows who still uses what; each instance goes safe once."""

    def __init__(
        self, bench: Bench, clock: Clock, emitter: Emitter, control: Control, specs: Sequence[InstrumentSpec]
    ) -> None:
        self._bench = bench
        self._clock = clock
        self._emitter = emitter
        self._control = control
        self._specs = sorted((spec for spec in specs if spec.safe), key=_outputs_first)
        self._users: dict[str, set[int]] = {}
        self._done: set[str] = set()

    def enter(self, unit: UnitRun) -> None:
        """A unit may use every instrument of the plan from now on."""
        for spec in self._specs:
            self._users.setdefault(unit.instance(spec.name), set()).add(unit.number)

    def leave(self, unit: UnitRun) -> Generator[Any, Any, str]:
        """The unit uses nothing any more; gives what did not become safe, empty where all is well."""
        problems: list[str] = []
        for spec in self._specs:
            key = unit.instance(spec.name)
            users = self._users.get(key, set())
            users.discard(unit.number)
            if users or key in self._done:
                continue
            self._done.add(key)
            with suppress(Stopped):
                self._emitter.commit()
            report = yield from self._make_safe(unit.number, spec, key)
            with suppress(Stopped):  # the journal failed; becoming safe goes on
                self._emitter.emit(SafeState(self._clock.now, report.instrument, report.verified, report.message))
            if report.verified is False:
                problems.append(f"`{report.instrument}` is not in its safe state: {report.message or 'unverified'}")
        return "; ".join(problems)

    def _make_safe(self, unit: int, spec: InstrumentSpec, key: str) -> Generator[Any, Any, SafeReport]:
        """Twice where the first try was cut off: what blocked the instrument may be gone then."""
        bound_s = max(SHORTEST_BOUND_S, 2 * spec.timeout_s * (1 + len(spec.safe)))
        message = ""
        for _ in range(2):
            try:
                report: SafeReport = yield from self._clock.call_bounded(
                    key,
                    partial(self._bench.make_safe, unit, spec.name),
                    bound_s,
                    partial(self._bench.abort, unit, spec.name),
                )
                latency = self._bench.take_latency(unit, spec.name)
                if latency:
                    yield self._clock.timeout(latency)
            except (KeyboardInterrupt, SystemExit):
                self._control.abort("Ctrl-C")
                message = "interrupted"
            except StepTimeout as error:
                message = str(error)
            except Exception as error:  # noqa: BLE001  # nothing may keep the other instruments from becoming safe
                return SafeReport(key, False, str(error))
            else:
                return report
        return SafeReport(key, False, message)


def _outputs_first(spec: InstrumentSpec) -> int:
    """0 for what switches something off, 1 for everything else; the station's order among equals."""
    return 0 if any(safe.value is False for safe in spec.safe) else 1
