"""`let` and `record`: working values and diagnostics."""

from __future__ import annotations

from typing import Any

from engine.expr import Kind, Type, is_expression
from engine.plan.compiler import SequenceCompiler
from engine.plan.drafts import At, Draft
from engine.plan.model import Binding, Constant, Formula, LetAction, RecordAction
from engine.plan.names import Entry, Scope
from engine.plan.values import PLAIN, described, on_off
from schemas.quantity import QuantityError, Unit, parse_quantity
from schemas.source import Path
from schemas.steps import LetStep, RecordStep

TEXT = Type(Kind.TEXT, None)


def compile_let(c: SequenceCompiler, step: LetStep, at: At) -> list[Draft]:
    items: list[tuple[Binding, Formula | Constant]] = []
    binds: list[str] = []
    for name, raw in step.let.items():
        place = at.place("let", name)
        made = _loose_value(c, raw, place, at.scope)
        known = at.scope.entries.get(name)
        again = known is not None and known.kind == "let"
        if made is None:
            if not again:
                at.scope.define(name, Type(Kind.ANY, None), kind="let", span=c.file.key(place))
            continue
        value, type_ = made
        if known is not None and again:
            fitting = _as_before(c, known, value, type_, raw, place, at.scope)
            if fitting is None:
                continue
            value, entry = fitting, known
        else:
            if not c.check_name(name, c.file.key(place), at.scope):
                continue
            entry = at.scope.define(name, type_, kind="let", span=c.file.key(place))
        items.append((at.scope.bind(entry), value))
        binds.append(entry.slot)
        if isinstance(value, Formula) and value.names & c.frame.secrets:
            c.frame.secrets.add(entry.slot)
    return [Draft(LetAction(tuple(items)), binds=tuple(binds))] if len(items) == len(step.let) else []


def _as_before(
    c: SequenceCompiler, known: Entry, value: Formula | Constant, type_: Type, raw: Any, place: Path, scope: Scope
) -> Formula | Constant | None:
    """A value assigned again, in the unit that its name has had from the start."""
    if not _same_dimension(known.type, type_):
        c.problems.error(
            "P005",
            f"`{known.name}` was {described(known.type)} and would become {described(type_)}",
            c.file.key(place),
            help="take another name for it",
            notes=((known.span, "first assigned here"),) if known.span is not None else (),
        )
        return None
    unit = known.type.unit
    if unit is None or type_.unit == unit or type_.kind is not Kind.NUMBER:
        return value
    if isinstance(value, Formula):
        return c.values.compile(raw, place, scope, unit=unit)
    return c.values.quantity(raw, place, unit)


def _loose_value(c: SequenceCompiler, raw: Any, path: Path, scope: Scope) -> tuple[Formula | Constant, Type] | None:
    """A value that says its own kind: an expression, a quantity, a switch, or text."""
    switch = on_off(raw)
    if switch is not None:
        return switch, Type(Kind.BOOL, None)
    if isinstance(raw, int | float):
        return float(raw), Type(Kind.NUMBER, PLAIN)
    if is_expression(raw):
        formula = c.values.compile(raw, path, scope)
        if formula is None:
            return None
        type_ = formula.type
        if type_.kind is Kind.NUMBER and type_.unit is None:
            type_ = Type(Kind.NUMBER, PLAIN)
        return formula, type_
    if "{{" in raw:
        template = c.values.text(raw, path, scope)
        return (template, TEXT) if template is not None else None
    try:
        quantity = parse_quantity(raw)
    except QuantityError:
        return raw, TEXT
    return quantity.value, Type(Kind.NUMBER, quantity.unit)


def _same_dimension(one: Type, other: Type) -> bool:
    if Kind.ANY in (one.kind, other.kind):
        return True
    if one.kind is not other.kind:
        return False
    return one.unit is None or other.unit is None or one.unit.compatible(other.unit)


def compile_record(c: SequenceCompiler, step: RecordStep, at: At) -> list[Draft]:
    before = len(c.problems.errors)
    items: list[tuple[str, Any, Unit | None]] = []
    for name, raw in step.record.items():
        value = c.values.json(raw, at.place("record", name), at.scope)
        unit = value.type.unit if isinstance(value, Formula) else None
        c.check_public(value, at.place("record", name))
        items.append((name, value, unit))
    return [Draft(RecordAction(tuple(items)))] if len(c.problems.errors) == before else []
