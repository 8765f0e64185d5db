"""Text to an instrument and back."""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bench.commands import compile_command, compile_query
from engine.bench.decode import bytes_decoder, decoder, short_form
from engine.bench.encode import command_encoder, number_text
from engine.bench.guard import checker
from engine.core.bench import PropertySpec
from engine.core.errors import GuardViolation, UnreadableReply, UsageError

FUNCTIONS = {"dcv": "VOLT:DC", "dci": "CURRent:DC", "ohm": "RES"}


def property_of(**changes: Any) -> PropertySpec:
    values: dict[str, Any] = {"name": "x", "type": "number", "unit": None, "get": "X?", "set": "X {{ value }}"}
    return PropertySpec(**{**values, **changes})


def decode(reply: str, **changes: Any) -> Any:
    return decoder(property_of(**changes), "X?", "psu.x")(reply)


def command(value: Any, text: str = "X {{ value }}", channel: str = "", **changes: Any) -> str:
    prop = property_of(set=text, **changes)
    template = compile_command(text, channel, "psu.x")
    return command_encoder(template, prop, "psu.x")(checker(prop, "psu.x", template)(value))


# --- to the instrument


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.3, "3.3"), (5, "5"), (0.0, "0"), (-0.0, "0"), (0.1 + 0.2, "0.3"), (1e-5, "1E-05"), (1e21, "1E+21"),
        (-40.0, "-40"), (123456789012.0, "123456789012"), (1 / 3, "0.333333333333"),
    ],
)  # fmt: skip
def test_a_number_is_sent_in_its_shortest_form(value: float, text: str) -> None:
    assert number_text(float(value)) == text


@pytest.mark.parametrize(
    ("text", "channel", "value", "sent"),
    [
        ("VOLT{{ channel }} {{ value }}", "2", 3.3, "VOLT2 3.3"),
        ("VOLT {{value:.3f}},(@{{channel}})", "101", 3.3, "VOLT 3.300,(@101)"),
        ("APPL {{ value }},{{ value:.2E }}", "", 5.0, "APPL 5,5.00E+00"),
        ("MEM {{ value:d }}", "", 7.0, "MEM 7"),
        ("{x} {{ value }} }", "", 1.0, "{x} 1 }"),
    ],
)
def test_a_command_is_filled_in(text: str, channel: str, value: float, sent: str) -> None:
    assert command(value, text, channel) == sent


@pytest.mark.parametrize(
    "text",
    [
        "X {{ value.__class__ }}",
        "X {{ valeu }}",
        "X {{ value:{value} }}",
        "X {{ value:>99999999 }}",
        "X\n{{ value }}",
        "{{ }}",
    ],
)
def test_a_command_that_means_nothing_is_refused_when_built(text: str) -> None:
    with pytest.raises(UsageError, match=r"psu\.x"):
        compile_command(text, "", "psu.x")


def test_a_query_has_no_value() -> None:
    with pytest.raises(UsageError, match="a query has no"):
        compile_query("X? {{ value }}", "", "psu.x")


def test_a_channel_cannot_begin_another_command() -> None:
    with pytest.raises(UsageError, match="channel"):
        compile_query("X{{ channel }}?", "1;*RST", "psu.x")


def test_words_and_switches_are_sent_as_the_driver_says() -> None:
    assert command(True, type="on_off") == "X ON"
    assert command(False, type="on_off") == "X OFF"
    assert command("dci", type="choice", choices=FUNCTIONS) == "X CURRent:DC"
    assert command([1.0, 0.5], type="array") == "X 1,0.5"


def test_a_text_ends_neither_its_quotation_marks_nor_its_command() -> None:
    assert command('say "hi"; now', 'X "{{ value }}"', type="text") == 'X "say ""hi""; now"'
    with pytest.raises(GuardViolation, match="nothing was sent"):
        command("1;OUTP ON", type="text")
    for text in ("a\nOUTP ON", "a\rb", "a\x00b", "a\u2028b", "a\x85b"):
        with pytest.raises(GuardViolation, match="control character"):
            command(text, 'X "{{ value }}"', type="text")


# --- from the instrument


