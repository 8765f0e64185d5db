"""From a limit as written to what judges a value of a known kind and unit.

A limit whose bounds are known becomes a criterion now. One that depends on values of the run is resolved when it is needed;
the criteria it gives are kept, because most points of a sweep share a few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.core.errors import EvaluationFailed
from engine.expr import Kind, Type, is_expression
from engine.plan.model import Environment, Formula
from engine.plan.names import Scope
from engine.plan.values import PLAIN, Values, on_off
from engine.verdict import Absolute, Criterion, LimitError, Share, around, band, equals, mask, matches, one_of
from schemas.limits import FORMS, Limit, Mask
from schemas.quantity import QuantityError, Unit, parse_quantity
from schemas.source import Path, Span

KEPT_CRITERIA = 512
PERCENT_UNITS = ("%", "ppm", "ppb")

Part = float | Formula | Share | Absolute | str | bool | None


@dataclass(frozen=True, slots=True)
class Recipe:
    """A criterion but for the parts that are not known yet."""

    parts: Mapping[str, Any]
    build: Callable[[Mapping[str, Any]], Criterion]
    kept: dict[tuple[Any, ...], Criterion] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        return not any(isinstance(part, Formula) for part in self.parts.values())

    def criterion(self, environment: Environment) -> Criterion:
        values = {
            name: part.value(environment) if isinstance(part, Formula) else part for name, part in self.parts.items()
        }
        key = tuple(values.values())
        found = self.kept.get(key)
        if found is None:
            try:
                found = self.build(values)
            except LimitError as error:
                raise EvaluationFailed(f"the limit cannot be used here: {error.message}", error.help) from None
            if len(self.kept) < KEPT_CRITERIA:
                self.kept[key] = found
        return found


@dataclass(frozen=True, slots=True)
class CompiledLimit:
    """What judges one measured name."""

    name: str
    cases: tuple[tuple[Formula | None, Recipe], ...]
    fixed: Criterion | None
    """The criterion, where it depends on nothing."""

    def resolve(self, environment: Environment) -> Criterion:
        """The criterion here; raises EvaluationFailed where no case matches."""
        if self.fixed is not None:
            return self.fixed
        for when, recipe in self.cases:
            if when is None or when.value(environment):
                return recipe.criterion(environment)
        raise EvaluationFailed(
            f"no case of limit `{self.name}` applies here, so the value cannot be judged",
            "add a last case without `when`",
        )


@dataclass(slots=True)
class LimitCompiler:
    """Compiles limits for one value at a time."""

    values: Values
    scope: Scope
    type: Type
    """What is judged."""
    path: Path = ()
    series: Callable[[str, Path], tuple[str, Unit | None] | None] = lambda name, path: None
    """Slot and unit of the series a mask runs along."""

    @property
    def unit(self) -> Unit:
        return self.type.unit or PLAIN

    def compile(self, name: str, limit: Limit | Sequence[Limit], path: Path) -> CompiledLimit | None:
        """None where there is a problem."""
        before = len(self.values.problems.errors)
        cases: list[tuple[Formula | None, Recipe]] = []
        written = [(limit, path)] if isinstance(limit, Limit) else [(one, (*path, n)) for n, one in enumerate(limit)]
        for one, place in written:
            when = None
            if one.when is not None:
                when = self.values.condition(one.when, (*place, "when"), self.scope)
            recipe = self._recipe(one, place)
            if recipe is not None:
                cases.append((when, recipe))
        if len(self.values.problems.errors) > before:
            return None
        fixed = None
        if len(cases) == 1 and cases[0][0] is None and cases[0][1].known:
            try:
                fixed = cases[0][1].build(cases[0][1].parts)
            except LimitError as error:
                self._error(error.message, self.values.file.at(path), error.help)
                return None
        else:
            for (_, recipe), (_, place) in zip(cases, written, strict=True):
                if recipe.known:
                    try:
                        recipe.build(recipe.parts)
                    except LimitError as error:
                        self._error(error.message, self.values.file.at(place), error.help)
        return CompiledLimit(name, tuple(cases), fixed)

    def _error(self, message: str, span: Span, help: str = "") -> None:
        self.values.problems.error("P020", message, span, help=help)

    def _recipe(self, limit: Limit, path: Path) -> Recipe | None:
        form = next(form for form in FORMS if getattr(limit, form) is not None)
        kind = self.type.kind
        fits = {
            "equals": kind in (Kind.NUMBER, Kind.TEXT, Kind.BOOL, Kind.ANY),
            "one_of": kind in (Kind.NUMBER, Kind.TEXT, Kind.BOOL, Kind.ANY),
            "matches": kind in (Kind.TEXT, Kind.ANY),
            "mask": kind in (Kind.SERIES, Kind.ANY),
        }.get(form, kind in (Kind.NUMBER, Kind.ANY))
        if not fits:
            self._error(f"`{form}` cannot judge {kind.value}", self.values.file.key((*path, form)))
            return None
        match form:
            case "equals":
                part = self._plain(limit.equals, (*path, "equals"))
                return None if part is None else Recipe({"value": part}, lambda given: equals(given["value"]))
            case "one_of":
                parts = {str(n): self._plain(item, (*path, "one_of", n)) for n, item in enumerate(limit.one_of or ())}
                if any(part is None for part in parts.values()):
                    return None
                return Recipe(parts, lambda given: one_of(tuple(given.values())))
            case "matches":
                return Recipe({"pattern": limit.matches}, lambda given: matches(given["pattern"]))
            case "mask":
                return self._mask(limit.mask, (*path, "mask")) if limit.mask is not None else None
            case _:
                return self._band(limit, path)

    def _plain(self, raw: Any, path: Path) -> Part:
        """A value to compare with, of the kind that is judged."""
        kind = self.type.kind
        if isinstance(raw, str) and is_expression(raw):
            want = None if kind is Kind.ANY else kind
            formula = self.values.compile(
                raw, path, self.scope, unit=self.unit if kind is Kind.NUMBER else None, want=want
            )
            if formula is None:
                return None
            known, value = self.values.folded(formula)
            return value if known else formula
        if kind is Kind.NUMBER:
            return self.values.quantity(raw, path, self.unit)
        if kind is Kind.BOOL:
            switch = on_off(raw)
            if switch is None:
                self._error(f"expected on, off, true or false, found `{raw}`", self.values.file.at(path))
            return switch
        if kind is Kind.TEXT and not isinstance(raw, str):
            self._error("this is compared with text: put it in quotes", self.values.file.at(path))
            return None
        return raw  # type: ignore[no-any-return]

    def _band(self, limit: Limit, path: Path) -> Recipe | None:
        before = len(self.values.problems.errors)
        parts: dict[str, Any] = {}
        if limit.between is not None:
            parts["low"] = self._bound(limit.between[0], (*path, "between", 0))
            parts["high"] = self._bound(limit.between[1], (*path, "between", 1))
        elif limit.nominal is not None:
            parts["nominal"] = self._bound(limit.nominal, (*path, "nominal"))
            if isinstance(limit.tolerance, list):
                parts["below"] = self._width(limit.tolerance[0], (*path, "tolerance", 0))
                parts["above"] = self._width(limit.tolerance[1], (*path, "tolerance", 1))
            else:
                parts["tolerance"] = self._width(limit.tolerance, (*path, "tolerance"))
        else:
            if limit.min is not None:
                parts["low"] = self._bound(limit.min, (*path, "min"))
            if limit.max is not None:
                parts["high"] = self._bound(limit.max, (*path, "max"))
        for extra in ("marginal", "guardband", "uncertainty"):
            raw = getattr(limit, extra)
            if raw is not None:
                parts[extra] = self._width(raw, (*path, extra))
        if isinstance(parts.get("uncertainty"), Share):
            self._error("an uncertainty is a quantity, not a share", self.values.file.at((*path, "uncertainty")))
        if len(self.values.problems.errors) > before:
            return None
        exclusive = limit.exclusive
        return Recipe(parts, lambda given: _build_band(given, exclusive))

    def _bound(self, raw: Any, path: Path) -> Part:
        return self.values.number(raw, path, self.scope, self.unit)

    def _width(self, raw: Any, path: Path) -> Part:
        """A share (`2 %`), or a width in the unit of what is judged."""
        if isinstance(raw, str) and not is_expression(raw):
            try:
                quantity = parse_quantity(raw)
            except QuantityError:
                pass  # told below, with the unit that is expected
            else:
                if quantity.unit.symbol in PERCENT_UNITS:
                    return Share(quantity.value * quantity.unit.scale)
        number = self.values.number(raw, path, self.scope, self.unit, difference=True)
        if isinstance(number, float):
            return Absolute(number)
        return number

    def _mask(self, given: Mask, path: Path) -> Recipe | None:
        along = self.series(given.along, (*path, "along"))
        corners: dict[str, tuple[tuple[float, float], ...] | None] = {"upper": None, "lower": None}
        before = len(self.values.problems.errors)
        for side in corners:
            points = getattr(given, side)
            if points is None:
                continue
            found = []
            for number, (x, y) in enumerate(points):
                at_x = self.values.quantity(x, (*path, side, number, 0), along[1] if along else None)
                at_y = self.values.quantity(y, (*path, side, number, 1), self.unit)
                found.append((at_x or 0.0, at_y or 0.0))
            corners[side] = tuple(found)
        if len(self.values.problems.errors) > before or along is None:
            return None
        return Recipe(
            {"along": along[0], **corners},
            lambda parts: mask(parts["upper"], parts["lower"], parts["along"], given.along),
        )


def _as_width(part: Any) -> Share | Absolute:
    return Absolute(part) if isinstance(part, float) else part


def _build_band(given: Mapping[str, Any], exclusive: Literal["low", "high", "both"] | None) -> Criterion:
    low, high = given.get("low"), given.get("high")
    nominal = given.get("nominal")
    if nominal is not None:
        if "tolerance" in given:
            low, high = around(nominal, _as_width(given["tolerance"]))
        else:
            low, high = around(nominal, (_as_width(given["below"]), _as_width(given["above"])))
    extras: dict[str, Any] = {}
    for name in ("marginal", "guardband"):
        part = given.get(name)
        extras[name] = _as_width(part) if part is not None else None
    uncertainty = given.get("uncertainty")
    extras["uncertainty"] = uncertainty.width if isinstance(uncertainty, Absolute) else uncertainty
    return band(low, high, nominal=nominal, exclusive=exclusive, **extras)
