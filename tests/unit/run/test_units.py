"""Units come from the command line or a CSV, and what is wrong with them is told with its place."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.run.units import check_units, from_command, from_csv, numbered
from schemas.diagnostics import InvalidFiles, Problems
from schemas.sequence import Identity

DUT = {"serial": Identity(matches=r"[A-Z]{2}\d{4}"), "mac": Identity(required=False)}


def write(folder: Path, text: str) -> Path:
    path = folder / "units.csv"
    path.write_text(text, encoding="utf-8")
    return path


def told(problems: Problems) -> list[tuple[int, int, str]]:
    return [(found.span.line, found.span.column, found.message) for found in problems if found.span is not None]


def test_a_file_of_units_gives_serials_and_fields(tmp_path):
    path = write(tmp_path, 'serial,mac\nAB0001, 00:11\n\n"AB0002","00,22"\n')
    entries = from_csv(path)
    assert [(one.serial, dict(one.fields)) for one in entries] == [
        ("AB0001", {"mac": "00:11"}),
        ("AB0002", {"mac": "00,22"}),
    ]
    assert not check_units(entries, DUT)


def test_a_serial_that_does_not_fit_and_one_named_twice_are_told_at_their_line_and_column(tmp_path):
    entries = from_csv(write(tmp_path, "mac,serial\n1,AB0001\n2,AB1\n3,AB0001\n"))
    assert told(check_units(entries, DUT)) == [
        (3, 3, "`dut.serial` is `AB1`, which does not match `[A-Z]{2}\\d{4}`"),
        (4, 3, "two units have the serial `AB0001`"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("mac,seral\nAB0001,1\n", 1, 5, "there is no column `serial`"),
        ("serial,serial\nAB0001,1\n", 1, 8, "two columns are called `serial`"),
        ("mac\n1\n", 1, 1, "there is no column `serial`"),
        ("serial,mac\nAB0001\n", 2, 1, "this line has 1 cells, the header 2"),
        ("", 1, 1, "this file lists no units"),
        ("serial\n", 1, 1, "this file lists no units"),
    ],
)
def test_a_file_that_lists_no_units_is_refused_at_the_culprit(tmp_path, text, line, column, message):
    with pytest.raises(InvalidFiles) as refused:
        from_csv(write(tmp_path, text))
    assert (line, column, message) in told(refused.value.problems)


def test_a_missing_field_is_asked_for():
    needs = {"serial": Identity(), "mac": Identity()}
    [found] = check_units(from_command(["AB0001"], {}), needs)
    assert found.message == "unit `AB0001` has no `dut.mac`"


def test_a_column_that_the_sequence_does_not_declare_is_told_once_at_its_head(tmp_path):
    entries = from_csv(write(tmp_path, "serial,mcc\nAB0001,1\nAB0002,2\n"))
    assert told(check_units(entries, DUT)) == [(1, 8, "the sequence declares no `dut.mcc`")]


def test_units_without_serials_are_numbered():
    assert [one.serial for one in numbered(3)] == ["SIM-1", "SIM-2", "SIM-3"]


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading_of_a_file(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("units") / "units.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(InvalidFiles):
        for entry in from_csv(path):
            assert entry.span is not None
            assert entry.span.end <= len(entry.span.source.text) + 1