@pytest.mark.parametrize(
    ("reply", "value"),
    [("3.3", 3.3), ("+1.00000E+01", 10.0), (" -4 ", -4.0), ("0", 0.0), (".5", 0.5), ("-9.8E37", -9.8e37)],
)
def test_a_number_is_read(reply: str, value: float) -> None:
    assert decode(reply) == value


@pytest.mark.parametrize("reply", ["9.91E37", "+9.90000000E+37", "-9.9E37", "1e400", "nan", "INF"])
def test_what_stands_for_no_reading_is_nan(reply: str) -> None:
    assert math.isnan(decode(reply))


def test_a_reading_at_the_drivers_overrange_is_nan() -> None:
    assert math.isnan(decode("1E9", overrange=1e9))
    assert math.isnan(decode("-1E9", overrange=1e9))
    assert decode("9.99E8", overrange=1e9) == 9.99e8


@pytest.mark.parametrize("reply", ["", "3,3", "3.3 V", "1_000", "١٢", "0x10", "ERROR: busy", '"3.3"', "1\n2"])
def test_what_only_looks_like_a_number_is_unreadable(reply: str) -> None:
    with pytest.raises(UnreadableReply, match="in reply to `X\\?` is not a number"):
        decode(reply)


@pytest.mark.parametrize(
    ("reply", "value"), [("1", True), ("on", True), ("TRUE", True), (" 0\n", False), ("Off", False)]
)
def test_a_switch_is_read(reply: str, value: bool) -> None:
    assert decode(reply, type="on_off") is value


@pytest.mark.parametrize("reply", ["", "2", "yes", "1.0", "ON OFF"])
def test_a_switch_is_nothing_else(reply: str) -> None:
    with pytest.raises(UnreadableReply, match="on or off"):
        decode(reply, type="on_off")


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        ("VOLT:DC", "dcv"), ('"VOLT:DC"', "dcv"), ("volt:dc", "dcv"), ("VOLTAGE:DC", "dcv"), (":VOLT:DC", "dcv"),
        ("CURR:DC", "dci"), ("CURRENT:DC", "dci"), ("'RES'", "ohm"), ("RESISTANCE", "ohm"),
    ],
)  # fmt: skip
def test_a_choice_is_read_in_short_and_long_form(reply: str, word: str) -> None:
    assert decode(reply, type="choice", choices=FUNCTIONS) == word


def test_a_choice_that_is_a_number_is_read_as_one() -> None:
    assert decode("+1.0E+1", type="choice", choices={"slow": "10", "fast": "1"}) == "slow"


def test_a_choice_is_never_guessed() -> None:
    ambiguous = {"one": "IMMEDIATE", "two": "IMM"}
    assert decode("IMMEDIATE", type="choice", choices=ambiguous) == "one"
    for reply in ("IMMEDI", "VOLT:AC", ""):
        with pytest.raises(UnreadableReply):
            decode(reply, type="choice", choices=ambiguous)


def test_short_forms_are_those_of_scpi() -> None:
    assert short_form("VOLTAGE:DC") == "VOLT:DC"
    assert short_form("IMMEDIATE") == "IMM"
    assert short_form("CHANNEL12") == "CHAN12"


def test_a_text_loses_its_quotation_marks() -> None:
    assert decode(' "say ""hi""" ', type="text") == 'say "hi"'
    assert decode("plain", type="text") == "plain"
    assert decode('"', type="text") == '"'


def test_a_list_is_read() -> None:
    values = decode("1.0, -2E3,9.91E37", type="array", format="csv")
    assert values[:2] == [1.0, -2000.0]
    assert math.isnan(values[2])
    with pytest.raises(UnreadableReply, match="a list of numbers"):
        decode("1,,2", type="array")


@pytest.mark.parametrize(("form", "code"), [("f32", ">f"), ("f64", ">d"), ("i16", ">h")])
def test_blocks_are_read(form: str, code: str) -> None:
    read = bytes_decoder(property_of(type="array", format=f"ieee488_block_{form}"), "X?", "scope.x")
    content = b"".join(struct.pack(code, value) for value in (1, -2, 300))
    for block in (b"#16" if len(content) == 6 else b"#2%d" % len(content), b"#0", b"#6%06d" % len(content)):
        for end in (b"", b"\n"):
            assert read(block + content + end) == [1.0, -2.0, 300.0]
    assert read(b"#10") == []


