"""What every simulated instrument has: its place in the world, its clock, its noise, its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.core.errors import UsageError
from engine.sim.instruments.relays import Relays
from engine.sim.noise import NoiseSource
from engine.sim.physics.world import Site, World
from engine.sim.scpi.instrument import ScpiInstrument
from schemas.diagnostics import did_you_mean
from schemas.quantity import QuantityError, parse_quantity, parse_unit


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instrument stands: its name, its serial, the world and the site it is wired to."""

    name: str
    serial: str
    world: World
    site: Site | None
    """None for an instrument that several sites share and that is wired to none of them alone."""
    now: Callable[[], float]
    parameters: Mapping[str, object]
    """What the device file and then the station say; the station wins."""
    relays_of: Callable[[str], Relays | None] = lambda switch: None
    """The wired relays of another instrument of the bench; None where it is not there or has none."""


@dataclass(frozen=True, slots=True)
class Option:
    """A parameter of a built-in instrument: a quantity in ``unit``, or one of ``choices``."""

    unit: str = ""
    default: float = 0.0
    choices: tuple[str, ...] = ()
    """The first is the default."""
    is_name: bool = False
    """The name of another instrument; none unless given."""
    at_least: float | None = 0.0


class SimulatedInstrument(ScpiInstrument):
    """A SCPI instrument in the simulated world."""

    def __init__(self, identity: str, place: Place, serial_of_unit: str) -> None:
        super().__init__(identity)
        self.place = place
        self.now = place.now
        self.noise = NoiseSource(place.world.seed, serial_of_unit, place.name)

    def meet(self, serial: str) -> None:
        """The unit it is wired to has been exchanged for one with this serial, by which its noise goes on."""
        self.noise.set_identity(self.place.world.seed, serial, self.place.name)

    def steady_until(self, message: str) -> float | None:
        """The time before which the reply to this query cannot change by itself; None where that is not known."""
        return None

    def wired_site(self) -> Site:
        """The site this instrument is wired to. Raises UsageError where several share it."""
        site = self.place.site
        if site is None:
            raise UsageError(
                f"simulated `{self.place.name}` is shared by several sites and wired to none",
                "give it `per_site: true`, or say `simulate: {site: …}`",
            )
        return site


def read_options(place: Place, options: Mapping[str, Option]) -> dict[str, float]:
    """The number parameters of an instrument. Raises UsageError for unknown or impossible ones."""
    for name in place.parameters:
        if name not in options and name != "site":
            hint = did_you_mean(name, options) or f"known: {', '.join(options) or 'none'}"
            raise UsageError(f"simulated `{place.name}` has no parameter `{name}`", hint)
    return {
        name: _number(place, name, option)
        for name, option in options.items()
        if not option.choices and not option.is_name
    }


def read_choice(place: Place, name: str, option: Option) -> str:
    """A parameter that is one of a few words. Raises UsageError for any other."""
    value = place.parameters.get(name, option.choices[0])
    if value not in option.choices:
        hint = did_you_mean(str(value), option.choices) or f"use one of {', '.join(option.choices)}"
        raise UsageError(f"simulated `{place.name}`: `{name}` cannot be `{value}`", hint)
    return str(value)


def read_name(place: Place, name: str) -> str | None:
    """A parameter that names another instrument; None where it is not given. Raises UsageError for anything else."""
    value = place.parameters.get(name)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"simulated `{place.name}`: `{name}` must be the name of an instrument", "")
    return value


def _number(place: Place, name: str, option: Option) -> float:
    written = place.parameters.get(name)
    if written is None:
        return option.default
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        raise UsageError(f"simulated `{place.name}`: `{name}` must be a quantity in {option.unit}", "")
    try:
        value = parse_quantity(written, parse_unit(option.unit), difference=option.unit == "degC").value
    except QuantityError as error:
        raise UsageError(f"simulated `{place.name}`: `{name}`: {error.message}", error.help) from None
    if option.at_least is not None and value < option.at_least:
        raise UsageError(
            f"simulated `{place.name}`: `{name}` must not be below {option.at_least:g} {option.unit}".rstrip(), ""
        )
    return value
