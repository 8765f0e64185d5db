"""`sweep`: a body at every point of one or several axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.core.errors import EvaluationFailed
from engine.expr import Kind, Type
from engine.plan.compiler import SequenceCompiler
from engine.plan.drafts import At, Draft
from engine.plan.model import AxisPlan, Formula, SetAction, Steps, SweepAction
from engine.plan.names import Entry, Scope
from engine.plan.order import targets_set
from engine.plan.sweep import KNOWN_HELP, MOST_SHUFFLED, AxisValue, AxisValues, ProductPoints, axis_values
from engine.plan.values import on_off
from engine.plan.verbs.loops import begin, body_ids, stride
from engine.plan.verbs.search import compile_search, search_unit
from schemas.diagnostics import did_you_mean
from schemas.source import Path
from schemas.steps import SweepStep
from schemas.sweep import Find, SearchAxis

MOST_TRIED = 10_000
"""How many points `exclude` is tried on before the run."""


def compile_sweep(c: SequenceCompiler, step: SweepStep, at: At) -> list[Draft]:
    before = len(c.problems.errors)
    loop, body = begin(c, at.scope)
    dimensions, search = _dimensions(c, step, at, body)
    extra = _extra_points(c, step, at, dimensions)
    axes = {name: body.entries[name] for name in body.changed if body.entries[name].kind == "axis"}
    exclude = _exclude(c, step, at.path, body, axes)
    points = ProductPoints(
        tuple(dimensions), tuple(extra), exclude, c.frame.constants, step.order, f"{c.build.seed}:{at.node_id}"
    )
    _check_options(c, step, at.path, points, search is not None)
    if len(c.problems.errors) == before:
        _try_exclude(c, points, at.place("exclude"))
    first = c.build.order
    nodes = c.steps(step.each, at.place("each"), body, body_ids(step, at), at.inherited)
    plan = None
    most = points.size
    if search is not None:
        plan = compile_search(c, search[0], search[1], at.place("sweep", search[0], "find"), at.scope, body)
        most *= plan.most if plan is not None else 1
    size = stride(c, first, most, at.place("sweep"))
    stop_when = None
    if step.stop_when is not None:
        stop_when = c.values.condition(step.stop_when, at.place("stop_when"), body)
    if step.order == "fastest":
        points.slow = frozenset(_slow_axes(c, nodes, points.axes))
    at.scope.after_loop(body, loop, axes.values())
    if len(c.problems.errors) > before:
        return []
    return [Draft(SweepAction(points, plan, nodes, size, loop.slots, stop_when, loop.changed))]


def _check_options(c: SequenceCompiler, step: SweepStep, path: Path, points: ProductPoints, searches: bool) -> None:
    """Orders, stops and searches that do not go together."""
    if step.stop_when is not None and step.order in ("fastest", "random"):
        c.problems.error(
            "P014",
            f"`stop_when` needs an innermost axis in order; `order: {step.order}` has none",
            c.file.key((*path, "stop_when")),
            help="leave out one of the two",
        )
    given = [key for key in ("points", "exclude", "stop_when") if getattr(step, key)]
    if step.order in ("fastest", "random"):
        given.append("order")
    if searches and given:
        c.problems.error(
            "P015",
            f"a search chooses its points itself: it takes no `{given[0]}`",
            c.file.key((*path, given[0])),
            help="put the search into a sweep of its own",
        )
    if step.order == "random" and points.size > MOST_SHUFFLED:
        c.problems.error(
            "P011",
            f"at most {MOST_SHUFFLED:,} points can be visited in random order, these are {points.size:,}",
            c.file.at((*path, "order")),
        )


def _dimensions(
    c: SequenceCompiler, step: SweepStep, at: At, body: Scope
) -> tuple[list[tuple[AxisValues, ...]], tuple[str, Find] | None]:
    """The axes, defined in the body; and the search axis, which must be the last."""
    dimensions: list[tuple[AxisValues, ...]] = []
    search: tuple[str, Find] | None = None
    last = list(step.sweep)[-1]
    for name, axis in step.sweep.items():
        place = at.place("sweep", name)
        if isinstance(axis, SearchAxis):
            if name != last or search is not None:
                c.problems.error(
                    "P016",
                    "a search must be the last axis of a sweep",
                    c.file.key(place),
                    help="the axes above it are stepped through; it finds the edge at each of their points",
                )
            search = (name, axis.find)
            unit = search_unit(c, axis.find, (*place, "find"), at.scope)
            _define_axis(c, name, Type(Kind.NUMBER, unit), place, body)
            continue
        members = list(axis.items()) if isinstance(axis, dict) else [(name, axis)]
        zipped: list[AxisValues] = []
        for member, values in members:
            inner: Path = (*place, member) if isinstance(axis, dict) else place
            before = len(c.problems.errors)
            found = axis_values(member, values, inner, c.values, at.scope)
            type_ = found.type if found is not None else Type(Kind.ANY, None)
            if found is None and len(c.problems.errors) == before:
                continue
            entry = _define_axis(c, member, type_, inner, body)
            if found is not None:
                if step.exclude is None and step.stop_when is None:
                    entry.values = found.values
                zipped.append(AxisValues(replace(found.plan, slot=entry.slot), found.type, found.values))
        lengths = {len(one.values) for one in zipped}
        if len(lengths) > 1:
            c.problems.error(
                "P017",
                "zipped axes must have the same number of values: "
                + ", ".join(f"`{one.plan.name}` has {len(one.values)}" for one in zipped),
                c.file.key(place),
            )
            zipped = [replace(one, values=one.values[: min(lengths)]) for one in zipped]
        if zipped:
            dimensions.append(tuple(zipped))
    return dimensions, search


def _define_axis(c: SequenceCompiler, name: str, type_: Type, path: Path, body: Scope) -> Entry:
    c.check_name(name, c.file.key(path), body, again=("series",))
    return body.define(name, type_, kind="axis", span=c.file.key(path))


def _extra_points(
    c: SequenceCompiler, step: SweepStep, at: At, dimensions: Sequence[tuple[AxisValues, ...]]
) -> list[tuple[AxisValue, ...]]:
    axes = {axis.plan.name: axis for dimension in dimensions for axis in dimension}
    extra: list[tuple[AxisValue, ...]] = []
    for number, point in enumerate(step.points):
        place = at.place("points", number)
        missing = [name for name in axes if name not in point]
        for name in point:
            if name not in axes:
                c.problems.error(
                    "N009",
                    f"`{name}` is no axis of this sweep",
                    c.file.key((*place, name)),
                    label=did_you_mean(name, axes),
                )
        if missing:
            c.problems.error(
                "P018", f"a point needs a value for every axis; missing: {', '.join(missing)}", c.file.at(place)
            )
            continue
        values: list[AxisValue] = []
        for name, axis in axes.items():
            value = _point_value(c, axis, point[name], (*place, name), at.scope)
            if value is not None:
                values.append(value)
        if len(values) == len(axes):
            extra.append(tuple(values))
    return extra


def _point_value(c: SequenceCompiler, axis: AxisValues, raw: object, path: Path, scope: Scope) -> AxisValue | None:
    """The value of one axis at a further point."""
    match axis.type.kind:
        case Kind.NUMBER:
            number = c.values.number(raw, path, scope, axis.plan.unit)
            if isinstance(number, Formula):
                c.problems.error(
                    "P010", "the points of a sweep must be known before the run", c.file.at(path), help=KNOWN_HELP
                )
                return None
            return number
        case Kind.BOOL:
            switch = on_off(raw)
            if switch is None:
                c.problems.error("P054", f"expected on, off, true or false, found `{raw}`", c.file.at(path))
            return switch
        case _:
            if not isinstance(raw, str):
                c.problems.error("P054", "expected text: put it in quotes", c.file.at(path))
                return None
            return raw


def _exclude(c: SequenceCompiler, step: SweepStep, path: Path, body: Scope, axes: dict[str, Entry]) -> Formula | None:
    if step.exclude is None:
        return None
    formula = c.values.condition(step.exclude, (*path, "exclude"), body)
    if formula is None:
        return None
    allowed = {entry.slot for entry in axes.values()} | c.frame.constants.keys()
    if not formula.names <= allowed:
        c.problems.error(
            "P013",
            "points are left out before the run: `exclude` can use axes and parameters only",
            c.file.at((*path, "exclude")),
        )
        return None
    return formula


def _try_exclude(c: SequenceCompiler, points: ProductPoints, path: Path) -> None:
    """What goes wrong with `exclude` goes wrong now, and a sweep that it leaves nothing of is told."""
    if points.exclude is None or points.size > MOST_TRIED:
        return
    try:
        kept = points.count()
    except EvaluationFailed as error:
        c.problems.error("X030", f"this has no value at some point: {error.message}", c.file.at(path), help=error.help)
        return
    if not kept:
        c.problems.error("P013", "`exclude` leaves out every point of this sweep", c.file.at(path))


def _slow_axes(c: SequenceCompiler, nodes: Steps, axes: Sequence[AxisPlan]) -> list[str]:
    """Axes that a shared property (a chamber's setpoint) is set from: their changes are worth saving."""
    slow: list[str] = []
    for node in nodes.nodes:
        for target, inner in targets_set(node):
            instrument = c.build.bound.instruments[target.instrument]
            spec = instrument.properties[target.property]
            if instrument.shared != target.property and spec.sharing != "mode":
                continue
            assert isinstance(inner.action, SetAction)
            for write in inner.action.writes:
                if write.target == target and isinstance(write.value, Formula):
                    slow += [axis.slot for axis in axes if axis.slot in write.value.names]
    return slow
