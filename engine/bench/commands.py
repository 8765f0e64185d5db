"""Command templates of drivers, made ready once.

Owns the two names a driver may put in a command: `{{ channel }}`, known when a run begins, and `{{ value }}`, known
when something is set. Text from a file is only ever split and joined; were it evaluated or formatted freely, a driver
file could run code, and a value could smuggle a second command past the station's guard.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from engine.core.errors import UsageError

_PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME = re.compile(r"\s*(?P<name>[a-z]\w*)\s*(?::(?P<format>[^{}]*?))?\s*")
_FORMAT = re.compile(r"\+?0?[0-9]{0,2}(\.[0-9]{1,2})?[eEfFgG]|0?[0-9]{0,2}d")
_QUOTES = "\"'"


@dataclass(frozen=True, slots=True)
class ValuePlace:
    """One `{{ value }}` of a command."""

    format: str
    """As in `{{ value:.6g }}`; empty: the shortest exact form."""
    quote: str
    """The quotation mark it stands between; empty: none."""


@dataclass(frozen=True, slots=True)
class CommandTemplate:
    """A command with its channel filled in: `texts[0] places[0] texts[1] …`."""

    texts: tuple[str, ...]
    places: tuple[ValuePlace, ...]

    def fill(self, encode: Callable[[ValuePlace], str]) -> str:
        """The command with each place filled in."""
        filled = [self.texts[0]]
        for place, text in zip(self.places, self.texts[1:], strict=True):
            filled.append(encode(place))
            filled.append(text)
        return "".join(filled)


def compile_command(text: str, channel: str, where: str) -> CommandTemplate:
    """Split a command at its places; raises UsageError naming `where` for a name or a format that does not exist."""
    if not is_plain(text):
        raise UsageError(f"{where}: the command `{printable(text)}` holds a line end or another control character")
    texts: list[str] = [""]
    places: list[ValuePlace] = []
    end = 0
    quote = ""
    for found in _PLACE.finditer(text):
        before = text[end : found.start()]
        quote = _quote_after(before, quote)
        texts[-1] += before
        end = found.end()
        named = _NAME.fullmatch(found[1])
        name = named["name"] if named else None
        if named is None or name not in ("value", "channel"):
            raise UsageError(
                f"{where}: `{found[0]}` means nothing in a command", "it may hold `{{ value }}` and `{{ channel }}`"
            )
        form = (named["format"] or "").strip()
        if name == "channel":
            if form:
                raise UsageError(f"{where}: a channel takes no format, as in `{found[0]}`")
            texts[-1] += checked_channel(channel, where)
            continue
        if form and not _FORMAT.fullmatch(form):
            raise UsageError(f"{where}: `{form}` is no format of a number", "write it as `{{ value:.6g }}`")
        places.append(ValuePlace(form, quote))
        texts.append("")
    texts[-1] += text[end:]
    return CommandTemplate(tuple(texts), tuple(places))


def compile_query(text: str, channel: str, where: str) -> str:
    """A query with its channel filled in; raises UsageError where it asks for a value, which a query has not."""
    template = compile_command(text, channel, where)
    if template.places:
        raise UsageError(f"{where}: a query has no `{{{{ value }}}}`", "only `set` takes a value")
    return template.texts[0]


def checked_channel(channel: str, where: str) -> str:
    """The channel, if it can stand in a command; raises UsageError."""
    if not is_plain(channel) or ";" in channel:
        raise UsageError(f"{where}: `{printable(channel)}` cannot be the name of a channel")
    return channel


def is_plain(text: str) -> bool:
    """Whether a text has no control character and no line end of any alphabet."""
    return text.isprintable() or all(c.isprintable() or c in "\xa0\u3000" for c in text)


def printable(text: str, most: int = 80) -> str:
    """What a message may quote of a text: its beginning, with nothing a terminal would obey."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: most + 1])
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _quote_after(text: str, quote: str) -> str:
    for character in text:
        if quote:
            if character == quote:
                quote = ""
        elif character in _QUOTES:
            quote = character
    return quote
