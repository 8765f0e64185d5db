"""What a unit has set stays true for that unit: driving an instrument, holding it by hand, giving it back."""

from __future__ import annotations

import pytest

from engine.core.errors import ReplyTimeout
from schemas.documents import Held, Outcome, SafeState, Waited


def test_a_unit_that_drives_a_supply_keeps_it_until_the_end_of_its_group(build, dsl):
    group = build.group("g", [build.drive("psu.voltage", 5.0, id="set"), build.wait(10.0, id="soak")])
    run = dsl.run(dsl.rack(group), units=2)
    assert run.times("soak") == {0: (0, 10), 1: (10, 20)}
    assert run.end("set", 1).waited == 10.0


def test_the_cleanup_of_the_group_still_has_what_the_group_drove(build, dsl):
    group = build.group(
        "g",
        [build.drive("psu.voltage", 5.0), build.wait(3.0)],
        cleanup=[build.wait(2.0, id="off"), build.drive("psu.voltage", 0.0, id="zero")],
    )
    run = dsl.run(dsl.rack(group), units=2)
    assert run.times("zero") == {0: (5, 5), 1: (10, 10)}


def test_what_is_driven_outside_a_group_is_held_to_the_end_of_the_sequence(build, dsl):
    run = dsl.run(
        dsl.rack(build.drive("psu.voltage", 5.0), build.group("g", [build.wait(4.0)]), build.wait(6.0, id="w")), units=2
    )
    assert run.times("w") == {0: (4, 10), 1: (14, 20)}


def test_release_gives_an_instrument_to_the_next_before_the_group_ends(build, dsl):
    group = build.group(
        "g",
        [build.drive("psu.voltage", 5.0), build.wait(2.0), build.release("psu"), build.wait(10.0, id="rest")],
    )
    run = dsl.run(dsl.rack(group), units=2)
    assert run.times("rest") == {0: (2, 12), 1: (4, 14)}


def test_an_inner_group_takes_nothing_a_second_time_and_gives_nothing_back_too_early(build, dsl):
    inner = build.group("inner", [build.drive("psu.voltage", 1.0), build.wait(2.0)])
    outer = build.group("outer", [build.drive("psu.voltage", 5.0), inner, build.wait(3.0, id="after")])
    run = dsl.run(dsl.rack(outer), units=2)
    assert run.times("after") == {0: (2, 5), 1: (7, 10)}


def test_a_group_holds_by_hand_all_that_it_says_at_once(build, dsl):
    held = build.group("held", [build.wait(10.0, id="w")], hold=["dmm", "mux"])
    run = dsl.run(dsl.rack(held, build.use("u", "dmm", seconds=1.0), resources={"mux": 4}), units=3)
    assert list(run.times("w").values()) == [(0, 10), (10, 20), (20, 30)]
    assert run.end("held", 1).waited == 10.0
    assert run.end("held", 1).started == 10.0


def test_capacity_is_shared_between_those_who_hold_it(build, dsl):
    run = dsl.run(dsl.rack(build.group("g", [build.wait(10.0, id="w")], hold=["mux"]), resources={"mux": 2}), units=4)
    assert sorted(run.times("w").values()) == [(0, 10), (0, 10), (10, 20), (10, 20)]


def test_what_stands_at_every_site_is_waited_for_by_nobody(build, dsl):
    from engine.plan.model import Claim, Hold

    own = build.set(
        "site_load.current", 1.0, claims=(Claim("site_load", 1, True),), holds=(Hold("site_load", "drive", True),)
    )
    run = dsl.run(dsl.rack(own, build.wait(5.0, id="w")), units=4)
    assert set(run.times("w").values()) == {(0, 5)}
    assert not [d for d in run.of(Held) if d.resource.startswith("site_load")]


def test_the_bench_is_told_when_a_span_has_ended_so_that_nothing_of_it_is_put_back(build, dsl):
    run = dsl.run(dsl.rack(build.group("g", [build.drive("psu.voltage", 5.0), build.wait(3.0)])), units=2)
    assert [call[1:] for call in run.bench.of("release") if call[1] == "psu"] == [("psu", 0, 3.0), ("psu", 1, 6.0)]


def test_two_units_that_take_the_same_things_in_opposite_order_do_not_deadlock(build, dsl):
    def crossed(first, second):
        return build.group(f"{first}-{second}", [
            build.drive(f"{first}.voltage", 1.0), build.wait(5.0), build.drive(f"{second}.voltage", 1.0), build.wait(5.0),
        ])  # fmt: skip

    choose = dsl.choose(build, "site == 'A'", crossed("psu", "src"), crossed("src", "psu"))
    run = dsl.run(dsl.rack(choose, instruments=[dsl.spec("psu"), dsl.spec("src")]), units=2)
    assert run.outcome is Outcome.UNJUDGED
    assert run.clock.now == 20.0


def test_a_unit_may_begin_to_hold_what_does_not_stand_in_anybodys_way(build, dsl):
    """The check refuses only what could end in a deadlock."""
    choose = dsl.choose(
        build,
        "site == 'A'",
        build.group("a", [build.drive("psu.voltage", 1.0), build.wait(5.0, id="wa")]),
        build.group("b", [build.drive("src.voltage", 1.0), build.wait(5.0, id="wb")]),
    )
    run = dsl.run(dsl.rack(choose, instruments=[dsl.spec("psu"), dsl.spec("src")]), units=2)
    assert run.clock.now == 5.0


