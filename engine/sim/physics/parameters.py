"""What a station's `world:` may say about the parts and the chamber, and how units of one lot differ.

An unknown or impossible parameter is refused here with a suggestion: a misspelt one that were ignored would leave a
default in force and every result plausible but wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from engine.core.errors import UsageError
from engine.sim.noise import keyed_gauss, keyed_uniform
from engine.sim.physics.chamber import ChamberParameters
from engine.sim.physics.ldo import LdoParameters
from schemas.diagnostics import did_you_mean
from schemas.quantity import QuantityError, parse_quantity, parse_unit

MODELS = ("ldo",)


@dataclass(frozen=True, slots=True)
class Constant:
    """One parameter: its unit, what it sets, and what it may be."""

    unit: str
    place: str
    """Field of LdoParameters, or ``chamber.<field>`` of ChamberParameters, or ``noise``."""
    at_least: float | None = None
    above: float | None = None
    is_difference: bool = False


CONSTANTS: Mapping[str, Constant] = {
    "vnom": Constant("V", "vnom", above=0.0),
    "tempco": Constant("ppm/degC", "tempco"),
    "load_regulation": Constant("V/A", "load_regulation"),
    "line_regulation": Constant("V/V", "line_regulation"),
    "line_reference": Constant("V", "line_reference"),
    "vdo25": Constant("V", "vdo25", at_least=0.0),
    "iq25": Constant("A", "iq25", at_least=0.0),
    "tcq": Constant("1/degC", "tcq"),
    "current_limit": Constant("A", "current_limit", above=0.0),
    "thermal_shutdown": Constant("degC", "thermal_shutdown"),
    "thermal_restart": Constant("degC", "thermal_restart"),
    "theta_jc": Constant("degC/W", "theta_jc", at_least=0.0),
    "theta_ca": Constant("degC/W", "theta_ca", at_least=0.0),
    "case_time": Constant("s", "case_time", above=0.0),
    "soft_start": Constant("s", "soft_start", at_least=0.0),
    "ambient": Constant("degC", "chamber.ambient"),
    "chamber_time": Constant("s", "chamber.response_s", above=0.0),
    "chamber_ramp_rate": Constant("degC/min", "chamber.ramp_rate", above=0.0),
    "chamber_band": Constant("degC", "chamber.band", above=0.0, is_difference=True),
    "chamber_hold": Constant("s", "chamber.hold_s", at_least=0.0),
    "chamber_noise": Constant("degC", "noise", at_least=0.0, is_difference=True),
}

CHAMBER_NOISE = 0.01
"""Standard deviation of a reading of the air temperature, °C."""

# How parts of one lot differ: (standard deviation, relative to the value?); draws beyond 3 sigma are cut off there.
_SPREAD: Mapping[str, tuple[float, bool]] = {
    "vnom": (0.001, True),
    "tempco": (2.0, False),
    "load_regulation": (0.05, True),
    "line_regulation": (0.05, True),
    "vdo25": (0.02, True),
    "iq25": (0.03, True),
    "tcq": (0.03, True),
    "current_limit": (0.03, True),
    "thermal_shutdown": (1.0, False),
    "theta_jc": (0.03, True),
    "theta_ca": (0.03, True),
    "soft_start": (0.03, True),
}

DEFECTS = ("TC", "VREF", "LOAD", "LINE", "IQ", "DROPOUT", "START")
"""What a serial of the form ``BAD-<defect>…`` gives a part; a plain ``BAD…`` gets one of the first six by its text."""


@dataclass(frozen=True, slots=True)
class WorldConstants:
    """A world's parameters, read and checked."""

    part: LdoParameters
    chamber: ChamberParameters
    chamber_noise: float


@dataclass(frozen=True, slots=True)
class ParameterProblem:
    """One thing wrong with a world; ``parameter`` is None where the model itself is meant."""

    parameter: str | None
    message: str
    help: str


