"""Listing, schemas, a new project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_list_names_every_file_with_title_and_origin(bench: Any) -> None:
    found = bench("list")
    assert found.code == 0
    assert "Output voltage temperature coefficient" in found.out
    assert "sequences/ldo_tempco.yaml" in found.out
    assert "shipped" in found.out  # relay_card is not in the new project


def test_list_tells_what_is_overruled_and_what_is_broken(bench: Any, project: Path) -> None:
    (project / "stations" / "devices" / "torn.yaml").write_text("device: [\n")
    entries = {entry["file"]: entry for entry in bench("list", "--json").json["devices"]}
    assert entries["stations/devices/torn.yaml"]["broken"]
    shipped = [entry for entry in entries.values() if entry["id"] == "sim_dmm" and entry["origin"] == "shipped"]
    assert shipped[0]["overruled_by"] == "stations/devices/sim_dmm.yaml"


def test_list_of_one_kind_and_of_a_kind_there_is_not(bench: Any) -> None:
    assert list(bench("list", "drivers", "--json").json) == ["drivers"]
    found = bench("list", "divers")
    assert found.code == 2
    assert "did you mean `drivers`?" in found.err


def test_schema_writes_and_then_has_nothing_to_write(bench: Any, project: Path) -> None:
    path = project / "schemas" / "json" / "sequence.schema.json"
    path.write_text("{}")
    assert bench("schema", "--check").code == 1
    assert str(path) in bench("schema", "--write").out
    assert bench("schema", "--check").code == 0


def test_schema_prints_one(bench: Any) -> None:
    assert bench("schema", "driver").json["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert bench("schema", "drivr").code == 2


def test_init_makes_a_project_that_runs_at_once(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench("init", str(tmp_path / "new"))
    assert made.code == 0
    monkeypatch.chdir(tmp_path / "new")
    assert bench("validate").code == 0
    assert bench("run", "ldo_tempco").code == 0
    assert "benchwright run" in (tmp_path / "new" / "README.md").read_text()


def test_init_refuses_a_folder_with_something_in_it(bench: Any, tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    found = bench("init", str(folder))
    assert found.code == 2
    assert "is not empty" in found.err
    assert bench("init", str(folder), "--force").code == 0
    assert (folder / "README.md").read_text() == "mine"
    assert (folder / "sequences" / "ldo_tempco.yaml").exists()
