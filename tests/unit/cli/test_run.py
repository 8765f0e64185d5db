"""Running: what is told, what is recorded, how it ends."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest


def test_a_good_part_passes(bench: Any, quick: str) -> None:
    found = bench("run", quick, "--dut", "LDO0042", "--operator", "R. Haas")
    assert found.code == 0, found.err
    assert "✓ PASS  quick  LDO0042" in found.out
    assert "3 passed" in found.out
    assert "3.234 … 3.366 V" in found.out


def test_a_failing_value_is_told_first_and_the_exit_code_is_1(bench: Any, quick: str) -> None:
    found = bench("run", quick, "--mock", "dmm.voltage_dc=3.1 V")
    assert found.code == 1
    assert "✗ FAIL  quick" in found.out
    assert "✗ fail" in found.out
    assert found.out.index("3.1000 V") < found.out.index("FAIL")


def test_a_set_of_limits_is_chosen_by_name(bench: Any, quick: str) -> None:
    assert bench("run", quick, "--limits", "tight").code == 1
    found = bench("run", quick, "--limits", "tigt")
    assert found.code == 2
    assert "sets: tight" in found.err


def test_parameters_reach_the_run_and_the_journal(bench: Any, quick: str) -> None:
    assert bench("run", quick, "--param", "vin=4.2 V", "--meta", "lot=12", "--description", "after burn-in").code == 0
    shown = bench("show", "latest").out
    assert "vin 4.2 V" in shown
    assert "after burn-in" in shown
    assert "lot" in shown


def test_json_prints_one_document_a_line_and_nothing_else(bench: Any, quick: str) -> None:
    found = bench("run", quick, "--json", "--seed", "3")
    kinds = [line["type"] for line in found.lines]
    assert kinds[0] == "RunStarted"
    assert kinds[-1] == "RunFinished"
    assert kinds.count("Measured") == 3
    measured = next(line for line in found.lines if line["type"] == "Measured")
    assert list(measured)[:3] == ["type", "unit", "node"]
    assert measured["axes"] == {"i": 1.0}
    assert found.lines[0]["seed"] == 3


def test_two_runs_with_one_seed_export_the_same_bytes(bench: Any, quick: str) -> None:
    for seed in ("3", "3", "4"):
        assert bench("run", quick, "--seed", seed, "--dut", "A1").code == 0
    ids = [run["id"] for run in reversed(bench("runs", "--json").json)]
    first, second, other = (bench("export", run).out for run in ids)
    assert first == second
    assert first != other


def test_several_sequences_are_a_run_each_and_a_failing_one_stops_none(bench: Any, quick: str) -> None:
    found = bench("run", quick, quick, "--mock", "dmm.voltage_dc=3.1V")
    assert found.code == 1
    assert found.out.count("✗ FAIL") == 2
    assert len(bench("runs", "--json").json) == 2


def test_a_bad_file_among_several_is_told_before_anything_runs(bench: Any, project: Path, quick: str) -> None:
    (project / "sequences" / "bad.yaml").write_text("sequence: bad\nsteps: [{mesure: x}]\n")
    found = bench("run", quick, "bad")
    assert found.code == 2
    assert "did you mean `measure`?" in found.err
    assert not (project / "results").exists()


def test_a_report_is_written_and_named(bench: Any, quick: str) -> None:
    found = bench("run", quick, "--report")
    page = Path(found.out.splitlines()[-1].removeprefix("report: "))
    assert page.suffix == ".html"
    assert "Output voltage at room temperature" in page.read_text()


def test_results_go_where_they_are_told(bench: Any, project: Path, quick: str, tmp_path: Path) -> None:
    assert bench("run", quick, "--results", str(tmp_path / "else")).code == 0
    assert (tmp_path / "else" / "benchwright.db").exists()
    assert not (project / "results").exists()


def test_nothing_judged_exits_5(bench: Any, project: Path) -> None:
    (project / "sequences" / "talk.yaml").write_text("sequence: talk\nsteps: [{log: hello}]\n")
    found = bench("run", "talk")
    assert found.code == 5
    assert "UNJUDGED" in found.out
    assert "hello" in found.out


def test_an_error_exits_3_and_says_why(bench: Any, project: Path) -> None:
    (project / "sequences" / "broken.yaml").write_text(
        "sequence: broken\nsteps:\n  - let: {zero: 0}\n  - compute: x\n    value: 1 / zero\n    limit: {min: 0}\n"
    )
    found = bench("run", "broken")
    assert found.code == 3
    assert "! ERROR" in found.out
    assert "zero" in found.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--param", "vin"], "--param vin: expected name=value"),
        (["--param", "vin=4V", "--param", "vin=5V"], "--param gives `vin` twice"),
        (["--param", "vinn=4V"], "did you mean `vin`?"),
        (["--dut", "A", "--dut", "A"], "two units have the serial `A`"),
        (["--station", "sim_bensh"], "did you mean `sim_bench`?"),
        (["--mock", "dmm.voltage_cd=1V"], "voltage_cd"),
        (["--seed", "x"], "--seed"),
        (["--dut", "\x1b[31mA"], "a serial number is text"),
        (["--results", "benchwright.yaml"], "benchwright.yaml is a file"),
    ],
)
def test_a_wrong_argument_is_a_message_and_exit_code_2(
    bench: Any, quick: str, arguments: list[str], message: str
) -> None:
    found = bench("run", quick, *arguments)
    assert found.code == 2
    assert message in found.err


def test_a_misspelt_sequence_gets_a_suggestion(bench: Any, quick: str) -> None:
    found = bench("run", "quik")
    assert found.code == 2
    assert "did you mean `quick`?" in found.err
    found = bench("run", "sequences/quik.yaml")
    assert found.code == 2
    assert "did you mean sequences/quick.yaml?" in found.err


def test_an_unreadable_journal_is_a_message(bench: Any, project: Path, quick: str) -> None:
    (project / "results").mkdir()
    (project / "results" / "benchwright.db").write_text("this is no database, but long enough to look like a file" * 20)
    found = bench("run", quick)
    assert found.code == 3
    assert "error" in found.err
    assert "Traceback" not in found.err


def test_a_run_survives_a_bug_in_another(bench: Any, quick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.cli import run as command

    original, calls = command._one_run, []

    def breaks_once(*arguments: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("a bug")
        return original(*arguments, **more)

    monkeypatch.setattr(command, "_one_run", breaks_once)
    found = bench("run", quick, quick)
    assert found.code == 3
    assert "internal error: RuntimeError" in found.err
    assert "✓ PASS  quick" in found.out


def test_the_run_is_in_the_journal_with_its_settings(bench: Any, project: Path, quick: str) -> None:
    bench("run", quick)
    with sqlite3.connect(project / "results" / "benchwright.db") as journal:
        environment = journal.execute("SELECT environment FROM runs").fetchone()[0]
    assert '"station": "sim_bench"' in environment or '"station":"sim_bench"' in environment


def test_the_log_file_of_the_settings_is_written(
    bench: Any, project: Path, quick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHWRIGHT__LOGGING__FILE", "logs/bench.log")
    assert bench("run", quick).code == 0
    assert "finished: pass" in (project / "logs" / "bench.log").read_text()


def test_values_of_one_name_are_told_apart_by_the_sequence_they_are_from(bench: Any, project: Path, quick: str) -> None:
    (project / "sequences" / "both.yaml").write_text(
        "sequence: both\nneeds: {psu: power_supply, dmm: multimeter}\n"
        "steps: [{call: quick}, {call: quick, id: again}]\n"
    )
    found = bench("run", "both")
    assert found.code == 0, found.err
    assert "again/vout" in found.out


def test_ctrl_c_while_a_run_is_predicted_starts_no_run(
    bench: Any, project: Path, quick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.run import predict
    from engine.run.request import Prediction
    from schemas.documents import Outcome

    station = project / "stations" / "sim_bench.yaml"
    station.write_text(station.read_text().replace("clock: virtual", "clock: wall"))
    monkeypatch.setattr(predict, "predict", lambda prepared: Prediction(0.0, Outcome.ABORTED, (), 0))
    found = bench("run", quick, quick)
    assert found.code == 4
    assert "stopped before the run began" in found.err
    assert bench("runs", "--json").json == []


def test_a_run_on_the_wall_clock_is_predicted_first(bench: Any, project: Path, quick: str) -> None:
    station = project / "stations" / "sim_bench.yaml"
    station.write_text(station.read_text().replace("clock: virtual", "clock: wall"))
    found = bench("run", quick, "--speed", "1000")
    assert found.code == 0, found.err
    assert "wall clock" in found.out
