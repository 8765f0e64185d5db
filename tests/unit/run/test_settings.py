"""Built-in values, the file, the environment: which wins, and what is wrong with them."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.run.settings import load_settings
from schemas.diagnostics import InvalidFiles


def settings(folder: Path, text: str | None = None, **environ: str) -> Any:
    if text is not None:
        (folder / "benchwright.yaml").write_text(text, encoding="utf-8")
    return load_settings(folder, environ)


def problems(folder: Path, text: str | None = None, **environ: str) -> str:
    with pytest.raises(InvalidFiles) as caught:
        settings(folder, text, **environ)
    return str(caught.value)


def test_without_a_file_everything_is_built_in(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found.values.results == "results"
    assert found.file is None
    assert {origin.layer for _, _, origin in found.items()} == {"built-in"}


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_an_empty_file_marks_a_project_and_sets_nothing(tmp_path: Path, text: str) -> None:
    assert settings(tmp_path, text).values.report.charts is True


def test_a_partial_section_keeps_the_other_defaults_and_the_place_is_known(tmp_path: Path) -> None:
    found = settings(tmp_path, "report:\n  company: Acme\ncleanup_timeout: 2 min\n")
    assert (found.values.report.company, found.values.report.charts) == ("Acme", True)
    assert found.values.cleanup_timeout == 120.0
    assert found.origins["report.company"].place.endswith("benchwright.yaml:2:12")
    assert found.origins["report.charts"].layer == "built-in"


def test_the_environment_beats_the_file_and_is_named_as_the_source(tmp_path: Path) -> None:
    found = settings(tmp_path, "results: here\nreport: {charts: true}\n", BENCHWRIGHT__REPORT__CHARTS="false")
    assert found.values.report.charts is False
    assert found.origins["report.charts"].layer == "environment"
    assert found.origins["report.charts"].place == "BENCHWRIGHT__REPORT__CHARTS"
    assert found.origins["results"].layer == "settings"


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("BENCHWRIGHT__CLEANUP_TIMEOUT", "75.5", "cleanup_timeout", 75.5),
        ("BENCHWRIGHT__CLEANUP_TIMEOUT", "1 min", "cleanup_timeout", 60.0),
        ("benchwright__results", "/data/runs", "results", "/data/runs"),
        ("BENCHWRIGHT__PLUGINS", "[one, two.three]", "plugins", ["one", "two.three"]),
        ("BENCHWRIGHT__REPORT__COMPANY", "9000", "report.company", "9000"),
        ("BENCHWRIGHT__REPORT__COMPANY", "Acme: the best", "report.company", "Acme: the best"),
        ("BENCHWRIGHT__REPORT__COMPANY", "'Acme'", "report.company", "Acme"),
        ("BENCHWRIGHT__REPORT__COMPANY", "", "report.company", ""),
        ("BENCHWRIGHT__REPORT", "{company: Acme}", "report.company", "Acme"),
    ],
)
def test_a_variable_is_read_as_yaml_else_as_text(
    tmp_path: Path, variable: str, text: str, key: str, value: object
) -> None:
    found = settings(tmp_path, None, **{variable: text})
    assert found.plain()[key] == value
    assert found.origins[key].place == variable


def test_a_deeper_variable_beats_that_of_its_section(tmp_path: Path) -> None:
    found = settings(
        tmp_path, None, BENCHWRIGHT__REPORT="{company: A, charts: false}", BENCHWRIGHT__REPORT__COMPANY="B"
    )
    assert (found.values.report.company, found.values.report.charts) == ("B", False)


def test_other_variables_are_nobodys_business(tmp_path: Path) -> None:
    assert settings(tmp_path, None, BENCHWRIGHT_DEBUG="1", HOME="/root", BENCHWRIGHT="x").values.results == "results"


@pytest.mark.parametrize(
    ("variable", "suggestion"),
    [
        ("BENCHWRIGHT__LOGING__LEVEL", "BENCHWRIGHT__LOGGING__LEVEL"),
        ("BENCHWRIGHT__RESULT", "BENCHWRIGHT__RESULTS"),
        ("BENCHWRIGHT__LOGGING__LEVL", "BENCHWRIGHT__LOGGING__LEVEL"),
    ],
)
def test_an_unknown_variable_is_an_error_with_a_suggestion(tmp_path: Path, variable: str, suggestion: str) -> None:
    message = problems(tmp_path, None, **{variable: "x"})
    assert variable in message
    assert f"did you mean `{suggestion}`?" in message


def test_problems_of_the_file_and_of_variables_are_told_together(tmp_path: Path) -> None:
    message = problems(
        tmp_path, "reslts: x\nlogging: {level: loud}\n", BENCHWRIGHT__REPORT__CHARTS="perhaps", BENCHWRIGHT__NOTHING="1"
    )
    assert "did you mean `results`?" in message
    assert "loud" in message
    assert "BENCHWRIGHT__REPORT__CHARTS:1:1" in message
    assert "unknown setting `nothing`" in message


def test_malformed_yaml_is_told_at_its_place(tmp_path: Path) -> None:
    assert "benchwright.yaml:2:1" in problems(tmp_path, "results: [\n")


@given(st.text(max_size=60))
def test_no_value_of_a_variable_gets_more_than_a_message(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("REPORT__COMPANY", "CLEANUP_TIMEOUT", "REPORT", "PLUGINS"):
            with contextlib.suppress(InvalidFiles):
                load_settings(Path(folder), {f"BENCHWRIGHT__{name}": text})
