"""Turns whatever ends a command into a message and an exit code; no traceback reaches a user."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path

from schemas.diagnostics import InvalidFiles, render


class ExitCode(IntEnum):
    """What a command's exit code says."""

    PASS = 0
    """Passed, marginal, or done."""
    FAIL = 1
    INVALID = 2
    """Files or arguments cannot be used."""
    ERROR = 3
    ABORTED = 4
    UNJUDGED = 5
    CUT_OFF = 141
    """Nobody reads the output any more: what a shell says of SIGPIPE."""


_WORST_LAST = (
    *(ExitCode.PASS, ExitCode.UNJUDGED, ExitCode.FAIL, ExitCode.INVALID),
    *(ExitCode.ERROR, ExitCode.ABORTED),
)


def exit_code_for(outcome: str) -> ExitCode:
    """What is no judgement is never green."""
    from engine.verdict.ladder import exit_code
    from schemas.documents import Outcome

    try:
        return ExitCode(exit_code(Outcome(outcome)))
    except ValueError:  # a state that is no outcome
        return ExitCode.UNJUDGED


def worst(codes: list[ExitCode]) -> ExitCode:
    """The one code of several runs."""
    return max(codes, key=_WORST_LAST.index, default=ExitCode.UNJUDGED)


def told(error: BaseException, results: Path | None = None, environ: Mapping[str, str] = os.environ) -> ExitCode:
    """Tell the user what happened, on standard error, and answer the exit code."""
    from engine.core.errors import BenchwrightError, RunAborted, UsageError

    match error:
        case InvalidFiles():
            _print(render(error.problems))
            return ExitCode.INVALID
        case BenchwrightError():
            _print_error(error.message, error.help)
            if isinstance(error, UsageError):
                return ExitCode.INVALID
            return ExitCode.ABORTED if isinstance(error, RunAborted) else ExitCode.ERROR
        case KeyboardInterrupt():
            _print("aborted")
            return ExitCode.ABORTED
        case BrokenPipeError():
            let_go_of_output()
            return ExitCode.CUT_OFF
        case OSError() if error.filename is not None or error.strerror:
            name = f" {error.filename}" if error.filename is not None else ""
            _print_error(f"cannot use{name}: {error.strerror or error}", "")
            return ExitCode.ERROR
    _internal(error, results, environ)
    return ExitCode.ERROR


def _internal(error: BaseException, results: Path | None, environ: Mapping[str, str]) -> None:
    details = "".join(traceback.format_exception(error))
    if environ.get("BENCHWRIGHT_DEBUG"):
        _print(details.rstrip())
        return
    where = _written(details, results)
    told = f"the details are in {where}" if where is not None else "set BENCHWRIGHT_DEBUG=1 to see the details"
    _print_error(f"internal error: {type(error).__name__}", f"{told}; please report it with them")


def _written(details: str, results: Path | None) -> Path | None:
    """The file that took the details; in the temporary folder where the results folder takes none."""
    import tempfile
    import time

    for folder in (results, Path(tempfile.gettempdir())):
        if folder is None:
            continue
        path = folder / f"internal_error_{time.strftime('%Y%m%d_%H%M%S')}_{os.getpid()}.txt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(details, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return path
    return None


def _print_error(message: str, help: str) -> None:
    from engine.cli.console import clean, toned

    _print(f"{toned('error', 'bad', sys.stderr)}: {clean(message)}")
    if help:
        _print(f"  = help: {clean(help)}")


def _print(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)


def let_go_of_output() -> None:
    """Nothing more can be written; without this the interpreter would complain at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
