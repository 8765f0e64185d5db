"""The promise every transport keeps: one open conversation with one instrument.

The same calls serve a simulated instrument in this process and a real one on a cable, so that a driver never knows
which of the two it talks to.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Session(Protocol):
    """May be opened, is open, has been closed; blocking calls in between."""

    timeout_s: float
    """How long a reply may take; also charged as latency when a simulated reply never comes."""

    def open(self) -> None:
        """Reach the instrument; raises ConnectionFailed."""

    def close(self) -> None:
        """Let the instrument go; may be called any number of times."""

    def write(self, command: str) -> None:
        """Send a command that has no reply; raises CommunicationFailed."""

    def query(self, command: str) -> str:
        """Send a command and return its reply without the line end; raises CommunicationFailed or ReplyTimeout."""
        ...

    def query_bytes(self, command: str) -> bytes:
        """Send a command and return its reply exactly as it came, without the line end."""
        ...

    def read(self) -> str:
        """Read one more reply; raises ReplyTimeout where there is none."""
        ...

    def abort(self) -> None:
        """Make a blocked call return with an error; may be called from another thread."""

    def take_latency(self) -> float:
        """Seconds of simulated time that calls took since this was asked last; 0.0 on a real instrument."""
        ...

    def set_noise_key(self, key: tuple[str | int, ...]) -> None:
        """Name the node and attempt that draws noise next; nothing on a real instrument."""
