"""Which session carries the conversation with which instrument.

Backends other than the simulated bench come with their own rooms and are added here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from engine.core.bench import InstrumentSpec
from engine.core.errors import UsageError
from engine.core.session import Session
from engine.sim.bench import SimulatedBench
from schemas.device import Device
from schemas.diagnostics import InvalidFiles, Problems
from schemas.documents import FileSnapshot
from schemas.library import Library
from schemas.loading import Loaded, load
from schemas.station import Station


class Sessions:
    """Makes sessions for the instruments of one run."""

    def __init__(
        self,
        station: Loaded[Station],
        library: Library,
        specs: Mapping[str, InstrumentSpec],
        serials: Mapping[str, str],
        seed: int,
        now: Callable[[], float],
    ) -> None:
        """`serials`: site → serial. Raises InvalidFiles for devices that cannot be, UsageError for such a world."""
        self._devices: dict[str, Loaded[Device]] = {}
        problems = Problems()
        for name, spec in specs.items():
            if spec.backend == "sim" and spec.device is not None and spec.device not in self._devices:
                self._load(name, spec.device, station, library, problems)
        problems.raise_if_any()
        sites: Sequence[str] = [str(site) for site in station.model.sites]
        self._simulated = SimulatedBench(station.model.world, sites, serials, seed, now)

    def _load(self, name: str, device: str, station: Loaded[Station], library: Library, problems: Problems) -> None:
        found = library.find("device", device)
        if found is None:
            problems.error(
                "B013",
                f"there is no simulated device `{device}` for `{name}`",
                station.key(("instruments", name)),
                help=f"devices found: {', '.join(library.ids('device')) or 'none'}",
            )
            return
        try:
            self._devices[device] = load(found.path, "device")
        except InvalidFiles as invalid:
            problems.extend(invalid.problems)

    @property
    def bench(self) -> SimulatedBench:
        return self._simulated

    def files(self) -> list[FileSnapshot]:
        """The device files used, as they were."""
        return [FileSnapshot("device", file.name, file.sha256, file.text) for file in self._devices.values()]

    def open(self, spec: InstrumentSpec, site: str | None) -> Session:
        """The session of an instrument, or of its instance at a site; not opened yet."""
        if spec.backend != "sim" or spec.device is None:
            raise UsageError(f"`backend: {spec.backend}` is not supported yet", "use `backend: sim`")
        device = self._devices[spec.device]
        return self._simulated.session(spec.name, device.model, site, spec.simulate, device.path.parent, spec.timeout_s)
