"""What a sequence becomes: ids, order, units, what is held and claimed, what is inherited, digests."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.errors import EvaluationFailed
from engine.plan.compile import compile_plan
from engine.plan.drivers import check_driver
from engine.plan.model import CallAction, ComputeAction, GroupAction, LetAction, MeasureAction, Node, Plan, SetAction
from schemas.diagnostics import InvalidFiles, Problems, render
from schemas.library import Library
from schemas.loading import load, load_text

Compile = Callable[..., Plan]
Nodes = Callable[[Plan], dict[str, Node]]
MEASURE = "  - {measure: vout, from: dmm.voltage_dc, limit: none}\n"


# --- ids and order


def test_a_node_is_named_by_id_else_measured_name_else_verb_and_ordinal(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(
        """
setup:
  - set: {psu.voltage: 3 V, chamber.setpoint: 25 degC, psu.output: on}
steps:
  - wait: 1 s
  - {id: soak, wait: 2 s}
  - wait: 3 s
  - {measure: vout, from: dmm.voltage_dc, limit: none}
  - {compute: twice, value: 2 * vout, limit: none}
  - group: heat
    setup: [{wait: 1 s}]
    steps: [{wait: 1 s, retry: {times: 1, remedy: [{wait: 1 s}]}}]
    cleanup: [{wait: 1 s}]
  - if: vout > 3 V
    then: [{wait: 1 s}]
    else: [{wait: 1 s}]
  - parallel: [[{wait: 1 s}], [{wait: 1 s}]]
  - call: inner
    with: {must: 1 V}
  - call: inner
    with: {must: 2 V}
cleanup:
  - set: {psu.output: off}
"""
    )
    assert list(nodes(plan)) == [
        "setup/set#1/psu", "setup/set#1/chamber", "setup/set#1/psu#2",
        "steps/wait#1", "steps/soak", "steps/wait#2", "steps/vout", "steps/twice",
        "steps/group#1", "steps/group#1/setup/wait#1", "steps/group#1/steps/wait#1",
        "steps/group#1/steps/wait#1/remedy/wait#1", "steps/group#1/cleanup/wait#1",
        "steps/if#1", "steps/if#1/then/wait#1", "steps/if#1/else/wait#1",
        "steps/parallel#1", "steps/parallel#1/1/wait#1", "steps/parallel#1/2/wait#1",
        "steps/inner", "steps/inner/steps/level_read", "steps/inner#2", "steps/inner#2/steps/level_read",
        "cleanup/set#1",
    ]  # fmt: skip


def test_a_loop_without_an_id_leaves_no_trace_in_the_ids_of_its_steps(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(
        """
steps:
  - sweep: {t: [1, 2]}
    each:
      - wait: 1 s
      - {measure: vout, from: dmm.voltage_dc, limit: none}
  - id: again
    sweep: {t: [1, 2]}
    each:
      - {measure: iout, from: dmm.current_dc, limit: none}
