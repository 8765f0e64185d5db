"""How outcomes add up to one, and what the shell is told."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.verdict.ladder import (
    ExitCode,
    TallyCounter,
    exit_code,
    of_verdict,
    run_outcome,
    unit_outcome,
    worse,
    worst,
)
from schemas.documents import Outcome, Tally, Verdict

outcomes = st.sampled_from(Outcome)
many = st.lists(outcomes, min_size=1)


@pytest.mark.parametrize(
    ("steps", "unit"),
    [
        ([], Outcome.UNJUDGED),
        ([Outcome.DONE, Outcome.DONE], Outcome.UNJUDGED),
        ([Outcome.DONE, Outcome.PASS], Outcome.PASS),
        ([Outcome.UNJUDGED, Outcome.PASS], Outcome.PASS),
        ([Outcome.UNJUDGED, Outcome.DONE], Outcome.UNJUDGED),
        ([Outcome.SKIPPED, Outcome.NOT_RUN], Outcome.UNJUDGED),
        ([Outcome.SKIPPED, Outcome.PASS], Outcome.PASS),
        ([Outcome.PASS, Outcome.MARGINAL], Outcome.MARGINAL),
        ([Outcome.MARGINAL, Outcome.FAIL, Outcome.PASS], Outcome.FAIL),
        ([Outcome.ERROR, Outcome.FAIL], Outcome.ERROR),
        ([Outcome.ERROR, Outcome.ABORTED], Outcome.ABORTED),
    ],
)
def test_a_unit_is_as_bad_as_the_worst_that_was_judged_in_it(steps: list[Outcome], unit: Outcome) -> None:
    assert unit_outcome(steps) is unit


@pytest.mark.parametrize(
    ("units", "run"),
    [
        ([], Outcome.UNJUDGED),
        ([Outcome.PASS, Outcome.PASS], Outcome.PASS),
        ([Outcome.PASS, Outcome.UNJUDGED], Outcome.UNJUDGED),
        ([Outcome.MARGINAL, Outcome.UNJUDGED], Outcome.UNJUDGED),
        ([Outcome.FAIL, Outcome.UNJUDGED], Outcome.FAIL),
        ([Outcome.PASS, Outcome.NOT_RUN], Outcome.UNJUDGED),
        ([Outcome.PASS, Outcome.SKIPPED], Outcome.UNJUDGED),
        ([Outcome.PASS, Outcome.DONE], Outcome.UNJUDGED),
        ([Outcome.PASS, Outcome.MARGINAL], Outcome.MARGINAL),
        ([Outcome.ABORTED, Outcome.ERROR], Outcome.ABORTED),
    ],
)
def test_a_unit_of_which_nothing_is_known_keeps_a_run_from_being_green(units: list[Outcome], run: Outcome) -> None:
    assert run_outcome(units) is run


def test_a_group_without_steps_is_done_and_one_that_only_skipped_is_skipped() -> None:
    assert worst([]) is Outcome.DONE
    assert worst([Outcome.SKIPPED]) is Outcome.SKIPPED
    assert worst([Outcome.NOT_RUN, Outcome.NOT_RUN]) is Outcome.NOT_RUN


def test_the_ladder_is_a_total_order() -> None:
    for one, other in itertools.product(Outcome, repeat=2):
        assert worse(one, other) is worse(other, one)
        assert worse(one, other) in (one, other)
    for one, other, third in itertools.product(Outcome, repeat=3):
        if worse(one, other) is other and worse(other, third) is third:
            assert worse(one, third) is third


@given(many, many)
def test_the_worst_of_groups_is_the_worst_of_their_steps(one: list[Outcome], other: list[Outcome]) -> None:
    assert worst([worst(one), worst(other)]) is worst([*one, *other])
    assert run_outcome([run_outcome(one), run_outcome(other)]) is run_outcome([*one, *other])


@given(many)
def test_more_steps_never_make_an_outcome_better_once_something_failed(steps: list[Outcome]) -> None:
    assert exit_code(unit_outcome([Outcome.FAIL, *steps])) in (ExitCode.FAIL, ExitCode.ERROR, ExitCode.ABORTED)
    assert exit_code(run_outcome([Outcome.FAIL, *steps])) in (ExitCode.FAIL, ExitCode.ERROR, ExitCode.ABORTED)


@given(st.lists(outcomes))
def test_green_takes_at_least_one_pass_and_nothing_worse_than_marginal(steps: list[Outcome]) -> None:
    if exit_code(unit_outcome(steps)) == 0:
        assert {Outcome.PASS, Outcome.MARGINAL} & set(steps)
        assert not {Outcome.FAIL, Outcome.ERROR, Outcome.ABORTED} & set(steps)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.PASS, 0),
        (Outcome.MARGINAL, 0),
        (Outcome.FAIL, 1),
        (Outcome.ERROR, 3),
        (Outcome.ABORTED, 4),
        (Outcome.UNJUDGED, 5),
        (Outcome.DONE, 5),
        (Outcome.SKIPPED, 5),
        (Outcome.NOT_RUN, 5),
    ],
)
def test_every_outcome_has_its_exit_code(outcome: Outcome, code: int) -> None:
    assert exit_code(outcome) == code


def test_every_verdict_is_an_outcome() -> None:
    assert [of_verdict(verdict) for verdict in Verdict] == [
        Outcome.PASS,
        Outcome.MARGINAL,
        Outcome.FAIL,
        Outcome.UNJUDGED,
    ]


def test_a_tally_counts_verdicts_and_takes_over_what_a_final_attempt_counted() -> None:
    attempt, unit = TallyCounter(), TallyCounter()
    for verdict in (Verdict.PASS, Verdict.PASS, Verdict.MARGINAL, Verdict.FAIL, Verdict.UNJUDGED):
        attempt.count(verdict)
    attempt.error()
    attempt.skip(3)
    unit.count(Verdict.FAIL)
    unit.add(attempt.tally())
    assert unit.tally() == Tally(passed=2, marginal=1, failed=2, unjudged=1, errors=1, skipped=3)
    copy = unit.tally()
    unit.error()
    assert copy.errors == 1
