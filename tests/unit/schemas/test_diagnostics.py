"""Collecting, ordering and showing what is wrong."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.diagnostics import Diagnostic, InvalidFiles, Problems, Severity, as_json, did_you_mean, nearest, render
from schemas.source import Source

LDO = Source("ldo.yaml", "sequence: ldo\n" * 10 + "    limts: {low: 3.234}\n")


def test_a_problem_is_shown_with_excerpt_caret_and_help() -> None:
    problems = Problems()
    at = LDO.text.index("limts")
    problems.error(
        "S002",
        "unknown key `limts`",
        LDO.span(at, at + 5),
        label="did you mean `limits`?",
        help="allowed here: channel, description, limits, …",
    )
    assert render(problems) == (
        "error[S002]: unknown key `limts`\n"
        "  --> ldo.yaml:11:5\n"
        "   |\n"
        "11 |     limts: {low: 3.234}\n"
        "   |     ^^^^^ did you mean `limits`?\n"
        "   |\n"
        "   = help: allowed here: channel, description, limits, …\n"
        "\n"
        "1 error"
    )


def test_notes_in_the_same_file_and_in_another_are_shown() -> None:
    station = Source("bench.yaml", "instruments:\n  psu: {}\n")
    problems = Problems()
    problems.error(
        "B001", "no role", LDO.span(0, 8), notes=[(LDO.span(28, 36), "again"), (station.span(15, 18), "here")]
    )
    text = render(problems)
    assert "1 | sequence: ldo\n  | ^^^^^^^^\n...\n3 | sequence: ldo\n  | -------- again\n" in text
    assert "  ::: bench.yaml:2:3\n" in text.replace(" ::: ", "  ::: ")
    assert "2 |   psu: {}\n  |   --- here" in text


def test_problems_come_by_file_then_by_place() -> None:
    other = Source("a.yaml", "x: 1\ny: 2\n")
    problems = Problems()
    problems.error("S1", "third", LDO.span(14))
    problems.error("S1", "second", other.span(5))
    problems.warning("S1", "first", other.span(0))
    assert [found.message for found in problems] == ["first", "second", "third"]


def test_the_same_problem_is_told_once() -> None:
    problems = Problems()
    for _ in range(3):
        problems.error("S1", "same", LDO.span(3))
    problems.extend(Problems(problems))
    assert len(problems) == 1


def test_warnings_alone_refuse_nothing() -> None:
    problems = Problems()
    problems.warning("S1", "odd", LDO.span(0))
    problems.raise_if_any()
    assert not problems
    assert len(problems) == 1
    assert problems.warnings[0].severity is Severity.WARNING
    assert render(problems).endswith("1 warning")


def test_errors_are_raised_together() -> None:
    problems = Problems()
    problems.error("S1", "one", LDO.span(0))
    problems.error("S1", "two")
    problems.warning("S2", "three")
    with pytest.raises(InvalidFiles) as caught:
        problems.raise_if_any()
    assert caught.value.problems is problems
    assert str(caught.value).endswith("2 errors, 1 warning")
    assert isinstance(type(caught.value)(*caught.value.args), InvalidFiles)


def test_a_problem_travels_as_json() -> None:
    found = Diagnostic("S002", "unknown key", LDO.span(14, 22), "label", ("help",), ((LDO.span(0, 3), "note"),))
    told = json.loads(json.dumps(as_json(found)))
    assert told == {
        "file": "ldo.yaml", "line": 2, "column": 1, "end_line": 2, "end_column": 9, "code": "S002", "severity": "error",
        "message": "unknown key", "label": "label", "help": ["help"],
        "notes": [{"file": "ldo.yaml", "line": 1, "column": 1, "end_line": 1, "end_column": 4, "message": "note"}],
    }  # fmt: skip
    assert as_json(Diagnostic("S", "x", None))["line"] is None


def test_a_diagnostic_crosses_processes() -> None:
    found = Diagnostic("S002", "unknown key", LDO.span(14, 22))
    assert pickle.loads(pickle.dumps(found)) == found


def test_no_file_can_steer_the_terminal() -> None:
    source = Source("a\x1b[2J.yaml", "k: \x1b[31m\u202eabc\x07")
    problems = Problems()
    problems.error("S1", "bad `\x1b]0;x\x07`", source.span(3, 6), label="\x1b", help="\r\n")
    told = render(problems)
    assert all(character.isprintable() or character == "\n" for character in told.replace("\ufffd", "?"))


def test_the_caret_stands_under_wide_characters_and_tabs() -> None:
    source = Source("x", "温度:\tx y")
    problems = Problems()
    problems.error("S1", "m", source.span(6, 7))
    line, caret = render(problems).split("\n")[3:5]
    assert line == "1 | 温度:→x y"
    assert caret == "  | " + " " * 8 + "^"


def test_a_long_line_is_cut_around_the_caret() -> None:
    source = Source("x", "a" * 500 + "b" + "c" * 500)
    problems = Problems()
    problems.error("S1", "m", source.span(500))
    line, caret = render(problems).split("\n")[3:5]
    assert len(line) < 110
    assert line[caret.index("^")] == "b"


@pytest.mark.parametrize(
    ("name", "candidates", "meant"),
    [
        ("limts", ["limits", "label"], "limits"),
        ("Limits", ["limits"], "limits"),
        ("voltage-dc", ["voltage_dc"], "voltage_dc"),
        ("mesaure", ["measure", "message"], "measure"),
        ("temp", ["temperature", "set"], "temperature"),
        ("temp", ["temperature", "temporal"], None),
        ("x", ["y"], None),
        ("on", ["of"], None),
        ("colour", ["voltage"], None),
        ("", ["a"], None),
        ("k" * 5000, ["k" * 4999], None),
    ],
)
def test_the_nearest_name_is_what_was_meant(name: str, candidates: list[str], meant: str | None) -> None:
    assert nearest(name, candidates) == meant
    assert did_you_mean(name, candidates) == (f"did you mean `{meant}`?" if meant else "")


@given(st.text(), st.integers(0, 50), st.integers(0, 50), st.text())
def test_anything_can_be_shown(text: str, start: int, end: int, message: str) -> None:
    problems = Problems()
    problems.error(
        "S1", message, Source("x", text).span(start, end), label=message, notes=[(Source("x", text).span(end), "")]
    )
    render(problems)
    as_json(next(iter(problems)))
