"""Rows that have one name, phases that never ended, bounds that decide."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from engine.present import values
from engine.present.names import told_apart
from engine.present.steps import step_rows
from schemas.documents import Outcome

GUARDED = '{"kind":"band","low":3.234,"high":3.366,"guardband":0.0066,"accept_low":3.2406,"accept_high":3.3594}'


@dataclass
class Node:
    node: str
    finished: float | None = 1.0
    outcome: Outcome | None = Outcome.PASS
    final: bool = True
    unit: int = 0
    attempt: int = 1
    kind: str = "measure"
    title: str = ""
    started: float = 0.0
    waited: float = 0.0
    message: str = ""


def test_a_name_has_just_as_much_of_its_place_as_it_needs() -> None:
    rows = [
        (0, "steps/vout", "vout"),
        (0, "steps/call#1/steps/iq", "iq"),
        (0, "steps/call#2/steps/iq", "iq"),
        (0, "steps/check#1", "check#1"),
        (0, "cleanup/check#1", "check#1"),
        (1, "steps/vout", "vout"),
    ]
    names = ["vout", "call#1/iq", "call#2/iq", "steps/check#1", "cleanup/check#1", "vout"]
    assert told_apart(rows) == names
    assert told_apart(rows[1:2], " / ") == ["iq"]


def test_a_step_that_never_ended_leaves_all_around_it_unended() -> None:
    nodes = [
        Node("setup/psu", outcome=Outcome.DONE),
        Node("steps/g", None, None, started=2.0),
        Node("steps/g/setup/log", started=2.0),
        Node("steps/g/steps/v", started=3.0),
    ]
    found = {"/".join(row.path): row.status for row in step_rows(nodes, unfinished={0})}
    assert found == {
        "setup": "done", "setup/psu": "done", "steps": "interrupted", "steps/g": "interrupted", "steps/g/setup": "pass",
        "steps/g/setup/log": "pass", "steps/g/steps": "interrupted", "steps/g/steps/v": "pass",
    }  # fmt: skip


def test_a_phase_that_lost_its_last_steps_is_not_green() -> None:
    nodes = [Node("setup/psu", outcome=Outcome.DONE), Node("steps/v", started=2.0)]
    assert [row.status for row in step_rows(nodes, unfinished={0})] == ["done", "done", "interrupted", "pass"]
    assert [row.status for row in step_rows(nodes, unfinished={0}, gone="running")][2] == "running"
    assert [row.status for row in step_rows(nodes)] == ["done", "done", "pass", "pass"]


def test_what_was_only_in_a_discarded_attempt_takes_nothing_from_its_phase() -> None:
    nodes = [Node("steps/v", outcome=Outcome.FAIL, final=False), Node("steps/w")]
    assert [(row.label, row.status) for row in step_rows(nodes)] == [
        ("steps", "pass"), ("v", "discarded"), ("w", "pass"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "said"),
    [(3.3, ""), (3.366, "inside the guard band"), (3.2341, "inside the guard band"), (3.4, ""), ("text", "")],
)
def test_only_a_value_between_the_two_is_inside_the_guard_band(value: float | str, said: str) -> None:
    assert values.inside_guard(value, 3.234, 3.366, GUARDED) == said


def test_a_value_beside_an_accepted_bound_reads_on_its_own_side_of_it() -> None:
    assert values.judged(3.35940001, "V", 3.234, 3.366, GUARDED, -1e-8).value == "3.35940001 V"


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [
        ('{"kind":"equals","value":0.3}', 0.30000001, ("0.30000001 V", "= 0.3 V")),
        ('{"kind":"equals","value":0.3}', 0.3, ("0.3 V", "= 0.3 V")),
        ('{"kind":"equals","value":1000000.5}', 1000000.25, ("1.00000025 MV", "= 1.0000005 MV")),
        ('{"kind":"one_of","values":[1.0,2.0]}', 2.0000004, ("2.0000004 V", "one of 1 V, 2 V")),
        ('{"kind":"equals","value":"on"}', 3.0, ("3 V", "= on")),
    ],
)
def test_a_number_that_is_not_equal_does_not_read_equal(limit: str, value: float, said: tuple[str, str]) -> None:
    shown = values.judged(value, "V", None, None, limit, None)
    assert (shown.value, shown.limit) == said