"""
    )
    assert list(nodes(plan)) == ["steps/sweep#1", "steps/wait#1", "steps/vout", "steps/again", "steps/again/iout"]


def test_adding_a_step_leaves_the_ids_of_named_steps_alone(compiled: Compile, nodes: Nodes) -> None:
    assert "steps/vout" in nodes(compiled("steps:\n" + MEASURE))
    assert "steps/vout" in nodes(compiled("steps:\n  - wait: 1 s\n" + MEASURE))


_LEAF = st.sampled_from(["wait: 1 s", "set: {psu.voltage: 1 V, chamber.setpoint: 25 degC}", "log: hello"])


def _steps(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    body = st.lists(leaf, min_size=1, max_size=3)
    number = st.integers(1, 3)
    return st.one_of(
        st.builds(lambda n, each: f"repeat: {n}\neach: {_flow(each)}", number, body),
        st.builds(
            lambda n, each: f"sweep: {{a: {[*range(n)]}}}\neach: {_flow(each)}".replace("a:", "AXIS:", 1), number, body
        ),
        st.builds(lambda each, late: f"group: g\nsetup: {_flow(each)}\ncleanup: {_flow(late)}", body, body),
        st.builds(lambda yes, no: f"if: elapsed > 1 s\nthen: {_flow(yes)}\nelse: {_flow(no)}", body, body),
    )


def _flow(steps: list[str]) -> str:
    """Steps in block form, to be put behind a key."""
    items = "".join("\n  - " + step.replace("\n", "\n    ") for step in steps)
    return items or " []"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.recursive(_LEAF, _steps, max_leaves=12), min_size=1, max_size=4))
def test_the_order_of_all_nodes_at_all_points_counts_up_as_written(
    compiled: Compile, orders: Callable[[Plan], list[int]], steps: list[str]
) -> None:
    text = "steps:" + _flow(steps) + "\n"
    for number in range(text.count("AXIS")):
        text = text.replace("AXIS", f"axis_{number}", 1)
    plan = compiled(text)
    found = orders(plan)
    assert found == sorted(set(found))
    assert found[-1] < plan.size


def test_a_search_leaves_room_for_all_its_points(compiled: Compile, orders: Callable[[Plan], list[int]]) -> None:
    plan = compiled(
        """
steps:
  - sweep:
      t: [1, 2, 3]
      v: {find: {from: 0 V, to: 8 V, within: 0.1 V, where: vout > 3 V}}
    each:
      - {measure: vout, from: dmm.voltage_dc, limit: none}
  - wait: 1 s
"""
    )
    search = plan.root.steps.nodes[0].action.search  # type: ignore[union-attr]
    assert search is not None
    assert search.most >= 2 + math.ceil(math.log2(80))
    found = orders(plan)
    assert found == sorted(set(found))


def test_after_makes_a_graph_and_the_rest_stays_a_list(compiled: Compile) -> None:
    plan = compiled(
        """
steps:
  - {id: a, wait: 1 s}
  - {id: b, set: {psu.voltage: 1 V, chamber.setpoint: 25 degC}, after: []}
  - {id: c, wait: 3 s}
  - {id: d, wait: 4 s, after: [a, c]}
"""
    )
    assert [node.id for node in plan.root.steps.nodes] == [
        "steps/a", "steps/b/psu", "steps/b/chamber", "steps/c", "steps/d",
    ]  # fmt: skip
    assert plan.root.steps.waits == ((), (), (1,), (2,), (0, 3))


def test_a_list_without_after_waits_for_the_step_above(compiled: Compile) -> None:
    assert compiled("steps:\n  - wait: 1 s\n  - wait: 2 s\n").root.steps.waits is None


# --- units


@pytest.mark.parametrize(
    ("unit", "expression", "wanted"),
    [
        ("", "vout / iout", "Ohm"),
        ("Ohm", "vout / iout", "Ohm"),
        ("mW", "vout * iout", "mW"),
        ("", "vout - 10 mV", "V"),
        ("'%'", "vout / 3.3 V", "%"),
        ("", "2 * 3", ""),
    ],
)
def test_the_unit_of_a_computed_value_follows(compiled: Compile, unit: str, expression: str, wanted: str) -> None:
    plan = compiled(
        f"""
