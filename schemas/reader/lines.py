"""Looks at the lines around a syntax error for what an engineer would see there: tabs, a colon left out, a quote.

libyaml says where it stopped, which is often a line or a page behind the cause. Each function here answers one
question about the lines before that place, and gives the finding or None.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from yaml._yaml import CParser
from yaml.error import YAMLError
from yaml.tokens import ScalarToken

from schemas.diagnostics import Diagnostic, Note
from schemas.source import Source

_WORD = r"[A-Za-z_][\w.-]*"
_KEY_WITHOUT_SPACE = re.compile(rf"^\s*(?:- +)*({_WORD}):(?=[^\s/:])")
_KEY_LINE = re.compile(rf"^\s*(?:- +)*(?:{_WORD}|<<):(?: .*)?$")
_KEY_WITHOUT_COLON = re.compile(rf"^(\s*(?:- +)*)({_WORD})(?: +(\S.*))?$")
_TAB = re.compile(r"^ *(\t+)")
_VALUE_BEFORE = re.compile(r"(?:^\s*(?:- +)*|: +|- +|[,\[{] *)([^,\[\]{}:]*)$")
_ENTRY_END = re.compile(r"\s*[,\]}]")


def finding(
    source: Source,
    code: str,
    message: str,
    start: int,
    end: int | None = None,
    *,
    label: str = "",
    help: str | Sequence[str] = (),
    notes: Sequence[Note] = (),
) -> Diagnostic:
    """An error at `[start, end)` of a source."""
    lines = (help,) if isinstance(help, str) else tuple(help)
    return Diagnostic(code, message, source.span(start, end), label, lines, tuple(notes))


def quoted(text: str) -> str:
    """The text as it should have been written: in double quotes where they need no escapes, else in single ones."""
    text = text.strip()
    if '"' in text or "\\" in text:
        return "'" + text.replace("'", "''") + "'"
    return f'"{text}"'


def indentation(line: str) -> int:
    """Spaces before the first character of a line."""
    return len(line) - len(line.lstrip(" "))


def spaces(count: int) -> str:
    """How far a line is indented, in words."""
    return "not indented" if count == 0 else f"indented by {count} space{'s' if count > 1 else ''}"


def uncommented(line: str) -> str:
    """A line, or the rest of one, without its comment."""
    return line.split(" #")[0].rstrip()


def content_above(source: Source, number: int) -> tuple[int, str] | None:
    """The nearest line above that is neither blank nor a comment, with its number."""
    for above in range(number - 1, 0, -1):
        line = source.line(above)
        if line.strip() and not line.lstrip().startswith("#"):
            return above, line
    return None


def tab(source: Source, first: int, last: int) -> Diagnostic | None:
    """A tab in the indentation of one of these lines."""
    for number in range(max(1, first), last + 1):
        line = source.line(number)
        match = _TAB.match(line)
        if match and line.strip():
            at = source.line_start(number)
            return finding(
                source,
                "Y102",
                "a tab is used for indentation",
                at + match.start(1),
                at + match.end(1),
                label="tab here",
                help="indent with spaces only; let the editor insert two of them",
            )
    return None


def missing_space(source: Source, first: int, last: int) -> Diagnostic | None:
    """A `key:value` without the space in one of these lines."""
    for number in range(max(1, first), last + 1):
        line = source.line(number)
        match = _KEY_WITHOUT_SPACE.match(line)
        if match and not _KEY_LINE.match(line):
            key, value = match.group(1), uncommented(line[match.end() :])
            at = source.line_start(number) + match.end(1)
            return finding(
                source,
                "Y101",
                f"a space is missing after `{key}:`",
                at,
                at + 1,
                label="add a space here",
                help=f"write `{key}: {value}`",
            )
    return None


def missing_colon(source: Source, number: int) -> Diagnostic | None:
    """A line that reads like a key without its colon."""
    match = _KEY_WITHOUT_COLON.match(uncommented(source.line(number)))
    if match is None:
        return None
    key, value = match.group(2), match.group(3) or "…"
    at = source.line_start(number) + match.end(2)
    return finding(
        source,
        "Y103",
        f"`:` is missing after `{key}`",
        at,
        label="expected `:`",
        help=f"write `{key}: {value}`",
    )


def unclosed_quote(source: Source, start: int) -> Diagnostic:
    """The quote at `start` has no end."""
    number, column = source.line_col(start)
    rest = source.line(number)[column - 1 :].rstrip()
    quote = source.text[start : start + 1]
    kind = "double" if quote == '"' else "single"
    help = [f"add a closing {quote} on line {number}"]
    if quote == "'":
        help.append("inside single quotes an apostrophe is written ''")
    return finding(
        source,
        "Y104",
        f"this {kind} quote is never closed",
        start,
        start + max(1, len(rest)),
        label="opened here",
        help=help,
    )


def swallowed_lines(source: Source) -> Diagnostic | None:
    """A quoted text that runs over lines which read like `key: value`: its closing quote was forgotten.

    The text then ends at the next quote, and the error surfaces there, possibly pages below.
    """
    parser = CParser(source.text)
    try:
        while True:
            token = parser.get_token()
            if token is None:
                return None
            if token.__class__ is not ScalarToken or token.style not in ('"', "'"):
                continue
            start, end = token.start_mark.index, token.end_mark.index
            if "\n" not in source.text[start:end]:
                continue
            first, last = source.line_col(start)[0] + 1, source.line_col(end)[0]
            if any(_KEY_LINE.match(source.line(number)) for number in range(first, min(last, first + 40) + 1)):
                return unclosed_quote(source, start)
    except YAMLError:
        return None


def template_diagnostic(source: Source, at: int) -> Diagnostic:
    """`{{` at `at` begins a mapping of a mapping instead of an expression."""
    number, column = source.line_col(at)
    line = uncommented(source.line(number))
    first = column - 1
    before = _VALUE_BEFORE.search(line, max(0, first - 500), first)
    if before and before.group(1)[:1] not in ("#", ""):  # text with a template inside
        first = before.start(1)
    close = line.find("}}", column - 1)
    last = len(line)
    if close >= 0:
        close += 2
        between_brackets = re.search(r"[\[{]", line[:first]) or line[close:].lstrip()[:1] in (",", "]", "}")
        end = _ENTRY_END.search(line, close) if between_brackets else None
        last = end.start() if end else last
    rest = line[first:last].rstrip()
    start = source.line_start(number) + first
    return finding(
        source,
        "Y105",
        "a value with `{{ }}` must be quoted",
        start,
        start + len(rest),
        label="`{` begins a mapping in YAML",
        help=f"write {quoted(rest)}",
    )
