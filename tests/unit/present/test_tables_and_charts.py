"""Many values in few rows and pictures, and nothing bad is lost on the way."""

from __future__ import annotations

import math
import random
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.present.chart import chart_of, decimate, nice_ticks, tick_texts
from engine.present.fold import Row, fold, position, template
from engine.present.steps import step_rows
from engine.present.svg import svg
from schemas.documents import Measured, NodeFinished, Outcome, Verdict

NAMESPACE = "{http://www.w3.org/2000/svg}"


def value(
    number: object, axes: dict[str, float | str] | None = None, verdict: Verdict = Verdict.PASS, *, node: str = "", order: int = 1,
    attempt: int = 1, low: float | None = 3.2, high: float | None = 3.4, name: str = "vout", diagnostic: bool = False,
) -> Measured:  # fmt: skip
    margin = None
    if isinstance(number, float) and low is not None and high is not None:
        margin = min(number - low, high - number)
    inside = ",".join(f"{k}={v}" for k, v in (axes or {}).items())
    return Measured(
        0, node or f"steps/s#1/{name}[{inside}]", attempt, order, name, number, "V", verdict, 0.0, low, high, "", margin,  # type: ignore[arg-type]
        tuple((axes or {}).items()), diagnostic=diagnostic,
    )  # fmt: skip


class GivenUp(Measured):
    """What the journal says of a value whose attempt was discarded."""

    __slots__ = ()
    final = False


def given_up(m: Measured) -> Measured:
    m.__class__ = GivenUp
    return m


def sweep(*points: tuple[float, float]) -> Row:
    [row] = fold([value(y, {"t": x}, order=n) for n, (x, y) in enumerate(points)]).rows
    return row


class TestFolding:
    def test_a_sweep_is_one_row_with_its_worst_point(self) -> None:
        table = fold(
            [
                value(3.3, {"t": 1.0}, order=1),
                value(3.5, {"t": 2.0}, Verdict.FAIL, order=2),
                value(3.45, {"t": 3.0}, Verdict.FAIL, order=3),
                value(math.nan, {"t": 4.0}, Verdict.PASS, order=4),
            ]
        )
        [row] = table.rows
        assert (row.count, row.readings, row.low, row.high) == (4, 3, 3.3, 3.5)
        assert row.verdict is Verdict.FAIL
        assert row.worst is not None
        assert row.worst.value == 3.5
        assert row.mean == pytest.approx(3.4166667)
        assert row.shown().value == "3.3000 … 3.5000 V"
        assert row.shown().margin == "-0.1 V"

    def test_a_missing_reading_is_worse_than_any_number(self) -> None:
        [row] = fold([value(9.0, {"t": 1.0}, Verdict.FAIL), value(math.nan, {"t": 2.0}, Verdict.FAIL)]).rows
        assert row.worst is not None
        assert math.isnan(row.worst.value)  # type: ignore[arg-type]

    def test_what_was_given_up_is_no_row(self) -> None:
        values = [
            given_up(value(9.0, None, Verdict.FAIL, attempt=1)),
            given_up(value(9.1, None, Verdict.FAIL, attempt=2)),
            value(3.3, attempt=3),
            given_up(value(8.0, None, Verdict.FAIL, node="steps/g/remedy/only_there", name="only_there")),
        ]
        table = fold(values)
        [row] = table.rows
        assert (row.count, row.verdict) == (1, Verdict.PASS)
        assert [m.value for m in table.superseded] == [9.0, 9.1, 8.0]

    def test_two_steps_that_measure_one_name_are_two_rows(self) -> None:
        assert [row.node for row in fold([value(3.3, node="a/x"), value(3.3, node="b/x")]).rows] == ["a/x", "b/x"]

    def test_diagnostics_are_kept_apart(self) -> None:
        table = fold([value(1.0, diagnostic=True)])
        assert table.rows == []
        assert len(table.diagnostics) == 1

    def test_the_words_of_texts_and_states(self) -> None:
        same = fold([value("B2", {"t": x}, low=None, high=None) for x in (1.0, 2.0)]).rows[0]
        assert same.shown().value == "B2"
        mixed = fold([value(x > 1, {"t": x}, low=None, high=None) for x in (1.0, 2.0)]).rows[0]
        assert mixed.shown().value == "various"

    def test_a_template_has_no_axis_values(self) -> None:
        assert template("steps/s#1/vout[t=-40,n=a/b]/x[u=1]") == "steps/s#1/vout/x"


