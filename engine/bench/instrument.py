"""One instance of an instrument: its driver's data and a session, made ready to read and write.

Owns the conversation: who answers, what is written and put back for which unit, what the instrument says of its own
errors. Were state kept anywhere else, a write could go past it and the next one be left out by mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.bench.access import Access, prepare_access, put_back_order
from engine.bench.commands import printable
from engine.bench.guard import checker
from engine.bench.readers import Reader, reader_of
from engine.bench.state import InstanceState, Key
from engine.core.bench import InstrumentSpec, PropertyValue, SafeValue
from engine.core.errors import ConnectionFailed, GuardViolation, InstrumentError, UsageError
from engine.core.session import Session
from schemas.patterns import Pattern, TooSlow

Log = Callable[[str, str, str], None]
"""(level, message, instrument)."""
MOST_PASSES = 3
"""Rounds of putting back: what is put back may disturb what was put back before it."""
LONGEST_SEARCHED = 10_000
"""Characters of a reply in which a pattern is looked for."""
MOST_ERRORS = 20
"""Errors taken from the queue at once: a broken instrument may never answer that there are no more."""


class Instrument:
    """May be opened, is open, is closed again; one worker at a time, but for `abort`."""

    def __init__(self, spec: InstrumentSpec, site: str | None, several_units: bool, log: Log) -> None:
        """`several_units`: more than one unit uses it. Raises UsageError for a driver or safe state that cannot be."""
        self.spec = spec
        self.site = site
        self.name = spec.name if site is None else f"{spec.name}@{site}"
        self.address = spec.address if site is None else spec.site_addresses.get(site, spec.address)
        self.state = InstanceState()
        self.identity = ""
        self.session: Session | None = None
        self._several_units = several_units
        self._log = log
        self._access: dict[Key, Access] = {}
        self._warned: set[Key] = set()
        self._order = put_back_order(spec)
        self._channels = frozenset(self.channel(channel) for channel in spec.channels)
        self._error_ok = Pattern(spec.error_ok).search if spec.error_ok is not None else None
        for channel in spec.channels:
            for name in spec.properties:
                access = self.access(self.channel(channel), name)
                if several_units and access.prop.default is not None and access.encode is not None:
                    self._keep_baseline(access, access.prop.default)
        for safe in spec.safe:
            self.safe_value(safe)

    # --- life ------------------------------------------------------------------------------------------------------

    def open(self, session: Session) -> None:
        """Reach it and make sure that it is the right one; raises ConnectionFailed, with nothing left open."""
        self.session = session
        try:
            session.open()
            if self.spec.identify is not None:
                self._identify(session, self.spec.identify)
            self._drain_at_open()
        except BaseException:
            self.session = None
            session.close()
            raise

    def _identify(self, session: Session, expected: str) -> None:
        try:
            self.identity = session.query("*IDN?").strip()
        except ConnectionFailed:
            raise
        except InstrumentError as error:
            raise ConnectionFailed(f"{self.name} did not say who it is: {error.message}", error.help) from error
        try:
            found = Pattern(expected).search(self.identity[:LONGEST_SEARCHED])
        except TooSlow as error:
            raise ConnectionFailed(
                f"{self.name}: {error} in `{printable(self.identity)}`", "simplify `identify` in the driver"
            ) from None
        if found is None:
            at = f" at {self.address}" if self.address else ""
            raise ConnectionFailed(
                f"{self.name}: `{printable(self.identity)}` answered{at}, "
                f"and driver `{self.spec.driver}` expects `{printable(expected)}`",
                "check the address in the station, or `identify` in the driver",
            )

    def reopen(self) -> None:
        """Reach it again after the connection was lost; raises ConnectionFailed, also where another one answers."""
        session = self.opened()
        self.state.doubt_all()
        self.state.last_user = None
        session.close()
        session.open()
        if self.spec.identify is not None:
            self._identify(session, self.spec.identify)

    def close(self) -> None:
        """Let it go; may be called any number of times."""
        session, self.session = self.session, None
        if session is not None:
            session.close()

    def abort(self) -> None:
        """Cut off a blocked call; from any thread."""
        session = self.session
        if session is not None:
            session.abort()

    def opened(self) -> Session:
        """The session; raises ConnectionFailed before it is opened and after it is closed."""
        if self.session is None:
            raise ConnectionFailed(f"{self.name} is not open", "open the bench first")
        return self.session

    # --- properties ------------------------------------------------------------------------------------------------

    def channel(self, channel: str) -> str:
        """The channel meant here: the instance of a site may have its own in place of the instrument's first."""
        if self.site is not None and channel == (self.spec.channels[0] if self.spec.channels else ""):
            return self.spec.site_channels.get(self.site, channel)
        return channel

    def access(self, channel: str, name: str) -> Access:
        """One property of one (actual) channel; raises UsageError where the driver has none of that name."""
        key = (channel, name)
        access = self._access.get(key)
        if access is None:
            access = self._access[key] = prepare_access(self.spec, self.name, key, self._channels)
        return access

    def reader(self, access: Access) -> Reader:
        """A closure that reads this property; of an open instrument."""
        get = access.get
        if get is None:
            raise InstrumentError(
                f"{access.where}: driver `{self.spec.driver}` cannot read it", "give the property a `get` in the driver"
            )
        return reader_of(access, get, self.opened(), self.state)

    def apply(self, unit: int, access: Access, value: object, force: bool) -> bool:
        """Want a value and write it if it differs; raises GuardViolation before anything is sent."""
        checked = access.check(value)
        state, key = self.state, access.key
        if access.encode is None:
            raise InstrumentError(
                f"{access.where}: driver `{self.spec.driver}` cannot set it", "give the property a `set` in the driver"
            )
        if not force and not state.differs(key, checked):
            state.want(unit, key, checked)
            return False
        if self._several_units and key not in state.baseline:
            self._read_baseline(access)
        state.want(unit, key, checked)
        try:
            self.write(access, checked)
        except BaseException:
            state.unwant(unit, key)
            raise
        state.unconfirmed.add((unit, key))
        return True

    def write(self, access: Access, value: PropertyValue) -> None:
        """Send a value that was checked; unknown afterwards if anything goes wrong."""
        assert access.encode is not None
        state, key = self.state, access.key
        command = access.encode(value)
        state.doubt(key)
        if access.disturbs:
            state.disturb(access.disturbs)
        self.send(command)
        state.applied[key] = value

    def restore(self, unit: int) -> bool:
        """Put back what this unit wants; outputs off first and on last, the rest in driver order."""
        state = self.state
        if state.last_user == unit:
            return False
        state.last_user = None  # until all of it is back
        written = False
        for _ in range(MOST_PASSES):
            pending = self._pending(unit)
            for access, value in pending:
                self.write(access, value)
            written = written or bool(pending)
            if not any(access.disturbs for access, _ in pending):
                break
        state.last_user = unit
        return written

    def _pending(self, unit: int) -> list[tuple[Access, PropertyValue]]:
        state = self.state
        found: list[tuple[Access, PropertyValue]] = []
        for key in state.applied:
            access = self.access(*key)
            if access.shared or access.encode is None:
                continue
            value = state.wants(unit, key)
            if value is None:
                self._warn_no_baseline(access)
            elif state.differs(key, value):
                found.append((access, value))
        return self.in_safe_order(found)

    def in_safe_order(self, values: Iterable[tuple[Access, PropertyValue]]) -> list[tuple[Access, PropertyValue]]:
        """Outputs that go off first, then the rest as the driver lists it, outputs that go on last."""

        def rank(item: tuple[Access, PropertyValue]) -> tuple[int, int, str]:
            access, value = item
            output = access.prop.type == "on_off" and access.prop.sharing == "drive"
            return ((2 if value else 0) if output else 1), self._order[access.key[1]], access.key[0]

        return sorted(values, key=rank)

    def _read_baseline(self, access: Access) -> None:
        """Before the first write, where the driver has no default: what units get that never set it."""
        value: object = None
        if access.get is not None and not access.shared:
            try:
                value = self.reader(access)()
            except InstrumentError as error:
                self._log("warning", f"{access.where} could not be read before it was set: {error.message}", self.name)
        self._keep_baseline(access, value)

    def _keep_baseline(self, access: Access, value: object) -> None:
        self.state.baseline[access.key] = None
        if value is None or access.shared:
            return
        try:
            self.state.baseline[access.key] = access.check(value)
        except GuardViolation as error:
            self._log("warning", f"its value for units that never set it is not allowed: {error.message}", self.name)

    def _warn_no_baseline(self, access: Access) -> None:
        if self._several_units and access.key not in self._warned:
            self._warned.add(access.key)
            self._log(
                "warning",
                f"{access.where} was set by one unit and cannot be put back for another: "
                "give it a `default` or a `get` in the driver",
                self.name,
            )

    def safe_value(self, safe: SafeValue) -> tuple[Access, PropertyValue]:
        """One value of the safe state; raises UsageError where the driver cannot take it."""
        access = self.access(self.channel(safe.channel), safe.property)
        if access.encode is None:
            raise UsageError(f"{access.where}: a safe value is given, and driver `{self.spec.driver}` cannot set it")
        try:
            return access, checker(access.prop, access.where, station=False)(safe.value)
        except GuardViolation as error:
            raise UsageError(f"the safe state of {self.name} cannot be: {error.message}", error.help) from None

    # --- raw traffic -----------------------------------------------------------------------------------------------

    def send(self, command: str) -> None:
        """Send text; an error makes all that was applied unknown."""
        try:
            self.opened().write(command)
        except BaseException:
            self.state.doubt_all()
            raise

    def ask(self, command: str) -> str:
        """Send text and return the reply; an error makes all that was applied unknown."""
        try:
            return self.opened().query(command)
        except BaseException:
            self.state.doubt_all()
            raise

    def errors(self) -> list[str]:
        """Take the instrument's own errors from its queue, oldest first."""
        query, ok = self.spec.error_query, self._error_ok
        found: list[str] = []
        if query is None:
            return found
        for _ in range(MOST_ERRORS):
            reply = self.ask(query)
            try:
                if ok is None or ok(reply[:LONGEST_SEARCHED]) is not None:
                    return found
            except TooSlow as error:
                raise InstrumentError(
                    f"{self.name}: {error} in `{printable(reply)}`", "simplify `errors: ok` in the driver"
                ) from None
            found.append(printable(reply.strip()))
        found.append("and more")
        return found

    def check_errors(self) -> None:
        """Raise InstrumentError with the instrument's own words if it has any."""
        found = self.errors()
        if not found:
            self.state.confirm()
            return
        self.state.reject()
        raise InstrumentError(f"{self.name} reports {'; '.join(found)}")

    def _drain_at_open(self) -> None:
        try:
            found = self.errors()
        except InstrumentError as error:
            self._log("warning", f"{self.name} could not be asked for its errors: {error.message}", self.name)
            return
        if found:
            self._log("warning", f"{self.name} still had errors from before: {'; '.join(found)}", self.name)
