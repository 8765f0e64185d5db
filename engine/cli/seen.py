"""What a live view has counted so far, so that what is given up for another attempt can be taken back.

Seventeen bytes a value: a run may have a million of them.
"""

from __future__ import annotations

from array import array

_GONE = 255


class Seen:
    """Everything one unit recorded that is counted, in the order in which it came."""

    __slots__ = ("_given_up", "_kinds", "_orders", "_times")

    def __init__(self) -> None:
        self._orders = array("q")
        self._times = array("d")
        self._kinds = bytearray()
        self._given_up: dict[tuple[str, int], float] = {}

    def add(self, order: int, t: float, kind: int) -> None:
        """One thing of a kind (0 … 254), at its place in the plan."""
        self._orders.append(order)
        self._times.append(t)
        self._kinds.append(kind)

    def give_up(self, node: str, attempt: int, started: float) -> None:
        """An attempt that is going to be discarded began then."""
        self._given_up[node, attempt] = started

    def discard(self, node: str, attempt: int, order: int, size: int) -> list[int]:
        """The kinds of all that this attempt recorded; they are not counted any more."""
        since = self._given_up.pop((node, attempt), 0.0)
        found: list[int] = []
        for i in range(len(self._kinds) - 1, -1, -1):
            if self._times[i] < since:
                break
            if self._kinds[i] != _GONE and order <= self._orders[i] < order + size:
                found.append(self._kinds[i])
                self._kinds[i] = _GONE
        return found