@pytest.mark.parametrize(
    ("at", "low", "high", "expected"),
    [
        (1.0, 1.0, 2.0, 0.15), (2.0, 1.0, 2.0, 0.85), (9.0, 1.0, 2.0, 1.0), (50.0, None, 50.0, 0.85), (3.0, 3.0, None, 0.15),
        (1.0, None, None, None), (math.nan, 1.0, 2.0, None), ("x", 1.0, 2.0, None), (True, 0.0, 1.0, None),
    ],
)  # fmt: skip
def test_where_a_value_lies_in_its_limits(
    at: object, low: float | None, high: float | None, expected: float | None
) -> None:
    found = position(at, low, high)  # type: ignore[arg-type]
    assert found == (pytest.approx(expected) if expected is not None else None)


class TestCharts:
    def test_x_is_the_numeric_axis_with_most_values_and_the_others_make_lines(self) -> None:
        points = [
            value(3.3 + load / 100, {"t": t, "load": load, "mode": mode})
            for t in (0.0, 25.0) for load in (0.0, 0.1, 0.2) for mode in ("a", "b")
        ]  # fmt: skip
        chart = chart_of(fold(points).rows[0], {"load": "A"}.get)  # type: ignore[arg-type]
        assert chart is not None
        assert chart.x_label == "load (A)"
        assert chart.y_label == "vout (V)"
        assert [line.label for line in chart.lines] == ["t 0, mode a", "t 0, mode b", "t 25, mode a", "t 25, mode b"]
        assert chart.lines[0].xs == (0.0, 0.1, 0.2)
        assert [bound.text for bound in chart.bounds] == ["upper limit 3.4 V", "lower limit 3.2 V"]

    def test_points_beyond_their_limits_are_marked(self) -> None:
        points = [value(3.3, {"t": 1.0}), value(3.6, {"t": 2.0}, Verdict.FAIL)]
        chart = chart_of(fold(points).rows[0])
        assert chart is not None
        assert chart.lines[0].beyond == (False, True)
        assert "1 beyond the limits" in svg(chart)

    def test_words_on_the_axis(self) -> None:
        points = [value(y, {"mode": m}) for y, m in ((3.3, "eco"), (3.31, "turbo"))]
        chart = chart_of(fold(points).rows[0])
        assert chart is not None
        assert chart.categories == ("eco", "turbo")
        assert ">turbo</text>" in svg(chart)

    def test_limits_that_change_along_x_are_drawn_as_they_are(self) -> None:
        points = [value(3.3, {"t": t}, low=None, high=3.4 + t / 1000) for t in (0.0, 10.0, 20.0)]
        chart = chart_of(fold(points).rows[0])
        assert chart is not None
        [bound] = chart.bounds
        assert bound.ys == pytest.approx((3.4, 3.41, 3.42))

    def test_too_many_lines_leave_those_nearest_to_their_limits(self) -> None:
        points = [value(3.3 + n / 1000, {"t": t, "n": float(n)}) for n in range(20) for t in range(30)]
        chart = chart_of(fold(points).rows[0])
        assert chart is not None
        assert [line.label for line in chart.lines] == [f"n {n}" for n in range(12, 20)]
        assert "8 of 20 lines" in chart.note

    def test_decades_are_drawn_equally_wide(self) -> None:
        chart = chart_of(sweep(*((10.0 ** (n / 4), 3.3) for n in range(17))))
        assert chart is not None
        assert chart.x_log
        text = svg(chart)
        for tick in ("1", "10", "100", "1000", "10000"):
            assert f">{tick}</text>" in text
        linear = chart_of(sweep(*((float(n), 3.3) for n in range(1, 2000))))
        assert linear is not None
        assert not linear.x_log

    def test_nothing_to_draw(self) -> None:
        assert chart_of(sweep((1.0, math.nan), (2.0, 3.3))) is None

    @pytest.mark.parametrize(
        "points",
        [
            [(1.0, 3.3), (1.0, 3.3)], [(0.0, 0.0), (1.0, 0.0)], [(1e-12, 1e12), (2e-12, -1e12)], [(1.0, 1e-300), (2.0, 3e-300)],
            [(-1e300, 1.0), (1e300, 2.0)], [(math.nan, 3.3), (1.0, 3.3), (2.0, 3.2)], [(math.inf, 1.0), (0.0, 1.0), (1.0, 2.0)],
        ],
    )  # fmt: skip
    def test_odd_numbers_still_make_a_picture(self, points: list[tuple[float, float]]) -> None:
        chart = chart_of(sweep(*points))
        assert chart is not None
        text = svg(chart)
        ElementTree.fromstring(text)
        assert "nan" not in text.lower().replace("nano", "")
        assert "inf" not in text.split("<desc")[0]

    def test_every_text_is_escaped(self) -> None:
        evil = "<script>alert(1)</script>\"'&"
        points = [
            value(y, {"t": x, evil: evil + str(n)}, name=evil) for x in (1.0, 2.0) for n, y in enumerate((3.3, 3.31))
        ]
        chart = chart_of(fold(points).rows[0], lambda _: evil)
        assert chart is not None
        text = svg(chart, identifier=evil)
        root = ElementTree.fromstring(text)
        assert "<script" not in text
        assert root.find(f"{NAMESPACE}title") is not None

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10**6), count=st.integers(1201, 3000))
    def test_no_extreme_is_lost_by_thinning(self, seed: int, count: int) -> None:
        noise = random.Random(seed)
        ys = [noise.gauss(0, 1) for _ in range(count)]
        xs = [float(n) for n in range(len(ys))]
        kept = decimate(list(range(len(ys))), xs, ys)
        assert len(kept) <= 1200
        assert kept == sorted(kept)
        assert {0, len(ys) - 1} <= set(kept)
        assert min(ys[i] for i in kept) == min(ys)
        assert max(ys[i] for i in kept) == max(ys)

    @settings(deadline=None)
    @given(low=st.floats(-1e9, 1e9), span=st.floats(1e-6, 1e9))
    def test_ticks_are_few_and_inside(self, low: float, span: float) -> None:
        high = low + span
        ticks = nice_ticks(low, high)
        assert len(ticks) <= 14
        slack = 1e-6 * (abs(low) + span)
        assert all(low - slack <= tick <= high + slack for tick in ticks)
        assert len(tick_texts(ticks)) == len(ticks)

    def test_ticks_are_round(self) -> None:
        assert tick_texts(nice_ticks(3.22, 3.38, 5)) == ["3.25", "3.30", "3.35"]
        assert tick_texts(nice_ticks(0.0, 10.0, 5)) == ["0", "2", "4", "6", "8", "10"]
        assert tick_texts(nice_ticks(-45.0, 92.0, 5)) == ["-25", "0", "25", "50", "75"]


