"""Projects made up for measuring: a sweep of judged readings, and a long sequence to load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

STATION = """\
station: bench
clock: virtual
sites: [A]
instruments:
  meter: {driver: meter, backend: sim}
"""
DEVICE = """\
device: meter
state: {voltage: 0.5, gain: 2.0}
latency: 1 ms
commands:
  "MEASure:VOLTage[:DC]?": {reply: "{{ voltage }}", format: "%.6e"}
  "MEASure:CURRent[:DC]?": {reply: "{{ gain * voltage + 1 }}", format: "%.6e"}
"""
DRIVER = """\
driver: meter
capability: generic
properties:
  voltage: {unit: V, get: "MEAS:VOLT?"}
"""
ERRORS = """\
errors: {query: "SYST:ERR?", ok: '^\\+?0,'}
"""
SEQUENCE = """\
sequence: points
needs: {{meter: generic}}
limits:
  reading: {{between: [-1 V, 1 V]}}
steps:
  - sweep:
      point: {{from: 1, to: {points}, points: {points}}}
    each:
      - measure: reading
        from: meter.voltage
"""
STEPS = """\
  - set: {{psu.voltage: 5 V, psu.current_limit: 600 mA}}
    settle: 20 ms
  - measure: vout_{number}
    title: Output voltage, round {number}
    from: dmm.voltage_dc
    samples: 5
    limit: {{nominal: 3.3 V, tolerance: 2 %, marginal: 10 %}}
  - compute: error_{number}
    value: (vout_{number} - 3.3) / 3.3
    unit: "%"
    limit: {{between: [-2 %, 2 %]}}
"""


def write_project(folder: Path, points: int, *, asks_for_errors: bool = False) -> Path:
    """A project whose sequence measures one judged value at each point; gives the sequence's path."""
    files = {
        "stations/bench.yaml": STATION,
        "stations/devices/meter.yaml": DEVICE,
        "stations/drivers/meter.yaml": DRIVER + (ERRORS if asks_for_errors else ""),
        "sequences/points.yaml": SEQUENCE.format(points=points),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "sequences" / "points.yaml"


def long_sequence(characters: int) -> str:
    """A valid sequence of about this many characters, of steps as people write them."""

    def parts() -> Iterator[str]:
        text = "sequence: long\nneeds: {psu: power_supply, dmm: multimeter}\nsteps:\n"
        length, rounds = 0, 0
        while length < characters:
            yield text
            length += len(text)
            rounds += 1
            text = STEPS.format(number=rounds)

    return "".join(parts())
