"""Leaving an instrument in its safe state, and making sure of it.

This runs when everything else has gone wrong. So it never raises for an instrument's fault, never skips a write because
the value seems to be there already, and goes on with what is left after a failure. Only what was read is verified.
"""

from __future__ import annotations

from math import isclose

from engine.bench.access import Access
from engine.bench.commands import printable
from engine.bench.instrument import Instrument
from engine.bench.state import UNKNOWN
from engine.core.bench import PropertyValue, SafeReport
from engine.core.errors import BenchwrightError, ConnectionFailed
from schemas.quantity import format_quantity

RELATIVE = 1e-3
ABSOLUTE = 1e-6
"""How far a number may come back from what was set: rounding by the instrument, not another setting."""


def make_safe(instrument: Instrument) -> SafeReport:
    """Write every safe value, outputs off first, then read back what can be read."""
    values = instrument.in_safe_order(instrument.safe_value(safe) for safe in instrument.spec.safe)
    if not values:
        return SafeReport(instrument.name, None, "the station gives it no safe state")
    state = instrument.state
    state.last_user = None
    faults: list[str] = []
    notes: list[str] = []
    written: list[tuple[Access, PropertyValue]] = []
    for access, value in values:
        _write(instrument, access, value, faults, written)
    for access, value in written:
        if state.applied.get(access.key, UNKNOWN) is UNKNOWN:  # a later one disturbed it
            _write(instrument, access, value, faults, [])
    told = _told_errors(instrument, faults)
    read_back = 0
    for access, value in written:
        if access.get is None:
            notes.append(f"{access.where} cannot be read back")
            continue
        fault = _read_back(instrument, access, value)
        if fault is None:
            read_back += 1
            state.applied[access.key] = value
        else:
            faults.append(fault)
            state.doubt(access.key)
    if told:
        (notes if read_back == len(written) else faults).append(f"{instrument.name} reports {told}")
    message = "; ".join(faults + notes)
    if faults:
        return SafeReport(instrument.name, False, message)
    return SafeReport(instrument.name, True if read_back else None, message)


def _write(
    instrument: Instrument,
    access: Access,
    value: PropertyValue,
    faults: list[str],
    written: list[tuple[Access, PropertyValue]],
) -> None:
    try:
        try:
            instrument.write(access, value)
        except ConnectionFailed:
            if faults:
                raise  # it was tried before: do not wait for a dead instrument at every value
            instrument.reopen()
            instrument.write(access, value)
    except Exception as error:  # noqa: BLE001  whatever it is, the remaining values must be tried
        faults.append(f"{access.where} could not be set to {_shown(access, value)}: {_words(error)}")
    else:
        written.append((access, value))


def _told_errors(instrument: Instrument, faults: list[str]) -> str:
    try:
        return "; ".join(instrument.errors())
    except Exception as error:  # noqa: BLE001
        faults.append(f"{instrument.name} could not be asked for its errors: {_words(error)}")
        return ""


def _read_back(instrument: Instrument, access: Access, value: PropertyValue) -> str | None:
    """What is wrong; None where it is as it should be. Always a real reading, never a mock."""
    try:
        found = instrument.reader(access)()
    except Exception as error:  # noqa: BLE001
        return f"{access.where} could not be read back: {_words(error)}"
    if _same(access, value, found):
        return None
    return f"{access.where} should be {_shown(access, value)} and reads {_shown(access, found)}"


def _same(access: Access, value: PropertyValue, found: PropertyValue) -> bool:
    match access.prop.type:
        case "number":
            return _close(value, found)
        case "array":
            return (
                not isinstance(value, (str, float))
                and not isinstance(found, (str, float))
                and len(value) == len(found)  # type: ignore[arg-type]
                and all(_close(one, other) for one, other in zip(value, found, strict=True))  # type: ignore[arg-type]
            )
        case "choice":
            choices = access.prop.choices or {}
            return choices.get(str(value)) == choices.get(str(found))
        case _:
            return value == found


def _close(value: object, found: object) -> bool:
    return (
        isinstance(value, (int, float))
        and isinstance(found, (int, float))
        and isclose(value, found, rel_tol=0.0, abs_tol=max(RELATIVE * abs(value), ABSOLUTE))
    )


def _shown(access: Access, value: PropertyValue) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (int, float)):
        return format_quantity(float(value), access.prop.unit or "")
    return f"`{printable(str(value))}`"


def _words(error: Exception) -> str:
    return error.message if isinstance(error, BenchwrightError) else f"{type(error).__name__}: {error}"
