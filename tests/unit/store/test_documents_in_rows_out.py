"""Whatever a run says, the journal says again."""

from __future__ import annotations

import math
import string
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store import Journal, new_run_id
from schemas.documents import Level, Logged, Measured, NodeFinished, NodeStarted, Outcome, RunStarted, Verdict

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
word = st.text(string.ascii_lowercase + "_", min_size=1, max_size=6)
number = st.floats(allow_nan=True, allow_infinity=True)
finite = st.floats(allow_nan=False, allow_infinity=False)
small = st.integers(0, 5)
axes = st.dictionaries(st.one_of(word, text), st.one_of(number, text), max_size=3).map(lambda d: tuple(d.items()))

measured = st.builds(
    Measured, unit=small, node=text, attempt=st.integers(1, 3), order=small, name=text,
    value=st.one_of(number, text, st.booleans(), st.none()), unit_symbol=text, verdict=st.sampled_from(Verdict), t=finite,
    low=st.none() | finite, high=st.none() | finite, limit=text, margin=st.none() | finite, axes=axes, source=text,
    instrument=text, net=text, pin=text, samples=st.integers(1, 99), spread=st.none() | finite, diagnostic=st.booleans(),
    json_value=text,
)  # fmt: skip
logged = st.builds(
    Logged, t=finite, level=st.sampled_from(Level), message=text, unit=st.none() | small, node=text, kind=text
)
node = st.builds(
    NodeFinished, unit=small, node=text, attempt=st.integers(1, 3), order=small, kind=text, outcome=st.sampled_from(Outcome),
    started=finite, t=finite, final=st.booleans(), message=text, title=text, waited=finite,
)  # fmt: skip


def same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    return bool(a == b and isinstance(a, bool) == isinstance(b, bool))


def started(run_id: str) -> RunStarted:
    return RunStarted(run_id, "s", "", "", "st", "virtual", "", "", {}, None, 0, "", "", {}, [], {})


@settings(max_examples=60, deadline=None)
@given(
    documents=st.lists(measured | logged | node, max_size=12),
    begin=st.sets(st.integers(0, 11)),
    cut=st.integers(0, 12),
    durability=st.sampled_from(["grouped", "each"]),
)
def test_documents_in_rows_out(documents: list[Any], begin: set[int], cut: int, durability: Any) -> None:
    folder = _folder()
    run_id = new_run_id()
    with Journal(folder) as journal:
        recorder = journal.recorder(durability)
        recorder.record(started(run_id))
        seen: set[Any] = set()
        nodes: list[NodeFinished] = []
        kept: list[Any] = []
        for position, document in enumerate(documents):
            if isinstance(document, NodeFinished):
                key = (document.unit, document.node, document.attempt)
                if key in seen:
                    continue
                seen.add(key)
                nodes.append(document)
                if position in begin:
                    d = document
                    recorder.record(NodeStarted(d.unit, d.node, d.attempt, d.order, d.kind, d.started))
            if position == cut:
                recorder.flush()
            recorder.record(document)
            kept.append(document)
        recorder.close()
        run = journal.run(run_id)

        expected = sorted((d for d in kept if isinstance(d, Measured)), key=lambda d: (d.unit, d.order, d.attempt))
        rows = list(journal.measurements(run))
        assert len(rows) == len(expected)
        for row, document in zip(rows, expected, strict=True):
            for name in Measured.__slots__:
                assert same(getattr(document, name), getattr(row, name)), name

        events = [(e.t, e.level, e.message, e.unit, e.node, e.kind) for e in journal.events(run)]
        assert events == [(d.t, d.level, d.message, d.unit, d.node, d.kind) for d in kept if isinstance(d, Logged)]

        found = {(n.unit, n.node, n.attempt): n for n in journal.nodes(run)}
        assert len(found) == len(nodes)
        for d in nodes:
            n = found[d.unit, d.node, d.attempt]
            assert (n.order, n.kind, n.outcome, n.started, n.finished) == (d.order, d.kind, d.outcome, d.started, d.t)
            assert (n.final, n.message, n.title, n.waited, n.state) == (
                d.final,
                d.message,
                d.title,
                d.waited,
                "finished",
            )


_folders: list[tempfile.TemporaryDirectory[str]] = []


def _folder() -> Path:
    """One journal for all examples: what one run says must not change another."""
    if not _folders:
        _folders.append(tempfile.TemporaryDirectory())
    return Path(_folders[0].name)
