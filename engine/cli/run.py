"""`benchwright run`: prepares every sequence first, so that a mistake in the last file is told before the first run."""

from __future__ import annotations

import contextlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.exits import ExitCode, exit_code_for, let_go_of_output, worst
from engine.cli.validate import StationOption

if TYPE_CHECKING:
    from engine.core.recorder import Listener
    from engine.run.project import Project
    from engine.run.request import RunRequest, RunSummary
    from engine.run.runner import Prepared
    from engine.store import Journal

MOST_PREDICTED = 200_000
"""Nodes of a plan on the wall clock that is still run in advance, to know how long it will take."""

ParamOption = Annotated[
    list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter, such as vin=4.2V.")
]
LimitsOption = Annotated[
    str | None, typer.Option("--limits", metavar="SET", help="Judge by this set of limits of the sequence.")
]


class ScheduleChoice(StrEnum):
    AUTO = "auto"
    FIFO = "fifo"
    RULES = "rules"
    PLAN = "plan"


ScheduleOption = Annotated[
    ScheduleChoice,
    typer.Option("--schedule", help="How units share the bench: first come first served, by rules, or by a plan."),
]
OptimizeOption = Annotated[
    str,
    typer.Option(
        "--optimize", metavar="BUDGET", help="What planning several units is worth: 5s, or iters:2000 (repeatable)."
    ),
]
DutOption = Annotated[
    list[str] | None,
    typer.Option("--dut", metavar="SERIAL", help="A unit under test; several run side by side, each at a site."),
]
DutsOption = Annotated[
    Path | None,
    typer.Option(
        "--duts", metavar="FILE.csv", help="Units from a file: a column `serial`, and one for each field of `dut`."
    ),
]
UnitsOption = Annotated[
    int | None, typer.Option("--units", min=1, max=10_000, metavar="N", help="So many units, called SIM-1, SIM-2, …")
]


def register(app: typer.Typer) -> None:
    app.command(short_help="Run sequences and judge what they measure.")(run)


def pairs(given: list[str] | None, option: str, form: str = "name=value") -> dict[str, str]:
    """`name=value` texts as a mapping. Raises UsageError for one without `=`, or the same name twice."""
    from engine.core.errors import UsageError

    found: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"{option} {text}: expected {form}", f"write {option} {form}")
        if name in found:
            raise UsageError(f"{option} gives `{name}` twice", "give it once")
        found[name] = value.strip()
    return found


def seconds_of(text: str, option: str) -> float:
    """A time as typed: `50ms`, `2 s`, `0`. Raises UsageError."""
    from engine.core.errors import UsageError
    from schemas.quantity import QuantityError, parse_quantity, parse_unit

    try:
        seconds = parse_quantity(text, parse_unit("s")).value
    except QuantityError as error:
        raise UsageError(f"{option} {text}: {error.message}", error.help) from None
    if seconds < 0:
        raise UsageError(f"{option} {text}: a time cannot be negative")
    return seconds


