"""A value that units agree on: held together, changed when nobody holds the old one, never in anybody's way for good."""

from __future__ import annotations

from engine.core.errors import ReplyTimeout
from schemas.documents import Held, Logged, Outcome


def setpoints(run):
    return [(call[2], call[3]) for call in run.bench.of("apply") if call[1] == "chamber.setpoint"]


def changes(run):
    """The values the chamber really went through, and when."""
    found = []
    for value, t in setpoints(run):
        if not found or found[-1][0] != value:
            found.append((value, t))
    return found


def test_units_that_want_the_same_value_hold_it_together(build, dsl):
    steps = [build.mode("chamber.setpoint", 85.0, settle_s=30.0), build.wait(10.0, id="w")]
    run = dsl.run(dsl.rack(*steps), units=4)
    assert set(run.times("w").values()) == {(30, 40)}


def test_a_value_changes_only_when_nobody_holds_the_old_one(build, dsl):
    steps = [
        build.mode("chamber.setpoint", -40.0, id="cold"),
        build.wait(dsl.formula("10 if site == 'A' else 25"), id="w"),
        build.mode("chamber.setpoint", 85.0, id="hot"),
        build.wait(5.0, id="x"),
    ]
    run = dsl.run(dsl.rack(*steps), units=2)
    assert run.times("x") == {0: (25, 30), 1: (25, 30)}
    assert changes(run) == [(-40.0, 0.0), (85.0, 25.0)]


def test_two_units_that_want_to_swap_values_do_not_wait_for_each_other(build, dsl):
    steps = [
        build.mode("chamber.setpoint", dsl.formula("1.0 if site == 'A' else 2.0"), id="first"),
        build.wait(10.0),
        build.mode("chamber.setpoint", dsl.formula("2.0 if site == 'A' else 1.0"), id="second"),
        build.wait(10.0, id="w"),
    ]
    run = dsl.run(dsl.rack(*steps), units=2)
    assert run.outcome is Outcome.UNJUDGED
    assert run.clock.now == 30.0, "at 10 the second unit joins neither: 2 for one, then 2 for both, then 1"
    assert not [d for d in run.documents if getattr(d, "kind", "") == "stall"]


def test_a_value_is_given_up_before_the_next_one_is_waited_for(build, dsl):
    """A unit that waits for another value while it keeps the old one would keep all others from changing it."""
    steps = []
    for place, value in enumerate([-40.0, 25.0, 85.0]):
        steps += [build.mode("chamber.setpoint", value, id=f"m{place}"), build.use(f"u{place}", "dmm", seconds=2.0)]
    run = dsl.run(dsl.rack(*steps), units=4)
    assert changes(run) == [(-40.0, 0.0), (25.0, 8.0), (85.0, 16.0)]


def test_a_value_ends_with_the_group_that_set_it(build, dsl):
    group = build.group(
        "g", [build.mode("chamber.setpoint", dsl.formula("1.0 if site == 'A' else 2.0")), build.wait(10.0)]
    )
    run = dsl.run(dsl.rack(group, build.wait(50.0, id="after")), units=2)
    assert run.times("after") == {0: (10, 60), 1: (20, 70)}


def test_release_gives_up_a_value(build, dsl):
    steps = [
        build.mode("chamber.setpoint", dsl.formula("1.0 if site == 'A' else 2.0")),
        build.wait(10.0),
        build.release("chamber"),
        build.wait(50.0, id="after"),
    ]
    run = dsl.run(dsl.rack(*steps), units=2)
    assert run.times("after") == {0: (10, 60), 1: (20, 70)}


def test_a_second_unit_does_not_wait_again_for_what_has_settled(build, dsl):
    late = build.wait(dsl.formula("0 if site == 'A' else 100"))
    steps = [late, build.mode("chamber.setpoint", 85.0, settle_s=60.0, until=dsl.formula("chamber_stable", "chamber.stable")),
             build.wait(200.0, id="w")]  # fmt: skip
    run = dsl.run(dsl.rack(*steps), dsl.Bench(values={"chamber.stable": True}), units=2)
    assert run.times("w") == {0: (60, 260), 1: (100, 300)}


def test_units_look_at_the_chamber_together_while_it_settles(build, dsl):
    until = dsl.formula("chamber_stable", "chamber.stable")
    bench = dsl.Bench(values={"chamber.stable": lambda unit, now: now >= 100.0}, polls={"chamber.stable": 10.0})
    run = dsl.run(
        dsl.rack(build.mode("chamber.setpoint", 85.0, until=until, timeout_s=500.0), build.wait(1.0, id="w")),
        bench,
        units=3,
    )
    assert set(run.times("w").values()) == {(100, 101)}
    begun = [call for call in bench.of("begin") if call[1] == "chamber"]
    assert len({call[2] for call in begun}) == 13, (
        "a write, eleven looks, a question for errors: each has noise of its own"
    )


