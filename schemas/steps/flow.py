"""Steps that hold other steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from schemas.base import Duration, FileId, Identifier, Model, PlainDuration, PropertyName, Value
from schemas.expression import BareExpression
from schemas.limits import LimitReference
from schemas.steps.common import Defaults, StepBase
from schemas.sweep import Axis, Order

if TYPE_CHECKING:
    from schemas.steps import Step


class Monitor(Model):
    """Watches a value beside the steps; holds nothing and is skipped while the instrument is busy."""

    from_: PropertyName = Field(alias="from")
    """The property watched: `role.property`."""
    every: PlainDuration = 1.0
    """Time from one look to the next."""
    limit: LimitReference | None = None
    """What it must keep; without one it is only recorded."""
    on_fail: Literal["stop", "pause", "continue"] = "stop"
    """Stop the group, pause it until `resume_when` holds, or only record."""
    resume_when: BareExpression | None = None
    """When a paused group goes on."""
    hold: PlainDuration = 0.0
    """How long a limit must be broken, or `resume_when` hold, before it counts."""


class GroupStep(StepBase):
    """Steps with a setup and a cleanup of their own."""

    group: str
    """What the group is about."""
    setup: list[Step] = []
    """Once it has begun, the cleanup runs whatever happens."""
    steps: list[Step] = []
    cleanup: list[Step] = []
    """Runs on every way out."""
    hold: list[Identifier] = []
    """Roles held for the whole group."""
    defaults: Defaults | None = None
    """Common keys for the steps inside."""
    monitors: dict[Identifier, Monitor] = {}


def _zip_is_reserved(axes: dict[str, Any]) -> dict[str, Any]:
    for name, axis in axes.items():
        if name == "zip" and not isinstance(axis, dict):
            raise PydanticCustomError(
                "axis", "`zip` pairs several axes", {"key": name, "help": "write `zip: {a: [...], b: [...]}`"}
            )
        if name != "zip" and isinstance(axis, dict):
            raise PydanticCustomError(
                "axis",
                "axis `{name}` has no values",
                {
                    "name": name,
                    "key": name,
                    "help": ["give a list, `values:`, or `from:` and `to:`", "axes that advance together are `zip`"],
                },
            )
    return axes


class SweepStep(StepBase):
    """Steps for every point of one or several axes."""

    sweep: Annotated[dict[Identifier, Axis], Field(min_length=1), AfterValidator(_zip_is_reserved)]
    """Axes by name, the top one slowest; `zip` pairs axes."""
    each: Annotated[list[Step], Field(min_length=1)]
    """The steps of a point."""
    order: Order = "as_written"
    """In which order the points are visited."""
    points: list[dict[Identifier, Value]] = []
    """Further points."""
    exclude: BareExpression | None = None
    """Points for which this holds are left out."""
    stop_when: BareExpression | None = None
    """Ends the innermost axis once this holds after a point."""


class RepeatStep(StepBase):
    """Steps again and again."""

    repeat: Annotated[int, Field(ge=1, le=1_000_000_000)] | BareExpression
    """How often; with `until` or `while`, the most it may be."""
    each: Annotated[list[Step], Field(min_length=1)]
    """The steps of a round."""
    until: BareExpression | None = None
    """Looked at after every round; ends the loop. Never holding is a fail."""
    while_: BareExpression | None = Field(default=None, alias="while")
    """Looked at before every round; ends the loop when it does not hold."""
    every: Duration | None = None
    """Time from the start of one round to the start of the next."""


class IfStep(StepBase):
    """One of two ways."""

    if_: BareExpression = Field(alias="if")
    """The condition."""
    then: Annotated[list[Step], Field(min_length=1)]
    """Steps where it holds."""
    else_: list[Step] = Field(default=[], alias="else")
    """Steps where it does not."""


class ParallelStep(StepBase):
    """Branches side by side; it ends when all have."""

    parallel: Annotated[list[Annotated[list[Step], Field(min_length=1)]], Field(min_length=1)]
    """Each branch is a list of steps."""


class CallStep(StepBase):
    """Run another sequence."""

    call: FileId
    """The id of the sequence."""
    with_: dict[Identifier, Value] = Field(default={}, alias="with")
    """Its parameters."""
    roles: dict[Identifier, Identifier] = {}
    """Its roles, by the names they have here: `inner: outer`."""
    store: dict[Identifier, Identifier] = {}
    """What is taken out of it: `local: inner`."""
