"""A list of steps on one unit: what is recorded, judged and bound, and what a failure does."""

from __future__ import annotations

from schemas.documents import NodeFinished, NodeStarted, Outcome, SafeState, UnitFinished, UnitStarted, Verdict


def test_a_measured_value_is_recorded_with_its_limit_and_verdict(build, dsl):
    run = dsl.run(dsl.plan([build.measure("vout", limit=dsl.between(3.2, 3.4))]), dsl.Bench(values={"dmm.volts": 3.3}))
    (vout,) = run.measured("vout")
    assert (vout.value, vout.unit_symbol, vout.verdict, vout.low, vout.high) == (3.3, "V", Verdict.PASS, 3.2, 3.4)
    assert (vout.source, vout.instrument, vout.samples) == ("meter.volts", "dmm", 1)
    assert '"low":3.2' in vout.limit
    assert vout.margin is not None
    assert abs(vout.margin - 0.1) < 1e-9
    assert run.outcome is Outcome.PASS
    assert run.result.tally.passed == 1


def test_documents_come_in_the_order_things_happen(build, dsl):
    run = dsl.run(dsl.plan([build.measure("a", limit=dsl.between(0, 1)), build.log("b")]))
    kinds = [type(d).__name__ for d in run.documents]
    assert kinds == [
        "UnitStarted", "NodeStarted", "Measured", "NodeFinished", "NodeStarted", "Logged", "NodeFinished",
        "SafeState", "SafeState", "UnitFinished",
    ]  # fmt: skip
    assert isinstance(run.documents[0], UnitStarted)
    assert isinstance(run.documents[-1], UnitFinished)


def test_a_fail_goes_on_and_an_error_stops_unless_told_otherwise(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": 9.0, "dmm.amps": dsl.ReplyTimeout("no reply")})
    steps = [
        build.measure("a", limit=dsl.between(0, 1)),
        build.measure("b", "dmm.amps", on_error="continue"),
        build.measure("c", "dmm.amps"),
        build.log("d"),
    ]
    run = dsl.run(dsl.plan(steps), bench)
    assert run.outcomes() == {"a": Outcome.FAIL, "b": Outcome.ERROR, "c": Outcome.ERROR, "d": Outcome.NOT_RUN}
    assert run.end("d").message == "stopped by `c`"
    assert "above the maximum" in run.end("a").message
    assert run.outcome is Outcome.ERROR


def test_a_fail_told_to_stop_ends_the_list(build, dsl):
    run = dsl.run(dsl.plan([build.measure("a", limit=dsl.between(1, 2), on_fail="stop"), build.log("b")]))
    assert run.outcomes() == {"a": Outcome.FAIL, "b": Outcome.NOT_RUN}
    assert run.outcome is Outcome.FAIL


def test_nothing_judged_is_unjudged_and_never_green(build, dsl):
    assert dsl.run(dsl.plan([build.log("hello")])).outcome is Outcome.UNJUDGED
    assert dsl.run(dsl.plan([build.measure("a")])).outcome is Outcome.UNJUDGED
    assert dsl.run(dsl.plan([])).outcome is Outcome.UNJUDGED


def test_a_missing_reading_never_passes(build, dsl):
    run = dsl.run(
        dsl.plan([build.measure("a", limit=dsl.between(0, None))]), dsl.Bench(values={"dmm.volts": float("nan")})
    )
    assert run.outcome is Outcome.FAIL


def test_a_step_is_skipped_with_its_reason(build, dsl):
    steps = [build.log("a", skip="fixture is missing"), build.log("b", when=dsl.formula("1 > 2")), build.log("c")]
    run = dsl.run(dsl.plan(steps))
    assert run.end("a").outcome is Outcome.SKIPPED
    assert run.end("a").message == "fixture is missing"
    assert run.end("b").message == "`1 > 2` does not hold"
    assert run.started() == ["c"]
    assert run.result.tally.skipped == 2


def test_a_name_without_a_value_names_the_step_that_should_have_given_it(build, dsl):
    steps = [build.measure("a", skip="not today"), build.compute("b", dsl.formula("a * 2"))]
    run = dsl.run(dsl.plan(steps, producers={"a": "steps/a"}))
    assert "steps/a" in run.end("b").message
    assert run.end("b").outcome is Outcome.ERROR


def test_latency_passes_and_counts_towards_the_time_of_the_step(build, dsl):
    run = dsl.run(dsl.plan([build.measure("a", id="a")]), dsl.Bench(latency={"dmm.volts": 0.25}))
    assert (run.end("a").started, run.end("a").t) == (0.0, 0.25)


def test_samples_keep_their_interval_and_give_statistic_and_spread(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [1.0, 2.0, 3.0]}, latency={"dmm.volts": 0.02})
    run = dsl.run(dsl.plan([build.measure("a", samples=3, interval_s=0.1, convert=(2.0, 1.0))]), bench)
    (a,) = run.measured("a")
    assert (a.value, a.spread, a.samples) == (5.0, 2.0, 3)
    assert [round(call[2], 9) for call in bench.of("read")] == [0.0, 0.1, 0.2]


