"""From a station and its drivers to instrument specifications, and from a sequence's roles to instruments.

Everything that a station says of a property (guard, safe state, sharing, wiring) is checked against the driver here, so that
a misspelt guard is a message before the run and not a value that nobody limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.core.bench import InstrumentSpec, PropertySpec, SafeValue, Target
from engine.expr import Type
from engine.plan.model import Role
from engine.plan.names import Frame, Scope
from engine.plan.values import Values, type_of
from schemas.capabilities import CAPABILITIES
from schemas.diagnostics import InvalidFiles, Problems, did_you_mean, nearest
from schemas.driver import Driver, Property
from schemas.library import Library
from schemas.loading import Loaded, load
from schemas.quantity import parse_unit
from schemas.source import Path, Span
from schemas.station import Bounds, Connection, Instrument, Station

SUPPORTED_BACKENDS = ("sim",)
KNOWN_BACKENDS = ("sim", "visa", "tcp", "http", "process", "record", "replay", "daq")
DEFAULT_TIMEOUT_S = 5.0


@dataclass(slots=True)
class Bound:
    """A station with its drivers, ready for sequences."""

    station: Loaded[Station]
    drivers: dict[str, Loaded[Driver]]
    """Instrument → its driver's file."""
    instruments: dict[str, InstrumentSpec]
    roles: dict[str, Role]
    """Names that sequences may use: instruments, and channels that have a name."""
    connections: dict[str, Connection] = field(default_factory=dict)
    resources: dict[str, int] = field(default_factory=dict)

    def spec(self, role: Role, prop: str) -> PropertySpec | None:
        return self.instruments[role.instrument].properties.get(prop)

    def target(self, role: Role, prop: str) -> Target:
        return Target(role.instrument, role.channel, prop)

    def live_targets(self, roles: Mapping[str, Role]) -> dict[tuple[str, str], tuple[Target, Type]]:
        """What may be read afresh under these role names."""
        return {
            (name, prop): (self.target(role, prop), type_of(spec))
            for name, role in roles.items()
            for prop, spec in self.instruments[role.instrument].properties.items()
            if spec.get is not None
        }


def bind_station(station: Loaded[Station], library: Library, problems: Problems) -> Bound:
    """Every instrument with its driver; problems are added, what could not be bound is left out."""
    drivers: dict[str, Loaded[Driver]] = {}
    instruments: dict[str, InstrumentSpec] = {}
    roles: dict[str, Role] = {}
    loaded: dict[str, Loaded[Driver] | None] = {}
    for name, instrument in station.model.instruments.items():
        path: Path = ("instruments", name)
        if instrument.driver not in loaded:
            loaded[instrument.driver] = _driver(instrument.driver, station, (*path, "driver"), library, problems)
        driver = loaded[instrument.driver]
        if driver is None:
            continue
        drivers[name] = driver
        instruments[name] = _Binder(station, name, instrument, driver, problems).spec()
        for role in _roles_of(name, instrument, driver):
            if role.name in roles:
                problems.error(
                    "B004", f"two instruments offer a role `{role.name}`", station.key((*path, "channels", role.name))
                )
            roles[role.name] = role
    bound = Bound(station, drivers, instruments, roles)
    bound.resources = {name: resource.capacity for name, resource in station.model.resources.items()}
    for name in bound.resources:
        if name in station.model.instruments:
            problems.error("B004", f"`{name}` is both an instrument and a resource", station.key(("resources", name)))
    bound.connections = dict(station.model.connections)
    _check_connections(bound, problems)
    if station.model.interlocks:
        problems.error(
            "B030", "`interlocks` are not supported yet", station.key(("interlocks",)), help="remove them for now"
        )
    return bound


def _driver(
    driver_id: str, station: Loaded[Station], path: Path, library: Library, problems: Problems
) -> Loaded[Driver] | None:
    found = library.find("driver", driver_id)
    if found is None:
        known = library.ids("driver")
        problems.error(
            "N001",
            f"there is no driver `{driver_id}`",
            station.at(path),
            label=did_you_mean(driver_id, known),
            help=f"drivers found: {', '.join(sorted(known)) or 'none'}",
        )
        return None
    try:
        driver: Loaded[Driver] = load(found.path, "driver")
    except InvalidFiles as invalid:
        problems.extend(invalid.problems)
        return None
    check_driver(driver, problems)
    return driver


