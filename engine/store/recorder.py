"""The hot path: takes documents, and decides when they become rows.

Documents wait in a list and become rows together, because one statement for a thousand rows costs a tenth of a thousand
statements. A group is written whole or not at all, and kept until it is, so that a full disk loses nothing that can
still be saved.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from engine.core.errors import StoreError
from engine.store.connection import connect, explain
from engine.store.liveness import RunLock
from engine.store.rows import Group, Known, NodeKey
from schemas.documents import Document, RunStarted

Durability = Literal["grouped", "each"]
"""grouped: committed in groups, a power cut may lose the last half second. each: safe on disk at every `durable()`."""

GROUP_ROWS = 2000
GROUP_S = 0.5


class JournalRecorder:
    """Takes the documents of one run, from RunStarted to RunFinished."""

    def __init__(self, path: Path, durability: Durability, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self._each = durability == "each"
        self._wall = wall
        self._connection = connect(path, synchronous="FULL" if self._each else "NORMAL", create=False)
        self._known = Known()
        self._waiting: list[Document] = []
        self._due = 0.0
        self._number = 0
        self._base: int | None = None
        """The run's key, shifted; None before RunStarted."""
        self._open: dict[NodeKey, int] = {}
        """Row ids of the attempts that have started and not finished."""
        self._given_up: dict[NodeKey, int] = {}
        """Row ids of the attempts that are to be discarded, once their remedy is over."""
        self._lock: RunLock | None = None
        self._closed = False

    def record(self, document: Document) -> None:
        """Take one document; raises StoreError when the journal cannot be written."""
        waiting = self._waiting
        waiting.append(document)
        if len(waiting) >= GROUP_ROWS or type(document) is RunStarted or time.monotonic() >= self._due:
            self.flush()

    def durable(self) -> None:
        """Write what waits, if every step is to be safe; raises StoreError."""
        if self._each and self._waiting:
            self.flush()

    def close(self) -> None:
        """Write what is left and give up the run; it counts as interrupted unless it finished."""
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
        finally:
            if self._lock is not None:
                self._lock.release()
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()

    def flush(self) -> None:
        """Write all documents taken so far in one transaction; raises StoreError and keeps them when that fails."""
        if not self._waiting:
            self._due = time.monotonic() + GROUP_S
            return
        try:
            try:
                group = self._write(cleaning=False)
            except (OverflowError, UnicodeError, sqlite3.ProgrammingError, sqlite3.InterfaceError):
                group = self._write(cleaning=True)
        except StoreError:
            self._waiting.clear()  # a document nobody can keep would block all that follow
            raise
        except (sqlite3.Error, OSError) as error:
            raise explain(error, self._path) from error
        finally:
            self._due = time.monotonic() + GROUP_S
        self._number = group.number
        self._base = group.base
        self._open = group.open
        self._given_up = group.given_up
        self._waiting.clear()

    def _write(self, *, cleaning: bool) -> Group:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            group = Group(
                connection,
                self._known,
                self._wall(),
                self._number,
                self._base,
                self._open,
                self._given_up,
                self._claim,
                cleaning,
            )
            group.write(self._waiting)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            self._known.forget()
            raise
        return group

    def _claim(self, run_id: str) -> None:
        """Show other processes that this run is alive."""
        if self._lock is None:
            self._lock = RunLock(self._path, run_id)
