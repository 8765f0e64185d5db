"""What the relays of a switch connect: the wiring between the sites and whoever measures through the switch.

The switch itself is described by a file like any other instrument: all it must have is a state `closed`. What its relays are
wired to is the station's word (`simulate: {relays: {"1A1": A, "1B1": {site: A, point: vin}}}`). So a bench with a switch of
its own needs no code, and a meter behind it never reads a site that nothing connects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.core.errors import UsageError
from engine.sim.physics.world import Site, World
from schemas.diagnostics import did_you_mean

POINTS = ("vout", "vin")
"""What a relay can be wired to at a site; the first unless the station says otherwise."""
_NAME = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a closed relay leads."""

    site: Site
    point: str

    def voltage(self, time_s: float) -> float:
        """True voltage there, V."""
        point = self.site.at(time_s).point
        return point.vin if self.point == "vin" else point.vout


class Relays:
    """The wired relays of one switch. Which are closed is asked at each use and never remembered."""

    def __init__(self, contacts: Mapping[str, Contact], closed: Callable[[], object]) -> None:
        """`closed`: the switch's own state: names in a text (`1A1`, `(@101,102)`), or an on/off for each channel from 1."""
        self._contacts = contacts
        self._closed = closed

    def closed(self) -> list[Contact]:
        """Where the closed relays lead; relays that are wired to nothing are left out."""
        state = self._closed()
        if isinstance(state, list):
            names = [str(number) for number, is_closed in enumerate(state, start=1) if is_closed]
        else:
            names = _NAME.findall(str(state))
        return [self._contacts[name] for name in names if name in self._contacts]

    def voltage(self, time_s: float) -> float | None:
        """True voltage at the common terminal, V; None where it hangs open.

        Two sources that are tied together: the higher one wins, since neither a regulator nor a supply takes current in.
        """
        return max((contact.voltage(time_s) for contact in self.closed()), default=None)


def read_contacts(name: str, written: object, world: World) -> dict[str, Contact]:
    """The wiring of the switch `name` as a station says it. Raises UsageError."""
    if not isinstance(written, Mapping):
        raise UsageError(
            f"simulated `{name}`: `relays` must say what each relay connects", 'such as `relays: {"1A1": A, "1A2": B}`'
        )
    return {str(relay): _contact(name, str(relay), where, world) for relay, where in written.items()}


def _contact(name: str, relay: str, written: object, world: World) -> Contact:
    where = f"simulated `{name}`, relay `{relay}`"
    if not _NAME.fullmatch(relay):
        raise UsageError(f"{where}: a relay's name is made of letters and digits", "such as `1A1` or `101`")
    keys: Mapping[object, object] = written if isinstance(written, Mapping) else {"site": written}
    for key in keys:
        if key not in ("site", "point"):
            hint = did_you_mean(str(key), ("site", "point")) or "it takes `site` and `point`"
            raise UsageError(f"{where}: unknown key `{key}`", hint)
    site, point = keys.get("site"), keys.get("point", POINTS[0])
    if site is None:
        raise UsageError(f"{where}: it is wired to no site", f"sites: {', '.join(world.sites)}")
    if str(site) not in world.sites:
        hint = did_you_mean(str(site), world.sites) or f"sites: {', '.join(world.sites)}"
        raise UsageError(f"{where}: this station has no site `{site}`", hint)
    if point not in POINTS:
        hint = did_you_mean(str(point), POINTS) or f"points: {', '.join(POINTS)}"
        raise UsageError(f"{where}: a site has no point `{point}`", hint)
    return Contact(world.sites[str(site)], str(point))
