"""A conversation with a simulated instrument: the same promise a cable keeps, in simulated time.

No call ever waits. What a call would have taken is added up as latency, which the dispatcher then lets pass.
"""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager

from engine.core.errors import CommunicationFailed, ConnectionFailed, ReplyTimeout
from engine.sim.faults import Disconnected, FaultScript
from engine.sim.instruments.base import SimulatedInstrument


class SimSession:
    """May be opened, is open, has been closed. Safe to call from several threads: one lock for the whole world."""

    def __init__(
        self,
        instrument: SimulatedInstrument,
        lock: AbstractContextManager[object],
        faults: FaultScript | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        self.instrument = instrument
        self.timeout_s = timeout_s
        self._name = instrument.place.name
        self._lock = lock
        self._faults = faults
        self._is_open = False
        self._aborts = 0
        self._unread: deque[str | bytes] = deque()
        self._late: deque[str | bytes] = deque()

    def open(self) -> None:
        """Reach the instrument; an open session is opened afresh."""
        self._unread.clear()
        self._late.clear()
        self._is_open = True

    def close(self) -> None:
        """Let the instrument go; what it had not been read is lost."""
        self._is_open = False
        self._unread.clear()
        self._late.clear()

    def write(self, command: str) -> None:
        """Send a command; a reply it causes waits for `read`."""
        aborts = self._aborts
        with self._lock:
            reply = self._exchange(command, aborts)
            if reply is not None:
                self._unread.append(reply)
                self.instrument.has_output = True

    def query(self, command: str) -> str:
        """Send a query and return its reply."""
        reply = self._ask(command)
        return reply if isinstance(reply, str) else reply.decode("utf-8", "ignore").rstrip("\n")

    def query_bytes(self, command: str) -> bytes:
        """Send a query and return the bytes of its reply."""
        reply = self._ask(command)
        return reply.encode() if isinstance(reply, str) else reply

    def read(self) -> str:
        """Read a reply that waits; raises ReplyTimeout where none does."""
        with self._lock:
            self._must_be_open("read from")
            if not self._late and not self._unread:
                self.instrument.status.push(-420, "Query UNTERMINATED")
                raise self._timed_out("read")
            reply = self._late.popleft() if self._late else self._unread.popleft()
            self.instrument.has_output = bool(self._unread)
        return reply if isinstance(reply, str) else reply.decode("utf-8", "ignore").rstrip("\n")

    def abort(self) -> None:
        """Calls that wait for their turn now return with an error; later ones are not touched."""
        self._aborts += 1

    def take_latency(self) -> float:
        """Simulated seconds that calls took since this was asked last."""
        latency_s, self.instrument.latency_s = self.instrument.latency_s, 0.0
        return latency_s

    def set_noise_key(self, key: tuple[str | int, ...]) -> None:
        """Name the node and attempt that draws noise next."""
        self.instrument.noise.set_key(key)

    def steady_until(self, command: str) -> float | None:
        """The simulated time before which the reply to this query cannot change by itself; None: nobody knows."""
        with self._lock:
            return self.instrument.steady_until(command)

    # ---- one exchange

    def _ask(self, command: str) -> str | bytes:
        aborts = self._aborts
        with self._lock:
            is_behind = bool(self._late)
            reply = self._exchange(command, aborts)
            if is_behind:  # a reply that came too late for its own query is taken for this one's
                if reply is not None:
                    self._late.append(reply)
                return self._late.popleft()
            if reply is None:
                raise self._timed_out(command)
            return reply

    def _exchange(self, command: str, aborts: int) -> str | bytes | None:
        if not self._is_open:
            self._must_be_open(f"send `{_short(command)}` to")
        if aborts != self._aborts:
            raise CommunicationFailed(f"`{_short(command)}` to `{self._name}` was cut off", "the run was told to stop")
        instrument = self.instrument
        if self._unread:
            self._unread.clear()
            instrument.has_output = False
            instrument.status.push(-410, "Query INTERRUPTED")
        if self._faults is None:
            return instrument.execute(command)
        return self._exchange_faultily(command, self._faults)

    def _exchange_faultily(self, command: str, faults: FaultScript) -> str | bytes | None:
        faults.late_s = None
        try:
            reply = self.instrument.execute(command)
        except Disconnected:
            self.close()
            raise ConnectionFailed(
                f"`{self._name}` closed the connection during `{_short(command)}`", "open it again"
            ) from None
        late_s = faults.late_s
        if late_s is None or reply is None:
            return reply
        if late_s <= self.timeout_s:
            self.instrument.latency_s += late_s
            return reply
        self._late.append(reply)
        return None

    def _timed_out(self, command: str) -> ReplyTimeout:
        self.instrument.latency_s += self.timeout_s
        return ReplyTimeout(
            f"`{self._name}` did not answer `{_short(command)}` within {self.timeout_s:g} s",
            "ask for its errors with `SYST:ERR?`",
        )

    def _must_be_open(self, action: str) -> None:
        if not self._is_open:
            raise ConnectionFailed(f"cannot {action} `{self._name}`: the connection is not open", "open it first")


def _short(command: str) -> str:
    return command if len(command) <= 60 else command[:57] + "…"
