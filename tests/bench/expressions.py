"""Expressions: what evaluating one costs beside a Python lambda that says the same, and what compiling costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.expr import Kind, SimpleScope, Symbol, Type, compile_expression
from schemas.quantity import parse_unit
from tests.bench.measure import Line, Row, side_by_side

TITLE = "Expressions"
CALLS = 200_000
CASES: tuple[tuple[str, str, Any], ...] = (
    ("comparison", "abs(vout - 3.3 V) < 20 mV", lambda e: abs(e["vout"] - 3.3) < 0.02),
    (
        "arithmetic",
        "(vin - vout) * iload + vin * iq",
        lambda e: (e["vin"] - e["vout"]) * e["iload"] + e["vin"] * e["iq"],
    ),
    ("choice", "vin if vin > vout else vout", lambda e: e["vin"] if e["vin"] > e["vout"] else e["vout"]),
)
VALUES = {"vin": 5.0, "vout": 3.301, "iload": 0.1, "iq": 5e-5}
UNITS = {"vin": "V", "vout": "V", "iload": "A", "iq": "A"}


def figures() -> Iterator[Line]:
    scope = SimpleScope({name: Symbol(name, Type(Kind.NUMBER, parse_unit(unit))) for name, unit in UNITS.items()})
    for what, text, plain in CASES:
        ours = compile_expression(text, scope, difference=None).fn
        took = side_by_side({"ours": lambda fn=ours: fn(VALUES), "lambda": lambda fn=plain: fn(VALUES)}, CALLS)  # type: ignore[misc]
        yield Row(f"{what}: `{text}`", took["ours"] * 1e9, "ns", "the same as a lambda", took["lambda"] * 1e9, "30–85")
    text = CASES[1][1]
    took = side_by_side(
        {
            "ours": lambda: compile_expression(text, scope, difference=None),
            "compile": lambda: compile(text, "<text>", "eval"),
        },
        500,
    )
    yield Row("compiling, with names and units checked", took["ours"] * 1e6, "µs", "compile()", took["compile"] * 1e6)