def check_driver(driver: Loaded[Driver], problems: Problems) -> None:
    """Whether a driver offers what its capability promises, and refers only to properties it has."""
    model = driver.model
    promised = CAPABILITIES.get(model.capability)
    if promised is None:
        problems.error(
            "D001",
            f"unknown capability `{model.capability}`",
            driver.at(("capability",)),
            label=did_you_mean(model.capability, CAPABILITIES),
            help=f"capabilities: {', '.join(CAPABILITIES)}",
        )
        promised = {}
    missing = [name for name in promised if name not in model.properties]
    if missing:
        problems.error(
            "D002",
            f"a {model.capability} must offer {', '.join(f'`{name}`' for name in missing)}",
            driver.key(("properties",)),
        )
    for name, prop in model.properties.items():
        path: Path = ("properties", name)
        want = promised.get(name)
        if want == "on_off" and prop.type != "on_off":
            problems.error("D003", f"`{name}` of a {model.capability} is `type: on_off`", driver.key(path))
        elif want not in (None, "any", "on_off"):
            unit = parse_unit(prop.unit or "")
            if prop.type != "number" or not parse_unit(str(want)).compatible(unit):
                problems.error("D003", f"`{name}` of a {model.capability} is a number in {want}", driver.key(path))
        for index, other in enumerate(prop.resets):
            if other not in model.properties:
                problems.error(
                    "D004",
                    f"`{name}` resets `{other}`, which is no property of this driver",
                    driver.at((*path, "resets", index)),
                    label=did_you_mean(other, model.properties),
                )
        if prop.set is not None and "{{" not in prop.set and prop.type not in ("on_off",):
            problems.error(
                "D005",
                f"the command that sets `{name}` has no place for the value",
                driver.at((*path, "set")),
                help="write `{{ value }}` where it goes",
            )
        for kind in ("get", "set"):
            text = getattr(prop, kind)
            if text is not None and "{{ channel }}" in text and not model.channels:
                problems.error(
                    "D006",
                    "this command names a channel, but the driver has no `channels`",
                    driver.at((*path, kind)),
                )


def _roles_of(name: str, instrument: Instrument, driver: Loaded[Driver]) -> list[Role]:
    capability = driver.model.capability
    first = ""
    if driver.model.channels:
        first = str(instrument.channel if instrument.channel is not None else driver.model.channels[0])
    roles = [Role(name, capability, name, first)]
    roles += [Role(role, capability, name, str(channel)) for role, channel in instrument.channels.items()]
    return roles


