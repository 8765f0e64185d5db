"""How long each node takes, and how that is known: earlier runs, the simulated run, the step's own word, the driver's.

The first source that knows a node is used; a step's own `duration` stands where nothing was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.plan.model import Node, Plan
from engine.plan.walk import all_nodes
from engine.run.predict import predict
from engine.run.runner import Prepared
from engine.schedule import Estimate
from engine.store import JournalReader
from engine.store.durations import NodeDuration

P90 = 1.2816
"""Standard deviations from the mean to the 90th percentile of a normal distribution."""


def estimates(prepared: Prepared, journal: JournalReader | None = None) -> dict[str, Estimate]:
    """By the id of the template node. What history does not know is found by a simulated run."""
    plan = prepared.plan
    found: dict[str, Estimate] = {}
    if journal is not None:
        history = journal.durations(plan.procedure_digest, plan.station)
        found = {node: _from_history(duration) for node, duration in history.items()}
    nodes = [node for _, node in all_nodes(plan)]
    if any(node.id not in found for node in nodes):
        for node_id, estimate in _simulated(prepared).items():
            found.setdefault(node_id, estimate)
    for node in nodes:
        if node.id not in found:
            found[node.id] = _said(node, plan)
    return found


def _from_history(duration: NodeDuration) -> Estimate:
    return Estimate(duration.mean_s, duration.spread_s, duration.mean_s + P90 * duration.spread_s, "history")


def _simulated(prepared: Prepared) -> Mapping[str, Estimate]:
    """Two units on the simulated bench, so that what it costs to take turns is counted."""
    few = replace(prepared, units=prepared.units[:2])
    return {
        one.node: Estimate(one.total_s / one.count, 0.0, one.total_s / one.count, "simulated")
        for one in predict(few).nodes
        if one.count
    }


def _said(node: Node, plan: Plan) -> Estimate:
    """What the step or its driver says of a node that has never run."""
    if node.duration_s is not None:
        return Estimate(node.duration_s, 0.0, node.duration_s, "duration")
    target = getattr(node.action, "target", None)
    if target is not None:
        latency = plan.instruments[target.instrument].properties[target.property].latency_s
        if latency is not None:
            taken = latency * getattr(node.action, "samples", 1)
            return Estimate(taken, 0.0, taken, "latency")
    return Estimate(0.0)
