"""What leaves the journal: rows that repeat byte for byte, and a page that tells the truth and nothing else."""

from __future__ import annotations

import base64
import csv
import importlib.util
import io
import json
import math
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import StoreError, UsageError
from engine.output import ReportSettings, html_report, report_name, run_as_json, write_csv, write_jsonl, written_whole
from engine.output.export import writer_for
from engine.output.logo import sniff
from engine.store import Journal, RunRecord, new_run_id
from schemas.documents import (
    FileSnapshot,
    Held,
    InstrumentIdentity,
    InstrumentOpened,
    Level,
    Logged,
    Measured,
    NodeFinished,
    Outcome,
    RunFinished,
    SafeState,
    Tally,
    UnitFinished,
    UnitStarted,
    Verdict,
    Waited,
)


def _builder() -> Any:
    path = Path(__file__).parents[1] / "store" / "documents_of_a_run.py"
    spec = importlib.util.spec_from_file_location("documents_of_a_run", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("documents_of_a_run", module)
    spec.loader.exec_module(module)
    return module


build = _builder()
GOOD = "7rAbCd"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "benchwright.db")
    yield journal
    journal.close()


def record(journal: Journal, documents: Any) -> RunRecord:
    recorder = journal.recorder()
    for document in documents:
        recorder.record(document)
    recorder.close()
    return journal.find_run("latest")


def text_of(writer: Any, journal: Journal, run: RunRecord, **options: Any) -> str:
    stream = io.StringIO()
    writer(journal, run, stream, **options)
    return stream.getvalue()


class TestExport:
    @pytest.mark.parametrize("writer", [write_csv, write_jsonl])
    def test_two_equal_runs_give_the_same_bytes(self, journal: Journal, writer: Any) -> None:
        texts = []
        for _ in range(2):
            run = record(journal, build.failing_run(build.run_started(new_run_id())))
            texts.append(text_of(writer, journal, run))
        assert texts[0] == texts[1]
        with_times = text_of(writer, journal, run, times=True)
        assert run.id in with_times
        assert run.id not in texts[0]

    def test_the_order_in_which_rows_were_recorded_does_not_matter(self, journal: Journal) -> None:
        documents = [
            Measured(unit, f"n{order}", attempt, order, name, 1.0, "V", Verdict.PASS, 0.0)
            for unit in (1, 0) for order in (2, 1) for attempt in (2, 1) for name in ("b", "a")
        ]  # fmt: skip
        texts = set()
        for some in (documents, documents[::-1], documents[3:] + documents[:3]):
            run = record(journal, [build.run_started(new_run_id()), *some])
            texts.add(text_of(write_csv, journal, run))
        assert len(texts) == 1

    def test_csv_reads_back_as_the_same_numbers(self, journal: Journal) -> None:
        run = record(journal, build.failing_run())
        rows = list(csv.DictReader(io.StringIO(text_of(write_csv, journal, run))))
        recorded = list(journal.measurements(run))
        assert len(rows) == len(recorded)
        for row, m in zip(rows, recorded, strict=True):
            assert row["serial"] == "BAD0007"
            if m.name == "vout":
                assert float(row["value"]) == m.value
                assert float(row["margin"]) == m.margin
                assert (float(row["axis_temperature"]), float(row["axis_load"])) == (m.axes[0][1], m.axes[1][1])
        values = {row["name"]: row["value"] for row in rows}
        assert (values["iq"], values["power_good"], values["note"], values["revision"]) == ("nan", "false", "", "B2")

    def test_jsonl_is_json_even_for_what_is_no_number(self, journal: Journal) -> None:
        run = record(journal, build.failing_run())
        rows = [json.loads(line, parse_constant=_refuse) for line in text_of(write_jsonl, journal, run).splitlines()]
        assert {row["name"]: row["value"] for row in rows}["iq"] == "NaN"
        assert rows[0]["axes"] == {"temperature": -40.0, "load": 0.0}

    def test_an_unknown_format_names_the_known_ones(self) -> None:
        with pytest.raises(UsageError, match="no export format `xlsx`") as caught:
            writer_for("xlsx")
        assert caught.value.help == "known: csv, jsonl"

    def test_a_file_appears_whole_or_not_at_all(self, tmp_path: Path) -> None:
        target = tmp_path / "out" / "rows.csv"
        with written_whole(target) as stream:
            stream.write("a\n")
        assert target.read_bytes() == b"a\n"
        with pytest.raises(ZeroDivisionError):
            _write_half(target)
        assert target.read_bytes() == b"a\n"
        assert list(target.parent.iterdir()) == [target]
        with pytest.raises(StoreError, match="cannot write"), written_whole(target / "below.csv"):
            pass


