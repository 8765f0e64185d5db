"""The vocabulary of instruments: what a driver and a station say of one, resolved, and what the dispatcher asks of a bench.

`engine.plan` makes the specifications from files, `engine.bench` builds instruments from them, and `engine.dispatch` knows
only the `Bench` promise. All values are in the property's own unit: numbers are floats, `on_off` is a bool, `choice` and
`text` are strings, `array` is a list of floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from schemas.quantity import Unit

PropertyValue = float | bool | str | Sequence[float]
PropertyType = Literal["number", "text", "on_off", "choice", "array"]
Sharing = Literal["config", "drive", "mode"]


class Target(NamedTuple):
    """One property of one channel of one instrument of the station."""

    instrument: str
    """The station's name for it; for `per_site` instruments the unit's own instance is meant."""
    channel: str
    """Empty where the instrument has no channels."""
    property: str

    def __str__(self) -> str:
        channel = f"[{self.channel}]" if self.channel else ""
        return f"{self.instrument}{channel}.{self.property}"


@dataclass(frozen=True, slots=True)
class PropertySpec:
    """One thing that can be read or set."""

    name: str
    type: PropertyType
    unit: Unit | None
    """None for words and switches."""
    get: str | None
    """Query text; `{{ channel }}` stands for the channel."""
    set: str | None
    """Command text; `{{ value }}` stands for the value."""
    choices: Mapping[str, str] | None = None
    sharing: Sharing = "config"
    resets: tuple[str, ...] = ()
    low: float | None = None
    """Smallest value the instrument takes (driver's `range`)."""
    high: float | None = None
    guard_low: float | None = None
    """Smallest value the station allows."""
    guard_high: float | None = None
    default: PropertyValue | None = None
    overrange: float | None = None
    format: str | None = None
    poll_s: float | None = None
    latency_s: float | None = None


@dataclass(frozen=True, slots=True)
class SafeValue:
    """One property of the state an instrument is left in."""

    channel: str
    property: str
    value: PropertyValue


@dataclass(frozen=True, slots=True)
class InstrumentSpec:
    """One instrument of the station with its driver."""

    name: str
    driver: str
    title: str
    capability: str
    backend: str
    address: str
    timeout_s: float
    properties: Mapping[str, PropertySpec]
    channels: tuple[str, ...] = ("",)
    """Every channel a role uses; `("",)` without channels."""
    safe: tuple[SafeValue, ...] = ()
    identify: str | None = None
    """Searched for in the reply to `*IDN?`."""
    error_query: str | None = None
    error_ok: str | None = None
    shared: str | None = None
    """The property that units agree on while they hold it together."""
    per_site: bool = False
    site_addresses: Mapping[str, str] = field(default_factory=dict)
    site_channels: Mapping[str, str] = field(default_factory=dict)
    device: str | None = None
    """The simulated device behind `backend: sim`."""
    simulate: Mapping[str, Any] = field(default_factory=dict)
    calibration_due: str | None = None
    driver_path: str = ""
    driver_sha256: str = ""


@dataclass(frozen=True, slots=True)
class SafeReport:
    """What came of putting one instrument in its safe state."""

    instrument: str
    """The instance: `psu`, or `psu@A` for one of a site."""
    verified: bool | None
    """None: nothing could be read back."""
    message: str = ""


class Bench(Protocol):
    """The instruments of a run. Calls block; the dispatcher sends them through `clock.call` on the instance's worker.

    `unit` is the index of the unit under test; the bench knows its site.
    """

    def instance(self, unit: int, instrument: str) -> str:
        """The key of the instance this unit uses: `dmm`, or `psu@A` for one of a site. Also its worker's key."""
        ...

    def begin(self, unit: int, instrument: str, node: str, attempt: int) -> None:
        """A node of this unit acts on the instrument next: names the draw of its noise."""

    def restore(self, unit: int, instrument: str) -> bool:
        """Put back what this unit wants where another unit changed it; O(1) when the last user is this one."""
        ...

    def release(self, unit: int, instrument: str) -> None:
        """What this unit held there has come to its end: it is never put back for it any more."""

    def context(self, unit: int, instrument: str) -> object:
        """What this unit wants there beside the value that units agree on; equal for units that want the same."""
        ...

    def read(self, unit: int, target: Target) -> PropertyValue:
        """A fresh reading (or its mock); NaN where over range. Raises CommunicationFailed, ReplyTimeout, UnreadableReply."""
        ...

    def apply(self, unit: int, target: Target, value: PropertyValue, *, force: bool = False) -> bool:
        """Want this value; write it if it differs from what was applied. True: something was written.

        Raises GuardViolation before anything is sent.
        """
        ...

    def command(self, unit: int, instrument: str, text: str) -> None:
        """Send raw text; forgets what this unit wanted there and what was applied."""

    def query(self, unit: int, instrument: str, text: str) -> str:
        """Send raw text and return the reply."""
        ...

    def check_errors(self, unit: int, instrument: str) -> None:
        """Ask for the instrument's own errors; raises InstrumentError with its words."""

    def take_latency(self, unit: int, instrument: str) -> float:
        """Simulated seconds that calls took since this was asked last; 0.0 on a real instrument."""
        ...

    def steady_until(self, unit: int, target: Target) -> float | None:
        """The simulated time before which a reading cannot change; None where nobody knows."""
        ...

    def poll_s(self, target: Target) -> float:
        """How often a condition on this property is looked at, seconds."""
        ...

    def identity(self, unit: int, instrument: str) -> str:
        """What it answered when it was opened."""
        ...

    def make_safe(self, unit: int, instrument: str) -> SafeReport:
        """Put the instance in its safe state and read it back; never raises for an instrument's fault."""
        ...

    def abort(self, unit: int, instrument: str) -> None:
        """Cut off a blocked call; may be called from any thread."""
