"""A simulated bench: one world, and a session for every instrument that a station puts in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from engine.core.errors import UsageError
from engine.sim.faults import FaultScript
from engine.sim.instruments.base import Place, SimulatedInstrument
from engine.sim.instruments.chamber import ThermalChamber
from engine.sim.instruments.electronic_load import ElectronicLoad
from engine.sim.instruments.multimeter import Multimeter
from engine.sim.instruments.power_supply import PowerSupply
from engine.sim.instruments.relays import Relays
from engine.sim.physics.world import Site, World, WorldSpec
from engine.sim.session import SimSession
from schemas.device import Device
from schemas.station import World as DefaultWorld

_BUILT_IN: Mapping[str, type[ThermalChamber | PowerSupply | Multimeter | ElectronicLoad]] = {
    "thermal_chamber": ThermalChamber,
    "power_supply": PowerSupply,
    "multimeter": Multimeter,
    "electronic_load": ElectronicLoad,
}


class SimulatedBench:
    """Everything simulated in one run. Same seed, same serials, same calls: same replies."""

    def __init__(
        self,
        world: WorldSpec | None,
        sites: Sequence[str],
        serials: Mapping[str, str] | None = None,
        seed: int | None = None,
        now: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """``seed`` None: the world's own. ``now``: simulated seconds. Raises UsageError for a world that cannot be."""
        self.now = now
        self.world = World(world or DefaultWorld(), sites, serials, seed, now())
        self._lock = Lock()
        self._instruments: dict[tuple[str, str | None], tuple[SimulatedInstrument, FaultScript | None]] = {}

    def session(
        self,
        name: str,
        device: Device,
        site: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        folder: Path | None = None,
        timeout_s: float = 5.0,
    ) -> SimSession:
        """A new conversation with the instrument of this name (at this site); the instrument itself stays what it was.

        ``parameters`` are the station's, ``folder`` is where the device file lies, for its binary replies.
        Raises UsageError for a device or a wiring that cannot be.
        """
        key = (name, site)
        found = self._instruments.get(key)
        if found is None:
            found = self._instruments[key] = self._built(name, device, site, parameters or {}, folder)
        instrument, faults = found
        return SimSession(instrument, self._lock, faults, timeout_s)

    def exchange(self, site: str, serial: str) -> None:
        """Put the unit with this serial in a site: another part, and noise of its own. Raises UsageError for a site unknown.

        A unit that is in its site already stays there as it is.
        """
        with self._lock:
            if self.world.site(site).serial == serial:
                return
            self.world.exchange(self.now(), site, serial)
            for instrument, _ in self._instruments.values():
                if instrument.place.site is not None and instrument.place.site.name == site:
                    instrument.meet(serial)

    def _relays_of(self, switch: str, site: str | None) -> Relays | None:
        """The relays of a switch: that of the site where there is one at every site."""
        found = self._instruments.get((switch, site)) or self._instruments.get((switch, None))
        return getattr(found[0], "relays", None) if found is not None else None

    def _built(
        self, name: str, device: Device, site: str | None, parameters: Mapping[str, Any], folder: Path | None
    ) -> tuple[SimulatedInstrument, FaultScript | None]:
        own = self._site_of(site, parameters)
        serial = f"SIM-{name}" + (f"-{site}" if site is not None else "")
        given = {**device.parameters, **parameters}
        place = Place(name, serial, self.world, own, self.now, given, lambda switch: self._relays_of(switch, site))
        serial_of_unit = own.serial if own is not None else ""
        identity = device.identity.replace("{{ serial }}", serial).replace("{{ device }}", device.device)
        instrument: SimulatedInstrument
        if device.model is None:
            from engine.sim.instruments.from_file import FileInstrument  # pulls in the expressions

            described = FileInstrument(identity, place, serial_of_unit, device, folder)
            if described.problems:
                problem = described.problems[0]
                where = ": ".join(str(key) for key in problem.path)
                raise UsageError(f"device `{device.device}`, {where}: {problem.message}", problem.help)
            instrument = described
        else:
            instrument = _BUILT_IN[device.model](identity, place, serial_of_unit)
        faults = None
        if device.faults:
            faults = FaultScript(instrument, device.faults, (self.world.seed, serial_of_unit, serial), self.now)
        return instrument, faults

    def _site_of(self, site: str | None, parameters: Mapping[str, Any]) -> Site | None:
        named = site if site is not None else parameters.get("site")
        if named is not None:
            return self.world.site(str(named))
        return next(iter(self.world.sites.values())) if len(self.world.sites) == 1 else None
