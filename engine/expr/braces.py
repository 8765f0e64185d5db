"""Where `{{ }}` begins and ends, quotes inside left alone."""

from __future__ import annotations


def closing(text: str, start: int) -> int:
    """Offset of the `}}` that ends an expression begun before `start`, strings left alone; -1 if there is none."""
    quote = ""
    i = start
    while i < len(text):
        char = text[i]
        if quote:
            if char == "\\":
                i += 1
            elif char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif text.startswith("}}", i):
            return i
        i += 1
    return text.find("}}", start) if quote else -1


def is_expression(text: str) -> bool:
    """True when the text is wholly one `{{ … }}`."""
    stripped = text.strip()
    if not (stripped.startswith("{{") and stripped.endswith("}}") and len(stripped) >= 4):
        return False
    return closing(stripped, 2) == len(stripped) - 2


def strip_braces(text: str) -> tuple[str, int]:
    """The expression inside `{{ }}` and its offset; text without braces is returned as it is."""
    if not is_expression(text):
        return text, 0
    lead = len(text) - len(text.lstrip()) + 2
    return text[lead : len(text.rstrip()) - 2], lead
