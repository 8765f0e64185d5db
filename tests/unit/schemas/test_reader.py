"""The reader: what it accepts, what it refuses and where it points."""

from __future__ import annotations

import gc
import math
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.diagnostics import InvalidFiles, as_json, render
from schemas.reader import Document, Limits, read_data, read_file, read_text

MALFORMED = Path(__file__).parents[2] / "data" / "malformed"


def problems_of(text: str, limits: Limits | None = None) -> list[tuple[str, int, int]]:
    with pytest.raises(InvalidFiles) as caught:
        read_text(text, "x.yaml", limits or Limits())
    return [(found.code, found.span.line, found.span.column) for found in caught.value.problems if found.span]


def refused_by_the_reader(path: Path) -> bool:
    """The folder also holds files that only validation refuses."""
    try:
        read_file(path, path.name)
    except InvalidFiles:
        return True
    return False


CASES = sorted(path.stem for path in MALFORMED.glob("*.yaml") if refused_by_the_reader(path))


@pytest.mark.parametrize("case", CASES)
def test_a_malformed_file_is_told_as_in_its_golden_message(case: str) -> None:
    path = MALFORMED / f"{case}.yaml"
    with pytest.raises(InvalidFiles) as caught:
        read_file(path, path.name)
    told = render(caught.value.problems) + "\n"
    golden = path.with_suffix(".txt")
    if os.environ.get("BENCHWRIGHT_UPDATE_GOLDEN"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")
    for found in caught.value.problems:
        assert as_json(found)["line"] >= 1


def test_there_are_enough_malformed_cases() -> None:
    assert len(CASES) >= 25


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True), ("True", True), ("FALSE", False), ("on", "on"), ("off", "off"), ("yes", "yes"), ("no", "no"),
        ("y", "y"), ("12:30", "12:30"), ("0o17", "0o17"), ("017", 17), ("0x1F", 31), ("1_000", "1_000"), ("1e3", 1000.0),
        (".5", 0.5), ("1.", 1.0), ("+3", 3), ("-0", 0), ("~", None), ("null", None), ("", None), ("2027-03-01", "2027-03-01"),
        ("1.0.0", "1.0.0"), (".inf", math.inf), ("-.inf", -math.inf), ("3.3 V", "3.3 V"), ("=", "="), ("5e", "5e"),
        ("'1'", "1"), ('"true"', "true"), ("-", None), ("0b1", "0b1"), ("9223372036854775807", 2**63 - 1),
    ],
)  # fmt: skip
def test_unquoted_scalars_mean_what_yaml_1_2_says(written: str, value: Any) -> None:
    if written == "-":
        assert read_text("k:\n  -\n", "x.yaml").value == {"k": [None]}
        return
    read = read_text(f"k: {written}\n", "x.yaml").value["k"]
    assert read == value
    assert type(read) is type(value)


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(read_text("k: .nan", "x.yaml").value["k"])


def test_all_problems_of_a_file_are_told_at_once() -> None:
    found = problems_of("a: 1\na: 2\nb: 1e999\nc: {x: 1,5 V}\nd: !t x\ne: *nobody\n")
    assert [code for code, _, _ in found] == ["Y012", "Y015", "Y017", "Y008", "Y013"]


def test_reading_stops_after_a_hundred_problems() -> None:
    assert len(problems_of("".join("a: 1\n" for _ in range(5_000)))) == 100


def test_every_value_of_a_file_is_found_again_where_it_stood() -> None:
    text = "sequence: demo\nsteps:\n  - set: {psu.voltage: 3.3 V}\n  - 'x y': [1, \"two\"]\n"
    document = read_text(text, "x.yaml")
    where = document.source_map
    assert where.value(("steps", 0, "set", "psu.voltage")).text == "3.3 V"
    assert where.key(("steps", 0, "set", "psu.voltage")).text == "psu.voltage"
    assert where.key(("steps", 1, "x y")).text == "'x y'"
    assert where.value(("steps", 1, "x y", 1)).text == '"two"'


def test_an_alias_gives_the_value_and_points_at_itself() -> None:
    document = read_text("a: &band {min: 1}\nb: *band\nc: &n 5\nd: *n\n", "x.yaml")
    assert document.value == {"a": {"min": 1}, "b": {"min": 1}, "c": 5, "d": 5}
    assert document.source_map.value(("b",)).text == "*band"
    assert document.source_map.value(("b", "min")).line == 1
    assert document.source_map.value(("c",)).text == "5"


