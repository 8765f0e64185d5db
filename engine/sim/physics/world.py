"""The world that simulated instruments are wired to: one chamber, and a part with its supply and load at every site.

Events change it at their time; reads never change it. Time does not run backwards: a read, or an event, before the last
event counts as at that event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from engine.core.errors import UsageError
from engine.sim.physics.chamber import Chamber
from engine.sim.physics.ldo import Drive, LdoParameters, Point
from engine.sim.physics.parameters import checked_constants, draw_unit
from engine.sim.physics.thermal import CaseTemperature


class WorldSpec(Protocol):
    """What a station's ``world:`` says; the station's model of it is one."""

    @property
    def model(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, object]: ...
    @property
    def seed(self) -> int: ...
    @property
    def dynamics(self) -> str: ...
    @property
    def spread(self) -> float: ...


class SiteState(NamedTuple):
    """What is true at a site at one instant. °C, V, A, W."""

    chamber: float
    case: float
    point: Point
    is_shut: bool


class Site:
    """A place for one unit: the part, what supplies it and what loads it."""

    def __init__(self, name: str, serial: str, thermal: CaseTemperature) -> None:
        self.name = name
        self.serial = serial
        self.part = thermal.part
        self._thermal = thermal
        self._read_s = -1.0
        self._read: SiteState | None = None

    def exchange(self, time_s: float, serial: str, part: LdoParameters) -> None:
        """Take the unit out and put this one in, at room temperature; what supplies and loads it stays as it is."""
        old = self._thermal
        time_s = max(time_s, old.event_s)
        self.serial, self.part = serial, part
        self._thermal = CaseTemperature(part, old.chamber, time_s)
        self._thermal.set_drive(time_s, old.drive)
        self._read = None

    def supply(self, time_s: float, voltage: float, current_limit: float) -> None:
        """Connect a supply set to this voltage and current limit; 0 V for an output that is off."""
        self._drive(time_s, self._thermal.drive._replace(voltage=voltage, current_limit=current_limit))

    def load(self, time_s: float, current: float) -> None:
        """Ask for this load current; 0 A for an input that is off."""
        self._drive(time_s, self._thermal.drive._replace(load=current))

    def _drive(self, time_s: float, drive: Drive) -> None:
        self._thermal.set_drive(time_s, drive)
        self._read = None

    def at(self, time_s: float) -> SiteState:
        """The state at an instant."""
        if time_s == self._read_s and self._read is not None:
            return self._read
        case, point, is_shut = self._thermal.at(time_s)
        chamber = self._thermal.chamber.air(max(time_s, self._thermal.event_s))
        self._read_s, self._read = time_s, SiteState(chamber, case, point, is_shut)
        return self._read

    def truth(self, time_s: float) -> dict[str, float]:
        """Everything a test may want to compare a reading with."""
        state = self.at(time_s)
        point = state.point
        return {
            "t_chamber": state.chamber,
            "tc": state.case,
            "tj": point.tj,
            "vin": point.vin,
            "vout": point.vout,
            "iload": point.iload,
            "iq": point.iq,
            "iin": point.iload + point.iq,
            "power": point.power,
            "limiting": float(point.limiting),
            "shut": float(state.is_shut),
        }

    def before_chamber_changes(self, time_s: float) -> None:
        """Fix the state while the chamber's old path still holds."""
        self._thermal.rebase(time_s)
        self._read = None

    def after_chamber_changed(self, time_s: float) -> None:
        """Head for the chamber's new path."""
        self._thermal.rebase(time_s)
        self._read = None


class World:
    """One chamber and the sites in it."""

    def __init__(
        self,
        spec: WorldSpec,
        sites: Sequence[str] = ("A",),
        serials: Mapping[str, str] | None = None,
        seed: int | None = None,
        start_s: float = 0.0,
    ) -> None:
        constants = checked_constants(spec.model, spec.parameters, spec.dynamics == "settled")
        self.seed = spec.seed if seed is None else seed
        self.is_settled = constants.chamber.settled
        self.chamber_noise = constants.chamber_noise
        self.chamber = Chamber(constants.chamber, start_s)
        self._lot, self._spread = constants.part, spec.spread
        self.sites: dict[str, Site] = {}
        for name in sites:
            serial = (serials or {}).get(name, "")
            self.sites[name] = Site(name, serial, CaseTemperature(self._unit(serial), self.chamber, start_s))

    def _unit(self, serial: str) -> LdoParameters:
        return draw_unit(self._lot, self.seed, serial, self._spread)

    def exchange(self, time_s: float, site: str, serial: str) -> None:
        """Put the unit with this serial in a site, in place of the one there; raises UsageError for an unknown site."""
        self.site(site).exchange(time_s, serial, self._unit(serial))

    def site(self, name: str) -> Site:
        """The site of this name; raises UsageError for an unknown one."""
        found = self.sites.get(name)
        if found is None:
            raise UsageError(f"the simulated world has no site `{name}`", f"sites: {', '.join(self.sites)}")
        return found

    def set_setpoint(self, time_s: float, value: float) -> None:
        """Send the chamber to another temperature in °C."""
        if value == self.chamber.setpoint:
            return
        for site in self.sites.values():
            site.before_chamber_changes(time_s)
        self.chamber.set_setpoint(time_s, value)
        for site in self.sites.values():
            site.after_chamber_changed(time_s)

    def set_ramp_rate(self, time_s: float, value: float) -> None:
        """Change the chamber's ramp rate in °C/min; must be above 0."""
        if value == self.chamber.ramp_rate:
            return
        for site in self.sites.values():
            site.before_chamber_changes(time_s)
        self.chamber.set_ramp_rate(time_s, value)
        for site in self.sites.values():
            site.after_chamber_changed(time_s)
