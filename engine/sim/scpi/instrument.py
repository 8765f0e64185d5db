"""An instrument that understands SCPI: it parses a message once, remembers what that means, and does it.

Parsing depends on nothing but the text, so a text seen before costs one look-up (an in-process query must cost 3 µs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.sim.scpi.arguments import Parameter
from engine.sim.scpi.header import Command, CommandTable, Handler
from engine.sim.scpi.status import MESSAGES, OPERATION_COMPLETE, Register, ScpiError, Status

LONGEST_MESSAGE = 65_536
MOST_PROGRAMS = 4096


@dataclass(frozen=True, slots=True)
class Call:
    """One command of a message, ready to run."""

    command: Command | None
    """None for a command that could not be understood."""
    run: Callable[[], str | bytes | None]
    latency_s: float = 0.0
    ends_message: bool = False
    """True for a command error, which discards the rest of the message (IEEE 488.2, 6.1.6)."""


class ScpiInstrument:
    """IEEE 488.2 common commands, status, error queue, and whatever a kind of instrument adds."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.status = Status(Register(self.operation_condition), Register(self.questionable_condition))
        self.latency_s = 0.0
        """Simulated seconds taken since the session asked last."""
        self.has_output = False
        """True while a reply waits to be read; the session keeps it up to date."""
        self.interpose: Callable[[Call], str | bytes | None] | None = None
        """Runs a call in place of the call itself; scripted faults step in here."""
        self.table = CommandTable()
        self._programs: dict[str, tuple[Call, ...]] = {}
        self._add_common()

    # ---- what kinds of instrument say

    def operation_condition(self) -> int:
        """The OPERation condition register now."""
        return 0

    def questionable_condition(self) -> int:
        """The QUEStionable condition register now."""
        return 0

    def reset(self) -> None:
        """What ``*RST`` does."""

    # ---- messages

    def execute(self, message: str) -> str | bytes | None:
        """Do what a message says; the replies of its queries, or None when it has none."""
        program = self._programs.get(message)
        if program is None:
            program = self._remember(message)
        if len(program) == 1:
            return self._run(program[0])
        replies: list[str | bytes] = []
        for call in program:
            reply = self._run(call)
            if reply is not None:
                replies.append(reply)
            if call.ends_message:
                break
        return _joined(replies)

    def _run(self, call: Call) -> str | bytes | None:
        self.latency_s += call.latency_s
        try:
            return call.run() if self.interpose is None else self.interpose(call)
        except ScpiError as error:
            self.status.push(error.number, error.text)
            return None

    def _remember(self, message: str) -> tuple[Call, ...]:
        program = self._parsed(message)
        if len(self._programs) >= MOST_PROGRAMS:
            self._programs.clear()
        self._programs[message] = program
        return program

    def _parsed(self, message: str) -> tuple[Call, ...]:
        if len(message) > LONGEST_MESSAGE:
            return (_failing(-223),)
        if not message.isascii() or any(ord(c) < 32 and c not in "\t\r\n" for c in message):
            return (_failing(-101),)
        calls: list[Call] = []
        path: tuple[str, ...] = ()
        for text in split_outside_quotes(message.strip(), ";"):
            piece = text.strip()
            if not piece:
                continue
            header, _, rest = piece.replace("\t", " ").partition(" ")
            header = header.upper()
            if header.startswith("*"):
                nodes: tuple[str, ...] = (header,)
            else:
                own = tuple(header.removeprefix(":").split(":"))
                nodes = own if header.startswith(":") else path + own
                path = nodes[:-1]
            try:
                calls.append(self._call(nodes, rest.strip()))
            except ScpiError as error:
                calls.append(_failing(error.number, error.text))
                if calls[-1].ends_message:
                    break
        return tuple(calls)

    def _call(self, nodes: tuple[str, ...], rest: str) -> Call:
        found = self.table.find(nodes)
        if found is None:
            raise ScpiError(-113)
        command, suffixes = found
        texts = [text.strip() for text in split_outside_quotes(rest, ",")] if rest else []
        channels: list[int] | None = None
        if command.suffixes and texts and texts[-1].startswith("(@"):
            channels = _channel_list(texts.pop())
        arguments = _arguments(command, texts)
        if channels is None:
            return Call(command, _bound(command, suffixes, arguments), command.latency_s)
        name = command.suffixes[-1]
        runs = [_bound(command, {**suffixes, name: channel}, arguments) for channel in channels]
        if len(runs) == 1:
            return Call(command, runs[0], command.latency_s)

        def run_all() -> str | bytes | None:
            replies = [reply for reply in [run() for run in runs] if reply is not None]
            return _joined(replies, ",")

        return Call(command, run_all, command.latency_s * len(runs))

    # ---- what all instruments offer

    def add(self, pattern: str, handler: Handler, **options: Any) -> Command:
        """Offer a command, see `CommandTable.add`."""
        self._programs.clear()
        return self.table.add(pattern, handler, **options)

    def setting(
        self,
        header: str,
        parameter: Parameter,
        write: Callable[..., None],
        read: Callable[..., Any],
        form: str = "%.3f",
        latency_s: float = 0.0,
        channels: int = 1,
    ) -> None:
        """Offer ``HEADer <x>`` and ``HEADer?``, the query with MIN, MAX and DEF where the parameter is a number."""
        bounds = {"MIN": parameter.minimum, "MAX": parameter.maximum, "DEF": parameter.default}

        def query(*values: Any) -> str:
            value = read(*values[:-1])
            if values[-1] is not None:
                value = bounds[values[-1]]
                if value is None:
                    raise ScpiError(-224)
            return str(form % value)

        options = {"latency_s": latency_s, "channels": channels}
        self.add(header, write, parameters=(parameter,), **options)
        which = Parameter("bound", "choice", True, ("MINimum", "MAXimum", "DEFault"))
        self.add(header + "?", query, parameters=(which,), **options)

    def _add_common(self) -> None:
        status = self.status
        byte = Parameter("mask", "int", minimum=0, maximum=255)
        word = Parameter("mask", "int", minimum=0, maximum=32767)
        self.add("*IDN?", lambda: self.identity)
        self.add("*RST", self.reset)
        self.add("*CLS", status.clear)
        self.add("*OPC", self._operation_complete)
        self.add("*OPC?", lambda: "1")
        self.add("*WAI", lambda: None)
        self.add("*TST?", lambda: "0")
        self.add("*ESR?", lambda: str(status.take_event()))
        self.add("*ESE", self._set_event_enable, parameters=(byte,))
        self.add("*ESE?", lambda: str(status.event_enable))
        self.add("*SRE", self._set_service_enable, parameters=(byte,))
        self.add("*SRE?", lambda: str(status.service_enable))
        self.add("*STB?", lambda: str(status.byte(self.has_output)))
        self.add("SYSTem:ERRor[:NEXT]?", status.next_error)
        self.add("SYSTem:ERRor:COUNt?", lambda: str(len(status.errors)))
        self.add("SYSTem:ERRor:ALL?", status.all_errors)
        self.add("SYSTem:VERSion?", lambda: "1999.0")
        self.add("STATus:PRESet", status.preset)
        for name, register in (("OPERation", status.operation), ("QUEStionable", status.questionable)):
            self._add_register(f"STATus:{name}", register, word)

    def _add_register(self, header: str, register: Register, word: Parameter) -> None:
        def enable(mask: int) -> None:
            register.enable = mask

        self.add(f"{header}[:EVENt]?", lambda: str(register.take_event()))
        self.add(f"{header}:CONDition?", lambda: str(register.look()))
        self.add(f"{header}:ENABle", enable, parameters=(word,))
        self.add(f"{header}:ENABle?", lambda: str(register.enable))

    def _operation_complete(self) -> None:
        self.status.event |= OPERATION_COMPLETE

    def _set_event_enable(self, mask: int) -> None:
        self.status.event_enable = mask

    def _set_service_enable(self, mask: int) -> None:
        self.status.service_enable = mask & ~0x40


