"""Criteria with every bound resolved: what a value is judged by, in the value's own unit.

A criterion is data (shown, stored with each measurement, compared) that carries its own judge. They are made by
`engine.verdict.build`, which refuses what could not judge anything; masks live in `engine.verdict.mask`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from engine.verdict.judge import (
    LARGEST,
    LONGEST_TEXT,
    Judge,
    as_number,
    band_judge,
    comparable,
    membership_judge,
    pattern_judge,
)
from schemas.documents import Verdict
from schemas.patterns import Pattern, TooSlow
from schemas.quantity import format_quantity

Scalar = float | str | bool
Exclusive = Literal["low", "high", "both"]

NO_READING = "no reading"


class LimitError(ValueError):
    """A limit that cannot judge: what is wrong with it, and what to write instead."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message, help)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Band:
    """A number between two bounds, of which one may be missing (None)."""

    low: float | None
    """The specification, as written."""
    high: float | None
    exclusive_low: bool = False
    """The lower bound itself is not accepted."""
    exclusive_high: bool = False
    accept_low: float | None = None
    """The lower bound of acceptance: `low` tightened by guard band or uncertainty."""
    accept_high: float | None = None
    marginal_low: float | None = None
    """Width of the marginal zone above `accept_low`; None: there is none."""
    marginal_high: float | None = None
    """Width of the marginal zone below `accept_high`; None: there is none."""
    nominal: float | None = None
    """The middle the band was given by, for display only."""
    guard: float | None = None
    """By how much acceptance is tighter than the specification at each end."""
    uncertainty: bool = False
    """`guard` is an expanded measurement uncertainty and not a share of the band."""
    judge: Judge = field(init=False, repr=False, compare=False)
    """Judge one value."""

    def __post_init__(self) -> None:
        low = -math.inf if self.accept_low is None else self.accept_low
        high = math.inf if self.accept_high is None else self.accept_high
        smallest = max(math.nextafter(low, math.inf) if self.exclusive_low else low, -LARGEST)
        largest = min(math.nextafter(high, -math.inf) if self.exclusive_high else high, LARGEST)
        pass_smallest = max(smallest, low + (self.marginal_low or 0.0))
        pass_largest = min(largest, high - (self.marginal_high or 0.0))
        object.__setattr__(self, "judge", band_judge(low, high, smallest, largest, pass_smallest, pass_largest))

    def explain(self, value: object, unit: str = "") -> str:
        """Why `value` does not simply pass, for people; empty where it does."""
        number = as_number(value)
        if number is None:
            return _why_no_number(value)
        verdict = self.judge(number).verdict
        if verdict is Verdict.PASS:
            return ""
        if verdict is Verdict.MARGINAL:
            return self._explain_marginal(number, unit)
        for side, bound, accept, outside, exclusive in (
            ("above the maximum", self.high, self.accept_high, 1, self.exclusive_high),
            ("below the minimum", self.low, self.accept_low, -1, self.exclusive_low),
        ):
            if bound is None or accept is None:
                continue
            if outside * (number - bound) > 0:
                return _pair(number, unit, f"is {side}", bound)
            if number == bound and exclusive:
                return f"{format_quantity(number, unit, 12)} is the {side.split()[-1]} itself, which is excluded"
            if number == accept and exclusive:
                return f"{format_quantity(number, unit, 12)} is the edge of acceptance itself, which is excluded"
            if outside * (number - accept) > 0:
                what = "the uncertainty" if self.uncertainty else "the guard band"
                relation = "is above" if outside > 0 else "is below"
                return f"inside {what}: {_pair(number, unit, relation, accept)}"
        raise AssertionError(f"{value!r} fails {self!r} for no reason")

    def _explain_marginal(self, number: float, unit: str) -> str:
        high = self.accept_high
        near_high = high is not None and self.marginal_high is not None and number > high - self.marginal_high
        bound = high if near_high else self.accept_low
        assert bound is not None
        name = "maximum" if near_high else "minimum"
        return f"marginal: {_pair(number, unit, 'is near the ' + name, bound)}"

    def as_dict(self) -> dict[str, Any]:
        """The limit in structured form, for the journal and reports."""
        form: dict[str, Any] = {"kind": "band"}
        for key in ("low", "high", "nominal", "marginal_low", "marginal_high"):
            if getattr(self, key) is not None:
                form[key] = getattr(self, key)
        if self.exclusive_low or self.exclusive_high:
            both = self.exclusive_low and self.exclusive_high
            form["exclusive"] = "both" if both else "low" if self.exclusive_low else "high"
        if self.guard is not None:
            form["uncertainty" if self.uncertainty else "guardband"] = self.guard
            for key in ("accept_low", "accept_high"):
                if getattr(self, key) is not None:
                    form[key] = getattr(self, key)
        return form

    def describe(self, unit: str = "") -> str:
        """The specification as people write it: `3.234 … 3.366 V`, `≤ 45 degC`."""
        if self.low is None:
            assert self.high is not None
            return f"{'<' if self.exclusive_high else '≤'} {_show(self.high, unit)}"
        if self.high is None:
            return f"{'>' if self.exclusive_low else '≥'} {_show(self.low, unit)}"
        low, high = ">" if self.exclusive_low else "", "<" if self.exclusive_high else ""
        return f"{low}{_show(self.low, '')} … {high}{_show(self.high, unit)}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some numbers, texts or states, compared exactly."""

    values: tuple[Scalar, ...]
    judge: Judge = field(init=False, repr=False, compare=False)
    low: ClassVar[None] = None
    high: ClassVar[None] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "judge", membership_judge(self.values))

    def explain(self, value: object, unit: str = "") -> str:
        """Why `value` does not pass, for people; empty where it does."""
        if self.judge(value).verdict is Verdict.PASS:
            return ""
        kinds = {kind for kind, _ in filter(None, map(comparable, self.values))}
        return _why_not_equal(value, kinds, unit) or f"{_word(value, unit)} is not {self.describe(unit)}"

    def as_dict(self) -> dict[str, Any]:
        """The limit in structured form."""
        return {"kind": "one_of", "values": list(self.values)}

    def describe(self, unit: str = "") -> str:
        """As people write it: `one of 1 V, 2 V`."""
        return "one of " + ", ".join(_word(value, unit) for value in self.values)


