"""Loops: points and their names, series in written order, edges found by bisection, rounds."""

from __future__ import annotations

import math

import pytest

from engine.plan.model import AxisPlan, SearchPlan
from schemas.documents import Outcome


def test_every_point_has_an_id_an_order_and_its_axis_values(build, dsl):
    steps = [build.sweep({"temperature": [-40.0, 25.0], "iout": [0.1]}, [build.measure("vout", id="steps/vout")])]
    run = dsl.run(dsl.plan(steps))
    assert [d.node for d in run.finished()] == [
        "steps/vout[temperature=-40,iout=0.1]",
        "steps/vout[temperature=25,iout=0.1]",
        "sweep",
    ]
    assert [d.axes for d in run.measured()] == [
        (("temperature", -40.0), ("iout", 0.1)),
        (("temperature", 25.0), ("iout", 0.1)),
    ]
    assert [d.order for d in run.measured()] == [0, 1]


def test_nested_loops_put_their_axes_in_one_bracket(build, dsl):
    inner = build.sweep({"i": [1.0, 2.0]}, [build.measure("v", id="s/v")], id="inner")
    run = dsl.run(dsl.plan([build.sweep({"t": [25.0]}, [inner], id="outer")]))
    assert run.started() == ["outer", "inner[t=25]", "s/v[t=25,i=1]", "s/v[t=25,i=2]"]


def test_equal_points_are_numbered_and_numbers_are_spelled_one_way(build, dsl):
    steps = [build.sweep({"x": [0.1 + 0.2, 0.3, 1e-7, -0.0, 0.3, True, "on"]}, [build.log("l")])]
    run = dsl.run(dsl.plan(steps))
    assert run.started()[1:] == ["l[x=0.3]", "l[x=0.3]", "l[x=1e-07]", "l[x=0]", "l[x=0.3#2]", "l[x=true]", "l[x=on]"]


def test_after_a_loop_names_and_axes_are_aligned_and_a_missing_value_is_nan(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [1.0, 2.0, 3.0]})
    steps = [
        build.sweep(
            {"t": [-40.0, 25.0, 85.0]},
            [build.measure("v", series=["vs"], when=dsl.formula("t != 25"))],
            cleared=["v"],
            series={"vs": ("v", False), "ts": ("t", False)},
        ),
        build.check(dsl.formula("list(vs)[0] == 1 and list(vs)[2] == 2 and list(vs)[1] != list(vs)[1]")),
        build.check(dsl.formula("list(ts) == [-40, 25, 85]"), id="axis"),
    ]
    run = dsl.run(dsl.plan(steps), bench)
    assert run.outcomes()["check"] is Outcome.PASS
    assert run.outcomes()["axis"] is Outcome.PASS


def test_series_are_in_written_order_whatever_the_order_of_visit(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [10.0, 20.0, 30.0]})
    steps = [
        build.sweep(
            {"t": [1.0, 2.0, 3.0]},
            [build.measure("v", series=["vs"])],
            visits=[2, 0, 1],
            cleared=["v"],
            series={"vs": ("v", False), "ts": ("t", False), "words": ("w", True)},
        ),
        build.check(dsl.formula("list(vs) == [20, 30, 10] and list(ts) == [1, 2, 3] and list(words) == ['', '', '']")),
    ]
    assert dsl.run(dsl.plan(steps), bench).outcome is Outcome.PASS


def test_an_inner_series_is_handed_to_the_outer_loop_in_written_order(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [10.0, 20.0, 30.0, 40.0]})
    inner = build.sweep(
        {"i": [1.0, 2.0]},
        [build.measure("v", series=["vs"])],
        visits=[1, 0],
        cleared=["v"],
        series={"vs": ("v", False)},
        extends=[("vs", "all")],
        id="inner",
    )
    steps = [
        build.sweep({"t": [1.0, 2.0]}, [inner], visits=[1, 0], collected={"all": False}),
        build.check(dsl.formula("list(all) == [40, 30, 20, 10]")),
    ]
    assert dsl.run(dsl.plan(steps), bench).outcome is Outcome.PASS