def read_constants(
    model: str, parameters: Mapping[str, object], settled: bool = False
) -> tuple[WorldConstants, list[ParameterProblem]]:
    """The constants a world's parameters give, and every problem found in them."""
    problems: list[ParameterProblem] = []
    if model not in MODELS:
        hint = did_you_mean(model, MODELS) or f"models: {', '.join(MODELS)}"
        problems.append(ParameterProblem(None, f"unknown world model `{model}`", hint))
    part: dict[str, float] = {}
    chamber: dict[str, Any] = {}
    noise = CHAMBER_NOISE
    for name, written in parameters.items():
        constant = CONSTANTS.get(name)
        if constant is None:
            hint = did_you_mean(name, CONSTANTS) or f"known: {', '.join(CONSTANTS)}"
            problems.append(ParameterProblem(name, f"unknown world parameter `{name}`", hint))
            continue
        value, problem = _read(name, constant, written)
        if problem is not None:
            problems.append(problem)
        elif constant.place == "noise":
            noise = value
        elif constant.place.startswith("chamber."):
            chamber[constant.place.removeprefix("chamber.")] = value
        else:
            part[constant.place] = value
    ldo = replace(LdoParameters(), **part)
    if ldo.thermal_restart >= ldo.thermal_shutdown:
        problems.append(
            ParameterProblem(
                "thermal_restart" if "thermal_restart" in part else "thermal_shutdown",
                f"the part would restart at {ldo.thermal_restart:g} degC, not below its shutdown at "
                f"{ldo.thermal_shutdown:g} degC",
                "set `thermal_restart` below `thermal_shutdown`",
            )
        )
    feedback = (ldo.theta_ca + ldo.theta_jc) * _steepest_heating(ldo)
    if feedback >= 0.5:
        problems.append(
            ParameterProblem(
                None,
                f"this part could heat itself without end: a degree more makes it {feedback:.2g} degrees warmer",
                "lower `theta_ca`, `theta_jc`, `iq25`, `tcq`, `tempco` or `current_limit`",
            )
        )
    return WorldConstants(ldo, ChamberParameters(settled=settled, **chamber), noise), problems


def _steepest_heating(part: LdoParameters) -> float:
    """Largest possible dP/dTj in W/°C, at 20 V and full load; thermal runaway begins where θ·dP/dTj reaches 1."""
    quiescent = 20.0 * part.iq25 * abs(part.tcq)
    output = (part.vnom * abs(part.tempco) * 1e-6 + 1.5 * part.vdo25 / 200.0) * part.current_limit
    return quiescent + output


def checked_constants(model: str, parameters: Mapping[str, object], settled: bool = False) -> WorldConstants:
    """The same for callers who cannot go on with a wrong one. Raises UsageError with the first problem."""
    constants, problems = read_constants(model, parameters, settled)
    if problems:
        raise UsageError(problems[0].message, problems[0].help)
    return constants


def _read(name: str, constant: Constant, written: object) -> tuple[float, ParameterProblem | None]:
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        return 0.0, ParameterProblem(name, f"`{name}` must be a quantity in {constant.unit}", "")
    try:
        unit = parse_unit(constant.unit)
        value = parse_quantity(written, unit, difference=constant.is_difference).value
    except QuantityError as error:
        return 0.0, ParameterProblem(name, f"`{name}`: {error.message}", error.help)
    if constant.above is not None and not value > constant.above:
        text = f"`{name}` must be above {constant.above:g} {constant.unit}, not {value:g}"
        return 0.0, ParameterProblem(name, text, "")
    if constant.at_least is not None and not value >= constant.at_least:
        text = f"`{name}` must not be below {constant.at_least:g} {constant.unit}, not {value:g}"
        return 0.0, ParameterProblem(name, text, "")
    return value, None


def draw_unit(lot: LdoParameters, seed: int, serial: str, spread: float) -> LdoParameters:
    """The part with this serial number: the lot's constants, its own spread, and the defect its serial names."""
    changes: dict[str, float] = {}
    if spread:
        for name, (sigma, is_relative) in _SPREAD.items():
            draw = min(max(keyed_gauss(seed, serial, "unit", name), -3.0), 3.0)
            typical = float(getattr(lot, name))
            changes[name] = typical + draw * sigma * spread * (typical if is_relative else 1.0)
    part = replace(lot, **changes)
    defect = defect_of(serial)
    return part if defect is None else _with_defect(part, defect, serial)


def defect_of(serial: str) -> str | None:
    """The defect a serial number asks for; None for a good part."""
    text = serial.upper()
    if not text.startswith("BAD"):
        return None
    named = [defect for defect in DEFECTS if text.startswith(f"BAD-{defect}")]
    if named:
        return max(named, key=len)
    return DEFECTS[int(keyed_uniform(serial, "defect") * 6)]


def _with_defect(part: LdoParameters, defect: str, serial: str) -> LdoParameters:
    """Far outside what any of the shipped limits allows, and nothing else wrong."""
    size = keyed_uniform(serial, "size")
    sign = 1.0 if keyed_uniform(serial, "sign") < 0.5 else -1.0
    match defect:
        case "TC":
            return replace(part, tempco=sign * (250.0 + 150.0 * size))
        case "VREF":
            return replace(part, vnom=part.vnom * (1.0 + sign * (0.06 + 0.03 * size)))
        case "LOAD":
            return replace(part, load_regulation=part.load_regulation * 10.0 + 0.3 + 0.2 * size)
        case "LINE":
            return replace(part, line_regulation=part.line_regulation * 10.0 + 0.02 + 0.01 * size)
        case "IQ":
            return replace(part, iq25=part.iq25 * (4.0 + 2.0 * size))
        case "DROPOUT":
            return replace(part, vdo25=part.vdo25 * (2.0 + size))
        case _:
            return replace(part, soft_start=part.soft_start * (20.0 + 10.0 * size))


assert {f.name for f in fields(LdoParameters)} >= set(_SPREAD)  # a renamed field must not lose its spread
