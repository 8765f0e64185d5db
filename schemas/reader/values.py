"""Values that YAML cannot read as written: brackets, quotes, escapes, and first characters with a meaning."""

from __future__ import annotations

import re

from schemas.diagnostics import Diagnostic
from schemas.reader import lines
from schemas.reader.failure import Failure
from schemas.reader.layout import tab_here
from schemas.reader.lines import quoted

_CLOSING = {"[": "]", "{": "}"}
_TAG = "a value that starts with `!` is a tag, and tags are not allowed"


def cannot_start(failure: Failure) -> Diagnostic:
    """`@`, `` ` ``, `%` or a tab where a value begins."""
    if failure.character == "\t":
        return lines.tab(failure.source, failure.number, failure.number) or tab_here(failure)
    value = failure.value_at(failure.at)
    return failure.error(
        "Y106",
        f"a value cannot start with `{failure.character}`",
        failure.at,
        failure.at + max(1, len(value)),
        label="quote this",
        help=f"write {quoted(value)}",
    )


def brackets(failure: Failure) -> Diagnostic:
    """A list or mapping between brackets that does not go on as it should."""
    opening, character, at, begun = failure.opening or "[", failure.character, failure.at, failure.begun
    closing = _CLOSING.get(opening, "]")
    if character and character in "]}" and character != closing:
        return failure.error(
            "Y116",
            f"`{opening}` is closed by `{character}`",
            at,
            label=f"expected `{closing}`",
            notes=failure.note(begun, "opened here"),
        )
    if begun is not None and (failure.begun_line != failure.number or not character):
        return _never_closed(failure, begun)
    return failure.error(
        "Y117",
        f"expected `,` or `{closing}`",
        at,
        notes=failure.note(begun, "opened here"),
        help="separate entries with `, `; put text with commas, colons or brackets in quotes",
    )


def _never_closed(failure: Failure, begun: int) -> Diagnostic:
    opening = failure.source.text[begun]
    number = failure.source.line_col(begun)[0]
    at_end = not failure.source.text[failure.at :].strip()
    notes = () if at_end or failure.number == number else failure.note(failure.at, "reading stopped here")
    return failure.error(
        "Y116",
        f"this `{opening}` is never closed",
        begun,
        label="opened here",
        notes=notes,
        help=f"add `{_CLOSING.get(opening, ']')}` where it ends",
    )


def no_content(failure: Failure) -> Diagnostic:
    begun = failure.begun
    in_brackets = begun is not None and failure.opening in _CLOSING
    if begun is not None and in_brackets and (failure.begun_line != failure.number or not failure.character):
        return _never_closed(failure, begun)
    if not failure.character:
        return failure.error("Y119", "the file ends where a value is expected", failure.at)
    if failure.character in "]}" and not in_brackets:
        return failure.error("Y116", f"nothing is open that `{failure.character}` could close", failure.at)
    if failure.character == ",":
        return failure.error("Y118", "a value is missing before `,`", failure.at)
    return failure.error(
        "Y119",
        f"expected a value, found `{failure.character}`",
        failure.at,
        help="put text with special characters in quotes",
    )


def quote_without_end(failure: Failure) -> Diagnostic:
    return lines.unclosed_quote(failure.source, failure.at if failure.begun is None else failure.begun)


def bad_escape(failure: Failure) -> Diagnostic:
    text = failure.source.text
    back = text.rfind("\\", 0, failure.at + 1)
    start = back if back >= 0 and failure.at - back <= 12 else failure.at
    begun = failure.begun if failure.begun is not None else start
    inner = re.split(r'(?<!\\)"|\n', text[begun + 1 : begun + 200])[0]
    return failure.error(
        "Y120",
        f"`{text[start : start + 2]}` is no escape in double quotes",
        start,
        start + 2,
        help=("use single quotes: '" + inner.replace("'", "''") + "'", "or write `\\\\` for a backslash"),
    )


def text_block(failure: Failure) -> Diagnostic:
    if "tab" in failure.problem:
        return lines.tab(failure.source, failure.number, failure.number) or tab_here(failure)
    return _quote_this(failure, "Y121", "a value that starts with `{first}` begins a block of text on the lines below")


def anchor(failure: Failure) -> Diagnostic:
    what = "an alias" if failure.source.text[failure.begun or failure.at :][:1] == "*" else "an anchor"
    return _quote_this(failure, "Y013", f"`{{first}}` begins {what} in YAML, and no name follows")


def tag(failure: Failure) -> Diagnostic:
    return _quote_this(failure, "Y008", _TAG)


def _quote_this(failure: Failure, code: str, message: str) -> Diagnostic:
    start = failure.at if failure.begun is None else failure.begun
    number, column = failure.source.line_col(start)
    tag = re.search(r"(?:^|\s)(!\S*\s+)$", failure.source.line(number)[: column - 1])
    if tag:  # `!ready > 2`: the tag comes first
        start -= len(tag.group(1))
        code, message = "Y008", _TAG
    value = failure.value_at(start)
    return failure.error(
        code,
        message.replace("{first}", failure.source.text[start : start + 1]),
        start,
        start + max(1, len(value)),
        label="quote this",
        help=f"write {quoted(value)}",
    )
