"""Puts a run together and carries it through: the one place that knows every room.

A run is prepared (compiled, its simulated bench made) before anything is recorded, so that a bad file leaves no trace in
the journal. Once RunStarted is written, RunFinished is written on every way out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.bench import InstrumentBench
from engine.clock import VirtualClock, WallClock
from engine.core.bench import PropertyValue, Target
from engine.core.clock import Clock
from engine.core.control import Control
from engine.core.errors import BenchwrightError, StoreError
from engine.core.progress import Progress
from engine.core.recorder import Listener, MemoryRecorder, Recorder
from engine.dispatch import Dispatcher, RunResult, UnitUnderTest
from engine.dispatch.emitter import Audience
from engine.plan.compile import Wish, compile_plan
from engine.plan.mocks import resolve_mocks
from engine.plan.model import Plan, PythonAction
from engine.plan.walk import axis_units
from engine.run.in_use import held
from engine.run.memory import calm_garbage_collector
from engine.run.plugins import call_plugin
from engine.run.provenance import environment
from engine.run.request import RunRequest, RunSummary
from engine.run.sessions import Devices, Sessions, load_devices
from engine.run.signals import interruptible
from engine.run.units import UnitEntry, check_units, from_command
from engine.store import Journal, new_run_id
from schemas.diagnostics import Problems
from schemas.documents import (
    Document,
    FileSnapshot,
    InstrumentOpened,
    Level,
    Logged,
    Measured,
    NodeFinished,
    Outcome,
    RunFinished,
    RunStarted,
    Tally,
)
from schemas.library import Library

if TYPE_CHECKING:
    from engine.run.scheduling import Ordering


MOCK = "mock"
"""What the rows of a mocked value name as their instrument."""


class _Culprit:
    """Remembers the first step that ended worse than a fail, for the message of the run."""

    def __init__(self) -> None:
        self.message = ""

    def hear(self, document: Document) -> None:
        if type(document) is NodeFinished and document.outcome is Outcome.ERROR and document.message and document.final:
            self.message = self.message or f"{document.node}: {document.message}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that is ready to start."""

    request: RunRequest
    plan: Plan
    devices: Devices
    root: Path
    seed: int
    units: tuple[UnitUnderTest, ...]
    mocks: Mapping[Target, PropertyValue]
    warnings: Problems


def prepare(request: RunRequest, library: Library, root: Path) -> Prepared:
    """Compile and check everything that can be checked before the run. Raises InvalidFiles or UsageError."""
    world = request.station.model.world
    seed = request.seed if request.seed is not None else (world.seed if world is not None else 0)
    problems = Problems()
    wish = Wish(request.parameters, request.limit_set, seed, request.plugins)
    plan = compile_plan(request.sequence, request.station, library, root, wish, problems)
    units = _units(request, plan)
    mocks = resolve_mocks(request.mocks, plan)
    devices = load_devices(request.station, library, plan.instruments)
    return Prepared(request, plan, devices, root, seed, units, mocks, problems)


def _units(request: RunRequest, plan: Plan) -> tuple[UnitUnderTest, ...]:
    """The units of the run, as many as there are sites with theirs; the others wait for one.

    Raises InvalidFiles where one does not fit what `dut:` declares.
    """
    simulated = all(spec.backend == "sim" for spec in plan.instruments.values())
    entries: Sequence[UnitEntry] = request.units or from_command(request.serials, {})
    if not entries:
        entries = from_command(["SIM-1" if simulated else "UNIT-1"], request.dut_fields)
    check_units(entries, plan.identity).raise_if_any()
    sites = plan.sites
    return tuple(
        UnitUnderTest(index, entry.serial, sites[index] if index < len(sites) else "", entry.fields)
        for index, entry in enumerate(entries)
    )


