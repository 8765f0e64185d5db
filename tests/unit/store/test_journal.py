"""The journal keeps what happened, whatever happens to it."""

from __future__ import annotations

import importlib.util
import math
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import StoreError, UsageError
from engine.core.recorder import Recorder
from engine.store import Journal, JournalReader, RunState, migrations, new_run_id, short_id
from engine.store import connection as connections
from schemas.documents import Level, Measured, NodeFinished, NodeStarted, Outcome, Tally, UnitStarted, Verdict

HERE = Path(__file__).parent


def _builder() -> Any:
    spec = importlib.util.spec_from_file_location("documents_of_a_run", HERE / "documents_of_a_run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("documents_of_a_run", module)
    spec.loader.exec_module(module)
    return module


build = _builder()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "benchwright.db")
    yield journal
    journal.close()


def record_all(recorder: Recorder, documents: Any) -> None:
    for document in documents:
        recorder.record(document)


def record(journal: Journal, documents: Any, durability: Any = "grouped", close: bool = True) -> Recorder:
    recorder: Recorder = journal.recorder(durability)
    record_all(recorder, documents)
    if close:
        recorder.close()
    return recorder


@pytest.mark.parametrize("durability", ["grouped", "each"])
def test_a_run_comes_back_as_it_was_told(journal: Journal, durability: str) -> None:
    started = build.run_started(limit_set="extended", seed=2**70)
    record(journal, build.tempco_run(started), durability)
    run = journal.find_run("latest")
    for name in ("sequence", "title", "version", "station", "clock", "parameters", "limit_set", "seed", "operator",
                 "description", "meta", "environment", "planned_s", "units", "procedure_digest", "plan_digest"):  # fmt: skip
        assert getattr(run, name) == getattr(started, name), name
    assert run.outcome is Outcome.MARGINAL
    assert run.state is RunState.FINISHED
    assert run.status == "marginal"
    assert run.tally == Tally(passed=7, marginal=1, unjudged=6)
    [unit] = journal.units(run)
    assert (unit.serial, unit.site, unit.fields, unit.outcome) == (
        "LDO0042",
        "A",
        {"mac": "00:11:22"},
        Outcome.MARGINAL,
    )
    assert [i.name for i in journal.instruments(run)] == ["chamber", "psu", "dmm"]
    assert [i.safe for i in journal.instruments(run)] == [None, True, None]
    assert [f.path for f in journal.files(run)] == ["sequences/ldo_tempco.yaml", "stations/sim_bench.yaml"]
    assert journal.file_text(run, "sequences/ldo_tempco.yaml") == build.SEQUENCE_TEXT
    assert [v.value for v in journal.series(run, "t_actual")] == [
        t + 0.03 for t in (-40.0, -20.0, 0.0, 25.0, 50.0, 85.0)
    ]
    assert journal.count_measurements(run) == 14
    assert journal.count_nodes(run) == 21


def test_every_type_of_value_survives(journal: Journal) -> None:
    record(journal, build.failing_run())
    run = journal.find_run("last")
    values = {m.name: m for m in journal.measurements(run)}
    assert math.isnan(values["iq"].value)
    assert values["revision"].value == "B2"
    assert values["power_good"].value is False
    assert values["note"].value is None
    assert values["note"].diagnostic
    assert values["note"].json_value == '{"a": [1, 2]}'
    assert values["vout"].axes == (("temperature", 85.0), ("load", 0.5))


def test_attempts_that_were_tried_again_stay_and_are_told_apart(journal: Journal) -> None:
    record(journal, build.failing_run())
    run = journal.find_run("latest")
    attempts = [n for n in journal.nodes(run) if n.node == "steps/ripple"]
    assert [(n.attempt, n.outcome, n.final) for n in attempts] == [(1, Outcome.FAIL, False), (2, Outcome.PASS, True)]
    assert [m.value for m in journal.series(run, "ripple")] == [0.0061, 0.0032]


