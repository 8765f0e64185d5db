"""A computed difference of temperatures is a difference, whatever degC may also mean."""

from __future__ import annotations

from pathlib import Path

from engine.core.recorder import MemoryRecorder
from engine.run.request import RunRequest
from engine.run.runner import prepare, run
from schemas.documents import Measured, Verdict
from schemas.library import Library
from schemas.loading import load, load_text

ROOT = Path(__file__).resolve().parents[3]
SEQUENCE = """
sequence: rise
needs: {chamber: thermal_chamber}
limits:
  rise: {between: [-1 degC, 1 degC]}
  vs_outer: {equals: 100}
steps:
  - measure: before
    from: chamber.temperature
    limit: none
  - wait: 1 s
  - measure: after_wait
    from: chamber.temperature
    limit: none
  - compute: rise
    value: after_wait - before
    unit: degC
  - sweep:
      outer: [1, 2]
    each:
      - sweep:
          inner: [10, 20, 30]
        each:
          - compute: y
            value: 100 * outer + 0 * inner
            limit: none
  - compute: vs_outer
    value: slope(y, outer)
"""


def test_differences_and_axes_of_outer_loops_line_up():
    station = load(ROOT / "stations/sim_bench.yaml", "station")
    recorder = MemoryRecorder()
    request = RunRequest(load_text(SEQUENCE, "rise.yaml", "sequence"), station)
    run(prepare(request, Library(ROOT), ROOT), recorder=recorder, run_id="test")
    judged = {found.name: found for found in recorder.documents if isinstance(found, Measured)}
    assert judged["rise"].verdict is Verdict.PASS
    assert judged["vs_outer"].value == 100.0
