"""Every random draw of the simulated bench, as a keyed function rather than a stream.

A draw depends on its key alone: seed, serial, instrument, node, attempt and the number of the draw. With a stream, one
reading more in another unit would change every later value, and an interrupted attempt could not be repeated.
"""

from __future__ import annotations

from hashlib import blake2b
from math import log, sqrt

KeyPart = str | int | float | None

# Rational approximation of the inverse normal distribution, relative error below 1.2e-9:
# P. J. Acklam, "An algorithm for computing the inverse normal cumulative distribution function", 2003.
_A = (-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.3577518672690, -30.66479806614716)
_A5 = 2.506628277459239
_B = (-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572)
_C = (-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968)
_C5 = 2.938163982698783
_D = (0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416)
_TAIL = 0.02425


def inverse_normal(share: float) -> float:
    """How many standard deviations from the mean the given share (0 < share < 1) of a normal distribution ends."""
    if share < _TAIL:
        return _tail(sqrt(-2.0 * log(share)))
    if share > 1.0 - _TAIL:
        return -_tail(sqrt(-2.0 * log(1.0 - share)))
    q = share - 0.5
    r = q * q
    above = ((((_A[0] * r + _A[1]) * r + _A[2]) * r + _A[3]) * r + _A[4]) * r + _A5
    below = ((((_B[0] * r + _B[1]) * r + _B[2]) * r + _B[3]) * r + _B[4]) * r + 1.0
    return q * above / below


def _tail(q: float) -> float:
    above = ((((_C[0] * q + _C[1]) * q + _C[2]) * q + _C[3]) * q + _C[4]) * q + _C5
    return above / ((((_D[0] * q + _D[1]) * q + _D[2]) * q + _D[3]) * q + 1.0)


def keyed_uniform(*key: KeyPart) -> float:
    """A number strictly between 0 and 1 that depends on the key and on nothing else."""
    return _share(repr(key).encode())


def keyed_gauss(*key: KeyPart) -> float:
    """A standard normal number that depends on the key and on nothing else."""
    return inverse_normal(_share(repr(key).encode()))


def _share(text: bytes) -> float:
    number = int.from_bytes(blake2b(text, digest_size=7).digest(), "big") >> 4  # 52 bits: exact in a float
    return (number + 0.5) * 2.220446049250313e-16


class NoiseSource:
    """The draws of one instrument: set the key of a node, then draw; the counter starts again with each key."""

    __slots__ = ("_draw", "_identity", "_key", "_prefix")

    def __init__(self, *identity: KeyPart) -> None:
        self.set_identity(*identity)

    def set_identity(self, *identity: KeyPart) -> None:
        """Say whose draws these are from now on."""
        self._identity = repr(identity)
        self._prefix = self._identity.encode()
        self._key: tuple[str | int, ...] | None = None
        """Set and not yet part of the prefix: most nodes draw nothing from most instruments."""
        self._draw = 0

    def set_key(self, key: tuple[str | int, ...]) -> None:
        """Name the node and attempt that draws next."""
        self._key = key
        self._draw = 0

    def uniform(self) -> float:
        """The next number strictly between 0 and 1."""
        if self._key is not None:
            self._begin(self._key)
        self._draw += 1
        return _share(b"%b#%d" % (self._prefix, self._draw))

    def gauss(self) -> float:
        """The next standard normal number."""
        return inverse_normal(self.uniform())

    def _begin(self, key: tuple[str | int, ...]) -> None:
        self._prefix = (self._identity + repr(key)).encode()
        self._key = None