def test_names_of_one_point_are_not_seen_at_the_next(build, dsl):
    body = [
        build.measure("v", when=dsl.formula("t < 2")),
        build.compute("double", dsl.formula("v * 2"), on_error="continue"),
    ]
    run = dsl.run(dsl.plan([build.sweep({"t": [1.0, 2.0]}, body, cleared=["v", "double"])]))
    assert run.outcomes()["double[t=1]"] is Outcome.UNJUDGED
    assert run.outcomes()["double[t=2]"] is Outcome.ERROR


def test_stop_when_ends_only_the_innermost_axis(build, dsl):
    steps = [build.sweep({"t": [1.0, 2.0], "i": [1.0, 2.0, 3.0]}, [build.log("l")], stop_when=dsl.formula("i >= 2"))]
    run = dsl.run(dsl.plan(steps))
    assert run.started()[1:] == ["l[t=1,i=1]", "l[t=1,i=2]", "l[t=2,i=1]", "l[t=2,i=2]"]


def test_changed_says_whether_an_axis_is_new(build, dsl):
    body = [build.log("soak", when=dsl.formula("t_changed"))]
    run = dsl.run(dsl.plan([build.sweep({"t": [1.0, 2.0], "i": [1.0, 2.0]}, body, changed=[("t", "t_changed")])]))
    assert run.started()[1:] == ["soak[t=1,i=1]", "soak[t=2,i=1]"]


def test_a_stop_in_a_loop_ends_the_group_around_it(build, dsl):
    body = [build.measure("v", limit=dsl.between(5, 6), on_fail="stop")]
    group = build.group("g", [build.sweep({"t": [1.0, 2.0]}, body), build.log("after")])
    run = dsl.run(dsl.plan([group, build.log("next")]))
    assert run.outcomes() == {
        "v[t=1]": Outcome.FAIL,
        "sweep": Outcome.FAIL,
        "after": Outcome.NOT_RUN,
        "g": Outcome.FAIL,
        "next": Outcome.DONE,
    }


def search(within=0.1, start=0.0, stop=10.0, most=40):
    return lambda dsl, where: SearchPlan(AxisPlan("p", "p", None), start, stop, within, where, most)


def test_a_search_ends_at_the_edge(build, dsl):
    steps = [
        build.sweep({}, [build.log("l")], search=search()(dsl, dsl.formula("p > 3.3"))),
        build.check(dsl.formula("0 < p - 3.3 <= 0.1")),
    ]
    run = dsl.run(dsl.plan(steps))
    assert run.outcomes()["check"] is Outcome.PASS
    assert run.started()[1:3] == ["l[p=0]", "l[p=10]"]
    ids = run.started()
    assert len(ids) == len(set(ids)) <= 13


def test_an_edge_that_was_not_the_last_point_is_run_again(build, dsl):
    steps = [build.sweep({}, [build.log("l")], search=search(within=6.0)(dsl, dsl.formula("p > 7")))]
    run = dsl.run(dsl.plan(steps))
    assert run.started()[1:] == ["l[p=0]", "l[p=10]", "l[p=5]", "l[p=10#2]"]


def test_a_search_works_downwards_too(build, dsl):
    steps = [
        build.sweep({}, [build.log("l")], search=search(start=10.0, stop=0.0)(dsl, dsl.formula("p < 3.3"))),
        build.check(dsl.formula("0 < 3.3 - p <= 0.1")),
    ]
    assert dsl.run(dsl.plan(steps)).outcomes()["check"] is Outcome.PASS


def test_an_edge_that_is_not_bracketed_is_a_fail_that_says_so(build, dsl):
    run = dsl.run(dsl.plan([build.sweep({}, [build.log("l")], search=search()(dsl, dsl.formula("p > 30")))]))
    assert run.end("sweep").outcome is Outcome.FAIL
    assert run.end("sweep").message == "no edge: `p > 30` does not hold at both 0 and 10 of `p`"
    assert run.outcome is Outcome.FAIL