@dataclass(slots=True)
class _Binder:
    """One instrument of a station while it is bound."""

    station: Loaded[Station]
    name: str
    instrument: Instrument
    driver: Loaded[Driver]
    problems: Problems

    @property
    def path(self) -> Path:
        return ("instruments", self.name)

    def spec(self) -> InstrumentSpec:
        instrument, driver = self.instrument, self.driver.model
        defaults = self.station.model.defaults
        backend = self._backend()
        timeout = instrument.timeout if instrument.timeout is not None else (defaults.timeout if defaults else None)
        self._known_properties("guard", instrument.guard)
        self._known_properties("safe", instrument.safe)
        if instrument.shared is not None and instrument.shared not in driver.properties:
            self._no_property(instrument.shared, self.station.at((*self.path, "shared")))
        properties = {name: self._property(name, prop) for name, prop in driver.properties.items()}
        roles = _roles_of(self.name, instrument, self.driver)
        self._check_channels()
        channels = tuple(dict.fromkeys(role.channel for role in roles))
        errors = driver.errors
        per_site = bool(instrument.per_site)
        addresses = {}
        site_channels = {}
        if isinstance(instrument.per_site, dict):
            sites = [str(site) for site in self.station.model.sites]
            for site, one in instrument.per_site.items():
                if site not in sites:
                    self.problems.error(
                        "B005",
                        f"this station has no site `{site}`",
                        self.station.key((*self.path, "per_site", site)),
                        help=f"sites: {', '.join(sites)}",
                    )
                if one.address is not None:
                    addresses[site] = one.address
                if one.channel is not None:
                    site_channels[site] = str(one.channel)
        return InstrumentSpec(
            name=self.name,
            driver=driver.driver,
            title=instrument.title or driver.title or self.name,
            capability=driver.capability,
            backend=backend,
            address=instrument.address or "",
            timeout_s=timeout if timeout is not None else DEFAULT_TIMEOUT_S,
            properties=properties,
            channels=channels,
            safe=self._safe(properties, channels),
            identify=driver.identify,
            error_query=errors.query if errors else None,
            error_ok=errors.ok if errors else None,
            shared=instrument.shared,
            per_site=per_site,
            site_addresses=addresses,
            site_channels=site_channels,
            device=instrument.device or driver.device or driver.driver,
            simulate=instrument.simulate,
            calibration_due=instrument.calibration_due,
            driver_path=self.driver.name,
            driver_sha256=self.driver.sha256,
        )

    def _backend(self) -> str:
        defaults = self.station.model.defaults
        path: Path = (*self.path, "backend")
        backend = self.instrument.backend
        if backend is None and defaults is not None and defaults.backend is not None:
            backend, path = defaults.backend, ("defaults", "backend")
        if backend is None:
            if self.instrument.address == "sim":
                return "sim"
            self.problems.error(
                "B006",
                f"`{self.name}` does not say how it is reached",
                self.station.key(self.path),
                help="give `backend: sim`",
            )
            return "sim"
        if backend in SUPPORTED_BACKENDS:
            return backend
        if backend in KNOWN_BACKENDS:
            self.problems.error(
                "B007", f"`backend: {backend}` is not supported yet", self.station.at(path), help="use `backend: sim`"
            )
        else:
            self.problems.error(
                "B007",
                f"unknown backend `{backend}`",
                self.station.at(path),
                label=did_you_mean(backend, KNOWN_BACKENDS),
                help=f"backends: {', '.join(KNOWN_BACKENDS)}",
            )
        return backend

    def _check_channels(self) -> None:
        offered = [str(channel) for channel in self.driver.model.channels or ()]
        for role, channel in self.instrument.channels.items():
            if str(channel) not in offered:
                self.problems.error(
                    "B008",
                    f"`{self.name}` has no channel `{channel}`",
                    self.station.at((*self.path, "channels", role)),
                    help=f"its driver offers: {', '.join(offered)}" if offered else "its driver has no channels",
                )
        if self.instrument.channel is not None and str(self.instrument.channel) not in offered:
            self.problems.error(
                "B008",
                f"`{self.name}` has no channel `{self.instrument.channel}`",
                self.station.at((*self.path, "channel")),
            )

    def _known_properties(self, section: str, entries: Mapping[str, Any]) -> None:
        for name in entries:
            if name not in self.driver.model.properties:
                self._no_property(name, self.station.key((*self.path, section, name)))

    def _no_property(self, name: str, span: Span) -> None:
        known = self.driver.model.properties
        self.problems.error(
            "B002",
            f"driver `{self.driver.model.driver}` has no property `{name}`",
            span,
            label=did_you_mean(name, known),
            help=f"it has: {', '.join(known)}",
        )

    def _property(self, name: str, prop: Property) -> PropertySpec:
        unit = parse_unit(prop.unit) if prop.unit else None
        if prop.type in ("number", "array") and unit is None:
            unit = parse_unit("")
        values = Values(self.driver, Frame(), self.problems)
        path: Path = ("properties", name)
        low = high = None
        if prop.range is not None:
            low = values.quantity(prop.range[0], (*path, "range", 0), unit)
            high = values.quantity(prop.range[1], (*path, "range", 1), unit)
            if low is not None and high is not None and low > high:
                self.problems.error("D007", "this range is empty", self.driver.at((*path, "range")))
        guard_low, guard_high = self._guard(name, prop)
        bare = PropertySpec(
            name=name,
            type=prop.type,
            unit=unit,
            get=prop.get,
            set=prop.set,
            choices=prop.choices,
            sharing=prop.sharing,
            resets=tuple(prop.resets),
            low=low,
            high=high,
            overrange=prop.overrange,
            format=prop.format,
            poll_s=prop.poll,
            latency_s=prop.latency,
        )
        default = None
        if prop.default is not None:
            default = values.property_value(
                bare, f"{self.driver.model.driver}.{name}", prop.default, (*path, "default"), Scope(Frame())
            )
        fields = {slot: getattr(bare, slot) for slot in bare.__slots__}
        fields.update(guard_low=guard_low, guard_high=guard_high, default=default)
        return PropertySpec(**fields)

    def _guard(self, name: str, prop: Property) -> tuple[float | None, float | None]:
        guard = self.instrument.guard.get(name)
        if guard is None:
            return None, None
        path: Path = (*self.path, "guard", name)
        if prop.set is None:
            self.problems.error("B009", f"`{name}` cannot be set, so nothing guards it", self.station.key(path))
        if prop.type != "number":
            self.problems.error("B009", f"`{name}` is no number, so it has no bounds", self.station.key(path))
            return None, None
        unit = parse_unit(prop.unit) if prop.unit else None
        values = Values(self.station, Frame(), self.problems)
        if isinstance(guard, Bounds):
            low = values.quantity(guard.min, (*path, "min"), unit) if guard.min is not None else None
            high = values.quantity(guard.max, (*path, "max"), unit) if guard.max is not None else None
        else:
            low = values.quantity(guard[0], (*path, 0), unit)
            high = values.quantity(guard[1], (*path, 1), unit)
        if low is not None and high is not None and low > high:
            self.problems.error(
                "B009", "this guard allows nothing: its bounds are the wrong way round", self.station.at(path)
            )
        return low, high

    def _safe(self, properties: Mapping[str, PropertySpec], channels: tuple[str, ...]) -> tuple[SafeValue, ...]:
        values = Values(self.station, Frame(), self.problems)
        safe: list[SafeValue] = []
        for name, raw in self.instrument.safe.items():
            spec = properties.get(name)
            if spec is None:
                continue
            path: Path = (*self.path, "safe", name)
            if spec.set is None:
                self.problems.error("B010", f"`{name}` cannot be set, so it has no safe value", self.station.key(path))
                continue
            value = values.property_value(spec, f"{self.name}.{name}", raw, path, Scope(Frame()))
            if value is None or not isinstance(value, float | int | bool | str):
                continue
            per_channel = "{{ channel }}" in (spec.set or "")
            safe += [SafeValue(channel, name, value) for channel in (channels if per_channel else channels[:1])]
        return tuple(safe)


