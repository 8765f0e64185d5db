"""The other verbs: compute, check, let, record, query, command, python, attach, log, if, call."""

from __future__ import annotations

import math
import os
from dataclasses import replace

import numpy
import pytest

from engine.core.errors import EvaluationFailed
from engine.plan.model import (
    AttachAction,
    Binding,
    Block,
    CallAction,
    Claim,
    CommandAction,
    IfAction,
    MeasureAction,
    PythonAction,
    QueryAction,
    RecordAction,
    SiteWrite,
    Steps,
)
from engine.verdict import band, equals, mask
from schemas.documents import Attached, Logged, Outcome, Verdict
from schemas.quantity import parse_unit

VOLT = parse_unit("V")


def test_a_computed_value_is_judged_and_bound(build, dsl):
    steps = [
        build.let("a", 2.0),
        build.compute("b", dsl.formula("a * 2"), dsl.between(0, 1)),
        build.check(dsl.formula("b == 4")),
    ]
    run = dsl.run(dsl.plan(steps))
    assert run.outcomes() == {"let a": Outcome.DONE, "b": Outcome.FAIL, "check": Outcome.PASS}
    assert run.measured("b")[0].source == "compute"


def test_numbers_of_numpy_are_recorded_as_plain_ones(build, dsl):
    steps = [
        build.let("a", dsl.formula("x.mean()"), id="l"),
        build.compute("b", dsl.formula("x.mean()"), dsl.between(0, 9)),
    ]
    run = dsl.run(dsl.plan(steps, environment={"x": numpy.array([1.0, 2.0])}))
    assert type(run.values("b")[0]) is float


def test_a_series_is_recorded_as_json_and_judged_by_its_mask(build, dsl):
    criterion = mask([(0.0, 2.0), (10.0, 2.0)], None, "t")
    steps = [
        build.compute("v", dsl.formula("x"), dsl.Limit("v", criterion)),
        build.compute("w", dsl.formula("x * 2"), dsl.Limit("w", criterion)),
    ]
    run = dsl.run(dsl.plan(steps, environment={"x": numpy.array([1.0, 1.5]), "t": numpy.array([1.0, 2.0])}))
    v, w = run.measured()
    assert (v.value, v.json_value, v.verdict) == (None, "[1.0,1.5]", Verdict.PASS)
    assert w.verdict is Verdict.FAIL
    assert "`w`" in run.end("w").message or "corridor" in run.end("w").message


def test_a_limit_that_does_not_apply_is_an_error_and_the_value_is_kept(build, dsl):
    limit = dsl.Limit("v", None)
    object.__setattr__(
        limit, "resolve", lambda env: (_ for _ in ()).throw(EvaluationFailed("no case of limit `v` applies"))
    )
    run = dsl.run(dsl.plan([build.measure("v", limit=limit)]))
    assert run.end("v").outcome is Outcome.ERROR
    assert run.measured("v")[0].verdict is Verdict.UNJUDGED
    assert run.outcome is Outcome.ERROR


