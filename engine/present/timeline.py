"""What happened on the bench of several units: who had what, who waited for whom, how much each thing was used.

Fed with the documents Held and Waited, in any order. Seconds are exact; only the bars of pictures are joined where they
could not be told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from engine.present import values
from engine.present.gantt import COLUMNS, Bar, Gantt, Kind, Row, RowKind, Stretch, stretch_of, thinned, union_s
from schemas.documents import Held, Scheduled, Value, Waited

_KINDS = {str(kind): kind for kind in Kind}
_AXIS = re.compile(r"([A-Za-z_]\w*)=([^,\]]*)")


class UnitStay(Protocol):
    """What a timeline needs of a unit: the journal's record has it."""

    @property
    def unit(self) -> int: ...
    @property
    def serial(self) -> str: ...
    @property
    def site(self) -> str: ...
    @property
    def started_s(self) -> float: ...
    @property
    def finished_s(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Usage:
    """How much one resource was used."""

    resource: str
    busy_s: float
    """Somebody had it; for one that is shared by a value: it was on its way to one, or used."""
    share: float
    """Of the whole run: 0 … 1."""
    uses: int
    units: int
    waited_s: float
    """All waiting for it together; the units waited side by side."""


@dataclass(frozen=True, slots=True)
class Wait:
    """All waiting of one unit for one resource."""

    unit: int
    resource: str
    count: int
    total_s: float
    longest_s: float
    longest_at_s: float
    longest_node: str
    others: tuple[tuple[int, float], ...]
    """Unit and seconds during which it was in the way, the most first; those seconds may overlap."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run of several units, seen as time."""

    gantt: Gantt
    usage: tuple[Usage, ...]
    """The most used first."""
    waits: tuple[Wait, ...]
    """The longest first."""
    waited_s: Mapping[int, float]
    """Unit → seconds in which some node of it waited; a unit that never did is left out."""
    planned: Scheduled | None = None
    """In which order it was to go."""

    @property
    def plan_text(self) -> str:
        """`planned to take 1 h 4 min, took 1 h 5 min`; empty where nothing was planned."""
        if self.planned is None or self.planned.makespan_s is None:
            return ""
        bound = self.planned.lower_bound_s or 0.0
        least = f" (no order can take less than {values.duration_text(bound)})" if bound else ""
        took = values.duration_text(self.gantt.end_s)
        return f"planned to take {values.duration_text(self.planned.makespan_s)}{least}, took {took}"

    def __bool__(self) -> bool:
        return bool(self.gantt.rows)


@dataclass(slots=True)
class _Resource:
    claims: list[Held] = field(default_factory=list)
    spans: list[Held] = field(default_factory=list)
    modes: list[Held] = field(default_factory=list)

    def all(self) -> list[Held]:
        return self.claims + self.spans + self.modes


def timeline(
    held: Iterable[Held],
    waited: Iterable[Waited],
    units: Sequence[UnitStay],
    end_s: float | None = None,
    axis_units: Mapping[str, str] | None = None,
    planned: Scheduled | None = None,
) -> Timeline:
    """The timeline of a run, with what was planned behind it; without rows where units shared nothing.

    `end_s` is the end of the run, that of the last document unless given. `axis_units` are the unit symbols of axes: a value of
    a mode that a sweep asked for is shown in the unit of its axis.
    """
    resources: dict[str, _Resource] = {}
    for one in held:
        resource = resources.setdefault(one.resource, _Resource())
        match one.kind:
            case "claim":
                resource.claims.append(one)
            case "mode":
                resource.modes.append(one)
            case _:
                resource.spans.append(one)
    waits = list(waited)
    if not resources and not waits:
        return Timeline(Gantt((), end_s or 0.0), (), (), {})
    ends = [one.t1 for resource in resources.values() for one in resource.all()] + [wait.t1 for wait in waits]
    if end_s is None:
        end_s = max([*ends, *(unit.finished_s or 0.0 for unit in units)])
    least_s = end_s / COLUMNS
    rows = [
        _mode_row(name, resource, least_s, axis_units or {}) if resource.modes else _row(name, resource, least_s)
        for name, resource in sorted(resources.items(), key=lambda item: (not item[1].modes, item[0]))
    ]
    by_unit = _by_unit(resources, waits, units)
    rows += [_unit_row(unit, by_unit[unit.unit], end_s, least_s) for unit in units]
    return Timeline(
        Gantt(tuple(rows), end_s, {unit.unit: unit.serial for unit in units}, _behind(planned, rows, units)),
        _usage(resources, waits, end_s),
        _waits(waits),
        waited_of(waits),
        planned,
    )


def _behind(planned: Scheduled | None, rows: Sequence[Row], units: Iterable[UnitStay]) -> tuple[Row, ...]:
    """What was planned for the rows that are shown, by their names."""
    if planned is None:
        return ()
    kinds = {row.name: row.kind for row in rows}
    serials = {unit.unit: unit.serial for unit in units}
    bars: dict[str, dict[tuple[float, float], Bar]] = {}
    for resource, unit, start_s, end_s in planned.bars:
        for name in (resource, serials.get(unit, "")):
            if name in kinds and end_s > start_s:
                bars.setdefault(name, {})[start_s, end_s] = Bar(start_s, end_s, unit, Kind.TASK)
    return tuple(Row(name, kinds[name], tuple(found[at] for at in sorted(found))) for name, found in bars.items())


def waited_of(waits: Iterable[Waited]) -> dict[int, float]:
    """Seconds in which each unit waited for others; what it waited for twice at a time counts once."""
    stretches: dict[int, list[tuple[float, float]]] = {}
    for wait in waits:
        stretches.setdefault(wait.unit, []).append((wait.t0, wait.t1))
    return {unit: union_s(found) for unit, found in stretches.items()}


def _by_unit(
    resources: Mapping[str, _Resource], waits: Iterable[Waited], units: Iterable[UnitStay]
) -> dict[int, list[Stretch]]:
    """What each unit had and waited for; the values it shared with others are left to the rows of those."""
    found: dict[int, list[Stretch]] = {unit.unit: [] for unit in units}
    for name, resource in resources.items():
        asked = {(one.unit, one.node) for one in resource.modes}
        for one in resource.claims:
            kind = Kind.TRANSITION if asked and (one.unit, one.node) in asked else Kind.CLAIM
            found.setdefault(one.unit, []).append((one.t0, one.t1, one.unit, kind, one.node, name))
        for one in resource.spans:
            found.setdefault(one.unit, []).append((one.t0, one.t1, one.unit, _KINDS[one.kind], one.node, name))
    for wait in waits:
        found.setdefault(wait.unit, []).append((wait.t0, wait.t1, wait.unit, Kind.WAIT, wait.node, wait.resource))
    return found


def _row(name: str, resource: _Resource, least_s: float) -> Row:
    return Row(name, RowKind.RESOURCE, thinned(map(_stretch, resource.claims + resource.spans), least_s))


def _stretch(one: Held) -> Stretch:
    return (one.t0, one.t1, one.unit, _KINDS[one.kind], one.node, "")


def _mode_row(name: str, resource: _Resource, least_s: float, axis_units: Mapping[str, str]) -> Row:
    """Its values one after the other, and when it was on its way to one."""
    symbol = _unit_of(resource.modes, axis_units)
    bars: list[Bar] = []
    for one in sorted(resource.modes, key=lambda m: (m.t0, m.t1, m.unit)):
        label = value_text(one.value, symbol)
        if bars and bars[-1].label == label and one.t0 <= bars[-1].end_s:
            last = bars[-1]
            end_s = max(last.end_s, one.t1)
            bars[-1] = Bar(last.start_s, end_s, last.unit, Kind.MODE, last.node, label, count=last.count + 1)
        else:
            bars.append(Bar(one.t0, one.t1, one.unit, Kind.MODE, one.node, label))
    asked = {(one.unit, one.node) for one in resource.modes}
    moving = _covered((one.t0, one.t1) for one in resource.claims if (one.unit, one.node) in asked)
    bars += [
        Bar(max(start, bar.start_s), min(end, bar.end_s), -1, Kind.TRANSITION, bar.node, bar.label)
        for bar in bars
        for start, end in moving
        if min(end, bar.end_s) - max(start, bar.start_s) >= least_s
    ]
    spans = thinned(map(_stretch, resource.spans), least_s)
    return Row(name, RowKind.MODE, (*_bounded(bars, least_s), *spans))


def _covered(stretches: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """What is covered by at least one of them."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _bounded(bars: list[Bar], least_s: float) -> tuple[Bar, ...]:
    """The bars as they are; joined only where they are more than can be told apart."""
    if len(bars) <= COLUMNS:
        return tuple(sorted(bars, key=lambda bar: (bar.start_s, bar.end_s)))
    return thinned(map(stretch_of, bars), least_s)


def _unit_row(unit: UnitStay, stretches: list[Stretch], end_s: float, least_s: float) -> Row:
    left_s = unit.finished_s if unit.finished_s is not None else end_s
    stay = (unit.started_s, left_s, unit.unit, Kind.STAY, "", "")
    return Row(
        unit.serial, RowKind.UNIT, thinned([stay, *stretches], least_s), f"site {unit.site}" if unit.site else ""
    )


def _unit_of(modes: Iterable[Held], axis_units: Mapping[str, str]) -> str:
    """The unit of a mode's values, if a sweep asked for one of them."""
    for one in modes:
        if isinstance(one.value, float | int) and not isinstance(one.value, bool):
            for name, text in _AXIS.findall(one.node):
                if name in axis_units and text == f"{one.value + 0.0:.12g}":
                    return axis_units[name]
    return ""


def value_text(value: Value, symbol: str = "") -> str:
    """The value of a mode: `-40 °C`, `on`, `4W`."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else values.value_text(value, symbol)


def _usage(resources: Mapping[str, _Resource], waits: Iterable[Waited], end_s: float) -> tuple[Usage, ...]:
    waited: dict[str, float] = {}
    for wait in waits:
        waited[wait.resource] = waited.get(wait.resource, 0.0) + wait.t1 - wait.t0
    found = []
    for name, resource in resources.items():
        used = resource.claims + resource.spans
        busy_s = union_s((one.t0, one.t1) for one in used)
        share = min(1.0, busy_s / end_s) if end_s > 0 else 0.0
        units = len({one.unit for one in used or resource.modes})
        found.append(Usage(name, busy_s, share, len(resource.claims), units, waited.pop(name, 0.0)))
    found += [Usage(name, 0.0, 0.0, 0, 0, seconds) for name, seconds in waited.items()]
    return tuple(sorted(found, key=lambda one: (-one.share, one.resource)))


def _waits(waits: Iterable[Waited]) -> tuple[Wait, ...]:
    grouped: dict[tuple[int, str], list[Waited]] = {}
    for wait in waits:
        grouped.setdefault((wait.unit, wait.resource), []).append(wait)
    found = []
    for (unit, resource), group in grouped.items():
        others: dict[int, float] = {}
        for wait in group:
            for other in wait.others:
                others[other] = others.get(other, 0.0) + wait.t1 - wait.t0
        longest = max(group, key=lambda wait: (wait.t1 - wait.t0, -wait.t0))
        found.append(
            Wait(
                *(unit, resource, len(group), sum(wait.t1 - wait.t0 for wait in group)),
                *(longest.t1 - longest.t0, longest.t0, longest.node),
                tuple(sorted(others.items(), key=lambda item: (-item[1], item[0]))),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.total_s, one.unit, one.resource)))