def run(
    sequences: Annotated[list[str], typer.Argument(metavar="SEQ", help="Sequences, by id or path.")],
    station: StationOption = None,
    dut: DutOption = None,
    duts: DutsOption = None,
    units: UnitsOption = None,
    dut_field: Annotated[
        list[str] | None, typer.Option("--dut-field", metavar="NAME=VALUE", help="What else identifies the unit.")
    ] = None,
    param: ParamOption = None,
    limits: LimitsOption = None,
    mock: Annotated[
        list[str] | None,
        typer.Option("--mock", metavar="ROLE.PROPERTY=VALUE", help="Read this value instead of the instrument's."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=2**63 - 1, help="Where simulated randomness begins.")
    ] = None,
    operator: Annotated[str, typer.Option("--operator", help="Who runs it.")] = "",
    description: Annotated[str, typer.Option("--description", help="What this run is about.")] = "",
    meta: Annotated[
        list[str] | None, typer.Option("--meta", metavar="KEY=VALUE", help="Anything else to keep with the run.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="The results folder; else that of the settings.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document a line.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Write an HTML report of each run.")] = False,
    schedule: ScheduleOption = ScheduleChoice.AUTO,
    optimize: OptimizeOption = "iters:300",
    replan: Annotated[
        str, typer.Option("--replan", metavar="TIME", help="What planning again is worth when a run drifts; 0: never.")
    ] = "50ms",
    speed: Annotated[
        float, typer.Option("--speed", min=0.001, max=1e6, help="Simulated seconds a real one, on `clock: wall`.")
    ] = 1.0,
) -> None:
    """Run sequences on a station: every measurement is judged, recorded, and kept in the journal.

    Each sequence is a run of its own; one that fails does not stop the next. Ctrl-C stops the run, carries out its cleanup
    and puts the instruments in their safe state. The exit code is that of the worst run: 0 pass or marginal, 1 fail,
    2 invalid files, 3 error, 4 aborted, 5 nothing was judged.

    \b
    Examples:
      benchwright run ldo_tempco --station sim_bench --dut LDO0042 --report
      benchwright run sequences/ldo_*.yaml --param vin=4.2V --seed 3
      benchwright run ldo_characterisation --station sim_rack --units 8
      benchwright run ldo_tempco --mock dmm.voltage_dc=3.1V --json
    """
    from engine.core.errors import UsageError
    from engine.run.project import Project
    from engine.run.request import RunRequest
    from engine.run.units import units_of
    from schemas.diagnostics import InvalidFiles, Problems

    if results is not None and results.exists() and not results.is_dir():
        raise UsageError(f"{results} is a file", "name a folder with --results")
    project = Project.find(Path.cwd(), otherwise=_place_of(sequences[0]))
    settings = project.settings
    given: dict[str, Any] = {
        "units": units_of(dut or (), pairs(dut_field, "--dut-field"), duts, units),
        "dut_fields": pairs(dut_field, "--dut-field"),
        "parameters": pairs(param, "--param"),
        "limit_set": limits,
        "mocks": pairs(mock, "--mock", "role.property=value"),
        "seed": seed,
        "operator": operator,
        "description": description,
        "meta": pairs(meta, "--meta", "key=value"),
        "speed": speed,
        "schedule": schedule.value,
        "optimize": optimize,
        "replan_s": seconds_of(replan, "--replan"),
        "cleanup_timeout_s": settings.values.cleanup_timeout,
        "plugins": tuple(settings.values.plugins),
        "settings": settings.plain(),
        "settings_file": settings.file,
        "argv": ("benchwright", *sys.argv[1:]),
    }
    problems = Problems()
    prepared: list[Prepared] = []
    bench = project.resolve_station(station)
    for text in sequences:
        try:
            request = RunRequest(sequence=project.resolve_sequence(text), station=bench, **given)
            prepared.append(_prepared(request, project))
        except InvalidFiles as invalid:
            problems.extend(invalid.problems)
    problems.raise_if_any()
    folder = results if results is not None else project.results
    code = _carry_out(prepared, project, folder, as_json=json, report=report)
    raise typer.Exit(code)


def _place_of(text: str) -> Path | None:
    path = Path(text)
    return path if path.is_file() else None


def _prepared(request: RunRequest, project: Project) -> Prepared:
    from engine.cli import console
    from engine.run.runner import prepare
    from schemas.diagnostics import render_one

    ready = prepare(request, project.library, project.root)
    for warning in ready.warnings.warnings:
        console.err(render_one(warning) + "\n")
    return ready


def _carry_out(prepared: list[Prepared], project: Project, folder: Path, *, as_json: bool, report: bool) -> ExitCode:
    """Run one after the other; answers the worst exit code."""
    from engine.cli import console
    from engine.cli.exits import told
    from engine.run.signals import told_afterwards
    from engine.store import JOURNAL_NAME, Journal

    folder.mkdir(parents=True, exist_ok=True)
    codes: list[ExitCode] = []
    with Journal(folder / JOURNAL_NAME) as journal, told_afterwards() as signalled:
        for number, one in enumerate(prepared):
            if signalled:  # between two runs, or before the first: Ctrl-C means all of them
                codes.append(ExitCode.ABORTED)
                break
            if number and not as_json:
                console.out()
            try:
                summary = _one_run(one, journal, project, as_json=as_json)
            except Exception as error:  # noqa: BLE001  one run that breaks must not take the others with it
                codes.append(told(error, folder))
                if codes[-1] is ExitCode.ABORTED:
                    break
                continue
            codes.append(exit_code_for(summary.outcome))
            try:
                _tell(summary, journal, project, folder, as_json=as_json, report=report)
                sys.stdout.flush()
            except BrokenPipeError:
                let_go_of_output()  # nobody reads it; the verdict and the next run matter all the same
            if codes[-1] is ExitCode.ABORTED:
                break  # Ctrl-C means all of them
    return worst(codes)


def _one_run(prepared: Prepared, journal: Journal, project: Project, *, as_json: bool) -> RunSummary:
    from engine.cli.logfile import LogFile
    from engine.cli.progress import progress_for
    from engine.core.errors import RunAborted
    from engine.run.runner import run as carry_through

    plan = prepared.plan
    planned_s = None
    order = None
    if len(prepared.units) > 1:
        from engine.run.scheduling import ordering

        order = ordering(prepared, journal)
        if order.planned is not None:
            planned_s = order.planned.makespan_s
    elif plan.clock == "wall" and plan.size <= MOST_PREDICTED:
        from engine.run.predict import predict

        prediction = predict(prepared)
        if prediction.outcome == "aborted":  # Ctrl-C while it was predicted: nothing has been touched yet
            raise RunAborted("stopped before the run began")
        planned_s = prediction.duration_s
    view = progress_for(
        as_json=as_json,
        title=f"{plan.sequence} on {plan.station}",
        size=plan.size,
        planned_s=planned_s,
        units=len(prepared.units),
        level=project.settings.values.logging.level,
    )
    logging = project.settings.values.logging
    with contextlib.ExitStack() as stack:
        listeners: list[Listener] = [stack.enter_context(view)]
        if logging.file is not None:
            log = LogFile(project.root / logging.file, logging.level, logging.format)
            listeners.append(stack.enter_context(log))
        # what code of the project prints is no document of the run
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        return carry_through(prepared, journal, listeners=listeners, ordering=order)


def _tell(
    summary: RunSummary, journal: Journal, project: Project, folder: Path, *, as_json: bool, report: bool
) -> None:
    """The table of values, why it is not green, the verdict, where everything is."""
    from engine.cli import console

    record = journal.run(summary.run_id)
    page = None
    if report:
        from engine.cli.history import write_report

        page = write_report(project, journal, record, folder)
    if as_json:
        if page is not None:
            console.err(f"report: {page}")
        return
    from engine.cli import tables
    from engine.present.fold import fold
    from engine.present.values import duration_text

    table = fold(journal.measurements(record))
    console.out(f"\n{tables.results_text(journal, record, table)}\n")
    why = tables.causes_text(journal, record, table.rows)
    if why:
        console.out(f"{why}\n")
    serials = tables.serials_text(journal.units(record))
    took = duration_text(summary.duration_s) + (" of simulated time" if record.clock == "virtual" else "")
    console.out(tables.headline_text(summary.outcome, f"{record.sequence}  {serials}  in {took}"))
    console.out(f"{tables.tally_text(summary.tally)}")
    if mocks := record.environment.get("mocks"):
        given = ", ".join(f"{name} = {value}" for name, value in mocks.items())
        console.out(console.toned(f"MOCKED, not measured: {console.clean(given)}", "warn"))
    console.out(f"run {record.short_id}: see it with `benchwright show {record.short_id}`")
    if page is not None:
        console.out(f"report: {page}")
