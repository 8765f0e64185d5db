"""The thermal chamber: a slewed reference, a first-order response, and when it counts as stable.

Between two events the air temperature has a closed form, so nothing is ticked and any instant costs the same. Ticking
would tie the answer to the tick and the speed of a run to the length of its soaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, log


@dataclass(frozen=True, slots=True)
class ChamberParameters:
    """What a chamber is like; temperatures in °C, times in s."""

    ambient: float = 25.0
    response_s: float = 30.0
    ramp_rate: float = 10.0
    """°C/min"""
    band: float = 0.5
    hold_s: float = 30.0
    settled: bool = False
    """True: the air is at the setpoint at once."""


@dataclass(frozen=True, slots=True)
class AirSegment:
    """Air from ``start_s`` to ``end_s``: ``level + slope·h + decay·exp(−h/response_s)``, h since the start."""

    start_s: float
    end_s: float
    level: float
    slope: float
    decay: float
    response_s: float

    def at(self, time_s: float) -> float:
        """Air temperature in °C."""
        h = time_s - self.start_s
        value = self.level + self.slope * h if self.slope else self.level
        if self.decay:
            value += self.decay * exp(-h / self.response_s)
        return value

    def bounds(self, from_s: float, until_s: float) -> tuple[float, float]:
        """Two temperatures between which the air stays from ``from_s`` to ``until_s``, both within the segment."""
        now = self.at(from_s)
        if not self.slope:
            last = self.level if until_s == inf else self.at(until_s)
            return (now, last) if now < last else (last, now)
        # The air always moves towards the reference, which is `lag` ahead of the line.
        lag = self.slope * self.response_s
        begin = self.level + self.slope * (from_s - self.start_s) + lag
        end = self.level + self.slope * (until_s - self.start_s) + lag
        return min(now, begin, end), max(now, begin, end)


class Chamber:
    """One chamber. Events come in the order of time; a read before the last event gives the state at that event."""

    def __init__(self, parameters: ChamberParameters, start_s: float = 0.0) -> None:
        self.parameters = parameters
        self.setpoint = parameters.ambient
        self.ramp_rate = parameters.ramp_rate
        self.event_s = start_s
        self._segments: tuple[AirSegment, ...] = (
            AirSegment(start_s, inf, parameters.ambient, 0.0, 0.0, parameters.response_s),
        )
        self._stable: tuple[tuple[float, float], ...] = ((-inf, inf),)
        self._held_since = -inf

    def segment(self, time_s: float) -> AirSegment:
        """The piece of the air's path that holds at ``time_s`` (the later one on a boundary)."""
        first = self._segments[0]
        return first if time_s < first.end_s else self._segments[-1]

    def air(self, time_s: float) -> float:
        """Air temperature in °C."""
        time_s = max(time_s, self.event_s)
        return self.segment(time_s).at(time_s)

    def reference(self, time_s: float) -> float:
        """Where the slewed reference stands in °C."""
        segment = self.segment(max(time_s, self.event_s))
        if not segment.slope:
            return self.setpoint
        return segment.level + segment.slope * (time_s - segment.start_s + segment.response_s)

    def stable(self, time_s: float) -> bool:
        """True when the air has been within the band around the setpoint for the whole hold time."""
        time_s = max(time_s, self.event_s)
        return any(begin <= time_s < end for begin, end in self._stable)

    def stable_changes_at(self, time_s: float) -> float:
        """The next instant at which `stable` changes if nobody touches the chamber; ``inf`` for never."""
        time_s = max(time_s, self.event_s)
        for begin, end in self._stable:
            if time_s < begin:
                return begin
            if time_s < end:
                return end
        return inf

    def leaves_at(self, time_s: float, low: float, high: float) -> float:
        """When the air is next at ``low`` or ``high`` if nobody touches the chamber; ``inf`` for never."""
        time_s = max(time_s, self.event_s)
        edges = [
            edge
            for segment in self._segments
            if segment.end_s > time_s
            for level in (low, high)
            for edge in _crossings(segment, level)
            if edge >= time_s
        ]
        return min(edges, default=inf)

    def set_setpoint(self, time_s: float, value: float) -> None:
        """Ask for another temperature in °C; the hold starts again unless it is the one already set."""
        if value == self.setpoint:
            return
        air, reference = self._settle_at(time_s)
        self.setpoint = value
        self._held_since = inf
        self._head_for_setpoint(air, reference)

    def set_ramp_rate(self, time_s: float, value: float) -> None:
        """Change how fast the reference is slewed, in °C/min; must be above 0."""
        if value <= 0.0:
            raise ValueError("a ramp rate must be above 0 degC/min")
        if value == self.ramp_rate:
            return
        air, reference = self._settle_at(time_s)
        self.ramp_rate = value
        self._head_for_setpoint(air, reference)

    def _settle_at(self, time_s: float) -> tuple[float, float]:
        time_s = max(time_s, self.event_s)
        air, reference = self.air(time_s), self.reference(time_s)
        self._held_since = next((a for a, b in self._in_band() if a <= time_s < b), inf)
        self.event_s = time_s
        return air, reference

    def _head_for_setpoint(self, air: float, reference: float) -> None:
        parameters = self.parameters
        start, tau, target = self.event_s, parameters.response_s, self.setpoint
        if parameters.settled:
            self._segments = (AirSegment(start, inf, target, 0.0, 0.0, tau),)
            self._stable = ((start, inf),)
            return
        segments = []
        if reference != target:
            slope = self.ramp_rate / 60.0 if target > reference else -self.ramp_rate / 60.0
            lag = slope * tau
            ramp = AirSegment(
                start, start + (target - reference) / slope, reference - lag, slope, air - reference + lag, tau
            )
            segments.append(ramp)
            start, air = ramp.end_s, ramp.at(ramp.end_s)
        segments.append(AirSegment(start, inf, target, 0.0, air - target, tau))
        self._segments = tuple(segments)
        hold = parameters.hold_s
        self._stable = tuple((a + hold, b) for a, b in self._in_band() if b - a > hold)

    def _in_band(self) -> list[tuple[float, float]]:
        """The spans of time, in order, in which the air is within the band around the setpoint."""
        if self.parameters.settled:
            return [(-inf, inf)]
        band = self.parameters.band
        edges: list[float] = []
        for segment in self._segments:
            for level in (self.setpoint - band, self.setpoint + band):
                edges += _crossings(segment, level)
        first = self._segments[0].start_s
        marks = sorted({first, *(e for e in edges if e > first)})
        spans: list[tuple[float, float]] = []
        for begin, end in zip(marks, [*marks[1:], inf], strict=True):
            probe = (begin + end) / 2.0 if end < inf else begin + 20.0 * self.parameters.response_s
            if abs(self.segment(probe).at(probe) - self.setpoint) > band:
                continue
            if spans and spans[-1][1] == begin:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((min(begin, self._held_since) if begin == first else begin, end))
        return spans


def _crossings(segment: AirSegment, level: float) -> list[float]:
    """When the air of this segment is exactly at ``level``: at most two instants, since the curve has one bend."""
    tau = segment.response_s
    if not segment.slope:
        share = (level - segment.level) / segment.decay if segment.decay else 0.0
        return [segment.start_s - tau * log(share)] if 0.0 < share <= 1.0 else []
    marks = [segment.start_s, segment.end_s]
    bend = segment.decay / (segment.slope * tau)
    if bend > 1.0:  # the derivative is zero where exp(−h/τ) = slope·τ/decay
        turn = segment.start_s + tau * log(bend)
        if turn < segment.end_s:
            marks.insert(1, turn)
    found = []
    for begin, end in pairwise(marks):
        below = segment.at(begin) < level
        if below == (segment.at(end) < level):
            continue
        while True:
            middle = (begin + end) / 2.0
            if not begin < middle < end:
                break
            if (segment.at(middle) < level) == below:
                begin = middle
            else:
                end = middle
        found.append(end)
    return found
