"""The published schemas are what the models say, accept what the models accept, and complain where a mistake is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.diagnostics import InvalidFiles
from schemas.loading import load_text
from schemas.publish import PUBLISHED, file_name, outdated, schema_of, schema_text
from schemas.reader import read_file, read_text
from schemas.steps import VERBS

REPOSITORY = Path(__file__).parents[3]
SHIPPED = sorted(
    path
    for folder in ("sequences", "stations")
    for path in (REPOSITORY / folder).rglob("*.yaml")
)  # fmt: skip


@pytest.fixture(scope="module")
def validators() -> dict[str, Any]:
    found = {}
    for kind in PUBLISHED:
        schema = schema_of(kind)
        jsonschema.Draft7Validator.check_schema(schema)
        found[kind] = jsonschema.Draft7Validator(schema)
    return found


def errors(validator: Any, value: Any) -> list[str]:
    """Messages with their places, down to the innermost that an editor shows."""
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(value)]


@pytest.mark.parametrize("kind", PUBLISHED)
def test_the_schemas_in_the_repository_are_up_to_date(kind: str) -> None:
    path = REPOSITORY / "schemas" / "json" / file_name(kind)
    assert path.read_text(encoding="utf-8") == schema_text(kind), "write them with `benchwright schema --write`"


def test_what_is_out_of_date_is_named(tmp_path: Path) -> None:
    assert outdated(tmp_path) == [file_name(kind) for kind in PUBLISHED]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_file_is_valid(path: Path, validators: dict[str, Any]) -> None:
    value = read_file(path, path.name).value
    assert errors(validators[next(iter(value))], value) == []


def test_a_schema_is_draft_07_with_hover_text_and_without_titles_of_fields() -> None:
    schema = schema_of("sequence")
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["definitions"]["MeasureStep"]["properties"]["samples"]["description"] == "How many readings."
    assert schema["properties"]["steps"]["description"] == "The procedure."
    text = schema_text("sequence")
    assert text.count('"title": "') == 1
    assert "$defs" not in text
    assert "oneOf" not in text


def test_a_step_offers_every_verb_with_its_meaning() -> None:
    fields = schema_of("sequence")["definitions"]["Step"]["properties"]
    assert set(VERBS) <= set(fields)
    assert fields["measure"]["description"] == "Read, judge and record one named value."


STEPS = [
    "set: {psu.voltage: 5 V, psu.output: on}",
    "measure: vout\nfrom: dmm.voltage_dc\nlimit: {min: 3 V}\nsamples: 5",
    "measure: vout\nat: VOUT\nlimit: none\nretry: {times: 2, for: [fail, error], delay: 5 s, remedy: [{log: again}]}",
    "measure: vout\nfrom: dmm.voltage_dc\nlimit: [{when: x > 1, max: 3 V}, {max: 4 V}]",
    "sweep: {a: [1, 2], b: {from: 1 V, to: 5 V, step: 1 V}, zip: {c: [1], d: {values: [2], unit: V}}}\neach: [{log: x}]",
    "sweep: {pin: {find: {from: 0 V, to: 5 V, within: 1 mV, where: x < 1}}}\neach: [{log: x}]",
    "sweep: {a: {from: 1, to: 5, points: '{{ n }}', log: true}}\neach: [{log: x}]",
    "repeat: 48\nuntil: x > 1\nevery: 5 s\neach: [{wait: 30 s}]",
    "if: x > 1\nthen: [{log: yes}]\nelse: [{log: no}]",
    "parallel: [[{log: a}], [{log: b}]]",
    "group: power\nsetup: [{log: a}]\nmonitors: {hot: {from: tc.temperature, every: 5 s, limit: {max: 45 degC}}}",
    "call: other\nwith: {vin: 5 V}\nroles: {a: b}\nstore: {x: y}",
    "query: {dmm: '*IDN?'}\nexpect: KEY.*\nstore: who",
    "prompt: ready?\nkind: choice\nchoices: [a, b]\nunattended: {answer: a}",
    "record: {a: 1, b: {c: [1, 2]}}",
    "wait: 30 s\nwhen: true\nafter: []",
]


@pytest.mark.parametrize("step", STEPS)
def test_what_the_models_accept_the_schema_accepts(step: str, validators: dict[str, Any]) -> None:
    lines = "\n    ".join(step.splitlines())
    text = f"sequence: s\nsteps:\n  - {lines}\n"
    assert errors(validators["sequence"], load_text(text, "s.yaml").source_map.root) == []


MISTAKES = [
    ("sequence", "sequence: s\nsteps:\n  - mesure: x\n", "steps/0"),
    ("sequence", "sequence: s\nsteps:\n  - measure: x\n    form: dmm.voltage_dc\n", "form"),
    ("sequence", "sequence: s\nsteps:\n  - measure: x\n    from: dmm\n", "steps/0/from"),
    ("sequence", "sequence: s\nsteps:\n  - measure: x\n    set: {a.b: 1}\n", "measure"),
    ("sequence", "sequence: s\nsteps: []\n", "steps"),
    ("sequence", "sequence: s\n", "steps"),
    ("sequence", "sequence: s\nlimts: {}\nsteps: [{log: x}]\n", "limts"),
    ("sequence", "sequence: s\nlimits: {x: {mn: 1}}\nsteps: [{log: x}]\n", "mn"),
    ("sequence", "sequence: s\nsteps:\n  - sweep: {a: {from: 1, to: 2, stp: 1}}\n    each: [{log: x}]\n", "stp"),
    ("sequence", "sequence: s\nsteps:\n  - sweep: {a: 5}\n    each: [{log: x}]\n", "steps/0/sweep/a"),
    ("sequence", "sequence: S!\nsteps: [{log: x}]\n", "sequence"),
    ("station", "station: s\nclock: vrtual\ninstruments: {a: {driver: d}}\n", "clock"),
    ("station", "station: s\ninstruments: {a: {driver: d, adress: x}}\n", "adress"),
    ("driver", "driver: d\ncapability: c\nproperties: {x: {unt: V, get: 'X?'}}\n", "unt"),
    ("device", "device: d\nmodel: thermal_camber\n", "model"),
    ("settings", "reslts: x\n", "reslts"),
    ("settings", "logging: {level: loud}\n", "logging/level"),
]


@pytest.mark.parametrize(("kind", "text", "where"), MISTAKES)
def test_a_typical_mistake_gets_one_message_at_its_place(
    kind: str, text: str, where: str, validators: dict[str, Any]
) -> None:
    found = errors(validators[kind], read_text(text, "x.yaml").value)
    assert len(found) == 1, found
    assert where in found[0]


@pytest.mark.parametrize(("kind", "text", "where"), [one for one in MISTAKES if one[0] != "settings"])
def test_the_models_refuse_the_same_mistakes(kind: Any, text: str, where: str) -> None:
    with pytest.raises(InvalidFiles):
        load_text(text, "x.yaml", kind)
