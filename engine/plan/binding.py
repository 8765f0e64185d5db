"""From a station and its drivers to instruments, and from a sequence's roles to them.

What could not be bound is told once, here, and remembered as unbound, so that nothing that uses it is told again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.core.bench import InstrumentSpec, PropertySpec, Target
from engine.expr import Type
from engine.plan.drivers import find_driver, roles_of
from engine.plan.instruments import InstrumentBinder
from engine.plan.model import Role
from engine.plan.values import type_of
from schemas.capabilities import CAPABILITIES
from schemas.diagnostics import Problems, did_you_mean, nearest
from schemas.driver import Driver
from schemas.library import Library
from schemas.loading import Loaded
from schemas.source import Path, Span
from schemas.station import Connection, Station


@dataclass(slots=True)
class Bound:
    """A station with its drivers, ready for sequences."""

    station: Loaded[Station]
    drivers: dict[str, Loaded[Driver]]
    """Instrument → its driver's file."""
    instruments: dict[str, InstrumentSpec]
    roles: dict[str, Role]
    """Names that sequences may use: instruments, and channels that have a name."""
    unbound: set[str] = field(default_factory=set)
    """Roles that the station has but whose driver cannot be used."""
    connections: dict[str, Connection] = field(default_factory=dict)
    resources: dict[str, int] = field(default_factory=dict)

    def spec(self, role: Role, prop: str) -> PropertySpec | None:
        return self.instruments[role.instrument].properties.get(prop)

    def target(self, role: Role, prop: str) -> Target:
        return Target(role.instrument, role.channel, prop)

    def shared(self, instrument: str) -> bool:
        """Whether several units use the very same one."""
        return not self.instruments[instrument].per_site and len(self.station.model.sites) > 1

    def guard(self, target: Target) -> Span | None:
        """Where the station limits a property."""
        path: Path = ("instruments", target.instrument, "guard", target.property)
        return self.station.key(path) if self.station.source_map.has(path) else None

    def live_targets(self, roles: Mapping[str, Role]) -> dict[tuple[str, str], tuple[Target, Type]]:
        """What may be read afresh under these role names."""
        return {
            (name, prop): (self.target(role, prop), type_of(spec))
            for name, role in roles.items()
            for prop, spec in self.instruments[role.instrument].properties.items()
            if spec.get is not None
        }

    def readable(self, roles: Mapping[str, Role]) -> dict[str, dict[str, bool]]:
        """Role → its properties, and whether each can be read."""
        return {
            name: {prop: spec.get is not None for prop, spec in self.instruments[role.instrument].properties.items()}
            for name, role in roles.items()
        }


def bind_station(station: Loaded[Station], library: Library, problems: Problems) -> Bound:
    """Every instrument with its driver; problems are added, what could not be bound is left out."""
    bound = Bound(station, {}, {}, {})
    loaded: dict[str, Loaded[Driver] | None] = {}
    for name, instrument in station.model.instruments.items():
        path: Path = ("instruments", name)
        if instrument.driver not in loaded:
            loaded[instrument.driver] = find_driver(instrument.driver, station, (*path, "driver"), library, problems)
        driver = loaded[instrument.driver]
        if driver is None:
            bound.unbound |= {name, *instrument.channels}
            continue
        bound.drivers[name] = driver
        bound.instruments[name] = InstrumentBinder(station, name, instrument, driver, problems).spec()
        for role in roles_of(name, instrument, driver):
            if role.name in bound.roles:
                problems.error(
                    "B004", f"two instruments offer a role `{role.name}`", station.key((*path, "channels", role.name))
                )
            bound.roles[role.name] = role
    bound.resources = {name: resource.capacity for name, resource in station.model.resources.items()}
    for name in bound.resources:
        if name in station.model.instruments or name in bound.roles:
            problems.error("B004", f"`{name}` is both an instrument and a resource", station.key(("resources", name)))
    bound.connections = dict(station.model.connections)
    if station.model.interlocks:
        problems.error(
            "B030", "`interlocks` are not supported yet", station.key(("interlocks",)), help="remove them for now"
        )
    return bound


def find_property(
    bound: Bound,
    roles: Mapping[str, Role],
    name: str,
    span: Span,
    problems: Problems,
    *,
    unbound: set[str],
    help: Sequence[str] = (),
) -> tuple[Target, PropertySpec] | None:
    """The property behind `role.property`; what does not exist is told, with what does. `help` is for unknown roles."""
    role, _, prop = name.partition(".")
    found = roles.get(role)
    if found is None:
        if role not in unbound:
            problems.error("N002", f"unknown role `{role}`", span, label=did_you_mean(role, roles), help=help)
        return None
    spec = bound.spec(found, prop)
    if spec is None:
        known = bound.instruments[found.instrument].properties
        problems.error(
            "N003",
            f"`{role}` has no property `{prop}`",
            span,
            label=did_you_mean(prop, known),
            help=f"driver `{bound.instruments[found.instrument].driver}` offers: {', '.join(known)}",
        )
        return None
    return bound.target(found, prop), spec


def bind_roles(needs: Mapping[str, str], bound: Bound, file: Loaded[Any], problems: Problems) -> dict[str, Role]:
    """The roles of a sequence on a station: by name, with the capability asked for."""
    roles: dict[str, Role] = {}
    for name, capability in needs.items():
        path: Path = ("needs", name)
        if capability not in CAPABILITIES:
            problems.error(
                "N004",
                f"unknown capability `{capability}`",
                file.at(path),
                label=did_you_mean(capability, CAPABILITIES),
                help=f"capabilities: {', '.join(CAPABILITIES)}",
            )
            continue
        role = bound.roles.get(name)
        if role is None and name in bound.unbound:
            continue
        station = bound.station.model.station
        if role is None:
            fitting = [other.name for other in bound.roles.values() if capability in ("generic", other.capability)]
            near = nearest(name, bound.roles)
            problems.error(
                "B001",
                f"station `{station}` has no instrument for role `{name}`",
                file.key(path),
                label=f"did you mean `{near}`?" if near else "",
                help=_fitting_help(capability, fitting),
                notes=((bound.station.key(("instruments",)), "the station's instruments"),),
            )
            continue
        if role.capability not in CAPABILITIES:
            continue  # which has been told at its driver
        if capability not in ("generic", role.capability):
            problems.error(
                "B003",
                f"role `{name}` needs a {capability}, but `{name}` of station `{station}` is a {role.capability}",
                file.at(path),
                notes=((bound.station.key(("instruments", role.instrument)), "this one"),),
            )
            continue
        roles[name] = role
    return roles


def _fitting_help(capability: str, fitting: Sequence[str]) -> str:
    """Which instruments of the station could stand in."""
    names = ", ".join(f"`{name}`" for name in fitting)
    if capability == "generic":
        return f"instruments there: {names}" if fitting else "it has no instruments that can be used"
    return (
        f"its instruments with capability {capability}: {names}"
        if fitting
        else f"no instrument there has capability {capability}"
    )
