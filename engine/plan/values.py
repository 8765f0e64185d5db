"""From what a file says to a constant or a formula in the unit its place asks for.

Whatever is known before the run (a number, an expression over parameters) becomes a constant here, so that it is checked
against ranges and guards before anything moves. All problems are added to one collector; a method that could not make a
value answers None.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from engine.core.bench import PropertySpec, Target
from engine.core.errors import EvaluationFailed
from engine.expr import (
    Compiled,
    CompiledTemplate,
    ExpressionError,
    Kind,
    Type,
    compile_expression,
    compile_template,
    failure,
    is_expression,
    strip_braces,
)
from engine.plan.model import Constant, Formula, LiveReading
from engine.plan.names import Frame, Scope
from schemas.diagnostics import Problems, did_you_mean
from schemas.expression import Expression
from schemas.loading import Loaded
from schemas.quantity import QuantityError, Unit, convert, format_quantity, parse_quantity, parse_unit
from schemas.source import Path, Span

SECOND = parse_unit("s")
PLAIN = parse_unit("")


@dataclass(slots=True)
class Values:
    """Makes values of one file, in one frame."""

    file: Loaded[Any]
    frame: Frame
    problems: Problems
    live_targets: Mapping[tuple[str, str], tuple[Target, Type]] = field(default_factory=dict)
    """What may be read afresh: (role, property) → target and type."""

    # --- expressions

    def compile(
        self,
        text: str,
        path: Path,
        scope: Scope,
        *,
        unit: Unit | None = None,
        want: Kind | None = None,
        live: bool = False,
        difference: bool | None = False,
    ) -> Formula | None:
        """An expression, braces allowed; None where it has a problem."""
        inner, offset = strip_braces(text)
        seen = scope.with_live(dict(self.live_targets)) if live else scope
        try:
            compiled = compile_expression(inner, seen, unit=unit, want=want, difference=difference)
            aligned = seen.aligned(compiled.names)
            if aligned is not None:
                seen = aligned
                compiled = compile_expression(inner, seen, unit=unit, want=want, difference=difference)
        except ExpressionError as error:
            self._expression_problem(error, inner, path, offset)
            return None
        return self._formula(compiled, seen, path)

    def _expression_problem(self, error: ExpressionError, text: str, path: Path, offset: int) -> None:
        """Tells it at its characters; a name that is made elsewhere in the file is told as such."""
        start, end = offset + error.start, offset + max(error.end, error.start + 1)
        span = self.file.source_map.inside(path, start, end)
        name = text[error.start : error.end]
        made = self.frame.declared.get(name) if error.code == "X001" else None
        if made is None:
            self.problems.error(error.code, error.message, span, help=error.help)
        elif made.start > span.start:
            self.problems.error(
                "N021",
                f"`{name}` is read before it is made",
                span,
                help="move this below the step that makes it",
                notes=((made, "made here"),),
            )
        else:
            self.problems.error(
                "N021",
                f"`{name}` cannot be read here: nothing says that the step that makes it comes first",
                span,
                help="order the two with `after`, or put them in one list; what another branch makes is seen after it",
                notes=((made, "made here"),),
            )

    def _formula(self, compiled: Compiled, scope: Scope, path: Path) -> Formula:
        live, series = self._needed(compiled, scope)
        return Formula(
            compiled.text,
            compiled.fn,
            partial(_explain, compiled, self.frame),
            compiled.type,
            live,
            series,
            compiled.names,
            self.file.at(path),
            compiled.needs,
        )

    def _needed(
        self, compiled: Compiled | CompiledTemplate, scope: Scope
    ) -> tuple[tuple[LiveReading, ...], tuple[tuple[str, str], ...]]:
        """What is read and what is collected before it is evaluated; asks for the changes of axes it depends on."""
        for slot in compiled.names:
            if slot.startswith("changed:"):
                axis = scope.entries.get(slot.removeprefix("changed:"))
                if axis is not None and axis.loop is not None and (axis.slot, slot) not in axis.loop.changed:
                    axis.loop.changed.append((axis.slot, slot))
        series = tuple(pair for array, pair in scope.series_asked.items() if array in compiled.names)
        live = tuple(
            LiveReading(self.live_targets[role, prop][0], slot)
            for role, prop, slot in compiled.live
            if (role, prop) in self.live_targets  # else the role is not bound, which has been told
        )
        return live, series

    def folded(self, formula: Formula) -> tuple[bool, Any]:
        """(True, its value) where everything it reads is known now."""
        if formula.live or formula.series or not all(name in self.frame.constants for name in formula.names):
            return False, None
        try:
            return True, formula.fn(self.frame.constants)
        except Exception as error:  # noqa: BLE001  whatever arithmetic raises is told at the expression
            told = formula.explain(error)
            self.problems.error("X030", f"this has no value: {told.message}", formula.span, help=told.help)
            return True, None

    def condition(self, expression: Expression, path: Path, scope: Scope, *, live: bool = False) -> Formula | None:
        """An expression that is true or false."""
        return self.compile(expression.text, path, scope, want=Kind.BOOL, live=live)

    # --- numbers, durations, text

    def number(
        self, raw: Any, path: Path, scope: Scope, unit: Unit | None, *, difference: bool = False
    ) -> float | Formula | None:
        """A number in a unit, from a number, a quantity or an expression."""
        if isinstance(raw, Expression):
            raw = raw.text
        if isinstance(raw, str) and is_expression(raw):
            return self.amount(raw, path, scope, unit or PLAIN, difference=difference)
        return self.quantity(raw, path, unit, difference=difference)

    def amount(
        self, text: str, path: Path, scope: Scope, unit: Unit, *, difference: bool = False, live: bool = False
    ) -> float | Formula | None:
        """A number in a unit, from an expression, with or without braces."""
        formula = self.compile(text, path, scope, unit=unit, want=Kind.NUMBER, live=live, difference=difference)
        if formula is None:
            return None
        known, value = self.folded(formula)
        if not known:
            return formula
        return float(value) if value is not None else None

    def quantity(self, raw: Any, path: Path, unit: Unit | None, *, difference: bool = False) -> float | None:
        """A number in a unit, from a number or a quantity; known now."""
        try:
            return parse_quantity(raw, unit if unit is not None else PLAIN, difference=difference).value
        except QuantityError as error:
            self.quantity_problem(error, path)
            return None

    def quantity_problem(self, error: QuantityError, path: Path) -> None:
        span = self.file.at(path)
        if error.span is not None:
            span = self.file.source_map.inside(path, *error.span)
        self.problems.error(error.code, error.message, span, help=error.help)

    def duration(self, raw: float | Expression, path: Path, scope: Scope) -> float | Formula | None:
        """Seconds; the schema has read what is no expression."""
        if isinstance(raw, float):
            return raw
        value = self.number(raw, path, scope, SECOND)
        if isinstance(value, float) and value < 0:
            self.problems.error("P030", "a duration cannot be negative", self.file.at(path))
            return None
        return value

    def text(self, raw: str, path: Path, scope: Scope) -> str | Formula | None:
        """Text, or a template whose `{{ }}` are filled in when it is needed."""
        if "{{" not in raw:
            return raw
        try:
            compiled = compile_template(raw, scope)
        except ExpressionError as error:
            self._expression_problem(error, raw, path, 0)
            return None
        live, series = self._needed(compiled, scope)
        return Formula(
            raw,
            compiled.fn,
            partial(_explain_template, compiled, self.frame),
            Type(Kind.TEXT, None),
            live,
            series,
            frozenset(compiled.names),
            self.file.at(path),
        )

    # --- values of properties

    def property_value(
        self, spec: PropertySpec, label: str, raw: Any, path: Path, scope: Scope, *, guard: Span | None = None
    ) -> Constant | Formula | None:
        """What a property is to be set to, checked against its kind, range and guard where it is known now."""
        if isinstance(raw, str) and is_expression(raw):
            want, unit = _wanted(spec)
            formula = self.compile(raw, path, scope, unit=unit, want=want)
            if formula is None:
                return None
            known, value = self.folded(formula)
            if not known:
                return formula
            return None if value is None else self.checked(spec, label, value, path, guard)
        if isinstance(raw, str) and "{{" in raw and spec.type == "text":
            return self.text(raw, path, scope)
        match spec.type:
            case "number":
                value = self.quantity(raw, path, spec.unit or PLAIN)
            case "on_off":
                value = on_off(raw)
                if value is None:
                    self.problems.error(
                        "B020", f"`{label}` is switched `on` or `off`, found `{raw}`", self.file.at(path)
                    )
            case "choice":
                value = ("on" if raw else "off") if isinstance(raw, bool) else _as_text(raw)
            case "text":
                value = _as_text(raw)
            case "array":
                self.problems.error("B020", f"`{label}` is an array and cannot be set", self.file.at(path))
                return None
        return None if value is None else self.checked(spec, label, value, path, guard)

    def checked(
        self, spec: PropertySpec, label: str, value: Any, path: Path, guard: Span | None = None, *, where: str = ""
    ) -> Constant | None:
        """The value, if the property can take it and the station allows it; `guard` is where that is said."""
        span = self.file.at(path)
        if spec.type == "choice":
            choices = spec.choices or {}
            if value not in choices:
                self.problems.error(
                    "B021",
                    f"`{label}` cannot be `{value}`",
                    span,
                    label=did_you_mean(str(value), choices),
                    help=f"it can be: {', '.join(choices)}",
                )
                return None
            return str(value)
        if spec.type != "number":
            return value  # type: ignore[no-any-return]
        symbol = spec.unit or ""
        for low, high, who, place in (
            (spec.low, spec.high, "the instrument takes", None),
            (spec.guard_low, spec.guard_high, "the station allows", guard),
        ):
            if (low is not None and value < low) or (high is not None and value > high):
                self.problems.error(
                    "B022",
                    f"`{label}` of {format_quantity(value, symbol)} is outside what {who}",
                    span,
                    label=where or f"allowed: {bounds_text(low, high, spec.unit)}",
                    help=f"allowed: {bounds_text(low, high, spec.unit)}" if where else "",
                    notes=((place, "the guard"),) if place is not None else (),
                )
                return None
        if math.isnan(value):
            self.problems.error("B022", f"`{label}` cannot be set to NaN", span)
            return None
        return float(value)

    def json(self, raw: Any, path: Path, scope: Scope) -> Any:
        """A JSON value in which expressions have become formulas."""
        match raw:
            case dict():
                return {key: self.json(value, (*path, key), scope) for key, value in raw.items()}
            case list():
                return [self.json(value, (*path, index), scope) for index, value in enumerate(raw)]
            case str() if is_expression(raw):
                return self.compile(raw, path, scope)
            case str() if "{{" in raw:
                return self.text(raw, path, scope)
            case _:
                return raw


def _wanted(spec: PropertySpec) -> tuple[Kind, Unit | None]:
    match spec.type:
        case "number":
            return Kind.NUMBER, spec.unit or PLAIN
        case "on_off":
            return Kind.BOOL, None
        case _:
            return Kind.TEXT, None


def _as_text(raw: Any) -> str:
    return raw if isinstance(raw, str) else format_quantity(float(raw), "", 12)


def on_off(raw: Any) -> bool | None:
    """`on`, `off`, true, false as a bool; None for anything else."""
    if isinstance(raw, bool):
        return raw
    return {"on": True, "off": False}.get(raw) if isinstance(raw, str) else None


def bounds_text(low: float | None, high: float | None, unit: Unit | None) -> str:
    """`-55 … 150 degC`, `at least 0 V`."""
    symbol = unit.symbol if unit is not None else ""
    if low is None:
        return f"at most {format_quantity(high or 0.0, symbol)}"
    if high is None:
        return f"at least {format_quantity(low, symbol)}"
    return f"{format_quantity(low, '')} … {format_quantity(high, symbol)}"


def type_of(spec: PropertySpec) -> Type:
    """What an expression sees of a property."""
    match spec.type:
        case "number":
            return Type(Kind.NUMBER, spec.unit or PLAIN)
        case "on_off":
            return Type(Kind.BOOL, None)
        case "array":
            return Type(Kind.SERIES, spec.unit or PLAIN)
        case _:
            return Type(Kind.TEXT, None)


def described(type_: Type) -> str:
    """What messages call a kind of value: `a number in V`."""
    return f"{type_.kind.value} in {type_.unit}" if type_.unit is not None and type_.unit.symbol else type_.kind.value


def between_units(from_: Unit, to: Unit) -> tuple[float, float] | None:
    """(factor, offset) that converts a number; None where nothing is to be done."""
    if from_ == to:
        return None
    offset = convert(0.0, from_, to)
    return convert(1.0, from_, to) - offset, offset


def _explain(compiled: Compiled, frame: Frame, error: BaseException) -> EvaluationFailed:
    return failure(compiled, error, frame.why_unbound)


def _explain_template(compiled: CompiledTemplate, frame: Frame, error: BaseException) -> EvaluationFailed:
    if isinstance(error, EvaluationFailed):
        return error
    if isinstance(error, KeyError):
        slot = str(error.args[0])
        return EvaluationFailed(f"`{slot}` has no value here: {frame.why_unbound(slot)}")
    return EvaluationFailed(f"the text `{compiled.text[:60]}` cannot be filled in: {error}")


def canonical_json(value: Any) -> str:
    """The same text for the same value, always; keys in written order, which says what is set first and which axis is slowest."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
