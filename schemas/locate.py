"""pydantic's errors, told in plain English at the place in the file they are about.

pydantic's `loc` mixes keys of the data with tags of unions, and a tag can be spelt like a key (`measure` of a
step). Read naively it points beside the mistake nearly half of the time. So the walk follows the model's core
schema, where it is known what each part of a `loc` stands for.

For authors of models:

- Unions: use a callable `Discriminator` with `Tag`s wherever the forms can be told apart by looking; then only the
  form that was meant reports. A plain union works too: of several forms that all refuse a value, the one whose kind
  fits (a mapping for a model) is told alone; where none fits, one sentence names all kinds.
- A discriminator that returns None is reported as "expected a mapping or a list, found …"; a `BeforeValidator`
  in front of it can say it better.
- `PydanticCustomError(type, message, context)` keeps its message. These keys of the context are understood:
  `help` (a text or a list of texts), `label`, `start` and `end` (characters inside a text value), `key` (the entry
  of the mapping, or the index of the list, that is to blame), `code` (a diagnostic code such as `Q003`). A type
  that is itself such a code is used as one; other types count as S020, except those in `CODES`.
- Validators must not replace containers before pydantic has seen them, and `mode="after"` ones should give `key`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas import wording
from schemas.diagnostics import Problems, did_you_mean, nearest
from schemas.source import Path, SourceMap, Span

CODES = {"expression": "X000", "quantity": "Q000", "unit": "Q000", "duration": "Q000"}
"""Diagnostic codes of custom error types that do not bring their own."""

_MOST_ERRORS = 200
_CODE = re.compile(r"[A-Z][0-9]{3}\Z")
_WRAPPERS = frozenset(
    ("function-before", "function-after", "function-wrap", "nullable", "default", "model", "definitions")
)

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Place:
    """What a `loc` stands for."""

    path: Path
    fields: tuple[str, ...] = ()
    """Keys that the mapping allows which the last key stands in (or which misses it)."""
    other_fields: tuple[str, ...] = ()
    """Keys that the other forms of this mapping allow, where it has several."""
    is_key: bool = False
    """The error is about the key itself."""
    branches: tuple[tuple[Path, str], ...] = ()
    """For each plain union on the way: where it stands, and which of its forms this is."""
    schema: Schema | None = None
    """Core schema of the value."""


@dataclass(frozen=True, slots=True)
class _Finding:
    error: Mapping[str, Any]
    place: _Place


def add_validation_errors(
    error: ValidationError,
    source_map: SourceMap,
    problems: Problems,
    *,
    model: type[BaseModel] | TypeAdapter[Any],
    path: Path = (),
) -> None:
    """Adds a diagnostic for every mistake behind a ValidationError.

    `model` is what was validated, `path` where in the file its data stands.
    """
    schema = model.core_schema if isinstance(model, TypeAdapter) else model.__pydantic_core_schema__
    definitions: dict[str, Schema] = {}
    if schema["type"] == "definitions":
        definitions = {str(entry.get("ref")): entry for entry in schema["definitions"]}
    walker = _Walker(definitions)
    data = source_map.get(path)
    found = []
    for entry in error.errors(include_url=False)[:_MOST_ERRORS]:
        place = walker.place(schema, data, entry)
        found.append(_Finding(entry, place))
    found = _one_form_of_each_union(found)
    misspelt = _misspelt(found)
    for finding in found:
        loc = finding.error["loc"]
        if finding.error["type"] == "missing" and (finding.place.path, loc[-1]) in misspelt:
            continue  # the unknown key beside it is this one, misspelt
        _report(finding, source_map, problems, path)
    if error.error_count() > _MOST_ERRORS:
        more = error.error_count() - _MOST_ERRORS
        problems.error("S000", f"and {more:,} more problems in this file", source_map.key(path))


class _Walker:
    """Follows a `loc` through a core schema and the data side by side."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions

    def place(self, schema: Schema, data: Any, error: Mapping[str, Any]) -> _Place:
        """The reading of the `loc` that fits best: one that ends at the very object pydantic complained about."""
        wanted = error["input"]
        best: _Place | None = None
        for place, node in self.readings(schema, data, error["loc"], error["type"], ()):
            if node is wanted:
                return place
            best = best or place
        return best or _Place(_keys_of(data, error["loc"]))

    def readings(
        self, schema: Schema | None, node: Any, loc: tuple[Any, ...], kind: str, path: Path
    ) -> Iterator[tuple[_Place, Any]]:
        fields: tuple[str, ...] = ()
        others: tuple[str, ...] = ()
        at = 0
        while schema is not None:
            schema = self.unwrapped(schema)
            if at == len(loc):
                yield _Place(path, fields, schema=schema), node
                return
            part = loc[at]
            match schema["type"]:
                case "model-fields":
                    by_name = _fields(schema)
                    fields = tuple(by_name)
                    if kind == "missing" and at == len(loc) - 1:
                        yield _Place(path, fields), node
                        return
                    inner = by_name.get(part)
                    path, node = (*path, part), _child(node, part)
                    if inner is None:
                        yield _Place(path, fields, others, is_key=True), node
                        return
                    schema, others = inner, ()
                case "tagged-union":
                    others = self.fields_of_all(schema["choices"].values())
                    schema = schema["choices"].get(part)
                case "union":
                    for choice in schema["choices"]:
                        inner = choice[0] if isinstance(choice, tuple) else choice
                        for place, end in self.readings(inner, node, loc[at + 1 :], kind, path):
                            yield replace(place, branches=((path, str(part)), *place.branches)), end
                    return
                case "list" | "set" | "frozenset" | "tuple":
                    if not isinstance(part, int):
                        return
                    inner = schema.get("items_schema")
                    schema = inner[min(part, len(inner) - 1)] if isinstance(inner, list) else inner
                    path, node = (*path, part), _child(node, part)
                    if schema is None:
                        schema = {"type": "any"}
                case "dict":
                    key = _actual_key(node, part)
                    path, node = (*path, key), _child(node, key)
                    if loc[at + 1 : at + 2] == ("[key]",):
                        yield _Place(path, is_key=True), key
                        return
                    schema = schema.get("values_schema", {"type": "any"})
                case _:
                    return
            at += 1

    def fields_of_all(self, schemas: Iterable[Schema]) -> tuple[str, ...]:
        """Keys of all the models among these schemas."""
        models = [schema for schema in map(self.unwrapped, schemas) if schema["type"] == "model-fields"]
        return tuple(dict.fromkeys(name for model in models for name in _fields(model)))

    def unwrapped(self, schema: Schema) -> Schema:
        """The schema inside everything that adds nothing to a `loc`."""
        while True:
            kind = schema["type"]
            if kind == "definition-ref":
                schema = self.definitions[schema["schema_ref"]]
            elif kind in _WRAPPERS:
                schema = schema["schema"]
            elif kind == "json-or-python":
                schema = schema["python_schema"]
            elif kind == "lax-or-strict":
                schema = schema["strict_schema"]
            elif kind == "chain":
                schema = schema["steps"][0]
            else:
                return schema


