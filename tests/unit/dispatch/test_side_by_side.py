"""Branches and graphs: who waits for whom, claims, and how a stop reaches those beside."""

from __future__ import annotations

import pytest

from engine.dispatch.locks import Ticket
from engine.dispatch.manager import AllAtOnceLocks
from engine.dispatch.policy import FirstComeFirstServed
from engine.plan.model import Claim, Steps
from schemas.documents import Outcome


def times(run):
    return {d.node: (d.started, d.t) for d in run.finished() if d.final}


def test_branches_run_side_by_side_and_join(build, dsl):
    run = dsl.run(dsl.plan([build.parallel([build.wait(3.0, id="a")], [build.wait(5.0, id="b")]), build.log("c")]))
    assert times(run) == {"a": (0, 3), "b": (0, 5), "parallel": (0, 5), "c": (5, 5)}


def test_a_node_waits_until_it_can_have_all_it_needs(build, dsl):
    def use(name, *what):
        return build.wait(10.0, id=name, claims=tuple(Claim(one) for one in what))

    run = dsl.run(dsl.plan([build.parallel([use("a", "x")], [use("b", "y")], [use("c", "x", "y")], [use("d", "z")])]))
    assert times(run)["c"] == (10, 20)
    assert times(run)["d"] == (0, 10)
    assert run.end("c").waited == 10.0


def test_waiting_for_claims_does_not_count_for_a_timeout(build, dsl):
    def use(name, **more):
        return build.wait(10.0, id=name, claims=(Claim("x"),), **more)

    first = use("a")
    group = build.group("g", [use("b", timeout_s=11.0)], timeout_s=15.0)
    run = dsl.run(dsl.plan([build.parallel([first], [group])]))
    assert run.end("b").outcome is Outcome.DONE
    assert run.end("g").outcome is Outcome.DONE
    assert run.end("g").t == 20.0


def test_capacity_is_shared_out(build, dsl):
    branches = [[build.wait(10.0, id=f"n{number}", claims=(Claim("mux", 2),))] for number in range(3)]
    run = dsl.run(dsl.plan([build.parallel(*branches)], resources={"mux": 4}))
    assert sorted(d.t for d in run.finished() if d.node.startswith("n")) == [10, 10, 20]


def test_what_could_never_be_had_is_an_error_and_not_a_wait_for_ever(build, dsl):
    steps = [build.parallel([build.log("a", claims=(Claim("mux", 5),))], [build.log("b")])]
    run = dsl.run(dsl.plan(steps, resources={"mux": 4}))
    assert "there is only 4" in run.end("a").message


def test_ties_are_broken_by_the_order_of_the_plan(build, dsl):
    names = ["d", "a", "c", "b"]
    run = dsl.run(dsl.plan([build.parallel(*[[build.wait(1.0, id=name, claims=(Claim("x"),))] for name in names])]))
    assert [name for name in run.started() if name in names] == names


def test_a_stop_lets_running_branches_finish_their_node_and_starts_nothing_more(build, dsl):
    run = dsl.run(
        dsl.plan(
            [
                build.parallel(
                    [
                        build.wait(1.0, id="a"),
                        build.measure("v", limit=dsl.between(1, 2), on_fail="stop"),
                        build.log("a2"),
                    ],
                    [build.wait(5.0, id="b"), build.log("b2")],
                ),
                build.log("next"),
            ]
        )
    )
    assert run.end("b").t == 5.0
    assert run.outcomes() == {
        "a": Outcome.DONE, "v": Outcome.FAIL, "a2": Outcome.NOT_RUN, "b": Outcome.DONE, "b2": Outcome.NOT_RUN,
        "parallel": Outcome.FAIL, "next": Outcome.NOT_RUN,
    }  # fmt: skip


def test_a_deadline_ends_all_branches_with_their_cleanup(build, dsl):
    def branch(name):
        return [build.group(name, [build.wait(100.0, id=f"{name}.w")], cleanup=[build.log(f"{name}.c")])]

    run = dsl.run(dsl.plan([build.parallel(branch("a"), branch("b"), timeout_s=10.0)]))
    assert run.end("a.c").outcome is Outcome.DONE
    assert run.end("b.c").outcome is Outcome.DONE
    assert run.end("parallel").t == 10.0
    assert run.end("parallel").outcome is Outcome.ERROR


