"""The same judgement as a parametrised test of plain pytest, which keeps no record of it. Arguments: steps, folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from told import tell

TEST = """\
import pytest
import told

REPLIES = {{"MEAS:VOLT?": "5.000000e-01"}}


@pytest.mark.parametrize("point", range({steps}))
def test_reading(point):
    value = float(REPLIES["MEAS:VOLT?"])
    assert -1.0 <= value <= 1.0
    told.first_step()
"""


def main(steps: int, folder: Path) -> None:
    file = folder / "test_points.py"
    file.write_text(TEST.format(steps=steps), encoding="utf-8")
    pytest.main([str(file), "-q", "-p", "no:cacheprovider", "--rootdir", str(folder)])
    tell()


main(int(sys.argv[1]), Path(sys.argv[2]))
