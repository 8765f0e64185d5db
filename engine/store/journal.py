"""The journal of a results folder: one file, made on first use, brought up to date when opened."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from engine.store.connection import connect, explained
from engine.store.migrations import migrate
from engine.store.queries import JournalReader
from engine.store.recorder import Durability, JournalRecorder
from engine.store.records import NoteRecord, RunRecord
from engine.store.runs import journal_path


class Journal(JournalReader):
    """May be written: hands out recorders, takes notes. `JournalReader` is for looking only."""

    def __init__(self, path: Path | str, wall: Callable[[], float] = time.time) -> None:
        """Open the journal at `path`, or make it; a folder stands for the journal in it.

        Raises StoreError.
        """
        path = journal_path(path)
        self._wall = wall
        connection = connect(path)
        try:
            migrate(connection, path)
        except BaseException:
            connection.close()
            raise
        super().__init__(path, connection)

    def recorder(self, durability: Durability = "grouped") -> JournalRecorder:
        """A recorder for one run, on a connection of its own; raises StoreError."""
        return JournalRecorder(self.path, durability, self._wall)

    def add_note(self, run: RunRecord, text: str, author: str = "") -> NoteRecord:
        """Write a note to a run; raises StoreError."""
        note = NoteRecord(self._wall(), author, text)
        with explained(self.path):
            self._connection.execute(
                "INSERT INTO notes (run, wall, author, text) VALUES (?,?,?,?)", (run.key, note.wall, author, text)
            )
        return note
