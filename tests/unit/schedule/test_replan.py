"""Planning again while a run is under way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.schedule.bounds import Bounds
from engine.schedule.estimate import Budget
from engine.schedule.planned import PlannedOrder
from engine.schedule.problem import Problem, Resource, Task
from engine.schedule.replan import Happened, replan
from engine.schedule.rules import first_plan
from engine.schedule.schedule import check_feasible
from tests.unit.schedule.problems import problems


def planned(problem: Problem) -> PlannedOrder:
    return PlannedOrder(problem, first_plan(problem), Bounds(0, 0, "", 0))


def happened(order: PlannedOrder, now: int, gone: frozenset[int] = frozenset()) -> Happened:
    """Everything went as planned until now."""
    problem, schedule = order.problem, order.schedule
    started, finished = {}, {}
    for task, start, end in zip(problem.tasks, schedule.starts, schedule.ends, strict=True):
        key, begun = (task.unit, task.order), problem.seconds(start)
        if end <= now:
            finished[key] = (begun, problem.seconds(end))
        elif start < now:
            started[key] = begun
    return Happened(problem.seconds(now), started, finished, gone)


@settings(max_examples=100, deadline=None)
@given(problems, st.floats(0, 1))
def test_a_plan_made_again_is_feasible_moves_nothing_that_started_and_is_not_longer(
    problem: Problem, part: float
) -> None:
    order = planned(problem)
    now = int(order.schedule.makespan * part)
    again = replan(order, happened(order, now), Budget(iterations=10), engine="python")
    assert check_feasible(again.problem, again.schedule) == []
    if again.problem.size:
        assert again.schedule.makespan <= order.schedule.makespan
    for index, task in enumerate(again.problem.tasks):
        if task.started is not None:
            assert again.schedule.starts[index] == task.started <= now
        else:
            assert again.schedule.starts[index] >= now


@settings(max_examples=40, deadline=None)
@given(problems, st.floats(0, 1))
def test_a_unit_that_dropped_out_leaves_its_place_to_others(problem: Problem, part: float) -> None:
    order = planned(problem)
    now = int(order.schedule.makespan * part)
    again = replan(order, happened(order, now, frozenset({0})), Budget(iterations=10), engine="python")
    assert check_feasible(again.problem, again.schedule) == []
    assert all(task.unit != 0 for task in again.problem.tasks)


def units(count: int) -> Problem:
    tasks = tuple(Task(f"{unit}", unit, "m", 0, 1000 * (unit + 1), claims=((0, 1),)) for unit in range(count))
    return Problem(tasks, (Resource("dmm"),))


def test_a_step_that_takes_longer_than_expected_pushes_the_others_back() -> None:
    order = planned(units(2))
    first = min(range(2), key=lambda unit: order.schedule.starts[unit])
    now_s = order.problem.seconds(order.schedule.ends[first]) + 5.0
    again = replan(order, Happened(now_s, started={(first, 0): 0.0}), Budget(iterations=0))
    other = 1 - first
    assert (again.expected_start(other, "m", 0) or 0.0) > now_s


def test_a_new_unit_joins_those_under_way() -> None:
    order = planned(units(2))
    more = units(3)
    again = replan(order, Happened(0.5, started={(0, 0): 0.0}), Budget(iterations=5), problem=more, engine="python")
    assert check_feasible(again.problem, again.schedule) == []
    assert {task.unit for task in again.problem.tasks} == {0, 1, 2}
    assert again.schedule.starts[0] == 0


def test_a_node_without_a_task_of_its_own_ranks_with_the_one_before_it() -> None:
    order = planned(units(2))
    assert order.priority(1, "retry", 17)[0] == order.expected_start(1, "m", 0)
    assert order.priority(9, "m", 0)[0] == float("inf")
    assert order.expected_start(9, "m", 0) is None
