"""Opening, naming, reading and the instruments' own errors."""

from __future__ import annotations

import math
import struct
from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.bench import Bench, SafeValue, Target
from engine.core.errors import ConnectionFailed, InstrumentError, ReplyTimeout, UnreadableReply, UsageError

VOLTAGE = Target("psu", "", "volt")
TWO = {0: "A", 1: "B"}


def test_it_keeps_the_promise_of_the_core(fake: SimpleNamespace) -> None:
    bench: Bench = fake.rig(fake.spec()).bench
    assert bench.instance(0, "psu") == "psu"


# --- opening and closing


def test_instruments_are_opened_in_order_and_closed_the_last_one_first(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("dmm"), fake.spec("psu", per_site=True), sites=TWO)
    assert rig.bench.instances() == ["dmm", "psu@A", "psu@B"]
    rig.bench.close_all()
    rig.bench.close_all()
    assert rig.life == ["open dmm", "open psu@A", "open psu@B", "close psu@B", "close psu@A", "close dmm"]


def test_when_one_cannot_be_opened_those_before_it_are_closed(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("dmm"), fake.spec("psu", identify="ACME"), opened=False)
    with pytest.raises(ConnectionFailed):
        rig.bench.open_all()
    assert rig.life == ["open dmm", "open psu", "close psu", "close dmm"]


def test_the_wrong_instrument_is_named_with_the_one_expected(fake: SimpleNamespace) -> None:
    rig = fake.rig(
        fake.spec(identify="ACME,PSU-[0-9]+"),
        prepare=lambda session: session.state.update({"*IDN": "OTHER,DMM,1,2\x07"}),
        opened=False,
    )
    with pytest.raises(ConnectionFailed) as caught:
        rig.bench.open_all()
    assert caught.value.message == (
        "psu: `OTHER,DMM,1,2\\x07` answered at fake::psu, and driver `fake` expects `ACME,PSU-[0-9]+`"
    )
    assert "station" in caught.value.help


def test_an_instrument_that_does_not_say_who_it_is_could_not_be_reached(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec(identify="X"), prepare=lambda session: session.failing.add("*IDN?"), opened=False)
    with pytest.raises(ConnectionFailed, match="psu did not say who it is"):
        rig.bench.open_all()


def test_who_answered_is_kept_for_the_record(fake: SimpleNamespace) -> None:
    one = fake.spec(identify="ACME", per_site=True, site_addresses={"B": "fake::other"}, calibration_due="2027-03-01")
    rig = fake.rig(one, sites=TWO, prepare=lambda session: session.state.update({"*IDN": f"ACME,{session.name}"}))
    assert rig.bench.identity(1, "psu") == "ACME,psu@B"
    first, second = rig.bench.identities()
    assert (first.name, first.site, first.address, first.identity) == ("psu", "A", "fake::psu", "ACME,psu@A")
    assert (second.site, second.address, second.calibration_due) == ("B", "fake::other", "2027-03-01")


def test_an_instrument_without_identify_is_not_asked(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec(), prepare=lambda session: session.failing.add("*IDN?"))
    assert rig.bench.identity(0, "psu") == ""


def test_old_errors_are_cleared_and_logged_when_opened(fake: SimpleNamespace) -> None:
    def prepare(session: Any) -> None:
        session.scripted["ERR?"] = ["-100,old", "0,ok"]

    rig = fake.rig(fake.spec(error_query="ERR?", error_ok="^0,"), prepare=prepare)
    assert rig.logged == ["warning: psu still had errors from before: -100,old"]


def test_an_error_queue_that_does_not_answer_does_not_keep_the_bench_closed(fake: SimpleNamespace) -> None:
    one = fake.spec(error_query="ERR?", error_ok="^0,")
    rig = fake.rig(one, prepare=lambda session: session.failing.add("ERR?"))
    assert "could not be asked for its errors" in rig.logged[0]


def test_a_closed_bench_says_so(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec())
    rig.bench.read(0, VOLTAGE)
    rig.bench.close_all()
    with pytest.raises(ConnectionFailed, match="psu is not open"):
        rig.bench.read(0, VOLTAGE)
    rig.bench.open_all()
    assert rig.bench.read(0, VOLTAGE) == 0.0


def test_a_driver_that_cannot_work_is_refused_before_anything_is_opened(fake: SimpleNamespace) -> None:
    with pytest.raises(UsageError, match=r"psu\.volt: `\{\{ vaule \}\}` means nothing"):
        fake.rig(fake.spec("psu", fake.prop("volt", set="VOLT {{ vaule }}")))


# --- who is meant


