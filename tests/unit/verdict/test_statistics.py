"""One number from several readings."""

from __future__ import annotations

import math
import statistics as reference
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.verdict.statistics import STATISTICS, spread
from schemas.steps.leaf import Statistic


@pytest.mark.parametrize(
    ("name", "readings", "value"),
    [
        ("mean", [1.0, 2.0, 6.0], 3.0),
        ("mean", [0.1] * 10, 0.1),
        ("median", [5.0, 1.0, 3.0], 3.0),
        ("median", [4.0, 1.0, 3.0, 2.0], 2.5),
        ("min", [5.0, 1.0, 3.0], 1.0),
        ("max", [5.0, 1.0, 3.0], 5.0),
        ("std", [2.0, 4.0, 6.0], 2.0),
        ("std", [7.0, 7.0], 0.0),
        ("rms", [3.0, -4.0, 3.0, -4.0], math.sqrt(12.5)),
        ("pp", [5.0, 1.0, 3.0], 4.0),
        ("first", [5.0, 1.0, 3.0], 5.0),
        ("last", [5.0, 1.0, 3.0], 3.0),
    ],
)
def test_a_statistic_of_readings(name: str, readings: list[float], value: float) -> None:
    assert STATISTICS[name](readings) == value


def test_every_statistic_of_the_language_exists() -> None:
    assert set(STATISTICS) == set(typing.get_args(Statistic))


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_missing_reading_is_never_left_out(name: str, position: int) -> None:
    readings = [3.0, 1.0, 2.0]
    readings[position] = math.nan
    assert math.isnan(STATISTICS[name](readings))


@pytest.mark.parametrize("name", STATISTICS)
def test_nothing_has_no_statistic(name: str) -> None:
    assert math.isnan(STATISTICS[name]([]))


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("readings", [[math.inf, 1.0], [math.inf, -math.inf], [1.7e308] * 3, [1e200, -1e200]])
def test_readings_beyond_all_range_raise_nothing(name: str, readings: list[float]) -> None:
    STATISTICS[name](readings)


def test_one_reading_has_no_spread() -> None:
    assert spread([3.0]) is None
    assert spread([2.0, 4.0, 6.0]) == 2.0
    assert math.isnan(STATISTICS["std"]([3.0]))


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_they_agree_with_the_standard_library(readings: list[float]) -> None:
    assert STATISTICS["mean"](readings) == pytest.approx(reference.fmean(readings), abs=1e-9)
    assert STATISTICS["median"](readings) == pytest.approx(reference.median(readings), abs=1e-9)
    assert STATISTICS["std"](readings) == pytest.approx(reference.stdev(readings), rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_the_order_of_readings_matters_only_to_first_and_last(readings: list[float]) -> None:
    for name in set(STATISTICS) - {"first", "last", "std"}:
        assert STATISTICS[name](readings) == STATISTICS[name](readings[::-1])
