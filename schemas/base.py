"""What every model of a user's file is made of: the strict frozen base, names, scalars, durations.

Fields whose unit is only known once a driver is bound keep the scalar as written; the compiler converts it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.expression import Expression, is_braced
from schemas.quantity import QuantityError, parse_quantity, parse_unit


class Model(BaseModel):
    """Strict, frozen, closed: an unknown key is an error, a value is never coerced."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        loc_by_alias=True,
        validate_by_alias=True,
        validate_by_name=False,
        protected_namespaces=(),
        arbitrary_types_allowed=True,
        defer_build=True,  # one validator for each kind of file that is read, none for each model at import
    )


Scalar = float | int | str | bool
"""What a single YAML value can be."""

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*\Z")
_FILE_ID = re.compile(r"[a-z][a-z0-9_-]*\Z")
_DOTTED = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\Z")
_NET = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*\Z")


def _named(pattern: re.Pattern[str], what: str, form: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.match(value) or len(value) > 100:
            raise PydanticCustomError(
                "name", "`{value}` is not {what}", {"value": value[:60], "what": what, "help": form}
            )
        return value

    return check


Identifier = Annotated[
    str,
    AfterValidator(_named(_IDENTIFIER, "a name", "use small letters, digits and `_`, beginning with a letter")),
    WithJsonSchema({"type": "string", "pattern": r"^[a-z][a-z0-9_]*$"}),
]
FileId = Annotated[
    str,
    AfterValidator(_named(_FILE_ID, "a file id", "use small letters, digits, `_` and `-`, beginning with a letter")),
    WithJsonSchema({"type": "string", "pattern": r"^[a-z][a-z0-9_-]*$"}),
]
PropertyName = Annotated[
    str,
    AfterValidator(_named(_DOTTED, "a property", "write it as `role.property`, such as `psu.voltage`")),
    WithJsonSchema({"type": "string", "pattern": r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"}),
]
NetName = Annotated[
    str,
    AfterValidator(_named(_NET, "the name of a net", "use letters, digits, `_`, `+` and `-`")),
    WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9_+-]*$"}),
]

_SCALAR_SCHEMA: dict[str, Any] = {"type": ["number", "string", "boolean"]}


def _scalar(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    found = "nothing" if value is None else "a list" if isinstance(value, list) else "a mapping"
    raise PydanticCustomError(
        "scalar",
        "expected a single value, found {found}",
        {"found": found, "help": "such as `3.3 V`, `on`, `5` or an expression in quotes"},
    )


Value = Annotated[Any, PlainValidator(_scalar), WithJsonSchema(_SCALAR_SCHEMA)]
"""A value as written: a number, a quantity, a word or a ``{{ }}`` expression; its unit is its place's."""

_SECOND = parse_unit("s")


def _seconds(value: Any) -> float | Expression:
    if isinstance(value, str) and is_braced(value):
        return Expression(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError("duration", "expected a duration such as `30 s` or `1 h 30 min`")
    try:
        seconds = parse_quantity(value, _SECOND).value
    except QuantityError as error:
        raise quantity_problem(error) from None
    if not 0 <= seconds < 1e12:
        raise PydanticCustomError("duration", "a duration must lie between 0 s and 31,000 years")
    return seconds


def _plain_seconds(value: Any) -> float:
    seconds = _seconds(value)
    if isinstance(seconds, Expression):
        raise PydanticCustomError("duration", "an expression cannot stand here; write a duration")
    return seconds


def quantity_problem(error: QuantityError) -> PydanticCustomError:
    """The same problem in pydantic's words, with its help and the characters it is about."""
    context: dict[str, Any] = {"message": error.message, "help": error.help or "", "code": error.code}
    if error.span is not None:
        context["start"], context["end"] = error.span
    return PydanticCustomError("quantity", "{message}", context)


_DURATION_SCHEMA: dict[str, Any] = {
    "type": ["number", "string"],
    "description": "a duration: seconds, or a quantity such as `30 s`, `5 min`, `1 h 30 min`",
    "minimum": 0,
}
Duration = Annotated[float | Expression, PlainValidator(_seconds), WithJsonSchema(_DURATION_SCHEMA)]
"""Seconds, or an expression that gives a time."""
PlainDuration = Annotated[float, PlainValidator(_plain_seconds), WithJsonSchema(_DURATION_SCHEMA)]
"""Seconds; known when the file is loaded."""


def _unit(value: Any) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("unit", "expected a unit such as `V` or `ppm/degC`")
    try:
        parse_unit(value)
    except QuantityError as error:
        raise quantity_problem(error) from None
    return value


UnitText = Annotated[
    str, PlainValidator(_unit), WithJsonSchema({"type": "string", "description": "a unit such as `mV`"})
]
"""A unit as written; known to the table of units."""


__all__ = [
    "Duration",
    "FileId",
    "Identifier",
    "Model",
    "NetName",
    "PlainDuration",
    "PropertyName",
    "Scalar",
    "UnitText",
    "Value",
    "quantity_problem",
]
