"""Code of the project that hangs: it is given up at its timeout or when the run is stopped, and the cleanup follows."""

from __future__ import annotations

import threading
import time

import pytest

from engine.clock import VirtualClock, WallClock
from engine.core.control import Control
from engine.plan.model import Binding, MonitorPlan, PythonAction
from schemas.documents import Outcome, SafeState


@pytest.fixture(params=["virtual", "real"])
def clock(request):
    clock = VirtualClock() if request.param == "virtual" else WallClock(abort_grace_s=0.05, close_grace_s=0.05)
    yield clock
    clock.close()


@pytest.fixture
def forever():
    """An event that never comes while the test lasts."""
    event = threading.Event()
    yield event
    event.set()


def python(build, id="p", **more):
    return build.node(id, PythonAction("plug", id, "/root", {}, more.pop("binding", None), None, None), **more)


def calling(**functions):
    return lambda action, arguments: functions[action.function]()


def test_a_function_that_never_returns_is_a_timeout_and_the_cleanup_follows(build, dsl, clock, forever):
    began = time.monotonic()
    steps = [python(build, timeout_s=0.1), build.log("next")]
    run = dsl.run(dsl.plan(steps, cleanup=[build.log("c")]), clock=clock, python=calling(p=forever.wait))
    assert time.monotonic() - began < 5
    assert run.outcomes() == {"p": Outcome.ERROR, "next": Outcome.NOT_RUN, "c": Outcome.DONE}
    assert "did not finish within 0.1 s: `plug:p` has not returned, and was given up" in run.end("p").message
    assert len(run.of(SafeState)) == 2


def test_it_does_not_run_in_the_main_thread(build, dsl, clock):
    threads = []
    dsl.run(
        dsl.plan([python(build)]), clock=clock, python=calling(p=lambda: threads.append(threading.current_thread()))
    )
    assert threads[0] is not threading.main_thread()
    assert threads[0].daemon


@pytest.mark.parametrize("asked", [2, 3])
def test_a_second_signal_gives_it_up_and_the_cleanup_follows_unless_the_run_is_halted(
    build, dsl, clock, forever, asked
):
    control = Control()

    def hang():
        for _ in range(asked):
            control.abort("Ctrl-C")
        forever.wait()

    run = dsl.run(
        dsl.plan([python(build, timeout_s=30.0)], cleanup=[build.log("c")]),
        clock=clock, control=control, python=calling(p=hang),
    )  # fmt: skip
    assert run.outcome is Outcome.ABORTED
    assert run.end("c").outcome is (Outcome.DONE if asked == 2 else Outcome.NOT_RUN)
    assert len(run.of(SafeState)) == 2


def test_a_first_signal_lets_it_finish(build, dsl, clock):
    control, done = Control(), []

    def work():
        control.abort("Ctrl-C")
        threading.Event().wait(0.2)
        done.append("saved")

    run = dsl.run(
        dsl.plan([python(build, timeout_s=30.0), build.log("next")], cleanup=[build.log("c")]),
        clock=clock, control=control, python=calling(p=work),
    )  # fmt: skip
    assert done == ["saved"]
    assert run.outcome is Outcome.ABORTED
    assert run.end("next").outcome is Outcome.NOT_RUN
    assert run.end("c").outcome is Outcome.DONE


def test_a_cleanup_that_hangs_is_given_up_at_a_second_signal_and_the_rest_of_it_runs(build, dsl, clock, forever):
    control = Control()

    def hang():
        control.abort("Ctrl-C")
        control.abort("Ctrl-C")
        forever.wait()

    run = dsl.run(
        dsl.plan([build.log("a")], cleanup=[python(build, timeout_s=30.0), build.log("c")]),
        clock=clock, control=control, python=calling(p=hang),
    )  # fmt: skip
    assert run.end("p").outcome is Outcome.ERROR
    assert "was given up" in run.end("p").message
    assert run.end("c").outcome is Outcome.DONE


def test_on_the_real_clock_a_monitor_need_not_wait_for_it(build, dsl, forever):
    clock = WallClock(abort_grace_s=0.05, close_grace_s=0.05)
    watch = MonitorPlan(
        "hot", "monitors/hot", dsl.target("tc.temperature"), None, 0.05, dsl.between(None, 45.0), "stop", None, 0.0, 0
    )
    group = build.group("g", [python(build, timeout_s=30.0)], cleanup=[build.log("c")], monitors=[watch])
    bench = dsl.Bench(values={"tc.temperature": 99.0})
    run = dsl.run(dsl.plan([group]), bench, clock=clock, python=calling(p=forever.wait))
    clock.close()
    assert run.end("c").outcome is Outcome.DONE
    assert run.end("g").outcome is Outcome.FAIL


def test_what_a_given_up_function_returns_later_counts_for_nothing(build, dsl, clock, forever):
    steps = [python(build, timeout_s=0.05, binding=Binding("r", "r"), on_error="continue"), build.wait(0.05)]

    def late():
        forever.wait(0.1)
        return 5.0

    run = dsl.run(dsl.plan(steps), clock=clock, python=calling(p=late))
    assert run.values("r") == []
    assert run.end("p").outcome is Outcome.ERROR
