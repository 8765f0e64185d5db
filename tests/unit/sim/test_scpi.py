"""SCPI as an engineer would type it at an instrument."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sim.scpi.arguments import Parameter
from engine.sim.scpi.header import CommandTable
from engine.sim.scpi.instrument import ScpiInstrument, split_outside_quotes


class Supply(ScpiInstrument):
    """Three channels, a mode and a label."""

    def __init__(self) -> None:
        super().__init__("Maker,Model,1,2")
        self.values: dict[Any, Any] = {}
        volt = Parameter("v", unit="V", minimum=0.0, maximum=6.0, default=1.0)
        self.setting("[SOURce<n>:]VOLTage<n>[:LEVel][:IMMediate]", volt, self._set_volt, self._volt, "%.3f", channels=3)
        self.add("CURRent", lambda value: self.values.__setitem__("i", value), parameters=(Parameter("i", unit="A"),))
        self.add("CURRent?", lambda: repr(self.values.get("i", 0.0)))
        self.add("OUTPut[:STATe] <s:bool>", lambda state: self.values.__setitem__("out", state))
        self.add("OUTPut[:STATe]?", lambda: str(int(self.values.get("out", False))))
        self.add("MODE <m:VOLTage|CURRent>", lambda mode: self.values.__setitem__("mode", mode))
        self.add("MODE?", lambda: self.values.get("mode", "VOLT"))
        self.add("LABel <t:string>, [<n:int>]", lambda text, n: self.values.__setitem__("label", (text, n)))
        self.add("MEASure:VOLTage[:DC]?", lambda: "1.5")
        self.add("MEASure:CURRent[:DC]?", lambda: "0.25")

    def _set_volt(self, channel: int | None, value: float) -> None:
        self.values[channel or 1] = value

    def _volt(self, channel: int | None) -> float:
        return float(self.values.get(channel or 1, 0.0))


@pytest.fixture
def supply() -> Supply:
    instrument = Supply()
    instrument.execute("*CLS")
    return instrument


@pytest.mark.parametrize(
    "spelling",
    ["VOLT 3", "volt 3", "VOLTAGE 3", ":VOLTage:LEVel 3", "SOUR:VOLT:LEV:IMM 3", "VOLT:IMM 3.0E0", "VOLT1 3V", "VOLT 3000 mV",
     "SOUR1:VOLT 3", "VOLT 3,(@1)", "VOLT\t3", " VOLT   3 ", "VOLT 3;"],
)  # fmt: skip
def test_every_spelling_of_a_command_is_understood(supply: Supply, spelling: str) -> None:
    assert supply.execute(spelling) is None
    assert supply.execute("VOLT?") == "3.000"
    assert supply.execute("SYST:ERR?") == '+0,"No error"'


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("VOLTA 3", -113), ("FOO", -113), ("VOLT:FOO 3", -113), ("*FOO", -113), ("OUTP1 ON", -113), ("SOUR1:VOLT2 3", -113),
        ("VOLT", -109), ("VOLT ,3", -108), ("VOLT 1,2", -108), ("*CLS 1", -108), ("VOLT abc", -104), ("VOLT nan", -104),
        ("VOLT inf", -104), ("VOLT 1..2", -104), ("VOLT 9", -222), ("VOLT -1", -222), ("VOLT 1e999", -222), ("VOLT 5 A", -131),
        ("VOLT4 1", -114), ("VOLT0 1", -114), ("OUTP maybe", -224), ("OUTP 2", -224), ("MODE OHMS", -224), ("VOLT é", -101),
        ("CURR 1 V", -131), ("LAB 'a", -151), ("VOLT 1,(@1", -102), ("*ESE 256", -222), ("MEAS:VOLT", -113), ("VOLT? 3", -224),
    ],
)  # fmt: skip
def test_what_is_wrong_goes_to_the_error_queue_and_never_into_a_reply(
    supply: Supply, message: str, number: int
) -> None:
    assert supply.execute(message) is None
    assert str(supply.execute("SYST:ERR?")).startswith(f"{number},")
    assert supply.execute("SYST:ERR?") == '+0,"No error"'
    assert supply.values == {}


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("VOLT 3;CURR 1;VOLT?;CURR?", "3.000;1.0"),
        ("MEAS:VOLT?;CURR?", "1.5;0.25"),
        ("MEAS:VOLT?;:CURR?", "1.5;0.0"),
        ("MEAS:VOLT?;*OPC?;CURR?", "1.5;1;0.25"),
        ("VOLT2 2;VOLT? (@1,2)", "0.000,2.000"),
        ("VOLT? MAX;VOLT? MIN;VOLT? DEF", "6.000;0.000;1.000"),
        ("VOLT MAX;VOLT?", "6.000"),
        ("MODE CURRENT;MODE?", "CURR"),
        ("OUTP ON;OUTP?;OUTP 0;OUTP?", "1;0"),
        ("", None),
        (";;", None),
    ],
)
def test_a_chain_is_read_as_the_standard_says(supply: Supply, message: str, reply: str | None) -> None:
    assert supply.execute(message) == reply
    assert supply.execute("SYST:ERR:COUN?") == "0"


def test_a_command_error_drops_the_rest_of_a_message_and_a_bad_value_does_not(supply: Supply) -> None:
    assert supply.execute("FOO;VOLT 2") is None
    assert supply.execute("VOLT?") == "0.000"
    assert supply.execute("VOLT 99;CURR 2;CURR?") == "2.0"
    assert supply.execute("SYST:ERR:ALL?") == '-113,"Undefined header",-222,"Data out of range"'


def test_a_semicolon_in_quotes_separates_nothing(supply: Supply) -> None:
    supply.execute("LAB 'a;b, c',3;CURR 1")
    assert supply.values["label"] == ("a;b, c", 3)
    assert supply.values["i"] == 1.0


def test_the_status_registers_follow_the_errors(supply: Supply) -> None:
    assert supply.execute("*ESR?") == "0"
    supply.execute("FOO")
    supply.execute("VOLT 99")
    supply.execute("*ESE 32;*SRE 32")
    assert supply.execute("*STB?") == str(0x04 | 0x20 | 0x40)
    assert supply.execute("*ESR?") == str(0x20 | 0x10)
    assert supply.execute("*STB?") == str(0x04)
    supply.execute("*CLS")
    assert supply.execute("*STB?;*ESE?;*SRE?") == "0;32;32"
    supply.execute("*OPC")
    assert supply.execute("*ESR?") == "1"


def test_a_new_instrument_says_that_it_was_switched_on() -> None:
    assert Supply().execute("*ESR?") == "128"


def test_a_full_queue_ends_in_overflow(supply: Supply) -> None:
    for _ in range(30):
        supply.execute("FOO")
    assert supply.execute("SYST:ERR:COUN?") == "20"
    texts = str(supply.execute("SYST:ERR:ALL?"))
    assert texts.endswith('-350,"Queue overflow"')


def test_status_events_latch_until_they_are_read() -> None:
    condition = [0]

    class Watched(ScpiInstrument):
        def operation_condition(self) -> int:
            return condition[0]

    instrument = Watched("x")
    condition[0] = 2
    assert instrument.execute("STAT:OPER:COND?") == "2"
    condition[0] = 0
    assert instrument.execute("STAT:OPER?") == "2"
    assert instrument.execute("STAT:OPER?") == "0"
    condition[0] = 2
    instrument.execute("*CLS;STAT:OPER:ENAB 2")
    condition[0] = 0
    instrument.execute("STAT:OPER:COND?")
    condition[0] = 2
    assert int(str(instrument.execute("*STB?"))) & 0x80


@pytest.mark.parametrize(
    "pattern", ["", "?", "VOLT[:LEV", "VOLT]:LEV[", "VOLT <x:complex>", "VOLT x", "VOLT <1x:float>", "VO-LT", "A[B][C][D][E][F][G][H][I][J][K][L][M][N]",
                "VOLT [<x:float>], <y:float>"]
)  # fmt: skip
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError):
        CommandTable().add(pattern, lambda: None)


@settings(max_examples=200, deadline=None)
@given(message=st.text(st.characters(min_codepoint=0, max_codepoint=300), max_size=60))
def test_nothing_a_client_sends_can_break_an_instrument(message: str) -> None:
    supply = Supply()
    supply.execute("*CLS")
    reply = supply.execute(message)
    assert reply is None or isinstance(reply, str)
    assert str(supply.execute("*IDN?")) == "Maker,Model,1,2"


@given(text=st.text("ab;,'\"()@ ", max_size=30))
def test_splitting_loses_no_character(text: str) -> None:
    assert ";".join(split_outside_quotes(text, ";")) == text


def test_a_query_seen_before_is_quick(supply: Supply) -> None:
    supply.execute("VOLT?")
    start = time.process_time()
    for _ in range(20_000):
        supply.execute("VOLT?")
    assert (time.process_time() - start) / 20_000 < 20e-6, "a guard against a slip; the benchmark has the figure"
