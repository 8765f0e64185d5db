"""The same query to pyvisa-sim; run by a Python that has it."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import pyvisa

DEVICES = """\
spec: "1.1"
devices:
  meter:
    eom: {TCPIP INSTR: {q: "\\n", r: "\\n"}}
    properties:
      voltage: {default: 0.5, getter: {q: "MEAS:VOLT?", r: "{:.6e}"}, specs: {type: float}}
resources:
  TCPIP0::localhost::inst0::INSTR: {device: meter}
"""


def main(calls: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "devices.yaml"
        file.write_text(DEVICES, encoding="utf-8")
        manager = pyvisa.ResourceManager(f"{file}@sim")
        meter = manager.open_resource("TCPIP0::localhost::inst0::INSTR", read_termination="\n", write_termination="\n")
        taken = []
        for _ in range(5):
            started = time.process_time()
            for _ in range(calls):
                meter.query("MEAS:VOLT?")
            taken.append((time.process_time() - started) / calls)
        print(json.dumps({"us": statistics.median(taken) * 1e6, "version": version("pyvisa-sim")}))


main(int(sys.argv[1]))
