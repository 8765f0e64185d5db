"""Where documents go: the one listener that may make a run wait.

The dispatcher knows only this seam; `engine.store` implements it with a journal that survives a crash.
"""

from __future__ import annotations

from typing import Protocol

from schemas.documents import Document


class Recorder(Protocol):
    """Takes every document of a run, in order, and says when they are safe."""

    def record(self, document: Document) -> None:
        """Take one document; raises StoreError when it cannot be kept."""

    def durable(self) -> None:
        """Return once all documents taken are as safe as this clock asks for.

        On the wall clock that is one durable transaction; on the virtual clock documents are committed in groups and this
        returns at once.
        """

    def close(self) -> None:
        """Write what is left and let go; may be called any number of times."""


class Listener(Protocol):
    """Hears every document after the recorder; must not raise and cannot slow a run."""

    def hear(self, document: Document) -> None: ...


class MemoryRecorder:
    """Keeps the documents of a run in a list: for tests and for predictions that leave no trace."""

    def __init__(self) -> None:
        self.documents: list[Document] = []

    def record(self, document: Document) -> None:
        self.documents.append(document)

    def durable(self) -> None:
        pass

    def close(self) -> None:
        pass


class NullRecorder:
    """Keeps nothing."""

    def record(self, document: Document) -> None:
        pass

    def durable(self) -> None:
        pass

    def close(self) -> None:
        pass
