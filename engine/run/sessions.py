"""Which session carries the conversation with which instrument.

Backends other than the simulated bench come with their own rooms and are added here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from engine.core.bench import InstrumentSpec
from engine.core.errors import UsageError
from engine.core.session import Session
from engine.sim.bench import SimulatedBench
from engine.sim.device import check_device, check_wiring, check_world
from schemas.device import Device
from schemas.diagnostics import InvalidFiles, Problems
from schemas.documents import FileSnapshot
from schemas.library import Library
from schemas.loading import Loaded, load
from schemas.station import Station

Devices = Mapping[str, Loaded[Device]]
"""Simulated devices by id."""


def load_devices(
    station: Loaded[Station], library: Library, specs: Mapping[str, InstrumentSpec]
) -> dict[str, Loaded[Device]]:
    """The device files behind the simulated instruments. Raises InvalidFiles with every problem of all of them."""
    devices: dict[str, Loaded[Device]] = {}
    problems = Problems()
    for name, spec in specs.items():
        if spec.backend != "sim" or spec.device is None or spec.device in devices:
            continue
        found = library.find("device", spec.device)
        if found is None:
            problems.error(
                "B013",
                f"there is no simulated device `{spec.device}` for `{name}`",
                station.key(("instruments", name)),
                help=f"devices found: {', '.join(library.ids('device')) or 'none'}",
            )
            continue
        try:
            device: Loaded[Device] = load(found.path, "device")
        except InvalidFiles as invalid:
            problems.extend(invalid.problems)
            continue
        check_device(device.model, device.source_map, problems, device.path.parent)
        devices[spec.device] = device
    if station.model.world is not None:
        check_world(station.model.world, station.source_map, problems)
    problems.raise_if_any()
    check_wiring(station, specs, devices, problems)
    problems.raise_if_any()
    return devices


class Sessions:
    """Makes sessions for the instruments of one run."""

    def __init__(
        self,
        station: Loaded[Station],
        devices: Devices,
        serials: Mapping[str, str],
        seed: int,
        now: Callable[[], float],
    ) -> None:
        """`serials`: site → serial. Raises UsageError for a world or a wiring that cannot be."""
        self._devices = devices
        sites: Sequence[str] = [str(site) for site in station.model.sites]
        self._simulated = SimulatedBench(station.model.world, sites, serials, seed, now)

    @property
    def bench(self) -> SimulatedBench:
        """The simulated bench; its world knows the truth."""
        return self._simulated

    def exchange(self, site: str, serial: str) -> None:
        """A unit takes a site: the simulated part there becomes the one with this serial, unless it is that already."""
        self._simulated.exchange(site, serial)

    def files(self) -> list[FileSnapshot]:
        """The device files used, as they were."""
        return [FileSnapshot("device", file.name, file.sha256, file.text) for file in self._devices.values()]

    def open(self, spec: InstrumentSpec, site: str | None) -> Session:
        """The session of an instrument, or of its instance at a site; not opened yet."""
        if spec.backend != "sim" or spec.device is None:
            raise UsageError(f"`backend: {spec.backend}` is not supported yet", "use `backend: sim`")
        device = self._devices[spec.device]
        return self._simulated.session(spec.name, device.model, site, spec.simulate, device.path.parent, spec.timeout_s)
