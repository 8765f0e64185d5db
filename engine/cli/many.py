"""`benchwright plan --units`: how long many units take together, what holds them up, and what one more of it would save."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.present.gantt import Gantt
    from engine.run.runner import Prepared
    from engine.run.scheduling import Ordering
    from engine.schedule import Estimate, PlannedOrder

MOST_CRITICAL = 12
WHAT_IF_BUDGET = "iters:100"


def order_many(prepared: Prepared, results: Path) -> Ordering:
    """The plan of all units; estimates come from earlier runs in this results folder where there are any."""
    from engine.run.scheduling import ordering
    from engine.store import JOURNAL_NAME, JournalReader

    journal = results / JOURNAL_NAME
    if not journal.is_file():
        return ordering(prepared)
    with JournalReader(journal) as reader:
        return ordering(prepared, reader)


def savings(planned: PlannedOrder) -> dict[str, float]:
    """Shared resource → seconds that one more of it would save, by planning again with it."""
    from engine.schedule import what_if
    from engine.schedule.bounds import utilisation

    shared = utilisation(planned.problem, planned.schedule)
    return {name: max(0.0, what_if(planned, name, budget=WHAT_IF_BUDGET)) for name in shared}


def many_as_json(planned: PlannedOrder, known: Mapping[str, Estimate], saved: Mapping[str, float]) -> dict[str, Any]:
    """The plan of several units, for programs."""
    from engine.schedule.bounds import binding, critical_path, utilisation
    from engine.schedule.schedule import rows

    problem, schedule = planned.problem, planned.schedule
    return {
        "makespan_s": planned.makespan_s,
        "lower_bound_s": planned.lower_bound_s,
        "gap": planned.gap,
        "search": {"iterations": planned.iterations, "engine": planned.engine, "first_rule": planned.rule},
        "utilisation": utilisation(problem, schedule),
        "binding": binding(problem, schedule),
        "one_more_saves_s": dict(saved),
        "critical_path": [
            {
                "unit": problem.tasks[step.task].unit,
                "node": problem.tasks[step.task].node,
                "start_s": problem.seconds(schedule.starts[step.task]),
                "end_s": problem.seconds(schedule.ends[step.task]),
                "because": step.cause,
            }
            for step in critical_path(problem, schedule)
        ],
        "estimates": {
            node: {"mean_s": one.mean_s, "spread_s": one.spread_s, "p90_s": one.p90_s, "source": one.source}
            for node, one in known.items()
        },
        "rows": [
            {
                "name": row.name,
                "kind": row.kind,
                "bars": [
                    {"start_s": bar.start_s, "end_s": bar.end_s, "unit": bar.unit, "node": bar.node, "kind": bar.kind}
                    for bar in row.bars
                ],
            }
            for row in rows(problem, schedule)
        ],
    }


def chart(planned: PlannedOrder, serials: Sequence[str]) -> Gantt:
    """The plan as rows and bars."""
    from engine.present.gantt import planned_chart
    from engine.schedule.schedule import rows

    return planned_chart(rows(planned.problem, planned.schedule), serials)


def print_many(
    planned: PlannedOrder, known: Mapping[str, Estimate], saved: Mapping[str, float], serials: Sequence[str]
) -> None:
    """What a person wants to know before starting: how long, what binds, what would help."""
    from engine.cli import console
    from engine.present.gantt_text import gantt_text
    from engine.present.values import duration_text
    from engine.schedule.bounds import binding, critical_path, utilisation

    problem, schedule = planned.problem, planned.schedule
    gap = f"{planned.gap:.1%} above it" if planned.gap > 0.0005 else "proven best"
    console.out()
    console.out(
        f"{len(serials)} units together: {duration_text(planned.makespan_s)}"
        f" (no order can take less than {duration_text(planned.lower_bound_s)}: {gap})"
    )
    if planned.iterations:
        console.out(f"found by {planned.iterations:,} steps of search, {planned.engine}")
    used = utilisation(problem, schedule)
    binds = binding(problem, schedule)
    lines = [
        [
            f"  {name}",
            f"{share:.0%}",
            "binds" if name == binds else "",
            f"one more saves {duration_text(saved[name])}" if saved.get(name, 0.0) > 0.001 * planned.makespan_s else "",
        ]
        for name, share in sorted(used.items(), key=lambda item: (-item[1], item[0]))
    ]
    if lines:
        console.out()
        console.out(console.table(("  shared", "used", "", ""), lines, right=(1,)))
    path = critical_path(problem, schedule)
    longest = sorted(path, key=lambda step: schedule.starts[step.task] - schedule.ends[step.task])[:MOST_CRITICAL]
    shown = [step for step in path if step in longest]
    console.out()
    console.out(f"critical path, its {len(shown)} longest of {len(path)} steps")
    console.out(
        console.table(
            ("  from", "takes", "unit", "node", "because of"),
            [
                [
                    f"  {duration_text(problem.seconds(schedule.starts[step.task]))}",
                    duration_text(problem.seconds(schedule.ends[step.task] - schedule.starts[step.task])),
                    str(problem.tasks[step.task].unit + 1),
                    console.clean(problem.tasks[step.task].node),
                    {"precedence": "the step before", "release": ""}.get(step.cause, step.cause),
                ]
                for step in shown
            ],
            right=(0, 1, 2),
        )
    )
    console.out()
    console.out("\n".join(gantt_text(chart(planned, serials), ascii_only=not console.speaks_unicode(sys.stdout))))
    sources: dict[str, int] = {}
    for one in known.values():
        sources[one.source] = sources.get(one.source, 0) + 1
    console.out()
    console.out("estimates: " + ", ".join(f"{count} from {_source(name)}" for name, count in sources.items()))


def write_gantt(planned: PlannedOrder, serials: Sequence[str], path: Path) -> None:
    """The plan as a chart of its own. Raises UsageError where it cannot be written."""
    from engine.core.errors import UsageError
    from engine.present.gantt_svg import gantt_svg

    try:
        path.write_text(gantt_svg(chart(planned, serials), identifier="plan"), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "name another file with --gantt") from None


def _source(name: str) -> str:
    return {
        "history": "earlier runs",
        "simulated": "the simulated run",
        "duration": "the steps themselves",
        "latency": "drivers",
        "assumed": "nothing: taken as no time",
    }[name]
