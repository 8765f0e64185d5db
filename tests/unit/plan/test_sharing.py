"""What units could wait for without end is told before a run; what they may need at most is worked out for the locks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.plan.model import BarrierAction, Plan, ReleaseAction
from engine.plan.needs import PlanNeeds
from schemas.diagnostics import InvalidFiles
from schemas.loading import load_text

Rack = Callable[..., Plan]
STATION = """
station: rack
clock: virtual
sites: [A, B]
defaults: {backend: sim}
instruments:
  chamber: {driver: oven, shared: setpoint}
  psu: {driver: supply}
  load: {driver: supply, per_site: true}
  dmm: {driver: meter}
resources:
  mux: {capacity: 2}
  lane: {capacity: 1}
"""
HEAD = "sequence: demo\nneeds: {chamber: thermal_chamber, psu: power_supply, load: power_supply, dmm: multimeter}\n"


@pytest.fixture
def rack(compiled: Any) -> Rack:
    station = load_text(STATION.lstrip(), "rack.yaml", "station")
    return lambda text: compiled(text, HEAD, bench=station)


def codes(rack: Rack, text: str) -> list[str]:
    try:
        rack(text)
    except InvalidFiles as invalid:
        return [problem.code for problem in invalid.problems]
    return []


DRIVE = "  - set: {psu.voltage: 5 V}\n"
SOAK = "  - set: {chamber.setpoint: 85 degC}\n"


def test_barrier_and_release_become_nodes(rack: Rack) -> None:
    plan = rack("steps:\n  - barrier: all\n    timeout: 2 h\n  - release: [psu, mux, load]\n")
    barrier, release = plan.root.steps.nodes
    assert barrier.action == BarrierAction("all")
    assert barrier.timeout_s == 7200.0
    assert isinstance(release.action, ReleaseAction)
    assert [(claim.resource, claim.per_site) for claim in release.action.claims] == [
        ("psu", False), ("mux", False), ("load", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("steps:\n  - barrier: b\n    when: 'site == \"A\"'\n", "P062"),
        ("steps:\n  - if: 'site == \"A\"'\n    then:\n      - barrier: b\n", "P062"),
        ("steps:\n  - group: g\n    when: 'site == \"A\"'\n    steps:\n      - barrier: b\n", "P062"),
        ("steps:\n  - parallel:\n      - - barrier: b\n      - - wait: 1 s\n", "P063"),
        ("steps:\n  - barrier: b\n    after: []\n  - wait: 1 s\n    after: []\n", "P063"),
        (f"steps:\n{DRIVE}  - barrier: b\n", "P064"),
        (f"setup:\n{DRIVE}steps:\n  - barrier: b\n", "P064"),
        ("steps:\n  - group: g\n    hold: [lane]\n    steps:\n      - barrier: b\n", "P064"),
        (f"steps:\n{SOAK}  - barrier: b\n  - set: {{chamber.setpoint: 25 degC}}\n", "P064"),
        ("steps:\n  - repeat: 2\n    each:\n      - barrier: b\n      - set: {psu.voltage: 5 V}\n", "P064"),
        (
            "steps:\n  - sweep: {t: {values: [25, 85], unit: degC}}\n    each:\n"
            "      - set: {chamber.setpoint: '{{ t }}'}\n      - barrier: b\n",
            "P064",
        ),
        (f"steps:\n  - group: g\n    hold: [chamber]\n    steps:\n      - wait: 1 s\n{SOAK}  - barrier: b\n", "P064"),
        (f"steps:\n{SOAK}  - group: g\n    hold: [chamber]\n    steps:\n      - wait: 1 s\n", "P061"),
        ("steps:\n  - release: [pus]\n", "N005"),
        ("steps:\n  - command: {psu: 'OUTP ON'}\n", "B032"),
    ],
)
def test_what_could_be_waited_for_without_end_is_refused(rack: Rack, text: str, code: str) -> None:
    assert codes(rack, text) == [code]


@pytest.mark.parametrize(
    "text",
    [
        "steps:\n  - barrier: b\n",
        f"steps:\n{DRIVE}  - release: [psu]\n  - barrier: b\n",
        f"steps:\n  - group: g\n    steps:\n    {DRIVE}  - barrier: b\n".replace("    -", "      -", 1).replace("\n  - barrier", "\n  - barrier"),
        "steps:\n  - group: g\n    hold: [mux]\n    steps:\n      - barrier: b\n",
        f"steps:\n{SOAK}  - barrier: all_soaked\n",
        "steps:\n  - set: {load.voltage: 5 V}\n  - barrier: b\n",
        "steps:\n  - repeat: 3\n    each:\n      - barrier: b\n",
        "steps:\n  - group: g\n    hold: [chamber]\n    steps:\n      - set: {chamber.setpoint: 85 degC}\n",
        "steps:\n  - group: g\n    hold: [psu]\n    steps:\n      - command: {psu: 'OUTP ON'}\n",
        "steps:\n  - command: {load: 'OUTP ON'}\n",
    ],
)  # fmt: skip
def test_what_always_comes_to_an_end_is_not_refused(rack: Rack, text: str) -> None:
    assert codes(rack, text) == []


ALONE = "- group: g\n    hold: [chamber]\n    steps:\n      - wait: 1 s\n"


def in_branches(*branches: str) -> str:
    return "steps:\n  - parallel:\n" + "".join(
        f"      - {branch}".replace("\n    ", "\n          ").rstrip() + "\n" for branch in branches
    )


def test_holding_alone_what_another_branch_sets_is_refused(rack: Rack) -> None:
    cold = "- set: {chamber.setpoint: -40 degC}\n"
    assert codes(rack, in_branches(cold, ALONE)) == ["P061"]
    assert codes(rack, in_branches(ALONE, cold)) == ["P061"]
    assert codes(rack, in_branches("- wait: 1 s\n", ALONE)) == []
    inside = "- group: g\n    hold: [chamber]\n    steps:\n      - set: {chamber.setpoint: -40 degC}\n"
    assert codes(rack, in_branches(inside, "- wait: 1 s\n")) == []


def test_holding_alone_what_an_unordered_step_sets_is_refused(rack: Rack) -> None:
    text = "steps:\n  - set: {chamber.setpoint: -40 degC}\n    id: cold\n    after: []\n  " + ALONE
    assert codes(rack, text + "    after: []\n") == ["P061"]
    soaked = (
        "steps:\n  - group: soak\n    id: soak\n    after: []\n    steps:\n      - set: {chamber.setpoint: -40 degC}\n  "
        + ALONE
    )
    assert codes(rack, soaked + "    after: []\n") == ["P061"]
    assert codes(rack, soaked + "    after: [soak]\n") == []


def test_raw_text_after_a_release_is_refused_like_raw_text_outside_the_group(rack: Rack) -> None:
    text = (
        "steps:\n  - group: g\n    hold: [psu]\n    steps:\n      - release: [psu]\n      - command: {psu: 'OUTP ON'}\n"
    )
    assert codes(rack, text) == ["B032"]


def test_a_refusal_names_what_is_held_and_since_where(rack: Rack) -> None:
    with pytest.raises(InvalidFiles) as caught:
        rack(f"steps:\n{DRIVE}  - barrier: all\n")
    [problem] = caught.value.problems
    assert "`psu`" in problem.message
    assert problem.notes
    assert "release: [psu]" in problem.help[0]


# --- needs


def needs(plan: Plan) -> PlanNeeds:
    return PlanNeeds(plan.root, plan.instruments, plan.resources)


def test_the_greatest_need_counts_both_arms_remedies_cleanup_and_the_sum_of_branches(rack: Rack) -> None:
    plan = rack(
        "steps:\n"
        "  - if: 'site == \"A\"'\n    then:\n      - wait: 1 s\n        uses: [lane]\n    else:\n      - measure: a\n        from: dmm.voltage_dc\n        limit: none\n"
        "  - wait: 1 s\n    retry: {times: 1, remedy: [{set: {chamber.setpoint: 25 degC}}]}\n"
        "  - parallel:\n      - - wait: 1 s\n          uses: [mux]\n      - - wait: 1 s\n          uses: [mux]\n      - - wait: 1 s\n          uses: [mux]\n"
        f"cleanup:\n{DRIVE}"
    )  # fmt: skip
    found = needs(plan).root
    assert dict(found.most) == {"lane": 1, "dmm": 1, "chamber": 1, "mux": 2, "psu": 1}
    assert found.modes == {"chamber"}
    assert dict(found.kept) == {"psu": 1}


def test_what_a_group_drives_is_not_kept_outside_it(rack: Rack) -> None:
    plan = rack(f"steps:\n  - group: g\n    hold: [lane]\n    steps:\n    {DRIVE}{SOAK}".replace("    -", "      -", 1))
    found = needs(plan)
    assert dict(found.root.kept) == {}
    assert dict(found.root.most) == {"lane": 1, "psu": 1, "chamber": 1}


def test_what_stands_at_every_site_is_no_need_that_others_could_feel(rack: Rack) -> None:
    plan = rack("steps:\n  - set: {load.voltage: 5 V}\n")
    assert dict(needs(plan).root.most) == {}