def test_units_that_want_something_else_of_the_chamber_take_turns_in_it(build, dsl):
    """One ramps at 5, the other at 10: while one looks at the chamber, its ramp is not put back for the other."""
    ramp = build.set("chamber.ramp_rate", dsl.formula("5.0 if site == 'A' else 10.0"))
    bench = dsl.Bench(contexts={(0, "chamber"): "ramp 5", (1, "chamber"): "ramp 10"})
    run = dsl.run(dsl.rack(ramp, build.mode("chamber.setpoint", 85.0, settle_s=30.0, id="m")), bench, units=2)
    assert sorted(run.times("m").values())[1][0] == 30.0


# --- in the way of others


def test_a_value_closes_to_newcomers_when_somebody_has_waited_long_enough(build, dsl):
    """Units that keep coming for the same value must not keep another one waiting for ever."""
    steps = [
        build.wait(dsl.formula("{'A': 0, 'B': 1, 'C': 100, 'D': 200, 'E': 300}[site]")),
        build.mode("chamber.setpoint", dsl.formula("25.0 if site == 'B' else 85.0"), id="m"),
        build.wait(150.0, id="w"),
    ]
    run = dsl.run(dsl.rack(*steps), units=5)
    # B waits from 1 and the value closes 60 s later: C finds it closed at 100, the first one leaves at 150
    assert run.times("w")[1] == (150, 300)
    assert all(run.times("w")[unit][0] >= 300 for unit in (2, 3, 4))


def test_a_value_does_not_close_to_a_unit_that_holds_something(build, dsl):
    """Those who wait may be waiting for exactly what it holds."""
    driving = build.group(
        "driving",
        [
            build.drive("psu.voltage", 1.0),
            build.wait(100.0),
            build.mode("chamber.setpoint", 85.0),
            build.wait(150.0, id="c"),
        ],
    )
    sharing = build.group(
        "sharing",
        [
            build.wait(dsl.formula("0 if site == 'A' else 1")),
            build.mode("chamber.setpoint", dsl.formula("25.0 if site == 'B' else 85.0")),
            build.wait(150.0, id="w"),
        ],
    )
    run = dsl.run(dsl.rack(dsl.choose(build, "site == 'C'", driving, sharing)), units=3)
    assert run.times("c") == {2: (100, 250)}
    assert run.times("w") == {0: (0, 150), 1: (250, 400)}


def test_a_unit_that_drives_something_and_waits_for_a_value_does_not_deadlock_with_one_that_does_the_opposite(
    build, dsl
):
    first = build.group(
        "a", [build.drive("psu.voltage", 1.0), build.wait(5.0), build.mode("chamber.setpoint", 85.0), build.wait(5.0)]
    )
    other = build.group(
        "b", [build.mode("chamber.setpoint", 25.0), build.wait(5.0), build.drive("psu.voltage", 2.0), build.wait(5.0)]
    )
    run = dsl.run(dsl.rack(dsl.choose(build, "site == 'A'", first, other)), units=2)
    assert run.clock.now == 20.0
    assert run.outcome is Outcome.UNJUDGED


# --- cleanup


def cooling(build, dsl, **more):
    return build.group(
        "g",
        [
            build.mode("chamber.setpoint", 85.0),
            build.measure("v", limit=dsl.between(0, 1), on_fail="stop"),
            build.wait(100.0),
        ],
        cleanup=[build.set("psu.output", False, id="off"), build.mode("chamber.setpoint", 25.0, id="cool", **more)],
    )


