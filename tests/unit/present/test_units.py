"""Several units in one table: nobody's failure is lost among the others."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from engine.present.chart import MOST_UNITS, chart_of
from engine.present.fold import fold
from engine.present.steps import step_rows
from engine.present.units import across, is_shared, traces, worst_first
from schemas.documents import Measured, Outcome, Verdict


def value(
    unit: int,
    number: float,
    t: float | None = None,
    verdict: Verdict = Verdict.PASS,
    name: str = "vout",
    order: int = 1,
) -> Measured:
    node = f"steps/{name}" + (f"[t={t:g}]" if t is not None else "")
    margin = min(number - 3.2, 3.4 - number)
    axes = (("t", t),) if t is not None else ()
    return Measured(unit, node, 1, order, name, number, "V", verdict, 0.0, 3.2, 3.4, "", margin, axes)


SERIALS = {0: "SN1", 1: "SN2", 2: "SN3"}


def swept() -> list[Measured]:
    return [
        *(value(0, 3.30 + t / 1000, t) for t in (0.0, 25.0)),
        *(value(1, 3.50 + t / 1000, t, Verdict.FAIL) for t in (0.0, 25.0)),
        *(value(2, 3.31 + t / 1000, t) for t in (0.0, 25.0)),
    ]  # fmt: skip


def test_what_units_have_in_common_is_one_row_that_names_the_worst() -> None:
    [one] = across(fold(swept()).rows)
    assert (one.name, one.verdict, one.worst_unit) == ("vout", Verdict.FAIL, 1)
    assert one.total.shown().value == "3.3000 … 3.5250 V"
    assert one.total.shown().margin == "-0.125 V"
    assert one.units_text(3) == "1 fail, 2 pass"
    assert one.total.worst is not None
    assert one.total.worst.axes == (("t", 25.0),)


def test_a_unit_that_dropped_out_is_counted_as_without_a_value() -> None:
    rows = fold([*swept(), value(0, 3.3, name="iq", order=2)]).rows
    first, second = across(rows)
    assert (first.units_text(4), second.units_text(4)) == ("1 fail, 2 pass, 1 without", "1 pass, 3 without")


def test_rows_come_in_the_order_of_the_plan_though_the_first_unit_lacks_some() -> None:
    rows = fold(
        [value(0, 3.3, name="b", order=2), value(1, 3.3, name="a", order=1), value(1, 3.3, name="b", order=2)]
    ).rows
    assert [one.name for one in across(rows)] == ["a", "b"]
    assert is_shared(rows)
    assert not is_shared(rows[:1])


def test_values_nobody_judged_have_no_worst_unit_to_blame() -> None:
    rows = fold([value(unit, 3.3, verdict=Verdict.UNJUDGED) for unit in (0, 1)]).rows
    assert across(rows)[0].units_text(2) == "2 units"


def test_a_chart_has_one_line_a_unit_named_by_its_serial() -> None:
    [one] = across(fold(swept()).rows)
    chart = chart_of(traces(one, SERIALS))
    assert chart is not None
    assert [line.label for line in chart.lines] == ["SN1", "SN2", "SN3"]
    assert chart.x_label == "t"
    assert [line.beyond for line in chart.lines] == [(False, False), (True, True), (False, False)]


def test_of_very_many_units_the_chart_has_those_nearest_to_their_limits() -> None:
    values = [value(unit, 3.3 + unit / 1000, t) for unit in range(30) for t in (0.0, 25.0)]
    [one] = across(fold(values).rows)
    chart = chart_of(traces(one, {unit: f"SN{unit}" for unit in range(30)}))
    assert chart is not None
    assert [line.label for line in chart.lines] == [f"SN{unit}" for unit in range(14, 30)]
    assert len(chart.lines) == MOST_UNITS
    assert "16 of 30 lines shown" in chart.note


def test_words_on_the_axis_still_make_a_line_a_unit() -> None:
    values = [
        Measured(unit, f"steps/v[mode={mode}]", 1, n, "v", 1.0 + unit + n, "V", Verdict.PASS, 0.0, axes=(("mode", mode),))
        for unit in (0, 1) for n, mode in enumerate(("eco", "turbo"))
    ]  # fmt: skip
    chart = chart_of(traces(across(fold(values).rows)[0], SERIALS))
    assert chart is not None
    assert (chart.categories, [line.label for line in chart.lines]) == (("eco", "turbo"), ["SN1", "SN2"])


@dataclass
class Unit:
    unit: int
    outcome: Outcome | None


def test_those_that_failed_come_first_and_the_rest_in_their_order() -> None:
    outcomes = [Outcome.PASS, Outcome.FAIL, Outcome.PASS, Outcome.ERROR, None, Outcome.FAIL]
    units = [Unit(n, outcome) for n, outcome in enumerate(outcomes)]
    assert [one.unit for one in worst_first(units)] == [3, 1, 5, 0, 2, 4]


@dataclass
class Node:
    unit: int
    node: str
    outcome: Outcome
    attempt: int = 1
    kind: str = "measure"
    title: str = ""
    final: bool = True
    started: float = 0.0
    finished: float | None = 3.0
    waited: float = 0.0
    message: str = ""


def test_one_tree_of_steps_for_all_units_has_the_worst_outcome_and_the_time_of_one() -> None:
    nodes = [
        Node(unit, f"steps/vout[t={t}]", Outcome.FAIL if unit == 1 else Outcome.PASS) for unit in (0, 1) for t in (1, 2)
    ]
    _, row = step_rows(nodes, together=True)
    assert (row.outcome, row.count, row.units) == (Outcome.FAIL, 4, 2)
    assert row.seconds / row.units == pytest.approx(6.0)
    assert len(step_rows(nodes)) == 4
