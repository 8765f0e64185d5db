"""`benchwright explain`: every effective value, and what set it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.run import LimitsOption, ParamOption, pairs
from engine.cli.validate import JsonFlag, StationOption


def register(app: typer.Typer) -> None:
    app.command(short_help="Every effective value, and the layer, file and line that set it.")(explain)


def explain(
    sequence: Annotated[str, typer.Argument(metavar="SEQ", help="The sequence, by id or path.")],
    node: Annotated[
        str | None, typer.Argument(metavar="NODE", help="A node, by its id or the end of it; all unless given.")
    ] = None,
    station: StationOption = None,
    param: ParamOption = None,
    limits: LimitsOption = None,
    json: JsonFlag = False,
) -> None:
    """Show every value in force and what set it: parameters, limits, timeouts, guards, safe states, drivers, settings.

    Layers, from weak to strong: built-in, driver, station, sequence, settings, environment, --param.

    \b
    Examples:
      benchwright explain ldo_tempco --station sim_bench
      benchwright explain ldo_tempco vout
      benchwright explain ldo_tempco --param vin=4.2V --json
    """
    from engine.cli import console
    from engine.cli.explanation import explain as explained
    from engine.plan.compile import Wish, compile_plan
    from engine.run.project import Project

    path = Path(sequence)
    project = Project.find(Path.cwd(), otherwise=path if path.is_file() else None)
    file = project.resolve_sequence(sequence)
    bench = project.resolve_station(station)
    wish = Wish(pairs(param, "--param"), limits, 0, tuple(project.settings.values.plugins))
    plan = compile_plan(file, bench, project.library, project.root, wish)
    sections = explained(plan, file, bench, project, node)
    if json:
        console.out_json(
            {
                "sequence": plan.sequence,
                "station": plan.station,
                "sections": [asdict(section) for section in sections],
            }
        )
        return
    parts = []
    for section in sections:
        about = f"  {console.toned(console.clean(section.about), 'quiet')}" if section.about else ""
        rows = [
            [console.clean(one.name), console.clean(one.value), one.layer, console.clean(one.source)]
            for one in section.values
        ]
        title = console.toned(console.clean(section.title), "strong") + about
        parts.append(f"{title}\n{console.table(('', '', '', ''), rows, indent='  ')}")
    console.out("\n\n".join(parts))
