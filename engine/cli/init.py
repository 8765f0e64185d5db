"""`benchwright init`: a new project that runs at once."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

_FIRST_SEQUENCE = "ldo_tempco"
_STATION = "sim_bench"

_SETTINGS = """\
# yaml-language-server: $schema=schemas/json/settings.schema.json
# Settings of this project. Any of them can be overridden in the environment: BENCHWRIGHT__REPORT__COMPANY="Acme"
results: results          # the journal and the reports
station: sim_bench        # used where a command names none
logging: {level: info}
report: {charts: true}
plugins: []               # modules that `python:` steps may use
"""

_IGNORED = "/results/\n__pycache__/\n"

_README = """\
# {name}

Test procedures for a bench, run by Benchwright.

| folder | holds |
|---|---|
| `sequences/` | test procedures |
| `stations/` | benches; `drivers/` how instruments are talked to, `devices/` simulated ones |
| `results/` | the journal of all runs, and reports |

```
benchwright validate                        # check all files
benchwright run {sequence} --report           # on the simulated bench
benchwright show latest                     # what was measured
```
"""


def register(app: typer.Typer) -> None:
    app.command(short_help="Make a new project that runs at once.")(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; made where there is none.")],
    force: Annotated[
        bool, typer.Option("--force", help="Also in a folder that is not empty; files that exist are kept.")
    ] = False,
) -> None:
    """Make a new project that runs at once: settings, a simulated bench and a first sequence.

    \b
    Example:
      benchwright init my_bench && cd my_bench && benchwright run ldo_tempco
    """
    from engine.cli import console
    from engine.core.errors import UsageError

    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", "name a folder that does not exist yet")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(f"{folder} is not empty", "name another folder, or add --force; files that exist are kept")
    kept = 0
    for name, text in sorted(project_files(folder.resolve().name).items()):
        path = folder / name
        if path.exists():
            kept += 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    console.out(f"{folder} is ready" + (f"; {console.plural(kept, 'file')} kept as it was" if kept else ""))
    console.out(f"try: cd {shlex.quote(str(folder))} && benchwright run {_FIRST_SEQUENCE} --report")


def project_files(name: str) -> dict[str, str]:
    """Every file of a new project, by its path."""
    from engine.run.project import shipped_folder
    from schemas.library import Library
    from schemas.publish import PUBLISHED, file_name, schema_text

    shipped = shipped_folder()
    library = Library(shipped)
    files = {
        "benchwright.yaml": _SETTINGS,
        ".gitignore": _IGNORED,
        "README.md": _README.format(name=name, sequence=_FIRST_SEQUENCE),
    }
    for kind in PUBLISHED:
        files[f"schemas/json/{file_name(kind)}"] = schema_text(kind)
    sequence = shipped / "sequences" / f"{_FIRST_SEQUENCE}.yaml"
    station = shipped / "stations" / f"{_STATION}.yaml"
    for path in (sequence, station, *_used_by(station, library)):
        files[path.relative_to(shipped).as_posix()] = path.read_text(encoding="utf-8")
    return files


def _used_by(station: Path, library: object) -> list[Path]:
    """The drivers and simulated devices of a station."""
    from schemas.library import Library
    from schemas.loading import load

    assert isinstance(library, Library)
    found: dict[Path, None] = {}
    for instrument in load(station, "station").model.instruments.values():
        driver = library.find("driver", instrument.driver)
        if driver is None:
            continue
        found[driver.path] = None
        model = load(driver.path, "driver").model
        device = library.find("device", instrument.device or model.device or model.driver)
        if device is not None:
            found[device.path] = None
    return list(found)
