"""Compiles the steps that hold other steps: groups, loops, branches, calls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.expr import Kind, Type
from engine.plan.drafts import MOST_NODES, Draft, Ids, Inherited
from engine.plan.limits import Part
from engine.plan.model import (
    Amount,
    AxisPlan,
    Formula,
    GroupAction,
    IfAction,
    LoopSlots,
    ParallelAction,
    RepeatAction,
    SearchPlan,
    SetAction,
    Steps,
    SweepAction,
)
from engine.plan.names import Entry, Loop, Scope
from engine.plan.order import check_unordered_sets, targets_set
from engine.plan.sweep import AxisValues, ProductPoints, axis_values
from engine.plan.values import PLAIN, on_off
from schemas.diagnostics import did_you_mean
from schemas.quantity import QuantityError, Unit, parse_quantity, parse_unit
from schemas.source import Path
from schemas.steps import (
    CallStep,
    GroupStep,
    IfStep,
    ParallelStep,
    RepeatStep,
    Step,
    SweepStep,
)
from schemas.sweep import Find, SearchAxis

if TYPE_CHECKING:
    from engine.plan.compiler import SequenceCompiler

UNKNOWN_ROUNDS = 1_000_000


def compile_flow(
    c: SequenceCompiler, step: Step, path: Path, scope: Scope, node_id: str, ids: Ids, inherited: Inherited
) -> list[Draft]:
    """The action of a step that holds others; empty where it has problems."""
    match step:
        case GroupStep():
            return _group(c, step, path, scope, node_id, inherited)
        case SweepStep():
            return _sweep(c, step, path, scope, node_id, ids, inherited)
        case RepeatStep():
            return _repeat(c, step, path, scope, node_id, ids, inherited)
        case IfStep():
            return _if(c, step, path, scope, node_id, inherited)
        case ParallelStep():
            return _parallel(c, step, path, scope, node_id, inherited)
        case CallStep():
            from engine.plan.call import compile_call

            return compile_call(c, step, path, scope, node_id)
        case _:
            return []


def draft(action: Any, **more: Any) -> list[Draft]:

    return [Draft(action, **more)]


def _body_ids(step: Step, node_id: str, ids: Ids) -> Ids:
    """A loop without an id of its own leaves no trace in its steps' ids."""

    return Ids(node_id) if step.id is not None else ids


def _group(
    c: SequenceCompiler, step: GroupStep, path: Path, scope: Scope, node_id: str, inherited: Inherited
) -> list[Draft]:
    block = c.block(
        step.setup,
        step.steps,
        step.cleanup,
        step.monitors,
        path,
        scope,
        node_id,
        inherited.with_(step.defaults),
    )
    held: list[str] = []
    for index, name in enumerate(step.hold):
        role = c.roles.get(name)
        if role is not None:
            held.append(role.instrument)
        elif name not in c.build.bound.resources:
            c.problems.error(
                "N002",
                f"unknown role or resource `{name}`",
                c.file.at((*path, "hold", index)),
                label=did_you_mean(name, [*c.roles, *c.build.bound.resources]),
            )
    return draft(GroupAction(replace(block, hold=c.claims(*held))))


def _if(c: SequenceCompiler, step: IfStep, path: Path, scope: Scope, node_id: str, inherited: Inherited) -> list[Draft]:

    condition = c.values.condition(step.if_, (*path, "if"), scope)
    arms: list[Scope] = []
    lists: list[Steps] = []
    for number, (key, steps) in enumerate((("then", step.then), ("else", step.else_))):
        arm = scope.copy()
        arm.arms = (*scope.arms, (node_id, number))
        if arms:
            arm.reuse = {name: entry for name, entry in arms[0].entries.items() if scope.entries.get(name) is not entry}
        lists.append(c.steps(steps, (*path, key), arm, Ids(f"{node_id}/{key}"), inherited))
        arm.reuse = scope.reuse
        arms.append(arm)
    for name in scope.merge_arms(arms):
        c.problems.error("N016", f"`{name}` is of another kind or unit in the other way", c.file.key((*path, "if")))
    if condition is None:
        return []
    return draft(IfAction(condition, lists[0], lists[1]))


def _parallel(
    c: SequenceCompiler, step: ParallelStep, path: Path, scope: Scope, node_id: str, inherited: Inherited
) -> list[Draft]:

    branches: list[Steps] = []
    scopes: list[Scope] = []
    for number, steps in enumerate(step.parallel):
        branch = scope.copy()
        branches.append(c.steps(steps, (*path, "parallel", number), branch, Ids(f"{node_id}/{number + 1}"), inherited))
        scopes.append(branch)
    for branch in scopes:
        scope.adopt(branch)
    groups = [(n, branch.nodes, (*path, "parallel", n)) for n, branch in enumerate(branches)]
    check_unordered_sets(groups, {}, c.file, c.problems)
    return draft(ParallelAction(tuple(branches)))


