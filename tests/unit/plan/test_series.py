"""What is seen of a loop's names inside it and after it, and that only what is read is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.expr import Kind
from engine.plan.model import Formula, LoopSlots, Node, Plan

Compile = Callable[..., Plan]
Nodes = Callable[[Plan], dict[str, Node]]


def slots_of(node: Node) -> LoopSlots:
    action: Any = node.action
    found: LoopSlots = action.slots
    return found


def formula_of(node: Node) -> Formula:
    action: Any = node.action
    found: Formula = action.formula
    return found


FLAT = """
steps:
  - sweep: {v: [1 V, 2 V]}
    each:
      - {measure: vout, from: dmm.voltage_dc, limit: none}
      - {measure: iout, from: dmm.current_dc, limit: none}
      - {measure: on, from: psu.output, limit: none}
      - {measure: who, from: box.identity, limit: none}
"""


def test_a_series_that_nothing_reads_is_not_kept(compiled: Compile, nodes: Nodes) -> None:
    loop = slots_of(nodes(compiled(FLAT))["steps/sweep#1"])
    assert loop.accumulators == loop.collected == {}
    assert loop.cleared == ["vout", "iout", "on", "who"]


def test_after_a_loop_names_and_axes_are_series(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(FLAT + "  - {compute: s, value: 'slope(vout, v)', limit: none}\n")
    found = nodes(plan)
    assert slots_of(found["steps/sweep#1"]).accumulators == {"v@1": ("v", False), "vout@1": ("vout", False)}
    assert formula_of(found["steps/s"]).names == {"v@1", "vout@1"}
    binding: Any = found["steps/vout"].action
    assert list(binding.binding.accumulators) == ["vout@1"]


def test_texts_and_switches_have_series_of_their_kind(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(FLAT + "  - {compute: n, value: 'len(who)', limit: none}\n  - check: all(on)\n")
    assert slots_of(nodes(plan)["steps/sweep#1"]).accumulators == {"who@1": ("who", True), "on@1": ("on", False)}


def test_inside_a_loop_a_name_is_the_current_value_and_series_gives_those_so_far(
    compiled: Compile, nodes: Nodes
) -> None:
    plan = compiled(
        """
steps:
  - sweep: {v: [1 V, 2 V]}
    each:
      - {measure: vout, from: dmm.voltage_dc, limit: none}
      - {compute: drift, value: vout - first(series(vout)), limit: none}
"""
    )
    found = nodes(plan)
    drift = formula_of(found["steps/drift"])
    assert drift.names == {"vout", "vout@1!"}
    assert drift.series == (("vout@1", "vout@1!"),)
    assert drift.value({"vout": 3.0, "vout@1": [1.0, 3.0]}) == 2.0


NESTED = """
steps:
  - sweep: {t: [25 degC, 85 degC]}
    each:
      - {measure: actual, from: chamber.temperature, limit: none}
      - sweep: {v: [1 V, 2 V]}
        each:
          - {measure: vout, from: dmm.voltage_dc, limit: none}
      - {compute: late, value: mean(vout), limit: none}
"""


def test_a_series_of_a_nested_loop_is_handed_outwards(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(NESTED + "  - {compute: m, value: max(vout), limit: none}\n")
    found = nodes(plan)
    outer, inner = slots_of(found["steps/sweep#1"]), slots_of(found["steps/sweep#2"])
    assert inner.accumulators == {"vout@2": ("vout", False)}
    assert inner.extends == [("vout@2", "vout@2@1")]
    assert outer.collected == {"vout@2@1": False}
    assert outer.accumulators == {}
    assert formula_of(found["steps/late"]).names == {"vout@2"}
    assert formula_of(found["steps/m"]).names == {"vout@2@1"}


def test_an_outer_axis_is_put_against_inner_readings_row_by_row(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(NESTED + "  - {compute: s, value: 'slope(vout, t)', limit: none}\n")
    found = nodes(plan)
    outer, inner = slots_of(found["steps/sweep#1"]), slots_of(found["steps/sweep#2"])
    assert inner.accumulators["t@2"] == ("t", False)
    assert ("t@2", "t@2@1") in inner.extends
    assert "t@2@1" in outer.collected
    assert formula_of(found["steps/s"]).names == {"vout@2@1", "t@2@1"}


def test_an_outer_axis_against_outer_values_has_a_row_a_point(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(NESTED + "  - {compute: s, value: 'slope(late, t)', limit: none}\n")
    assert formula_of(nodes(plan)["steps/s"]).names == {"late@1", "t@1"}
    assert slots_of(nodes(plan)["steps/sweep#2"]).extends == []


def test_a_value_measured_before_the_inner_loop_is_aligned_too(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(NESTED + "  - {compute: s, value: 'slope(vout, actual)', limit: none}\n")
    found = nodes(plan)
    assert formula_of(found["steps/s"]).names == {"vout@2@1", "actual@2@1"}
    binding: Any = found["steps/actual"].action
    assert "actual@2" not in binding.binding.accumulators


def test_axes_of_one_product_are_aligned(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(
        """
