"""The search: never worse, never wrong, the same wherever it runs."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings

from engine.schedule import cpsat, kernel_numba
from engine.schedule.bounds import lower_bound
from engine.schedule.estimate import Budget
from engine.schedule.improve import improve
from engine.schedule.planned import plan_problem, what_if
from engine.schedule.problem import Problem, Resource, Task
from engine.schedule.rules import candidates, first_plan
from engine.schedule.schedule import as_json, check_feasible
from engine.schedule.serial import insert
from tests.unit.schedule.problems import free_sweep, job_shop, problems, random_problem

needs_numba = pytest.mark.skipif(not kernel_numba.available(), reason="the extra `plan` is not installed")
needs_ortools = pytest.mark.skipif(not cpsat.available(), reason="the extra `plan` is not installed")


@settings(max_examples=80, deadline=None)
@given(problems)
def test_an_improved_schedule_obeys_the_problem_and_is_not_longer(problem: Problem) -> None:
    found = improve(problem, Budget(iterations=120), engine="python", patience=25)
    assert check_feasible(problem, found.schedule) == []
    assert lower_bound(problem) <= found.schedule.makespan <= found.first


@pytest.mark.parametrize("seed", range(12))
def test_a_number_of_iterations_gives_the_same_plan_every_time(seed: int) -> None:
    problem = random_problem(seed, units=5, steps=8) if seed % 2 else job_shop(6, 5, seed)
    one = improve(problem, Budget(iterations=300), engine="python", patience=60)
    other = improve(problem, Budget(iterations=300), engine="python", patience=60)
    assert as_json(problem, one.schedule) == as_json(problem, other.schedule)
    assert one.iterations == other.iterations <= 300


@needs_numba
@pytest.mark.parametrize("seed", range(24))
def test_compiled_and_plain_give_the_same_plan(seed: int) -> None:
    problem = random_problem(seed, units=5, steps=8) if seed % 3 else job_shop(7, 5, seed)
    plain = improve(problem, Budget(iterations=400), engine="python", patience=80)
    compiled = improve(problem, Budget(iterations=400), engine="compiled", patience=80)
    assert as_json(problem, plain.schedule) == as_json(problem, compiled.schedule)
    assert plain.iterations == compiled.iterations


@pytest.mark.parametrize("seed", range(10))
def test_tiny_job_shops_are_solved_to_the_optimum(seed: int) -> None:
    problem = job_shop(3, 3, seed)
    found = improve(problem, Budget(iterations=500), engine="python", patience=100)
    assert found.schedule.makespan == brute_force(problem)


def brute_force(problem: Problem) -> int:
    """The best of all orders in which tasks can be put one after the other where they fit first."""
    units = [[i for i, task in enumerate(problem.tasks) if task.unit == unit] for unit in problem.units]
    best = None
    for order in set(itertools.permutations([unit for unit, tasks in enumerate(units) for _ in tasks])):
        at = [0] * len(units)
        rank = [0.0] * problem.size
        for place, unit in enumerate(order):
            rank[units[unit][at[unit]]] = float(place)
            at[unit] += 1
        found = insert(problem, rank)
        assert found is not None
        best = found.makespan if best is None else min(best, found.makespan)
    assert best is not None
    return best


def test_the_search_moves_work_between_the_pieces_of_a_pool() -> None:
    lengths = (7, 7, 6, 6, 5, 5, 4, 4, 4)
    tasks = tuple(Task(f"{k}", k, "m", 0, length, claims=((0, 1),)) for k, length in enumerate(lengths))
    problem = Problem(tasks, (Resource("dmm", 3),))
    found = improve(problem, Budget(iterations=300), engine="python")
    assert found.schedule.makespan <= 17


def test_a_budget_of_nothing_is_the_best_rule() -> None:
    problem = job_shop(5, 4, seed=1)
    assert improve(problem, Budget(iterations=0)).schedule == first_plan(problem)


def test_the_clock_ends_a_search_that_is_bounded_in_seconds() -> None:
    ticks = itertools.count()
    found = improve(job_shop(8, 6, seed=2), Budget(seconds=5.0), engine="python", clock=lambda: float(next(ticks)))
    assert found.iterations > 0


def test_setpoints_in_any_order_are_planned_to_the_bound() -> None:
    planned = plan_problem(free_sweep(units=4, values=5), "iters:200", engine="python")
    assert planned.gap < 0.05
    assert sorted(planned.sweep_order(0, "sweep") or ()) == [0, 1, 2, 3, 4]
    assert {planned.sweep_order(unit, "sweep") for unit in range(4)} == {planned.sweep_order(0, "sweep")}
    assert planned.sweep_order(0, "another") is None


def test_one_more_meter_saves_what_it_relieves() -> None:
    tasks = tuple(Task(f"{unit}", unit, "m", 0, 10_000, claims=((0, 1),)) for unit in range(4))
    planned = plan_problem(Problem(tasks, (Resource("dmm"),)), "iters:50", engine="python")
    assert planned.makespan_s == 40
    assert what_if(planned, "dmm") == 20


@needs_ortools
@pytest.mark.parametrize("seed", range(8))
def test_a_proof_never_contradicts_what_was_found(seed: int) -> None:
    problem = random_problem(seed, units=3, steps=5)
    schedule = candidates(problem)[0].schedule
    proof = cpsat.prove(problem, schedule, 1.0, bound=lower_bound(problem))
    assert check_feasible(problem, proof.schedule) == []
    assert lower_bound(problem) <= proof.bound <= proof.schedule.makespan <= schedule.makespan
    if proof.optimal:
        found = improve(problem, Budget(iterations=300), engine="python", patience=60)
        assert found.schedule.makespan >= proof.schedule.makespan


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("5s", Budget(seconds=5.0)),
        ("50 ms", Budget(seconds=0.05)),
        ("2 min", Budget(seconds=120.0)),
        ("iters:2_000", Budget(iterations=2000)),
    ],
)
def test_a_budget_is_a_time_or_a_count(text: str, budget: Budget) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["", "5", "iters:-1", "-1s", "soon", "iters:x"])
def test_any_other_budget_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Budget.parse(text)
