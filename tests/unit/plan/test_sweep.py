"""The points of a sweep: exactly those written, in the order asked for, without making them before they are visited."""

from __future__ import annotations

import itertools
import json
import math
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.plan.model import Plan
from engine.plan.sweep import ProductPoints

Compile = Callable[..., Plan]
Sweep = Callable[..., ProductPoints]
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="session")
def swept(compiled: Compile) -> Sweep:
    """The points of a sweep over these axes; `more` are its other keys."""

    def points(axes: Any, more: str = "", body: str = "wait: 1 s", **wish: Any) -> ProductPoints:
        written = axes if isinstance(axes, str) else json.dumps(axes)
        text = f"parameters: {{n: {{default: 3}}}}\nsteps:\n  - sweep: {written}\n{more}    each:\n      - {body}\n"
        action: Any = compiled(text, **wish).root.steps.nodes[0].action
        found: ProductPoints = action.points
        return found

    return points


def values(points: ProductPoints) -> list[Any]:
    return [values[0] if len(values) == 1 else values for _, values in points]


@pytest.mark.parametrize(
    ("axes", "wanted"),
    [
        ("{a: [1, 2, 3]}", [1.0, 2.0, 3.0]),
        ("{a: {values: [-40, 25, 85], unit: degC}}", [-40.0, 25.0, 85.0]),
        ("{a: [1 V, 200 mV]}", [1.0, 0.2]),
        ("{a: {from: 1, to: 2, points: 5}}", [1.0, 1.25, 1.5, 1.75, 2.0]),
        ("{a: {from: 0 V, to: 1 V, step: 250 mV}}", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("{a: {from: 0, to: 0.3, step: 0.1}}", [0.0, 0.1, 0.2, 0.3]),
        ("{a: {from: 0, to: 1, step: 0.3}}", [0.0, 0.3, 0.6, 0.9]),
        ("{a: {from: 5, to: 1, step: -2}}", [5.0, 3.0, 1.0]),
        ("{a: {from: 85 degC, to: 25 degC, step: -30 K}}", [85.0, 55.0, 25.0]),
        ("{a: {from: 1, to: 1000, points: 4, log: true}}", [1.0, 10.0, 100.0, 1000.0]),
        ("{a: {from: 3, to: 3, points: 1}}", [3.0]),
        ("{a: {from: 1, to: '{{ n }}', points: '{{ n }}'}}", [1.0, 2.0, 3.0]),
        ("{a: [slow, fast]}", ["slow", "fast"]),
        ("{a: [on, off]}", [True, False]),
        ("{a: [1, 2], b: [x, y]}", [(1.0, "x"), (1.0, "y"), (2.0, "x"), (2.0, "y")]),
        ("{zip: {a: [1, 2], b: [3, 4]}}", [(1.0, 3.0), (2.0, 4.0)]),
        ("{zip: {a: [1, 2], b: [3, 4]}, c: [5, 6]}", [(1.0, 3.0, 5.0), (1.0, 3.0, 6.0), (2.0, 4.0, 5.0), (2.0, 4.0, 6.0)]),
    ],
)  # fmt: skip
def test_axes_are_what_is_written(swept: Sweep, axes: str, wanted: list[Any]) -> None:
    assert values(swept(axes)) == wanted


def test_the_unit_of_an_axis_is_that_of_its_first_value_with_one(swept: Sweep) -> None:
    assert [axis.unit.symbol for axis in swept("{a: [1 mV, 1 V], b: {from: 0, to: 1 A, points: 2}}").axes if axis.unit] == [
        "mV", "A",
    ]  # fmt: skip


def test_further_points_come_last_and_excluded_ones_not_at_all(swept: Sweep) -> None:
    points = swept("{a: [1, 2], b: [1, 2]}", "    points: [{a: 9, b: 8}]\n    exclude: a == b\n")
    assert list(points) == [(1, (1.0, 2.0)), (2, (2.0, 1.0)), (4, (9.0, 8.0))]
    assert (points.size, points.count()) == (5, 3)


def test_a_snake_turns_at_every_end(swept: Sweep) -> None:
    assert values(swept("{a: [1, 2], b: [1, 2], c: [1, 2]}", "    order: snake\n")) == [
        (1, 1, 1), (1, 1, 2), (1, 2, 2), (1, 2, 1), (2, 2, 1), (2, 2, 2), (2, 1, 2), (2, 1, 1),
    ]  # fmt: skip


def test_the_fastest_order_changes_a_chamber_least_and_in_steps(swept: Sweep) -> None:
    points = swept(
        "{v: [1 V, 2 V], t: [85 degC, -40 degC, 25 degC]}",
        "    order: fastest\n",
        body="set: {chamber.setpoint: '{{ t }}', psu.voltage: '{{ v }}'}",
    )
    assert [t for _, (_, t) in points] == [-40.0, -40.0, 25.0, 25.0, 85.0, 85.0]


def test_a_random_order_depends_on_the_seed_alone(swept: Sweep) -> None:
    axes, more = "{a: {from: 1, to: 20, points: 20}}", "    order: random\n"
    one, again, other = (values(swept(axes, more, seed=seed)) for seed in (1, 1, 2))
    assert one == again != other


AXIS = st.lists(st.integers(-50, 50), min_size=1, max_size=6)
ORDERS = st.sampled_from(["as_written", "snake", "random", "fastest"])


@QUICK
@given(st.lists(AXIS, min_size=1, max_size=4), ORDERS)
def test_a_product_has_every_combination_once_in_any_order(swept: Sweep, axes: list[list[int]], order: str) -> None:
    points = swept({f"x{n}": axis for n, axis in enumerate(axes)}, f"    order: {order}\n")
    wanted = dict(enumerate(itertools.product(*axes)))
    found = list(points)
    assert len(found) == len(wanted) == points.count() == points.size
    assert dict(found) == wanted
    if order == "snake":
        for (_, one), (_, other) in itertools.pairwise(found):
            assert sum(a != b for a, b in zip(one, other, strict=True)) <= 1


@QUICK
@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(st.lists(st.integers(-9, 9), min_size=n, max_size=n), min_size=1, max_size=3)
    ),
    AXIS,
    ORDERS,
)
def test_zipped_axes_advance_together(swept: Sweep, zipped: list[list[int]], other: list[int], order: str) -> None:
    points = swept({"zip": {f"z{n}": axis for n, axis in enumerate(zipped)}, "x": other}, f"    order: {order}\n")
    wanted = [(*row, x) for row in zip(*zipped, strict=True) for x in other]
    assert dict(points) == dict(enumerate(wanted))


