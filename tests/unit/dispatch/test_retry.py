"""Attempts: which failures are tried again, what a discarded attempt leaves behind, what counts."""

from __future__ import annotations

from schemas.documents import Discarded, NodeFinished, Outcome


def attempts(run, node):
    return [(d.attempt, d.outcome, d.final) for d in run.finished(node)]


def test_a_failure_is_tried_again_and_only_the_last_attempt_counts(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [9.0, 9.0, 0.5]})
    run = dsl.run(dsl.plan([build.measure("v", limit=dsl.between(0, 1), retry=build.retry(2, delay_s=5.0))]), bench)
    assert attempts(run, "v") == [(1, Outcome.FAIL, False), (2, Outcome.FAIL, False), (3, Outcome.PASS, True)]
    assert [d.started for d in run.finished("v")] == [0.0, 5.0, 10.0]
    assert run.outcome is Outcome.PASS
    assert (run.result.tally.passed, run.result.tally.failed) == (1, 0)
    assert run.values("v") == [9.0, 9.0, 0.5]


def test_only_the_kinds_asked_for_are_tried_again(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [9.0, 0.5], "dmm.amps": [dsl.ReplyTimeout("x"), 0.5]})
    steps = [
        build.measure("v", limit=dsl.between(0, 1), retry=build.retry(1, ["error", "timeout"])),
        build.measure("a", "dmm.amps", limit=dsl.between(0, 1), retry=build.retry(1, ["error"])),
        build.wait(condition=dsl.formula("attempt > 1"), timeout_s=3.0, id="t", retry=build.retry(1, ["timeout"])),
        build.wait(condition=dsl.formula("attempt > 1"), timeout_s=3.0, id="e", retry=build.retry(1, ["error"])),
    ]
    run = dsl.run(dsl.plan(steps), bench)
    assert run.outcomes() == {"v": Outcome.FAIL, "a": Outcome.PASS, "t": Outcome.DONE, "e": Outcome.ERROR}


def test_the_remedy_runs_between_attempts_and_does_not_count(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [9.0, 0.5], "dmm.amps": 9.0})
    remedy = [build.measure("r", "dmm.amps", limit=dsl.between(0, 1))]
    run = dsl.run(dsl.plan([build.measure("v", limit=dsl.between(0, 1), retry=build.retry(1, remedy=remedy))]), bench)
    assert run.started() == ["v", "r", "v"]
    assert run.outcome is Outcome.PASS
    assert run.result.tally.failed == 0


def test_only_the_final_attempt_binds(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [9.0, dsl.ReplyTimeout("gone")]})
    steps = [
        build.measure("v", limit=dsl.between(0, 1), retry=build.retry(1), on_error="continue"),
        build.compute("w", dsl.formula("v"), on_error="continue"),
    ]
    run = dsl.run(dsl.plan(steps, producers={"v": "steps/v"}), bench)
    assert run.end("w").outcome is Outcome.ERROR


def test_a_group_is_tried_again_as_a_whole(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [9.0, 0.5]})
    group = build.group(
        "g",
        [
            build.compute("seen", dsl.formula("1"), when=dsl.formula("attempt == 1")),
            build.measure("v", limit=dsl.between(0, 1)),
        ],
        setup=[build.log("up")],
        cleanup=[build.log("down")],
        retry=build.retry(1),
    )
    run = dsl.run(dsl.plan([group, build.compute("x", dsl.formula("seen"), on_error="continue")]), bench)
    assert attempts(run, "g") == [(1, Outcome.FAIL, False), (2, Outcome.PASS, True)]
    assert [d.attempt for d in run.finished("up")] == [1, 2]
    assert [d.attempt for d in run.finished("down")] == [1, 2]
    assert run.end("x").outcome is Outcome.ERROR, "what the discarded attempt made is gone"
    assert run.result.tally.failed == 0


def test_series_hold_only_what_the_final_attempt_appended(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [9.0, 0.5, 0.6]})
    group = build.group("g", [build.measure("v", limit=dsl.between(0, 1), series=["vs"])], retry=build.retry(1))
    steps = [
        build.sweep({"t": [1.0, 2.0]}, [group], cleared=["v"], series={"vs": ("v", False)}),
        build.check(dsl.formula("list(vs) == [0.5, 0.6]")),
    ]
    assert dsl.run(dsl.plan(steps), bench).outcome is Outcome.PASS


def test_attempts_inside_attempts_never_share_a_number(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": 9.0})
    group = build.group("g", [build.measure("v", limit=dsl.between(0, 1), retry=build.retry(1))], retry=build.retry(2))
    run = dsl.run(dsl.plan([group]), bench)
    numbers = [d.attempt for d in run.finished("v")]
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_what_is_done_only_once_is_not_repeated_by_a_retry(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [9.0, 0.5]})
    group = build.group(
        "g",
        [
            build.let("fuse", 7.0, once=True, id="burn"),
            build.measure("v", limit=dsl.between(0, 1)),
            build.check(dsl.formula("fuse == 7")),
        ],
        retry=build.retry(1),
    )
    run = dsl.run(dsl.plan([group]), bench)
    assert [(d.attempt, d.outcome) for d in run.finished("burn")] == [(1, Outcome.DONE), (2, Outcome.SKIPPED)]
    assert run.outcome is Outcome.PASS


def test_a_timeout_counts_for_each_attempt(build, dsl):
    group = build.group(
        "g", [build.wait(dsl.formula("20 / attempt"), id="w")], timeout_s=12.0, retry=build.retry(1, ["timeout"])
    )
    run = dsl.run(dsl.plan([group]))
    assert attempts(run, "g") == [(1, Outcome.ERROR, False), (2, Outcome.DONE, True)]
    assert run.end("g").t == 22.0


def test_a_discarded_attempt_is_told_after_its_remedy_and_before_the_next_one(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [9.0, 9.0, 0.5]})
    group = build.group(
        "g", [build.measure("v", limit=dsl.between(0, 1))], retry=build.retry(2, remedy=[build.log("again")]), size=3
    )
    run = dsl.run(dsl.plan([group]), bench)
    told = [
        (d.node, d.attempt) if isinstance(d, NodeFinished) else ("discarded", d.node, d.attempt, d.order, d.size)
        for d in run.documents
        if isinstance(d, NodeFinished | Discarded)
    ]
    order = group.order
    assert told == [
        *(("v", 1), ("g", 1), ("again", 1), ("discarded", "g", 1, order, 3)),
        *(("v", 2), ("g", 2), ("again", 2), ("discarded", "g", 2, order, 3)),
        *(("v", 3), ("g", 3)),
    ]


def test_an_attempt_whose_remedy_never_ended_is_discarded_all_the_same(build, dsl):
    group = build.group(
        "g",
        [build.check(dsl.formula("False"))],
        retry=build.retry(1, remedy=[build.wait(dsl.formula("50.0"))]),
        timeout_s=10.0,
    )
    outer = build.group("outer", [group], timeout_s=20.0)
    run = dsl.run(dsl.plan([outer]))
    assert [(d.node, d.attempt) for d in run.of(Discarded)] == [("g", 1)]
    assert attempts(run, "g")[-1] == (2, Outcome.ERROR, True)
