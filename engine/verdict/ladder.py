"""From many outcomes to one: what is worse than what, and what the command returns.

Nothing unjudged is green. Within a unit a value without a limit takes nothing away from those that have one; among the
units of a run, a unit of which nothing is known is worse than one that is nearly out of its limits.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from schemas.documents import Outcome, Tally, Verdict

_WITHIN_A_UNIT = (
    Outcome.NOT_RUN,
    Outcome.SKIPPED,
    Outcome.DONE,
    Outcome.UNJUDGED,
    Outcome.PASS,
    Outcome.MARGINAL,
    Outcome.FAIL,
    Outcome.ERROR,
    Outcome.ABORTED,
)
_AMONG_UNITS = (
    Outcome.PASS,
    Outcome.MARGINAL,
    Outcome.UNJUDGED,
    Outcome.FAIL,
    Outcome.ERROR,
    Outcome.ABORTED,
)
_RANK_WITHIN = {outcome: rank for rank, outcome in enumerate(_WITHIN_A_UNIT)}
_RANK_AMONG = {outcome: rank for rank, outcome in enumerate(_AMONG_UNITS)}
_OF_VERDICT = {verdict: Outcome(verdict.value) for verdict in Verdict}


class ExitCode(IntEnum):
    """What the command tells the shell."""

    GOOD = 0
    """Passed, some of it perhaps marginally."""
    FAIL = 1
    USAGE = 2
    """Invalid files or arguments; nothing ran."""
    ERROR = 3
    ABORTED = 4
    UNJUDGED = 5
    """It ran, and nothing was judged."""


def of_verdict(verdict: Verdict) -> Outcome:
    """The outcome of a step that recorded one value with this verdict."""
    return _OF_VERDICT[verdict]


def worse(one: Outcome, other: Outcome) -> Outcome:
    """The worse of two outcomes within a unit."""
    return one if _RANK_WITHIN[one] >= _RANK_WITHIN[other] else other


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of a group from those of its steps; `DONE` where it has none.

    Skipped, not run, done and unjudged never outweigh what was judged.
    """
    return max(outcomes, key=_RANK_WITHIN.__getitem__, default=Outcome.DONE)


def unit_outcome(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of a unit from those of its steps: `UNJUDGED` where nothing was judged."""
    outcome = worst(outcomes)
    return outcome if outcome in _RANK_AMONG else Outcome.UNJUDGED


def run_outcome(units: Iterable[Outcome]) -> Outcome:
    """The outcome of a run from those of its units; `UNJUDGED` (also: a unit that never ran) is worse than marginal."""
    return max(
        (unit if unit in _RANK_AMONG else Outcome.UNJUDGED for unit in units),
        key=_RANK_AMONG.__getitem__,
        default=Outcome.UNJUDGED,
    )


def exit_code(outcome: Outcome) -> ExitCode:
    """What a run with this outcome returns to the shell."""
    match outcome:
        case Outcome.PASS | Outcome.MARGINAL:
            return ExitCode.GOOD
        case Outcome.FAIL:
            return ExitCode.FAIL
        case Outcome.ERROR:
            return ExitCode.ERROR
        case Outcome.ABORTED:
            return ExitCode.ABORTED
        case _:
            return ExitCode.UNJUDGED


class TallyCounter:
    """Counts verdicts and steps; what a discarded attempt counted is simply never added."""

    def __init__(self) -> None:
        self._tally = Tally()

    def count(self, verdict: Verdict) -> None:
        """A value was judged, or recorded without a limit."""
        tally = self._tally
        match verdict:
            case Verdict.PASS:
                tally.passed += 1
            case Verdict.MARGINAL:
                tally.marginal += 1
            case Verdict.FAIL:
                tally.failed += 1
            case Verdict.UNJUDGED:
                tally.unjudged += 1

    def error(self) -> None:
        """A step could not do its work."""
        self._tally.errors += 1

    def skip(self, steps: int = 1) -> None:
        """Steps were skipped."""
        self._tally.skipped += steps

    def add(self, other: Tally) -> None:
        """Count all that `other` counted: a unit into its run, a final attempt into its unit."""
        tally = self._tally
        tally.passed += other.passed
        tally.marginal += other.marginal
        tally.failed += other.failed
        tally.unjudged += other.unjudged
        tally.errors += other.errors
        tally.skipped += other.skipped

    def tally(self) -> Tally:
        """What was counted so far, as a copy."""
        copy = TallyCounter()
        copy.add(self._tally)
        return copy._tally
