"""Whether the process that writes a run still lives.

Each running run holds an operating-system lock on a file of its own; the system gives it back however the process ends,
so a killed run can never look as if it still ran. A process number alone could not tell, since numbers are used again.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on this operating system: a lock file that exists counts as held
    fcntl = None  # type: ignore[assignment]

FOLDER = ".running"


def _lock_path(journal: Path, run_id: str) -> Path:
    return journal.parent / FOLDER / "".join(c if c.isalnum() or c in "-_" else "_" for c in run_id)


def _try_lock(descriptor: int) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class RunLock:
    """Held from before the run's first row until after its last."""

    def __init__(self, journal: Path, run_id: str) -> None:
        self.path = _lock_path(journal, run_id)
        self._descriptor: int | None = None
        self.path.parent.mkdir(exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        _try_lock(self._descriptor)

    def release(self) -> None:
        """Give the lock back and remove its file; may be called any number of times."""
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):
            self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = None


def is_running(journal: Path, run_id: str) -> bool:
    """Whether some process, perhaps this one, is writing the run."""
    try:
        descriptor = os.open(_lock_path(journal, run_id), os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)