steps:
  - {{measure: vout, from: dmm.voltage_dc, limit: none}}
  - {{measure: iout, from: dmm.current_dc, limit: none}}
  - compute: x
    value: {expression}
    limit: none
{f"    unit: {unit}" if unit else ""}
"""
    )
    action = plan.root.steps.nodes[-1].action
    assert isinstance(action, ComputeAction)
    assert action.unit is not None
    assert action.unit.symbol == wanted


def test_a_reading_is_converted_to_the_unit_asked_for(compiled: Compile) -> None:
    plan = compiled(
        "steps:\n  - {measure: vout, from: dmm.voltage_dc, unit: mV, limit: {max: 3.4 V}}\n"
        + MEASURE.replace("vout", "v")
    )
    first, second = (node.action for node in plan.root.steps.nodes)
    assert isinstance(first, MeasureAction)
    assert isinstance(second, MeasureAction)
    assert first.convert == pytest.approx((1000.0, 0.0))
    assert second.convert is None
    assert first.limit is not None
    assert first.limit.fixed is not None
    assert first.limit.fixed.high == pytest.approx(3400.0)


def test_a_value_keeps_the_unit_of_its_field(compiled: Compile) -> None:
    plan = compiled("steps:\n  - set: {chamber.setpoint: 85 degC, psu.current_limit: 50 mA, psu.output: on}\n")
    values = [write.value for node in plan.root.steps.nodes for write in node.action.writes]  # type: ignore[union-attr]
    assert values == [85.0, 0.05, True]


def test_an_expression_over_parameters_is_known_before_the_run(compiled: Compile) -> None:
    text = "parameters: {vin: {default: 5 V, max: 6 V}}\nsteps:\n  - set: {psu.voltage: '{{ vin * 2 }}'}\n"
    for parameters, wanted in (({}, 10.0), ({"vin": "500 mV"}, 1.0), ({"vin": "3"}, 6.0)):
        action = compiled(text, parameters=parameters).root.steps.nodes[0].action
        assert isinstance(action, SetAction)
        assert action.writes[0].value == pytest.approx(wanted)


@pytest.mark.parametrize("text", ["7 V", "nan", "inf", "5 A", "fast", ""])
def test_a_parameter_that_cannot_be_is_refused(compiled: Compile, text: str) -> None:
    with pytest.raises(InvalidFiles) as caught:
        compiled("parameters: {vin: {default: 5 V, max: 6 V}}\nsteps:\n  - wait: 1 s\n", parameters={"vin": text})
    assert [str(found.span.source.name) for found in caught.value.problems if found.span] == ["--param"]


def test_a_secret_parameter_is_not_shown_in_messages(compiled: Compile) -> None:
    text = "parameters: {pin: {unit: V, max: 1 V, secret: true}}\nsteps:\n  - wait: 1 s\n"
    for value in ("1234 V", "12 A"):
        with pytest.raises(InvalidFiles) as caught:
            compiled(text, parameters={"pin": value})
        assert "12" not in str(caught.value)


def test_files_can_be_checked_without_giving_all_parameters(compiled: Compile) -> None:
    text = "parameters: {vin: {unit: V}}\nsteps:\n  - set: {psu.voltage: '{{ vin }}'}\n"
    assert compiled(text, complete=False).parameters == ()
    with pytest.raises(InvalidFiles, match="has no default"):
        compiled(text)


# --- what is taken, held, inherited


def test_a_set_claims_what_it_writes_and_what_its_condition_reads(compiled: Compile) -> None:
    plan = compiled("steps:\n  - {set: {psu.voltage: 1 V}, until: dmm.voltage_dc > 0.9 V, timeout: 5 s}\n")
    node = plan.root.steps.nodes[0]
    assert [(claim.resource, claim.per_site) for claim in node.claims] == [("dmm", False), ("psu", True)]
    assert [(hold.resource, hold.kind) for hold in node.holds] == [("psu", "drive")]


def test_a_shared_setpoint_is_held_as_a_mode(compiled: Compile) -> None:
    holds = compiled("steps:\n  - set: {chamber.setpoint: 25 degC}\n").root.steps.nodes[0].holds
    assert [(hold.resource, hold.kind, hold.property) for hold in holds] == [("chamber", "mode", "setpoint")]


def test_a_group_holds_instruments_and_plain_resources(compiled: Compile) -> None:
    plan = compiled("steps:\n  - {group: g, hold: [dmm, cart], steps: [{wait: 1 s}]}\n")
    action = plan.root.steps.nodes[0].action
    assert isinstance(action, GroupAction)
    assert [claim.resource for claim in action.block.hold] == ["cart", "dmm"]


def test_a_net_is_connected_at_each_site_before_it_is_read(compiled: Compile) -> None:
    plan = compiled("steps:\n  - {measure: vout, at: VOUT, limit: none}\n")
    node = plan.root.steps.nodes[0]
    assert isinstance(node.action, MeasureAction)
    assert (node.action.net, node.action.pin) == ("VOUT", "TP3")
    assert dict(node.action.routes[0].values) == {"A": "one", "B": "two"}  # type: ignore[union-attr]
    assert [claim.resource for claim in node.claims] == ["box", "dmm"]


def test_defaults_are_inherited_and_the_nearest_wins(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(
        """
