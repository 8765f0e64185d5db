"""The manager of locks and its safety check, without a run around them."""

from __future__ import annotations

import itertools
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import InstrumentError, StepError
from engine.dispatch.banker import is_safe
from engine.dispatch.locks import Need, NotNow, Span, Ticket
from engine.dispatch.manager import AllAtOnceLocks
from engine.dispatch.policy import AsPlanned, FirstComeFirstServed, MostWorkLeft

numbers = itertools.count(1)


def ticket(unit, *wants, since=0.0, joins=(), opens=(), need=None, duration_s=None, node="n"):
    amounts = tuple((want, 1) if isinstance(want, str) else want for want in wants)
    number = next(numbers)
    foresight = (lambda spans: need) if need is not None else None
    return Ticket(
        unit, f"{node}{number}", number, amounts, since, number,
        joins=joins, opens=opens, need=foresight, duration_s=duration_s,
    )  # fmt: skip


def manager(capacity=None, policy=None, **more):
    return AllAtOnceLocks(capacity or {}, policy or FirstComeFirstServed(), **more)


def asked(locks, *tickets, now=0.0):
    for one in tickets:
        locks.ask(one)
    return locks.grant(now)


def drive(unit, resource):
    return Span(unit, resource, "drive", "n")


def mode(unit, value, resource="chamber"):
    return Span(unit, resource, "mode", "n", 1, value)


# --- reservations and gaps


def test_a_later_one_passes_an_aged_one_only_if_it_ends_before_that_could_start():
    locks = manager(aged_after_s=60.0)
    running = ticket(0, "x", duration_s=100.0)
    assert asked(locks, running) == [running]
    wide = ticket(1, "x", "y", since=1.0)
    short, long = ticket(2, "y", since=70.0, duration_s=20.0), ticket(3, "y", since=70.0, duration_s=40.0)
    assert asked(locks, wide, long, short, now=70.0) == [short]
    locks.release(short)
    assert asked(locks, now=90.0) == []
    locks.release(running)
    assert asked(locks, now=100.0) == [wide]


def test_nobody_is_kept_from_what_an_aged_one_cannot_have_anyway_because_a_unit_holds_the_rest():
    locks = manager(aged_after_s=60.0)
    holder = ticket(0, opens=(drive(0, "psu"),), need=Need({"psu": 1}))
    wide = ticket(1, "psu", "dmm", since=1.0)
    asked(locks, holder, wide)
    locks.release(holder)
    passing = ticket(2, "dmm", since=200.0)
    assert asked(locks, passing, now=200.0) == [passing]


def test_the_oldest_of_those_who_aged_is_passed_by_nobody_who_holds_nothing():
    locks = manager(aged_after_s=60.0)
    first = ticket(0, "x")
    asked(locks, first)
    wide = ticket(1, "x", "y", since=0.0)
    stream = [ticket(2 + n, "y", since=61.0 + n) for n in range(20)]
    locks.ask(wide)
    for n, one in enumerate(stream):
        assert asked(locks, one, now=61.0 + n) == []
    locks.release(first)
    assert wide in asked(locks, now=90.0)


def test_after_a_wait_the_manager_says_when_it_wants_to_look_again():
    locks = manager(aged_after_s=60.0)
    asked(locks, ticket(0, "x"), ticket(1, "x", since=5.0), now=5.0)
    assert locks.next_look(5.0) == 65.0


def test_who_may_act_together_is_kept_out_by_one_who_waits_to_act_alone():
    locks = manager(aged_after_s=60.0)
    reading = ticket(0, joins=("chamber",))
    alone = ticket(1, "chamber", since=1.0)
    assert asked(locks, reading, alone) == [reading]
    assert asked(locks, ticket(2, joins=("chamber",), since=100.0), now=100.0) == []
    locks.release(reading)
    assert asked(locks, now=101.0) == [alone]


# --- spans


def test_a_units_own_span_is_not_in_its_way():
    locks = manager()
    opening = ticket(0, "psu", opens=(drive(0, "psu"),), need=Need({"psu": 1}))
    asked(locks, opening)
    locks.release(opening)
    again = ticket(0, "psu")
    other = ticket(1, "psu")
    assert asked(locks, other, again) == [again]


def test_closing_a_span_twice_is_closing_it_once():
    locks = manager()
    span = drive(0, "psu")
    opening = ticket(0, opens=(span,), need=Need({"psu": 1}))
    asked(locks, opening)
    locks.release(opening)
    assert locks.close(span)
    assert not locks.close(span)
    assert asked(locks, ticket(1, "psu"))