def test_a_block_without_readings_has_nan() -> None:
    read = bytes_decoder(property_of(type="array", format="ieee488_block_f32"), "X?", "scope.x")
    assert all(math.isnan(value) for value in read(b"#216" + struct.pack(">4f", 9.9e37, -9.9e37, math.inf, math.nan)))


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"#",
        b"#1",
        b"16\x00\x00",
        b"#18\x00",
        b"#15\x00\x00\x00\x00\x00",
        b"#14\x00\x00\x00\x00X",
        b"#2x4\x00\x00\x00\x00",
        b"#9999",
    ],
)
def test_a_broken_block_is_unreadable(reply: bytes) -> None:
    with pytest.raises(UnreadableReply, match="a block of"):
        bytes_decoder(property_of(type="array", format="ieee488_block_f32"), "X?", "scope.x")(reply)


def test_a_bad_reply_is_shown_short_and_harmless() -> None:
    with pytest.raises(UnreadableReply) as caught:
        decode("\x1b[2J" + "x" * 10_000)
    assert "\x1b" not in caught.value.message
    assert "\\x1b[2J" in caught.value.message
    assert len(caught.value.message) < 160


# --- both ways

plain_texts = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp", "Zs"), include_characters=" ;\"'")
)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e37, max_value=1e37))
def test_a_number_comes_back_to_twelve_digits(value: float) -> None:
    text = command(value).removeprefix("X ")
    assert decode(text) == pytest.approx(value, rel=1e-11, abs=5e-324)
    assert number_text(decode(text)) == text


@given(st.integers(-(10**12) + 1, 10**12 - 1), st.integers(-20, 20))
def test_a_number_of_twelve_digits_comes_back_exactly(digits: int, exponent: int) -> None:
    value = float(f"{digits}e{exponent}")
    assert decode(command(value).removeprefix("X ")) == value


@given(plain_texts)
def test_a_quoted_text_comes_back(text: str) -> None:
    for quote in "\"'":
        assert (
            decode(command(text, f"X {quote}{{{{ value }}}}{quote}", type="text").removeprefix("X "), type="text")
            == text
        )


@given(st.sampled_from(sorted(FUNCTIONS)), st.booleans())
def test_words_and_switches_come_back(word: str, switch: bool) -> None:
    assert (
        decode(command(word, type="choice", choices=FUNCTIONS).removeprefix("X "), type="choice", choices=FUNCTIONS)
        == word
    )
    assert decode(command(switch, type="on_off").removeprefix("X "), type="on_off") is switch


@given(st.lists(st.floats(-1e6, 1e6, width=32), max_size=20))
def test_a_block_comes_back(values: list[float]) -> None:
    content = struct.pack(f">{len(values)}f", *values)
    prop = property_of(type="array", format="ieee488_block_f32")
    assert bytes_decoder(prop, "X?", "scope.x")(b"#3%03d" % len(content) + content) == values


@given(st.text() | st.from_regex(r"[-+0-9.eE_, ]*"))
def test_any_reply_is_read_or_unreadable_and_nothing_else(reply: str) -> None:
    for changes in (
        {},
        {"type": "on_off"},
        {"type": "choice", "choices": FUNCTIONS},
        {"type": "text"},
        {"type": "array"},
    ):
        with suppress(UnreadableReply):
            decode(reply, **changes)


@given(st.binary() | st.binary().map(lambda content: b"#1" + content))
def test_any_bytes_are_read_or_unreadable_and_nothing_else(reply: bytes) -> None:
    for form in ("f32", "f64", "i16"):
        with suppress(UnreadableReply):
            bytes_decoder(property_of(type="array", format=f"ieee488_block_{form}"), "X?", "scope.x")(reply)


@given(st.text() | st.floats() | st.booleans() | st.none() | st.lists(st.floats()))
def test_any_value_passes_the_guard_or_is_refused_in_words(value: Any) -> None:
    for kind in ("number", "on_off", "choice", "text", "array"):
        choices = FUNCTIONS if kind == "choice" else None
        with suppress(GuardViolation):
            sent = command(value, type=kind, choices=choices)
            assert "\n" not in sent
            assert ";" not in sent
