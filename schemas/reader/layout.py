"""Lines that do not fit the mapping or list around them: colons, indentation, tabs, list items."""

from __future__ import annotations

import re

from schemas.diagnostics import Diagnostic
from schemas.reader import lines
from schemas.reader.failure import Failure
from schemas.reader.lines import quoted

_PAIR = re.compile(r"""^(\s*(?:- +)*)([^\s#:,\[\]{}"'][^:#]*):(?: +|$)(.*)$""")


def pair_not_allowed(failure: Failure) -> Diagnostic:
    """`key: value` where none may stand: a colon in text, a missing space above, or a wrong indentation."""
    source, line = failure.source, failure.line
    before = line[: failure.column - 1]
    value = re.match(r"^\s*(?:- +)*[^\s:][^:]*: +", before)
    if value and before.count('"') % 2 == 0 and before.count("'") % 2 == 0:
        start = failure.line_start + value.end()
        text = lines.uncommented(line[value.end() :])
        return failure.error(
            "Y107",
            "unquoted text contains `: `",
            start,
            start + max(1, len(text)),
            label="quote this text",
            help=f"write {quoted(text)}",
        )
    above = lines.content_above(source, failure.number)
    first = above[0] if above else failure.number
    found = lines.missing_space(source, first - 3, failure.number) or lines.tab(source, first, failure.number)
    if found:
        return found
    if above:
        found = _complete_above(failure, *above) or (
            lines.missing_colon(source, above[0]) if ":" not in above[1] else None
        )
        if found:
            return found
    return failure.error(
        "Y109",
        "a `key: value` pair cannot stand here",
        failure.at,
        help="check the indentation of this line and of the line above",
    )


def _complete_above(failure: Failure, above: int, text: str) -> Diagnostic | None:
    """This line is indented below an entry that has its value already."""
    pair = _PAIR.match(text)
    indent = lines.indentation(failure.line)
    if not pair or not lines.uncommented(pair.group(3)) or indent <= len(pair.group(1)) or not indent:
        return None
    own = len(pair.group(1))
    return failure.error(
        "Y108",
        f"this line is indented too far: `{pair.group(2).strip()}` on line {above} has its value already",
        failure.line_start + indent,
        failure.at,
        label=f"indented deeper than line {above}",
        notes=failure.note(failure.source.line_start(above) + own, "this entry is complete"),
        help=f"begin it in column {own + 1}, or remove the value on line {above}",
    )


def no_colon(failure: Failure) -> Diagnostic:
    """A key that libyaml gave up on, because no colon came."""
    source, first = failure.source, failure.begun_line
    found = (
        lines.missing_space(source, first, min(first + 1, failure.number))
        or lines.tab(source, first, failure.number)
        or lines.missing_colon(source, first)
    )
    if found:
        return found
    start = failure.at if failure.begun is None else failure.begun
    return failure.error(
        "Y103",
        "expected `key: value`",
        start,
        start + max(1, len(failure.value_at(start))),
        label="there is no `:` on this line",
        help="add `: ` behind the key, or indent this line if it continues the text above",
    )


def no_key(failure: Failure) -> Diagnostic:
    """A line that fits neither the mapping nor the list around it."""
    source, line, at, begun = failure.source, failure.line, failure.at, failure.begun
    found = lines.tab(source, failure.number - 1, failure.number)
    if found:
        return found
    in_list = "'-'" in failure.problem
    indent = lines.indentation(line)
    if failure.column - 1 > indent and line[: failure.column - 1].strip():
        return _text_behind(failure)
    if begun is not None:
        column = source.line_col(begun)[1] - 1
        container = "list" if in_list else "mapping"
        sibling = _sibling_above(failure)
        if sibling is not None:
            begun, column, container = sibling, source.line_col(sibling)[1] - 1, "entry above"
        if indent != column:
            return failure.error(
                "Y112",
                f"this line is {lines.spaces(indent)}, the {container} is {lines.spaces(column)}",
                failure.line_start + indent,
                failure.line_start + max(indent + 1, len(line.rstrip())),
                notes=failure.note(begun, f"the {container} starts here"),
                help="a line that continues it begins in the same column",
            )
    if line.lstrip().startswith("- ") or line.strip() == "-":
        return failure.error(
            "Y113",
            "a list item cannot follow the keys of a mapping",
            at,
            notes=failure.note(begun, "the mapping starts here"),
            help="indent the `-`, or look for a missing key on the line above",
        )
    if in_list:
        return failure.error(
            "Y114",
            "expected a list item (`- …`)",
            at,
            notes=failure.note(begun, "the list starts here"),
            help="start the line with `- `, or indent it so that it belongs to the item above",
        )
    shown = f"`{failure.character}` is unexpected here" if failure.character.strip() else "a key is missing here"
    return failure.error("Y111", shown, at, notes=failure.note(begun, "the mapping starts here"))


