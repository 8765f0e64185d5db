"""The numbers that the inner loop works on: lists in plain Python, arrays where it is compiled."""

from __future__ import annotations

from typing import NamedTuple

Numbers = list[int]


class Graph(NamedTuple):
    """What does not change during a search; `x_at[i]` to `x_at[i + 1]` are the places of task i in a list x."""

    p: Numbers
    """How long each task takes."""
    release: Numbers
    """When it may start at the earliest."""
    fixed: Numbers
    """1 for what has started already."""
    preds_at: Numbers
    preds: Numbers
    succs_at: Numbers
    succs: Numbers
    sinks: Numbers
    """Tasks that nothing waits for."""
    enters_at: Numbers
    """Slots that a task enters; slots are numbered in this order."""
    leaves_at: Numbers
    leaves: Numbers
    """Slots that a task leaves."""
    first: Numbers
    """By slot: the task that enters it."""
    last: Numbers
    """By slot: the task that leaves it."""
    low: Numbers
    """By machine: the first machine of its pool."""
    high: Numbers
    """By machine: one past the last machine of its pool."""
    size: Numbers
    """(tasks, slots, machines)"""


class Orders(NamedTuple):
    """A solution: for every slot its machine and its neighbours there, -1 for none."""

    on: Numbers
    before: Numbers
    after: Numbers
    head: Numbers
    """By machine: its first slot."""


class Times(NamedTuple):
    """What follows from a solution."""

    end: Numbers
    """When a task ends at the earliest."""
    tail: Numbers
    """From the start of a task to the end of everything."""
    topo: Numbers
    """Tasks, each after those it waits for."""
    place: Numbers
    """Where each task stands there."""


class Scratch(NamedTuple):
    """Room to work in."""

    mark: Numbers
    path: Numbers
    via: Numbers
    ahead: Numbers
    behind: Numbers
    tasks: Numbers
    starts: Numbers
    among: Numbers
    tabu: Numbers
    """Iteration until which one task must not come before another, by a hash of both."""
    moved: Numbers
    """Iteration until which a slot must not come back to a machine."""
    state: Numbers
