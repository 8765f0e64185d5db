"""Typed terms: freshly generated code together with kind and unit, and the rules by which units follow.

Owns what `+ - * / **` and comparison mean for units. Nothing of the user's tree is ever compiled: every node in a
term's `code` was made here, its column being an offset in the text, so that a failure at run time can be located.

`other` is a second reading of the same number where the text leaves it open: in `t + 5 degC` the literal is a span
though written like a temperature; `t - 5` may mean a temperature or a difference. The neighbour decides.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from engine.expr.types import ExpressionError, Kind
from schemas import unit_algebra
from schemas.quantity import QuantityError, Unit, UnitKind, conversion, convert
from schemas.units import DIMENSIONLESS

NUMERIC: Final = frozenset({Kind.NUMBER, Kind.SERIES, Kind.ANY})
NOT_CONSTANT: Final = object()


@dataclass(frozen=True, slots=True)
class Term:
    """One checked sub-expression. A number whose `unit` is None is bare: it takes its neighbour's unit."""

    kind: Kind
    unit: Unit | None
    code: ast.expr
    start: int
    end: int
    constant: Any = NOT_CONSTANT
    other: Unit | None = None
    derived: bool = False
    """True where the unit came out of a product, so that no reader can see its scale in the text."""

    @property
    def is_constant(self) -> bool:
        return self.constant is not NOT_CONSTANT

    @property
    def readings(self) -> tuple[Unit, ...]:
        """The units its number may be in."""
        if self.unit is None:
            return ()
        return (self.unit,) if self.other is None else (self.unit, self.other)


# ---------------------------------------------------------------- code


Node = TypeVar("Node", bound=ast.expr)


def located(node: Node, start: int, end: int) -> Node:
    """The node with the user's offsets as its columns."""
    node.lineno = node.end_lineno = 1
    node.col_offset, node.end_col_offset = start, end
    return node


def load(name: str, start: int, end: int) -> ast.Name:
    """A helper of the run-time environment, by name."""
    return located(ast.Name(name, ast.Load()), start, end)


def call(helper: str, arguments: Sequence[ast.expr], start: int, end: int) -> ast.Call:
    """A call of a helper of the run-time environment."""
    return located(ast.Call(load(helper, start, end), list(arguments), []), start, end)


def constant(value: Any, start: int, end: int) -> ast.Constant:
    """A value known while compiling."""
    return located(ast.Constant(value), start, end)


def number(value: float, unit: Unit | None, start: int, end: int, other: Unit | None = None) -> Term:
    """A number known while compiling."""
    return Term(Kind.NUMBER, unit, constant(value, start, end), start, end, value, other)


def is_series(*terms: Term) -> bool:
    """True when one of the terms is a series of whatever kind."""
    return any(t.kind in (Kind.SERIES, Kind.CONDITIONS, Kind.TEXT_SERIES) for t in terms)


def joint_kind(*terms: Term) -> Kind:
    """The kind of an arithmetic result."""
    kinds = {t.kind for t in terms}
    return Kind.SERIES if Kind.SERIES in kinds else Kind.ANY if Kind.ANY in kinds else Kind.NUMBER


def numeric(term: Term, what: str) -> Term:
    """The term as a number or series; a value of unknown kind is checked when evaluated."""
    if term.kind is Kind.ANY:
        return replace(term, code=call("number", [term.code], term.start, term.end))
    if term.kind not in NUMERIC:
        help = "compare it, for example `x == true`" if term.kind is Kind.BOOL else ""
        raise ExpressionError("X005", f"{what} needs a number, this is {term.kind}", help, term.start, term.end)
    return term


def condition(term: Term, what: str = "a condition") -> Term:
    """The term as true or false; a value of unknown kind is checked when evaluated."""
    if term.kind is Kind.ANY:
        return replace(term, kind=Kind.BOOL, code=call("truth", [term.code], term.start, term.end))
    if term.kind is not Kind.BOOL:
        help = "compare it, for example `x > 0`"
        if term.kind is Kind.CONDITIONS:
            help = "`all(…)` or `any(…)` makes one answer of a series"
        message = f"{what} needs true or false, this is {term.kind}"
        raise ExpressionError("X005", message, help, term.start, term.end)
    return term


# ---------------------------------------------------------------- conversion


def converted(term: Term, to: Unit, reading: Unit | None = None) -> Term:
    """The same quantity as a number in another unit; a bare number simply is in it. Folded when constant."""
    source = reading or term.unit
    if source is None or source == to:
        return replace(term, unit=to, other=None)
    try:
        multiplier, divisor, added = conversion(source, to)
    except QuantityError as error:
        raise ExpressionError("X006", error.message, error.help, term.start, term.end) from None
    if term.is_constant:
        return replace(number(convert(term.constant, source, to), to, term.start, term.end), derived=term.derived)
    code = term.code
    for operator, operand, neutral in ((ast.Mult, multiplier, 1.0), (ast.Div, divisor, 1.0), (ast.Add, added, 0.0)):
        if operand != neutral:
            value = constant(operand, term.start, term.end)
            code = located(ast.BinOp(code, operator(), value), term.start, term.end)
    return replace(term, unit=to, other=None, code=code)


