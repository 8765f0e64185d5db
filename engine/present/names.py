"""Names of rows in a table, with as much of their place as tells them apart: `check#1`, `inner/vout`, `cleanup/check#1`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

PHASES = ("setup", "steps", "cleanup", "monitors")


def told_apart(rows: Sequence[tuple[Hashable, str, str]], separator: str = "/") -> list[str]:
    """A name for each (whose, node without axis values, name); only rows of one owner need to differ."""
    ways = [_bare, _without_phases, _whole]
    named = [[way(node, name, separator) for way in ways] for _, node, name in rows]
    often = [
        Counter((whose, names[level]) for (whose, _, _), names in zip(rows, named, strict=True)) for level in range(3)
    ]
    chosen = []
    for (whose, _, _), names in zip(rows, named, strict=True):
        level = next((n for n in range(3) if often[n][whose, names[n]] == 1), 2)
        chosen.append(names[level])
    return chosen


def _bare(node: str, name: str, separator: str) -> str:
    return name


def _without_phases(node: str, name: str, separator: str) -> str:
    return separator.join([*(part for part in node.split("/")[:-1] if part not in PHASES), name])


def _whole(node: str, name: str, separator: str) -> str:
    return separator.join([*node.split("/")[:-1], name])
