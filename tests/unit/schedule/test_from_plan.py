"""Compiled sequences as scheduling problems."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.plan.compile import Wish, compile_plan
from engine.plan.model import Plan
from engine.schedule.estimate import Estimate
from engine.schedule.from_plan import problem_from_plan
from engine.schedule.planned import plan_order
from engine.schedule.problem import InvalidProblem, Problem
from engine.schedule.rules import first_plan
from engine.schedule.schedule import check_feasible, windows
from engine.schedule.transitions import Transition
from schemas.library import Library
from schemas.loading import load, load_text

ROOT = Path(__file__).parents[3]
HEAD = "sequence: demo\nneeds: {chamber: thermal_chamber, psu: power_supply, dmm: multimeter}\n"
RAMP = {"chamber": Transition(1.0, 0.5, 10.0)}
"""1 K/s up, 0.5 K/s down, 10 s of soak."""


def compiled(text: str, station: str = "sim_rack") -> Plan:
    bench = load(ROOT / "stations" / f"{station}.yaml", "station")
    return compile_plan(load_text(HEAD + text, "demo.yaml", "sequence"), bench, Library(ROOT), ROOT, Wish())


def problem_of(text: str, units: int, estimates: dict[str, Estimate] | None = None, **kwargs: int) -> Problem:
    plan = compiled(text)
    return problem_from_plan(plan, units, estimates or {}, transitions=RAMP, most_tasks=kwargs.get("most", 20_000))


SWEEP = """
steps:
  - sweep: {temperature: {values: [-40, 85, 25], unit: degC}}
    order: ORDER
    each:
      - set: {chamber.setpoint: "{{ temperature }}"}
      - measure: vout
        from: dmm.voltage_dc
        limit: none
"""


def test_units_in_one_chamber_pay_each_transition_once() -> None:
    problem = problem_of(SWEEP.replace("ORDER", "as_written"), 8, {"steps/vout": Estimate(1.0)})
    schedule = first_plan(problem)
    assert check_feasible(problem, schedule) == []
    assert len(windows(problem, schedule, 0)) == 3
    alone_s = (65 / 0.5 + 10) + (125 / 1.0 + 10) + (60 / 0.5 + 10)
    assert alone_s < problem.seconds(schedule.makespan) <= alone_s + 3 * 8 * 1.1


def test_the_planner_chooses_the_order_of_a_fastest_sweep() -> None:
    order = plan_order(compiled(SWEEP.replace("ORDER", "fastest")), 3, {}, "iters:50", transitions=RAMP)
    assert order.sweep_order(0, "steps/sweep#1") == (1, 2, 0) or order.sweep_order(0, "steps/sweep#1") == (0, 2, 1)
    written = plan_order(compiled(SWEEP.replace("ORDER", "as_written")), 3, {}, "iters:50", transitions=RAMP)
    assert order.makespan_s < written.makespan_s
    assert written.sweep_order(0, "steps/sweep#1") is None


def test_priorities_follow_the_plan_and_positions_of_the_run() -> None:
    order = plan_order(compiled(SWEEP.replace("ORDER", "as_written")), 2, {}, "iters:0", transitions=RAMP)
    tasks = [task for task in order.problem.tasks if task.unit == 1 and not task.helper]
    starts = [order.priority(1, task.node, task.order) for task in tasks]
    assert starts == sorted(starts)
    assert tasks[-1].node == "steps/vout[temperature=25]"
    assert order.expected_end(1, tasks[-1].node, tasks[-1].order) <= order.makespan_s  # type: ignore[operator]


def test_more_units_than_sites_queue_for_them() -> None:
    problem = problem_of("steps:\n  - wait: 10 s\n", 20)
    schedule = first_plan(problem)
    assert check_feasible(problem, schedule) == []
    assert problem.seconds(schedule.makespan) == 30
    assert next(one for one in problem.resources if one.kind == "site").capacity == 8


def test_one_meter_for_all_is_a_resource_and_a_supply_of_each_site_is_not_shared() -> None:
    text = "steps:\n  - set: {psu.voltage: 5 V}\n  - measure: vout\n    from: dmm.voltage_dc\n    limit: none\n"
    problem = problem_of(text, 3)
    shared = {one.name for one in problem.resources if one.unit is None}
    assert shared == {"dmm"}
    assert {one.name for one in problem.resources if one.unit is not None} == {"psu@1", "psu@2", "psu@3"}


def test_a_group_that_holds_an_instrument_is_a_span_and_its_steps_do_not_claim_it_again() -> None:
    text = """
steps:
  - group: held
    hold: [dmm]
    steps:
      - measure: a
        from: dmm.voltage_dc
        limit: none
      - wait: 5 s
      - measure: b
        from: dmm.voltage_dc
        limit: none
"""
    problem = problem_of(text, 4)
    assert len(problem.spans) == 4
    assert all(not task.claims for task in problem.tasks)
    schedule = first_plan(problem)
    assert check_feasible(problem, schedule) == []
    assert problem.seconds(schedule.makespan) >= 20


def test_branches_side_by_side_overlap() -> None:
    text = "steps:\n  - parallel:\n    - [{wait: 10 s}]\n    - [{wait: 7 s}]\n  - wait: 1 s\n"
    problem = problem_of(text, 1)
    assert problem.seconds(first_plan(problem).makespan) == 11


def test_a_barrier_waits_for_every_unit() -> None:
    text = "steps:\n  - measure: a\n    from: dmm.voltage_dc\n    limit: none\n  - barrier: all\n  - wait: 1 s\n"
    problem = problem_of(text, 4, {"steps/a": Estimate(10.0)})
    schedule = first_plan(problem)
    assert check_feasible(problem, schedule) == []
    last = [index for index, task in enumerate(problem.tasks) if task.duration == 1000]
    assert {problem.seconds(schedule.starts[index]) for index in last} == {40.0}


def test_a_plan_with_a_million_points_stays_small_and_keeps_its_length() -> None:
    text = """
steps:
  - sweep: {x: {from: 0, to: 999999, points: 1000000}}
    each:
      - measure: vout
        from: dmm.voltage_dc
        limit: none
"""
    problem = problem_of(text, 8, {"steps/vout": Estimate(0.5)}, most=2_000)
    assert problem.size <= 2_000
    total = sum(task.duration for task in problem.tasks if task.unit == 0)
    assert problem.seconds(total) == pytest.approx(500_000.0)


def test_estimates_say_how_long_steps_take_and_the_plan_itself_where_there_are_none() -> None:
    text = (
        "steps:\n  - wait: 3 s\n  - log: hello\n    duration: 2 s\n  - compute: x\n    value: 1 + 1\n    limit: none\n"
    )
    problem = problem_of(text, 1, {"steps/x": Estimate(4.0, 0.5, 4.6, "history")})
    assert [problem.seconds(task.duration) for task in problem.tasks] == [3, 2, 4]
    assert problem.tasks[2].p90 == 4600


def test_no_units_are_refused() -> None:
    with pytest.raises(InvalidProblem):
        problem_of("steps:\n  - wait: 3 s\n", 0)


@pytest.mark.parametrize("units", [1, 8, 11])
def test_the_shipped_characterisation_can_be_planned(units: int) -> None:
    sequence = load(ROOT / "sequences" / "ldo_characterisation.yaml", "sequence")
    bench = load(ROOT / "stations" / "sim_rack.yaml", "station")
    plan = compile_plan(sequence, bench, Library(ROOT), ROOT, Wish())
    order = plan_order(plan, units, {}, "iters:20", engine="python")
    assert check_feasible(order.problem, order.schedule) == []
    assert order.lower_bound_s <= order.makespan_s
