"""Comparison, membership, choice and lists on terms."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engine.expr.scan import MOST_ITEMS
from engine.expr.terms import Term, call, condition, constant, is_series, located, numeric, unify
from engine.expr.types import ExpressionError, Kind

_SIGNS: Final[dict[type[ast.cmpop], str]] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_NUMBERS: Final = frozenset({Kind.NUMBER, Kind.SERIES})
_TEXTS: Final = frozenset({Kind.TEXT, Kind.TEXT_SERIES})


def _error(message: str, help: str, start: int, end: int) -> ExpressionError:
    return ExpressionError("X005", message, help, start, end)


def _same_sort(terms: Sequence[Term], start: int, end: int) -> list[Term]:
    """The terms as what the known ones among them are: numbers, texts or conditions; all unknown ones stay so."""
    known = [term for term in terms if term.kind is not Kind.ANY]
    if not known:
        return list(terms)
    lead = known[0]
    for term in known[1:]:
        alike = any({lead.kind, term.kind} <= sort for sort in (_NUMBERS, _TEXTS, {Kind.BOOL}))
        if not alike:
            help = "put the number in plain digits, or the text in quotes"
            if Kind.BOOL in (lead.kind, term.kind):
                help = "a condition needs no comparison; write it alone or with `not`"
            raise _error(f"cannot compare {lead.kind} with {term.kind}", help, start, end)
    if lead.kind in _NUMBERS:
        return [numeric(term, "a comparison") for term in terms] if is_series(*terms) else list(map(_single, terms))
    if lead.kind in _TEXTS:
        return [_as_text(term) for term in terms]
    return [condition(term) for term in terms]


def _single(term: Term) -> Term:
    """The term as one number, which a value of unknown kind may turn out not to be."""
    if term.kind is Kind.ANY:
        return replace(term, kind=Kind.NUMBER, code=call("single", [term.code], term.start, term.end))
    return numeric(term, "a comparison")


def _as_text(term: Term) -> Term:
    if term.kind is Kind.ANY:
        return replace(term, kind=Kind.TEXT, code=call("text", [term.code], term.start, term.end))
    return term


def chained(terms: Sequence[Term], operators: Sequence[ast.cmpop], start: int, end: int) -> Term:
    """`a < b <= c`: all operands in one unit; NaN makes every comparison false, `!=` too."""
    signs = [_SIGNS[type(operator)] for operator in operators]
    if "!=" in signs and len(signs) > 1:
        raise _error("`!=` cannot stand in a chain of comparisons", "join them with `and`", start, end)
    terms = _same_sort(terms, start, end)
    kinds = {term.kind for term in terms}
    if not kinds & _NUMBERS and not set(signs) <= {"==", "!="}:
        if kinds == {Kind.ANY}:
            terms = list(map(_single, terms))
        else:
            raise _error(f"`{signs[0]}` needs numbers, this is {terms[0].kind}", "", start, end)
    if kinds & _NUMBERS:
        terms, _, _ = unify(terms, "compare {} with {}")
    codes = [term.code for term in terms]
    if is_series(*terms):
        return _of_series(kinds, codes, signs, operators, start, end)
    if kinds == {Kind.ANY} and set(signs) <= {"==", "!="}:
        if len(signs) > 1:
            raise _error("values of unknown kind cannot be compared in a chain", "join them with `and`", start, end)
        code: ast.expr = call("same" if signs == ["=="] else "different", codes, start, end)
    elif signs == ["!="] and kinds & _NUMBERS:
        code = call("ne", codes, start, end)
    else:
        code = located(ast.Compare(codes[0], [type(op)() for op in operators], codes[1:]), start, end)
    return Term(Kind.BOOL, None, code, start, end)


def _of_series(
    kinds: set[Kind], codes: list[ast.expr], signs: list[str], operators: Sequence[ast.cmpop], start: int, end: int
) -> Term:
    code: ast.expr
    if kinds & _TEXTS:
        if len(signs) > 1:
            raise _error("texts cannot be compared in a chain", "join them with `and`", start, end)
        code = call("s_text_eq" if signs == ["=="] else "s_text_ne", codes, start, end)
    elif len(signs) > 1:
        operands = [codes[0]]
        for sign, operand in zip(signs, codes[1:], strict=True):
            operands += [constant(sign, start, end), operand]
        code = call("s_chain", operands, start, end)
    elif signs == ["!="]:
        code = call("s_ne", codes, start, end)
    else:
        code = located(ast.Compare(codes[0], [type(op)() for op in operators], codes[1:]), start, end)
    return Term(Kind.CONDITIONS, None, code, start, end)


def contained(value: Term, among: Term, negated: bool, start: int, end: int) -> Term:
    """`x in series`, `"ERR" in reply`."""
    _refuse_series(value)
    code: ast.expr
    if among.kind in (Kind.SERIES, Kind.TEXT_SERIES):
        alike = value.kind is Kind.ANY or (value.kind is Kind.NUMBER) == (among.kind is Kind.SERIES)
        if value.kind is Kind.BOOL or not alike:
            raise _error(f"cannot look for {value.kind} in {among.kind}", "", start, end)
        if among.kind is Kind.SERIES:
            (value, among), _, _ = unify([_single(value), among], "look for {} in {}")
        code = call("s_lacks" if negated else "s_contains", [among.code, value.code], start, end)
        return Term(Kind.BOOL, None, code, start, end)
    if {value.kind, among.kind} <= {Kind.TEXT, Kind.ANY}:
        operator = ast.NotIn() if negated else ast.In()
        code = located(ast.Compare(_as_text(value).code, [operator], [_as_text(among).code]), start, end)
        return Term(Kind.BOOL, None, code, start, end)
    message = f"`in` needs a list or a series, this is {among.kind}"
    raise _error(message, "for example `x in [1, 2]`", among.start, among.end)


def _refuse_series(value: Term) -> None:
    if is_series(value):
        help = "write `any(…)` with a comparison"
        raise _error("`in` looks for one value, this is a series", help, value.start, value.end)


def in_list(value: Term, items: Sequence[Term], negated: bool, start: int, end: int) -> Term:
    """`x in [a, b]`; false for NaN, as `not in` is."""
    _refuse_series(value)
    _bound_list(items, start, end)
    value, *items = _same_sort([value, *items], start, end)
    numbers = any(term.kind is Kind.NUMBER for term in (value, *items))
    if numbers:
        (value, *items), _, _ = unify([value, *items], "look for {} among {}")
    elements = located(ast.Tuple([item.code for item in items], ast.Load()), start, end)
    if numbers and (negated or not all(item.is_constant for item in items)):
        code: ast.expr = call("not_in" if negated else "is_in", [value.code, elements], start, end)
    else:
        operator = ast.NotIn() if negated else ast.In()
        code = located(ast.Compare(value.code, [operator], [elements]), start, end)
    return Term(Kind.BOOL, None, code, start, end)


def _bound_list(items: Sequence[Term], start: int, end: int) -> None:
    if not items:
        raise _error("the list is empty", "", start, end)
    if len(items) > MOST_ITEMS:
        message = f"a list of {len(items)} items, {MOST_ITEMS} is the limit"
        raise ExpressionError("X003", message, "", start, end)
    for item in items:
        if is_series(item):
            raise _error("a list holds single values, this is a series", "", item.start, item.end)


def listed(items: Sequence[Term], start: int, end: int) -> Term:
    """A list written out: a series of numbers in one unit, or of texts."""
    _bound_list(items, start, end)
    kinds = {item.kind for item in items}
    if kinds == {Kind.TEXT}:
        return Term(Kind.TEXT_SERIES, None, call("s_texts", [i.code for i in items], start, end), start, end)
    if not kinds <= {Kind.NUMBER, Kind.ANY}:
        raise _error("a list holds numbers, or texts, not both and no conditions", "", start, end)
    terms, unit, derived = unify([numeric(item, "a list") for item in items], "put {} and {} in one list")
    code = call("s_array", [term.code for term in terms], start, end)
    return Term(Kind.SERIES, unit, code, start, end, derived=derived)


def choice(test: Term, yes: Term, no: Term, start: int, end: int) -> Term:
    """`yes if test else no`: both of one kind, in one unit."""
    kinds = {yes.kind, no.kind}
    if len(kinds) > 1 and Kind.ANY not in kinds:
        message = f"both sides of `else` must be of one kind, these are {yes.kind} and {no.kind}"
        raise _error(message, "", start, end)
    unit, derived, other = None, False, None
    if kinds & _NUMBERS:
        yes, no = numeric(yes, "`else`"), numeric(no, "`else`")
        if yes.unit == no.unit and yes.other == no.other:
            other = yes.other
            unit, derived = yes.unit, yes.derived or no.derived
        else:
            (yes, no), unit, derived = unify([yes, no], "choose between {} and {}")
    code = located(ast.IfExp(test.code, yes.code, no.code), start, end)
    kind = Kind.ANY if Kind.ANY in kinds else yes.kind
    return Term(kind, unit, code, start, end, other=other, derived=derived)
