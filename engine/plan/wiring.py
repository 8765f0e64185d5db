"""Nets of a station: what reads them, and what connects them at which site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.bench import PropertySpec, Target
from engine.plan.binding import Bound, find_property
from engine.plan.model import Constant, Formula, SiteWrite, Write
from engine.plan.names import Frame, Scope
from engine.plan.values import Values
from schemas.diagnostics import Problems
from schemas.source import Path


@dataclass(frozen=True, slots=True)
class Net:
    """One net, ready to be connected and read."""

    name: str
    target: Target
    spec: PropertySpec
    label: str
    """What the station says reads it: `dmm.voltage_dc`."""
    routes: tuple[Write | SiteWrite, ...]
    """What connects it, in the order written."""
    pin: str
    scale: float


def bind_nets(bound: Bound, problems: Problems) -> dict[str, Net | None]:
    """Every net of the station; None for one that has problems, which are added."""
    nets: dict[str, Net | None] = {}
    for name, connection in bound.connections.items():
        path: Path = ("connections", name)
        span = bound.station.at((*path, "read"))
        found = find_property(
            bound, bound.roles, connection.read, span, problems, unbound=bound.unbound, help=_instruments(bound)
        )
        if found is not None and found[1].get is None:
            problems.error("B011", f"`{connection.read}` can be set but not read", span)
            found = None
        routes = [_route(bound, prop, raw, (*path, "set", prop), problems) for prop, raw in connection.set.items()]
        usable = tuple(route for route in routes if route is not None)
        nets[name] = None
        if found is not None and len(usable) == len(routes):
            nets[name] = Net(name, *found, connection.read, usable, connection.pin or "", connection.scale)
    return nets


def _route(bound: Bound, name: str, raw: object, path: Path, problems: Problems) -> Write | SiteWrite | None:
    station = bound.station
    found = find_property(
        bound, bound.roles, name, station.key(path), problems, unbound=bound.unbound, help=_instruments(bound)
    )
    if found is None:
        return None
    target, spec = found
    if spec.set is None:
        problems.error("B012", f"`{name}` can be read but not set", station.key(path))
        return None
    values, scope, guard = Values(station, Frame(), problems), Scope(Frame()), bound.guard(target)
    if not isinstance(raw, Mapping):
        value = values.property_value(spec, name, raw, path, scope, guard=guard)
        return None if value is None else Write(target, value)
    wanted = [str(site) for site in station.model.sites]
    given = {str(site): site for site in raw}
    for site, key in given.items():
        if site not in wanted:
            problems.error(
                "B005",
                f"this station has no site `{site}`",
                station.key((*path, key)),
                help=f"sites: {', '.join(wanted)}",
            )
    missing = [site for site in wanted if site not in given]
    if missing:
        problems.error(
            "B031",
            f"this net is not connected at site {', '.join(f'`{site}`' for site in missing)}",
            station.key(path),
            help="give a value for every site, or one value for all",
        )
        return None
    sites: dict[str, Constant] = {}
    for site, key in given.items():
        value = values.property_value(spec, name, raw[key], (*path, key), scope, guard=guard)
        if value is not None and not isinstance(value, Formula):
            sites[site] = value
    return SiteWrite(target, sites) if len(sites) == len(given) else None


def _instruments(bound: Bound) -> tuple[str, ...]:
    return (f"instruments of this station: {', '.join(bound.roles) or 'none'}",)
