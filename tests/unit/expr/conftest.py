"""One scope and one environment for all tests of expressions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.expr import Kind, SimpleScope, Symbol, Type
from schemas.quantity import parse_unit

NUMBERS = {
    "v": ("V", 3.3), "mv": ("mV", 3300.0), "current": ("mA", 10.0), "r": ("kOhm", 2.0), "t": ("degC", 85.0),
    "t2": ("degC", 25.0), "f": ("degF", 77.0), "k": ("K", 300.0), "pout": ("dBm", -20.0), "gain": ("dB", 10.0),
    "eff": ("%", 93.0), "tc": ("ppm/degC", 50.0), "n": ("", 3.0), "elapsed": ("s", 30.0), "soak": ("min", 2.0),
    "bad": ("V", float("nan")),
}  # fmt: skip
SERIES = {
    "vs": ("V", [3.30, 3.31, 3.32]), "ts": ("degC", [-40.0, 25.0, 85.0]), "holed": ("V", [1.0, float("nan"), 3.0]),
    "xs": ("s", [0.0, 1.0, 2.0]), "none": ("V", []),
}  # fmt: skip


@pytest.fixture(scope="session")
def scope() -> SimpleScope:
    symbols = {name: Symbol(name, Type(Kind.NUMBER, parse_unit(unit))) for name, (unit, _) in NUMBERS.items()}
    symbols |= {name: Symbol(name, Type(Kind.SERIES, parse_unit(unit))) for name, (unit, _) in SERIES.items()}
    symbols |= {
        "maybe": Symbol("maybe", Type(Kind.NUMBER, parse_unit("V")), maybe_unbound=True),
        "late": Symbol("late", Type(Kind.NUMBER, parse_unit("V"))),
        "ok": Symbol("ok", Type(Kind.BOOL)),
        "reply": Symbol("reply", Type(Kind.TEXT)),
        "labels": Symbol("labels", Type(Kind.TEXT_SERIES)),
        "answer": Symbol("answer", Type(Kind.ANY)),
        "dut.serial": Symbol("dut.serial", Type(Kind.TEXT)),
    }
    reading = Symbol("live:psu.voltage", Type(Kind.NUMBER, parse_unit("V")))
    so_far = Symbol("series:v", Type(Kind.SERIES, parse_unit("V")))
    return SimpleScope(symbols, {"v": so_far}, {("psu", "voltage"): reading})


@pytest.fixture
def environment() -> dict[str, Any]:
    values: dict[str, Any] = {name: value for name, (_, value) in NUMBERS.items()}
    values |= {name: np.array(value, dtype=float) for name, (_, value) in SERIES.items()}
    values |= {
        "ok": True,
        "reply": "+0,No error",
        "labels": np.array(["a", "b", "c"], dtype=object),
        "answer": 5.0,
        "dut.serial": "SN1",
        "live:psu.voltage": 5.0,
        "series:v": np.array([1.0, 2.0]),
        "changed:t": True,
    }
    return values
