"""`benchwright runs`, `show`, `note`, `export`, `report`: what was run, read from the journal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.validate import JsonFlag

if TYPE_CHECKING:
    from engine.run.project import Project
    from engine.store import JournalReader, RunRecord, UnitRecord

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The beginning of a run's id, or `latest`.")]
ResultsOption = Annotated[
    Path | None,
    typer.Option("--results", metavar="DIR", help="The results folder; that of the settings unless given."),
]

_OUTCOMES = ("pass", "marginal", "fail", "error", "aborted", "unjudged", "running", "interrupted")


def register(app: typer.Typer) -> None:
    app.command(short_help="List what was run, the newest first.")(runs)
    app.command(short_help="Show one run: measurements, steps, timings, files.")(show)
    app.command(short_help="Write a note to a run.")(note)
    app.command(short_help="Write the rows of a run as csv or jsonl.")(export)
    app.command(short_help="Write a run as one HTML page.")(report)


def results_folder(given: Path | None) -> tuple[Project, Path]:
    """The project around the working folder, and where its results are."""
    from engine.run.project import Project

    project = Project.find(Path.cwd())
    return project, (given if given is not None else project.results)


def open_journal(given: Path | None) -> JournalReader:
    """The journal, for looking only; raises UsageError where there is none."""
    from engine.core.errors import UsageError
    from engine.store import JOURNAL_NAME, JournalReader

    _, folder = results_folder(given)
    path = folder if folder.is_file() else folder / JOURNAL_NAME
    if not path.exists():
        raise UsageError(f"no run has been recorded in {folder}", "start one with `benchwright run`, or name --results")
    return JournalReader(path)


def runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="How many at most; 0: all.")] = 20,
    sequence: Annotated[str | None, typer.Option("--sequence", help="Only runs of this sequence.")] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help=f"Only runs that ended so: {', '.join(_OUTCOMES)}.")
    ] = None,
    results: ResultsOption = None,
    json: JsonFlag = False,
) -> None:
    """List what was run, the newest first."""
    from engine.cli import console
    from engine.core.errors import UsageError
    from schemas.diagnostics import did_you_mean

    if outcome is not None and outcome not in _OUTCOMES:
        raise UsageError(
            f"no run ends as `{outcome}`", did_you_mean(outcome, _OUTCOMES) or f"one of: {', '.join(_OUTCOMES)}"
        )
    try:
        journal = open_journal(results)
    except UsageError as error:
        if json:
            console.out("[]")
        else:
            console.out(f"{error.message} yet")
        return
    with journal:
        found = journal.runs(limit or None, sequence, outcome)
        if json:
            from engine.output.run_json import run_summary

            console.out_json([run_summary(run) for run in found])
            return
        if not found:
            console.out("no run fits")
            return
        from engine.cli.tables import moment, serials_text
        from engine.present.values import duration_text

        rows = []
        for run in found:
            serials = serials_text(journal.units(run))
            rows.append(
                [
                    run.short_id,
                    console.marked(run.status) + (" mocked" if run.environment.get("mocks") else ""),
                    *map(console.clean, (run.sequence, serials, run.station)),
                    moment(run.started_wall),
                    duration_text(run.duration_s),
                    console.clean(run.operator),
                ]
            )
        console.out(
            console.table(("run", "outcome", "sequence", "unit", "station", "started", "took", "operator"), rows)
        )
        total = journal.count_runs()
        if sequence is None and outcome is None and len(found) < total:
            console.out(f"\n{len(found)} of {total:,} runs; --limit 0 shows all")


def show(
    run: RunArgument = "latest",
    files: Annotated[
        Path | None, typer.Option("--files", metavar="DIR", help="Write the files it ran with to this folder.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="SERIAL", help="Only this unit of the run, with all of its values.")
    ] = None,
    results: ResultsOption = None,
    json: JsonFlag = False,
) -> None:
    """Show one run: its verdict and why, every measurement with its limit, the tree of steps with times, its files.

    Of several units, what they have in common is told once for all of them, with the timeline of who had what when and who
    waited for whom; --unit shows one of them as if it had been alone.

    \b
    Examples:
      benchwright show latest
      benchwright show latest --unit LDO0042
      benchwright show k3q9 --json
      benchwright show k3q9 --files /tmp/as_it_was
    """
    from engine.cli import console
    from engine.cli.shown import print_run

    with open_journal(results) as journal:
        record = journal.find_run(run)
        if files is not None:
            for path in journal.extract_files(record, files):
                console.out(f"wrote {path}")
            return
        only = _unit_of(journal, record, unit) if unit is not None else None
        if json:
            from engine.output import run_as_json

            console.out_json(run_as_json(journal, record, unit=only.unit if only is not None else None))
            return
        print_run(journal, record, only)


def _unit_of(journal: JournalReader, run: RunRecord, serial: str) -> UnitRecord:
    """The unit of this serial number; raises UsageError."""
    from engine.core.errors import UsageError
    from schemas.diagnostics import did_you_mean

    units = journal.units(run)
    for unit in units:
        if unit.serial == serial:
            return unit
    known = [unit.serial for unit in units]
    listed = ", ".join(known[:10]) + (f" and {len(known) - 10} more" if len(known) > 10 else "")
    raise UsageError(
        f"run {run.short_id} has no unit `{serial}`", did_you_mean(serial, known) or f"its units: {listed or 'none'}"
    )


def note(
    run: RunArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to remember.")],
    author: Annotated[str | None, typer.Option("--author", help="Who says so; you unless given.")] = None,
    results: ResultsOption = None,
) -> None:
    """Write a note to a run; what was recorded is not changed.

    \b
    Example:
      benchwright note latest "contact of pin 3 was dirty, repeated as x7y2"
    """
    from engine.cli import console
    from engine.core.errors import UsageError
    from engine.store import Journal

    if not text.strip():
        raise UsageError("the note is empty", 'write it in quotes: benchwright note latest "…"')
    with open_journal(results) as journal:
        record = journal.find_run(run)
        path = journal.path
    with Journal(path) as writable:
        writable.add_note(record, text, author if author is not None else _user())
    console.out(f"noted to run {record.short_id} ({console.clean(record.sequence)})")


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def export(
    run: RunArgument,
    format: Annotated[str, typer.Option("--format", "-f", help="csv or jsonl.")] = "csv",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file; standard output unless given.")
    ] = None,
    with_times: Annotated[
        bool, typer.Option("--with-times", help="Also run id and times, which differ between equal runs.")
    ] = False,
    results: ResultsOption = None,
) -> None:
    """Write every measured value of a run, in a stable order: two equal runs give the same bytes.

    Rows whose `final` is false were given up for another attempt and are no results. In csv a text that a spreadsheet would
    run as a formula, such as the serial =A1, is written after an apostrophe ('=A1); jsonl has every text as it is.

    \b
    Examples:
      benchwright export latest > rows.csv
      benchwright export k3q9 --format jsonl -o rows.jsonl
    """
    from engine.cli import console
    from engine.output import written_whole
    from engine.output.export import writer_for

    write = writer_for(format)
    with open_journal(results) as journal:
        record = journal.find_run(run)
        if output is None or str(output) == "-":
            write(journal, record, sys.stdout, times=with_times)
            return
        with written_whole(output) as stream:
            count = write(journal, record, stream, times=with_times)
        console.err(f"wrote {console.plural(count, 'row')} to {output}")


def report(
    run: RunArgument = "latest",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The file; a name in the results folder unless given."),
    ] = None,
    results: ResultsOption = None,
) -> None:
    """Write a run as one self-contained HTML page: identity, verdict, tables, a plot of each swept value.

    \b
    Example:
      benchwright report latest -o report.html
    """
    from engine.cli import console

    project, folder = results_folder(results)
    with open_journal(results) as journal:
        record = journal.find_run(run)
        console.out(str(write_report(project, journal, record, folder, output)))


def write_report(
    project: Project, journal: JournalReader, run: RunRecord, folder: Path, output: Path | None = None
) -> Path:
    """Write the page of a run; answers where it is."""
    from engine.output import ReportSettings, html_report, report_name, written_whole

    given: Any = project.settings.values.report
    logo = project.root / given.logo if given.logo is not None else None
    settings = ReportSettings(company=given.company, logo=logo, include_charts=given.charts)
    page = html_report(journal, run, settings)
    path = output if output is not None else folder / report_name(run)
    with written_whole(path) as stream:
        stream.write(page)
    return path