def test_errors_in_the_queue_of_an_instrument_are_errors_of_the_step_that_talked_to_it(build, dsl):
    bench = dsl.Bench(errors={"dmm": ["-113 undefined header"]})
    run = dsl.run(dsl.plan([build.measure("a", limit=dsl.between(-1, 1))]), bench)
    assert run.end("a").outcome is Outcome.ERROR
    assert "-113" in run.end("a").message
    assert run.values("a") == [0.0]


def test_a_silent_instrument_is_asked_why(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": dsl.ReplyTimeout("no reply")}, errors={"dmm": ["-113 undefined header"]})
    run = dsl.run(dsl.plan([build.measure("a")]), bench)
    assert run.end("a").message == "no reply; `dmm` says -113 undefined header"


def test_a_bug_in_an_action_is_an_error_and_the_instruments_still_go_safe(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": ZeroDivisionError("oops")})
    run = dsl.run(dsl.plan([build.measure("a")], cleanup=[build.log("tidy")]), bench)
    assert run.end("a").message.startswith("internal: ZeroDivisionError: oops")
    assert run.end("tidy").outcome is Outcome.DONE
    assert [d.instrument for d in run.of(SafeState)] == ["psu", "chamber"]
    assert run.outcome is Outcome.ERROR


def test_instruments_with_outputs_go_safe_first_and_a_failed_read_back_is_an_error(build, dsl):
    instruments = [dsl.spec("chamber", ("setpoint", 25.0)), dsl.spec("psu", ("output", False))]
    plan = dsl.plan([build.measure("a", limit=dsl.between(-1, 1))], instruments=instruments)
    run = dsl.run(plan, dsl.Bench(unsafe={"psu"}))
    assert [(d.instrument, d.verified) for d in run.of(SafeState)] == [("psu", False), ("chamber", True)]
    assert run.outcome is Outcome.ERROR
    assert "`psu` is not in its safe state: still on" in run.of(UnitFinished)[0].message


def test_intent_is_durable_before_anything_acts(build, dsl):
    class Journal:
        def __init__(self):
            self.documents, self.safe = [], 0

        def record(self, document):
            self.documents.append(document)

        def durable(self):
            self.safe = len(self.documents)

    journal = Journal()
    seen = []

    def acts(what):
        if not what.startswith("safe"):
            seen.append([type(d) for d in journal.documents[: journal.safe]])

    bench = dsl.Bench(on_call=acts)
    heard = []

    class Listener:
        def hear(self, document):
            assert document in journal.documents[: journal.safe]
            heard.append(document)

    steps = [build.measure("a"), build.measure("b")]
    run = dsl.run(dsl.plan(steps), bench, recorder=journal, listeners=[Listener()])
    assert seen[0][-1] is NodeStarted
    assert seen[1][-2:] == [NodeFinished, NodeStarted]
    assert heard == run.documents


def test_a_journal_that_fails_stops_the_run_safely(build, dsl):
    import pytest

    from engine.core.errors import StoreError

    class Journal:
        def __init__(self):
            self.documents = []

        def record(self, document):
            if isinstance(document, NodeFinished):
                raise StoreError("the disk is full")

        def durable(self):
            pass

    bench = dsl.Bench()
    with pytest.raises(StoreError, match="disk is full"):
        dsl.run(
            dsl.plan([build.measure("a"), build.measure("b")], cleanup=[build.set("psu.output", False)]),
            bench,
            recorder=Journal(),
        )
    assert len(bench.of("read")) == 1
    assert bench.of("apply")[0][1:3] == ("psu.output", False)
    assert [call[1] for call in bench.of("safe")] == ["psu", "chamber"]