def _check_connections(bound: Bound, problems: Problems) -> None:
    station = bound.station
    for net, connection in bound.connections.items():
        path: Path = ("connections", net)
        for name, span in [
            (connection.read, station.at((*path, "read"))),
            *((name, station.key((*path, "set", name))) for name in connection.set),
        ]:
            role, _, prop = name.partition(".")
            find_property(bound, bound.roles, role, prop, span, problems)


def find_property(
    bound: Bound, roles: Mapping[str, Role], role: str, prop: str, span: Span, problems: Problems
) -> tuple[Target, PropertySpec] | None:
    """The property behind `role.property`; what does not exist is told, with what does."""
    found = roles.get(role)
    if found is None:
        help_ = f"roles here: {', '.join(roles)}" if roles else "declare it under `needs`"
        problems.error("N002", f"unknown role `{role}`", span, label=did_you_mean(role, roles), help=help_)
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
        station = bound.station.model.station
        if role is None:
            fitting = [other.name for other in bound.roles.values() if other.capability == capability]
            near = nearest(name, bound.roles)
            problems.error(
                "B001",
                f"station `{station}` has no instrument for role `{name}`",
                file.key(path),
                label=f"did you mean `{near}`?" if near else "",
                help=f"a {capability} there is: {', '.join(fitting)}" if fitting else f"it has no {capability}",
                notes=((bound.station.key(("instruments",)), "the station's instruments"),),
            )
            continue
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
