"""No traceback reaches a user; every way to end has its code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.cli.exits import ExitCode, exit_code_for, told, worst
from engine.core.errors import RunAborted, StoreError, UsageError

COMMAND = [sys.executable, "-c", "from engine.cli.main import main; main()"]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [("pass", 0), ("marginal", 0), ("fail", 1), ("error", 3), ("aborted", 4), ("unjudged", 5), ("done", 5), ("", 5)],
)
def test_each_outcome_has_its_code_and_nothing_unjudged_is_green(outcome: str, code: int) -> None:
    assert exit_code_for(outcome) == code


def test_the_worst_of_several_runs_decides() -> None:
    assert worst([ExitCode.PASS, ExitCode.FAIL, ExitCode.UNJUDGED]) is ExitCode.FAIL
    assert worst([ExitCode.PASS, ExitCode.UNJUDGED]) is ExitCode.UNJUDGED
    assert worst([ExitCode.ERROR, ExitCode.ABORTED, ExitCode.PASS]) is ExitCode.ABORTED
    assert worst([]) is ExitCode.UNJUDGED


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("there is no x", "try y"), 2),
        (StoreError("no disk"), 3),
        (RunAborted("stopped"), 4),
        (KeyboardInterrupt(), 4),
        (PermissionError(13, "Permission denied", "results"), 3),
    ],
)
def test_known_errors_are_told_in_a_line(error: BaseException, code: int, capsys: Any) -> None:
    assert told(error) == code
    assert "Traceback" not in capsys.readouterr().err


def test_an_unexpected_exception_is_written_to_a_file(tmp_path: Path, capsys: Any) -> None:
    assert told(ZeroDivisionError("float division"), tmp_path, {}) == 3
    message = capsys.readouterr().err
    assert "internal error: ZeroDivisionError" in message
    written = list(tmp_path.glob("internal_error_*.txt"))
    assert len(written) == 1
    assert str(written[0]) in message
    assert "ZeroDivisionError: float division" in written[0].read_text()


def test_the_details_are_shown_when_asked_for(tmp_path: Path, capsys: Any) -> None:
    told(ZeroDivisionError("float division"), tmp_path, {"BENCHWRIGHT_DEBUG": "1"})
    assert "ZeroDivisionError: float division" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unknown_command_is_a_usage_error(bench: Any) -> None:
    found = bench("rum")
    assert found.code == 2
    assert "rum" in found.err


def test_help_has_examples_and_the_exit_codes(bench: Any) -> None:
    found = bench("--help")
    assert found.code == 0
    assert "benchwright run ldo_tempco --station sim_bench --report" in found.out
    assert "5 nothing was judged" in found.out
    for command in ("validate", "plan", "run", "list", "runs", "show", "note", "export", "explain", "report"):
        assert f"\n  {command} " in found.out


def test_the_version_is_told(bench: Any) -> None:
    assert bench("--version").out.startswith("benchwright ")


def test_validate_imports_no_simulator_database_template_or_array_room(project: Path) -> None:
    heavy = ("simpy", "sqlite3", "jinja2", "rich", "numpy", "sqlite_utils")
    code = (
        "import sys\nfrom engine.cli.main import main\n"
        "try: main()\n"
        f"except SystemExit as end: print(end.code, [name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "validate", "sequences/ldo_tempco.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1 file, no problems\n0 []\n", done.stdout + done.stderr


def test_a_reader_that_stops_reading_is_no_error(project: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run([*COMMAND, "list"], stdout=nobody, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 141


def test_a_run_that_nobody_reads_keeps_its_verdict_and_its_record(project: Path, quick: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        arguments = ["run", quick, quick, "--mock", "dmm.voltage_dc=3.1V"]
        done = subprocess.run([*COMMAND, *arguments], stdout=nobody, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    listed = subprocess.run([*COMMAND, "runs", "--json"], capture_output=True, text=True, check=True).stdout
    assert listed.count('"outcome": "fail"') == 2


def test_a_terminal_without_unicode_gets_plain_letters(project: Path, quick: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*COMMAND, "run", quick], capture_output=True, text=True, check=False, env=environment, encoding="ascii"
    )
    assert done.returncode == 0, done.stderr
    assert "+ PASS" in done.stdout
    assert "3.234 .. 3.366 V" in done.stdout
    assert "\\u" not in done.stdout
