"""`attach` and `log`: what is kept beside the values."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Generator
from typing import Any

from engine.core.errors import StepError
from engine.dispatch.step import Step
from engine.plan.model import AttachAction, LogAction
from schemas.documents import Attached, Level

LARGEST_ATTACHMENT = 64 * 1024 * 1024
"""Bytes."""


def log(step: Step, action: LogAction) -> Generator[Any, Any, None]:
    """A message with a level."""
    step.log(Level(action.level), step.text(action.text))
    return
    yield


def attach(step: Step, action: AttachAction) -> Generator[Any, Any, None]:
    """Keep a file below the project with the run."""
    path = step.text(action.path)
    content = read_below(action.root, path)
    step.unit.emitter.emit(
        Attached(
            step.index,
            step.id,
            step.clock.now,
            path.replace(os.sep, "/").rsplit("/", 1)[-1],
            path,
            hashlib.sha256(content).hexdigest(),
            len(content),
            content,
        )
    )
    return
    yield


def read_below(root: str, path: str) -> bytes:
    """The bytes of a regular file below `root`; raises StepError for anything that leads elsewhere.

    Every folder on the way is opened without following links, so nothing can be exchanged between the check and the read.
    """
    parts = [part for part in path.replace(os.sep, "/").split("/") if part not in ("", ".")]
    if not parts or os.path.isabs(path) or ".." in parts:
        raise StepError(f"`{path}` cannot be attached", "name a file below the project, without `..`")
    opened: list[int] = []
    try:
        opened.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
        for part in parts[:-1]:
            opened.append(os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
        # without O_NONBLOCK a named pipe would be waited for
        opened.append(os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened[-1]))
        status = os.fstat(opened[-1])
        if not stat.S_ISREG(status.st_mode):
            raise StepError(f"`{path}` is not a regular file, so it cannot be attached")
        if status.st_size > LARGEST_ATTACHMENT:
            raise _too_large(path)
        with os.fdopen(os.dup(opened[-1]), "rb") as file:
            content = file.read(LARGEST_ATTACHMENT + 1)
        if len(content) > LARGEST_ATTACHMENT:
            raise _too_large(path)
    except FileNotFoundError:
        raise StepError(f"there is no file `{path}` to attach", "paths are relative to the project") from None
    except OSError as error:
        raise StepError(f"`{path}` cannot be attached: {error.strerror}", "links are not followed") from None
    else:
        return content
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _too_large(path: str) -> StepError:
    return StepError(f"`{path}` is too large to attach", f"the most is {LARGEST_ATTACHMENT // 1024**2} MiB")
