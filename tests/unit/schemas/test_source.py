"""Offsets, lines and columns; and the way back from a value to the file."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.reader import read_text
from schemas.source import Source, SourceMap


def where(text: str) -> SourceMap:
    return read_text(text, "x.yaml").source_map


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("", 0, (1, 1)),
        ("ab", 2, (1, 3)),
        ("a\nb", 2, (2, 1)),
        ("a\r\nb", 3, (2, 1)),
        ("a\r\nb", 1, (1, 2)),
        ("a\n", 2, (2, 1)),
        ("a\u2028b\x85c\n", 4, (1, 5)),
        ("é😀x", 2, (1, 3)),
        ("abc", 99, (1, 4)),
        ("abc", -5, (1, 1)),
    ],
)
def test_lines_and_columns_are_counted_as_editors_do(text: str, offset: int, expected: tuple[int, int]) -> None:
    assert Source("x", text).line_col(offset) == expected


def test_a_line_comes_without_its_line_end() -> None:
    source = Source("x", "one\r\ntwo\n\nfour")
    assert [source.line(number) for number in range(6)] == ["", "one", "two", "", "four", ""]


@given(st.text(alphabet="ab\r\n"), st.integers(0, 40))
def test_line_starts_and_columns_agree(text: str, offset: int) -> None:
    source = Source("x", text)
    offset = min(offset, len(text))
    line, column = source.line_col(offset)
    assert source.line_start(line) + column - 1 == offset


def test_a_span_says_where_it_is() -> None:
    span = Source("ldo.yaml", "a: 1\nbc: 2\n").span(5, 7)
    assert (str(span), span.line, span.column, span.text) == ("ldo.yaml:2:1", 2, 1, "bc")


def test_a_span_stays_inside_the_text() -> None:
    span = Source("x", "abc").span(2, 99)
    assert (span.start, span.end) == (2, 3)


def test_sources_are_equal_by_name_and_text() -> None:
    one, other = Source("x", "a\nb"), Source("x", "a\nb")
    one.line_col(2)
    assert one == other
    assert hash(one) == hash(other)


def test_a_path_that_does_not_exist_gives_its_nearest_ancestor() -> None:
    found = where("steps:\n  - set: {psu: 1}\n")
    assert found.value(("steps", 0, "set", "dmm")).text == "{psu: 1}"
    assert found.key(("steps", 0, "set", "dmm", 3)).text == "set"
    assert found.value(("steps", 7)).line == 2
    assert not found.has(("steps", 0, "set", "dmm"))
    assert found.has(("steps", 0, "set", "psu"))
    assert found.value(()).start == 0


def test_a_large_mapping_is_found_by_its_keys() -> None:
    found = where("".join(f"key{number}: v{number}\n" for number in range(100)))
    assert found.value(("key77",)).text == "v77"
    assert found.key(("key99",)).text == "key99"


@pytest.mark.parametrize(
    ("text", "start", "end", "expected"),
    [
        ("k: vin > vout", 6, 10, "vout"),
        ('k: "vin > vout"', 6, 10, "vout"),
        ("k: 'vin > vout'", 6, 10, "vout"),
        ("k: 'a''b + c'", 1, 2, "''"),
        ("k: 'a''b + c'", 6, 7, "c"),
        (r'k: "a\tb + c"', 6, 7, "c"),
        (r'k: "a\u00b5b"', 1, 2, r"\u00b5"),
        ('k: "{{ vin }} V"', 3, 6, "vin"),
        ("k: |\n  one\n  two + x\n", 8, 9, "+"),
        ("k: |2\n    one\n  two\n", 2, 5, "one"),
        ("k: >-\n  one\n  two\n\n  three\n", 4, 7, "two"),
        ("k: >-\n  one\n  two\n\n  three\n", 8, 13, "three"),
        ("k: one\n  two\n  three\n", 8, 13, "three"),
        ('k: "one\n  two\\\n  three"\n', 7, 12, "three"),
        ("k: &name vin + x", 6, 7, "x"),
        ("k: vin", 3, 3, ""),
        ("k: vin", 1, 99, "in"),
        ("k: 12.5", 3, 4, "5"),
    ],
)
def test_characters_of_a_value_are_found_in_the_file(text: str, start: int, end: int, expected: str) -> None:
    assert where(text).inside(("k",), start, end).text == expected


def test_the_end_of_a_text_is_a_place_of_its_own() -> None:
    assert where('k: "1 +"').inside(("k",), 3, 3).start == len('k: "1 +')


STYLES = st.sampled_from([None, "'", '"', "|", ">"])
TEXTS = st.lists(
    st.sampled_from(
        ["vin", "vout", ">", "3.2", "(", ")", "'x'", '"ok"', "µ", "\\d", "a:b", "#1", "😀", "\n", "\n\n", "é"]
    ),
    min_size=1,
    max_size=25,
).map(" ".join)


@given(TEXTS, STYLES, st.booleans(), st.sampled_from([20, 40, 1000]))
@settings(max_examples=400, deadline=None)
def test_every_visible_character_is_found_whatever_the_quoting(
    value: str, style: Any, unicode: bool, width: int
) -> None:
    text = yaml.dump({"k": {"e": value}}, default_style=style, allow_unicode=unicode, width=width)
    assume(yaml.safe_load(text) == {"k": {"e": value}})  # the dumper itself breaks indented lines of a folded block
    found = where(text)
    assert found.get(("k", "e")) == value
    for number, character in enumerate(value):
        if character in " \n":
            continue
        written = found.inside(("k", "e"), number, number + 1).text
        assert written in (character, "''", f"\\{character}") or (written.startswith("\\") and not character.isascii())
