"""Loading: text → validated sequence with the position of every value, beside PyYAML's C loader which has neither."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from schemas.loading import load_text
from schemas.quantity import parse_quantity, parse_unit
from schemas.reader import read_text
from tests.bench.measure import Line, Row, side_by_side
from tests.bench.projects import long_sequence

TITLE = "Loading a file"
CHARACTERS = 1_000_000


def figures() -> Iterator[Line]:
    text = long_sequence(CHARACTERS)
    megabytes = len(text.encode()) / 1e6
    took = side_by_side(
        {
            "validated": lambda: load_text(text, "long.yaml", "sequence"),
            "read": lambda: read_text(text, "long.yaml"),
            "load": lambda: yaml.load(text, yaml.CSafeLoader),
            "compose": lambda: yaml.compose(text, yaml.CSafeLoader),
        },
        repeats=3,
    )
    speed = {name: megabytes / seconds for name, seconds in took.items()}
    c_load, c_compose = "PyYAML C load (no positions, no check)", "PyYAML C compose (positions)"
    yield Row("text → validated sequence with positions", speed["validated"], "MB/s", c_load, speed["load"], "≥ 1")
    yield Row("text → data with positions", speed["read"], "MB/s", c_load, speed["load"])
    yield Row("text → data with positions", speed["read"], "MB/s", c_compose, speed["compose"])
    yield from _quantities()


def _quantities() -> Iterator[Line]:
    milliampere, texts = parse_unit("mA"), [f"{number}.{number % 97} A" for number in range(20_000)]
    turns = iter(range(1_000))

    def new_ones() -> None:
        turn = next(turns)
        for text in texts:
            parse_quantity(f"{turn}{text}", milliampere)

    def floor() -> None:
        turn = next(turns)
        for text in texts:
            value, _, unit = f"{turn}{text}".partition(" ")
            assert unit == "A"
            float(value)

    def known() -> None:
        for _ in range(20_000):
            parse_quantity("3.3 V")

    took = side_by_side({"new": new_ones, "known": known, "floor": floor}, repeats=5)
    us = {name: seconds * 1e6 / len(texts) for name, seconds in took.items()}
    yield Row("quantity, a new text", us["new"], "µs", "partition and float()", us["floor"])
    yield Row("quantity, a text seen before", us["known"], "µs", "partition and float()", us["floor"])
