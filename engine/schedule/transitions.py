"""How long a mode takes from one value to another: a ramp and a soak, or what the estimates say."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.plan.model import Plan
from engine.schedule.estimate import Estimate
from engine.schedule.problem import TICK_S, Ticks

if TYPE_CHECKING:
    from engine.schedule.layout import DraftHold

RAMP_RATE = "ramp_rate"
"""The property of a driver that says how fast a mode goes from one value to another."""
UNKNOWN_S = 60.0
"""A change of which nothing at all is known."""


@dataclass(frozen=True, slots=True)
class Transition:
    """How a mode goes from one value to another."""

    up_per_s: float
    """In the unit of the property; 0: changes take no time but the soak."""
    down_per_s: float
    soak_s: float = 0.0
    """After every change."""
    initial: Hashable | None = None
    """The value before anybody asked; None: the property's default."""

    def seconds(self, before: Hashable, after: Hashable) -> float:
        """From one value to another."""
        if before == after:
            return 0.0
        if isinstance(before, float) and isinstance(after, float):
            rate = self.up_per_s if after > before else self.down_per_s
            return abs(after - before) / rate + self.soak_s if rate > 0 else self.soak_s
        return self.soak_s


def transition_matrix(
    plan: Plan,
    instrument: str,
    name: str,
    holds: Sequence[DraftHold],
    estimates: Mapping[str, Estimate],
    given: Transition | None,
) -> tuple[Hashable, tuple[Hashable, ...], list[list[Ticks]], Ticks]:
    """(value at the beginning, all values, ticks from each to each, ticks of a change to a value that nobody knows)."""
    spec = plan.instruments.get(instrument)
    prop = spec.properties.get(name) if spec is not None else None
    default = prop.default if prop is not None else None
    initial: Hashable = default if isinstance(default, float | str | bool) else "as found"
    if given is not None and given.initial is not None:
        initial = given.initial
    known = {hold.value for hold in holds if hold.value is not None}
    values = (initial, *sorted(known - {initial}, key=lambda value: (str(type(value)), value)))
    transition = given or _calibrated(plan, instrument, name, holds, estimates, initial)
    matrix = [[round(transition.seconds(one, other) / TICK_S) for other in values] for one in values]
    changes = [ticks for row in matrix for ticks in row if ticks]
    mean = _mean_s(holds, estimates) or UNKNOWN_S
    unknown = max(changes, default=0) or round(mean / TICK_S)
    return initial, values, matrix, unknown


def _calibrated(
    plan: Plan,
    instrument: str,
    name: str,
    holds: Sequence[DraftHold],
    estimates: Mapping[str, Estimate],
    initial: Hashable,
) -> Transition:
    """The driver's ramp rate, and the soak that makes one unit's changes, in written order, take what was estimated."""
    mean = _mean_s(holds, estimates)
    rate = ramp_per_s(plan, instrument, name)
    if rate is None:
        return Transition(0.0, 0.0, UNKNOWN_S if mean is None else mean, initial)
    changes, ramps = 0, 0.0
    here = initial
    for hold in holds:
        if isinstance(hold.value, float) and isinstance(here, float):
            changes += hold.value != here
            ramps += abs(hold.value - here) / rate
        here = hold.value
    if mean is None or not changes:
        return Transition(rate, rate, 0.0, initial)
    estimated = mean * len(holds)
    if estimated < ramps:
        faster = rate * ramps / max(estimated, TICK_S)
        return Transition(faster, faster, 0.0, initial)
    return Transition(rate, rate, (estimated - ramps) / changes, initial)


def _mean_s(holds: Sequence[DraftHold], estimates: Mapping[str, Estimate]) -> float | None:
    found = [estimates[hold.node].mean_s for hold in holds if hold.node in estimates]
    return sum(found) / len(found) if found else None


def ramp_per_s(plan: Plan, instrument: str, name: str) -> float | None:
    """The driver's default ramp rate, in the unit of the property a second; None where it says nothing."""
    spec = plan.instruments.get(instrument)
    if spec is None:
        return None
    ramp, prop = spec.properties.get(RAMP_RATE), spec.properties.get(name)
    if ramp is None or prop is None or ramp.unit is None or prop.unit is None or not isinstance(ramp.default, float):
        return None
    rate = ramp.default * ramp.unit.scale / prop.unit.scale
    return rate if rate > 0 else None
