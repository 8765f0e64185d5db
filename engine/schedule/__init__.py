"""Plans many units on one bench: a problem as data, schedules that obey it, and what no schedule can beat."""

from engine.schedule.bounds import Bounds, lower_bound, lower_bounds
from engine.schedule.estimate import Budget, Estimate
from engine.schedule.from_plan import problem_from_plan
from engine.schedule.planned import PlannedOrder, plan_order, plan_problem, what_if
from engine.schedule.problem import InvalidProblem, Problem
from engine.schedule.replan import Happened, remaining, replan
from engine.schedule.schedule import Schedule, check_feasible
from engine.schedule.transitions import Transition

__all__ = [
    "Bounds",
    "Budget",
    "Estimate",
    "Happened",
    "InvalidProblem",
    "PlannedOrder",
    "Problem",
    "Schedule",
    "Transition",
    "check_feasible",
    "lower_bound",
    "lower_bounds",
    "plan_order",
    "plan_problem",
    "problem_from_plan",
    "remaining",
    "replan",
    "what_if",
]