@dataclass(frozen=True, slots=True)
class Equals:
    """Exactly this number, text or state."""

    value: Scalar
    judge: Judge = field(init=False, repr=False, compare=False)
    low: ClassVar[None] = None
    high: ClassVar[None] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "judge", membership_judge((self.value,)))

    def explain(self, value: object, unit: str = "") -> str:
        """Why `value` does not pass, for people; empty where it does."""
        if self.judge(value).verdict is Verdict.PASS:
            return ""
        expected = comparable(self.value)
        kinds = {expected[0]} if expected else set()
        if why := _why_not_equal(value, kinds, unit):
            return why
        if isinstance(self.value, float | int) and not isinstance(self.value, bool):
            number = as_number(value)
            assert number is not None
            return _pair(number, unit, "is not", float(self.value))
        return f"{_word(value, unit)} is not {_word(self.value, unit)}"

    def as_dict(self) -> dict[str, Any]:
        """The limit in structured form."""
        return {"kind": "equals", "value": self.value}

    def describe(self, unit: str = "") -> str:
        """As people write it: `= 3 V`."""
        return f"= {_word(self.value, unit)}"


@dataclass(frozen=True, slots=True)
class Matches:
    """A text that a pattern matches as a whole."""

    pattern: Pattern
    judge: Judge = field(init=False, repr=False, compare=False)
    low: ClassVar[None] = None
    high: ClassVar[None] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "judge", pattern_judge(self.pattern))

    def explain(self, value: object, unit: str = "") -> str:
        """Why `value` does not pass, for people; empty where it does."""
        if value is None:
            return NO_READING
        if not isinstance(value, str):
            return f"{_word(value, unit)} is not a text"
        if len(value) > LONGEST_TEXT:
            return f"the text has {len(value)} characters; more than {LONGEST_TEXT} are not matched"
        try:
            if self.pattern.fullmatch(value) is not None:
                return ""
        except TooSlow as error:
            return f"{_word(value, unit)}: {error}"
        return f"{_word(value, unit)} does not match {self.pattern.pattern}"

    def as_dict(self) -> dict[str, Any]:
        """The limit in structured form."""
        return {"kind": "matches", "pattern": self.pattern.pattern}

    def describe(self, unit: str = "") -> str:
        """As people write it: `matches A\\d+`."""
        return f"matches {self.pattern.pattern}"


def as_json(criterion: Any) -> str:
    """The structured form of a criterion as stored with a measurement: compact, keys in a fixed order."""
    return json.dumps(criterion.as_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _show(number: float, unit: str) -> str:
    return format_quantity(number, unit, 9)


def _word(value: object, unit: str) -> str:
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}…"'
    number = as_number(value)
    return _show(number, unit) if number is not None else type(value).__name__


def _pair(number: float, unit: str, relation: str, bound: float) -> str:
    """`number relation bound` with as many digits as it takes to tell the two apart."""
    for digits in (6, 9, 12, 17):
        left, right = format_quantity(number, unit, digits), format_quantity(bound, unit, digits)
        if left != right:
            break
    return f"{left} {relation} {right}"


def _why_no_number(value: object) -> str:
    if value is None:
        return NO_READING
    if isinstance(value, str):
        return f"{_word(value, '')} is not a number"
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return f"{_word(value, '')} is a state, not a number"
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever is no number raises
    except OverflowError:
        return "over range"
    except (TypeError, ValueError):
        what = "a series" if isinstance(value, Sequence) else type(value).__name__
        return f"{what} is not a single number"
    return NO_READING + " (NaN)" if math.isnan(number) else "over range"


def _why_not_equal(value: object, kinds: set[str], unit: str) -> str:
    """Why `value` is not even of a kind that could be equal; empty where it is."""
    key = comparable(value)
    if key is None:
        return _why_no_number(value)
    if key[0] in kinds:
        return ""
    return f"{_word(value, unit)} is a {key[0]}, expected a {' or a '.join(sorted(kinds))}"
