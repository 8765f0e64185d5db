"""`benchwright list`: which files there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.validate import JsonFlag

KINDS = ("sequence", "station", "driver", "device")


def register(app: typer.Typer) -> None:
    app.command("list", short_help="List sequences, stations, drivers and devices.")(list_files)


def list_files(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="sequences, stations, drivers or devices; all unless given.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """List the sequences, stations, drivers and devices that commands and files can name, and where they come from.

    A file of the project wins over one of the same id in the user's folder, and that over a shipped one.
    """
    from engine.cli import console
    from engine.run.project import Project

    project = Project.find(Path.cwd())
    entries = {one: _entries(project, one) for one in _wanted(kind)}
    if json:
        console.out_json({f"{one}s": found for one, found in entries.items()})
        return
    parts = []
    for one, found in entries.items():
        rows = [
            [
                console.clean(entry["id"] or "?"),
                console.clean(_remark(entry) or entry["title"]),
                entry["origin"],
                console.clean(entry["file"]),
            ]
            for entry in found
        ]
        title = console.toned(f"{one}s", "strong")
        parts.append(f"{title}\n{console.table(('', '', '', ''), rows, indent='  ')}" if rows else f"{title}\n  none")
    console.out("\n\n".join(parts))


def _wanted(kind: str | None) -> tuple[str, ...]:
    from engine.core.errors import UsageError
    from schemas.diagnostics import did_you_mean

    if kind is None:
        return KINDS
    for one in KINDS:
        if kind.lower() in (one, f"{one}s"):
            return (one,)
    names = [f"{one}s" for one in KINDS]
    raise UsageError(f"there is no kind of files `{kind}`", did_you_mean(kind, names) or f"kinds: {', '.join(names)}")


def _entries(project: Any, kind: str) -> list[dict[str, Any]]:
    """All files of a kind, winners first, then by id."""
    entries: list[dict[str, Any]] = []
    winners: dict[str, str] = {}
    for found in project.library.all(kind):
        entry = {
            "id": found.id,
            "title": _title(found),
            "origin": str(found.origin),
            "file": found.name,
            "broken": found.broken,
            "overruled_by": winners.get(found.id) if not found.broken else None,
        }
        if not found.broken:
            winners.setdefault(found.id, found.name)
        entries.append(entry)
    return sorted(entries, key=lambda entry: (entry["broken"], entry["id"]))


def _title(found: Any) -> str:
    """The title, without validating the file; empty where it has none or cannot be read."""
    from schemas.diagnostics import InvalidFiles
    from schemas.reader import read_file

    if found.broken:
        return ""
    try:
        value = read_file(found.path, found.name).value
    except InvalidFiles:
        return ""
    title = value.get("title") if isinstance(value, dict) else None
    return title if isinstance(title, str) else ""


def _remark(entry: dict[str, Any]) -> str:
    if entry["broken"]:
        return "cannot be read: see `benchwright validate`"
    if entry["overruled_by"] is not None:
        return f"not used: {entry['overruled_by']} has the same id"
    return ""