def test_a_unit_means_the_instance_of_its_own_site(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("dmm"), fake.spec("psu", per_site=True), sites={0: "A", 1: "B", 2: "A"})
    assert [rig.bench.instance(unit, "psu") for unit in (0, 1, 2)] == ["psu@A", "psu@B", "psu@A"]
    assert rig.bench.instance(1, "dmm") == "dmm"
    rig.bench.apply(1, VOLTAGE, 3.3)
    assert rig.sessions["psu@A"].take() == []
    assert rig.sessions["psu@B"].take() == ["VOLT 3.3"]


def test_a_site_may_have_its_own_channel(fake: SimpleNamespace) -> None:
    volt = fake.prop("volt", set="VOLT{{ channel }} {{ value }}", get="VOLT{{ channel }}?")
    psu = fake.spec(
        "psu", volt, channels=("1", "2"), per_site=True, site_channels={"B": "4"}, safe=[SafeValue("1", "volt", 0.0)]
    )
    rig = fake.rig(psu, sites=TWO)
    for unit in (0, 1):
        rig.bench.apply(unit, Target("psu", "1", "volt"), 1.0)
        rig.bench.apply(unit, Target("psu", "2", "volt"), 2.0)
    assert rig.sessions["psu@A"].take() == ["VOLT1 1", "VOLT2 2"]
    assert rig.sessions["psu@B"].take() == ["VOLT4 1", "VOLT2 2"]
    assert rig.bench.make_safe(1, "psu").verified is True
    assert rig.sessions["psu@B"].take() == ["VOLT4 0", "VOLT4?"]


def test_channels_are_told_apart(fake: SimpleNamespace) -> None:
    volt = fake.prop("volt", set="VOLT{{ channel }} {{ value }}", get="VOLT{{ channel }}?")
    rig = fake.rig(fake.spec("psu", volt, channels=("1", "2")))
    assert rig.bench.apply(0, Target("psu", "1", "volt"), 3.3)
    assert rig.bench.apply(0, Target("psu", "2", "volt"), 3.3)
    assert rig.bench.read(0, Target("psu", "2", "volt")) == 3.3


def test_what_does_not_exist_is_named_with_its_nearest(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec())
    with pytest.raises(UsageError, match="did you mean `psu`"):
        rig.bench.instance(0, "psy")
    with pytest.raises(UsageError, match="no property `volts`"):
        rig.bench.read(0, Target("psu", "", "volts"))
    with pytest.raises(UsageError, match="unit 7 has no site"):
        rig.bench.read(7, VOLTAGE)


# --- reading


def test_each_reading_is_fresh(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec())
    rig.psu.scripted["VOLT?"] = ["1.5", "+2.5E+00", "9.91E37"]
    assert rig.bench.read(0, VOLTAGE) == 1.5
    assert rig.bench.read(0, VOLTAGE) == 2.5
    assert math.isnan(rig.bench.read(0, VOLTAGE))
    assert rig.psu.take() == ["VOLT?"] * 3


def test_an_unreadable_reply_names_the_property_and_the_command(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec())
    for bad in ("garbage", "1_0", "٣"):
        rig.psu.scripted["VOLT?"] = [bad]
        with pytest.raises(UnreadableReply, match=rf"psu\.volt: `{bad}` in reply to `VOLT\?` is not a number"):
            rig.bench.read(0, VOLTAGE)


def test_words_switches_and_waveforms_are_read(fake: SimpleNamespace) -> None:
    scope = fake.spec(
        "scope",
        fake.prop("func", type="choice", choices={"dcv": "VOLT:DC"}),
        fake.prop("outp", type="on_off"),
        fake.prop("wave", type="array", format="ieee488_block_f32", set=None),
        fake.prop("list", type="array", set=None),
    )
    rig = fake.rig(scope)
    rig.scope.state = {"FUNC": '"VOLT:DC"', "OUTP": "1", "LIST": "1,2"}
    rig.scope.bytes_replies["WAVE?"] = b"#18" + struct.pack(">2f", 0.5, -1.0)
    values = [rig.bench.read(0, Target("scope", "", name)) for name in ("func", "outp", "wave", "list")]
    assert values == ["dcv", True, [0.5, -1.0], [1.0, 2.0]]


def test_a_mock_is_read_without_traffic_and_a_set_still_goes_out(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec(), mocks={VOLTAGE: 1.25})
    rig.bench.apply(0, VOLTAGE, 5.0)
    assert rig.bench.read(0, VOLTAGE) == 1.25
    assert rig.bench.steady_until(0, VOLTAGE) is None
    assert rig.psu.take() == ["VOLT 5"]


