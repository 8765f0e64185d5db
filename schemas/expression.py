"""The text of an expression or template as it stands in a file; what it means is engine.expr's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that is evaluated while the run is under way."""

    text: str
    """As written, with its ``{{ }}`` where it has them."""


def is_braced(text: str) -> bool:
    """True for text that is wholly one ``{{ ... }}``: an expression that keeps its type."""
    stripped = text.strip()
    return stripped.startswith("{{") and stripped.endswith("}}") and stripped.find("}}") == len(stripped) - 2


def _bare(value: Any) -> Expression:
    if isinstance(value, bool):
        return Expression("true" if value else "false")
    if isinstance(value, int | float):
        return Expression(repr(value))
    if isinstance(value, str) and value.strip():
        return Expression(value)
    if isinstance(value, Expression):
        return value
    raise PydanticCustomError("expression", "expected an expression such as `vout > 3.2 V`")


BareExpression = Annotated[
    Expression,
    PlainValidator(_bare),
    WithJsonSchema({"type": ["string", "number", "boolean"], "description": "an expression"}),
]
"""A field that is always an expression; its braces may be left out."""
