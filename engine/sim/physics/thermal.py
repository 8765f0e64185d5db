"""The case temperature of one part between two events, exact wherever power is linear in temperature.

The path is a chain of pieces whose ends depend on the last event alone, never on when somebody looked: a read must not
change what a later read sees. While the part regulates, its power is linear in temperature and one piece reaches to the
end of the chamber's segment, or for ever. Where it is not (dropout, constant current), pieces are exponential
Rosenbrock steps of third order (M. Hochbruck, A. Ostermann, "Exponential integrators", Acta Numerica 19, 2010).
"""

from __future__ import annotations

from bisect import bisect_right
from math import exp, expm1, fmod, inf

from engine.sim.physics.chamber import AirSegment, Chamber
from engine.sim.physics.ldo import Drive, LdoParameters, Point, solve
from engine.sim.physics.piece import Piece, moved_by, phi3

LINEAR_K = 1e-8
"""Where curvature can move the case by no more than this, power counts as linear."""
STEP_K = 1e-6
"""Largest correction a curved step may need; its error is far smaller."""
OUTLOOKS = (inf, 256.0, 32.0, 4.0)
"""How far ahead, in time constants of the case (at least 1 s), a piece may reach."""
LONGEST_STEP = 64.0
"""Longest curved step, measured alike: how long a visit to another mode could at most be overlooked."""
RISING_K = 1e-7
"""Largest error of a step while the output rises."""
SOFT_START_TIMES = 20.0
"""After so many time constants the output has risen to within 2e-9 and counts as risen."""


