"""Axes of a sweep, as a user writes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Identifier, Model, UnitText, Value
from schemas.expression import BareExpression

Values = Annotated[list[Value], Field(min_length=1)]


class ListAxis(Model):
    """Values one after the other."""

    values: Values
    """The points, in order."""
    unit: UnitText | None = None
    """Unit of bare numbers, and of the axis."""


class RangeAxis(Model):
    """Evenly spaced values, both ends included."""

    from_: Value = Field(alias="from")
    """First value."""
    to: Value
    """Last value; with `step`, the bound that is not passed."""
    points: Annotated[int, Field(ge=1, le=10_000_000)] | Annotated[str, Field(pattern=r"^\s*\{\{.*\}\}\s*$")] | None = (
        None
    )
    """How many values."""
    step: Value | None = None
    """Difference from one value to the next."""
    log: bool = False
    """Evenly spaced in ratio instead of difference."""
    unit: UnitText | None = None
    """Unit of bare numbers, and of the axis."""

    @model_validator(mode="after")
    def _points_or_step(self) -> Self:
        if self.points is None and self.step is None:
            raise PydanticCustomError(
                "axis",
                "an axis from … to … needs `points` or `step`",
                {"help": "such as `points: 11` or `step: 0.1 V`"},
            )
        if self.points is not None and self.step is not None:
            raise PydanticCustomError("axis", "an axis has `points` or `step`, not both", {"key": "step"})
        if self.log and self.step is not None:
            raise PydanticCustomError("axis", "a logarithmic axis takes `points`, not `step`", {"key": "step"})
        return self


class Find(Model):
    """Where to look for an edge, and how exactly."""

    from_: Value = Field(alias="from")
    """One end of the range searched."""
    to: Value
    """The other end."""
    within: Value
    """Stop when the edge is known this exactly."""
    where: BareExpression
    """A condition on what was measured; the edge is where it changes."""
    unit: UnitText | None = None
    """Unit of bare numbers, and of the axis."""


class SearchAxis(Model):
    """Finds, by bisection, the last value at which a condition still is what it was at `from`."""

    find: Find


_RANGE_KEYS = {"from", "to", "points", "step", "log"}


def _axis_kind(value: Any) -> str | None:
    if isinstance(value, list):
        return "list"
    if isinstance(value, dict):
        if "find" in value:
            return "search"
        if "values" in value:
            return "values"
        if value.keys() & _RANGE_KEYS or not all(isinstance(inner, list | dict) for inner in value.values()):
            return "range"
        return "zip"
    return "list"


PlainAxis = Annotated[
    Annotated[Values, Tag("list")] | Annotated[ListAxis, Tag("values")] | Annotated[RangeAxis, Tag("range")],
    Discriminator(_axis_kind),
]
"""A list, `{values:}` or `{from:, to:, points: | step:}`."""

Axis = Annotated[
    Annotated[Values, Tag("list")]
    | Annotated[ListAxis, Tag("values")]
    | Annotated[RangeAxis, Tag("range")]
    | Annotated[SearchAxis, Tag("search")]
    | Annotated[dict[Identifier, PlainAxis], Tag("zip"), Field(min_length=1)],
    Discriminator(_axis_kind),
]
"""An axis; under the reserved name `zip`, axes that advance together."""

Order = Literal["as_written", "snake", "random", "fastest"]
