"""Every value in force and what set it; what a plan looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def values_of(found: Any, title: str) -> dict[str, dict[str, str]]:
    section = next(section for section in found.json["sections"] if section["title"] == title)
    return {one["name"]: one for one in section["values"]}


def test_each_value_names_its_layer_file_and_line(bench: Any, quick: str) -> None:
    found = bench("explain", quick, "--json")
    vout = values_of(found, "steps/vout")
    assert vout["limit vout"]["value"] == "3.234 … 3.366 V"
    assert vout["limit vout"]["source"] == "sequences/quick.yaml:8:9"
    assert vout["timeout"]["layer"] == "built-in"
    psu = values_of(found, "psu")
    assert psu["guard voltage"]["layer"] == "station"
    assert psu["guard voltage"]["source"].startswith("stations/sim_bench.yaml:")
    assert psu["default voltage"]["layer"] == "driver"
    assert psu["safe output[1]"]["value"] == "off"
    assert values_of(found, "parameters")["vin"]["source"] == "sequences/quick.yaml:6:18"


def test_a_parameter_a_limit_set_and_a_variable_are_named_as_sources(
    bench: Any, quick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHWRIGHT__REPORT__COMPANY", "Acme")
    found = bench("explain", quick, "--param", "vin=4 V", "--limits", "tight", "--json")
    assert values_of(found, "parameters")["vin"]["layer"] == "--param"
    assert values_of(found, "steps/vout")["limit vout"]["source"].startswith("sequences/quick.yaml:10:")
    company = values_of(found, "settings")["report.company"]
    assert (company["layer"], company["source"]) == ("environment", "BENCHWRIGHT__REPORT__COMPANY")
    station = values_of(found, "settings")["station"]
    assert (station["layer"], station["source"]) == ("settings", "benchwright.yaml:4:10")


def test_defaults_of_the_sequence_are_named_where_they_stand(bench: Any, project: Path, quick: str) -> None:
    sequence = project / "sequences" / "quick.yaml"
    sequence.write_text(sequence.read_text().replace("setup:", "defaults: {timeout: 7 s}\nsetup:"))
    found = bench("explain", quick, "--json")
    vout = values_of(found, "steps/vout")
    assert (vout["timeout"]["value"], vout["timeout"]["source"]) == ("7 s", "sequences/quick.yaml:11:12")
    assert values_of(found, "steps/sweep#1")["timeout"]["layer"] == "built-in"


def test_one_node_is_explained_with_what_it_uses(bench: Any, quick: str) -> None:
    titles = [section["title"] for section in bench("explain", quick, "vout", "--json").json["sections"]]
    assert titles == ["parameters", "steps/vout", "dmm"]
    found = bench("explain", quick, "vuot")
    assert found.code == 2
    assert "did you mean" in found.err


def test_explain_as_text_is_aligned_and_complete(bench: Any, quick: str) -> None:
    found = bench("explain", quick)
    assert found.code == 0
    assert "sequences/quick.yaml:8:9" in found.out
    assert "cleanup_timeout" in found.out


def test_a_plan_shows_nodes_claims_and_predicted_duration(bench: Any, quick: str, project: Path) -> None:
    found = bench("plan", quick)
    assert found.code == 0
    assert "3 points of i" in found.out
    assert "predicted to take" in found.out
    assert not (project / "results").exists()


def test_a_plan_as_json_has_ids_dependencies_and_claims(bench: Any) -> None:
    document = bench("plan", "ldo_tempco", "--json").json
    nodes = {node["id"]: node for node in document["nodes"]}
    assert nodes["steps/vout"]["after"] == ["steps/t_actual"]
    assert nodes["steps/vout"]["takes"] == ["dmm"]
    assert nodes["steps/vout"]["place"] == "sequences/ldo_tempco.yaml:32:9"
    assert document["predicted_s"] > 1000
    assert document["nodes_expanded"] == 23


def test_a_plan_can_be_had_without_times(bench: Any) -> None:
    assert bench("plan", "ldo_tempco", "--no-times", "--json").json["predicted_s"] is None