# --- what fails


def test_what_a_failed_group_drove_is_made_safe_and_read_back_before_it_is_given_up(build, dsl):
    def volts(unit, now):
        if unit == 0:
            raise ReplyTimeout("no reply")
        return 0.5

    bench = dsl.Bench(values={"dmm.volts": volts})
    group = build.group(
        "g", [build.drive("psu.output", True, id="on"), build.wait(1.0), build.measure("v"), build.wait(5.0)]
    )
    run = dsl.run(dsl.rack(group), bench, units=2)
    safe = [(call[1], call[2]) for call in run.bench.of("safe") if call[1] == "psu"]
    assert safe[0] == ("psu", 1.0)
    assert run.times("on") == {0: (0, 0), 1: (1, 1)}
    order = [
        type(d).__name__
        for d in run.documents
        if isinstance(d, SafeState) or (isinstance(d, Held) and d.kind == "drive")
    ]
    assert order[:2] == ["SafeState", "Held"]
    assert [result.outcome for result in run.result.units] == [Outcome.ERROR, Outcome.UNJUDGED]


def test_what_could_not_be_made_safe_is_used_by_nobody_any_more(build, dsl):
    bench = dsl.Bench(unsafe={"psu"})
    bench.values["psu.volts"] = ReplyTimeout("no reply")
    group = build.group("g", [build.drive("psu.output", True, id="on"), build.measure("v", "psu.volts")])
    run = dsl.run(dsl.rack(group), bench, units=3)
    assert "not in its safe state" in run.end("on", 1).message
    assert [run.end("on", unit).outcome for unit in (0, 1, 2)] == [Outcome.DONE, Outcome.ERROR, Outcome.ERROR]
    assert run.outcome is Outcome.ERROR


def test_a_failed_unit_drops_out_and_the_others_carry_on(build, dsl):
    def volts(unit, now):
        return 9.0 if unit == 1 else 0.5

    steps = [build.measure("v", limit=dsl.between(0.0, 1.0), on_fail="stop"), build.wait(5.0, id="w")]
    run = dsl.run(dsl.rack(*steps), dsl.Bench(values={"dmm.volts": volts}), units=3)
    assert [result.outcome for result in run.result.units] == [Outcome.PASS, Outcome.FAIL, Outcome.PASS]
    assert run.outcome is Outcome.FAIL
    assert [run.end("w", unit).outcome for unit in (0, 1, 2)] == [Outcome.DONE, Outcome.NOT_RUN, Outcome.DONE]
    assert run.result.tally.passed == 2
    assert run.result.tally.failed == 1


def test_an_abort_gives_everything_back_and_leaves_all_safe(build, dsl):
    group = build.group("g", [build.drive("psu.output", True), build.wait(100.0)], cleanup=[build.wait(1.0, id="c")])
    run = dsl.run(dsl.rack(group), units=3, during=lambda clock, control: dsl.at(clock, 5.0, control.abort))
    assert {result.outcome for result in run.result.units} == {Outcome.ABORTED}
    assert run.end("c", 0).outcome is Outcome.DONE
    assert {d.instrument for d in run.of(SafeState)} >= {"psu"}


# --- documents


def test_documents_say_who_held_what_and_who_waited_for_whom(build, dsl):
    group = build.group("g", [build.drive("psu.voltage", 5.0, id="set"), build.wait(10.0)])
    run = dsl.run(dsl.rack(group, build.use("u", "dmm", seconds=2.0)), units=2)
    drives = [(d.unit, d.resource, d.node, d.t0, d.t1) for d in run.of(Held) if d.kind == "drive"]
    assert drives == [(0, "psu", "set", 0, 10), (1, "psu", "set", 10, 20)]
    claims = [(d.unit, d.resource, d.t0, d.t1) for d in run.of(Held) if d.node == "u"]
    assert claims == [(0, "dmm", 10, 12), (1, "dmm", 20, 22)]
    assert [(d.unit, d.node, d.resource, d.others, d.t0, d.t1) for d in run.of(Waited)] == [
        (1, "set", "psu", (0,), 0, 10)
    ]


def test_a_run_of_one_unit_holds_nothing_and_says_nothing(build, dsl):
    run = dsl.run(
        dsl.rack(
            build.drive("psu.voltage", 5.0),
            build.barrier("b"),
            build.release("psu"),
            build.mode("chamber.setpoint", 1.0),
        )
    )
    assert run.outcome is Outcome.UNJUDGED
    assert not run.of(Held)
    assert not run.of(Waited)


@pytest.mark.parametrize("units", [2, 5])
def test_the_same_run_twice_gives_the_same_documents(build, dsl, units):
    def once():
        b = type(build)()
        group = b.group("g", [b.drive("psu.voltage", 5.0), b.use("u", "dmm", seconds=3.0)])
        return dsl.run(dsl.rack(group, b.mode("chamber.setpoint", 1.0), b.use("x", "dmm")), units=units).documents

    assert once() == once()
