"""What is seen of a run of several units, while it is under way and afterwards."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from engine.cli import console
from engine.cli.live import LiveView
from engine.cli.progress import PlainLines
from engine.cli.tables import measurement_table, serials_text
from engine.present.fold import fold
from engine.store import JOURNAL_NAME, Journal, UnitRecord
from schemas.documents import (
    Document,
    Held,
    InstrumentIdentity,
    InstrumentOpened,
    Measured,
    NodeFinished,
    NodeStarted,
    Outcome,
    RunFinished,
    RunStarted,
    Tally,
    UnitFinished,
    UnitStarted,
    Verdict,
    Waited,
)


def measured(unit: int, number: float, verdict: Verdict = Verdict.PASS, name: str = "vout") -> Measured:
    margin = min(number - 3.2, 3.4 - number)
    return Measured(unit, f"steps/{name}", 1, 1, name, number, "V", verdict, 2.0, 3.2, 3.4, "", margin)


def documents() -> list[Document]:
    """Two units that share a meter; the second fails."""
    started = RunStarted(
        "01jgh3k8q2-b7k3q9x2",
        "quick",
        "Quick",
        "1",
        "rack",
        "virtual",
        "a" * 64,
        "b" * 64,
        {},
        None,
        1,
        "",
        "",
        {},
        [],
        {},
    )
    return [
        started,
        InstrumentOpened(0.0, InstrumentIdentity("dmm", "sim_dmm", "sim", "", "DMM")),
        UnitStarted(0, "LDO0042", "A", 0.0),
        UnitStarted(1, "BAD-TC-2", "B", 0.0),
        *(NodeStarted(unit, "steps/vout", 1, 1, "measure", 1.0) for unit in (0, 1)),
        measured(0, 3.3),
        NodeFinished(0, "steps/vout", 1, 1, "measure", Outcome.PASS, 1.0, 2.0),
        Held(0, "dmm", "claim", "steps/vout", 1.0, 2.0),
        Waited(1, "steps/vout", "dmm", (0,), 1.0, 2.0),
        measured(1, 3.5, Verdict.FAIL),
        NodeFinished(1, "steps/vout", 1, 1, "measure", Outcome.FAIL, 2.0, 3.0, waited=1.0),
        Held(1, "dmm", "claim", "steps/vout", 2.0, 3.0),
        UnitFinished(0, Outcome.PASS, 2.5, Tally(passed=1)),
        UnitFinished(1, Outcome.FAIL, 3.0, Tally(failed=1), "contact lost \x1b[2J"),
        RunFinished(Outcome.FAIL, 3.0, Tally(passed=1, failed=1)),
    ]


def plain(several: bool = False, *, only: int | None = None) -> list[str]:
    stream = io.StringIO()
    lines = PlainLines(stream, several=several)
    for document in documents():
        if only is None or getattr(document, "unit", only) == only:
            lines.hear(document)
    return stream.getvalue().splitlines()


class TestPlainLines:
    def test_each_line_says_whose_it_is_and_values_stay_in_line(self) -> None:
        lines = [line for line in plain() if "vout =" in line]
        assert lines == [
            "       2.000 s  LDO0042   + pass  vout = 3.3000 V  (3.2 .. 3.4 V)",
            "       2.000 s  BAD-TC-2  x fail  vout = 3.5000 V  (3.2 .. 3.4 V)",
        ]

    def test_a_unit_that_ends_has_a_line_with_outcome_counts_and_message(self) -> None:
        ended = [line for line in plain() if "unit finished" in line]
        assert ended == [
            "       2.500 s  LDO0042   + pass  unit finished in 2.5 s, 1 passed",
            "       3.000 s  BAD-TC-2  x fail  unit finished in 3 s, 1 failed: contact lost \\u001b[2J",
        ]

    def test_one_unit_alone_is_told_as_ever(self) -> None:
        lines = plain(only=0)
        assert not any("unit finished" in line for line in lines)
        assert [line for line in lines if "vout" in line] == ["       2.000 s  + pass  vout = 3.3000 V  (3.2 .. 3.4 V)"]

    def test_units_that_still_queue_make_it_several_from_the_start(self) -> None:
        assert any("LDO0042  + pass" in line for line in plain(several=True, only=0))


def live(**more: Any) -> tuple[LiveView, Any]:
    now = [100.0]
    view = LiveView("quick on rack", 10, None, lambda: now[0], **more)
    return view, now


def drawn(view: LiveView, height: int = 40) -> str:
    from rich.console import Console

    view._console = Console(file=io.StringIO(), width=100, height=height)
    screen = Console(file=io.StringIO(), width=100)
    screen.print(view.render())
    return screen.file.getvalue()  # type: ignore[attr-defined, no-any-return]


class TestLiveView:
    def test_there_is_a_line_a_unit_with_its_step_and_verdict_so_far(self) -> None:
        view, _ = live(units=3)
        for document in documents()[:-3]:
            view.hear(document)
        text = drawn(view)
        assert "▸ LDO0042   A  1 pass                    steps/vout" in text
        assert "✗ BAD-TC-2  B  1 fail                    steps/vout" in text
        assert "0 of 3 units done, 1 queue for a site" in text
        assert "BAD-TC-2: vout = 3.5000 V" in text

    def test_a_unit_that_is_done_shows_its_outcome(self) -> None:
        view, _ = live()
        for document in documents():
            view.hear(document)
        text = drawn(view)
        assert "✓ LDO0042   A  1 pass                    pass" in text
        assert "2 of 2 units done" in text

    def test_the_share_is_that_of_all_units_together(self) -> None:
        view, now = live(units=4)
        for unit in range(2):
            view.hear(UnitStarted(unit, f"SN{unit}", "A", 0.0))
            view.hear(NodeStarted(unit, "steps/x", 1, 5, "measure", 1.0))
        now[0] = 110.0
        assert view.share() == pytest.approx(2 * 5 / 40)
        assert view.remaining_s() == pytest.approx(30.0)
        view.hear(UnitFinished(0, Outcome.FAIL, 2.0, Tally()))
        assert view.share() == pytest.approx(15 / 40), "a unit that dropped out has nothing left to do"

    def test_on_a_low_screen_those_at_work_are_shown(self) -> None:
        view, _ = live(units=30)
        for unit in range(30):
            view.hear(UnitStarted(unit, f"SN{unit:02}", "A", 0.0))
            if unit < 25:
                view.hear(UnitFinished(unit, Outcome.PASS, 1.0, Tally()))
        text = drawn(view, height=15)
        assert all(f"SN{unit}" in text for unit in range(25, 30))
        assert "22 not shown" in text
        assert len(text.splitlines()) <= 15


class TestTables:
    def test_what_units_share_is_folded_and_the_worst_named(self) -> None:
        table = fold([measured(0, 3.3), measured(1, 3.5, Verdict.FAIL)])
        text = measurement_table(table, {0: "LDO0042", 1: "BAD-TC-2"})
        assert text.count("vout") == 1
        for part in ("3.3000 … 3.5000 V", "-0.1 V", "BAD-TC-2", "1 fail, 1 pass"):
            assert part in text

    def test_what_they_do_not_share_is_told_unit_by_unit(self) -> None:
        table = fold([measured(0, 3.3, name="a"), measured(1, 3.5, Verdict.FAIL, name="b")])
        text = measurement_table(table, {0: "LDO0042", 1: "BAD-TC-2"})
        assert [line.split()[0] for line in text.splitlines()] == ["unit", "LDO0042", "BAD-TC-2"]

    def test_many_serials_are_a_number_and_their_ends(self) -> None:
        units = [UnitRecord(n, f"SN{n}", "A", {}, 0.0, 1.0, Outcome.PASS, "", Tally()) for n in range(12)]
        assert serials_text(units[:2]) == "SN0, SN1"
        assert serials_text(units) == "12 units, SN0 … SN11"


@pytest.fixture
def ran(project: Path) -> Path:
    """Results with the run of two units."""
    folder = project / "kept"
    folder.mkdir()
    with Journal(folder / JOURNAL_NAME) as journal:
        recorder = journal.recorder()
        for document in documents():
            recorder.record(document)
        recorder.close()
    return folder


class TestShow:
    def test_units_come_first_the_failed_one_before_the_others(self, bench: Any, ran: Path) -> None:
        out = bench("show", "--results", str(ran)).out
        assert out.index("\nunits\n") < out.index("\nwhy\n") < out.index("\nmeasurements\n") < out.index("\ntimeline\n")
        head, bad, good = out.split("\nunits\n")[1].splitlines()[:3]
        assert head.split() == ["outcome", "unit", "site", "values", "took", "waited"]
        assert bad.split()[:4] == ["✗", "fail", "BAD-TC-2", "B"]
        assert good.split()[2] == "LDO0042"
        assert "1 s  contact lost" in bad
        assert "\x1b" not in out

    def test_the_cause_says_which_unit(self, bench: Any, ran: Path) -> None:
        assert "✗ fail  BAD-TC-2  steps/vout: vout = 3.5000 V" in bench("show", "--results", str(ran)).out

    def test_the_timeline_says_who_waited_for_whom(self, bench: Any, ran: Path) -> None:
        timeline = bench("show", "--results", str(ran)).out.split("\ntimeline\n")[1]
        assert ["dmm", "66.7%", "2", "s", "2×", "1", "s"] in [line.split() for line in timeline.splitlines()]
        assert [line.split() for line in timeline.splitlines() if "LDO0042" in line and "at" in line.split()] == [
            ["BAD-TC-2", "1", "s", "1×", "dmm", "LDO0042", "1", "s", "at", "1", "s"]
        ]

    def test_one_unit_of_several_is_shown_as_if_alone(self, bench: Any, ran: Path) -> None:
        out = bench("show", "--results", str(ran), "--unit", "LDO0042").out
        assert out.startswith("✓ PASS  LDO0042  Quick")
        assert "BAD-TC-2" not in out
        assert "\ntimeline\n" not in out
        assert "3.3000 V" in out

    def test_a_serial_that_is_not_in_the_run_is_a_message(self, bench: Any, ran: Path) -> None:
        found = bench("show", "--results", str(ran), "--unit", "LDO042")
        assert found.code == 2
        assert "has no unit `LDO042`" in found.err
        assert "did you mean `LDO0042`?" in found.err

    def test_json_has_units_utilisation_and_waits(self, bench: Any, ran: Path) -> None:
        document = bench("show", "--results", str(ran), "--json").json
        assert [(one["serial"], one["waited_s"]) for one in document["units"]] == [("LDO0042", 0.0), ("BAD-TC-2", 1.0)]
        assert document["utilisation"][0]["resource"] == "dmm"
        assert document["utilisation"][0]["share"] == pytest.approx(2 / 3)
        [wait] = document["waits"]
        assert (wait["unit"], wait["others"]) == (1, [{"unit": 0, "seconds": 1.0}])
        assert {event["document"] for event in document["events"]} == {"InstrumentOpened"}
        only = bench("show", "--results", str(ran), "--json", "--unit", "LDO0042").json
        assert [one["serial"] for one in only["units"]] == ["LDO0042"]
        assert {one["unit"] for one in only["measurements"]} == {0}
        assert only["waits"] == []

    def test_a_plain_terminal_gets_plain_letters(self, ran: Path, monkeypatch: pytest.MonkeyPatch, bench: Any) -> None:
        monkeypatch.setattr(console, "speaks_unicode", lambda stream: False)
        out = bench("show", "--results", str(ran)).out
        assert out.split("\ntimeline\n")[1].split("\nsteps\n")[0].replace("1×", "1x").isascii()


def test_a_run_of_several_units_is_listed_by_their_number(bench: Any, ran: Path) -> None:
    assert "LDO0042, BAD-TC-2" in bench("runs", "--results", str(ran)).out
