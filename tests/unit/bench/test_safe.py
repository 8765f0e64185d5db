"""The state an instrument is left in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.bench import SafeReport, Target
from engine.core.errors import ConnectionFailed


def supply(fake: SimpleNamespace, **changes: Any) -> Any:
    properties = (
        fake.prop("volt"),
        fake.prop("curr"),
        fake.prop("outp", type="on_off", sharing="drive"),
    )
    safe = [("volt", 0.0), ("curr", 0.1), ("outp", False)]
    return fake.spec("psu", *properties, **{"safe": safe, **changes})


def test_outputs_go_off_first_and_everything_is_read_back(fake: SimpleNamespace) -> None:
    rig = fake.rig(supply(fake))
    assert rig.bench.make_safe(0, "psu") == SafeReport("psu", True, "")
    assert rig.psu.take() == ["OUTP OFF", "VOLT 0", "CURR 0.1", "OUTP?", "VOLT?", "CURR?"]


def test_safe_writes_are_never_left_out(fake: SimpleNamespace) -> None:
    rig = fake.rig(supply(fake))
    for _ in range(2):
        rig.bench.make_safe(0, "psu")
        assert rig.psu.take()[:3] == ["OUTP OFF", "VOLT 0", "CURR 0.1"]


def test_what_reads_back_otherwise_is_not_verified(fake: SimpleNamespace) -> None:
    rig = fake.rig(supply(fake))
    rig.psu.deaf = {"OUTP"}
    rig.psu.state["OUTP"] = "1"
    report = rig.bench.make_safe(0, "psu")
    assert report == SafeReport("psu", False, "psu.outp should be off and reads on")
    assert rig.bench.apply(0, Target("psu", "", "outp"), False)  # not taken for known


def test_after_a_failure_the_remaining_values_are_tried(fake: SimpleNamespace) -> None:
    rig = fake.rig(supply(fake))
    rig.psu.failing = {"OUTP"}
    report = rig.bench.make_safe(0, "psu")
    assert report.verified is False
    assert report.message == "psu.outp could not be set to off: psu dropped `OUTP OFF`"
    assert rig.psu.state == {"VOLT": "0", "CURR": "0.1"}


def test_an_instrument_that_answers_nothing_does_not_raise(fake: SimpleNamespace) -> None:
    rig = fake.rig(supply(fake))

    def broken(command: str) -> None:
        raise ZeroDivisionError("a backend's own fault")

    rig.psu.on_write = broken
    report = rig.bench.make_safe(0, "psu")
    assert report.verified is False
    assert "ZeroDivisionError: a backend's own fault" in report.message


def test_an_instrument_that_is_not_open_does_not_raise(fake: SimpleNamespace) -> None:
    rig = fake.rig(supply(fake), opened=False)
    assert rig.bench.make_safe(0, "psu").verified is False


@pytest.mark.parametrize(
    ("reply", "verified"), [("0.10005", True), ("0.09995", True), ("0.102", False), ("9.91E37", False), ("?", False)]
)
def test_a_number_may_come_back_rounded(fake: SimpleNamespace, reply: str, verified: bool) -> None:
    rig = fake.rig(supply(fake, safe=[("curr", 0.1)]))
    rig.psu.scripted["CURR?"] = [reply]
    assert rig.bench.make_safe(0, "psu").verified is verified


def test_what_cannot_be_read_back_is_neither_verified_nor_failed(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", get=None), safe=[("volt", 0.0)]))
    assert rig.bench.make_safe(0, "psu") == SafeReport("psu", None, "psu.volt cannot be read back")


def test_what_cannot_be_read_back_and_was_refused_is_not_verified(fake: SimpleNamespace) -> None:
    one = fake.spec("psu", fake.prop("volt", get=None), safe=[("volt", 0.0)], error_query="ERR?", error_ok="^0,")
    rig = fake.rig(one, prepare=lambda session: session.state.update(ERR="0,ok"))
    rig.psu.scripted["ERR?"] = ["-113,Undefined header", "0,ok"]
    report = rig.bench.make_safe(0, "psu")
    assert report.verified is False
    assert "psu reports -113,Undefined header" in report.message


def test_without_a_safe_state_nothing_is_sent(fake: SimpleNamespace) -> None:
    rig = fake.rig(supply(fake, safe=[]))
    assert rig.bench.make_safe(0, "psu").verified is None
    assert rig.psu.take() == []


def test_a_mock_cannot_verify_a_safe_state(fake: SimpleNamespace) -> None:
    output = Target("psu", "", "outp")
    rig = fake.rig(supply(fake), mocks={output: False})
    rig.psu.deaf = {"OUTP"}
    rig.psu.state["OUTP"] = "1"
    assert rig.bench.make_safe(0, "psu").verified is False


def test_nothing_puts_an_output_on_again_after_it_was_made_safe(fake: SimpleNamespace) -> None:
    rig = fake.rig(supply(fake))
    rig.bench.restore(0, "psu")
    rig.bench.apply(0, Target("psu", "", "outp"), True)
    rig.bench.make_safe(0, "psu")
    rig.psu.take()
    assert not rig.bench.restore(0, "psu")
    assert rig.psu.take() == []


def test_another_unit_gets_its_own_values_after_a_neighbour_was_made_safe(fake: SimpleNamespace) -> None:
    rig = fake.rig(supply(fake), sites={0: "A", 1: "B"})
    rig.bench.restore(1, "psu")
    rig.bench.apply(1, Target("psu", "", "volt"), 3.3)
    rig.bench.make_safe(0, "psu")
    rig.psu.take()
    assert rig.bench.restore(1, "psu")
    assert "VOLT 3.3" in rig.psu.take()


def test_a_safe_value_that_a_later_one_disturbs_is_written_again(fake: SimpleNamespace) -> None:
    properties = (
        fake.prop("mode", resets=("outp",)),
        fake.prop("outp", type="on_off", sharing="drive"),
    )
    rig = fake.rig(fake.spec("psu", *properties, safe=[("outp", False), ("mode", 1.0)]))
    rig.psu.on_write = lambda command: rig.psu.state.update(OUTP="1") if command.startswith("MODE") else None
    assert rig.bench.make_safe(0, "psu").verified is True
    assert rig.psu.state["OUTP"] == "OFF"


def test_an_instance_can_be_made_safe_by_its_key(fake: SimpleNamespace) -> None:
    rig = fake.rig(supply(fake, per_site=True), sites={0: "A", 1: "B"})
    assert rig.bench.make_safe_instance("psu@B") == SafeReport("psu@B", True, "")
    assert rig.sessions["psu@A"].take() == []


def test_a_lost_connection_is_opened_again_to_make_it_safe(fake: SimpleNamespace) -> None:
    rig = fake.rig(supply(fake))
    lost = ["once"]

    def gone(command: str) -> None:
        if lost:
            lost.pop()
            raise ConnectionFailed("psu is gone")

    rig.psu.on_write = gone
    assert rig.bench.make_safe(0, "psu").verified is True
    assert rig.life == ["open psu", "close psu", "open psu"]


def test_a_dead_instrument_is_opened_again_only_once(fake: SimpleNamespace) -> None:
    rig = fake.rig(supply(fake))

    def gone(command: str) -> None:
        raise ConnectionFailed("psu is gone")

    rig.psu.on_write = gone
    report = rig.bench.make_safe(0, "psu")
    assert report.verified is False
    assert report.message.count("psu is gone") == 3
    assert rig.life == ["open psu", "close psu", "open psu"]
