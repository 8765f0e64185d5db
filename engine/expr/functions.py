"""The functions of the language: how many arguments, which kinds and units go in, which come out.

Owns the table `FUNCTIONS`. Each rule gets its checked arguments and gives a term; it is the one place that says that a
standard deviation of temperatures is a difference, or that a slope is a quotient of units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from engine.expr.terms import (
    Term,
    call,
    condition,
    constant,
    converted,
    difference_of,
    factor,
    is_series,
    numeric,
    scaled_unit,
    settled,
    unify,
)
from engine.expr.types import ExpressionError, Kind
from schemas import unit_algebra, units
from schemas.quantity import Unit
from schemas.units import DECIBEL, DIMENSIONLESS, PERCENT


@dataclass(frozen=True, slots=True)
class Site:
    """One call in the text: the function's name, its checked arguments, where it stands."""

    name: str
    arguments: tuple[Term, ...]
    start: int
    end: int

    def error(self, message: str, help: str = "", at: Term | None = None) -> ExpressionError:
        """An error about this call or one of its arguments."""
        where = (at.start, at.end) if at is not None else (self.start, self.end)
        return ExpressionError("X007", message, help, *where)

    def result(self, kind: Kind, unit: Unit | None, helper: str, *arguments: Term, derived: bool = False) -> Term:
        """A term that calls a helper with the arguments."""
        code = call(helper, [argument.code for argument in arguments], self.start, self.end)
        return Term(kind, unit, code, self.start, self.end, derived=derived)

    def series(self, term: Term) -> Term:
        """The argument as a series of numbers."""
        if term.kind is Kind.SERIES:
            return term
        if term.kind is Kind.ANY:
            return replace(term, kind=Kind.SERIES, code=call("s_numbers", [term.code], term.start, term.end))
        raise self.needs_series(term)

    def needs_series(self, term: Term) -> ExpressionError:
        """The error for an argument that is one value."""
        help = "inside a loop a name is the current value; `series(name)` is all of them so far"
        if term.kind is Kind.CONDITIONS:
            help = "to count, write `sum(where(…, 1, 0))`"
        return self.error(f"`{self.name}` needs a series, this is {term.kind}", help, term)


Rule = Callable[[Site], Term]


@dataclass(frozen=True, slots=True)
class Function:
    """What a function takes, for checks and for messages."""

    usage: str
    least: int
    most: int
    rule: Rule


def _elementwise(site: Site, term: Term, unit: Unit | None, kind: Kind | None = None, *rest: Term) -> Term:
    kind = kind or (term.kind if term.kind in (Kind.SERIES, Kind.ANY) else Kind.NUMBER)
    prefix = {Kind.SERIES: "s_", Kind.ANY: "any_"}.get(term.kind, "")
    return site.result(kind, unit, prefix + site.name, term, *rest)


def _keeps(site: Site) -> Term:
    """abs: the unit stays, points have no size."""
    term = difference_of(numeric(site.arguments[0], f"`{site.name}`"), f"`{site.name}`")
    return replace(_elementwise(site, term, term.unit), derived=term.derived)


def _rounds(site: Site) -> Term:
    """round, floor, ceil: the unit stays, points too."""
    term = numeric(site.arguments[0], f"`{site.name}`")
    rest: tuple[Term, ...] = ()
    if len(site.arguments) == 2:
        digits = site.arguments[1]
        value = digits.constant if digits.is_constant and digits.unit is None else None
        if not isinstance(value, float) or value != int(value) or abs(value) > 15:
            raise site.error("the number of decimals is a whole number", "for example `round(x, 3)`", digits)
        rest = (replace(digits, code=constant(int(value), digits.start, digits.end)),)
    return replace(_elementwise(site, term, term.unit, None, *rest), derived=term.derived, other=term.other)


def _plain(site: Site) -> Term:
    """exp, log, log10, db: of plain numbers only."""
    term = factor(site.arguments[0], f"`{site.name}`")
    if term.unit != DIMENSIONLESS:
        help = "divide by a value of the same unit first"
        if term.unit == DECIBEL:
            help = "divide by `1 dB` first"
        assert term.unit is not None
        raise site.error(f"`{site.name}` needs a plain number, this is {units.describe(term.unit)}", help, term)
    return _elementwise(site, term, DECIBEL if site.name == "db" else DIMENSIONLESS)


def _sqrt(site: Site) -> Term:
    argument = site.arguments[0]
    if argument.unit is None:
        return _elementwise(site, numeric(argument, "`sqrt`"), None)
    term = factor(argument, "`sqrt`")
    assert term.unit is not None
    if term.unit == DIMENSIONLESS:
        return _elementwise(site, term, DIMENSIONLESS)
    return replace(_elementwise(site, term, unit_algebra.power(term.unit, 0.5)), derived=True)


