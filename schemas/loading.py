"""From a file to a validated model and the places of its values, or every problem at once.

What a file is, is said by its first key; a file of another kind than asked for is a problem at that key, not twenty
unknown keys.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, cast

from pydantic import ValidationError

from schemas.base import Model
from schemas.diagnostics import InvalidFiles, Problems, did_you_mean
from schemas.locate import add_validation_errors
from schemas.reader import Document, read_file, read_text
from schemas.source import Path as Place
from schemas.source import SourceMap, Span

Kind = Literal["sequence", "station", "driver", "device"]
KINDS: tuple[Kind, ...] = ("sequence", "station", "driver", "device")
LATER_KINDS = ("product", "campaign")

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """One file of a user: its model, and where every value of it stood."""

    kind: Kind
    model: M
    source_map: SourceMap
    path: Path
    """The file; its name in messages is `source_map.source.name`."""
    sha256: str

    @property
    def name(self) -> str:
        """What messages call the file."""
        return self.source_map.source.name

    @property
    def text(self) -> str:
        return self.source_map.source.text

    def at(self, place: Place) -> Span:
        """Where the value at a place of the data stands."""
        return self.source_map.value(place)

    def key(self, place: Place) -> Span:
        """Where the key of a place stands."""
        return self.source_map.key(place)


@cache
def model_of(kind: Kind) -> type[Model]:
    """The model of a kind of file; imported when it is first needed."""
    match kind:
        case "sequence":
            from schemas.sequence import Sequence

            return Sequence
        case "station":
            from schemas.station import Station

            return Station
        case "driver":
            from schemas.driver import Driver

            return Driver
        case "device":
            from schemas.device import Device

            return Device


def display_name(path: Path) -> str:
    """What messages call a file: relative to the working folder where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd().resolve()))
    except (ValueError, OSError, RuntimeError):  # outside, or a link that leads to itself
        return str(path)


def kind_of(document: Document) -> str | None:
    """The first key of a file, where it names a kind."""
    value = document.value
    if not isinstance(value, dict) or not value:
        return None
    first = str(next(iter(value)))
    return first if first in KINDS or first in LATER_KINDS else None


def load(path: Path, kind: Kind | None = None) -> Loaded[Any]:
    """Read and validate one file; of this kind if one is given. Raises InvalidFiles with every problem."""
    return load_document(read_file(path, display_name(path)), path, kind)


def load_text(text: str, name: str, kind: Kind | None = None) -> Loaded[Any]:
    """The same for text that is not (yet) a file: an editor's buffer, a test."""
    return load_document(read_text(text, name), Path(name), kind)


def load_document(document: Document, path: Path, kind: Kind | None = None) -> Loaded[Any]:
    """Validate what was read. Raises InvalidFiles with every problem."""
    problems = Problems()
    found = kind_of(document)
    if found is None:
        _unknown_kind(document, kind, problems)
    elif found in LATER_KINDS:
        problems.error("S004", f"`{found}` files are not supported yet", document.source_map.key((found,)))
    elif kind is not None and found != kind:
        problems.error("S004", f"expected a {kind} file, this is a {found} file", document.source_map.key((found,)))
    problems.raise_if_any()
    actual = cast(Kind, found)
    model = validate(document, actual)
    return Loaded(actual, model, document.source_map, path, document.sha256)


def validate(document: Document, kind: Kind) -> Any:
    """The model of a document of a known kind. Raises InvalidFiles."""
    model = model_of(kind)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        problems = Problems()
        add_validation_errors(error, document.source_map, problems, model=model)
        raise InvalidFiles(problems) from None
    finally:
        if was_enabled:
            gc.enable()


def _unknown_kind(document: Document, kind: Kind | None, problems: Problems) -> None:
    value = document.value
    if not isinstance(value, dict):
        problems.error(
            "S004",
            "a file must be a mapping whose first key says what it is",
            document.source_map.value(()),
            help="begin it with `sequence:`, `station:`, `driver:` or `device:` and an id",
        )
        return
    first = next(iter(value), None)
    span = document.source_map.key((first,)) if first is not None else document.source_map.value(())
    present = [known for known in KINDS if known in value]
    problems.error(
        "S004",
        f"the first key must say what the file is, found `{first}`" if first is not None else "this mapping is empty",
        span,
        label=f"move `{present[0]}` to the top" if present else did_you_mean(str(first), KINDS),
        help=f"begin it with `{kind or present[0] if present else kind or 'sequence'}:` and an id",
    )
