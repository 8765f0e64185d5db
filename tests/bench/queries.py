"""A query to a simulated instrument in process, beside a dictionary that answers at once, and beside pyvisa-sim."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from engine.sim.bench import SimulatedBench
from schemas.loading import load_text
from tests.bench.measure import Line, Note, Row, side_by_side
from tests.bench.peers import NotInstallable, python_with
from tests.bench.projects import DEVICE

TITLE = "A query to a simulated instrument, in process"
CALLS = 20_000
PEER = Path(__file__).parent / "workloads" / "pyvisa_sim_query.py"


def figures() -> Iterator[Line]:
    bench = SimulatedBench(None, ["A"])
    described = load_text(DEVICE, "meter.yaml", "device").model
    meter = bench.session("meter", described)
    dmm = bench.session("dmm", load_text("device: dmm\nmodel: multimeter\n", "dmm.yaml", "device").model)
    for session in (meter, dmm):
        session.open()
    bench.world.site("A").supply(0.0, 5.0, 1.0)
    replies = {"MEAS:VOLT?": "5.000000e-01"}
    took = side_by_side(
        {
            "state": lambda: meter.query("MEAS:VOLT?"),
            "expression": lambda: meter.query("MEAS:CURR?"),
            "long": lambda: meter.query("MEASure:VOLTage:DC?"),
            "errors": lambda: meter.query("SYST:ERR?"),
            "dmm": lambda: dmm.query("MEAS:VOLT:DC?"),
            "floor": lambda: replies["MEAS:VOLT?"],
        },
        CALLS,
    )
    us = {name: seconds * 1e6 for name, seconds in took.items()}
    floor = "dictionary look-up"
    yield Row("state reply", us["state"], "µs", floor, us["floor"], "≤ 3")
    yield Row("state reply, long form", us["long"], "µs", floor, us["floor"], "≤ 3")
    yield Row("expression reply", us["expression"], "µs", floor, us["floor"], "≤ 6")
    yield Row("error queue", us["errors"], "µs", floor, us["floor"], "≤ 3")
    yield Row("multimeter on the physics, with noise", us["dmm"], "µs", floor, us["floor"])
    try:
        python = python_with("pyvisa-sim")
        told = subprocess.run([str(python), str(PEER), str(CALLS)], check=True, capture_output=True, text=True).stdout
    except (NotInstallable, subprocess.SubprocessError) as reason:
        yield Note(str(reason))
        return
    peer = json.loads(told)
    yield Row("state reply", us["state"], "µs", f"pyvisa-sim {peer['version']}", peer["us"])
    yield Row("expression reply", us["expression"], "µs", f"pyvisa-sim {peer['version']}, state only", peer["us"])
