"""Monitors watch beside the steps: they stop, pause or only record, and keep no run alive."""

from __future__ import annotations

import pytest

from engine.plan.model import Claim, MonitorPlan
from schemas.documents import Logged, Outcome, Verdict


@pytest.fixture
def monitor(dsl):
    def make(on_fail="stop", limit=(None, 45.0), every_s=5.0, resume_when=None, hold_s=0.0):
        bounds = dsl.between(*limit) if limit else None
        return MonitorPlan(
            "tcell",
            "monitors/tcell",
            dsl.target("tc.temperature"),
            None,
            every_s,
            bounds,
            on_fail,
            resume_when,
            hold_s,
            0,
            "tcell",
        )

    return make


def hot(start, end=1e9):
    return lambda unit, now: 50.0 if start <= now < end else 20.0


def test_a_trip_stops_the_group_at_once_with_its_cleanup(build, dsl, monitor):
    group = build.group(
        "g", [build.wait(1000.0, id="w"), build.log("a")], cleanup=[build.log("c")], monitors=[monitor()]
    )
    run = dsl.run(dsl.plan([group, build.log("next")]), dsl.Bench(values={"tc.temperature": hot(12.0)}))
    assert run.outcomes() == {
        "w": Outcome.FAIL, "a": Outcome.NOT_RUN, "c": Outcome.DONE, "g": Outcome.FAIL, "next": Outcome.DONE
    }  # fmt: skip
    assert run.end("w").t == 15.0
    assert "monitor `tcell`: 50" in run.end("w").message
    assert [(d.node, d.value) for d in run.measured()] == [("monitors/tcell", 50.0)]
    assert run.outcome is Outcome.FAIL


def test_a_trip_that_may_go_on_is_recorded_once_and_counts(build, dsl, monitor):
    group = build.group("g", [build.wait(60.0, id="w")], monitors=[monitor("continue")])
    run = dsl.run(dsl.plan([group]), dsl.Bench(values={"tc.temperature": hot(12.0, 30.0)}))
    assert run.end("w").outcome is Outcome.DONE
    assert [d.t for d in run.measured()] == [15.0]
    assert run.outcome is Outcome.FAIL


def test_a_pause_holds_the_next_node_until_all_is_well(build, dsl, monitor):
    watch = monitor("pause", hold_s=10.0, resume_when=dsl.formula("tcell < 30"))
    group = build.group("g", [build.wait(32.0, id="a"), build.wait(1.0, id="b")], monitors=[watch])
    run = dsl.run(dsl.plan([group]), dsl.Bench(values={"tc.temperature": hot(12.0, 48.0)}))
    # broken from 15 s, for 10 s: 25 s; good again from 50 s, for 10 s: 60 s
    assert run.end("b").started == 60.0
    assert run.end("g").outcome is Outcome.DONE
    assert [d.message.split(":")[-1].strip() for d in run.of(Logged)][-1] == "good again"
    assert all(d.diagnostic for d in run.measured())


def test_a_short_excursion_is_no_trip(build, dsl, monitor):
    group = build.group("g", [build.wait(60.0, id="w")], monitors=[monitor(hold_s=10.0)])
    run = dsl.run(dsl.plan([group]), dsl.Bench(values={"tc.temperature": hot(12.0, 18.0)}))
    assert run.end("w").outcome is Outcome.DONE


def test_a_monitor_that_cannot_read_is_an_error(build, dsl, monitor):
    group = build.group("g", [build.wait(60.0, id="w")], monitors=[monitor()])
    run = dsl.run(dsl.plan([group]), dsl.Bench(values={"tc.temperature": dsl.ReplyTimeout("no reply")}))
    assert run.end("w").t == 5.0
    assert run.outcome is Outcome.ERROR


def test_a_monitor_does_not_disturb_an_instrument_that_is_busy(build, dsl, monitor):
    group = build.group(
        "g", [build.wait(22.0, id="w", claims=(Claim("tc"),)), build.wait(6.0, id="x")], monitors=[monitor()]
    )
    run = dsl.run(dsl.plan([group]), dsl.Bench())
    assert [call[2] for call in run.bench.of("read")] == [25.0]


