"""libyaml's parser errors, told with the caret at the cause instead of where the parser gave up.

Its context mark is the beginning of what was being read (the bracket, the mapping, the key), its problem mark is
where reading stopped. Which of them is nearer to the cause depends on the message, so each family of messages has
a function of its own.

Codes: Y100 other, Y101 space after a colon, Y102 tabs, Y103 colons, Y104 quotes, Y105 templates, Y106 first
characters of values, Y107 colons in text, Y108 and Y112 indentation, Y109 pairs, Y110 text behind quotes, Y111 and
Y119 unexpected characters, Y113 to Y115 lists, Y116 and Y117 brackets, Y120 escapes, Y121 text blocks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from yaml.error import YAMLError

from schemas.diagnostics import Diagnostic, Note
from schemas.reader import lines
from schemas.reader.lines import finding, quoted, template_diagnostic
from schemas.source import Source

__all__ = ["explain", "quoted", "template_diagnostic"]

_CLOSING = {"[": "]", "{": "}"}
_TYPOGRAPHIC = {"“": '"', "”": '"', "‘": "'", "’": "'", "：": ":", "，": ",", "\u00a0": " ", "–": "-", "—": "-"}
_TAG = "a value that starts with `!` is a tag, and tags are not allowed"
_PAIR = re.compile(r"""^(\s*(?:- +)*)([^\s#:,\[\]{}"'][^:#]*):(?: +|$)(.*)$""")


@dataclass(frozen=True, slots=True)
class _Failure:
    """What libyaml said, and the line it said it about."""

    source: Source
    problem: str
    context: str
    at: int
    """Offset where reading stopped."""
    begun: int | None
    """Offset where that began which could not be read; None when libyaml does not say."""
    number: int
    column: int
    line: str

    @property
    def character(self) -> str:
        return self.source.text[self.at : self.at + 1]

    @property
    def line_start(self) -> int:
        return self.source.line_start(self.number)

    @property
    def begun_line(self) -> int:
        return self.number if self.begun is None else self.source.line_col(self.begun)[0]

    @property
    def opening(self) -> str:
        return "" if self.begun is None else self.source.text[self.begun : self.begun + 1]

    def note(self, offset: int | None, text: str) -> tuple[Note, ...]:
        return () if offset is None else ((self.source.span(offset), text),)

    def value_at(self, offset: int) -> str:
        """Rest of the line at an offset, without comment."""
        number, column = self.source.line_col(offset)
        return lines.uncommented(self.source.line(number)[column - 1 :])

    def error(self, code: str, message: str, start: int, end: int | None = None, **more: Any) -> Diagnostic:
        return finding(self.source, code, message, start, end, **more)


def explain(source: Source, error: YAMLError) -> Diagnostic:
    """The diagnostic for what libyaml raised about this text."""
    failure = _failure(source, error)
    found = lines.swallowed_lines(source) or _template_in(failure) or _explain(failure)
    if found.span is not None:
        number = found.span.line
        for character in source.line(number):
            if character in _TYPOGRAPHIC:
                meant = _TYPOGRAPHIC[character]
                shown = "a no-break space" if character == "\u00a0" else f"`{character}`"
                wanted = "a plain space" if meant == " " else f"`{meant}`"
                hint = f"this line has {shown} (U+{ord(character):04X}) where {wanted} may be meant"
                return replace(found, help=(*found.help, hint))
    return found


def _failure(source: Source, error: YAMLError) -> _Failure:
    size = len(source.text)
    stopped, begun = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    at = min(stopped.index, size) if stopped is not None else min(getattr(error, "position", 0), size)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "this cannot be read"
    number, column = source.line_col(at)
    return _Failure(
        source,
        problem,
        getattr(error, "context", None) or "",
        at,
        min(begun.index, size) if begun is not None else None,
        number,
        column,
        source.line(number),
    )


def _template_in(failure: _Failure) -> Diagnostic | None:
    """Nearly every way to forget the quotes around `{{ }}` ends in another message of libyaml."""
    if failure.begun is not None:
        for start in (failure.begun, failure.begun - 1):
            if start >= 0 and failure.source.text.startswith("{{", start):
                return template_diagnostic(failure.source, start)
    line = failure.line
    found = line.find("{{")
    quotes = [at for at in (line.find('"'), line.find("'")) if at >= 0]
    in_quotes = bool(quotes) and min(quotes) < line.rfind("{{")
    if found >= 0 and not in_quotes and "#" not in line[:found]:
        return template_diagnostic(failure.source, failure.line_start + found)
    return None


def _explain(failure: _Failure) -> Diagnostic:
    said = f"{failure.context} {failure.problem}"
    for words, function in _FAMILIES:
        if words in said:
            return function(failure)
    return failure.error("Y100", failure.problem, failure.at)


def _cannot_start(failure: _Failure) -> Diagnostic:
    """`@`, `` ` ``, `%` or a tab where a value begins."""
    if failure.character == "\t":
        return lines.tab(failure.source, failure.number, failure.number) or _tab_here(failure)
    value = failure.value_at(failure.at)
    return failure.error(
        "Y106",
        f"a value cannot start with `{failure.character}`",
        failure.at,
        failure.at + max(1, len(value)),
        label="quote this",
        help=f"write {quoted(value)}",
    )


def _tab_here(failure: _Failure) -> Diagnostic:
    return failure.error(
        "Y102",
        "a tab stands where spaces belong",
        failure.at,
        label="tab here",
        help="replace the tab with spaces",
    )


def _pair_not_allowed(failure: _Failure) -> Diagnostic:
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


def _complete_above(failure: _Failure, above: int, text: str) -> Diagnostic | None:
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


def _no_colon(failure: _Failure) -> Diagnostic:
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


def _no_key(failure: _Failure) -> Diagnostic:
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


def _sibling_above(failure: _Failure) -> int | None:
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


def _text_behind(failure: _Failure) -> Diagnostic:
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


def _list_on_key_line(failure: _Failure) -> Diagnostic:
    return failure.error(
        "Y115",
        "a list cannot start on the line of its key",
        failure.at,
        label="list starts here",
        help=("put it on the next line, or write `[a, b, c]`", "if `-` is part of the text, put it in quotes"),
    )


def _brackets(failure: _Failure) -> Diagnostic:
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


def _never_closed(failure: _Failure, begun: int) -> Diagnostic:
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


def _no_content(failure: _Failure) -> Diagnostic:
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


def _quote_without_end(failure: _Failure) -> Diagnostic:
    return lines.unclosed_quote(failure.source, failure.at if failure.begun is None else failure.begun)


def _bad_escape(failure: _Failure) -> Diagnostic:
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


def _text_block(failure: _Failure) -> Diagnostic:
    if "tab" in failure.problem:
        return lines.tab(failure.source, failure.number, failure.number) or _tab_here(failure)
    return _quote_this(failure, "Y121", "a value that starts with `{first}` begins a block of text on the lines below")


def _anchor(failure: _Failure) -> Diagnostic:
    what = "an alias" if failure.source.text[failure.begun or failure.at :][:1] == "*" else "an anchor"
    return _quote_this(failure, "Y013", f"`{{first}}` begins {what} in YAML, and no name follows")


def _tag(failure: _Failure) -> Diagnostic:
    return _quote_this(failure, "Y008", _TAG)


def _quote_this(failure: _Failure, code: str, message: str) -> Diagnostic:
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


def _tab_character(failure: _Failure) -> Diagnostic:
    return lines.tab(failure.source, failure.number - 1, failure.number) or _tab_here(failure)


def _directive(failure: _Failure) -> Diagnostic:
    start = failure.at if failure.begun is None else failure.begun
    start = failure.source.line_start(failure.source.line_col(start)[0])
    return failure.error(
        "Y009",
        "a line that starts with `%` is a YAML directive, and directives are not allowed",
        start,
        start + max(1, len(failure.value_at(start))),
        help="remove the line, or put the text in quotes",
    )


def _behind_document(failure: _Failure) -> Diagnostic:
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


def _unexpected_colon(failure: _Failure) -> Diagnostic:
    return failure.error("Y117", "`:` is unexpected here", failure.at, help="put text that contains `:` in quotes")


def _question_mark(failure: _Failure) -> Diagnostic:
    return failure.error("Y119", "a value cannot start with `? `", failure.at, help="put the text in quotes")


_FAMILIES: tuple[tuple[str, Callable[[_Failure], Diagnostic]], ...] = (
    ("cannot start any token", _cannot_start),
    ("mapping values are not allowed", _pair_not_allowed),
    ("could not find expected ':'", _no_colon),
    ("did not find expected key", _no_key),
    ("did not find expected '-' indicator", _no_key),
    ("block sequence entries are not allowed", _list_on_key_line),
    ("did not find expected ',' or", _brackets),
    ("did not find expected node content", _no_content),
    ("found unexpected end of stream", _quote_without_end),
    ("unexpected document indicator", _quote_without_end),
    ("unknown escape character", _bad_escape),
    ("hexdecimal", _bad_escape),
    ("invalid Unicode character escape", _bad_escape),
    ("while scanning a block scalar", _text_block),
    ("anchor", _anchor),
    ("alias", _anchor),
    ("tag", _tag),
    ("tab character", _tab_character),
    ("directive", _directive),
    ("incompatible YAML", _directive),
    ("<document start>", _behind_document),
    ("found unexpected ':'", _unexpected_colon),
    ("mapping keys are not allowed", _question_mark),
)
"""Words of libyaml's message (context, then problem), and who explains it; the first that fits is taken."""