def test_what_cannot_be_read_or_set_says_what_the_driver_lacks(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", get=None), fake.prop("curr", set=None)))
    with pytest.raises(InstrumentError, match=r"psu\.volt: driver `fake` cannot read it"):
        rig.bench.read(0, VOLTAGE)
    with pytest.raises(InstrumentError, match=r"psu\.curr: driver `fake` cannot set it"):
        rig.bench.apply(0, Target("psu", "", "curr"), 1.0)


# --- the instrument's own errors


def test_an_instruments_errors_are_raised_in_its_own_words(fake: SimpleNamespace) -> None:
    rig = fake.rig(
        fake.spec(error_query="ERR?", error_ok=r"^\+?0,"), prepare=lambda session: session.state.update(ERR="0,ok")
    )
    rig.psu.scripted["ERR?"] = ['-113,"Undefined header"', '-222,"Data out of range"', '+0,"No error"']
    with pytest.raises(InstrumentError) as caught:
        rig.bench.check_errors(0, "psu")
    assert caught.value.message == 'psu reports -113,"Undefined header"; -222,"Data out of range"'
    rig.bench.check_errors(0, "psu")


def test_an_error_queue_without_end_is_left(fake: SimpleNamespace) -> None:
    rig = fake.rig(
        fake.spec(error_query="ERR?", error_ok="^0,"), prepare=lambda session: session.state.update(ERR="-1,no")
    )
    with pytest.raises(InstrumentError, match="and more"):
        rig.bench.check_errors(0, "psu")
    assert len(rig.psu.take()) == 20


def test_an_instrument_without_an_error_query_is_not_asked(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec())
    rig.bench.check_errors(0, "psu")
    assert rig.psu.take() == []


# --- the session's own affairs


def test_a_node_names_its_noise(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec())
    rig.bench.begin(0, "psu", "steps/vout", 2)
    assert rig.psu.keys == [("", "steps/vout", 2)]


def test_latency_and_steadiness_come_from_the_session(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt"), fake.prop("curr", get=None)))
    assert rig.bench.take_latency(0, "psu") == 0.25
    assert rig.bench.steady_until(0, VOLTAGE) == 42.0
    assert rig.bench.steady_until(0, Target("psu", "", "curr")) is None


@pytest.mark.parametrize(
    ("capability", "poll_s", "expected"),
    [("generic", None, 1.0), ("thermal_chamber", None, 10.0), ("generic", 0.2, 0.2)],
)
def test_chambers_are_polled_slowly(
    fake: SimpleNamespace, capability: str, poll_s: float | None, expected: float
) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", poll_s=poll_s), capability=capability))
    assert rig.bench.poll_s(VOLTAGE) == expected


def test_a_raw_query_returns_its_reply_and_an_abort_reaches_the_session(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec(), prepare=lambda session: session.state.update({"*OPT": "3"}))
    assert rig.bench.query(0, "psu", "*OPT?") == "3"
    rig.bench.abort(0, "psu")
    assert rig.life[-1] == "abort psu"
    rig.psu.failing = {"*OPT?"}
    with pytest.raises(ReplyTimeout):
        rig.bench.query(0, "psu", "*OPT?")


@pytest.mark.parametrize(("mock", "overrange"), [(1e9, 1e9), (-2e9, 1e9), (9.9e37, None), (float("inf"), None)])
def test_a_mock_over_range_is_no_reading(fake: SimpleNamespace, mock: float, overrange: float | None) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", overrange=overrange)), mocks={VOLTAGE: mock})
    assert math.isnan(rig.bench.read(0, VOLTAGE))


def test_a_block_of_mocks_has_no_reading_where_one_is_over_range(fake: SimpleNamespace) -> None:
    rig = fake.rig(fake.spec("psu", fake.prop("volt", type="array", format="csv")), mocks={VOLTAGE: [1.0, 9.9e37]})
    first, second = rig.bench.read(0, VOLTAGE)
    assert first == 1.0
    assert math.isnan(second)


def test_an_identity_that_takes_for_ever_to_check_is_a_failed_connection(
    fake: SimpleNamespace, monkeypatch: Any
) -> None:
    monkeypatch.setattr("schemas.patterns.TIMEOUT_S", 0.05)
    rig = fake.rig(
        fake.spec(identify="(x+x+)+y"),
        prepare=lambda session: session.state.update({"*IDN": "x" * 4000}),
        opened=False,
    )
    with pytest.raises(ConnectionFailed, match="took longer than"):
        rig.bench.open_all()


def test_an_error_that_takes_for_ever_to_check_is_an_error(fake: SimpleNamespace, monkeypatch: Any) -> None:
    rig = fake.rig(
        fake.spec(error_query="ERR?", error_ok="(x+x+)+y"), prepare=lambda s: s.scripted.update({"ERR?": ["xxy"]})
    )
    monkeypatch.setattr("schemas.patterns.TIMEOUT_S", 0.05)
    rig.psu.scripted["ERR?"] = ["x" * 4000]
    with pytest.raises(InstrumentError, match="took longer than"):
        rig.bench.check_errors(0, "psu")
