"""Drivers as the station names them: found, loaded, and checked against what their capability promises."""

from __future__ import annotations

from engine.plan.model import Role
from schemas.capabilities import CAPABILITIES
from schemas.diagnostics import InvalidFiles, Problems, did_you_mean
from schemas.driver import Driver
from schemas.library import Library
from schemas.loading import Loaded, load
from schemas.quantity import parse_unit
from schemas.source import Path
from schemas.station import Instrument, Station


def find_driver(
    driver_id: str, station: Loaded[Station], path: Path, library: Library, problems: Problems
) -> Loaded[Driver] | None:
    found = library.find("driver", driver_id)
    if found is None:
        known = library.ids("driver")
        problems.error(
            "N001",
            f"there is no driver `{driver_id}`",
            station.at(path),
            label=did_you_mean(driver_id, known),
            help=f"drivers found: {', '.join(sorted(known)) or 'none'}",
        )
        return None
    try:
        driver: Loaded[Driver] = load(found.path, "driver")
    except InvalidFiles as invalid:
        problems.extend(invalid.problems)
        return None
    check_driver(driver, problems)
    return driver


def check_driver(driver: Loaded[Driver], problems: Problems) -> None:
    """Whether a driver offers what its capability promises, and refers only to properties it has."""
    model = driver.model
    promised = CAPABILITIES.get(model.capability)
    if promised is None:
        problems.error(
            "D001",
            f"unknown capability `{model.capability}`",
            driver.at(("capability",)),
            label=did_you_mean(model.capability, CAPABILITIES),
            help=f"capabilities: {', '.join(CAPABILITIES)}",
        )
        promised = {}
    missing = [name for name in promised if name not in model.properties]
    if missing:
        problems.error(
            "D002",
            f"a {model.capability} must offer {', '.join(f'`{name}`' for name in missing)}",
            driver.key(("properties",)),
        )
    for name, prop in model.properties.items():
        path: Path = ("properties", name)
        want = promised.get(name)
        if want == "on_off" and prop.type != "on_off":
            problems.error("D003", f"`{name}` of a {model.capability} is `type: on_off`", driver.key(path))
        elif want not in (None, "any", "on_off"):
            unit = parse_unit(prop.unit or "")
            if prop.type != "number" or not parse_unit(str(want)).compatible(unit):
                problems.error("D003", f"`{name}` of a {model.capability} is a number in {want}", driver.key(path))
        for index, other in enumerate(prop.resets):
            if other not in model.properties:
                problems.error(
                    "D004",
                    f"`{name}` resets `{other}`, which is no property of this driver",
                    driver.at((*path, "resets", index)),
                    label=did_you_mean(other, model.properties),
                )
        if prop.set is not None and "{{" not in prop.set and prop.type not in ("on_off",):
            problems.error(
                "D005",
                f"the command that sets `{name}` has no place for the value",
                driver.at((*path, "set")),
                help="write `{{ value }}` where it goes",
            )
        for kind in ("get", "set"):
            text = getattr(prop, kind)
            if text is not None and "{{ channel }}" in text and not model.channels:
                problems.error(
                    "D006",
                    "this command names a channel, but the driver has no `channels`",
                    driver.at((*path, kind)),
                )


def roles_of(name: str, instrument: Instrument, driver: Loaded[Driver]) -> list[Role]:
    capability = driver.model.capability
    first = ""
    if driver.model.channels:
        first = str(instrument.channel if instrument.channel is not None else driver.model.channels[0])
    roles = [Role(name, capability, name, first)]
    roles += [Role(role, capability, name, str(channel)) for role, channel in instrument.channels.items()]
    return roles
