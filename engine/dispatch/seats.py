"""Which unit sits at which site, and who is next: more units than sites wait until one is freed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.dispatch.unit import UnitUnderTest


class Seats:
    """Of one run."""

    def __init__(self, sites: Sequence[str], units: Sequence[UnitUnderTest]) -> None:
        """A unit without a site takes the first that is free."""
        self._sites = tuple(sites)
        self._taken: set[str] = set()
        self.queue = list(units)

    def next(self) -> UnitUnderTest | None:
        """The first in line for whom there is a site, seated there; None where there is none."""
        free = next((site for site in self._sites if site not in self._taken), None)
        for place, unit in enumerate(self.queue):
            site = unit.site or free
            if site is not None and site not in self._taken:
                del self.queue[place]
                self._taken.add(site)
                return unit if unit.site else replace(unit, site=site)
        return None

    def leave(self, site: str) -> None:
        """It is free again."""
        self._taken.discard(site)
