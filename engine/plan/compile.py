"""The door of this room: a sequence, a station and what a run was given → a plan, or every problem at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.plan.binding import Bound, bind_roles, bind_station
from engine.plan.compiler import SequenceCompiler
from engine.plan.drafts import Build
from engine.plan.model import STATION_SLOT, ParameterValue, Plan
from engine.plan.names import Frame, Scope
from engine.plan.parameters import CONTEXT, define_context, define_unusable, given_parameters, parameter_specs
from engine.plan.sharing import SharingCheck
from engine.plan.values import canonical_json
from engine.plan.verbs import VERBS
from engine.plan.wiring import bind_nets
from schemas.diagnostics import Diagnostic, Problems, did_you_mean
from schemas.documents import FileSnapshot
from schemas.library import Library
from schemas.loading import Loaded
from schemas.sequence import Sequence as SequenceModel
from schemas.station import Station


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run was given beside its files."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    """As typed: `vin` → `5 V`."""
    limit_set: str | None = None
    seed: int = 0
    plugins: tuple[str, ...] = ()
    """Modules that `python:` steps may use."""
    complete: bool = True
    """False only to check files: a parameter without default may then be missing, and the plan cannot be run."""


def compile_plan(
    sequence: Loaded[SequenceModel],
    station: Loaded[Station],
    library: Library,
    root: Path,
    wish: Wish | None = None,
    problems: Problems | None = None,
) -> Plan:
    """The plan; raises InvalidFiles with every problem of all files. Warnings are left in `problems`."""
    wish = wish or Wish()
    found = problems if problems is not None else Problems()
    bound = bind_station(station, library, found)
    nets = bind_nets(bound, found)
    build = Build(bound, nets, library, found, root, wish.limit_set, wish.seed, wish.plugins)
    build.sequences[sequence.path] = sequence
    build.identity.update(sequence.model.dut)
    for name in sequence.model.dut:
        if f"dut.{name}" in CONTEXT and name != "serial":
            found.error(
                "N012",
                f"`dut.{name}` is a name of the language",
                sequence.key(("dut", name)),
                help="take another name",
            )
    frame = Frame()
    scope = Scope(frame)
    define_context(scope, sequence.model)
    specs = parameter_specs(sequence, frame, found)
    parameters = given_parameters(sequence, specs, wish.parameters, found, complete=wish.complete)
    for name, spec in specs.items():
        entry = scope.define(name, spec.type, kind="parameter", span=sequence.key(("parameters", name)))
        if spec.secret:
            frame.secrets.add(entry.slot)
    for parameter in parameters:
        frame.constants[scope.entries[parameter.name].slot] = parameter.value
    define_unusable(scope, frame)
    frame.constants[STATION_SLOT] = station.model.station
    roles = bind_roles(sequence.model.needs, bound, sequence, found)
    compiler = SequenceCompiler(build, VERBS, sequence, frame, roles, "", (sequence.model.sequence,))
    block = compiler.sequence(scope)
    _check_limit_set(wish.limit_set, build.sequences.values(), found)
    found.raise_if_any()
    SharingCheck(bound.instruments, bound.resources, len(station.model.sites), found).check(block)
    found.raise_if_any()
    used = {name: spec for name, spec in bound.instruments.items() if name in build.instruments}
    files = _files(bound, build, used)
    procedure = _procedure_digest(build, bound, used)
    return Plan(
        sequence=sequence.model.sequence,
        title=sequence.model.title or sequence.model.sequence,
        version=sequence.model.version or "",
        station=station.model.station,
        clock=station.model.clock,
        sites=tuple(str(site) for site in station.model.sites),
        root=block,
        environment=dict(frame.constants),
        roles=tuple(roles.values()),
        instruments=used,
        resources=bound.resources,
        parameters=tuple(parameters),
        identity=build.identity,
        size=build.order,
        limit_set=wish.limit_set,
        procedure_digest=procedure,
        plan_digest=_plan_digest(procedure, station, parameters, wish),
        files=files,
        producers=frame.producers,
    )


def _check_limit_set(name: str | None, files: Iterable[Loaded[SequenceModel]], problems: Problems) -> None:
    if name is None:
        return
    known = {limit_set for file in files for limit_set in file.model.limit_sets}
    if name not in known:
        problems.add(
            Diagnostic(
                "N020",
                f"there is no set of limits `{name}`",
                None,
                did_you_mean(name, known),
                (f"sets: {', '.join(sorted(known))}" if known else "the sequence has no `limit_sets`",),
            )
        )


def _files(bound: Bound, build: Build, used: Mapping[str, Any]) -> tuple[FileSnapshot, ...]:
    """Every file the plan was made from, each once, the sequence first."""
    loaded: list[Loaded[Any]] = [*build.sequences.values(), bound.station]
    loaded += [bound.drivers[name] for name in used]
    unique = {file.path: file for file in loaded}
    return tuple(FileSnapshot(file.kind, file.name, file.sha256, file.text) for file in unique.values())


def _digest(parts: Sequence[Any]) -> str:
    return hashlib.sha256("\n".join(canonical_json(part) for part in parts).encode()).hexdigest()


def _procedure_digest(build: Build, bound: Bound, used: Mapping[str, Any]) -> str:
    """What is done, whatever the parameters: the steps and limits of all sequences, and the drivers."""
    sequences = []
    for file in sorted(build.sequences.values(), key=lambda one: one.model.sequence):
        data = {key: value for key, value in file.source_map.root.items() if key not in ("title", "doc", "tags")}
        parameters = data.get("parameters")
        if isinstance(parameters, dict):
            data["parameters"] = sorted(parameters)
        sequences.append(data)
    drivers = sorted({(bound.drivers[name].model.driver, bound.drivers[name].sha256) for name in used})
    return _digest([sequences, drivers])


def _plan_digest(procedure: str, station: Loaded[Station], parameters: Sequence[ParameterValue], wish: Wish) -> str:
    """The procedure on this station with these parameters; neither seed nor serial nor schedule."""
    values = {
        parameter.name: [
            hashlib.sha256(str(parameter.value).encode()).hexdigest() if parameter.secret else parameter.value,
            parameter.unit.symbol if parameter.unit is not None else "",
        ]
        for parameter in parameters
    }
    world = {key: value for key, value in station.source_map.root.items() if key not in ("title", "doc")}
    if isinstance(world.get("world"), dict):
        world["world"] = {key: value for key, value in world["world"].items() if key != "seed"}
    return _digest([procedure, world, values, wish.limit_set])
