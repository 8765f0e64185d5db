"""`benchwright plan`: what would be done, in which order, with what, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.exits import ExitCode
from engine.cli.run import (
    MOST_PREDICTED,
    DutOption,
    DutsOption,
    LimitsOption,
    OptimizeOption,
    ParamOption,
    UnitsOption,
    pairs,
)
from engine.cli.validate import JsonFlag, StationOption
from engine.plan.walk import lists_of

if TYPE_CHECKING:
    from engine.plan.model import Block, Node, Plan, Steps
    from engine.run.request import Prediction


def register(app: typer.Typer) -> None:
    app.command(short_help="The compiled graph of a sequence, with its predicted duration.")(plan)


def plan(
    sequence: Annotated[str, typer.Argument(metavar="SEQ", help="The sequence, by id or path.")],
    station: StationOption = None,
    param: ParamOption = None,
    limits: LimitsOption = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, max=2**63 - 1)] = None,
    dut: DutOption = None,
    duts: DutsOption = None,
    units: UnitsOption = None,
    optimize: OptimizeOption = "iters:300",
    gantt: Annotated[
        Path | None, typer.Option("--gantt", metavar="FILE.svg", help="Write the plan of several units as a chart.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="Where earlier runs are, for their durations.")
    ] = None,
    no_times: Annotated[
        bool, typer.Option("--no-times", help="Only compile; do not run it on the simulated clock.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Show what a sequence compiles to: nodes, what each waits for and takes, how long it is predicted to last.

    Durations are found by running the plan on a simulated bench and clock; no instrument is touched, nothing is recorded.
    With several units, their order on the shared instruments is planned: how long all take, what binds, what would help.

    \b
    Examples:
      benchwright plan ldo_tempco --station sim_bench --param vin=4.2V
      benchwright plan ldo_characterisation --station sim_rack --units 8 --optimize 5s --gantt plan.svg
    """
    from dataclasses import replace

    from engine.cli import console
    from engine.cli.many import many_as_json, order_many, print_many, savings, write_gantt
    from engine.core.errors import UsageError
    from engine.run.predict import predict
    from engine.run.project import Project
    from engine.run.request import RunRequest
    from engine.run.runner import prepare
    from engine.run.units import units_of
    from schemas.diagnostics import render_one

    path = Path(sequence)
    project = Project.find(Path.cwd(), otherwise=path if path.is_file() else None)
    request = RunRequest(
        sequence=project.resolve_sequence(sequence),
        station=project.resolve_station(station),
        parameters=pairs(param, "--param"),
        limit_set=limits,
        seed=seed,
        units=units_of(dut or (), {}, duts, units),
        optimize=optimize,
        plugins=tuple(project.settings.values.plugins),
    )
    prepared = prepare(request, project.library, project.root)
    for warning in prepared.warnings.warnings:
        console.err(render_one(warning) + "\n")
    serials = [unit.serial for unit in prepared.units]
    many = len(serials) > 1
    if gantt is not None and not many:
        raise UsageError("a chart shows how units share a bench; there is one unit", "add --units 8, say")
    too_long = prepared.plan.size > MOST_PREDICTED
    if too_long and not no_times:
        console.err(f"more than {MOST_PREDICTED:,} nodes: how long they take is not worked out")
    prediction = None if no_times or too_long else predict(replace(prepared, units=prepared.units[:1]))
    order = order_many(prepared, results if results is not None else project.results) if many else None
    if json:
        document = plan_as_json(prepared.plan, prediction)
        if order is not None and order.planned is not None:
            document["units"] = serials
            document["schedule"] = many_as_json(order.planned, order.estimates, savings(order.planned))
        console.out_json(document)
    else:
        _print(prepared.plan, prediction)
        if order is not None and order.planned is not None:
            print_many(order.planned, order.estimates, savings(order.planned), serials)
    if gantt is not None and order is not None and order.planned is not None:
        write_gantt(order.planned, serials, gantt)
        if not json:
            console.out(f"chart: {gantt}")
    if prediction is not None and str(prediction.outcome) == "aborted":
        raise typer.Exit(ExitCode.ABORTED)


def walk(block: Block, prefix: str = "") -> Iterator[tuple[Node, int, tuple[str, ...]]]:
    """Every node of a block with its depth and the ids of the siblings it waits for, in plan order."""
    for steps in (block.setup, block.steps, block.cleanup):
        yield from _walk(steps, 0)


def _walk(steps: Steps, depth: int) -> Iterator[tuple[Node, int, tuple[str, ...]]]:
    ids = [node.id for node in steps.nodes]
    for index, node in enumerate(steps.nodes):
        waits: tuple[str, ...]
        if steps.waits is None:
            waits = (ids[index - 1],) if index else ()
        else:
            waits = tuple(ids[other] for other in steps.waits[index])
        yield node, depth, waits
        for inner in lists_of(node, remedies=True):
            yield from _walk(inner, depth + 1)