def test_events_can_be_asked_for_from_the_last_one_known(journal: Journal) -> None:
    record(journal, build.failing_run())
    run = journal.find_run("latest")
    events = journal.events(run)
    assert [e.document for e in events] == ["InstrumentOpened"] * 3 + ["Logged", "SafeState", "SafeState"]
    assert events[3].level is Level.ERROR
    assert journal.events(run, after=events[2].number) == events[3:]
    assert journal.events(run, limit=2) == events[:2]


def test_attachments_are_kept_with_their_bytes(journal: Journal) -> None:
    record(journal, build.failing_run())
    run = journal.find_run("latest")
    [attachment] = journal.attachments(run)
    assert journal.attachment_content(run, attachment).startswith(b"\x89PNG")


def test_rows_come_in_order_of_unit_plan_and_attempt(journal: Journal) -> None:
    documents = [build.run_started()]
    for order, unit, attempt in [(3, 0, 1), (1, 1, 1), (1, 0, 2), (1, 0, 1), (2, 0, 1)]:
        documents.append(Measured(unit, "n", attempt, order, "x", 1.0, "", Verdict.UNJUDGED, 0.0))
    record(journal, documents)
    rows = [(m.unit, m.order, m.attempt) for m in journal.measurements(journal.find_run("latest"))]
    assert rows == [(0, 1, 1), (0, 1, 2), (0, 2, 1), (0, 3, 1), (1, 1, 1)]


def test_a_node_that_starts_in_one_group_and_finishes_in_another_is_one_row(journal: Journal) -> None:
    recorder = journal.recorder("each")
    recorder.record(build.run_started())
    recorder.record(NodeStarted(0, "steps/a", 1, 1, "set", 0.0))
    recorder.durable()
    run = journal.find_run("latest")
    assert [n.state for n in journal.nodes(run)] == ["started"]
    recorder.record(NodeFinished(0, "steps/a", 1, 1, "set", Outcome.DONE, 0.0, 2.0, waited=0.5))
    recorder.durable()
    [node] = journal.nodes(run)
    assert (node.state, node.started, node.finished, node.waited) == ("finished", 0.0, 2.0, 0.5)
    recorder.close()


def test_grouped_waits_and_each_does_not(journal: Journal) -> None:
    for durability, seen in (("grouped", 0), ("each", 1)):
        recorder = journal.recorder(durability)
        recorder.record(build.run_started(new_run_id()))
        recorder.record(UnitStarted(0, "A1", "A", 0.0))
        recorder.durable()
        assert len(journal.units(journal.find_run("latest"))) == seen
        recorder.close()
        assert len(journal.units(journal.find_run("latest"))) == 1


def test_limits_and_quantities_are_stored_once(journal: Journal) -> None:
    record(journal, build.long_run(300))
    record(journal, build.long_run(300, started=build.run_started(new_run_id())))
    with sqlite3.connect(journal.path) as raw:
        assert raw.execute("SELECT (SELECT count(*) FROM limits), (SELECT count(*) FROM quantities)").fetchone() == (
            1,
            1,
        )
        assert raw.execute("SELECT count(*) FROM measured WHERE name = 'vout' AND \"limit\" <> ''").fetchone() == (600,)


