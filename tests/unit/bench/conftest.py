"""An instrument in memory that does what its commands say, and a bench around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from engine.bench import InstrumentBench
from engine.core.bench import InstrumentSpec, PropertySpec, SafeValue, Target
from engine.core.errors import CommunicationFailed, ReplyTimeout
from schemas.quantity import parse_unit

VOLT = parse_unit("V")


@dataclass
class FakeSession:
    """`NAME value` sets, `NAME?` gives it back; replies in `scripted` come first, faults in `failing` before all."""

    name: str
    state: dict[str, str] = field(default_factory=dict)
    scripted: dict[str, list[str]] = field(default_factory=dict)
    bytes_replies: dict[str, bytes] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    """Settings that stay as they are."""
    on_write: Callable[[str], None] = lambda command: None
    sent: list[str] = field(default_factory=list)
    keys: list[tuple[str | int, ...]] = field(default_factory=list)
    life: list[str] = field(default_factory=list)
    timeout_s: float = 1.0

    def open(self) -> None:
        self.life.append(f"open {self.name}")

    def close(self) -> None:
        self.life.append(f"close {self.name}")

    def write(self, command: str) -> None:
        self.sent.append(command)
        self.on_write(command)
        header, _, value = command.partition(" ")
        if header in self.failing or command in self.failing:
            raise CommunicationFailed(f"{self.name} dropped `{command}`")
        if header not in self.deaf:
            self.state[header] = value

    def query(self, command: str) -> str:
        self.sent.append(command)
        if command in self.failing:
            raise ReplyTimeout(f"{self.name} did not answer `{command}`")
        if self.scripted.get(command):
            return self.scripted[command].pop(0)
        return self.state.get(command.rstrip("?"), "0")

    def query_bytes(self, command: str) -> bytes:
        self.sent.append(command)
        return self.bytes_replies[command]

    def read(self) -> str:
        raise ReplyTimeout("nothing to read")

    def abort(self) -> None:
        self.life.append(f"abort {self.name}")

    def take_latency(self) -> float:
        return 0.25

    def set_noise_key(self, key: tuple[str | int, ...]) -> None:
        self.keys.append(key)

    def steady_until(self, command: str) -> float | None:
        return 42.0 if command == "VOLT?" else None

    def take(self) -> list[str]:
        """What was sent since this was asked last."""
        sent, self.sent = self.sent, []
        return sent


def prop(name: str, **changes: Any) -> PropertySpec:
    values: dict[str, Any] = {"type": "number", "get": f"{name.upper()}?", "set": f"{name.upper()} {{{{ value }}}}"}
    values["unit"] = VOLT if changes.get("type", "number") == "number" else None
    values.update(changes)
    return PropertySpec(name=name, **values)


def spec(name: str = "psu", *properties: PropertySpec, **changes: Any) -> InstrumentSpec:
    values: dict[str, Any] = {
        "driver": "fake",
        "title": name,
        "capability": "generic",
        "backend": "fake",
        "address": f"fake::{name}",
        "timeout_s": 1.0,
        "properties": {one.name: one for one in properties or (prop("volt"),)},
    }
    values.update(changes)
    values["safe"] = tuple(
        one if isinstance(one, SafeValue) else SafeValue("", one[0], one[1]) for one in values.get("safe", ())
    )
    return InstrumentSpec(name=name, **values)


@dataclass
class Rig:
    bench: InstrumentBench
    sessions: dict[str, FakeSession]
    logged: list[str]
    life: list[str]

    def __getattr__(self, name: str) -> FakeSession:
        return self.sessions[name]


def make_rig(
    *specs: InstrumentSpec,
    sites: Mapping[int, str] | None = None,
    mocks: Mapping[Target, Any] | None = None,
    prepare: Callable[[FakeSession], None] = lambda session: None,
    opened: bool = True,
    more_to_come: bool = False,
) -> Rig:
    sessions: dict[str, FakeSession] = {}
    logged: list[str] = []
    life: list[str] = []

    def open_session(one: InstrumentSpec, site: str | None) -> FakeSession:
        name = one.name if site is None else f"{one.name}@{site}"
        session = sessions[name] = FakeSession(name, life=life)
        prepare(session)
        return session

    bench = InstrumentBench(
        {one.name: one for one in specs},
        open_session,
        sites or {0: "A"},
        mocks,
        lambda level, message, instrument: logged.append(f"{level}: {message}"),
        more_to_come=more_to_come,
    )
    if opened:
        bench.open_all()
        for session in sessions.values():
            session.take()
    return Rig(bench, sessions, logged, life)


@pytest.fixture(scope="session")
def fake() -> SimpleNamespace:
    """The makers of this file, for tests that cannot import it."""
    return SimpleNamespace(rig=make_rig, spec=spec, prop=prop, session=FakeSession, volt=VOLT)
