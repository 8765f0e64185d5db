"""An instrument that a device file describes: state, commands, replies, ranges, noise and binary answers.

Everything in the file is compiled when the instrument is built, so that a mistake in it is found then and all at once,
and not by the one step of a long run that first sends the command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.core.errors import BenchwrightError, UsageError
from engine.expr import ExpressionError, Kind, SimpleScope, Symbol, Type, compile_expression
from engine.expr.template import pieces
from engine.sim.instruments.base import Place, SimulatedInstrument
from engine.sim.instruments.relays import Relays, read_contacts
from engine.sim.scpi.arguments import Parameter
from engine.sim.scpi.header import Command, split_pattern
from engine.sim.scpi.status import ScpiError
from schemas.device import Device, DeviceCommand
from schemas.diagnostics import did_you_mean
from schemas.quantity import QuantityError, parse_quantity
from schemas.units import SYMBOLS

State = dict[str, Any]
Evaluate = Callable[[Mapping[str, Any]], Any]

LARGEST_BINARY = 16 * 1024 * 1024
_FORMAT = re.compile(r"[-+ ]?0?\d{0,2}(?:\.\d{1,2})?[eEfFgGd]\Z")
_KINDS = {"float": Kind.NUMBER, "int": Kind.NUMBER, "bool": Kind.BOOL, "string": Kind.TEXT, "choice": Kind.TEXT}


@dataclass(eq=False)
class DeviceProblem(Exception):
    """One thing wrong with a device file: where in it (keys from the top), what, and what to do."""

    path: tuple[str | int, ...]
    message: str
    help: str = ""
    start: int = 0
    """With ``end``: the characters of the scalar that are meant; 0, 0 for all of it."""
    end: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a reply: plain text, or an expression and how its number is written."""

    text: str
    evaluate: Evaluate | None = None
    form: str | None = None


