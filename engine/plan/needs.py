"""What a unit may need at most in every block of a plan: what decides whether it is safe to let it begin to hold something.

Worked out from the compiled plan, with both arms of an `if`, remedies and cleanup, and the sum of what may happen side by
side. Instruments of a unit's own site are left out: nobody else can be in the way there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.core.bench import InstrumentSpec
from engine.plan.model import (
    Block,
    CallAction,
    CommandAction,
    GroupAction,
    IfAction,
    Node,
    ParallelAction,
    QueryAction,
    RepeatAction,
    SetAction,
    Steps,
    SweepAction,
)

Amounts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Needs:
    """Of a block, a list or a node."""

    most: Amounts
    """The greatest amount of each resource that it can need at once."""
    kept: Amounts
    """Of a block: spans that may be open when a mode held in it is given up. Of a list: spans that outlast it."""
    modes: frozenset[str] = frozenset()
    """Instruments on whose value the units have to agree, wherever a value of theirs may be set or the whole be held."""
    changing: Mapping[str, int] | None = None
    """Of a list: spans of groups inside that may be open when a mode is given up there."""
    spans: Amounts = field(default_factory=dict)
    """Everything that is begun to be held anywhere inside."""


NOTHING = Needs({}, {})


class PlanNeeds:
    """Worked out once for each block."""

    def __init__(self, root: Block, instruments: Mapping[str, InstrumentSpec], resources: Mapping[str, int]) -> None:
        self._capacity = resources
        self.modes = frozenset(
            name for name, spec in instruments.items() if spec.shared is not None and not spec.per_site
        )
        """Instruments with a value that units agree on."""
        self._blocks: dict[int, Needs] = {}
        self.tuned: set[str] = set()
        """Those of them of which something else is set too, or that are sent raw text."""
        self.root = self.block(root)

    def block(self, block: Block) -> Needs:
        """The plan lives as long as the run, so its identity is a key."""
        found = self._blocks.get(id(block))
        if found is None:
            found = self._blocks[id(block)] = self._block(block)
        return found

    def _block(self, block: Block) -> Needs:
        hold = {claim.resource: claim.amount for claim in block.hold if not claim.per_site}
        inside = self._one_after_the_other([self._list(one) for one in (block.setup, block.steps, block.cleanup)])
        kept = _most(inside.kept, inside.changing or {})
        modes = inside.modes | (hold.keys() & self.modes)
        return Needs(_most(hold, inside.most), kept, modes, None, _most(hold, inside.spans))

    def _list(self, steps: Steps) -> Needs:
        parts = [self._node(node) for node in steps.nodes]
        if steps.waits is None:
            return self._one_after_the_other(parts)
        return self._side_by_side(parts)

    def _node(self, node: Node) -> Needs:
        claims = {claim.resource: claim.amount for claim in node.claims if not claim.per_site}
        spans = {hold.resource: 1 for hold in node.holds if hold.kind == "drive" and not hold.per_site}
        modes = frozenset(hold.resource for hold in node.holds if hold.kind == "mode" and not hold.per_site)
        parts: list[Needs] = []
        if claims or node.holds:
            parts.append(Needs(_most(claims, spans), spans, modes | (spans.keys() & self.modes), None, spans))
        if node.retry is not None and node.retry.remedy.nodes:
            parts.append(self._list(node.retry.remedy))
        match node.action:
            case SetAction(instrument, writes) if instrument in self.modes:
                agreed = {hold.property for hold in node.holds if hold.kind == "mode"}
                if any(write.target.property not in agreed for write in writes):
                    self.tuned.add(instrument)
            case CommandAction(instrument) | QueryAction(instrument) if instrument in self.modes:
                self.tuned.add(instrument)
            case GroupAction(block) | CallAction(block=block):
                inside = self.block(block)
                hold = {claim.resource: claim.amount for claim in block.hold if not claim.per_site}
                open_then = _most(hold, inside.kept) if inside.modes else {}
                parts.append(Needs(inside.most, {}, inside.modes, open_then, inside.spans))
            case IfAction(_, then, otherwise):
                parts += [self._list(then), self._list(otherwise)]
            case ParallelAction(branches):
                parts.append(self._side_by_side([self._list(branch) for branch in branches]))
            case SweepAction(body=body) | RepeatAction(body=body):
                parts.append(self._list(body))
            case _:
                pass
        return self._one_after_the_other(parts)

    def _one_after_the_other(self, parts: list[Needs]) -> Needs:
        if len(parts) < 2:
            return parts[0] if parts else NOTHING
        most: dict[str, int] = {}
        kept: dict[str, int] = {}
        changing: dict[str, int] = {}
        spans: dict[str, int] = {}
        modes: frozenset[str] = frozenset()
        for part in parts:
            if part is NOTHING:
                continue
            _raise(most, part.most)
            _raise(kept, part.kept)
            _raise(spans, part.spans)
            if part.changing:
                _raise(changing, part.changing)
            if not part.modes <= modes:
                modes |= part.modes
        _raise(most, kept)
        return Needs(most, kept, modes, changing, spans)

    def _side_by_side(self, parts: list[Needs]) -> Needs:
        modes: frozenset[str] = frozenset().union(*(part.modes for part in parts))
        most = self._sum(part.most for part in parts)
        kept = self._sum(part.kept for part in parts)
        # while one of them gives up a mode, the others may be anywhere
        spans = self._sum(part.spans for part in parts)
        changing = spans if modes and len(parts) > 1 else self._sum(part.changing or {} for part in parts)
        return Needs(most, kept, modes, changing, spans)

    def _sum(self, parts: Iterable[Amounts]) -> dict[str, int]:
        """Never more than there is: a unit does not stand in its own way, it takes its turn."""
        total: dict[str, int] = {}
        for part in parts:
            for resource, amount in part.items():
                total[resource] = min(total.get(resource, 0) + amount, self._capacity.get(resource, 1))
        return total


def _raise(into: dict[str, int], amounts: Amounts) -> None:
    for resource, amount in amounts.items():
        if into.get(resource, 0) < amount:
            into[resource] = amount


def _most(one: Amounts, other: Amounts) -> dict[str, int]:
    result = dict(one)
    _raise(result, other)
    return result