class CaseTemperature:
    """One part in the chamber. Each event begins a new path; a read before it gives the state at the event."""

    def __init__(self, part: LdoParameters, chamber: Chamber, start_s: float = 0.0) -> None:
        self.part = part
        self.chamber = chamber
        self.drive = Drive()
        self.event_s = start_s
        self._scale_s = max(part.case_time, 1.0)
        """What steps are measured by; not below 1 s, or a tiny part would be followed in tiny steps for hours."""
        self._settled = chamber.parameters.settled
        self._pieces: list[Piece] = []
        self._starts: list[float] = []
        self._next_step_s = 0.0
        self._last_trip_s = -inf
        self._cycle: tuple[float, float] | None = None
        self._begin(start_s, chamber.parameters.ambient, False, -inf)

    # ---- events

    def rebase(self, time_s: float) -> None:
        """Fix the state at ``time_s``, just before something changes."""
        time_s = max(time_s, self.event_s)
        piece, at_s = self._piece(time_s)
        rising = piece.rising_since + (time_s - at_s)
        self._begin(time_s, self._case_in(piece, at_s), piece.shut, rising)

    def set_drive(self, time_s: float, drive: Drive) -> None:
        """Change what the bench does to the part."""
        if drive == self.drive:
            return
        time_s = max(time_s, self.event_s)
        was_supplied = self.drive.voltage > 0.0
        self.rebase(time_s)
        first = self._pieces[0]
        self.drive = drive
        rising, shut = first.rising_since, first.shut
        if drive.voltage <= 0.0:
            shut = False
        elif not was_supplied:
            rising, shut = time_s, False
        if self.part.soft_start <= 0.0 or self._settled:
            rising = -inf
        self._begin(time_s, first.case, shut, rising)

    def _begin(self, time_s: float, case: float, shut: bool, rising_since: float) -> None:
        self.event_s = time_s
        self._pieces, self._starts = [], []
        self._next_step_s = self.part.case_time / 16.0
        self._last_trip_s, self._cycle = -inf, None
        self._append(time_s, case, shut, rising_since)

    # ---- reads

    def at(self, time_s: float) -> tuple[float, Point, bool]:
        """Case temperature, electrical state, and whether the part has shut itself down."""
        piece, at_s = self._piece(max(time_s, self.event_s))
        case = self._case_in(piece, at_s)
        return case, self._point(case, self._rise(piece, at_s)), piece.shut

    def _piece(self, time_s: float) -> tuple[Piece, float]:
        """The piece that holds at ``time_s``, and the time to read it at (an equal one, a few cycles earlier)."""
        while self._pieces[-1].end_s <= time_s:
            if self._cycle is not None:
                start, period = self._cycle
                time_s = start + fmod(time_s - start, period)
                break
            self._extend()
        return self._pieces[bisect_right(self._starts, time_s) - 1], time_s

    def _rise(self, piece: Piece, time_s: float) -> float:
        if piece.shut:
            return 0.0
        if piece.rising_since == -inf:
            return 1.0
        since = (time_s - piece.rising_since) / self.part.soft_start
        return 1.0 if since >= SOFT_START_TIMES else -expm1(-since)

    def _point(self, case: float, rise: float, with_slope: bool = False) -> Point:
        return solve(self.part, case, self.drive, rise, with_slope)

    def _case_in(self, piece: Piece, time_s: float) -> float:
        h = time_s - piece.start_s
        if h <= 0.0:
            return piece.case
        if self._settled:
            return piece.case
        if piece.rising_since > -inf:
            return self._runge_kutta(piece, h)
        linear = piece.case + moved_by(piece, h)
        if piece.is_linear:
            return linear
        return linear + self._correction(piece, h, linear)

    # ---- the chain of pieces

    def _extend(self) -> None:
        last = self._pieces[-1]
        case = self._case_in(last, last.end_s)
        rising = last.rising_since
        if rising > -inf and self._rise(last, last.end_s + 1e-6 * self.part.soft_start) == 1.0:
            rising = -inf
        self._append(last.end_s, case, last.shut, rising)

    def _append(self, time_s: float, case: float, shut: bool, rising_since: float) -> None:
        if self._settled:
            piece = self._settled_piece(time_s)
        else:
            shut, rising_since = self._switch(time_s, case, shut, rising_since)
            piece = self._next_piece(time_s, case, shut, rising_since)
        self._pieces.append(piece)
        self._starts.append(time_s)

    def _settled_piece(self, time_s: float) -> Piece:
        air = self.chamber.air(time_s)
        case = self._steady(air, 1.0)
        shut = self._point(case, 1.0).tj >= self.part.thermal_shutdown
        if shut:
            case = self._steady(air, 0.0)
        return Piece(time_s, inf, case, shut, -inf)

    def _switch(self, time_s: float, case: float, shut: bool, rising_since: float) -> tuple[bool, float]:
        """Trip or restart. The comparator is blanked while the output rises.

        While shut, the junction compared with `thermal_restart` is the one the part would have on restarting: it has no
        heat capacity of its own, so with the cold one a hot part would switch infinitely often.
        """
        if self.drive.voltage <= 0.0:
            return False, rising_since
        if rising_since > -inf:
            return shut, rising_since
        junction = self._point(case, 1.0).tj
        if not shut and junction >= self.part.thermal_shutdown - 1e-9:
            air = self.chamber.segment(time_s)
            if not air.slope and abs(air.at(time_s) - air.level) < 1e-9:
                if self._last_trip_s > -inf:
                    self._cycle = (self._last_trip_s, time_s - self._last_trip_s)
                self._last_trip_s = time_s
            return True, -inf
        if shut and junction <= self.part.thermal_restart + 1e-9:
            return False, time_s if self.part.soft_start > 0.0 else -inf
        return shut, rising_since

    def _next_piece(self, time_s: float, case: float, shut: bool, rising_since: float) -> Piece:
        air = self.chamber.segment(time_s)
        if rising_since > -inf:
            return self._rising_piece(time_s, case, shut, rising_since, air)
        rise = 0.0 if shut else 1.0
        point = self._point(case, rise, with_slope=True)
        horizon_s, is_linear, may_switch = self._outlook(time_s, case, shut, point, air)
        whole = self._linearised(time_s, horizon_s, case, shut, point, air, is_linear)
        if is_linear and not may_switch:
            return whole
        step_s = min(self._next_step_s, horizon_s - time_s, LONGEST_STEP * self._scale_s)
        if may_switch:
            step_s = min(step_s, self._scale_s / 8.0)
        while not is_linear:
            half = self._correction(whole, step_s / 2.0, case + moved_by(whole, step_s / 2.0))
            full = self._correction(whole, step_s, case + moved_by(whole, step_s))
            correction = max(abs(half), abs(full))
            if correction <= STEP_K:
                self._next_step_s = step_s * min(3.0, 0.8 * (STEP_K / (correction + 1e-30)) ** (1.0 / 3.0))
                break
            step_s *= max(0.1, 0.8 * (STEP_K / correction) ** (1.0 / 3.0))
        if is_linear:
            self._next_step_s = step_s * 2.0
        end = time_s + step_s
        if may_switch:
            end = self._first_switch(whole, end)
        return self._linearised(time_s, end, case, shut, point, air, is_linear)

    def _rising_piece(self, time_s: float, case: float, shut: bool, rising_since: float, air: AirSegment) -> Piece:
        """A step while the output rises, halved until two halves of it agree with the whole."""
        rise_s = self.part.soft_start
        rest_s = rising_since + SOFT_START_TIMES * rise_s - time_s
        # The load takes hold within the first few percent of the rise; later ever less happens.
        step_s = max((time_s - rising_since) / 2.0, rise_s / 256.0)
        step_s = min(step_s, max(rest_s, rise_s * 1e-3), self.part.case_time / 4.0, air.response_s / 4.0)
        if time_s + step_s > air.end_s:
            step_s = air.end_s - time_s
        while True:
            whole = Piece(time_s, time_s + step_s, case, shut, rising_since, is_linear=False)
            middle = self._runge_kutta(whole, step_s / 2.0)
            second = Piece(time_s + step_s / 2.0, time_s + step_s, middle, shut, rising_since, is_linear=False)
            gap = self._runge_kutta(second, step_s / 2.0) - self._runge_kutta(whole, step_s)
            if abs(gap) <= RISING_K or step_s <= rise_s * 1e-5:
                return whole
            step_s /= 2.0

    def _outlook(
        self, time_s: float, case: float, shut: bool, point: Point, air: AirSegment
    ) -> tuple[float, bool, bool]:
        """How far one may look from here, whether power is linear until then, and whether the part may switch.

        Looks to the end of the segment first, and nearer only where the part might trip or restart before that.
        """
        rise = 0.0 if shut else 1.0
        horizon_s, is_linear = air.end_s, False
        for reach in OUTLOOKS:
            horizon_s = min(air.end_s, time_s + reach * self._scale_s)
            low, high = air.bounds(time_s, horizon_s)
            low, high = min(case, self._steady(low, rise)), max(case, self._steady(high, rise))
            at_low, at_high = self._point(low, rise), self._point(high, rise)
            curved = max(
                abs(at_low.power - point.power - point.slope * (low - case)),
                abs(at_high.power - point.power - point.slope * (high - case)),
            )
            one_mode = point.limiting == at_low.limiting == at_high.limiting
            is_linear = one_mode and self.part.theta_ca * curved <= LINEAR_K
            if self.drive.voltage <= 0.0:
                return horizon_s, is_linear, False
            if shut:
                may_switch = self._point(low, 1.0).tj <= self.part.thermal_restart
            else:
                may_switch = at_high.tj >= self.part.thermal_shutdown
            if not may_switch:
                return horizon_s, is_linear, False
        return horizon_s, is_linear, True

    def _linearised(
        self, time_s: float, end_s: float, case: float, shut: bool, point: Point, air: AirSegment, is_linear: bool
    ) -> Piece:
        """dT/dt = (Tair − T + θca·(P0 + P'·(T − T0)))/τ about T0 = ``case``."""
        theta, tau = self.part.theta_ca, self.part.case_time
        h = time_s - air.start_s
        decay = air.decay * exp(-h / air.response_s) if air.decay else 0.0
        return Piece(
            time_s,
            end_s,
            case,
            shut,
            -inf,
            is_linear,
            rate=(1.0 - theta * point.slope) / tau,
            force=(air.level + air.slope * h - case + theta * point.power) / tau,
            force_slope=air.slope / tau,
            force_decay=decay / tau,
            decay_rate=1.0 / air.response_s,
            power=point.power,
            slope=point.slope,
        )

    def _correction(self, piece: Piece, h: float, case: float) -> float:
        """What the curvature of P adds after ``h`` seconds: 2·h·φ3(−rate·h) times the remainder at the linear end."""
        power = self._point(case, 0.0 if piece.shut else 1.0).power
        remainder = power - piece.power - piece.slope * (case - piece.case)
        return 2.0 * h * phi3(-piece.rate * h) * self.part.theta_ca * remainder / self.part.case_time

    def _first_switch(self, piece: Piece, end_s: float) -> float:
        """The instant, not after ``end_s``, at which the part trips or restarts; ``end_s`` where it does not."""
        limit = self.part.thermal_restart if piece.shut else self.part.thermal_shutdown

        def has_switched(time_s: float) -> bool:
            junction = self._point(self._case_in(piece, time_s), 1.0).tj
            return junction <= limit if piece.shut else junction >= limit

        if not has_switched(end_s):
            return end_s
        low, high = piece.start_s, end_s
        for _ in range(60):
            middle = (low + high) / 2.0
            if not low < middle < high:
                break
            if has_switched(middle):
                high = middle
            else:
                low = middle
        return high

    def _steady(self, air: float, rise: float) -> float:
        """The case temperature at which nothing changes any more: T = Tair + θca·P(T)."""
        theta = self.part.theta_ca
        case = air
        for _ in range(50):
            point = self._point(case, rise)
            step = (case - air - theta * point.power) / (1.0 - theta * point.slope)
            case -= step
            if abs(step) < 1e-11:
                break
        return case

    def _runge_kutta(self, piece: Piece, h: float) -> float:
        """One classical step of fourth order while the output rises and power depends on time itself."""
        segment = self.chamber.segment(piece.start_s)
        theta, tau = self.part.theta_ca, self.part.case_time

        def rate(time_s: float, case: float) -> float:
            power = self._point(case, self._rise(piece, time_s)).power
            return (segment.at(time_s) - case + theta * power) / tau

        start, case = piece.start_s, piece.case
        k1 = rate(start, case)
        k2 = rate(start + h / 2.0, case + k1 * h / 2.0)
        k3 = rate(start + h / 2.0, case + k2 * h / 2.0)
        k4 = rate(start + h, case + k3 * h)
        return case + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
