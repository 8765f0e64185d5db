"""Takes the bytes of a file, and only of a file.

A name that a user or another file gives may be a directory, a device that never ends, a pipe that nobody writes
to, or ten gigabytes of log. Each of them is refused with a message; none is waited for.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from schemas.diagnostics import InvalidFiles, Problems
from schemas.reader.limits import Limits
from schemas.source import Source


def read_bytes(path: Path, name: str, limits: Limits) -> bytes:
    """Content of a regular file within the limits; raises InvalidFiles with one problem for anything else."""
    try:
        # a pipe without a writer blocks an ordinary open for ever
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as error:
        raise _refused(name, *_why_not_opened(error)) from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise _refused(name, f"`{name}` is {kind}", "give the name of a YAML file")
        if status.st_size > limits.file_bytes:
            raise _too_large(name, status.st_size, limits)
        with os.fdopen(os.dup(handle), "rb") as file:
            data = file.read(limits.file_bytes + 1)
    except OSError as error:
        raise _refused(name, *_why_not_opened(error)) from None
    finally:
        os.close(handle)
    if len(data) > limits.file_bytes:  # it grew, or lies about its size as those in /proc do
        raise _too_large(name, len(data), limits)
    return data


def _why_not_opened(error: OSError | ValueError) -> tuple[str, str]:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return "there is no such file", "check the name and the folder"
        case PermissionError():
            return "this file may not be read", "check its permissions"
        case OSError(strerror=str(reason)):
            return f"this file cannot be read: {reason[:1].lower()}{reason[1:]}", ""
    return "this is not a file name", ""


def _too_large(name: str, size: int, limits: Limits) -> InvalidFiles:
    return _refused(
        name,
        f"this file has {size:,} bytes; at most {limits.file_bytes:,} are read",
        "split it into several files that refer to each other by id",
        "Y003",
    )


def _refused(name: str, message: str, remedy: str, code: str = "Y001") -> InvalidFiles:
    problems = Problems()
    problems.error(code, message, Source(name, "").span(0, 0), help=remedy)
    return InvalidFiles(problems)
