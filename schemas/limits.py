"""What a measured value is judged by, as a user writes it.

Bounds stay as written here: their unit is the unit of what they judge, which is known once a driver is bound.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Identifier, Model, Value
from schemas.expression import BareExpression
from schemas.patterns import LONGEST_PATTERN, PatternError, check


def _regex(value: str) -> str:
    if len(value) > LONGEST_PATTERN:
        raise PydanticCustomError("regex", "a pattern may have at most {most} characters", {"most": LONGEST_PATTERN})
    try:
        check(value)
    except PatternError as error:
        context: dict[str, Any] = {"why": error.message}
        if error.at is not None:
            context |= {"start": error.at, "end": error.at + 1}
        raise PydanticCustomError("regex", "this pattern cannot be read: {why}", context) from None
    return value


Regex = Annotated[str, AfterValidator(_regex)]
"""A regular expression in Python's dialect; a match may take a second."""

Point = Annotated[list[Value], Field(min_length=2, max_length=2)]


class Mask(Model):
    """Corridors that a whole series must stay inside; between its points a corridor is straight."""

    upper: Annotated[list[Point], Field(min_length=1)] | None = None
    """`[x, y]` points that the series must not exceed."""
    lower: Annotated[list[Point], Field(min_length=1)] | None = None
    """`[x, y]` points that the series must not fall below."""
    along: Identifier
    """The axis or series that gives the x of every value."""


FORMS = ("between", "min", "max", "equals", "nominal", "one_of", "matches", "mask")


class Limit(Model):
    """One criterion; exactly one form (`min` and `max` may stand together)."""

    when: BareExpression | None = None
    """In a list of limits: the first whose condition holds is used."""
    between: Annotated[list[Value], Field(min_length=2, max_length=2)] | None = None
    """Lower and upper bound, both included."""
    min: Value | None = None
    """Lower bound, included."""
    max: Value | None = None
    """Upper bound, included."""
    equals: Value | None = None
    """The value, text or state it must be."""
    nominal: Value | None = None
    """The middle of a band given by `tolerance`."""
    tolerance: Value | Annotated[list[Value], Field(min_length=2, max_length=2)] | None = None
    """Half the width of the band: `2 %` of the nominal, `20 mV`, or `[-2 %, 5 %]`."""
    one_of: Annotated[list[Value], Field(min_length=1)] | None = None
    """The values, texts or states it may be."""
    matches: Regex | None = None
    """A regular expression that the whole text must match."""
    mask: Mask | None = None
    """Corridors for a whole series."""
    exclusive: Literal["low", "high", "both"] | None = None
    """Bounds that are not themselves allowed."""
    marginal: Value | None = None
    """The outer share of the band at each end (`10 %` of its width), or a quantity."""
    guardband: Value | None = None
    """Tightens acceptance by this share of the band at each end (ILAC-G8)."""
    uncertainty: Value | None = None
    """Expanded uncertainty by which acceptance is tightened at each end (JCGM 106)."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = [form for form in FORMS if getattr(self, form) is not None]
        if not given:
            raise PydanticCustomError(
                "limit_form",
                "this limit judges nothing",
                {"help": "give between, min, max, equals, nominal with tolerance, one_of, matches or mask"},
            )
        if len(given) > 1 and set(given) != {"min", "max"}:
            raise PydanticCustomError(
                "limit_form",
                "a limit has one form, this has {given}",
                {"given": " and ".join(f"`{form}`" for form in given)},
            )
        if (self.nominal is None) != (self.tolerance is None):
            raise PydanticCustomError("limit_form", "`nominal` and `tolerance` go together")
        if given[0] in ("equals", "one_of", "matches", "mask"):
            for extra in ("exclusive", "marginal", "guardband", "uncertainty"):
                if getattr(self, extra) is not None:
                    raise PydanticCustomError(
                        "limit_form",
                        "`{extra}` needs a band; `{form}` has none",
                        {"extra": extra, "form": given[0], "key": extra},
                    )
        ends = {"low": self.max is not None and self.min is None, "high": self.min is not None and self.max is None}
        missing = [end for end, alone in ends.items() if alone and self.exclusive in (end, "both")]
        if missing:
            raise PydanticCustomError(
                "limit_form",
                "`exclusive: {exclusive}` is about a bound that this limit does not have",
                {"exclusive": self.exclusive or "", "key": "exclusive"},
            )
        if self.guardband is not None and self.uncertainty is not None:
            raise PydanticCustomError(
                "limit_form", "give `guardband` or `uncertainty`, not both", {"key": "uncertainty"}
            )
        return self


def _how_many(value: Any) -> str:
    return "cases" if isinstance(value, list | tuple) else "one"


def _is_limit(value: Any) -> Any:
    if isinstance(value, list | dict | Limit):
        return value
    raise PydanticCustomError(
        "limit_form",
        "a limit is a mapping, such as `{form}`",
        {"form": "{min: 3.2 V, max: 3.4 V}", "help": "a list of them is for limits with `when`"},
    )


def _is_limit_or_name(value: Any) -> Any:
    return value if isinstance(value, str) else _is_limit(value)


LimitOrCases = Annotated[
    Annotated[Limit, Tag("one")] | Annotated[list[Limit], Tag("cases"), Field(min_length=1)],
    Discriminator(_how_many),
    BeforeValidator(_is_limit),
]
"""A limit, or a list of which the first whose `when` holds is used."""


def _how_given(value: Any) -> str:
    return "name" if isinstance(value, str) else _how_many(value)


LimitReference = Annotated[
    Annotated[Identifier, Tag("name")]
    | Annotated[Limit, Tag("one")]
    | Annotated[list[Limit], Tag("cases"), Field(min_length=1)],
    Discriminator(_how_given),
    BeforeValidator(_is_limit_or_name),
]
"""The name of a limit, `none`, or a limit written in place."""
