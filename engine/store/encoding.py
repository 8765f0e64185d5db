"""Values to columns and back, quickly.

SQLite turns NaN into NULL and knows no booleans; a column saying what the value was keeps both from being lost.
"""

from __future__ import annotations

import json
import math
from json.encoder import encode_basestring
from typing import Any

from schemas.documents import Value

NUMBER, TEXT, BOOL, NONE = "number", "text", "bool", "none"

_names: dict[str, str] = {}
_decode = json.JSONDecoder().raw_decode


def axes_text(axes: tuple[tuple[str, float | str], ...]) -> str:
    """The axes as a JSON object, in their order; six times faster than `json.dumps`."""
    parts = []
    for name, value in axes:
        key = _names.get(name)
        if key is None:
            if len(_names) > 1000:
                _names.clear()
            key = _names[name] = encode_basestring(name) + ":"
        if type(value) is float and math.isfinite(value):
            parts.append(key + float.__repr__(value))
        elif isinstance(value, str):
            parts.append(key + encode_basestring(value))
        else:
            parts.append(key + json.dumps(plain(value)))
    return "{" + ",".join(parts) + "}"


def axes_from(text: str | None) -> tuple[tuple[str, float | str], ...]:
    return tuple(_decode(text)[0].items()) if text else ()


def encode_value(value: Value) -> tuple[str, float | None, str | None]:
    """Type, number and text of a value."""
    if isinstance(value, bool):
        return BOOL, None, "true" if value else "false"
    if isinstance(value, float | int):
        return NUMBER, float(value), None
    if value is None:
        return NONE, None, None
    if isinstance(value, str):
        return TEXT, None, str(value)
    return encode_value(plain(value))


def decode_value(type_: str, number: float | None, text: str | None) -> Value:
    if type_ == NUMBER:
        return math.nan if number is None else number
    if type_ == TEXT:
        return text
    return text == "true" if type_ == BOOL else None


def plain(value: Any) -> Any:
    """A value of NumPy as one of Python, anything else that has no place in a column as its text."""
    if isinstance(value, bool | int | float | str | None.__class__):
        return value
    item = getattr(value, "item", None)
    if callable(item):
        result = item()
        if isinstance(result, bool | int | float | str):
            return result
    return str(value)


def clean(value: Any) -> Any:
    """Whatever a column refused (half a surrogate pair, an integer of 65 bits, a NumPy number) in a form it takes."""
    if isinstance(value, bytes) or value is None:
        return value
    value = plain(value)
    if isinstance(value, str):
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def dumps(value: Any) -> str:
    """JSON for what is written once a run; what JSON does not know is written as text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain)
