"""What a discarded attempt of a group or loop leaves behind, and how it is taken back: only the final attempt binds."""

from __future__ import annotations

from array import array

from engine.dispatch.emitter import Emitter
from engine.dispatch.frame import Environment
from engine.dispatch.tree import bindings, inner_lists
from engine.plan.model import Binding, CallAction, Node, RepeatAction, SweepAction
from schemas.documents import Discarded

MISSING = object()


class Snapshot:
    """The names made inside a node and the length of their series, before its first attempt."""

    def __init__(self, node: Node, env: Environment) -> None:
        self._env = env
        self._found: list[tuple[Node, Binding]] = []
        series: set[str] = set()
        _collect(node, self._found, series)
        self._values = {binding.slot: env.get(binding.slot, MISSING) for _, binding in self._found}
        self._lengths = {slot: len(env[slot]) for slot in series if slot in env}

    def restore(self, done_once: set[str], suffix: str) -> None:
        """Forget what the attempt bound, but for what is done only once and has been done."""
        env = self._env
        kept = {binding.slot for node, binding in self._found if node.once and node.id + suffix in done_once}
        for slot, value in self._values.items():
            if slot in kept:
                continue
            if value is MISSING:
                env.pop(slot, None)
            else:
                env[slot] = value
        for slot, length in self._lengths.items():
            series = env.get(slot)
            if isinstance(series, list | array):
                del series[length:]


def discard(emitter: Emitter, unit: int, node: Node, id: str, attempt: int, order: int, now: float) -> None:
    """Tell that all an attempt and its remedy recorded is no result; the next attempt has not started yet."""
    emitter.note(Discarded(unit, id, attempt, order, max(node.size, 1), now))


def _collect(node: Node, found: list[tuple[Node, Binding]], series: set[str]) -> None:
    for binding in bindings(node):
        found.append((node, binding))
        series.update(binding.accumulators)
    if isinstance(node.action, CallAction):
        return  # its names live in an environment of their own
    if isinstance(node.action, SweepAction | RepeatAction):
        series.update(outer for _, outer in node.action.slots.extends)
    for steps in inner_lists(node):
        for inner in steps.nodes:
            _collect(inner, found, series)
