"""`benchwright schema`: JSON Schema of each kind of file, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command(short_help="JSON Schema of each kind of file, for editors.")(schema)


def schema(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="sequence, station, driver, device or settings: printed.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write all of them to schemas/json/ of the project.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 when those in schemas/json/ are not up to date.")
    ] = False,
) -> None:
    """Print or write the JSON Schema of each kind of file; with it an editor completes and checks while you type.

    A file finds its schema by its first line:

    \b
      # yaml-language-server: $schema=../schemas/json/sequence.schema.json
    """
    from engine.cli import console
    from engine.cli.exits import ExitCode
    from engine.core.errors import UsageError
    from engine.run.project import Project
    from schemas.diagnostics import did_you_mean
    from schemas.publish import PUBLISHED, outdated, schema_text, write_schemas

    folder = Project.find(Path.cwd()).root / "schemas" / "json"
    if kind is not None:
        if kind not in PUBLISHED:
            raise UsageError(
                f"there is no schema of `{kind}` files", did_you_mean(kind, PUBLISHED) or f"of: {', '.join(PUBLISHED)}"
            )
        print(schema_text(kind), end="")
    elif check:
        old = outdated(folder)
        if old:
            console.err(f"not up to date: {', '.join(old)} (write them with `benchwright schema --write`)")
            raise typer.Exit(ExitCode.FAIL)
        console.out(f"{console.plural(len(PUBLISHED), 'schema')} up to date")
    elif write:
        changed = write_schemas(folder)
        for path in changed:
            console.out(f"wrote {path}")
        if not changed:
            console.out(f"{console.plural(len(PUBLISHED), 'schema')} up to date")
    else:
        console.out(f"schemas: {', '.join(PUBLISHED)} (print one by its name, or --write all to {folder})")
