"""When what a unit has set last changed, and since when it has been as wanted: what `settle` counts from."""

from __future__ import annotations

from engine.core.bench import Target


class Settled:
    """Of one unit; forgets what it can no longer vouch for."""

    def __init__(self, common: Settled | None = None, instruments: frozenset[str] = frozenset()) -> None:
        """`common` is asked for `instruments`, whose values units hold together."""
        self._common = common or self
        self._instruments = instruments if common is not None else frozenset()
        self._changed: dict[Target, float] = {}
        self._held: dict[Target, dict[tuple[tuple[Target, ...], str], float]] = {}

    def changed(self, target: Target, now: float) -> None:
        """It was really written."""
        if target.instrument in self._instruments:
            self._common.changed(target, now)
            return
        self._changed[target] = now
        self._held.pop(target, None)

    def disturbed(self, instrument: str, now: float) -> None:
        """Another unit had changed this instrument, and its properties were put back, or its state is unknown."""
        if instrument in self._instruments:
            self._common.disturbed(instrument, now)
            return
        for target in [target for target in self._changed if target.instrument == instrument]:
            self.changed(target, now)
        for target in [target for target in self._held if target.instrument == instrument]:
            del self._held[target]

    def changed_at(self, targets: tuple[Target, ...]) -> float | None:
        """When the last of them changed; None where this unit changed none."""
        if self._is_common(targets):
            return self._common.changed_at(targets)
        return max((self._changed[target] for target in targets if target in self._changed), default=None)

    def holds(self, targets: tuple[Target, ...], condition: str, now: float) -> None:
        """The condition held for the first time after the last change."""
        if self._is_common(targets):
            self._common.holds(targets, condition, now)
            return
        for target in targets:
            self._held.setdefault(target, {})[(targets, condition)] = now

    def held_since(self, targets: tuple[Target, ...], condition: str) -> float | None:
        """Since when the condition has held; None where something changed since."""
        if self._is_common(targets):
            return self._common.held_since(targets, condition)
        key = (targets, condition)
        since = [self._held.get(target, {}).get(key) for target in targets]
        known = [moment for moment in since if moment is not None]
        return max(known) if known and len(known) == len(targets) else None

    def _is_common(self, targets: tuple[Target, ...]) -> bool:
        return bool(self._instruments) and bool(targets) and targets[0].instrument in self._instruments
