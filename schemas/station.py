"""A bench, as a user writes it: instruments, sites, wiring, clock."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import FileId, Identifier, Model, NetName, PlainDuration, PropertyName, Value
from schemas.expression import BareExpression


def _date(value: str) -> str:
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError(
            "date", "`{value}` is not a date", {"value": value[:40], "help": "write it as 2027-03-01"}
        ) from None
    return value


Date = Annotated[str, AfterValidator(_date)]
SiteName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,20}$")] | int


class Bounds(Model):
    """What a station allows a property to be."""

    min: Value | None = None
    """Smallest value allowed."""
    max: Value | None = None
    """Largest value allowed."""


Guard = Bounds | Annotated[list[Value], Field(min_length=2, max_length=2)]


class SiteInstance(Model):
    """What differs for the instrument of one site."""

    address: str | None = None
    channel: Value | None = None
    channels: dict[Identifier, Value] | None = None


class Instrument(Model):
    """One instrument of the bench."""

    driver: FileId
    """How it is talked to."""
    title: str | None = None
    """What people read."""
    backend: str | None = None
    """What carries the conversation: `sim`, `visa`, `tcp`, …"""
    address: str | None = None
    """Where it is."""
    timeout: PlainDuration | None = None
    """How long a reply may take."""
    channel: Value | None = None
    """The channel used."""
    channels: dict[Identifier, Value] = {}
    """Roles that are channels of it."""
    shared: Identifier | None = None
    """The property that units agree on while they hold it together."""
    per_site: bool | dict[str, SiteInstance] = False
    """One of it at every site."""
    guard: dict[Identifier, Guard] = {}
    """What each property may be set to."""
    safe: dict[Identifier, Value] = {}
    """The state it is left in."""
    calibration_due: Date | None = None
    """The day its calibration ends."""
    device: FileId | None = None
    """The simulated device behind `backend: sim`; the driver's own unless given."""
    simulate: dict[Identifier, Any] = {}
    """Parameters of the simulated device."""


class World(Model):
    """What simulated instruments are wired to."""

    model: Identifier = "ldo"
    """The physics."""
    parameters: dict[Identifier, Value] = {}
    """Its constants, with their units."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Where randomness begins; `--seed` overrides it."""
    dynamics: Literal["exact", "settled"] = "exact"
    """`settled`: everything is in its steady state at once."""
    spread: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Scales the difference from unit to unit; 0: all are alike."""


class Resource(Model):
    """Something that steps need and that is no instrument."""

    capacity: Annotated[int, Field(ge=1, le=10_000)] = 1
    """How many may have it at once."""
    title: str | None = None


class Connection(Model):
    """A net: what a pin is wired to."""

    read: PropertyName
    """What reads it."""
    set: dict[PropertyName, Value | dict[str, Value]] = {}
    """What connects it; one value, or one for each site."""
    pin: str | None = None
    """The pin or test point."""
    scale: float = 1.0
    """A reading is multiplied by this (a divider's ratio)."""


class Interlock(Model):
    """A condition that must hold for properties to be set, and to stay so."""

    when: BareExpression
    protects: Annotated[list[PropertyName], Field(min_length=1)]
    every: PlainDuration = 0.05


class InstrumentDefaults(Model):
    """For instruments that do not say it themselves."""

    backend: str | None = None
    timeout: PlainDuration | None = None


class Station(Model):
    """A bench."""

    station: FileId
    """The id commands refer to it by."""
    title: str | None = None
    """What people read."""
    doc: str | None = None
    """What to know about it."""
    clock: Literal["virtual", "wall"] = "wall"
    """`virtual`: simulated time. `wall`: real time."""
    sites: Annotated[list[SiteName], Field(min_length=1)] = ["A"]
    """Places for one unit each."""
    world: World | None = None
    """What simulated instruments are wired to."""
    instruments: Annotated[dict[Identifier, Instrument], Field(min_length=1)]
    """By the name sequences know them: their role."""
    resources: dict[Identifier, Resource] = {}
    connections: dict[NetName, Connection] = {}
    interlocks: dict[Identifier, Interlock] = {}
    defaults: InstrumentDefaults | None = None

    @model_validator(mode="after")
    def _sites_differ(self) -> Self:
        if len({str(site) for site in self.sites}) != len(self.sites):
            raise PydanticCustomError("sites", "two sites have the same name", {"key": "sites"})
        return self
