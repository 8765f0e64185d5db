"""What an expression is made of as seen from outside: kinds, types, symbols, the scope that names are looked up in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import CodeType
from typing import Any, Protocol

from schemas.quantity import Unit


class Kind(StrEnum):
    """What sort of value an expression gives; the text is what error messages call it."""

    NUMBER = "a number"
    BOOL = "true or false"
    TEXT = "text"
    SERIES = "a series of numbers"
    CONDITIONS = "a series of true/false"
    TEXT_SERIES = "a series of texts"
    ANY = "a value of any kind"
    """Not known before the run, such as what a python step returns: allowed everywhere, checked when evaluated."""


@dataclass(frozen=True, slots=True)
class Type:
    """Kind and unit of a value; a number without unit (None) takes its neighbour's, as a bare literal does."""

    kind: Kind
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Symbol:
    """One name in scope; `slot` is its key in the environment at run time."""

    slot: str
    type: Type
    maybe_unbound: bool = False
    """True where only some paths bind it: readable only under the guard of `defined(name)`."""


class Scope(Protocol):
    """Where names are looked up while compiling."""

    def lookup(self, name: str) -> Symbol | None:
        """The symbol of a plain or dotted name (`vin`, `dut.serial`), or None."""

    def names(self) -> Iterable[str]:
        """All names that `lookup` knows, for suggestions."""

    def series(self, name: str) -> Symbol | None:
        """The values so far of a name bound in the loop around, for `series(name)`, or None."""

    def live(self, role: str, prop: str) -> Symbol | None:
        """A fresh reading, or None; may raise ExpressionError to say where live readings are allowed."""


@dataclass(frozen=True, slots=True)
class SimpleScope:
    """A scope over mappings."""

    symbols: Mapping[str, Symbol] = field(default_factory=dict)
    all_values: Mapping[str, Symbol] = field(default_factory=dict)
    readings: Mapping[tuple[str, str], Symbol] = field(default_factory=dict)

    def lookup(self, name: str) -> Symbol | None:
        return self.symbols.get(name)

    def names(self) -> Iterable[str]:
        return self.symbols

    def series(self, name: str) -> Symbol | None:
        return self.all_values.get(name)

    def live(self, role: str, prop: str) -> Symbol | None:
        return self.readings.get((role, prop))


class ExpressionError(ValueError):
    """An expression cannot be compiled; `start` and `end` bound the culprit inside its text."""

    def __init__(self, code: str, message: str, help: str = "", start: int = 0, end: int = 0) -> None:
        super().__init__(code, message, help, start, end)
        self.code = code
        self.message = message
        self.help = help
        self.start = start
        self.end = end

    def __str__(self) -> str:
        return f"{self.message} ({self.help})" if self.help else self.message


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression ready to be evaluated: ``fn(environment)`` gives its value as a number in ``type.unit``."""

    text: str
    type: Type
    names: frozenset[str]
    """The slots it reads."""
    live: tuple[tuple[str, str, str], ...]
    """(role, property, slot) of each live reading, in the order written."""
    fn: Callable[[Mapping[str, Any]], Any] = field(repr=False, compare=False)
    constant: Any = None
    """The value when it depends on nothing, else None."""
    needs: frozenset[str] = frozenset()
    """The slots whose reading must be there: those read, but for those of which `is_nan` asks."""
    code: CodeType | None = field(default=None, repr=False, compare=False)
    """The code object whose columns are offsets in `text`, by which a failure is located."""
