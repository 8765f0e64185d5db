"""Things that go wrong on purpose: which call they befall, and what then happens.

Scripted by count, by time and by probability, each draw keyed like all noise: a fault that came once comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.core.errors import UsageError
from engine.sim.noise import keyed_uniform
from engine.sim.scpi.header import Command
from engine.sim.scpi.instrument import Call, ScpiInstrument
from engine.sim.scpi.status import ScpiError
from schemas.device import Fault

GARBAGE = "#\x7f?!~"


class Disconnected(Exception):
    """The connection is gone; the session turns it into a ConnectionFailed."""


@dataclass(slots=True)
class Scripted:
    """One fault, its command, and how often both were seen."""

    fault: Fault
    command: Command | None
    seen: int = 0
    happened: int = 0


class FaultScript:
    """Stands between an instrument and its calls."""

    def __init__(
        self, instrument: ScpiInstrument, faults: Sequence[Fault], key: tuple[str | int, ...], now: Callable[[], float]
    ) -> None:
        self.late_s: float | None = None
        """How late the reply under way is; ``inf`` for twice the timeout; None when it is in time."""
        self._key = key
        self._now = now
        self._scripted = [Scripted(fault, _command(instrument, fault)) for fault in faults]
        instrument.interpose = self.run

    def run(self, call: Call) -> str | bytes | None:
        """The call, or what befalls it."""
        fault = self._striking(call)
        if fault is None:
            return call.run()
        match fault.kind:
            case "no_reply":
                call.run()
                return None
            case "late_reply":
                self.late_s = float("inf") if fault.delay is None else fault.delay
                return call.run()
            case "garbage":
                reply = call.run()
                return None if reply is None else GARBAGE
            case "error":
                number, text = fault.error or (-310, "System error")
                raise ScpiError(int(number), str(text))
            case "disconnect":
                raise Disconnected

    def _striking(self, call: Call) -> Fault | None:
        striking = None
        for index, scripted in enumerate(self._scripted):
            fault = scripted.fault
            if scripted.command is not None and scripted.command is not call.command:
                continue
            scripted.seen += 1
            if scripted.seen <= fault.after or (fault.times is not None and scripted.happened >= fault.times):
                continue
            if fault.at is not None and self._now() < fault.at:
                continue
            if fault.probability is not None:
                draw = keyed_uniform(*self._key, "fault", index, scripted.seen)
                if draw >= fault.probability:
                    continue
            if striking is None:
                scripted.happened += 1
                striking = fault
        return striking


def _command(instrument: ScpiInstrument, fault: Fault) -> Command | None:
    if fault.on == "*":
        return None
    header = fault.on.strip().partition(" ")[0].upper().removeprefix(":")
    found = instrument.table.find(tuple(header.split(":")))
    if found is None:
        raise UsageError(f"the fault on `{fault.on}` names no command of this device", "use one of its commands or `*`")
    return found[0]
