"""Which names an expression may read where, and under which slot each is found at run time.

A `Frame` is one call of a sequence: its slots, its constants. A `Scope` is what is visible at one place of it; scopes are
copied, not linked, so that branches cannot see each other. When a loop ends, the names made in it are seen outside as
series; a series is only kept if something asks for it here.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.core.bench import Target
from engine.expr import ExpressionError, Kind, Symbol, Type
from engine.expr.functions import FUNCTIONS, OF_NAMES
from engine.plan.model import Binding, LoopSlots
from schemas.diagnostics import did_you_mean
from schemas.source import Span

_WORDS = frozenset({*keyword.kwlist, "true", "false", "null", "nan", "inf"})


def reserved(name: str) -> str | None:
    """Why no step may make a value of this name; None where it may."""
    if name in _WORDS:
        return "is a word of expressions"
    if name in FUNCTIONS or name in OF_NAMES:
        return "is a function of expressions"
    return None


@dataclass(slots=True)
class Loop:
    """A loop while its body, and what follows it, are compiled."""

    slots: LoopSlots
    number: int
    changed: list[tuple[str, str]] = field(default_factory=list)
    """(axis slot, slot that says whether it changed), for the axes whose change something asks for."""
    around: dict[str, Entry] = field(default_factory=dict)
    """What is visible where the loop begins."""


@dataclass(slots=True)
class Frame:
    """One call of a sequence: every slot of its environment."""

    used: set[str] = field(default_factory=set)
    constants: dict[str, Any] = field(default_factory=dict)
    """Slots whose value is known now: parameters."""
    producers: dict[str, str] = field(default_factory=dict)
    """slot → id of the node that makes it."""
    loops: int = 0
    readable: dict[str, dict[str, bool]] = field(default_factory=dict)
    """role → its properties, and whether each can be read."""
    declared: dict[str, Span] = field(default_factory=dict)
    """Names that some step of the sequence makes, and where."""
    unusable: dict[str, Span] = field(default_factory=dict)
    """Parameters that have a problem, and where they stand."""
    secrets: set[str] = field(default_factory=set)
    """Slots of values that must never be written down."""
    unbound: set[str] = field(default_factory=set)
    """Roles that are declared but could not be bound: told once, where that failed, and nowhere else."""

    def why_unbound(self, slot: str) -> str:
        """Why a slot has no value, for people."""
        producer = self.producers.get(slot)
        if producer is None:
            return "the step that gives it was skipped or has not run"
        return f"step `{producer}`, which gives it, was skipped or did not finish"

    def slot(self, name: str) -> str:
        """A slot of its own for a name."""
        slot, number = name, 1
        while slot in self.used:
            number += 1
            slot = f"{name}~{number}"
        self.used.add(slot)
        return slot


@dataclass(slots=True)
class Entry:
    """A name at one place: where its value is, and what it is."""

    name: str
    slot: str
    type: Type
    span: Span | None = None
    maybe: bool = False
    """Only some ways here produce it."""
    kind: str = "value"
    """parameter, axis, let, value, context."""
    loop: Loop | None = None
    """The loop whose body makes it."""
    binding: list[str] | None = None
    """The accumulators of the binding that makes it; None for axes."""
    series_of: Entry | None = None
    """After a loop: the entry inside whose values this collects."""
    collected_by: Loop | None = None
    asked: bool = False
    twins: tuple[Entry, ...] = ()
    """The series of the same name and slot that exclusive ways made."""
    values: Sequence[Any] | None = None
    """Of an axis: all its values, where every one of them is visited."""

    @property
    def is_open_axis(self) -> bool:
        """An axis of a loop that this place is in."""
        return self.kind == "axis" and self.series_of is None

    def ask(self) -> None:
        """Something reads it: make sure that a series is kept."""
        for twin in self.twins:
            twin.ask()
        if self.series_of is None or self.asked or self.collected_by is None:
            return
        self.asked = True
        _collect(self.series_of, self.slot, self.collected_by)


def _rows(entry: Entry) -> tuple[Loop, ...]:
    """The loops whose points are the rows of a series, the outermost first; empty for a single value."""
    rows: list[Loop] = []
    inner: Entry | None = entry
    while inner is not None and inner.series_of is not None and inner.collected_by is not None:
        rows.append(inner.collected_by)
        inner = inner.series_of
    return tuple(rows)


def _lifted(entry: Entry, rows: tuple[Loop, ...]) -> Entry | None:
    """A series of an outer loop with a row for each of the rows of loops inside; None where it had no value there yet."""
    own = _rows(entry)
    if entry.twins or not own or own != rows[: len(own)]:
        return None
    origin: Entry = entry
    while origin.series_of is not None:
        origin = origin.series_of
    inside = rows[len(own) :]
    if any(loop.around.get(origin.name) is not origin for loop in inside):
        return None
    slot, type_ = f"{origin.slot}@{inside[-1].number}", entry.type
    series = Entry(origin.name, slot, type_, origin.span, False, "series", None, None, origin, inside[-1], asked=True)
    inside[-1].slots.accumulators[slot] = (origin.slot, _is_text(origin))
    for loop in reversed((*own, *inside[:-1])):
        slot = f"{slot}@{loop.number}"
        series = Entry(origin.name, slot, type_, origin.span, False, "series", None, None, series, loop)
    return series


def _is_text(entry: Entry) -> bool:
    return entry.type.kind in (Kind.TEXT, Kind.TEXT_SERIES)


def _collect(inner: Entry, series: str, loop: Loop) -> None:
    """Have `loop` keep in slot `series` the values of an entry of its body."""
    is_text = _is_text(inner)
    if inner.series_of is not None:
        inner.ask()
        assert inner.collected_by is not None
        if (inner.slot, series) not in inner.collected_by.slots.extends:
            inner.collected_by.slots.extends.append((inner.slot, series))
        loop.slots.collected[series] = is_text
        return
    loop.slots.accumulators[series] = (inner.slot, is_text)
    if inner.binding is not None and series not in inner.binding:
        inner.binding.append(series)


_SERIES_OF = {
    Kind.NUMBER: Kind.SERIES,
    Kind.BOOL: Kind.CONDITIONS,
    Kind.CONDITIONS: Kind.CONDITIONS,
    Kind.SERIES: Kind.SERIES,
    Kind.TEXT: Kind.TEXT_SERIES,
    Kind.TEXT_SERIES: Kind.TEXT_SERIES,
    Kind.ANY: Kind.ANY,
}


_SERIES = frozenset({Kind.SERIES, Kind.CONDITIONS, Kind.TEXT_SERIES})


class Scope:
    """What is visible at one place; implements the scope that `engine.expr` asks."""

    def __init__(self, frame: Frame, loop: Loop | None = None) -> None:
        self.frame = frame
        self.loop = loop
        self.entries: dict[str, Entry] = {}
        self.changed: dict[str, None] = {}
        """Names that are another entry here than where this scope was copied, in the order they were made."""
        self.live_targets: dict[tuple[str, str], tuple[Target, Type]] | None = None
        """Live readings, where they are allowed: (role, property) → target."""
        self.series_asked: dict[str, tuple[str, str]] = {}
        self.arms: tuple[tuple[str, int], ...] = ()
        """The exclusive ways this place is in: (the `if`, which way)."""
        self.reuse: dict[str, Entry] = {}
        """In the second of exclusive ways: what the first made, to be made in the same slots."""
        self.held: frozenset[str] = frozenset()
        """Instruments and resources that a group around this place holds."""
        self.sure = True
        """Whether this place is reached whatever is measured; loops may still leave points out."""

    def copy(self, *, loop: Loop | None = None) -> Scope:
        """The same names, to be added to on their own."""
        other = Scope(self.frame, loop or self.loop)
        other.entries = dict(self.entries)
        other.reuse = self.reuse
        other.arms = self.arms
        other.held = self.held
        other.sure = self.sure
        other.series_asked = self.series_asked
        return other

    def with_live(self, targets: dict[tuple[str, str], tuple[Target, Type]]) -> Scope:
        """The same place, with live readings allowed."""
        other = self.copy()
        other.live_targets = targets
        return other

    # --- what engine.expr asks

    def lookup(self, name: str) -> Symbol | None:
        entry = self.entries.get(name)
        if entry is None:
            return None
        entry.ask()
        return Symbol(entry.slot, entry.type, entry.maybe)

    def names(self) -> Iterable[str]:
        return self.entries.keys()

    def series(self, name: str) -> Symbol | None:
        """`series(x)`: the values so far inside a loop; after it, the same as `x`."""
        entry = self.entries.get(name)
        if entry is None:
            return None
        if entry.series_of is not None or entry.loop is None:
            return self.lookup(name) if entry.type.kind in _SERIES else None
        accumulator = f"{entry.slot}@{entry.loop.number}"
        _collect(entry, accumulator, entry.loop)
        array = f"{accumulator}!"
        self.series_asked[array] = (accumulator, array)
        return Symbol(array, Type(_SERIES_OF.get(entry.type.kind, Kind.SERIES), entry.type.unit), False)

    def live(self, role: str, prop: str) -> Symbol | None:
        name = f"{role}.{prop}"
        if role in self.frame.unbound:
            return Symbol(name, Type(Kind.ANY, None), False)
        properties = self.frame.readable.get(role)
        if properties is None:
            return None
        if prop not in properties:
            help_ = did_you_mean(prop, properties) or f"it has: {', '.join(properties)}"
            raise ExpressionError("N003", f"`{role}` has no property `{prop}`", help_)
        if not properties[prop]:
            raise ExpressionError("B011", f"`{name}` can be set but not read")
        if self.live_targets is None or (role, prop) not in self.live_targets:
            raise ExpressionError(
                "X012",
                f"`{name}` is a live reading, which cannot stand here",
                "`measure` it first and use its name; live readings stand in `until`, `while`, `check` and `wait`",
            )
        return Symbol(name, self.live_targets[role, prop][1], False)

    # --- what the compiler adds

    def entry_of(self, slot: str) -> Entry | None:
        """The entry that a slot read here belongs to: slots are names with a suffix."""
        entry = self.entries.get(slot.partition("@")[0].partition("~")[0])
        return entry if entry is not None and entry.slot == slot else None

    def aligned(self, slots: frozenset[str]) -> Scope | None:
        """This place with the series among these slots brought to one length: a row for each point of the innermost loop.

        None where they are so already, or cannot be: an outer value made only after the inner loop has no rows there.
        """
        if sum("@" in slot for slot in slots) < 2:
            return None
        known = (self.entry_of(slot) for slot in sorted(slots))
        asked = [entry for entry in known if entry is not None and entry.series_of is not None]
        if len(asked) < 2:
            return None
        longest = max((_rows(entry) for entry in asked), key=len)
        lifted = {
            entry.name: series
            for entry in asked
            if len(_rows(entry)) < len(longest) and (series := _lifted(entry, longest)) is not None
        }
        if not lifted:
            return None
        other = self.copy()
        other.live_targets = self.live_targets
        other.entries.update(lifted)
        return other

    def define(
        self, name: str, type_: Type, *, kind: str = "value", span: Span | None = None, maybe: bool = False
    ) -> Entry:
        """A new name of this place, in a slot of its own."""
        twin = self.reuse.get(name)
        slot = twin.slot if twin is not None and twin.type == type_ else self.frame.slot(name)
        entry = Entry(name, slot, type_, span, maybe, kind, self.loop)
        if kind in ("value", "let"):
            entry.binding = twin.binding if twin is not None and twin.slot == slot else []
        if self.loop is not None and kind in ("value", "let"):
            self.loop.slots.cleared.append(entry.slot)
        self.put(name, entry)
        return entry

    def put(self, name: str, entry: Entry) -> None:
        """Make an entry visible here under a name."""
        self.entries[name] = entry
        self.changed[name] = None

    def bind(self, entry: Entry) -> Binding:
        """Where a node puts the value of a name it makes."""
        return Binding(entry.name, entry.slot, entry.binding if entry.binding is not None else ())

    def after_loop(self, body: Scope, loop: Loop, axes: Iterable[Entry]) -> None:
        """What the body made is seen here as series."""
        before = self.entries
        for name in body.changed:
            entry = body.entries[name]
            if entry.kind != "context" and not (name in before and entry.kind == "let"):
                self._series(name, entry, loop)
        for entry in axes:
            self._series(entry.name, entry, loop)

    def _series(self, name: str, entry: Entry, loop: Loop) -> None:
        kind = _SERIES_OF.get(entry.type.kind)
        if kind is None:
            return
        slot, type_ = f"{entry.slot}@{loop.number}", Type(kind, entry.type.unit)
        twin = self.reuse.get(name)
        if twin is not None and twin.series_of is not None and twin.type == type_:
            slot = twin.slot
        self.frame.used.add(slot)
        self.put(name, Entry(name, slot, type_, entry.span, False, "series", self.loop, None, entry, loop))

    def merge_arms(self, arms: Iterable[Scope]) -> list[tuple[Entry, Entry]]:
        """After exclusive ways: a name all of them made is sure, others may be missing. Returns those whose types differ."""
        scopes = list(arms)
        clashes: list[tuple[Entry, Entry]] = []
        for name in sorted({name for scope in scopes for name in scope.changed}):
            found = [scope.entries.get(name) for scope in scopes]
            made = [entry for entry in found if entry is not None and self.entries.get(name) is not entry]
            if not made:
                continue
            first = made[0]
            other = next((entry for entry in made if entry.slot != first.slot or entry.type != first.type), None)
            if other is not None:
                clashes.append((first, other))
            sure = len(made) == len(scopes) and not any(entry.maybe for entry in made)
            twins = tuple(entry for entry in made if entry.series_of is not None)
            self.put(name, replace(first, maybe=not sure, twins=twins) if first.maybe == sure or twins else first)
        return clashes

    def adopt(self, other: Scope, *, maybe: bool = False) -> None:
        """Take over what another place made on the way here."""
        for name in other.changed:
            entry = other.entries[name]
            if self.entries.get(name) is not entry:
                self.put(name, replace(entry, maybe=True) if maybe and not entry.maybe else entry)