def finished(
    node: str, outcome: Outcome, order: int, *, final: bool = True, message: str = "", attempt: int = 1
) -> NodeFinished:
    return NodeFinished(0, node, attempt, order, "measure", outcome, 0.0, 2.0, final, message)


class _Attempt:
    """What the journal gives for a node, made from the document."""

    def __init__(self, d: NodeFinished) -> None:
        self.unit, self.node, self.attempt, self.kind, self.title = d.unit, d.node, d.attempt, d.kind, d.title
        self.outcome, self.final, self.started, self.finished = d.outcome, d.final, d.started, d.t
        self.waited, self.message = d.waited, d.message


def test_the_tree_has_one_branch_for_all_points_of_a_sweep() -> None:
    nodes = [
        finished("setup/psu", Outcome.DONE, 1),
        *(finished(f"steps/sweep#1/vout[t={t}]", Outcome.FAIL if t == 3 else Outcome.PASS, 2 + t) for t in range(5)),
        finished("steps/iq", Outcome.FAIL, 9, final=False, message="too much"),
        finished("steps/iq", Outcome.PASS, 9, attempt=2),
    ]
    rows = step_rows(map(_Attempt, nodes))
    assert [(r.depth, r.label, r.count, r.retries, r.outcome) for r in rows] == [
        (0, "setup", 0, 0, Outcome.DONE),
        (1, "psu", 1, 0, Outcome.DONE),
        (0, "steps", 0, 0, Outcome.FAIL),
        (1, "sweep#1", 0, 0, Outcome.FAIL),
        (2, "vout", 5, 0, Outcome.FAIL),
        (1, "iq", 1, 1, Outcome.PASS),
    ]
    assert rows[4].seconds == 10.0
    assert rows[5].message == "too much"
