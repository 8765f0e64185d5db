"""What is wrong with a device file, or with how a station wires one, found without sending it anything.

A simulated instrument with a mistake in one command would otherwise fail at the step that first uses it, and a meter behind a
switch that is not there would read noise for a whole run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.core.bench import InstrumentSpec
from engine.core.errors import UsageError
from engine.sim.bench import SimulatedBench
from engine.sim.instruments.base import Place
from engine.sim.instruments.from_file import DeviceProblem, FileInstrument
from engine.sim.physics.parameters import read_constants
from engine.sim.physics.world import WorldSpec
from schemas.device import Device
from schemas.diagnostics import Problems, did_you_mean
from schemas.loading import Loaded
from schemas.source import Path as Keys
from schemas.source import SourceMap
from schemas.station import Station


def device_problems(device: Device, folder: Path | None = None) -> list[DeviceProblem]:
    """Every problem of a device that its schema cannot see: patterns, expressions, ranges, parameters, faults."""
    bench = SimulatedBench(None, ["A"])
    if device.model is None:
        place = Place(device.device, "SIM", bench.world, bench.world.site("A"), bench.now, {})
        instrument = FileInstrument(device.identity, place, "", device, folder)
        if instrument.problems:
            return instrument.problems
    problems = []
    for index, fault in enumerate(device.faults):
        try:
            bench.session(f"fault_{index}", device.model_copy(update={"faults": [fault]}), "A", folder=folder)
        except UsageError as error:
            path = (
                ("parameters",)
                if device.model is not None and "fault" not in error.message
                else ("faults", index, "on")
            )
            problems.append(DeviceProblem(path, error.message, error.help))
    if not device.faults:
        try:
            bench.session(device.device, device, "A", folder=folder)
        except UsageError as error:
            problems.append(DeviceProblem(("parameters",), error.message, error.help))
    return problems


def check_device(device: Device, source_map: SourceMap, problems: Problems, folder: Path | None = None) -> None:
    """Add every problem of a device file at its place in the file."""
    for problem in device_problems(device, folder):
        path = problem.path
        if problem.end > problem.start:
            span = source_map.inside(path, problem.start, problem.end)
        elif path[0] == "commands" and len(path) == 2:
            span = source_map.key(path)
        else:
            span = source_map.value(path)
        problems.error("D010", problem.message, span, help=problem.help)


def check_world(world: WorldSpec, source_map: SourceMap, problems: Problems, path: Keys = ("world",)) -> None:
    """Add every problem of a station's world at its place in the file."""
    for problem in read_constants(world.model, world.parameters)[1]:
        if problem.parameter is None:
            span = source_map.value((*path, "model"))
        else:
            span = source_map.value((*path, "parameters", problem.parameter))
        problems.error("D011", problem.message, span, help=problem.help)


def check_wiring(
    station: Loaded[Station],
    specs: Mapping[str, InstrumentSpec],
    devices: Mapping[str, Loaded[Device]],
    problems: Problems,
) -> None:
    """Add every problem of what a station's `simulate` says of these instruments, at its place in the file.

    Only of a station whose world is sound; instruments whose device is not among `devices` are left out.
    """
    sites = [str(site) for site in station.model.sites]
    bench = SimulatedBench(station.model.world, sites)
    for name, spec in specs.items():
        device = devices.get(spec.device) if spec.backend == "sim" and spec.device is not None else None
        if device is None:
            continue
        path: Keys = ("instruments", name, "simulate")
        span = station.at(path) if station.source_map.has(path) else station.key(path[:2])
        try:
            bench.session(name, device.model, sites[0] if spec.per_site else None, spec.simulate, device.path.parent)
        except UsageError as error:
            problems.error("D012", error.message, span, help=error.help)
            continue
        switch = spec.simulate.get("matrix")
        if device.model.model != "multimeter" or switch is None:
            continue
        found = station.model.instruments.get(switch)
        if found is None or "relays" not in found.simulate:
            wired = [other for other, one in station.model.instruments.items() if "relays" in one.simulate]
            lacks = "the station has no instrument" if found is None else "no relay is wired at"
            problems.error(
                "D012",
                f"`{name}` is to measure through `{switch}`, but {lacks} `{switch}`",
                station.at((*path, "matrix")),
                label=did_you_mean(switch, wired),
                help=f"instruments with `simulate: {{relays: …}}`: {', '.join(wired) or 'none'}",
            )
