"""Values watched beside the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.plan.model import MonitorPlan
from engine.plan.names import Scope
from engine.plan.values import PLAIN, type_of
from schemas.source import Path
from schemas.steps import Monitor

if TYPE_CHECKING:
    from engine.plan.compiler import SequenceCompiler


def compile_monitor(
    c: SequenceCompiler, name: str, monitor: Monitor, path: Path, scope: Scope, prefix: str
) -> MonitorPlan | None:
    """One monitor; None where there is a problem. It claims nothing: a busy instrument is not asked."""
    at = c.file.at((*path, "from"))
    found = c.property(monitor.from_, at)
    if found is None:
        c.judging.spoilt(monitor.limit, name)
        return None
    target, spec = found
    c.build.instruments.add(target.instrument)
    if spec.get is None:
        c.problems.error("B011", f"`{monitor.from_}` can be set but not read", at)
        c.judging.spoilt(monitor.limit, name)
        return None
    if spec.type == "array":
        c.problems.error("P042", f"`{monitor.from_}` is an array, which a monitor cannot watch", at)
        return None
    limit = c.judging.limit(monitor.limit, name, path, scope, type_of(spec))
    if limit is None and "on_fail" in monitor.model_fields_set and monitor.limit in (None, "none"):
        c.problems.error(
            "P043",
            f"monitor `{name}` never fails: it has no limit",
            c.file.key((*path, "on_fail")),
            help="add `limit: {max: …}`, or leave `on_fail` out",
        )
    resume = None
    if monitor.resume_when is not None:
        resume = c.values.condition(monitor.resume_when, (*path, "resume_when"), scope, live=True)
        if monitor.on_fail != "pause":
            c.problems.error(
                "P040",
                "`resume_when` is for monitors that pause",
                c.file.key((*path, "resume_when")),
                help="add `on_fail: pause`",
            )
        for reading in resume.live if resume is not None else ():
            c.build.instruments.add(reading.target.instrument)
    elif monitor.on_fail == "pause":
        c.problems.error(
            "P040",
            "a monitor that pauses must say when to go on",
            c.file.at((*path, "on_fail")),
            help="add `resume_when: …`",
        )
    if monitor.every <= 0:
        c.problems.error("P041", "`every` must be more than 0 s", c.file.at((*path, "every")))
        return None
    unit = (spec.unit or PLAIN) if spec.type == "number" else None
    return MonitorPlan(
        name,
        f"{prefix}/{name}",
        target,
        unit,
        monitor.every,
        limit,
        monitor.on_fail,
        resume,
        monitor.hold,
        c.build.next_order(),
    )
