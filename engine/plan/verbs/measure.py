"""`measure`, `compute` and `check`: what is judged and recorded."""

from __future__ import annotations

from engine.core.bench import PropertySpec, Target
from engine.expr import Kind, Type
from engine.plan.compiler import SequenceCompiler
from engine.plan.drafts import At, Draft
from engine.plan.model import CheckAction, ComputeAction, MeasureAction
from engine.plan.values import PLAIN, between_units, type_of
from engine.plan.verbs.set import find_net
from engine.plan.wiring import Net
from schemas.quantity import QuantityError, Unit, parse_unit
from schemas.steps import CheckStep, ComputeStep, MeasureStep


def compile_measure(c: SequenceCompiler, step: MeasureStep, at: At) -> list[Draft]:
    interval = c.values.duration(step.interval, at.place("interval"), at.scope)
    found = _source(c, step, at)
    if found is None or interval is None:
        c.spoilt(step.measure, at.place("measure"), at.scope, step.limit)
        return []
    target, spec, label, net = found
    type_ = type_of(spec)
    unit: Unit | None = None
    convert: tuple[float, float] | None = None
    if spec.type in ("number", "array"):
        own = spec.unit or PLAIN
        unit = parse_unit(step.unit) if step.unit is not None else own
        try:
            convert = between_units(own, unit)
        except QuantityError as error:
            c.problems.error(
                "Q007",
                f"`{label}` is in {own.symbol or 'plain numbers'}: {error.message}",
                c.file.at(at.place("unit")),
            )
            c.spoilt(step.measure, at.place("measure"), at.scope, step.limit)
            return []
        if net is not None and net.scale != 1.0:
            convert = _scaled(convert, net.scale)
        type_ = Type(type_.kind, unit)
    elif step.unit is not None:
        c.problems.error("P004", f"`{label}` is {type_.kind.value} and has no unit", c.file.key(at.place("unit")))
    if step.samples > 1 and spec.type != "number":
        c.problems.error(
            "P004", f"several readings of {type_.kind.value} have no {step.statistic}", c.file.key(at.place("samples"))
        )
    if step.samples == 1:
        idle = next((key for key in ("interval", "statistic") if key in step.model_fields_set), None)
        if idle is not None:
            c.problems.error(
                "P037",
                f"`{idle}` is about several readings; this takes one",
                c.file.key(at.place(idle)),
                help="add `samples`",
            )
    limit = c.limit(step.limit, step.measure, at, type_, made=at.place("measure"))
    entry, binding = c.define(step.measure, type_, at.place("measure"), at.scope)
    routes = net.routes if net is not None else ()
    action = MeasureAction(
        target,
        binding,
        unit,
        convert,
        step.samples,
        interval,
        step.statistic,
        limit,
        routes,
        net.name if net is not None else "",
        net.pin if net is not None else "",
    )
    claims = c.claims(target, *(route.target for route in routes))
    return [Draft(action, claims=claims, binds=(entry.slot,))]


def _source(c: SequenceCompiler, step: MeasureStep, at: At) -> tuple[Target, PropertySpec, str, Net | None] | None:
    """What is read: target, property, what messages call it, the net."""
    if (step.from_ is None) == (step.at is None):
        what = "both `from` and `at`" if step.at is not None else "neither `from` nor `at`"
        c.problems.error(
            "P003",
            f"`measure` reads a property or a net; this has {what}",
            c.file.key(at.place("at" if step.at is not None else "measure")),
            help="write `from: role.property` or `at: NET`",
        )
        return None
    if step.at is not None:
        net = find_net(c, step.at, at.place("at"))
        return None if net is None else (net.target, net.spec, net.label, net)
    label = step.from_ or ""
    found = c.property(label, c.file.at(at.place("from")))
    if found is None:
        return None
    target, spec = found
    if spec.get is None:
        c.problems.error("B011", f"`{label}` can be set but not read", c.file.at(at.place("from")))
        return None
    return target, spec, label, None


def _scaled(convert: tuple[float, float] | None, scale: float) -> tuple[float, float]:
    """A net's scale is about what the instrument reads, so it comes before the conversion."""
    factor, offset = convert or (1.0, 0.0)
    return factor * scale, offset


def compile_compute(c: SequenceCompiler, step: ComputeStep, at: At) -> list[Draft]:
    unit = parse_unit(step.unit) if step.unit is not None else None
    formula = c.values.compile(step.value.text, at.place("value"), at.scope, unit=unit, difference=None)
    if formula is None:
        c.spoilt(step.compute, at.place("compute"), at.scope, step.limit)
        return []
    c.check_public(formula, at.place("value"))
    type_ = formula.type
    if type_.kind is Kind.NUMBER and type_.unit is None:
        type_ = Type(Kind.NUMBER, PLAIN)
    if type_.kind is Kind.ANY and unit is not None:
        type_ = Type(Kind.NUMBER, unit)
    limit = c.limit(step.limit, step.compute, at, type_, made=at.place("compute"))
    entry, binding = c.define(step.compute, type_, at.place("compute"), at.scope)
    return [Draft(ComputeAction(binding, formula, type_.unit, limit), binds=(entry.slot,))]


def compile_check(c: SequenceCompiler, step: CheckStep, at: At) -> list[Draft]:
    formula = c.values.condition(step.check, at.place("check"), at.scope, live=True)
    message = c.values.text(step.message or "", at.place("message"), at.scope)
    c.check_public(message, at.place("message"))
    if formula is None or message is None:
        return []
    return [Draft(CheckAction(formula, message), claims=c.claims(formula))]
