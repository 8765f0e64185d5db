"""A sweep of judged readings through all of Benchwright: load, compile, run, journal, HTML report.

Arguments: the project, `grouped` or `each` (how the journal commits), the folder for results.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from told import first_step, tell

from engine.output.report import html_report
from engine.run.request import RunRequest
from engine.run.runner import prepare, run
from engine.store import Journal
from schemas.documents import Document, Measured
from schemas.library import Library
from schemas.loading import load


class First:
    """Hears the first measurement."""

    def hear(self, document: Document) -> None:
        if type(document) is Measured:
            first_step()


def main(project: Path, durability: str, results: Path) -> None:
    started = time.process_time()
    request = RunRequest(load(project / "sequences/points.yaml"), load(project / "stations/bench.yaml"))
    prepared = prepare(request, Library(project, None, None), project)
    compiled = time.process_time()
    listeners = [First()] if prepared.plan.size <= 2 else []
    with Journal(results / "benchwright.db") as journal:
        recorder = journal.recorder(durability)  # type: ignore[arg-type]
        summary = run(prepared, recorder=recorder, listeners=listeners)
        ran = time.process_time()
        page = html_report(journal, journal.run(summary.run_id))
        (results / "report.html").write_text(page, encoding="utf-8")
    done = time.process_time()
    tell(
        load_s=compiled - started,
        run_s=ran - compiled,
        report_s=done - ran,
        passed=summary.tally.passed,
        outcome=str(summary.outcome),
    )


main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