def _write_half(target: Path) -> None:
    with written_whole(target) as stream:
        stream.write("half")
        raise ZeroDivisionError


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def test_a_run_as_json_is_json_and_complete(journal: Journal) -> None:
    run = record(journal, build.failing_run())
    journal.add_note(run, "probe was loose")
    text = json.dumps(run_as_json(journal, run), allow_nan=False)
    document = json.loads(text)
    assert document["outcome"] == "error"
    assert document["tally"]["failed"] == 6
    assert document["measurement_count"] == len(document["measurements"]) == 24
    assert document["nodes"][0]["node"] == "steps/vout[temperature=-40.0,load=0.0]"
    assert document["notes"][0]["text"] == "probe was loose"
    assert document["units"][0]["serial"] == "BAD0007"
    assert len(run_as_json(journal, run, rows=3)["measurements"]) == 3


class Page(HTMLParser):
    """Sees what a browser would make of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


class TestReport:
    def test_a_good_run_says_who_what_and_how(self, journal: Journal) -> None:
        run = record(journal, build.tempco_run())
        settings = ReportSettings(company="Nordlicht", confidentiality="Confidential")
        page = Page(html_report(journal, run, settings, UTC)).text
        for expected in (
            "Output voltage temperature coefficient", "PASS, MARGINAL", "LDO0042", "R. Haas", "Lot 12, after burn-in",
            "448f9e3 with uncommitted changes", "virtual, seed 7", "3.2940 … 3.3055 V", "3.234 … 3.366 V", "48.00 µA", "≤ 50 µA",
            "Benchwright,SIM-DMM,0001,1.0", "2027-03-01", "sequences/ldo_tempco.yaml", "1" * 64, "Nordlicht", "Confidential",
            "5 V", "-40, 25, 85 °C", "temperature (°C)", "upper limit 3.366 V", "net VOUT, pin TP3",
        ):  # fmt: skip
            assert expected in page, expected
        assert "went wrong" not in page
        assert "Why it failed" not in page

    def test_a_bad_run_says_first_what_went_wrong(self, journal: Journal) -> None:
        run = record(journal, build.failing_run())
        page = Page(html_report(journal, run)).text
        first = page.index("What went wrong")
        assert first < page.index("Measurements of")
        assert page.index("dmm did not answer `READ?` within 5 s (check the cable)", first) < page.index(
            "vout = 3.1900 V", first
        )
        assert "4 of 18 points fail; this is the worst" in page
        assert "iq = no reading, limit ≤ 50 µA" in page
        assert "power_good = false, limit = true" in page
        assert "Tried again" in page
        assert "not run" in page

    @pytest.mark.parametrize("outcome", list(Outcome))
    def test_only_a_passed_run_is_green(self, journal: Journal, outcome: Outcome) -> None:
        tally = Tally(passed=1) if outcome in (Outcome.PASS, Outcome.MARGINAL) else Tally()
        run = record(journal, [build.run_started(), RunFinished(outcome, 1.0, tally)])
        page = html_report(journal, run)
        assert ('class="banner good"' in page) == (outcome is Outcome.PASS)

    def test_an_unfinished_run_is_interrupted_and_not_green(self, journal: Journal) -> None:
        run = record(journal, build.tempco_run()[:-2])
        page = html_report(journal, run)
        assert 'class="banner bad"' in page
        assert "INTERRUPTED" in page
        assert Page(page).text.count("≈ marginal") >= 1

    def test_a_run_without_results_says_so(self, journal: Journal) -> None:
        run = record(journal, [build.run_started(title=""), RunFinished(Outcome.UNJUDGED, 0.0, Tally())])
        page = Page(html_report(journal, run)).text
        assert "No results recorded" in page
        assert "Nothing was judged, so nothing passed." in page

    def test_a_safe_state_that_was_not_reached_is_a_cause(self, journal: Journal) -> None:
        documents = [build.run_started(), SafeState(1.0, "psu", False, "output is still on")]
        run = record(journal, [*documents, RunFinished(Outcome.ERROR, 1.0, Tally())])
        assert "its safe state could not be verified: output is still on" in Page(html_report(journal, run)).text

    def test_no_text_of_a_user_becomes_markup(self, journal: Journal) -> None:
        evil = "<script>alert('x')</script><img src=x onerror=alert(1)>\" onload=\"alert(2) {{ 991*997 }} </style>"
        files = [FileSnapshot(evil, evil, evil, evil)]
        started = build.run_started(
            sequence=evil, title=evil, version=evil, station=evil, clock=evil, procedure_digest=evil, plan_digest=evil,
            parameters={evil: evil, "x": [evil]}, limit_set=evil, operator=evil, description=evil, meta={evil: evil}, files=files,
            environment={evil: evil, "git_commit": evil}, argv=[evil], units={evil: evil},
        )  # fmt: skip
        identity = InstrumentIdentity(evil, evil, evil, evil, evil, evil, evil, evil, evil)
        limit = json.dumps({"kind": "one_of", "values": [evil]})
        measured = [
            Measured(
                0, evil, 1, n, evil, number, evil, Verdict.FAIL, 0.0, 1.0, 2.0, limit, -1.0, ((evil, float(n)), (evil + "2", evil)),
                evil, evil, evil, evil, 1, 0.1, False, evil,
            )
            for n, number in enumerate([3.0, 4.0, 5.0])
        ]  # fmt: skip
        texts = [
            Measured(0, evil + "t", 1, 9, evil, evil, evil, Verdict.FAIL, 0.0, limit=limit),
            Measured(0, "d", 1, 10, evil, evil, evil, Verdict.UNJUDGED, 0.0, diagnostic=True, json_value=evil),
            Measured(0, "d", 1, 11, evil, evil, evil, Verdict.UNJUDGED, 0.0, diagnostic=True),
            NodeFinished(0, evil, 1, 12, evil, Outcome.ERROR, 0.0, 1.0, True, evil, evil),
            NodeFinished(0, evil, 2, 12, evil, Outcome.SKIPPED, 0.0, 1.0, True, evil, evil),
        ]
        run = record(
            journal,
            [
                started, InstrumentOpened(0.0, identity), UnitStarted(0, evil, evil, 0.0, {evil: evil}), *measured, *texts,
                Logged(0.0, Level.ERROR, evil, 0, evil, evil), SafeState(0.0, evil, False, evil),
                UnitFinished(0, Outcome.ERROR, 1.0, Tally(), evil + "u"), RunFinished(Outcome.ERROR, 1.0, Tally(failed=4), evil),
            ],
        )  # fmt: skip
        journal.add_note(run, evil, evil)
        text = html_report(journal, run, ReportSettings(company=evil, confidentiality=evil))
        page = Page(text)
        assert not {"script", "img", "iframe", "object", "link"} & set(page.tags)
        assert page.tags.count("style") == 1
        assert page.tags.count("svg") == 1
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        assert "988027" not in page.text.replace(run.id, ""), "nothing of a user is evaluated as a template"
        assert page.text.count("alert('x')") > 40

    def test_the_page_asks_nothing_of_the_network(self, journal: Journal) -> None:
        text = html_report(journal, record(journal, build.failing_run()))
        assert not re.search(r"""(src|href)\s*=\s*["'](?!data:|#)""", text)
        assert "@import" not in text
        assert re.findall(r"https?://[^\"'\s<]+", text) == ["http://www.w3.org/2000/svg"]

    def test_charts_can_be_left_out(self, journal: Journal) -> None:
        run = record(journal, build.tempco_run())
        assert "<svg" in html_report(journal, run)
        assert "<svg" not in html_report(journal, run, ReportSettings(include_charts=False))

    def test_a_long_sweep_makes_a_small_page(self, journal: Journal) -> None:
        run = record(journal, build.long_run(20_000))
        text = html_report(journal, run)
        assert len(text) < 200_000
        assert "20,000 points" in text

    def test_many_rows_are_cut_and_the_bad_ones_kept(self, journal: Journal) -> None:
        rows = [
            Measured(0, f"n{n}", 1, n, f"m{n}", 1.0, "V", Verdict.FAIL if n == 1400 else Verdict.PASS, 0.0, 0.0, 2.0)
            for n in range(1500)
        ]
        run = record(
            journal, [build.run_started(), *rows, RunFinished(Outcome.FAIL, 1.0, Tally(failed=1, passed=1499))]
        )
        page = Page(html_report(journal, run)).text
        assert "m1400" in page
        assert "500 more rows, none worse than these" in page

    @pytest.mark.slow
    def test_the_page_of_a_million_points_would_be_small_and_quick(self, journal: Journal) -> None:
        run = record(journal, build.long_run(100_000))
        before = time.process_time()
        text = html_report(journal, run)
        assert time.process_time() - before < 10
        assert len(text) < 500_000