def _is_nan(site: Site) -> Term:
    term = numeric(site.arguments[0], "`is_nan`")
    return _elementwise(site, term, None, Kind.CONDITIONS if term.kind is Kind.SERIES else Kind.BOOL)


def _one_series(site: Site) -> Term:
    """The numbers an aggregate works on: one series, or several single values in one unit."""
    if len(site.arguments) == 1:
        return site.series(site.arguments[0])
    terms = [numeric(term, f"`{site.name}`") for term in site.arguments]
    for term in terms:
        if is_series(term):
            raise site.error(f"`{site.name}` takes one series or several single values", "", term)
    terms, unit, derived = unify(terms, "compare {} with {}")
    return replace(site.result(Kind.SERIES, unit, "s_array", *terms), derived=derived)


_SINGLE: Final = frozenset({"min", "max", "mean", "sum"})


def _aggregate(site: Site, kept: Callable[[Term], Term]) -> Term:
    if len(site.arguments) > 1 and site.name in _SINGLE and not any(t.kind is Kind.ANY for t in site.arguments):
        together = _one_series(site)
        terms, unit, derived = unify([kept(t) for t in site.arguments], "compare {} with {}")
        return site.result(Kind.NUMBER, unit, site.name, *terms, derived=derived or together.derived)
    term = kept(_one_series(site))
    return site.result(Kind.NUMBER, term.unit, "s_" + site.name, term, derived=term.derived)


def _same_unit(site: Site) -> Term:
    """mean, median, min, max: points stay points."""
    return _aggregate(site, lambda term: term)


def _no_points(site: Site) -> Term:
    """sum, rms: of points they mean nothing."""
    return _aggregate(site, lambda term: difference_of(term, f"`{site.name}`"))


def _spread(site: Site) -> Term:
    """std, pp: of points they are differences."""
    term = _one_series(site)
    unit = None if term.unit is None else term.unit.difference()
    return site.result(Kind.NUMBER, unit, "s_" + site.name, term, derived=term.derived)


def _percentile(site: Site) -> Term:
    term, share = site.series(site.arguments[0]), numeric(site.arguments[1], "`percentile`")
    if share.unit is not None and not share.unit.is_dimensionless:
        raise site.error("a percentile is given in %", "for example `percentile(x, 95 %)`", share)
    return site.result(Kind.NUMBER, term.unit, "s_percentile", term, converted(share, PERCENT), derived=term.derived)


def _span(term: Term) -> Unit:
    return DIMENSIONLESS if term.unit is None else term.unit.difference()


def _slope(site: Site) -> Term:
    y, x = map(site.series, site.arguments)
    unit, derived = scaled_unit(_span(y), _span(x), divide=True)
    return settled(site.result(Kind.NUMBER, unit, "s_slope", y, x, derived=derived))


def _intercept(site: Site) -> Term:
    y, x = map(site.series, site.arguments)
    return site.result(Kind.NUMBER, y.unit, "s_intercept", y, x, derived=y.derived)


def _r2(site: Site) -> Term:
    y, x = map(site.series, site.arguments)
    return site.result(Kind.NUMBER, DIMENSIONLESS, "s_r2", y, x)


def _trapz(site: Site) -> Term:
    y, x = map(site.series, site.arguments)
    y = factor(y, "the area under a curve")
    assert y.unit is not None
    unit, derived = scaled_unit(y.unit, _span(x), divide=False)
    return settled(site.result(Kind.NUMBER, unit, "s_trapz", y, x, derived=derived))


def _interp(site: Site) -> Term:
    x = numeric(site.arguments[0], "`interp`")
    xs, ys = map(site.series, site.arguments[1:])
    (x, xs), _, _ = unify([x, xs], "compare {} with {}")
    return site.result(x.kind, ys.unit, "s_interp", x, xs, ys, derived=ys.derived)


def _nearest(site: Site) -> Term:
    values, axis, value = site.arguments
    if values.kind is not Kind.TEXT_SERIES:
        values = site.series(values)
    axis, value = site.series(axis), numeric(value, "`nearest`")
    if value.kind is Kind.SERIES:
        raise site.error("`nearest` looks for one value, this is a series", "", value)
    (axis, value), _, _ = unify([axis, value], "compare {} with {}")
    kind = Kind.TEXT if values.kind is Kind.TEXT_SERIES else Kind.NUMBER
    return site.result(kind, values.unit, "s_nearest", values, axis, value, derived=values.derived)


def _index(site: Site) -> Term:
    return site.result(Kind.NUMBER, DIMENSIONLESS, "s_" + site.name, _one_series(site))


def _length(site: Site) -> Term:
    term = site.arguments[0]
    if not is_series(term) and term.kind is not Kind.ANY:
        raise site.needs_series(term)
    return site.result(Kind.NUMBER, DIMENSIONLESS, "s_len", term)