defaults: {timeout: 10 s, on_fail: stop, tags: [slow], retry: {times: 2}, uses: [cart]}
steps:
  - wait: 1 s
  - {wait: 1 s, timeout: 3 s, once: true}
  - group: g
    defaults: {timeout: 20 s, on_fail: continue}
    steps:
      - wait: 1 s
"""
    )
    first, second, group, inner = nodes(plan).values()
    assert (first.timeout_s, first.on_fail, first.tags) == (10.0, "stop", ("slow",))
    assert first.retry is not None
    assert [claim.resource for claim in first.claims] == ["cart"]
    assert (second.timeout_s, second.retry, second.on_resume) == (3.0, None, "ask")
    assert (group.timeout_s, group.retry, group.claims) == (None, None, ())
    assert (inner.timeout_s, inner.on_fail) == (20.0, "continue")


# --- names


def test_a_working_value_may_be_assigned_again_in_its_first_unit(compiled: Compile) -> None:
    plan = compiled("steps:\n  - let: {x: 1 V}\n  - let: {x: 20 mV}\n  - let: {x: '{{ x + 5 mV }}', y: off}\n")
    lets = [node.action for node in plan.root.steps.nodes]
    assert all(isinstance(action, LetAction) for action in lets)
    slots = [binding.slot for action in lets for binding, _ in action.items]  # type: ignore[union-attr]
    values = [value for action in lets for _, value in action.items]  # type: ignore[union-attr]
    assert slots == ["x", "x", "x", "y"]
    assert values[:2] == [1.0, 0.02]
    assert values[2].value({"x": 1.0}) == pytest.approx(1.005)
    assert values[3] is False


def test_exclusive_arms_share_a_slot(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(
        """
steps:
  - if: elapsed > 1 s
    then:
      - {measure: x, from: dmm.voltage_dc, limit: none}
      - sweep: {a: [1, 2]}
        each: [{measure: y, from: dmm.voltage_dc, limit: none}]
    else:
      - if: elapsed > 2 s
        then: [{wait: 1 s}]
        else: [{wait: 1 s}]
      - {compute: x, value: 3 V, limit: none}
      - sweep: {b: [1, 2]}
        each: [{compute: y, value: 1 V * b, limit: none}]
  - {compute: z, value: x + mean(y), limit: none}
"""
    )
    found = nodes(plan)
    one, other = found["steps/if#1/then/x"], found["steps/if#1/else/x"]
    assert one.binds == other.binds == ("x",)
    loops = [found["steps/if#1/then/sweep#1"].action, found["steps/if#1/else/sweep#1"].action]
    series = [set(loop.slots.accumulators) for loop in loops]  # type: ignore[union-attr]
    assert series[0] == series[1]
    formula = found["steps/z"].action.formula  # type: ignore[union-attr]
    assert formula.names == {"x", *series[0]}


def test_a_call_has_its_own_names_and_gives_out_what_is_stored(compiled: Compile, nodes: Nodes) -> None:
    plan = compiled(
        """
