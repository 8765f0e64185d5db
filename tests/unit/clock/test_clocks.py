"""Both clocks: what happens when, who is told, and what gets through from outside."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Generator
from queue import SimpleQueue
from typing import Any

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import VirtualClock, WallClock
from engine.core.clock import Clock, ClockStalled
from engine.core.errors import CommunicationFailed, StepTimeout

PATIENCE_S = 20.0
"""Real seconds after which a test gives up waiting for a thread."""


class Awkward(Exception):
    """Cannot be made again from its `args`."""

    def __init__(self, instrument: str, code: int) -> None:
        super().__init__(f"{instrument} said {code}")
        self.instrument = instrument
        self.code = code


class ScriptedTime:
    """Real time that passes only where the clock waits; what arrives from outside does so at moments told before."""

    def __init__(self) -> None:
        self.moment = 1000.0
        self.waits: list[float | None] = []
        self.arrivals: list[tuple[float, Callable[[], object]]] = []
        self.threads_are_busy: Callable[[], bool] = lambda: False

    def monotonic(self) -> float:
        return self.moment

    def wait(self, inbox: SimpleQueue[Callable[[], object]], timeout_s: float | None) -> Callable[[], object] | None:
        self.waits.append(timeout_s)
        if self.threads_are_busy():
            return inbox.get(timeout=PATIENCE_S)
        until = math.inf if timeout_s is None else self.moment + timeout_s
        if self.arrivals and self.arrivals[0][0] <= until:
            self.moment, callback = self.arrivals.pop(0)
            return callback
        assert until < math.inf, "the clock would wait forever"
        self.moment = until
        return None


def scripted(speed: float = 1.0) -> tuple[WallClock, ScriptedTime]:
    """A wall clock that lets no time pass while one of its calls is under way."""
    source = ScriptedTime()
    clock = WallClock(speed, source=source)
    source.threads_are_busy = lambda: bool(clock._in_flight)
    return clock, source


@pytest.fixture(params=["virtual", "wall"])
def clock(request: pytest.FixtureRequest) -> Generator[Any, None, None]:
    clock = VirtualClock() if request.param == "virtual" else scripted()[0]
    yield clock
    clock.close()


# ---------------------------------------------------------------- time and order


def test_both_clocks_keep_the_promise_of_the_seam() -> None:
    clocks: list[Clock] = [VirtualClock(), WallClock()]
    assert [clock.wall for clock in clocks] == [False, True]
    assert [clock.now for clock in clocks] == [0.0, 0.0]


def test_time_passes_as_far_as_it_is_waited_for(clock: Clock) -> None:
    def program() -> Generator[Any, Any, str]:
        yield clock.timeout(1.5)
        assert clock.now == 1.5
        brought = yield clock.timeout(2.5, "tea")
        return f"{brought} at {clock.now}"

    assert clock.run(clock.process(program())) == "tea at 4.0"


@pytest.mark.parametrize("delay", [-1.0, math.nan, math.inf])
def test_a_wait_that_cannot_be_made_is_refused(clock: Clock, delay: float) -> None:
    with pytest.raises(ValueError, match="cannot be made"):
        clock.timeout(delay)


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan, math.inf])
def test_a_speed_that_cannot_be_kept_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="cannot be kept"):
        WallClock(speed)


@pytest.mark.parametrize(("speed", "real_s"), [(1.0, 10.0), (4.0, 2.5), (0.5, 20.0), (1e6, 1e-5)])
def test_the_wall_clock_waits_as_long_as_its_speed_says(speed: float, real_s: float) -> None:
    clock, source = scripted(speed)
    clock.run(clock.timeout(10.0))
    assert source.moment - 1000.0 == pytest.approx(real_s, rel=1e-6)
    assert clock.now == 10.0


def test_the_wall_clock_does_not_wait_in_small_steps() -> None:
    clock, source = scripted()
    clock.run(clock.timeout(28_800.0))
    assert source.waits == [28_800.0]


def test_time_between_two_runs_of_a_clock_does_not_count() -> None:
    clock, source = scripted()
    clock.run(clock.timeout(1.0))
    source.moment += 500.0
    later = clock.timeout(2.0)
    clock.run(later)
    assert clock.now == 3.0
    assert source.moment == 1503.0


programs = st.lists(
    st.lists(st.tuples(st.integers(0, 6).map(lambda n: n / 4), st.booleans(), st.booleans()), max_size=6), max_size=6
)


def trace(clock: Clock, program: list[list[tuple[float, bool, bool]]]) -> list[tuple[Any, ...]]:
    """Everything that happens in a program of waits, calls of the instant and calls on instruments, in order."""
    seen: list[tuple[Any, ...]] = []

    def unit(number: int, steps: list[tuple[float, bool, bool]]) -> Generator[Any, Any, None]:
        for position, (delay_s, settles, reads) in enumerate(steps):
            yield clock.timeout(delay_s)
            seen.append((clock.now, number, position))
            if reads:
                seen.append((clock.now, number, (yield from clock.call(f"dmm{number}", lambda: 3.3))))
            if settles:
                clock.after_instant(dispatch)

    def dispatch() -> None:
        seen.append((clock.now, "dispatch"))

    units = [clock.process(unit(number, steps)) for number, steps in enumerate(program)]
    clock.run(clock.env.all_of(units))
    return seen


@given(programs)
def test_without_calls_both_clocks_let_the_same_happen_in_the_same_order(
    program: list[list[tuple[float, bool, bool]]],
) -> None:
    quiet = [[(delay, settles, False) for delay, settles, _ in steps] for steps in program]
    assert trace(VirtualClock(), quiet) == trace(scripted()[0], quiet)


@settings(max_examples=25, deadline=None)
@given(programs)
def test_a_single_unit_with_calls_sees_the_same_on_both_clocks(program: list[list[tuple[float, bool, bool]]]) -> None:
    # Without the hook: while a call is under way a real instant ends, and it may rightly run then.
    unit = [[(delay, False, reads) for delay, _, reads in steps] for steps in program[:1]]
    wall, _ = scripted()
    assert trace(VirtualClock(), unit) == trace(wall, unit)
    wall.close()


# ---------------------------------------------------------------- the hook after an instant


def test_the_hook_runs_once_after_everything_of_the_instant(clock: Clock) -> None:
    seen: list[str] = []

    def dispatch() -> None:
        seen.append("dispatch")

    def unit(name: str) -> Generator[Any, Any, None]:
        yield clock.timeout(1.0)
        clock.after_instant(dispatch)
        yield clock.timeout(0.0)
        seen.append(name)
        clock.after_instant(dispatch)

    clock.process(unit("A"))
    clock.process(unit("B"))
    clock.run(clock.timeout(2.0))
    assert seen == ["A", "B", "dispatch"]


def test_what_the_hook_starts_happens_at_the_same_instant_and_may_ask_for_it_again(clock: Clock) -> None:
    seen: list[tuple[float, int]] = []

    def dispatch() -> None:
        seen.append((clock.now, len(seen)))
        if len(seen) < 3:
            clock.process(node())

    def node() -> Generator[Any, Any, None]:
        clock.after_instant(dispatch)
        yield clock.timeout(0.0)

    clock.process(node())
    clock.run(clock.timeout(1.0))
    assert seen == [(0.0, 0), (0.0, 1), (0.0, 2)]


# ---------------------------------------------------------------- failures


def test_an_exception_arrives_as_itself_wherever_it_is_raised(clock: Clock) -> None:
    error = Awkward("psu", -222)

    def fails() -> Generator[Any, Any, None]:
        yield clock.timeout(1.0)
        raise error

    def waits() -> Generator[Any, Any, Awkward | None]:
        try:
            yield clock.process(fails())
        except Awkward as caught:
            return caught
        return None

    def calls() -> Generator[Any, Any, Awkward | None]:
        def read() -> None:
            raise error

        try:
            yield from clock.call("psu", read)
        except Awkward as caught:
            return caught
        return None

    assert clock.run(clock.process(waits())) is error
    assert clock.run(clock.process(calls())) is error
    with pytest.raises(Awkward) as raised:
        clock.run(clock.process(fails()))
    assert raised.value is error


def test_a_failure_nobody_waits_for_ends_the_run_as_itself(clock: Clock) -> None:
    def fails() -> Generator[Any, Any, None]:
        yield clock.timeout(1.0)
        raise Awkward("psu", 1)

    clock.process(fails())
    with pytest.raises(Awkward, match="psu said 1"):
        clock.run(clock.timeout(5.0))


def test_waiting_for_what_can_never_happen_is_an_error_and_no_hang(clock: Clock) -> None:
    with pytest.raises(ClockStalled, match="nothing is left to happen"):
        clock.run(clock.event())


def test_a_process_can_be_interrupted_and_go_on(clock: Any) -> None:
    def unit() -> Generator[Any, Any, tuple[str, float]]:
        why: Any = None
        try:
            yield clock.timeout(100.0)
        except simpy.Interrupt as interrupt:
            why = interrupt.cause
        yield clock.timeout(1.0)
        return why, clock.now

    process = clock.process(unit())
    clock.timeout(3.0).callbacks.append(lambda _: process.interrupt("stop"))
    assert clock.run(process) == ("stop", 4.0)


def test_running_until_something_that_has_happened_returns_at_once(clock: Clock) -> None:
    done = clock.timeout(1.0, "done")
    assert clock.run(done) == "done"
    assert clock.run(done) == "done"
    assert clock.now == 1.0


# ---------------------------------------------------------------- from outside


def test_a_post_during_a_run_is_seen_before_the_next_event(clock: Clock) -> None:
    stop = clock.event()

    def unit() -> Generator[Any, Any, None]:
        for _ in range(1000):
            yield clock.timeout(1.0)
            if clock.now == 3.0:
                clock.post(lambda: stop.succeed("stopped"))

    clock.process(unit())
    assert clock.run(stop) == "stopped"
    assert clock.now == 3.0


def test_a_post_wakes_a_waiting_wall_clock_at_once_at_the_moment_it_came() -> None:
    clock, source = scripted(speed=2.0)
    stop = clock.event()
    source.arrivals = [(1005.0, lambda: stop.succeed(clock.now))]
    clock.timeout(1000.0)
    assert clock.run(stop) == 10.0
    assert source.moment == 1005.0
    assert len(source.waits) == 1


def test_a_post_is_not_held_up_by_a_wall_clock_that_cannot_keep_its_speed() -> None:
    clock, source = scripted(speed=1.0)
    stop = clock.event()
    done: list[float] = []

    def unit() -> Generator[Any, Any, None]:
        for _ in range(100):
            yield clock.timeout(1.0)
            source.moment += 60.0  # every step takes a minute
            done.append(clock.now)
            if len(done) == 3:
                clock.post(lambda: stop.succeed())

    clock.process(unit())
    clock.run(stop)
    assert done == [1.0, 2.0, 3.0]


def test_an_idle_clock_waits_for_an_answer_from_outside(clock: Any) -> None:
    answer = clock.outside()
    if clock.wall:
        clock._source.arrivals = [(1007.0, lambda: answer.succeed("yes"))]
    else:
        clock.post(lambda: answer.succeed("yes"))
    assert clock.run(answer) == "yes"
    assert clock.now == (7.0 if clock.wall else 0.0)
    with pytest.raises(ClockStalled):
        clock.run(clock.event())


def test_a_post_from_another_thread_wakes_a_clock_that_really_waits() -> None:
    clock = WallClock()
    stop = clock.outside()
    clock.timeout(3600.0)
    threading.Timer(0.01, lambda: clock.post(lambda: stop.succeed("stopped"))).start()
    assert clock.run(stop) == "stopped"
    assert clock.now < PATIENCE_S


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="only a main thread may handle signals"
)
def test_a_signal_handler_may_post_to_a_clock_that_really_waits() -> None:
    clock = WallClock()
    stop = clock.outside()
    before = signal.signal(signal.SIGUSR1, lambda *_: clock.post(lambda: stop.succeed("stopped")))
    try:
        main = threading.main_thread().ident
        assert main is not None
        threading.Timer(0.01, lambda: signal.pthread_kill(main, signal.SIGUSR1)).start()
        assert clock.run(stop) == "stopped"
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_an_exception_of_a_posted_callback_ends_the_run_as_itself(clock: Clock) -> None:
    def abort() -> None:
        raise KeyboardInterrupt

    clock.post(abort)
    with pytest.raises(KeyboardInterrupt):
        clock.run(clock.timeout(5.0))
    assert clock.now == 0.0


def test_a_virtual_run_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise AssertionError("a thread was started")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    clock = VirtualClock()

    def unit() -> Generator[Any, Any, float]:
        yield clock.timeout(1.0)
        here = yield from clock.call("dmm", threading.get_ident)
        assert here == threading.get_ident()
        return (yield from clock.call_bounded("dmm", lambda: 3.3, 1.0, lambda: None))

    assert clock.run(clock.process(unit())) == 3.3
    clock.close()


def test_a_call_on_the_virtual_clock_yields_nothing() -> None:
    clock = VirtualClock()
    assert list(clock.call("dmm", lambda: 3.3)) == []
    assert clock.peek() == math.inf


# ---------------------------------------------------------------- calls on the wall clock


def test_calls_to_one_instrument_run_in_order_on_one_thread_and_others_beside_them() -> None:
    clock = WallClock(speed=1e6)
    meeting = threading.Barrier(2, timeout=PATIENCE_S)
    order: list[str] = []
    threads: dict[str, set[int]] = {"dmm": set(), "psu": set()}

    def read(key: str, name: str) -> Callable[[], str]:
        def call() -> str:
            threads[key].add(threading.get_ident())
            if name in ("dmm 1", "psu 1"):
                meeting.wait()  # both are under way at once, or this breaks
            if key == "dmm":
                order.append(name)
            return name

        return call

    def unit(key: str, name: str) -> Generator[Any, Any, str]:
        return (yield from clock.call(key, read(key, name)))

    units = [clock.process(unit(key, f"{key} {n}")) for key in ("dmm", "psu") for n in (1, 2, 3)]
    clock.run(clock.all_of(units))
    assert [process.value for process in units] == ["dmm 1", "dmm 2", "dmm 3", "psu 1", "psu 2", "psu 3"]
    assert order == ["dmm 1", "dmm 2", "dmm 3"]
    assert [len(idents) for idents in threads.values()] == [1, 1]
    assert threading.get_ident() not in threads["dmm"] | threads["psu"]
    clock.close()


def test_a_wait_after_a_call_counts_from_the_moment_the_call_ended() -> None:
    clock, source = scripted()

    def read() -> float:
        source.moment += 0.25
        return 3.3

    def unit() -> Generator[Any, Any, list[float]]:
        yield clock.timeout(1.0)
        yield from clock.call("dmm", read)
        ended = clock.now
        yield clock.timeout(1.0)
        return [ended, clock.now, source.moment - 1000.0]

    assert clock.run(clock.process(unit())) == [1.25, 2.25, 2.25]
    clock.close()


def test_a_result_and_a_timed_event_happen_in_the_order_of_their_moments_even_when_the_loop_is_late() -> None:
    clock, source = scripted()
    seen: list[tuple[str, float]] = []

    def read() -> float:
        source.moment += 5.0
        return 3.3

    def blocks_the_loop(_event: simpy.Event) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while clock._inbox.empty():
            assert time.monotonic() < deadline

    def unit() -> Generator[Any, Any, None]:
        yield from clock.call("dmm", read)
        seen.append(("read", clock.now))

    def monitor() -> Generator[Any, Any, None]:
        for _ in range(4):
            yield clock.timeout(2.0)
            seen.append(("tick", clock.now))

    process = clock.process(unit())
    clock.timeout(0.0).callbacks.append(blocks_the_loop)
    clock.run(process & clock.process(monitor()))
    assert seen == [("tick", 2.0), ("tick", 4.0), ("read", 5.0), ("tick", 6.0), ("tick", 8.0)]
    clock.close()


def test_a_failing_call_whose_caller_was_interrupted_does_not_stop_the_loop() -> None:
    clock = WallClock(speed=1e3)
    begun, go_on = threading.Event(), threading.Event()

    def read() -> None:
        begun.set()
        go_on.wait(PATIENCE_S)
        raise Awkward("dmm", 1)

    def unit() -> Generator[Any, Any, str]:
        try:
            yield from clock.call("dmm", read)
        except simpy.Interrupt:
            go_on.set()
        return (yield from clock.call("dmm", lambda: "still answering"))

    process = clock.process(unit())

    def interrupt(_event: simpy.Event) -> None:
        assert begun.wait(PATIENCE_S)
        process.interrupt()

    clock.timeout(1.0).callbacks.append(interrupt)
    assert clock.run(process) == "still answering"
    clock.close()


def test_a_call_that_had_not_begun_when_its_caller_was_interrupted_never_begins() -> None:
    clock = WallClock(speed=1e3)
    go_on = threading.Event()
    sent: list[str] = []

    def slow() -> Generator[Any, Any, None]:
        yield from clock.call("psu", lambda: go_on.wait(PATIENCE_S))

    def switches_on() -> Generator[Any, Any, None]:
        try:
            yield from clock.call("psu", lambda: sent.append("output on"))
        except simpy.Interrupt:
            go_on.set()
            yield from clock.call("psu", lambda: sent.append("output off"))

    first, second = clock.process(slow()), clock.process(switches_on())
    clock.timeout(1.0).callbacks.append(lambda _: second.interrupt())
    clock.run(first & second)
    assert sent == ["output off"]
    clock.close()


# ---------------------------------------------------------------- bounded calls


def bounded(clock: WallClock, function: Callable[[], Any], on_timeout: Callable[[], None]) -> simpy.Process:
    def unit() -> Generator[Any, Any, Any]:
        return (yield from clock.call_bounded("dmm", function, 0.02, on_timeout))

    return clock.process(unit())


def test_a_call_within_its_bound_returns_as_usual() -> None:
    clock, _ = scripted()

    def unit() -> Generator[Any, Any, float]:
        return (yield from clock.call_bounded("dmm", lambda: 3.3, 1.0, lambda: pytest.fail("it was in time")))

    assert clock.run(clock.process(unit())) == 3.3
    clock.close()


def test_a_call_that_raises_within_its_bound_raises_as_usual() -> None:
    clock, _ = scripted()
    error = Awkward("dmm", 5)

    def read() -> None:
        raise error

    with pytest.raises(Awkward) as raised:
        clock.run(bounded(clock, read, lambda: None))
    assert raised.value is error
    clock.close()


def test_a_call_that_returns_when_aborted_keeps_its_worker() -> None:
    clock = WallClock(abort_grace_s=PATIENCE_S)
    aborted = threading.Event()
    with pytest.raises(StepTimeout, match=r"`dmm` did not finish within 0\.02 s"):
        clock.run(bounded(clock, lambda: aborted.wait(PATIENCE_S), aborted.set))
    assert clock.given_up == []
    assert clock.now < PATIENCE_S, "it went on as soon as the call returned"
    clock.close()


def test_a_stuck_worker_is_given_up_and_the_run_goes_on_with_a_new_one() -> None:
    clock = WallClock(abort_grace_s=0.02)
    never = threading.Event()
    aborts: list[str] = []
    with pytest.raises(StepTimeout, match="never returned and was given up"):
        clock.run(bounded(clock, lambda: never.wait(PATIENCE_S), lambda: aborts.append("abort")))
    assert aborts == ["abort"]
    assert clock.given_up == ["dmm"]

    def unit() -> Generator[Any, Any, str]:
        return (yield from clock.call("dmm", lambda: "fresh"))

    assert clock.run(clock.process(unit())) == "fresh"
    never.set()
    clock.close()


def test_calls_that_waited_behind_a_stuck_one_run_on_the_new_worker() -> None:
    clock = WallClock(abort_grace_s=0.02)
    never = threading.Event()

    def behind() -> Generator[Any, Any, str]:
        return (yield from clock.call("dmm", lambda: "my turn at last"))

    stuck = bounded(clock, lambda: never.wait(PATIENCE_S), lambda: None)
    waiting = clock.process(behind())
    with pytest.raises(StepTimeout):
        clock.run(stuck)
    assert clock.run(waiting) == "my turn at last"
    never.set()
    clock.close()


def test_an_unbounded_caller_of_a_worker_that_is_given_up_is_told() -> None:
    clock = WallClock(abort_grace_s=0.02)
    never = threading.Event()

    def unbounded() -> Generator[Any, Any, bool]:
        return (yield from clock.call("dmm", lambda: never.wait(PATIENCE_S)))

    first = clock.process(unbounded())
    second = bounded(clock, lambda: "never begun", lambda: None)
    first.defused = True
    second.defused = True
    with pytest.raises(CommunicationFailed, match="given up"):
        clock.run(first)
    with pytest.raises(StepTimeout, match="still busy with an earlier call"):
        clock.run(second)
    never.set()
    clock.close()


def test_an_abort_that_fails_is_part_of_the_message() -> None:
    clock = WallClock(abort_grace_s=0.01)
    never = threading.Event()

    def abort() -> None:
        raise OSError("no such device")

    with pytest.raises(StepTimeout, match="aborting it failed: no such device"):
        clock.run(bounded(clock, lambda: never.wait(PATIENCE_S), abort))
    never.set()
    clock.close()


def test_the_bound_of_a_call_is_real_time_at_any_speed() -> None:
    clock, source = scripted(speed=1000.0)

    def read() -> str:
        source.moment += 0.01  # ten seconds of the run, a hundredth of a real one
        return "in time"

    assert clock.run(bounded(clock, read, lambda: pytest.fail("it was in time"))) == "in time"
    assert clock.now == pytest.approx(10.0)
    clock.close()


def test_the_bound_of_a_call_does_not_begin_before_the_call_when_the_loop_is_late() -> None:
    clock, source = scripted()

    def unit() -> Generator[Any, Any, str]:
        yield clock.timeout(1.0)
        source.moment += 60.0
        return (yield from clock.call_bounded("dmm", lambda: "in time", 0.02, lambda: pytest.fail("it was in time")))

    assert clock.run(clock.process(unit())) == "in time"
    clock.close()


def test_closing_ends_idle_workers_and_leaves_stuck_ones_behind() -> None:
    clock = WallClock(close_grace_s=0.01)
    never, begun = threading.Event(), threading.Event()

    def blocks() -> None:
        begun.set()
        never.wait(PATIENCE_S)

    def stuck() -> Generator[Any, Any, None]:
        yield from clock.call("psu", blocks)

    def idle() -> Generator[Any, Any, int]:
        return (yield from clock.call("dmm", threading.get_ident))

    clock.process(stuck())
    ident = clock.run(clock.process(idle()))
    assert begun.wait(PATIENCE_S)
    clock.close()
    clock.close()
    never.set()
    for thread in threading.enumerate():
        if thread.ident == ident:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="after the clock was closed"):
        clock.run(clock.process(idle()))
