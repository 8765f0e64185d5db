"""One property of one channel of an instance, prepared: what to send, what may be set, how a reply is read."""

from __future__ import annotations

from dataclasses import dataclass

from engine.bench.commands import checked_channel, compile_command, compile_query
from engine.bench.decode import Decoder, decoder, reads_bytes
from engine.bench.encode import Encoder, command_encoder
from engine.bench.guard import Check, checker
from engine.bench.state import Key
from engine.core.bench import InstrumentSpec, PropertySpec, Target
from engine.core.errors import UsageError
from schemas.diagnostics import did_you_mean


@dataclass(frozen=True, slots=True)
class Access:
    """Made once for each property of each channel."""

    key: Key
    prop: PropertySpec
    where: str
    """`psu@A[1].voltage`: for messages."""
    get: str | None
    decode: Decoder | None
    """None: cannot be read, or is read as bytes."""
    check: Check
    encode: Encoder | None
    """None: cannot be set."""
    disturbs: tuple[Key, ...]
    """Unknown after a set; for what can only be read, after a reading."""
    shared: bool
    """Units agree on it: never put back for one of them."""


def prepare_access(spec: InstrumentSpec, instance: str, key: Key, channels: frozenset[str]) -> Access:
    """Compile what the driver says of one property; raises UsageError where it has none or says what cannot be.

    `channels` are all of the instance: what disturbs a property may disturb it on each of them.
    """
    channel, name = key
    where = str(Target(instance, channel, name))
    prop = spec.properties.get(name)
    if prop is None:
        hint = did_you_mean(name, spec.properties) or f"it has {', '.join(spec.properties)}"
        raise UsageError(f"driver `{spec.driver}` of {instance} has no property `{name}`", hint)
    checked_channel(channel, where)
    get = compile_query(prop.get, channel, where) if prop.get is not None else None
    template = compile_command(prop.set, channel, where) if prop.set is not None else None
    return Access(
        key=key,
        prop=prop,
        where=where,
        get=get,
        decode=decoder(prop, get, where) if get is not None and not reads_bytes(prop) else None,
        check=checker(prop, where, template),
        encode=command_encoder(template, prop, where) if template is not None else None,
        disturbs=tuple((each, other) for other in prop.resets for each in sorted(channels | {channel})),
        shared=prop.sharing == "mode" or spec.shared == name,
    )


def put_back_order(spec: InstrumentSpec) -> dict[str, int]:
    """The driver's order, but what disturbs a property before that property."""
    order: dict[str, int] = {}
    disturbed_by: dict[str, list[str]] = {name: [] for name in spec.properties}
    for name, prop in spec.properties.items():
        for other in prop.resets:
            if prop.set is not None and other in disturbed_by and other != name:
                disturbed_by[other].append(name)
    entered: set[str] = set()

    def place(name: str) -> None:
        if name not in entered:
            entered.add(name)
            for before in disturbed_by[name]:
                place(before)
            order[name] = len(order)

    for name in spec.properties:
        place(name)
    return order