def fits(unit: Unit, target: Unit) -> bool:
    """Whether a value in `unit` may stand beside one in `target`: same dimension, no point beside a difference."""
    if unit.dimension != target.dimension:
        return False
    return {unit.kind, target.kind} != {UnitKind.POINT, UnitKind.DIFFERENCE}


def named(unit: Unit | None) -> str:
    """A unit as messages show it."""
    if unit is None or not unit.symbol:
        return "a plain number"
    match unit.kind:
        case UnitKind.POINT:
            return f"a temperature in {unit.symbol}"
        case UnitKind.DIFFERENCE:
            return f"a difference in {unit.symbol}"
        case _:
            return unit.symbol


def unify(terms: Sequence[Term], what: str) -> tuple[list[Term], Unit | None, bool]:
    """All terms in one unit, that unit (None: all bare), whether it is derived; `what` is like `compare {} with {}`.

    Constants follow variables, so that a literal is converted while compiling and costs nothing.
    """
    declared = [t for t in terms if t.unit is not None]
    if not declared:
        return list(terms), None, False
    lead = min(declared, key=lambda t: (t.other is not None, t.is_constant))
    target = lead.unit
    assert target is not None
    result = []
    for term in terms:
        if term.unit is None:
            _refuse_hidden_scale(term, lead)
            result.append(converted(term, target))
            continue
        reading = next((r for r in term.readings if fits(r, target)), None)
        if reading is None:
            raise mismatch(term, lead, target, what)
        result.append(converted(term, target, reading))
    return result, target, lead.derived


def _refuse_hidden_scale(term: Term, lead: Term) -> None:
    if not lead.derived or lead.unit is None or lead.unit.scale == 1.0 or term.kind is not Kind.NUMBER:
        return
    if lead.unit.kind is UnitKind.DIFFERENCE or (term.is_constant and term.constant == 0):
        return
    help = f"write the unit, such as `{unit_algebra.coherent(lead.unit).symbol}` or `{lead.unit.symbol}`"
    raise ExpressionError(
        "X009",
        f"the unit of this number is not clear beside a product in {lead.unit.symbol}",
        help,
        term.start,
        term.end,
    )


def mismatch(term: Term, lead: Term, target: Unit, what: str) -> ExpressionError:
    """The error for two terms whose units cannot stand side by side."""
    first, second = (term, lead) if term.start < lead.start else (lead, term)
    message = f"cannot {what.format(named(first.unit), named(second.unit))}"
    assert term.unit is not None
    help = ""
    if {term.unit.kind, target.kind} == {UnitKind.POINT, UnitKind.DIFFERENCE}:
        help = "one is a temperature, the other a difference of temperatures"
    elif term.unit.kind is UnitKind.LEVEL or target.kind is UnitKind.LEVEL:
        help = "a level such as dBm and a ratio in dB are different things"
    start, end = min(term.start, lead.start), max(term.end, lead.end)
    return ExpressionError("X006", message, help, start, end)


# ---------------------------------------------------------------- * / ** // %


def difference_of(term: Term, what: str) -> Term:
    """The term where a point has no meaning: a literal is read as a difference, a settled point is refused."""
    if term.unit is None or not term.unit.is_point:
        return replace(term, other=None)
    if term.other is not None and not term.other.is_point:
        return replace(term, unit=term.other, other=None)
    if term.unit.kind is UnitKind.LEVEL:
        help = "levels over a reference cannot be scaled; use a difference of two of them, which is in dB"
    else:
        help = "subtract another temperature first, or use a value in K"
    raise ExpressionError("X006", f"{what} of {named(term.unit)} means nothing", help, term.start, term.end)


def factor(term: Term, what: str) -> Term:
    """The term as a factor: a difference where it is one, % and ppm as the plain number they mean."""
    term = difference_of(numeric(term, what), what)
    if term.unit is None:
        return replace(term, unit=DIMENSIONLESS)
    return converted(term, DIMENSIONLESS) if term.unit.is_dimensionless else term


def scaled_unit(left: Unit, right: Unit, *, divide: bool) -> tuple[Unit, bool]:
    """The unit of a product or quotient of two factors, and whether it is derived."""
    if right == DIMENSIONLESS:
        return left, False
    if left == DIMENSIONLESS and not divide:
        return right, False
    return (unit_algebra.divide(left, right) if divide else unit_algebra.multiply(left, right)), True


def settled(term: Term) -> Term:
    """A product without dimension as the plain number it is: V/mV counts, and needs the factor of 1000."""
    if term.unit is not None and term.unit.is_dimensionless and term.unit != DIMENSIONLESS:
        return replace(converted(term, DIMENSIONLESS), derived=False)
    return term
