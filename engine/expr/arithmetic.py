"""`- x`, `+ - * / // % **` on terms: which code is generated, and which unit the result has."""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from typing import Any, Final

from engine.expr.offsets import additive
from engine.expr.terms import (
    Term,
    call,
    constant,
    difference_of,
    factor,
    joint_kind,
    located,
    numeric,
    scaled_unit,
    settled,
    unify,
)
from engine.expr.types import ExpressionError, Kind
from schemas import unit_algebra, units
from schemas.quantity import Unit
from schemas.units import DIMENSIONLESS

_SIGNS: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_HELPERS: Final = {"/": "div", "//": "floordiv", "%": "mod", "**": "pow"}


def negated(term: Term, start: int, end: int) -> Term:
    """`-x`; a temperature on a scale has no opposite unless it is a literal such as `-40 degC`."""
    term = numeric(term, "a sign")
    if term.other is None:
        term = difference_of(term, "the opposite")
    if term.is_constant:
        value = -term.constant
        return replace(term, code=constant(value, start, end), constant=value, start=start, end=end)
    return replace(term, code=located(ast.UnaryOp(ast.USub(), term.code), start, end), start=start, end=end)


def arithmetic(left: Term, right: Term, operator: ast.operator, start: int, end: int) -> Term:
    """The term of `left operator right`."""
    sign = _SIGNS.get(type(operator))
    if sign is None:
        raise ExpressionError("X004", "this operator is not supported", "", start, end)
    left, right = numeric(left, f"`{sign}`"), numeric(right, f"`{sign}`")
    match sign:
        case "+" | "-":
            return _finite(additive(left, right, operator.__class__(), start, end))
        case "*" | "/":
            return _finite(_product(left, right, sign, start, end))
        case "**":
            return _finite(_power(left, right, start, end))
        case _:
            return _finite(_remainder(left, right, sign, start, end))


def _finite(term: Term) -> Term:
    if term.is_constant and not math.isfinite(term.constant):
        raise ExpressionError("X010", "this is too large for a number", "", term.start, term.end)
    return term


def _binary(left: Term, right: Term, sign: str, unit: Unit | None, start: int, end: int) -> Term:
    """An operator for single values, a helper for series and values of unknown kind; folded when constant."""
    kind = joint_kind(left, right)
    if left.is_constant and right.is_constant:
        value = _folded(left.constant, right.constant, sign, start, end)
        return Term(Kind.NUMBER, unit, constant(value, start, end), start, end, value)
    code: ast.expr
    if sign == "*":
        code = located(ast.BinOp(left.code, ast.Mult(), right.code), start, end)
    elif kind is Kind.NUMBER and sign != "**":
        operators = {"/": ast.Div, "//": ast.FloorDiv, "%": ast.Mod}
        code = located(ast.BinOp(left.code, operators[sign](), right.code), start, end)
    else:
        prefix = {Kind.SERIES: "s_", Kind.ANY: "any_"}.get(kind, "")
        code = call(prefix + _HELPERS[sign], [left.code, right.code], start, end)
    return Term(kind, unit, code, start, end)


def _folded(a: float, b: float, sign: str, start: int, end: int) -> Any:
    try:
        match sign:
            case "*":
                return a * b
            case "/":
                return a / b
            case "//":
                return a // b
            case "%":
                return a % b
            case _:
                return math.pow(a, b)
    except ZeroDivisionError:
        raise ExpressionError("X010", "division by zero", "", start, end) from None
    except OverflowError:
        raise ExpressionError("X010", "this is too large for a number", "", start, end) from None
    except ValueError:
        raise ExpressionError("X010", "this power has no real value", "", start, end) from None


def _product(left: Term, right: Term, sign: str, start: int, end: int) -> Term:
    if left.unit is None and right.unit is None:
        return _binary(left, right, sign, None, start, end)
    what = "a multiple" if sign == "*" else "a quotient"
    left, right = factor(left, what), factor(right, what)
    assert left.unit is not None
    assert right.unit is not None
    unit, combined = scaled_unit(left.unit, right.unit, divide=sign == "/")
    derived = combined or left.derived or right.derived
    return settled(replace(_binary(left, right, sign, unit, start, end), derived=derived))


def _remainder(left: Term, right: Term, sign: str, start: int, end: int) -> Term:
    left, right = difference_of(left, f"`{sign}`"), difference_of(right, f"`{sign}`")
    (left, right), unit, derived = unify([left, right], "divide {} by {}")
    if sign == "//":
        return _binary(left, right, sign, unit and DIMENSIONLESS, start, end)
    return replace(_binary(left, right, sign, unit, start, end), derived=derived)


def _power(base: Term, exponent: Term, start: int, end: int) -> Term:
    if base.unit is None and exponent.unit is None:
        return _binary(base, exponent, "**", None, start, end)
    base, exponent = factor(base, "a power"), factor(exponent, "a power")
    if exponent.unit != DIMENSIONLESS:
        assert exponent.unit is not None
        help = f"divide by `1 {exponent.unit.symbol}` first"
        message = f"an exponent is a plain number, this is {units.describe(exponent.unit)}"
        raise ExpressionError("X006", message, help, exponent.start, exponent.end)
    assert base.unit is not None
    if base.unit == DIMENSIONLESS:
        return _binary(base, exponent, "**", DIMENSIONLESS, start, end)
    if not exponent.is_constant:
        help = f"the unit of the result depends on it; divide by `1 {base.unit.symbol}` first"
        message = f"the exponent of a value in {base.unit.symbol} must be a literal"
        raise ExpressionError("X006", message, help, exponent.start, exponent.end)
    if abs(exponent.constant) > 9:
        message = f"the exponent of a value in {base.unit.symbol} is too large"
        raise ExpressionError("X006", message, "", exponent.start, exponent.end)
    unit = unit_algebra.power(base.unit, exponent.constant)
    return settled(replace(_binary(base, exponent, "**", unit, start, end), derived=True))
