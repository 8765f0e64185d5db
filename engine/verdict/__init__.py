"""Value × limit: criteria with resolved bounds, what they say of a value, and how outcomes add up."""

from engine.verdict.build import Absolute, Share, around, band, equals, matches, one_of
from engine.verdict.criterion import Band, Equals, LimitError, Matches, OneOf, as_json
from engine.verdict.judge import Judgement
from engine.verdict.mask import MaskCriterion, mask

Criterion = Band | Equals | OneOf | Matches | MaskCriterion
"""All have `judge(value)`, `explain(value, unit)`, `describe(unit)`, `as_dict()`, `low` and `high`."""

__all__ = [
    "Absolute",
    "Band",
    "Criterion",
    "Equals",
    "Judgement",
    "LimitError",
    "MaskCriterion",
    "Matches",
    "OneOf",
    "Share",
    "around",
    "as_json",
    "band",
    "equals",
    "mask",
    "matches",
    "one_of",
]