def test_steps_with_after_start_as_soon_as_they_may(build, dsl):
    nodes = (build.wait(5.0, id="a"), build.wait(2.0, id="b"), build.wait(1.0, id="c"), build.log("d"))
    run = dsl.run(dsl.plan(Steps(nodes, ((), (), (1,), (0, 2)))))
    assert times(run) == {"a": (0, 5), "b": (0, 2), "c": (2, 3), "d": (5, 5)}


def test_a_stop_in_a_graph_leaves_the_unstarted_not_run(build, dsl):
    nodes = (
        build.wait(5.0, id="a"),
        build.measure("v", limit=dsl.between(1, 2), on_fail="stop"),
        build.log("c"),
        build.log("d"),
    )
    run = dsl.run(dsl.plan(Steps(nodes, ((), (), (1,), (0,)))))
    assert run.outcomes() == {"a": Outcome.DONE, "v": Outcome.FAIL, "c": Outcome.NOT_RUN, "d": Outcome.NOT_RUN}


def test_two_units_share_a_meter_and_have_their_own_supplies(build, dsl):
    steps = [
        build.wait(10.0, id="warm", claims=(Claim("site_psu", per_site=True),)),
        build.wait(4.0, id="meter", claims=(Claim("dmm"),)),
    ]
    plan = dsl.plan(steps, instruments=[dsl.spec("dmm"), dsl.spec("site_psu", ("output", False))])
    run = dsl.run(plan, units=2)
    assert [(d.unit, d.t) for d in run.finished("warm")] == [(0, 10), (1, 10)]
    assert [(d.unit, d.t) for d in run.finished("meter")] == [(0, 14), (1, 18)]
    assert [call[1:] for call in run.bench.of("safe")] == [("site_psu@A", 14.0), ("site_psu@B", 18.0)]


def test_a_shared_instrument_goes_safe_when_its_last_unit_has_left(build, dsl):
    steps = [build.wait(dsl.formula("10 if site == 'A' else 20"), id="w")]
    run = dsl.run(dsl.plan(steps), units=2)
    assert [call[1:] for call in run.bench.of("safe")] == [("psu", 20.0), ("chamber", 20.0)]


class TestLocks:
    def ticket(self, number, *wants, unit=0, since=0.0):
        return Ticket(unit, f"n{number}", number, tuple((want, 1) for want in wants), since, number)

    def test_the_younger_pass_a_blocked_one_until_it_has_aged(self):
        locks = AllAtOnceLocks({}, FirstComeFirstServed(), aged_after_s=60.0)
        first, wide = self.ticket(1, "x"), self.ticket(2, "x", "y", unit=1, since=1.0)
        for one in (first, wide):
            locks.ask(one)
        assert locks.grant(1.0) == [first]
        small = self.ticket(3, "y", unit=2, since=2.0)
        locks.ask(small)
        assert locks.grant(2.0) == [small]
        locks.release(small)
        late = self.ticket(4, "y", unit=3, since=70.0)
        locks.ask(late)
        assert locks.grant(70.0) == []
        locks.release(first)
        assert locks.grant(71.0) == [wide]

    def test_a_reservation_does_not_bind_who_already_holds_something(self):
        locks = AllAtOnceLocks({}, FirstComeFirstServed(), aged_after_s=60.0)
        held, wide = self.ticket(1, "x"), self.ticket(2, "x", "y", unit=1, since=1.0)
        for one in (held, wide):
            locks.ask(one)
        locks.grant(1.0)
        more = self.ticket(3, "y", unit=0, since=90.0)
        locks.ask(more)
        assert locks.grant(90.0) == [more]

    def test_giving_back_twice_is_giving_back_once(self):
        locks = AllAtOnceLocks({}, FirstComeFirstServed())
        first, second = self.ticket(1, "x"), self.ticket(2, "x")
        locks.ask(first)
        locks.ask(second)
        locks.grant(0.0)
        assert locks.release(first)
        assert not locks.release(first)
        assert locks.grant(0.0) == [second]
        assert locks.busy("x")
        assert not locks.release(first)
        assert locks.busy("x")

    @pytest.mark.parametrize("granted", [True, False])
    def test_leaving_the_line_leaves_nothing_behind(self, granted):
        locks = AllAtOnceLocks({}, FirstComeFirstServed())
        ticket = self.ticket(1, "x")
        locks.ask(ticket)
        if granted:
            locks.grant(0.0)
        locks.release(ticket)
        assert not locks.busy("x")
        assert locks.grant(0.0) == []