def test_a_merge_key_copies_what_is_not_given() -> None:
    document = read_text("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  <<: [*a, *b]\n  x: 9\n", "x.yaml")
    assert document.value["c"] == {"x": 9, "y": 2, "z": 4}
    assert document.source_map.value(("c", "z")).text == "4"
    assert document.source_map.value(("c", "z")).line == 2


def test_a_quoted_merge_key_is_a_plain_key() -> None:
    assert read_text('a: {"<<": 1}', "x.yaml").value == {"a": {"<<": 1}}


def test_a_comment_behind_a_mapping_does_not_belong_to_it() -> None:
    document = read_text("a:\n  b: 1\n\n# about c\nc: 2\n", "x.yaml")
    assert document.source_map.value(("a",)).text == "b: 1"


def test_a_byte_order_mark_is_no_character() -> None:
    document = read_data(b"\xef\xbb\xbfa: 1\n", "x.yaml")
    assert document.value == {"a": 1}
    assert document.source_map.key(("a",)).column == 1


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Limits(line_length=10), "a: 12345678901\n"),
        (Limits(scalar_length=10), 'a: "12345678901"\n'),
        (Limits(scalar_length=10), "a: 12345678901\n"),
        (Limits(key_length=10), "a23456789012: 1\n"),
        (Limits(number_length=10), "a: 12345678901\n"),
        (Limits(depth=3), "a: [[[1]]]\n"),
        (Limits(aliases=2), "a: &a 1\nb: [*a, *a, *a]\n"),
        (Limits(free_nodes=5, nodes_per_four_characters=0), "a: &a [1, 2]\nb: [*a, *a]\n"),
        (Limits(file_bytes=3), "a: 1\n"),
        (Limits(entries=3), "a: [1, 2, 3]\n"),
        (Limits(entries=3), "a: 1\nb: {c: 1, d: 2}\n"),
        (Limits(most_nodes=5), "a: &a [1, 2]\nb: [*a, *a]\n"),
    ],
)
def test_a_text_beyond_a_limit_is_refused(limits: Limits, text: str) -> None:
    read_text(text, "x.yaml")
    assert problems_of(text, limits)[0][0] in ("Y003", "Y015")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{a: " * 100_000,
        "- " * 9_000,
        "a0: &a0 {k: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 60)),
        "a: &a [" + "x, " * 20_000 + "]\nb:\n" + "  - *a\n" * 40_000,
        "m: &m {" + ", ".join(f"k{i}: 1" for i in range(900)) + "}\nn: {<<: [" + "*m,\n" * 40_000 + "]}\n",
        "".join(f"k{i}: 1\n" for i in range(50_000)) * 2,
        '"' * 50_001,
        "a: " + "'" * 19_001,
        "&a " * 5_000,
        "? " * 5_000,
        "!" * 10_000,
        "- &x\n" * 30_000,
        "a: |\n" + " x\n" * 100_000,
        "k: \\\n" * 50_000,
        "{{" * 9_000,
        "a: 1\nkey x" + " " * 19_000 + "y\nb: 1",
        "key" + " " * 19_000 + "y\n  b: 1",
        "a: [" + '"" ' * 6_000 + "{{",
        "a: " + "- " * 9_000 + "[ {{",
        "x: {{" + '"' * 19_001,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_a_hostile_text_is_answered_in_time(text: str) -> None:
    began = time.process_time()
    try:
        read_text(text, "x.yaml")
    except InvalidFiles as error:
        render(error.problems)
    assert time.process_time() - began < 3.0


def test_a_no_break_space_inside_text_is_text() -> None:
    text = 'doc: |\n  Note:\u00a0a\n  \u00a0b\ntitle: "a\n  \u00a0b"\nunit: 5\u00a0V\n'
    assert read_text(text, "x.yaml").value["doc"] == "Note:\u00a0a\n\u00a0b\n"
    assert problems_of(text + "other:\u00a0x\n") == [("Y005", 7, 7)]
    assert problems_of("a: [1\n" + text) == [("Y116", 1, 4)]


def test_collection_goes_on_after_reading() -> None:
    assert gc.isenabled()
    read_text("a: 1", "x.yaml")
    assert gc.isenabled()
    problems_of("a: [")
    assert gc.isenabled()


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(InvalidFiles, match=r"there is no such file"):
        read_file(tmp_path / "none.yaml", "none.yaml")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidFiles, match="is a directory"):
        read_file(tmp_path, "folder")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InvalidFiles, match="not a regular file"):
        read_file(tmp_path / "pipe.yaml", "pipe.yaml")


