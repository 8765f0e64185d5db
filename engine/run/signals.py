"""Turns signals into requests to the run, so that Ctrl-C stops it politely and never tears it apart."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from engine.core.control import Control

_NAMES = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", "SIGHUP": "the terminal was closed"}


@contextlib.contextmanager
def interruptible(control: Control) -> Iterator[None]:
    """While inside: a first signal aborts with cleanup, a second bounds the cleanup, a third goes to the safe state.

    Only the main thread can be sent signals; elsewhere nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        control.abort(_NAMES.get(name, name))

    before = {}
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def told_afterwards() -> Iterator[list[str]]:
    """While inside, signals are only noted: for the moments before and after a run, which must end what they began.

    A run that starts inside handles them by itself. Answers the names of the signals that came.
    """
    came: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(_NAMES.get(signal.Signals(number).name, ""))

    before = {}
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
