"""The same dispatcher on real time: calls on threads, hanging instruments, aborts from outside."""

from __future__ import annotations

import threading

import pytest

from engine.clock import WallClock
from engine.core.control import Control
from schemas.documents import Outcome, SafeState


@pytest.fixture
def clock():
    wall = WallClock(speed=200.0, abort_grace_s=0.05, close_grace_s=0.2)
    yield wall
    wall.close()


def test_a_run_on_real_time_gives_the_same_documents(build, dsl, clock):
    def steps():
        return [
            build.sweep({"x": [1.0, 2.0]}, [build.measure("v", limit=dsl.between(0, 1)), build.wait(5.0, id="w")]),
            build.parallel([build.wait(10.0, id="a")], [build.wait(30.0, id="b")]),
        ]

    real = dsl.run(dsl.plan(steps()), dsl.Bench(latency={"dmm.volts": 2.0}), clock=clock)
    simulated = dsl.run(dsl.plan(steps()), dsl.Bench(latency={"dmm.volts": 2.0}))
    assert [(d.node, d.outcome) for d in real.finished()] == [(d.node, d.outcome) for d in simulated.finished()]
    assert real.outcome is Outcome.PASS
    assert 2 <= real.end("v[x=1]").t - real.end("v[x=1]").started < 60


class Hanging:
    """Blocks in a call until it is aborted."""

    def __init__(self, bench):
        self.bench = bench
        self.released = threading.Event()
        self.entered = threading.Event()
        self.threads = []
        bench.abort = self.abort

    def __call__(self, *args, **more):
        self.threads.append(threading.current_thread())
        self.entered.set()
        assert self.released.wait(10), "nobody cut the call off"
        raise ConnectionError("cut off")

    def abort(self, unit, instrument):
        self.released.set()


def test_a_read_that_hangs_ends_at_its_timeout_and_the_run_goes_on_to_its_safe_state(build, dsl, clock):
    bench = dsl.Bench()
    bench.values = {"dmm.volts": Hanging(bench)}
    steps = [build.measure("v", timeout_s=0.05), build.log("next")]
    run = dsl.run(dsl.plan(steps, cleanup=[build.log("c")]), bench, clock=clock)
    assert run.end("v").outcome is Outcome.ERROR
    assert run.outcomes() == {"v": Outcome.ERROR, "next": Outcome.NOT_RUN, "c": Outcome.DONE}
    assert len(run.of(SafeState)) == 2


def test_an_instrument_that_never_becomes_safe_does_not_hang_the_end(build, dsl, clock, monkeypatch):
    monkeypatch.setattr("engine.dispatch.safety.SHORTEST_BOUND_S", 0.05)
    bench = dsl.Bench()
    hanging = Hanging(bench)
    make_safe = bench.make_safe
    bench.make_safe = lambda unit, name: hanging() if name == "psu" else make_safe(unit, name)
    instruments = [
        dsl.spec("psu", ("output", False), timeout_s=0.01),
        dsl.spec("chamber", ("setpoint", 25.0), timeout_s=0.01),
    ]
    run = dsl.run(dsl.plan([build.log("a")], instruments=instruments), bench, clock=clock)
    assert [(d.instrument, d.verified) for d in run.of(SafeState)] == [("psu", False), ("chamber", True)]
    assert run.outcome is Outcome.ERROR


def test_an_abort_from_another_thread_wakes_a_run_that_sleeps(build, dsl, clock):
    control = Control()
    timer = threading.Timer(0.02, control.abort)
    timer.start()
    run = dsl.run(dsl.plan([build.wait(1e7, id="w")], cleanup=[build.log("c")]), clock=clock, control=control)
    assert run.outcomes() == {"w": Outcome.ABORTED, "c": Outcome.DONE}
    timer.join()


def test_an_abort_reaches_a_run_that_waits_for_an_instrument(build, dsl, clock):
    bench = dsl.Bench()
    hanging = Hanging(bench)
    bench.values = {"dmm.volts": hanging}
    control = Control()

    def abort():
        hanging.entered.wait(10)
        control.abort()

    thread = threading.Thread(target=abort)
    thread.start()
    run = dsl.run(dsl.plan([build.measure("v")], cleanup=[build.log("c")]), bench, clock=clock, control=control)
    thread.join()
    hanging.released.set()
    assert run.outcomes() == {"v": Outcome.ABORTED, "c": Outcome.DONE}


def test_code_of_the_project_that_hangs_is_given_up(build, dsl, clock):
    from engine.plan.model import PythonAction

    forever = threading.Event()
    step = build.node("p", PythonAction("plug", "f", "/", {}, None, None, None), timeout_s=0.05)
    run = dsl.run(dsl.plan([step]), clock=clock, python=lambda action, arguments: forever.wait(5))
    forever.set()
    assert run.end("p").outcome is Outcome.ERROR
    assert "did not finish within 0.05 s" in run.end("p").message
