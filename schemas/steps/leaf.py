"""Steps that do one thing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.base import Duration, Identifier, NetName, PropertyName, UnitText, Value
from schemas.expression import BareExpression
from schemas.limits import LimitReference, Regex
from schemas.steps.common import StepBase

if TYPE_CHECKING:
    from schemas.steps import Step

Statistic = Literal["mean", "median", "min", "max", "std", "rms", "pp", "first", "last"]


class SetStep(StepBase):
    """Put properties in a state; only what differs is written."""

    set: Annotated[dict[PropertyName, Value], Field(min_length=1)]
    """The state wanted: `role.property: value`."""
    at: NetName | None = None
    """A net of the station that is connected first."""
    until: BareExpression | None = None
    """Go on only when this holds; always read, also when nothing had to be written."""
    poll: Duration | None = None
    """How often `until` is looked at."""
    settle: Duration = 0.0
    """Pause after `until` first held since the last real change."""
    ramp: Value | None = None
    """Rate at which a value is approached, such as `1 V/s`."""
    force: bool = False
    """Write even what is already so."""


class MeasureStep(StepBase):
    """Read, judge and record one named value."""

    measure: Identifier
    """The name it is recorded, judged and known by."""
    from_: PropertyName | None = Field(default=None, alias="from")
    """The property read: `role.property`."""
    at: NetName | None = None
    """The net of the station read, instead of `from`."""
    samples: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """How many readings."""
    interval: Duration = 0.0
    """Time from one reading to the next."""
    statistic: Statistic = "mean"
    """What the value is of several readings."""
    unit: UnitText | None = None
    """The unit it is recorded in."""
    limit: LimitReference | None = None
    """Judges it; the limit of its own name unless given. `none`: not judged."""


class ComputeStep(StepBase):
    """Derive, judge and record a value."""

    compute: Identifier
    """The name it is recorded, judged and known by."""
    value: BareExpression
    """What it is."""
    unit: UnitText | None = None
    """The unit it is recorded in."""
    limit: LimitReference | None = None
    """Judges it; the limit of its own name unless given. `none`: not judged."""


class CheckStep(StepBase):
    """A judged condition."""

    check: BareExpression
    """Passes when it holds."""
    message: str | None = None
    """What to say when it does not; may be a template."""


class LetStep(StepBase):
    """Working values: not recorded, may be assigned again."""

    let: Annotated[dict[Identifier, Value], Field(min_length=1)]
    """Names and their values or expressions, from top to bottom."""


class RecordStep(StepBase):
    """Diagnostics kept with the run, never judged."""

    record: Annotated[dict[Identifier, Any], Field(min_length=1)]
    """Names and their values; expressions in `{{ }}`."""


class WaitStep(StepBase):
    """Let time pass, or wait until something holds."""

    wait: Value
    """A duration, or a condition (which needs a `timeout`)."""
    poll: Duration | None = None
    """How often the condition is looked at."""


class CommandStep(StepBase):
    """Send text to instruments as it is."""

    command: Annotated[dict[Identifier, str], Field(min_length=1)]
    """Text for each role; may be a template."""


class QueryStep(StepBase):
    """Send text to one instrument and keep its reply."""

    query: Annotated[dict[Identifier, str], Field(min_length=1, max_length=1)]
    """Text for a role; may be a template."""
    store: Identifier | None = None
    """The name the reply is known by."""
    expect: Regex | None = None
    """Searched for in the reply and judged; its named groups become values."""
    unit: UnitText | None = None
    """Reads the reply as a number in this unit."""
    limit: LimitReference | None = None
    """Judges the reply; the limit of the stored name unless given."""


class LogStep(StepBase):
    """A message in the log of the run."""

    log: str
    """The message; may be a template."""
    level: Literal["debug", "info", "warning", "error"] = "info"


class AttachStep(StepBase):
    """Keep a file with the run."""

    attach: str
    """Path of the file, below the project; may be a template."""


_CODE = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$"


def _code(value: str) -> str:
    if not re.fullmatch(_CODE, value):
        raise PydanticCustomError(
            "python", "`{value}` does not name a function", {"value": value[:60], "help": "write `module:function`"}
        )
    return value


class PythonStep(StepBase):
    """Call code of the project."""

    python: Annotated[str, AfterValidator(_code), WithJsonSchema({"type": "string", "pattern": _CODE})]
    """`module:function`, of a module that the settings name under `plugins`."""
    args: dict[Identifier, Any] = {}
    """Arguments by name; expressions in `{{ }}`."""
    store: Identifier | None = None
    """The name the result is known by."""
    unit: UnitText | None = None
    """The unit of the result."""
    limit: LimitReference | None = None
    """Judges the result; the limit of the stored name unless given."""


class PromptStep(StepBase):
    """Ask the operator."""

    prompt: str
    """The question; may be a template."""
    kind: Literal["confirm", "choice", "input"] = "confirm"
    choices: list[Value] | None = None
    image: str | None = None
    store: Identifier | None = None
    """The name the answer is known by."""
    unit: UnitText | None = None
    limit: LimitReference | None = None
    unattended: Literal["error", "skip"] | dict[Literal["answer"], Value] = "error"
    """What happens where nobody can answer."""


class AcquireStep(StepBase):
    """Record a waveform or block of readings."""

    acquire: Identifier
    """The name it is recorded, judged and known by."""
    from_: PropertyName | None = Field(default=None, alias="from")
    rate: Value | None = None
    points: Annotated[int, Field(ge=1)] | None = None
    channels: list[Value] | None = None
    trigger: Any = None
    during: list[Step] = []
    """Armed before, read after these steps."""
    limit: LimitReference | None = None


class BarrierStep(StepBase):
    """Wait until every active unit is here."""

    barrier: Identifier
    """The name of the meeting point."""


class ReleaseStep(StepBase):
    """Give back what this unit holds."""

    release: Annotated[list[Identifier], Field(min_length=1)]
    """Roles and resources given back."""
