"""`+` and `-`: which pairs of points, differences and plain values make sense, and what they give.

A point less a point is a difference; a point and a difference make a point; two points have no sum. Where the text leaves
open what a number is (`t + 5 degC`, `t - 5`), both readings are kept and the neighbour decides.
"""

from __future__ import annotations

import ast
from typing import Any

from engine.expr.terms import NOT_CONSTANT, Term, constant, converted, joint_kind, located, mismatch, unify
from engine.expr.types import Kind
from schemas.quantity import Unit, UnitKind


def additive(left: Term, right: Term, operator: ast.operator, start: int, end: int) -> Term:
    """`left + right` or `left - right` by the rules of points and differences."""
    minus = isinstance(operator, ast.Sub)
    what = "subtract {1} from {0}" if minus else "add {} and {}"
    left, right, unit, other, derived = _offsets(left, right, minus, what)
    code = located(ast.BinOp(left.code, operator, right.code), start, end)
    value: Any = NOT_CONSTANT
    if left.is_constant and right.is_constant:
        value = left.constant - right.constant if minus else left.constant + right.constant
        code_constant = constant(value, start, end)
        return Term(Kind.NUMBER, unit, code_constant, start, end, value, other, derived)
    return Term(joint_kind(left, right), unit, code, start, end, value, other, derived)


Offsets = tuple[Term, Term, Unit | None, Unit | None, bool]


def _offsets(left: Term, right: Term, minus: bool, what: str) -> Offsets:
    """Both operands in fitting units, the unit of the result, its other reading, and whether it is derived."""
    if _is_point(left):
        return _point_and(left, right, minus, what)
    if _is_point(right) and left.unit is not None and not minus:
        right, left, unit, other, derived = _point_and(right, left, minus, what)
        return left, right, unit, other, derived
    if _is_point(right):
        assert right.unit is not None
        point = _as_point(left, right.unit)
        if point is None or not minus:
            return _plus_point(left, right, what)
        return point, right, right.unit.difference(), None, False
    if left.other is not None:
        return _open_and(left, right, minus, what)
    if right.other is not None and not minus:
        right, left, unit, other, derived = _open_and(right, left, minus, what)
        return left, right, unit, other, derived
    (left, right), target, derived = unify([left, right], what)
    return left, right, target, None, derived


def _is_point(term: Term) -> bool:
    return term.unit is not None and term.unit.is_point and term.other is None


def _as_point(term: Term, point: Unit) -> Term | None:
    if term.unit is None:
        return converted(term, point)
    reading = next(
        (r for r in term.readings if r.dimension == point.dimension and r.kind is not UnitKind.DIFFERENCE), None
    )
    return None if reading is None else converted(term, point, reading)


def _as_difference(term: Term, point: Unit) -> Term | None:
    """The term as a difference to add to a point, or None."""
    span = point.difference()
    if term.unit is None:
        return converted(term, span)
    reading = next((r for r in term.readings if r.dimension == span.dimension and not r.is_point), None)
    return None if reading is None else converted(term, span, reading)


def _point_and(left: Term, right: Term, minus: bool, what: str) -> Offsets:
    """A point plus or minus something: minus a point is a difference, plus or minus a difference is a point."""
    point = left.unit
    assert point is not None
    span = point.difference()
    if minus and right.unit is not None and right.unit.is_point:
        if right.unit.dimension != point.dimension:
            raise mismatch(right, left, point, what)
        open_reading = point if right.other is not None and right.unit == point else None
        return left, converted(right, point, right.unit), span, open_reading, False
    if minus and right.unit is None:
        return left, converted(right, point), span, point, False
    change = _as_difference(right, point)
    if change is None:
        error = mismatch(right, left, point, what)
        if right.unit is not None and right.unit.is_point and right.unit.dimension == point.dimension:
            error.help = "the sum of two temperatures means nothing; add a difference, such as `5 degC` or `5 K`"
            if point.kind is UnitKind.LEVEL:
                error.help = "the sum of two levels means nothing; add a ratio in dB"
        raise error
    return left, change, point, None, False


def _plus_point(left: Term, right: Term, what: str) -> Offsets:
    """Something bare plus a point, or a difference minus a point, which means nothing."""
    assert right.unit is not None
    if left.unit is None:
        return converted(left, right.unit.difference()), right, right.unit, None, False
    raise mismatch(left, right, right.unit, what)


def _open_and(left: Term, right: Term, minus: bool, what: str) -> Offsets:
    """An operand that may be a point or a difference, with one that is no settled point."""
    assert left.unit is not None
    assert left.other is not None
    point = left.unit if left.unit.is_point else left.other
    if minus and right.other is not None and right.unit is not None and right.unit.is_point:
        if point.dimension != right.unit.dimension:
            raise mismatch(right, left, point, what)
        return left, converted(right, point, right.unit), point.difference(), point, False
    change = _as_difference(right, point)
    if change is None:
        raise mismatch(right, left, point, what)
    return left, change, left.unit, left.other, False
