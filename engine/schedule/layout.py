"""Lays out one unit of a plan as tasks: loops point by point, groups with what they hold, in the order the plan allows."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.core.errors import EvaluationFailed
from engine.plan.model import (
    BarrierAction,
    Block,
    CallAction,
    Formula,
    GroupAction,
    IfAction,
    MeasureAction,
    Node,
    ParallelAction,
    Plan,
    ReleaseAction,
    RepeatAction,
    SetAction,
    Steps,
    SweepAction,
    WaitAction,
)
from engine.schedule.estimate import Estimate
from engine.schedule.problem import TICK_S, Ticks

MOST_SEGMENTS = 400
"""Points of a sweep that are put in order freely; with more, the order of visit stays."""
ASSUMED_S = 0.02
"""What talking to an instrument takes where nothing is known."""
P90 = 1.2816
"""Standard deviations from the mean to what nine of ten do not exceed."""

Claimed = tuple[str, bool]
"""(resource, whether the unit's own is meant)"""


@dataclass(slots=True)
class Draft:
    """A task of one unit."""

    id: str
    node: str
    order: int
    duration: Ticks
    p90: Ticks
    predecessors: tuple[int, ...]
    claims: dict[Claimed, int]
    helper: bool = False


@dataclass(frozen=True, slots=True)
class DraftSpan:
    resource: str
    first: int
    last: int
    amount: int


@dataclass(frozen=True, slots=True)
class DraftHold:
    mode: int
    value: Hashable | None
    """None: known only in the run."""
    first: int
    last: int
    node: str
    """Id of the template node that asks."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of points that a free sweep visits together."""

    index: int
    """Written index of its first point."""
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class DraftSweep:
    node: str
    points: tuple[Segment, ...]


@dataclass(slots=True)
class Layout:
    """One unit as tasks."""

    drafts: list[Draft] = field(default_factory=list)
    spans: list[DraftSpan] = field(default_factory=list)
    modes: list[tuple[str, str]] = field(default_factory=list)
    """(instrument, property)"""
    holds: list[DraftHold] = field(default_factory=list)
    sweeps: list[DraftSweep] = field(default_factory=list)
    barriers: list[tuple[int, int]] = field(default_factory=list)
    """(task that arrives, task that goes on)"""
    queue: tuple[int, int] | None = None
    """First and last task, where units queue for a site."""


def lay_out(plan: Plan, estimates: Mapping[str, Estimate], most: int, *, queue: bool) -> Layout:
    """One unit of the plan in about `most` tasks or fewer."""
    coarseness = 1
    while coarseness < 1 << 40 and _count_block(plan.root, coarseness) > most:
        coarseness *= 2
    return _Layouter(plan, estimates, coarseness).lay_out(queue)


def axis_text(value: Any) -> str:
    """An axis value as node ids spell it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value + 0.0:.12g}" if isinstance(value, float | int) else str(value)


# --- how large


def _count_block(block: Block, coarseness: int) -> int:
    return sum(_count(steps, coarseness) for steps in (block.setup, block.steps, block.cleanup)) + 2


def _count(steps: Steps, coarseness: int) -> int:
    return sum(_count_node(node, coarseness) for node in steps.nodes)


def _count_node(node: Node, coarseness: int) -> int:
    match node.action:
        case GroupAction() | CallAction():
            return _count_block(node.action.block, coarseness)
        case IfAction():
            return max(_count(node.action.then, coarseness), _count(node.action.otherwise, coarseness))
        case ParallelAction():
            return sum(_count(branch, coarseness) for branch in node.action.branches) + 1
        case SweepAction() | RepeatAction():
            return -(-rounds(node.action) // _step(node.action, coarseness)) * _count(node.action.body, coarseness)
        case _:
            return 1


def _step(action: SweepAction | RepeatAction, coarseness: int) -> int:
    """How many points one stands for: those that change a mode are kept apart as long as possible."""
    if coarseness > 1 and has_mode(action.body):
        return max(1, coarseness >> 12)
    return coarseness


def has_mode(steps: Steps) -> bool:
    """Whether something in it asks for the value of a mode."""
    for node in steps.nodes:
        if any(hold.kind == "mode" and not hold.per_site for hold in node.holds):
            return True
        if any(has_mode(inner) for inner in _inner(node)):
            return True
    return False


def _inner(node: Node) -> tuple[Steps, ...]:
    match node.action:
        case GroupAction() | CallAction():
            return (node.action.block.setup, node.action.block.steps, node.action.block.cleanup)
        case IfAction():
            return (node.action.then, node.action.otherwise)
        case ParallelAction():
            return node.action.branches
        case SweepAction() | RepeatAction():
            return (node.action.body,)
        case _:
            return ()


def rounds(action: SweepAction | RepeatAction) -> int:
    """How often the body runs; a guess where only the run will tell."""
    if isinstance(action, SweepAction):
        count = action.points.count()
        return count * action.search.most if action.search is not None else count
    count = int(action.count) if isinstance(action.count, float | int) else min(action.most, 2)
    return max(1, count // 2) if (action.until is not None or action.while_ is not None) and count > 1 else count


# --- the layout


@dataclass(slots=True)
class _Scope:
    """One group or call: what was begun in it ends with it."""

    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Resource → (first task, amount)."""
    modes: set[int] = field(default_factory=set)
    cleanup: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the plan: values of the loops around, their labels, and how much they add to the order of a node."""

    values: Mapping[str, Any]
    labels: str = ""
    shift: int = 0
    times: int = 1
    """Executions that one task stands for."""


class _Layouter:
    def __init__(self, plan: Plan, estimates: Mapping[str, Estimate], coarseness: int) -> None:
        self.plan = plan
        self.estimates = estimates
        self.coarseness = coarseness
        self.out = Layout()
        self.scopes: list[_Scope] = []
        self.open_modes: dict[int, tuple[Hashable | None, int, str]] = {}
        """Mode → (value, first task, template node) of the hold that is open."""
        self.ids: dict[str, int] = {}

    def lay_out(self, queue: bool) -> Layout:
        place = _Place(dict(self.plan.environment))
        begin = [self._helper("begin", "", 0, ())] if queue else []
        exits = self._block(self.plan.root, begin, place, None)
        if queue:
            end = self._joined(exits, "end", place)
            self.out.queue = (begin[0], end)
        return self.out

    # -- tasks

    def _helper(self, id: str, node: str, order: int, before: Sequence[int]) -> int:
        """A task of no time that ties others together."""
        index = self._add(id, node, order, 0, 0, before, {})
        self.out.drafts[index].helper = True
        return index

    def _add(
        self,
        id: str,
        node: str,
        order: int,
        duration: Ticks,
        p90: Ticks,
        before: Sequence[int],
        claims: dict[Claimed, int],
    ) -> int:
        number = self.ids.get(id, 0)
        self.ids[id] = number + 1
        unique = id if not number else f"{id}~{number + 1}"
        self.out.drafts.append(Draft(unique, node, order, duration, p90, tuple(dict.fromkeys(before)), claims))
        return len(self.out.drafts) - 1

    def _joined(self, exits: Sequence[int], id: str, place: _Place) -> int:
        """One task at which all of these are over."""
        if len(exits) == 1:
            return exits[0]
        order = max((self.out.drafts[index].order for index in exits), default=place.shift)
        return self._helper(f"{id}{_suffix(place)}/over", id, order, exits)

    # -- lists and blocks

    def _steps(self, steps: Steps, before: list[int], place: _Place) -> list[int]:
        if steps.waits is None:
            for node in steps.nodes:
                before = self._node(node, before, place)
            return before
        exits: dict[int, list[int]] = {}
        waiting = list(range(len(steps.nodes)))
        while waiting:
            number = next((k for k in waiting if all(other in exits for other in steps.waits[k])), waiting[0])
            waiting.remove(number)
            entry = [task for other in steps.waits[number] for task in exits.get(other, ())] or before
            exits[number] = self._node(steps.nodes[number], list(dict.fromkeys(entry)), place)
        needed = {other for waits in steps.waits for other in waits}
        last = [task for number, tasks in exits.items() if number not in needed for task in tasks]
        return list(dict.fromkeys(last)) or before

    def _block(self, block: Block, before: list[int], place: _Place, node: Node | None) -> list[int]:
        scope = _Scope()
        self.scopes.append(scope)
        name = node.id if node is not None else "root"
        held = [claim for claim in block.hold if not claim.per_site and not self._held(claim.resource)]
        if held:
            order = (node.order if node is not None else 0) + place.shift
            first = self._add(f"{name}{_suffix(place)}/hold", name + _suffix(place), order, 0, 0, before, {})
            before = [first]
            for claim in held:
                scope.spans[claim.resource] = (first, claim.amount)
        before = self._steps(block.setup, before, place)
        before = self._steps(block.steps, before, place)
        scope.cleanup = True
        before = self._steps(block.cleanup, before, place)
        if scope.spans or scope.modes & self.open_modes.keys():
            last = self._joined(before, name, place)
            before = [last]
            for resource in list(scope.spans):
                self._close_span(scope, resource, last)
            for mode in scope.modes & self.open_modes.keys():
                self._close_mode(mode, last)
        self.scopes.pop()
        return before

    def _held(self, resource: str) -> bool:
        return any(resource in scope.spans for scope in self.scopes)

    def _close_span(self, scope: _Scope, resource: str, last: int) -> None:
        first, amount = scope.spans.pop(resource)
        self.out.spans.append(DraftSpan(resource, first, last, amount))

    def _close_mode(self, mode: int, last: int) -> None:
        value, first, node = self.open_modes.pop(mode)
        self.out.holds.append(DraftHold(mode, value, first, last, node))

    # -- nodes

    def _node(self, node: Node, before: list[int], place: _Place) -> list[int]:
        if node.skip is not None:
            return before
        action = node.action
        match action:
            case GroupAction():
                return self._block(action.block, before, place, node)
            case CallAction():
                inner = replace(place, values=self._arguments(action, place))
                return self._block(action.block, before, inner, node)
            case IfAction():
                return self._steps(self._likely(action, place), before, place)
            case ParallelAction():
                exits = [task for branch in action.branches for task in self._steps(branch, before, place)]
                return list(dict.fromkeys(exits)) or before
            case SweepAction():
                return self._sweep(node, action, before, place)
            case RepeatAction():
                return self._repeat(action, before, place)
            case BarrierAction():
                arrive = self._leaf(node, before, place)
                leave = self._leaf(node, [arrive], place)
                self.out.barriers.append((arrive, leave))
                return [leave]
            case ReleaseAction():
                return self._release(node, action, before, place)
            case _:
                return [self._leaf(node, before, place)]

    def _arguments(self, action: CallAction, place: _Place) -> Mapping[str, Any]:
        values = dict(action.constants)
        values.update({slot: place.values[slot] for slot in action.inherited if slot in place.values})
        for slot, value in action.arguments:
            found = _known(value, place)
            if found is not None:
                values[slot] = found
        return values

    def _likely(self, action: IfAction, place: _Place) -> Steps:
        found = None if action.condition.live else _known(action.condition, place)
        if found is not None:
            return action.then if found else action.otherwise
        return max((action.then, action.otherwise), key=self._work)

    def _work(self, steps: Steps) -> float:
        total = 0.0
        for node in steps.nodes:
            inner = _inner(node)
            times = rounds(node.action) if isinstance(node.action, SweepAction | RepeatAction) else 1
            total += times * sum(self._work(one) for one in inner) if inner else self._estimate(node).mean_s
        return total

    def _estimate(self, node: Node) -> Estimate:
        found = self.estimates.get(node.id)
        return found if found is not None else assumed(node)

    def _leaf(self, node: Node, before: list[int], place: _Place) -> int:
        if node.holds:
            before = self._give_up(node, before, place)
        estimate = self._estimate(node)
        mean = estimate.mean_s * place.times
        p90 = estimate.p90_s * place.times
        if place.times > 1 and estimate.spread_s:
            p90 = mean + P90 * estimate.spread_s * place.times**0.5
        modes = [hold for hold in node.holds if hold.kind == "mode" and not hold.per_site]
        if modes:
            mean = p90 = 0.0  # the transition is its duration; who joins waits for nothing
        claims = {
            (claim.resource, claim.per_site): claim.amount
            for claim in node.claims
            if claim.per_site or not self._held(claim.resource)
        }
        for hold in node.holds:
            if hold.kind == "drive" and not hold.per_site:
                claims.pop((hold.resource, False), None)
        suffix = _suffix(place)
        order = node.order + place.shift
        index = self._add(
            node.id + suffix, node.id + suffix, order, round(mean / TICK_S), round(p90 / TICK_S), before, claims
        )
        scope = self.scopes[-1]
        for hold in node.holds:
            if hold.per_site:
                continue
            if hold.kind == "drive":
                if not self._held(hold.resource):
                    scope.spans[hold.resource] = (index, 1)
            elif not scope.cleanup:
                mode = self._mode(hold.resource, hold.property)
                value = self._wanted(node, hold.resource, hold.property, place)
                if mode not in self.open_modes:
                    self.open_modes[mode] = (value, index, node.id)
                    scope.modes.add(mode)
        return index

    def _give_up(self, node: Node, before: list[int], place: _Place) -> list[int]:
        """Who wants another value of a mode drops the one it has."""
        for hold in node.holds:
            if hold.kind != "mode" or hold.per_site:
                continue
            mode = self._mode(hold.resource, hold.property)
            known = self.open_modes.get(mode)
            if known is None:
                continue
            value = self._wanted(node, hold.resource, hold.property, place)
            if self.scopes[-1].cleanup or value is None or value != known[0]:
                before = [self._joined(before, f"{node.id}/before", place)]
                self._close_mode(mode, before[0])
        return before

    def _release(self, node: Node, action: ReleaseAction, before: list[int], place: _Place) -> list[int]:
        index = self._leaf(node, before, place)
        names = {claim.resource for claim in action.claims if not claim.per_site}
        for scope in self.scopes:
            for resource in names & scope.spans.keys():
                self._close_span(scope, resource, index)
        for mode in list(self.open_modes):
            if self.out.modes[mode][0] in names:
                self._close_mode(mode, index)
        return [index]

    def _mode(self, instrument: str, name: str) -> int:
        if (instrument, name) not in self.out.modes:
            self.out.modes.append((instrument, name))
        return self.out.modes.index((instrument, name))

    def _wanted(self, node: Node, instrument: str, name: str, place: _Place) -> Hashable | None:
        if isinstance(node.action, SetAction):
            for write in node.action.writes:
                if write.target.instrument == instrument and write.target.property == name:
                    found = _known(write.value, place)
                    return found if isinstance(found, float | str | bool) else None
        return None

    # -- loops

    def _repeat(self, action: RepeatAction, before: list[int], place: _Place) -> list[int]:
        count = rounds(action)
        step = _step(action, self.coarseness)
        for number in range(0, count, step):
            values = {**place.values, action.iteration_slot: float(number + 1)}
            inner = _point(place, f"iteration={number + 1}", number * action.stride, values, min(step, count - number))
            before = self._steps(action.body, before, inner)
        return before

    def _sweep(self, node: Node, action: SweepAction, before: list[int], place: _Place) -> list[int]:
        step = _step(action, self.coarseness)
        points = action.points
        free = getattr(points, "order", "") == "fastest" and action.search is None and action.stop_when is None
        if free and step == 1 and has_mode(action.body) and 1 < rounds(action) <= MOST_SEGMENTS:
            return self._free_sweep(node, action, before, place)
        for index, inner in self._points(action, place, step):
            if action.search is not None:
                for number in range(0, action.search.most, step):
                    shift = (index * action.search.most + number) * action.stride
                    times = min(step, action.search.most - number)
                    one = _point(place, f"{action.search.axis.name}~{number + 1}", shift, inner.values, times)
                    before = self._steps(action.body, before, one)
            else:
                before = self._steps(action.body, before, inner)
        return before

    def _points(self, action: SweepAction, place: _Place, step: int) -> Iterator[tuple[int, _Place]]:
        if step > 1:
            count = action.points.count()
            for number in range(0, count, step):
                label = f"{action.points.axes[0].name if action.points.axes else 'point'}~{number + 1}"
                times = min(step, count - number)
                yield number, _point(place, label, number * action.stride, place.values, times)
            return
        axes = action.points.axes
        for index, values in action.points:
            known = {**place.values, **{axis.slot: value for axis, value in zip(axes, values, strict=True)}}
            label = ",".join(f"{axis.name}={axis_text(value)}" for axis, value in zip(axes, values, strict=True))
            yield index, _point(place, label, index * action.stride, known, 1)

    def _free_sweep(self, node: Node, action: SweepAction, before: list[int], place: _Place) -> list[int]:
        """Points with the same setpoints stay together; the stretches may come in any order."""
        name = node.id + _suffix(place)
        begin = [self._joined(before, f"{name}/begin", place)] if len(before) > 1 else before
        outside = dict(self.open_modes)
        if outside:
            # what is held from before the sweep is given up by whichever point comes first
            first = begin[0] if begin else self._helper(f"{name}/begin", name, node.order + place.shift, ())
            begin = [first]
            for mode in outside:
                self._close_mode(mode, first)
        segments: list[Segment] = []
        exits: list[int] = []
        wanted: tuple[Any, ...] | None = None
        run: list[tuple[int, _Place]] = []
        for index, inner in self._points(action, place, 1):
            now = tuple(self._setpoints(action.body, inner))
            if run and now != wanted:
                exits.append(self._segment(name, action, run, begin, segments))
                run = []
            wanted = now
            run.append((index, inner))
        if run:
            exits.append(self._segment(name, action, run, begin, segments))
        if len(segments) > 1:
            self.out.sweeps.append(DraftSweep(name, tuple(segments)))
        return exits

    def _segment(
        self, name: str, action: SweepAction, run: list[tuple[int, _Place]], begin: list[int], segments: list[Segment]
    ) -> int:
        order = run[0][1].shift
        first = self._helper(f"{name}/points{_suffix(run[0][1])}", name, order, begin)
        before = [first]
        for _, inner in run:
            before = self._steps(action.body, before, inner)
        last = self._joined(before, f"{name}/points", run[-1][1])
        for mode in list(self.open_modes):
            self._close_mode(mode, last)
        segments.append(Segment(run[0][0], first, last))
        return last

    def _setpoints(self, steps: Steps, place: _Place) -> Iterator[Any]:
        for node in steps.nodes:
            for hold in node.holds:
                if hold.kind == "mode" and not hold.per_site:
                    yield self._wanted(node, hold.resource, hold.property, place)
            for inner in _inner(node):
                yield from self._setpoints(inner, place)


def _suffix(place: _Place) -> str:
    return f"[{place.labels}]" if place.labels else ""


def _point(place: _Place, label: str, shift: int, values: Mapping[str, Any], times: int) -> _Place:
    labels = f"{place.labels},{label}" if place.labels else label
    return _Place(values, labels, place.shift + shift, place.times * times)


def _known(value: Any, place: _Place) -> Any:
    """A constant, or a formula of values that are known before the run; None for all others."""
    if not isinstance(value, Formula):
        return value
    if value.live or value.series:
        return None
    try:
        return value.fn(place.values)
    except (EvaluationFailed, KeyError, ArithmeticError, ValueError, TypeError, IndexError):
        return None


def assumed(node: Node) -> Estimate:
    """How long a node takes as far as the plan itself says."""
    if node.duration_s is not None:
        return Estimate(node.duration_s, source="duration")
    action = node.action
    talk = ASSUMED_S if node.claims else 0.0
    match action:
        case WaitAction() if isinstance(action.duration_s, float | int):
            return Estimate(float(action.duration_s))
        case SetAction() if isinstance(action.settle_s, float | int):
            return Estimate(talk * len(action.writes) + action.settle_s)
        case MeasureAction():
            interval = action.interval_s if isinstance(action.interval_s, float | int) else 0.0
            return Estimate(talk * action.samples + interval * max(0, action.samples - 1))
        case _:
            return Estimate(talk)
