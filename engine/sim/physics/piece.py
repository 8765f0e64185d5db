"""One piece of a case's path: the closed form of a linear equation, and the function its correction needs.

Kept apart from where pieces end and begin, so that each formula can be checked against its equation alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, inf


@dataclass(frozen=True, slots=True)
class Piece:
    """The case from ``start_s`` to ``end_s``, a closed form in the time since the start."""

    start_s: float
    end_s: float
    case: float
    shut: bool
    rising_since: float
    """When the output began to rise; ``-inf`` once it has risen."""
    is_linear: bool = True
    rate: float = 0.0
    force: float = 0.0
    force_slope: float = 0.0
    force_decay: float = 0.0
    decay_rate: float = 0.0
    power: float = 0.0
    slope: float = 0.0


def moved_by(piece: Piece, h: float) -> float:
    """Solution of y' = −rate·y + force + force_slope·t + force_decay·exp(−decay_rate·t), y(0) = 0, at t = h."""
    rate = piece.rate
    if h == inf:
        return piece.force / rate
    share = -expm1(-rate * h) / rate
    moved = piece.force * share
    if piece.force_slope:
        moved += piece.force_slope * (h - share) / rate
    if piece.force_decay:
        apart = rate - piece.decay_rate
        if abs(apart) * h < 1e-9:
            moved += piece.force_decay * h * exp(-rate * h)
        else:
            moved += (
                piece.force_decay * exp(-rate * h) * expm1(apart * h) / apart
                if apart * h < 500.0
                else (piece.force_decay * exp(-piece.decay_rate * h) / apart)
            )
    return moved


def phi3(z: float) -> float:
    """φ3(z) = (e^z − 1 − z − z²/2)/z³, by its series near 0 where the quotient cancels."""
    if abs(z) < 0.5:
        total = term = 1.0 / 6.0
        for n in range(4, 16):
            term *= z / n
            total += term
        return total
    return (expm1(z) - z - z * z / 2.0) / (z * z * z)