def test_two_branches_that_hold_the_same_instrument_give_it_back_when_the_last_has():
    locks = manager()
    one, two = drive(0, "psu"), drive(0, "psu")
    for span in (one, two):
        opening = ticket(0, opens=(span,), need=Need({"psu": 1}))
        assert asked(locks, opening) == [opening]
        locks.release(opening)
    waiting = ticket(1, "psu")
    locks.close(one)
    assert asked(locks, waiting) == []
    locks.close(two)
    assert asked(locks) == [waiting]


def test_a_span_that_could_end_in_a_deadlock_is_not_opened():
    locks = manager()
    both = Need({"psu": 1, "src": 1})
    first = ticket(0, opens=(drive(0, "psu"),), need=both)
    second = ticket(1, opens=(drive(1, "src"),), need=both)
    harmless = ticket(2, opens=(drive(2, "dmm"),), need=Need({"dmm": 1}))
    assert asked(locks, first, second, harmless) == [first, harmless]
    assert second.blocked_by == ("src", (0,))


def test_quarantine_reaches_those_in_line_and_those_who_come():
    locks = manager()
    holder, waiting = ticket(0, "psu"), ticket(1, "psu")
    asked(locks, holder, waiting)
    locks.quarantine("psu", "it stayed on")
    assert locks.grant(1.0) == [waiting]
    assert isinstance(waiting.problem, InstrumentError)
    assert "it stayed on" in str(waiting.problem)
    assert not locks.release(waiting)


def test_who_does_not_want_to_wait_is_told_at_once():
    locks = manager()
    asked(locks, ticket(0, "psu"))
    hasty = ticket(1, "psu")
    hasty.patient = False
    assert asked(locks, hasty) == [hasty]
    assert isinstance(hasty.problem, NotNow)


def test_more_than_there_is_is_refused_when_it_is_asked_for():
    with pytest.raises(StepError, match="there is only 2"):
        manager({"mux": 2}).ask(ticket(0, ("mux", 3)))


# --- modes


def test_a_mode_closes_no_sooner_than_twice_its_transition():
    locks = manager(aged_after_s=60.0)
    cold = ticket(0, joins=("chamber",), opens=(mode(0, -40.0),), need=Need({}, frozenset({"chamber"}), {}, "chamber"))
    asked(locks, cold)
    locks.release(cold)
    locks.finished(cold, 200.0)
    assert locks.wait_limit_s("chamber") == 400.0
    hot = ticket(1, opens=(mode(1, 85.0),), since=200.0, need=Need({}, frozenset({"chamber"}), {}, "chamber"))
    assert asked(locks, hot, now=200.0) == []
    early = ticket(2, opens=(mode(2, -40.0),), since=599.0, need=Need({}, frozenset({"chamber"}), {}, "chamber"))
    assert asked(locks, early, now=599.0) == [early]
    late = ticket(3, opens=(mode(3, -40.0),), since=601.0, need=Need({}, frozenset({"chamber"}), {}, "chamber"))
    assert asked(locks, late, now=601.0) == []


def test_units_agree_whose_wishes_beside_the_value_are_the_same():
    wishes = {0: "ramp 5", 1: "ramp 5", 2: "ramp 10"}
    locks = manager(context=lambda unit, resource: wishes[unit])
    tickets = [ticket(unit, joins=("chamber",)) for unit in wishes]
    assert asked(locks, *tickets) == tickets[:2]


# --- the safety check


def holder(held, modes=(), most=None, wanted=(), phase=None, mode="", after=None):
    return held, frozenset(modes), Need(most or held, frozenset(wanted), phase, mode, after or {})


def test_a_unit_need_only_be_able_to_finish_its_present_value():
    """Treated as ordinary spans, two units could never share a chamber that both will set again."""
    share = [holder({}, ["chamber"], {"dmm": 1}, ["chamber"], {"dmm": 1}, "chamber") for _ in range(8)]
    assert is_safe({}, share)
    ordinary = [holder({}, ["chamber"], {"dmm": 1}, ["chamber"]) for _ in range(2)]
    assert not is_safe({}, ordinary)


def test_a_drive_that_is_kept_over_a_change_of_value_counts():
    keeps = holder({"psu": 1}, ["chamber"], {"psu": 1}, ["chamber"], {"psu": 1}, "chamber", {"psu": 1})
    wants = holder({}, ["chamber"], {"psu": 1}, ["chamber"], {"psu": 1}, "chamber", {"psu": 1})
    assert not is_safe({}, [keeps, wants])
    returns = holder({}, ["chamber"], {"psu": 1}, ["chamber"], {}, "chamber", {})
    assert is_safe({}, [keeps, returns])


