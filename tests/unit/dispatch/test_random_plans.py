"""Whatever a plan looks like and whatever goes wrong in it, the promises hold."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.errors import ReplyTimeout
from engine.dispatch.manager import AllAtOnceLocks
from engine.dispatch.policy import FirstComeFirstServed
from engine.plan.model import Claim, GroupAction, MonitorPlan, Steps
from schemas.documents import NodeFinished, NodeStarted, Outcome, SafeState, UnitFinished

CAPACITY = {"mux": 2}


class CheckedLocks(AllAtOnceLocks):
    """Fails as soon as more is given than there is."""

    def grant(self, now):
        granted = super().grant(now)
        for resource, taken in self._allocation.taken.items():
            assert 0 <= taken <= CAPACITY.get(resource, 1)
        return granted


class Plans:
    """A random plan for a seed."""

    def __init__(self, build, dsl, seed):
        self.build, self.dsl = build, dsl
        self.random = random.Random(seed)
        self.number = 0
        self.groups = {}
        """id of a group → id of its cleanup step"""

    def id(self, prefix):
        self.number += 1
        return f"{prefix}{self.number}"

    def claims(self):
        names = self.random.sample(["x", "y", "z", "mux"], self.random.choice([0, 0, 1, 1, 2]))
        return tuple(Claim(name) for name in sorted(names))

    def common(self, composite):
        draw = self.random
        more = {
            "on_fail": draw.choice(["continue", "continue", "stop"]),
            "on_error": draw.choice(["continue", "stop"]),
        }
        if draw.random() < 0.15:
            remedy = [self.leaf(False)] if draw.random() < 0.3 else []
            more["retry"] = self.build.retry(draw.choice([1, 2]), delay_s=draw.choice([0.0, 1.5]), remedy=remedy)
        if draw.random() < 0.15:
            more["timeout_s"] = draw.choice([0.5, 3.0, 10.0])
        if not composite and draw.random() < 0.1:
            more["when"] = self.dsl.formula("elapsed < 7")
        return more

    def leaf(self, common=True):
        draw, build, dsl = self.random, self.build, self.dsl
        more = self.common(False) if common else {}
        match draw.choice(["wait", "wait", "measure", "measure", "log", "set"]):
            case "wait":
                return build.wait(draw.choice([0.0, 0.5, 1.0, 2.5]), id=self.id("w"), claims=self.claims(), **more)
            case "measure":
                limit = dsl.between(0.0, 0.8)
                return build.measure(self.id("m"), limit=limit, claims=(*self.claims(), Claim("dmm")), **more)
            case "set":
                until = dsl.formula("dmm_ready", "dmm.ready")
                return build.set("psu.voltage", draw.choice([1.0, 2.0]), until=until, id=self.id("s"), **more)
            case _:
                return build.log(self.id("l"), **more)

    def steps(self, depth):
        return [self.node(depth) for _ in range(self.random.randint(1, 3))]

    def node(self, depth):
        draw, build = self.random, self.build
        if depth == 0 or draw.random() < 0.4:
            return self.leaf()
        more = self.common(True)
        match draw.choice(["group", "group", "graph", "sweep", "parallel", "repeat"]):
            case "group":
                return self.group(self.steps(depth - 1), more)
            case "graph":
                nodes = tuple(self.steps(depth - 1))
                waits = tuple(
                    tuple(sorted(draw.sample(range(place), draw.randint(0, place)))) for place in range(len(nodes))
                )
                group = self.group([], more)
                return replace(group, action=GroupAction(replace(group.action.block, steps=Steps(nodes, waits))))
            case "sweep":
                return build.sweep({"a": [1.0, 2.0]}, self.steps(depth - 1), id=self.id("sweep"), **more)
            case "repeat":
                return build.repeat(2, self.steps(depth - 1), id=self.id("repeat"), **more)
            case _:
                branches = [self.steps(depth - 1) for _ in range(draw.randint(2, 3))]
                return build.parallel(*branches, id=self.id("parallel"), **more)

    def group(self, steps, more):
        id, cleanup = self.id("g"), self.id("c")
        self.groups[id] = cleanup
        setup = [self.leaf(False)] if self.random.random() < 0.5 else []
        end = [self.build.wait(self.random.choice([0.0, 1.0]), id=cleanup)]
        if self.random.random() < 0.3:
            end.insert(0, self.leaf(False))
        return self.build.group(id, steps, setup, end, self.monitors(), **more)

    def monitors(self):
        if self.random.random() > 0.2:
            return ()
        on_fail = self.random.choice(["stop", "stop", "pause", "continue"])
        hold_s = self.random.choice([0.0, 1.0])
        limit = self.dsl.between(0.0, 0.9)
        return (MonitorPlan(self.id("t"), "t", self.dsl.target("tc.t"), None, 0.75, limit, on_fail, None, hold_s, 0),)


def outcome_of_seed(build, dsl, seed, abort_at=None, units=1, how="abort"):
    plans = Plans(build, dsl, seed)
    plan = dsl.plan(plans.steps(3), cleanup=[build.log("last")], resources=CAPACITY)
    readings = random.Random(seed + 1)

    def reading(unit, now):
        if readings.random() < 0.1:
            raise ReplyTimeout("no reply")
        if readings.random() < 0.02:
            raise RuntimeError("bug")
        return readings.random()

    bench = dsl.Bench(
        values={"dmm.volts": reading, "tc.t": reading, "dmm.ready": lambda unit, now: readings.random() < 0.5},
        latency={"dmm.volts": 0.25},
    )
    during = None
    if abort_at is not None:

        def during(clock, control):
            control.cleanup_budget_s = 1.5
            dsl.at(clock, abort_at, getattr(control, "halt" if how == "halt" else "abort"))
            if how == "hurry":
                dsl.at(clock, abort_at + 0.25, control.abort)

    locks = CheckedLocks(CAPACITY, FirstComeFirstServed(), aged_after_s=5.0)
    run = dsl.run(plan, bench, units=units, during=during, locks=locks)
    return plans, run


@pytest.mark.parametrize("how", ["to its end", "abort", "hurry", "halt"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), abort_at=st.floats(0.0, 12.0), units=st.integers(1, 3))
def test_every_promise_is_kept(dsl, build_new, how, seed, abort_at, units):
    at = None if how == "to its end" else abort_at
    plans, run = outcome_of_seed(build_new(), dsl, seed, at, units, how)

    finished = Counter((d.unit, d.node, d.attempt) for d in run.documents if isinstance(d, NodeFinished))
    started = Counter((d.unit, d.node, d.attempt) for d in run.documents if isinstance(d, NodeStarted))
    assert set(finished.values()) <= {1}, "no attempt ends twice"
    assert set(started.values()) <= {1}, "no attempt starts twice"
    assert set(started) <= set(finished), "whatever starts also ends"

    if how in ("to its end", "abort"):
        ended = {(d.unit, d.node, d.attempt): d.outcome for d in run.finished()}
        for unit, node, attempt in started:
            name, bracket, rest = node.partition("[")
            if name in plans.groups:
                cleanup = plans.groups[name] + bracket + rest
                assert ended[unit, cleanup, attempt] is Outcome.DONE, "cleanup runs once its group has begun"
        assert len([d for d in run.finished("last") if d.outcome is Outcome.DONE]) == units

    intent: dict[tuple[int, str, int], int] = {}
    for place, document in enumerate(run.documents):
        if isinstance(document, NodeStarted):
            intent[document.unit, document.node, document.attempt] = place
        elif isinstance(document, NodeFinished) and (key := (document.unit, document.node, document.attempt)) in intent:
            assert intent[key] < place

    assert len(run.of(UnitFinished)) == units
    assert {d.instrument for d in run.of(SafeState)} == {"psu", "chamber"}
    if how == "halt":
        assert run.clock.now <= max(abort_at, run.finished()[-1].t)
    assert not any("internal" in d.message and "bug" not in d.message for d in run.finished())

    _, again = outcome_of_seed(build_new(), dsl, seed, at, units, how)
    assert again.documents == run.documents, "the same seed gives the same documents"


@pytest.fixture
def build_new(build):
    return type(build)
