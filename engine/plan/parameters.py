"""Parameters of a sequence, and the names that every sequence has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.expr import Kind, Type
from engine.plan.model import ParameterValue
from engine.plan.names import Frame, Scope, reserved
from engine.plan.values import PLAIN, SECOND, Values, bounds_text, on_off
from schemas.diagnostics import Diagnostic, Problems, did_you_mean
from schemas.loading import Loaded
from schemas.quantity import QuantityError, format_quantity, parse_quantity, parse_unit
from schemas.sequence import Parameter, Sequence
from schemas.source import Path, Source

TEXT = Type(Kind.TEXT, None)
CONTEXT: Mapping[str, Type] = {
    "site": TEXT,
    "station": TEXT,
    "outcome": TEXT,
    "attempt": Type(Kind.NUMBER, PLAIN),
    "elapsed": Type(Kind.NUMBER, SECOND),
    "dut.serial": TEXT,
    "dut.index": Type(Kind.NUMBER, PLAIN),
}
"""Names that every sequence has; their slots are their names."""
CONTEXT_SLOTS = tuple(CONTEXT)


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """A parameter with its kind, unit, default and bounds."""

    name: str
    type: Type
    default: Any
    """None: must be given."""
    low: float | None
    high: float | None
    choices: tuple[Any, ...]
    secret: bool

    def refuses(self, value: Any) -> str | None:
        """Why it cannot have this value."""
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(str(choice) for choice in self.choices)}, not {value}"
        if isinstance(value, float) and (
            (self.low is not None and value < self.low) or (self.high is not None and value > self.high)
        ):
            allowed = bounds_text(self.low, self.high, self.type.unit)
            return f"is {format_quantity(value, self.type.unit or '')}; allowed: {allowed}"
        return None


def define_context(scope: Scope, model: Sequence) -> None:
    """The names that every sequence has, and its declared fields of `dut`."""
    types = dict(CONTEXT)
    types.update({f"dut.{name}": TEXT for name in model.dut})
    for name, type_ in types.items():
        scope.define(name, type_, kind="context")


def define_unusable(scope: Scope, frame: Frame) -> None:
    """Parameters that have a problem, so that what reads them is not told as well."""
    for name, span in frame.unusable.items():
        scope.define(name, Type(Kind.ANY, None), kind="parameter", span=span)


def parameter_specs(file: Loaded[Sequence], frame: Frame, problems: Problems) -> dict[str, ParameterSpec]:
    """Every parameter of a sequence; problems are added."""
    values = Values(file, frame, problems)
    specs: dict[str, ParameterSpec] = {}
    for name, parameter in file.model.parameters.items():
        what = reserved(name) or ("is a name of the language" if name in CONTEXT else None)
        if what is not None:
            problems.error("N012", f"`{name}` {what}", file.key(("parameters", name)), help="take another name")
        spec = _spec(name, parameter, ("parameters", name), values)
        if spec is None:
            frame.unusable[name] = file.key(("parameters", name))
            continue
        specs[name] = spec
        problem = spec.refuses(spec.default) if spec.default is not None else None
        if problem is not None:
            problems.error("P051", f"the default of `{name}` {problem}", file.at(("parameters", name, "default")))
    return specs


def _spec(name: str, parameter: Parameter, path: Path, values: Values) -> ParameterSpec | None:
    type_ = _type(parameter, path, values)
    if type_ is None:
        return None
    default = None
    if parameter.default is not None:
        default = typed(parameter.default, type_, (*path, "default"), values)
        if default is None:
            return None
    low = high = None
    if type_.kind is Kind.NUMBER:
        if parameter.min is not None:
            low = values.quantity(parameter.min, (*path, "min"), type_.unit)
        if parameter.max is not None:
            high = values.quantity(parameter.max, (*path, "max"), type_.unit)
        if low is not None and high is not None and low > high:
            values.problems.error(
                "P055", f"`{name}` can have no value: `min` lies above `max`", values.file.at((*path, "min"))
            )
    elif parameter.min is not None or parameter.max is not None:
        values.problems.error("P052", f"`{name}` is no number and has no bounds", values.file.key(path))
    if parameter.secret and parameter.default is not None:
        values.problems.error(
            "P056",
            f"`{name}` is secret and stands in the file, which is kept with every run",
            values.file.at((*path, "default")),
            help="remove the default and give the value with each run; `type: text` says what it is",
        )
    choices = tuple(
        typed(choice, type_, (*path, "choices", n), values) for n, choice in enumerate(parameter.choices or ())
    )
    return ParameterSpec(name, type_, default, low, high, choices, parameter.secret)


def _type(parameter: Parameter, path: Path, values: Values) -> Type | None:
    match parameter.type:
        case "text":
            return TEXT
        case "on_off":
            return Type(Kind.BOOL, None)
    if parameter.unit is not None:
        return Type(Kind.NUMBER, parse_unit(parameter.unit))
    example = parameter.default
    if example is None and parameter.choices:
        example = parameter.choices[0]
    if on_off(example) is not None:
        return Type(Kind.BOOL, None)
    if isinstance(example, int | float):
        return Type(Kind.NUMBER, PLAIN)
    if isinstance(example, str):
        try:
            return Type(Kind.NUMBER, parse_quantity(example).unit)
        except QuantityError as error:
            if parameter.type == "number":
                values.quantity_problem(error, (*path, "default"))
                return None
            return TEXT
    if parameter.type == "number":
        return Type(Kind.NUMBER, PLAIN)
    for bound in (parameter.min, parameter.max):
        if isinstance(bound, str):
            try:
                return Type(Kind.NUMBER, parse_quantity(bound).unit)
            except QuantityError:
                continue
    values.problems.error(
        "P053",
        "what kind of value is this parameter?",
        values.file.key(path),
        help="give it a `default`, a `unit` or a `type`",
    )
    return None


def typed(raw: Any, type_: Type, path: Path, values: Values) -> Any:
    """A plain value of the kind asked for; None where it is not."""
    match type_.kind:
        case Kind.NUMBER:
            return values.quantity(raw, path, type_.unit)
        case Kind.BOOL:
            switch = on_off(raw)
            if switch is None:
                values.problems.error("P054", f"expected on, off, true or false, found `{raw}`", values.file.at(path))
            return switch
        case _:
            if not isinstance(raw, str):
                values.problems.error("P054", "expected text: put it in quotes", values.file.at(path))
                return None
            return raw


def given_parameters(
    file: Loaded[Sequence],
    specs: Mapping[str, ParameterSpec],
    given: Mapping[str, str],
    problems: Problems,
    *,
    complete: bool = True,
) -> list[ParameterValue]:
    """Every parameter's value: what the command gave, else the default. `complete`: what has neither is a problem."""
    found: list[ParameterValue] = []
    for name, text in given.items():
        if name not in specs:
            place = Source("--param", f"{name}={text}")
            problems.add(
                Diagnostic(
                    "N019",
                    f"`{file.model.sequence}` has no parameter `{name}`",
                    place.span(0, len(name)),
                    did_you_mean(name, specs),
                    (f"parameters: {', '.join(specs)}" if specs else "it has none",),
                )
            )
    for name, spec in specs.items():
        if name in given:
            place = Source("--param", f"{name}={'…' if spec.secret else given[name]}")
            first = len(name) + 1
            span = place.span(first, max(len(place.text), first + 1))
            try:
                value: Any = _from_command(given[name], spec.type)
            except QuantityError as error:
                if error.span is not None and not spec.secret:
                    span = place.span(first + error.span[0], first + max(error.span[1], error.span[0] + 1))
                problems.error(error.code, "this value cannot be read" if spec.secret else error.message, span)
                continue
            problem = spec.refuses(value)
            if problem is not None:
                problems.error("P051", f"`{name}` {'is not allowed' if spec.secret else problem}", span)
            source = f"--param {name}"
        elif spec.default is None:
            if not complete:
                continue
            problems.error(
                "P050",
                f"parameter `{name}` has no default and was not given",
                file.key(("parameters", name)),
                help=f"run with `--param {name}=…`",
            )
            continue
        else:
            value = spec.default
            source = str(file.at(("parameters", name, "default")))
        found.append(ParameterValue(name, value, spec.type.unit, source, spec.secret))
    return found


def _from_command(text: str, type_: Type) -> Any:
    match type_.kind:
        case Kind.NUMBER:
            return parse_quantity(text, type_.unit or PLAIN).value
        case Kind.BOOL:
            switch = {"on": True, "off": False, "true": True, "false": False}.get(text.lower())
            if switch is None:
                raise QuantityError("P054", f"expected on or off, found `{text}`")
            return switch
        case _:
            return text
