"""What a run says of attempts that were given up, guard bands, conditions, and of itself when it was killed."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest

from engine.store import Journal
from engine.store.connection import connect

HEAD = "sequence: {name}\ntitle: {name}\nversion: 1.0.0\nneeds: {{psu: power_supply, dmm: multimeter}}\n"

TRIED_AGAIN = """
limits:
  x: {min: 1, max: 10}
  repaired: {min: 100}
steps:
  - group: retry me
    retry: {times: 1, remedy: [{compute: repaired, value: "99"}]}
    steps:
      - compute: x
        value: "5"
      - check: attempt > 1
        message: the first attempt always fails
      - compute: only_first
        value: attempt
        when: attempt == 1
        limit: {max: 0.5}
"""

GUARDED = """
limits:
  b: {nominal: 3.3 V, tolerance: 2 %, guardband: 5 %}
  c: {max: 3.366 V, uncertainty: 10 mV}
  h: {equals: 0.3}
  sw: {nominal: 3.3 V, tolerance: 2 %, guardband: 5 %}
steps:
  - compute: b
    value: 3.366 V
    unit: V
  - compute: c
    value: 3.366 V
    unit: V
  - compute: h
    value: 0.1 + 0.2
  - sweep: {t: [1, 2, 3, 4]}
    each:
      - compute: sw
        value: 3.3 V + t * 0.0165 V
        unit: V
"""

CHECKED = """
steps:
  - let: {vbat: 2.5 V}
  - check: vbat > 3 V
    message: "the battery is flat: {{ vbat }} V"
cleanup:
  - check: 1 > 2
"""

NEVER_HELD = """
steps:
  - repeat: 3
    until: 1 > 4
    each: [{compute: n, value: "1", limit: none}]
