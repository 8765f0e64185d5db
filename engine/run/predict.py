"""How long a plan takes, found by running it on the simulated clock.

The prediction leaves no trace: nothing is recorded, and the bench it drives is one of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from engine.core.recorder import NullRecorder
from engine.run.plugins import unknown_result
from engine.run.request import NodeEstimate, Prediction
from engine.run.runner import Prepared, run
from schemas.documents import Document, NodeFinished


@dataclass(slots=True)
class _Sums:
    """Adds up how long each template node took."""

    totals: dict[str, list[float]] = field(default_factory=dict)
    verbs: dict[str, tuple[str, int]] = field(default_factory=dict)
    executed: int = 0

    def hear(self, document: Document) -> None:
        if type(document) is not NodeFinished:
            return
        node = document.node.partition("[")[0]
        found = self.totals.get(node)
        if found is None:
            self.totals[node] = [1, document.t - document.started]
            self.verbs[node] = (document.kind, document.order)
        else:
            found[0] += 1
            found[1] += document.t - document.started
        self.executed += 1


def predict(prepared: Prepared) -> Prediction:
    """Run the plan on the simulated bench and clock; what it measures is thrown away, code of the project is not called."""
    sums = _Sums()
    plan = replace(prepared.plan, clock="virtual")
    summary = run(
        replace(prepared, plan=plan),
        recorder=NullRecorder(),
        listeners=[sums],
        run_id="prediction",
        python=unknown_result,
        exclusive=False,
    )
    nodes = tuple(
        NodeEstimate(node, sums.verbs[node][0], int(count), total, sums.verbs[node][1])
        for node, (count, total) in sums.totals.items()
    )
    return Prediction(
        summary.duration_s,
        summary.outcome,
        tuple(sorted(nodes, key=lambda one: one.order)),
        sums.executed,
        summary.message,
    )