def _sibling_above(failure: Failure) -> int | None:
    """The list item above a list item, or the key above a key, that this line was probably meant to follow."""
    is_item = failure.line.lstrip(" ").startswith("-")
    indent = lines.indentation(failure.line)
    number = failure.number
    while above := lines.content_above(failure.source, number):
        number, text = above
        column = lines.indentation(text)
        if text[column:].startswith("-") == is_item:
            return failure.source.line_start(number) + column
        if column < indent:
            return None
    return None


def _text_behind(failure: Failure) -> Diagnostic:
    """Something stands behind a value that is complete."""
    line, at = failure.line, failure.at
    quote = re.search(r"""(["'])\s*$""", line[: failure.column - 1])
    if quote and quote.group() == "'" and failure.character.isalpha():
        return failure.error(
            "Y110",
            "an apostrophe ends this text early",
            failure.line_start + quote.start(1),
            label="the text ends here",
            help="write '' for an apostrophe inside single quotes, or use double quotes",
        )
    if quote:
        return failure.error(
            "Y110",
            "there is text behind the closing quote",
            at,
            at + max(1, len(failure.value_at(at))),
            label="not part of the quoted text",
            help="put the whole value in quotes",
        )
    return failure.error(
        "Y111",
        f"`{failure.character}` is unexpected here",
        at,
        help="put the whole value in quotes, or this on a line of its own",
    )


def list_on_key_line(failure: Failure) -> Diagnostic:
    return failure.error(
        "Y115",
        "a list cannot start on the line of its key",
        failure.at,
        label="list starts here",
        help=("put it on the next line, or write `[a, b, c]`", "if `-` is part of the text, put it in quotes"),
    )


def tab_character(failure: Failure) -> Diagnostic:
    return lines.tab(failure.source, failure.number - 1, failure.number) or tab_here(failure)


def tab_here(failure: Failure) -> Diagnostic:
    return failure.error(
        "Y102",
        "a tab stands where spaces belong",
        failure.at,
        label="tab here",
        help="replace the tab with spaces",
    )


def behind_document(failure: Failure) -> Diagnostic:
    if failure.character and failure.character in "]}":
        return failure.error("Y116", f"nothing is open that `{failure.character}` could close", failure.at)
    source = failure.source
    return (
        lines.tab(source, failure.number - 1, failure.number)
        or lines.missing_space(source, 1, failure.number)
        or failure.error(
            "Y123",
            "the document is complete, and more follows",
            failure.at,
            help="check the indentation: the first key of the file sets the level",
        )
    )


def unexpected_colon(failure: Failure) -> Diagnostic:
    return failure.error("Y117", "`:` is unexpected here", failure.at, help="put text that contains `:` in quotes")


def question_mark(failure: Failure) -> Diagnostic:
    return failure.error("Y119", "a value cannot start with `? `", failure.at, help="put the text in quotes")


def directive(failure: Failure) -> Diagnostic:
    start = failure.at if failure.begun is None else failure.begun
    start = failure.source.line_start(failure.source.line_col(start)[0])
    return failure.error(
        "Y009",
        "a line that starts with `%` is a YAML directive, and directives are not allowed",
        start,
        start + max(1, len(failure.value_at(start))),
        help="remove the line, or put the text in quotes",
    )
