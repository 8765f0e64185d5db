"""Finding files by id."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from schemas.library import Library, Origin


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    write(root / "sequences/tempco.yaml", "# comment\n---\nsequence: ldo_tempco  # id\nsteps: []\n")
    write(root / "sequences/more/dropout.yml", "sequence: dropout\n")
    write(root / "sequences/products/ldo.yaml", "product: ldo\n")
    write(root / "stations/bench.yaml", "station: sim_bench\n")
    write(root / "stations/drivers/dmm.yaml", "driver: keysight_34461a\n")
    write(root / "stations/devices/dmm.yaml", 'device: "dmm-sim"\n')
    return root


def codes(library: Library) -> list[str]:
    return [found.code for found in library.problems]


def test_files_are_found_by_what_their_first_key_says(project: Path) -> None:
    library = Library(project)
    found = library.find("sequence", "ldo_tempco")
    assert found is not None
    assert (found.path, found.origin) == (project / "sequences/tempco.yaml", Origin.PROJECT)
    assert library.ids("sequence") == ("dropout", "ldo_tempco")
    assert library.ids("station") == ("sim_bench",)
    assert library.ids("driver") == ("keysight_34461a",)
    assert library.ids("device") == ("dmm-sim",)
    assert library.find("sequence", "tempco") is None
    assert library.broken() == ()


def test_the_project_wins_over_the_user_and_the_user_over_what_is_shipped(project: Path, tmp_path: Path) -> None:
    for folder in ("user", "shipped"):
        write(tmp_path / folder / "stations/drivers/a.yaml", "driver: keysight_34461a\n")
        write(tmp_path / folder / "stations/drivers/b.yaml", "driver: other\n")
    library = Library(project, tmp_path / "user", tmp_path / "shipped")
    first, second = library.find("driver", "keysight_34461a"), library.find("driver", "other")
    assert first is not None
    assert second is not None
    assert (first.origin, second.origin) == (Origin.PROJECT, Origin.USER)
    assert [found.origin for found in library.all("driver") if found.id == "other"] == [Origin.USER, Origin.SHIPPED]
    assert not library.problems


def test_the_shipped_files_are_not_listed_twice_in_their_own_checkout(project: Path) -> None:
    assert len(Library(project, None, project).all("station")) == 1


def test_a_broken_file_is_listed_with_its_problems(project: Path) -> None:
    write(project / "stations/drivers/odd.yaml", "driver:\n\t- x\n")
    write(project / "stations/drivers/typo.yaml", "drivr: x\n")
    write(project / "stations/drivers/number.yaml", "driver: [5]\n")
    library = Library(project)
    broken = library.broken()
    assert [found.path.name for found in broken] == ["number.yaml", "odd.yaml", "typo.yaml"]
    assert all(found.problems for found in broken)
    library.all("driver")
    assert codes(library) == ["N093", "Y102", "N093"]
    assert library.ids("driver") == ("keysight_34461a",)


def test_a_file_that_is_broken_further_down_is_still_found(project: Path) -> None:
    write(project / "stations/drivers/late.yaml", "driver: late\nproperties:\n\t- x\n")
    assert Library(project).find("driver", "late") is not None


def test_two_files_with_one_id_are_a_problem(project: Path) -> None:
    write(project / "sequences/again.yaml", "sequence: dropout\n")
    library = Library(project)
    found = library.find("sequence", "dropout")
    assert found is not None
    assert found.path.name == "again.yaml"
    assert codes(library) == ["N090"]


def test_a_link_that_leaves_the_project_is_refused(project: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside.yaml", "sequence: outside\n")
    (project / "sequences/link.yaml").symlink_to(outside)
    (project / "sequences/inside.yaml").symlink_to(project / "sequences/tempco.yaml")
    library = Library(project)
    assert library.find("sequence", "outside") is None
    assert sorted(codes(library)) == ["N090", "N091"]


def test_a_linked_folder_is_not_entered(project: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside/x.yaml", "sequence: outside\n")
    (project / "sequences/linked").symlink_to(tmp_path / "outside")
    (project / "sequences/loop").symlink_to(project / "sequences")
    assert Library(project).ids("sequence") == ("dropout", "ldo_tempco")


def test_a_link_to_nothing_and_a_pipe_are_broken_files(project: Path) -> None:
    (project / "stations/drivers/gone.yaml").symlink_to(project / "nowhere.yaml")
    (project / "stations/drivers/self.yaml").symlink_to(project / "stations/drivers/self.yaml")
    os.mkfifo(project / "stations/drivers/pipe.yaml")
    assert [found.path.name for found in Library(project).broken()] == ["gone.yaml", "pipe.yaml", "self.yaml"]


def test_a_folder_of_very_many_files_is_cut_short(project: Path) -> None:
    for number in range(300):
        write(project / f"stations/devices/d{number:03}.yaml", f"device: d{number}\n")
    library = Library(project)
    assert len(library.all("device")) == 256
    assert codes(library) == ["N092"]


def test_a_changed_file_is_seen_and_an_unchanged_one_is_not_read_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(project)
    assert library.ids("station") == ("sim_bench",)
    reads: list[str] = []
    look = library._look
    monkeypatch.setattr(
        library, "_look", lambda path, origin, kind: reads.append(path.name) or look(path, origin, kind)
    )
    assert library.ids("station") == ("sim_bench",)
    assert reads == []
    write(project / "stations/bench.yaml", "station: another_bench\n")
    assert library.ids("station") == ("another_bench",)
    assert reads == ["bench.yaml"]


def test_hidden_files_and_other_suffixes_are_ignored(project: Path) -> None:
    write(project / "stations/.bench.yaml", "station: hidden\n")
    write(project / "stations/notes.txt", "station: notes\n")
    assert Library(project).ids("station") == ("sim_bench",)


def test_a_project_without_folders_has_no_files(tmp_path: Path) -> None:
    assert Library(tmp_path / "none").all("sequence") == ()