def several_units(count: int, points: int = 6, bad: int | None = 3, evil: str = "") -> Iterator[Any]:
    """Units that sweep a value alike and take turns at one meter."""
    yield build.run_started(station="rack")
    for unit in range(count):
        yield UnitStarted(unit, f"SN{unit}{evil}", f"{unit % 8}{evil}", 0.0, {"lot" + evil: "7" + evil} if evil else {})
    t = 0.0
    for point in range(points):
        for unit in range(count):
            axes = (("temperature", float(point)),)
            node = f"steps/vout[temperature={point}]{evil}"
            value = 3.5 if unit == bad and point == 2 else 3.3 + unit / 1000 + point / 1e6
            verdict = Verdict.PASS if value < 3.4 else Verdict.FAIL
            yield Measured(unit, node, 1, point, "vout" + evil, value, "V", verdict, t, 3.2, 3.4, "", 3.4 - value, axes)
            yield Held(unit, "dmm" + evil, "claim", node, t, t + 0.02)
            yield Waited(unit, node, "dmm" + evil, ((unit + 1) % count,), max(0.0, t - 0.1), t)
            t += 0.02
    yield Held(0, "chamber" + evil, "mode", "steps/set", 0.0, t, evil or 25.0)
    for unit in range(count):
        failed = unit == bad
        yield UnitFinished(
            unit, Outcome.FAIL if failed else Outcome.PASS, t, Tally(passed=points - failed, failed=int(failed)), evil
        )
    yield RunFinished(Outcome.PASS if bad is None else Outcome.FAIL, t, Tally(passed=count * points - 1, failed=1))


