"""Two stations may name one instrument; two runs may not have it at once."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from engine.core.bench import InstrumentSpec
from engine.core.errors import ConnectionFailed
from engine.run.in_use import addresses, held


def spec(name: str, address: str) -> InstrumentSpec:
    return InstrumentSpec(name, "dmm", "Meter", "multimeter", "sim", address, 5.0, {})


def test_a_second_run_is_told_who_has_the_instrument(tmp_path):
    mine, theirs = {"dmm": spec("dmm", "TCPIP::10.0.0.5")}, {"meter": spec("meter", "TCPIP::10.0.0.5")}
    with held(mine, "first", tmp_path), pytest.raises(ConnectionFailed) as refused, held(theirs, "second", tmp_path):
        pass
    assert refused.value.message == (
        f"instrument `meter` at TCPIP::10.0.0.5 is in use by run first (process {os.getpid()})"
    )
    with held(theirs, "second", tmp_path):
        pass


def test_instruments_without_an_address_are_everybodys(tmp_path):
    nowhere = {"dmm": spec("dmm", "")}
    assert addresses(nowhere) == {}
    with held(nowhere, "first", tmp_path), held(nowhere, "second", tmp_path):
        pass


def _hold_and_die(folder: str) -> None:
    with held({"dmm": spec("dmm", "GPIB::7")}, "killed", Path(folder)):
        os._exit(9)


def test_a_killed_run_gives_its_instruments_back(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=_hold_and_die, args=(str(tmp_path),))
    process.start()
    process.join(30)
    assert process.exitcode == 9
    with held({"dmm": spec("dmm", "GPIB::7")}, "next", tmp_path):
        pass
