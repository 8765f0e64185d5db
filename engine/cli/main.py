"""The entry point `benchwright`: all commands, and the one place where whatever goes wrong becomes a message.

Command modules import what they need when they run: `--help` and `validate` must not wait for a simulator and a database.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from engine.cli import explain, files, history, init, plan, run, schema, validate
from engine.cli.exits import ExitCode, told

EPILOG = """\b
Examples:
  benchwright init my_bench && cd my_bench
  benchwright validate
  benchwright run ldo_tempco --station sim_bench --report
  benchwright show latest
  benchwright export latest --format csv -o rows.csv

\b
Exit codes:
  0 pass or marginal   1 fail      2 invalid files or usage
  3 error              4 aborted   5 nothing was judged

Sequences and stations are named by id (`ldo_tempco`) or by path. A run is named by the beginning of its id, or `latest`.
Settings come from benchwright.yaml in the project and from BENCHWRIGHT__SECTION__KEY in the environment.
"""


class Commands(TyperGroup):
    """The group of all commands; what one of them raises is told here."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except (Exception, KeyboardInterrupt) as error:  # the last door: whatever it is, it is told
            if type(error).__module__.split(".")[0] in ("typer", "click"):
                raise
            raise typer.Exit(told(error, _results())) from None


app = typer.Typer(
    name="benchwright",
    cls=Commands,
    help="Runs test procedures written in YAML on hardware benches, real or simulated, and tells the truth about them.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        try:
            number = metadata.version("benchwright")
        except metadata.PackageNotFoundError:
            number = "unknown (not installed)"
        print(f"benchwright {number}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


validate.register(app)
run.register(app)
plan.register(app)
files.register(app)
history.register(app)
explain.register(app)
schema.register(app)
init.register(app)


def _results() -> Any:
    """Where details of an internal error go; None where the project cannot say."""
    from pathlib import Path

    try:
        from engine.run.project import Project

        return Project.find(Path.cwd()).results
    except Exception:  # noqa: BLE001  this is already the path of an error
        return None


def main() -> None:
    """Run the command line; never returns."""
    gc.set_threshold(50_000, 20, 20)  # a command's start makes only what lives on; collecting it costs 60 ms
    if sys.stdout is None or sys.stderr is None:  # closed by whoever started this: nobody reads it
        nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  until the end of the process
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="benchwright")
    except SystemExit as end:
        code = end.code
    else:
        code = ExitCode.PASS
    try:
        sys.stdout.flush()
    except BrokenPipeError as error:
        code = told(error)
    sys.exit(code)


if __name__ == "__main__":
    main()