def test_words_and_switches_are_judged_as_such(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": True})
    run = dsl.run(dsl.plan([build.measure("v", limit=dsl.Limit("v", equals(True)))]), bench)
    assert run.values("v") == [True]
    assert run.outcome is Outcome.PASS


def test_a_check_says_why(build, dsl):
    steps = [
        build.check(dsl.formula("1 > 2"), id="s/a"),
        build.check(dsl.formula("1 > 2"), "too small", id="s/b"),
        build.check(dsl.formula("nan"), id="s/c"),
    ]
    run = dsl.run(dsl.plan(steps))
    assert [run.end(node).message for node in ("s/a", "s/b", "s/c")] == [
        "`1 > 2` does not hold",
        "too small",
        "`nan` does not hold",
    ]
    assert [(d.name, d.value, d.verdict) for d in run.measured()] == [(n, False, Verdict.FAIL) for n in "abc"]


def test_let_items_see_those_above_them_and_may_be_assigned_again(build, dsl):
    from engine.plan.model import LetAction

    items = tuple(
        (Binding(name, name), dsl.formula(text)) for name, text in (("a", "1"), ("a", "a + 1"), ("b", "a * 10"))
    )
    run = dsl.run(dsl.plan([build.node("let", LetAction(items)), build.check(dsl.formula("b == 20"))]))
    assert run.outcome is Outcome.PASS


def test_a_diagnostic_is_kept_and_never_judged(build, dsl):
    action = RecordAction(
        (("plain", 3, None), ("nested", {"a": [dsl.formula("x * 2"), "t"]}, None), ("v", dsl.formula("x"), VOLT))
    )
    run = dsl.run(dsl.plan([build.node("record", action)], environment={"x": 2.0}))
    assert [(d.name, d.value, d.json_value, d.unit_symbol) for d in run.measured()] == [
        ("plain", 3.0, "", ""),
        ("nested", None, '{"a":[4.0,"t"]}', ""),
        ("v", 2.0, "", "V"),
    ]
    assert all(d.diagnostic for d in run.measured())
    assert run.outcome is Outcome.UNJUDGED


def query(build, text="MEAS?", **more):
    fields = {"binding": None, "groups": (), "expect": None, "unit": None, "limit": None} | more
    return build.node("q", QueryAction("dmm", text, **fields), claims=(Claim("dmm"),))


def test_a_reply_is_searched_and_its_groups_become_values(build, dsl):
    bench = dsl.Bench(values={"dmm:MEAS?": "V=3.25;OK"})
    groups = (Binding("volts", "volts"), Binding("state", "state"))
    steps = [
        query(
            build,
            groups=groups,
            expect=r"V=(?P<volts>[\d.]+);(?P<state>\w+)",
            binding=Binding("r", "r"),
            unit=VOLT,
            limit=dsl.between(3, 4),
        ),
        build.check(dsl.formula("state == 'OK' and r == 3.25")),
    ]
    run = dsl.run(dsl.plan(steps), bench)
    assert run.outcome is Outcome.PASS
    assert [(d.name, d.value, d.verdict) for d in run.measured()][:2] == [
        ("q", "V=3.25;OK", Verdict.PASS),
        ("r", 3.25, Verdict.PASS),
    ]


def test_a_reply_in_which_nothing_is_found_fails(build, dsl):
    bench = dsl.Bench(values={"dmm:MEAS?": "ERR"})
    run = dsl.run(dsl.plan([query(build, expect="OK")]), bench)
    assert run.end("q").outcome is Outcome.FAIL
    assert run.end("q").message == "`dmm` replied 'ERR' to 'MEAS?', in which `OK` is not found"


def test_a_reply_that_is_no_number_is_an_error(build, dsl):
    bench = dsl.Bench(values={"dmm:MEAS?": "abc"})
    run = dsl.run(dsl.plan([query(build, unit=VOLT, binding=Binding("r", "r"))]), bench)
    assert run.end("q").outcome is Outcome.ERROR
    assert "'abc'" in run.end("q").message


def test_a_raw_command_makes_the_next_set_settle_anew(build, dsl):
    steps = [
        build.set("psu.voltage", 5.0, settle_s=10.0, id="a"),
        build.node("c", CommandAction("psu", dsl.formula("'VOLT ' + '7'"))),
        build.set("psu.voltage", 5.0, settle_s=10.0, id="b"),
    ]
    run = dsl.run(dsl.plan(steps))
    assert run.bench.of("command") == [("command", "psu", "VOLT 7")]
    assert run.end("b").t == 20.0


def python(build, **more):
    fields = {"arguments": {}, "binding": None, "unit": None, "limit": None} | more
    return build.node("p", PythonAction("plug", "f", "/root", **fields))


def test_code_of_the_project_gets_its_arguments_and_gives_a_value(build, dsl):
    seen = []

    def call(action, arguments):
        seen.append((action.function, arguments))
        return numpy.float64(4)

    step = python(
        build,
        arguments={"x": dsl.formula("a"), "y": [1, dsl.formula("a")]},
        binding=Binding("r", "r"),
        unit=VOLT,
        limit=dsl.between(3, 5),
    )
    run = dsl.run(dsl.plan([step], environment={"a": 2.0}), python=call)
    assert seen == [("f", {"x": 2.0, "y": [1, 2.0]})]
    assert (run.values("r"), run.outcome) == ([4.0], Outcome.PASS)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("bad value"), "`plug:f` raised ValueError: bad value"),
        (SystemExit(3), "`plug:f` tried to end the program (3) (return a value, or raise an exception)"),
    ],
)
def test_what_code_of_the_project_raises_is_an_error_in_its_words(build, dsl, error, message):
    def call(action, arguments):
        raise error

    run = dsl.run(dsl.plan([python(build)], cleanup=[build.log("c")]), python=call)
    assert run.end("p").message == message
    assert run.end("p").outcome is Outcome.ERROR
    assert run.end("c").outcome is Outcome.DONE


