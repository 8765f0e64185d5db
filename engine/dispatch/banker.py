"""Whether everybody who holds something can still finish: the check that makes deadlock impossible.

A state is safe when there is an order in which all who hold something can get all they may still need, one after the other
(the banker's algorithm: E. W. Dijkstra, EWD 623, 1977). A unit that holds a mode need only be able to finish with its present
value: it gives it up before it waits for another one, and keeps the rest (the phases are ours). Finishing only ever frees
things, so it is done as soon as it can be; giving up a mode may leave a unit with more than it has now, so there all orders
are tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.dispatch.locks import Amounts, Need

Holder = tuple[Amounts, frozenset[str], Need]
"""(spans held, instruments of which it holds a value, what it may still need)."""
NO_MODES: frozenset[str] = frozenset()
MOST_TRIES = 64
"""Orders of giving up modes that are tried; a state for which none of them works counts as unsafe."""


def is_safe(capacity: Mapping[str, int], holders: Sequence[Holder]) -> bool:
    """Whether all can finish; `capacity` of what is not named is 1. What single nodes take ends by itself and is left out."""
    if len(holders) < 2 or all(_shares_only(*one) for one in holders):
        return True
    work: dict[str, int] = {}
    agreeing: dict[str, int] = {}
    for held, modes, _ in holders:
        for resource, amount in held.items():
            work[resource] = work.get(resource, capacity.get(resource, 1)) - amount
        for mode in modes:
            agreeing[mode] = agreeing.get(mode, 0) + 1
    return _Walk(capacity).ends(list(holders), work, agreeing)


def _shares_only(held: Amounts, modes: frozenset[str], need: Need) -> bool:
    """Whether a unit holds nothing but one value, and nothing but that until it gives it up: then it is in nobody's way."""
    return not held and len(modes) == 1 and need.phase is not None and need.mode in modes and not need.after


class _Walk:
    """Follows the holders to their ends."""

    def __init__(self, capacity: Mapping[str, int]) -> None:
        self._capacity = capacity
        self._tries = MOST_TRIES

    def ends(self, left: list[Holder], work: dict[str, int], agreeing: dict[str, int]) -> bool:
        while left:
            still: list[Holder] = []
            for one in left:
                held, modes, need = one
                if _agrees(need.modes, modes, agreeing) and self._fits(need.most, held, work):
                    for resource, amount in held.items():
                        work[resource] += amount
                    for mode in modes:
                        agreeing[mode] -= 1
                else:
                    still.append(one)
            finished = len(still) < len(left)
            left = still
            if finished:
                continue
            dear: list[int] = []
            for place, (held, modes, need) in enumerate(left):
                if need.phase is None or need.mode not in modes or not self._fits(need.phase, held, work):
                    continue
                if all(amount <= held.get(resource, 0) for resource, amount in need.after.items()):
                    self._give_up(place, left, work, agreeing)
                    finished = True
                else:
                    dear.append(place)
            if not finished:
                return self._any_order(dear, left, work, agreeing)
        return True

    def _any_order(
        self, dear: Sequence[int], left: list[Holder], work: Mapping[str, int], agreeing: Mapping[str, int]
    ) -> bool:
        """Whether it works when one of these gives up its mode next and ends up with more than it has now."""
        for place in dear:
            if not self._tries:
                return False
            self._tries -= 1
            then, free, agreed = list(left), dict(work), dict(agreeing)
            self._give_up(place, then, free, agreed)
            if self.ends(then, free, agreed):
                return True
        return False

    def _give_up(self, place: int, left: list[Holder], work: dict[str, int], agreeing: dict[str, int]) -> None:
        held, modes, need = left[place]
        for resource in {*held, *need.after}:
            before = work.get(resource, self._capacity.get(resource, 1))
            work[resource] = before + held.get(resource, 0) - need.after.get(resource, 0)
        agreeing[need.mode] -= 1
        left[place] = (need.after, modes - {need.mode}, need)

    def _fits(self, most: Amounts, held: Amounts, work: Mapping[str, int]) -> bool:
        """Whether a unit can get this much beside what the others hold."""
        for resource, amount in most.items():
            free = work.get(resource)
            if amount - held.get(resource, 0) > (self._capacity.get(resource, 1) if free is None else free):
                return False
        return True


def _agrees(wanted: frozenset[str], modes: frozenset[str], agreeing: Mapping[str, int]) -> bool:
    """Whether nobody else holds a value of what a unit may want to change."""
    return all(agreeing.get(mode, 0) <= (mode in modes) for mode in wanted)
