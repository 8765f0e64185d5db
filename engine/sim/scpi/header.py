"""Command patterns such as ``[SOURce<n>:]VOLTage[:LEVel] <x:float>`` and the table that finds them.

A pattern is taken apart once for all instruments that offer it: every spelling it allows becomes one key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

from engine.sim.scpi.arguments import Parameter, read_parameter_declaration, short_form

Handler = Callable[..., str | bytes | None]
Key = tuple[str, ...]
Numbers = tuple[str | int | None, ...]
"""What number each node of a header takes: one that has a name, a fixed one, or none."""

_NODE = re.compile(r"(\*?[A-Za-z_]+)(\d*)(?:<(\w+)>)?\Z")
_SENT = re.compile(r"(\*?[A-Z_]+)(\d*)\Z")
MOST_SPELLINGS = 4096


@dataclass(slots=True)
class Command:
    """One command of an instrument: what it takes and what it does."""

    pattern: str
    handler: Handler
    parameters: tuple[Parameter, ...] = ()
    suffixes: tuple[str, ...] = ()
    """Names of the numeric suffixes, handed to the handler before the parameters; None where not sent."""
    channels: int = 1
    """Largest suffix."""
    latency_s: float = 0.0


class CommandTable:
    """All commands of one instrument.

    A header is looked for among the patterns when it is first sent, so that an instrument costs no more than the commands
    it is asked; the instrument keeps what was found.
    """

    def __init__(self) -> None:
        self._commands: list[tuple[ParsedPattern, Command]] = []

    def add(self, pattern: str, handler: Handler, **options: Any) -> Command:
        """Offer a command; a later one of the same header goes before an earlier one. Raises ValueError."""
        parsed = parse_pattern(pattern)
        options.setdefault("parameters", parsed.parameters)
        command = Command(pattern, handler, **options)
        command.suffixes = parsed.suffixes
        self._commands.append((parsed, command))
        return command

    def find(self, nodes: tuple[str, ...]) -> tuple[Command, dict[str, int]] | None:
        """The command of a header as sent (capitals, the last node with its ``?``) and its numeric suffixes."""
        words: list[str] = []
        sent: list[int | None] = []
        for node in nodes:
            mark = "?" if node.endswith("?") else ""
            found = _SENT.match(node.removesuffix("?"))
            if found is None or len(found[2]) > 6:
                return None
            words.append(found[1] + mark)
            sent.append(int(found[2]) if found[2] else None)
        key = tuple(words)
        for parsed, command in reversed(self._commands):
            for numbers in parsed.spellings.get(key, ()):
                suffixes = _fit(numbers, sent)
                if suffixes is not None:
                    return command, suffixes
        return None


def _fit(wanted: tuple[str | int | None, ...], sent: list[int | None]) -> dict[str, int] | None:
    suffixes: dict[str, int] = {}
    for want, number in zip(wanted, sent, strict=True):
        if isinstance(want, str):
            if number is not None and suffixes.setdefault(want, number) != number:
                return None
        elif want != number:
            return None
    return suffixes


@dataclass(frozen=True, slots=True)
class ParsedPattern:
    """A pattern taken apart: the same for every instrument that offers it."""

    parameters: tuple[Parameter, ...]
    spellings: Mapping[Key, tuple[Numbers, ...]]
    """Each spelling of the header, and the numbers its nodes take."""
    suffixes: tuple[str, ...]


@lru_cache(maxsize=4096)
def parse_pattern(pattern: str) -> ParsedPattern:
    """Every spelling of a pattern. Kept, because a bench is made anew for every run. Raises ValueError."""
    header, parameters = split_pattern(pattern)
    spellings: dict[Key, list[Numbers]] = {}
    names: dict[str, None] = {}
    for nodes in _expansions(header):
        for key, numbers in _spellings(nodes, pattern):
            known = spellings.setdefault(key, [])
            if numbers not in known:
                known.append(numbers)
            names.update(dict.fromkeys(number for number in numbers if isinstance(number, str)))
    return ParsedPattern(parameters, {key: tuple(found) for key, found in spellings.items()}, tuple(names))


def split_pattern(pattern: str) -> tuple[str, tuple[Parameter, ...]]:
    """Header and parameters of a pattern. Raises ValueError for one that is neither."""
    header, _, rest = pattern.strip().partition(" ")
    parameters: list[Parameter] = []
    for piece in filter(None, (p.strip() for p in rest.split(","))):
        is_optional = piece.startswith("[") and piece.endswith("]")
        inner = piece[1:-1].strip() if is_optional else piece
        if not (inner.startswith("<") and inner.endswith(">")):
            raise ValueError(f"`{piece}` in `{pattern}` is no parameter; write it as `<x:float>`")
        parameter = read_parameter_declaration(inner[1:-1])
        if is_optional:
            parameter = Parameter(parameter.name, parameter.kind, True, parameter.choices)
        elif parameters and parameters[-1].is_optional:
            raise ValueError(f"`{pattern}`: a parameter that must be given cannot follow one that may be left out")
        parameters.append(parameter)
    return header, tuple(parameters)


def _expansions(header: str) -> list[list[str]]:
    """All ways to take or leave the optional parts of a header, as lists of nodes."""
    if header.count("[") != header.count("]"):
        raise ValueError(f"`{header}` has a `[` without its `]`")
    texts = [header]
    while "[" in texts[0]:
        expanded = []
        for text in texts:
            start = text.rindex("[")
            end = text.find("]", start)
            if end < 0:
                raise ValueError(f"`{header}` has a `]` before its `[`")
            expanded += [text[:start] + text[start + 1 : end] + text[end + 1 :], text[:start] + text[end + 1 :]]
        texts = expanded
        if len(texts) > MOST_SPELLINGS:
            raise ValueError(f"`{header}` has too many optional parts")
    return [[node for node in text.split(":") if node] for text in dict.fromkeys(texts)]


def _spellings(nodes: list[str], pattern: str) -> list[tuple[Key, tuple[str | int | None, ...]]]:
    """The keys of one expansion, and what number each node takes: a name, a fixed one, or none."""
    if not nodes or nodes == ["?"]:
        raise ValueError(f"`{pattern}` has no header")
    choices: list[tuple[str, ...]] = []
    numbers: list[str | int | None] = []
    for index, node in enumerate(nodes):
        mark = "?" if node.endswith("?") and index == len(nodes) - 1 else ""
        found = _NODE.match(node.removesuffix("?") if mark else node)
        if found is None:
            raise ValueError(
                f"`{node}` in `{pattern}` is no header; write it as `VOLTage`, capitals for the short form"
            )
        word = found[1]
        short = short_form(word) or word.upper()
        choices.append(tuple(dict.fromkeys((short + mark, word.upper() + mark))))
        numbers.append(found[3] or (int(found[2]) if found[2] else None))
    keys = list(product(*choices))
    if len(keys) > MOST_SPELLINGS:
        raise ValueError(f"`{pattern}` has too many spellings")
    return [(key, tuple(numbers)) for key in keys]
