"""Which folder a command works in, and what its ids stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import UsageError
from engine.run.project import Project, shipped_folder, user_folder
from schemas.diagnostics import InvalidFiles

SEQUENCE = "sequence: {id}\nsteps: [{{log: hello}}]\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "bench" / "sequences").mkdir(parents=True)
    (tmp_path / "bench" / "stations").mkdir()
    (tmp_path / "bench" / "sequences" / "hello.yaml").write_text(SEQUENCE.format(id="hello"))
    (tmp_path / "bench" / "deep" / "er").mkdir(parents=True)
    return tmp_path / "bench"


def found(root: Path, **more: Any) -> Project:
    return Project.find(root, environ={"HOME": str(root.parent / "home")}, **more)


def test_the_nearest_parent_with_sequences_and_stations_is_the_project(root: Path) -> None:
    assert found(root / "deep" / "er").root == root
    assert found(root / "sequences" / "hello.yaml").root == root


def test_a_settings_file_marks_a_project_too(root: Path) -> None:
    (root / "deep" / "benchwright.yaml").write_text("")
    assert found(root / "deep" / "er").root == root / "deep"


def test_a_plain_folder_is_its_own_project(tmp_path: Path, root: Path) -> None:
    plain = found(tmp_path)
    assert (plain.root, plain.marked) == (tmp_path, False)
    assert found(tmp_path, otherwise=root / "sequences" / "hello.yaml").root == root


def test_a_sequence_is_found_by_id_and_by_path(root: Path) -> None:
    project = found(root)
    assert project.resolve_sequence("hello").model.sequence == "hello"
    assert project.resolve_sequence(str(root / "sequences" / "hello.yaml")).model.sequence == "hello"


def test_the_project_wins_over_the_user_and_the_user_over_what_is_shipped(root: Path) -> None:
    folder = root.parent / "home" / ".config" / "benchwright" / "sequences"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(SEQUENCE.format(id="mine"))
    (folder / "hello.yaml").write_text(SEQUENCE.format(id="hello") + "title: the user's\n")
    project = found(root)
    assert project.resolve_sequence("mine").path.is_relative_to(folder)
    assert project.resolve_sequence("hello").model.title is None
    assert project.resolve_sequence("ldo_tempco").path.is_relative_to(shipped_folder())


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("helo", "did you mean `hello`?"),
        ("sequences/helo.yaml", "did you mean"),
        ("zzzzzz", "sequences: hello"),
    ],
)
def test_what_is_not_found_gets_a_suggestion(root: Path, text: str, help: str) -> None:
    with pytest.raises(UsageError) as caught:
        found(root).resolve_sequence(text)
    assert help in caught.value.help


def test_a_file_of_another_kind_is_told(root: Path) -> None:
    with pytest.raises(InvalidFiles, match="expected a station file"):
        found(root).resolve_station(str(root / "sequences" / "hello.yaml"))


def test_a_broken_file_is_told_instead_of_not_found(root: Path) -> None:
    (root / "sequences" / "torn.yaml").write_text("sequence: torn\nsteps: [\n")
    with pytest.raises(InvalidFiles):
        found(root).resolve_sequence("torn")


def test_the_only_station_needs_no_name_and_of_two_one_must_be_named(root: Path) -> None:
    text = "station: {id}\nclock: virtual\ninstruments: {{dmm: {{driver: sim_dmm, backend: sim}}}}\n"
    (root / "stations" / "one.yaml").write_text(text.format(id="one"))
    assert found(root).resolve_station(None).model.station == "one"
    (root / "stations" / "two.yaml").write_text(text.format(id="two"))
    with pytest.raises(UsageError) as caught:
        found(root).resolve_station(None)
    assert "one, two" in caught.value.help
    (root / "benchwright.yaml").write_text("station: two\n")
    assert found(root).resolve_station(None).model.station == "two"


def test_the_users_folder_follows_xdg(tmp_path: Path) -> None:
    assert user_folder({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "benchwright"
    assert user_folder({"XDG_CONFIG_HOME": "relative", "HOME": "/h"}) == Path("/h/.config/benchwright")
    assert user_folder({}) is None
