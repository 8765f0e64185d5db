"""Readers: closures that make one reading each, with all that can be looked up looked up before.

A reading happens for every measured value of a run, so this is the hot path: one call of the session, one conversion.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.bench.access import Access
from engine.bench.decode import Decoder, bytes_decoder, overrange_of
from engine.bench.state import InstanceState, Key
from engine.core.bench import PropertyValue
from engine.core.session import Session

Reader = Callable[[], PropertyValue]


def reader_of(access: Access, get: str, session: Session, state: InstanceState) -> Reader:
    """What reads this property by `get`; any failure makes all that was applied to the instance unknown."""
    prop = access.prop
    read: Reader
    if access.decode is None:
        read = _bytes_reader(session, get, bytes_decoder(prop, get, access.where), state)
    elif prop.type == "number":
        read = _number_reader(session, get, access.decode, overrange_of(prop), state)
    else:
        read = _text_reader(session, get, access.decode, state)
    if access.disturbs and prop.set is None:
        return _disturbing_reader(read, state, access.disturbs)
    return read


def _number_reader(session: Session, get: str, decode: Decoder, overrange: float, state: InstanceState) -> Reader:
    query, lowest = session.query, -overrange

    def read() -> PropertyValue:
        try:
            reply = query(get)
            try:
                value = float(reply)
            except ValueError:
                return decode(reply)
            if lowest < value < overrange and "_" not in reply and reply.isascii():
                return value
            return decode(reply)
        except BaseException:
            state.doubt_all()
            raise

    return read


def _text_reader(session: Session, get: str, decode: Decoder, state: InstanceState) -> Reader:
    query = session.query

    def read() -> PropertyValue:
        try:
            return decode(query(get))
        except BaseException:
            state.doubt_all()
            raise

    return read


def _bytes_reader(session: Session, get: str, decode: Callable[[bytes], PropertyValue], state: InstanceState) -> Reader:
    query_bytes = session.query_bytes

    def read() -> PropertyValue:
        try:
            return decode(query_bytes(get))
        except BaseException:
            state.doubt_all()
            raise

    return read


def _disturbing_reader(read: Reader, state: InstanceState, disturbs: tuple[Key, ...]) -> Reader:
    def read_and_doubt() -> PropertyValue:
        state.disturb(disturbs)
        return read()

    return read_and_doubt