def _arguments(command: Command, texts: list[str]) -> list[Any]:
    if len(texts) > len(command.parameters):
        raise ScpiError(-108)
    values: list[Any] = []
    for index, parameter in enumerate(command.parameters):
        text = texts[index] if index < len(texts) else ""
        if text:
            values.append(parameter.read(text))
        elif parameter.is_optional and index >= len(texts):
            values.append(None)
        else:
            raise ScpiError(-109)
    return values


def _bound(command: Command, suffixes: dict[str, int], arguments: list[Any]) -> Callable[[], str | bytes | None]:
    handler = command.handler
    numbers = [suffixes.get(name) for name in command.suffixes]
    for number in numbers:
        if number is not None and not 1 <= number <= command.channels:
            raise ScpiError(-114)
    values = (*numbers, *arguments)
    if not values:
        return handler
    return lambda: handler(*values)


def _channel_list(text: str) -> list[int]:
    if not text.endswith(")"):
        raise ScpiError(-102)
    channels: list[int] = []
    for piece in text[2:-1].split(","):
        first, _, last = piece.strip().partition(":")
        if not first.isdigit() or (last and not last.isdigit()) or len(first) > 6 or len(last) > 6:
            raise ScpiError(-102)
        begin, end = int(first), int(last or first)
        if end < begin or end - begin > 999:
            raise ScpiError(-222)
        channels += range(begin, end + 1)
    return channels


def _failing(number: int, text: str = "") -> Call:
    error_text = text or MESSAGES.get(number, "")

    def fail() -> str | bytes | None:
        raise ScpiError(number, error_text)

    return Call(None, fail, ends_message=number > -200)


def _joined(replies: list[str | bytes], separator: str = ";") -> str | bytes | None:
    if not replies:
        return None
    if len(replies) == 1:
        return replies[0]
    if all(isinstance(reply, str) for reply in replies):
        return separator.join(str(reply) for reply in replies)
    pieces = [reply.encode() if isinstance(reply, str) else reply for reply in replies]
    return separator.encode().join(pieces)


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """The pieces between separators that stand outside quotes and brackets."""
    if '"' not in text and "'" not in text and "(" not in text:
        return text.split(separator)
    pieces: list[str] = []
    start = depth = 0
    quote = ""
    for index, c in enumerate(text):
        if quote:
            if c == quote:
                quote = ""
        elif c in "\"'":
            quote = c
        elif c == "(":
            depth += 1
        elif c == ")":
            depth -= 1
        elif c == separator and depth <= 0:
            pieces.append(text[start:index])
            start = index + 1
    pieces.append(text[start:])
    return pieces
