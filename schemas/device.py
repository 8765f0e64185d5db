"""A simulated instrument, as data: a built-in model with parameters, or state, commands, noise and faults."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import FileId, Identifier, Model, PlainDuration, Value

BuiltIn = Literal["thermal_chamber", "power_supply", "multimeter", "electronic_load"]
FaultKind = Literal["no_reply", "late_reply", "garbage", "error", "disconnect"]
Pair = Annotated[list[Value], Field(min_length=2, max_length=2)]


class Noise(Model):
    """A random error added to a number in a reply."""

    sigma: Value
    """Standard deviation."""


class DeviceCommand(Model):
    """What one command does."""

    set: dict[Identifier, Value] = {}
    """New values of the state: expressions over the state and the command's parameters."""
    range: Pair | dict[Identifier, Pair] | None = None
    """What the parameter, or each one by name, may be."""
    error: Annotated[list[int | str], Field(min_length=2, max_length=2)] | None = None
    """Number and text queued when a parameter is out of range; -222 unless given."""
    reply: Value | None = None
    """The reply: text with `{{ }}` expressions over the state and the parameters."""
    format: Annotated[str, Field(pattern=r"^%[-+ 0#]*\d{0,3}(\.\d{1,3})?[eEfFgGd]$")] | None = None
    """How numbers in the reply are written, such as `%.4f`."""
    noise: Noise | None = None
    """Added to every number in the reply."""
    latency: PlainDuration = 0.0
    """Simulated time the command takes."""
    binary: str | None = None
    """A file beside this one whose bytes are the reply."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.reply is not None and self.binary is not None:
            raise PydanticCustomError("device", "a command has one reply: give `reply` or `binary`, not both")
        if self.reply is None and (self.format is not None or self.noise is not None):
            raise PydanticCustomError("device", "`format` and `noise` need a `reply`")
        if self.error is not None and not (isinstance(self.error[0], int) and isinstance(self.error[1], str)):
            raise PydanticCustomError(
                "device", "an error is a number and a text", {"help": 'such as [-222, "Data out of range"]'}
            )
        return self


class Fault(Model):
    """Something that goes wrong on purpose: from then on, until it has happened `times` times."""

    on: str = "*"
    """The command it befalls, in any spelling; `*` for all."""
    kind: FaultKind
    """What happens."""
    after: Annotated[int, Field(ge=0)] = 0
    """So many of these commands go well first."""
    at: PlainDuration | None = None
    """Not before this simulated time."""
    probability: Annotated[float, Field(gt=0, le=1)] | None = None
    """How likely it is each time; always unless given."""
    times: Annotated[int, Field(ge=1)] | None = None
    """How often it happens at most; for good unless given."""
    delay: PlainDuration | None = None
    """How late a late reply is; twice the timeout unless given."""
    error: Annotated[list[int | str], Field(min_length=2, max_length=2)] | None = None
    """Number and text an `error` queues."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.error is not None and self.kind != "error":
            raise PydanticCustomError("fault", "`error` belongs to `kind: error`")
        if self.delay is not None and self.kind != "late_reply":
            raise PydanticCustomError("fault", "`delay` belongs to `kind: late_reply`")
        if self.error is not None and not (isinstance(self.error[0], int) and isinstance(self.error[1], str)):
            raise PydanticCustomError("fault", "an error is a number and a text", {"help": 'such as [-240, "Hot"]'})
        return self


class Device(Model):
    """A simulated instrument."""

    device: FileId
    """The id drivers and stations refer to it by."""
    title: str | None = None
    """What people read."""
    doc: str | None = None
    """What to know about it."""
    identity: str = "Benchwright,{{ device }},{{ serial }},1.0"
    """The reply to `*IDN?`; `{{ serial }}` and `{{ device }}` are filled in."""
    model: BuiltIn | None = None
    """A built-in instrument wired to the simulated world; else `commands` say all it does."""
    parameters: dict[Identifier, Any] = {}
    """Parameters of the model; a station's `simulate` overrides them."""
    channels: Annotated[int, Field(ge=1, le=1000)] = 1
    """Largest numeric suffix of a command."""
    state: dict[Identifier, Value | list[Value]] = {}
    """What it remembers, and what `*RST` returns to; a list holds one value for each channel."""
    commands: dict[str, DeviceCommand] = {}
    """By SCPI pattern: `VOLTage[:LEVel] <x:float>`, `OUTPut<n>?`."""
    latency: PlainDuration = 0.0
    """Simulated time of every command that says none itself."""
    faults: list[Fault] = []
    """What goes wrong on purpose."""

    @model_validator(mode="after")
    def _has_a_behaviour(self) -> Self:
        if self.model is not None and self.state:
            raise PydanticCustomError("device", "a built-in model keeps its own state", {"key": "state"})
        if self.model is None and self.parameters:
            raise PydanticCustomError(
                "device", "`parameters` belong to a built-in `model`", {"help": "keep values in `state`"}
            )
        if self.model is None and not self.commands:
            raise PydanticCustomError("device", "a device needs a `model` or `commands`")
        return self
