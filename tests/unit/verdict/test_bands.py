"""What a band says of a number, at every edge."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.verdict import Absolute, Band, LimitError, Share, around, as_json, band
from schemas.documents import Verdict

PASS, MARGINAL, FAIL = Verdict.PASS, Verdict.MARGINAL, Verdict.FAIL


def says(criterion: Band, value: object) -> Verdict:
    return criterion.judge(value).verdict


@pytest.mark.parametrize(
    ("limit", "value", "expected"),
    [
        # bounds are included
        (band(1.0, 2.0), 1.0, PASS),
        (band(1.0, 2.0), 2.0, PASS),
        (band(1.0, 2.0), math.nextafter(1.0, 0), FAIL),
        (band(1.0, 2.0), math.nextafter(2.0, 3), FAIL),
        (band(1.0, 1.0), 1.0, PASS),
        (band(1.0, None), 1.0, PASS),
        (band(1.0, None), 1e300, PASS),
        (band(1.0, None), 0.999, FAIL),
        (band(None, 2.0), 2.0, PASS),
        (band(None, 2.0), -1e300, PASS),
        (band(None, 2.0), 2.001, FAIL),
        (band(0.0, None), -0.0, PASS),
        # unless they are excluded
        (band(1.0, 2.0, exclusive="low"), 1.0, FAIL),
        (band(1.0, 2.0, exclusive="low"), math.nextafter(1.0, 2), PASS),
        (band(1.0, 2.0, exclusive="low"), 2.0, PASS),
        (band(1.0, 2.0, exclusive="high"), 2.0, FAIL),
        (band(1.0, 2.0, exclusive="high"), 1.0, PASS),
        (band(1.0, 2.0, exclusive="both"), 1.0, FAIL),
        (band(1.0, 2.0, exclusive="both"), 2.0, FAIL),
        (band(0.0, None, exclusive="low"), 0.0, FAIL),
        (band(0.0, None, exclusive="low"), 5e-324, PASS),
        # the marginal zone is the outer share at each end, its inner edge passes
        (band(0.0, 10.0, marginal=Share(0.1)), 0.0, MARGINAL),
        (band(0.0, 10.0, marginal=Share(0.1)), 0.999, MARGINAL),
        (band(0.0, 10.0, marginal=Share(0.1)), 1.0, PASS),
        (band(0.0, 10.0, marginal=Share(0.1)), 9.0, PASS),
        (band(0.0, 10.0, marginal=Share(0.1)), 9.001, MARGINAL),
        (band(0.0, 10.0, marginal=Share(0.1)), 10.0, MARGINAL),
        (band(0.0, 10.0, marginal=Share(0.1)), 10.001, FAIL),
        (band(0.0, 10.0, marginal=Share(0.1), exclusive="high"), 10.0, FAIL),
        (band(None, 10.0, marginal=Absolute(2.0)), 8.0, PASS),
        (band(None, 10.0, marginal=Absolute(2.0)), 8.001, MARGINAL),
        (band(10.0, None, marginal=Absolute(2.0)), 11.999, MARGINAL),
        (band(10.0, None, marginal=Absolute(2.0)), 12.0, PASS),
        # a guard band or an uncertainty tightens acceptance at each end
        (band(0.0, 10.0, guardband=Share(0.1)), 0.999, FAIL),
        (band(0.0, 10.0, guardband=Share(0.1)), 1.0, PASS),
        (band(0.0, 10.0, guardband=Share(0.1)), 9.0, PASS),
        (band(0.0, 10.0, guardband=Share(0.1)), 9.001, FAIL),
        (band(0.0, 10.0, guardband=Share(0.1), exclusive="low"), 1.0, FAIL),
        (band(0.0, 10.0, uncertainty=2.0), 1.999, FAIL),
        (band(0.0, 10.0, uncertainty=2.0), 8.0, PASS),
        (band(None, 10.0, uncertainty=2.0), 8.001, FAIL),
        (band(None, 10.0, guardband=Absolute(2.0)), 8.0, PASS),
        # marginal is a share of what is left: 10 % of 1 … 9 is 0.8
        (band(0.0, 10.0, guardband=Share(0.1), marginal=Share(0.1)), 1.0, MARGINAL),
        (band(0.0, 10.0, guardband=Share(0.1), marginal=Share(0.1)), 1.799, MARGINAL),
        (band(0.0, 10.0, guardband=Share(0.1), marginal=Share(0.1)), 1.8, PASS),
        (band(0.0, 10.0, guardband=Share(0.1), marginal=Share(0.1)), 8.201, MARGINAL),
        # whole numbers and those of NumPy are numbers
        (band(1.0, 2.0), 1, PASS),
        (band(1.0, 2.0), np.float64(1.5), PASS),
        (band(1.0, 2.0), np.float32(1.5), PASS),
        (band(1.0, 2.0), np.int64(3), FAIL),
    ],
)
def test_a_band_judges_a_number(limit: Band, value: float, expected: Verdict) -> None:
    assert says(limit, value) is expected
    assert (limit.explain(value) == "") == (expected is PASS)


@pytest.mark.parametrize(
    "limit", [band(-1e308, None), band(None, 1e308), band(-1.0, 2.0), band(0.0, 2.0, exclusive="both")]
)
@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, None, True, False, np.bool_(True), "1.0", "", [1.0], (), {}, 10**400, object(), 1j],
)
def test_what_is_no_finite_number_fails_every_band_and_says_why(limit: Band, value: object) -> None:
    assert limit.judge(value) == (FAIL, None)
    assert limit.explain(value)


@pytest.mark.parametrize(
    ("limit", "value", "margin"),
    [
        (band(1.0, 4.0), 1.5, 0.5),
        (band(1.0, 4.0), 3.75, 0.25),
        (band(1.0, 4.0), 4.0, 0.0),
        (band(1.0, 4.0), 4.5, -0.5),
        (band(1.0, 4.0), 0.0, -1.0),
        (band(1.0, None), 9.0, 8.0),
        (band(None, 4.0), 9.0, -5.0),
        (band(0.0, 16.0, guardband=Share(0.25)), 5.0, 1.0),
        (band(0.0, 16.0, guardband=Share(0.25)), 3.0, -1.0),
        (band(0.0, 16.0, marginal=Share(0.25)), 1.0, 1.0),
    ],
)
def test_the_margin_is_the_distance_to_the_nearest_bound_of_acceptance(
    limit: Band, value: float, margin: float
) -> None:
    assert limit.judge(value).margin == margin


@pytest.mark.parametrize(
    ("limit", "value", "text"),
    [
        (band(3.234, 3.366), 3.41, "3.41 V is above the maximum 3.366 V"),
        (band(3.234, 3.366), 3.1, "3.1 V is below the minimum 3.234 V"),
        (band(3.234, 3.366), 3.3660000004, "3.3660000004 V is above the maximum 3.366 V"),
        (band(3.0, 4.0, exclusive="high"), 4.0, "4 V is the maximum itself, which is excluded"),
        (band(3.0, 4.0, guardband=Share(0.1)), 3.95, "inside the guard band: 3.95 V is above 3.9 V"),
        (
            band(3.0, 4.0, guardband=Share(0.25), exclusive="low"),
            3.25,
            "3.25 V is the edge of acceptance itself, which is excluded",
        ),
        (band(3.0, 4.0, uncertainty=0.1), 3.05, "inside the uncertainty: 3.05 V is below 3.1 V"),
        (band(3.0, 4.0, guardband=Share(0.1)), 4.5, "4.5 V is above the maximum 4 V"),
        (band(3.0, 4.0, marginal=Share(0.1)), 3.95, "marginal: 3.95 V is near the maximum 4 V"),
        (band(3.0, 4.0, marginal=Share(0.1)), 3.05, "marginal: 3.05 V is near the minimum 3 V"),
        (band(3.0, 4.0), None, "no reading"),
        (band(3.0, 4.0), math.nan, "no reading (NaN)"),
        (band(3.0, 4.0), math.inf, "over range"),
        (band(3.0, 4.0), "3.3", '"3.3" is not a number'),
        (band(3.0, 4.0), True, "true is a state, not a number"),
        (band(3.0, 4.0), [3.3], "a series is not a single number"),
        (band(3.0, 4.0), 3.5, ""),
    ],
)
def test_a_band_says_why_a_value_does_not_pass(limit: Band, value: object, text: str) -> None:
    assert limit.explain(value, "V") == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: band(None, None), "no bound"),
        (lambda: band(2.0, 1.0), "the lower bound 2 lies above the upper bound 1"),
        (lambda: band(math.nan, 1.0), "the lower bound is nan"),
        (lambda: band(0.0, math.inf), "the upper bound is inf"),
        (lambda: band(-1.7e308, 1.7e308), "further apart"),
        (lambda: band(1.0, 1.0, exclusive="low"), "nothing can pass"),
        (lambda: band(1.0, None, exclusive="high"), "`exclusive: high` names a bound"),
        (lambda: band(None, 1.0, exclusive="both"), "`exclusive: both` names a bound"),
        (lambda: band(0.0, 10.0, guardband=Share(0.5)), "`guardband` takes 5 off each end of a band 10 wide"),
        (lambda: band(0.0, 10.0, uncertainty=6.0), "`uncertainty` takes 6 off each end"),
        (lambda: band(1.0, 1.0, uncertainty=0.1), "nothing can pass"),
        (lambda: band(0.0, None, guardband=Share(0.1)), "`guardband` is a share of the band"),
        (lambda: band(None, 10.0, marginal=Share(0.1)), "`marginal` is a share of the band"),
        (lambda: band(0.0, 10.0, marginal=Share(0.5)), "nothing could simply pass"),
        (lambda: band(0.0, 10.0, marginal=Absolute(6.0)), "nothing could simply pass"),
        (lambda: band(0.0, 10.0, marginal=Share(-0.1)), "`marginal` is -0.1"),
        (lambda: band(0.0, 10.0, guardband=Share(math.nan)), "`guardband` is nan"),
        (lambda: band(0.0, 10.0, uncertainty=-1.0), "`uncertainty` is -1"),
        (lambda: band(0.0, 10.0, guardband=Share(0.1), uncertainty=1.0), "both tighten"),
        (lambda: around(0.0, Share(0.02)), "nominal of 0"),
        (lambda: around(5.0, Absolute(-1.0)), "negative"),
        (lambda: around(5.0, (Share(0.1), Share(-0.1))), "wrong order"),
        (lambda: around(math.nan, Share(0.1)), "nominal nan"),
        (lambda: around(5.0, Absolute(math.inf)), "`tolerance` is inf"),
    ],
)
def test_a_band_that_could_not_judge_is_refused_with_the_reason(make: object, message: str) -> None:
    with pytest.raises(LimitError, match=re.escape(message)):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("nominal", "tolerance", "bounds"),
    [
        (100.0, Share(0.02), (98.0, 102.0)),
        (-100.0, Share(0.02), (-102.0, -98.0)),
        (3.3, Absolute(0.5), (2.8, 3.8)),
        (0.0, Absolute(0.5), (-0.5, 0.5)),
        (100.0, (Share(-0.02), Share(0.05)), (98.0, 105.0)),
        (-100.0, (Share(-0.02), Share(0.05)), (-102.0, -95.0)),
        (100.0, (Absolute(1.0), Absolute(2.0)), (101.0, 102.0)),
    ],
)
def test_a_nominal_with_a_tolerance_gives_bounds(
    nominal: float, tolerance: object, bounds: tuple[float, float]
) -> None:
    assert around(nominal, tolerance) == pytest.approx(bounds)  # type: ignore[arg-type]


def test_the_structured_form_holds_every_number() -> None:
    limit = band(0.0, 16.0, nominal=8.0, exclusive="both", guardband=Share(0.25), marginal=Share(0.125))
    assert limit.as_dict() == {
        "kind": "band",
        "low": 0.0,
        "high": 16.0,
        "nominal": 8.0,
        "marginal_low": 1.0,
        "marginal_high": 1.0,
        "exclusive": "both",
        "guardband": 4.0,
        "accept_low": 4.0,
        "accept_high": 12.0,
    }
    assert as_json(band(None, 2.5)) == '{"kind":"band","high":2.5}'
    assert (limit.low, limit.high) == (0.0, 16.0)


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (band(3.234, 3.366), "3.234 … 3.366 V"),
        (band(None, 45.0), "≤ 45 V"),
        (band(0.0, None, exclusive="low"), "> 0 V"),
        (band(0.0, 1.0, exclusive="both"), ">0 … <1 V"),
    ],
)
def test_a_band_is_described_as_people_write_it(limit: Band, text: str) -> None:
    assert limit.describe("V") == text


# ---------------------------------------------------------------- properties

numbers = st.floats(-1e6, 1e6)
shares = st.floats(0.0, 0.45)


@st.composite
def bands(draw: st.DrawFn, guard: bool = True) -> Band:
    low, high = sorted((draw(numbers), draw(numbers)))
    sides = draw(st.sampled_from(["both", "low", "high"]))
    exclusive = draw(st.sampled_from([None, "low", "high", "both"]))
    widths: st.SearchStrategy[Share | Absolute] = (
        st.builds(Share, shares) if sides == "both" else st.builds(Absolute, st.floats(0, 1e3))
    )
    try:
        return band(
            None if sides == "high" else low,
            None if sides == "low" else high,
            exclusive=exclusive,  # type: ignore[arg-type]
            marginal=draw(st.none() | widths),
            guardband=draw(st.none() | widths) if guard else None,
        )
    except LimitError:
        return band(low, None)


@st.composite
def band_and_value(draw: st.DrawFn) -> tuple[Band, float]:
    limit = draw(bands())
    edges = [edge for edge in (limit.low, limit.high, limit.accept_low, limit.accept_high) if edge is not None]
    edges += [edge + (limit.marginal_low or 0.0) for edge in edges] + [
        edge - (limit.marginal_high or 0.0) for edge in edges
    ]
    return limit, draw(numbers | st.sampled_from(edges) | st.floats(allow_nan=True, allow_infinity=True))


def naive(limit: Band, value: float) -> Verdict:
    """The same from the words of the language, one condition after the other."""
    if math.isnan(value) or math.isinf(value):
        return FAIL
    low, high = limit.accept_low, limit.accept_high
    if low is not None and (value < low or (limit.exclusive_low and value == low)):
        return FAIL
    if high is not None and (value > high or (limit.exclusive_high and value == high)):
        return FAIL
    if limit.accept_low is not None and limit.marginal_low and value < limit.accept_low + limit.marginal_low:
        return MARGINAL
    if limit.accept_high is not None and limit.marginal_high and value > limit.accept_high - limit.marginal_high:
        return MARGINAL
    return PASS


@given(band_and_value())
def test_the_fast_judge_agrees_with_the_naive_one(case: tuple[Band, float]) -> None:
    limit, value = case
    assert says(limit, value) is naive(limit, value)
    assert (limit.explain(value) == "") == (naive(limit, value) is PASS)


@given(band_and_value())
def test_the_margin_is_not_negative_exactly_where_an_inclusive_band_accepts(case: tuple[Band, float]) -> None:
    limit, value = case
    verdict, margin = limit.judge(value)
    if margin is None:
        assert verdict is FAIL
    elif not (limit.exclusive_low or limit.exclusive_high):
        assert (margin >= 0) == (verdict is not FAIL)
    elif verdict is not FAIL:
        assert margin >= 0


@given(bands(guard=False), numbers, st.floats(0, 1e3), st.floats(0, 1e3))
def test_tightening_never_turns_a_fail_into_a_pass(limit: Band, value: float, less: float, more: float) -> None:
    less, more = sorted((less, more))
    try:
        loose = band(limit.low, limit.high, uncertainty=less)
        tight = band(limit.low, limit.high, uncertainty=more)
    except LimitError:
        return
    assert says(loose, value) is not FAIL or says(tight, value) is FAIL
    assert says(band(limit.low, limit.high), value) is not FAIL or says(loose, value) is FAIL


@given(bands(guard=False), numbers, shares, shares)
def test_a_wider_marginal_zone_never_makes_a_verdict_better(
    limit: Band, value: float, less: float, more: float
) -> None:
    less, more = sorted((less, more))
    if limit.low is None or limit.high is None:
        return
    narrow = says(band(limit.low, limit.high, marginal=Share(less)), value)
    wide = says(band(limit.low, limit.high, marginal=Share(more)), value)
    order = [PASS, MARGINAL, FAIL]
    assert order.index(wide) >= order.index(narrow)
    assert (wide is FAIL) == (narrow is FAIL)
