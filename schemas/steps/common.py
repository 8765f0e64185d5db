"""What every step has beside its verb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from schemas.base import Duration, Identifier, Model, PlainDuration
from schemas.expression import BareExpression

if TYPE_CHECKING:
    from schemas.steps import Step

FailureKind = Literal["fail", "error", "timeout"]
OnFailure = Literal["continue", "stop"]
OnResume = Literal["redo", "skip", "ask"]


class Retry(Model):
    """Further attempts at a step that did not succeed."""

    times: Annotated[int, Field(ge=1, le=1000)] = 1
    """Extra attempts after the first."""
    delay: Duration = 0.0
    """Pause before each further attempt; nothing is held meanwhile."""
    for_: FailureKind | Annotated[list[FailureKind], Field(min_length=1)] = Field(
        default=["fail", "error", "timeout"], alias="for"
    )
    """Which kinds of failure are tried again."""
    remedy: list[Step] = []
    """Steps run before each further attempt; they do not count."""


class Common(Model):
    """Keys that any step may have, and that `defaults:` may set for many."""

    when: BareExpression | None = None
    """Skip the step unless this holds."""
    timeout: Duration | None = None
    """Longest time an attempt may take, counted from when it has what it needs."""
    retry: Retry | None = None
    """Further attempts where the first did not succeed."""
    on_fail: OnFailure | None = None
    """What a failed judgement does: `continue` (the default) or `stop`."""
    on_error: OnFailure | None = None
    """What an error does: `stop` (the default) or `continue`."""
    once: bool = False
    """Never repeated by a retry or a resume: fuses, calibration writes, labels."""
    on_resume: OnResume | None = None
    """What a resume does with this step if it was under way."""
    duration: PlainDuration | None = None
    """An estimate of how long it takes, for planning."""
    uses: list[Identifier] = []
    """Resources of the station that it needs as well."""
    tags: list[str] = []
    """Words to find it by."""


class Defaults(Common):
    """Common keys for all steps of a sequence or group."""


class StepBase(Common):
    """One step: exactly one verb, and these."""

    id: Identifier | None = None
    """A name of its own, unique in its list; `after` and results refer to it."""
    title: str | None = None
    """What people read."""
    after: list[Identifier] | None = None
    """The steps of this list that must be done first, instead of the one above; `[]`: none."""
    skip: str | None = None
    """A reason not to run it at all."""
    doc: str | None = None
    """Why it is there."""
