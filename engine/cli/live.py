"""The live view: a few lines of the terminal that are drawn again and again while a run is under way.

Listening only counts: a thread of its own draws ten times a second what there is by then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from engine.cli import console
from engine.cli.logfile import RANK
from engine.cli.progress import LONGEST_SERIAL
from engine.cli.seen import Seen
from engine.present import values
from engine.present.fold import axes_text
from engine.present.gantt_text import shortened
from engine.present.verdicts import mark
from schemas.documents import (
    Discarded,
    Document,
    Level,
    Logged,
    Measured,
    NodeFinished,
    NodeStarted,
    Outcome,
    UnitFinished,
    UnitStarted,
    Verdict,
)

if TYPE_CHECKING:
    from rich.console import Group as Renderable
    from rich.text import Text

_MOST_MESSAGES = 1_000
"""Messages that are printed above the view; a loop that logs must not drown the terminal."""
_VERDICTS = tuple(Verdict)
_INDEX = {verdict: index for index, verdict in enumerate(_VERDICTS)}
_ERROR = len(_VERDICTS)
_TELLS = ("check", "repeat", "sweep")
"""Verbs that fail for a reason of their own, which is told when they end."""
_STYLES = {"good": "green", "warn": "yellow", "bad": "red", "quiet": "dim", "busy": "cyan"}


class _Unit:
    """What is known of one unit: it may queue, is at work at its site, is done."""

    __slots__ = ("axes", "counts", "errors", "node", "number", "outcome", "reached", "seen", "serial", "site")

    def __init__(self, number: int) -> None:
        self.number = number
        self.serial = f"unit {number + 1}"
        self.site = ""
        self.node = ""
        self.axes: tuple[tuple[str, float | str], ...] = ()
        self.reached = 0
        self.errors = 0
        self.counts = dict.fromkeys(Verdict, 0)
        self.outcome: Outcome | None = None
        self.seen = Seen()

    def start(self, document: UnitStarted) -> None:
        self.serial, self.site = document.serial, document.site

    def finish(self, document: UnitFinished) -> None:
        self.outcome = document.outcome

    def status(self) -> Outcome | Verdict | str:
        """How it ended; while it is at work the worst so far, and `running` where nothing is worse than a pass."""
        if self.outcome is not None:
            return self.outcome
        if self.errors:
            return Outcome.ERROR
        return next((v for v in (Verdict.FAIL, Verdict.MARGINAL) if self.counts[v]), "running")

    def tally(self) -> str:
        """`12 pass, 1 fail`."""
        said = [f"{self.counts[v]:,} {v}" for v in (Verdict.PASS, Verdict.MARGINAL, Verdict.FAIL) if self.counts[v]]
        said += [f"{self.errors:,} error"] if self.errors else []
        return ", ".join(said)

    def at(self) -> str:
        """The step it is at."""
        return self.node or "begins"


def _number(unit: _Unit) -> int:
    return unit.number


class LiveView:
    """A few lines of the terminal that are drawn again and again until the run is over."""

    def __init__(
        self,
        title: str,
        size: int,
        planned_s: float | None = None,
        wall: Callable[[], float] = time.monotonic,
        level: str = "info",
        units: int = 1,
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self._wall = wall
        self._title = title
        self._size = max(1, size)
        self._planned_s = planned_s
        self._begun = wall()
        self._least = RANK[Level(level)]
        self._messages = 0
        self._t = 0.0
        self._node = ""
        self._counts = dict.fromkeys(Verdict, 0)
        self._errors = 0
        self._last = ""
        self._expected = units
        self._units: dict[int, _Unit] = {}
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
            self._t = document.t  # type: ignore[union-attr]
            unit = self._of(document.unit)  # type: ignore[union-attr,arg-type]
            unit.node = self._node
            unit.reached = max(unit.reached, document.order)  # type: ignore[union-attr]
        elif kind is NodeFinished:
            self._finished(document)  # type: ignore[arg-type]
        elif kind is Measured:
            self._measured(document)  # type: ignore[arg-type]
        elif kind is Discarded:
            self._discarded(document)  # type: ignore[arg-type]
        elif kind is UnitStarted:
            self._of(document.unit).start(document)  # type: ignore[union-attr,arg-type]
        elif kind is UnitFinished:
            self._of(document.unit).finish(document)  # type: ignore[union-attr,arg-type]
        elif kind is Logged and RANK[document.level] >= self._least:  # type: ignore[union-attr]
            self._say(document)  # type: ignore[arg-type]

    def _say(self, message: Logged) -> None:
        """A message above the live lines; it stays when they go."""
        self._messages += 1
        if self._messages <= _MOST_MESSAGES:
            style = {Level.ERROR: "red", Level.WARNING: "yellow"}.get(message.level, "")
            whose = ""
            if message.unit is not None:
                whose = console.clean(self._whose(self._of(message.unit)))
            text = f"{values.duration_text(message.t):>10}  {whose}{message.level}: {console.clean(message.message)}"
            self._live.console.print(text, style=style or None, markup=False, highlight=False)

    def _finished(self, node: NodeFinished) -> None:
        self._t = node.t
        unit = self._of(node.unit)
        if node.final:
            unit.reached = max(unit.reached, node.order + 1)
        if node.outcome is Outcome.ERROR:
            self._errors += 1
            unit.errors += 1
            unit.seen.add(node.order, node.t, _ERROR)
        if node.outcome is Outcome.ERROR or (node.outcome is Outcome.FAIL and node.message and node.kind in _TELLS):
            self._last = f"{self._whose(unit)}{node.node}: {node.message}"
        if not node.final:
            unit.seen.give_up(node.node, node.attempt, node.started)

    def _discarded(self, d: Discarded) -> None:
        """What an attempt counted is taken back."""
        unit = self._of(d.unit)
        for kind in unit.seen.discard(d.node, d.attempt, d.order, d.size):
            if kind == _ERROR:
                self._errors -= 1
                unit.errors -= 1
            else:
                self._counts[_VERDICTS[kind]] -= 1
                unit.counts[_VERDICTS[kind]] -= 1

    def _measured(self, m: Measured) -> None:
        self._t = m.t
        if m.diagnostic:
            return
        self._counts[m.verdict] += 1
        unit = self._of(m.unit)
        unit.counts[m.verdict] += 1
        unit.seen.add(m.order, m.t, _INDEX[m.verdict])
        unit.axes = m.axes
        if m.verdict is Verdict.FAIL and m.source != "check":
            shown = values.judged(m.value, m.unit_symbol, m.low, m.high, m.limit, m.margin)
            self._last = f"{self._whose(unit)}{m.name} = {shown.value}, limit {shown.limit}"
            self._last += f" at {axes_text(m.axes)}" if m.axes else ""

    def _of(self, number: int) -> _Unit:
        unit = self._units.get(number)
        if unit is None:
            unit = self._units[number] = _Unit(number)
        return unit

    def _whose(self, unit: _Unit) -> str:
        return f"{unit.serial}: " if self.several else ""

    @property
    def several(self) -> bool:
        """Whether there are several units, as far as is known by now."""
        return max(self._expected, len(self._units)) > 1

    def share(self) -> float:
        """How much of the run is done, 0 … 1: by predicted time where there is a prediction, else by place in the plan."""
        if self._planned_s:
            return min(1.0, self._t / self._planned_s)
        units = list(self._units.values())
        reached = sum(self._size if unit.outcome is not None else unit.reached for unit in units)
        return min(1.0, reached / (self._size * max(1, self._expected, len(units))))

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
        eta = f"about {values.duration_text(left)} to go" if left is not None and left >= 1 else ""
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
        if self.several:
            return Group(head, *self._unit_lines(), counts, *self._last_line())
        now = Text(f"  {values.duration_text(self._t)}  {console.clean(self._node)}", no_wrap=True, overflow="ellipsis")
        return Group(head, now, counts, *self._last_line())

    def _last_line(self) -> list[Text]:
        from rich.text import Text

        if not self._last:
            return []
        return [Text(f"  {console.clean(self._last)}", style="red", no_wrap=True, overflow="ellipsis")]

    def _unit_lines(self) -> list[Text]:
        """A line a unit as far as there is room, those at work before those that are done; then how many are not shown."""
        from rich.text import Text

        units = list(self._units.values())
        room = max(3, self._console.height - 7)
        shown = units
        if len(units) > room:
            at_work = [unit for unit in units if unit.outcome is None]
            shown = sorted([*at_work, *(u for u in reversed(units) if u.outcome is not None)][:room], key=_number)
        serials = [shortened(console.clean(unit.serial), LONGEST_SERIAL) for unit in shown]
        wide = max(map(console.width, serials), default=0)
        site_wide = max((console.width(console.clean(unit.site)) for unit in shown), default=0)
        lines = []
        for unit, serial in zip(shown, serials, strict=True):
            status = mark(unit.status())
            line = Text("  ", no_wrap=True, overflow="ellipsis")
            line.append(f"{status.glyph} ", _STYLES[str(status.tone)])
            line.append(f"{serial}{' ' * (wide - console.width(serial))}  {console.clean(unit.site):<{site_wide}}  ")
            line.append(f"{unit.tally():<24}  ", "dim")
            line.append(f"{status.word}" if unit.outcome is not None else console.clean(unit.at()))
            lines.append(line)
        done = sum(unit.outcome is not None for unit in units)
        told = [f"{done} of {max(self._expected, len(units))} units done"]
        if self._expected > len(units):
            told.append(f"{self._expected - len(units)} queue for a site")
        if len(shown) < len(units):
            told.append(f"{len(units) - len(shown)} not shown")
        lines.append(Text(f"  {values.duration_text(self._t)}  {', '.join(told)}", "dim"))
        return lines
