"""`set` is a state: written when it differs, looked at always, settled from when it was first reached."""

from __future__ import annotations

import pytest

from schemas.documents import Outcome


def reached(at):
    """A condition that holds from a time on."""
    return lambda unit, now: now >= at


def test_until_is_looked_at_on_its_grid(build, dsl):
    bench = dsl.Bench(values={"chamber.stable": reached(7.0)}, latency={"chamber.stable": 0.5})
    until = dsl.formula("chamber_stable", "chamber.stable")
    run = dsl.run(
        dsl.plan([build.set("chamber.setpoint", 85.0, until=until, poll_s=2.0, settle_s=30.0, id="s")]), bench
    )
    # the grid begins when the first look is over; each look takes half a second
    assert [call[2] for call in bench.of("read")] == [0.0, 2.5, 4.5, 6.5, 8.5]
    assert run.end("s").t == 9.0 + 30.0


def test_polls_that_cannot_see_anything_new_are_left_out_and_the_rest_stay_on_the_grid(build, dsl):
    bench = dsl.Bench(values={"chamber.stable": reached(7.3)}, steady={"chamber.stable": lambda now: 7.3})
    until = dsl.formula("chamber_stable", "chamber.stable")
    run = dsl.run(dsl.plan([build.set("chamber.setpoint", 85.0, until=until, poll_s=2.0, id="s")]), bench)
    assert [call[2] for call in bench.of("read")] == [0.0, 8.0]
    assert run.end("s").t == 8.0


def test_a_condition_on_elapsed_time_is_looked_at_every_time(build, dsl):
    bench = dsl.Bench(values={"chamber.stable": False}, steady={"chamber.stable": lambda now: 1e9})
    until = dsl.formula("chamber_stable or elapsed >= 4", "chamber.stable")
    run = dsl.run(dsl.plan([build.set("chamber.setpoint", 85.0, until=until, poll_s=2.0, id="s")]), bench)
    assert run.end("s").t == 4.0


def test_a_reading_that_never_changes_ends_at_the_timeout(build, dsl):
    bench = dsl.Bench(values={"chamber.stable": False}, steady={"chamber.stable": lambda now: float("inf")})
    until = dsl.formula("chamber_stable", "chamber.stable")
    run = dsl.run(dsl.plan([build.set("chamber.setpoint", 85.0, until=until, timeout_s=1800.0, id="s")]), bench)
    assert run.end("s").t == 1800.0
    assert run.end("s").message == (
        "`chamber_stable` did not hold within 1800 s; last read: chamber.stable = false (allow more with `timeout:`)"
    )
    assert len(bench.of("read")) < 3


def test_the_slowest_property_says_how_often_to_look(build, dsl):
    bench = dsl.Bench(values={"a.x": reached(15.0), "b.y": True}, polls={"a.x": 10.0, "b.y": 1.0})
    run = dsl.run(dsl.plan([build.set("a.s", 1.0, until=dsl.formula("a_x and b_y", "a.x", "b.y"), id="s")]), bench)
    assert run.end("s").t == 20.0


def test_what_has_long_been_reached_costs_no_further_wait(build, dsl):
    until = dsl.formula("chamber_stable", "chamber.stable")

    def step(name, value):
        return build.set("chamber.setpoint", value, until=until, settle_s=30.0, id=name)

    bench = dsl.Bench(values={"chamber.stable": True})
    run = dsl.run(
        dsl.plan([step("a", 85.0), step("b", 85.0), build.wait(10.0), step("c", 85.0), step("d", 25.0)]), bench
    )
    took = {name: run.end(name).t - run.end(name).started for name in "abcd"}
    assert took == {"a": 30.0, "b": 0.0, "c": 0.0, "d": 30.0}
    assert len(bench.of("read")) == 4


def test_a_condition_lost_meanwhile_settles_anew(build, dsl):
    until = dsl.formula("chamber_stable", "chamber.stable")
    bench = dsl.Bench(values={"chamber.stable": [True, False, True]})

    def step(name):
        return build.set("chamber.setpoint", 85.0, until=until, poll_s=1.0, settle_s=30.0, id=name)

    run = dsl.run(dsl.plan([step("a"), step("b")]), bench)
    assert run.end("b").t - run.end("b").started == 31.0


def test_settle_without_until_counts_from_the_change(build, dsl):
    steps = [
        build.set("psu.voltage", 5.0, id="a"),
        build.wait(4.0),
        build.set("psu.voltage", 5.0, settle_s=10.0, id="b"),
        build.set("psu.voltage", 5.0, settle_s=10.0, id="c"),
    ]
    run = dsl.run(dsl.plan(steps))
    assert (run.end("b").t, run.end("c").t) == (10.0, 10.0)


def test_what_another_unit_has_changed_settles_anew(build, dsl):
    bench = dsl.Bench(restored={"psu"})
    steps = [build.set("psu.voltage", 5.0, settle_s=10.0, id="a"), build.set("psu.voltage", 5.0, settle_s=10.0, id="b")]
    run = dsl.run(dsl.plan(steps), bench)
    assert run.end("b").t == 20.0


def test_cleanup_writes_even_what_seems_to_be_so(build, dsl):
    bench = dsl.Bench()
    seen = []
    apply = bench.apply
    bench.apply = lambda unit, target, value, force=False: (
        seen.append((value, force)) or apply(unit, target, value, force=force)
    )
    steps = [build.set("psu.output", False), build.set("psu.output", False, force=True)]
    dsl.run(dsl.plan(steps, cleanup=[build.set("psu.output", False)]), bench)
    assert seen == [(False, False), (False, True), (False, True)]


def test_a_guard_is_an_error_and_nothing_else_is_written(build, dsl):
    from engine.core.errors import GuardViolation

    bench = dsl.Bench(values={"psu.voltage=": GuardViolation("`psu.voltage` may be 12 V at most")})
    run = dsl.run(dsl.plan([build.set("psu.voltage", 99.0, id="s"), build.log("next")]), bench)
    assert run.end("s").outcome is Outcome.ERROR
    assert run.end("next").outcome is Outcome.NOT_RUN


@pytest.mark.parametrize("settle", [float("nan"), -1.0, float("inf")])
def test_a_settle_that_is_no_duration_is_an_error(build, dsl, settle):
    run = dsl.run(
        dsl.plan([build.let("s", settle), build.set("psu.voltage", 1.0, settle_s=dsl.formula("s"), id="set")])
    )
    assert run.end("set").outcome is Outcome.ERROR
    assert "`settle` is" in run.end("set").message


def test_values_are_worked_out_when_they_are_written(build, dsl):
    bench = dsl.Bench()
    dsl.run(dsl.plan([build.sweep({"t": [1.0, 2.0]}, [build.set("psu.voltage", dsl.formula("t * 2"))])]), bench)
    assert [call[2] for call in bench.of("apply")] == [2.0, 4.0]
