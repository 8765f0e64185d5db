"""What pydantic's errors are called in plain English.

"Input should be a valid boolean" tells an engineer nothing about the `yes` that stands there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic_core.core_schema import ErrorType

from schemas.diagnostics import did_you_mean

_PYDANTIC = frozenset(get_args(ErrorType))
_MOST_LISTED = 24
_LONGEST_SHOWN = 40

_KINDS = {
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "dataclass_exact_type": "a mapping",
    "mapping_type": "a mapping",
    "none_required": "nothing",
}
_SCHEMA_KINDS = {
    "bool": "true or false",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "model-fields": "a mapping",
    "dataclass": "a mapping",
}
_BOUNDS = {
    "greater_than_equal": ("too small", "at least", "ge"),
    "greater_than": ("too small", "more than", "gt"),
    "less_than_equal": ("too large", "at most", "le"),
    "less_than": ("too large", "less than", "lt"),
}
_TRUE, _FALSE = frozenset(("yes", "on", "y", "true", "1")), frozenset(("no", "off", "n", "false", "0"))


def shown(value: Any) -> str:
    """A value as a sentence names it: "text `yes`", "the number 5", "a list"."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"text `{_short(value)}`" if value else "empty text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return "something else"


def expected(kinds: Sequence[str], value: Any) -> str:
    """The sentence "expected a list or a mapping, found …"."""
    if not kinds:
        return f"{shown(value)} does not fit here"
    if len(kinds) > 1:
        kinds = [word for kind in kinds for word in (("true", "false") if kind == "true or false" else (kind,))]
    return f"expected {alternatives(kinds)}, found {shown(value)}"


def alternatives(words: Sequence[str]) -> str:
    """Words joined by commas and an `or`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def listing(words: Sequence[str]) -> str:
    """Words joined by commas, cut where there are very many."""
    more = ", …" if len(words) > _MOST_LISTED else ""
    return ", ".join(words[:_MOST_LISTED]) + more


def is_custom(error: Mapping[str, Any]) -> bool:
    """Whether the error comes from one of our validators, with a message of its own."""
    return error["type"] not in _PYDANTIC or error["type"] in ("value_error", "assertion_error")


def is_wrong_kind(error: Mapping[str, Any]) -> bool:
    """Whether a value was refused for being another kind of thing, rather than for what it says."""
    if is_custom(error):
        return str(error["msg"]).startswith("expected ")
    if error["type"] in ("literal_error", "enum"):
        return not isinstance(error["input"], str)
    return error["type"] in _KINDS


def expected_kind(error: Mapping[str, Any]) -> str:
    """What a refused value should have been, in words that follow "expected"."""
    if is_custom(error):
        return re.sub(r",? found .*$", "", str(error["msg"]).removeprefix("expected "))
    if error["type"] in ("literal_error", "enum"):
        return alternatives([f"`{word}`" for word in _choices(error)])
    return _KINDS.get(error["type"], "")


def kinds_of(schema: Mapping[str, Any] | None) -> list[str]:
    """What the forms of a union are, in words that follow "expected"."""
    if schema is None or schema["type"] not in ("tagged-union", "union"):
        return []
    choices = schema["choices"]
    forms = list(choices.values()) if isinstance(choices, dict) else choices
    kinds = []
    for form in forms:
        while isinstance(form, dict) and form["type"] not in _SCHEMA_KINDS and "schema" in form:
            form = form["schema"]
        # what is defined elsewhere is a model
        kinds.append(_SCHEMA_KINDS.get(form["type"], "a mapping") if isinstance(form, dict) else "")
    return [kind for kind in dict.fromkeys(kinds) if kind]


def context_help(error: Mapping[str, Any]) -> list[str]:
    """The help that one of our validators gave."""
    help = (error.get("ctx") or {}).get("help", ())
    return [text for text in ([help] if isinstance(help, str) else list(help)) if text]


def custom_message(error: Mapping[str, Any]) -> str:
    """The message of one of our validators, also of those that raised a plain ValueError."""
    cause = (error.get("ctx") or {}).get("error")
    if error["type"] in ("value_error", "assertion_error") and cause is not None:
        return str(cause) or "this value is not allowed"
    return str(error["msg"])


def explain(error: Mapping[str, Any], written: str) -> tuple[str, str, str, list[str]]:
    """Message, code, label and help of one of pydantic's own errors; `written` is the value as in the file."""
    kind, value = error["type"], error["input"]
    context: Mapping[str, Any] = error.get("ctx") or {}
    if kind in _KINDS:
        label, help = _how_to_write(kind, value, written)
        return expected([_KINDS[kind]], value), "S004", label, help
    if kind in ("literal_error", "enum"):
        words = _choices(error)
        hint = did_you_mean(value, words) if isinstance(value, str) else ""
        return f"{shown(value)} is not one of the words allowed here", "S005", hint, [f"one of: {listing(words)}"]
    if kind in _BOUNDS:
        what, how, name = _BOUNDS[kind]
        return f"{_short(str(value))} is {what}: {how} {context[name]}", "S006", "", []
    if kind == "multiple_of":
        return f"{_short(str(value))} is not a multiple of {context['multiple_of']}", "S006", "", []
    if kind in ("too_short", "too_long"):
        bound, name = ("at least", "min_length") if kind == "too_short" else ("at most", "max_length")
        count = _entries(context[name])
        return f"expected {bound} {count}, found {context.get('actual_length')}", "S007", "", []
    if kind in ("string_too_short", "string_too_long"):
        bound, name = ("at least", "min_length") if kind == "string_too_short" else ("at most", "max_length")
        return f"this text must have {bound} {context[name]} characters", "S007", "", []
    if kind == "string_pattern_mismatch":
        return (
            f"`{_short(str(value))}` does not have the form wanted here",
            "S008",
            "",
            [f"it must match the pattern {context['pattern']}"],
        )
    if kind == "invalid_key":
        return "a key must be text", "S002", "", [f'write "{written}"']
    message = str(error["msg"]).replace("Input should be", "expected").replace("Input", "the value")
    return message[:1].lower() + message[1:], "S009", "", []


def _how_to_write(kind: str, value: Any, written: str) -> tuple[str, list[str]]:
    """Label and help for a value of the wrong kind."""
    if kind.startswith("bool") and isinstance(value, str):
        word = value.casefold()
        if word in _TRUE or word in _FALSE:
            return f"write `{'true' if word in _TRUE else 'false'}`", []
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "", [f"put it in quotes: {json.dumps(written)}"]
    if kind in ("int_type", "float_type") and isinstance(value, str) and re.fullmatch(r"[-+]?\d+,\d+", value):
        return "decimal comma", [f"write `{value.replace(',', '.')}`"]
    if kind == "list_type" and value is not None and not isinstance(value, dict | list):
        return "", [f"write `[{_short(written)}]`"]
    return "", []


def _choices(error: Mapping[str, Any]) -> list[str]:
    return re.findall(r"'((?:[^'\\]|\\.)*)'", str((error.get("ctx") or {}).get("expected", "")))


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
