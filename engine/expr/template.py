"""Text with `{{ }}` inside: `gain is {{ gain:.3f }} dB` → a function of the environment that gives the text.

Owns how values are printed into text. A format must match a pattern of ours before Python sees it: a format string of
Python's own can reach attributes and can ask for a gigabyte of padding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.core.errors import EvaluationFailed
from engine.expr.braces import closing
from engine.expr.compile import compile_expression, evaluate
from engine.expr.types import Compiled, ExpressionError, Kind, Scope


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template ready to be filled: ``fn(environment)`` gives the text. Raises EvaluationFailed."""

    text: str
    expressions: tuple[Compiled, ...]
    names: frozenset[str]
    live: tuple[tuple[str, str, str], ...]
    fn: Callable[[Mapping[str, Any]], str] = field(repr=False, compare=False)
    constant: str | None = None
    """The text when it depends on nothing, else None."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of plain text, or one expression with its format."""

    plain: str
    expression: str
    format: str
    start: int
    """Offset of the expression in the template."""
    format_start: int


_FORMAT = re.compile(
    r"(?P<flags>[-+ ]?)(?P<zero>0?)(?P<width>[1-9]?[0-9]?)(?:\.(?P<digits>[0-9]{1,2}))?(?P<kind>[eEfFgGd%s]?)"
)


def pieces(text: str) -> list[Piece]:
    """The parts of a template in order. Raises ExpressionError for an expression that does not end."""
    found: list[Piece] = []
    position = 0
    while True:
        start = text.find("{{", position)
        if start < 0:
            if text[position:]:
                found.append(Piece(text[position:], "", "", position, position))
            return found
        if start > position:
            found.append(Piece(text[position:start], "", "", position, position))
        end = closing(text, start + 2)
        if end < 0:
            raise ExpressionError("X011", "`{{` is not closed", "write `}}` after the expression", start, start + 2)
        inner = text[start + 2 : end]
        cut = _format_at(inner)
        expression, form = (inner, "") if cut < 0 else (inner[:cut], inner[cut + 1 :])
        if not expression.strip():
            raise ExpressionError("X011", "the expression is empty", "", start, end + 2)
        found.append(Piece("", expression, form, start + 2, start + 2 + cut + 1))
        position = end + 2


def _format_at(inner: str) -> int:
    """Offset of the colon that begins the format, outside quotes and brackets; -1 without one."""
    depth, quote = 0, ""
    i = 0
    while i < len(inner):
        char = inner[i]
        if quote:
            i += char == "\\"
            if char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == ":" and depth <= 0 and not inner.startswith(":=", i):
            return i
        i += 1
    return -1


def compile_template(text: str, scope: Scope) -> CompiledTemplate:
    """Compile text with `{{ expression:.3f }}` inside. Raises ExpressionError with offsets in `text`."""
    parts: list[str | tuple[Compiled, str]] = []
    compiled: list[Compiled] = []
    for piece in pieces(text):
        if piece.plain:
            parts.append(piece.plain)
            continue
        try:
            expression = compile_expression(piece.expression, scope, difference=None)
        except ExpressionError as error:
            start, end = error.start + piece.start, error.end + piece.start
            raise ExpressionError(error.code, error.message, error.help, start, end) from None
        parts.append((expression, _checked_format(piece, expression)))
        compiled.append(expression)
    live = dict.fromkeys(reading for expression in compiled for reading in expression.live)
    names: frozenset[str] = frozenset().union(*(expression.names for expression in compiled))

    def fill(environment: Mapping[str, Any]) -> str:
        return "".join(
            part if isinstance(part, str) else shown(evaluate(part[0], environment), part[1]) for part in parts
        )

    constant = None if names or any(e.constant is None for e in compiled) else fill({})
    return CompiledTemplate(text, tuple(compiled), names, tuple(live), fill, constant)


def _checked_format(piece: Piece, compiled: Compiled) -> str:
    form = piece.format.strip()
    found = _FORMAT.fullmatch(form)
    end = max(piece.format_start + len(piece.format), piece.format_start + 1)
    if found is None:
        help = "formats are written like `.3f`, `.6e`, `.4g`, `d` or `8.2f`"
        raise ExpressionError("X011", f"`{form}` is not a format", help, piece.format_start, end)
    textual = compiled.type.kind in (Kind.TEXT, Kind.BOOL, Kind.TEXT_SERIES, Kind.CONDITIONS)
    if textual and (found["digits"] or found["kind"] not in ("", "s") or found["zero"] or found["flags"] in ("+", " ")):
        message = f"the format `{form}` is for numbers, this is {compiled.type.kind}"
        raise ExpressionError("X011", message, "", piece.format_start, end)
    return form


def shown(value: Any, form: str = "") -> str:
    """A value as text: 5.0 as `5`, true as `true`, a series as its elements with commas between."""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return format("true" if value else "false", _width(form))
    if isinstance(value, str):
        return format(value, _width(form))
    if isinstance(value, int | float):
        return _number(float(value), form)
    if value is None:
        raise EvaluationFailed("a value in the text is missing")
    try:
        elements = value.tolist() if hasattr(value, "tolist") else list(value)
        return ", ".join(shown(element, form) for element in elements)
    except TypeError:
        raise EvaluationFailed(f"a {type(value).__name__} cannot be written into text") from None


def _width(form: str) -> str:
    found = _FORMAT.fullmatch(form)
    return found["width"] if found else ""


def _number(value: float, form: str) -> str:
    if form.endswith("s"):
        form = form[:-1]
    if form.endswith("d"):
        whole = round(value) if value - value == 0 else value
        return format(whole, form if isinstance(whole, int) else form[:-1])
    if form:
        return format(value, form)
    if value == int(value) if value - value == 0 and abs(value) < 1e15 else False:
        return str(int(value))
    return repr(value)