parameters: {level: {default: 4 V}}
steps:
  - call: inner
    roles: {dmm: dmm}
    with: {must: "{{ level / 2 }}", level: "{{ elapsed / 1 s * 1 V }}"}
    store: {read: level_read}
  - {compute: twice, value: 2 * read, limit: none}
"""
    )
    call = plan.root.steps.nodes[0].action
    assert isinstance(call, CallAction)
    assert call.constants["must"] == 2.0
    assert [slot for slot, _ in call.arguments] == ["level", "must"]
    assert [(binding.slot, inner) for binding, inner in call.store] == [("read", "level_read")]
    assert plan.root.steps.nodes[0].binds == ("read",)


def test_an_argument_known_only_in_the_run_is_held_to_its_bounds_then(compiled: Compile) -> None:
    plan = compiled("steps:\n  - call: inner\n    with: {must: 1 V, level: '{{ elapsed / 1 s * 1 V }}'}\n")
    call = plan.root.steps.nodes[0].action
    assert isinstance(call, CallAction)
    formula: Any = dict(call.arguments)["level"]
    assert formula.value({"elapsed": 4.0}) == 4.0
    with pytest.raises(EvaluationFailed, match="`level` is 7 V; allowed: 0 … 5 V"):
        formula.value({"elapsed": 7.0})


def test_limits_of_a_chosen_set_override(compiled: Compile) -> None:
    text = "limits: {vout: {max: 3.4 V}}\nlimit_sets: {wide: {vout: {max: 4 V}}}\nsteps:\n" + MEASURE.replace(
        ", limit: none", ""
    )
    for chosen, high in ((None, 3.4), ("wide", 4.0)):
        action = compiled(text, limit_set=chosen).root.steps.nodes[0].action
        assert isinstance(action, MeasureAction)
        assert action.limit is not None
        assert action.limit.fixed is not None
        assert action.limit.fixed.high == high
    with pytest.raises(InvalidFiles, match="no set of limits `wied`"):
        compiled(text, limit_set="wied")


def test_a_skipped_reading_names_the_step_that_would_have_given_it(compiled: Compile) -> None:
    plan = compiled("steps:\n" + MEASURE + "  - {compute: x, value: 2 * vout, limit: none}\n")
    formula = plan.root.steps.nodes[1].action.formula  # type: ignore[union-attr]
    with pytest.raises(Exception, match="steps/vout"):
        formula.value({})


# --- digests


def test_the_procedure_digest_ignores_parameters_and_the_plan_digest_does_not(compiled: Compile) -> None:
    text = "parameters: {vin: {default: 5 V}}\nsteps:\n  - set: {psu.voltage: '{{ vin }}'}\n"
    plain = compiled(text)
    other = compiled(text, parameters={"vin": "3 V"})
    seeded = compiled(text, seed=5)
    assert plain.procedure_digest == other.procedure_digest == seeded.procedure_digest
    assert plain.plan_digest == seeded.plan_digest != other.plan_digest
    assert compiled(text.replace("5 V", "6 V")).procedure_digest == plain.procedure_digest
    assert compiled(text + "  - wait: 1 s\n").procedure_digest != plain.procedure_digest


def test_the_order_of_writes_and_axes_is_part_of_the_procedure(compiled: Compile) -> None:
    one = compiled("steps:\n  - set: {psu.voltage: 1 V, psu.output: on}\n")
    other = compiled("steps:\n  - set: {psu.output: on, psu.voltage: 1 V}\n")
    assert one.procedure_digest != other.procedure_digest
    body = "\n    each:\n      - wait: 1 s\n"
    one = compiled("steps:\n  - sweep: {a: [1, 2], b: [3, 4]}" + body)
    other = compiled("steps:\n  - sweep: {b: [3, 4], a: [1, 2]}" + body)
    assert one.procedure_digest != other.procedure_digest


def test_the_plan_digest_depends_on_the_station_but_not_on_its_seed(compiled: Compile, library: Library) -> None:
    found = library.find("station", "bench")
    assert found is not None
    text = found.path.read_text()
    digests = {
        compiled("steps:\n  - wait: 1 s\n", bench=load_text(text + extra, "bench.yaml", "station")).plan_digest
        for extra in ("", "world: {model: ldo, seed: 3}\n", "world: {model: ldo, seed: 4}\n")
    }
    assert len(digests) == 2


# --- whatever is wrong


ROOT = Path(__file__).parents[3]
LIBRARY = Library(ROOT)
SHIPPED = sorted((ROOT / "sequences").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_sequence_compiles_without_a_warning(path: Path) -> None:
    problems = Problems()
    station = load(ROOT / "stations" / "sim_bench.yaml", "station")
    compile_plan(load(path, "sequence"), station, Library(ROOT), ROOT, problems=problems)
    assert not len(problems)


BENCH = ROOT / "stations" / "sim_bench.yaml"
_MUTATION = st.tuples(
    st.sampled_from(["drop", "double", "rename", "swap", "break"]), st.integers(0, 10_000), st.integers(0, 10_000)
)


def mutated(path: Path, mutations: list[tuple[str, int, int]]) -> str:
    """A shipped file with lines dropped, doubled, renamed, given each other's values, or broken."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for kind, one, two in mutations:
        first, second = one % len(lines), two % len(lines)
        match kind:
            case "drop" if len(lines) > 1:
                del lines[first]
            case "double":
                lines.insert(first, lines[second])
            case "rename":
                lines[first] = re.sub(r"[a-z_]+", "x_new", lines[first], count=1 + two % 2)
            case "swap":
                head, colon, _ = lines[first].partition(": ")
                lines[first] = head + colon + lines[second].partition(": ")[2]
            case "break":
                at = two % (len(lines[first]) + 1)
                lines[first] = lines[first][:at] + "0 V-{["[two % 6] + lines[first][at:]
    return "\n".join(lines) + "\n"