def _fields(schema: Schema) -> dict[str, Schema]:
    """Field schemas of a model by the key a user writes."""
    fields = {}
    for name, field in schema["fields"].items():
        alias = field.get("validation_alias")
        fields[alias if isinstance(alias, str) else name] = field["schema"]
    return fields


def _child(node: Any, key: Any) -> Any:
    if isinstance(node, dict):
        return node.get(key)
    if isinstance(node, list) and type(key) is int and 0 <= key < len(node):
        return node[key]
    return None


def _actual_key(node: Any, part: Any) -> Any:
    """The key of the data that pydantic names; it names keys that are neither text nor numbers by their text."""
    if isinstance(node, dict) and part not in node:
        return next((key for key in node if str(key) == str(part)), part)
    return part


def _keys_of(node: Any, loc: tuple[Any, ...]) -> Path:
    """As far as the parts of a `loc` are keys of the data; for schemas that cannot be followed."""
    path: Path = ()
    for part in loc:
        if (isinstance(node, dict) and part in node) or (
            isinstance(node, list) and isinstance(part, int) and 0 <= part < len(node)
        ):
            path, node = (*path, part), node[part]
    return path


def _one_form_of_each_union(found: list[_Finding]) -> list[_Finding]:
    """Keeps, of each plain union that nothing matched, the form that was probably meant."""
    by_union: dict[tuple[int, Path], dict[str, list[_Finding]]] = {}
    for finding in found:
        for depth, (where, form) in enumerate(finding.place.branches):
            by_union.setdefault((depth, where), {}).setdefault(form, []).append(finding)
    dropped: set[int] = set()
    replaced: dict[int, _Finding] = {}
    for (_, where), forms in sorted(by_union.items(), key=lambda entry: -len(entry[0][1])):
        if len(forms) < 2:
            continue
        fitting = {form: group for form, group in forms.items() if not _wrong_kind(group, where)}
        if fitting:
            meant = min(fitting, key=lambda form: (len(fitting[form]), -_depth(fitting[form])))
            dropped |= {id(one) for form, group in forms.items() if form != meant for one in group}
            continue
        groups = list(forms.values())
        first = groups[0][0]
        kinds = [kind for group in groups for kind in [wording.expected_kind(group[0].error)] if kind]
        message = wording.expected(list(dict.fromkeys(kinds)), first.error["input"])
        helps = [text for group in groups for text in wording.context_help(group[0].error)]
        merged = {**first.error, "type": "S003", "msg": message, "ctx": {"help": list(dict.fromkeys(helps))}}
        replaced[id(first)] = _Finding(merged, first.place)
        dropped |= {id(one) for group in groups for one in group} - {id(first)}
    return [replaced.get(id(finding), finding) for finding in found if id(finding) not in dropped]


