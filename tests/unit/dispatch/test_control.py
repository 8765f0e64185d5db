"""What a person can ask for while a run is under way, and what it leaves behind."""

from __future__ import annotations

import threading

import pytest

from engine.core.control import Control, Stage
from engine.core.progress import FinishedNode, Progress
from schemas.documents import Outcome, SafeState, UnitFinished, Verdict


def test_an_abort_wakes_a_sleeping_wait_and_runs_the_cleanup(build, dsl):
    group = build.group("g", [build.wait(1000.0, id="w"), build.log("a")], cleanup=[build.wait(3.0, id="c")])
    run = dsl.run(
        dsl.plan([group, build.log("b")], cleanup=[build.log("d")]),
        during=lambda clock, control: dsl.at(clock, 10.0, lambda: control.abort("Ctrl-C")),
    )
    assert run.outcomes() == {
        "w": Outcome.ABORTED, "a": Outcome.NOT_RUN, "c": Outcome.DONE, "g": Outcome.ABORTED, "b": Outcome.NOT_RUN,
        "d": Outcome.DONE,
    }  # fmt: skip
    assert run.end("w").t == 10.0
    assert run.end("w").message == "Ctrl-C"
    assert run.outcome is Outcome.ABORTED
    assert run.of(UnitFinished)[0].outcome is Outcome.ABORTED
    assert len(run.of(SafeState)) == 2


def test_an_abort_is_seen_between_nodes_that_take_no_time(build, dsl):
    bench = dsl.Bench()
    control = Control()
    bench.on_call = lambda what: control.abort() if len(bench.of("read")) == 3 else None
    run = dsl.run(
        dsl.plan([build.sweep({"x": [float(n) for n in range(1000)]}, [build.measure("v")])]), bench, control=control
    )
    assert len(run.measured()) == 3
    assert run.end("v[x=3]").outcome is Outcome.NOT_RUN
    assert run.outcome is Outcome.ABORTED


def test_an_abort_during_a_cleanup_lets_the_cleanup_finish(build, dsl):
    group = build.group("g", [build.log("a")], cleanup=[build.wait(10.0, id="c"), build.log("c2")])
    run = dsl.run(
        dsl.plan([group, build.log("b")]),
        during=lambda clock, control: dsl.at(clock, 5.0, control.abort),
    )
    assert run.end("c").t == 10.0
    assert run.outcomes() == {
        "a": Outcome.DONE, "c": Outcome.DONE, "c2": Outcome.DONE, "g": Outcome.ABORTED, "b": Outcome.NOT_RUN
    }  # fmt: skip


def test_a_second_abort_bounds_what_cleanup_may_still_take(build, dsl):
    def during(clock, control):
        dsl.at(clock, 1.0, control.abort)
        dsl.at(clock, 2.0, control.abort)

    group = build.group("g", [build.wait(100.0, id="w")], cleanup=[build.wait(50.0, id="c"), build.log("c2")])
    run = dsl.run(dsl.plan([group]), during=during)
    assert run.end("c").t == 32.0
    assert run.end("c").outcome is Outcome.ABORTED
    assert run.end("c2").outcome is Outcome.NOT_RUN
    assert [d.t for d in run.of(SafeState)] == [32.0, 32.0]


def test_a_halt_goes_straight_to_the_safe_state(build, dsl):
    group = build.group("g", [build.wait(100.0, id="w")], cleanup=[build.log("c")])
    run = dsl.run(dsl.plan([group]), during=lambda clock, control: dsl.at(clock, 1.0, control.halt))
    assert run.outcomes() == {"w": Outcome.ABORTED, "c": Outcome.NOT_RUN, "g": Outcome.ABORTED}
    assert [d.t for d in run.of(SafeState)] == [1.0, 1.0]


def test_three_aborts_are_a_halt():
    control = Control()
    for stage in (Stage.ABORT, Stage.HURRY, Stage.HALT, Stage.HALT):
        control.abort()
        assert control.stage is stage


def test_an_abort_reaches_every_branch_and_unit(build, dsl):
    def branch(name):
        return [build.group(name, [build.wait(100.0, id=f"{name}.w")], cleanup=[build.wait(1.0, id=f"{name}.c")])]

    run = dsl.run(
        dsl.plan([build.parallel(branch("a"), branch("b")), build.log("next")]),
        units=2,
        during=lambda clock, control: dsl.at(clock, 10.0, control.abort),
    )
    for name in ("a.c", "b.c"):
        assert [(d.outcome, d.t) for d in run.finished(name)] == [(Outcome.DONE, 11.0)] * 2
    assert [d.outcome for d in run.of(UnitFinished)] == [Outcome.ABORTED] * 2