# --- loops


def _begin(c: SequenceCompiler, scope: Scope) -> tuple[Loop, Scope]:
    c.frame.loops += 1
    loop = Loop(LoopSlots(), c.frame.loops)
    return loop, scope.copy(loop=loop)


def _stride(c: SequenceCompiler, first: int, most: int, path: Path) -> int:
    """The size of a body compiled since `first`; leaves room for `most` rounds of it."""
    stride = c.build.order - first
    c.build.order = first + stride * max(1, most)
    if c.build.order > MOST_NODES:
        c.problems.error("P012", "this loop, fully expanded, has more steps than can be counted", c.file.at(path))
        c.build.order = first + stride
    return stride


def _sweep(
    c: SequenceCompiler,
    step: SweepStep,
    path: Path,
    scope: Scope,
    node_id: str,
    ids: Ids,
    inherited: Inherited,
) -> list[Draft]:
    before = len(c.problems.errors)
    loop, body = _begin(c, scope)
    dimensions, search = _dimensions(c, step, path, scope, body)
    extra = _extra_points(c, step, path, scope, dimensions)
    axes = {name: entry for name, entry in body.entries.items() if entry.kind == "axis" and entry.loop is loop}
    exclude = _exclude(c, step, path, body, axes)
    points = ProductPoints(
        tuple(dimensions), tuple(extra), exclude, c.frame.constants, step.order, f"{c.build.seed}:{node_id}"
    )
    if step.stop_when is not None and step.order in ("fastest", "random"):
        c.problems.error(
            "P014",
            f"`stop_when` needs an innermost axis in order; `order: {step.order}` has none",
            c.file.key((*path, "stop_when")),
        )
    if search is not None and (step.order in ("fastest", "random") or step.points or step.exclude):
        c.problems.error("P015", "a search takes no `order`, `points` or `exclude`", c.file.key((*path, "sweep")))
    first = c.build.order
    nodes = c.steps(step.each, (*path, "each"), body, _body_ids(step, node_id, ids), inherited)
    plan = None
    most = points.size
    if search is not None:
        plan = _search(c, search[0], search[1], path, scope, body)
        most *= plan.most if plan is not None else 1
    stride = _stride(c, first, most, path)
    stop_when = None
    if step.stop_when is not None:
        stop_when = c.values.condition(step.stop_when, (*path, "stop_when"), body)
    if step.order == "fastest":
        points.slow = frozenset(_slow_axes(c, nodes, points.axes))
    scope.after_loop(body, loop, axes.values())
    if len(c.problems.errors) > before:
        return []
    return draft(SweepAction(points, plan, nodes, stride, loop.slots, stop_when, loop.changed))


def _dimensions(
    c: SequenceCompiler, step: SweepStep, path: Path, scope: Scope, body: Scope
) -> tuple[list[tuple[AxisValues, ...]], tuple[str, Find] | None]:
    """The axes, defined in the body; and the search axis, which must be the last."""
    dimensions: list[tuple[AxisValues, ...]] = []
    search: tuple[str, Find] | None = None
    last = list(step.sweep)[-1]
    for name, axis in step.sweep.items():
        place: Path = (*path, "sweep", name)
        if isinstance(axis, SearchAxis):
            if name != last or search is not None:
                c.problems.error("P016", "a search must be the last axis of a sweep", c.file.key(place))
            search = (name, axis.find)
            unit = search_unit(c, axis.find, (*place, "find"), scope)
            _define_axis(c, name, Type(Kind.NUMBER, unit), place, body)
            continue
        members = list(axis.items()) if isinstance(axis, dict) else [(name, axis)]
        zipped: list[AxisValues] = []
        for member, values in members:
            inner: Path = (*place, member) if isinstance(axis, dict) else place
            found = axis_values(member, values, inner, c.values, scope)
            type_ = found.type if found is not None else Type(Kind.ANY, None)
            entry = _define_axis(c, member, type_, inner, body)
            if found is not None:
                zipped.append(AxisValues(replace(found.plan, slot=entry.slot), found.type, found.values))
        lengths = {len(one.values) for one in zipped}
        if len(lengths) > 1:
            c.problems.error(
                "P017",
                "zipped axes must have the same number of values: "
                + ", ".join(f"`{one.plan.name}` has {len(one.values)}" for one in zipped),
                c.file.key(place),
            )
        if zipped:
            dimensions.append(tuple(zipped))
    return dimensions, search


def _define_axis(c: SequenceCompiler, name: str, type_: Type, path: Path, body: Scope) -> Entry:
    known = body.entries.get(name)
    if (
        known is not None
        and known.kind in ("axis", "parameter")
        and (known.kind == "parameter" or known.series_of is None)
    ):
        what = "a parameter" if known.kind == "parameter" else "an axis around this sweep"
        c.problems.error("N012", f"`{name}` is {what} already", c.file.key(path), help="give the axis another name")
    return body.define(name, type_, kind="axis", span=c.file.key(path))


