"""What `sweep` and `repeat` share: a body compiled once, in ids and order that leave room for all its rounds."""

from __future__ import annotations

from engine.plan.compiler import SequenceCompiler
from engine.plan.drafts import MOST_NODES, At, Ids
from engine.plan.model import LoopSlots
from engine.plan.names import Loop, Scope
from schemas.source import Path
from schemas.steps import StepBase


def begin(c: SequenceCompiler, scope: Scope) -> tuple[Loop, Scope]:
    """A new loop, and what its body sees."""
    c.frame.loops += 1
    loop = Loop(LoopSlots(), c.frame.loops, around=dict(scope.entries))
    return loop, scope.copy(loop=loop)


def body_ids(step: StepBase, at: At) -> Ids:
    """A loop without an id of its own leaves no trace in its steps' ids."""
    return Ids(at.node_id) if step.id is not None else at.ids


def stride(c: SequenceCompiler, first: int, most: int, path: Path) -> int:
    """The size of a body compiled since `first`; leaves room for `most` rounds of it."""
    size = c.build.order - first
    c.build.order = first + size * max(1, most)
    if c.build.order > MOST_NODES:
        c.problems.error(
            "P012",
            "this loop, fully expanded, has more steps than can be counted",
            c.file.key(path),
            help="sweep fewer points, or give `repeat` a number that is known",
        )
        c.build.order = first + size
    return size