def test_a_search_runs_at_every_point_of_the_axes_before_it(build, dsl):
    steps = [build.sweep({"t": [1.0, 2.0]}, [build.log("l")], search=search(within=6.0)(dsl, dsl.formula("p > t")))]
    run = dsl.run(dsl.plan(steps))
    assert run.started()[1:] == [
        "l[t=1,p=0]", "l[t=1,p=10]", "l[t=1,p=5]", "l[t=2,p=0]", "l[t=2,p=10]", "l[t=2,p=5]"
    ]  # fmt: skip
    orders = [d.order for d in run.finished() if d.node.startswith("l[")]
    assert len(set(orders)) == 6


def test_rounds_are_counted_from_one_and_until_ends_them(build, dsl):
    run = dsl.run(dsl.plan([build.repeat(5, [build.log("l")], until=dsl.formula("iteration == 2"))]))
    assert run.started()[1:] == ["l[iteration=1]", "l[iteration=2]"]
    assert run.end("repeat").outcome is Outcome.DONE


def test_an_until_that_never_held_is_a_fail(build, dsl):
    run = dsl.run(dsl.plan([build.repeat(3, [build.log("l")], until=dsl.formula("iteration > 9"))]))
    assert run.end("repeat").outcome is Outcome.FAIL
    assert run.end("repeat").message == "`iteration > 9` did not hold within 3 rounds"


def test_while_is_looked_at_before_every_round(build, dsl):
    run = dsl.run(dsl.plan([build.repeat(9, [build.log("l")], while_=dsl.formula("iteration < 3"))]))
    assert run.started()[1:] == ["l[iteration=1]", "l[iteration=2]"]
    assert run.end("repeat").outcome is Outcome.DONE


def test_rounds_keep_their_pace(build, dsl):
    run = dsl.run(dsl.plan([build.repeat(3, [build.wait(2.0, id="w")], every_s=10.0)]))
    assert [d.started for d in run.finished() if d.node.startswith("w")] == [0.0, 10.0, 20.0]
    slow = dsl.run(dsl.plan([build.repeat(3, [build.wait(12.0, id="w")], every_s=10.0)]))
    assert [d.started for d in slow.finished() if d.node.startswith("w")] == [0.0, 12.0, 24.0]


def test_a_million_points_leave_nothing_behind(build, dsl):
    import tracemalloc

    def peak(count):
        class Many:
            axes = (AxisPlan("x", "x", None),)
            size = count
            sorted = True
            may_repeat = False

            def __iter__(self):
                return ((index, (float(index),)) for index in range(count))

            def breaks_at(self, index):
                return count

        class Nothing:
            def record(self, document):
                pass

            def durable(self):
                pass

            documents = ()

        sweep = build.sweep(
            {"x": [0.0]}, [build.compute("v", dsl.formula("x"), limit=dsl.between(-1, 1e9))], cleared=["v"]
        )
        from dataclasses import replace

        sweep = replace(sweep, action=replace(sweep.action, points=Many()))
        tracemalloc.start()
        dsl.run(dsl.plan([sweep]), recorder=Nothing())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(6_000) - peak(1_000) < 5_000 * 40


@pytest.mark.parametrize("bad", [math.nan, -1.0, "x"])
def test_a_count_that_is_no_count_is_an_error(build, dsl, bad):
    run = dsl.run(dsl.plan([build.let("n", bad), build.repeat(dsl.formula("n"), [build.log("l")])]))
    assert run.end("repeat").outcome is Outcome.ERROR
    assert "repeat" in run.end("repeat").message


def test_the_noise_of_a_condition_differs_from_point_to_point(build, dsl):
    bench = dsl.Bench()
    steps = [
        build.sweep({"x": [1.0, 2.0]}, [build.log("l")], stop_when=dsl.formula("dmm_volts > 9", "dmm.volts"), id="s"),
        build.repeat(2, [build.log("m")], while_=dsl.formula("dmm_volts < 9", "dmm.volts"), id="r"),
    ]
    dsl.run(dsl.plan(steps), bench)
    assert [call[2] for call in bench.of("begin")] == ["s[x=1]", "s[x=2]", "r[iteration=1]", "r[iteration=2]"]