def _extra_points(
    c: SequenceCompiler, step: SweepStep, path: Path, scope: Scope, dimensions: Sequence[tuple[AxisValues, ...]]
) -> list[tuple[float | str | bool, ...]]:
    axes = {axis.plan.name: axis for dimension in dimensions for axis in dimension}
    extra: list[tuple[float | str | bool, ...]] = []
    for number, point in enumerate(step.points):
        place: Path = (*path, "points", number)
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
        values: list[float | str | bool] = []
        for name, axis in axes.items():
            raw = point[name]
            value: Part
            if axis.type.kind is Kind.NUMBER:
                value = c.values.number(raw, (*place, name), scope, axis.plan.unit)
            elif axis.type.kind is Kind.BOOL:
                value = on_off(raw)
            else:
                value = str(raw)
            if isinstance(value, float | str | bool):
                values.append(value)
        if len(values) == len(axes):
            extra.append(tuple(values))
    return extra


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


def _search(c: SequenceCompiler, name: str, find: Find, path: Path, scope: Scope, body: Scope) -> SearchPlan | None:
    entry = body.entries.get(name)
    place: Path = (*path, "sweep", name, "find")
    unit = entry.type.unit if entry is not None else None
    start = c.values.number(find.from_, (*place, "from"), scope, unit)
    stop = c.values.number(find.to, (*place, "to"), scope, unit)
    within = c.values.number(find.within, (*place, "within"), scope, unit, difference=True)
    where = c.values.condition(find.where, (*place, "where"), body)
    if start is None or stop is None or within is None or where is None or entry is None:
        return None
    if isinstance(within, float) and within <= 0:
        c.problems.error("P019", "`within` must be more than zero", c.file.at((*place, "within")))
        return None
    most = 64
    if isinstance(start, float) and isinstance(stop, float) and isinstance(within, float):
        if start == stop:
            c.problems.error("P019", "this search has no range: `from` equals `to`", c.file.at((*place, "to")))
            return None
        most = max(0, math.ceil(math.log2(abs(stop - start) / within))) + 4
    return SearchPlan(AxisPlan(name, entry.slot, unit), start, stop, within, where, most)


def search_unit(c: SequenceCompiler, find: Find, path: Path, scope: Scope) -> Unit:
    """The unit of a search axis: its own, else that of the first end that has one."""
    if find.unit is not None:
        return parse_unit(find.unit)
    for raw in (find.from_, find.to):
        if isinstance(raw, str) and "{{" not in raw:
            try:
                return parse_quantity(raw).unit
            except QuantityError:
                continue
        if isinstance(raw, str):
            formula = c.values.compile(raw, (*path, "from"), scope)
            if formula is not None and formula.type.unit is not None:
                return formula.type.unit
    return PLAIN


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


def _repeat(
    c: SequenceCompiler,
    step: RepeatStep,
    path: Path,
    scope: Scope,
    node_id: str,
    ids: Ids,
    inherited: Inherited,
) -> list[Draft]:
    count: Amount | None
    if isinstance(step.repeat, int):
        count = float(step.repeat)
    else:
        count = c.values.number(
            "{{" + step.repeat.text.strip().removeprefix("{{").removesuffix("}}") + "}}",
            (*path, "repeat"),
            scope,
            PLAIN,
        )
    if isinstance(count, float) and (count < 1 or count != int(count)):
        c.problems.error("P011", "how often must be a whole number, at least 1", c.file.at((*path, "repeat")))
        return []
    if step.until is not None and step.while_ is not None:
        c.problems.error("P034", "a loop has `until` or `while`, not both", c.file.key((*path, "while")))
    while_ = None
    if step.while_ is not None:
        while_ = c.values.condition(step.while_, (*path, "while"), scope, live=True)
    every = c.values.duration(step.every, (*path, "every"), scope) if step.every is not None else None
    loop, body = _begin(c, scope)
    iteration = body.define("iteration", Type(Kind.NUMBER, PLAIN), kind="context")
    first = c.build.order
    nodes = c.steps(step.each, (*path, "each"), body, _body_ids(step, node_id, ids), inherited)
    most = int(count) if isinstance(count, float) else UNKNOWN_ROUNDS
    stride = _stride(c, first, most, path)
    until = None
    if step.until is not None:
        until = c.values.condition(step.until, (*path, "until"), body, live=True)
    scope.after_loop(body, loop, ())
    if count is None:
        return []
    claims = c.claims(until, while_)
    return draft(
        RepeatAction(count, most, until, while_, every, nodes, stride, loop.slots, iteration.slot), claims=claims
    )