def points_of(node: Node) -> str:
    """`6 points of temperature` for a sweep, `up to 48 rounds` for a loop; else empty."""
    from engine.plan.model import RepeatAction, SweepAction

    match node.action:
        case SweepAction(points=points, search=search):
            names = [axis.name for axis in points.axes] + ([search.axis.name] if search is not None else [])
            count = points.count() * (search.most if search is not None else 1)
            bound = "up to " if search is not None or node.action.stop_when is not None else ""
            return f"{bound}{count:,} points of {', '.join(names)}"
        case RepeatAction(most=most, until=until, while_=while_):
            return f"{'up to ' if until is not None or while_ is not None else ''}{most:,} rounds"
    return ""


def _after(waits: tuple[str, ...], above: str | None) -> str:
    """What a node waits for, where that is not simply the one above it."""
    if not waits or waits == (above,):
        return ""
    return f"after {', '.join(wait.rpartition('/')[2] for wait in waits)}"


def _below(id: str, parent: str) -> str:
    """The id without what it has in common with that of the node around it."""
    parts, around = id.split("/"), parent.split("/")
    common = 0
    while common < min(len(parts) - 1, len(around)) and parts[common] == around[common]:
        common += 1
    return "/".join(parts[common:])


def plan_as_json(plan: Plan, prediction: Prediction | None) -> dict[str, Any]:
    """The plan for programs."""
    estimates = {one.node: one for one in prediction.nodes} if prediction is not None else {}
    nodes = []
    for node, depth, waits in walk(plan.root):
        estimate = estimates.get(node.id)
        nodes.append(
            {
                "id": node.id,
                "verb": node.verb,
                "title": node.title,
                "depth": depth,
                "order": node.order,
                "nodes": node.size,
                "after": list(waits),
                "takes": [claim.resource for claim in node.claims],
                "holds": [hold.resource for hold in node.holds],
                "points": points_of(node),
                "when": node.when.text if node.when is not None else None,
                "skip": node.skip,
                "place": str(node.span) if node.span is not None else None,
                "predicted_s": estimate.total_s if estimate is not None else None,
                "predicted_count": estimate.count if estimate is not None else None,
            }
        )
    return {
        "sequence": plan.sequence,
        "title": plan.title,
        "version": plan.version,
        "station": plan.station,
        "clock": plan.clock,
        "sites": list(plan.sites),
        "limit_set": plan.limit_set,
        "procedure_digest": plan.procedure_digest,
        "plan_digest": plan.plan_digest,
        "parameters": {
            one.name: {
                "value": "secret" if one.secret else one.value,
                "unit": one.unit.symbol if one.unit is not None else "",
                "source": one.source,
            }
            for one in plan.parameters
        },
        "roles": {
            role.name: {"instrument": role.instrument, "capability": role.capability, "channel": role.channel}
            for role in plan.roles
        },
        "instruments": {
            name: {"driver": spec.driver, "backend": spec.backend, "per_site": spec.per_site}
            for name, spec in plan.instruments.items()
        },
        "resources": dict(plan.resources),
        "nodes_expanded": plan.size,
        "predicted_s": prediction.duration_s if prediction is not None else None,
        "predicted_outcome": str(prediction.outcome) if prediction is not None else None,
        "nodes": nodes,
    }


def _print(plan: Plan, prediction: Prediction | None) -> None:
    from engine.cli import console
    from engine.present.values import duration_text

    console.out(
        f"{console.toned(console.clean(plan.title), 'strong')} ({plan.sequence} {plan.version}) on {plan.station}".replace(
            " )", ")"
        )
    )
    rows = [
        [f"  {role.name}", role.capability, role.instrument + (f"[{role.channel}]" if role.channel else "")]
        for role in plan.roles
    ]
    if rows:
        console.out(console.table(("", "", ""), rows))
    estimates = {one.node: one for one in prediction.nodes} if prediction is not None else {}
    lines = []
    last_of: dict[int, str] = {}
    parents: dict[int, str] = {}
    for node, depth, waits in walk(plan.root):
        estimate = estimates.get(node.id)
        notes = [
            points_of(node),
            f"when {node.when.text}" if node.when is not None else "",
            _after(waits, last_of.get(depth)),
        ]
        last_of[depth] = parents[depth] = node.id
        notes.append(f"skipped: {node.skip}" if node.skip else "")
        lines.append(
            [
                "  " + "  " * depth + console.clean(_below(node.id, parents[depth - 1] if depth else "")),
                node.verb,
                ", ".join(claim.resource for claim in node.claims),
                duration_text(estimate.total_s) if estimate is not None else "",
                console.clean(", ".join(note for note in notes if note)),
            ]
        )
    console.out()
    console.out(console.table(("  node", "verb", "takes", "time", ""), lines, right=(3,)))
    console.out()
    count = console.plural(plan.size, "node")
    if prediction is None:
        console.out(f"{count} when fully expanded")
        return
    clock = "of simulated time" if plan.clock == "virtual" else "on the wall clock"
    console.out(f"{count} when fully expanded, predicted to take {duration_text(prediction.duration_s)} {clock}")
    if str(prediction.outcome) not in ("pass", "marginal"):
        why = f": {console.clean(prediction.message)}" if prediction.message else ""
        console.err(f"the simulated run ended as {prediction.outcome}{why}")
