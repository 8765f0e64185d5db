"""A search axis: where along it a condition changes, found by bisection."""

from __future__ import annotations

import math

from engine.plan.compiler import SequenceCompiler
from engine.plan.model import AxisPlan, SearchPlan
from engine.plan.names import Scope
from engine.plan.values import PLAIN
from schemas.quantity import QuantityError, Unit, parse_quantity, parse_unit
from schemas.source import Path
from schemas.sweep import Find


def compile_search(
    c: SequenceCompiler, name: str, find: Find, place: Path, scope: Scope, body: Scope
) -> SearchPlan | None:
    """The search along one axis; `where` sees what the body makes."""
    entry = body.entries.get(name)
    unit = entry.type.unit if entry is not None else None
    start = c.values.number(find.from_, (*place, "from"), scope, unit)
    stop = c.values.number(find.to, (*place, "to"), scope, unit)
    within = c.values.number(find.within, (*place, "within"), scope, unit, difference=True)
    where = c.values.condition(find.where, (*place, "where"), body)
    if start is None or stop is None or within is None or where is None or entry is None:
        return None
    if isinstance(within, float) and within <= 0:
        c.problems.error("P019", "`within` must be more than zero", c.file.at((*place, "within")))
        return None
    most = 64
    if isinstance(start, float) and isinstance(stop, float) and isinstance(within, float):
        if start == stop:
            c.problems.error("P019", "this search has no range: `from` equals `to`", c.file.at((*place, "to")))
            return None
        most = max(0, math.ceil(math.log2(abs(stop - start) / within))) + 4
    return SearchPlan(AxisPlan(name, entry.slot, unit), start, stop, within, where, most)


def search_unit(c: SequenceCompiler, find: Find, path: Path, scope: Scope) -> Unit:
    """The unit of a search axis: its own, else that of the first end that has one."""
    if find.unit is not None:
        return parse_unit(find.unit)
    for key, raw in (("from", find.from_), ("to", find.to)):
        if isinstance(raw, str) and "{{" not in raw:
            try:
                return parse_quantity(raw).unit
            except QuantityError:
                continue
        if isinstance(raw, str):
            formula = c.values.compile(raw, (*path, key), scope)
            if formula is not None and formula.type.unit is not None:
                return formula.type.unit
    return PLAIN
