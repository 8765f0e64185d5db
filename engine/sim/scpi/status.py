"""The error queue and status registers of IEEE 488.2 and SCPI-99.

Errors go here and never into a reply: an error text in place of a number shifts every later answer by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

MESSAGES = {
    -100: "Command error",
    -101: "Invalid character",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -131: "Invalid suffix",
    -138: "Suffix not allowed",
    -151: "Invalid string data",
    -221: "Settings conflict",
    -222: "Data out of range",
    -223: "Too much data",
    -224: "Illegal parameter value",
    -310: "System error",
    -350: "Queue overflow",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
}
QUEUE_LENGTH = 20

OPERATION_COMPLETE = 0x01
QUERY_ERROR = 0x04
DEVICE_ERROR = 0x08
EXECUTION_ERROR = 0x10
COMMAND_ERROR = 0x20
POWER_ON = 0x80


class ScpiError(Exception):
    """A command the instrument cannot follow: a number and a text for its error queue."""

    def __init__(self, number: int, text: str = "") -> None:
        super().__init__(number, text)
        self.number = number
        self.text = text or MESSAGES.get(number, "Device error")


@dataclass(slots=True)
class Register:
    """A SCPI status register: a condition now, the events since it was read, and which of them are reported."""

    condition: Callable[[], int]
    event: int = 0
    enable: int = 0
    _seen: int = 0

    def look(self) -> int:
        """The condition now; bits that came up since the last look are latched as events."""
        now = self.condition()
        self.event |= now & ~self._seen
        self._seen = now
        return now

    def take_event(self) -> int:
        """The latched events, which are cleared."""
        self.look()
        event, self.event = self.event, 0
        return event


def _nothing() -> int:
    return 0


@dataclass(slots=True)
class Status:
    """What an instrument reports about itself."""

    operation: Register = field(default_factory=lambda: Register(_nothing))
    questionable: Register = field(default_factory=lambda: Register(_nothing))
    errors: deque[tuple[int, str]] = field(default_factory=deque)
    event: int = POWER_ON
    event_enable: int = 0
    service_enable: int = 0

    def push(self, number: int, text: str) -> None:
        """Queue an error and set its bit in the event register; a full queue ends in -350."""
        if number <= -400:
            self.event |= QUERY_ERROR
        elif number <= -300 or number > 0:
            self.event |= DEVICE_ERROR
        elif number <= -200:
            self.event |= EXECUTION_ERROR
        else:
            self.event |= COMMAND_ERROR
        if len(self.errors) >= QUEUE_LENGTH:
            self.errors[-1] = (-350, MESSAGES[-350])
        else:
            self.errors.append((number, text))

    def next_error(self) -> str:
        """The oldest error, which is removed."""
        number, text = self.errors.popleft() if self.errors else (0, "No error")
        quoted = text.replace('"', '""')
        return f'{number:+d},"{quoted}"'

    def all_errors(self) -> str:
        """Every error, which are removed."""
        replies = [self.next_error()]
        while self.errors:
            replies.append(self.next_error())
        return ",".join(replies)

    def take_event(self) -> int:
        """The standard event register, which is cleared."""
        event, self.event = self.event, 0
        return event

    def byte(self, has_output: bool = False) -> int:
        """The status byte, with the master summary in bit 6."""
        self.operation.look()
        self.questionable.look()
        byte = 0x04 if self.errors else 0
        if self.questionable.event & self.questionable.enable:
            byte |= 0x08
        if has_output:
            byte |= 0x10
        if self.event & self.event_enable:
            byte |= 0x20
        if self.operation.event & self.operation.enable:
            byte |= 0x80
        return byte | 0x40 if byte & self.service_enable else byte

    def clear(self) -> None:
        """What ``*CLS`` does: events and errors go, enable masks stay."""
        self.errors.clear()
        self.event = 0
        self.operation.take_event()
        self.questionable.take_event()

    def preset(self) -> None:
        """What ``STATus:PRESet`` does: nothing of the two registers is reported."""
        self.operation.enable = self.questionable.enable = 0
