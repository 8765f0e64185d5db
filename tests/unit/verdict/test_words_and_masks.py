"""Texts, states, exact numbers and whole series."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.verdict import Criterion, LimitError, as_json, band, equals, mask, matches, one_of
from schemas.documents import Verdict


@pytest.mark.parametrize(
    ("limit", "value", "passes"),
    [
        (equals(1.0), 1.0, True),
        (equals(1.0), 1, True),
        (equals(1.0), True, False),
        (equals(1.0), "1.0", False),
        (equals(1.0), math.nextafter(1.0, 2), False),
        (equals(0.1 + 0.2), 0.3, False),
        (equals(True), True, True),
        (equals(True), 1.0, False),
        (equals(True), "true", False),
        (equals(False), 0.0, False),
        (equals("ON"), "ON", True),
        (equals("ON"), "on", False),
        (equals("ON"), "ON ", False),
        (equals(""), "", True),
        (equals(""), None, False),
        (one_of([1.0, 2.0]), 2.0, True),
        (one_of([1.0, 2.0]), 1.5, False),
        (one_of([1.0, 2.0]), True, False),
        (one_of(["A", "B", True]), True, True),
        (one_of(["A", "B"]), "C", False),
        (matches(r"v\d+"), "v12", True),
        (matches(r"v\d+"), "v12\n", False),
        (matches(r"v\d+"), "xv12", False),
        (matches(r"a|ab"), "ab", True),
        (matches(r"\d"), 1.0, False),
        (matches(r".*"), None, False),
        (matches(r"(?s).*"), "x" * 10_000, True),
        (matches(r"(?s).*"), "x" * 10_001, False),
    ],
)
def test_words_states_and_exact_numbers(limit: Criterion, value: Any, passes: bool) -> None:
    assert limit.judge(value) == (Verdict.PASS if passes else Verdict.FAIL, None)
    assert (limit.explain(value) == "") == passes


@pytest.mark.parametrize("limit", [equals(1.0), equals("nan"), equals(True), one_of([1.0, "x", False]), matches(".*")])
@pytest.mark.parametrize("value", [None, math.nan, math.inf, [], [1.0], 10**400, object(), b"x"])
def test_what_is_no_single_value_never_passes(limit: Criterion, value: Any) -> None:
    assert limit.judge(value) == (Verdict.FAIL, None)
    assert limit.explain(value)


@pytest.mark.parametrize(
    ("limit", "value", "text"),
    [
        (equals(3.0), 3.0000001, "3.0000001 V is not 3 V"),
        (equals(3.0), True, "true is a boolean, expected a number"),
        (equals("ON"), "off", '"off" is not "ON"'),
        (equals(True), False, "false is not true"),
        (one_of([1.0, 2.0]), 3.0, "3 V is not one of 1 V, 2 V"),
        (one_of([1.0, "auto"]), False, "false is a boolean, expected a number or a text"),
        (matches(r"v\d"), "w1", r'"w1" does not match v\d'),
        (matches(r"v\d"), 1.0, "1 V is not a text"),
        (matches(r"v\d"), "v" * 10_001, "the text has 10001 characters; more than 10000 are not matched"),
        (equals("a"), None, "no reading"),
    ],
)
def test_they_say_why_a_value_does_not_pass(limit: Criterion, value: Any, text: str) -> None:
    assert limit.explain(value, "V") == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: equals(math.nan), "nothing equals nan"),
        (lambda: one_of([1.0, math.inf]), "nothing equals inf"),
        (lambda: one_of([]), "`one_of` allows nothing"),
        (lambda: matches("(a"), "cannot be read"),
        (lambda: mask(None, None), "no corridor"),
        (lambda: mask([], []), "no corridor"),
        (lambda: mask([(0, 1), (2, 1), (1, 1)], None), "goes back from 2 to 1"),
        (lambda: mask([(0, 1), (0, 2), (0, 3)], None), "three corners at one x"),
        (lambda: mask([(0, math.nan)], None), "which is no place"),
        (
            lambda: mask([(0, 1), (10, 1)], [(0, 0), (10, 2)]),
            "at x = 10 the upper corridor (1) lies below the lower (2)",
        ),
    ],
)
def test_a_criterion_that_could_not_judge_is_refused(make: Any, message: str) -> None:
    with pytest.raises(LimitError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("limit", "form", "text"),
    [
        (equals("ON"), '{"kind":"equals","value":"ON"}', '= "ON"'),
        (equals(3.0), '{"kind":"equals","value":3.0}', "= 3 V"),
        (one_of([1.0, True]), '{"kind":"one_of","values":[1.0,true]}', "one of 1 V, true"),
        (matches("Ω+"), '{"kind":"matches","pattern":"Ω+"}', "matches Ω+"),
        (
            mask([(0, 1), (2, 3)], [(0, 0)], "t"),
            '{"kind":"mask","along":"t","upper":[[0.0,1.0],[2.0,3.0]],"lower":[[0.0,0.0]]}',
            "mask (lower and upper) along t",
        ),
    ],
)
def test_every_criterion_has_a_structured_form_and_a_description(limit: Criterion, form: str, text: str) -> None:
    assert as_json(limit) == form
    assert limit.describe("V") == text
    assert limit.low is None
    assert limit.high is None


# ---------------------------------------------------------------- masks

RISING = mask([(0, 10), (10, 20)], [(0, 0), (10, 10)], "time")


@pytest.mark.parametrize(
    ("values", "along", "verdict", "margin"),
    [
        ([5.0, 10.0, 15.0], [0.0, 5.0, 10.0], Verdict.PASS, 5.0),
        ([10.0, 15.0, 20.0], [0.0, 5.0, 10.0], Verdict.PASS, 0.0),  # on the corridor
        ([5.0, 15.5, 15.0], [0.0, 5.0, 10.0], Verdict.FAIL, -0.5),  # above, between two corners
        ([5.0, 4.0, 15.0], [0.0, 5.0, 10.0], Verdict.FAIL, -1.0),  # below
        ([10.0, 99.0], [5.0, 11.0], Verdict.PASS, 5.0),  # beyond the corners nothing is said
        ([10.0, math.nan], [5.0, -1.0], Verdict.PASS, 5.0),
        ([15.0, 10.0], [10.0, 5.0], Verdict.PASS, 5.0),  # in any order of x
    ],
)
def test_a_mask_judges_a_series_by_its_worst_point(
    values: list[float], along: list[float], verdict: Verdict, margin: float
) -> None:
    assert RISING.judge(values, along) == (verdict, margin)


@pytest.mark.parametrize(
    ("values", "along", "why"),
    [
        ([], [], "no reading"),
        (None, [1.0], "no reading"),
        ([1.0], None, "not a series along an axis"),
        (1.0, [1.0], "not a series along an axis"),
        ("abc", [1.0, 2.0, 3.0], "not a series along an axis"),
        ([1.0, 2.0], [1.0], "2 values along 1 places"),
        ([5.0, math.nan], [0.0, 5.0], "no reading at time = 5"),
        ([5.0, math.inf], [0.0, 5.0], "no reading at time = 5"),
        ([5.0, True], [0.0, 5.0], "no reading at time = 5"),
        ([5.0, 6.0], [0.0, math.nan], "value 2 of the series has no place on `time`"),
        ([5.0, 6.0], [11.0, 12.0], "the mask covers no point of the series"),
    ],
)
def test_a_series_that_a_mask_cannot_judge_fails(values: Any, along: Any, why: str) -> None:
    assert RISING.judge(values, along) == (Verdict.FAIL, None)
    assert RISING.explain(values, "V", along) == why


def test_a_mask_names_the_worst_point() -> None:
    assert RISING.explain([11.0, 17.0], "V", [0.0, 5.0]) == "at time = 5: 17 V is above the upper corridor 15 V"
    assert RISING.explain([5.0, 3.0], "V", [0.0, 5.0]) == "at time = 5: 3 V is below the lower corridor 5 V"
    assert RISING.explain([5.0], "V", [0.0]) == ""


def test_at_a_step_of_a_mask_the_stricter_side_counts() -> None:
    step = mask([(0, 1), (5, 1), (5, 3), (10, 3)], None)
    assert step.judge([1.0], [5.0]) == (Verdict.PASS, 0.0)
    assert step.judge([2.0], [5.0]).verdict is Verdict.FAIL
    assert step.judge([3.0], [math.nextafter(5.0, 6)]).verdict is Verdict.PASS
    floor = mask(None, [(0, 1), (5, 1), (5, 3), (10, 3)])
    assert floor.judge([2.0], [5.0]).verdict is Verdict.FAIL


def test_a_corridor_of_one_corner_covers_one_place() -> None:
    point = mask([(5, 1)], None)
    assert point.judge([0.5, 9.0], [5.0, 5.1]) == (Verdict.PASS, 0.5)
    assert point.judge([9.0], [5.1]).verdict is Verdict.FAIL


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20), st.floats(-50, 0), st.floats(0, 50))
def test_a_level_mask_says_the_same_as_a_band(values: list[float], low: float, high: float) -> None:
    places = [float(i) for i in range(len(values))]
    level = mask([(-1, high), (100, high)], [(-1, low), (100, low)])
    single = band(low, high)
    margins = [single.judge(value).margin for value in values]
    assert level.judge(values, places).margin == min(margins)  # type: ignore[type-var]


@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(-10, 10)), min_size=1, max_size=20),
    st.floats(0, 5),
    st.floats(0, 5),
)
def test_lowering_the_upper_corridor_never_turns_a_fail_into_a_pass(
    points: list[tuple[float, float]], less: float, more: float
) -> None:
    less, more = sorted((less, more))
    along, values = [x for x, _ in points], [y for _, y in points]
    loose = mask([(0, 5 - less), (10, 5 - less)], None).judge(values, along).verdict
    tight = mask([(0, 5 - more), (10, 5 - more)], None).judge(values, along).verdict
    assert loose is not Verdict.FAIL or tight is Verdict.FAIL


def test_a_pattern_that_would_take_for_ever_fails_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.patterns.TIMEOUT_S", 0.05)
    limit = matches(r"(x+x+)+y")
    assert limit.judge("x" * 4000).verdict is Verdict.FAIL
    assert "took longer than" in limit.explain("x" * 4000)
