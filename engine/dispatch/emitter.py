"""Where documents leave the dispatcher: first to the recorder, which gates, then to whoever listens.

A listener hears a document only once it is durable; nothing it does can come before the journal. When the journal fails,
nothing more is recorded, the run is stopped, and the failure is kept for whoever started the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from engine.core.control import Control
from engine.core.errors import StoreError
from engine.core.recorder import Listener, Recorder
from engine.dispatch.stopped import Stopped
from schemas.documents import Document, Outcome


class Emitter:
    """Is open until the recorder fails; after that it takes documents and drops them."""

    def __init__(self, recorder: Recorder, listeners: Sequence[Listener], control: Control) -> None:
        self._recorder = recorder
        self._listeners = tuple(listeners)
        self._control = control
        self._unheard: list[Document] = []
        self.failure: StoreError | None = None

    def emit(self, document: Document) -> None:
        """Record one document; raises Stopped the first time the recorder cannot."""
        if self.failure is not None:
            return
        try:
            self._recorder.record(document)
        except StoreError as error:
            self._fail(error)
        if self._listeners:
            self._unheard.append(document)

    def note(self, document: Document) -> None:
        """Record one document that is no reason to stop, wherever it is noticed; the failure of the journal is kept."""
        with suppress(Stopped):
            self.emit(document)

    def commit(self) -> None:
        """Return once all documents so far are durable: called before anything acts on what they announce."""
        if self.failure is not None:
            return
        try:
            self._recorder.durable()
        except StoreError as error:
            self._fail(error)
        if self._unheard:
            documents, self._unheard = self._unheard, []
            for document in documents:
                for listener in self._listeners:
                    listener.hear(document)

    def commit_quietly(self) -> None:
        """The same where a failure of the journal must not end anything; it is kept."""
        with suppress(Stopped):
            self.commit()

    def _fail(self, error: StoreError) -> None:
        self.failure = error
        self._control.abort(f"the journal failed: {error}")
        raise Stopped(Outcome.ABORTED, f"the journal failed: {error}")