"""


@pytest.fixture
def run(bench: Any, project: Path) -> Any:
    """Runs a sequence of these steps; gives what was printed."""

    def go(name: str, text: str, *arguments: str) -> Any:
        (project / "sequences" / f"{name}.yaml").write_text(HEAD.format(name=name) + text)
        return bench("run", name, *arguments)

    return go


def page(bench: Any, project: Path) -> str:
    """The words of the report of the newest run."""
    assert bench("report", "latest", "-o", str(project / "r.html")).code == 0
    text = re.sub(r"(?s)<style>.*?</style>", " ", (project / "r.html").read_text())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)).replace("&gt;", ">").replace("&#39;", "'")


class TestDiscarded:
    def test_a_discarded_attempt_of_a_group_is_in_no_table(self, bench: Any, run: Any) -> None:
        called = run("again", TRIED_AGAIN)
        assert called.code == 0
        table = called.out[called.out.index("  verdict ") :]
        assert "only_first" not in table
        assert "repaired" not in table
        assert "✗ fail" not in table
        assert "4 values of attempts that were given up for another one" in table

    def test_progress_says_what_does_not_count(self, run: Any) -> None:
        lines = run("again", TRIED_AGAIN).out.splitlines()
        place = next(n for n, line in enumerate(lines) if "↺ discarded  attempt 1 of steps/group#1" in line)
        assert "repaired = 99" in lines[place - 1]
        assert "attempt 2" in lines[place + 1]

    def test_the_tree_shows_a_passing_phase_as_passed(self, bench: Any, run: Any) -> None:
        run("again", TRIED_AGAIN)
        steps = bench("show").out.split("\nsteps\n")[1].split("\nfiles")[0]
        assert "fail" not in re.sub(r"always fails", "", steps)
        assert "↺ discarded        repaired" in steps

    def test_the_report_of_a_passing_run_has_no_failed_row(self, bench: Any, run: Any, project: Path) -> None:
        run("again", TRIED_AGAIN)
        words = page(bench, project)
        results, again = words.split("Tried again")
        assert "✗ fail" not in results
        assert "repaired" in again
        assert "only_first" in again

    def test_the_export_flags_every_row(self, bench: Any, run: Any) -> None:
        run("again", TRIED_AGAIN)
        rows = list(csv.DictReader(io.StringIO(bench("export", "latest").out)))
        assert [(row["name"], row["attempt"], row["final"]) for row in rows] == [
            *(("x", "1", "false"), ("x", "2", "true"), ("check#1", "1", "false"), ("check#1", "2", "true")),
            *(("only_first", "1", "false"), ("repaired", "1", "false")),
        ]
        lines = bench("export", "latest", "--format", "jsonl").lines
        assert [line["final"] for line in lines] == [row["final"] == "true" for row in rows]
        assert [m["final"] for m in bench("show", "--json").json["measurements"]] == [line["final"] for line in lines]


class TestGuardBand:
    def test_what_is_accepted_is_shown_wherever_the_verdict_is(self, bench: Any, run: Any, project: Path) -> None:
        out = run("guarded", GUARDED).out
        accepted = "3.2406 … 3.3594 V accepted, spec 3.234 … 3.366 V"
        assert f"✗ fail  b = 3.3660 V  ({accepted})" in out
        assert "✗ fail  c = 3.366 V  (≤ 3.356 V accepted, spec ≤ 3.366 V)" in out
        assert f"steps/b: b = 3.3660 V, limit {accepted}, inside the guard band" in out
        assert "inside the uncertainty" in out
        words = page(bench, project)
        assert accepted in words
        assert "upper acceptance 3.3594 V" in words
        assert "upper limit 3.366 V" in words

    def test_a_number_that_almost_equals_is_told_from_the_one_it_should_equal(self, run: Any) -> None:
        assert "h = 0.30000000000000004, limit = 0.3" in run("guarded", GUARDED).out


class TestChecks:
    def test_a_failed_check_says_its_message_and_its_condition(self, bench: Any, run: Any, project: Path) -> None:
        out = run("checked", CHECKED).out
        assert "✗ fail  check steps/check#1: the battery is flat: 2.5 V" in out
        assert "✗ fail  check cleanup/check#1: `1 > 2` does not hold" in out
        assert "steps/check#1: the battery is flat: 2.5 V (`vbat > 3 V`)" in out
        assert "the battery is flat: 2.5 V (`vbat > 3 V`)" in bench("show").out
        words = page(bench, project)
        assert "the battery is flat: 2.5 V (`vbat > 3 V`)" in words
        assert "`1 > 2` does not hold" in words

    def test_two_checks_of_one_name_are_told_apart(self, bench: Any, run: Any, project: Path) -> None:
        table = run("checked", CHECKED).out
        assert re.search(r"✗ fail +steps/check#1 +false +vbat > 3 V", table)
        assert re.search(r"✗ fail +cleanup/check#1 +false +1 > 2", table)
        words = page(bench, project)
        assert "steps / check#1" in words
        assert "cleanup / check#1" in words


class TestCounts:
    def test_a_repeat_that_failed_is_counted(self, bench: Any, run: Any, project: Path) -> None:
        assert "1 failed, 3 unjudged" in run("never", NEVER_HELD).out
        assert "1 step failed." in page(bench, project)


def test_a_text_that_a_spreadsheet_would_run_is_exported_as_text(bench: Any, run: Any) -> None:
    run("checked", CHECKED, "--dut", "=cmd|' /C calc'!A1")
    rows = list(csv.DictReader(io.StringIO(bench("export", "latest").out)))
    assert {row["serial"] for row in rows} == {"'=cmd|' /C calc'!A1"}
    assert bench("export", "latest", "-f", "jsonl").lines[0]["serial"] == "=cmd|' /C calc'!A1"
    assert "apostrophe" in bench("export", "--help").out


@pytest.fixture
def killed(bench: Any, quick: str, project: Path) -> str:
    """A run as it stands in the journal when its process was killed in its last step."""
    bench("run", quick)
    run = bench("runs", "--json").json[0]
    with Journal(project / "results") as journal:
        record = journal.find_run(run["short_id"])
        path, last = journal.path, max(node.number for node in journal.nodes(record) if node.node.startswith("steps/"))
    base = record.key << 40
    raw = connect(path)
    raw.execute("UPDATE runs SET outcome=NULL, finished_s=NULL, finished_wall=NULL WHERE key=?", (record.key,))
    raw.execute("UPDATE units SET outcome=NULL, finished_s=NULL WHERE run=?", (record.key,))
    raw.execute("DELETE FROM events WHERE document='SafeState' AND id > ?", (base,))
    raw.execute("DELETE FROM nodes WHERE id > ?", (base + last,))
    raw.close()
    return str(run["short_id"])


def test_a_killed_run_shows_no_phase_as_ended_and_warns_of_what_was_never_made_safe(
    bench: Any, killed: str, project: Path
) -> None:
    out = bench("show", killed).out
    assert out.startswith("‼ INTERRUPTED")
    assert re.search(r"the run was interrupted: no safe state was recorded for [^\n]*psu@A", out)
    phases = dict(re.findall(r"^  \S+ (\w+) +(setup|steps|cleanup)  ", out, re.M))
    assert "interrupted" in phases
    assert "dmm@A" not in out.split("measurements")[0], "the station names no safe state for it"
    words = page(bench, project)
    assert "No safe state was recorded for" in words
    assert "NOT RECORDED" in words


NASTY = """
limits:
  a: {max: 1.5}
  b: {max: 2.5}
  c: {min: 13}
  r: {max: 0}
steps:
  - sweep: {t: [1, 2, 3]}
    each:
      - group: outer
        retry: {times: 1, remedy: [{compute: r, value: "1"}]}
        steps:
          - parallel:
              - - compute: a
                  value: attempt
                  retry: {times: 1}
              - - repeat: 2
                  retry: {times: 2}
                  each:
                    - compute: b
                      value: attempt - iteration
                    - compute: c
                      value: attempt * t
                      retry: {times: 1, remedy: [{log: again}]}
"""


def test_the_results_of_a_run_are_exactly_what_its_summary_counts(bench: Any, run: Any) -> None:
    assert run("nasty", NASTY).code == 1
    shown = bench("show", "--json").json
    results = [m["verdict"] for m in shown["measurements"] if m["final"]]
    given_up = [m for m in shown["measurements"] if not m["final"]]
    assert shown["tally"]["passed"] == results.count("pass")
    assert shown["tally"]["failed"] == results.count("fail")
    assert len(given_up) > 10
    assert {"r"} < {m["name"] for m in given_up}
