"""Checks files, and how they fit together, without a station being touched: every problem of every file at once.

A sequence is checked on a station, because units and properties are the drivers'. Where several stations could be meant it
must fit one of them; where it fits none, what is wrong on the one it fits best is shown, not the sum over all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.run.project import Project
from schemas.diagnostics import InvalidFiles, Problems, Severity
from schemas.library import FOLDERS
from schemas.loading import Loaded, load
from schemas.settings import SETTINGS_FILE
from schemas.source import Source

_MOST_FILES = 2_000
_SUFFIXES = (".yaml", ".yml")
_OF_FOLDERS = ("N090", "N091", "N092")
"""Two files of one id, a link that leads out, too many files: what no file says by itself."""
_MUST_BE_GIVEN = "P050"
"""A parameter without a default: whoever runs or calls the sequence gives it."""


@dataclass(slots=True)
class Validation:
    """What was looked at, and what was found."""

    problems: Problems = field(default_factory=Problems)
    files: set[Path] = field(default_factory=set)


def validate(paths: Sequence[Path], project: Project, station: Loaded[Any] | None) -> Validation:
    """Check these files and folders; the whole project where none are given."""
    check = _Check(project, station)
    if not paths:
        check.project_files(project)
    for path in paths:
        if path.is_dir():
            around = Project.find(path, environ=project.environ)
            if around.marked and around.root.resolve() == path.resolve():
                check.project_files(around)
            else:
                check.files(_below(path, check.result.problems), Project.find(path, otherwise=project.root))
        else:
            check.files([path], Project.find(path, otherwise=project.root))
    return check.result


class _Check:
    """One validation while it is under way."""

    def __init__(self, project: Project, station: Loaded[Any] | None) -> None:
        self.given_station = station
        self.result = Validation()
        self._benches: dict[Path, list[_Bench]] = {}

    @property
    def problems(self) -> Problems:
        return self.result.problems

    def project_files(self, project: Project) -> None:
        """Everything of a project: its settings and the files of its folders."""
        self._settings(project)
        paths: list[Path] = []
        for kind in FOLDERS:
            everything = project.library.all(kind)
            paths += [found.path for found in everything if found.origin == "project"]
            self.problems.extend(problem for problem in project.library.problems if problem.code in _OF_FOLDERS)
        self.files(paths, project)

    def files(self, paths: Iterable[Path], project: Project) -> None:
        """Each file by itself, then the sequences on a station."""
        loaded: list[Loaded[Any]] = []
        for path in paths:
            try:
                key = path.resolve()
            except (OSError, RuntimeError):  # a link that leads to itself
                key = path.absolute()
            if key in self.result.files:
                continue
            self.result.files.add(key)
            if path.name == SETTINGS_FILE:
                self._settings(Project(path.absolute().parent, True, project.environ))
                continue
            try:
                loaded.append(load(path))
            except InvalidFiles as invalid:
                self.problems.extend(invalid.problems)
        for file in loaded:
            self._alone(file, project)
        sequences = [file for file in loaded if file.kind == "sequence"]
        if sequences:
            benches = self._benches_of(project)
            for file in sequences:
                self._sequence(file, benches, project)

    def _settings(self, project: Project) -> None:
        path = project.root / SETTINGS_FILE
        if path.is_file():
            self.result.files.add(path.resolve())
        try:
            settings = project.settings.values
        except InvalidFiles as invalid:
            self.problems.extend(invalid.problems)
            return
        if settings.station is not None and project.library.find("station", settings.station) is None:
            self.problems.error("N001", f"the settings name a station `{settings.station}` that there is not")

    def _alone(self, file: Loaded[Any], project: Project) -> None:
        """What a file says wrongly whatever it is used with."""
        match file.kind:
            case "driver":
                from engine.plan.drivers import check_driver

                check_driver(file, self.problems)
            case "device":
                from engine.sim.device import check_device

                check_device(file.model, file.source_map, self.problems, file.path.parent)
            case "station":
                self._station(file, project)

    def _station(self, file: Loaded[Any], project: Project) -> None:
        from engine.plan.binding import bind_station

        bound = bind_station(file, project.library, self.problems)
        for name, spec in bound.instruments.items():
            if spec.backend == "sim" and spec.device and project.library.find("device", spec.device) is None:
                self.problems.error(
                    "B013",
                    f"there is no simulated device `{spec.device}` for `{name}`",
                    file.key(("instruments", name)),
                    help=f"devices found: {', '.join(project.library.ids('device')) or 'none'}",
                )
        if file.model.world is not None:
            from engine.sim.device import check_world

            check_world(file.model.world, file.source_map, self.problems)

    def _benches_of(self, project: Project) -> list[_Bench]:
        """The stations that sequences are checked on: the one named, else those of the project, else all."""
        if project.root not in self._benches:
            self._benches[project.root] = [_Bench(station) for station in self._stations(project)]
        return self._benches[project.root]

    def _stations(self, project: Project) -> list[Loaded[Any]]:
        if self.given_station is not None:
            return [self.given_station]
        try:
            chosen = project.settings.values.station
        except InvalidFiles:
            chosen = None  # told with the settings
        found = [project.library.find("station", chosen)] if chosen is not None else []
        usable = [one for one in found if one is not None]
        if not usable:
            usable = list(project.own("station")) or [
                one for one in project.library.all("station") if not one.broken
            ]  # fmt: skip
        stations = []
        for one in usable:
            try:
                stations.append(load(one.path, "station"))
            except InvalidFiles as invalid:
                if chosen is not None or one.path.resolve() in self.result.files:
                    self.problems.extend(invalid.problems)
        return stations

    def _sequence(self, file: Loaded[Any], benches: list[_Bench], project: Project) -> None:
        if not benches:
            self.problems.warning(
                "B000",
                "there is no station to check this sequence on, so its roles and units were not looked at",
                file.key(("sequence",)),
                help="add one to stations/, or name one with --station",
            )
            return
        best: Problems | None = None
        fewest = -1
        for bench in benches:
            found = _compiled(file, bench, project)
            errors = len(found.errors)
            if best is None or errors < fewest:
                best, fewest = found, errors
            if not errors:
                break
        self.problems.extend(best if best is not None else ())


@dataclass(slots=True)
class _Bench:
    """A station that sequences are checked on."""

    station: Loaded[Any]


def _compiled(file: Loaded[Any], bench: _Bench, project: Project) -> Problems:
    """What is wrong with a sequence on one station, with its limits and with each set of limits."""
    from engine.plan.compile import Wish, compile_plan

    found = Problems()
    try:
        plugins = tuple(project.settings.values.plugins)
    except InvalidFiles:
        plugins = ()
    for limit_set in (None, *file.model.limit_sets):
        problems = Problems()
        try:
            compile_plan(
                file, bench.station, project.library, project.root, Wish({}, limit_set, 0, plugins), problems
            )  # fmt: skip
        except InvalidFiles as invalid:
            problems.extend(invalid.problems)
        found.extend(problem for problem in problems if not _is_open_parameter(problem, file))
    return found


def _is_open_parameter(problem: Any, file: Loaded[Any]) -> bool:
    return (
        problem.code == _MUST_BE_GIVEN
        and problem.span is not None
        and problem.span.source is file.source_map.source
    )  # fmt: skip


def _below(folder: Path, problems: Problems) -> Iterator[Path]:
    """YAML files of a folder and all folders in it, in a stable order."""
    seen = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "node_modules")
        for name in sorted(names):
            if name.endswith(_SUFFIXES) and not name.startswith("."):
                seen += 1
                if seen > _MOST_FILES:
                    problems.error(
                        "N092", f"more than {_MOST_FILES:,} files in this folder", Source(str(folder), "").span(0, 0)
                    )
                    return
                yield Path(parent) / name


def severities(problems: Problems) -> tuple[int, int]:
    """Errors and warnings."""
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    return errors, len(problems) - errors