class TestReportOfSeveralUnits:
    def test_units_come_first_the_failed_one_before_the_others(self, journal: Journal) -> None:
        page = Page(html_report(journal, record(journal, several_units(8)))).text
        assert "8 units, 1 fail, 7 pass: 1 of 48 judged values outside their limits" in page
        table = page.split(" Units Outcome ")[1]
        assert table.index("SN3") < table.index("SN0") < table.index("SN7")
        assert table.index("Why it failed") < table.index("Measurements of all units")
        assert "steps/vout[temperature=2] · SN3" in page

    def test_what_units_share_is_one_row_and_one_chart_with_a_line_each(self, journal: Journal) -> None:
        text = html_report(journal, record(journal, several_units(8)))
        page = Page(text).text
        assert "3.3000 … 3.5000 V" in page
        assert "1 fail, 7 pass" in page
        assert text.count('class="chart"') == 1
        chart = text.split('class="chart"')[1].split("</svg>")[0]
        assert all(f">SN{unit}</text>" in chart for unit in range(8))

    @pytest.mark.parametrize(("count", "folded"), [(4, False), (5, True)])
    def test_beyond_four_the_units_are_folded_up(self, journal: Journal, count: int, folded: bool) -> None:
        text = html_report(journal, record(journal, several_units(count)))
        assert text.count('<details class="unit"') == (count if folded else 0)
        assert text.count('id="unit-') == count
        assert all(f'href="#unit-{unit}"' in text for unit in range(count))

    def test_the_timeline_and_who_waited_for_whom_are_told(self, journal: Journal) -> None:
        text = html_report(journal, record(journal, several_units(8)))
        assert text.count('class="timeline"') == 2  # the figure and the picture
        page = Page(text).text
        assert "How much the shared instruments were used" in page
        assert "Who waited for whom" in page

    def test_a_run_that_shared_nothing_has_no_timeline(self, journal: Journal) -> None:
        documents = [d for d in several_units(2) if not isinstance(d, Held | Waited)]
        page = Page(html_report(journal, record(journal, documents))).text
        assert "Timeline" not in page
        assert "Measurements of all units" in page

    def test_one_unit_has_a_page_without_any_of_it(self, journal: Journal) -> None:
        page = Page(html_report(journal, record(journal, build.tempco_run()))).text
        for words in ("Measurements of all units", "Each unit", "Timeline", " Units Outcome "):
            assert words not in page

    def test_no_text_of_a_user_becomes_markup(self, journal: Journal) -> None:
        evil = "<script>alert('x')</script><img src=x onerror=alert(1)>\" onload=\"alert(2) {{ 991*997 }}"
        page = Page(html_report(journal, record(journal, several_units(6, evil=evil))))
        assert not {"script", "img", "iframe", "object", "link"} & set(page.tags)
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        assert page.text.count("alert('x')") > 40

    def test_very_many_units_make_a_bounded_page_with_every_failure_on_it(self, journal: Journal) -> None:
        text = html_report(journal, record(journal, several_units(900, points=2, bad=None)))
        assert len(text) < 1_500_000
        assert "400 more units, none worse than these" in Page(text).text

    @pytest.mark.slow
    def test_eight_units_of_ten_thousand_points_make_a_small_page_soon(self, journal: Journal) -> None:
        run = record(journal, several_units(8, points=10_000))
        before = time.process_time()
        text = html_report(journal, run)
        assert time.process_time() - before < 20
        assert len(text) < 300_000
        assert "10,000 points a unit" in text


