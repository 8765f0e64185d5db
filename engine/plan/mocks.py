"""`--mock role.property=value`: which readings are replaced, checked like everything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.core.bench import PropertySpec, PropertyValue, Target
from engine.plan.model import Plan
from schemas.diagnostics import Problems, did_you_mean
from schemas.quantity import QuantityError, parse_quantity
from schemas.source import Source


def resolve_mocks(mocks: Mapping[str, str], plan: Plan) -> dict[Target, PropertyValue]:
    """Target → value in the property's own unit. Raises InvalidFiles with every problem."""
    problems = Problems()
    roles = {role.name: role for role in plan.roles}
    found: dict[Target, PropertyValue] = {}
    for name, text in mocks.items():
        place = Source("--mock", f"{name}={text}")
        role_name, _, prop = name.partition(".")
        role = roles.get(role_name)
        spec = plan.instruments.get(role.instrument) if role is not None else None
        if role is None or spec is None:
            problems.error(
                "N002",
                f"the sequence uses no role `{role_name}`",
                place.span(0, len(role_name)),
                label=did_you_mean(role_name, roles),
                help=f"roles: {', '.join(roles)}",
            )
            continue
        if prop not in spec.properties:
            problems.error(
                "N003",
                f"`{role_name}` has no property `{prop}`",
                place.span(len(role_name) + 1, len(name)),
                label=did_you_mean(prop, spec.properties),
                help=f"it has: {', '.join(spec.properties)}",
            )
            continue
        try:
            found[Target(role.instrument, role.channel, prop)] = parse_mock(text, spec.properties[prop])
        except (QuantityError, ValueError) as error:
            message = error.message if isinstance(error, QuantityError) else str(error)
            help_ = error.help if isinstance(error, QuantityError) else ""
            problems.error("Q004", message, place.span(len(name) + 1, len(place.text)), help=help_)
    problems.raise_if_any()
    return found


def parse_mock(text: str, spec: PropertySpec) -> Any:
    """The value in the property's own terms. Raises QuantityError or ValueError."""
    match spec.type:
        case "number":
            try:
                number = float(text)
            except ValueError:
                return parse_quantity(text, spec.unit).value
            return number
        case "on_off":
            switch = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}.get(text.lower())
            if switch is None:
                raise ValueError(f"expected on or off, found `{text}`")
            return switch
        case "choice":
            if text not in (spec.choices or {}):
                raise ValueError(f"expected one of {', '.join(spec.choices or ())}, found `{text}`")
            return text
        case "array":
            return [float(part) for part in text.split(",")]
        case _:
            return text
