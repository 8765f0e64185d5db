"""From text to a function: scan, check, convert the result to the asked unit, generate code; locate failures.

Owns the last step of units (what a field in degC makes of a difference) and the run-time errors: generated code carries
the user's offsets as columns, so a failure's traceback says which sub-expression it was, at no cost until then.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import CodeType, TracebackType
from typing import Any, Final

from engine.core.errors import EvaluationFailed
from engine.expr.check import Checker, dotted
from engine.expr.runtime import HELPERS
from engine.expr.scan import Scanned, scan
from engine.expr.terms import Term, call, converted, fits, located, named, numeric
from engine.expr.types import Compiled, ExpressionError, Kind, Scope, Type
from schemas import unit_algebra, units
from schemas.quantity import Unit, UnitKind

Function = Callable[[Mapping[str, Any]], Any]
_CHECKS: Final = {
    Kind.NUMBER: "single",
    Kind.BOOL: "truth",
    Kind.TEXT: "text",
    Kind.SERIES: "s_numbers",
    Kind.CONDITIONS: "s_conditions",
    Kind.TEXT_SERIES: "s_text_series",
}
_FAILURES: Final = (EvaluationFailed, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, MemoryError)


def compile_expression(
    text: str,
    scope: Scope,
    *,
    unit: Unit | None = None,
    want: Kind | None = None,
    difference: bool | None = False,
) -> Compiled:
    """Compile an expression, with or without `{{ }}`; its value will be a number in `unit` where one is given.

    `difference`: True asks for a difference (a tolerance, a step); False for a value, so that a temperature difference
    in a degC field is an error; None takes what comes, and the result's type says which it is. Raises ExpressionError.
    """
    scanned = scan(text, lambda name: scope.lookup(name) is not None)
    checker = Checker(scanned, scope)
    term = _wanted(_finished(checker.check(scanned.tree), unit, difference), want)
    code = _lambda(term, scanned)
    numpy = _uses_series(code) or term.kind in (Kind.SERIES, Kind.CONDITIONS, Kind.TEXT_SERIES)
    function = _later(code) if numpy else _built(code, HELPERS)
    compiled = Compiled(
        text,
        Type(term.kind, term.unit),
        frozenset(checker.names),
        tuple(checker.live.values()),
        function,
        None,
        checker.needs,
        _inner(code),
    )
    if checker.names or numpy:
        return compiled
    return replace(compiled, constant=_constant(compiled, scanned))


def evaluate(
    compiled: Compiled, environment: Mapping[str, Any], why_unbound: Callable[[str], str] | None = None
) -> Any:
    """The value of an expression; `why_unbound` explains a slot without a value. Raises EvaluationFailed."""
    try:
        return compiled.fn(environment)
    except _FAILURES as error:
        raise failure(compiled, error, why_unbound) from None


def references(text: str) -> frozenset[str]:
    """The names, dotted ones whole, that an expression or template mentions; empty when it cannot be read."""
    from engine.expr.template import pieces

    found: set[str] = set()
    try:
        parts = [text] if "{{" not in text else [p.expression for p in pieces(text) if p.expression]
        for part in parts:
            found |= _mentioned(scan(part).tree)
    except ExpressionError:
        return frozenset()
    return frozenset(found)


def _mentioned(tree: ast.expr) -> set[str]:
    found: set[str] = set()
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name | ast.Attribute):
            name = dotted(node)
            if name is not None:
                found.add(name)
                continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            stack += node.args
            continue
        stack += ast.iter_child_nodes(node)
    return found - {"true", "false"}


# ---------------------------------------------------------------- the result's unit and kind


def _finished(term: Term, unit: Unit | None, difference: bool | None) -> Term:
    """The term in the asked unit; without one, a product in W rather than in V*mA."""
    if term.kind not in (Kind.NUMBER, Kind.SERIES, Kind.ANY):
        if unit is not None:
            message = f"{units.describe(unit)} is expected, this is {term.kind}"
            raise ExpressionError("X005", message, "", term.start, term.end)
        return term
    if unit is None:
        if difference is True and term.unit is not None and term.unit.is_point:
            term = _read_as_difference(term, term.unit.difference())
        if term.derived and term.unit is not None:
            return converted(term, unit_algebra.coherent(term.unit))
        return term
    term = numeric(term, "a value with a unit")
    if difference is True:
        unit = unit.difference()
    if term.unit is None:
        return converted(term, unit)
    if not unit.is_point and unit.kind is not UnitKind.DIFFERENCE and difference is not True:
        return _into(term, unit)
    if unit.is_point:
        return _into_point(term, unit, difference)
    return converted(_read_as_difference(term, unit), unit)


def _into(term: Term, unit: Unit) -> Term:
    reading = next((r for r in term.readings if r.dimension == unit.dimension), None)
    if reading is None:
        raise _expected(term, unit)
    return converted(term, unit, reading)


def _into_point(term: Term, unit: Unit, difference: bool | None) -> Term:
    reading = next((r for r in term.readings if fits(r, unit)), None)
    if reading is not None:
        return converted(term, unit, reading)
    span = unit.difference()
    assert term.unit is not None
    if fits(term.unit, span):
        if difference is None:
            return converted(term, span)
        help = "add it to a value, or give the result another unit" + (
            " such as K" if unit.kind is UnitKind.POINT else ""
        )
        message = f"{units.describe(unit)} is expected, this is a difference"
        raise ExpressionError("X006", message, help, term.start, term.end)
    raise _expected(term, unit)


def _read_as_difference(term: Term, span: Unit) -> Term:
    reading = next((r for r in term.readings if fits(r, span) and not r.is_point), None)
    if reading is not None:
        return replace(term, unit=reading, other=None)
    if term.unit is not None and term.unit.is_point and term.unit.difference().dimension == span.dimension:
        help = "write the difference of two values, or a literal"
        message = f"a difference is expected, this is {units.describe(term.unit)}"
        raise ExpressionError("X006", message, help, term.start, term.end)
    raise _expected(term, span)


def _expected(term: Term, unit: Unit) -> ExpressionError:
    assert term.unit is not None
    message = f"{units.describe(unit)} is expected, this is {units.describe(term.unit)}"
    shown = named(term.unit)
    help = f"the units of its parts give {shown}" if term.derived else f"its unit is {shown}"
    return ExpressionError("X006", message, help, term.start, term.end)


def _wanted(term: Term, want: Kind | None) -> Term:
    if want is None or term.kind is want or want is Kind.ANY:
        return term
    if term.kind is Kind.ANY:
        check = _CHECKS[want]
        return replace(term, kind=want, code=call(check, [term.code], term.start, term.end))
    help = ""
    if want is Kind.BOOL:
        help = "compare it, for example `x > 0`"
        if term.kind is Kind.CONDITIONS:
            help = "`all(…)` or `any(…)` makes one answer of a series"
    elif want is Kind.NUMBER and term.kind is Kind.SERIES:
        help = "take `mean(…)`, `last(…)` or one element of it"
    raise ExpressionError("X005", f"{want} is needed, this is {term.kind}", help, term.start, term.end)


# ---------------------------------------------------------------- code


def _lambda(term: Term, scanned: Scanned) -> CodeType:
    arguments = ast.arguments([], [ast.arg("e")], None, [], [], None, [])
    argument = arguments.args[0]
    argument.lineno = argument.end_lineno = 1
    argument.col_offset = argument.end_col_offset = 0
    function = located(ast.Lambda(arguments, term.code), term.start, term.end)
    try:
        return compile(ast.Expression(function), "<expression>", "eval", dont_inherit=True, optimize=1)
    except (RecursionError, MemoryError, ValueError, OverflowError):
        message = "the expression is nested too deeply"
        raise ExpressionError("X003", message, "", scanned.start, scanned.end) from None


def _inner(code: CodeType) -> CodeType:
    return next(part for part in code.co_consts if isinstance(part, CodeType))


def _uses_series(code: CodeType) -> bool:
    return any(name.startswith("s_") for name in _inner(code).co_names)


def _built(code: CodeType, helpers: dict[str, Any]) -> Function:
    function: Function = eval(code, helpers)
    return function


def _later(code: CodeType) -> Function:
    """A function over series that is built, and imports NumPy, when it is first called."""
    built: list[Function] = []

    def run(environment: Mapping[str, Any]) -> Any:
        if not built:
            from engine.expr.series import HELPERS as SERIES_HELPERS
            from engine.expr.series import quietly

            built.append(quietly(_built(code, SERIES_HELPERS)))
        return built[0](environment)

    return run


def _constant(compiled: Compiled, scanned: Scanned) -> Any:
    try:
        value = compiled.fn({})
    except _FAILURES as error:
        found = failure(compiled, error)
        start, end = _position(compiled, error) or (scanned.start, scanned.end)
        raise ExpressionError("X010", found.message, found.help, start, end) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError("X010", "this is too large for a number", "", scanned.start, scanned.end)
    return value


# ---------------------------------------------------------------- failures


def failure(
    compiled: Compiled, error: BaseException, why_unbound: Callable[[str], str] | None = None
) -> EvaluationFailed:
    """What a user is told when `fn` raised: what went wrong, in which part of the expression."""
    where = _position(compiled, error)
    part = compiled.text[slice(*where)] if where else compiled.text.strip()
    match error:
        case KeyError():
            slot = str(error.args[0]) if error.args else part
            reason = why_unbound(slot) if why_unbound else "the step that gives it was skipped or has not run"
            return EvaluationFailed(f"`{part}` has no value here: {reason}")
        case EvaluationFailed():
            return EvaluationFailed(f"{error.message} in `{part}`", error.help)
        case ZeroDivisionError():
            return EvaluationFailed(f"division by zero in `{part}`")
        case FloatingPointError() if "divide" in str(error):
            return EvaluationFailed(f"division by zero, or the logarithm of zero, at a point of `{part}`")
        case OverflowError():
            return EvaluationFailed(f"`{part}` is too large for a number")
        case FloatingPointError() if "overflow" in str(error):
            return EvaluationFailed(f"`{part}` is too large for a number at one of its points")
        case FloatingPointError() | ValueError() if _is_domain(error):
            return EvaluationFailed(
                f"`{part}` has no value: its argument lies outside what the function is defined for"
            )
        case ValueError() if "broadcast" in str(error) or "ambiguous" in str(error):
            return EvaluationFailed(f"the series in `{part}` differ in length, or stand where one value is needed")
        case _:
            return EvaluationFailed(f"`{part}` cannot be computed: a value in it is missing or of the wrong kind")


def _is_domain(error: BaseException) -> bool:
    return isinstance(error, FloatingPointError) or "domain" in str(error) or "positive" in str(error)


def _position(compiled: Compiled, error: BaseException) -> tuple[int, int] | None:
    """Offsets of the sub-expression whose instruction raised, from the columns of the generated code."""
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code is compiled.code:
            positions = list(compiled.code.co_positions())
            _, _, start, end = positions[frame.tb_lasti // 2]
            return (start, end) if start is not None and end is not None else None
        frame = frame.tb_next
    return None
