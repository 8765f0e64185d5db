"""From an instrument's reply to a value, strictly: what cannot be read is an error that shows it, never a guess.

An instrument that has no reading says so with a number: 9.91E37 for "not a number" and ±9.9E37 for infinity (SCPI-99
volume 1, 7.2.1.4 and 7.2.1.5). Those, and what the driver calls over range, become NaN, which no limit passes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import nan

from engine.bench.commands import printable
from engine.core.bench import PropertySpec, PropertyValue
from engine.core.errors import UnreadableReply

SCPI_INFINITY = 9.9e37
Decoder = Callable[[str], PropertyValue]
BytesDecoder = Callable[[bytes], PropertyValue]

_TRUE = frozenset(("1", "ON", "TRUE"))
_FALSE = frozenset(("0", "OFF", "FALSE"))
_BLOCKS = {"ieee488_block_f32": ">f4", "ieee488_block_f64": ">f8", "ieee488_block_i16": ">i2"}
_WORD = re.compile(r"([A-Z]+)([0-9]*)")


def unreadable(where: str, command: str, reply: str, wanted: str) -> UnreadableReply:
    """The error for a reply that is not what its driver says."""
    return UnreadableReply(
        f"{where}: `{printable(reply)}` in reply to `{printable(command)}` is not {wanted}",
        "check the driver, or whether an earlier reply was left unread",
    )


def reads_bytes(prop: PropertySpec) -> bool:
    """Whether the reply has to be taken as bytes."""
    return prop.type == "array" and prop.format in _BLOCKS


def overrange_of(prop: PropertySpec) -> float:
    """The size at and beyond which a reading is none."""
    return SCPI_INFINITY if prop.overrange is None else min(abs(prop.overrange), SCPI_INFINITY)


def parse_number(text: str, overrange: float = SCPI_INFINITY) -> float:
    """A number; NaN where it is no reading. Raises ValueError, also for what only Python calls a number."""
    value = float(text)
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return value if -overrange < value < overrange else nan


def decoder(prop: PropertySpec, command: str, where: str) -> Decoder:
    """What reads a text reply of this property; raises UnreadableReply."""
    match prop.type:
        case "number":
            return _number_decoder(overrange_of(prop), command, where)
        case "on_off":
            return _switch_decoder(command, where)
        case "choice":
            return _choice_decoder(prop.choices or {}, command, where)
        case "text":
            return unquoted
        case "array":
            return _list_decoder(overrange_of(prop), command, where)


def unquoted(reply: str) -> str:
    """A text without the blanks around it and the quotation marks it was sent in."""
    text = reply.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def _number_decoder(overrange: float, command: str, where: str) -> Decoder:
    def decode(reply: str) -> float:
        try:
            return parse_number(reply, overrange)
        except ValueError:
            raise unreadable(where, command, reply, "a number") from None

    return decode


def _switch_decoder(command: str, where: str) -> Decoder:
    def decode(reply: str) -> bool:
        word = reply.strip().upper()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise unreadable(where, command, reply, "on or off")

    return decode


def _list_decoder(overrange: float, command: str, where: str) -> Decoder:
    def decode(reply: str) -> list[float]:
        try:
            return [parse_number(item, overrange) for item in reply.split(",")]
        except ValueError:
            raise unreadable(where, command, reply, "a list of numbers") from None

    return decode


# --- choices ------------------------------------------------------------------------------------------------------


def _choice_decoder(choices: Mapping[str, str], command: str, where: str) -> Decoder:
    exact = _unambiguous(choices, str)
    folded = _unambiguous(choices, _folded)
    short = _unambiguous(choices, short_form)
    numbers = _unambiguous(choices, _number_or_none)

    def decode(reply: str) -> str:
        text = unquoted(reply)
        word = (
            exact.get(text)
            or folded.get(_folded(text))
            or short.get(short_form(text))
            or numbers.get(_number_or_none(text))
        )
        if word is None:
            raise unreadable(where, command, reply, f"one of {', '.join(choices.values())}")
        return word

    return decode


def short_form(text: str) -> str:
    """The short form of SCPI words: `VOLTAGE:DC` → `VOLT:DC` (four letters, three where the fourth is a vowel)."""
    return ":".join(_short_word(word) for word in _folded(text).split(":"))


def _short_word(word: str) -> str:
    found = _WORD.fullmatch(word)
    if found is None or len(found[1]) <= 4:
        return word
    return found[1][: 3 if found[1][3] in "AEIOU" else 4] + found[2]


def _folded(text: str) -> str:
    return text.strip().removeprefix(":").upper()


def _number_or_none(text: str) -> float | None:
    try:
        return parse_number(text)
    except ValueError:
        return None


def _unambiguous(choices: Mapping[str, str], key: Callable[[str], object]) -> dict[object, str]:
    """Replies and the word each stands for; of two words for one command the first."""
    found: dict[object, dict[str, str]] = {}
    for word, sent in choices.items():
        found.setdefault(key(unquoted(sent)), {}).setdefault(sent, word)
    return {
        form: next(iter(words.values()))
        for form, words in found.items()
        if len(words) == 1 and form is not None and form == form
    }


# --- blocks -------------------------------------------------------------------------------------------------------


def bytes_decoder(prop: PropertySpec, command: str, where: str) -> BytesDecoder:
    """What reads a block of big-endian numbers (IEEE 488.2, 8.7.9 and 8.7.10); raises UnreadableReply."""
    kind = _BLOCKS[prop.format or ""]
    overrange = overrange_of(prop)
    if kind == ">f4":
        overrange *= 1 - 1e-6  # 9.9e37 itself lies between two of its numbers

    def decode(reply: bytes) -> list[float]:
        import numpy

        content = _block_content(reply, int(kind[2:]))
        if content is None:
            raise unreadable(where, command, reply[:100].decode("latin-1"), f"a block of {prop.format}")
        values = numpy.frombuffer(content, dtype=kind).astype(numpy.float64)
        values[~(numpy.abs(values) < overrange)] = nan
        listed: list[float] = values.tolist()
        return listed

    return decode


def _block_content(reply: bytes, size: int) -> bytes | None:
    """The bytes inside `#<digits><length>…` or `#0…`; None where the reply is no whole number of items."""
    if len(reply) < 2 or reply[:1] != b"#" or not reply[1:2].isdigit():
        return None
    digits = reply[1] - ord("0")
    if digits == 0:
        content = reply[2:]
        if len(content) % size == 1 and content.endswith(b"\n"):
            content = content[:-1]
    else:
        length = reply[2 : 2 + digits]
        if len(length) != digits or not length.isdigit():
            return None
        start = 2 + digits
        content = reply[start : start + int(length)]
        if len(content) != int(length) or reply[start + int(length) :] not in (b"", b"\n", b"\r\n"):
            return None
    return content if len(content) % size == 0 else None