class _Marked:
    """Says of every value that was not read but given with `--mock`, before it is recorded, that it is mocked."""

    def __init__(self, recorder: Recorder, mocked: Mapping[str, str]) -> None:
        self._recorder = recorder
        self._mocked = frozenset(mocked)
        self.durable = recorder.durable
        self.close = recorder.close

    def record(self, document: Document) -> None:
        if type(document) is Measured and document.source in self._mocked:
            document.instrument = MOCK
        self._recorder.record(document)


class _Tee:
    """Records every document, then lets the listeners hear it."""

    def __init__(self, recorder: Recorder, listeners: Sequence[Listener]) -> None:
        self._recorder = recorder
        self._audience = Audience(listeners)

    def __call__(self, document: Document) -> None:
        self._recorder.record(document)
        self._audience.hear(document)


def run(
    prepared: Prepared,
    journal: Journal | None = None,
    *,
    listeners: Sequence[Listener] = (),
    control: Control | None = None,
    recorder: Recorder | None = None,
    run_id: str | None = None,
    ordering: Ordering | None = None,
    python: Callable[[PythonAction, dict[str, Any]], Any] = call_plugin,
    exclusive: bool = True,
) -> RunSummary:
    """Carry a prepared run through. Recorded in `journal`, or in `recorder`, or only heard by `listeners`.

    `ordering` says in which order several units share the bench; without it, who asks first is served first. `python` calls
    code of the project. `exclusive`: no other run may have these instruments meanwhile.

    Raises StoreError where nothing could be recorded at all; what goes wrong later is the run's outcome.
    """
    plan = prepared.plan
    wall = plan.clock == "wall"
    own_id = run_id or new_run_id()
    kept: Recorder
    if journal is not None:
        kept = journal.recorder("each" if wall else "grouped")
    else:
        kept = recorder if recorder is not None else MemoryRecorder()
    clock: Clock = WallClock(speed=prepared.request.speed) if wall else VirtualClock()
    steering = control if control is not None else Control(prepared.request.cleanup_timeout_s)
    facts = environment(prepared.root) if journal is not None else {}
    try:
        with (
            held(plan.instruments if exclusive else {}, own_id),
            interruptible(steering),
            calm_garbage_collector(),
        ):
            return _Execution(prepared, clock, kept, listeners, steering, own_id, facts, ordering, python).carry_out()
    finally:
        clock.close()
        kept.close()