@QUICK
@given(st.integers(-1000, 1000), st.integers(1, 400), st.integers(1, 60))
def test_a_stepped_range_has_every_step_and_never_passes_its_end(
    swept: Sweep, first: int, step: int, count: int
) -> None:
    start, width = first / 100, step / 100
    points = values(swept({"a": {"from": start, "to": start + width * (count - 0.5), "step": width}}))
    assert points == pytest.approx([start + width * n for n in range(count)], abs=1e-9)


@QUICK
@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.integers(2, 50))
def test_a_range_of_points_has_both_ends(swept: Sweep, first: float, last: float, count: int) -> None:
    points = values(swept({"a": {"from": first, "to": last, "points": count}}))
    assert len(points) == count
    assert points[-1] == last
    assert points[0] == pytest.approx(first, rel=1e-11, abs=1e-11)


@QUICK
@given(AXIS, AXIS, ORDERS.filter(lambda order: order in ("as_written", "snake")))
def test_points_of_one_innermost_run_share_its_end(
    swept: Sweep, outer: list[int], inner: list[int], order: str
) -> None:
    points = swept({"a": outer, "b": inner}, f"    order: {order}\n")
    for index, _ in points:
        assert points.breaks_at(index) == (index // len(inner) + 1) * len(inner)


def test_a_million_points_compile_at_once_and_cost_nothing(compiled: Compile) -> None:
    def cost(points: int) -> tuple[Plan, float, int]:
        axis = f"{{from: 1, to: {points}, points: {points}}}"
        text = f"steps:\n  - sweep: {{a: {axis}, b: {axis}}}\n    each:\n      - wait: 1 s\n"
        tracemalloc.start()
        start = time.perf_counter()
        plan = compiled(text)
        took_s = time.perf_counter() - start
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return plan, took_s, peak

    few = cost(3)
    plan, took_s, peak = cost(1000)
    assert plan.size == 1_000_001
    assert took_s < 0.5
    assert peak - few[2] < 500_000
    points: Any = plan.root.steps.nodes[0].action
    first = list(itertools.islice(points.points, 1001))
    assert first[-1] == (1000, (2.0, 1.0))


def test_one_axis_of_a_million_points_costs_eight_bytes_a_point(swept: Sweep) -> None:
    points = swept("{a: {from: 0, to: 1, points: 1000000}}")
    assert points.size == 1_000_000
    assert math.isclose(points.dimensions[0][0].values[500_000], 0.5, rel_tol=1e-5)
