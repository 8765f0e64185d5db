"""Every function: its value, its unit, and what NaN, empty and short series do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from engine.core.errors import EvaluationFailed
from engine.expr import ExpressionError, SimpleScope, compile_expression, evaluate
from engine.expr.functions import FUNCTIONS
from schemas.quantity import parse_unit

K = "difference"
VALUES: list[tuple[str, Any, str | None]] = [
    ("abs(v - 4)", 0.7, "V"),
    ("min(vs)", 3.30, "V"),
    ("min(v, 2 V, mv)", 2.0, "V"),
    ("max(vs)", 3.32, "V"),
    ("max(mv, 4 V)", 4000.0, "mV"),
    ("round(v)", 3.0, "V"),
    ("round(3.14159, 2)", 3.14, None),
    ("floor(v)", 3.0, "V"),
    ("ceil(v)", 4.0, "V"),
    ("sqrt(4)", 2.0, None),
    ("exp(1)", math.e, ""),
    ("log(v / 1 V)", math.log(3.3), ""),
    ("log10(1000)", 3.0, ""),
    ("db(10)", 20.0, "dB"),
    ("sum(vs)", 9.93, "V"),
    ("sum(v, 1, 100 mV)", 4.4, "V"),
    ("mean(vs)", 3.31, "V"),
    ("mean(v, 1.3)", 2.3, "V"),
    ("mean(ts)", 70 / 3, "degC"),
    ("median(vs)", 3.31, "V"),
    ("median(ts)", 25.0, "degC"),
    ("std(vs)", 0.01, "V"),
    ("rms([3 V, 4 V])", math.sqrt(12.5), "V"),
    ("pp(vs)", 0.02, "V"),
    ("pp(ts)", 125.0, K),
    ("percentile(vs, 50)", 3.31, "V"),
    ("percentile(vs, 100 %)", 3.32, "V"),
    ("slope(vs, xs)", 0.01, "V/s"),
    ("intercept(vs, xs)", 3.3, "V"),
    ("r2(vs, xs)", 1.0, ""),
    ("trapz(vs, xs)", 6.62, "V*s"),
    ("interp(0.5, xs, vs)", 3.305, "V"),
    ("interp(500 ms, xs, vs)", 3.305, "V"),
    ("interp(9, xs, vs)", math.nan, "V"),
    ("first(vs)", 3.30, "V"),
    ("last(ts)", 85.0, "degC"),
    ("len(vs)", 3.0, ""),
    ("any(vs > 3.31)", True, None),
    ("all(vs > 3.31)", False, None),
    ("all(vs > 3.2 and vs < 4)", True, None),
    ("any(not (3.3 <= vs <= 3.32))", False, None),
    ("any(ok, v > 9)", True, None),
    ("diff(vs)", [0.01, 0.01], "V"),
    ("diff(ts)", [65.0, 60.0], K),
    ("argmin(vs)", 0.0, ""),
    ("argmax(vs)", 2.0, ""),
    ("where(vs > 3.305, vs, 0)", [0.0, 3.31, 3.32], "V"),
    ("where(labels == 'a', 1, 2)", [1.0, 2.0, 2.0], None),
    ("is_nan(bad)", True, None),
    ("is_nan(holed)", [False, True, False], None),
    ("changed(t)", True, None),
    ("defined(maybe)", False, None),
    ("nearest(vs, ts, 25)", 3.31, "V"),
    ("nearest(vs, ts, 300 K)", 3.31, "V"),
    ("nearest(labels, ts, 80 degC)", "c", None),
    ("mean(series(v))", 1.5, "V"),
    ("vs[0]", 3.30, "V"),
    ("vs[-1]", 3.32, "V"),
    ("vs[n - 1]", 3.32, "V"),
    ("labels[1]", "b", None),
    ("sqrt(vs * vs)", [3.30, 3.31, 3.32], "V"),
    ("vs ** 2", [3.30**2, 3.31**2, 3.32**2], "V^2"),
    ("vs / 2 + 1 mV", [1.651, 1.656, 1.661], "V"),
    ("mean(answer * [1, 2])", 7.5, None),
]


@pytest.mark.parametrize(("text", "value", "unit"), VALUES)
def test_a_function_gives_its_value_and_unit(
    scope: SimpleScope, environment: dict[str, Any], text: str, value: Any, unit: str | None
) -> None:
    compiled = compile_expression(text, scope)
    found = evaluate(compiled, environment)
    if isinstance(value, bool | str):
        assert found == value
        assert isinstance(found, type(value))
    elif isinstance(value, list):
        np.testing.assert_allclose(found, value, rtol=1e-9)
    else:
        assert type(found) is float
        assert found == pytest.approx(value, rel=1e-9, nan_ok=True)
    if unit == K:
        assert compiled.type.unit == parse_unit("degC").difference()
    elif unit is not None:
        assert compiled.type.unit == parse_unit(unit)
    else:
        assert compiled.type.unit is None


def test_every_function_of_the_language_is_tried_above() -> None:
    tried = " ".join(text for text, _, _ in VALUES)
    assert [name for name in FUNCTIONS if f"{name}(" not in tried] == []


NAN = [
    "min(holed)", "max(holed)", "mean(holed)", "median(holed)", "sum(holed)", "std(holed)", "rms(holed)", "pp(holed)",
    "percentile(holed, 50)", "slope(holed, xs)", "intercept(holed, xs)", "trapz(holed, xs)", "argmin(holed)",
    "min(v, bad)", "max(bad, v)", "mean(v, bad)", "round(bad)", "floor(bad)", "abs(bad)", "bad + 1",
]  # fmt: skip


@pytest.mark.parametrize("text", NAN)
def test_a_nan_reading_is_never_lost(scope: SimpleScope, environment: dict[str, Any], text: str) -> None:
    assert math.isnan(evaluate(compile_expression(text, scope), environment))


@pytest.mark.parametrize("text", ["bad > 1", "bad < 1", "bad == bad", "bad != 1", "bad in [1, 2]", "bad not in [1, 2]"])
def test_nan_makes_no_comparison_true(scope: SimpleScope, environment: dict[str, Any], text: str) -> None:
    assert evaluate(compile_expression(text, scope), environment) is False
    series = text.replace("bad", "holed")
    if " in " not in text:
        assert not evaluate(compile_expression(series, scope), environment)[1]


FAILS = [
    ("v / (n - 3)", "division by zero in `v / (n - 3)`"),
    ("1 + v / 0", "division by zero in `v / 0`"),
    ("n % (n - 3)", "division by zero"),
    ("vs / 0", "division by zero"),
    ("log(n - 5)", "`log(n - 5)` has no value"),
    ("sqrt(n - 5)", "`sqrt(n - 5)` has no value"),
    ("n ** 999 ** 2", "too large"),
    ("(n - 5) ** 0.5", "has no value"),
    ("vs[5]", "index 5 is outside the series of 3"),
    ("vs[n / 2]", "an index is a whole number"),
    ("late + v", "`late` has no value here"),
    ("mean(none)", "the series is empty in `mean(none)`"),
    ("first(none)", "the series is empty"),
    ("slope(vs, none)", "empty"),
    ("slope(vs, diff(xs))", "differ in length: 3, 2"),
    ("slope(vs, xs * 0)", "two different x values"),
    ("vs + diff(vs)", "differ in length"),
    ("answer == 'x'", "text is needed, this is a number"),
    ("answer[0]", "a series is needed"),
    ("mean(answer)", "series is needed"),
    ("percentile(vs, 101)", "between 0 % and 100 %"),
]


@pytest.mark.parametrize(("text", "message"), FAILS)
def test_a_failure_names_the_part_of_the_expression(
    scope: SimpleScope, environment: dict[str, Any], text: str, message: str
) -> None:
    compiled = compile_expression(text, scope)
    with pytest.raises(EvaluationFailed) as caught:
        evaluate(compiled, environment)
    assert message in caught.value.message


def test_an_unbound_name_is_explained_by_who_knows_why(scope: SimpleScope) -> None:
    compiled = compile_expression("late > 1", scope)
    with pytest.raises(EvaluationFailed, match="`late` has no value here: step `soak` was skipped"):
        evaluate(compiled, {}, lambda slot: "step `soak` was skipped")


@pytest.mark.parametrize("text", ["min(v)", "mean(v)", "len(v)", "slope(v, t)", "v[0]", "first(v)"])
def test_a_single_value_where_a_series_belongs_points_to_series(scope: SimpleScope, text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, scope)
    assert "series(name)" in caught.value.help


@pytest.mark.parametrize(
    "text", ["abs()", "abs(1, 2)", "slope(vs)", "interp(1, xs)", "defined()", "defined(1)", "mean()"]
)
def test_a_wrong_number_of_arguments_shows_the_right_use(scope: SimpleScope, text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, scope)
    assert caught.value.code == "X007"
    assert caught.value.help.startswith("write `")


def test_numpy_is_not_imported_until_a_series_is_evaluated() -> None:
    import subprocess
    import sys

    program = (
        "import sys, engine.expr as x\n"
        "s = x.SimpleScope({'vs': x.Symbol('vs', x.Type(x.Kind.SERIES)), 'v': x.Symbol('v', x.Type(x.Kind.NUMBER))})\n"
        "x.compile_expression('mean(vs) > 1', s)\n"
        "assert x.compile_expression('v * 2', s).fn({'v': 2.0}) == 4.0\n"
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
