"""Every problem of every file at once, at its place, with the right exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]


def test_a_new_project_has_no_problems(bench: Any) -> None:
    found = bench("validate")
    assert found.code == 0
    assert found.out == "11 files, no problems\n"


def test_problems_of_all_files_are_told_at_once(bench: Any, project: Path) -> None:
    sequence = project / "sequences" / "ldo_tempco.yaml"
    sequence.write_text(sequence.read_text().replace("limits:", "limts:"))
    driver = project / "stations" / "drivers" / "sim_dmm.yaml"
    driver.write_text(driver.read_text().replace("capability: multimeter", "capability: multimetre"))
    found = bench("validate")
    assert found.code == 2
    assert "unknown key `limts`" in found.out
    assert "did you mean `limits`?" in found.out
    assert "sequences/ldo_tempco.yaml:14:1" in found.out
    assert "unknown capability `multimetre`" in found.out
    assert "stations/drivers/sim_dmm.yaml" in found.out
    assert found.out.splitlines()[-1].startswith("11 files, ")


def test_a_misspelt_property_is_found_though_only_the_driver_knows_it(bench: Any, project: Path) -> None:
    sequence = project / "sequences" / "ldo_tempco.yaml"
    sequence.write_text(sequence.read_text().replace("chamber.temperature", "chamber.temprature"))
    found = bench("validate", "sequences/ldo_tempco.yaml")
    assert found.code == 2
    assert "`chamber` has no property `temprature`" in found.out


def test_json_gives_every_problem_with_its_place(bench: Any, project: Path) -> None:
    (project / "sequences" / "bad.yaml").write_text("sequence: bad\nsteps:\n\t- log: hello\n")
    found = bench("validate", "--json")
    assert found.code == 2
    assert found.json["files"] == 12
    assert found.json["errors"] == len(found.json["problems"]) == 1
    problem = found.json["problems"][0]
    assert (problem["file"], problem["line"], problem["severity"]) == ("sequences/bad.yaml", 3, "error")


def test_a_sequence_must_fit_only_one_of_several_stations(bench: Any, project: Path) -> None:
    (project / "benchwright.yaml").write_text("results: results\n")
    (project / "stations" / "bare.yaml").write_text(
        "station: bare\nclock: virtual\ndefaults: {backend: sim}\ninstruments: {dmm: {driver: sim_dmm}}\n"
    )
    assert bench("validate").code == 0
    found = bench("validate", "--station", "bare")
    assert found.code == 2
    assert "station `bare` has no instrument for role `chamber`" in found.out


def test_a_parameter_without_default_is_no_problem_of_the_file(bench: Any, project: Path, quick: str) -> None:
    sequence = project / "sequences" / "quick.yaml"
    sequence.write_text(sequence.read_text().replace("{default: 5 V, min", "{unit: V, min"))
    assert bench("validate").code == 0
    assert "parameter `vin` has no default" in bench("run", quick).err


def test_every_set_of_limits_is_checked(bench: Any, project: Path, quick: str) -> None:
    sequence = project / "sequences" / "quick.yaml"
    sequence.write_text(sequence.read_text().replace("tolerance: 0.0001 %", "tolerance: 3 A"))
    found = bench("validate")
    assert found.code == 2
    assert "sequences/quick.yaml:10" in found.out


def test_warnings_are_shown_and_refuse_nothing(bench: Any, project: Path, quick: str) -> None:
    sequence = project / "sequences" / "quick.yaml"
    sequence.write_text(
        sequence.read_text().replace("cleanup:", "  - measure: extra\n    from: dmm.voltage_dc\ncleanup:")
    )
    found = bench("validate")
    assert found.code == 0
    assert "warning[" in found.out
    assert found.out.splitlines()[-1] == "12 files, 1 warning"


def test_two_files_of_one_id_are_told(bench: Any, project: Path) -> None:
    sequence = project / "sequences" / "ldo_tempco.yaml"
    (project / "sequences" / "copy.yaml").write_text(sequence.read_text())
    found = bench("validate")
    assert found.code == 2
    assert "two files say they are sequence `ldo_tempco`" in found.out


def test_a_bad_setting_is_told_with_its_place(bench: Any, project: Path) -> None:
    (project / "benchwright.yaml").write_text("reslts: somewhere\n")
    found = bench("validate")
    assert found.code == 2
    assert "benchwright.yaml:1:1" in found.out
    assert "did you mean `results`?" in found.out


def test_a_folder_is_checked_with_all_folders_in_it(bench: Any) -> None:
    found = bench("validate", "stations")
    assert found.code == 0
    assert found.out == "9 files, no problems\n"


def test_a_path_that_is_not_there_is_a_usage_error(bench: Any) -> None:
    found = bench("validate", "nowhere.yaml")
    assert found.code == 2
    assert "there is no file or folder nowhere.yaml" in found.err


def test_a_project_without_a_station_gets_a_warning_not_silence(bench: Any, tmp_path: Path, monkeypatch: Any) -> None:
    from engine.run import project as room

    monkeypatch.setattr(room, "shipped_folder", lambda: tmp_path / "nothing")
    folder = tmp_path / "plain"
    (folder / "sequences").mkdir(parents=True)
    (folder / "sequences" / "hello.yaml").write_text("sequence: hello\nsteps: [{log: hello}]\n")
    monkeypatch.chdir(folder)
    found = bench("validate", "sequences")
    assert found.code == 0
    assert "there is no station to check this sequence on" in found.out


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "tests" / "data" / "malformed").glob("*.yaml")), ids=lambda p: p.stem
)
def test_no_malformed_file_gets_more_than_a_message(bench: Any, path: Path) -> None:
    found = bench("validate", str(path))
    assert found.code == 2
    assert "error[" in found.out
    assert "internal error" not in found.err


def test_the_shipped_files_have_no_problems(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    found = bench("validate")
    assert found.code == 0, found.out
