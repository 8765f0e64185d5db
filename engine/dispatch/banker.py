"""Whether everybody who holds something can still finish: the check that makes deadlock impossible.

A state is safe when there is an order in which all who hold something can get all they may still need, one after the other.
A unit that holds a mode need only be able to finish with its present value: it gives it up before it waits for another one,
and keeps the rest. Finishing and giving up only ever free things, so trying in any order finds an order if there is one
(the banker's algorithm: E. W. Dijkstra, EWD 623, 1977; the phases are ours).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.dispatch.locks import Amounts, Need

Holder = tuple[Amounts, frozenset[str], Need]
"""(spans held, instruments of which it holds a value, what it may still need)."""


def is_safe(capacity: Mapping[str, int], holders: Sequence[Holder]) -> bool:
    """Whether all can finish; `capacity` of what is not named is 1. What single nodes take ends by itself and is left out."""
    if len(holders) < 2:
        return True
    work: dict[str, int] = {}
    agreeing: dict[str, int] = {}
    for held, modes, _ in holders:
        for resource, amount in held.items():
            work[resource] = work.get(resource, capacity.get(resource, 1)) - amount
        for mode in modes:
            agreeing[mode] = agreeing.get(mode, 0) + 1
    left = list(holders)
    while left:
        for place, (held, modes, need) in enumerate(left):
            if _fits(need.most, need.modes, held, modes, work, agreeing, capacity):
                for resource, amount in held.items():
                    work[resource] += amount
                for mode in modes:
                    agreeing[mode] -= 1
                del left[place]
                break
        else:
            for place, (held, modes, need) in enumerate(left):
                if (
                    modes
                    and need.phase is not None
                    and _fits(need.phase, need.phase_modes - modes, held, modes, work, agreeing, capacity)
                ):
                    for resource, amount in held.items():
                        work[resource] += amount - need.after.get(resource, 0)
                    for mode in modes:
                        agreeing[mode] -= 1
                    left[place] = (need.after, frozenset(), need)
                    break
            else:
                return False
    return True


def _fits(
    most: Amounts,
    wanted: frozenset[str],
    held: Amounts,
    modes: frozenset[str],
    work: Mapping[str, int],
    agreeing: Mapping[str, int],
    capacity: Mapping[str, int],
) -> bool:
    """Whether a unit can get this much and these modes beside what the others hold."""
    for resource, amount in most.items():
        if amount - held.get(resource, 0) > work.get(resource, capacity.get(resource, 1)):
            return False
    return all(agreeing.get(mode, 0) <= (mode in modes) for mode in wanted)
