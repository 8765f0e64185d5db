"""Finds the files that other files and commands name by id: in the project, the user's folder, what is shipped.

Files refer to each other by id only; there are no paths in them that could lead out of the project. What cannot be
used is listed as broken with its problems: a driver that is "not found" because of a tab in its third line would
send the engineer searching in the wrong place.

Codes: N090 same id twice, N091 a link that leaves the folder, N092 too many files, N093 a file of no known kind.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from schemas.diagnostics import InvalidFiles, Problems, did_you_mean
from schemas.reader import Limits, read_bytes, read_data
from schemas.reader.limits import DEFAULT_LIMITS
from schemas.source import Source, Span

FOLDERS: dict[str, str] = {
    "sequence": "sequences",
    "station": "stations",
    "driver": "stations/drivers",
    "device": "stations/devices",
}
"""Kinds of files that have an id, and where they live below a project."""

_OTHER_KINDS = frozenset(("product", "campaign"))
_SUFFIXES = (".yaml", ".yml")
_MOST_FILES = 256
_DEEPEST_FOLDER = 8
_HEAD = re.compile(
    r"\A\ufeff?(?:[ \t]*(?:#[^\n]*)?\r?\n|---[ \t]*\r?\n)*"
    r"([a-z]+):[ \t]+([A-Za-z0-9_.-]+)[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)"
)
"""The first key and a plain value, behind comments; a file without it is read as a whole."""


class Origin(StrEnum):
    """Where a file comes from; an earlier one wins."""

    PROJECT = "project"
    USER = "user"
    SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class Found:
    """One file of a library."""

    path: Path
    origin: Origin
    kind: str
    """What its first key says; the kind of its folder for a broken file."""
    id: str
    """The value of its first key; empty for a broken file."""
    name: str
    """What messages call it."""
    problems: Problems | None = None
    """Why it is broken; None for a file that can be told by its first key."""

    @property
    def broken(self) -> bool:
        return self.problems is not None


class Library:
    """The files of a project, of a user and of the installation; looks again at every question, reads only news."""

    def __init__(
        self,
        project: Path,
        user: Path | None = None,
        shipped: Path | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._roots = [(Origin.PROJECT, project)]
        if user is not None:
            self._roots.append((Origin.USER, user))
        if shipped is not None and not _same(shipped, project):
            self._roots.append((Origin.SHIPPED, shipped))
        self._limits = limits
        self._seen: dict[tuple[Path, int, int], Found] = {}
        self.problems = Problems()
        """What the last look found wrong with the files themselves: broken ones, double ids, links that lead out."""

    def find(self, kind: str, id: str) -> Found | None:
        """The file of this kind and id that wins, or None."""
        return next((found for found in self.all(kind) if found.id == id and not found.broken), None)

    def ids(self, kind: str) -> tuple[str, ...]:
        """Ids of all files of a kind, sorted, each once."""
        return tuple(sorted({found.id for found in self.all(kind) if not found.broken}))

    def all(self, kind: str) -> tuple[Found, ...]:
        """All files of a kind, broken and overruled ones too; the winner of an id comes first."""
        problems = Problems()
        files: list[Found] = []
        for origin, root in self._roots:
            own = [found for found in self._of(origin, root, kind, problems) if found.broken or found.kind == kind]
            files += own
            _report_double_ids(own, kind, problems)
        for found in files:
            problems.extend(found.problems or ())
        self.problems = problems
        return tuple(files)

    def broken(self) -> tuple[Found, ...]:
        """The files of any kind that cannot be told by their first key."""
        return tuple(found for kind in FOLDERS for found in self.all(kind) if found.broken)

    def _of(self, origin: Origin, root: Path, kind: str, problems: Problems) -> Iterator[Found]:
        folder = root / FOLDERS[kind]
        try:
            inside = root.resolve()
            if not folder.is_dir():
                return
            if not folder.resolve().is_relative_to(inside):
                _report_way_out(folder, problems)
                return
        except OSError:
            return
        followed = 0
        for path in _files(folder, 1 if kind == "station" else _DEEPEST_FOLDER):
            followed += 1
            if followed > _MOST_FILES:
                problems.error(
                    "N092",
                    f"more than {_MOST_FILES} files in this folder",
                    _at(display_name(folder)),
                    help="the others are not looked at; keep results and data elsewhere",
                )
                return
            try:
                if not path.resolve().is_relative_to(inside):
                    _report_way_out(path, problems)
                    continue
                status = path.stat()
            except (OSError, RuntimeError):  # a link to nothing, or to itself
                yield self._look(path, origin, kind)
                continue
            key = (path, status.st_mtime_ns, status.st_size)
            found = self._seen.get(key)
            if found is None:
                found = self._seen[key] = self._look(path, origin, kind)
            if found.kind not in _OTHER_KINDS:
                yield found

    def _look(self, path: Path, origin: Origin, kind: str) -> Found:
        """Kind and id of one file, from its first line where that is plain, else from reading all of it."""
        name = display_name(path)
        try:
            data = read_bytes(path, name, self._limits)
            head = _HEAD.match(data[:4096].decode("utf-8", "ignore"))
            if head and (head.group(1) in FOLDERS or head.group(1) in _OTHER_KINDS):
                return Found(path, origin, head.group(1), head.group(2), name)
            document = read_data(data, name, self._limits)
        except InvalidFiles as error:
            return Found(path, origin, kind, "", name, error.problems)
        value = document.value
        first = next(iter(value), None) if isinstance(value, dict) else None
        if isinstance(first, str) and (first in FOLDERS or first in _OTHER_KINDS) and isinstance(value[first], str):
            return Found(path, origin, first, value[first], name)
        problems = Problems()
        known = first in FOLDERS
        problems.error(
            "N093",
            f"the id of a {first} is text" if known else "the first key of a file names its kind",
            document.source_map.key((first,)) if isinstance(first, str) else document.source_map.source.span(0),
            label="" if known else did_you_mean(str(first), FOLDERS),
            help=f"begin it with `{first if known else kind}:` and an id",
        )
        return Found(path, origin, kind, "", name, problems)


def display_name(path: Path) -> str:
    """What messages call a file: relative to the working folder where it lies below it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _files(folder: Path, depth: int) -> Iterator[Path]:
    """YAML files of a folder and the folders in it, in a stable order; linked folders are not entered."""
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth > 1:
                yield from _files(Path(entry.path), depth - 1)
        elif entry.name.endswith(_SUFFIXES):
            yield Path(entry.path)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve()
    except (OSError, RuntimeError):
        return False


def _at(name: str) -> Span:
    return Source(name, "").span(0, 0)


def _report_way_out(path: Path, problems: Problems) -> None:
    problems.error(
        "N091",
        "this link leads out of the folder it belongs to and is not followed",
        _at(display_name(path)),
        help="copy the file into the project",
    )


def _report_double_ids(files: list[Found], kind: str, problems: Problems) -> None:
    first: dict[str, Found] = {}
    for found in files:
        if found.broken:
            continue
        if found.id in first:
            problems.error(
                "N090",
                f"two files say they are {kind} `{found.id}`",
                _at(found.name),
                label="this one is not used",
                help=f"the other is {first[found.id].name}; give one of them another id",
            )
        first.setdefault(found.id, found)
