"""What an earlier run of the same plan has already done: the seam through which a run is resumed.

It is always handed to the dispatcher and empty for a new run. Only `engine.run` reads the journal to build it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.documents import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class FinishedNode:
    """The final attempt of one node."""

    outcome: Outcome
    attempt: int = 1
    values: Mapping[str, Any] = field(default_factory=dict)
    """What it gave names to, by name: `{"vout": 3.301}`."""
    verdicts: tuple[Verdict, ...] = ()
    """What its values were judged, in order."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Finished nodes by (unit, full node id); empty for a new run."""

    finished: Mapping[tuple[int, str], FinishedNode] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.finished)

    def of(self, unit: int, node: str) -> FinishedNode | None:
        """What is known of a node; None where it has to be run."""
        return self.finished.get((unit, node))