class FileInstrument(SimulatedInstrument):
    """State and commands from a file; ``*RST`` returns to the state the file begins with."""

    def __init__(
        self, identity: str, place: Place, serial_of_unit: str, device: Device, folder: Path | None = None
    ) -> None:
        super().__init__(identity, place, serial_of_unit)
        self._channels = device.channels
        self._folder = folder
        for name in place.parameters:
            if name not in device.state and name not in ("site", "relays"):
                hint = did_you_mean(name, device.state) or f"known: {', '.join(device.state) or 'none'}"
                raise UsageError(f"simulated `{place.name}` has no state `{name}`", hint)
        given = {**device.state, **{n: v for n, v in place.parameters.items() if n in device.state}}
        self._initial: State = {name: _plain(value) for name, value in given.items()}
        self._state = _copied(self._initial)
        self.relays = self._wired_relays(place)
        self.problems: list[DeviceProblem] = []
        for name, value in self._initial.items():
            if isinstance(value, list) and len(value) != device.channels:
                text = f"`{name}` has {len(value)} values for {device.channels} channels"
                self.problems.append(DeviceProblem(("state", name), text, "give one value for each channel"))
        for pattern, spec in device.commands.items():
            try:
                self._offer(pattern, spec, spec.latency or device.latency)
            except DeviceProblem as problem:
                self.problems.append(problem)

    def reset(self) -> None:
        self._state = _copied(self._initial)

    def _wired_relays(self, place: Place) -> Relays | None:
        written = place.parameters.get("relays")
        if written is None or "relays" in self._initial:
            return None
        if "closed" not in self._initial:
            raise UsageError(
                f"simulated `{place.name}` has no state `closed`, so none of its relays ever connects anything",
                "leave out `relays`, or give the device a state `closed`",
            )
        return Relays(read_contacts(place.name, written, place.world), lambda: self._state["closed"])

    # ---- one command

    def _offer(self, pattern: str, spec: DeviceCommand, latency_s: float) -> None:
        path: tuple[str | int, ...] = ("commands", pattern)
        try:
            header, parameters = split_pattern(pattern)
            parameters = _with_ranges(parameters, spec, path)
            command = self.add(
                pattern,
                lambda *values: run(*values),
                parameters=parameters,
                latency_s=latency_s,
                channels=self._channels,
            )
        except ValueError as error:
            raise DeviceProblem(path, str(error)) from None
        if header.endswith("?") and spec.reply is None and spec.binary is None:
            raise DeviceProblem(path, f"`{pattern}` is a query without a reply", "give it `reply` or `binary`")
        if not header.endswith("?") and (spec.reply is not None or spec.binary is not None):
            raise DeviceProblem(path, f"`{pattern}` has a reply but is no query", "end its header with `?`")
        run = self._compiled(command, parameters, spec, path)

    def _compiled(
        self, command: Command, parameters: tuple[Parameter, ...], spec: DeviceCommand, path: tuple[str | int, ...]
    ) -> Callable[..., str | bytes | None]:
        names = (*command.suffixes, *(parameter.name for parameter in parameters))
        clash = next((name for name in names if name in self._initial), None)
        if clash is not None:
            raise DeviceProblem(path, f"`{clash}` is both a parameter and part of the state", "rename one of them")
        channelled = tuple(n for n, v in self._initial.items() if isinstance(v, list)) if command.suffixes else ()
        scope = self._scope(command, parameters, channelled)
        changes = [self._change(name, value, scope, channelled, path) for name, value in spec.set.items()]
        reply = self._reply(spec, scope, path)
        count = len(command.suffixes)

        def run(*values: Any) -> str | bytes | None:
            state = self._state
            channel = 1
            environment = state
            if names:
                numbers = [1 if value is None else value for value in values[:count]]
                channel = numbers[-1] if count else 1
                environment = {**state, **dict(zip(names, (*numbers, *values[count:]), strict=True))}
                for name in channelled:
                    environment[name] = state[name][channel - 1]
            try:
                for name, value in [(name, evaluate(environment)) for name, evaluate in changes]:
                    if name in channelled:
                        state[name][channel - 1] = value
                    else:
                        state[name] = value
                return None if reply is None else reply(environment)
            except (ArithmeticError, ValueError, TypeError, LookupError, BenchwrightError) as error:
                raise ScpiError(-310, f"Device expression failed: {error}"[:200]) from None

        return run

    def _scope(self, command: Command, parameters: tuple[Parameter, ...], channelled: tuple[str, ...]) -> SimpleScope:
        symbols = {name: Symbol(name, Type(Kind.NUMBER)) for name in command.suffixes}
        for parameter in parameters:
            kind = Kind.ANY if parameter.is_optional else _KINDS[parameter.kind]
            symbols[parameter.name] = Symbol(parameter.name, Type(kind))
        for name, value in self._initial.items():
            if isinstance(value, list):
                if name not in channelled or not value:
                    continue
                value = value[0]
            kind = Kind.BOOL if isinstance(value, bool) else Kind.TEXT if isinstance(value, str) else Kind.NUMBER
            symbols[name] = Symbol(name, Type(kind))
        return SimpleScope(symbols)

    def _change(
        self, name: str, value: Any, scope: SimpleScope, channelled: tuple[str, ...], path: tuple[str | int, ...]
    ) -> tuple[str, Evaluate]:
        where = (*path, "set", name)
        if name not in self._initial:
            hint = did_you_mean(name, self._initial) or "add it to `state`"
            raise DeviceProblem(where, f"there is no `{name}` in the state", hint)
        if isinstance(self._initial[name], list) and name not in channelled:
            raise DeviceProblem(
                where, f"`{name}` has a value for each channel", "give the header a suffix such as `<n>`"
            )
        if not isinstance(value, str):
            constant = _plain(value)
            return name, lambda _: constant
        return name, _expression(value, scope, where, 0)

    # ---- replies

    def _reply(
        self, spec: DeviceCommand, scope: SimpleScope, path: tuple[str | int, ...]
    ) -> Callable[[Mapping[str, Any]], str | bytes] | None:
        if spec.binary is not None:
            content = self._bytes_of(spec.binary, (*path, "binary"))
            return lambda _: content
        if spec.reply is None:
            return None
        parts = _pieces(spec.reply, scope, (*path, "reply"))
        sigma = _in_si(spec.noise.sigma, (*path, "noise", "sigma")) if spec.noise is not None else 0.0
        form = spec.format or "%.9g"
        noise = self.noise

        def write(piece: Piece, environment: Mapping[str, Any]) -> str:
            if piece.evaluate is None:
                return piece.text
            value = piece.evaluate(environment)
            if isinstance(value, bool):
                return "1" if value else "0"
            if isinstance(value, str):
                return value
            number = float(value) + (sigma * noise.gauss() if sigma else 0.0)
            return format(number, piece.form) if piece.form else form % number

        if len(parts) == 1:
            only = parts[0]
            return lambda environment: write(only, environment)
        return lambda environment: "".join([write(piece, environment) for piece in parts])

    def _bytes_of(self, name: str, path: tuple[str | int, ...]) -> bytes:
        folder = (self._folder or Path()).resolve()
        file = (folder / name).resolve()
        if not file.is_relative_to(folder):
            raise DeviceProblem(path, f"`{name}` lies outside the device file's folder", "keep it beside the file")
        try:
            if not file.is_file():
                raise DeviceProblem(path, f"there is no file `{name}` beside the device file")
            if file.stat().st_size > LARGEST_BINARY:
                raise DeviceProblem(path, f"`{name}` is larger than {LARGEST_BINARY // 1024 // 1024} MiB")
            return file.read_bytes()
        except OSError as error:
            raise DeviceProblem(path, f"`{name}` cannot be read: {error.strerror}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _copied(state: State) -> State:
    return {name: list(value) if isinstance(value, list) else value for name, value in state.items()}


def _in_si(value: Any, path: tuple[str | int, ...]) -> float:
    """A number, or a quantity in units without prefix: ``50 uV`` is 5e-5; temperatures are differences."""
    try:
        if isinstance(value, str):
            quantity = parse_quantity(value, None, difference=True)
            return quantity.value * quantity.unit.scale
        return parse_quantity(value, SYMBOLS["V"]).value
    except QuantityError as error:
        raise DeviceProblem(path, error.message, error.help) from None


def _with_ranges(
    parameters: tuple[Parameter, ...], spec: DeviceCommand, path: tuple[str | int, ...]
) -> tuple[Parameter, ...]:
    if spec.range is None:
        return parameters
    numbers = [parameter.name for parameter in parameters if parameter.kind in ("float", "int")]
    if isinstance(spec.range, list):
        if len(numbers) != 1:
            help = "write `range: {x: [0, 6]}`, one for each parameter"
            raise DeviceProblem((*path, "range"), f"a range is for one number, this command has {len(numbers)}", help)
        ranges = {numbers[0]: spec.range}
    else:
        ranges = spec.range
    read: dict[str, tuple[float, float]] = {}
    for name, pair in ranges.items():
        where = (*path, "range")
        if name not in numbers:
            hint = did_you_mean(name, numbers)
            raise DeviceProblem(where, f"the command has no number `{name}`", hint)
        low, high = (_in_si(bound, where) for bound in pair)
        if low > high:
            raise DeviceProblem(where, f"the range of `{name}` ends below its beginning", "swap its bounds")
        read[name] = (low, high)
    return tuple(
        replace(parameter, minimum=read[parameter.name][0], maximum=read[parameter.name][1], error=_error_of(spec))
        if parameter.name in read
        else parameter
        for parameter in parameters
    )


def _error_of(spec: DeviceCommand) -> tuple[int, str] | None:
    return None if spec.error is None else (int(spec.error[0]), str(spec.error[1]))


def _pieces(reply: Any, scope: SimpleScope, path: tuple[str | int, ...]) -> list[Piece]:
    if not isinstance(reply, str):
        constant = _plain(reply)
        return [Piece("", lambda _: constant)]
    try:
        parts = pieces(reply)
    except ExpressionError as error:
        raise DeviceProblem(path, error.message, error.help, error.start, error.end) from None
    found = [Piece("")] if not parts else []
    for part in parts:
        if part.plain:
            found.append(Piece(part.plain))
            continue
        form = part.format.strip()
        if form and _FORMAT.match(form) is None:
            begin = part.format_start
            raise DeviceProblem(path, f"`{form}` is no format", "such as `.3f`", begin, begin + len(part.format))
        found.append(Piece("", _expression(part.expression, scope, path, part.start), form.replace("d", ".0f") or None))
    return found


def _expression(text: str, scope: SimpleScope, path: tuple[str | int, ...], offset: int) -> Evaluate:
    try:
        return compile_expression(text, scope).fn
    except ExpressionError as error:
        raise DeviceProblem(path, error.message, error.help, offset + error.start, offset + error.end) from None
