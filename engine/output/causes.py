"""Why a run is not green: errors first, then what failed, each once however many points it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.present import values
from engine.present.fold import Measurement, Row, axes_text, template
from engine.present.verdicts import Mark, mark
from engine.store import JournalReader, NodeRecord, RunRecord, RunState
from schemas.documents import Outcome, Verdict

CONTAINERS = {"group", "sweep", "repeat", "if", "parallel", "call", "sequence", "setup", "steps", "cleanup"}
MOST = 100


@dataclass(slots=True)
class Cause:
    """One thing that went wrong."""

    mark: Mark
    where: str
    what: str
    count: int = 1
    unit: int | None = None


def causes(journal: JournalReader, run: RunRecord, rows: Iterable[Row]) -> list[Cause]:
    """Everything that keeps the run from passing, the worst kind first."""
    rows = list(rows)
    measured = {(row.unit, row.node) for row in rows if row.verdict is Verdict.FAIL}
    unsafe = never_safe(journal, run)
    what = f"the run was interrupted: no safe state was recorded for {unsafe}"
    found = [Cause(mark("interrupted"), "the bench", what)] if unsafe else []
    found += [
        Cause(mark("error"), event.data.get("instrument", ""), f"its safe state could not be verified: {event.message}")
        for event in journal.events(run)
        if event.document == "SafeState" and event.data.get("verified") is False
    ]
    worst = {(row.unit, _worst(row).node): "" for row in rows if row.verdict is Verdict.FAIL}
    broken: list[NodeRecord] = []
    for node in journal.nodes(run, [Outcome.ABORTED, Outcome.ERROR, Outcome.FAIL]):
        if node.final and (node.unit, node.node) in worst:
            worst[node.unit, node.node] = node.message
        if _tells(node, measured):
            broken.append(node)
    found += sorted(_nodes(broken), key=lambda cause: -cause.mark.rank)
    found += [_failure(row, worst[row.unit, _worst(row).node]) for row in rows if row.verdict is Verdict.FAIL]
    if run.message and not any(run.message in cause.what for cause in found):
        found.insert(0, Cause(mark(run.status), "the run", run.message))
    return found


def never_safe(journal: JournalReader, run: RunRecord) -> str:
    """The instruments of an interrupted run of which nobody knows whether they became safe; empty for any other run."""
    if run.state is not RunState.INTERRUPTED:
        return ""
    return ", ".join(
        one.name + (f"@{one.site}" if one.site else "") for one in journal.instruments(run) if one.safety_unknown
    )


def _tells(node: NodeRecord, measured: set[tuple[int, str]]) -> bool:
    """Whether a node has something to say that its values or its children have not."""
    if not node.final:
        return False
    if node.outcome is Outcome.FAIL and (node.unit, template(node.node)) in measured:
        return False
    return bool(node.message) or node.kind not in CONTAINERS


def _nodes(nodes: Iterable[NodeRecord]) -> list[Cause]:
    found: dict[tuple[int, str, Outcome | None], Cause] = {}
    for node in nodes:
        key = (node.unit, template(node.node), node.outcome)
        cause = found.get(key)
        if cause is None:
            what = node.message or f"`{node.kind}` ended with {node.outcome}"
            found[key] = Cause(mark(node.outcome or ""), node.node, what, unit=node.unit)
        else:
            cause.count += 1
    return list(found.values())


def _worst(row: Row) -> Measurement:
    return row.worst if row.worst is not None else row.first


def _failure(row: Row, message: str) -> Cause:
    """`message` is what the step said of its worst value."""
    worst = _worst(row)
    shown = values.judged(worst.value, worst.unit_symbol, worst.low, worst.high, worst.limit, worst.margin)
    if values.is_check(worst.limit):
        condition = f"`{shown.limit}`"
        what = message or f"{condition} does not hold"
        if shown.limit and condition not in what:
            what += f" ({condition})"
    else:
        what = f"{row.name} = {shown.value}"
        if shown.limit:
            what += f", limit {shown.limit}"
        if inside := values.inside_guard(worst.value, worst.low, worst.high, worst.limit):
            what += f", {inside}"
    if worst.axes:
        what += f", at {axes_text(worst.axes)}"
    failed = row.counts.get(Verdict.FAIL, 0)
    if row.swept:
        what += f" ({failed} of {row.count} points fail; this is the worst)"
    return Cause(mark("fail"), worst.node, what, unit=row.unit)
