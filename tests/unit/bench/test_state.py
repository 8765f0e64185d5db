"""What is written, what is left out and what is put back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.bench import Target
from engine.core.errors import CommunicationFailed, InstrumentError, ReplyTimeout, UsageError

VOLTAGE = Target("psu", "", "volt")
CURRENT = Target("psu", "", "curr")
OUTPUT = Target("psu", "", "outp")
TWO = {0: "A", 1: "B"}


def test_a_value_is_written_once_and_then_left_out(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec())
    assert rig.bench.apply(0, VOLTAGE, 3.3)
    assert not rig.bench.apply(0, VOLTAGE, 3.3)
    assert rig.bench.apply(0, VOLTAGE, 3.3000000001)
    assert rig.psu.take() == ["VOLT 3.3", "VOLT 3.3000000001"]


def test_the_first_value_is_always_written_even_the_default(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", default=0.0)))
    assert rig.bench.apply(0, VOLTAGE, 0.0)


def test_force_writes_what_is_already_there(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec())
    rig.bench.apply(0, VOLTAGE, 3.3)
    assert rig.bench.apply(0, VOLTAGE, 3.3, force=True)
    assert rig.psu.take() == ["VOLT 3.3", "VOLT 3.3"]


def test_each_unit_finds_its_own_value_again(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", default=0.0)), sites=TWO)
    for unit, value in ((0, 1.0), (1, 2.0)):
        rig.bench.restore(unit, "psu")
        rig.bench.apply(unit, VOLTAGE, value)
    rig.psu.take()
    assert rig.bench.restore(0, "psu")
    assert rig.psu.take() == ["VOLT 1"]
    assert not rig.bench.restore(0, "psu")
    assert rig.psu.take() == []


def test_a_unit_that_never_set_it_gets_the_default_never_a_neighbours_value(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", default=0.5)), sites=TWO)
    rig.bench.apply(0, VOLTAGE, 5.0)
    assert rig.bench.restore(1, "psu")
    assert rig.psu.take() == ["VOLT 5", "VOLT 0.5"]


def test_without_a_default_it_gets_what_was_read_before_the_first_write(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec(), sites=TWO)
    rig.psu.state["VOLT"] = "0.75"
    rig.bench.apply(0, VOLTAGE, 5.0)
    rig.bench.restore(1, "psu")
    assert rig.psu.take() == ["VOLT?", "VOLT 5", "VOLT 0.75"]


def test_an_instrument_of_one_unit_is_not_asked_for_a_baseline(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec(per_site=True), sites=TWO)
    rig.bench.apply(1, VOLTAGE, 5.0)
    assert rig.sessions["psu@B"].take() == ["VOLT 5"]
    assert rig.sessions["psu@A"].take() == []


def test_what_can_be_neither_read_nor_defaulted_is_warned_of_once(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", get=None)), sites=TWO)
    rig.bench.apply(0, VOLTAGE, 5.0)
    assert not rig.bench.restore(1, "psu")
    rig.bench.apply(0, VOLTAGE, 4.0)
    assert not rig.bench.restore(1, "psu")
    assert [line for line in rig.logged if "cannot be put back" in line] == rig.logged
    assert len(rig.logged) == 1


def test_outputs_go_off_first_and_on_last_when_put_back(fake: SimpleNamespace) -> None:
    properties = (
        fake.prop("outp", type="on_off", sharing="drive", default=False),
        fake.prop("curr", default=1.0),
        fake.prop("volt", default=0.0),
    )
    rig = fake.rig(fake.spec("psu", *properties), sites=TWO)
    for target, value in ((VOLTAGE, 3.3), (CURRENT, 0.2), (OUTPUT, True)):
        rig.bench.apply(0, target, value)
    rig.psu.take()
    rig.bench.restore(1, "psu")
    assert rig.psu.take() == ["OUTP OFF", "CURR 1", "VOLT 0"]
    rig.bench.restore(0, "psu")
    assert rig.psu.take() == ["CURR 0.2", "VOLT 3.3", "OUTP ON"]


def test_a_mode_that_units_agree_on_is_never_put_back_for_one_of_them(fake: SimpleNamespace) -> None:
    chamber = fake.spec("psu", fake.prop("volt", default=25.0), shared="volt")
    rig = fake.rig(chamber, sites=TWO)
    rig.bench.apply(0, VOLTAGE, 85.0)
    assert not rig.bench.restore(1, "psu")
    assert not rig.bench.apply(1, VOLTAGE, 85.0)
    assert rig.psu.take() == ["VOLT 85"]


def test_a_setting_that_a_reading_resets_is_written_again(fake: SimpleNamespace) -> None:
    dmm = fake.spec("dmm", fake.prop("nplc", default=1.0), fake.prop("meas", set=None, resets=("nplc",)))
    rig = fake.rig(dmm)
    nplc = Target("dmm", "", "nplc")
    rig.bench.restore(0, "dmm")
    rig.bench.apply(0, nplc, 10.0)
    rig.bench.read(0, Target("dmm", "", "meas"))
    assert rig.bench.apply(0, nplc, 10.0)
    assert rig.dmm.take() == ["NPLC 10", "MEAS?", "NPLC 10"]


def test_what_a_unit_disturbed_itself_is_back_at_its_next_node(fake: SimpleNamespace) -> None:
    dmm = fake.spec("dmm", fake.prop("nplc"), fake.prop("func", resets=("nplc",)))
    rig = fake.rig(dmm)
    rig.bench.restore(0, "dmm")
    rig.bench.apply(0, Target("dmm", "", "nplc"), 10.0)
    rig.bench.apply(0, Target("dmm", "", "func"), 2.0)
    assert rig.bench.restore(0, "dmm")
    assert not rig.bench.restore(0, "dmm")
    assert rig.dmm.take() == ["NPLC 10", "FUNC 2", "NPLC 10"]


def test_a_reading_that_resets_what_nobody_set_costs_nothing(fake: SimpleNamespace) -> None:
    dmm = fake.spec("dmm", fake.prop("nplc", default=1.0), fake.prop("meas", set=None, resets=("nplc",)))
    rig = fake.rig(dmm, sites=TWO)
    for unit in (0, 1, 0):
        rig.bench.restore(unit, "dmm")
        rig.bench.read(unit, Target("dmm", "", "meas"))
    assert rig.dmm.take() == ["MEAS?"] * 3


def test_what_disturbs_is_put_back_before_what_it_disturbs(fake: SimpleNamespace) -> None:
    dmm = fake.spec("dmm", fake.prop("nplc", default=1.0), fake.prop("func", default=0.0, resets=("nplc",)))
    rig = fake.rig(dmm, sites=TWO)
    rig.bench.apply(0, Target("dmm", "", "func"), 2.0)
    rig.bench.apply(0, Target("dmm", "", "nplc"), 10.0)
    rig.bench.restore(1, "dmm")
    rig.dmm.take()
    rig.bench.restore(0, "dmm")
    assert rig.dmm.take() == ["FUNC 2", "NPLC 10"]


def test_after_a_failed_write_the_value_is_unknown_and_written_again(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec())
    rig.bench.apply(0, VOLTAGE, 3.3)
    rig.psu.failing = {"VOLT"}
    with pytest.raises(CommunicationFailed):
        rig.bench.apply(0, VOLTAGE, 5.0)
    rig.psu.failing = set()
    rig.psu.take()
    assert rig.bench.apply(0, VOLTAGE, 3.3)
    assert rig.psu.take() == ["VOLT 3.3"]


def test_a_failed_switch_on_is_not_repeated_by_putting_back(fake: SimpleNamespace) -> None:
    psu = fake.spec("psu", fake.prop("outp", type="on_off", sharing="drive", default=False))
    rig = fake.rig(psu, sites=TWO)
    rig.psu.failing = {"OUTP ON"}
    with pytest.raises(CommunicationFailed):
        rig.bench.apply(0, OUTPUT, True)
    rig.bench.restore(1, "psu")
    rig.psu.take()
    rig.bench.restore(0, "psu")
    assert "OUTP ON" not in rig.psu.take()


def test_after_a_failed_reading_nothing_is_taken_for_known(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec())
    rig.bench.apply(0, VOLTAGE, 3.3)
    rig.psu.failing = {"VOLT?"}
    with pytest.raises(ReplyTimeout):
        rig.bench.read(0, VOLTAGE)
    assert rig.bench.apply(0, VOLTAGE, 3.3)


def test_an_interrupted_putting_back_is_completed_for_whoever_comes_next(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", default=0.0), fake.prop("curr", default=0.0)), sites=TWO)
    rig.bench.restore(0, "psu")
    rig.bench.apply(0, VOLTAGE, 3.3)
    rig.bench.apply(0, CURRENT, 0.5)
    rig.psu.failing = {"CURR"}
    with pytest.raises(CommunicationFailed):
        rig.bench.restore(1, "psu")
    rig.psu.failing = set()
    rig.psu.take()
    assert rig.bench.restore(0, "psu")
    assert rig.psu.take() == ["VOLT 3.3", "CURR 0.5"]


def test_a_unit_that_acts_without_putting_its_values_back_is_noticed(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", default=0.0)), sites=TWO)
    rig.bench.restore(0, "psu")
    rig.bench.apply(0, VOLTAGE, 3.3)
    rig.bench.apply(1, VOLTAGE, 5.0)
    assert rig.bench.restore(0, "psu")
    assert rig.psu.take() == ["VOLT 3.3", "VOLT 5", "VOLT 3.3"]


def test_a_raw_command_forgets_what_the_unit_wanted_and_what_was_applied(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", default=0.0)), sites=TWO)
    rig.bench.restore(0, "psu")
    rig.bench.apply(0, VOLTAGE, 3.3)
    rig.bench.command(0, "psu", "*RST")
    assert not rig.bench.restore(0, "psu")
    assert rig.bench.apply(0, VOLTAGE, 3.3)
    rig.bench.command(0, "psu", "*RST")
    rig.bench.restore(1, "psu")
    rig.psu.take()
    rig.bench.restore(0, "psu")
    assert rig.psu.take() == []  # the baseline is there already, and 3.3 is forgotten


def test_a_raw_command_of_two_lines_is_refused(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec())
    with pytest.raises(CommunicationFailed, match="nothing was sent"):
        rig.bench.command(0, "psu", "VOLT 1\nVOLT 99")
    assert rig.psu.take() == []


def test_a_value_the_instrument_rejected_is_not_put_back(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", default=0.0), error_query="ERR?", error_ok="^0,"), sites=TWO)
    rig.bench.restore(0, "psu")
    rig.psu.scripted["ERR?"] = ["0,ok", '-222,"Data out of range"', "0,ok"]
    rig.bench.apply(0, VOLTAGE, 3.3)
    rig.bench.check_errors(0, "psu")
    rig.bench.apply(0, VOLTAGE, 14.0)
    with pytest.raises(InstrumentError, match='psu reports -222,"Data out of range"'):
        rig.bench.check_errors(0, "psu")
    rig.psu.take()
    rig.bench.restore(1, "psu")
    rig.bench.restore(0, "psu")
    assert rig.psu.take() == ["VOLT 0"]


def test_a_released_output_is_not_switched_on_again(fake: SimpleNamespace) -> None:
    psu = fake.spec("psu", fake.prop("outp", type="on_off", sharing="drive", default=False), fake.prop("volt"))
    rig = fake.rig(psu, sites=TWO)
    rig.bench.apply(0, OUTPUT, True)
    rig.bench.apply(0, VOLTAGE, 2.0)
    rig.bench.release(0, "psu")
    rig.bench.restore(1, "psu")
    rig.psu.take()
    rig.bench.restore(0, "psu")
    assert rig.psu.take() == ["VOLT 2"]


# --- units that come later


def later(fake: SimpleNamespace, *specs: Any) -> Any:
    """A bench at which a second unit takes the site of the first one."""
    rig = fake.rig(*specs, sites={0: "A"}, more_to_come=True)
    rig.bench.enter(1, "A", "SN1")
    return rig


def test_a_unit_that_takes_a_freed_site_gets_the_baseline_and_not_its_predecessors_values(
    fake: SimpleNamespace,
) -> None:
    rig = later(fake, fake.spec("psu", fake.prop("volt", default=0.0), per_site=True))
    rig.bench.apply(0, VOLTAGE, 5.0)
    assert rig.bench.instance(1, "psu") == "psu@A"
    session = rig.sessions["psu@A"]
    session.take()
    rig.bench.restore(1, "psu")
    assert session.take() == ["VOLT 0"]


def test_a_unit_that_comes_later_has_noise_of_its_own(fake: SimpleNamespace) -> None:
    rig = later(fake, fake.spec())
    rig.bench.begin(1, "psu", "steps/vout", 1)
    assert rig.psu.keys == [("SN1", "steps/vout", 1)]


def test_a_unit_cannot_take_a_site_at_which_nobody_was_expected(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec(per_site=True), sites={0: "A"}, more_to_come=True)
    with pytest.raises(UsageError, match="at site `B`"):
        rig.bench.enter(1, "B")


def test_what_units_want_beside_the_value_they_agree_on_can_be_compared(fake: SimpleNamespace) -> None:
    chamber = fake.spec("psu", fake.prop("volt", sharing="mode"), fake.prop("ramp", default=10.0), shared="volt")
    rig = fake.rig(chamber, sites=TWO)
    assert rig.bench.context(0, "psu") == rig.bench.context(1, "psu")
    rig.bench.apply(0, VOLTAGE, 85.0)
    rig.bench.apply(0, Target("psu", "", "ramp"), 5.0)
    assert rig.bench.context(0, "psu") != rig.bench.context(1, "psu")
    rig.bench.apply(1, Target("psu", "", "ramp"), 5.0)
    assert rig.bench.context(0, "psu") == rig.bench.context(1, "psu")
