"""pydantic's errors at their place in the file, in plain words."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.diagnostics import Problems
from schemas.locate import add_validation_errors
from schemas.reader import read_text


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


def volts(value: Any) -> Any:
    if isinstance(value, str):
        bad = value.find("x")
        if bad >= 0:
            raise PydanticCustomError(
                "quantity",
                "unknown unit `{unit}`",
                {"unit": value[bad:], "help": "such as V", "start": bad, "end": len(value)},
            )
        return float(value.removesuffix("V"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("quantity", "expected a voltage such as `3.3 V`", {"code": "Q009"})
    return value


Volts = Annotated[float, BeforeValidator(volts)]


class Limit(Strict):
    min: Volts | None = None
    max: Volts | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError(
                "limit", "min is above max", {"key": "max", "label": "this one", "help": ["swap", "them"]}
            )
        return self


class Measure(Strict):
    measure: str
    from_: str = Field(alias="from")
    samples: Annotated[int, Field(ge=1)] = 1
    limit: Limit | None = None
    statistic: Literal["mean", "median"] = "mean"
    once: bool = False
    tags: list[Annotated[str, Field(max_length=5)]] = []
    gain: float = 1.0
    sites: dict[str, Volts] = {}


class Group(Strict):
    group: str
    steps: Annotated[list[Step], Field(min_length=1)]


class Wait(Strict):
    wait: bool | Limit | list[int]

    @field_validator("wait")
    @classmethod
    def _not_false(cls, value: Any) -> Any:
        if value is False:
            raise ValueError("waiting for nothing")
        return value


def verb(value: Any) -> str | None:
    return (
        next((key for key in value if key in ("measure", "group", "wait")), None) if isinstance(value, dict) else None
    )


Step = Annotated[
    Annotated[Measure, Tag("measure")] | Annotated[Group, Tag("group")] | Annotated[Wait, Tag("wait")],
    Discriminator(verb),
]


class File(Strict):
    sequence: str
    steps: list[Step] = []
    version: Annotated[str, Field(pattern=r"^\d+$")] | None = None


Group.model_rebuild()
File.model_rebuild()


def told(text: str) -> list[tuple[str, str, str, int]]:
    """Code, message, what is underlined and the line, of each problem."""
    document = read_text(text, "x.yaml")
    problems = Problems()
    with pytest.raises(ValidationError) as caught:
        File.model_validate(document.value)
    add_validation_errors(caught.value, document.source_map, problems, model=File)
    return [
        (found.code, found.message, found.span.text, found.span.line) for found in problems if found.span is not None
    ]


def hints(text: str) -> list[tuple[str, tuple[str, ...]]]:
    document = read_text(text, "x.yaml")
    problems = Problems()
    with pytest.raises(ValidationError) as caught:
        File.model_validate(document.value)
    add_validation_errors(caught.value, document.source_map, problems, model=File)
    return [(found.label, found.help) for found in problems]


HEAD = "sequence: x\nsteps:\n  - measure: measure\n    from: dmm.v\n"


@pytest.mark.parametrize(
    ("text", "code", "message", "underlined"),
    [
        (HEAD + "    smples: 3\n", "S002", "unknown key `smples`", "smples"),
        (HEAD + "    samples: 0\n", "S006", "0 is too small: at least 1", "0"),
        (HEAD + "    samples: 1.5\n", "S004", "expected a whole number, found the number 1.5", "1.5"),
        (HEAD + "    samples: five\n", "S004", "expected a whole number, found text `five`", "five"),
        (HEAD + "    once: yes\n", "S004", "expected true or false, found text `yes`", "yes"),
        (HEAD + "    gain: '1,5'\n", "S004", "expected a number, found text `1,5`", "'1,5'"),
        (HEAD + "    gain: [1]\n", "S004", "expected a number, found a list", "[1]"),
        (HEAD + "    gain:\n      a: 1\n", "S004", "expected a number, found a mapping", "gain"),
        (HEAD + "    gain:\n", "S004", "expected a number, found nothing", "gain"),
        (HEAD + "    tags: a\n", "S004", "expected a list, found text `a`", "a"),
        (HEAD + "    tags: [ok, toolong]\n", "S007", "this text must have at most 5 characters", "toolong"),
        (HEAD + "    statistic: mode\n", "S005", "text `mode` is not one of the words allowed here", "mode"),
        (HEAD + "    limit: 5\n", "S004", "expected a mapping, found the number 5", "5"),
        (HEAD + "    limit: {min: 1, mx: 2}\n", "S002", "unknown key `mx`", "mx"),
        (HEAD + "    limit: {min: 2, max: 1}\n", "S020", "min is above max", "max"),
        (HEAD + "    limit: {max: 3 xV}\n", "Q000", "unknown unit `xV`", "xV"),
        (HEAD + '    limit: {max: "3 \\u0078V"}\n', "Q000", "unknown unit `xV`", "\\u0078V"),
        (HEAD + "    limit: {max: true}\n", "Q009", "expected a voltage such as `3.3 V`", "true"),
        (HEAD + "    sites: {1: 3}\n", "S004", "expected text, found the number 1", "1"),
        ("sequence: 5\n", "S004", "expected text, found the number 5", "5"),
        ("sequence: x\nversion: 1.0.0\n", "S008", "`1.0.0` does not have the form wanted here", "1.0.0"),
        ("steps: []\n", "S001", "missing key `sequence`", "steps"),
        ("sequence: x\nsteps:\n  - measure: m\n", "S001", "missing key `from`", "measure"),
        ("sequence: x\nsteps:\n  - group: g\n    steps: []\n", "S007", "expected at least 1 entry, found 0", "[]"),
        ("sequence: x\nsteps:\n  - 5\n", "S003", "expected a mapping, found the number 5", "5"),
        (
            "sequence: x\nsteps:\n  - wait: no\n",
            "S003",
            "expected true, false, a mapping or a list, found text `no`",
            "no",
        ),
        ("sequence: x\nsteps:\n  - wait: {mn: 1}\n", "S002", "unknown key `mn`", "mn"),
        ("sequence: x\nsteps:\n  - wait: [1, a]\n", "S004", "expected a whole number, found text `a`", "a"),
        ("sequence: x\nsteps:\n  - wait: false\n", "S020", "waiting for nothing", "false"),
        (
            "sequence: x\nsteps:\n  - group: g\n    steps:\n      - group: steps\n        steps: [{measure: group, from: 5}]\n",
            "S004",
            "expected text, found the number 5",
            "5",
        ),
    ],
)
def test_a_mistake_is_told_once_where_it_stands(text: str, code: str, message: str, underlined: str) -> None:
    assert [found[:3] for found in told(text)] == [(code, message, underlined)]


def test_an_unknown_key_names_the_near_one_and_the_allowed_ones() -> None:
    assert hints(HEAD + "    smples: 3\n") == [
        ("did you mean `samples`?", ("allowed here: gain, limit, once, samples, sites, statistic, tags",))
    ]


def test_a_misspelt_required_key_is_one_problem() -> None:
    assert [found[1] for found in told("sequence: x\nsteps:\n  - measure: m\n    form: dmm.v\n")] == [
        "unknown key `form`"
    ]


def test_a_word_of_another_language_is_translated() -> None:
    assert hints(HEAD + "    once: on\n") == [("write `true`", ())]
    assert hints("sequence: 5.0\n") == [("", ('put it in quotes: "5.0"',))]


def test_a_key_of_another_form_is_recognised() -> None:
    class Listed(Strict):
        values: list[int]

    class Range(Strict):
        start: int
        stop: int

    axis: TypeAdapter[Any] = TypeAdapter(
        Annotated[
            Annotated[Listed, Tag("a")] | Annotated[Range, Tag("b")],
            Discriminator(lambda v: "a" if "values" in v else "b"),
        ]
    )
    document = read_text("valus: [1]\n", "x.yaml")
    problems = Problems()
    with pytest.raises(ValidationError) as caught:
        axis.validate_python(document.value)
    add_validation_errors(caught.value, document.source_map, problems, model=axis)
    assert [(found.message, found.label) for found in problems] == [("unknown key `valus`", "did you mean `values`?")]


def test_several_mistakes_are_told_together() -> None:
    found = told(HEAD + "    once: 1\n    limit: {min: x, mx: 2}\nversion: 1\nextra: 2\n")
    assert [entry[0] for entry in found] == ["S004", "Q000", "S002", "S004", "S002"]


def test_data_below_a_path_is_placed_below_it() -> None:
    document = read_text("outer:\n  inner: {min: 3 x}\n", "x.yaml")
    problems = Problems()
    with pytest.raises(ValidationError) as caught:
        Limit.model_validate(document.value["outer"]["inner"])
    add_validation_errors(caught.value, document.source_map, problems, model=Limit, path=("outer", "inner"))
    assert [str(found.span) for found in problems] == ["x.yaml:2:18"]


def test_mistakes_in_a_merged_mapping_are_told_where_it_was_written() -> None:
    text = "sequence: x\nsteps:\n  - measure: a\n    from: b\n    limit: &l {mn: 1}\n  - measure: b\n    from: b\n    limit: *l\n"
    assert told(text) == [("S002", "unknown key `mn`", "mn", 5)]


def test_very_many_mistakes_are_cut_short() -> None:
    found = told("sequence: x\n" + "".join(f"k{number}: 1\n" for number in range(500)))
    assert len(found) == 201
    assert "300 more problems" in {entry[1] for entry in found if entry[0] == "S000"}.pop()


KEYS = st.sampled_from(
    [
        "sequence",
        "steps",
        "measure",
        "from",
        "group",
        "wait",
        "limit",
        "min",
        "max",
        "samples",
        "once",
        "tags",
        "sites",
        "x",
    ]
)
DATA = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["a", "x", "3 V", "yes", "mean", ""])),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=30,
)


@given(DATA, st.booleans())
@settings(max_examples=500, deadline=None)
def test_every_error_has_a_place_and_plain_words(data: Any, flow: bool) -> None:
    text = yaml.safe_dump({"sequence": "x", "steps": [data, {"group": "g", "steps": [data]}]}, default_flow_style=flow)
    document = read_text(text, "x.yaml")
    try:
        File.model_validate(document.value)
    except ValidationError as error:
        problems = Problems()
        add_validation_errors(error, document.source_map, problems, model=File)
        assert problems
        for found in problems:
            assert found.span is not None
            assert 0 <= found.span.start <= found.span.end <= len(text)
            for word in ("Input", "valid ", "dictionary", "discriminator", "Extra"):
                assert word not in found.message


SCALARS = st.one_of(st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.sampled_from(["a", "5", "yes", "3 V"]))


@given(st.lists(st.tuples(st.sampled_from(["samples", "once", "gain", "statistic"]), SCALARS), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_what_is_underlined_is_the_value_pydantic_refused(settings_of: list[tuple[str, Any]]) -> None:
    steps = [{"measure": "measure", "from": "from", name: value} for name, value in settings_of]
    document = read_text(yaml.safe_dump({"sequence": "x", "steps": [{"group": "steps", "steps": steps}]}), "x.yaml")
    try:
        File.model_validate(document.value)
    except ValidationError as error:
        problems = Problems()
        add_validation_errors(error, document.source_map, problems, model=File)
        refused = [entry["input"] for entry in error.errors()]
        underlined = [read_text(found.span.text, "x").value for found in problems if found.span is not None]
        assert underlined == refused
        assert not any(isinstance(value, float) and math.isnan(value) for value in underlined)
