"""What units could wait for without end, told before a run: meeting points that not all reach, holds that can never be had.

It follows a compiled plan the way one unit goes through it and remembers what the unit holds on the way. Everything else that
units share is decided while they run, and there nobody waits for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.core.bench import InstrumentSpec
from engine.plan.model import (
    BarrierAction,
    Block,
    CallAction,
    Claim,
    Formula,
    GroupAction,
    IfAction,
    Node,
    ParallelAction,
    ReleaseAction,
    RepeatAction,
    SetAction,
    Steps,
    SweepAction,
)
from engine.plan.walk import lists_of
from schemas.diagnostics import Problems

VARIES = object()
"""A value of an agreed property that is not known before the run."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How a unit gets to a place."""

    condition: Node | None = None
    """The innermost step that not every unit need take."""
    beside: Node | None = None
    """The innermost step whose parts run side by side."""


@dataclass(slots=True)
class _Held:
    """What a unit holds in one group or call, and what began it."""

    spans: dict[str, Node | None] = field(default_factory=dict)
    modes: dict[str, Node] = field(default_factory=dict)


class SharingCheck:
    """Of one plan on one station."""

    def __init__(
        self,
        instruments: Mapping[str, InstrumentSpec],
        resources: Mapping[str, int],
        sites: int,
        problems: Problems,
    ) -> None:
        self._instruments = instruments
        self._resources = resources
        self._sites = sites
        self._problems = problems
        self._held: list[_Held] = []
        self._begun: set[tuple[str, str]] = set()
        """All that is ever held, and how."""
        self._values: dict[str, set[object]] = {}
        """Instrument → all values of its agreed property that units may wait for."""
        self._meets = False
        """A barrier has been seen."""
        self._told: set[tuple[str, str]] = set()

    def check(self, root: Block) -> None:
        """Add every problem."""
        self._look_ahead(root, cleaning=False)
        self._block(root, _Way(), None)

    # -- all of it

    def _look_ahead(self, block: Block, *, cleaning: bool) -> None:
        """What is held anywhere, and the agreed values set anywhere but in a cleanup, which waits for nobody."""
        self._begun |= {(claim.resource, "hold") for claim in block.hold if not claim.per_site}
        for steps, last in ((block.setup, False), (block.steps, False), (block.cleanup, True)):
            for node in steps.nodes:
                self._look_into(node, cleaning=cleaning or last)

    def _look_into(self, node: Node, *, cleaning: bool) -> None:
        self._begun |= {(hold.resource, hold.kind) for hold in node.holds if not hold.per_site}
        if isinstance(node.action, SetAction) and not cleaning:
            agreed = {hold.property for hold in node.holds if hold.kind == "mode"}
            for write in node.action.writes:
                if write.target.property in agreed:
                    value = VARIES if isinstance(write.value, Formula) else write.value
                    self._values.setdefault(write.target.instrument, set()).add(value)
        if isinstance(node.action, GroupAction | CallAction):
            self._look_ahead(node.action.block, cleaning=cleaning)
            return
        remedy = (node.retry.remedy,) if node.retry is not None else ()
        for steps in (*lists_of(node), *remedy):
            for inner in steps.nodes:
                self._look_into(inner, cleaning=cleaning)

    # -- the way through

    def _block(self, block: Block, way: _Way, node: Node | None) -> None:
        for claim in block.hold:
            self._can_be_held(claim, node)
        hold = {claim.resource: node for claim in block.hold if not claim.per_site}
        self._held.append(_Held(hold))
        for steps in (block.setup, block.steps, block.cleanup):
            self._list(steps, way, node)
        self._held.pop()

    def _perhaps(self, lists: Iterable[Steps], way: _Way, node: Node) -> None:
        """Lists whose steps may not all be reached: what is released in them may still be held after them."""
        before = self._snapshot()
        ends = [before]
        for steps in lists:
            for held, (spans, modes) in zip(self._held, before, strict=True):
                held.spans, held.modes = dict(spans), dict(modes)
            self._list(steps, way, node)
            ends.append(self._snapshot())
        for end in ends:
            self._restore(end)

    def _snapshot(self) -> list[tuple[dict[str, Node | None], dict[str, Node]]]:
        return [(dict(held.spans), dict(held.modes)) for held in self._held]

    def _restore(self, before: list[tuple[dict[str, Node | None], dict[str, Node]]]) -> None:
        """What was held before may be held still, whatever was released meanwhile."""
        for held, (spans, modes) in zip(self._held, before, strict=True):
            held.spans, held.modes = {**spans, **held.spans}, {**modes, **held.modes}

    def _list(self, steps: Steps, way: _Way, node: Node | None) -> None:
        if steps.waits is not None:
            way = replace(way, beside=node) if node is not None else way
            self._side_by_side([(inner,) for inner in steps.nodes], steps.waits)
        for inner in steps.nodes:
            self._node(inner, replace(way, beside=inner) if steps.waits is not None else way)

    def _node(self, node: Node, way: _Way) -> None:
        for claim in node.claims:
            self._exists(claim, node)
        if node.when is not None:
            way = replace(way, condition=node)
        if node.retry is not None:
            self._perhaps((node.retry.remedy,), replace(way, condition=node), node)
        match node.action:
            case BarrierAction():
                self._barrier(node, node.action, way)
            case ReleaseAction(claims) if node.when is None and node.skip is None:
                for claim in claims:
                    for held in self._held:
                        held.spans.pop(claim.resource, None)
                        held.modes.pop(claim.resource, None)
            case GroupAction(block) | CallAction(block=block):
                before = self._snapshot()
                self._block(block, way, node)
                self._restore(before)
            case IfAction(_, then, otherwise):
                self._perhaps((then, otherwise), replace(way, condition=node), node)
            case ParallelAction(branches):
                self._side_by_side([branch.nodes for branch in branches])
                self._perhaps(branches, replace(way, beside=node), node)
            case SweepAction(body=body, points=points, stop_when=stop_when):
                if stop_when is not None and not points.sorted:
                    way = replace(way, condition=node)
                self._loop(body, way, node)
            case RepeatAction(body=body):
                self._loop(body, way, node)
            case SetAction():
                self._set(node)
            case _:
                pass

    def _loop(self, body: Steps, way: _Way, node: Node) -> None:
        """Twice where it matters: what the first round begins to hold, a barrier finds in the second one."""
        before = self._state()
        self._perhaps((body,), way, node)
        if self._meets and self._state() != before:
            self._perhaps((body,), way, node)

    def _state(self) -> int:
        return sum(len(one.spans) + len(one.modes) for one in self._held)

    def _set(self, node: Node) -> None:
        for hold in node.holds:
            if hold.per_site:
                continue
            if hold.kind == "drive":
                if not self._is_held(hold.resource):
                    self._held[-1].spans[hold.resource] = node
                continue
            # an outer group may still hold a value of it too: that this step is reached is not certain
            self._held[-1].modes[hold.resource] = node

    def _side_by_side(self, parts: Sequence[Sequence[Node]], waits: Sequence[Iterable[int]] | None = None) -> None:
        """Parts of which one would give up, to hold an instrument alone, the value that another has set and relies on."""
        if self._sites < 2:
            return
        setters: list[dict[str, Node]] = []
        for part in parts:
            modes = ((hold, node) for node in _all_in(part) for hold in node.holds if hold.kind == "mode")
            setters.append({hold.resource: node for hold, node in modes if not hold.per_site})
        if not any(setters):
            return
        after = _ancestors(waits) if waits is not None else [set() for _ in parts]
        for number, part in enumerate(parts):
            for node in _all_in(part):
                hold = node.action.block.hold if isinstance(node.action, GroupAction | CallAction) else ()
                for other, modes_set in enumerate(setters):
                    if other == number or other in after[number] or number in after[other]:
                        continue
                    for claim in hold:
                        if not claim.per_site and claim.resource in modes_set:
                            self._held_beside(node, claim.resource, modes_set[claim.resource])

    def _held_beside(self, node: Node, resource: str, setter: Node) -> None:
        self._tell(
            "P061",
            node,
            f"`{resource}` cannot be held alone here: a step that may run meanwhile sets its value, "
            "which would not stay true for it",
            "order the two with `after`, or put them in one list",
            setter,
            "this one",
        )

    def _is_held(self, resource: str) -> bool:
        return any(resource in held.spans for held in self._held)

    # -- what cannot be

    def _tell(self, code: str, node: Node, message: str, help: str, other: Node | None = None, why: str = "") -> None:
        if (code, node.id) in self._told:
            return
        self._told.add((code, node.id))
        notes = ((other.span, why),) if other is not None and other.span is not None else ()
        self._problems.error(code, message, node.span, help=help, notes=notes)

    def _exists(self, claim: Claim, node: Node) -> None:
        most = self._resources.get(claim.resource, 1)
        if claim.amount > most:
            self._tell(
                "P060",
                node,
                f"this takes {claim.amount} of `{claim.resource}`, and there is only {most}",
                "raise its `capacity` in the station",
            )

    def _can_be_held(self, claim: Claim, node: Node | None) -> None:
        if node is None or claim.per_site or self._sites < 2:
            return
        self._exists(claim, node)
        for held in self._held:
            setter = held.modes.get(claim.resource)
            if setter is not None:
                self._tell(
                    "P061",
                    node,
                    f"`{claim.resource}` cannot be held alone here: units may be sharing its value by now, "
                    "and each would wait for the others",
                    f"set it inside this group, or `release: [{claim.resource}]` before it",
                    setter,
                    "its value is shared from here on",
                )

    def _barrier(self, node: Node, action: BarrierAction, way: _Way) -> None:
        name = action.name
        self._meets = True
        if way.condition is not None:
            self._tell(
                "P062",
                node,
                f"barrier `{name}` stands under a condition: a unit that does not come here would be waited for",
                "put it where every unit comes by",
                way.condition if way.condition is not node else None,
                "not every unit takes this way",
            )
        if way.beside is not None:
            self._tell(
                "P063",
                node,
                f"barrier `{name}` stands among steps that run side by side",
                "put it before or after them",
                way.beside if way.beside is not node else None,
                "these",
            )
        if self._sites < 2:
            return
        for held in self._held:
            for resource, holder in held.spans.items():
                if self._resources.get(resource, 1) < self._sites:
                    self._held_at_barrier(node, name, resource, holder)
            for resource, setter in held.modes.items():
                if not self._all_can_join(resource):
                    self._held_at_barrier(node, name, resource, setter)

    def _all_can_join(self, resource: str) -> bool:
        """Whether all get to a barrier beside those that wait at it: nobody ever wants another value, or anything else."""
        values = self._values.get(resource, set())
        return self._begun <= {(resource, "mode")} and len(values) == 1 and VARIES not in values

    def _held_at_barrier(self, node: Node, name: str, resource: str, holder: Node | None) -> None:
        self._tell(
            "P064",
            node,
            f"a unit would wait at barrier `{name}` while it holds `{resource}`, which others need to get there",
            f"put the barrier before it is taken, or `release: [{resource}]` first",
            holder,
            "it is held from here on",
        )


def _all_in(nodes: Iterable[Node]) -> Iterator[Node]:
    """These and all inside them."""
    for node in nodes:
        yield node
        for steps in lists_of(node, remedies=True):
            yield from _all_in(steps.nodes)


def _ancestors(waits: Sequence[Iterable[int]]) -> list[set[int]]:
    """For each node of a list all that are over when it begins."""
    found: list[set[int]] = []
    for number in range(len(waits)):
        before: set[int] = set()
        left = list(waits[number])
        while left:
            one = left.pop()
            if one not in before:
                before.add(one)
                left += waits[one]
        found.append(before)
    return found
