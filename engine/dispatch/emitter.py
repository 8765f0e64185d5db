"""Where documents leave the dispatcher: first to the recorder, which gates, then to whoever listens.

A listener hears a document only once it is durable; nothing it does can come before the journal, and one that raises is not
asked again: a screen that cannot show something must never touch the run. When the journal fails, nothing more is recorded,
the run is stopped, and the failure is kept for whoever started the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from engine.core.control import Control
from engine.core.errors import StoreError
from engine.core.recorder import Listener, Recorder
from engine.dispatch.stopped import Stopped
from schemas.documents import Document, Outcome


class Audience:
    """Those who hear documents; each until it raises, from then on without it."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = list(listeners)
        self.lost: list[str] = []
        """What the listeners that are not asked any more raised, for whoever started the run."""

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def hear(self, document: Document) -> None:
        """Let all of them hear a document; raises nothing of theirs."""
        for listener in tuple(self._listeners):
            try:
                listener.hear(document)
            except (Exception, SystemExit, GeneratorExit) as error:  # noqa: BLE001  # whatever it is, the run goes on
                self._listeners.remove(listener)
                self.lost.append(f"{type(listener).__name__} stopped listening: {type(error).__name__}: {error}")


class Emitter:
    """Is open until the recorder fails; after that it takes documents and drops them."""

    def __init__(self, recorder: Recorder, listeners: Sequence[Listener], control: Control) -> None:
        self._recorder = recorder
        self.audience = Audience(listeners)
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
        if self.audience:
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
                self.audience.hear(document)

    def commit_quietly(self) -> None:
        """The same where a failure of the journal must not end anything; it is kept."""
        with suppress(Stopped):
            self.commit()

    def _fail(self, error: StoreError) -> None:
        self.failure = error
        self._control.abort(f"the journal failed: {error}")
        raise Stopped(Outcome.ABORTED, f"the journal failed: {error}")
