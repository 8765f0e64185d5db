"""JSON Schema (draft-07) of each kind of file, for editors.

A step is told apart by its verb with `if`/`then`: with `oneOf` an editor answers a misspelt key of a `measure` with
"missing property `set`". Docstrings of fields become what an editor shows on hover. The output depends on nothing but the
models, so that a test can compare it byte for byte with what is in `schemas/json/`.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from schemas.base import Model
from schemas.settings import Settings

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
PUBLISHED = ("sequence", "station", "driver", "device", "settings")
FOLDER = Path(__file__).parent / "json"

_RANGE_KEYS = ("from", "to", "points", "step", "log")


def file_name(kind: str) -> str:
    """`sequence.schema.json`."""
    return f"{kind}.schema.json"


def schema_text(kind: str) -> str:
    """The published form: indented, with a line end; keys in the order of the models."""
    return json.dumps(schema_of(kind), ensure_ascii=False, indent=2) + "\n"


def schema_of(kind: str) -> Schema:
    """JSON Schema of a kind of file: one of PUBLISHED."""
    raw = TypeAdapter(_model(kind)).json_schema(by_alias=True, mode="validation")
    _describe(raw)
    converter = _Converter()
    definitions = {name: converter.convert(body) for name, body in raw.pop("$defs", {}).items()}
    root = converter.convert(raw)
    if "$ref" in root:  # a model that refers to itself
        root = definitions.pop(root["$ref"].rpartition("/")[2])
    if kind == "sequence":
        definitions = {"Step": _step(definitions), **definitions}
    described = root.pop("description", None)
    head: Schema = {"$schema": DRAFT, "title": f"Benchwright {kind} file"}
    if described:
        head["description"] = described
    return {**head, **root, **({"definitions": definitions} if definitions else {})}


def write_schemas(folder: Path) -> list[Path]:
    """Write all schemas into a folder; answers the files that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for kind in PUBLISHED:
        path, text = folder / file_name(kind), schema_text(kind)
        if not path.is_file() or path.read_bytes() != text.encode():
            path.write_bytes(text.encode())
            changed.append(path)
    return changed


def outdated(folder: Path) -> list[str]:
    """Names of the schemas in a folder that are missing or not what the models say."""
    found = []
    for kind in PUBLISHED:
        path = folder / file_name(kind)
        if not path.is_file() or path.read_bytes() != schema_text(kind).encode():
            found.append(file_name(kind))
    return found


def _model(kind: str) -> Any:
    if kind == "settings":
        return Settings
    from schemas.loading import KINDS, model_of

    known = next((one for one in KINDS if one == kind), None)
    if known is None:
        raise ValueError(f"there is no schema of {kind} files")
    return model_of(known)


def _describe(raw: Schema) -> None:
    """Put in the docstrings of fields. The models do not bring them: reading them would cost every start of the program."""
    models = {model.__name__: model for model in _all_models(Model)}
    bodies = {**raw.get("$defs", {}), str(raw.get("title", "")): raw}
    for name, body in bodies.items():
        model = models.get(name)
        if model is None:
            continue
        for field, text in _docstrings(model).items():
            alias = model.model_fields[field].alias or field
            if alias in body.get("properties", {}):
                body["properties"][alias]["description"] = text


def _all_models(model: type[Model]) -> Iterator[type[Model]]:
    for child in model.__subclasses__():
        yield child
        yield from _all_models(child)


