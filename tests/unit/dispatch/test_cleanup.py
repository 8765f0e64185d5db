"""Whatever happened, cleanup runs once its setup has begun, and a stop comes to rest where the language says."""

from __future__ import annotations

import pytest

from schemas.documents import Outcome, SafeState

OFF = ("psu.output", False)


def offs(run):
    return [call[3] for call in run.bench.of("apply") if call[1:3] == OFF]


@pytest.mark.parametrize(
    "reading",
    [9.0, ValueError("bug"), "timeout"],
    ids=["a failure", "an exception", "a timeout"],
)
def test_cleanup_runs_after(build, dsl, reading):
    latency = {"dmm.volts": 100.0} if reading == "timeout" else {}
    bench = dsl.Bench(values={"dmm.volts": 0.0 if reading == "timeout" else reading}, latency=latency)
    body = [build.measure("v", limit=dsl.between(0, 1), on_fail="stop", timeout_s=5.0), build.log("never")]
    group = build.group("g", body, setup=[build.log("up")], cleanup=[build.set(*OFF)])
    run = dsl.run(dsl.plan([group]), bench)
    assert offs(run)
    assert run.end("never").outcome is Outcome.NOT_RUN
    assert run.end("g").outcome is (Outcome.FAIL if reading == 9.0 else Outcome.ERROR)


def test_cleanup_runs_when_the_setup_itself_fails_and_the_steps_do_not(build, dsl):
    bench = dsl.Bench(values={"psu.output=": dsl.ReplyTimeout("gone")})
    group = build.group(
        "g", [build.log("body")], setup=[build.set("psu.output", True), build.log("x")], cleanup=[build.log("down")]
    )
    run = dsl.run(dsl.plan([group]), bench)
    assert run.outcomes() == {
        "set psu.output": Outcome.ERROR,
        "x": Outcome.NOT_RUN,
        "body": Outcome.NOT_RUN,
        "down": Outcome.DONE,
        "g": Outcome.ERROR,
    }


def test_a_cleanup_step_that_fails_does_not_stop_the_later_ones_and_is_an_error(build, dsl):
    bench = dsl.Bench(values={"psu.output=": dsl.ReplyTimeout("gone")})
    group = build.group(
        "g", [build.measure("v", limit=dsl.between(-1, 1))], cleanup=[build.set(*OFF), build.log("later")]
    )
    run = dsl.run(dsl.plan([group]), bench)
    assert run.end("later").outcome is Outcome.DONE
    assert run.end("g").outcome is Outcome.ERROR
    assert run.outcome is Outcome.ERROR


def test_a_group_that_never_began_is_not_cleaned_up(build, dsl):
    steps = [
        build.measure("v", limit=dsl.between(1, 2), on_fail="stop"),
        build.group("g", [build.log("a")], cleanup=[build.log("c")]),
    ]
    run = dsl.run(dsl.plan(steps))
    assert run.outcomes() == {"v": Outcome.FAIL, "g": Outcome.NOT_RUN}


def test_a_stop_fails_the_parent_whose_own_rule_then_decides(build, dsl):
    def steps(**more):
        inner = build.group(
            "inner", [build.measure("v", limit=dsl.between(1, 2), on_fail="stop"), build.log("a")], **more
        )
        return [build.group("outer", [inner, build.log("b")]), build.log("c")]

    run = dsl.run(dsl.plan(steps()))
    assert run.outcomes() | {} == {
        "v": Outcome.FAIL, "a": Outcome.NOT_RUN, "inner": Outcome.FAIL, "b": Outcome.DONE, "outer": Outcome.FAIL, "c": Outcome.DONE
    }  # fmt: skip
    run = dsl.run(dsl.plan(steps(on_fail="stop")))
    assert run.outcomes()["b"] is Outcome.NOT_RUN
    assert run.outcomes()["c"] is Outcome.DONE


def test_an_error_told_to_continue_at_the_loop_ends_there(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": dsl.ReplyTimeout("gone")})
    steps = [build.sweep({"t": [1.0, 2.0]}, [build.measure("v")], on_error="continue"), build.log("next")]
    run = dsl.run(dsl.plan(steps), bench)
    assert run.outcomes() == {"v[t=1]": Outcome.ERROR, "sweep": Outcome.ERROR, "next": Outcome.DONE}


def test_a_loop_that_runs_out_of_time_is_cleaned_up_at_that_moment(build, dsl):
    body = build.group("g", [build.wait(10.0, id="w")], setup=[build.log("up")], cleanup=[build.set(*OFF)])
    run = dsl.run(
        dsl.plan([build.sweep({"x": [1.0, 2.0, 3.0]}, [body], timeout_s=15.0, on_error="continue"), build.log("next")])
    )
    assert offs(run) == [10.0, 15.0]
    assert run.end("w[x=2]").outcome is Outcome.ERROR
    assert run.end("w[x=2]").t == 15.0
    assert run.end("sweep").message == "`sweep` did not finish within 15 s"
    assert run.end("sweep").outcome is Outcome.ERROR
    assert run.end("next").outcome is Outcome.DONE


def test_a_cleanup_gets_its_time_even_after_the_deadline_of_the_group(build, dsl):
    group = build.group("g", [build.wait(10.0, id="w")], cleanup=[build.wait(20.0, id="cool")], timeout_s=5.0)
    outer = build.group("outer", [group], timeout_s=7.0)
    run = dsl.run(dsl.plan([outer]))
    assert run.end("cool").outcome is Outcome.DONE
    assert run.end("cool").t == 25.0


def test_the_deadline_that_comes_first_decides(build, dsl):
    inner = build.group("inner", [build.wait(100.0, id="w")], timeout_s=50.0)
    run = dsl.run(dsl.plan([build.group("outer", [inner, build.log("b")], timeout_s=20.0)]))
    assert run.end("outer").t == 20.0
    assert run.end("inner").message == "`outer` did not finish within 20 s"
    assert run.end("b").outcome is Outcome.NOT_RUN


def test_every_leaf_ends_by_itself(build, dsl):
    run = dsl.run(dsl.plan([build.measure("v", id="v")]), dsl.Bench(latency={"dmm.volts": 1e9}))
    assert run.end("v").t == 60.0
    assert "(the default)" in run.end("v").message
    never = dsl.run(dsl.plan([build.wait(condition=dsl.formula("0 > 1"), id="w")]))
    assert never.end("w").outcome is Outcome.ERROR
    assert never.end("w").message.startswith("`0 > 1` did not hold within 60 s")


def test_a_step_that_plans_to_take_long_has_the_time(build, dsl):
    run = dsl.run(dsl.plan([build.wait(7200.0, id="w"), build.measure("v", samples=100, interval_s=10.0, id="v")]))
    assert run.outcomes() == {"w": Outcome.DONE, "v": Outcome.UNJUDGED}


def test_the_safe_state_comes_last(build, dsl):
    run = dsl.run(dsl.plan([build.log("a")], cleanup=[build.wait(3.0, id="c")]))
    assert [d.t for d in run.of(SafeState)] == [3.0, 3.0]