def _wrong_kind(group: list[_Finding], where: Path) -> bool:
    """Whether a form refused the value as a whole, because it is another kind of thing."""
    return any(one.place.path == where and wording.is_wrong_kind(one.error) for one in group)


def _depth(group: list[_Finding]) -> int:
    return max(len(one.place.path) for one in group)


def _misspelt(found: list[_Finding]) -> set[tuple[Path, Any]]:
    """Missing keys whose misspelling is reported as an unknown key of the same mapping."""
    missing: dict[Path, list[str]] = {}
    for finding in found:
        if finding.error["type"] == "missing":
            missing.setdefault(finding.place.path, []).append(str(finding.error["loc"][-1]))
    pairs: set[tuple[Path, Any]] = set()
    for finding in found:
        where = finding.place.path[:-1]
        if finding.error["type"] == "extra_forbidden" and where in missing:
            name = str(finding.place.path[-1])
            meant = nearest(name, missing[where])
            if meant is not None:
                pairs.add((where, meant))
            elif not nearest(name, finding.place.fields) and nearest(name, finding.place.other_fields):
                # a key of another form of this mapping, which was taken for the wrong one
                pairs |= {(where, key) for key in missing[where]}
    return pairs


def _report(finding: _Finding, source_map: SourceMap, problems: Problems, prefix: Path) -> None:
    error, place = finding.error, finding.place
    path = (*prefix, *place.path)
    kind, value = error["type"], error["input"]
    match kind:
        case "missing":
            name = error["loc"][-1]
            span = _head(source_map, path)
            problems.error(
                "S001", f"missing key `{name}`", span, label=f"`{name}` is missing here", help=f"add `{name}: …`"
            )
        case "extra_forbidden":
            _report_unknown_key(finding, source_map, problems, path)
        case "union_tag_invalid" | "union_tag_not_found":
            kinds = wording.kinds_of(place.schema)
            problems.error("S003", wording.expected(kinds, value), _value_span(source_map, path, value))
        case _ if wording.is_custom(error):
            _report_custom(finding, source_map, problems, path)
        case _:
            span = source_map.key(path) if place.is_key else _value_span(source_map, path, value)
            message, code, label, help = wording.explain(error, span.text)
            problems.error(code, message, span, label=label, help=help)


def _report_unknown_key(finding: _Finding, source_map: SourceMap, problems: Problems, path: Path) -> None:
    name, fields = str(path[-1]), finding.place.fields
    there = source_map.get(path[:-1])
    given = there if isinstance(there, dict) else {}
    free = [field for field in fields if field not in given]
    hint = did_you_mean(name, free) or did_you_mean(name, fields)
    if not hint and (hint := did_you_mean(name, finding.place.other_fields)):
        free = list(dict.fromkeys((*free, *finding.place.other_fields)))
    help = f"allowed here: {wording.listing(sorted(free))}" if free else ()
    problems.error("S002", f"unknown key `{name}`", source_map.key(path), label=hint, help=help)


def _report_custom(finding: _Finding, source_map: SourceMap, problems: Problems, path: Path) -> None:
    error = finding.error
    context = error.get("ctx") or {}
    kind = str(error["type"])
    code = str(context.get("code") or (kind if _CODE.match(kind) else CODES.get(kind, "S020")))
    start, end, key = context.get("start"), context.get("end"), context.get("key")
    there = source_map.get(path)
    if isinstance(start, int) and isinstance(end, int) and isinstance(there, str) and not finding.place.is_key:
        span = source_map.inside(path, start, end)
    elif key is not None and source_map.has((*path, key)):
        span = source_map.key((*path, key))
    elif finding.place.is_key:
        span = source_map.key(path)
    else:
        span = _value_span(source_map, path, there)
    problems.error(
        code, wording.custom_message(error), span, label=str(context.get("label", "")), help=wording.context_help(error)
    )


def _value_span(source_map: SourceMap, path: Path, value: Any) -> Span:
    """Span of a wrong value: the key instead for a mapping or list in block form and for nothing at all."""
    span = source_map.value(path)
    if isinstance(value, dict | list) and span.text[:1] not in ("[", "{"):
        return _head(source_map, path)
    return source_map.key(path) if span.start == span.end else span


def _head(source_map: SourceMap, path: Path) -> Span:
    """The key that introduces a mapping or list; for an item of a list or the whole file, its first key."""
    if path and isinstance(path[-1], str):
        return source_map.key(path)
    value = source_map.get(path)
    if isinstance(value, dict) and value:
        return source_map.key((*path, next(iter(value))))
    span = source_map.value(path)
    first_line = span.text.split("\n", 1)[0].rstrip()
    return Span(span.source, span.start, span.start + max(len(first_line), min(1, span.end - span.start)))