@cache
def _docstrings(model: type[Model]) -> dict[str, str]:
    """The text under each field of a model, its own and inherited ones."""
    found: dict[str, str] = {}
    for origin in reversed(model.__mro__):
        if origin is Model or not (isinstance(origin, type) and issubclass(origin, Model)):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(origin))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in pairwise(body.body):
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                continue
            if (
                isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                found[field.target.id] = inspect.cleandoc(text.value.value)
    return found


class _Converter:
    """From what pydantic says to draft-07 as editors read it best."""

    def convert(self, schema: Mapping[str, Any]) -> Schema:
        if _is_step_union(schema):
            return {"$ref": "#/definitions/Step"}
        result: Schema = {}
        for key, value in schema.items():
            match key:
                case "title" if isinstance(value, str):
                    continue
                case "discriminator":
                    continue
                case "default" if value is None or isinstance(value, dict):
                    continue  # `None` is what is not written; editors offer a mapping's default as text
                case "$ref":
                    result[key] = str(value).replace("#/$defs/", "#/definitions/")
                case "properties" | "patternProperties":
                    result[key] = {name: self.convert(inner) for name, inner in value.items()}
                case "anyOf" | "oneOf":
                    result.update(self.union([self.convert(form) for form in value]))
                case "items" | "additionalProperties" | "propertyNames" if isinstance(value, dict):
                    result[key] = self.convert(value)
                case "prefixItems":
                    result["items"] = [self.convert(inner) for inner in value]
                case _:
                    result[key] = value
        if "patternProperties" in result and "additionalProperties" not in result:
            result["additionalProperties"] = False
        if "$ref" in result and len(result) > 1:  # draft-07 ignores what stands beside a reference
            result = {"allOf": [{"$ref": result.pop("$ref")}], **result}
        if "description" in result:  # first, wherever it came from
            result = {"description": result.pop("description"), **result}
        return result

    def union(self, forms: Sequence[Schema]) -> Schema:
        """Forms told apart by what they look like, so that only the one that is meant complains."""
        forms = [form for form in forms if form != {"type": "null"}]
        if len(forms) == 1:
            return dict(forms[0])
        if all(set(form) == {"type"} and isinstance(form["type"], str) for form in forms):
            return {"type": [form["type"] for form in forms]}
        if any(form.get("$ref") == "#/definitions/RangeAxis" for form in forms):
            return _axis(forms)
        by_type = [(_json_type(form), form) for form in forms]
        kinds = [kind for kind, _ in by_type]
        if None in kinds or len(set(map(str, kinds))) != len(kinds):
            return {"anyOf": list(forms)}
        types = [one for kind in kinds for one in ([kind] if isinstance(kind, str) else kind or [])]
        chosen: Schema = {"type": types}
        for kind, form in reversed(by_type):
            chosen = {"if": {"type": kind}, "then": form, "else": chosen}
        return chosen


def _is_step_union(schema: Mapping[str, Any]) -> bool:
    forms = schema.get("oneOf", ())
    return any(form.get("$ref", "").endswith("/MeasureStep") for form in forms if isinstance(form, dict))


def _json_type(form: Schema) -> str | list[str] | None:
    """What a value must be for a form to be meant; a reference is to a model."""
    if "$ref" in form:
        return "object"
    kind = form.get("type")
    if isinstance(kind, str | list):
        return kind
    if "enum" in form or "const" in form:
        values = form.get("enum", [form.get("const")])
        return "string" if all(isinstance(value, str) for value in values) else None
    return None


def _axis(forms: Sequence[Schema]) -> Schema:
    """A list, or a mapping told by its keys; the forms of `zip` are mappings of axes."""
    by_name = {form["$ref"].rpartition("/")[2]: form for form in forms if "$ref" in form}
    listed = next(form for form in forms if form.get("type") == "array")
    zipped = next((form for form in forms if form.get("type") == "object"), None)
    otherwise: Schema = by_name["RangeAxis"]
    if zipped is not None:
        is_range = {"anyOf": [{"required": [key]} for key in _RANGE_KEYS]}
        otherwise = {"if": is_range, "then": by_name["RangeAxis"], "else": zipped}
    chosen: Schema = {"if": {"required": ["values"]}, "then": by_name["ListAxis"], "else": otherwise}
    if "SearchAxis" in by_name:
        chosen = {"if": {"required": ["find"]}, "then": by_name["SearchAxis"], "else": chosen}
    other: Schema = {"if": {"type": "object"}, "then": chosen, "else": {"type": ["array", "object"]}}
    return {"if": {"type": "array"}, "then": listed, "else": other}


def _step(definitions: Mapping[str, Schema]) -> Schema:
    """One step: what its verb says, or, without one, which verbs there are."""
    from schemas.steps import VERBS, StepBase

    fields: dict[str, Schema] = {}
    for verb, model in VERBS.items():
        body = definitions[model.__name__]
        fields[verb] = {"description": body.get("description", "")}
    common = definitions[next(iter(VERBS.values())).__name__]["properties"]
    for name, field in StepBase.model_fields.items():
        alias = field.alias or name
        if alias in common and "description" in common[alias]:
            fields[alias] = {"description": common[alias]["description"]}
    verbs = ", ".join(VERBS)
    chosen: Schema = {
        "anyOf": [{"required": [verb]} for verb in VERBS],
        "errorMessage": f"a step has exactly one verb: {verbs}",
    }
    for verb, model in reversed(VERBS.items()):
        chosen = {"if": {"required": [verb]}, "then": {"$ref": f"#/definitions/{model.__name__}"}, "else": chosen}
    return {
        "description": f"One step, with exactly one verb: {verbs}.",
        "type": "object",
        "properties": fields,
        **chosen,
    }
