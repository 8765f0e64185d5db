"""`benchwright plan --units`: the order of many units, before any of them is touched."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Any:
    from engine.cli.main import app

    monkeypatch.chdir(ROOT)

    def ask(*words: str) -> Any:
        return CliRunner().invoke(app, ["plan", "ldo_dropout", "--station", "sim_rack", *words])

    return ask


def test_several_units_are_planned_together_with_what_binds_them(plan):
    found = plan("--units", "4")
    assert found.exit_code == 0, found.output
    assert "4 units together: " in found.output
    assert "dmm" in found.output
    assert "critical path" in found.output
    assert "estimates: " in found.output


def test_the_plan_of_several_units_is_data_too(plan):
    one = json.loads(plan("--units", "4", "--optimize", "iters:20", "--json").output)
    again = json.loads(plan("--units", "4", "--optimize", "iters:20", "--json").output)
    assert one == again
    schedule = one["schedule"]
    assert schedule["lower_bound_s"] <= schedule["makespan_s"]
    assert set(schedule["utilisation"]) == {"dmm", "matrix"}
    assert schedule["critical_path"]
    assert {source["source"] for source in schedule["estimates"].values()} == {"simulated"}


def test_the_chart_is_a_picture_that_can_be_parsed(plan, tmp_path):
    found = plan("--units", "3", "--gantt", str(tmp_path / "plan.svg"))
    assert found.exit_code == 0, found.output
    root = ElementTree.fromstring((tmp_path / "plan.svg").read_text(encoding="utf-8"))
    assert root.tag.endswith("svg")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gantt", "x.svg"), "there is one unit"),
        (("--units", "2", "--optimize", "soon"), "neither a time"),
        (("--units", "2", "--gantt", "/no/such/folder/x.svg"), "cannot be written"),
    ],
)
def test_what_cannot_be_planned_is_said(plan, words, said):
    from engine.core.errors import UsageError

    found = plan(*words)
    assert isinstance(found.exception, UsageError | SystemExit)
    assert said in (str(found.exception) + found.output)
