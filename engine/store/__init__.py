"""The journal: what happened in every run, kept so that a crash, a full disk or a second process loses none of it."""

from __future__ import annotations

from engine.store.identifiers import new_run_id, short_id
from engine.store.journal import Journal
from engine.store.queries import JournalReader
from engine.store.recorder import Durability, JournalRecorder
from engine.store.records import (
    AttachmentRecord,
    EventRecord,
    FileRecord,
    InstrumentRecord,
    MeasurementRecord,
    NodeRecord,
    NoteRecord,
    RunRecord,
    RunState,
    UnitRecord,
)
from engine.store.runs import JOURNAL_NAME

__all__ = [
    "JOURNAL_NAME",
    "AttachmentRecord",
    "Durability",
    "EventRecord",
    "FileRecord",
    "InstrumentRecord",
    "Journal",
    "JournalReader",
    "JournalRecorder",
    "MeasurementRecord",
    "NodeRecord",
    "NoteRecord",
    "RunRecord",
    "RunState",
    "UnitRecord",
    "new_run_id",
    "short_id",
]
