"""A linear regulator at one instant: what it draws, gives and burns for a supply, a load and a case temperature.

All is self-consistent: power follows from the junction and the junction from power. Taking power from the case, as a
simpler model would, misses the drift of a hot part by several millivolts.

Formulas (T in °C, currents in A): ``Vout = Vnom·(1 + TC·(Tj − 25)) + line·(Vin − Vref) − load·Iload``, never above
``Vin − Vdo`` with ``Vdo = Vdo25·((Tj + 273.15)/300)^1.5``; ``Iq = Iq25·(1 + TCq·(Tj − 25))``;
``P = (Vin − Vout)·Iload + Vin·Iq``; ``Tj = Tcase + P·θjc``. Dropout does not depend on the load current.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

MINIMUM_LOAD_V = 0.05
"""Below this an electronic load is a resistor: it cannot pull its whole current out of nothing."""
WAKE_V = 0.5
"""Below this supply the quiescent current falls in proportion to the voltage."""


@dataclass(frozen=True, slots=True)
class LdoParameters:
    """One part. V, A, °C, °C/W; ``tempco`` in ppm/°C, ``tcq`` in 1/°C."""

    vnom: float = 3.3
    tempco: float = 50.0
    load_regulation: float = 0.02
    line_regulation: float = 0.001
    line_reference: float = 5.0
    vdo25: float = 0.3
    iq25: float = 50e-6
    tcq: float = 0.003
    current_limit: float = 0.75
    thermal_shutdown: float = 165.0
    thermal_restart: float = 150.0
    theta_jc: float = 15.0
    theta_ca: float = 5.0
    case_time: float = 5.0
    soft_start: float = 1e-3


class Drive(NamedTuple):
    """What the bench does to a part."""

    voltage: float = 0.0
    """Supply setting in V, 0 with its output off."""
    current_limit: float = 0.0
    load: float = 0.0
    """Current the load asks for in A, 0 with its input off."""


class Point(NamedTuple):
    """The electrical state of a part. V, A, W, °C."""

    vin: float
    vout: float
    iload: float
    iq: float
    power: float
    tj: float
    slope: float
    """dP/dTcase in W/°C"""
    limiting: bool
    """True when the supply is in constant current."""


def solve(part: LdoParameters, case: float, drive: Drive, rise: float = 1.0, with_slope: bool = False) -> Point:
    """The self-consistent state; ``rise`` is how much of its output the part allows (0 shut, 1 regulating).

    In constant current the slope has to be found by two more solutions: it is 0 there unless it is asked for.
    """
    vin = drive.voltage
    if vin <= 0.0:
        return Point(0.0, 0.0, 0.0, 0.0, 0.0, case, 0.0, False)
    point = _balance(part, case, vin, drive.load, rise)
    if point.iload + point.iq <= drive.current_limit:
        return point
    point = _fold_back(part, case, drive, rise)._replace(slope=0.0, limiting=True)
    if not with_slope:
        return point
    step = 0.01
    warmer = _fold_back(part, case + step, drive, rise).power
    cooler = _fold_back(part, case - step, drive, rise).power
    return point._replace(slope=(warmer - cooler) / (2.0 * step))


def _balance(part: LdoParameters, case: float, vin: float, demand: float, rise: float) -> Point:
    """Solve Tj = Tcase + θjc·P(Tj) at a given supply voltage, by Newton's method: one step while P is linear."""
    theta = part.theta_jc
    tempco = part.tempco * 1e-6
    limit = part.current_limit
    load = demand if demand < limit else limit
    fixed = part.vnom + part.line_regulation * (vin - part.line_reference) - part.load_regulation * load
    low, high = case - 1.0, case + theta * vin * (limit + 1.0) + 1.0
    tj = case
    for attempt in range(80):
        warm = tj - 25.0
        iq, diq = part.iq25 * (1.0 + part.tcq * warm), part.iq25 * part.tcq
        if iq < 0.0:
            iq = diq = 0.0
        if vin < WAKE_V:
            iq *= vin / WAKE_V
            diq *= vin / WAKE_V
        vout = rise * (fixed + part.vnom * tempco * warm)
        dvout = rise * part.vnom * tempco
        kelvin = max(tj + 273.15, 1.0)
        share = kelvin / 300.0
        dropout = part.vdo25 * share * share**0.5
        if vin - dropout < vout:
            vout, dvout = vin - dropout, -1.5 * dropout / kelvin
        if vout < 0.0:
            vout = dvout = 0.0
        iload, diload = demand, 0.0
        if demand > limit and vout * demand > MINIMUM_LOAD_V * limit:
            vout, dvout, iload = MINIMUM_LOAD_V * limit / demand, 0.0, limit
        elif vout < MINIMUM_LOAD_V:
            iload, diload = demand * vout / MINIMUM_LOAD_V, demand * dvout / MINIMUM_LOAD_V
        power = (vin - vout) * iload + vin * iq
        slope = (vin - vout) * diload - dvout * iload + vin * diq
        excess = tj - case - theta * power
        if excess > 0.0:
            high = tj
        else:
            low = tj
        steepness = 1.0 - theta * slope
        step = excess / steepness
        if -1e-11 < step < 1e-11:
            return Point(vin, vout, iload, iq, power, tj, slope / steepness, False)
        tj -= step
        if attempt > 12 or not low < tj < high:  # a corner Newton jumps over and back: halve instead
            tj = (low + high) / 2.0
    return Point(vin, vout, iload, iq, power, tj, slope / steepness, False)


def _fold_back(part: LdoParameters, case: float, drive: Drive, rise: float) -> Point:
    """The state at the supply voltage at which the part draws just the supply's current limit."""
    limit = drive.current_limit
    low, high = 0.0, drive.voltage
    below = -limit
    point = _balance(part, case, high, drive.load, rise)
    above = point.iload + point.iq - limit
    if above <= 0.0:
        return point
    side = 0
    for _ in range(100):
        vin = (low * above - high * below) / (above - below)
        if not low < vin < high:
            vin = (low + high) / 2.0
        point = _balance(part, case, vin, drive.load, rise)
        excess = point.iload + point.iq - limit
        if abs(excess) <= 1e-11 * limit or high - low < 1e-14:
            break
        if excess > 0.0:
            high, above = vin, excess
            if side > 0:
                below /= 2.0
            side = 1
        else:
            low, below = vin, excess
            if side < 0:
                above /= 2.0
            side = -1
    return point
