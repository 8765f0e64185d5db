"""`benchwright validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StationOption = Annotated[
    str | None, typer.Option("--station", "-s", help="The station, by id or path.", show_default=False)
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def register(app: typer.Typer) -> None:
    app.command(short_help="Check all files and how they fit; nothing is run.")(validate)


def validate(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH", help="Files and folders; the project unless given.")
    ] = None,
    station: StationOption = None,
    json: JsonFlag = False,
) -> None:
    """Check sequences, stations, drivers, devices and settings, and how they fit; nothing is run.

    All problems of all files are shown, each with its place, the reason and a remedy. Sequences are checked on the station
    named, else on that of the settings, else they must fit one station of the project.

    \b
    Examples:
      benchwright validate
      benchwright validate sequences/ldo_tempco.yaml --station sim_bench
      benchwright validate --json | jq '.problems[].message'
    """
    from engine.cli import console
    from engine.cli.exits import ExitCode
    from engine.cli.validation import severities
    from engine.cli.validation import validate as check
    from engine.core.errors import UsageError
    from engine.run.project import Project
    from schemas.diagnostics import as_json, render_one

    project = Project.find(Path.cwd())
    for path in paths or ():
        if not path.exists():
            raise UsageError(f"there is no file or folder {path}", "check the name; without one the project is checked")
    bench = project.resolve_station(station) if station is not None else None
    result = check(paths or [], project, bench)
    errors, warnings = severities(result.problems)
    if json:
        console.out_json(
            {
                "files": len(result.files),
                "errors": errors,
                "warnings": warnings,
                "problems": [as_json(problem) for problem in result.problems],
            }
        )
    else:
        for problem in result.problems:
            console.out(render_one(problem) + "\n")
        counts = [console.plural(errors, "error")] if errors else []
        counts += [console.plural(warnings, "warning")] if warnings else []
        summary = ", ".join([console.plural(len(result.files), "file"), *(counts or ["no problems"])])
        console.out(console.toned(summary, "bad" if errors else "warn" if warnings else "good"))
        if not result.files:
            console.err(f"{project.root} has no sequences/ and no stations/; `benchwright init DIR` makes a project")
    if errors:
        raise typer.Exit(ExitCode.INVALID)
