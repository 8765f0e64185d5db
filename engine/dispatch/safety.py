"""The last thing a run does with an instrument: put it in its safe state, once nobody uses it any more.

Whatever went wrong before, each instrument is tried, outputs first, and none may hold up the end of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.core.bench import Bench, InstrumentSpec, SafeReport
from engine.core.clock import Clock
from engine.core.control import Control
from engine.core.errors import StepTimeout
from engine.dispatch.emitter import Emitter
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
        self.quarantine: Callable[[str, str], None] = lambda key, why: None
        """Told of every instance whose state is not known to be safe."""
        self._users: dict[str, set[int]] = {}
        self._done: set[str] = set()

    def expect(self, unit: int) -> None:
        """A unit will come: it may use what is not of one site."""
        for spec in self._specs:
            if not spec.per_site:
                self._users.setdefault(spec.name, set()).add(unit)

    def dismiss(self, unit: int) -> Generator[Any, Any, None]:
        """It never will."""
        for spec in self._specs:
            if not spec.per_site:
                yield from self._no_user(unit, spec, spec.name, [])

    def enter(self, unit: UnitRun) -> None:
        """A unit may use every instrument of the plan from now on."""
        for spec in self._specs:
            key = unit.instance(spec.name)
            self._users.setdefault(key, set()).add(unit.number)
            self._done.discard(key)

    def leave(self, unit: UnitRun) -> Generator[Any, Any, str]:
        """The unit uses nothing any more; gives what did not become safe, empty where all is well."""
        problems: list[str] = []
        for spec in self._specs:
            yield from self._no_user(unit.number, spec, unit.instance(spec.name), problems)
        return "; ".join(problems)

    def make_safe_now(self, unit: UnitRun, key: str) -> Generator[Any, Any, None]:
        """What a unit that failed has driven, before others may have it."""
        for spec in self._specs:
            if unit.instance(spec.name) == key:
                yield from self._to_safe_state(unit.number, spec, key, [])

    def _no_user(self, unit: int, spec: InstrumentSpec, key: str, problems: list[str]) -> Generator[Any, Any, None]:
        """This unit does not use it any more; the last one leaves it in its safe state."""
        users = self._users.get(key, set())
        users.discard(unit)
        if users or key in self._done:
            return
        self._done.add(key)
        yield from self._to_safe_state(unit, spec, key, problems)

    def _to_safe_state(
        self, unit: int, spec: InstrumentSpec, key: str, problems: list[str]
    ) -> Generator[Any, Any, None]:
        self._emitter.commit_quietly()
        report = yield from self._make_safe(unit, spec, key)
        # the journal may have failed; becoming safe goes on
        self._emitter.note(SafeState(self._clock.now, report.instrument, report.verified, report.message))
        if report.verified is False:
            why = f"`{report.instrument}` is not in its safe state: {report.message or 'unverified'}"
            problems.append(why)
            self.quarantine(key, why)

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
