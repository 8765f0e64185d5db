"""The settings of a project: built-in values, `benchwright.yaml`, then the environment; and which of them set each one.

An unknown key of the file or the environment is an error with a suggestion: a misspelt setting that is ignored is found
when the report is already printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from schemas.diagnostics import InvalidFiles, Problems, nearest
from schemas.library import display_name
from schemas.locate import add_validation_errors
from schemas.reader import Document, read_file, read_text
from schemas.settings import PREFIX, SETTINGS_FILE, Settings
from schemas.source import Source

Layer = Literal["built-in", "settings", "environment"]
Key = tuple[str, ...]

_EMPTY_FILE = "Y007"


@dataclass(frozen=True, slots=True)
class Origin:
    """What set one setting."""

    layer: Layer
    place: str
    """`benchwright.yaml:3:8`, or the name of the variable; empty for a built-in value."""


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """The settings in force, and what set each of them."""

    values: Settings
    origins: Mapping[str, Origin]
    """By dotted key: `report.company`."""
    file: Path | None
    """The settings file; None where there is none."""

    def items(self) -> Iterator[tuple[str, Any, Origin]]:
        """Every setting: dotted key, value, origin."""
        for key in leaves(Settings):
            value: Any = self.values
            for part in key:
                value = getattr(value, part)
            yield ".".join(key), value, self.origins[".".join(key)]

    def plain(self) -> dict[str, Any]:
        """Every setting by its dotted key, for the record of a run."""
        return {key: value for key, value, _ in self.items()}


def leaves(model: type[BaseModel], prefix: Key = ()) -> Iterator[Key]:
    """Keys of everything that can be set one by one."""
    for name, field in model.model_fields.items():
        section = _section(field)
        if section is not None:
            yield from leaves(section, (*prefix, name))
        else:
            yield (*prefix, name)


def load_settings(project: Path, environ: Mapping[str, str], problems: Problems | None = None) -> ProjectSettings:
    """The settings of a project. Raises InvalidFiles with every problem of the file and of all variables."""
    found = problems if problems is not None else Problems()
    own = Problems()
    path = project / SETTINGS_FILE
    document = _read(path, own)
    data: dict[str, Any] = {}
    origins = {".".join(key): Origin("built-in", "") for key in leaves(Settings)}
    if document is not None:
        data = _from_file(document, origins, own)
    for variable, text in sorted(environ.items()):
        if variable.upper().startswith(PREFIX):
            _from_variable(variable, text, data, origins, own)
    found.extend(own)
    own.raise_if_any()
    return ProjectSettings(Settings.model_validate(data), origins, path if path.is_file() else None)


def _read(path: Path, problems: Problems) -> Document | None:
    if not path.exists():
        return None
    try:
        return read_file(path, display_name(path))
    except InvalidFiles as invalid:
        if [problem.code for problem in invalid.problems] != [_EMPTY_FILE]:  # an empty file marks a project
            problems.extend(invalid.problems)
        return None


def _from_file(document: Document, origins: dict[str, Origin], problems: Problems) -> dict[str, Any]:
    try:
        _adapter().validate_python(document.value)
    except ValidationError as error:
        add_validation_errors(error, document.source_map, problems, model=Settings)
        return {}
    for key in leaves(Settings):
        if document.source_map.has(key):
            origins[".".join(key)] = Origin("settings", str(document.source_map.value(key)))
    copied: dict[str, Any] = _copied(document.value)
    return copied


def _from_variable(
    variable: str, text: str, data: dict[str, Any], origins: dict[str, Origin], problems: Problems
) -> None:
    """Put the value of one variable into the data, if it has a key and a value that fit."""
    key = tuple(variable[len(PREFIX) :].lower().split("__"))
    field = _field(key)
    if field is None:
        _report_unknown(variable, key, problems)
        return
    document = _value(variable, text, field, problems)
    if document is None:
        return
    section = _section(field)
    inner = [key] if section is None else [(*key, *leaf) for leaf in leaves(section)]
    for leaf in inner:
        if not document.source_map.has(leaf[len(key) :]):
            continue
        where = data
        for part in leaf[:-1]:
            where = where.setdefault(part, {})
        where[leaf[-1]] = document.source_map.get(leaf[len(key) :])
        origins[".".join(leaf)] = Origin("environment", variable)


def _value(variable: str, text: str, field: FieldInfo, problems: Problems) -> Document | None:
    """The text of a variable as YAML; as it stands where only that fits."""
    adapter = _adapter_of(field)
    own = Problems()
    document = None
    try:
        document = read_text(text, variable)
        adapter.validate_python(document.value)
        return document
    except InvalidFiles as invalid:
        own.extend(invalid.problems)
    except ValidationError as error:
        assert document is not None
        add_validation_errors(error, document.source_map, own, model=adapter)
    try:
        adapter.validate_python(text)
    except ValidationError:
        problems.extend(own)
        return None
    quoted = "'" + text.replace("'", "''") + "'"
    try:
        return read_text(quoted, variable)
    except InvalidFiles:
        problems.extend(own)
        return None


def _report_unknown(variable: str, key: Key, problems: Problems) -> None:
    known = [PREFIX + "__".join(leaf).upper() for leaf in leaves(Settings)]
    near = nearest(PREFIX + "__".join(key).upper(), known)
    if near is None:
        near = next((name for name in known if nearest(key[-1], [name.rpartition("__")[2]])), None)
    problems.error(
        "S002",
        f"unknown setting `{'.'.join(key)}` in the environment",
        Source(variable, "").span(0, 0),
        label=f"did you mean `{near}`?" if near else "",
        help=f"settings: {', '.join('.'.join(leaf) for leaf in leaves(Settings))}",
    )


def _field(key: Key) -> FieldInfo | None:
    model: type[BaseModel] | None = Settings
    field = None
    for part in key:
        if model is None or part not in model.model_fields:
            return None
        field = model.model_fields[part]
        model = _section(field)
    return field


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Settings]:
    return TypeAdapter(Settings)


def _adapter_of(field: FieldInfo) -> TypeAdapter[Any]:
    section = _section(field)
    if section is not None:
        return TypeAdapter(section)
    kind: Any = field.annotation
    for metadata in field.metadata:
        kind = Annotated[kind, metadata]
    return TypeAdapter(kind, config=ConfigDict(strict=True))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, list) else value
