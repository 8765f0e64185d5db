"""How to talk to one instrument model, as data."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import FileId, Identifier, Model, PlainDuration, UnitText, Value
from schemas.limits import Regex

PropertyType = Literal["number", "text", "on_off", "choice", "array"]
Sharing = Literal["config", "drive", "mode"]


class ErrorQueue(Model):
    """How the instrument is asked for its errors."""

    query: str
    """The query, such as `SYST:ERR?`."""
    ok: Regex
    """Searched for in the reply: found means no error."""


class Property(Model):
    """One thing that can be read or set."""

    type: PropertyType = "number"
    """What kind of value it is."""
    unit: UnitText | None = None
    """The unit the instrument speaks."""
    get: str | None = None
    """The query that reads it."""
    set: str | None = None
    """The command that sets it; `{{ value }}` stands for the value."""
    range: Annotated[list[Value], Field(min_length=2, max_length=2)] | None = None
    """Smallest and largest value the instrument takes."""
    default: Value | None = None
    """What it is after a reset; what a unit that never set it gets."""
    choices: dict[str, str] | None = None
    """Words a user writes, and what the instrument is sent."""
    sharing: Sharing = "config"
    """What a unit that set it relies on: `config` is put back, `drive` is held, `mode` is agreed on."""
    resets: list[Identifier] = []
    """Properties that this command disturbs."""
    overrange: float | None = None
    """Readings at or beyond this size are no readings."""
    format: Literal["ieee488_block_f32", "ieee488_block_f64", "ieee488_block_i16", "csv"] | None = None
    """How an array is transferred."""
    poll: PlainDuration | None = None
    """How often a condition on it is looked at."""
    latency: PlainDuration | None = None
    """How long reading it takes, for planning."""
    doc: str | None = None
    """What it is."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.get is None and self.set is None:
            raise PydanticCustomError(
                "property", "this property can be neither read nor set", {"help": "give `get`, `set` or both"}
            )
        if (self.type == "choice") != (self.choices is not None):
            raise PydanticCustomError("property", "`type: choice` and `choices` go together")
        if self.type != "array" and self.format is not None:
            raise PydanticCustomError("property", "`format` needs `type: array`")
        if self.type in ("text", "on_off", "choice") and (self.unit or self.range or self.overrange):
            raise PydanticCustomError(
                "property", "a property of type {type} has no unit, range or overrange", {"type": self.type}
            )
        return self


class Driver(Model):
    """How to talk to one instrument model."""

    driver: FileId
    """The id stations refer to it by."""
    title: str | None = None
    """What people read."""
    capability: Identifier
    """What it can stand for: `power_supply`, `multimeter`, … or `generic`."""
    identify: Regex | None = None
    """Searched for in the reply to `*IDN?`."""
    errors: ErrorQueue | None = None
    """How errors are asked for after each step."""
    device: FileId | None = None
    """The simulated device that stands in for it; its own id unless given."""
    channels: Annotated[list[Value], Field(min_length=1)] | None = None
    """The channels it has; `{{ channel }}` in a command stands for one."""
    properties: Annotated[dict[Identifier, Property], Field(min_length=1)]
    """What can be read and set."""
    doc: str | None = None
    """What to know about it."""