def brute_force(capacity, holders):
    """Tries every order of finishing."""
    work = dict(capacity)
    for held, _, _ in holders:
        for resource, amount in held.items():
            work[resource] -= amount

    def ends(left, work):
        if not left:
            return True
        for one in left:
            held, _, need = one
            if all(amount - held.get(resource, 0) <= work[resource] for resource, amount in need.most.items()):
                freed = {resource: work[resource] + held.get(resource, 0) for resource in work}
                if ends([other for other in left if other is not one], freed):
                    return True
        return False

    return ends(list(holders), work)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_check_finds_an_order_whenever_there_is_one(seed):
    draw = random.Random(seed)
    capacity = {name: draw.choice([1, 1, 2, 3]) for name in "abcd"}
    free = dict(capacity)
    holders = []
    for _ in range(draw.randint(2, 5)):
        held = {name: 1 for name in "abcd" if free[name] and draw.random() < 0.4}
        for name in held:
            free[name] -= 1
        most = {name: draw.randint(held.get(name, 0), capacity[name]) for name in "abcd"}
        holders.append(holder(held, (), {name: amount for name, amount in most.items() if amount}))
    assert is_safe(capacity, holders) == brute_force(capacity, holders)


def test_a_check_costs_little():
    holders = [holder({f"s{n}": 1}, ["chamber"], {f"s{n}": 1, "dmm": 1, "mux": 1}, ["chamber"], {"dmm": 1}, "chamber", {f"s{n}": 1}) for n in range(4)]  # fmt: skip
    began = time.process_time()
    for _ in range(500):
        assert is_safe({"mux": 2}, holders)
    assert (time.process_time() - began) / 500 < 500e-6, "18 µs on the machine it was written on"


# --- policies


class Plan:
    """What a planner would say."""

    def __init__(self, order, expected=None):
        self.order, self.next = order, expected or {}
        self.heard = []

    def priority(self, unit, node, order):
        return self.order[unit]

    def expected(self, unit, node, order, now):
        return self.next.get(unit, float("inf"))

    def started(self, unit, node, now):
        self.heard.append(("started", unit, now))

    def finished(self, unit, node, now):
        self.heard.append(("finished", unit, now))

    def left(self, unit, now):
        self.heard.append(("left", unit, now))


def test_a_plan_decides_who_goes_first_not_who_asked_first():
    plan = Plan({0: 2, 1: 1})
    locks = manager(policy=AsPlanned(plan))
    one, two = ticket(0, "x"), ticket(1, "x", since=5.0)
    assert asked(locks, one, two, now=5.0) == [two]
    locks.release(two)
    locks.finished(two, 9.0)
    assert asked(locks, now=9.0) == [one]
    assert plan.heard == [("started", 1, 5.0), ("finished", 1, 9.0), ("started", 0, 9.0)]


def test_a_gap_before_an_earlier_one_is_filled_by_what_ends_in_time():
    locks = manager(policy=AsPlanned(Plan({0: 0, 1: 1, 2: 2, 3: 3})))
    running = ticket(0, "x", duration_s=10.0)
    asked(locks, running)
    earlier = ticket(1, "x", "y", since=1.0)
    fits, late = ticket(3, "y", since=1.0, duration_s=9.0), ticket(2, "y", since=1.0, duration_s=9.5)
    assert asked(locks, earlier, fits, late, now=1.0) == [fits]


def test_what_is_planned_later_leaves_room_for_what_is_still_to_come():
    locks = manager(policy=AsPlanned(Plan({0: 1, 1: 2}, {0: 8.0, 1: 8.0})))
    long, short = ticket(0, "x", duration_s=10.0), ticket(1, "y", duration_s=5.0)
    assert asked(locks, long, short, now=0.0) == [short]
    assert locks.next_look(0.0) == 8.0
    assert asked(locks, now=8.0) == [long]


def test_nobody_who_holds_something_is_left_waiting_for_the_sake_of_a_plan():
    locks = manager(policy=AsPlanned(Plan({0: 1}, {0: 1e6})))
    opening = ticket(0, opens=(drive(0, "psu"),), need=Need({"psu": 1}), duration_s=None)
    locks._policy = FirstComeFirstServed()
    asked(locks, opening)
    locks._policy = AsPlanned(Plan({0: 1}, {0: 1e6}))
    locks.release(opening)
    more = ticket(0, "dmm", duration_s=5e6)
    assert asked(locks, more, now=1.0) == [more]


def test_the_unit_with_most_work_left_goes_first():
    left = {0: 10.0, 1: 500.0}
    locks = manager(policy=MostWorkLeft(lambda unit, node, order: left[unit]))
    one, two = ticket(0, "x"), ticket(1, "x")
    assert asked(locks, one, two) == [two]
