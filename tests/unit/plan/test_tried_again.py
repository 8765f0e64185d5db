"""The places of a node in the plan: everything its attempts and its remedy record, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.plan.model import Node, Plan

TEXT = """
steps:
  - log: before
  - group: g
    retry: {times: 1, remedy: [{log: again}, {sweep: {r: [1, 2]}, each: [{log: each again}]}]}
    setup: [{log: up}]
    steps:
      - sweep: {a: [1, 2, 3]}
        each:
          - wait: 1 s
            retry: {times: 1, remedy: [{log: calm down}]}
      - repeat: 4
        each: [{log: round}]
    cleanup: [{log: down}]
  - log: after
"""


def test_the_places_of_a_node_hold_its_body_and_its_remedy(
    compiled: Callable[..., Plan], nodes: Any, orders: Any
) -> None:
    plan = compiled(TEXT)
    found: dict[str, Node] = nodes(plan)
    group = found["steps/group#1"]
    inside = [order for order in orders(plan) if group.order <= order < group.order + group.size]
    before, after = found["steps/log#1"], found["steps/log#2"]
    assert before.order < group.order
    assert after.order == group.order + group.size
    assert len(inside) == len(set(inside)) == len(orders(plan)) - 2
    assert all(n.order in inside for name, n in found.items() if name.startswith("steps/group#1"))
    wait = next(node for node in found.values() if node.verb == "wait")
    assert wait.size == 2, "at every point the node and its remedy"