def test_whoever_waits_for_a_claim_leaves_the_line(build, dsl):
    def use(name):
        return build.wait(100.0, id=name, claims=(Claim("x"),))

    from engine.plan.model import Claim

    steps = [build.parallel([use("a")], [use("b")])]
    run = dsl.run(
        dsl.plan(steps, cleanup=[build.set("psu.output", False, claims=(Claim("x"),))]),
        during=lambda clock, control: dsl.at(clock, 10.0, control.abort),
    )
    assert run.end("b").outcome is Outcome.NOT_RUN
    assert "b" not in run.started()
    assert run.end("set psu.output").outcome is Outcome.DONE


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_in_the_middle_of_a_call_is_an_abort_with_cleanup(build, dsl, error):
    bench = dsl.Bench(values={"dmm.volts": error()})
    run = dsl.run(dsl.plan([build.measure("v"), build.log("a")], cleanup=[build.set("psu.output", False)]), bench)
    assert run.outcomes() == {"v": Outcome.ABORTED, "a": Outcome.NOT_RUN, "set psu.output": Outcome.DONE}
    assert len(run.of(SafeState)) == 2


def test_ctrl_c_in_the_loop_itself_is_an_abort_with_cleanup(build, dsl):
    def during(clock, control):
        def interrupted():
            raise KeyboardInterrupt

        clock.process(later(clock, interrupted))

    def later(clock, action):
        yield clock.timeout(5.0)
        clock.post(action)

    run = dsl.run(dsl.plan([build.wait(10.0, id="w")], cleanup=[build.log("c")]), during=during)
    assert run.outcomes() == {"w": Outcome.ABORTED, "c": Outcome.DONE}


def test_a_paused_run_starts_nothing_until_it_is_resumed(build, dsl):
    def during(clock, control):
        dsl.at(clock, 1.0, control.pause)
        dsl.at(clock, 50.0, control.resume)

    group = build.group("g", [build.wait(2.0, id="a"), build.wait(2.0, id="b")], timeout_s=10.0)
    run = dsl.run(dsl.plan([group]), during=during)
    assert (run.end("a").t, run.end("b").started) == (2.0, 50.0)
    assert run.end("g").outcome is Outcome.DONE, "a pause does not count for a timeout"


def test_a_paused_run_can_be_resumed_by_another_thread(build, dsl):
    bench = dsl.Bench()
    control = Control()

    def first_reading(what):
        if what == "dmm.volts" and not control.paused:
            control.pause()
            thread.start()

    bench.on_call = first_reading
    thread = threading.Timer(0.02, control.resume)
    run = dsl.run(dsl.plan([build.measure("a"), build.log("b")]), bench, control=control)
    thread.join()
    assert run.end("b").outcome is Outcome.DONE


def test_a_paused_run_can_be_aborted(build, dsl):
    def during(clock, control):
        dsl.at(clock, 1.0, control.pause)
        dsl.at(clock, 9.0, control.abort)

    run = dsl.run(dsl.plan([build.wait(2.0, id="a"), build.log("b")], cleanup=[build.log("c")]), during=during)
    assert run.outcomes() == {"a": Outcome.DONE, "b": Outcome.NOT_RUN, "c": Outcome.DONE}
    assert run.outcome is Outcome.ABORTED


def test_the_operator_can_skip_a_node_that_has_not_started(build, dsl):
    control = Control()
    control.skip("l[x=2]")
    run = dsl.run(dsl.plan([build.sweep({"x": [1.0, 2.0]}, [build.log("l")])]), control=control)
    assert run.end("l[x=2]").outcome is Outcome.SKIPPED


def test_what_an_earlier_run_finished_is_not_run_again_and_its_names_are_there(build, dsl):
    done = FinishedNode(Outcome.PASS, 1, {"v": 0.5}, (Verdict.PASS,))
    bench = dsl.Bench(values={"dmm.volts": 0.75})
    steps = [
        build.sweep(
            {"t": [1.0, 2.0]},
            [build.measure("v", limit=dsl.between(0, 1), series=["vs"])],
            cleared=["v"],
            series={"vs": ("v", False)},
        ),
        build.check(dsl.formula("list(vs) == [0.5, 0.75]")),
    ]
    run = dsl.run(dsl.plan(steps), bench, progress=Progress({(0, "v[t=1]"): done}))
    assert run.started() == ["sweep", "v[t=2]", "check"]
    assert run.outcome is Outcome.PASS
    assert run.result.tally.passed == 3


def test_an_abort_in_the_delay_of_a_retry_leaves_a_final_attempt_in_the_record(build, dsl):
    run = dsl.run(
        dsl.plan([build.measure("v", limit=dsl.between(1, 2), retry=build.retry(3, delay_s=100.0))]),
        during=lambda clock, control: dsl.at(clock, 10.0, control.abort),
    )
    assert [(d.attempt, d.outcome, d.final) for d in run.finished("v")] == [
        (1, Outcome.FAIL, False),
        (2, Outcome.ABORTED, True),
    ]


def test_a_fault_in_the_loop_itself_is_raised_after_cleanup_and_safe_state(build, dsl):
    bench = dsl.Bench()

    def broken():
        raise RuntimeError("bug")

    def during(clock, control):
        dsl.at(clock, 5.0, lambda: clock.post(broken))

    with pytest.raises(RuntimeError, match="bug"):
        dsl.run(dsl.plan([build.wait(10.0)], cleanup=[build.set("psu.output", False)]), bench, during=during)
    assert bench.of("apply")[0][1:3] == ("psu.output", False)
    assert [call[1] for call in bench.of("safe")] == ["psu", "chamber"]