class TestLogo:
    PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20

    @pytest.mark.parametrize(
        ("content", "media_type"),
        [
            (PNG, "image/png"), (b"\xff\xd8\xff\xe0", "image/jpeg"), (b"GIF89a", "image/gif"), (b"RIFF\0\0\0\0WEBP", "image/webp"),
            (b"<?xml version='1.0'?>\n<svg/>", "image/svg+xml"), (b"  <svg xmlns=''/>", "image/svg+xml"), (b"<html>", None), (b"", None),
        ],
    )  # fmt: skip
    def test_the_type_is_what_the_bytes_say(self, content: bytes, media_type: str | None) -> None:
        assert sniff(content) == media_type

    def test_the_logo_is_part_of_the_page(self, journal: Journal, tmp_path: Path) -> None:
        (tmp_path / "logo.jpg").write_bytes(self.PNG)
        run = record(journal, build.tempco_run())
        text = html_report(journal, run, ReportSettings(logo=tmp_path / "logo.jpg"))
        assert f"data:image/png;base64,{base64.b64encode(self.PNG).decode()}" in text

    @pytest.mark.parametrize(
        ("content", "message"), [(None, "cannot read"), (b"text", "is no image"), (PNG * 50_000, "larger than")]
    )
    def test_a_logo_that_cannot_be_shown_is_named(
        self, journal: Journal, tmp_path: Path, content: bytes | None, message: str
    ) -> None:
        path = tmp_path / "logo.png"
        if content is not None:
            path.write_bytes(content)
        run = record(journal, build.tempco_run())
        with pytest.raises(UsageError, match=message):
            html_report(journal, run, ReportSettings(logo=path))


def test_the_name_of_a_report(journal: Journal) -> None:
    recorded = record(journal, build.tempco_run(build.run_started(sequence="a b/../c:d")))
    name = report_name(recorded, zone=UTC)
    assert re.fullmatch(r"a_b_.._c_d_b7k3q9x2_\d{8}_\d{6}\.html", name)
    assert math.prod(map(len, name.split("/"))) == len(name)
