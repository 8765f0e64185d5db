"""The instruments of a run, behind the `Bench` promise of the core.

Owns which instance of an instrument a unit means, what is mocked, and the order of opening and closing. An instrument
is spoken to only through here; otherwise neither its guards nor what is known of its state would hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import nan

from engine.bench.access import Access
from engine.bench.commands import is_plain, printable
from engine.bench.decode import SCPI_INFINITY, overrange_of
from engine.bench.instrument import Instrument, Log
from engine.bench.readers import Reader
from engine.bench.safe import make_safe
from engine.core.bench import InstrumentSpec, PropertyValue, SafeReport, Target
from engine.core.errors import CommunicationFailed, UsageError
from engine.core.session import Session
from schemas.diagnostics import did_you_mean
from schemas.documents import InstrumentIdentity

CHAMBER_POLL_S = 10.0
POLL_S = 1.0


class InstrumentBench:
    """May be opened, is open, is closed again. Each instance is used by one worker at a time, but for `abort`."""

    def __init__(
        self,
        specs: Mapping[str, InstrumentSpec],
        open_session: Callable[[InstrumentSpec, str | None], Session],
        sites: Mapping[int, str],
        mocks: Mapping[Target, PropertyValue] | None = None,
        log: Log | None = None,
        serials: Mapping[int, str] | None = None,
        *,
        more_to_come: bool = False,
    ) -> None:
        """Raises UsageError for a driver or a safe state that cannot work.

        `open_session` makes the session of an instrument, or of its instance at a site, not opened yet. `sites` has the
        units that take part from the start, `serials` theirs, by which noise is told apart; with `more_to_come` others
        take their sites later (`enter`). `log` takes (level, message, instance).
        """
        self._open_session = open_session
        self._sites = dict(sites)
        self._serials = {unit: (serials or {}).get(unit, "") for unit in sites}
        self._mocks = dict(mocks or {})
        self._log: Log = log or (lambda level, message, instrument: None)
        self._specs = dict(specs)
        self._instances: dict[str, Instrument] = {}
        self._of_unit: dict[tuple[int, str], Instrument] = {}
        self._units: dict[str, list[int]] = {}
        self._readers: dict[tuple[int, Target], Reader] = {}
        self._accesses: dict[tuple[int, Target], tuple[Instrument, Access]] = {}
        for spec in self._specs.values():
            for site in dict.fromkeys(self._sites.values()) if spec.per_site else (None,):
                units = [unit for unit, at in self._sites.items() if site is None or at == site]
                instrument = Instrument(spec, site, len(units) > 1 or more_to_come, self._log)
                self._instances[instrument.name] = instrument
                self._units[instrument.name] = units
                for unit in units:
                    self._of_unit[unit, spec.name] = instrument

    def enter(self, unit: int, site: str, serial: str = "") -> None:
        """A unit takes a site that another has left; raises UsageError for a site at which nobody was expected."""
        self._sites[unit], self._serials[unit] = site, serial
        for spec in self._specs.values():
            name = f"{spec.name}@{site}" if spec.per_site else spec.name
            instrument = self._instances.get(name)
            if instrument is None:
                raise UsageError(f"the bench has no `{spec.name}` at site `{site}`", "say so when the bench is made")
            self._of_unit[unit, spec.name] = instrument
            if unit not in self._units[name]:
                self._units[name].append(unit)

    # --- life ------------------------------------------------------------------------------------------------------

    def open_all(self) -> None:
        """Open every instrument in order; on a failure closes those opened before it and raises ConnectionFailed."""
        opened: list[Instrument] = []
        try:
            for instrument in self._instances.values():
                if instrument.session is None:
                    instrument.open(self._open_session(instrument.spec, instrument.site))
                    opened.append(instrument)
        except BaseException:
            self._close(reversed(opened))
            raise

    def close_all(self) -> None:
        """Close every instrument, the last one first; may be called any number of times."""
        self._close(reversed(list(self._instances.values())))

    def _close(self, instruments: Iterable[Instrument]) -> None:
        self._readers.clear()  # they hold the sessions
        for instrument in instruments:
            try:
                instrument.close()
            except Exception as error:  # noqa: BLE001  the others must be closed too
                self._log("warning", f"{instrument.name} could not be closed: {error}", instrument.name)

    def instances(self) -> list[str]:
        """Every instance, in the order of opening: `dmm`, `psu@A`, `psu@B`."""
        return list(self._instances)

    def identities(self) -> list[InstrumentIdentity]:
        """Who answered, for each instance, in the same order."""
        return [
            InstrumentIdentity(
                name=instrument.spec.name,
                driver=instrument.spec.driver,
                backend=instrument.spec.backend,
                address=instrument.address,
                identity=instrument.identity,
                site=instrument.site,
                calibration_due=instrument.spec.calibration_due,
                driver_file=instrument.spec.driver_path,
                driver_sha256=instrument.spec.driver_sha256,
                has_safe_state=bool(instrument.spec.safe),
            )
            for instrument in self._instances.values()
        ]

    # --- who -------------------------------------------------------------------------------------------------------

    def _instrument(self, unit: int, name: str) -> Instrument:
        instrument = self._of_unit.get((unit, name))
        if instrument is not None:
            return instrument
        if name not in self._specs:
            raise UsageError(f"the bench has no instrument `{name}`", did_you_mean(name, self._specs))
        raise UsageError(f"unit {unit} has no site on this bench")

    def _access(self, unit: int, target: Target) -> tuple[Instrument, Access]:
        found = self._accesses.get((unit, target))
        if found is None:
            instrument = self._instrument(unit, target.instrument)
            found = instrument, instrument.access(instrument.channel(target.channel), target.property)
            self._accesses[unit, target] = found
        return found

    def instance(self, unit: int, instrument: str) -> str:
        return self._instrument(unit, instrument).name

    def identity(self, unit: int, instrument: str) -> str:
        return self._instrument(unit, instrument).identity

    def begin(self, unit: int, instrument: str, node: str, attempt: int) -> None:
        self._instrument(unit, instrument).opened().set_noise_key((self._serials[unit], node, attempt))

    def restore(self, unit: int, instrument: str) -> bool:
        return self._instrument(unit, instrument).restore(unit)

    def release(self, unit: int, instrument: str) -> None:
        """Forget what this unit wanted of outputs and modes: what it held has come to its end."""
        found = self._instrument(unit, instrument)
        held = [
            key
            for key in found.state.wanted.get(unit, {})
            if (access := found.access(*key)).shared or access.prop.sharing == "drive"
        ]
        found.state.forget(unit, held)

    def context(self, unit: int, instrument: str) -> object:
        found = self._instrument(unit, instrument)
        state = found.state
        wanted = []
        for key in state.applied:
            value = None if found.access(*key).shared else state.wants(unit, key)
            if value is not None:
                wanted.append((key, tuple(value) if isinstance(value, list) else value))
        return sorted(wanted, key=lambda item: item[0])

    # --- properties ------------------------------------------------------------------------------------------------

    def read(self, unit: int, target: Target) -> PropertyValue:
        reader = self._readers.get((unit, target))
        if reader is None:
            reader = self._readers[unit, target] = self._reader(unit, target)
        return reader()

    def _reader(self, unit: int, target: Target) -> Reader:
        if target in self._mocks:
            value = self._mocked(target)
            return lambda: value
        instrument, access = self._access(unit, target)
        return instrument.reader(access)

    def _mocked(self, target: Target) -> PropertyValue:
        """What stands for a reading; over range it is none, as if the instrument had said it."""
        value = self._mocks[target]
        spec = self._specs.get(target.instrument)
        prop = spec.properties.get(target.property) if spec is not None else None
        overrange = SCPI_INFINITY if prop is None else overrange_of(prop)
        if isinstance(value, float | int) and not isinstance(value, bool):
            return value if -overrange < value < overrange else nan
        if isinstance(value, list):
            return [item if -overrange < item < overrange else nan for item in value]
        return value

    def apply(self, unit: int, target: Target, value: PropertyValue, *, force: bool = False) -> bool:
        instrument, access = self._access(unit, target)
        return instrument.apply(unit, access, value, force)

    def steady_until(self, unit: int, target: Target) -> float | None:
        instrument, access = self._access(unit, target)
        ask = getattr(instrument.session, "steady_until", None)
        if ask is None or access.get is None or target in self._mocks:
            return None
        until: float | None = ask(access.get)
        return until

    def poll_s(self, target: Target) -> float:
        spec = self._specs.get(target.instrument)
        prop = spec.properties.get(target.property) if spec is not None else None
        if prop is not None and prop.poll_s is not None:
            return prop.poll_s
        return CHAMBER_POLL_S if spec is not None and spec.capability == "thermal_chamber" else POLL_S

    # --- raw traffic -----------------------------------------------------------------------------------------------

    def command(self, unit: int, instrument: str, text: str) -> None:
        found = self._instrument(unit, instrument)
        _one_line(found.name, text)
        found.state.forget(unit)
        found.state.doubt_all()
        if found.state.last_user != unit:
            found.state.last_user = None
        found.send(text)

    def query(self, unit: int, instrument: str, text: str) -> str:
        found = self._instrument(unit, instrument)
        _one_line(found.name, text)
        return found.ask(text)

    def check_errors(self, unit: int, instrument: str) -> None:
        self._instrument(unit, instrument).check_errors()

    def take_latency(self, unit: int, instrument: str) -> float:
        session = self._instrument(unit, instrument).session
        return 0.0 if session is None else session.take_latency()

    # --- safety ----------------------------------------------------------------------------------------------------

    def make_safe(self, unit: int, instrument: str) -> SafeReport:
        found = self._instrument(unit, instrument)
        return self._make_safe(found, [unit])

    def make_safe_instance(self, instance: str) -> SafeReport:
        """The same for an instance by its key; none of its units wants anything else afterwards."""
        found = self._instances.get(instance)
        if found is None:
            raise UsageError(f"the bench has no instrument `{instance}`", did_you_mean(instance, self._instances))
        return self._make_safe(found, self._units[instance])

    def _make_safe(self, instrument: Instrument, units: Iterable[int]) -> SafeReport:
        """What these units wanted there is given up first: nothing may put an output back on afterwards."""
        safe = dict(self._safe_wants(instrument))
        for unit in units:
            wanted = instrument.state.wanted.get(unit)
            if wanted is not None:
                wanted.update(safe)
            elif safe:
                instrument.state.wanted[unit] = dict(safe)
        return make_safe(instrument)

    def _safe_wants(self, instrument: Instrument) -> Iterable[tuple[tuple[str, str], PropertyValue]]:
        for safe in instrument.spec.safe:
            access, value = instrument.safe_value(safe)
            yield access.key, value

    def abort(self, unit: int, instrument: str) -> None:
        self._instrument(unit, instrument).abort()


def _one_line(instance: str, text: str) -> None:
    if not is_plain(text):
        raise CommunicationFailed(
            f"{instance}: `{printable(text)}` holds a line end or another control character; nothing was sent",
            "send one line at a time",
        )
