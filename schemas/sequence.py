"""A test procedure, as a user writes it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import FileId, Identifier, Model, UnitText, Value
from schemas.limits import LimitOrCases, Regex
from schemas.steps import Defaults, Monitor, Step


class Parameter(Model):
    """A value that a run may be given."""

    default: Value | None = None
    """Used where none is given; also says its type and unit. Without one it must be given."""
    unit: UnitText | None = None
    """Unit of bare numbers."""
    min: Value | None = None
    """Smallest value allowed."""
    max: Value | None = None
    """Largest value allowed."""
    choices: Annotated[list[Value], Field(min_length=1)] | None = None
    """The values allowed."""
    type: Literal["number", "text", "on_off"] | None = None
    """Needed only where there is no default."""
    title: str | None = None
    """What people read."""
    doc: str | None = None
    """What it means."""
    secret: bool = False
    """Never written to journal, recording or report."""


class Identity(Model):
    """What a field that identifies a unit must look like."""

    matches: Regex | None = None
    """A regular expression that the whole text must match."""
    title: str | None = None
    """What people are asked for."""
    required: bool = True
    """Whether a run may start without it."""


class Sequence(Model):
    """A test procedure: parameters, limits, steps."""

    sequence: FileId
    """The id other files and commands refer to it by."""
    title: str | None = None
    """What people read."""
    version: Annotated[str, Field(max_length=100)] | None = None
    """The procedure's own version, for results."""
    doc: str | None = None
    """What it is for."""
    tags: list[str] = []
    """Words to find it by."""
    needs: dict[Identifier, str] = {}
    """Roles, and the capability each must have."""
    parameters: dict[Identifier, Parameter] = {}
    """Values that a run may be given."""
    dut: dict[Identifier, Identity] = {}
    """What identifies a unit under test."""
    limits: dict[Identifier, LimitOrCases] = {}
    """What values are judged by, by their name."""
    limit_sets: dict[Identifier, dict[Identifier, LimitOrCases]] = {}
    """Other limits by name, chosen for a run with `--limits`."""
    defaults: Defaults | None = None
    """Common keys for all steps."""
    monitors: dict[Identifier, Monitor] = {}
    """Values watched beside the steps."""
    setup: list[Step] = []
    """Once it has begun, the cleanup runs whatever happens."""
    steps: Annotated[list[Step], Field(min_length=1)]
    """The procedure."""
    cleanup: list[Step] = []
    """Runs on every way out."""