steps:
  - sweep: {t: [1, 2], v: [1 V, 2 V]}
    each:
      - {measure: vout, from: dmm.voltage_dc, limit: none}
  - {compute: at, value: 'nearest(vout, t, 2) + slope(vout, v) * 1 V', limit: none}
"""
    )
    slots = slots_of(nodes(plan)["steps/sweep#1"])
    assert set(slots.accumulators) == {"t@1", "v@1", "vout@1"}
    assert not slots.collected


def test_a_series_made_under_a_condition_is_handed_outwards_once(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(
        """
parameters: {deep: {default: off}}
steps:
  - sweep: {t: [1, 2]}
    each:
      - sweep: {v: [1 V, 2 V]}
        when: deep
        each:
          - {measure: vout, from: dmm.voltage_dc, limit: none}
      - {compute: n, value: 'mean(vout) if defined(vout) else 0 V', limit: none}
  - {compute: a, value: 'mean(vout)', limit: none}
  - {compute: b, value: 'max(vout)', limit: none}
"""
    )
    assert slots_of(nodes(plan)["steps/sweep#2"]).extends == [("vout@2", "vout@2@1")]


def test_the_same_axis_name_may_be_swept_again(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(
        """
steps:
  - sweep: {v: [1 V]}
    each: [{measure: a, from: dmm.voltage_dc, limit: none}]
  - sweep: {v: [2 V]}
    each: [{measure: b, from: dmm.voltage_dc, limit: none}]
  - {compute: s, value: 'slope(b, v)', limit: none}
"""
    )
    assert formula_of(nodes(plan)["steps/s"]).names == {"b@2", "v~2@2"}


def test_a_repeat_counts_its_rounds(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(
        """
steps:
  - repeat: 5
    until: vout > 1 V * iteration
    each: [{measure: vout, from: dmm.voltage_dc, limit: none}]
  - {compute: m, value: mean(vout), limit: none}
"""
    )
    action: Any = nodes(plan)["steps/repeat#1"].action
    assert (action.count, action.most, action.iteration_slot) == (5.0, 5, "iteration")
    assert action.until.names == {"vout", "iteration"}
    assert formula_of(nodes(plan)["steps/m"]).type.kind is Kind.NUMBER


def test_changed_asks_for_its_axis_only(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(
        """
steps:
  - sweep: {t: [1, 2], v: [1 V, 2 V]}
    each:
      - {wait: 1 s, when: changed(t)}
"""
    )
    action: Any = nodes(plan)["steps/sweep#1"].action
    assert list(action.changed) == [("t", "changed:t")]


def test_the_values_so_far_are_collected_for_a_text_as_well(compiled: Compile, nodes: Nodes) -> None:
    text = FLAT.replace(
        "limit: none}\n      - {measure: iout",
        "limit: none}\n      - log: 'so far {{ series(vout) }}'\n      - {measure: iout",
    )
    found = nodes(compiled(text))
    action: Any = (
        found["steps/log#1"].action
        if "steps/log#1" in found
        else next(node.action for node in found.values() if node.verb == "log")
    )
    assert action.text.series == (("vout@1", "vout@1!"),)
    assert slots_of(found["steps/sweep#1"]).accumulators == {"vout@1": ("vout", False)}
    assert action.text.value({"vout@1": [1.5, 2.0]}) == "so far 1.5, 2"
