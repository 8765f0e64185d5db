"""Every step of the language: a mapping with exactly one verb."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Tag
from pydantic_core import PydanticCustomError

from schemas.diagnostics import nearest
from schemas.steps import common, flow, leaf
from schemas.steps.common import Common, Defaults, FailureKind, OnFailure, OnResume, Retry, StepBase
from schemas.steps.flow import (
    CallStep,
    GroupStep,
    IfStep,
    Monitor,
    ParallelStep,
    RepeatStep,
    SweepStep,
)
from schemas.steps.leaf import (
    AcquireStep,
    AttachStep,
    BarrierStep,
    CheckStep,
    CommandStep,
    ComputeStep,
    LetStep,
    LogStep,
    MeasureStep,
    PromptStep,
    PythonStep,
    QueryStep,
    RecordStep,
    ReleaseStep,
    SetStep,
    Statistic,
    WaitStep,
)

VERBS: dict[str, type[StepBase]] = {
    "set": SetStep,
    "measure": MeasureStep,
    "compute": ComputeStep,
    "check": CheckStep,
    "let": LetStep,
    "record": RecordStep,
    "wait": WaitStep,
    "command": CommandStep,
    "query": QueryStep,
    "group": GroupStep,
    "sweep": SweepStep,
    "repeat": RepeatStep,
    "if": IfStep,
    "parallel": ParallelStep,
    "call": CallStep,
    "barrier": BarrierStep,
    "release": ReleaseStep,
    "log": LogStep,
    "prompt": PromptStep,
    "python": PythonStep,
    "attach": AttachStep,
    "acquire": AcquireStep,
}
"""The verbs and the model of each; a verb is also its model's first key."""

VERB_OF: dict[type[StepBase], str] = {model: verb for verb, model in VERBS.items()}


def verb_of(step: StepBase) -> str:
    """The verb of a validated step."""
    return VERB_OF[type(step)]


def _exactly_one_verb(value: Any) -> Any:
    if isinstance(value, StepBase):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError(
            "step", "a step is a mapping with one verb, such as `measure: vout`", {"help": _KNOWN_VERBS}
        )
    given = [key for key in value if key in VERBS]
    if len(given) == 1:
        return value
    if given:
        raise PydanticCustomError(
            "step",
            "a step has exactly one verb, this has {verbs}",
            {
                "verbs": " and ".join(f"`{verb}`" for verb in given),
                "key": given[1],
                "help": "make it two steps",
            },
        )
    for key in value:
        near = nearest(str(key), VERBS)
        if near is not None and key not in StepBase.model_fields:
            raise PydanticCustomError(
                "step",
                "unknown verb `{key}`",
                {"key": key, "label": f"did you mean `{near}`?", "help": _KNOWN_VERBS},
            )
    raise PydanticCustomError("step", "this step has no verb", {"help": _KNOWN_VERBS})


_KNOWN_VERBS = "the verbs are: " + ", ".join(VERBS)


def _tag(value: Any) -> str | None:
    if isinstance(value, dict):
        return next((key for key in value if key in VERBS), None)
    return VERB_OF.get(type(value))


Step = Annotated[
    Annotated[SetStep, Tag("set")]
    | Annotated[MeasureStep, Tag("measure")]
    | Annotated[ComputeStep, Tag("compute")]
    | Annotated[CheckStep, Tag("check")]
    | Annotated[LetStep, Tag("let")]
    | Annotated[RecordStep, Tag("record")]
    | Annotated[WaitStep, Tag("wait")]
    | Annotated[CommandStep, Tag("command")]
    | Annotated[QueryStep, Tag("query")]
    | Annotated[GroupStep, Tag("group")]
    | Annotated[SweepStep, Tag("sweep")]
    | Annotated[RepeatStep, Tag("repeat")]
    | Annotated[IfStep, Tag("if")]
    | Annotated[ParallelStep, Tag("parallel")]
    | Annotated[CallStep, Tag("call")]
    | Annotated[BarrierStep, Tag("barrier")]
    | Annotated[ReleaseStep, Tag("release")]
    | Annotated[LogStep, Tag("log")]
    | Annotated[PromptStep, Tag("prompt")]
    | Annotated[PythonStep, Tag("python")]
    | Annotated[AttachStep, Tag("attach")]
    | Annotated[AcquireStep, Tag("acquire")],
    Discriminator(_tag),
    BeforeValidator(_exactly_one_verb),
]
"""One step: the model is picked by its verb."""

for _module in (common, flow, leaf):
    vars(_module)["Step"] = Step  # their annotations name it; pydantic looks it up when a file is first validated

__all__ = [
    "VERBS",
    "AcquireStep",
    "AttachStep",
    "BarrierStep",
    "CallStep",
    "CheckStep",
    "CommandStep",
    "Common",
    "ComputeStep",
    "Defaults",
    "FailureKind",
    "GroupStep",
    "IfStep",
    "LetStep",
    "LogStep",
    "MeasureStep",
    "Monitor",
    "OnFailure",
    "OnResume",
    "ParallelStep",
    "PromptStep",
    "PythonStep",
    "QueryStep",
    "RecordStep",
    "ReleaseStep",
    "RepeatStep",
    "Retry",
    "SetStep",
    "Statistic",
    "Step",
    "StepBase",
    "SweepStep",
    "WaitStep",
    "verb_of",
]
