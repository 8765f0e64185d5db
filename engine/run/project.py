"""A project: the folder a command works in, its settings, and the files that its ids stand for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import engine
from engine.core.errors import UsageError
from schemas.diagnostics import InvalidFiles, Problems, did_you_mean, nearest
from schemas.library import FOLDERS, Found, Library
from schemas.settings import SETTINGS_FILE

if TYPE_CHECKING:
    from engine.run.settings import ProjectSettings
    from schemas.loading import Loaded
    from schemas.sequence import Sequence
    from schemas.station import Station

_DEEPEST = 64
_FILE_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Project:
    """Where a command works; settings and library are looked up when they are first asked for."""

    root: Path
    marked: bool
    """False for a plain folder without `benchwright.yaml` or `sequences/` and `stations/`."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @classmethod
    def find(cls, start: Path, *, otherwise: Path | None = None, environ: Mapping[str, str] | None = None) -> Project:
        """The project around a file or folder; around `otherwise` where there is none; else that folder itself."""
        given = environ if environ is not None else os.environ
        for place in (start, otherwise):
            root = _around(place) if place is not None else None
            if root is not None:
                return cls(root, True, given)
        folder = otherwise if otherwise is not None else start
        return cls((folder if folder.is_dir() else folder.parent).absolute(), False, given)

    @cached_property
    def settings(self) -> ProjectSettings:
        """Raises InvalidFiles with every problem of the file and the environment."""
        from engine.run.settings import load_settings

        return load_settings(self.root, self.environ)

    @cached_property
    def library(self) -> Library:
        """Files of the project, then of the user, then what is shipped."""
        return Library(self.root, user_folder(self.environ), shipped_folder())

    @property
    def results(self) -> Path:
        """The folder of journal and reports."""
        return self.root / self.settings.values.results

    def resolve_sequence(self, text: str) -> Loaded[Sequence]:
        """The sequence that a path or an id stands for. Raises UsageError, or InvalidFiles for a bad file."""
        return self._resolve("sequence", text)

    def resolve_station(self, text: str | None) -> Loaded[Station]:
        """The station that a path or an id stands for; without one that of the settings, or the only one there is."""
        if text is None:
            text = self.settings.values.station
        if text is None:
            ids = sorted({found.id for found in self.own("station")})
            if len(ids) != 1:
                listed = ", ".join(ids or self.library.ids("station")) or "none"
                raise UsageError(
                    "no station is given",
                    f"name one with --station, or `station:` in {SETTINGS_FILE}; found: {listed}",
                )
            text = ids[0]
        return self._resolve("station", text)

    def own(self, kind: str) -> tuple[Found, ...]:
        """The usable files of a kind in the project itself."""
        return tuple(found for found in self.library.all(kind) if found.origin == "project" and not found.broken)

    def _resolve(self, kind: Any, text: str) -> Loaded[Any]:
        from schemas.loading import load

        path = Path(text)
        if _looks_like_path(text):
            if not path.exists():
                raise UsageError(f"there is no file {text}", self._similar_file(kind, path))
            if path.is_dir():
                raise UsageError(f"{text} is a folder, not a {kind} file", self._listing(kind))
            return load(path, kind)
        found = self.library.find(kind, text)
        if found is not None:
            return load(found.path, kind)
        broken = self._broken_file_of(kind, text)
        if broken is not None:
            raise InvalidFiles(broken)
        raise UsageError(f"there is no {kind} `{text}`", self._similar_id(kind, text))

    def _broken_file_of(self, kind: str, id: str) -> Problems | None:
        """What is wrong with the file that is probably meant: one of this name that cannot be read."""
        for found in self.library.all(kind):
            if found.broken and found.path.stem == id:
                return found.problems
        return None

    def _similar_id(self, kind: str, id: str) -> str:
        return " ".join(part for part in (did_you_mean(id, self.library.ids(kind)), self._listing(kind)) if part)

    def _similar_file(self, kind: str, path: Path) -> str:
        names = {found.path.name: found.name for found in self.library.all(kind)}
        near = nearest(path.name, names)
        return f"did you mean {names[near]}?" if near is not None else self._listing(kind)

    def _listing(self, kind: str) -> str:
        ids = self.library.ids(kind)
        return f"{kind}s: {', '.join(ids)}" if ids else f"the project {self.root} has no {FOLDERS[kind]}/"


def user_folder(environ: Mapping[str, str]) -> Path | None:
    """Where a user keeps files for all projects; None where no home is known."""
    base = environ.get("XDG_CONFIG_HOME")
    if base and Path(base).is_absolute():
        return Path(base) / "benchwright"
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home) / ".config" / "benchwright" if home else None


def shipped_folder() -> Path:
    """What comes with the program: the checkout itself, or a folder of the installed package."""
    package = Path(engine.__file__).parent
    inside = package / "shipped"
    return inside if inside.is_dir() else package.parent


def _around(place: Path) -> Path | None:
    folder = place.absolute()
    if not folder.is_dir():
        folder = folder.parent
    for parent in (folder, *folder.parents[:_DEEPEST]):
        if (parent / SETTINGS_FILE).is_file() or ((parent / "sequences").is_dir() and (parent / "stations").is_dir()):
            return parent
    return None


def _looks_like_path(text: str) -> bool:
    return text.endswith(_FILE_SUFFIXES) or "/" in text or os.sep in text
