"""The log file that the settings name: what happened, for whoever looks next week.

It listens like the terminal does; a disk that is full must not stop a run, so what cannot be written is told once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO

from engine.cli import console
from schemas.documents import (
    Document,
    Level,
    Logged,
    NodeFinished,
    Outcome,
    RunFinished,
    RunStarted,
    SafeState,
)

RANK = {Level.DEBUG: 0, Level.INFO: 1, Level.WARNING: 2, Level.ERROR: 3}


class LogFile:
    """Appends a line for each message, error and end of a run."""

    def __init__(
        self,
        path: Path,
        level: str = "info",
        form: Literal["text", "json"] = "text",
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._path = path
        self._least = RANK[Level(level)]
        self._form = form
        self._now = now
        self._stream: TextIO | None = None
        self._run = ""

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._path.open("a", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            self._give_up(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            try:
                stream.close()
            except OSError as failure:
                self._give_up(failure)

    def hear(self, document: Document) -> None:
        match document:
            case Logged():
                self._write(document.level, document.t, document.message, document.node)
            case NodeFinished() if document.outcome in (Outcome.ERROR, Outcome.ABORTED):
                self._write(Level.ERROR, document.t, f"{document.outcome}: {document.message}", document.node)
            case SafeState() if document.verified is False:
                self._write(Level.ERROR, document.t, f"not safe: {document.message}", document.instrument)
            case RunStarted():
                self._run = document.run_id
                self._write(Level.INFO, 0.0, f"run {self._run}: {document.sequence} on {document.station}")
            case RunFinished():
                self._write(Level.INFO, document.t, f"run {self._run} finished: {document.outcome}")

    def _write(self, level: Level, t: float, message: str, where: str = "") -> None:
        if self._stream is None or RANK[level] < self._least:
            return
        time = self._now().isoformat(timespec="milliseconds")
        if self._form == "json":
            entry: dict[str, Any] = {"time": time, "level": str(level), "message": message, "run": self._run, "t": t}
            line = json.dumps({**entry, "where": where}, ensure_ascii=False)
        else:
            place = f" {console.clean(where)}:" if where else ""
            line = f"{time} {level.upper():7} {t:12.3f} s{place} {console.clean(message)}"
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._stream = None
        console.err(f"warning: the log file {self._path} cannot be written: {error.strerror or error}")
