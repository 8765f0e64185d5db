"""Builds the documents of runs that never happened, for the tests of the store, of present and of output."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator

from schemas.documents import (
    Attached,
    Discarded,
    Document,
    FileSnapshot,
    InstrumentIdentity,
    InstrumentOpened,
    Level,
    Logged,
    Measured,
    NodeFinished,
    NodeStarted,
    Outcome,
    RunFinished,
    RunStarted,
    SafeState,
    Tally,
    UnitFinished,
    UnitStarted,
    Verdict,
)

RUN_ID = "01jgh3k8q2-b7k3q9x2"

SEQUENCE_TEXT = "sequence: ldo_tempco\ntitle: Output voltage temperature coefficient\nsteps: []\n"


def run_started(run_id: str = RUN_ID, **changes: object) -> RunStarted:
    fields: dict[str, object] = {
        "run_id": run_id,
        "sequence": "ldo_tempco",
        "title": "Output voltage temperature coefficient",
        "version": "1.0.0",
        "station": "sim_bench",
        "clock": "virtual",
        "procedure_digest": "a" * 64,
        "plan_digest": "b" * 64,
        "parameters": {"vin": 5.0, "load": 0.1, "temperatures": [-40, 25, 85]},
        "limit_set": None,
        "seed": 7,
        "operator": "R. Haas",
        "description": "Lot 12, after burn-in",
        "meta": {"lot": "12", "project": "LDO-33"},
        "files": [
            FileSnapshot("sequence", "sequences/ldo_tempco.yaml", "1" * 64, SEQUENCE_TEXT),
            FileSnapshot("station", "stations/sim_bench.yaml", "2" * 64, "station: sim_bench\n"),
        ],
        "environment": {
            "host": "bench-3",
            "user": "haas",
            "git_commit": "448f9e3",
            "git_dirty": True,
            "python": "3.11.7",
        },
        "argv": ["benchwright", "run", "sequences/ldo_tempco.yaml"],
        "planned_s": 4321.5,
        "units": {"vin": "V", "load": "A", "temperatures": "degC", "temperature": "degC"},
    }
    return RunStarted(**{**fields, **changes})  # type: ignore[arg-type]


class Story:
    """Collects documents and keeps time, order and tally, so that a test only says what is special."""

    def __init__(self, started: RunStarted | None = None, serial: str = "LDO0042") -> None:
        self.documents: list[Document] = [started or run_started()]
        self.t = 0.0
        self.order = 0
        self.tally = Tally()
        for name, address in (("chamber", "sim://chamber"), ("psu", "sim://psu"), ("dmm", "sim://dmm")):
            identity = InstrumentIdentity(
                name, f"sim_{name}", "sim", address, f"Benchwright,SIM-{name.upper()},0001,1.0", "A",
                "2027-03-01" if name == "dmm" else None, f"stations/drivers/sim_{name}.yaml", "3" * 64,
            )  # fmt: skip
            self.documents.append(InstrumentOpened(0.0, identity))
        self.documents.append(UnitStarted(0, serial, "A", 0.0, {"mac": "00:11:22"}))

    def node(
        self, node: str, kind: str = "measure", outcome: Outcome = Outcome.DONE, seconds: float = 1.0, *inside: Document,
        attempt: int = 1, final: bool = True, message: str = "", title: str = "",
    ) -> Story:  # fmt: skip
        self.order += 1 if attempt == 1 else 0
        start = self.t
        self.documents.append(NodeStarted(0, node, attempt, self.order, kind, start))
        self.t += seconds
        self.documents.extend(inside)
        self.documents.append(
            NodeFinished(0, node, attempt, self.order, kind, outcome, start, self.t, final, message, title, 0.25)
        )
        if not final:
            self.documents.append(Discarded(0, node, attempt, self.order, 1, self.t))
        return self

    def measure(
        self, name: str, value: object, unit: str = "V", verdict: Verdict = Verdict.UNJUDGED, *, node: str = "",
        low: float | None = None, high: float | None = None, axes: tuple[tuple[str, float | str], ...] = (),
        attempt: int = 1, final: bool = True, margin: float | None = None, limit: str | None = None, **more: object,
    ) -> Story:  # fmt: skip
        inside = ",".join(f"{axis}={v}" for axis, v in axes)
        node = node or f"steps/{name}[{inside}]"
        order = self.order + (1 if attempt == 1 else 0)
        if margin is None and isinstance(value, float) and not (low is None and high is None):
            bounds = [value - low] if low is not None else []
            bounds += [high - value] if high is not None else []
            margin = min(bounds)
        if limit is None:
            given = {"kind": "band", **{k: v for k, v in (("low", low), ("high", high)) if v is not None}}
            limit = json.dumps(given) if verdict is not Verdict.UNJUDGED else ""
        document = Measured(
            0, node, attempt, order, name, value, unit, verdict, self.t + 0.5, low, high, limit, margin, axes,  # type: ignore[arg-type]
            **{"source": "dmm.voltage_dc", "instrument": "dmm", **more},  # type: ignore[arg-type]
        )  # fmt: skip
        counted = {"pass": "passed", "marginal": "marginal", "fail": "failed", "unjudged": "unjudged"}[verdict]
        if final:
            setattr(self.tally, counted, getattr(self.tally, counted) + 1)
        outcome = Outcome.DONE if verdict is Verdict.UNJUDGED else Outcome(verdict.value)
        return self.node(node, "measure", outcome, 1.0, document, attempt=attempt, final=final)

    def log(self, message: str, level: Level = Level.INFO, kind: str = "log") -> Story:
        self.documents.append(Logged(self.t, level, message, 0, "", kind))
        return self

    def attach(self, name: str, content: bytes) -> Story:
        self.documents.append(Attached(0, "steps/attach", self.t, name, f"out/{name}", "4" * 64, len(content), content))
        return self

    def finish(self, outcome: Outcome = Outcome.PASS, message: str = "") -> list[Document]:
        for name in ("psu@A", "chamber"):
            self.documents.append(SafeState(self.t, name, True if name == "psu@A" else None, "output off"))
        self.documents.append(UnitFinished(0, outcome, self.t, self.tally, message))
        self.documents.append(RunFinished(outcome, self.t, self.tally, message))
        return self.documents


def tempco_run(started: RunStarted | None = None) -> list[Document]:
    """A temperature sweep of a good part: all passes, one marginal."""
    story = Story(started)
    story.node("setup/psu", "set", seconds=0.2).log("supply on")
    for temperature in (-40.0, -20.0, 0.0, 25.0, 50.0, 85.0):
        axes = (("temperature", temperature),)
        story.node(f"steps/chamber[temperature={temperature:g}]", "set", seconds=600.0)
        story.measure(
            "t_actual", temperature + 0.03, "degC", axes=axes, instrument="chamber", source="chamber.temperature"
        )
        vout = 3.3 * (1 + 28e-6 * (temperature - 25))
        story.measure(
            "vout",
            vout,
            "V",
            Verdict.PASS,
            low=3.234,
            high=3.366,
            axes=axes,
            spread=2e-5,
            samples=5,
            net="VOUT",
            pin="TP3",
        )
    story.measure("tempco", 28.4, "ppm/degC", Verdict.PASS, low=-100.0, high=100.0, source="compute", instrument="")
    story.measure("iq", 48e-6, "A", Verdict.MARGINAL, high=50e-6, node="steps/iq")
    return story.finish(Outcome.MARGINAL)


def failing_run(started: RunStarted | None = None) -> list[Document]:
    """A drifted part, a retry, an instrument that did not answer, a value of every type."""
    story = Story(started, serial="BAD0007")
    for current in (0.0, 0.05, 0.1, 0.2, 0.3, 0.5):
        for temperature in (-40.0, 25.0, 85.0):
            axes = (("temperature", temperature), ("load", current))
            value = 3.31 - 0.2 * current - (0.02 if temperature > 80 else 0.0)
            verdict = Verdict.PASS if value >= 3.234 else Verdict.FAIL
            story.measure("vout", value, "V", verdict, low=3.234, high=3.366, axes=axes)
    story.measure("ripple", 0.0061, "V", Verdict.FAIL, high=0.005, node="steps/ripple", attempt=1, final=False)
    story.measure("ripple", 0.0032, "V", Verdict.PASS, high=0.005, node="steps/ripple", attempt=2)
    story.measure("iq", math.nan, "A", Verdict.FAIL, high=50e-6, node="steps/iq", margin=math.nan)
    story.measure(
        "revision", "B2", "", Verdict.PASS, limit='{"kind": "one_of", "values": ["B1", "B2"]}', node="steps/revision"
    )
    story.measure(
        "power_good", False, "", Verdict.FAIL, limit='{"kind": "equals", "value": true}', node="steps/power_good"
    )
    story.measure("note", None, "", node="steps/note", diagnostic=True, json_value='{"a": [1, 2]}')
    story.attach("scope.png", b"\x89PNG\r\n\x1a\n....")
    story.node(
        "steps/start", "measure", Outcome.ERROR, 5.0, message="dmm did not answer `READ?` within 5 s (check the cable)"
    )
    story.log("dmm did not answer `READ?` within 5 s", Level.ERROR, "instrument").tally.errors += 1
    story.node("steps/dropout", "measure", Outcome.NOT_RUN, 0.0)
    return story.finish(Outcome.ERROR, "dmm did not answer `READ?` within 5 s")


def long_run(points: int, seed: int = 1, started: RunStarted | None = None) -> Iterator[Document]:
    """A sweep of many points, one document at a time."""
    noise = random.Random(seed)
    yield started or run_started()
    yield UnitStarted(0, "LDO0042", "A", 0.0)
    limit = '{"kind": "band", "low": 3.234, "high": 3.366}'
    t = 0.0
    for i in range(points):
        axes = (("temperature", -40.0 + i * 125.0 / points),)
        node = f"steps/sweep#1/vout[temperature={axes[0][1]:g}]"
        value = 3.3 + noise.gauss(0, 0.01)
        passed = 3.234 <= value <= 3.366
        yield NodeStarted(0, node, 1, i, "measure", t)
        yield Measured(
            0, node, 1, i, "vout", value, "V", Verdict.PASS if passed else Verdict.FAIL, t + 0.02, 3.234, 3.366, limit,
            min(value - 3.234, 3.366 - value), axes, "dmm.voltage_dc", "dmm",
        )  # fmt: skip
        t += 0.025
        yield NodeFinished(0, node, 1, i, "measure", Outcome.PASS if passed else Outcome.FAIL, t - 0.025, t)
    yield UnitFinished(0, Outcome.FAIL, t, Tally(passed=points))
    yield RunFinished(Outcome.FAIL, t, Tally(passed=points))
