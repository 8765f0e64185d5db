"""One run, or one unit of it, as `benchwright show` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.present.timeline import Timeline
    from engine.store import JournalReader, RunRecord, UnitRecord


def print_run(journal: JournalReader, run: RunRecord, only: UnitRecord | None) -> None:
    """Identity, why, values, times and files; `only` shows that unit as if it had been alone."""
    from engine.cli import console, tables
    from engine.present.fold import fold
    from engine.present.steps import step_rows

    unit = only.unit if only is not None else None
    table = fold(m for m in journal.measurements(run) if unit is None or m.unit == unit)
    nodes = (node for node in journal.nodes(run) if unit is None or node.unit == unit)
    units = journal.units(run)
    several = len(units) > 1 and only is None
    serials = {one.unit: one.serial for one in units}
    unfinished = {one.unit for one in units if one.outcome is None and unit in (None, one.unit)}
    name = f"{run.sequence} {run.version}".strip()
    titled = f"{run.title} ({name})" if run.title != run.sequence else name
    status = run.status
    if only is not None and len(units) > 1:
        status, titled = str(only.outcome or run.status), f"{only.serial}  {titled}"
    console.out(tables.headline_text(status, titled))
    console.out()
    console.out(console.table(("", ""), _identity(journal, run, only)))
    found = _timeline(journal, run, units) if several else None
    sections = [
        ("units", tables.unit_table(units, found.waited_s, str(run.state)) if found is not None else ""),
        ("why", tables.causes_text(journal, run, table.rows, unit) if status not in ("pass", "marginal") else ""),
        ("measurements", tables.measurement_table(table, serials) if several else tables.measurement_table(table)),
        ("timeline", tables.timeline_text(found) if found is not None else ""),
        ("steps", tables.step_table(step_rows(nodes, together=several, unfinished=unfinished, gone=str(run.state)))),
        ("instruments", _instruments(journal, run)),
        ("files", _files(journal, run)),
        ("attached", _attached(journal, run)),
        ("notes", _notes(journal, run)),
    ]
    for title, text in sections:
        if text:
            console.out(f"\n{console.toned(title, 'strong')}\n{text}")


def _timeline(journal: JournalReader, run: RunRecord, units: list[UnitRecord]) -> Timeline:
    from engine.present.timeline import timeline

    return timeline(journal.held(run), journal.waited(run), units, run.duration_s, run.units, journal.scheduled(run))


def _identity(journal: JournalReader, run: RunRecord, only: UnitRecord | None) -> list[list[str]]:
    from engine.cli import console, tables
    from engine.present.values import duration_text

    took = duration_text(run.duration_s)
    if took and run.clock == "virtual":
        took += " of simulated time"
    among = [only] if only is not None else journal.units(run)
    units = ", ".join(f"{unit.serial} at site {unit.site}" for unit in among)
    if len(among) > 3:
        units = tables.serials_text(among)
    tally = only.tally if only is not None and only.outcome is not None else journal.tally(run)
    commit = str(run.environment.get("git_commit", ""))[:12]
    if commit and run.environment.get("git_dirty"):
        commit += " with uncommitted changes"
    pairs = [
        ("run", f"{run.short_id}  ({run.id})"),
        ("unit" if len(among) == 1 else "units", units),
        ("station", f"{run.station}, {run.clock} clock, seed {run.seed}"),
        ("started", tables.moment(run.started_wall)),
        ("took", took),
        ("values", tables.tally_text(tally)),
        ("operator", run.operator),
        ("description", run.description),
        ("parameters", ", ".join(f"{name} {tables.parameter_text(run, name)}" for name in run.parameters)),
        ("mocked", ", ".join(f"{name} = {value}" for name, value in (run.environment.get("mocks") or {}).items())),
        ("limits", run.limit_set or ""),
        ("git", commit),
        *((key, str(value)) for key, value in run.meta.items()),
    ]
    return [[f"  {console.toned(name, 'quiet')}", console.clean(text)] for name, text in pairs if text]


def _instruments(journal: JournalReader, run: RunRecord) -> str:
    from engine.cli import console

    safe = {True: "safe", False: "NOT SAFE", None: ""}
    interrupted = run.outcome is None and str(run.state) == "interrupted"
    rows = [
        [
            console.clean(one.name + (f"@{one.site}" if one.site else "")),
            console.clean(one.identity),
            console.clean(one.driver),
            "no safe state recorded" if interrupted and one.safety_unknown else safe[one.safe],
        ]
        for one in journal.instruments(run)
    ]
    return console.table(("", "", "", ""), rows, indent="  ") if rows else ""


def _files(journal: JournalReader, run: RunRecord) -> str:
    from engine.cli import console

    rows = [[one.kind, console.clean(one.path), one.sha256[:12]] for one in journal.files(run)]
    return console.table(("", "", ""), rows, indent="  ") if rows else ""


def _attached(journal: JournalReader, run: RunRecord) -> str:
    from engine.cli import console

    rows = [[console.clean(one.name), f"{one.size:,} bytes", one.node] for one in journal.attachments(run)]
    return console.table(("", "", ""), rows, indent="  ") if rows else ""


def _notes(journal: JournalReader, run: RunRecord) -> str:
    from engine.cli import console
    from engine.cli.tables import moment

    return "\n".join(
        f"  {moment(one.wall)} {console.clean(one.author)}: {console.clean(one.text)}" for one in journal.notes(run)
    )
