"""Compiles the steps that do one thing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from engine.core.bench import PropertySpec
from engine.expr import Kind, Type, is_expression
from engine.plan.drafts import Draft
from engine.plan.model import (
    AttachAction,
    CheckAction,
    CommandAction,
    ComputeAction,
    Constant,
    Formula,
    Hold,
    LetAction,
    LogAction,
    MeasureAction,
    PythonAction,
    QueryAction,
    RecordAction,
    SetAction,
    SiteWrite,
    WaitAction,
    Write,
)
from engine.plan.names import Scope
from engine.plan.values import PLAIN, SECOND, Values, between_units, type_of
from schemas.diagnostics import did_you_mean
from schemas.quantity import QuantityError, Unit, parse_quantity, parse_unit
from schemas.source import Path
from schemas.steps import (
    AttachStep,
    CheckStep,
    CommandStep,
    ComputeStep,
    LetStep,
    LogStep,
    MeasureStep,
    PythonStep,
    QueryStep,
    RecordStep,
    SetStep,
    Step,
    WaitStep,
)

if TYPE_CHECKING:
    from engine.plan.compiler import SequenceCompiler

TEXT = Type(Kind.TEXT, None)


def compile_leaf(c: SequenceCompiler, step: Step, path: Path, scope: Scope) -> list[Draft] | None:
    """The actions of a step that does one thing; None for a step that holds others. Empty where it has problems."""
    match step:
        case SetStep():
            return _set(c, step, path, scope)
        case MeasureStep():
            return _measure(c, step, path, scope)
        case ComputeStep():
            return _compute(c, step, path, scope)
        case CheckStep():
            return _check(c, step, path, scope)
        case LetStep():
            return _let(c, step, path, scope)
        case RecordStep():
            return _record(c, step, path, scope)
        case WaitStep():
            return _wait(c, step, path, scope)
        case CommandStep():
            return _command(c, step, path, scope)
        case QueryStep():
            return _query(c, step, path, scope)
        case LogStep():
            text = c.values.text(step.log, (*path, "log"), scope)
            return _drafts(LogAction(text, step.level)) if text is not None else []
        case AttachStep():
            text = c.values.text(step.attach, (*path, "attach"), scope)
            return _drafts(AttachAction(text, str(c.build.root))) if text is not None else []
        case PythonStep():
            return _python(c, step, path, scope)
        case _:
            return None


def _drafts(action: Any, **more: Any) -> list[Draft]:

    return [Draft(action, **more)]


# --- set


def _set(c: SequenceCompiler, step: SetStep, path: Path, scope: Scope) -> list[Draft]:

    if step.ramp is not None:
        c.problems.error("P001", "`ramp` is not supported yet", c.file.key((*path, "ramp")))
    writes: list[tuple[Write, PropertySpec]] = []
    failed = False
    for name, raw in step.set.items():
        place: Path = (*path, "set", name)
        found = c.property(name, c.file.key(place))
        if found is None:
            failed = True
            continue
        target, spec = found
        if spec.set is None:
            c.problems.error("B012", f"`{name}` can be read but not set", c.file.key(place))
            failed = True
            continue
        value = c.values.property_value(spec, name, raw, place, scope)
        if value is None:
            failed = True
        else:
            writes.append((Write(target, value), spec))
    routes = _routes(c, step.at, (*path, "at"))
    until = None
    if step.until is not None:
        until = c.values.condition(step.until, (*path, "until"), scope, live=True)
    elif step.poll is not None:
        c.problems.error(
            "P032", "`poll` says how often `until` is looked at; there is no `until`", c.file.key((*path, "poll"))
        )
    poll = c.values.duration(step.poll, (*path, "poll"), scope) if step.poll is not None else None
    settle = c.values.duration(step.settle, (*path, "settle"), scope)
    if failed or settle is None:
        return []
    drafts: list[Draft] = []
    runs = [list(run) for _, run in groupby(writes, key=lambda item: item[0].target.instrument)]
    for number, run in enumerate(runs):
        instrument = run[0][0].target.instrument
        last = number == len(runs) - 1
        mine = routes if number == 0 else ()
        action = SetAction(
            instrument,
            tuple(write for write, _ in run),
            mine,
            until if last else None,
            poll if last else None,
            settle if last else 0.0,
            step.force,
        )
        values = [write.value for write, _ in run if isinstance(write.value, Formula)]
        touched = [instrument, *(route.target for route in mine), *values, action.until]
        drafts.append(Draft(action, instrument, c.claims(*touched), _holds(c, run)))
    return drafts


def _holds(c: SequenceCompiler, run: Sequence[tuple[Write, PropertySpec]]) -> tuple[Hold, ...]:
    """What a unit goes on holding once it has set these."""
    holds: dict[tuple[str, str], Hold] = {}
    for write, spec in run:
        instrument = c.build.bound.instruments[write.target.instrument]
        if instrument.shared == spec.name:
            holds[instrument.name, "mode"] = Hold(instrument.name, "mode", instrument.per_site, spec.name)
        elif spec.sharing == "drive":
            holds[instrument.name, "drive"] = Hold(instrument.name, "drive", instrument.per_site)
    return tuple(holds.values())


def _routes(c: SequenceCompiler, net: str | None, path: Path) -> tuple[Write | SiteWrite, ...]:
    """What connects a net, in the order written."""
    if net is None:
        return ()
    connection = c.build.bound.connections.get(net)
    station = c.build.bound.station
    if connection is None:
        known = c.build.bound.connections
        c.problems.error(
            "N007",
            f"station `{station.model.station}` has no net `{net}`",
            c.file.at(path),
            label=did_you_mean(net, known),
            help=f"nets: {', '.join(known)}" if known else "it has no `connections`",
        )
        return ()
    routes: list[Write | SiteWrite] = []
    values = Values(station, c.frame, c.problems)
    for name, raw in connection.set.items():
        place: Path = ("connections", net, "set", name)
        role, _, prop = name.partition(".")
        found = c.build.bound.roles.get(role)
        spec = c.build.bound.spec(found, prop) if found is not None else None
        if found is None or spec is None:
            continue
        target = c.build.bound.target(found, prop)
        if isinstance(raw, dict):
            sites: dict[str, Constant] = {}
            for site, one in raw.items():
                value = values.property_value(spec, name, one, (*place, site), Scope(c.frame))
                if value is not None and not isinstance(value, Formula):
                    sites[site] = value
            routes.append(SiteWrite(target, sites))
        else:
            value = values.property_value(spec, name, raw, place, Scope(c.frame))
            if value is not None:
                routes.append(Write(target, value))
    return tuple(routes)


# --- measure, compute, check


def _measure(c: SequenceCompiler, step: MeasureStep, path: Path, scope: Scope) -> list[Draft]:
    net, pin, scale = "", "", 1.0
    routes: tuple[Write | SiteWrite, ...] = ()
    if (step.from_ is None) == (step.at is None):
        what = "both `from` and `at`" if step.at is not None else "neither `from` nor `at`"
        c.problems.error(
            "P003",
            f"`measure` reads a property or a net; this has {what}",
            c.file.key((*path, "measure")),
            help="write `from: role.property` or `at: NET`",
        )
        return []
    if step.at is not None:
        routes = _routes(c, step.at, (*path, "at"))
        connection = c.build.bound.connections.get(step.at)
        if connection is None:
            return []
        net, pin, scale = step.at, connection.pin or "", connection.scale
        role, _, prop = connection.read.partition(".")
        bound_role = c.build.bound.roles.get(role)
        spec = c.build.bound.spec(bound_role, prop) if bound_role is not None else None
        if bound_role is None or spec is None:
            return []
        target, label = c.build.bound.target(bound_role, prop), connection.read
    else:
        found = c.property(step.from_ or "", c.file.at((*path, "from")))
        if found is None:
            return []
        (target, spec), label = found, step.from_ or ""
    if spec.get is None:
        c.problems.error("B011", f"`{label}` can be set but not read", c.file.at((*path, "at" if net else "from")))
        return []
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
                "Q007", f"`{label}` is in {own.symbol or 'plain numbers'}: {error.message}", c.file.at((*path, "unit"))
            )
            return []
        if scale != 1.0:
            factor, offset = convert or (1.0, 0.0)
            convert = (factor * scale, offset)
        type_ = Type(type_.kind, unit)
    elif step.unit is not None:
        c.problems.error("P004", f"`{label}` is {type_.kind.value} and has no unit", c.file.key((*path, "unit")))
    if step.samples > 1 and spec.type != "number":
        c.problems.error(
            "P004", f"several readings of {type_.kind.value} have no {step.statistic}", c.file.key((*path, "samples"))
        )
    interval = c.values.duration(step.interval, (*path, "interval"), scope)
    limit = c.limit(step.limit, step.measure, path, scope, type_)
    entry, binding = c.define(step.measure, type_, (*path, "measure"), scope)
    action = MeasureAction(
        target,
        binding,
        unit,
        convert,
        step.samples,
        interval if interval is not None else 0.0,
        step.statistic,
        limit,
        routes,
        net,
        pin,
    )
    claims = c.claims(target, *(route.target for route in routes))
    return _drafts(action, claims=claims, binds=(entry.slot,))


def _compute(c: SequenceCompiler, step: ComputeStep, path: Path, scope: Scope) -> list[Draft]:
    unit = parse_unit(step.unit) if step.unit is not None else None
    formula = c.values.compile(step.value.text, (*path, "value"), scope, unit=unit)
    type_ = formula.type if formula is not None else Type(Kind.NUMBER, unit or PLAIN)
    if type_.kind is Kind.NUMBER and type_.unit is None:
        type_ = Type(Kind.NUMBER, PLAIN)
    if type_.kind is Kind.ANY and unit is not None:
        type_ = Type(Kind.NUMBER, unit)
    limit = c.limit(step.limit, step.compute, path, scope, type_)
    entry, binding = c.define(step.compute, type_, (*path, "compute"), scope)
    if formula is None:
        return []
    return _drafts(ComputeAction(binding, formula, type_.unit, limit), binds=(entry.slot,))


def _check(c: SequenceCompiler, step: CheckStep, path: Path, scope: Scope) -> list[Draft]:
    formula = c.values.condition(step.check, (*path, "check"), scope, live=True)
    message = c.values.text(step.message or "", (*path, "message"), scope)
    if formula is None or message is None:
        return []
    return _drafts(CheckAction(formula, message), claims=c.claims(formula))


# --- values


def _let(c: SequenceCompiler, step: LetStep, path: Path, scope: Scope) -> list[Draft]:
    items: list[tuple[Any, Formula | Constant]] = []
    binds: list[str] = []
    for name, raw in step.let.items():
        place: Path = (*path, "let", name)
        made = _loose_value(c, raw, place, scope)
        if made is None:
            scope.define(name, Type(Kind.ANY, None), kind="let", span=c.file.key(place))
            continue
        value, type_ = made
        known = scope.entries.get(name)
        if known is not None and known.kind == "let":
            if not _same_dimension(known.type, type_):
                c.problems.error(
                    "P005",
                    f"`{name}` was {_described(known.type)} and would become {_described(type_)}",
                    c.file.key(place),
                )
                continue
            if isinstance(value, Formula) and known.type.unit is not None and value.type.unit != known.type.unit:
                again = c.values.compile(raw, place, scope, unit=known.type.unit)
                value = again if again is not None else value
            elif isinstance(value, float) and type_.unit is not None and known.type.unit is not None:
                value = parse_quantity(raw, known.type.unit).value
            entry = known
        else:
            if known is not None and known.kind in ("value", "parameter", "axis"):
                c.problems.error("N012", f"`{name}` is {_role_of(known.kind)} already", c.file.key(place))
            entry = scope.define(name, type_, kind="let", span=c.file.key(place))
        items.append((scope.bind(entry), value))
        binds.append(entry.slot)
    return _drafts(LetAction(tuple(items)), binds=tuple(binds)) if len(items) == len(step.let) else []


def _role_of(kind: str) -> str:
    return {"value": "a measured or computed value", "parameter": "a parameter", "axis": "an axis"}[kind]


def _loose_value(c: SequenceCompiler, raw: Any, path: Path, scope: Scope) -> tuple[Formula | Constant, Type] | None:
    """A value that says its own kind: an expression, a quantity, a switch, or text."""
    if isinstance(raw, bool):
        return raw, Type(Kind.BOOL, None)
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


def _described(type_: Type) -> str:
    return f"{type_.kind.value} in {type_.unit}" if type_.unit is not None and type_.unit.symbol else type_.kind.value


def _record(c: SequenceCompiler, step: RecordStep, path: Path, scope: Scope) -> list[Draft]:
    before = len(c.problems.errors)
    items: list[tuple[str, Any, Unit | None]] = []
    for name, raw in step.record.items():
        value = c.values.json(raw, (*path, "record", name), scope)
        unit = value.type.unit if isinstance(value, Formula) else None
        items.append((name, value, unit))
    return _drafts(RecordAction(tuple(items))) if len(c.problems.errors) == before else []


# --- wait, raw text, code

_NUMERAL = re.compile(r"\s*[-+]?\.?\d")


def _wait(c: SequenceCompiler, step: WaitStep, path: Path, scope: Scope) -> list[Draft]:
    place: Path = (*path, "wait")
    raw = step.wait
    quantity = not isinstance(raw, str) or (bool(_NUMERAL.match(raw)) and not re.search(r"[<>=]", raw))
    if quantity:
        if isinstance(raw, bool):
            c.problems.error("P033", "expected a duration or a condition", c.file.at(place))
            return []
        seconds = c.values.quantity(raw, place, SECOND)
        if seconds is None:
            return []
        if seconds < 0:
            c.problems.error("P030", "a duration cannot be negative", c.file.at(place))
            return []
        return _drafts(WaitAction(seconds, None))
    formula = c.values.compile(raw, place, scope, live=True)
    if formula is None:
        return []
    claims = c.claims(formula)
    if formula.type.kind is Kind.NUMBER:
        seconds_formula = c.values.number("{{" + formula.text + "}}", place, scope, SECOND)
        return [] if seconds_formula is None else _drafts(WaitAction(seconds_formula, None), claims=claims)
    if formula.type.kind not in (Kind.BOOL, Kind.ANY):
        c.problems.error(
            "P033", f"expected a duration or a condition, found {formula.type.kind.value}", c.file.at(place)
        )
        return []
    if step.timeout is None:
        c.problems.error(
            "P031", "waiting for a condition needs a `timeout`", c.file.key(place), help="add `timeout: 5 min`, say"
        )
    poll = c.values.duration(step.poll, (*path, "poll"), scope) if step.poll is not None else None
    return _drafts(WaitAction(None, formula, poll), claims=claims)


def _command(c: SequenceCompiler, step: CommandStep, path: Path, scope: Scope) -> list[Draft]:

    drafts = []
    for role, raw in step.command.items():
        place: Path = (*path, "command", role)
        instrument = _instrument(c, role, place)
        text = c.values.text(raw, place, scope)
        if instrument is not None and text is not None:
            drafts.append(Draft(CommandAction(instrument, text), role, c.claims(instrument)))
    return drafts


def _instrument(c: SequenceCompiler, role: str, path: Path) -> str | None:
    found = c.roles.get(role)
    if found is None:
        known = c.roles
        c.problems.error(
            "N002",
            f"unknown role `{role}`",
            c.file.key(path),
            label=did_you_mean(role, known),
            help=f"roles here: {', '.join(known)}" if known else "declare it under `needs`",
        )
        return None
    return found.instrument


def _query(c: SequenceCompiler, step: QueryStep, path: Path, scope: Scope) -> list[Draft]:
    role, raw = next(iter(step.query.items()))
    place: Path = (*path, "query", role)
    instrument = _instrument(c, role, place)
    text = c.values.text(raw, place, scope)
    unit = parse_unit(step.unit) if step.unit is not None else None
    type_ = Type(Kind.NUMBER, unit) if unit is not None else TEXT
    limit = None
    if step.limit is not None or step.store is not None:
        limit = c.limit(step.limit, step.store, path, scope, type_, warn=False)
    elif unit is not None:
        c.problems.error("P006", "a reply with a unit needs a name: add `store:`", c.file.key((*path, "unit")))
    binding = None
    binds: list[str] = []
    if step.store is not None:
        entry, binding = c.define(step.store, type_, (*path, "store"), scope)
        binds.append(entry.slot)
    groups = []
    for name in re.compile(step.expect).groupindex if step.expect is not None else ():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            c.problems.error("N008", f"group `{name}` is not a name", c.file.at((*path, "expect")))
            continue
        entry, one = c.define(name, TEXT, (*path, "expect"), scope)
        groups.append(one)
        binds.append(entry.slot)
    if instrument is None or text is None:
        return []
    action = QueryAction(instrument, text, binding, tuple(groups), step.expect, unit, limit)
    return _drafts(action, claims=c.claims(instrument), binds=tuple(binds))


def _python(c: SequenceCompiler, step: PythonStep, path: Path, scope: Scope) -> list[Draft]:
    module, _, function = step.python.partition(":")
    if module not in c.build.plugins:
        c.problems.error(
            "P007",
            f"`{module}` is not among the project's plugins",
            c.file.at((*path, "python")),
            label=did_you_mean(module, c.build.plugins),
            help="name it under `plugins:` in benchwright.yaml; only modules named there are run",
        )
    before = len(c.problems.errors)
    arguments = {name: c.values.json(raw, (*path, "args", name), scope) for name, raw in step.args.items()}
    unit = parse_unit(step.unit) if step.unit is not None else None
    type_ = Type(Kind.NUMBER, unit) if unit is not None else Type(Kind.ANY, None)
    limit = None
    if step.limit is not None or step.store is not None:
        limit = c.limit(step.limit, step.store, path, scope, type_, warn=False)
    binding = None
    binds: list[str] = []
    if step.store is not None:
        entry, binding = c.define(step.store, type_, (*path, "store"), scope)
        binds.append(entry.slot)
    if len(c.problems.errors) > before:
        return []
    action = PythonAction(module, function, str(c.build.root), arguments, binding, unit, limit)
    return _drafts(action, binds=tuple(binds))
