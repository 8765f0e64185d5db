"""Connections to the journal file, and what SQLite's complaints mean to a person.

SQLite is opened nowhere else, so that no database error can reach a user as a traceback.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from engine.core.errors import StoreError

BUSY_TIMEOUT_S = 30.0
"""How long a writer waits for another one before it gives up."""


def explain(error: BaseException, path: Path) -> StoreError:
    """The error as a message that names the journal and the remedy."""
    text = str(error)
    lower = text.lower()
    match lower:
        case _ if "not a database" in lower:
            return StoreError(f"{path} is not a Benchwright journal", "move it away, or choose another results folder")
        case _ if "malformed" in lower or "corrupt" in lower:
            return StoreError(
                f"the journal {path} is damaged: {text}",
                f"move it away to start a new one; `sqlite3 {path.name} .recover` may save its rows",
            )
        case _ if "locked" in lower or "busy" in lower:
            return StoreError(
                f"the journal {path} is in use by another program",
                "close whatever holds it open for writing and try again",
            )
        case _ if "readonly" in lower or "read-only" in lower or isinstance(error, PermissionError):
            return StoreError(
                f"the journal {path} cannot be written",
                "make the results folder writable, or choose another with --results",
            )
        case _ if "full" in lower or "no space" in lower:
            return StoreError(
                f"no room is left to write the journal {path}",
                "free some disk space, or choose another results folder with --results",
            )
        case _ if "unable to open" in lower or isinstance(error, OSError):
            return StoreError(
                f"the journal {path} cannot be opened: {text}",
                "check that the results folder exists and that you may write there, or choose another with --results",
            )
        case _:
            return StoreError(f"the journal {path} failed: {text}", "check the disk, or choose another results folder")


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn whatever SQLite or the file system says inside into a StoreError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explain(error, path) from error


def connect(path: Path, *, synchronous: str = "NORMAL", create: bool = True) -> sqlite3.Connection:
    """A connection that may write; transactions are begun and ended by hand.

    Raises StoreError.
    """
    with explained(path):
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        mode = "rwc" if create else "rw"
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            connection.execute(f"PRAGMA synchronous={synchronous}")
            connection.execute("PRAGMA cache_size=-8000")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that never writes; works on a folder that may only be read.

    Raises StoreError.
    """
    with explained(path):
        uri = path.resolve().as_uri()
        for mode in ("mode=ro", "mode=ro&immutable=1"):
            connection = sqlite3.connect(
                f"{uri}?{mode}", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.OperationalError as error:
                connection.close()
                # A write-ahead log needs a shared-memory file; where none can be made, nobody is writing either.
                if "immutable" in mode or not any(w in str(error).lower() for w in ("unable to open", "readonly")):
                    raise
            except sqlite3.Error:
                connection.close()
                raise
            else:
                return connection
    raise AssertionError("unreachable")