def test_a_result_that_is_no_number_is_an_error_where_one_is_needed(build, dsl):
    run = dsl.run(dsl.plan([python(build, unit=VOLT, binding=Binding("r", "r"))]), python=lambda action, arguments: "x")
    assert "returned 'x'" in run.end("p").message


class TestAttach:
    def attach(self, build, dsl, root, path):
        return dsl.run(dsl.plan([build.node("a", AttachAction(str(path), str(root)))]))

    def test_a_file_below_the_project_is_kept(self, build, dsl, tmp_path):
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "note.txt").write_bytes(b"hello")
        (kept,) = self.attach(build, dsl, tmp_path, "./sub/note.txt").of(Attached)
        assert (kept.name, kept.size, kept.content) == ("note.txt", 5, b"hello")

    @pytest.mark.parametrize(
        "path", ["../x", "/etc/hostname", "sub/../../x", "link", "linked/x", "pipe", "missing", "sub", ""]
    )
    def test_everything_else_is_refused(self, build, dsl, tmp_path, path):
        root = tmp_path / "root"
        (root / "sub").mkdir(parents=True)
        (tmp_path / "x").write_text("secret")
        (root / "link").symlink_to(tmp_path / "x")
        (root / "linked").symlink_to(tmp_path)
        os.mkfifo(root / "pipe")
        run = self.attach(build, dsl, root, path)
        assert run.end("a").outcome is Outcome.ERROR
        assert run.of(Attached) == []
        assert "internal" not in run.end("a").message

    def test_a_file_that_is_too_large_is_refused(self, build, dsl, tmp_path, monkeypatch):
        monkeypatch.setattr("engine.dispatch.actions.files.LARGEST_ATTACHMENT", 4)
        (tmp_path / "big").write_bytes(b"12345")
        assert "too large" in self.attach(build, dsl, tmp_path, "big").end("a").message


def test_a_message_is_logged(build, dsl):
    run = dsl.run(dsl.plan([build.log("hello")]))
    assert [(d.message, d.level.value, d.node) for d in run.of(Logged)] == [("hello", "info", "hello")]


def test_one_of_two_ways_is_taken(build, dsl):
    action = IfAction(dsl.formula("site == 'A'"), Steps((build.log("yes"),)), Steps((build.log("no"),)))
    run = dsl.run(dsl.plan([build.node("if", action)]))
    assert run.started() == ["if", "yes"]


def call(build, dsl, steps, store=(("y", "y"),), **more):
    action = CallAction(
        "inner", Block(Steps(), Steps(tuple(steps)), Steps()), (("x", dsl.formula("a * 10")),), {"k": 5.0}, ("site",),
        tuple((Binding(local, local), inner) for local, inner in store),
    )  # fmt: skip
    return build.node("call", action, **more)


def test_a_called_sequence_has_names_of_its_own_and_gives_out_what_is_stored(build, dsl):
    inner = [build.compute("y", dsl.formula("x + k if site == 'A' else 0")), build.compute("z", dsl.formula("1"))]
    steps = [
        call(build, dsl, inner, store=(("y", "y"), ("w", "never"))),
        build.check(dsl.formula("y == 25")),
        build.compute("no", dsl.formula("z"), on_error="continue", id="z"),
        build.compute("no", dsl.formula("w"), on_error="continue", id="w"),
    ]
    run = dsl.run(dsl.plan(steps, environment={"a": 2.0}))
    assert run.end("check").outcome is Outcome.PASS
    assert (run.end("z").outcome, run.end("w").outcome) == (Outcome.ERROR, Outcome.ERROR)


