"""What is seen of a run while it is under way: a live view, plain lines, or one JSON document a line.

A listener is called for every document of a run, a million of them in a large one. It must not raise and should do next to
nothing.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields, is_dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from engine.cli import console
from engine.cli.logfile import RANK
from engine.cli.tables import tally_text
from engine.present import values
from engine.present.fold import axes_text
from engine.present.gantt_text import shortened
from engine.present.verdicts import mark
from schemas.documents import (
    Attached,
    Discarded,
    Document,
    InstrumentOpened,
    Level,
    Logged,
    Measured,
    NodeFinished,
    Outcome,
    RunFinished,
    RunStarted,
    SafeState,
    UnitFinished,
    UnitStarted,
    Verdict,
)

_LEFT_OUT = frozenset(("text", "content"))
"""Fields that hold whole files."""
LONGEST_SERIAL = 16
"""Letters of a serial number in a line; of a longer one both ends are kept."""
_ALWAYS_TOLD = (Outcome.ERROR, Outcome.ABORTED, Outcome.SKIPPED)
_WORTH_A_LINE_S = 1.0
"""A step that judges nothing gets a line of its own when it took this long."""


class Progress(Protocol):
    """A listener that is opened and closed around a run."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def hear(self, document: Document) -> None: ...


class _Closing:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to let go of."""


class _Stream:
    """Writes lines until nobody reads them any more; the run goes on all the same."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream

    def line(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(console.fitting(text, self._stream) + "\n")
        except (OSError, ValueError):
            self._stream = None

    def flush(self) -> None:
        if self._stream is None:
            return
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None


class JsonLines(_Closing):
    """One JSON document a line, with its kind as `type`; whole files are left out."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._out = _Stream(stream if stream is not None else sys.stdout)

    def hear(self, document: Document) -> None:
        self._out.line(json.dumps(as_plain(document), ensure_ascii=False, separators=(",", ":")))
        if type(document) in (NodeFinished, RunStarted, RunFinished):
            self._out.flush()


def as_plain(document: Document) -> dict[str, Any]:
    """A document as JSON takes it, `type` first, its fields in order; what is no number is text: "NaN"."""
    return {"type": type(document).__name__, **_fields(document)}


def _fields(item: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(item, field.name)) for field in fields(item) if field.name not in _LEFT_OUT}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        if value != value:
            return "NaN"
        return value if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity")
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        if value and all(isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in value):
            return {name: _plain(inner) for name, inner in value}  # axes
        return [_plain(inner) for inner in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    return str(value)


class PlainLines(_Closing):
    """One line for each event that a person at a log file wants to see; of several units each line says whose it is."""

    def __init__(self, stream: TextIO | None = None, level: str = "info", *, several: bool = False) -> None:
        self._out = _Stream(stream if stream is not None else sys.stdout)
        self._stream = stream if stream is not None else sys.stdout
        self._level = RANK[Level(level)]
        self._judged: set[tuple[int, str]] = set()
        self._several = several
        self._serials: dict[int, str] = {}
        self._started: dict[int, float] = {}
        self._width = 0

    def hear(self, document: Document) -> None:
        line = self._line(document)
        if line is not None:
            self._out.line(line)
            self._out.flush()

    def _line(self, document: Document) -> str | None:
        match document:
            case Measured() if document.source == "check" and document.verdict is Verdict.FAIL:
                return None  # what it was about is said at the end of its step
            case Measured():
                self._judged.add((document.unit, document.node))
                return None if document.diagnostic else self._measured(document)
            case NodeFinished():
                return self._node(document)
            case Discarded() as d:
                text = f"{self._mark('discarded')}  attempt {d.attempt} of {d.node}: what it recorded does not count"
                return self._at(d.t, text, d.unit)
            case Logged():
                if RANK[document.level] < self._level:
                    return None
                return self._at(document.t, f"{document.level}: {console.clean(document.message)}", document.unit)
            case RunStarted():
                return (
                    f"run {document.run_id.rpartition('-')[2]}: {document.sequence} on {document.station}, "
                    f"{document.clock} clock, seed {document.seed}"
                )
            case UnitStarted():
                self._meet(document)
                return self._at(document.t, f"unit {console.clean(document.serial)} at site {document.site}")
            case UnitFinished() if self._several:
                return self._at(document.t, self._unit(document), document.unit)
            case InstrumentOpened():
                one = document.instrument
                name = f"{one.name}@{one.site}" if self._several and one.site else one.name
                return self._at(document.t, f"opened {name}: {console.clean(one.identity)}")
            case Attached():
                return self._at(document.t, f"kept {console.clean(document.name)}", document.unit)
            case SafeState() if document.verified is False:
                return self._at(document.t, f"NOT SAFE: {document.instrument}: {console.clean(document.message)}")
            case RunFinished():
                return self._at(document.t, f"finished: {self._mark(document.outcome)}")
        return None

    def _measured(self, m: Measured) -> str:
        shown = values.judged(m.value, m.unit_symbol, m.low, m.high, m.limit, m.margin)
        limit = f"  ({shown.limit})" if shown.limit else ""
        axes = f"  [{axes_text(m.axes)}]" if m.axes else ""
        again = f"  attempt {m.attempt}" if m.attempt > 1 else ""
        text = f"{self._mark(m.verdict)}  {m.name} = {console.clean(shown.value)}{limit}{axes}{again}"
        return self._at(m.t, text, m.unit)

    def _node(self, node: NodeFinished) -> str | None:
        judged = (node.unit, node.node) in self._judged
        self._judged.discard((node.unit, node.node))
        took = node.t - node.started
        told = node.outcome in _ALWAYS_TOLD or bool(node.message) or node.outcome is Outcome.FAIL
        if judged and node.outcome not in _ALWAYS_TOLD:
            return None  # its values have said so
        if not told and took < _WORTH_A_LINE_S:
            return None
        text = f"{self._mark(node.outcome)}  {node.kind} {node.node}"
        text += f" in {values.duration_text(took)}" if took else ""
        text += f": {console.clean(node.message)}" if node.message else ""
        return self._at(node.t, text + ("" if node.final else "  (tried again)"), node.unit)

    def _meet(self, unit: UnitStarted) -> None:
        """From the second unit on, lines say whose they are; short enough to leave the values in line."""
        self._serials[unit.unit] = shortened(console.clean(unit.serial), LONGEST_SERIAL)
        self._started[unit.unit] = unit.t
        self._several = self._several or len(self._serials) > 1
        self._width = max(self._width, console.width(self._serials[unit.unit]))

    def _unit(self, unit: UnitFinished) -> str:
        took = values.duration_text(unit.t - self._started.get(unit.unit, 0.0))
        message = f": {console.clean(unit.message)}" if unit.message else ""
        return f"{self._mark(unit.outcome)}  unit finished in {took}, {tally_text(unit.tally)}{message}"

    def _at(self, t: float, text: str, unit: int | None = None) -> str:
        if not self._several or unit is None:
            return f"{t:12.3f} s  {text}"
        serial = self._serials.get(unit, f"unit {unit + 1}")
        return f"{t:12.3f} s  {serial}{' ' * (self._width - console.width(serial))}  {text}"

    def _mark(self, what: Outcome | Verdict | str) -> str:
        return mark(what).text(not console.speaks_unicode(self._stream))


def progress_for(
    *, as_json: bool, title: str, size: int, planned_s: float | None, level: str, units: int = 1
) -> Progress:
    """The view that fits: JSON when asked for, live on a terminal, plain lines elsewhere.

    `units` is how many are going to be run, those that queue for a site included.
    """
    if as_json:
        return JsonLines()
    if sys.stdout.isatty() and console.speaks_unicode(sys.stdout):
        from engine.cli.live import LiveView

        return LiveView(title, size, planned_s, level=level, units=units)
    return PlainLines(level=level, several=units > 1)
