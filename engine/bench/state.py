"""What each unit wants of one instance, and what the instance was last given.

`set` describes a state: it is written only where it differs from what was applied, and put back where another unit
changed it. Anything doubtful is *unknown* and differs from every value, so that doubt costs a command and never a wrong
reading. Holds no session and sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

from engine.core.bench import PropertyValue

Key = tuple[str, str]
"""(channel, property)."""


class Unknown(Enum):
    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


class InstanceState:
    """Keys appear in `applied` when they are first set; what nobody ever set is left alone."""

    __slots__ = ("applied", "baseline", "last_user", "unconfirmed", "wanted")

    def __init__(self) -> None:
        self.applied: dict[Key, PropertyValue | Unknown] = {}
        self.wanted: dict[int, dict[Key, PropertyValue]] = {}
        self.baseline: dict[Key, PropertyValue | None] = {}
        """What a unit gets that never set it; None where nobody knows."""
        self.last_user: int | None = None
        """The unit whose wishes hold; None: look at all of them before the next use."""
        self.unconfirmed: set[tuple[int, Key]] = set()
        """What units set since the instrument last reported no error."""

    def differs(self, key: Key, value: PropertyValue) -> bool:
        """Whether the instance has to be told; numbers compare exactly."""
        return self.applied.get(key, UNKNOWN) != value

    def want(self, unit: int, key: Key, value: PropertyValue) -> None:
        wanted = self.wanted.get(unit)
        if wanted is None:
            wanted = self.wanted[unit] = {}
        wanted[key] = value
        if self.last_user != unit:
            self.last_user = None

    def wants(self, unit: int, key: Key) -> PropertyValue | None:
        """What this unit should find there: its own wish, else the baseline; None where nobody knows."""
        wanted = self.wanted.get(unit)
        if wanted is not None and key in wanted:
            return wanted[key]
        return self.baseline.get(key)

    def unwant(self, unit: int, key: Key) -> None:
        """The wish came to nothing: what was asked for before is no longer true either."""
        self.wanted.get(unit, {}).pop(key, None)

    def doubt(self, key: Key) -> None:
        """A write may or may not have arrived."""
        self.applied[key] = UNKNOWN

    def doubt_all(self) -> None:
        """The connection or the instrument failed."""
        for key in self.applied:
            self.applied[key] = UNKNOWN

    def disturb(self, keys: Iterable[Key]) -> None:
        """A command changed these by the way; who wants them gets them back before the next use."""
        for key in keys:
            if key in self.applied:
                self.applied[key] = UNKNOWN
                self.last_user = None

    def forget(self, unit: int, keys: Iterable[Key] | None = None) -> None:
        """Drop what this unit wanted; all of it without `keys`."""
        if keys is None:
            self.wanted.pop(unit, None)
        else:
            for key in keys:
                self.unwant(unit, key)

    def confirm(self) -> None:
        """The instrument reported no error since the last writes."""
        if self.unconfirmed:
            self.unconfirmed.clear()

    def reject(self) -> None:
        """The instrument reported an error: it may have refused any of the last writes, which are no longer wanted."""
        for unit, key in self.unconfirmed:
            self.unwant(unit, key)
        self.unconfirmed.clear()
        self.doubt_all()