def test_a_stop_in_a_called_sequence_comes_to_rest_at_the_call(build, dsl):
    inner = [build.compute("y", dsl.formula("9"), dsl.between(0, 1), on_fail="stop"), build.log("z")]
    run = dsl.run(dsl.plan([call(build, dsl, inner), build.log("next")], environment={"a": 2.0}))
    assert (run.end("z").outcome, run.end("call").outcome, run.end("next").outcome) == (
        Outcome.NOT_RUN,
        Outcome.FAIL,
        Outcome.DONE,
    )


def test_live_readings_are_fresh_at_every_look(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [0.0, 0.0, 5.0]})
    run = dsl.run(dsl.plan([build.wait(condition=dsl.formula("dmm_volts > 4", "dmm.volts"), id="w")]), bench)
    assert run.end("w").t == 2.0


def test_elapsed_outcome_and_attempt_are_known_to_formulas(build, dsl):
    steps = [
        build.wait(5.0),
        build.check(dsl.formula("elapsed == 5 and attempt == 1 and outcome == 'unjudged'"), id="a"),
        build.measure("v", limit=dsl.between(1, 2)),
        build.check(dsl.formula("outcome == 'fail'"), id="b"),
    ]
    run = dsl.run(dsl.plan(steps))
    assert (run.end("a").outcome, run.end("b").outcome) == (Outcome.PASS, Outcome.PASS)


def test_what_identifies_a_unit_is_in_scope(build, dsl):
    from engine.dispatch import UnitUnderTest

    plan = dsl.plan([build.check(dsl.formula("[serial, index, lot, site] == ['S1', 3.0, 'L7', 'B']"))])
    slots = {"serial": "dut.serial", "index": "dut.index", "lot": "dut.lot"}
    check = plan.root.steps.nodes[0].action.formula
    fn = check.fn
    object.__setattr__(check, "fn", lambda env: fn({**env, **{name: env[slot] for name, slot in slots.items()}}))
    assert dsl.run(plan, units=[UnitUnderTest(3, "S1", "B", {"lot": "L7"})]).outcome is Outcome.PASS


def test_a_route_is_made_for_the_site_of_the_unit_before_it_is_measured(build, dsl):
    route = SiteWrite(dsl.target("matrix.closed"), {"A": "1A1", "B": "1B5"})
    action = MeasureAction(
        dsl.target("dmm.volts"), Binding("v", "v"), VOLT, None, 1, 0.0, "mean", None, (route,), "VOUT", "TP3"
    )
    run = dsl.run(dsl.plan([build.node("v", action)]), units=2)
    assert [call[1:3] for call in run.bench.of("apply")] == [("matrix.closed", "1A1"), ("matrix.closed", "1B5")]
    assert [(d.net, d.pin) for d in run.measured()] == [("VOUT", "TP3")] * 2


