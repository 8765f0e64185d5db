"""More units than sites, each with its own place, names, outcome; and meeting points."""

from __future__ import annotations

import pytest

from engine.dispatch import UnitUnderTest
from engine.dispatch.manager import AllAtOnceLocks
from engine.dispatch.policy import FirstComeFirstServed
from engine.plan.model import Claim
from schemas.documents import Logged, Outcome, SafeState, UnitFinished, UnitStarted


def queue(count):
    return [UnitUnderTest(number, f"SN{number}", "", {"lot": f"L{number}"}) for number in range(count)]


def run_queue(dsl, plan, count, bench=None, **more):
    bench = bench or dsl.Bench()
    seats = []

    def seat(unit):
        seats.append((unit.index, unit.site))
        bench.per_site[unit.index] = unit.site

    run = dsl.run(plan, bench, units=queue(count), seat=seat, **more)
    return run, seats


def test_units_take_the_sites_in_order_and_the_others_take_those_that_are_freed(build, dsl):
    plan = dsl.rack(build.wait(dsl.formula("10 if site == 'A' else 25"), id="w"), sites=("A", "B"))
    run, seats = run_queue(dsl, plan, 5)
    assert seats == [(0, "A"), (1, "B"), (2, "A"), (3, "A"), (4, "B")]
    assert run.times("w") == {0: (0, 10), 1: (0, 25), 2: (10, 20), 3: (20, 30), 4: (25, 50)}


def test_a_site_is_taken_again_only_when_its_instruments_are_safe(build, dsl):
    plan = dsl.rack(build.wait(10.0, id="w"), sites=("A",))
    run, _ = run_queue(dsl, plan, 2)
    order = [type(d).__name__ for d in run.documents if isinstance(d, SafeState | UnitStarted | UnitFinished)]
    assert order == [
        "UnitStarted",
        "SafeState",
        "UnitFinished",
        "UnitStarted",
        "SafeState",
        "SafeState",
        "UnitFinished",
    ]
    safe = [d.instrument for d in run.of(SafeState)]
    assert safe == ["site_load@A", "psu", "site_load@A"]


def test_a_shared_instrument_is_not_made_safe_while_a_queued_unit_can_still_claim_it(build, dsl):
    run, _ = run_queue(dsl, dsl.rack(build.wait(10.0), sites=("A",)), 3)
    assert [d.t for d in run.of(SafeState) if d.instrument == "psu"] == [30.0]


def test_every_unit_has_names_of_its_own(build, dsl):
    run, _ = run_queue(
        dsl, dsl.rack(build.let("x", dsl.formula("elapsed")), build.compute("y", dsl.formula("x")), sites=("A",)), 2
    )
    assert run.values("y") == [0.0, 0.0]
    assert [d.fields for d in run.of(UnitStarted)] == [{"lot": "L0"}, {"lot": "L1"}]


def test_results_come_in_the_order_in_which_the_units_were_named(build, dsl):
    plan = dsl.rack(build.wait(dsl.formula("30 if site == 'A' else 5")), sites=("A", "B"))
    run, _ = run_queue(dsl, plan, 4)
    assert [result.unit.index for result in run.result.units] == [0, 1, 2, 3]


def test_an_abort_dismisses_those_who_wait_for_a_site(build, dsl):
    plan = dsl.rack(build.wait(100.0), sites=("A",))
    run, _ = run_queue(dsl, plan, 3, during=lambda clock, control: dsl.at(clock, 5.0, control.abort))
    assert [result.outcome for result in run.result.units] == [Outcome.ABORTED] * 3
    assert "never started" in run.result.units[2].message
    assert sorted(d.unit for d in run.of(UnitFinished)) == [0, 1, 2]
    assert {d.instrument for d in run.of(SafeState)} == {"psu", "site_load@A"}


def test_a_site_that_could_not_be_made_safe_is_not_used_by_the_next_unit(build, dsl):
    load = build.wait(1.0, id="u", claims=(Claim("site_load", 1, True),))
    run, _ = run_queue(dsl, dsl.rack(load, sites=("A",)), 2, dsl.Bench(unsafe={"site_load"}))
    assert run.end("u", 0).outcome is Outcome.DONE
    assert "`site_load@A` is not used any more" in run.end("u", 1).message
    assert [result.outcome for result in run.result.units] == [Outcome.ERROR, Outcome.ERROR]


# --- barriers


def test_units_meet_at_a_barrier(build, dsl):
    steps = [build.wait(dsl.formula("{'A': 5, 'B': 20, 'C': 10}[site]")), build.barrier("all"), build.wait(1.0, id="w")]
    run = dsl.run(dsl.rack(*steps), units=3)
    assert set(run.times("w").values()) == {(20, 21)}