class _Execution:
    """One run while it is under way."""

    def __init__(
        self,
        prepared: Prepared,
        clock: Clock,
        recorder: Recorder,
        listeners: Sequence[Listener],
        control: Control,
        run_id: str,
        facts: Mapping[str, Any],
        ordering: Ordering | None,
        python: Callable[[PythonAction, dict[str, Any]], Any],
    ) -> None:
        self.python = python
        self.facts = facts
        self.ordering = ordering
        self.prepared = prepared
        self.clock = clock
        self.recorder = recorder = _Marked(recorder, prepared.request.mocks) if prepared.request.mocks else recorder
        self.culprit = _Culprit()
        self.listeners = (self.culprit, *listeners)
        self.control = control
        self.run_id = run_id
        self.emit = _Tee(recorder, self.listeners)
        seated = [unit for unit in prepared.units if unit.site]
        serials = {unit.site: unit.serial for unit in seated}
        self.sessions = Sessions(
            prepared.request.station,
            prepared.devices,
            serials,
            prepared.seed,
            lambda: clock.now,
        )
        self.bench = InstrumentBench(
            prepared.plan.instruments,
            self.sessions.open,
            {unit.index: unit.site for unit in seated},
            prepared.mocks,
            self._log,
            {unit.index: unit.serial for unit in seated},
            more_to_come=len(prepared.units) > len(seated),
        )

    def carry_out(self) -> RunSummary:
        self.emit(self._started())
        result: RunResult | None = None
        message = ""
        try:
            with self._open():
                dispatcher = Dispatcher(
                    self.prepared.plan,
                    self.clock,
                    self.bench,
                    self.recorder,
                    self.prepared.units,
                    control=self.control,
                    progress=Progress(),
                    listeners=self.listeners,
                    python=self.python,
                    seat=self._seat,
                    **self._order(),
                )
                result = dispatcher.run()
        except StoreError as error:
            raise StoreError(
                f"{error.message}; the run was stopped, its cleanup has run and the instruments were put in their safe state",
                error.help,
            ) from error
        except BenchwrightError as error:
            message = str(error)
            self.emit(Logged(self.clock.now, Level.ERROR, message, kind="instrument"))
        outcome = result.outcome if result is not None else Outcome.ERROR
        tally = result.tally if result is not None else Tally(errors=1)
        if result is not None:
            message = "; ".join(unit.message for unit in result.units if unit.message) or self.culprit.message
        self.emit(RunFinished(outcome, self.clock.now, tally, message))
        self.recorder.durable()
        return RunSummary(self.run_id, outcome, tally, self.clock.now, message)

    @contextlib.contextmanager
    def _open(self) -> Iterator[None]:
        self.bench.open_all()
        try:
            for identity in self.bench.identities():
                self.emit(InstrumentOpened(self.clock.now, identity))
            self.recorder.durable()
            yield
        finally:
            self.bench.close_all()

    def _order(self) -> dict[str, Any]:
        """What the dispatcher is told of the order of several units."""
        ordering = self.ordering
        if ordering is None or len(self.prepared.units) < 2:
            return {}
        self.emit(ordering.document(self.clock.now))
        return {"policy": ordering.rank(), "estimates": ordering.duration}

    def _seat(self, unit: UnitUnderTest) -> None:
        """A unit takes its site: the bench knows it from now on, and a simulated one has it where the last one was."""
        self.bench.enter(unit.index, unit.site, unit.serial)
        self.sessions.exchange(unit.site, unit.serial)

    def _log(self, level: str, message: str, instrument: str) -> None:
        self.emit(Logged(self.clock.now, Level(level), message, kind="instrument", node=instrument))

    def _started(self) -> RunStarted:
        prepared, plan, request = self.prepared, self.prepared.plan, self.prepared.request
        files = [*plan.files, *self.sessions.files()]
        if request.settings_file is not None:
            files += _snapshot("settings", request.settings_file, prepared.root)
        return RunStarted(
            run_id=self.run_id,
            sequence=plan.sequence,
            title=plan.title,
            version=plan.version,
            station=plan.station,
            clock=plan.clock,
            procedure_digest=plan.procedure_digest,
            plan_digest=plan.plan_digest,
            parameters={one.name: "secret" if one.secret else one.value for one in plan.parameters},
            limit_set=plan.limit_set,
            seed=prepared.seed,
            operator=request.operator,
            description=request.description,
            meta=dict(request.meta),
            files=files,
            environment={
                **self.facts,
                "mocks": dict(request.mocks),
                "settings": dict(request.settings),
                "parameters_from": {one.name: one.source for one in plan.parameters},
            },
            argv=without_secrets(request.argv, plan),
            units={
                **{name: unit.symbol for name, unit in axis_units(plan).items()},
                **{one.name: one.unit.symbol for one in plan.parameters if one.unit is not None},
            },
        )


def without_secrets(argv: Sequence[str], plan: Plan) -> list[str]:
    """A command line with the values of secret parameters taken out."""
    secrets = [parameter.name for parameter in plan.parameters if parameter.secret]
    shown = []
    for word in argv:
        start, equals, rest = word.rpartition("--param=") if word.startswith("--param=") else ("", "", word)
        name, given, _ = rest.partition("=")
        shown.append(f"{start}{equals}{name}=secret" if given and name in secrets else word)
    return shown


def _snapshot(kind: str, path: Path, root: Path) -> list[FileSnapshot]:
    import hashlib

    try:
        data = path.read_bytes()
    except OSError:
        return []
    try:
        name = str(path.resolve().relative_to(root.resolve()))
    except ValueError:
        name = path.name
    return [FileSnapshot(kind, name, hashlib.sha256(data).hexdigest(), data.decode("utf-8", "replace"))]
