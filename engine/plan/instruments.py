"""One instrument of a station with its driver: what it can do, what the station allows, how it is left.

Everything that a station says of a property (guard, safe state, sharing) is checked against the driver here, so that a
misspelt guard is a message before the run and not a value that nobody limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.core.bench import InstrumentSpec, PropertySpec, SafeValue
from engine.plan.drivers import roles_of
from engine.plan.model import Formula
from engine.plan.names import Frame, Scope
from engine.plan.values import Values
from schemas.diagnostics import Problems, did_you_mean
from schemas.driver import Driver, Property
from schemas.loading import Loaded
from schemas.quantity import parse_unit
from schemas.source import Path, Span
from schemas.station import Bounds, Instrument, Station

SUPPORTED_BACKENDS = ("sim",)
KNOWN_BACKENDS = ("sim", "visa", "tcp", "http", "process", "record", "replay", "daq")
DEFAULT_TIMEOUT_S = 5.0


@dataclass(slots=True)
class InstrumentBinder:
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
        self._check_shared()
        properties = {name: self._property(name, prop) for name, prop in driver.properties.items()}
        roles = roles_of(self.name, instrument, self.driver)
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

    def _check_shared(self) -> None:
        """What units agree on must be something they can set, on an instrument that they have in common."""
        shared = self.instrument.shared
        if shared is None:
            return
        place = self.station.at((*self.path, "shared"))
        prop = self.driver.model.properties.get(shared)
        if prop is None:
            self._no_property(shared, place)
        elif prop.set is None:
            self.problems.error("B013", f"`{shared}` cannot be set, so units cannot agree on it", place)
        if self.instrument.per_site:
            self.problems.error(
                "B014",
                f"`{self.name}` is there once for every site, so units share nothing of it",
                self.station.key((*self.path, "shared")),
                help="remove `shared` or `per_site`",
            )

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
            label = f"{self.driver.model.driver}.{name}"
            made = values.property_value(bare, label, prop.default, (*path, "default"), Scope(Frame()))
            default = None if isinstance(made, Formula) else made
        return replace(bare, guard_low=guard_low, guard_high=guard_high, default=default)

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
