"""What an unquoted scalar means: the YAML 1.2 core schema, and nothing that changes type behind the writer's back.

PyYAML reads YAML 1.1: `on` and `no` become booleans, `12:30` becomes 750 and `017` becomes 15. None of that is
wanted on a bench, so its resolvers are not used at all. `0o17` stays text: of all notations it is the one that
nobody at a bench means as a number. Hexadecimal is a number, as in the core schema.
"""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((sign + word for sign in ("", "+") for word in (".inf", ".Inf", ".INF")), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_NUMBERS_BEGIN = frozenset("0123456789+-.")


class BadNumber(ValueError):
    """A number that cannot be kept as it was written."""


def resolve(text: str, longest_number: int = 64) -> Scalar:
    """Value of an unquoted scalar; BadNumber for a number that overflows or is longer than allowed."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBERS_BEGIN:
        return text
    if len(text) > longest_number:
        if _FLOAT.match(text) or _HEXADECIMAL.match(text):
            raise BadNumber(f"a number of {len(text):,} characters; at most {longest_number} are allowed")
        return text
    if _INTEGER.match(text):
        return _whole(int(text))
    if _FLOAT.match(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise BadNumber("this number is too large: the largest is about 1.8e308")
        return value
    if _HEXADECIMAL.match(text):
        return _whole(int(text, 16))
    return text


def _whole(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise BadNumber("this whole number needs more than 64 bits")
    return value