def test_a_monitor_keeps_no_run_alive_and_reads_nothing_after_its_group(build, dsl, monitor):
    group = build.group("g", [build.wait(12.0, id="w")], monitors=[monitor()])
    run = dsl.run(dsl.plan([group, build.wait(100.0, id="x")]), dsl.Bench())
    assert [call[2] for call in run.bench.of("read")] == [5.0, 10.0]
    assert run.clock.now == 112.0


def test_a_monitor_without_limit_records_what_it_sees(build, dsl, monitor):
    group = build.group("g", [build.wait(12.0, id="w")], monitors=[monitor(limit=None)])
    run = dsl.run(dsl.plan([group]), dsl.Bench(values={"tc.temperature": 20.0}))
    assert [(d.t, d.value, d.diagnostic) for d in run.measured()] == [(5.0, 20.0, True), (10.0, 20.0, True)]


def test_a_trip_during_an_inner_cleanup_waits_for_it(build, dsl, monitor):
    inner = build.group("inner", [build.wait(3.0, id="w")], cleanup=[build.wait(10.0, id="c")])
    group = build.group("g", [inner, build.log("a")], monitors=[monitor()])
    run = dsl.run(dsl.plan([group]), dsl.Bench(values={"tc.temperature": hot(0.0)}))
    assert run.end("c").outcome is Outcome.DONE
    assert run.end("c").t == 13.0
    assert run.outcomes()["a"] is Outcome.NOT_RUN
    assert run.end("g").outcome is Outcome.FAIL


def test_a_bug_in_a_monitor_ends_its_group_with_its_cleanup(build, dsl, monitor):
    group = build.group("g", [build.wait(60.0, id="w")], cleanup=[build.log("c")], monitors=[monitor()])
    run = dsl.run(dsl.plan([group]), dsl.Bench(values={"tc.temperature": RuntimeError("bug")}))
    assert run.end("c").outcome is Outcome.DONE
    assert run.outcome is Outcome.ERROR
    assert "internal: RuntimeError: bug" in run.end("g").message


def test_a_monitor_that_never_looked_says_so_and_is_unjudged(build, dsl, monitor):
    group = build.group("g", [build.wait(3.0, id="w")], monitors=[monitor(every_s=5.0)])
    run = dsl.run(dsl.plan([group]), dsl.Bench(values={"tc.temperature": 20.0}))
    assert [(d.name, d.value, d.verdict, d.diagnostic) for d in run.measured()] == [
        ("tcell", None, Verdict.UNJUDGED, False)
    ]
    warning = run.of(Logged)[0]
    assert warning.level == "warning"
    assert "saw nothing" in warning.message
    assert "first look, which comes after 5 s" in warning.message
    assert run.outcome is Outcome.UNJUDGED


def test_a_monitor_whose_instrument_was_always_busy_says_so(build, dsl, monitor):
    busy = build.wait(23.0, id="w", claims=(Claim("tc"),))
    plan = dsl.plan([build.group("g", [busy], monitors=[monitor(every_s=5.0)])], instruments=(dsl.spec("tc"),))
    run = dsl.run(plan, dsl.Bench(values={"tc.temperature": 99.0}))
    assert "`tc` was busy at each of its 4 looks" in run.of(Logged)[0].message
    assert run.outcome is Outcome.UNJUDGED


def test_a_monitor_that_could_not_read_and_did_not_trip_yet_is_unjudged(build, dsl, monitor):
    group = build.group("g", [build.wait(13.0, id="w")], monitors=[monitor(every_s=5.0, hold_s=60.0)])
    run = dsl.run(dsl.plan([group]), dsl.Bench(values={"tc.temperature": dsl.ReplyTimeout("no answer")}))
    assert "no answer" in run.of(Logged)[0].message
    assert run.outcome is Outcome.UNJUDGED


def test_a_monitor_without_limit_that_never_looked_stays_silent(build, dsl, monitor):
    group = build.group("g", [build.wait(3.0, id="w")], monitors=[monitor(limit=None)])
    run = dsl.run(dsl.plan([group]))
    assert run.measured() == []
    assert run.of(Logged) == []
