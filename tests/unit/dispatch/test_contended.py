"""Random programs whose units contend for everything: whatever they are, the promises hold."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dispatch.policy import FirstComeFirstServed
from schemas.documents import NodeFinished, Outcome


def load():
    """The generator lies with the benchmarks, where the long runs are."""
    path = Path(__file__).parents[2] / "bench" / "workloads" / "contended.py"
    spec = importlib.util.spec_from_file_location("contended_programs", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


contended = load()


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_units_that_contend_for_everything_all_come_to_their_end(seed):
    run = contended.run_program(seed)
    assert list(run.broken_promises()) == []


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_schedule(seed):
    assert contended.run_program(seed).documents == contended.run_program(seed).documents


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32), at=st.floats(0.0, 60.0), how=st.sampled_from(["abort", "halt"]))
def test_an_abort_at_any_moment_gives_everything_back(seed, at, how):
    def during(clock, control):
        def wait():
            yield clock.timeout(at)
            getattr(control, how)()

        clock.process(wait())

    run = contended.run_program(seed, during=during)
    broken = [promise for promise in run.broken_promises() if how == "abort" or "cleanup" not in promise]
    assert broken == []


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_bench_never_stands_still_while_somebody_waits(seed):
    """So nobody waits longer than all the others work: no starvation."""
    run = contended.run_program(seed, fierce=False, policy=FirstComeFirstServed())
    worked = sum(
        d.t - d.started for d in run.documents if isinstance(d, NodeFinished) and d.kind in ("wait", "set", "measure")
    )
    assert run.clock.now <= worked + 1e-6
    assert all(d.waited <= worked for d in run.documents if isinstance(d, NodeFinished))


@pytest.mark.parametrize("seed", range(20))
def test_whatever_fails_the_others_carry_on(seed):
    run = contended.run_program(seed, failing=0.6)
    assert list(run.broken_promises()) == []
    assert run.result is not None
    assert run.result.outcome in set(Outcome)


@pytest.mark.slow
def test_a_thousand_programs_have_no_deadlock():
    broken = [(seed, promise) for seed in range(1_000) for promise in contended.run_program(seed).broken_promises()]
    assert broken == []