def test_a_device_is_no_file() -> None:
    assert stat.S_ISCHR(os.stat("/dev/zero").st_mode)
    with pytest.raises(InvalidFiles, match="not a regular file"):
        read_file(Path("/dev/zero"), "zero")


def test_a_file_name_with_a_nul_is_a_problem() -> None:
    with pytest.raises(InvalidFiles):
        read_file(Path("a\0b"), "a")


def test_an_unreadable_file_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text("a: 1")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(InvalidFiles, match="may not be read"):
        read_file(path, "secret.yaml")


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("a: 12345678\n")
    with pytest.raises(InvalidFiles, match="12 bytes; at most 4"):
        read_file(path, "large.yaml", Limits(file_bytes=4))


def check(document_or_error: Document | InvalidFiles) -> None:
    if isinstance(document_or_error, Document):
        return
    problems = document_or_error.problems
    assert problems
    render(problems)
    for found in problems:
        assert found.span is not None
        for span in (found.span, *(span for span, _ in found.notes)):
            assert 0 <= span.start <= span.end <= len(span.source.text)
        as_json(found)


FRAGMENTS = st.sampled_from(
    ["a", "b: ", ":", " ", "\n", "\n  ", "- ", "[", "]", "{", "}", "{{ x }}", ",", '"', "'", "|", ">", "&a ", "*a", "!t ",
     "#", " # c", "\t", "?", "? ", "---\n", "...", "%", "@", "<<: ", "1", "1,5 V", "\\", "é", "\u00a0", "\u202e", "：", "\r", "\r\n"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(FRAGMENTS, max_size=40).map("".join)))
@settings(max_examples=600, deadline=None)
@example("&a\n- *a")
@example("a: &b")
@example("? ")
@example("{{")
@example("{a: {{")
def test_no_text_gives_anything_but_a_document_or_problems(text: str) -> None:
    try:
        result: Document | InvalidFiles = read_text(text, "x.yaml")
    except InvalidFiles as error:
        result = error
    check(result)


@given(st.binary())
@settings(max_examples=300, deadline=None)
def test_no_bytes_give_anything_but_a_document_or_problems(data: bytes) -> None:
    try:
        result: Document | InvalidFiles = read_data(data, "x.yaml")
    except InvalidFiles as error:
        result = error
    check(result)


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp")), max_size=20
)
KEYS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=10).filter(
    lambda key: key != "<<"
)
PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        WORDS,
        st.sampled_from(
            ["on", "0o17", "12:30", "- x", "a: b", "#", "{{ x }}", "a\nb", "a\n\n  b\n", " x ", "null", "1e5"]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=25,
)


class CoreDumper(yaml.SafeDumper):
    """Writes floats and words so that YAML 1.2 reads them as written."""


CoreDumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def represent_float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    """PyYAML quotes `5e-324`: its numbers need a point."""
    text = f"{'-' if value < 0 else ''}.inf" if math.isinf(value) else repr(value)
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


CoreDumper.add_representer(float, represent_float)
CoreDumper.ignore_aliases = lambda self, data: True  # type: ignore[method-assign]


@given(PLAIN, st.booleans(), st.booleans())
@settings(max_examples=300, deadline=None)
def test_what_was_written_is_read_again(value: Any, flow: bool, unicode: bool) -> None:
    text = yaml.dump(value, Dumper=CoreDumper, default_flow_style=flow, allow_unicode=unicode, width=60)
    document = read_text(text, "x.yaml")
    assert document.value == value

    def visit(path: tuple[Any, ...], node: Any) -> None:
        assert document.source_map.has(path)
        span = document.source_map.value(path)
        assert 0 <= span.start <= span.end <= len(text)
        if isinstance(node, bool | int | float):
            assert read_text(span.text, "x.yaml").value == node
        if isinstance(node, dict):
            for key, inner in node.items():
                visit((*path, key), inner)
        elif isinstance(node, list):
            for number, inner in enumerate(node):
                visit((*path, number), inner)

    visit((), value)


@pytest.mark.parametrize(
    "text",
    [
        "sequence: demo\nsteps:\n" + "  - log: hello\n" * 600_000,
        "sequence: demo\nsteps: []\n" + "".join(f"k{number}: 1\n" for number in range(600_000)),
    ],
)
def test_a_file_with_more_entries_than_anybody_writes_is_refused_at_once_and_names_the_limit(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(InvalidFiles) as caught:
        read_text(text, "x.yaml")
    (problem,) = caught.value.problems
    assert problem.message == "this file has more than 100,000 entries of lists and mappings"
    assert problem.span is not None
    assert problem.span.line > 40_000
    assert time.monotonic() - began < 10
