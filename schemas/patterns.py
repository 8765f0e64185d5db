"""Regular expressions of users, which may take no longer than a second: Python's own can take for ever, deaf to signals.

A pattern must be readable, with the same meaning, by Python's `re` and by the `regex` package. `regex` can be bounded in
time, and does the matching; it is imported only when a pattern that could take long is first used.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

TIMEOUT_S = 1.0
"""Real seconds that one look for a pattern may take; it is noticed up to as much later."""
LONGEST_PATTERN = 500
"""Characters."""
MOST_SLOW = 50

_ESCAPE_OR_GROUP = re.compile(r"\\.|\(\?|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPETITION = re.compile(r"[*+?{]")
_POSIX_CLASS = re.compile(r"\[:\^?\w+:\]")
_FUZZY = re.compile(r"\{[\s\d<=+,]*[eids][^{}]*\}")
_slow: dict[tuple[str, str], None] = {}
"""Patterns and texts that took too long, the oldest first: not tried again."""


class PatternError(ValueError):
    """A pattern that cannot be read: why, and at which of its characters where that is known."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message, at)
        self.message = message
        self.at = at

    def __str__(self) -> str:
        return self.message


class TooSlow(Exception):
    """Whether a text matches could not be found out in time."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self.pattern = pattern

    def __str__(self) -> str:
        return f"looking for `{self.pattern}` took longer than {TIMEOUT_S:g} s, and was given up"


class Match(Protocol):
    """What `re` and `regex` answer."""

    @property
    def re(self) -> Any: ...
    def group(self, number: int = 0, /) -> str | Any: ...
    def groupdict(self) -> dict[str, str | Any]: ...


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that has been checked."""

    pattern: str

    def search(self, text: str) -> Match | None:
        """Where the pattern is found in a text. Raises TooSlow."""
        return _look(self.pattern, text, "search")

    def fullmatch(self, text: str) -> Match | None:
        """The match of the pattern with all of a text. Raises TooSlow."""
        return _look(self.pattern, text, "fullmatch")


def check(pattern: str) -> None:
    """Raises PatternError for what one of the two cannot read, or reads differently."""
    if len(pattern) > LONGEST_PATTERN:
        raise PatternError(f"a pattern may have at most {LONGEST_PATTERN} characters")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a later Python may read differently
        try:
            re.compile(pattern)
        except re.error as error:
            raise PatternError(error.msg, error.pos) from None
        except (RecursionError, OverflowError) as error:
            raise PatternError(str(error)) from None
    if found := _POSIX_CLASS.search(pattern):
        raise PatternError(f"`{found[0]}` is not a class here; write `\\w`, `\\d` or `[a-z]`", found.start())
    if found := _FUZZY.search(_without_escapes(pattern)):
        raise PatternError("this `{` could be read in two ways; write `\\{` for a brace", found.start())
    if not _is_quick(pattern):
        try:
            _bounded(pattern)
        except Exception as error:  # noqa: BLE001  whatever it has to say about the pattern is told
            raise PatternError(str(error), getattr(error, "pos", None)) from None


def _look(pattern: str, text: str, how: str) -> Match | None:
    if _is_quick(pattern):
        found: Match | None = getattr(re, how)(pattern, text)
        return found
    if (pattern, text) in _slow:
        raise TooSlow(pattern)
    try:
        found = getattr(_bounded(pattern), how)(text, timeout=TIMEOUT_S, concurrent=True)
    except TimeoutError:
        while len(_slow) >= MOST_SLOW:
            _slow.pop(next(iter(_slow)), None)
        _slow[pattern, text] = None
        raise TooSlow(pattern) from None
    return found


def _without_escapes(pattern: str) -> str:
    """The pattern, with what stands in classes or behind a backslash, and the beginnings of groups, left blank."""
    return _ESCAPE_OR_GROUP.sub(lambda found: " " * len(found[0]), pattern)


@lru_cache(maxsize=256)
def _is_quick(pattern: str) -> bool:
    """Whether nothing in it can be tried in so many ways that it takes long: no choice, at most one repetition."""
    bare = _without_escapes(pattern)
    return "|" not in bare and len(_REPETITION.findall(bare)) <= 1


@lru_cache(maxsize=256)
def _bounded(pattern: str) -> Any:
    import regex

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return regex.compile(pattern)