def test_the_noise_of_a_reading_is_named_by_node_and_attempt(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": [9.0, 0.0]})
    steps = [build.sweep({"x": [1.0]}, [build.measure("v", limit=dsl.between(-1, 1), retry=build.retry(1))])]
    run = dsl.run(dsl.plan(steps), bench)
    assert run.bench.of("begin") == [("begin", "dmm", "v[x=1]", 1), ("begin", "dmm", "v[x=1]", 2)]


class Asking:
    """A limit that notes what a formula in it would see."""

    name, fixed = "asking", None

    def __init__(self, dsl):
        self.seen = []
        self.formula = dsl.formula("(attempt, elapsed, outcome)")

    def resolve(self, environment):
        self.seen.append(self.formula.value(environment))
        return band(1.0, None)


def test_a_limit_sees_the_attempt_and_outcome_of_the_step_it_judges(build, dsl):
    limit = Asking(dsl)
    retry = build.retry(times=1)
    steps = [
        build.measure("a", limit=dsl.between(1.0, None), on_fail="continue"),
        build.wait(5.0),
        build.measure("b", limit=limit, retry=retry),
    ]
    run = dsl.run(dsl.plan(steps), dsl.Bench(values={"dmm.volts": 0.0}))
    assert limit.seen == [(1, 5.0, "fail"), (2, 5.0, "fail")]
    assert run.end("b").attempt == 2


@pytest.mark.parametrize("reply", ["9.9E37", "-9.91e37", "1e400", "nan"])
def test_a_reply_over_range_is_no_reading_and_fails(build, dsl, reply):
    asked = query(build, binding=Binding("r", "r"), unit=VOLT, limit=dsl.between(0, None))
    run = dsl.run(dsl.plan([asked]), dsl.Bench(values={"dmm:MEAS?": reply}))
    assert run.outcome is Outcome.FAIL
    assert "no reading" in run.end("q").message


@pytest.mark.parametrize("reply", ["1_000", "١٢", "3,3", "3.3 V", ""])
def test_a_reply_that_only_python_calls_a_number_is_an_error(build, dsl, reply):
    asked = query(build, binding=Binding("r", "r"), unit=VOLT, limit=dsl.between(0, None))
    run = dsl.run(dsl.plan([asked]), dsl.Bench(values={"dmm:MEAS?": reply}))
    assert run.end("q").outcome is Outcome.ERROR
    assert "is not a number" in run.end("q").message


def test_a_reply_that_takes_for_ever_to_search_is_an_error(build, dsl, monkeypatch):
    monkeypatch.setattr("schemas.patterns.TIMEOUT_S", 0.05)
    run = dsl.run(dsl.plan([query(build, expect="(x+x+)+y")]), dsl.Bench(values={"dmm:MEAS?": "x" * 4000}))
    assert run.end("q").outcome is Outcome.ERROR
    assert "took longer than" in run.end("q").message


def reading(dsl, text, *names, live=()):
    """A formula that does not ask whether these have a reading."""
    return replace(dsl.formula(text, *live), needs=frozenset(names))


def test_a_check_of_what_has_no_reading_fails_whatever_it_asks(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": math.nan})
    steps = [
        build.measure("over"),
        build.check(reading(dsl, "not over > 30", "over"), id="a"),
        build.check(reading(dsl, "not over > 30 or over != over"), id="asks"),
        build.check(reading(dsl, "not dmm_volts > 30", "dmm_volts", live=("dmm.volts",)), id="live"),
        build.check(reading(dsl, "not over > 30", "over"), message="too hot", id="own words"),
    ]
    run = dsl.run(dsl.plan(steps), bench)
    assert [run.end(id).outcome for id in ("a", "asks", "live")] == [Outcome.FAIL, Outcome.PASS, Outcome.FAIL]
    assert run.end("a").message == "no reading: `over`"
    assert run.end("own words").message == "no reading: `over`; too hot"


@pytest.mark.parametrize(("text", "limit"), [("1.0 if over > 30 else 0.0", (None, 0.5)), ("over ** 0", (0.5, 2.0))])
def test_what_is_computed_of_no_reading_is_none_itself(build, dsl, text, limit):
    bench = dsl.Bench(values={"dmm.volts": math.nan})
    steps = [build.measure("over"), build.compute("c", reading(dsl, text, "over"), dsl.between(*limit))]
    run = dsl.run(dsl.plan(steps), bench)
    assert math.isnan(run.values("c")[0])
    assert run.end("c").message == "`c`: no reading (NaN); no reading: `over`"


def test_a_state_computed_of_no_reading_is_not_green_later(build, dsl):
    bench = dsl.Bench(values={"dmm.volts": math.nan})
    steps = [
        build.measure("over"),
        build.compute("hot", reading(dsl, "over > 30", "over")),
        build.check(reading(dsl, "not hot", "hot")),
    ]
    run = dsl.run(dsl.plan(steps), bench)
    assert run.values("hot") == [None]
    assert run.end("check").message == "no reading: `hot`"
