"""What was run, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def ran(bench: Any, quick: str) -> str:
    """The short id of a run that failed."""
    assert bench("run", quick, "--mock", "dmm.voltage_dc=3.1V", "--dut", "BAD1").code == 1
    return str(bench("runs", "--json").json[0]["short_id"])


def test_without_any_run_the_list_is_empty_and_not_an_error(bench: Any) -> None:
    assert (bench("runs").code, bench("runs", "--json").json) == (0, [])
    found = bench("show", "latest")
    assert found.code == 2
    assert "no run has been recorded" in found.err


def test_runs_are_listed_newest_first_and_filtered(bench: Any, quick: str, ran: str) -> None:
    assert bench("run", quick).code == 0
    assert [run["outcome"] for run in bench("runs", "--json").json] == ["pass", "fail"]
    assert [run["short_id"] for run in bench("runs", "--outcome", "fail", "--json").json] == [ran]
    assert bench("runs", "--sequence", "other").out == "no run fits\n"
    table = bench("runs", "--limit", "1").out
    assert "✓ pass" in table
    assert "1 of 2 runs" in table


def test_an_outcome_that_there_is_not_is_refused(bench: Any, ran: str) -> None:
    found = bench("runs", "--outcome", "failed")
    assert found.code == 2
    assert "did you mean `fail`?" in found.err


def test_show_tells_the_verdict_why_the_values_the_steps_and_the_files(bench: Any, ran: str) -> None:
    found = bench("show", ran[:4])
    assert found.code == 0
    assert found.out.startswith("✗ FAIL  Output voltage at room temperature (quick 2.0.0)")
    for part in ("BAD1 at site A", "why", "3.1000 V", "steps", "instruments", "sequences/quick.yaml"):
        assert part in found.out


def test_show_json_has_every_value(bench: Any, ran: str) -> None:
    document = bench("show", ran, "--json").json
    assert [m["value"] for m in document["measurements"]] == [3.1, 3.1, 3.1]


def test_show_files_writes_them_as_they_were(bench: Any, project: Path, ran: str, tmp_path: Path) -> None:
    before = (project / "sequences" / "quick.yaml").read_text()
    (project / "sequences" / "quick.yaml").write_text("edited")
    assert bench("show", ran, "--files", str(tmp_path / "as_it_was")).code == 0
    assert (tmp_path / "as_it_was" / "sequences" / "quick.yaml").read_text() == before


def test_a_note_is_kept_and_shown(bench: Any, ran: str) -> None:
    assert bench("note", ran, "contact of pin 3 was dirty", "--author", "rh").code == 0
    assert "rh: contact of pin 3 was dirty" in bench("show", ran).out
    assert bench("note", ran, "  ").code == 2


def test_a_note_cannot_steer_the_terminal(bench: Any, ran: str) -> None:
    bench("note", ran, "red \x1b[31m alert")
    assert "\x1b" not in bench("show", ran).out


def test_export_goes_to_standard_output_or_a_file(bench: Any, ran: str, tmp_path: Path) -> None:
    rows = bench("export", ran).out
    assert rows.count("\n") == 4
    found = bench("export", ran, "-o", str(tmp_path / "rows.csv"))
    assert (tmp_path / "rows.csv").read_text() == rows
    assert "3 rows" in found.err
    assert bench("export", ran, "--format", "jsonl").lines[0]["value"] == 3.1
    assert ran in bench("export", ran, "--with-times").out
    assert bench("export", ran, "--format", "xml").code == 2


def test_a_report_can_be_written_later(bench: Any, ran: str, tmp_path: Path) -> None:
    found = bench("report", ran, "-o", str(tmp_path / "page.html"))
    assert found.out.strip() == str(tmp_path / "page.html")
    assert "FAIL" in (tmp_path / "page.html").read_text()


def test_an_unknown_run_is_a_message(bench: Any, ran: str) -> None:
    found = bench("show", "zzzz")
    assert found.code == 2
    assert "no run begins with `zzzz`" in found.err
