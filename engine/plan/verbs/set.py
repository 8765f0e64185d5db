"""`set`: properties in a state, one node for each instrument, in written order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from engine.core.bench import PropertySpec
from engine.core.errors import EvaluationFailed
from engine.plan.compiler import SequenceCompiler
from engine.plan.drafts import At, Draft
from engine.plan.model import Formula, Hold, SetAction, SiteWrite, Write
from engine.plan.names import Entry, Scope
from engine.plan.wiring import Net
from schemas.diagnostics import did_you_mean
from schemas.quantity import format_quantity
from schemas.source import Path, Span
from schemas.steps import SetStep

MOST_CHECKED = 10_000
"""How many values of an axis are checked against ranges and guards before the run; more are checked as they come."""


def compile_set(c: SequenceCompiler, step: SetStep, at: At) -> list[Draft]:
    if step.ramp is not None:
        c.problems.error("P001", "`ramp` is not supported yet", c.file.key(at.place("ramp")), help="remove it for now")
    writes: list[tuple[Write, PropertySpec]] = []
    failed = False
    for name, raw in step.set.items():
        write = _write(c, name, raw, at.place("set", name), at.scope)
        if write is None:
            failed = True
        else:
            writes.append(write)
    routes: tuple[Write | SiteWrite, ...] = ()
    if step.at is not None:
        net = find_net(c, step.at, at.place("at"))
        routes = net.routes if net is not None else ()
    until = None
    if step.until is not None:
        until = c.values.condition(step.until, at.place("until"), at.scope, live=True)
    elif step.poll is not None:
        c.problems.error(
            "P032", "`poll` says how often `until` is looked at; there is no `until`", c.file.key(at.place("poll"))
        )
    poll = c.values.duration(step.poll, at.place("poll"), at.scope) if step.poll is not None else None
    settle = c.values.duration(step.settle, at.place("settle"), at.scope)
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
        touched = [instrument, *(route.target for route in mine), action.until]
        drafts.append(Draft(action, instrument, c.claims(*touched), _holds(c, run)))
    return drafts


def _write(c: SequenceCompiler, name: str, raw: object, path: Path, scope: Scope) -> tuple[Write, PropertySpec] | None:
    found = c.property(name, c.file.key(path))
    if found is None:
        return None
    target, spec = found
    if spec.set is None:
        c.problems.error("B012", f"`{name}` can be read but not set", c.file.key(path))
        return None
    guard = c.build.bound.guard(target)
    value = c.values.property_value(spec, name, raw, path, scope, guard=guard)
    if value is None:
        return None
    if isinstance(value, Formula) and spec.type == "number":
        _check_along_axis(c, spec, name, value, path, scope, guard)
    return Write(target, value), spec


def _check_along_axis(
    c: SequenceCompiler,
    spec: PropertySpec,
    name: str,
    formula: Formula,
    path: Path,
    scope: Scope,
    guard: Span | None,
) -> None:
    """A value that depends on one axis is checked at all its points before anything moves."""
    unknown = formula.names - c.frame.constants.keys()
    axis = scope.entry_of(next(iter(unknown))) if len(unknown) == 1 else None
    if axis is None or not axis.is_open_axis or axis.values is None or not scope.sure or formula.live:
        return
    environment = dict(c.frame.constants)
    for value in axis.values[:MOST_CHECKED]:
        environment[axis.slot] = value
        try:
            found = formula.fn(environment)
        except (ArithmeticError, ValueError, EvaluationFailed):
            return  # told when it happens: the point may never be reached
        if c.values.checked(spec, name, float(found), path, guard, where=_where(axis, value)) is None:
            return


def _where(axis: Entry, value: object) -> str:
    text = format_quantity(value, axis.type.unit or "") if isinstance(value, float) else str(value)
    return f"where `{axis.name}` is {text}"


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


def find_net(c: SequenceCompiler, name: str, path: Path) -> Net | None:
    """A net of the station; None where it is unknown or has problems of its own."""
    nets = c.build.nets
    if name not in nets:
        c.problems.error(
            "N007",
            f"station `{c.build.bound.station.model.station}` has no net `{name}`",
            c.file.at(path),
            label=did_you_mean(name, nets),
            help=f"nets: {', '.join(nets)}" if nets else "it has no `connections`",
        )
        return None
    return nets[name]