def told(sequence: Path | str, station: Path | str, library: Library) -> Problems:
    """What is told of two files, of which one may be a text; raises nothing."""
    problems = Problems()
    try:
        loaded = [
            load(file, kind) if isinstance(file, Path) else load_text(file, f"{kind}.yaml", kind)  # type: ignore[arg-type]
            for file, kind in ((sequence, "sequence"), (station, "station"))
        ]
        compile_plan(loaded[0], loaded[1], library, ROOT, problems=problems)
    except InvalidFiles as invalid:
        problems.extend(invalid.problems)
        assert problems.errors
    return problems


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SHIPPED), st.lists(_MUTATION, min_size=1, max_size=4))
def test_a_mutated_sequence_compiles_or_is_told_with_places(path: Path, mutations: list[tuple[str, int, int]]) -> None:
    found = told(mutated(path, mutations), BENCH, LIBRARY)
    assert all(one.span is not None for one in found)
    assert render(found)


@settings(max_examples=100, deadline=None)
@given(st.lists(_MUTATION, min_size=1, max_size=4))
def test_a_mutated_station_binds_or_is_told_with_places(mutations: list[tuple[str, int, int]]) -> None:
    found = told(ROOT / "sequences" / "ldo_tempco.yaml", mutated(BENCH, mutations), LIBRARY)
    assert all(one.span is not None for one in found)
    assert render(found)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted((ROOT / "stations" / "drivers").glob("*.yaml"))), st.lists(_MUTATION, min_size=1, max_size=4)
)
def test_a_mutated_driver_loads_or_is_told_with_places(path: Path, mutations: list[tuple[str, int, int]]) -> None:
    problems = Problems()
    try:
        check_driver(load_text(mutated(path, mutations), "driver.yaml", "driver"), problems)
    except InvalidFiles as invalid:
        problems.extend(invalid.problems)
    assert all(one.span is not None for one in problems)
