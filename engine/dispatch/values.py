"""Values on their way into series and documents: NumPy's become plain ones, what is missing stays missing."""

from __future__ import annotations

import json
import math
from array import array
from typing import Any

from engine.dispatch.series import append
from engine.plan.model import Binding

LONGEST_TEXT = 1_000
"""Characters kept of what is no plain value."""


def accumulate(env: dict[str, Any], binding: Binding, value: Any) -> None:
    """Append a value to every series of its name."""
    for slot in binding.accumulators:
        append(env[slot], value)


def plain(value: Any) -> Any:
    """A value as documents hold it: NumPy's numbers become Python's, series become lists, what is neither its text.

    A whole number beyond all floats is infinite, which no limit passes.
    """
    kind = type(value)
    if kind in (float, bool, str, list, dict) or value is None:
        return value
    if kind is int:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, array | tuple):
        return list(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float | int):
        return plain(float(value) if isinstance(value, float) else int(value))
    if isinstance(value, list | dict):
        return list(value) if isinstance(value, list) else dict(value)
    return f"{value}"[:LONGEST_TEXT]


def to_json(value: Any) -> str:
    """Compact JSON; a missing number is null."""
    return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    return value
