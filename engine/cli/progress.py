"""What is seen of a run while it is under way: a live view, plain lines, or one JSON document a line.

A listener is called for every document of a run, a million of them in a large one. It must not raise and should do next to
nothing: the live view only counts, and is drawn by a thread of its own ten times a second.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from engine.cli import console
from engine.cli.logfile import RANK
from engine.present import values
from engine.present.fold import axes_text
from engine.present.verdicts import mark
from schemas.documents import (
    Attached,
    Document,
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
    UnitStarted,
    Verdict,
)

if TYPE_CHECKING:
    from rich.console import Group as Renderable

_LEFT_OUT = frozenset(("text", "content"))
"""Fields that hold whole files."""
_MOST_MESSAGES = 1_000
"""Messages that the live view prints above itself; a loop that logs must not drown the terminal."""
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
    """One line for each event that a person at a log file wants to see."""

    def __init__(self, stream: TextIO | None = None, level: str = "info") -> None:
        self._out = _Stream(stream if stream is not None else sys.stdout)
        self._stream = stream if stream is not None else sys.stdout
        self._level = RANK[Level(level)]
        self._judged: set[tuple[int, str]] = set()

    def hear(self, document: Document) -> None:
        line = self._line(document)
        if line is not None:
            self._out.line(line)
            self._out.flush()

    def _line(self, document: Document) -> str | None:
        match document:
            case Measured():
                self._judged.add((document.unit, document.node))
                return None if document.diagnostic else self._measured(document)
            case NodeFinished():
                return self._node(document)
            case Logged():
                if RANK[document.level] < self._level:
                    return None
                return self._at(document.t, f"{document.level}: {console.clean(document.message)}")
            case RunStarted():
                return (
                    f"run {document.run_id.rpartition('-')[2]}: {document.sequence} on {document.station}, "
                    f"{document.clock} clock, seed {document.seed}"
                )
            case UnitStarted():
                return self._at(document.t, f"unit {console.clean(document.serial)} at site {document.site}")
            case InstrumentOpened():
                one = document.instrument
                return self._at(document.t, f"opened {one.name}: {console.clean(one.identity)}")
            case Attached():
                return self._at(document.t, f"kept {console.clean(document.name)}")
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
        return self._at(m.t, f"{self._mark(m.verdict)}  {m.name} = {console.clean(shown.value)}{limit}{axes}{again}")

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
        return self._at(node.t, text + ("" if node.final else "  (tried again)"))

    def _at(self, t: float, text: str) -> str:
        return f"{t:12.3f} s  {text}"

    def _mark(self, what: Outcome | Verdict) -> str:
        return mark(what).text(not console.speaks_unicode(self._stream))


class LiveView:
    """A few lines of the terminal that are drawn again and again until the run is over."""

    def __init__(
        self,
        title: str,
        size: int,
        planned_s: float | None = None,
        wall: Callable[[], float] = time.monotonic,
        level: str = "info",
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self._wall = wall
        self._title = title
        self._size = max(1, size)
        self._planned_s = planned_s
        self._begun = wall()
        self._reached = 0
        self._least = RANK[Level(level)]
        self._messages = 0
        self._t = 0.0
        self._node = ""
        self._point = ""
        self._counts = dict.fromkeys(Verdict, 0)
        self._errors = 0
        self._last = ""
        self._console = Console(stderr=False, highlight=False)
        self._live = Live(
            get_renderable=self.render, console=self._console, refresh_per_second=10, transient=True
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def hear(self, document: Document) -> None:
        kind = type(document)
        if kind is NodeStarted:
            self._node = document.node  # type: ignore[union-attr]
            self._reached = max(self._reached, document.order)  # type: ignore[union-attr]
            self._t = document.t  # type: ignore[union-attr]
        elif kind is NodeFinished:
            self._finished(document)  # type: ignore[arg-type]
        elif kind is Measured:
            self._measured(document)  # type: ignore[arg-type]
        elif kind is Logged and RANK[document.level] >= self._least:  # type: ignore[union-attr]
            self._say(document)  # type: ignore[arg-type]

    def _say(self, message: Logged) -> None:
        """A message above the live lines; it stays when they go."""
        self._messages += 1
        if self._messages <= _MOST_MESSAGES:
            style = {Level.ERROR: "red", Level.WARNING: "yellow"}.get(message.level, "")
            text = f"{values.duration_text(message.t):>10}  {message.level}: {console.clean(message.message)}"
            self._live.console.print(text, style=style or None, markup=False, highlight=False)

    def _finished(self, node: NodeFinished) -> None:
        self._t = node.t
        if node.final:
            self._reached = max(self._reached, node.order + 1)
        if node.outcome is Outcome.ERROR:
            self._errors += 1
            self._last = f"{node.node}: {node.message}"

    def _measured(self, m: Measured) -> None:
        self._t = m.t
        if m.diagnostic:
            return
        self._counts[m.verdict] += 1
        self._point = axes_text(m.axes) if m.axes else ""
        if m.verdict is Verdict.FAIL:
            shown = values.judged(m.value, m.unit_symbol, m.low, m.high, m.limit, m.margin)
            self._last = f"{m.name} = {shown.value}, limit {shown.limit}" + (f" at {self._point}" if m.axes else "")

    def share(self) -> float:
        """How much of the run is done, 0 … 1: by predicted time where there is a prediction, else by place in the plan."""
        if self._planned_s:
            return min(1.0, self._t / self._planned_s)
        return min(1.0, self._reached / self._size)

    def remaining_s(self) -> float | None:
        """Real seconds to go; None while nothing can be said."""
        share, spent = self.share(), self._wall() - self._begun
        if share < 0.02 or spent < 0.5:
            return None
        return spent * (1 - share) / share

    def render(self) -> Renderable:
        """The lines as they are now."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        share, left = self.share(), self.remaining_s()
        head = Table.grid(padding=(0, 1))
        eta = f"about {values.duration_text(left)} to go" if left is not None else ""
        head.add_row(
            Text(self._title, style="bold"),
            ProgressBar(total=1.0, completed=share, width=30),
            f"{share:4.0%}",
            Text(eta, style="dim"),
        )
        counts = Text("  ")
        styles = {"pass": "green", "marginal": "yellow", "fail": "red", "unjudged": "dim"}
        for verdict, count in self._counts.items():
            counts.append(f"{mark(verdict).glyph} {count:,} {verdict}   ", styles[str(verdict)] if count else "dim")
        if self._errors:
            counts.append(f"! {self._errors:,} error", "red")
        now = Text(f"  {values.duration_text(self._t)}  {console.clean(self._node)}", no_wrap=True, overflow="ellipsis")
        lines: list[Any] = [head, now, counts]
        if self._last:
            lines.append(Text(f"  {console.clean(self._last)}", style="red", no_wrap=True, overflow="ellipsis"))
        return Group(*lines)


def progress_for(*, as_json: bool, title: str, size: int, planned_s: float | None, level: str) -> Progress:
    """The view that fits: JSON when asked for, live on a terminal, plain lines elsewhere."""
    if as_json:
        return JsonLines()
    if sys.stdout.isatty() and console.speaks_unicode(sys.stdout):
        return LiveView(title, size, planned_s, level=level)
    return PlainLines(level=level)
