"""Rules, bounds and what makes a schedule feasible."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.schedule.bounds import lower_bound, lower_bounds, preemptive, utilisation, with_more
from engine.schedule.problem import InvalidProblem, Mode, ModeHold, Problem, Resource, Span, Task
from engine.schedule.rules import candidates, first_come, first_plan
from engine.schedule.schedule import Schedule, as_json, check_feasible, rows, windows
from engine.schedule.setpoints import best_tour, tour_cost, window_plans
from tests.unit.schedule.problems import free_sweep, job_shop, problems


@settings(max_examples=120, deadline=None)
@given(problems)
def test_every_rule_gives_a_schedule_that_obeys_the_problem_and_no_bound_is_above_one(problem: Problem) -> None:
    bound = lower_bound(problem)
    for candidate in candidates(problem):
        assert check_feasible(problem, candidate.schedule) == []
        assert candidate.schedule.makespan >= bound


@settings(max_examples=40, deadline=None)
@given(problems)
def test_first_come_first_served_never_gets_stuck(problem: Problem) -> None:
    assert check_feasible(problem, first_come(problem)) == []


@settings(max_examples=40, deadline=None)
@given(problems)
def test_the_same_problem_gives_the_same_plan(problem: Problem) -> None:
    again = Problem(problem.tasks, problem.resources, problem.spans, problem.modes, problem.holds)
    assert as_json(problem, first_plan(problem)) == as_json(again, first_plan(again))


@settings(max_examples=60, deadline=None)
@given(problems, st.integers(0, 10**6))
def test_a_task_moved_too_early_is_found(problem: Problem, pick: int) -> None:
    schedule = first_plan(problem)
    index = pick % problem.size
    starts, ends = list(schedule.starts), list(schedule.ends)
    starts[index] -= ends[index] + 1
    ends[index] = -1
    assert check_feasible(problem, Schedule(tuple(starts), tuple(ends)))


def two(claims: tuple[tuple[int, int], ...], **kwargs: object) -> Problem:
    tasks = tuple(Task(f"{unit}", unit, "n", 0, 10, claims=claims) for unit in range(2))
    return Problem(tasks, (Resource("dmm"),), **kwargs)  # type: ignore[arg-type]


def test_two_units_do_not_use_one_meter_at_once() -> None:
    problem = two(((0, 1),))
    assert first_plan(problem).makespan == 20
    assert "2 of `dmm` are taken at 0" in check_feasible(problem, Schedule((0, 0), (10, 10)))[0]


def test_a_span_keeps_others_out_between_its_tasks() -> None:
    tasks = (
        Task("a", 0, "a", 0, 5),
        Task("b", 0, "b", 1, 5, predecessors=(0,)),
        Task("c", 1, "c", 0, 3, claims=((0, 1),)),
    )
    problem = Problem(tasks, (Resource("psu"),), (Span(0, 0, 1),))
    assert check_feasible(problem, Schedule((0, 5, 4), (5, 10, 7)))
    assert first_plan(problem).makespan == 13


def test_units_share_a_setpoint_and_the_transition_is_paid_once() -> None:
    tasks = tuple(Task(f"{unit}", unit, "set", 0, 0) for unit in range(2)) + tuple(
        Task(f"{unit}.m", unit, "measure", 1, 7, predecessors=(unit,)) for unit in range(2)
    )
    mode = Mode("chamber", (25, 85), ((0, 100), (120, 0)), 0)
    problem = Problem(tasks, (), (), (mode,), (ModeHold(0, 1, 0, 2), ModeHold(0, 1, 1, 3)))
    schedule = first_plan(problem)
    assert schedule.makespan == 107 == lower_bound(problem)
    assert [window.holds for window in windows(problem, schedule, 0)] == [(0, 1)]
    assert check_feasible(problem, Schedule((0, 50, 100, 100), (100, 50, 107, 107)))


def test_a_different_value_waits_until_nobody_holds_the_old_one() -> None:
    tasks = (Task("a", 0, "set", 0, 1), Task("b", 1, "set", 0, 1))
    mode = Mode("chamber", (25, 85), ((0, 10), (10, 0)), 0)
    problem = Problem(tasks, (), (), (mode,), (ModeHold(0, 1, 0, 0), ModeHold(0, 0, 1, 1)))
    assert first_plan(problem).makespan == min(11 + 11, 1 + 11)
    assert check_feasible(problem, Schedule((0, 5), (11, 6)))


def test_two_units_that_each_hold_what_the_other_needs_do_not_deadlock() -> None:
    def unit(number: int, mine: int, other: int) -> tuple[Task, ...]:
        first = 2 * number
        return (
            Task(f"{number}.a", number, "a", 0, 5),
            Task(f"{number}.b", number, "b", 1, 5, predecessors=(first,), claims=((other, 1),)),
        )

    problem = Problem((*unit(0, 0, 1), *unit(1, 1, 0)), (Resource("x"), Resource("y")), (Span(0, 0, 1), Span(1, 2, 3)))
    assert check_feasible(problem, first_come(problem)) == []
    assert first_plan(problem).makespan == 20


def test_started_tasks_stay_where_they_are() -> None:
    tasks = (
        Task("a", 0, "a", 0, 10, claims=((0, 1),), started=-3),
        Task("b", 1, "b", 0, 10, claims=((0, 1),)),
    )
    problem = Problem(tasks, (Resource("dmm"),))
    schedule = first_plan(problem)
    assert schedule.starts == (-3, 7)
    assert check_feasible(problem, Schedule((0, 10), (10, 20)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claims": ((0, 2),)}, "claims 2 of `dmm`, and there is only 1"),
        ({"claims": ((3, 1),)}, "claims a resource that does not exist"),
        ({"claims": ((0, 1), (0, 1))}, "names a resource twice"),
        ({"predecessors": (7,)}, "waits for a task that does not exist"),
        ({"predecessors": (0,)}, "waits for itself"),
        ({"duration": -1}, "negative duration"),
        ({"started": 5}, "started in the future"),
    ],
)
def test_an_impossible_problem_is_refused(change: dict[str, object], message: str) -> None:
    task = replace(Task("a", 0, "a", 0, 1), **change)  # type: ignore[arg-type]
    with pytest.raises(InvalidProblem, match=message):
        Problem((task,), (Resource("dmm"),))


def test_a_hold_across_units_is_refused() -> None:
    tasks = (Task("a", 0, "a", 0, 1), Task("b", 1, "b", 0, 1))
    with pytest.raises(InvalidProblem, match="of another unit"):
        Problem(tasks, (Resource("x"),), (Span(0, 0, 1),))


# --- setpoints


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_order_of_setpoints_is_the_shortest(size: int, draw: object) -> None:
    table = [[0 if i == j else draw.randint(1, 50) for j in range(size + 1)] for i in range(size + 1)]  # type: ignore[attr-defined]
    best = min(tour_cost(table, size, order) for order in itertools.permutations(range(size)))
    assert tour_cost(table, size, best_tour(table, size, range(size))) == best


def test_many_setpoints_on_a_line_are_visited_from_the_near_end() -> None:
    size = 20
    table = [[abs(i - j) for j in range(size + 1)] for i in range(size + 1)]
    assert tour_cost(table, 4, best_tour(table, 4, range(size))) <= 4 + 19


def test_units_free_to_choose_visit_every_setpoint_once_together() -> None:
    problem = free_sweep(units=5, values=4)
    assert len(set(window_plans(problem)[0])) == 4
    schedule = first_plan(problem)
    assert check_feasible(problem, schedule) == []
    assert len(windows(problem, schedule, 0)) == 4


# --- bounds


def test_jacksons_bound_interrupts_for_the_longest_tail() -> None:
    assert preemptive([(0, 10, 0), (2, 3, 20)]) == 25


def test_a_busy_meter_bounds_the_plan_and_one_more_relieves_it() -> None:
    problem = Problem(
        tuple(Task(f"{unit}", unit, "m", 0, 10, claims=((0, 1),)) for unit in range(6)), (Resource("dmm"),)
    )
    bounds = lower_bounds(problem)
    assert (bounds.resource, bounds.busiest, bounds.critical_path) == (60, "dmm", 10)
    assert utilisation(problem, first_plan(problem)) == {"dmm": 1.0}
    assert first_plan(with_more(problem, "dmm")).makespan == 30


def test_units_with_one_fixed_order_of_setpoints_are_bounded_by_its_transitions() -> None:
    tasks, holds = [], []
    for unit in range(3):
        for step, value in enumerate((1, 2, 1)):
            first = len(tasks)
            tasks.append(Task(f"{unit}.{step}", unit, f"s{step}", step, 5, predecessors=(first - 1,) if step else ()))
            holds.append(ModeHold(0, value, first, first))
    mode = Mode("chamber", (0, 1, 2), ((0, 10, 20), (10, 0, 10), (20, 10, 0)), 0)
    problem = Problem(tuple(tasks), (), (), (mode,), tuple(holds))
    assert lower_bound(problem) >= 10 + 10 + 10 + 15


# --- rows


def test_rows_show_units_then_shared_resources_and_modes() -> None:
    problem = free_sweep(units=2, values=2)
    found = rows(problem, first_plan(problem))
    assert [(row.name, row.kind) for row in found] == [
        ("unit 1", "unit"),
        ("unit 2", "unit"),
        ("meter", "resource"),
        ("chamber", "mode"),
    ]
    assert all(bar.end_s > bar.start_s for row in found for bar in row.bars)


def test_a_job_shop_runs_every_task_once() -> None:
    problem = job_shop(6, 4, seed=3)
    assert check_feasible(problem, first_plan(problem)) == []
