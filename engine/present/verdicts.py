"""Words, glyphs and tones of verdicts and outcomes; never colour alone, and nothing unjudged is green."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.documents import Outcome, Verdict


class Tone(StrEnum):
    """How it should look; each face picks its colours."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Mark:
    """How one verdict, outcome or state is shown."""

    word: str
    glyph: str
    ascii: str
    tone: Tone
    rank: int
    """Higher is worse, among the values of one table row."""

    def text(self, ascii_only: bool = False) -> str:
        """Glyph and word."""
        return f"{self.ascii if ascii_only else self.glyph} {self.word}"


_MARKS = {
    mark.word: mark
    for mark in (
        Mark("not run", "–", "-", Tone.QUIET, 0),
        Mark("skipped", "»", ">", Tone.QUIET, 1),
        Mark("discarded", "↺", "<", Tone.QUIET, 1),
        Mark("done", "·", ".", Tone.QUIET, 2),
        Mark("unjudged", "○", "o", Tone.QUIET, 3),
        Mark("started", "▸", ">", Tone.BUSY, 3),
        Mark("running", "▸", ">", Tone.BUSY, 3),
        Mark("pass", "✓", "+", Tone.GOOD, 4),
        Mark("marginal", "≈", "~", Tone.WARN, 5),
        Mark("fail", "✗", "x", Tone.BAD, 6),
        Mark("interrupted", "‼", "?", Tone.BAD, 7),
        Mark("error", "!", "!", Tone.BAD, 8),
        Mark("aborted", "■", "#", Tone.BAD, 9),
    )
}

HEADLINES = {
    "pass": "PASS",
    "marginal": "PASS, MARGINAL",
    "fail": "FAIL",
    "error": "ERROR",
    "aborted": "ABORTED",
    "unjudged": "UNJUDGED",
    "running": "RUNNING",
    "interrupted": "INTERRUPTED",
    "skipped": "SKIPPED",
    "not run": "NOT RUN",
    "done": "UNJUDGED",
}


def mark(what: Outcome | Verdict | str) -> Mark:
    """The mark of a verdict, an outcome, or the status of a run."""
    return _MARKS.get(str(what)) or Mark(str(what), "?", "?", Tone.QUIET, 3)


def headline(status: Outcome | str) -> str:
    """The one word above a report."""
    return HEADLINES.get(str(status), str(status).upper())


def worse(one: Verdict, other: Verdict) -> Verdict:
    """The worse of two verdicts; a value without a limit takes nothing from those that have one."""
    return one if mark(one).rank >= mark(other).rank else other