def _end(site: Site) -> Term:
    term = site.arguments[0]
    if term.kind is not Kind.TEXT_SERIES:
        term = site.series(term)
    kind = Kind.TEXT if term.kind is Kind.TEXT_SERIES else Kind.NUMBER
    return site.result(kind, term.unit, "s_" + site.name, term, derived=term.derived)


def _diff(site: Site) -> Term:
    term = site.series(site.arguments[0])
    unit = None if term.unit is None else term.unit.difference()
    return site.result(Kind.SERIES, unit, "s_diff", term, derived=term.derived)


def _conditions(site: Site) -> Term:
    """any, all: of a series of conditions, or of several single ones."""
    for term in site.arguments:
        if term.kind not in (Kind.CONDITIONS, Kind.BOOL, Kind.ANY):
            raise site.error(f"`{site.name}` needs conditions, this is {term.kind}", "for example `all(x > 0)`", term)
    if len(site.arguments) == 1:
        if site.arguments[0].kind is Kind.BOOL:
            raise site.needs_series(site.arguments[0])
        return site.result(Kind.BOOL, None, "s_" + site.name, site.arguments[0])
    for term in site.arguments:
        if term.kind is Kind.CONDITIONS:
            raise site.error(f"`{site.name}` takes one series or several single conditions", "", term)
    return site.result(Kind.BOOL, None, site.name, *map(condition, site.arguments))


def _where(site: Site) -> Term:
    test, *arms = site.arguments
    if test.kind not in (Kind.CONDITIONS, Kind.ANY):
        help = "for single values write `a if condition else b`"
        raise site.error(f"`where` needs a series of conditions, this is {test.kind}", help, test)
    if {arm.kind for arm in arms} <= {Kind.TEXT, Kind.TEXT_SERIES}:
        return site.result(Kind.TEXT_SERIES, None, "s_where", test, *arms)
    terms, unit, derived = unify([numeric(arm, "`where`") for arm in arms], "choose between {} and {}")
    return site.result(Kind.SERIES, unit, "s_where", test, *terms, derived=derived)


_MANY: Final = 100

FUNCTIONS: Final[dict[str, Function]] = {
    "abs": Function("abs(x)", 1, 1, _keeps),
    "round": Function("round(x, decimals)", 1, 2, _rounds),
    "floor": Function("floor(x)", 1, 1, _rounds),
    "ceil": Function("ceil(x)", 1, 1, _rounds),
    "sqrt": Function("sqrt(x)", 1, 1, _sqrt),
    "exp": Function("exp(x)", 1, 1, _plain),
    "log": Function("log(x)", 1, 1, _plain),
    "log10": Function("log10(x)", 1, 1, _plain),
    "db": Function("db(ratio)", 1, 1, _plain),
    "is_nan": Function("is_nan(x)", 1, 1, _is_nan),
    "min": Function("min(series) or min(a, b, …)", 1, _MANY, _same_unit),
    "max": Function("max(series) or max(a, b, …)", 1, _MANY, _same_unit),
    "mean": Function("mean(series) or mean(a, b, …)", 1, _MANY, _same_unit),
    "median": Function("median(series)", 1, _MANY, _same_unit),
    "sum": Function("sum(series) or sum(a, b, …)", 1, _MANY, _no_points),
    "rms": Function("rms(series)", 1, _MANY, _no_points),
    "std": Function("std(series)", 1, _MANY, _spread),
    "pp": Function("pp(series)", 1, _MANY, _spread),
    "percentile": Function("percentile(series, percent)", 2, 2, _percentile),
    "slope": Function("slope(y, x)", 2, 2, _slope),
    "intercept": Function("intercept(y, x)", 2, 2, _intercept),
    "r2": Function("r2(y, x)", 2, 2, _r2),
    "trapz": Function("trapz(y, x)", 2, 2, _trapz),
    "interp": Function("interp(x, xs, ys)", 3, 3, _interp),
    "nearest": Function("nearest(series, axis, value)", 3, 3, _nearest),
    "argmin": Function("argmin(series)", 1, _MANY, _index),
    "argmax": Function("argmax(series)", 1, _MANY, _index),
    "first": Function("first(series)", 1, 1, _end),
    "last": Function("last(series)", 1, 1, _end),
    "len": Function("len(series)", 1, 1, _length),
    "diff": Function("diff(series)", 1, 1, _diff),
    "any": Function("any(conditions)", 1, _MANY, _conditions),
    "all": Function("all(conditions)", 1, _MANY, _conditions),
    "where": Function("where(conditions, a, b)", 3, 3, _where),
}
OF_NAMES: Final[dict[str, str]] = {
    "defined": "defined(name)",
    "changed": "changed(axis)",
    "series": "series(name)",
}
"""Functions whose argument is a name, not a value."""
