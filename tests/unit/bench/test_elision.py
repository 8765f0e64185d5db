"""However units, resets and failures are mixed: a write is left out only where the instrument already has the value."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.bench import Target
from engine.core.errors import CommunicationFailed

NAMES = ("volt", "curr", "func", "outp")
UNITS = {0: "A", 1: "B", 2: "C"}
DEFAULTS = {"volt": 0.0, "curr": 1.0, "func": 0.0, "outp": False}

units = st.sampled_from(sorted(UNITS))
values = st.sampled_from([0.0, 1.0, 2.5])
actions = st.one_of(
    st.tuples(st.just("set"), units, st.sampled_from(NAMES), values),
    st.tuples(st.just("measure"), units, st.just(""), st.just(0.0)),
    st.tuples(st.just("lose"), units, st.sampled_from(NAMES), values),
    st.tuples(st.just("command"), units, st.just(""), st.just(0.0)),
    st.tuples(st.just("safe"), units, st.just(""), st.just(0.0)),
)


def instrument(fake: SimpleNamespace) -> Any:
    """Selecting a function sets the current to 9, and a measurement the voltage to 9: as the driver says."""
    rig = fake.rig(
        fake.spec(
            "psu",
            fake.prop("curr", default=1.0),
            fake.prop("volt", default=0.0),
            fake.prop("func", default=0.0, resets=("curr",)),
            fake.prop("meas", set=None, resets=("volt",)),
            fake.prop("outp", type="on_off", sharing="drive", default=False),
            safe=[("volt", 0.0), ("outp", False)],
        ),
        sites=UNITS,
    )
    session = rig.psu
    query, write = session.query, session.write

    def disturbed_by_query(command: str) -> str:
        if command == "MEAS?":
            session.state["VOLT"] = "9"
        return str(query(command))

    def disturbed_by_write(command: str) -> None:
        write(command)
        if command.startswith("FUNC"):
            session.state["CURR"] = "9"

    session.query, session.write = disturbed_by_query, disturbed_by_write
    return rig


def has(state: dict[str, str], name: str, value: Any) -> bool:
    found = state.get(name.upper())
    if name == "outp":
        return found == ("ON" if value else "OFF")
    return found is not None and float(found) == value


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(actions, max_size=25))
def test_what_a_unit_wants_is_what_the_instrument_has_whenever_it_acts(
    fake: SimpleNamespace, script: list[tuple[str, int, str, float]]
) -> None:
    rig = instrument(fake)
    bench, session = rig.bench, rig.psu
    wanted: dict[int, dict[str, Any]] = {unit: {} for unit in UNITS}
    ever_set: set[str] = set()
    doubtful: set[int] = set()  # their own doing left things open; until another unit was there
    last: int | None = None
    for verb, unit, name, value in script:
        bench.restore(unit, "psu")
        if last != unit:
            doubtful.discard(unit)
        last = unit
        if unit not in doubtful:
            for other, want in wanted[unit].items():
                assert has(session.state, other, want), (other, want, session.state)
            for other in ever_set - set(wanted[unit]):
                assert has(session.state, other, DEFAULTS[other]), (other, session.state)
        target = Target("psu", "", name)
        setting: Any = value > 0 if name == "outp" else value
        match verb:
            case "set":
                ever_set.add(name)
                bench.apply(unit, target, setting)
                wanted[unit][name] = setting
                assert has(session.state, name, setting)
            case "measure":
                bench.read(unit, Target("psu", "", "meas"))
            case "lose":
                session.failing = {name.upper()}
                with pytest.raises(CommunicationFailed):
                    bench.apply(unit, target, setting, force=True)
                session.failing = set()
                session.state[name.upper()] = "OFF" if name == "outp" else "7"  # nobody knows what it did
                ever_set.add(name)
                wanted[unit].pop(name, None)
                doubtful.add(unit)
            case "command":
                bench.command(unit, "psu", "*RST")
                session.state.update(VOLT="8", CURR="8", FUNC="8", OUTP="OFF")
                wanted[unit].clear()
                doubtful.add(unit)
            case "safe":
                assert bench.make_safe(unit, "psu").verified is True
                ever_set |= {"volt", "outp"}
                wanted[unit].update(volt=0.0, outp=False)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(units, st.sampled_from(("volt", "curr")), values), max_size=25))
def test_nothing_is_written_that_is_already_there(fake: SimpleNamespace, script: list[tuple[int, str, float]]) -> None:
    rig = instrument(fake)
    session = rig.psu
    for unit, name, value in script:
        before = dict(session.state)
        session.take()
        rig.bench.restore(unit, "psu")
        for command in session.take():
            header, _, sent = command.partition(" ")
            assert before.get(header) != sent, command
        before = dict(session.state)
        written = rig.bench.apply(unit, Target("psu", "", name), value)
        assert written == (not has(before, name, value))
        assert len(session.take()) == int(written)
