"""The same judgement as phases of OpenHTF, written as JSON at the end. Arguments: steps, folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import openhtf
from openhtf.output.callbacks import json_factory
from told import first_step, tell

REPLIES = {"MEAS:VOLT?": "5.000000e-01"}


def phase(number: int) -> Any:
    name = f"reading_{number}"

    @openhtf.PhaseOptions(name=name)
    @openhtf.measures(openhtf.Measurement(name).in_range(-1.0, 1.0))
    def read(test: Any) -> None:
        test.measurements[name] = float(REPLIES["MEAS:VOLT?"])
        first_step()

    return read


def main(steps: int, folder: Path) -> None:
    test = openhtf.Test(*(phase(number) for number in range(steps)))
    test.add_output_callbacks(json_factory.OutputToJSON(str(folder / "record.json")))
    test.execute(test_start=lambda: "unit")
    tell()


main(int(sys.argv[1]), Path(sys.argv[2]))