def test_units_that_failed_before_a_barrier_are_not_waited_for(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": lambda unit, now: 5.0 if unit == 1 else 0.5})
    steps = [build.measure("v", limit=dsl.between(0, 1), on_fail="stop"), build.barrier("all"), build.wait(1.0, id="w")]
    run = dsl.run(dsl.rack(*steps, cleanup=[build.wait(500.0)]), bench, units=3)
    assert {unit: span for unit, span in run.times("w").items() if unit != 1} == {0: (0, 1), 2: (0, 1)}


def test_a_unit_that_leaves_a_loop_early_has_passed_the_barriers_in_it(build, dsl):
    until = dsl.formula("iteration >= (1 if site == 'A' else 3)")
    body = [build.wait(10.0), build.barrier("round")]
    loop = build.repeat(3, body, until=until)
    run = dsl.run(dsl.rack(loop, build.wait(1.0, id="w")), units=2)
    assert run.times("w") == {0: (10, 11), 1: (30, 31)}


def test_every_point_of_a_loop_is_a_meeting_of_its_own(build, dsl):
    body = [build.wait(dsl.formula("10 if site == 'A' else 4")), build.barrier("point")]
    run = dsl.run(dsl.rack(build.sweep({"x": [1.0, 2.0, 3.0]}, body)), units=2)
    ends = sorted((d.node, d.unit, d.t) for d in run.finished() if d.node.startswith("point"))
    assert [t for _, _, t in ends] == [10, 10, 20, 20, 30, 30]


def test_queued_units_are_not_waited_for(build, dsl):
    run, _ = run_queue(
        dsl, dsl.rack(build.wait(5.0), build.barrier("all"), build.wait(1.0, id="w"), sites=("A", "B")), 3
    )
    assert run.times("w") == {0: (5, 6), 1: (5, 6), 2: (11, 12)}


def test_a_barrier_that_takes_too_long_says_who_is_missing(build, dsl):
    steps = [
        build.wait(dsl.formula("0 if site == 'A' else 100")),
        build.barrier("all", timeout_s=10.0, on_error="continue"),
    ]
    run = dsl.run(dsl.rack(*steps), units=2)
    assert "SN1 did not come within 10 s" in run.end("all", 0).message
    assert run.end("all", 1).outcome is Outcome.DONE, "who has been there counts as arrived"


def test_a_skipped_barrier_is_passed(build, dsl):
    steps = [build.barrier("all", skip="not today"), build.wait(1.0, id="w")]
    run = dsl.run(dsl.rack(*steps), units=2)
    assert set(run.times("w").values()) == {(0, 1)}


def test_an_abort_ends_a_meeting(build, dsl):
    steps = [build.wait(dsl.formula("0 if site == 'A' else 1000")), build.barrier("all")]
    run = dsl.run(dsl.rack(*steps), units=2, during=lambda clock, control: dsl.at(clock, 5.0, control.abort))
    assert run.end("all", 0).t == 5.0
    assert run.end("all", 0).outcome is Outcome.ABORTED


# --- a stall


def test_a_stall_is_written_down_in_full_and_the_run_is_stopped_safely(build, dsl):
    class Broken(AllAtOnceLocks):
        """Forgets the safety check: what would deadlock does."""

        def _stays_safe(self, ticket):
            return True

    def crossed(first, second):
        return build.group(f"{first}-{second}", [
            build.drive(f"{first}.voltage", 1.0), build.wait(5.0), build.drive(f"{second}.voltage", 1.0), build.wait(5.0),
        ], cleanup=[build.wait(1.0, id=f"c-{first}")])  # fmt: skip

    choose = dsl.choose(build, "site == 'A'", crossed("psu", "src"), crossed("src", "psu"))
    plan = dsl.rack(choose, instruments=[dsl.spec("psu", ("output", False)), dsl.spec("src")])
    run = dsl.run(plan, units=2, locks=Broken({}, FirstComeFirstServed()))
    [stall] = [d for d in run.of(Logged) if d.kind == "stall"]
    assert "psu: unit 0 holds it" in stall.message
    assert "unit 1 waits in" in stall.message
    assert run.outcome is Outcome.ABORTED
    assert run.end("c-psu").outcome is Outcome.DONE
    assert {d.instrument for d in run.of(SafeState)} == {"psu"}


@pytest.mark.parametrize("count", [1, 3])
def test_the_outcome_of_a_run_is_that_of_its_worst_unit(build, dsl, count):
    bench = dsl.Bench(values={"dmm.volts": lambda unit, now: 0.5 + 9 * (unit == 2)})
    run = dsl.run(dsl.rack(build.measure("v", limit=dsl.between(0, 1))), bench, units=count)
    assert run.outcome is (Outcome.FAIL if count == 3 else Outcome.PASS)
