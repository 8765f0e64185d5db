"""What was given up for another attempt is kept, and is no result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import StoreError
from engine.store import Journal, JournalReader, RunRecord, migrations, new_run_id
from engine.store import connection as connections
from engine.store.migrations import SEQUENCE_BITS
from schemas.documents import (
    Discarded,
    Document,
    Measured,
    NodeFinished,
    NodeStarted,
    Outcome,
    RunFinished,
    RunStarted,
    Tally,
    UnitStarted,
    Verdict,
)


def began(run_id: str) -> RunStarted:
    return RunStarted(run_id, "s", "", "", "st", "virtual", "", "", {}, None, 0, "", "", {}, [], {})


def leaf(unit: int, node: str, attempt: int, order: int, verdict: Verdict, t: float) -> Iterator[Document]:
    """One step that measures."""
    outcome = Outcome(verdict.value)
    yield NodeStarted(unit, node, attempt, order, "measure", t)
    yield Measured(unit, node, attempt, order, node.rpartition("/")[2].partition("[")[0], 1.0, "V", verdict, t)
    yield NodeFinished(unit, node, attempt, order, "measure", outcome, t, t + 1)


def group_tried_again(unit: int = 0) -> Iterator[Document]:
    """A group of two steps whose second attempt stops after the first, with a remedy, between two steps outside."""
    yield UnitStarted(unit, f"S{unit}", "A", 0.0)
    yield from leaf(unit, "steps/before", 1, 0, Verdict.PASS, 0.0)
    yield NodeStarted(unit, "steps/g", 1, 1, "group", 1.0)
    yield from leaf(unit, "steps/g/steps/x", 1, 2, Verdict.PASS, 1.0)
    yield from leaf(unit, "steps/g/steps/y", 1, 3, Verdict.FAIL, 2.0)
    yield NodeFinished(unit, "steps/g", 1, 1, "group", Outcome.FAIL, 1.0, 3.0, False)
    yield from leaf(unit, "steps/g/remedy/r", 1, 4, Verdict.FAIL, 3.0)
    yield Discarded(unit, "steps/g", 1, 1, 4, 4.0)
    yield NodeStarted(unit, "steps/g", 2, 1, "group", 4.0)
    yield from leaf(unit, "steps/g/steps/x", 2, 2, Verdict.PASS, 4.0)
    yield NodeFinished(unit, "steps/g", 2, 1, "group", Outcome.PASS, 4.0, 5.0)
    yield from leaf(unit, "steps/after", 1, 5, Verdict.PASS, 5.0)


def results(journal: JournalReader, run: RunRecord, unit: int = 0) -> dict[tuple[str, int], bool]:
    return {(m.name, m.attempt): m.final for m in journal.measurements(run) if m.unit == unit}


EXPECTED = {
    ("before", 1): True,
    ("x", 1): False,
    ("x", 2): True,
    ("y", 1): False,
    ("r", 1): False,
    ("after", 1): True,
}


@pytest.mark.parametrize("durability", ["grouped", "each"])
def test_a_discarded_attempt_of_a_group_and_its_remedy_are_no_results(tmp_path: Path, durability: Any) -> None:
    with Journal(tmp_path) as journal:
        recorder = journal.recorder(durability)
        recorder.record(began(new_run_id()))
        for document in group_tried_again():
            recorder.record(document)
            recorder.durable()
        recorder.close()
        run = journal.find_run("latest")
        assert results(journal, run) == EXPECTED
        nodes = {(n.node.rpartition("/")[2], n.attempt): n.final for n in journal.nodes(run)}
        assert nodes == {**EXPECTED, ("g", 1): False, ("g", 2): True}
        assert journal.tally(run) == Tally(passed=3), "an interrupted run counts only what was not given up"


def test_an_attempt_given_up_by_one_unit_takes_nothing_from_another(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        recorder = journal.recorder()
        recorder.record(began(new_run_id()))
        for first, second in zip(group_tried_again(0), group_tried_again(1), strict=True):
            recorder.record(first)
            if not isinstance(second, Discarded):
                recorder.record(second)
        recorder.close()
        run = journal.find_run("latest")
        assert results(journal, run, 0) == EXPECTED
        assert all(results(journal, run, 1).values())


OLD_MEASUREMENT = "INSERT INTO measurements VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"


def old_journal(path: Path) -> None:
    """A journal as the first schema had it, with the run above: it has no word for what is discarded."""
    raw = connections.connect(path)
    migrations.migrate(raw, path, migrations.MIGRATIONS[:1])
    tally = dict.fromkeys(migrations.TALLY, 0)
    row = {
        "key": 1,
        "id": new_run_id(),
        "short": "b7k3q9x2",
        "sequence": "s",
        "title": "",
        "version": "",
        "station": "st",
        "clock": "virtual",
        "procedure_digest": "",
        "plan_digest": "",
        "parameters": "{}",
        "seed": "0",
        "operator": "",
        "description": "",
        "meta": "{}",
        "environment": "{}",
        "argv": "[]",
        "units": "{}",
        "started_wall": 0.0,
        "outcome": "pass",
        "message": "",
        "host": "",
        "pid": 1,
        **tally,
    }
    raw.execute(f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
    base = 1 << SEQUENCE_BITS
    started: dict[tuple[str, int], int] = {}
    for number, d in enumerate(group_tried_again(), start=base + 1):
        match d:
            case NodeStarted():
                started[d.node, d.attempt] = number
            case NodeFinished():
                raw.execute(
                    "INSERT INTO nodes VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                    (
                        *(started[d.node, d.attempt], d.unit, d.node, d.attempt, d.order, d.kind, "", str(d.outcome)),
                        *("finished", d.final, d.started, d.t, 0.0, 0.0, ""),
                    ),
                )
            case Measured():
                found = raw.execute("SELECT id FROM quantities WHERE name = ?", (d.name,)).fetchone()
                if found is None:
                    raw.execute("INSERT INTO quantities VALUES (NULL,?,'V','','','','',0,0)", (d.name,))
                    found = raw.execute("SELECT id FROM quantities WHERE name = ?", (d.name,)).fetchone()
                raw.execute(
                    OLD_MEASUREMENT,
                    (
                        *(
                            number,
                            d.unit,
                            d.order,
                            d.attempt,
                            d.node,
                            found[0],
                            "number",
                            d.value,
                            None,
                            str(d.verdict),
                        ),
                        *(None, None, None, None, d.t, 0.0, 1, None, None),
                    ),
                )
    raw.close()


@pytest.mark.parametrize("opening", [Journal, JournalReader])
def test_an_old_journal_opens_and_knows_what_was_discarded_in_it(tmp_path: Path, opening: Any) -> None:
    path = tmp_path / "benchwright.db"
    old_journal(path)
    with opening(path) as journal:
        assert results(journal, journal.find_run("latest")) == EXPECTED
    with Journal(path) as journal:
        recorder = journal.recorder()
        recorder.record(began(new_run_id()))
        for document in group_tried_again():
            recorder.record(document)
        recorder.record(RunFinished(Outcome.PASS, 6.0, Tally()))
        recorder.close()
        assert results(journal, journal.find_run("latest")) == EXPECTED
    raw = connections.connect_for_reading(path)
    assert raw.execute("SELECT count(*) FROM measured WHERE final").fetchone() == (6,)
    raw.close()


def test_an_old_journal_that_may_not_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "benchwright.db"
    old_journal(path)

    def refuse(*_: Any, **__: Any) -> Any:
        raise connections.explain(PermissionError("readonly"), path)

    monkeypatch.setattr("engine.store.runs.connect", refuse)
    with pytest.raises(StoreError, match="an old one and could not be brought up to date"):
        JournalReader(path)
