"""How long the nodes of earlier runs took: what estimates of the next one are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.store.migrations import SEQUENCE_BITS

MOST_RUNS = 20
MOST_NODES = 100_000
"""Rows of one run that are looked at; enough to know a node well, and quick."""

RUNS = """SELECT key FROM runs WHERE procedure_digest = ? AND station = ? AND outcome IS NOT NULL
 AND outcome NOT IN ('aborted', 'error') ORDER BY key DESC LIMIT ?"""
NODES = """SELECT substr(node, 1, instr(node || '[', '[') - 1) AS template, count(*) AS n, sum(t1 - t0) AS total,
 sum((t1 - t0) * (t1 - t0)) AS squares FROM
 (SELECT node, t0, t1 FROM nodes WHERE id BETWEEN ? AND ? AND final = 1 AND t1 IS NOT NULL
  AND outcome NOT IN ('skipped', 'not run', 'error', 'aborted') LIMIT ?) GROUP BY template"""


@dataclass(frozen=True, slots=True)
class NodeDuration:
    """One template node over all its points in earlier runs, seconds."""

    count: int
    mean_s: float
    spread_s: float
    """Standard deviation (n-1); 0 for one execution."""


def durations(
    ask: Callable[[str, Sequence[Any]], Sequence[dict[str, Any]]], procedure_digest: str, station: str
) -> dict[str, NodeDuration]:
    """By template id, over the newest runs of this procedure on this station that came to their end."""
    sums: dict[str, list[float]] = {}
    for run in ask(RUNS, (procedure_digest, station, MOST_RUNS)):
        low = run["key"] << SEQUENCE_BITS
        for row in ask(NODES, (low, low + (1 << SEQUENCE_BITS) - 1, MOST_NODES)):
            kept = sums.setdefault(row["template"], [0, 0.0, 0.0])
            kept[0] += row["n"]
            kept[1] += row["total"]
            kept[2] += row["squares"]
    found: dict[str, NodeDuration] = {}
    for template, (count, total, squares) in sums.items():
        mean = total / count
        variance = (squares - count * mean * mean) / (count - 1) if count > 1 else 0.0
        found[template] = NodeDuration(int(count), mean, math.sqrt(max(0.0, variance)))
    return found