def test_a_unit_that_fails_does_not_wait_for_the_chamber(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": lambda unit, now: 5.0 if unit == 0 else 0.5})
    run = dsl.run(dsl.rack(cooling(build, dsl, settle_s=1000.0)), bench, units=2)
    assert run.times("cool")[0] == (0, 0)
    assert "when they have left" in run.end("cool", 0).message
    assert run.end("cool", 0).outcome is Outcome.DONE
    assert run.end("off", 0).t == 0.0


def test_the_value_left_behind_is_applied_when_the_last_holder_has_left(build, dsl):
    group = build.group(
        "g",
        [
            build.mode("chamber.setpoint", 85.0),
            build.wait(dsl.formula("10 if site == 'A' else 30")),
            build.release("chamber"),
            build.wait(100.0),
        ],
        cleanup=[],
    )
    early = build.group(
        "early",
        [build.mode("chamber.setpoint", 85.0), build.wait(10.0)],
        cleanup=[build.mode("chamber.setpoint", 25.0, id="cool")],
    )
    run = dsl.run(dsl.rack(dsl.choose(build, "site == 'A'", early, group)), units=2)
    assert changes(run) == [(85.0, 0.0), (25.0, 30.0)]


def test_the_value_left_behind_is_not_applied_while_somebody_holds_the_chamber_alone(build, dsl):
    early = build.group(
        "early",
        [build.mode("chamber.setpoint", 85.0), build.wait(10.0)],
        cleanup=[build.mode("chamber.setpoint", 25.0, id="cool")],
    )
    alone = build.group("alone", [build.wait(20.0, id="w")], hold=["chamber"])
    shared = build.group("shared", [build.mode("chamber.setpoint", 85.0), build.wait(5.0)])
    late = build.group("late", [build.wait(1.0), alone])
    run = dsl.run(
        dsl.rack(dsl.choose(build, "site == 'A'", early, build.group("l", [shared, late, build.wait(5.0)]))), units=2
    )
    assert run.times("w") == {1: (10, 30)}
    assert changes(run) == [(85.0, 0.0), (25.0, 30.0)]


def test_the_value_left_behind_is_not_applied_when_somebody_wants_another(build, dsl):
    early = build.group(
        "early",
        [build.mode("chamber.setpoint", 85.0), build.wait(10.0)],
        cleanup=[build.mode("chamber.setpoint", 25.0, id="cool")],
    )
    late = build.group(
        "late",
        [
            build.mode("chamber.setpoint", 85.0, id="l"),
            build.wait(30.0),
            build.mode("chamber.setpoint", -40.0, id="n"),
            build.wait(5.0),
        ],
    )
    run = dsl.run(dsl.rack(dsl.choose(build, "site == 'A'", early, late)), units=2)
    assert changes(run)[:2] == [(85.0, 0.0), (-40.0, 30.0)]


def test_the_last_unit_waits_for_the_value_of_its_own_cleanup(build, dsl):
    run = dsl.run(dsl.rack(cooling(build, dsl, settle_s=50.0)), dsl.Bench(values={"dmm.volts": 0.5}), units=2)
    assert sorted(run.end("cool", unit).t for unit in (0, 1)) == [100.0, 150.0]


def test_what_else_a_cleanup_sets_on_the_chamber_is_set_all_the_same(build, dsl):
    from dataclasses import replace

    from engine.plan.model import SetAction, Write

    def cool():
        node = build.mode("chamber.setpoint", 25.0, id="cool")
        writes = (*node.action.writes, Write(dsl.target("chamber.fan"), False))
        return replace(node, action=SetAction("chamber", writes))

    early = build.group("early", [build.mode("chamber.setpoint", 85.0), build.wait(10.0)], cleanup=[cool()])
    late = build.group("late", [build.mode("chamber.setpoint", 85.0), build.wait(30.0)])
    run = dsl.run(dsl.rack(dsl.choose(build, "site == 'A'", early, late)), units=2)
    assert [call[3] for call in run.bench.of("apply") if call[1] == "chamber.fan"] == [10.0]


def test_a_group_that_holds_the_chamber_alone_waits_for_those_who_share_it(build, dsl):
    alone = build.group("alone", [build.wait(5.0, id="w")], hold=["chamber"])
    shared = build.group("shared", [build.mode("chamber.setpoint", 85.0), build.wait(20.0)])
    late = build.group("late", [build.wait(1.0), alone])
    run = dsl.run(dsl.rack(dsl.choose(build, "site == 'A'", late, shared)), units=2)
    assert run.times("w") == {0: (20, 25)}


def test_documents_say_at_which_value_units_held_it(build, dsl):
    run = dsl.run(dsl.rack(build.group("g", [build.mode("chamber.setpoint", 85.0), build.wait(3.0)])), units=2)
    modes = [(d.unit, d.value, d.t0, d.t1) for d in run.of(Held) if d.kind == "mode"]
    assert modes == [(0, 85.0, 0, 3), (1, 85.0, 0, 3)]


def test_a_value_that_cannot_be_left_behind_is_a_warning(build, dsl):
    bench = dsl.Bench()

    def fails(what):
        if what == "chamber.setpoint=25.0":
            raise ReplyTimeout("gone")

    bench.on_call = fails
    early = build.group(
        "early",
        [build.mode("chamber.setpoint", 85.0), build.wait(10.0)],
        cleanup=[build.mode("chamber.setpoint", 25.0, id="cool")],
    )
    late = build.group("late", [build.mode("chamber.setpoint", 85.0), build.wait(30.0)])
    run = dsl.run(dsl.rack(dsl.choose(build, "site == 'A'", early, late), build.wait(30.0)), bench, units=2)
    assert [d.message for d in run.of(Logged)] == ["`chamber.setpoint` could not be left at 25.0: gone"]
    assert run.outcome is Outcome.UNJUDGED
