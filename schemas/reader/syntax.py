"""libyaml's parser errors, told with the caret at the cause instead of where the parser gave up.

Its context mark is the beginning of what was being read (the bracket, the mapping, the key), its problem mark is
where reading stopped. Which of them is nearer to the cause depends on the message, so each family of messages has
a function of its own: `layout.py` about lines, `values.py` about values.

Codes: Y100 other, Y101 space after a colon, Y102 tabs, Y103 colons, Y104 quotes, Y105 templates, Y106 first
characters of values, Y107 colons in text, Y108 and Y112 indentation, Y109 pairs, Y110 text behind quotes, Y111 and
Y119 unexpected characters, Y113 to Y115 lists, Y116 and Y117 brackets, Y120 escapes, Y121 text blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from yaml.error import YAMLError

from schemas.diagnostics import Diagnostic
from schemas.reader import layout, lines, values
from schemas.reader.failure import Failure, failure_of
from schemas.reader.lines import template_diagnostic
from schemas.source import Source

_TYPOGRAPHIC = {"“": '"', "”": '"', "‘": "'", "’": "'", "：": ":", "，": ",", "\u00a0": " ", "–": "-", "—": "-"}


def explain(source: Source, error: YAMLError) -> Diagnostic:
    """The diagnostic for what libyaml raised about this text."""
    failure = failure_of(source, error)
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


def _template_in(failure: Failure) -> Diagnostic | None:
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


def _explain(failure: Failure) -> Diagnostic:
    said = f"{failure.context} {failure.problem}"
    for words, function in _FAMILIES:
        if words in said:
            return function(failure)
    return failure.error("Y100", failure.problem, failure.at)


_FAMILIES: tuple[tuple[str, Callable[[Failure], Diagnostic]], ...] = (
    ("cannot start any token", values.cannot_start),
    ("mapping values are not allowed", layout.pair_not_allowed),
    ("could not find expected ':'", layout.no_colon),
    ("did not find expected key", layout.no_key),
    ("did not find expected '-' indicator", layout.no_key),
    ("block sequence entries are not allowed", layout.list_on_key_line),
    ("did not find expected ',' or", values.brackets),
    ("did not find expected node content", values.no_content),
    ("found unexpected end of stream", values.quote_without_end),
    ("unexpected document indicator", values.quote_without_end),
    ("unknown escape character", values.bad_escape),
    ("hexdecimal", values.bad_escape),
    ("invalid Unicode character escape", values.bad_escape),
    ("while scanning a block scalar", values.text_block),
    ("anchor", values.anchor),
    ("alias", values.anchor),
    ("tag", values.tag),
    ("tab character", layout.tab_character),
    ("directive", layout.directive),
    ("incompatible YAML", layout.directive),
    ("<document start>", layout.behind_document),
    ("found unexpected ':'", layout.unexpected_colon),
    ("mapping keys are not allowed", layout.question_mark),
)
"""Words of libyaml's message (context, then problem), and who explains it; the first that fits is taken."""
