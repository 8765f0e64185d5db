"""Names of what is written, and writing it whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TextIO

from engine.core.errors import StoreError
from engine.store import RunRecord


def report_name(run: RunRecord, suffix: str = "html", zone: tzinfo | None = None) -> str:
    """`{sequence}_{id8}_{YYYYmmdd_HHMMSS}.html`, in local time unless a zone is given."""
    sequence = re.sub(r"[^A-Za-z0-9._-]+", "_", run.sequence).strip("._") or "run"
    started = datetime.fromtimestamp(run.started_wall, zone)
    identity = re.sub(r"[^A-Za-z0-9-]+", "_", run.short_id)[:8]
    return f"{sequence[:80]}_{identity}_{started:%Y%m%d_%H%M%S}.{suffix}"


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[TextIO]:
    """A text file that appears under its name once it is complete; its folder is made.

    Raises StoreError when it cannot be written, and leaves nothing behind.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            yield stream
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}", "choose another place with -o") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