def test_a_run_whose_process_is_gone_is_interrupted(journal: Journal, tmp_path: Path) -> None:
    script = (
        f"import sys, os; sys.path.insert(0, {str(HERE)!r}); import documents_of_a_run as build\n"
        "from engine.store import Journal\n"
        f"recorder = Journal({str(journal.path)!r}).recorder('each')\n"
        "for document in build.tempco_run()[:20]: recorder.record(document)\n"
        "recorder.durable(); print('written', flush=True); sys.stdin.read(); os._exit(9)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "written\n"
    run = journal.find_run("latest")
    assert run.state is RunState.RUNNING
    assert run.status == "running"
    assert run.pid == child.pid
    assert [r.id for r in journal.runs(outcome="running")] == [run.id]
    assert journal.count_measurements(run) > 0
    child.stdin.close()
    child.wait()
    child.stdout.close()
    run = journal.run(run.id)
    assert run.state is RunState.INTERRUPTED
    assert run.outcome is None
    assert [r.id for r in journal.runs(outcome="interrupted")] == [run.id]
    assert {n.state for n in journal.nodes(run)} == {"finished", "interrupted"}
    assert journal.tally(run).passed == sum(1 for m in journal.measurements(run) if m.verdict is Verdict.PASS)


def test_two_processes_read_while_one_writes(journal: Journal) -> None:
    script = (
        "import sys, time\nfrom engine.store import JournalReader\n"
        f"reader = JournalReader({str(journal.path)!r})\n"
        "run = reader.find_run('latest'); last = -1; until = time.monotonic() + 60\n"
        "while run.outcome is None and time.monotonic() < until:\n"
        "    count = sum(1 for _ in reader.measurements(run)); assert count >= last, (count, last); last = count\n"
        "    run = reader.run(run.id)\n"
        "print(sum(1 for _ in reader.measurements(run)))\n"
    )
    documents = list(build.long_run(6000))
    recorder = record(journal, documents[:50], "each", close=False)
    recorder.durable()
    readers = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for document in documents[50:]:
        recorder.record(document)
    recorder.close()
    assert [reader.communicate()[0] for reader in readers] == ["6000\n", "6000\n"]


def test_two_runs_can_be_written_at_once(journal: Journal) -> None:
    ids = [new_run_id(), new_run_id()]
    recorders = [journal.recorder("each") for _ in ids]
    runs = [build.tempco_run(build.run_started(run_id)) for run_id in ids]
    for pair in zip(*runs, strict=True):
        for recorder, document in zip(recorders, pair, strict=True):
            recorder.record(document)
            recorder.durable()
    for recorder in recorders:
        recorder.close()
    rows = [[m._replace(wall=0.0) for m in journal.measurements(journal.run(run_id))] for run_id in ids]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 14


class TestFindingARun:
    def test_a_unique_beginning_of_the_short_or_long_id_is_enough(self, journal: Journal) -> None:
        for run_id in ("01jgh3k8q2-b7k3q9x2", "01jgh3k8q2-b7m00000", "01jgh3k9aa-c0000000"):
            record(journal, build.tempco_run(build.run_started(run_id)))
        assert journal.find_run("b7k").id == "01jgh3k8q2-b7k3q9x2"
        assert journal.find_run("C").id == "01jgh3k9aa-c0000000"
        assert journal.find_run("01jgh3k9").id == "01jgh3k9aa-c0000000"
        assert journal.find_run("latest").id == "01jgh3k9aa-c0000000"
        with pytest.raises(UsageError, match="several runs begin with `b7`") as caught:
            journal.find_run("b7")
        assert "b7k3q9x2 (ldo_tempco), " in caught.value.help or "b7m00000 (ldo_tempco), " in caught.value.help
        for nothing in ("zzz", "", "%", "b7k3q9x2x", "' OR 1"):
            with pytest.raises(UsageError, match="no run begins"):
                journal.find_run(nothing)

    def test_an_empty_journal_says_so(self, journal: Journal) -> None:
        with pytest.raises(UsageError, match="no run has been recorded yet"):
            journal.find_run("latest")

    def test_the_newest_runs_come_first_and_can_be_filtered(self, journal: Journal) -> None:
        for n, sequence in enumerate(["a", "b", "a"]):
            record(journal, build.tempco_run(build.run_started(f"run-{n}", sequence=sequence)))
        assert [r.id for r in journal.runs()] == ["run-2", "run-1", "run-0"]
        assert [r.id for r in journal.runs(limit=1, sequence="a")] == ["run-2"]
        assert journal.runs(outcome="fail") == []
        assert len(journal.runs(limit=None, outcome="marginal")) == 3


def test_run_ids_sort_by_time_and_differ_at_once_in_their_tails() -> None:
    ids = [new_run_id(1_700_000_000 + n) for n in range(50)]
    assert ids == sorted(ids)
    assert len({short_id(i) for i in ids}) == 50
    assert all(short_id(i)[0].isalpha() for i in ids)


def test_notes_are_added_to_a_finished_run(journal: Journal) -> None:
    record(journal, build.tempco_run())
    run = journal.find_run("latest")
    journal.add_note(run, "probe was loose", "haas")
    assert [(n.text, n.author) for n in journal.notes(run)] == [("probe was loose", "haas")]


def test_files_are_written_back_and_never_outside_the_folder(journal: Journal, tmp_path: Path) -> None:
    files = [
        build.FileSnapshot("sequence", p, "0", p)
        for p in ("sequences/a.yaml", "../../b.yaml", "/etc/c.yaml", "C:\\d.yaml")
    ]
    record(journal, [build.run_started(files=files)])
    written = journal.extract_files(journal.find_run("latest"), tmp_path / "out")
    assert [str(p.relative_to(tmp_path)) for p in written] == [
        "out/sequences/a.yaml",
        "out/b.yaml",
        "out/etc/c.yaml",
        "out/d.yaml",
    ]
    with pytest.raises(UsageError, match=r"used no file x.yaml"):
        journal.file_text(journal.find_run("latest"), "x.yaml")


class TestTrouble:
    def test_an_unknown_document_is_an_error_and_does_not_block_the_next(self, journal: Journal) -> None:
        recorder = journal.recorder()
        recorder.record(build.run_started())
        recorder.record(asdict)  # type: ignore[arg-type]
        with pytest.raises(StoreError, match="does not know documents of type function"):
            recorder.flush()
        recorder.record(UnitStarted(0, "A1", "A", 0.0))
        recorder.close()
        assert len(journal.units(journal.find_run("latest"))) == 1

    def test_a_document_before_the_run_is_an_error(self, journal: Journal) -> None:
        recorder = journal.recorder()
        with pytest.raises(StoreError, match="before RunStarted"):
            recorder.record(UnitStarted(0, "A1", "A", 0.0))

    def test_a_newer_journal_is_left_alone(self, journal: Journal) -> None:
        with sqlite3.connect(journal.path) as raw:
            raw.execute("PRAGMA user_version=99")
        for opening in (Journal, JournalReader):
            with pytest.raises(StoreError, match="written by a newer Benchwright"):
                opening(journal.path)

    def test_a_later_migration_keeps_what_is_there(self, journal: Journal) -> None:
        record(journal, build.tempco_run())
        journal.close()

        def second(database: Any) -> None:
            database.execute("ALTER TABLE runs ADD COLUMN colour TEXT")

        raw = connections.connect(journal.path)
        migrations.migrate(raw, journal.path, [*migrations.MIGRATIONS, second])
        assert migrations.schema_version(raw) == len(migrations.MIGRATIONS) + 1
        assert raw.execute("SELECT count(*), max(colour) FROM runs").fetchone() == (1, None)
        raw.close()

    def test_a_migration_that_fails_changes_nothing(self, journal: Journal) -> None:
        def broken(database: Any) -> None:
            database.execute("DROP VIEW measured")
            raise sqlite3.OperationalError("database or disk is full")

        raw = connections.connect(journal.path)
        with pytest.raises(StoreError, match="no room is left"):
            migrations.migrate(raw, journal.path, [*migrations.MIGRATIONS, broken])
        assert migrations.schema_version(raw) == len(migrations.MIGRATIONS)
        assert raw.execute("SELECT count(*) FROM measured").fetchone() == (0,)
        raw.close()

    @pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 2000])
    def test_a_file_that_is_no_journal_is_named(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "benchwright.db"
        path.write_bytes(content)
        for opening in (Journal, JournalReader):
            with pytest.raises(StoreError, match=r"benchwright\.db") as caught:
                opening(path)
            assert caught.value.help
        assert path.read_bytes() == content

    def test_a_torn_journal_is_an_error_not_a_traceback(self, journal: Journal) -> None:
        record(journal, build.long_run(3000))
        run = journal.find_run("latest")
        journal.close()
        content = bytearray(journal.path.read_bytes())
        content[8192 : len(content) - 4096] = b"\xa5" * (len(content) - 12288)
        journal.path.write_bytes(content)
        with pytest.raises(StoreError, match=r"damaged|not a Benchwright"):
            list(JournalReader(journal.path).measurements(run))

    def test_another_database_is_not_taken_over(self, tmp_path: Path) -> None:
        path = tmp_path / "theirs.db"
        with sqlite3.connect(path) as raw:
            raw.execute("CREATE TABLE recipes (name)")
        with pytest.raises(StoreError, match="not a Benchwright journal"):
            Journal(path)

    def test_a_reader_of_nothing_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="there is no journal") as caught:
            JournalReader(tmp_path / "none.db")
        assert "run a sequence first" in caught.value.help
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "results").write_text("a file, not a folder")
        with pytest.raises(StoreError, match="cannot be opened") as caught:
            Journal(tmp_path / "results" / "benchwright.db")
        assert "--results" in caught.value.help

    def test_a_locked_journal_is_an_error_after_waiting(
        self, journal: Journal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "BUSY_TIMEOUT_S", 0.01)
        recorder = journal.recorder()
        with sqlite3.connect(journal.path, isolation_level=None) as raw:
            raw.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="in use by another program"):
                recorder.record(build.run_started())
            raw.execute("ROLLBACK")
        recorder.close()
        assert journal.count_runs() == 1, "what was taken is kept until it can be written"
        raw.close()

    def test_a_full_disk_is_an_error_and_loses_nothing_that_can_still_be_saved(self, journal: Journal) -> None:
        recorder = journal.recorder()
        documents = list(build.long_run(3000))
        recorder.record(documents[0])
        recorder._connection.execute("PRAGMA max_page_count=40")
        with pytest.raises(StoreError, match="no room is left") as caught:
            record_all(recorder, documents[1:])
        assert "free some disk space" in caught.value.help
        taken = sum(isinstance(d, Measured) for d in recorder._waiting)
        recorder._connection.execute("PRAGMA max_page_count=4000000")
        recorder.close()
        assert journal.count_measurements(journal.find_run("latest")) == taken > 100

    def test_a_folder_without_the_right_to_write(self) -> None:
        root = Path(tempfile.mkdtemp())
        root.chmod(0o755)
        path = root / "benchwright.db"
        with Journal(path) as journal:
            record(journal, build.tempco_run())
        privileged = os.geteuid() == 0
        root.chmod(0o555)
        if privileged:
            os.seteuid(65534)
        try:
            with pytest.raises(StoreError, match=r"cannot be (written|opened)"):
                Journal(path)
            with JournalReader(path) as reader:
                assert reader.count_measurements(reader.find_run("latest")) == 14
        finally:
            if privileged:
                os.seteuid(0)
            root.chmod(0o755)

    def test_text_and_numbers_that_no_column_takes_are_made_fit(self, journal: Journal) -> None:
        class Exotic:
            def item(self) -> float:
                return 2.5

        documents = [
            build.run_started(operator="bad \udcff byte", parameters={"x": Exotic()}),
            Measured(0, "n", 1, 1, "x", "half \ud800 pair", "", Verdict.UNJUDGED, 0.0),
            Measured(0, "n", 1, 2, "y", Exotic(), "", Verdict.UNJUDGED, 0.0, samples=2**80),  # type: ignore[arg-type]
        ]
        record(journal, documents)
        run = journal.find_run("latest")
        assert run.operator == "bad \\udcff byte"
        assert run.parameters == {"x": 2.5}
        assert [m.value for m in journal.measurements(run)] == ["half \\ud800 pair", 2.5]


def test_memory_stays_the_same_for_limits_that_differ_at_every_point(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.rows.REMEMBERED", 50)
    recorder = journal.recorder()
    recorder.record(build.run_started())
    for n in range(500):
        recorder.record(Measured(0, "n", 1, n, "x", 1.0, "V", Verdict.PASS, 0.0, limit=f'{{"min": {n}}}'))
    recorder.flush()
    assert len(recorder._known.limits) <= 50
    assert len(recorder._known.quantities) <= 50
    recorder.close()
    assert [m.limit for m in journal.measurements(journal.find_run("latest"))] == [
        f'{{"min": {n}}}' for n in range(500)
    ]


@pytest.mark.slow
def test_a_recorded_pair_costs_microseconds(journal: Journal) -> None:
    documents = list(build.long_run(30_000))
    recorder = journal.recorder()
    before = time.process_time()
    for document in documents:
        recorder.record(document)
    recorder.close()
    assert (time.process_time() - before) / 30_000 < 40e-6, "a generous bound: tests/bench has the real one"
